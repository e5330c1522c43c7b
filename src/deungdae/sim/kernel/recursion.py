"""The max-plus recursion of tandem lines, over many replications side by side.

Part n of a tandem line begins at station i when it has come and the one before has gone, and goes
when it is done and there is room:

    begin(n, i)  = max(leave(n, i-1), leave(n-1, i))
    finish(n, i) = begin(n, i) + work(n, i), repairs included
    leave(n, i)  = max(finish(n, i), begin(n - capacity, i+1)); without places leave(n-1, i+1)

No event list is needed, and replications take the same steps: each inner loop runs over them, so
that compiled it handles eight at a time.

Source: Baccelli, Cohen, Olsder, Quadrat (1992), Synchronization and Linearity; for blocking after
service Chen, Chen (1990), A fast simulation approach for tandem queueing systems.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import at, codes
from .at import World
from .bottleneck import Periods, resolve
from .codes import BINS, CLASSES
from .compiling import called, entry, fingerprint, inlined, mix, plus, unit, word
from .rows import NONE, TABLES, Spread, shape
from .rows import World as Row
from .stream import CONSTANT, EXPONENTIAL, TRIANGULAR, other, start, triangular

Floats = Any  # an array of float64
Ints = Any  # of int64

BLOCK = 64  # parts between looks at whether all is done
LOOKS = 4  # of these between looks for the bottleneck

# what is known of a station, or of the arrivals, in a tandem: columns of its plan
SPREAD, STREAM, MODE, MODES, CAPACITY, SKIPS = range(6)
UNLIMITED = -1

# sums over the counted time, rows of each station
STARVED, BLOCKED, DOWN, LEVEL, DONE = range(5)
LEAVE, FINISH = 5, 6  # no sums: when its last part left, and was finished
SUMS = 7
# and of the line; LEADS holds the first of the classes of lead times
MADE, LEAD, WIP, LEADS = range(4)

# rows of the present part
BEGIN, WORK, CAME, ENTRY, BEFORE, ARRIVED = range(6)

# which bit of a word is its lowest: (bit * _FACTOR mod 2^32) >> 27 leads to it
_FACTOR = 0x077CB531
_PLACES = np.zeros(32, np.int64)
for _place in range(32):
    _PLACES[((1 << _place) * _FACTOR & 0xFFFFFFFF) >> 27] = _place

# classes of lead times by the upper bits of a float: exponent and eight bits of the mantissa
_SHIFT = 44
_FIRST = int(np.float64(2.0**-10).view(np.int64)) >> _SHIFT
_KNOWN = int(np.float64(2.0**31).view(np.int64)) >> _SHIFT


class Memory(NamedTuple):
    """What is known of so many replications, all arrays flat, lanes last.

    plans: int64[stations, 6], in the order of the tandem; arrivals: int64[6], its SPREAD is NONE
    where the first station never starves. states, strides: of each stream. left: running time to
    the next failure of each mode. ring: begins of the last `depth` parts at each station, then a
    row of zeros and one of a moment's use. now: rows of the present part. leads: its lead times;
    bits: the same memory, as words. lowest_class: class of lead times in which the floats of the
    same upper bits begin; edges: where each class begins. sums: [stations, SUMS]; totals: [LEADS +
    classes]. parts: int64[1], how many there were.
    """

    plans: Ints
    arrivals: Ints
    states: Any
    strides: Any
    left: Floats
    ring: Floats
    now: Floats
    leads: Floats
    bits: Ints
    lowest_class: Ints
    edges: Floats
    sums: Floats
    totals: Floats
    parts: Ints


@inlined
def lowest(bits: int) -> int:
    """Return the place of the lowest bit of a word of 32."""
    return _PLACES[(((bits & -bits) * _FACTOR) & 0xFFFFFFFF) >> 27]  # type: ignore[no-any-return]


@inlined
def spot(row: int, lane: int) -> int:
    """Return where a lane of a row lies; a word, so that no number below 0 has to be thought of."""
    return plus(word(row), word(lane))


@inlined
def within(moment: float, first: float, last: float) -> float:
    """Return the moment, or the end of the counted time that is nearest to it."""
    late = moment if moment > first else first
    return late if late < last else last


@called
def draw(w: World, known: Spread, z: int) -> float:
    """Return the variate of a spread that a word means."""
    if known.kind == CONSTANT:
        return known.a
    if known.kind == EXPONENTIAL:
        return -known.a * math.log(1.0 - unit(z))
    if known.kind == TRIANGULAR:
        return triangular(unit(z), known.a, known.b, known.c, known.d, known.e)
    return other(w, known, z)


@called
def draw_all(
    w: World, known: Spread, states: Any, strides: Any, stream: int, count: int, to: Floats,
    row: int,
) -> None:  # fmt: skip
    """Write the next variate of a stream in each of so many lanes into a row."""
    source, first = stream * count, row * count
    a, b, c, d, e = known.a, known.b, known.c, known.d, known.e
    if known.kind == TRIANGULAR:
        for lane in range(count):
            z = plus(states[spot(source, lane)], strides[spot(source, lane)])
            states[spot(source, lane)] = z
            to[spot(first, lane)] = triangular(unit(mix(z)), a, b, c, d, e)
    elif known.kind == EXPONENTIAL:
        for lane in range(count):
            z = plus(states[spot(source, lane)], strides[spot(source, lane)])
            states[spot(source, lane)] = z
            to[spot(first, lane)] = -a * math.log(1.0 - unit(mix(z)))
    elif known.kind == CONSTANT:
        for lane in range(count):
            to[spot(first, lane)] = a
    else:
        for lane in range(count):
            z = plus(states[spot(source, lane)], strides[spot(source, lane)])
            states[spot(source, lane)] = z
            to[spot(first, lane)] = draw(w, known, mix(z))


@inlined
def draw_row(
    w: World, my: Memory, spread: int, stream: int, count: int, to: Floats, row: int
) -> None:
    """Write the next variate of a stream in each lane into a row; few words to hand over."""
    draw_all(w, at.spread(w, spread), my.states, my.strides, stream, count, to, row)


@inlined
def draw_one(w: World, my: Memory, spread: int, place: int) -> float:
    """Return the next variate of the stream at a place."""
    z = plus(my.states[place], my.strides[place])
    my.states[place] = z
    return draw(w, at.spread(w, spread), mix(z))


@called
def repairs(
    w: World, my: Memory, plan: Ints, lane: int, count: int, begins: float,
    window: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Return how long the repairs in the work of a lane take, and how much of that is counted.

    The work was already taken from the times to failure.
    """
    work = my.now[spot(WORK * count, lane)]
    modes = range(plan[MODE], plan[MODE] + plan[MODES])
    for m in modes:
        my.left[spot(m * count, lane)] += work
    total = counted = done = 0.0
    while True:
        span, cause = work - done, NONE
        for m in modes:
            if my.left[spot(m * count, lane)] < span:
                span, cause = my.left[spot(m * count, lane)], m
        for m in modes:
            my.left[spot(m * count, lane)] -= span
        if cause == NONE:
            return total, counted
        done += span
        mode = at.mode(w, cause)
        fails = begins + done + total
        time = draw_one(w, my, mode.repair, (mode.stream + 1) * count + lane)
        counted += within(fails + time, window[0], window[1])
        counted -= within(fails, window[0], window[1])
        total += time
        my.left[spot(cause * count, lane)] = draw_one(w, my, mode.every, mode.stream * count + lane)


