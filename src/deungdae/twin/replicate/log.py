"""The records of a line over a period, as columns: all that a twin is learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timezone
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.ports import Samples, Store
from deungdae.core.types import SECOND, Event, Flag, TimeArray, is_good
from deungdae.insight.states import Told, told
from deungdae.sim.line import Line

# name in the line -> its asset, or the assets of its machines side by side; or names that are both
Stations: TypeAlias = Mapping[str, str | Sequence[str]] | Sequence[str]

KINDS = ("state", "scan", "gap")
ASTRAY = 60 * SECOND  # an event that far from where its clock usually is was told by a wrong clock


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What records could not tell, or told wrongly.

    station: '' for the line. what: of the line that is not known (`repair`, `capacity`, `clock` …).
    why: in words. bound: what can be said all the same, or what was assumed instead.
    """

    station: str
    what: str
    why: str
    bound: str = ""

    def __str__(self) -> str:
        bound = f"; {self.bound}" if self.bound else ""
        return f"{self.station or 'line'}: {self.what}: {self.why}{bound}"


class Parts(msgspec.Struct, frozen=True, eq=False):
    """Finished parts in order of time: time int64[n] ns, server int32[n]; the others n words.

    serial: '' where none was read. result: good, rework or scrap.
    """

    time: TimeArray = msgspec.field(default_factory=lambda: np.empty(0, np.int64))
    serial: Sequence[str] = ()
    product: Sequence[str] = ()
    result: Sequence[str] = ()
    server: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.time)


class StationLog(msgspec.Struct, frozen=True, eq=False):
    """What one station told. states: of each of its servers, with the last before the period.

    count: a counter of its parts; power: kW. heard: int64[m], when anything was heard of it.
    gaps: (from, until) of lost records.
    """

    states: Mapping[int, Told] = {}
    parts: Parts = Parts()
    count: Samples | None = None
    power: Samples | None = None
    heard: TimeArray = msgspec.field(default_factory=lambda: np.empty(0, np.int64))
    gaps: tuple[tuple[int, int], ...] = ()


