"""Twins over HTTP, after Eclipse Ditto: things with features, reported beside desired.

A revision is the time of the newest record that a twin knows, in ns: so any revision can be asked
for again, and an ETag tells whether anything has happened since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Right
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError
from deungdae.core.types import SECOND, Event, Finding, Signal
from deungdae.sim import distribution
from deungdae.sim.line import ANY, Line, Server, Snapshot, Station
from deungdae.twin.monitor import Monitor
from deungdae.twin.optimise import Answer, Change, Plan, apply

from . import answers, lines, questions
from .condition import holds
from .context import Context, Here, Json, needs
from .deeds import Name, Words, judged
from .failure import WebError
from .mirrors import DESIRED, LONGEST, Desire, Stand
from .moments import length, moment
from .schema import answer

router = APIRouter(prefix="/api/v1", default_response_class=Json)
look = Depends(needs(Right.LOOK))
act = Depends(needs(Right.ACT))
T = TypeVar("T")

MOST = 1e9  # s of simulated time of one question, all replications together
At = Annotated[str, Query(description="a revision, ISO 8601, or e.g. -1h; empty: now")]
Match = Annotated[str, Header(description="the ETag of the state that the wish is based on")]
Condition = Annotated[
    str, Query(max_length=1000, description='e.g. `and(eq(properties/state,"running"),exists(…))`')
]


class DesireAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a property shall be. result: what became of the command, as the gate tells it."""

    value: float
    unit: str
    person: str
    reason: str
    asked: str
    expires: str
    command: str
    result: str


class FeatureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A station or buffer. properties: as reported; desired: as asked for, until it expires."""

    kind: Literal["station", "buffer"]
    asset: str
    properties: dict[str, str | float | int | None]
    desired: dict[str, DesireAnswer]


class ValidityAnswer(msgspec.Struct, frozen=True):
    """Whether a twin may be believed, and why."""

    state: Literal["valid", "unknown", "drifting", "invalid"]
    reason: str


class TwinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A twin at a moment. model: revision of what it knows of the line; learnt: when, or ''."""

    id: str
    name: str
    revision: str
    time: str
    model: str
    learnt: str
    improvable: bool
    validity: ValidityAnswer
    features: dict[str, FeatureAnswer]


Begin = Literal["now", "steady"]


class SnapshotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a simulation can begin. id: what `whatif` takes as `snapshot`."""

    id: str
    time: str
    snapshot: Snapshot


class LeverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be changed in `whatif`. value: what it is now, a mean for a time."""

    target: str
    kind: Literal["cycle", "capacity", "repair", "crew"]
    name: str
    asset: str
    value: float
    unit: str


class WhatIfAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What changes would do. snapshot: where it began; seconds: that the answer took."""

    begin: Begin
    snapshot: str
    seconds: float
    result: Answer


class ShiftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast of a shift's good parts, with its 90 % interval, and what then came."""

    start: str
    end: str
    expected: float | None
    low: float | None
    high: float | None
    made: float | None
    crps: float | None


class DriftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A station whose cycles have changed. change: of the cycle time, %."""

    station: str
    asset: str
    since: str
    change: float
    uncertainty: float | None
    reason: str


class ScoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How good the forecasts were. coverage: % of 90 % intervals that held, with its interval.

    forecast: of the shift that runs now, without what came.
    """

    validity: ValidityAnswer
    coverage: float | None
    coverage_low: float | None
    coverage_high: float | None
    crps: float | None
    learnt: str
    wanted: int
    shifts: list[ShiftAnswer]
    drifts: list[DriftAnswer]
    forecast: ShiftAnswer | None


class DesiredAnswer(msgspec.Struct, frozen=True):
    """What became of each wish, and the feature afterwards."""

    outcomes: list[answers.OutcomeAnswer]
    feature: FeatureAnswer


class Desired(BaseModel):
    """Values that properties of a feature shall have; null: it is desired no longer."""

    model_config = ConfigDict(extra="forbid")
    person: Name
    reason: Words
    ttl: float = Field(60.0, ge=1, le=LONGEST / SECOND, description="s after which it lapses")
    values: dict[str, Annotated[float, Field(allow_inf_nan=False)] | None] = Field(
        min_length=1, max_length=20, description="in the unit of each signal"
    )


