"""The records of a line over a period, as columns: all that a twin is learnt from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timezone
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.ports import Samples, Store
from deungdae.core.types import SECOND, Event, Flag, TimeArray, is_good
from deungdae.insight.states import Told, told

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
    stations: Mapping[str, str] | Sequence[str],
    start: int,
    end: int,
    *,
    zone: timezone | ZoneInfo = UTC,
) -> Log:
    """Return what a store holds of a line over [start, end).

    stations: name in the line -> id of the asset; or ids that are also the names. Read are
    `<asset>.state`, `<asset>.part` (events), `<asset>.count` and `<asset>.power` (samples).
    """
    assets = stations if isinstance(stations, Mapping) else {name: name for name in stations}
    ids = [f"{asset}.{what}" for asset in assets.values() for what in ("state", "part")]
    events = store.events(start, end, ids=ids, kinds=KINDS, before=True)
    numbers = [f"{asset}.{what}" for asset in assets.values() for what in ("count", "power")]
    samples = {id: found for id, found in store.query(numbers, start, end).items() if len(found)}
    return log_from(events, assets, start, end, samples=samples, zone=zone)


def log_from(
    events: Iterable[Event],
    stations: Mapping[str, str] | Sequence[str],
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
    assets = stations if isinstance(stations, Mapping) else {name: name for name in stations}
    names = {asset: name for name, asset in assets.items()}
    by_station: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.asset in names:
            by_station[names[event.asset]].append(event)
    faults: list[Gap] = []
    found = {}
    for name, asset in assets.items():
        mine, wrong = _right_times(name, by_station[name])
        faults += wrong
        numbers = samples or {}
        found[name] = _station(
            mine, start, end, numbers.get(f"{asset}.count"), numbers.get(f"{asset}.power")
        )
    return Log(stations=found, start=start, end=end, zone=zone, faults=tuple(faults))


def _station(
    events: list[Event], start: int, end: int, count: Samples | None, power: Samples | None
) -> StationLog:
    states: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind == "state":
            states[_server(event)].append(event)
    scans = [event for event in events if event.kind == "scan" and start <= event.time < end]
    gaps = [event for event in events if event.kind == "gap"]
    heard = np.asarray([event.time for event in events if event.kind != "gap"], np.int64)
    if count is not None:
        count = _good(count)
        heard = np.concatenate([heard, count.time])
    return StationLog(
        states={server: told(found) for server, found in sorted(states.items())},
        parts=Parts(
            np.asarray([event.time for event in scans], np.int64),
            [event.value for event in scans],
            [event.data.get("product", "") for event in scans],
            [event.data.get("result", "good") for event in scans],
            [_server(event) for event in scans],
        ),
        count=count,
        power=None if power is None else _good(power),
        heard=np.unique(heard),
        gaps=tuple((event.time, int(event.data.get("until", event.time))) for event in gaps),
    )


def _good(samples: Samples) -> Samples:
    rows = is_good(samples.status) & np.isfinite(samples.value)
    return Samples(samples.time[rows], samples.value[rows], samples.status[rows])


def _server(event: Event) -> int:
    word = event.data.get("server", "0")
    return int(word) if word.isdecimal() else 0


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
