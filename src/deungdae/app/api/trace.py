"""Routes that tell the life of a serial, a lot or a carrier, and where it went."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query

from deungdae.app import trace
from deungdae.app.auth import Role
from deungdae.app.trace import Trace
from deungdae.core.clock import to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import HOUR, MINUTE, SECOND, Finding, Signal, is_good
from deungdae.insight.trace import Node, Place, Step

from . import answers
from .context import Context, Here, Json, needs
from .failure import WebError
from .moments import moment
from .schema import answer

T = TypeVar("T")

CODES = 20  # that a search gives
LINKS = 500  # of one thing in one answer
RECALL = 2000  # things of a recall set in one answer, unless more is asked for
SIGNALS = 40  # of one step
RAW = 30 * MINUTE  # up to which a step's samples are read one by one
AROUND = 5 * MINUTE  # looked at before the end of a step whose beginning is not known
AFTER = 10 * MINUTE  # in which an inspection may still conclude
POINTS = 60  # of a step's small trend

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
At = Annotated[str, Query(description="a moment of the life that is meant; empty: the last one")]


class CodesAnswer(msgspec.Struct, frozen=True):
    """Codes that are known. since: the oldest scan of any, or null where there is none."""

    codes: list[str]
    since: str | None


class SpanAnswer(msgspec.Struct, frozen=True):
    """One life of a code, or one tour of a carrier."""

    start: str
    end: str


class PlaceAnswer(msgspec.Struct, frozen=True):
    """Where a thing was last seen. carriers: what it is in, the innermost first."""

    asset: str
    time: str
    carriers: list[str]
    to: str
    result: str


class StepAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at one station. start, wait (s): null where the beginning is not known.

    inferred: the beginning is when the station was done with the part before. count: of a lot or a
    carrier, how many things were made of it or put into it here.
    """

    id: str
    asset: str
    start: str | None
    end: str
    wait: float | None
    inferred: bool
    count: int
    product: str
    result: str
    order: str
    into: str
    to: str
    via: str
    image: str
    doubts: list[str]


class ThingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a thing is. kind: serial, lot, carrier or order. said: what stands in a GS1 text."""

    asked: str
    code: str
    kind: str
    product: str
    order: str
    result: str
    said: dict[str, str]
    life: int
    lives: list[SpanAnswer]
    now: PlaceAnswer | None
    steps: list[StepAnswer]
    more: bool


class RelativeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A thing one link away. at: a moment of the life that is meant."""

    code: str
    kind: str
    at: str
    product: str
    result: str
    how: str
    time: str
    until: str | None


class ReachAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One direction. links: the next things; total: how many those are; counts: of all behind."""

    code: str
    links: list[RelativeAnswer]
    total: int
    counts: list[trace.Count]
    more: bool


class RecallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a recall set, and where it was last seen."""

    code: str
    kind: str
    product: str
    order: str
    result: str
    asset: str
    time: str | None
    carriers: list[str]
    to: str
    steps: int


class RecallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A recall set. more: there is more than was followed; total: of what was."""

    code: str
    rows: list[RecallRow]
    total: int
    counts: list[trace.Count]
    more: bool


class MeasuredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A signal during a step, over good samples; means: a small trend, evenly over the step."""

    id: str
    unit: str
    count: int
    minimum: float | None
    mean: float | None
    maximum: float | None
    bad: int
    means: list[float | None]


class StepDataAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, found and told at a station during a step. more: signals left out."""

    start: str
    end: str
    signals: list[MeasuredAnswer]
    findings: list[answers.FindingAnswer]
    events: list[answers.EventAnswer]
    more: bool


@router.get("/trace", **answer(CodesAnswer))
async def search(
    here: Here,
    prefix: Annotated[str, Query(max_length=256, description="codes that begin so")] = "",
    near: Annotated[str, Query(max_length=5000, description="codes like one not known")] = "",
) -> Json:
    """List codes that begin with a text, or that are like one that is not known."""

    def work() -> CodesAnswer:
        store = here.store
        codes = Trace(store).nearest(near) if near else store.codes(prefix, CODES)
        since = store.codes_since()
        return CodesAnswer(codes, None if since is None else to_iso(since))

    return Json(await here.runtime.clock.call(work))


@router.get("/trace/{code:path}/forward", **answer(ReachAnswer, 404))
async def forward(here: Here, code: str, at: At = "") -> Json:
    """Say where a thing went: what was made of it, what it was put into, and all behind."""
    tell = partial(_reach, forward=True)
    return Json(await _asked(here, code, at, tell))


@router.get("/trace/{code:path}/backward", **answer(ReachAnswer, 404))
async def backward(here: Here, code: str, at: At = "") -> Json:
    """Say what went into a thing, and all behind."""
    tell = partial(_reach, forward=False)
    return Json(await _asked(here, code, at, tell))


@router.get("/trace/{code:path}/recall", **answer(RecallAnswer, 404))
async def recall(
    here: Here,
    code: str,
    at: At = "",
    limit: Annotated[int, Query(ge=1, le=200_000, description="at most so many things")] = RECALL,
) -> Json:
    """List everything that a thing went into, and where each of it was last seen."""
    return Json(await _asked(here, code, at, _recall, limit))


@router.get("/trace/{code:path}/step", **answer(StepDataAnswer, 404, 422))
async def step(
    here: Here,
    code: str,
    asset: Annotated[str, Query(min_length=1, max_length=256)],
    until: Annotated[str, Query(alias="to", description="when the step was done")],
    since: Annotated[str, Query(alias="from", description="when it began; empty: unknown")] = "",
) -> Json:
    """Return what was measured, found and told at a station while a thing was there."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    end = moment(until, factory, now)
    start = moment(since, factory, now) if since else end - AROUND
    if start > end:
        raise WebError(422, "from is after to", "give from before to")
    return Json(await here.runtime.clock.call(lambda: _data(here, code, asset, start, end)))


@router.get("/trace/{code:path}", **answer(ThingAnswer, 404))
async def thing(here: Here, code: str, at: At = "") -> Json:
    """Say what a code is, where it is now, and tell its life. The code may be a whole GS1 text."""
    return Json(await _asked(here, code, at, lambda told, found: _thing(told, found, code)))


async def _asked(
    here: Context,
    code: str,
    at: str,
    tell: Callable[[Trace, trace.Found], T],
    most: int = trace.MOST,
) -> T:
    """Return what is told of a code. Raises WebError where no scan names it."""
    when = moment(at, here.runtime.factory, here.runtime.clock.now()) if at else None

    def work() -> T:
        told = Trace(here.store, most)
        return tell(told, told.look(code, when))

    try:
        return await here.runtime.clock.call(work)
    except NotEnoughData as error:
        raise WebError(
            404, str(error), "GET /api/v1/trace?near=… lists codes like it, and since when"
        ) from error


def _thing(told: Trace, found: trace.Found, asked: str) -> ThingAnswer:
    node, genealogy = found.node, told.genealogy
    known = told.thing(node)
    return ThingAnswer(
        asked=asked[:256],
        code=node.code,
        kind=known.kind,
        product=known.product,
        order=known.order,
        result=known.result,
        said=found.said,
        life=next((n for n, life in enumerate(found.lives) if life == node), 0),
        lives=[_span(told, life) for life in found.lives[-100:]],
        now=_place(told.place(node)),
        steps=[_step(each) for each in told.life(node)],
        more=genealogy.is_cut(node),
    )


def _span(told: Trace, node: Node) -> SpanAnswer:
    seen = told.genealogy.sights(node)
    return SpanAnswer(to_iso(seen[0].time), to_iso(seen[-1].time))


def _place(found: Place | None) -> PlaceAnswer | None:
    if found is None:
        return None
    return PlaceAnswer(
        found.asset, to_iso(found.time), list(found.carriers), found.to, found.result
    )


def _step(known: Step) -> StepAnswer:
    return StepAnswer(
        id=known.id,
        asset=known.asset,
        start=None if known.start is None else to_iso(known.start),
        end=to_iso(known.end),
        wait=None if known.wait is None else known.wait / SECOND,
        inferred=known.inferred,
        count=known.count,
        product=known.product,
        result=known.result,
        order=known.order,
        into=known.into,
        to=known.to,
        via=known.via,
        image=known.image,
        doubts=list(known.doubts),
    )


