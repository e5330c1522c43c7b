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
from typing import Any

import numpy as np

from .bottleneck import grown, resolve, unknown
from .compiling import called, entry, inlined, mix, plus, unit
from .engine import CLASSES
from .rows import Floats, Ints, World
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
BEGIN, WORK, CAME, ENTRY, BEFORE = range(5)

# which bit of a word is its lowest: (bit * _FACTOR mod 2^32) >> 27 leads to it
_FACTOR = 0x077CB531
_PLACES = np.zeros(32, np.int64)
for _place in range(32):
    _PLACES[((1 << _place) * _FACTOR & 0xFFFFFFFF) >> 27] = _place

# classes of lead times by the upper bits of a float: exponent and eight bits of the mantissa
_SHIFT = 44
_FIRST = int(np.float64(2.0**-10).view(np.int64)) >> _SHIFT
_KNOWN = int(np.float64(2.0**31).view(np.int64)) >> _SHIFT


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
def begin_streams(w: World, states: Any, strides: Any, seed: int, numbers: Ints) -> None:
    """Put all streams at their beginning, in the replication of each lane."""
    lanes = len(numbers)
    for k in range(len(w.streams)):
        for lane in range(lanes):
            stream = w.streams[k]
            start(stream, seed, numbers[lane])
            states[k * lanes + lane] = stream.state
            strides[k * lanes + lane] = stream.stride


@called
def draw(w: World, spread: int, at: int, states: Any, strides: Any) -> float:
    """Return the next variate of the stream at a place."""
    known = w.spreads[spread]
    if known.kind == CONSTANT:
        return known.a
    z = plus(states[at], strides[at])
    states[at] = z
    if known.kind == EXPONENTIAL:
        return -known.a * math.log(1.0 - unit(mix(z)))
    if known.kind == TRIANGULAR:
        return triangular(unit(mix(z)), known.a, known.b, known.c, known.d, known.e)
    return other(known, w.numbers, mix(z))


@called
def draw_all(
    w: World, spread: int, stream: int, count: int, states: Any, strides: Any, to: Floats, row: int
) -> None:
    """Write the next variate of a stream in each of so many lanes into a row."""
    known = w.spreads[spread]
    at, first = stream * count, row * count
    a, b, c, d, e = known.a, known.b, known.c, known.d, known.e
    if known.kind == TRIANGULAR:
        for lane in range(count):
            z = plus(states[at + lane], strides[at + lane])
            states[at + lane] = z
            to[first + lane] = triangular(unit(mix(z)), a, b, c, d, e)
    elif known.kind == EXPONENTIAL:
        for lane in range(count):
            z = plus(states[at + lane], strides[at + lane])
            states[at + lane] = z
            to[first + lane] = -a * math.log(1.0 - unit(mix(z)))
    elif known.kind == CONSTANT:
        for lane in range(count):
            to[first + lane] = a
    else:
        for lane in range(count):
            to[first + lane] = draw(w, spread, at + lane, states, strides)


