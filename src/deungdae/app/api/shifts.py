"""Routes about shifts: when they are, how good they were, why machines stood, what is told on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field

from deungdae.app import accounts, papers
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.types import DAY, Event
from deungdae.insight.kpi import KpiResult
from deungdae.insight.kpi.account import Account, Counts, Part, Standing, together
from deungdae.insight.kpi.reasons import Language, used
from deungdae.insight.kpi.shifts import shifts_of
from deungdae.insight.kpi.stops import person_reason
from deungdae.insight.kpi.telling import label, tell

from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed
from .failure import WebError
from .moments import moment, period
from .schema import answer, binary

MOST = 400 * DAY  # of shifts in one answer
LONGEST = 32 * DAY  # of one account
REMEMBERED = 90 * DAY  # in which words of people's own were used, to be offered again
NOTES = 200  # of one answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
operators = [Depends(needs(Role.OPERATOR))]

From = Annotated[str, Query(alias="from", description="ISO 8601, ns, or e.g. -8h; inclusive")]
To = Annotated[str, Query(alias="to", description="as `from`; exclusive; empty: now")]
Tongue = Annotated[Language | None, Query(description="else the factory's")]
Assets = Annotated[list[str] | None, Query(max_length=100, description="ids of assets; else all")]


class ShiftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A shift of the calendar, or a local day where there are no shifts: then its name is ''.

    planned: seconds of it that the calendar plans for work.
    """

    name: str
    start: str
    end: str
    planned: float


class StopAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a machine did not produce, or of which nothing is known (`unknown`).

    start, end: of the whole stop, also beyond the period; seconds: of planned time within it.
    told: [since, reason] as people said; reason: all of them. wants: somebody should say why.
    """

    asset: str
    start: str
    end: str
    open: bool
    seconds: float
    state: str
    category: str
    reason: str
    group: str
    person: str
    note: str
    alarm: str
    wants: bool
    told: list[tuple[str, str]]


class CauseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the Pareto. cumulative: %, None for time without data, which stands last."""

    reason: str
    group: str
    state: str
    category: str
    seconds: float
    count: int
    cumulative: float | None


class ShiftIndicatorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """value, and what it can be at least and at most, whatever happened in unknown time; in %."""

    value: float | None
    low: float | None
    high: float | None
    reason: str


class ShiftMachineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a machine's planned time, in s: planned = effective + all parts.

    asset: '' for all machines together. curve: [time, good parts so far]; plan: [time, parts that
    should be there]; ribbon: [start, end, category]. summary: in words, by language.
    """

    asset: str
    summary: dict[str, str]
    planned: float
    effective: float
    rated: bool
    unknown: float
    parts: list[Part]
    indicators: dict[str, ShiftIndicatorAnswer]
    counts: Counts
    stops: list[StopAnswer]
    causes: list[CauseAnswer]
    curve: list[tuple[str, float]]
    plan: list[tuple[str, float]]
    ribbon: list[tuple[str, str, str]]
    notes: list[str]


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a period. until: the end of its shift; label, summary: in words, by language.

    whole: all machines together, in machine hours; None for one machine.
    """

    start: str
    end: str
    until: str
    label: dict[str, str]
    summary: dict[str, str]
    whole: ShiftMachineAnswer | None
    machines: list[ShiftMachineAnswer]


class GroupAnswer(msgspec.Struct, frozen=True):
    """Reasons of a group of the plant; group '' are people's own words, the most used first."""

    group: str
    reasons: list[str]


class ToldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept."""

    asset: str
    start: str
    reason: str
    person: str


class NoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one shift tells the next. seen: who of them has read it, '' as long as nobody has."""

    id: str
    time: str
    person: str
    text: str
    seen: str


class Told(Deed):
    """Why an asset stood: `reason` holds from `start`, the begin of the stop, or a later moment in
    it, until the next reason. The newest holds; an empty one takes back what was said.
    """

    asset: str
    start: str
    reason: Annotated[str, Field(max_length=200)]
    note: Annotated[str, Field(max_length=1000)] = ""


class Handover(Deed):
    """What the next shift should know. asset: a line; else the whole factory."""

    text: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
    asset: str = ""


class Seen(Deed):
    """Somebody of the next shift has read a note: its id and time."""

    id: str
    time: str


@router.get("/shifts", **answer(list[ShiftAnswer], 413))
async def shifts(here: Here, since: From, until: To = "") -> Json:
    """List the shifts that touch a period, whole; days where the calendar has no shifts."""
    factory = here.runtime.factory
    start, end = period(since, until, factory, here.runtime.clock.now())
    if end - start > MOST:
        raise WebError(413, "more than 400 days", "ask for a shorter time")
    return Json(
        [
            ShiftAnswer(
                name=each.name,
                start=to_iso(each.start, factory.zone),
                end=to_iso(each.end, factory.zone),
                planned=each.planned,
            )
            for each in shifts_of(factory, start, end)
        ]
    )