class WhatIf(BaseModel):
    """Changes of a line, and how they are tried."""

    model_config = ConfigDict(extra="forbid")
    begin: Begin = Field("now", description="from the live state, or from a line that has run in")
    snapshot: str = Field("", max_length=40, description="id of a snapshot; empty: now")
    changes: dict[str, str] = Field(
        default={}, max_length=100, description='e.g. `{"press-2.cycle": "-10%"}`'
    )
    horizon: float = Field(28_800.0, ge=60, le=90 * 86_400, description="s ahead")
    replications: int = Field(200, ge=2, le=2000)
    seed: int = Field(1, ge=0, le=2**31)


class Improve(BaseModel):
    """A budget, and what it shall be spent for."""

    model_config = ConfigDict(extra="forbid")
    budget: Annotated[Decimal, Field(ge=0, le=10**15)]
    begin: Begin = Field("now", description="from the live state, or from a line that has run in")
    horizon: float = Field(28_800.0, ge=60, le=7 * 86_400, description="s ahead")
    objective: Literal["throughput", "lead_time", "wip", "energy_per_part", "scrap", "service"] = (
        "throughput"
    )
    replications: int = Field(20, ge=10, le=100, description="of each combination at first")
    seed: int = Field(1, ge=0, le=2**31)


@router.get("/twins", dependencies=[look], **answer(dict[str, lines.LineAnswer]))
async def twins(here: Here) -> Json:
    """List the twins of this factory, with the line that each mirrors."""
    found = lines.twins(here.runtime)
    return Json({name: lines.told(each) for name, each in found.items()})


@router.get("/twins/{id}", dependencies=[look], **answer(TwinAnswer, 404))
async def twin(here: Here, id: str, at: At = "") -> Json:
    """Return a twin: what each station and buffer of its line does, now or at a moment."""
    found = lines.twin(here.runtime, id)
    stand = await _stand(here, id, found, at)
    readings = await _readings(here, found, None if not at else stand.time)
    told = TwinAnswer(
        id=id,
        name=found.line.name,
        revision=str(stand.revision),
        time=to_iso(stand.time),
        model=found.twin.revision,
        learnt=to_iso(found.twin.learnt_at) if found.twin.learnt_at else "",
        improvable=bool(found.line.levers),
        validity=_validity(here, id, found),
        features=_features(here, found, stand, readings),
    )
    return _tagged(told, stand)


@router.get("/twins/{id}/features/{feature}", dependencies=[look], **answer(FeatureAnswer, 404))
async def feature(here: Here, id: str, feature: str, at: At = "") -> Json:
    """Return one station or buffer of a twin."""
    found = lines.twin(here.runtime, id)
    stand = await _stand(here, id, found, at)
    readings = await _readings(here, found, None if not at else stand.time)
    features = _features(here, found, stand, readings)
    return _tagged(_named(features, feature), stand)


@router.patch(
    "/twins/{id}/features/{feature}/desired",
    dependencies=[act],
    **answer(DesiredAnswer, 404, 409, 412, 502),
)
async def desire(
    here: Here,
    id: str,
    feature: str,
    wish: Desired,
    if_match: Match = "",
    condition: Condition = "",
) -> Json:
    """Ask for values of a feature's properties; the gate judges each like any other command.

    Others that are desired stay so. With `If-Match` or `condition` it is refused with 412 if the
    twin has changed, or the condition does not hold.
    """
    return await _desire(here, id, feature, wish, if_match, condition)


@router.put(
    "/twins/{id}/features/{feature}/desired",
    dependencies=[act],
    **answer(DesiredAnswer, 404, 409, 412, 502),
)
async def replace(
    here: Here,
    id: str,
    feature: str,
    wish: Desired,
    if_match: Match = "",
    condition: Condition = "",
) -> Json:
    """As PATCH, but what is not named is desired no longer."""
    found = lines.twin(here.runtime, id)
    stand = await here.mirrors.now(id, found)
    asset = lines.asset(found, feature) if feature in found.assets else ""
    dropped = {key: None for owner, key in stand.desired if owner == asset}
    whole = wish.model_copy(update={"values": {**dropped, **wish.values}})
    return await _desire(here, id, feature, whole, if_match, condition)


