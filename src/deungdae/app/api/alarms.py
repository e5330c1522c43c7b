"""Routes of the alarms: which there are, what became of them, how good they are, what people do."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.alarms import REACH, options, records
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.types import MINUTE, SECOND, Event
from deungdae.insight.alarms import (
    Alarm,
    AlarmOptions,
    Board,
    Deed,
    Performance,
    Step,
    is_chattering,
    is_stale,
    performance,
    replay,
)

from . import deeds
from .context import Context, Here, Json, Who, needs, person
from .failure import WebError
from .looks import From, To
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1/alarms", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
operators = [Depends(needs(Role.OPERATOR))]
engineers = [Depends(needs(Role.ENGINEER))]

SHOWN = 2000  # alarms of one answer
ROWS = 10_000  # steps of one answer

Id = Annotated[str, Field(min_length=1, max_length=600)]
Note = Annotated[str, Field(max_length=1000)]


class AlarmAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alarm. since: when it began; told: when people last were; times null where never.

    seen: what to send back to acknowledge what was seen, and nothing that came later.
    longest: s that it may be shelved. quiet: why it is kept quiet, or until when.
    """

    id: str
    asset: str
    state: str
    priority: str
    active: bool
    text: str
    since: str
    seen: str
    code: str = ""
    source: str = ""
    told: str | None = None
    returned: str | None = None
    until: str | None = None
    suppressed: str = ""
    person: str = ""
    note: str = ""
    done: str | None = None
    consequence: str = ""
    response: str = ""
    longest: float = 0.0
    count: int = 0
    chatters: bool = False
    stale: bool = False


class FloodAnswer(msgspec.Struct, frozen=True):
    """More is told than a person can take in: since when, how many in the last ten minutes."""

    since: str
    count: int


class AlarmsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All alarms that are not normal, active ones first, by priority and age. more: left out."""

    version: int
    known: bool
    flood: FloodAnswer | None
    alarms: list[AlarmAnswer]
    more: int


class AlarmStepAnswer(msgspec.Struct, frozen=True):
    """Something that became of an alarm, or that a person did with it."""

    time: str
    alarm: str
    what: str
    priority: str
    text: str
    person: str
    note: str


class HistoryAnswer(msgspec.Struct, frozen=True):
    """What became of alarms, the newest first. more: older ones that were left out."""

    steps: list[AlarmStepAnswer]
    more: int


class FigureAnswer(msgspec.Struct, frozen=True):
    """A figure of the alarm system against ISA-18.2: very likely acceptable, manageable at most."""

    name: str
    value: float
    unit: str
    good: float
    most: float
    verdict: Literal["good", "manageable", "too_much"]


class ActorAnswer(msgspec.Struct, frozen=True):
    """An alarm by how often it was told; share in %."""

    alarm: str
    priority: str
    text: str
    count: int
    share: float
    chatters: bool


class PerformanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How good the alarm system was. rate: told in each bin of `every` s."""

    start: str
    end: str
    told: int
    figures: list[FigureAnswer]
    actors: list[ActorAnswer]
    stale: list[str]
    priorities: dict[str, float]
    floods: list[tuple[str, str]]
    every: float
    rate: list[int]


class DealtAnswer(msgspec.Struct, frozen=True):
    """What was done. left: why what was asked for was left, by alarm."""

    done: list[str]
    left: dict[str, str]


class Seen(BaseModel):
    """An alarm as a person saw it."""

    model_config = ConfigDict(extra="forbid")
    id: Id
    seen: Annotated[str, Field(pattern=r"^\d{1,20}$", description="as the alarm was told")]


class Acknowledging(deeds.Deed):
    """A person has seen some alarms."""

    alarms: Annotated[list[Seen], Field(min_length=1, max_length=SHOWN)]
    note: Note = ""


class Shelving(deeds.Reasoned):
    """A person keeps an alarm quiet for a time."""

    alarm: Id
    minutes: Annotated[float, Field(gt=0, le=43_200, allow_inf_nan=False)]


