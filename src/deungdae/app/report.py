"""Reports over a store: the same rows for the command line, the API and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Store
from deungdae.core.types import DAY, HOUR, SECOND, Signal, TimeArray
from deungdae.insight import kpi
from deungdae.insight import states as held
from deungdae.insight.kpi.categories import words
from deungdae.insight.kpi.stops import Stop, find, newest, person_reason
from deungdae.insight.kpi.timeline import stretches
from deungdae.model.calendar import Span
from deungdae.model.factory import Factory, Identity

from .remote import Archive


class StateRow(msgspec.Struct, frozen=True):
    """An asset was so many seconds in a state on a day (or hour, ISO 8601 with offset).

    reasons: seconds of it by what people told as the reason.
    """

    asset: str
    day: str
    state: str
    seconds: float
    reasons: dict[str, float] = {}


def state_signals(signals: Sequence[Signal], assets: Sequence[str] = ()) -> dict[str, Signal]:
    """Return the signal that tells each asset's state, by asset.

    Which it is the analysis of KPIs knows. Raises NotEnoughData for a wanted asset that has none.
    """
    by_id = {signal.id: signal for signal in signals}
    names = {asset: kpi.default_spec(asset, signals).state for asset in {s.asset for s in signals}}
    found = {asset: by_id[id] for asset, id in names.items() if id and by_id[id].kind != "number"}
    missing = [asset for asset in assets if asset not in found]
    if missing:
        have = ", ".join(sorted(found)) or "none"
        raise NotEnoughData(f"no state signal of {', '.join(missing)}; assets with one: {have}")
    return {asset: found[asset] for asset in (assets or sorted(found))}


def states(
    store: Archive, start: int, end: int, *, by: str, zone: ZoneInfo, assets: Sequence[str] = ()
) -> list[StateRow]:
    """Return the seconds of each state of each asset in each period of [start, end).

    by: `day` (of the zone), `hour` or `all`. Time without data is the state `unknown`; see
    insight.states for the rule. Raises NotEnoughData where no asset has a state signal.
    """
    signals = store.signals()
    chosen = state_signals(signals, assets)
    if not chosen:
        raise NotEnoughData("no asset in this store has a signal that tells its state")
    rows = []
    for asset, signal in chosen.items():
        found = spells(store, signals, signal, start, end, zone)
        edges = _edges(start, end, by, zone)
        stops = _explained(store, signals, signal, start, end, zone)
        periods = zip(pairwise(edges), held.durations(found, edges), strict=True)
        for (since, until), lengths in periods:
            label = _label(since, by, zone)
            told = _reasons(stops, since, until)
            rows += [
                StateRow(asset, label, state, ns / SECOND, told.get(state, {}))
                for state, ns in sorted(lengths.items())
            ]
    return rows


def _explained(
    store: Archive, signals: Sequence[Signal], signal: Signal, start: int, end: int, zone: ZoneInfo
) -> list[Stop]:
    """Return the stops of an asset for which people told a reason."""
    id = person_reason(signal.asset)
    told = newest(store.events(start - DAY, end, ids=[id], kinds=["note"], before=True))
    if not told:
        return []
    spec = kpi.default_spec(signal.asset, signals)
    found = spells(store, signals, signal, start - DAY, end, zone)
    line = stretches(found, words(spec.model, spec.states), [Span(start - DAY, end)])
    return [stop for stop in find(line, told) if stop.reasons]


def _reasons(stops: Sequence[Stop], start: int, end: int) -> dict[str, dict[str, float]]:
    """Return the seconds of each reason of each state within [start, end)."""
    found: dict[str, dict[str, float]] = {}
    for stop in stops:
        for piece in stop.within(start, end):
            if piece.reason:
                of_state = found.setdefault(piece.state, {})
                seconds = of_state.get(piece.reason, 0.0) + piece.length / SECOND
                of_state[piece.reason] = seconds
    return found


def spells(
    store: Archive, signals: Sequence[Signal], signal: Signal, start: int, end: int, zone: ZoneInfo
) -> list[held.Spell]:
    """Return what an asset did over [start, end) by its state signal; see insight.states."""
    told = held.told(
        store.events(start, end, ids=[signal.id], kinds=["state", "text"], before=True)
    )
    gaps = [
        (event.time, int(event.data["until"]))
        for event in store.events(start, end, ids=[signal.id], kinds=["gap"], before=True)
        if "until" in event.data
    ]
    own = [s for s in signals if s.asset == signal.asset]
    return held.spells(told, start, end, heard=heard(store, own, start, end), gaps=gaps, zone=zone)


def heard(store: Store, signals: Sequence[Signal], start: int, end: int) -> TimeArray:
    """Return moments at which anything was heard of the signals, at least one per hour: int64[m].

    Looks a day beyond the end too, since later data tell that a source was only unavailable.
    """
    beyond = end + 400 * DAY
    names = [signal.id for signal in signals if signal.kind != "number"]
    moments = [event.time for event in store.events(start, beyond, ids=names)] if names else []
    numbers = [signal.id for signal in signals if signal.kind == "number"]
    starts = [store.rollup(id, start, beyond, HOUR).start for id in numbers]
    return np.unique(np.concatenate([np.asarray(moments, np.int64), *starts]))


def _edges(start: int, end: int, by: str, zone: ZoneInfo) -> list[int]:
    if by == "day":
        return held.days(start, end, zone)
    if by == "hour":
        return [start, *range((start // HOUR + 1) * HOUR, end, HOUR), end]
    return [start, end]


def _label(moment: int, by: str, zone: ZoneInfo) -> str:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // SECOND)).astimezone(
        zone
    )
    return local.date().isoformat() if by == "day" else local.isoformat()


def kpis(
    store: Archive,
    start: int,
    end: int,
    *,
    by: str,
    zone: ZoneInfo,
    assets: Sequence[str] = (),
    factory: Factory | None = None,
) -> list[kpi.Report]:
    """Return the report of the ISO 22400-2 indicators of each asset in each period.

    factory: gives shifts, and by its `kpi` tables counters and cycle times; without it they are
    what the names of the signals suggest, and every moment is planned. by: as in `states`.
    Raises NotEnoughData where no asset tells its state.
    """
    signals = store.signals()
    chosen = state_signals(signals, assets)
    if not chosen:
        raise NotEnoughData("no asset in this store has a signal that tells its state")
    plan = factory or Factory(
        path=Path(),
        identity=Identity(id="store", timezone=zone.key),
        signals={signal.id: signal for signal in signals},
    )
    declared = {
        plugin.options.asset: plugin.options
        for plugin in plan.room("insight").values()
        if plugin.type == "kpi"
    }
    return [
        kpi.compute(declared.get(asset) or kpi.default_spec(asset, signals), store, plan, *period)
        for asset in chosen
        for period in pairwise(_edges(start, end, by, zone))
    ]