@router.post("/twins/{id}/snapshots", dependencies=[look], **answer(SnapshotAnswer, 404))
async def snapshot(here: Here, id: str) -> Json:
    """Return where the line stands now: what waits, what each machine does and for how long."""
    stand = await here.mirrors.now(id, lines.twin(here.runtime, id))
    told = SnapshotAnswer(id=str(stand.time), time=to_iso(stand.time), snapshot=stand.snapshot)
    return _tagged(told, stand)


@router.get("/twins/{id}/levers", dependencies=[look], **answer(list[LeverAnswer], 404))
async def levers(here: Here, id: str) -> Json:
    """List what is most often changed in `whatif`; any other number of the line may be, too."""
    return Json(_levers(lines.twin(here.runtime, id)))


@router.post("/twins/{id}/whatif", dependencies=[look], **answer(WhatIfAnswer, 404))
async def what_if(here: Here, request: Request, id: str, asked: WhatIf) -> Json:
    """Say what changes would do: means, 95 % intervals, bottleneck, energy; nothing is changed."""
    _own(here, request)
    found = lines.twin(here.runtime, id)
    whole = asked.horizon + (found.line.warm_up if asked.begin == "steady" else 0)
    if whole * asked.replications > MOST:
        remedy = f"replications times horizon may be {MOST:g} s at most"
        raise WebError(422, "that would take too long", remedy)
    changes = [f"{target}={value}" for target, value in asked.changes.items()]
    _check(found.line, changes)
    stand = await _stand(here, id, found, asked.snapshot)
    known = found.twin if found.twin.end and asked.replications >= 4 else found.line
    rest = asked.model_dump(include={"horizon", "replications", "seed"})
    start = _start(found, stand) if asked.begin == "now" else None
    result, seconds = await _asked(
        here.apart.call(questions.what_if, known, changes, start, stand.time, rest)
    )
    told = WhatIfAnswer(begin=asked.begin, snapshot=str(stand.time), seconds=seconds, result=result)
    return Json(told)


@router.post("/twins/{id}/improve", dependencies=[look], **answer(Plan, 404))
async def improve(here: Here, request: Request, id: str, asked: Improve) -> Json:
    """Say how a budget is best spent on the levers of the line, and how sure that is."""
    _own(here, request)
    found = lines.twin(here.runtime, id)
    if not found.line.levers:
        raise WebError(404, "this line has no levers", "write [[levers]] into its file")
    stand = await here.mirrors.now(id, found)
    rest = asked.model_dump(include={"horizon", "objective", "replications", "seed"})
    rest["currency"] = here.runtime.factory.identity.currency
    start = _start(found, stand) if asked.begin == "now" else None
    plan = await _asked(
        here.planner.call(questions.plan, found.line, asked.budget, start, stand.time, rest)
    )
    return Json(plan)


@router.get("/twins/{id}/score", dependencies=[look], **answer(ScoreAnswer, 404))
async def score(
    here: Here,
    id: str,
    window: Annotated[str, Query(description="how far back, e.g. 30d")] = "30d",
) -> Json:
    """Say how good a twin's forecasts were, which machines drift, and whether to believe it."""
    found = lines.twin(here.runtime, id)
    now = here.runtime.clock.now()
    store, start = here.runtime.store, now - length(window)
    told = await here.runtime.clock.call(
        lambda: store.findings(start, now + 1, origin=id, name="score")
    )
    belief = _finding(here, id, found.options.asset, "believable")
    forecast = _finding(here, id, found.options.asset, "forecast")
    evidence = belief.evidence if belief else {}
    return Json(
        ScoreAnswer(
            validity=_validity(here, id, found),
            coverage=_percent(evidence.get("coverage")),
            coverage_low=_percent(evidence.get("coverage low")),
            coverage_high=_percent(evidence.get("coverage high")),
            crps=_number(evidence.get("mean crps")),
            learnt=to_iso(found.twin.learnt_at) if found.twin.learnt_at else "",
            wanted=found.options.shifts,
            shifts=[_shift(each) for each in told],
            drifts=_drifts(here, id, found),
            forecast=_shift(forecast) if forecast and forecast.end > now else None,
        )
    )