def _reach(told: Trace, found: trace.Found, *, forward: bool) -> ReachAnswer:
    genealogy, node = told.genealogy, found.node
    links = genealogy.children(node) if forward else genealogy.parents(node)
    reach = genealogy.forward(node) if forward else genealogy.backward(node)
    return ReachAnswer(
        code=node.code,
        links=[
            RelativeAnswer(
                code=each.thing.code,
                kind=each.thing.kind,
                at=to_iso(each.thing.first),
                product=each.thing.product,
                result=each.thing.result,
                how=each.how,
                time=to_iso(each.time),
                until=None if each.until is None else to_iso(each.until),
            )
            for each in told.relatives(links[:LINKS])
        ],
        total=len(links),
        counts=told.counts(reach),
        more=reach.more,
    )


def _recall(told: Trace, found: trace.Found) -> RecallAnswer:
    reach = told.genealogy.forward(found.node)
    rows = [_row(told, found.node, 0)]
    rows += [_row(told, each.node, each.steps) for each in reach.found]
    return RecallAnswer(
        code=found.node.code,
        rows=rows,
        total=len(rows),
        counts=told.counts(reach),
        more=reach.more,
    )


def _row(told: Trace, node: Node, steps: int) -> RecallRow:
    known, where = told.thing(node), told.place(node)
    return RecallRow(
        code=known.code,
        kind=known.kind,
        product=known.product,
        order=known.order,
        result=known.result,
        asset=where.asset if where else "",
        time=to_iso(where.time) if where else None,
        carriers=list(where.carriers) if where else [],
        to=where.to if where else "",
        steps=steps,
    )


# ---- the data of a step


def _data(here: Context, code: str, asset: str, start: int, end: int) -> StepDataAnswer:
    store = here.store
    own = [s for s in here.runtime.factory.signals.values() if s.asset == asset]
    numbers = [signal for signal in own if signal.kind == "number"]
    words = [s.id for s in own if s.kind in ("state", "alarm", "text")] + [f"{asset}.state"]
    events = store.events(start, end + 1, ids=words, before=True)
    found = store.findings(start, end + AFTER, asset=asset)
    return StepDataAnswer(
        start=to_iso(start),
        end=to_iso(end),
        signals=[_measured(here, signal, start, end) for signal in numbers[:SIGNALS]],
        findings=[answers.finding(each) for each in _about(found, code, end)][-50:],
        events=[answers.event(each) for each in events][-200:],
        more=len(numbers) > SIGNALS,
    )


def _about(found: list[Finding], code: str, end: int) -> list[Finding]:
    """Return the findings that name a thing, and the last of each name that was true of it all."""
    mine = [each for each in found if each.evidence.get("serial") == code]
    rest = {
        (each.origin, each.name): each
        for each in found
        if "serial" not in each.evidence and each.start <= end and each.severity > 0
    }
    return [*rest.values(), *mine]


def _measured(here: Context, signal: Signal, start: int, end: int) -> MeasuredAnswer:
    every = max(1, -(-(end - start) // POINTS))
    if end - start <= RAW:
        return _sampled(here, signal, start, end, every)
    every = -(-every // MINUTE) * MINUTE if every < HOUR else -(-every // HOUR) * HOUR
    found = here.store.rollup(signal.id, start, end + 1, every)
    good = found.count > 0
    total = int(found.count.sum())
    mean = float((found.mean[good] * found.count[good]).sum() / total) if total else None
    return MeasuredAnswer(
        id=signal.id,
        unit=signal.unit,
        count=total,
        minimum=float(found.minimum[good].min()) if total else None,
        mean=mean,
        maximum=float(found.maximum[good].max()) if total else None,
        bad=int(np.ceil(found.bad).sum()),
        means=[answers.finite(value) for value in found.mean.tolist()],
    )


def _sampled(here: Context, signal: Signal, start: int, end: int, every: int) -> MeasuredAnswer:
    """Return a signal in a short step. What was told before holds until the next sample."""
    found = here.store.query([signal.id], start, end + 1, before=True)[signal.id]
    good = is_good(found.status) & np.isfinite(found.value)
    inside = found.time >= start
    if (good & inside).any():
        good &= inside
    values, bucket = found.value[good], np.maximum(found.time[good] - start, 0) // every
    means = [
        float(values[bucket == n].mean()) if (bucket == n).any() else None for n in range(POINTS)
    ]
    return MeasuredAnswer(
        id=signal.id,
        unit=signal.unit,
        count=len(values),
        minimum=float(values.min()) if len(values) else None,
        mean=float(values.mean()) if len(values) else None,
        maximum=float(values.max()) if len(values) else None,
        bad=int((~is_good(found.status) & inside).sum()),
        means=means,
    )
