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

from .bottleneck import Periods, resolve
from .compiling import called, entry, inlined, mix, plus, unit
from .engine import CLASSES
from .rows import NONE, Floats, Ints, World
from .stream import CONSTANT, EXPONENTIAL, TRIANGULAR, other, start, triangular

BLOCK = 64  # parts between looks at whether all is done

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
def within(moment: float, first: float, last: float) -> float:
    """Return the moment, or the end of the counted time that is nearest to it."""
    late = moment if moment > first else first
    return late if late < last else last


@called
def draw(w: World, my: Memory, spread: int, at: int) -> float:
    """Return the next variate of the stream at a place."""
    known = w.spreads[spread]
    if known.kind == CONSTANT:
        return known.a
    z = plus(my.states[at], my.strides[at])
    my.states[at] = z
    if known.kind == EXPONENTIAL:
        return -known.a * math.log(1.0 - unit(mix(z)))
    if known.kind == TRIANGULAR:
        return triangular(unit(mix(z)), known.a, known.b, known.c, known.d, known.e)
    return other(known, w.numbers, mix(z))


@called
def draw_all(
    w: World, my: Memory, spread: int, stream: int, count: int, to: Floats, row: int
) -> None:
    """Write the next variate of a stream in each of so many lanes into a row."""
    known = w.spreads[spread]
    at, first = stream * count, row * count
    a, b, c, d, e = known.a, known.b, known.c, known.d, known.e
    if known.kind == TRIANGULAR:
        for lane in range(count):
            z = plus(my.states[at + lane], my.strides[at + lane])
            my.states[at + lane] = z
            to[first + lane] = triangular(unit(mix(z)), a, b, c, d, e)
    elif known.kind == EXPONENTIAL:
        for lane in range(count):
            z = plus(my.states[at + lane], my.strides[at + lane])
            my.states[at + lane] = z
            to[first + lane] = -a * math.log(1.0 - unit(mix(z)))
    elif known.kind == CONSTANT:
        for lane in range(count):
            to[first + lane] = a
    else:
        for lane in range(count):
            to[first + lane] = draw(w, my, spread, at + lane)