@called
def open_tandem(w: World, my: Memory, seed: int, numbers: Ints) -> None:
    """Put all streams at their beginning, in the replication of each lane; set times to failure."""
    lanes = len(numbers)
    for k in range(w.streams_count):
        for lane in range(lanes):
            stream = at.stream(w, k)
            start(stream, seed, numbers[lane])
            my.states[k * lanes + lane] = stream.state
            my.strides[k * lanes + lane] = stream.stride
    for i in range(len(my.plans)):
        for m in range(my.plans[i, MODE], my.plans[i, MODE] + my.plans[i, MODES]):
            draw_row(w, my, at.mode(w, m).every, at.mode(w, m).stream, lanes, my.left, m)


@inlined
def come(w: World, my: Memory, n: int, count: int) -> int:
    """Let the next part of each lane come; return the first station that it goes to."""
    came, arrived, entry_ = CAME * count, ARRIVED * count, ENTRY * count
    i = 0
    if my.arrivals[SPREAD] != NONE and n > my.arrivals[SKIPS]:
        draw_row(w, my, my.arrivals[SPREAD], my.arrivals[STREAM], count, my.now, WORK)
        for lane in range(count):
            my.now[spot(arrived, lane)] += my.now[spot(WORK * count, lane)]
            my.now[spot(came, lane)] = my.now[spot(arrived, lane)]
    else:
        for lane in range(count):
            my.now[spot(came, lane)] = 0.0
        while my.plans[i, SKIPS] >= n:
            i += 1
    for lane in range(count):
        my.now[spot(entry_, lane)] = my.now[spot(came, lane)]
    return i