@called
def repairs(
    w: World, plan: Ints, left: Floats, states: Any, strides: Any, place: tuple[int, int],
    begin: float, work: float, window: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Return how long the repairs in a piece of work take, and how much of that is counted.

    left: running time to the next failure of each mode, from which this work was already taken.
    place: lane and number of lanes.
    """
    lane, lanes = place
    first, end = plan[MODE], plan[MODE] + plan[MODES]
    for m in range(first, end):
        left[m * lanes + lane] += work
    total = counted = done = 0.0
    while True:
        span, cause = work - done, -1
        for m in range(first, end):
            if left[m * lanes + lane] < span:
                span, cause = left[m * lanes + lane], m
        for m in range(first, end):
            left[m * lanes + lane] -= span
        if cause < 0:
            return total, counted
        done += span
        mode = w.modes[cause]
        fails = begin + done + total
        time = draw(w, mode.repair, (mode.stream + 1) * lanes + lane, states, strides)
        counted += within(fails + time, *window) - within(fails, *window)
        total += time
        left[cause * lanes + lane] = draw(
            w, mode.every, mode.stream * lanes + lane, states, strides
        )


@entry
def recurse(
    lanes: Any, w: World, plans: Ints, arrivals: Ints, order: Ints, states: Any, strides: Any,
    seed: int, numbers: Ints, window: tuple[float, float], classes: Any, sums: Floats,
    shares: Floats, totals: Floats,
) -> None:  # fmt: skip
    """Run one replication in each lane and write what it gave into sums, shares and totals.

    lanes: anything as long as there are lanes, a tuple, whose length the compiler knows. plans:
    [stations, 6], in the order of the tandem; arrivals: [6], their SPREAD is -1 where the first
    station never starves. order: the row of each station in the line's own table. classes: lowest
    class of lead times for the upper bits of each, and where each class begins. sums:
    float64[stations * SUMS * lanes]; shares: of the bottleneck, float64[stations * 2 * lanes];
    totals: float64[(LEADS + classes) * lanes]; all 0 before.
    """
    count, stations = len(lanes), len(plans)
    first, last = window
    begin_streams(w, states, strides, seed, numbers)
    left = np.empty(len(w.modes) * count)
    depth = 1
    for i in range(stations):
        depth = max(depth, plans[i, CAPACITY] + 1)
        for m in range(plans[i, MODE], plans[i, MODE] + plans[i, MODES]):
            mode = w.modes[m]
            for lane in range(count):
                at = mode.stream * count + lane
                left[m * count + lane] = draw(w, mode.every, at, states, strides)
    ring = np.zeros((stations * depth + 2) * count)  # begins of the last parts, by station
    always, passed = stations * depth * count, (stations * depth + 1) * count
    now = np.zeros(5 * count)
    begin, work, came = BEGIN * count, WORK * count, CAME * count
    entry_, before = ENTRY * count, BEFORE * count
    arrived, leads = np.zeros(count), np.zeros(count)
    bits = leads.view(np.int64)
    lowest_class, edges = classes
    periods = unknown(count, 4 * BLOCK, order, shares, window)
    n = 0
    while True:
        n += 1
        i0 = 0
        if arrivals[SPREAD] >= 0 and n > arrivals[SKIPS]:
            draw_all(w, arrivals[SPREAD], arrivals[STREAM], count, states, strides, now, WORK)
            for lane in range(count):
                arrived[lane] += now[work + lane]
                now[came + lane] = arrived[lane]
        else:
            for lane in range(count):
                now[came + lane] = 0.0
            while plans[i0, SKIPS] >= n:
                i0 += 1
        for lane in range(count):
            now[entry_ + lane] = now[came + lane]
        for i in range(i0, stations):
            plan = plans[i]
            at, of = i * count, i * SUMS * count
            draw_all(w, plan[SPREAD], plan[STREAM], count, states, strides, now, WORK)
            fails = 0
            for m in range(plan[MODE], plan[MODE] + plan[MODES]):
                for lane in range(count):
                    rest = left[m * count + lane] - now[work + lane]
                    left[m * count + lane] = rest
                    fails |= (1 << lane) if rest < 0.0 else 0
            while fails:
                lane = lowest(fails)
                fails &= fails - 1
                since = max(now[came + lane], sums[of + LEAVE * count + lane])
                total, counted = repairs(
                    w, plan, left, states, strides, (lane, count), since, now[work + lane], window
                )
                now[work + lane] += total
                sums[of + DOWN * count + lane] += counted
            capacity = plan[CAPACITY]
            if capacity == UNLIMITED:
                room = always
            elif capacity == 0:
                room = passed
                for lane in range(count):
                    ring[passed + lane] = sums[of + (SUMS + LEAVE) * count + lane]
            else:
                room = ((i + 1) * depth + (n - capacity) % depth) * count
            waits = 0
            for lane in range(count):
                comes, free = now[came + lane], sums[of + LEAVE * count + lane]
                ended = sums[of + FINISH * count + lane]
                begins = comes if comes > free else free
                ends = begins + now[work + lane]
                there = ring[room + lane]
                leaves = ends if ends > there else there
                waits |= (1 << lane) if begins > ended else 0
                begun = within(begins, first, last)
                sums[of + STARVED * count + lane] += begun - within(free, first, last)
                sums[of + BLOCKED * count + lane] += within(leaves, first, last) - within(
                    ends, first, last
                )
                sums[of + LEVEL * count + lane] += begun - within(comes, first, last)
                sums[of + DONE * count + lane] += 1.0 if (ends > first) & (ends <= last) else 0.0
                now[begin + lane] = begins
                now[before + lane] = ended
                sums[of + FINISH * count + lane] = ends
                sums[of + LEAVE * count + lane] = leaves
                now[came + lane] = leaves
            while waits:
                lane = lowest(waits)
                waits &= waits - 1
                k = (at + lane) * periods.size + periods.tail[at + lane]
                periods.tail[at + lane] += 1
                periods.idle[2 * k] = now[before + lane]
                periods.idle[2 * k + 1] = now[begin + lane]
            row = (i * depth + n % depth) * count
            for lane in range(count):
                ring[row + lane] = now[begin + lane]
            if i == 0 and arrivals[SPREAD] < 0:
                for lane in range(count):
                    now[entry_ + lane] = now[begin + lane]
        good = 0
        for lane in range(count):
            enters, leaves = now[entry_ + lane], now[came + lane]
            counts = (leaves > first) & (leaves <= last)
            leads[lane] = leaves - enters
            totals[MADE * count + lane] += 1.0 if counts else 0.0
            totals[LEAD * count + lane] += leaves - enters if counts else 0.0
            totals[WIP * count + lane] += within(leaves, first, last) - within(enters, first, last)
            good |= (1 << lane) if counts else 0
        while good:
            lane = lowest(good)
            good &= good - 1
            place = min(max((bits[lane] >> _SHIFT) - _FIRST, 0), len(lowest_class) - 1)
            known = lowest_class[place]
            known += 1 if leads[lane] >= edges[known + 1] else 0
            totals[(LEADS + known) * count + lane] += 1.0
        if n % BLOCK == 0:
            over = True
            for lane in range(count):
                over &= now[entry_ + lane] > last
            for i in range(stations):
                for lane in range(count):
                    periods.finish[i * count + lane] = sums[(i * SUMS + FINISH) * count + lane]
            full = resolve(periods, over)
            if over:
                return
            if full:
                periods = grown(periods)


def lead_classes() -> tuple[Any, Any]:
    """Return the class of lead times in which each of the upper bits begins, and all edges."""
    edges = np.concatenate([[0.0], 1e-3 * 2.0 ** (np.arange(641) / CLASSES)])
    bits = np.arange(_FIRST, _KNOWN, dtype=np.int64) << _SHIFT
    places = np.searchsorted(edges, bits.view(np.float64), side="right") - 1
    edges[640:] = math.inf
    return np.minimum(places, 639), edges