@called
def repairs(
    w: World, my: Memory, plan: Ints, lane: int, count: int, begins: float,
    window: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Return how long the repairs in the work of a lane take, and how much of that is counted.

    The work was already taken from the times to failure.
    """
    work = my.now[WORK * count + lane]
    modes = range(plan[MODE], plan[MODE] + plan[MODES])
    for m in modes:
        my.left[m * count + lane] += work
    total = counted = done = 0.0
    while True:
        span, cause = work - done, NONE
        for m in modes:
            if my.left[m * count + lane] < span:
                span, cause = my.left[m * count + lane], m
        for m in modes:
            my.left[m * count + lane] -= span
        if cause == NONE:
            return total, counted
        done += span
        mode = w.modes[cause]
        fails = begins + done + total
        time = draw(w, my, mode.repair, (mode.stream + 1) * count + lane)
        counted += within(fails + time, window[0], window[1])
        counted -= within(fails, window[0], window[1])
        total += time
        my.left[cause * count + lane] = draw(w, my, mode.every, mode.stream * count + lane)


@called
def open_tandem(w: World, my: Memory, seed: int, numbers: Ints) -> None:
    """Put all streams at their beginning, in the replication of each lane; set times to failure."""
    lanes = len(numbers)
    for k in range(len(w.streams)):
        for lane in range(lanes):
            stream = w.streams[k]
            start(stream, seed, numbers[lane])
            my.states[k * lanes + lane] = stream.state
            my.strides[k * lanes + lane] = stream.stride
    for i in range(len(my.plans)):
        for m in range(my.plans[i, MODE], my.plans[i, MODE] + my.plans[i, MODES]):
            draw_all(w, my, w.modes[m].every, w.modes[m].stream, lanes, my.left, m)


@called
def come(w: World, my: Memory, n: int, count: int) -> int:
    """Let the next part of each lane come; return the first station that it goes to."""
    came, arrived, entry_ = CAME * count, ARRIVED * count, ENTRY * count
    i = 0
    if my.arrivals[SPREAD] != NONE and n > my.arrivals[SKIPS]:
        draw_all(w, my, my.arrivals[SPREAD], my.arrivals[STREAM], count, my.now, WORK)
        for lane in range(count):
            my.now[arrived + lane] += my.now[WORK * count + lane]
            my.now[came + lane] = my.now[arrived + lane]
    else:
        for lane in range(count):
            my.now[came + lane] = 0.0
        while my.plans[i, SKIPS] >= n:
            i += 1
    for lane in range(count):
        my.now[entry_ + lane] = my.now[came + lane]
    return i


@called
def fail(w: World, my: Memory, i: int, count: int, window: tuple[float, float]) -> None:
    """Take the work of a part from the times to failure, and add the repairs to it."""
    plan, of, work = my.plans[i], i * SUMS * count, WORK * count
    fails = 0
    for m in range(plan[MODE], plan[MODE] + plan[MODES]):
        for lane in range(count):
            rest = my.left[m * count + lane] - my.now[work + lane]
            my.left[m * count + lane] = rest
            fails |= (1 << lane) if rest < 0.0 else 0
    while fails:
        lane = lowest(fails)
        fails &= fails - 1
        begins = max(my.now[CAME * count + lane], my.sums[of + LEAVE * count + lane])
        total, counted = repairs(w, my, plan, lane, count, begins, window)
        my.now[work + lane] += total
        my.sums[of + DOWN * count + lane] += counted


@called
def leave_line(my: Memory, count: int, window: tuple[float, float]) -> None:
    """Count the present part as it leaves the line."""
    first, last = window
    good = 0
    for lane in range(count):
        enters, leaves = my.now[ENTRY * count + lane], my.now[CAME * count + lane]
        counts = (leaves > first) & (leaves <= last)
        lead = leaves - enters
        my.leads[lane] = lead
        my.totals[MADE * count + lane] += 1.0 if counts else 0.0
        my.totals[LEAD * count + lane] += lead if counts else 0.0
        my.totals[WIP * count + lane] += within(leaves, first, last) - within(enters, first, last)
        good |= (1 << lane) if counts else 0
    while good:
        lane = lowest(good)
        good &= good - 1
        place = min(max((my.bits[lane] >> _SHIFT) - _FIRST, 0), len(my.lowest_class) - 1)
        k = my.lowest_class[place]
        k += 1 if my.leads[lane] >= my.edges[k + 1] else 0
        my.totals[(LEADS + k) * count + lane] += 1.0


@inlined
def rest(my: Memory, periods: Periods, waits: int, i: int, count: int) -> None:
    """Keep the idle times that ended as the present part began."""
    while waits:
        lane = lowest(waits)
        waits &= waits - 1
        j = i * count + lane
        k = 2 * (j * periods.size + periods.tail[j])
        periods.tail[j] += 1
        periods.idle[k] = my.now[BEFORE * count + lane]
        periods.idle[k + 1] = my.now[BEGIN * count + lane]


@entry
def recurse(
    lanes: Any, w: World, my: Memory, periods: Periods, depth: int, seed: int, numbers: Ints,
    window: tuple[float, float],
) -> bool:  # fmt: skip
    """Run one replication in each lane; return whether it stopped for want of room in `periods`.

    lanes: a tuple as long as there are lanes: the compiler knows its length. numbers: int64[lanes],
    of the replications. window: from when to when is counted; until then it runs.
    """
    count, stations = len(lanes), len(my.plans)
    first, last = window
    now, ring, sums = my.now, my.ring, my.sums
    begin, work, came, before = BEGIN * count, WORK * count, CAME * count, BEFORE * count
    always, passed = stations * depth * count, (stations * depth + 1) * count
    n = my.parts[0]
    if n == 0:
        open_tandem(w, my, seed, numbers)
    while True:
        n += 1
        i0 = come(w, my, n, count)
        for i in range(i0, stations):
            of = i * SUMS * count
            draw_all(w, my, my.plans[i, SPREAD], my.plans[i, STREAM], count, now, WORK)
            if my.plans[i, MODES]:
                fail(w, my, i, count, window)
            capacity = my.plans[i, CAPACITY]
            room = ((i + 1) * depth + (n - capacity) % depth) * count
            if capacity == UNLIMITED:
                room = always
            elif capacity == 0:
                room = passed
                for lane in range(count):
                    ring[passed + lane] = sums[of + (SUMS + LEAVE) * count + lane]
            waits = 0
            for lane in range(count):
                comes, free = now[came + lane], sums[of + LEAVE * count + lane]
                begins = comes if comes > free else free
                ended = sums[of + FINISH * count + lane]
                ends = begins + now[work + lane]
                place = ring[room + lane]
                leaves = ends if ends > place else place
                waits |= (1 << lane) if begins > ended else 0
                begun = within(begins, first, last)
                sums[of + STARVED * count + lane] += begun - within(free, first, last)
                blocked = within(leaves, first, last) - within(ends, first, last)
                sums[of + BLOCKED * count + lane] += blocked
                sums[of + LEVEL * count + lane] += begun - within(comes, first, last)
                sums[of + DONE * count + lane] += 1.0 if (ends > first) & (ends <= last) else 0.0
                sums[of + FINISH * count + lane] = ends
                sums[of + LEAVE * count + lane] = leaves
                now[begin + lane] = begins
                now[before + lane] = ended
                now[came + lane] = leaves
            rest(my, periods, waits, i, count)
            row = (i * depth + n % depth) * count
            for lane in range(count):
                ring[row + lane] = now[begin + lane]
            if i == 0 and my.arrivals[SPREAD] == NONE:
                for lane in range(count):
                    now[ENTRY * count + lane] = now[begin + lane]
        leave_line(my, count, window)
        if n % BLOCK == 0:
            over = True
            for lane in range(count):
                over &= now[ENTRY * count + lane] > last
            for i in range(stations):
                for lane in range(count):
                    periods.finish[i * count + lane] = sums[(i * SUMS + FINISH) * count + lane]
            full = resolve(periods, over)
            if over or full:
                my.parts[0] = n
                return full and not over


def lead_classes() -> tuple[Any, Any]:
    """Return the class of lead times in which each of the upper bits begins, and all edges."""
    edges = np.concatenate([[0.0], 1e-3 * 2.0 ** (np.arange(641) / CLASSES)])
    bits = np.arange(_FIRST, _KNOWN, dtype=np.int64) << _SHIFT
    places = np.searchsorted(edges, bits.view(np.float64), side="right") - 1
    edges[640:] = math.inf
    return np.minimum(places, 639), edges