# ---- the state of a twin


async def _stand(here: Context, id: str, found: Monitor, at: str) -> Stand:
    """Return how a twin stands now, or stood at a moment. Raises WebError."""
    if not at:
        return await here.mirrors.now(id, found)
    now = here.runtime.clock.now()
    wanted = moment(at, here.runtime.factory, now)
    if wanted > now:
        raise WebError(422, f"at = {at} is not yet", "give a time that has passed")
    return await here.mirrors.at(found, wanted)


async def _readings(
    here: Context, found: Monitor, at: int | None
) -> dict[str, tuple[Signal, float | None]]:
    """Return each numeric signal of the line's assets with its good value, now or at a moment."""
    runtime = here.runtime
    assets = {lines.asset(found, station) for station in found.assets}
    own = [s for s in runtime.factory.signals.values() if s.asset in assets and s.kind == "number"]
    if at is None:
        known = {each.id: runtime.live.reading(each.id) for each in own}
        return {
            each.id: (each, reading.value if (reading := known[each.id]) and reading.good else None)
            for each in own
        }
    samples = await runtime.clock.call(
        lambda: runtime.store.query([each.id for each in own], at, at + 1, before=True)
    )
    last = {
        id: float(each.value[-1]) if len(each) and each.status[-1] & 3 == 0 else None
        for id, each in samples.items()
    }
    return {each.id: (each, last.get(each.id)) for each in own}


def _features(
    here: Context,
    found: Monitor,
    stand: Stand,
    readings: Mapping[str, tuple[Signal, float | None]],
) -> dict[str, FeatureAnswer]:
    told = {
        name: _station(here, lines.asset(found, name), servers, stand, readings)
        for name, servers in stand.snapshot.stations.items()
    }
    for name, level in lines.levels(found, stand.snapshot).items():
        properties: dict[str, str | float | int | None] = {
            "level": level,
            "capacity": found.line.buffers[name].capacity,
        }
        told[name] = FeatureAnswer(kind="buffer", asset="", properties=properties, desired={})
    return told


def _station(
    here: Context,
    asset: str,
    servers: tuple[Server, ...],
    stand: Stand,
    readings: Mapping[str, tuple[Signal, float | None]],
) -> FeatureAnswer:
    properties: dict[str, str | float | int | None] = {}
    if len(servers) == 1:
        (server,) = servers
        properties |= {"state": server.state, "product": server.product}
        properties["elapsed"] = round(server.elapsed, 3)
    else:
        states = Counter(server.state for server in servers)
        properties |= {"state": states.most_common(1)[0][0], "servers": len(servers)}
        properties |= {f"servers_{state}": count for state, count in states.items()}
    for signal, value in readings.values():
        if signal.asset == asset:
            properties[signal.short] = answers.finite(value)
    signals = here.runtime.factory.signals
    desired = {
        key: _desired(each, signals.get(f"{asset}.{key}"))
        for (owner, key), each in stand.desired.items()
        if owner == asset
    }
    return FeatureAnswer(kind="station", asset=asset, properties=properties, desired=desired)


def _desired(known: Desire, signal: Signal | None) -> DesireAnswer:
    return DesireAnswer(
        value=known.value,
        unit=signal.unit if signal else "",
        person=known.person,
        reason=known.reason,
        asked=to_iso(known.asked),
        expires=to_iso(known.expires),
        command=known.command,
        result=known.result,
    )


def _named(features: Mapping[str, FeatureAnswer], name: str) -> FeatureAnswer:
    if name not in features:
        remedy = strict.closest(name, features)
        raise WebError(404, f"the line has no station or buffer {name!r}", remedy)
    return features[name]


def _tagged(told: object, stand: Stand) -> Json:
    return Json(told, headers={"ETag": f'"{stand.revision}"'})


# ---- what is desired


