"""Routes about one machine: what it did, why it stood, what that cost, how it is maintained."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path

from deungdae.app import care, report
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.types import DAY, MILLISECOND, SECOND
from deungdae.insight.kpi.stops import Stop

from .context import Context, Here, Json, needs
from .failure import WebError
from .looks import From, IndicatorAnswer, To, indicator
from .moments import period
from .schema import answer

LONGEST = 31 * DAY  # of one story: indicators are reckoned from single counts
STOPS = 1000  # of one story, the newest

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)

Name = Annotated[str, Path(max_length=200, description="id of the asset")]


class StoryStopAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The machine did not produce. seconds: within planned time, 0 for a planned stop.

    state: in which it mostly was, category: what that means in the time model of ISO 22400; `open`:
    it goes on. reasons: what people said of it, and who said the last.
    """

    start: str
    end: str
    open: bool
    seconds: float
    state: str
    category: str
    reasons: list[str]
    person: str


class LossAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Planned time that made no good part. share: of the planned time, %."""

    reason: str
    kind: str
    seconds: float
    share: float


class StoryAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """What a machine did over [from, to).

    time: ms after `from` at which each state begins, with its word, what it means, and whether the
    calendar planned work then. planned: s of planned time, unknown: s of it without a known state.
    """

    start: str
    end: str
    time: list[float]
    state: list[str]
    category: list[str]
    working: list[bool]
    planned: float
    unknown: float
    stops: list[StoryStopAnswer]
    losses: list[LossAnswer]
    indicators: list[IndicatorAnswer]
    notes: list[str]


class FailureAnswer(msgspec.Struct, frozen=True):
    """A failure and what belongs to it."""

    start: str
    end: str
    state: str


class CareAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Maintenance over [from, to), as the states tell it; null: the data do not tell.

    known: share of the time whose state is known. running: s of production, made: parts, both since
    `maintained`. between, restoring: mean s from failure to failure, and of a failure.
    """

    start: str
    end: str
    days: int
    known: float
    maintained: str | None
    running: float
    made: float | None
    count: int
    between: float | None
    restoring: float | None
    failures: list[FailureAnswer]


@router.get("/assets/{asset}/story", **answer(StoryAnswer, 404, 413))
async def story(here: Here, asset: Name, since: From, until: To = "") -> Json:
    """Tell what a machine did over a period of at most 31 days, its stops, losses, indicators."""
    now = here.runtime.clock.now()
    start, end = period(since, until, here.runtime.factory, now)
    end = min(end, now)
    if end - start > LONGEST:
        raise WebError(413, "more than 31 days", "ask for a shorter time")
    if start >= end:
        raise WebError(422, "nothing of this period has passed yet", "give from before to")
    _known(here, asset)
    factory = here.runtime.factory
    (found,) = await here.runtime.clock.call(
        lambda: report.kpis(
            here.store, start, end, by="all", zone=factory.zone, assets=[asset], factory=factory
        )
    )
    return Json(
        StoryAnswer(
            start=to_iso(start),
            end=to_iso(end),
            time=[(part.start - start) / MILLISECOND for part in found.line],
            state=[part.state for part in found.line],
            category=[part.category for part in found.line],
            working=[part.planned for part in found.line],
            planned=found.times.PBT,
            unknown=found.times.unknown,
            stops=[_stop(each, start, end) for each in found.standing[-STOPS:]],
            losses=[
                LossAnswer(reason=x.reason, kind=x.kind, seconds=x.seconds, share=x.share)
                for x in found.balance.losses
            ],
            indicators=[indicator(found, result) for result in found.results],
            notes=list(found.notes),
        )
    )


@router.get("/assets/{asset}/care", **answer(CareAnswer, 404))
async def maintenance(here: Here, asset: Name) -> Json:
    """Tell what is known of a machine's maintenance and failures in the last 90 days."""
    _known(here, asset)
    now = here.runtime.clock.now()
    factory = here.runtime.factory
    found = await here.runtime.clock.call(care.care, here.store, factory, asset, now)
    return Json(
        CareAnswer(
            start=to_iso(found.start),
            end=to_iso(found.end),
            days=care.DAYS,
            known=found.known,
            maintained=None if found.maintained is None else to_iso(found.maintained),
            running=found.running,
            made=found.made,
            count=found.count,
            between=found.between,
            restoring=found.restoring,
            failures=[
                FailureAnswer(to_iso(each.start), to_iso(each.end), each.state)
                for each in found.failures
            ],
        )
    )


def _known(here: Context, asset: str) -> None:
    """Raise WebError where the factory has no such asset."""
    known = here.runtime.factory.assets
    if asset not in known:
        raise WebError(404, f"no asset is called {asset!r}", strict.closest(asset, known))


def _stop(stop: Stop, start: int, end: int) -> StoryStopAnswer:
    within = stop.within(start, end)
    longest = stop.longest
    return StoryStopAnswer(
        start=to_iso(stop.start),
        end=to_iso(stop.end),
        open=stop.end >= end,
        seconds=sum(piece.length for piece in within if piece.busy) / SECOND,
        state=longest.state,
        category=longest.category,
        reasons=list(stop.reasons),
        person=stop.told[-1].data.get("person", "") if stop.told else "",
    )