@router.get("/shifts/account", **answer(AccountAnswer, 404, 413))
async def account(here: Here, since: From, until: To = "", assets: Assets = None) -> Json:
    """Say what became of a shift, or of any period: losses, stops, causes, parts against plan."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    start, end = _bounded(here, since, until, now)
    turn = accounts.turn_of(factory, start, end, now)
    found = await here.runtime.clock.call(
        lambda: accounts.accounts(
            here.store, factory, start, end, now=now, until=turn.end, assets=assets or ()
        )
    )
    names = {asset.id: asset.name for asset in factory.assets.values()}
    return Json(
        AccountAnswer(
            start=to_iso(start),
            end=to_iso(end),
            until=to_iso(turn.end),
            label={"ko": label(turn.name, start, turn.end, factory.zone, "ko"),
                   "en": label(turn.name, start, turn.end, factory.zone, "en")},
            summary=_told(found, names),
            whole=_machine(together(found), {}, stops=False) if len(found) > 1 else None,
            machines=[_machine(each, _told([each], names)) for each in found],
        )
    )  # fmt: skip


@router.get("/stops/reasons", **answer(list[GroupAnswer]))
async def reasons(here: Here) -> Json:
    """List the reasons to choose from: the plant's, and words of their own that people used."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    groups = accounts.options_of(factory).listed(factory.identity.language)
    ids = [person_reason(asset) for asset in factory.assets]
    told = await here.runtime.clock.call(
        lambda: here.store.events(now - REMEMBERED, now, ids=ids, kinds=["note"])
    )
    own = used(told, groups)
    listed = [GroupAnswer(group, list(words)) for group, words in groups.items()]
    return Json([*listed, GroupAnswer("", own)] if own else listed)


@router.post("/stops/reason", dependencies=operators, **answer(ToldAnswer, 404))
async def give_reason(here: Here, who: Who, told: Told) -> Json:
    """Say why an asset stood; the newest word for a moment holds, and all are kept."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    if told.asset not in factory.assets:
        raise WebError(
            404, f"no asset is called {told.asset!r}", strict.closest(told.asset, factory.assets)
        )
    start = moment(told.start, factory, now)
    if start > now:
        raise WebError(422, f"{told.start} has not come yet", "give the begin of a stop")
    reason, name = told.reason.strip(), person(who, told.person)
    # at: when it was said; without it a word that comes back would be taken for the first one
    data = {"person": name, "at": str(now)} | ({"note": told.note} if told.note.strip() else {})
    await here.keep(_note(person_reason(told.asset), start, reason, data, now))
    said = {"asset": told.asset, "start": to_iso(start), "reason": reason, "note": told.note}
    await here.note("stop-reason", dict(said), name)
    return Json(ToldAnswer(asset=told.asset, start=to_iso(start), reason=reason, person=name))


@router.get("/handover", **answer(list[NoteAnswer]))
async def handover(
    here: Here,
    since: From = "-14d",
    until: To = "",
    search: Annotated[str, Query(max_length=200, description="words that a note contains")] = "",
) -> Json:
    """Return what shifts told the next, newest first."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    found = await _handed_over(here, start, end)
    wanted = search.casefold().split()
    hits = [
        note
        for note in found
        if all(word in f"{note.text} {note.person}".casefold() for word in wanted)
    ]
    return Json(hits[:NOTES])


@router.post("/handover", dependencies=operators, **answer(NoteAnswer, 404))
async def hand_over(here: Here, who: Who, given: Handover) -> Json:
    """Tell the next shift something."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    if given.asset and given.asset not in factory.assets:
        raise WebError(404, f"no asset is called {given.asset!r}", "leave it out for the factory")
    name, text = person(who, given.person), given.text.strip()
    id = f"{given.asset or factory.id}.handover"
    await here.keep(_note(id, now, text, {"person": name}, now))
    await here.note("handover", {"text": text}, name)
    return Json(NoteAnswer(id=id, time=to_iso(now), person=name, text=text, seen=""))


@router.post("/handover/seen", dependencies=operators, **answer(NoteAnswer, 404))
async def see(here: Here, who: Who, seen: Seen) -> Json:
    """Say that a note was read: it stands no longer at the top."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    time = moment(seen.time, factory, now)
    found = [note for note in await _handed_over(here, time, time + 1) if note.id == seen.id]
    if not found:
        raise WebError(404, "there is no such note", "GET /api/v1/handover lists them")
    name = person(who, seen.person)
    await here.keep(_note(f"{seen.id}_seen", time, name, {"at": str(now)}, now))
    return Json(msgspec.structs.replace(found[-1], seen=name))


