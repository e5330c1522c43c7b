"""What one station did with each part: when it began, how long it ran, when the part left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import SECOND, FloatArray

from .log import Gap, Log, StationLog
from .timeline import (
    BLOCKED,
    DOWN,
    IDLE,
    OFF,
    RUNNING,
    SETUP,
    STARVED,
    UNKNOWN,
    WAITING,
    Timeline,
    timeline,
)

MOVING = (RUNNING, SETUP, STARVED, WAITING, IDLE)  # states in which no finished part is held back
SAME = 1e-3  # s; scans closer than that are of one batch


class Work(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What the servers of a station did. Arrays [n] are in the order of the station's Parts.

    done, begun, left: s since the log began; begun nan where not known. cycle: s of running that
    the part took, nan where not known. changeover: s of setup before it. held: it was blocked.
    batch: parts of one cycle.
    """

    timelines: Mapping[int, Timeline]
    done: FloatArray
    begun: FloatArray
    left: FloatArray
    cycle: FloatArray
    changeover: FloatArray
    held: NDArray[np.bool_]
    server: NDArray[np.int64]
    batch: int = 1

    def time_in(self, *codes: int) -> float:
        """Return the s of all servers in the given states."""
        return sum(each.time_in(*codes) for each in self.timelines.values())

    @property
    def known(self) -> float:
        """Return the s of all servers in which the state is known."""
        return sum(each.seconds - each.time_in(UNKNOWN) for each in self.timelines.values())

    @property
    def has_states(self) -> bool:
        """Return whether it told that it ran, ever."""
        return self.time_in(RUNNING) > 0


def work_of(log: Log, name: str) -> tuple[Work, list[Gap]]:
    """Return what a station did, and what its records hide."""
    station = log.stations[name]
    lines = {
        server: timeline(
            told, log.start, log.end, heard=station.heard, gaps=station.gaps, zone=log.zone
        )
        for server, told in station.states.items()
    }
    parts = station.parts
    done = (parts.time - log.start) / SECOND
    n = len(done)
    server = np.asarray(parts.server, np.int64) if n else np.empty(0, np.int64)
    begun, left, cycle, changeover = (
        np.full(n, np.nan),
        done.copy(),
        np.full(n, np.nan),
        np.zeros(n),
    )
    held = np.zeros(n, bool)
    batches: list[int] = []
    for number, line in lines.items():
        rows = np.flatnonzero(server == number) if len(lines) > 1 else np.arange(n)
        if not len(rows):
            continue
        times = done[rows]
        fresh = np.concatenate([[True], np.diff(times) > SAME])  # the first of each batch
        batches += np.diff(np.append(np.flatnonzero(fresh), len(rows))).tolist()
        which = np.cumsum(fresh) - 1
        ends = times[fresh]
        before = np.concatenate([[0.0], ends[:-1]])
        begun[rows] = line.next_in(before, RUNNING, SETUP)[which]
        ran = line.clock(ends, RUNNING) - line.clock(before, RUNNING)
        hidden = line.clock(ends, UNKNOWN) - line.clock(before, UNKNOWN)
        ran[hidden > 0] = np.nan
        ran[0] = np.nan  # it may have begun before the log did
        cycle[rows] = ran[which]
        changed = line.clock(ends, SETUP) - line.clock(before, SETUP)
        changeover[rows] = changed[which]
        blocked = line.code_at(ends) == BLOCKED
        held[rows] = blocked[which]
        released = np.where(blocked, line.next_in(ends, *MOVING), ends)
        left[rows] = released[which]
    begun = np.where(begun <= done, begun, np.nan)
    work = Work(
        timelines=lines, done=done, begun=begun, left=left, cycle=cycle, changeover=changeover,
        held=held, server=server, batch=Counter(batches).most_common(1)[0][0] if batches else 1,
    )  # fmt: skip
    return work, list(_hidden(name, station, work))


