"""Buffers between stations, from when parts left the one and were begun at the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray

from .fit import Fit, fit
from .log import Gap
from .timeline import STARVED
from .traces import OUTSIDE, REWORK, Scans, Traces
from .work import Work

EVER = np.inf
EARLY = 1.0  # s; a part that was begun so long before it left the station before contradicts it
SHORT = 0.5  # s; a shorter way counts as none


class Queue(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A buffer. feeders, takers: stations. rework: of parts that come back.

    arrival, begun: float64[n] s of each part that went through, -inf and inf where it was there
    before the log, or still is. capacity: None where it was never seen full; most: the largest
    level that was seen. delay: of the way into it, None where there is none to be seen.
    """

    name: str
    feeders: tuple[str, ...]
    takers: tuple[str, ...]
    rework: bool
    arrival: FloatArray
    begun: FloatArray
    capacity: int | None
    most: int
    delay: Fit | None

    def level(self, at: FloatArray) -> NDArray[np.int64]:
        """Return how many parts waited at each moment: int64[m]."""
        came = np.searchsorted(np.sort(self.arrival), at, "right")
        went = np.searchsorted(np.sort(self.begun), at, "right")
        return np.asarray(came - went, np.int64)


def queues_of(
    traces: Traces, work: Mapping[str, Work], names: Sequence[str]
) -> tuple[list[Queue], list[Gap]]:
    """Return the buffers that parts went through, along the line, and what they hide."""
    times = _Times(traces.scans, work, names)
    found: list[Queue] = []
    gaps: list[Gap] = []
    for feeders, takers in _groups(traces):
        queue, odd = _queue(times, _name("before", takers), feeders, takers, rework=False)
        found.append(queue)
        gaps += odd
    back: dict[str, list[str]] = {}
    for name, way in traces.ways.items():
        for to in way.rework:
            back.setdefault(to, []).append(name)
    for to, feeders_back in back.items():
        queue, odd = _queue(times, f"rework-{to}", tuple(feeders_back), (to,), rework=True)
        found.append(queue)
        gaps += odd
    gaps += _early(times, names)
    return found, gaps


def first_of(main: Queue, rework: Queue) -> str:
    """Return who goes first at a station: `rework`, `main`, or `oldest`, as the parts show."""
    main_in, main_out = _sorted(main)
    back_in, back_out = _sorted(rework)
    # of each begin: did somebody wait in the other queue, and had he come before?
    waits_back, older_back = _waiting(back_in, back_out, main_out, main_in)
    waits_main, older_main = _waiting(main_in, main_out, back_out, back_in)
    against = {
        "rework": int(waits_back.sum()),
        "main": int(waits_main.sum()),
        "oldest": int(older_back.sum() + older_main.sum()),
    }
    return min(against, key=lambda rule: against[rule])


class _Times:
    """When each scanned part was begun and left, in the order of the scans."""

    def __init__(self, scans: Scans, work: Mapping[str, Work], names: Sequence[str]) -> None:
        self.scans = scans
        self.work = work
        self.names = names
        n = len(scans.serial)
        self.begun, self.left, self.held = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, bool)
        for place, name in enumerate(names):
            mine = np.flatnonzero(scans.station == place)
            rows = scans.row[mine]
            self.begun[mine] = work[name].begun[rows]
            self.left[mine] = work[name].left[rows]
            self.held[mine] = work[name].held[rows]

    def codes(self, stations: Sequence[str]) -> list[int]:
        return [self.names.index(name) for name in stations]