class Log(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The records of a line over [start, end), ns. faults: what was wrong with them already."""

    stations: Mapping[str, StationLog]
    start: int
    end: int
    zone: timezone | ZoneInfo = UTC
    faults: tuple[Gap, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the length of the period in s."""
        return (self.end - self.start) / SECOND


def log_of(
    store: Store,
    stations: Stations,
    start: int,
    end: int,
    *,
    zone: timezone | ZoneInfo = UTC,
) -> Log:
    """Return what a store holds of a line over [start, end). Read are, of each asset,
    `<asset>.state`, `<asset>.part` (events), `<asset>.count` and `<asset>.power` (samples).
    """
    assets = [asset for each in named(stations).values() for asset in each]
    ids = [f"{asset}.{what}" for asset in assets for what in ("state", "part")]
    events = store.events(start, end, ids=ids, kinds=KINDS, before=True)
    numbers = [f"{asset}.{what}" for asset in assets for what in ("count", "power")]
    samples = {id: found for id, found in store.query(numbers, start, end).items() if len(found)}
    return log_from(events, stations, start, end, samples=samples, zone=zone)


def log_from(
    events: Iterable[Event],
    stations: Stations,
    start: int,
    end: int,
    *,
    samples: Mapping[str, Samples] | None = None,
    zone: timezone | ZoneInfo = UTC,
) -> Log:
    """Return the log that events tell, given in any order; see log_of.

    An event whose clock was astray (its time against its receipt, or a state told with
    CLOCK_SUSPECT) counts at the time of its receipt, and is named among the faults.
    """
    of_station = named(stations)
    by_asset: dict[str, list[Event]] = {
        asset: [] for assets in of_station.values() for asset in assets
    }
    products: dict[str, str] = {}  # by serial: who has read it first may be the one that says so
    for event in events:
        if event.asset in by_asset:
            by_asset[event.asset].append(event)
            if "product" in event.data:
                products[event.value] = event.data["product"]
    faults: list[Gap] = []
    found = {}
    numbers = samples or {}
    for name, assets in of_station.items():
        servers = []
        for server, asset in enumerate(assets):
            mine, wrong = _right_times(asset, by_asset[asset])
            faults += wrong
            count, power = numbers.get(f"{asset}.count"), numbers.get(f"{asset}.power")
            servers.append(_server(mine, server, start, end, count, power, products))
        found[name] = side_by_side(servers)
    return Log(stations=found, start=start, end=end, zone=zone, faults=tuple(faults))


def named(stations: Stations) -> dict[str, tuple[str, ...]]:
    """Return the assets of each station: one for each of its machines."""
    if not isinstance(stations, Mapping):
        return {name: (name,) for name in stations}
    return {
        name: (assets,) if isinstance(assets, str) else tuple(assets)
        for name, assets in stations.items()
    }


def assets_of(
    line: Line, stations: Mapping[str, str | Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the assets of each station of a line, where `stations` says otherwise than usual.

    Usual is the station's own name; of several machines side by side, `<name>-1` and so on.
    """
    found = {}
    for name, station in line.stations.items():
        base = stations.get(name, name)
        if not isinstance(base, str):
            found[name] = tuple(base)
        elif station.servers == 1:
            found[name] = (base,)
        else:
            found[name] = tuple(f"{base}-{number + 1}" for number in range(station.servers))
    return found


def side_by_side(logs: Sequence[StationLog]) -> StationLog:
    """Return the log of one station from those of its machines."""
    if len(logs) == 1:
        return logs[0]
    time = np.concatenate([each.parts.time for each in logs])
    order = np.argsort(time, kind="stable").tolist()
    parts = [
        (serial, product, result, server)
        for server, each in enumerate(logs)
        for serial, product, result in zip(
            each.parts.serial, each.parts.product, each.parts.result, strict=True
        )
    ]
    serial, product, result, machine = zip(*(parts[row] for row in order), strict=True) if (
        parts) else ((), (), (), ())  # fmt: skip
    return StationLog(
        states={server: told for server, each in enumerate(logs) for told in each.states.values()},
        parts=Parts(time[order], serial, product, result, machine),
        heard=np.unique(np.concatenate([each.heard for each in logs])),
        gaps=tuple(gap for each in logs for gap in each.gaps),
    )


def _server(
    events: list[Event],
    server: int,
    start: int,
    end: int,
    count: Samples | None,
    power: Samples | None,
    products: Mapping[str, str],
) -> StationLog:
    states = [event for event in events if event.kind == "state"]
    scans = [event for event in events if event.kind == "scan" and start <= event.time < end]
    gaps = [event for event in events if event.kind == "gap"]
    heard = np.asarray([event.time for event in events if event.kind != "gap"], np.int64)
    if count is not None:
        count = _good(count)
        heard = np.concatenate([heard, count.time])
    return StationLog(
        states={0: told(states)} if states else {},
        parts=Parts(
            np.asarray([event.time for event in scans], np.int64),
            [event.value for event in scans],
            [event.data.get("product") or products.get(event.value, "") for event in scans],
            [event.data.get("result", "good") for event in scans],
            [server] * len(scans),
        ),
        count=count,
        power=None if power is None else _good(power),
        heard=np.unique(heard),
        gaps=tuple((event.time, int(event.data.get("until", event.time))) for event in gaps),
    )


def _good(samples: Samples) -> Samples:
    rows = is_good(samples.status) & np.isfinite(samples.value)
    return Samples(samples.time[rows], samples.value[rows], samples.status[rows])


def _right_times(name: str, events: list[Event]) -> tuple[list[Event], list[Gap]]:
    """Return the events in order of their time, put right, and what was wrong with their clock."""
    if any(event.status & Flag.CLOCK_SUSPECT for event in events):
        marked = [event for event in events if event.status & Flag.CLOCK_SUSPECT]
        faults = [_clock(name, len(marked), marked[0].time, marked[-1].time, None)]
    else:
        faults = []
    timed = [event for event in events if event.received]
    if len(timed) < 3:
        return sorted(events, key=lambda event: event.time), faults
    late = np.asarray([event.time - event.received for event in timed])
    usual = int(np.median(late))
    astray = np.abs(late - usual) > ASTRAY
    if astray.mean() > 0.5 or not astray.any():
        return sorted(events, key=lambda event: event.time), faults
    wrong = {id(timed[place]) for place in np.flatnonzero(astray)}
    step = float(np.median(late[astray] - usual)) / SECOND
    when = [event.received for event in timed if id(event) in wrong]
    faults.append(_clock(name, len(wrong), min(when), max(when), step))
    mended = [
        msgspec.structs.replace(event, time=event.received + usual) if id(event) in wrong else event
        for event in events
    ]
    return sorted(mended, key=lambda event: event.time), faults


def _clock(name: str, count: int, first: int, last: int, step: float | None) -> Gap:
    jump = "was not to be believed" if step is None else f"was {step:+,.0f} s off"
    return Gap(
        station=name,
        what="clock",
        why=f"its clock {jump} for {count} events, {to_iso(first)} to {to_iso(last)}",
        bound="they count at the time at which they were received",
    )