async def _desire(
    here: Context, id: str, name: str, wish: Desired, if_match: str, condition: str
) -> Json:
    found = lines.twin(here.runtime, id)
    stand = await here.mirrors.now(id, found)
    features = _features(here, found, stand, await _readings(here, found, None))
    feature = _named(features, name)
    _fits(stand, features, name, if_match, condition)
    signals = {key: _writable(here, feature, key) for key in wish.values}
    outcomes = []
    for key, value in wish.values.items():
        if value is None:
            await _note(here, feature.asset, key, {})
        else:
            outcome = await _ask(here, signals[key], value, wish)
            outcomes.append(outcome)
            await _note(here, feature.asset, key, _evidence(here, outcome, value, wish))
    stand = await here.mirrors.now(id, found)
    after = _features(here, found, stand, await _readings(here, found, None))[name]
    return _tagged(DesiredAnswer(outcomes, after), stand)


def _fits(
    stand: Stand,
    features: Mapping[str, FeatureAnswer],
    name: str,
    if_match: str,
    condition: str,
) -> None:
    """Raise WebError where the twin is not as the wish supposes."""
    wanted = if_match.strip().removeprefix("W/").strip('"')
    if wanted not in ("", "*", str(stand.revision)):
        problem = f"the twin is at revision {stand.revision}, not {wanted}"
        raise WebError(412, problem, "look at it again, and then wish")
    if not condition:
        return
    plain = msgspec.to_builtins(features)
    try:
        met = holds(condition, {**plain[name], "features": plain})
    except ValueError as error:
        raise WebError(422, str(error), 'e.g. eq(properties/state,"running")') from error
    if not met:
        raise WebError(412, f"{condition} does not hold", "look at the twin again, and then wish")


def _writable(here: Context, found: FeatureAnswer, key: str) -> str:
    """Return the id of the signal behind a property. Raises WebError."""
    own = {
        signal.short: signal.id
        for signal in here.runtime.factory.signals.values()
        if found.asset and signal.asset == found.asset and signal.access == "rw"
    }
    if key not in own:
        remedy = f"what can be desired: {', '.join(own)}" if own else "nothing of it can be written"
        raise WebError(422, f"{key!r} cannot be desired", remedy)
    return own[key]


async def _ask(here: Context, signal: str, value: float, wish: Desired) -> answers.OutcomeAnswer:
    """Return what became of a wish that was not refused. Raises WebError."""
    control = here.runtime.control
    asked = control.command(signal, value, wish.person, wish.reason)
    lasting = msgspec.structs.replace(asked, expires=asked.issued + round(wish.ttl * SECOND))
    return judged(here, answers.outcome(here.runtime, await control.ask(lasting)))


async def _note(here: Context, asset: str, key: str, data: dict[str, str]) -> None:
    """Record what is desired of a property; without data: nothing any longer."""
    now = here.runtime.clock.now()
    event = Event(
        id=f"{asset}.{DESIRED}", time=now, kind="note", value=key, data=data, received=now
    )
    await here.runtime.intake.put((event,))


def _evidence(
    here: Context, outcome: answers.OutcomeAnswer, value: float, wish: Desired
) -> dict[str, str]:
    now = here.runtime.clock.now()
    return {
        "value": repr(value),
        "person": wish.person,
        "reason": wish.reason,
        "asked": str(now),
        "expires": str(now + round(wish.ttl * SECOND)),
        "command": outcome.command.id,
        "result": outcome.result,
    }


# ---- what would be


def _own(here: Context, request: Request) -> None:
    """Let only our own pages and programs ask what costs time. Raises WebError."""
    if not here.keeper.is_own_page(request.headers):
        raise WebError(403, "this request comes from another site")


def _check(line: Line, changes: list[str]) -> None:
    """Raise WebError for a change that the line does not allow."""
    try:
        apply(line, [Change.parse(each) for each in changes])
    except FactoryError as error:
        fault = error.faults[0]
        raise WebError(422, f"{fault.key}: {fault.problem}", fault.remedy) from error