def _groups(traces: Traces) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return (feeders, takers) of each buffer: stations fed by the same ones share one."""
    feeders: dict[str, set[str]] = {}
    for name, way in traces.ways.items():
        for to in way.good:
            if to:
                feeders.setdefault(to, set()).add(name)
    grouped: dict[frozenset[str], list[str]] = {}
    for to in traces.order:
        if to in feeders:
            grouped.setdefault(frozenset(feeders[to]), []).append(to)
    found = []
    for fed_by, takers in grouped.items():
        sources = tuple(name for name in traces.order if name in fed_by)
        together = [takers] if _alike(traces, takers) else [[taker] for taker in takers]
        found += [(sources, tuple(each)) for each in together]
    return found


def _alike(traces: Traces, takers: Sequence[str]) -> bool:
    """Return whether stations do the same: their parts go to the same places, of all products."""
    if len(takers) == 1:
        return True
    goes = {frozenset(traces.ways[taker].good) for taker in takers}
    makes = {frozenset(traces.ways[taker].by_product) for taker in takers}
    return len(goes) == 1 and len(makes) == 1


def _queue(
    times: _Times, name: str, feeders: tuple[str, ...], takers: tuple[str, ...], *, rework: bool
) -> tuple[Queue, list[Gap]]:
    scans = times.scans
    from_, into = times.codes(feeders), times.codes(takers)
    previous = scans.previous
    was_rework = (previous >= 0) & (scans.result[previous] == REWORK)
    came = np.isin(scans.last_station, from_) & np.isin(scans.station, into)
    came &= was_rework if rework else ~was_rework
    first = np.isin(scans.station, into) & (scans.last_station == OUTSIDE) & (not rework)
    rows = np.flatnonzero((came | first) & np.isfinite(times.begun))
    arrival = np.where(came[rows], times.left[previous[rows]], -EVER)
    begun = times.begun[rows]
    order = np.argsort(begun, kind="stable")
    arrival, begun, rows = arrival[order], begun[order], rows[order]
    # a part whose scan before was lost came no earlier than the one that was begun before it
    lost = np.isneginf(arrival) & (begun > _first_known(arrival, begun))
    arrival = np.where(lost, np.fmax.accumulate(np.where(lost, -EVER, arrival)), arrival)
    arrival = np.minimum(arrival, begun)
    waiting = _still_there(times, from_, into, begun, rework=rework)
    arrival = np.concatenate([arrival, waiting])
    begun = np.concatenate([begun, np.full(len(waiting), EVER)])
    queue = Queue(
        name=name, feeders=feeders, takers=takers, rework=rework, arrival=arrival, begun=begun,
        capacity=None, most=0, delay=None,
    )  # fmt: skip
    capacity, most, gaps = _capacity(queue, _held_from(times, rows[came[rows]]))
    delay = _delay(times, queue, rows, came)
    return msgspec.structs.replace(queue, capacity=capacity, most=most, delay=delay), gaps


def _held_from(times: _Times, rows: NDArray[np.int64]) -> FloatArray:
    """Return when the parts that then came in were blocked at the station before."""
    before = times.scans.previous[rows]
    held = before[times.held[before]]
    return np.sort(times.scans.time[held])


def _first_known(arrival: FloatArray, begun: FloatArray) -> float:
    known = np.flatnonzero(np.isfinite(arrival))
    return float(begun[known[0]]) if len(known) else EVER


def _still_there(
    times: _Times, from_: Sequence[int], into: Sequence[int], begun: FloatArray, *, rework: bool
) -> FloatArray:
    """Return when the parts came that wait at the end of the log.

    A part that came before one that was begun long ago, and was never seen again, is not waiting:
    its later scans were lost.
    """
    scans = times.scans
    last = (scans.following < 0) & np.isin(scans.station, from_)
    last &= (scans.result == REWORK) if rework else (scans.result == 0)
    left = times.left[last]
    newest = float(np.max(begun, initial=-EVER))
    came = times.left[scans.previous[(scans.previous >= 0) & np.isin(scans.station, into)]]
    came = came[np.isfinite(came)]
    youngest = float(came.max()) if len(came) else newest
    waiting: FloatArray = left[np.isfinite(left) & (left > youngest)]
    return waiting


def _capacity(queue: Queue, held_from: FloatArray) -> tuple[int | None, int, list[Gap]]:
    """Return the level at which feeders were blocked, the largest level, and what is not sure."""
    seen = queue.arrival[np.isfinite(queue.arrival)]
    levels = queue.level(seen)
    most = int(np.quantile(levels, 0.999, method="lower")) if len(levels) else 0
    what = f"capacity of {queue.name}"
    station = queue.feeders[-1] if queue.feeders else ""
    if not len(held_from):
        why = "it was never seen full"
        gap = Gap(station=station, what=what, why=why, bound=f"at least {max(most, 1)}")
        return None, most, [] if queue.rework else [gap]
    full = queue.level(held_from)
    values, counts = np.unique(full[full >= 0], return_counts=True)
    if not len(values):
        return None, most, [Gap(station=station, what=what, why="levels do not add up")]
    usual = int(values[np.argmax(counts)])
    share = counts.max() / counts.sum()
    if len(held_from) >= 5 and share < 0.6:
        why = f"feeders were blocked at levels {values[0]} to {values[-1]}"
        bound = f"{usual} is the most frequent ({share:.0%})"
        return usual, most, [Gap(station=station, what=what, why=why, bound=bound)]
    return usual, most, []


def _delay(
    times: _Times, queue: Queue, rows: NDArray[np.int64], came: NDArray[np.bool_]
) -> Fit | None:
    """Return the time of the way in: what a part took to a station that waited for it."""
    rows = rows[came[rows]]
    left, begun = times.left[times.scans.previous[rows]], times.begun[rows]
    waited = np.zeros(len(rows), bool)
    for taker in queue.takers:
        code = times.names.index(taker)
        mine = np.flatnonzero(times.scans.station[rows] == code)
        for line in times.work[taker].timelines.values():
            waited[mine] |= line.code_at(np.nextafter(begun[mine], 0)) == STARVED
    # only the part alone on its way: the one before was begun before it left
    before = np.concatenate([[-EVER], np.fmax.accumulate(begun)[:-1]]) if len(begun) else begun
    way = (begun - left)[waited & (before <= left)]
    if len(way) < 10 or float(np.median(way)) < SHORT:
        return None
    return fit(np.maximum(way, 0.0))


def _sorted(queue: Queue) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(queue.begun, kind="stable")
    return queue.arrival[order], queue.begun[order]


def _waiting(
    came: FloatArray, went: FloatArray, at: FloatArray, since: FloatArray
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, of each moment, whether somebody waited in a queue, and whether before `since`."""
    came, moments = np.sort(came), np.where(np.isfinite(at), at, -EVER)
    gone = np.searchsorted(np.sort(went), moments, "right")
    waits = np.searchsorted(came, moments - SHORT, "left") > gone
    head = np.concatenate([came, [EVER]])[np.minimum(gone, len(came))]
    return waits, waits & (head < since)


def _early(times: _Times, names: Sequence[str]) -> list[Gap]:
    """Return the pairs of stations whose clocks contradict each other."""
    scans = times.scans
    rows = np.flatnonzero(scans.previous >= 0)
    wait = times.begun[rows] - scans.time[scans.previous[rows]]
    gaps = []
    bad = np.isfinite(wait) & (wait < -EARLY)
    pairs = scans.last_station[rows] * len(names) + scans.station[rows]
    for pair in np.unique(pairs[bad]):
        mine = pairs == pair
        wrong = wait[mine & bad]
        a, b = names[pair // len(names)], names[pair % len(names)]
        why = (
            f"{len(wrong)} of {int(mine.sum())} parts were begun before {a} had finished them, "
            f"by {-float(np.median(wrong)):.3g} s: a negative duration"
        )
        gaps.append(Gap(station=b, what="clock", why=why, bound="these waits count as none"))
    return gaps


def _name(prefix: str, takers: Sequence[str]) -> str:
    return f"{prefix}-{takers[0]}"
