"""What is told of a twin: its stations and buffers, and how good its forecasts were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from deungdae.app.runtime import Runtime
from deungdae.core.clock import to_iso
from deungdae.core.types import Finding, Signal
from deungdae.sim.line import Server, Snapshot
from deungdae.twin.monitor import Monitor

from . import answers, lines
from .context import Context
from .failure import WebError
from .mirrors import Desire, Stand
from .moments import moment

Readings = Mapping[str, tuple[Signal, float | None]]


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


class SnapshotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a simulation can begin. id: what `whatif` takes as `snapshot`."""

    id: str
    time: str
    snapshot: Snapshot


class ForecastAnswer(msgspec.Struct, frozen=True, kw_only=True):
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
    shifts: list[ForecastAnswer]
    drifts: list[DriftAnswer]
    forecast: ForecastAnswer | None


async def stand_at(here: Context, id: str, found: Monitor, at: str) -> Stand:
    """Return how a twin stands now, or stood at a moment. Raises WebError."""
    if not at:
        return await here.mirrors.now(id, found)
    now = here.runtime.clock.now()
    wanted = moment(at, here.runtime.factory, now)
    if wanted > now:
        raise WebError(422, f"at = {at} is not yet", "give a time that has passed")
    return await here.mirrors.at(found, wanted)


async def readings(runtime: Runtime, found: Monitor, at: int | None) -> Readings:
    """Return each numeric signal of the line's assets with its good value, now or at a moment."""
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


def features(found: Monitor, stand: Stand, read: Readings) -> dict[str, FeatureAnswer]:
    """Return every station and buffer of a twin, by name."""
    told = {
        name: _station(found, lines.asset(found, name), servers, stand, read)
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
    found: Monitor, asset: str, servers: tuple[Server, ...], stand: Stand, read: Readings
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
    for signal, value in read.values():
        if signal.asset == asset:
            properties[signal.short] = answers.finite(value)
    signals = found.factory.signals
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


def score(runtime: Runtime, found: Monitor, told: Sequence[Finding]) -> ScoreAnswer:
    """Return how good a twin's forecasts were. told: its findings `score`."""
    belief, forecast = (_finding(runtime, found, name) for name in ("believable", "forecast"))
    evidence = belief.evidence if belief else {}
    runs = forecast is not None and forecast.end > runtime.clock.now()
    return ScoreAnswer(
        validity=validity(runtime, found),
        coverage=_percent(evidence.get("coverage")),
        coverage_low=_percent(evidence.get("coverage low")),
        coverage_high=_percent(evidence.get("coverage high")),
        crps=_number(evidence.get("mean crps")),
        learnt=learnt(found),
        wanted=found.options.shifts,
        shifts=[_shift(each) for each in told],
        drifts=_drifts(runtime, found),
        forecast=_shift(forecast) if forecast is not None and runs else None,
    )


def learnt(found: Monitor) -> str:
    """Return when a twin was learnt from records, or ''."""
    return to_iso(found.twin.learnt_at) if found.twin.learnt_at else ""


def _finding(runtime: Runtime, found: Monitor, name: str, asset: str = "") -> Finding | None:
    return runtime.live.findings.get((found.name, asset or found.options.asset, name))


def validity(runtime: Runtime, found: Monitor) -> ValidityAnswer:
    """Return whether a twin may be believed."""
    belief = _finding(runtime, found, "believable")
    if belief is None:
        return ValidityAnswer("unknown", "no shift has been scored yet")
    if belief.value:
        return ValidityAnswer("valid", belief.reason)
    if _drifts(runtime, found):
        return ValidityAnswer("drifting", belief.reason)
    few = int(belief.evidence.get("shifts", "0")) < found.options.shifts
    return ValidityAnswer("unknown" if few else "invalid", belief.reason)


def _drifts(runtime: Runtime, found: Monitor) -> list[DriftAnswer]:
    told = []
    for station, assets in found.assets.items():
        drift = _finding(runtime, found, "drift", assets[0])
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


def _shift(told: Finding) -> ForecastAnswer:
    evidence = told.evidence
    scored = told.name == "score"
    expected = _number(evidence.get("expected")) if scored else answers.finite(told.value)
    return ForecastAnswer(
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