def _hidden(name: str, station: StationLog, work: Work) -> Iterator[Gap]:
    unheard: Counter[str] = Counter()
    for line in work.timelines.values():
        unheard.update(line.unheard)
    if unheard:
        told = ", ".join(f"{word!r} ({count})" for word, count in unheard.most_common(5))
        why = f"states that nobody explained: {told}"
        yield Gap(station=name, what="state", why=why, bound="that time counts as unknown")
    if not station.states:
        why = "it told no states: its stops cannot be told from its cycles"
        yield Gap(station=name, what="states", why=why, bound="the shorter gaps count as cycles")
        return
    dark = work.time_in(UNKNOWN)
    total = dark + work.known
    if dark > 0.005 * total:
        days = dark / max(len(work.timelines), 1) / 86_400
        why = f"nothing is known of {days:.2g} days of {total / len(work.timelines) / 86_400:.2g}"
        yield Gap(station=name, what="records", why=why, bound="they count neither as up nor down")
    if work.time_in(IDLE) > 0.01 * work.known:
        why = "idle time is told without why: starved or blocked"
        yield Gap(station=name, what="idle", why=why, bound="buffers are told by levels only")
    jumps = int((np.diff(work.done) < 0).sum())
    if jumps:
        yield Gap(station=name, what="clock", why=f"{jumps} scans lie before the one told earlier")


class Stops(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Failures of a station. repairs: s of those seen whole; intervals: s of running between two;
    open_ends: s of running before the first and since the last. count: failures that began while
    it was watched; from_rest: those of them that began while it did not run.
    """

    count: int
    from_rest: int
    repairs: FloatArray
    intervals: FloatArray
    open_ends: FloatArray
    clock_intervals: FloatArray
    waits: int


def stops_of(work: Work, code: int = DOWN) -> Stops:
    """Return the stops of one kind (DOWN or MAINTENANCE) of all servers of a station."""
    repairs: list[FloatArray] = []
    between: list[FloatArray] = []
    apart: list[FloatArray] = []
    ends: list[float] = []
    count = rest = waits = 0
    for line in work.timelines.values():
        # a failed machine may first wait for its crew, and rest while everything is off
        start, end, whole = _episodes(line, code)
        repair = line.clock(end, code) - line.clock(start, code)
        repairs.append(repair[whole])
        seen = start > 0
        count += int(seen.sum())
        prior = line.code_at(np.nextafter(start[seen], 0))
        rest += int((~np.isin(prior, (RUNNING, UNKNOWN))).sum())
        waits += int((line.clock(end, WAITING) - line.clock(start, WAITING) > 0).sum())
        ran = line.clock(start, RUNNING)
        dark = line.clock(start, UNKNOWN)
        clear = np.diff(dark) == 0
        between.append(np.diff(ran)[clear])
        apart.append((start[1:] - end[:-1])[clear])
        total = line.time_in(RUNNING)
        ends += [float(ran[0]), total - float(ran[-1])] if len(ran) else [total]
    return Stops(
        count=count, from_rest=rest, repairs=_joined(repairs), intervals=_joined(between),
        open_ends=np.asarray(ends), clock_intervals=_joined(apart), waits=waits,
    )  # fmt: skip


def _episodes(line: Timeline, code: int) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return start, end and whether seen whole of each stop with its waiting and its nights."""
    start, end, whole = line.spells(code)
    if not len(start):
        return start, end, whole
    # join two spells of the same stop that only rest (off, waiting) separates
    gap = start[1:] - end[:-1]
    resting = line.clock(start[1:], OFF, WAITING) - line.clock(end[:-1], OFF, WAITING)
    joined = np.concatenate([[False], np.abs(gap - resting) < SAME])
    first = np.flatnonzero(~joined)
    last = np.append(first[1:] - 1, len(start) - 1)
    whole = np.logical_and.reduceat(whole, first)
    begin = start[first]
    waited_from, waited_to, _ = line.spells(WAITING)
    if len(waited_to):
        place = np.clip(np.searchsorted(waited_to, begin), 0, len(waited_to) - 1)
        begin = np.where(np.abs(waited_to[place] - begin) < SAME, waited_from[place], begin)
    return begin, end[last], whole


def _joined(arrays: list[FloatArray]) -> FloatArray:
    return np.concatenate(arrays) if arrays else np.empty(0)