@inlined
def fail(w: World, my: Memory, i: int, count: int, window: tuple[float, float]) -> None:
    """Take the work of a part from the times to failure, and add the repairs to it."""
    plan, of, work = my.plans[i], i * SUMS * count, WORK * count
    fails = 0
    for m in range(plan[MODE], plan[MODE] + plan[MODES]):
        for lane in range(count):
            rest = my.left[spot(m * count, lane)] - my.now[spot(work, lane)]
            my.left[spot(m * count, lane)] = rest
            fails |= (1 << lane) if rest < 0.0 else 0
    while fails:
        lane = lowest(fails)
        fails &= fails - 1
        begins = max(my.now[spot(CAME * count, lane)], my.sums[spot(of + LEAVE * count, lane)])
        total, counted = repairs(w, my, plan, lane, count, begins, window)
        my.now[spot(work, lane)] += total
        my.sums[spot(of + DOWN * count, lane)] += counted


@inlined
def leave_line(my: Memory, count: int, window: tuple[float, float]) -> None:
    """Count the present part as it leaves the line."""
    first, last = window
    good = 0
    for lane in range(count):
        enters, leaves = my.now[spot(ENTRY * count, lane)], my.now[spot(CAME * count, lane)]
        counts = (leaves > first) & (leaves <= last)
        lead = leaves - enters
        my.leads[lane] = lead
        my.totals[spot(MADE * count, lane)] += 1.0 if counts else 0.0
        my.totals[spot(LEAD * count, lane)] += lead if counts else 0.0
        my.totals[spot(WIP * count, lane)] += within(leaves, first, last) - within(
            enters, first, last
        )
        good |= (1 << lane) if counts else 0
    while good:
        lane = lowest(good)
        good &= good - 1
        place = min(max((my.bits[lane] >> _SHIFT) - _FIRST, 0), len(my.lowest_class) - 1)
        k = my.lowest_class[place]
        k += 1 if my.leads[lane] >= my.edges[k + 1] else 0
        my.totals[spot((LEADS + k) * count, lane)] += 1.0


@inlined
def rest(my: Memory, periods: Periods, waits: int, i: int, count: int) -> None:
    """Keep the idle times that ended as the present part began."""
    while waits:
        lane = lowest(waits)
        waits &= waits - 1
        j = i * count + lane
        k = 2 * (j * periods.size + periods.tail[j])
        periods.tail[j] += 1
        periods.idle[k] = my.now[spot(BEFORE * count, lane)]
        periods.idle[k + 1] = my.now[spot(BEGIN * count, lane)]


@inlined
def place_of(my: Memory, i: int, n: int, depth: int, count: int) -> int:
    """Return the row of the ring that says since when a part has a place behind a station."""
    capacity = int(my.plans[i, CAPACITY])
    always = len(my.plans) * depth * count
    if capacity == UNLIMITED:
        return always
    if capacity > 0:
        return ((i + 1) * depth + (n - capacity) % depth) * count
    for lane in range(count):
        following = my.sums[spot(((i + 1) * SUMS + LEAVE) * count, lane)]
        my.ring[spot(always + count, lane)] = following
    return always + count