class Unshelving(deeds.Deed):
    """A person ends the shelving of an alarm."""

    alarm: Id


class Service(deeds.Reasoned):
    """An alarm is taken out of service, or put back."""

    alarm: Id
    out: bool


@router.get("", **answer(AlarmsAnswer))
async def alarms(here: Here) -> Json:
    """List all alarms that are not normal."""
    board, known = here.alarms.board, here.alarms.known
    shown = board.shown()
    flood = board.flood
    return Json(
        AlarmsAnswer(
            version=board.version,
            known=known,
            flood=FloodAnswer(to_iso(flood.since), flood.count) if flood else None,
            alarms=[_alarm(each, board) for each in shown[:SHOWN]],
            more=max(0, len(shown) - SHOWN),
        )
    )


@router.get("/history", **answer(HistoryAnswer, 422))
async def history(
    here: Here,
    since: From,
    until: To = "",
    asset: str | None = None,
    limit: Annotated[int, Query(ge=1, le=ROWS, description="at most so many, the newest")] = 1000,
) -> Json:
    """Return what became of alarms, and what people did with them."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    wanted = options(here.runtime.factory)
    steps = await here.runtime.clock.call(_steps, here, wanted, start, end, asset)
    newest = steps[::-1][:limit]
    return Json(HistoryAnswer([_step(each) for each in newest], len(steps) - len(newest)))


@router.get("/performance", **answer(PerformanceAnswer, 422))
async def statistics(here: Here, since: From, until: To = "") -> Json:
    """Say how good the alarm system was, against the figures of ISA-18.2 and IEC 62682."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    if end <= start:
        raise WebError(422, "from and to are the same moment", "give from before to")
    wanted = options(here.runtime.factory)
    found = await here.runtime.clock.call(_performance, here, wanted, start, end)
    return Json(told(found))


@router.post("/acknowledge", dependencies=operators, **answer(DealtAnswer))
async def acknowledge(here: Here, who: Who, deed: Acknowledging) -> Json:
    """Say that a person has seen alarms; what came anew since they looked is left."""
    name = person(who, deed.person)
    left: dict[str, str] = {}
    events = []
    for each in deed.alarms:
        alarm = here.alarms.board.alarms.get(each.id)
        if problem := _unseen(alarm, int(each.seen)):
            left[each.id] = problem
        else:
            events.append(_event(here, each.id, "acknowledge", name, deed.note, seen=each.seen))
    done = [event.id.rpartition(".")[0] for event in events]
    if events:
        await here.keep(*events)
        await here.note("alarm", {"what": "acknowledge", "alarms": done, "note": deed.note}, name)
    return Json(DealtAnswer(done, left))


@router.post("/shelve", dependencies=operators, **answer(DealtAnswer, 404, 409))
async def shelve(here: Here, who: Who, deed: Shelving) -> Json:
    """Keep an alarm quiet for a time; it comes back by itself."""
    alarm = _known(here, deed.alarm)
    longest = _longest(alarm, here.alarms.board)
    if deed.minutes * 60 > longest:
        raise WebError(
            409,
            f"{deed.alarm} may be shelved for {longest / 60:g} minutes at most",
            "ask for less, or let an engineer take it out of service",
            "max_shelve",
        )
    until = here.runtime.clock.now() + round(deed.minutes * MINUTE)
    return await _do(here, deed.alarm, "shelve", person(who, deed.person), deed.reason, until=until)


@router.post("/unshelve", dependencies=operators, **answer(DealtAnswer, 404))
async def unshelve(here: Here, who: Who, deed: Unshelving) -> Json:
    """End the shelving of an alarm: if it is active it is told anew."""
    _known(here, deed.alarm)
    return await _do(here, deed.alarm, "unshelve", person(who, deed.person), "")


@router.post("/service", dependencies=engineers, **answer(DealtAnswer, 404))
async def service(here: Here, who: Who, deed: Service) -> Json:
    """Take an alarm out of service, or put it back."""
    _known(here, deed.alarm)
    value = "out" if deed.out else "in"
    name = person(who, deed.person)
    return await _do(here, deed.alarm, "service", name, deed.reason, value=value)