def _start(found: Monitor, stand: Stand) -> Snapshot:
    """Return where a simulation begins. Raises WebError for products that the line does not have.

    A line that tells no products apart has one: whatever its scans say.
    """
    snapshot = stand.snapshot
    if not found.line.products:
        return msgspec.structs.replace(
            snapshot,
            buffers={name: (ANY,) * len(parts) for name, parts in snapshot.buffers.items()},
            stations={
                name: tuple(
                    msgspec.structs.replace(server, product=ANY if server.product else "")
                    for server in servers
                )
                for name, servers in snapshot.stations.items()
            },
            family={},
        )
    seen = {part for parts in snapshot.buffers.values() for part in parts}
    seen |= {server.product for servers in snapshot.stations.values() for server in servers}
    if unknown := sorted(seen - {"", *found.line.products}):
        known = ", ".join(found.line.products)
        problem = f"the line has no product {unknown[0]!r}; known: {known}"
        raise WebError(422, problem, "add it to the file of the line, or begin = steady")
    return snapshot


async def _asked(answer: Awaitable[T]) -> T:
    """Return what the other process answers; raise WebError for what it cannot."""
    try:
        return await answer
    except ValueError as error:
        raise WebError(422, str(error)) from error


def _levers(found: Monitor) -> list[LeverAnswer]:
    line = found.line
    told = []
    for name, station in line.stations.items():
        lever = partial(LeverAnswer, name=name, asset=lines.asset(found, name), unit="s")
        told.append(lever(target=f"{name}.cycle", kind="cycle", value=_cycle(station)))
        if station.failures:
            repair = distribution.parse(station.failures[0].repair).mean
            told.append(lever(target=f"{name}.failures.repair", kind="repair", value=repair))
    for name, buffer in line.buffers.items():
        if buffer.capacity is not None:
            told.append(_whole(f"{name}.capacity", "capacity", name, buffer.capacity))
    for name, crew in line.crews.items():
        told.append(_whole(f"{name}.size", "crew", name, crew.size))
    return told


def _whole(target: str, kind: Literal["capacity", "crew"], name: str, value: int) -> LeverAnswer:
    return LeverAnswer(target=target, kind=kind, name=name, asset="", value=value, unit="1")


def _cycle(station: Station) -> float:
    """Return the mean cycle time, over products alike, s."""
    table = station.cycle.values() if isinstance(station.cycle, dict) else [station.cycle]
    means = [distribution.parse(each).mean for each in table]
    return sum(means) / len(means)


# ---- whether it may be believed


def _finding(here: Context, id: str, asset: str, name: str) -> Finding | None:
    return here.runtime.live.findings.get((id, asset, name))


def _validity(here: Context, id: str, found: Monitor) -> ValidityAnswer:
    belief = _finding(here, id, found.options.asset, "believable")
    if belief is None:
        return ValidityAnswer("unknown", "no shift has been scored yet")
    if belief.value:
        return ValidityAnswer("valid", belief.reason)
    if _drifts(here, id, found):
        return ValidityAnswer("drifting", belief.reason)
    few = int(belief.evidence.get("shifts", "0")) < found.options.shifts
    return ValidityAnswer("unknown" if few else "invalid", belief.reason)


def _drifts(here: Context, id: str, found: Monitor) -> list[DriftAnswer]:
    told = []
    for station, assets in found.assets.items():
        drift = _finding(here, id, assets[0], "drift")
        if drift is not None and drift.severity and drift.value is not None:
            told.append(
                DriftAnswer(
                    station=station,
                    asset=lines.asset(found, station),
                    since=to_iso(drift.start),
                    change=100 * drift.value,
                    uncertainty=None if drift.uncertainty is None else 100 * drift.uncertainty,
                    reason=drift.reason,
                )
            )
    return told


def _shift(told: Finding) -> ShiftAnswer:
    evidence = told.evidence
    scored = told.name == "score"
    expected = _number(evidence.get("expected")) if scored else answers.finite(told.value)
    return ShiftAnswer(
        start=to_iso(told.start),
        end=to_iso(told.end),
        expected=expected,
        low=_number(evidence.get("low")),
        high=_number(evidence.get("high")),
        made=_number(evidence.get("made")) if scored else None,
        crps=answers.finite(told.value) if scored else None,
    )


def _number(text: str | None) -> float | None:
    """Return the number that evidence tells, or None."""
    try:
        return answers.finite(float(text)) if text else None
    except ValueError:
        return None


def _percent(text: str | None) -> float | None:
    share = _number(text)
    return None if share is None else 100 * share