@inlined
def pass_through(my: Memory, i: int, place: int, count: int, window: tuple[float, float]) -> int:
    """Let the present part pass a station; return the lanes in which that had waited for it."""
    now, ring, sums = my.now, my.ring, my.sums
    of = i * SUMS * count
    first, last = window
    waits = 0
    for lane in range(count):
        comes, free = now[spot(CAME * count, lane)], sums[spot(of + LEAVE * count, lane)]
        begins = comes if comes > free else free
        ended = sums[spot(of + FINISH * count, lane)]
        ends = begins + now[spot(WORK * count, lane)]
        room = ring[spot(place, lane)]
        leaves = ends if ends > room else room
        waits |= (1 << lane) if begins > ended else 0
        begun = within(begins, first, last)
        sums[spot(of + STARVED * count, lane)] += begun - within(free, first, last)
        blocked = within(leaves, first, last) - within(ends, first, last)
        sums[spot(of + BLOCKED * count, lane)] += blocked
        sums[spot(of + LEVEL * count, lane)] += begun - within(comes, first, last)
        done = (ends > first) & (ends <= last)
        sums[spot(of + DONE * count, lane)] += 1.0 if done else 0.0
        sums[spot(of + FINISH * count, lane)] = ends
        sums[spot(of + LEAVE * count, lane)] = leaves
        now[spot(BEGIN * count, lane)] = begins
        now[spot(BEFORE * count, lane)] = ended
        now[spot(CAME * count, lane)] = leaves
    return waits


@inlined
def bottlenecks(my: Memory, periods: Periods, count: int, over: bool) -> bool:
    """Follow the bottlenecks; return whether there is need for more room."""
    for i in range(len(my.plans)):
        for lane in range(count):
            finish = my.sums[spot((i * SUMS + FINISH) * count, lane)]
            periods.finish[spot(i * count, lane)] = finish
    return resolve(periods, over)


def _compiled(version: str) -> Any:
    """Return `recurse`, whose compiled code is kept on disk under this version."""

    @entry
    def recurse(
        lanes: Any, world: Any, my: Memory, periods: Periods, depth: int, seed: int, numbers: Ints,
        window: tuple[float, float],
    ) -> bool:  # fmt: skip
        """Run one replication in each lane; return whether it stopped: `periods` needs room.

        lanes: a tuple as long as there are lanes: the compiler knows its length. world: one row.
        numbers: int64[lanes], of the replications. window: from when to when is counted, and
        until when it runs.
        """
        assert version
        w = at.world(world)
        count, stations = len(lanes), len(my.plans)
        now, ring = my.now, my.ring
        n = my.parts[0]
        if n == 0:
            open_tandem(w, my, seed, numbers)
        while True:
            n += 1
            for i in range(come(w, my, n, count), stations):
                draw_row(w, my, my.plans[i, SPREAD], my.plans[i, STREAM], count, now, WORK)
                if my.plans[i, MODES]:
                    fail(w, my, i, count, window)
                waits = pass_through(my, i, place_of(my, i, n, depth, count), count, window)
                rest(my, periods, waits, i, count)
                row = (i * depth + n % depth) * count
                for lane in range(count):
                    ring[spot(row, lane)] = now[spot(BEGIN * count, lane)]
                if i == 0 and my.arrivals[SPREAD] == NONE:
                    for lane in range(count):
                        now[spot(ENTRY * count, lane)] = now[spot(BEGIN * count, lane)]
            leave_line(my, count, window)
            if n % BLOCK == 0:
                over = True
                for lane in range(count):
                    over &= now[spot(ENTRY * count, lane)] > window[1]
                if over or n % (LOOKS * BLOCK) == 0:
                    full = bottlenecks(my, periods, count, over)
                    if over or full:
                        my.parts[0] = n
                        return full and not over

    return recurse


_words = {name: value for name, value in vars(codes).items() if name.isupper()}
recurse = _compiled(fingerprint(_words, [shape(row) for row in (*TABLES.values(), Row)]))


def lead_classes() -> tuple[Any, Any]:
    """Return the class of lead times in which each of the upper bits begins, and all edges."""
    edges = np.concatenate([[0.0], 1e-3 * 2.0 ** (np.arange(BINS + 1) / CLASSES)])
    bits = np.arange(_FIRST, _KNOWN, dtype=np.int64) << _SHIFT
    places = np.searchsorted(edges, bits.view(np.float64), side="right") - 1
    edges[BINS:] = math.inf
    return np.minimum(places, BINS - 1), edges