def told(found: Performance) -> PerformanceAnswer:
    """Return the figures as they are told."""
    return PerformanceAnswer(
        start=to_iso(found.start),
        end=to_iso(found.end),
        told=found.told,
        figures=[
            FigureAnswer(each.name, each.value, each.unit, each.good, each.most, each.verdict)
            for each in found.figures
        ],
        actors=[ActorAnswer(**msgspec.structs.asdict(each)) for each in found.actors],
        stale=found.stale,
        priorities=found.priorities,
        floods=[(to_iso(start), to_iso(end)) for start, end in found.floods],
        every=found.every / SECOND,
        rate=found.rate,
    )


async def _do(
    here: Context, alarm: str, deed: Deed, name: str, reason: str, value: str = "", **data: object
) -> Json:
    parts = {key: str(each) for key, each in data.items()}
    await here.keep(_event(here, alarm, deed, name, reason, value=value, **parts))
    entry = {"what": deed, "alarms": [alarm], "note": reason, "value": value, **parts}
    await here.note("alarm", {key: each for key, each in entry.items() if each}, name)
    return Json(DealtAnswer([alarm], {}))


def _event(
    here: Context, alarm: str, deed: Deed, name: str, note: str, value: str = "", **data: str
) -> Event:
    now = here.runtime.clock.now()
    return Event(
        id=f"{alarm}.{deed}",
        time=now,
        kind="note",
        value=value,
        received=now,
        data={"person": name, "note": note, **data},
    )


def _known(here: Context, id: str) -> Alarm:
    alarms = here.alarms.board.alarms
    if id not in alarms:
        raise WebError(404, f"no alarm is called {id!r}", strict.closest(id, alarms))
    return alarms[id]


def _unseen(alarm: Alarm | None, seen: int) -> str:
    """Return why what a person saw of an alarm is no longer there to acknowledge, or ''."""
    if alarm is None:
        return "there is no such alarm any more"
    if alarm.told > seen:
        return "it came anew meanwhile: look again"
    if alarm.acknowledged:
        return f"{alarm.person} did it already" if alarm.person else "it is not waiting for anybody"
    return ""


def _longest(alarm: Alarm, board: Board) -> float:
    return alarm.rule.max_shelve or board.options.max_shelve


def _steps(
    here: Context, wanted: AlarmOptions, start: int, end: int, asset: str | None
) -> list[Step]:
    events = records(here.store, wanted, start - REACH, end)
    _, steps = replay(wanted, (e for e in events if (e.received or e.time) < end), end)
    return [
        step
        for step in steps
        if start <= step.time < end and (asset is None or step.alarm.startswith(f"{asset}."))
    ]


def _performance(here: Context, wanted: AlarmOptions, start: int, end: int) -> Performance:
    return performance(wanted, records(here.store, wanted, start - REACH, end), start, end)


def _alarm(known: Alarm, board: Board) -> AlarmAnswer:
    return AlarmAnswer(
        id=known.id,
        asset=known.asset,
        state=known.state,
        priority=known.priority,
        active=known.active,
        text=known.text,
        since=to_iso(known.since),
        seen=str(known.told),
        code=known.code,
        source=known.source,
        told=_iso(known.told),
        returned=None if known.active else _iso(known.returned),
        until=_iso(known.until),
        suppressed=known.suppressed,
        person=known.person,
        note=known.note,
        done=_iso(known.done),
        consequence=known.rule.consequence,
        response=known.rule.response,
        longest=_longest(known, board),
        count=known.count,
        chatters=is_chattering(known),
        stale=is_stale(known, board.options, board.now),
    )


def _step(known: Step) -> AlarmStepAnswer:
    return AlarmStepAnswer(
        to_iso(known.time),
        known.alarm,
        known.what,
        known.priority,
        known.text,
        known.person,
        known.note,
    )


def _iso(moment: int) -> str | None:
    return to_iso(moment) if moment else None