@router.get("/reports/shift", response_class=Response, **binary(["application/pdf"], 404))
async def shift_report(
    here: Here, since: From, until: To = "", assets: Assets = None, language: Tongue = None
) -> Response:
    """Return the report of a shift, or of any period up to 32 days, as PDF."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    start, end = _bounded(here, since, until, now)
    turn = accounts.turn_of(factory, start, end, now)
    content = await here.runtime.clock.call(
        papers.shift_report, here.store, factory, turn, now,
        language or factory.identity.language, assets or (),
    )  # fmt: skip
    return _pdf(content, "shift", start, here)


@router.get("/reports/week", response_class=Response, **binary(["application/pdf"], 404))
async def week_report(
    here: Here, until: To = "", assets: Assets = None, language: Tongue = None
) -> Response:
    """Return the report of the seven whole days before `to`, as PDF."""
    factory, now = here.runtime.factory, here.runtime.clock.now()
    end = min(moment(until, factory, now) if until else now, now)
    content = await here.runtime.clock.call(
        papers.week_report, here.store, factory, end, now,
        language or factory.identity.language, assets or (),
    )  # fmt: skip
    return _pdf(content, "week", papers.week_before(factory, end)[0][0], here)


def _pdf(content: bytes, kind: str, start: int, here: Context) -> Response:
    name = f"{kind}-{to_iso(start, here.runtime.factory.zone)[:10]}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _bounded(here: Context, since: str, until: str, now: int) -> tuple[int, int]:
    """Return a period that has begun and is not too long. Raises WebError."""
    start, end = period(since, until, here.runtime.factory, now)
    end = min(end, now)
    if start >= end:
        raise WebError(422, "the period is empty, or has not begun", "give from before to")
    if end - start > LONGEST:
        raise WebError(413, "more than 32 days", "ask for a shorter time")
    return start, end


async def _handed_over(here: Context, start: int, end: int) -> list[NoteAnswer]:
    factory = here.runtime.factory
    ids = [f"{asset}.handover" for asset in (factory.id, *factory.assets)]
    asked = [*ids, *(f"{id}_seen" for id in ids)]
    events = await here.runtime.clock.call(
        lambda: here.store.events(start, end, ids=asked, kinds=["note"])
    )
    seen = {(event.id, event.time): event.value for event in events if event.id.endswith("_seen")}
    return [
        NoteAnswer(
            id=event.id,
            time=to_iso(event.time),
            person=event.data.get("person", ""),
            text=event.value,
            seen=seen.get((f"{event.id}_seen", event.time), ""),
        )
        for event in reversed(events)
        if not event.id.endswith("_seen")
    ]


def _note(id: str, time: int, value: str, data: dict[str, str], now: int) -> Event:
    return Event(id=id, time=time, kind="note", value=value, received=now, data=data)


def _told(found: Sequence[Account], names: Mapping[str, str]) -> dict[str, str]:
    return {"ko": tell(found, names, "ko"), "en": tell(found, names, "en")}


def _machine(found: Account, summary: dict[str, str], *, stops: bool = True) -> ShiftMachineAnswer:
    return ShiftMachineAnswer(
        asset=found.asset,
        summary=summary,
        planned=found.planned,
        effective=found.effective,
        rated=found.rated,
        unknown=found.unknown,
        parts=list(found.parts),
        indicators={name: _indicator(result) for name, result in found.results.items()},
        counts=found.counts,
        stops=[_stop(each) for each in found.stops] if stops else [],
        causes=[CauseAnswer(**msgspec.structs.asdict(each)) for each in found.causes],
        curve=[(to_iso(time), value) for time, value in found.curve],
        plan=[(to_iso(time), value) for time, value in found.plan],
        ribbon=[(to_iso(start), to_iso(end), category) for start, end, category in found.ribbon],
        notes=list(found.notes),
    )


def _indicator(result: KpiResult) -> ShiftIndicatorAnswer:
    return ShiftIndicatorAnswer(
        value=result.value, low=result.low, high=result.high, reason=result.reason
    )


def _stop(stop: Standing) -> StopAnswer:
    told = [(to_iso(time), reason) for time, reason in stop.told]
    fields = msgspec.structs.asdict(stop) | {"told": told}
    return StopAnswer(**fields | {"start": to_iso(stop.start), "end": to_iso(stop.end)})
