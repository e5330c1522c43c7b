"""The bottleneck by active periods, from the idle times of stations that are known part by part.

The answers are those of `active`, which meets the periods in the order of time. Here each station
is known up to another moment, so the chain of bottlenecks is followed as far as it is certain.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .compiling import called, inlined

Floats = Any  # an array of float64
Ints = Any  # of int64

# what `chain` holds of each lane: who is the bottleneck, until when, since when it is not counted
WHO, UNTIL, SINCE, OPEN = range(4)

NOBODY, UNCERTAIN = -2, -3
SIZE = 1024  # idle times for which there is room at first, of each station


class Periods(NamedTuple):
    """What is known of the stations of a tandem, in each of so many lanes.

    Arrays are [stations * lanes]. idle: pairs (from, to), `size` places for each; head, tail:
    which of them are in use. active: when the period began that ends with the first of them.
    finish: up to when the station is known to be active after the last. chain: float64[4 * lanes],
    WHO -1 before anything is known. order: int64[stations], rows of the line's own table; there
    who comes first where two begin at once. shares: float64[stations * 2 * lanes], time as the
    sole bottleneck and as one of two.
    """

    idle: Floats
    head: Ints
    tail: Ints
    active: Floats
    finish: Floats
    chain: Floats
    order: Ints
    shares: Floats
    lanes: int
    size: int
    first: float
    last: float


@called
def resolve(p: Periods, over: bool) -> bool:
    """Count all that is certain, and forget it. Return whether there is need for more room.

    over: all is known up to the end, which is `last`; only what is after `first` counts.
    """
    full = False
    for lane in range(p.lanes):
        follow(p, lane)
        if over:
            who = int(p.chain[WHO * p.lanes + lane])
            credit(p, lane, who, NOBODY, p.chain[SINCE * p.lanes + lane], p.last)
        for j in range(lane, len(p.tail), p.lanes):
            full |= tidied(p, j)
    return full


@inlined
def follow(p: Periods, lane: int) -> None:
    """Follow the chain of bottlenecks of a lane as far as it is certain."""
    at, until_, open_ = WHO * p.lanes + lane, UNTIL * p.lanes + lane, OPEN * p.lanes + lane
    while True:
        who = int(p.chain[at])
        if who >= 0 and p.chain[open_]:
            j = who * p.lanes + lane
            until = ending(p, j)
            if until == math.inf:  # it still is: what the others did meanwhile is no matter
                forget(p, lane, p.finish[j])
                return
            p.chain[until_], p.chain[open_] = until, 0.0
        until = p.chain[until_]
        if until >= p.last:
            return
        forget(p, lane, until)
        following = longest(p, lane, until) if who >= 0 else NOBODY
        alone = following == NOBODY
        if alone:
            following = earliest(p, lane, until)
        if following == UNCERTAIN:
            return
        hand_over(p, lane, who, following, until, alone)
        p.chain[at], p.chain[open_] = following, 1.0


@inlined
def hand_over(p: Periods, lane: int, who: int, following: int, until: float, alone: bool) -> None:
    """Count the bottleneck up to its end, part of it together with who follows."""
    since_ = SINCE * p.lanes + lane
    since, begins = p.chain[since_], p.active[following * p.lanes + lane]
    if alone:
        if who >= 0:
            credit(p, lane, who, NOBODY, since, until)
        p.chain[since_] = begins
        return
    overlap = max(begins, since)
    credit(p, lane, who, NOBODY, since, overlap)
    credit(p, lane, who, following, overlap, until)
    p.chain[since_] = until


@inlined
def ending(p: Periods, j: int) -> float:
    """Return when the first active period ends that is kept of a station; inf: not known yet."""
    if p.head[j] < p.tail[j]:
        return float(min(p.idle[2 * (j * p.size + p.head[j])], p.last))
    return p.last if p.finish[j] >= p.last else math.inf


@inlined
def longest(p: Periods, lane: int, until: float) -> int:
    """Return the station whose active period at a moment is the longest, NOBODY, or UNCERTAIN."""
    best, length, under_way, known = NOBODY, 0.0, 0, p.last
    candidate, so_far = NOBODY, 0.0
    for i in range(len(p.order)):
        j = i * p.lanes + lane
        if p.active[j] > until:
            continue
        end = ending(p, j)
        if end < math.inf:
            if end - p.active[j] > length:
                best, length = i, end - p.active[j]
            continue
        if p.finish[j] <= until:
            return UNCERTAIN
        under_way += 1
        known = min(known, p.finish[j])
        if p.finish[j] - p.active[j] > so_far:
            candidate, so_far = i, p.finish[j] - p.active[j]
    if under_way == 0:
        return best
    if so_far <= length:
        return UNCERTAIN
    if under_way > 1:  # it is one of these; what ended before all of them is no matter
        forget(p, lane, known)
        return UNCERTAIN
    return candidate


@inlined
def earliest(p: Periods, lane: int, until: float) -> int:
    """Return the station that becomes active first after a moment of rest, or UNCERTAIN."""
    best, begins = NOBODY, math.inf
    for i in range(len(p.order)):
        j = i * p.lanes + lane
        if p.head[j] == p.tail[j] and p.finish[j] <= max(until, p.active[j]):
            return UNCERTAIN
        same = p.active[j] == begins and p.order[i] < p.order[best]
        if p.active[j] < begins or same:
            best, begins = i, p.active[j]
    return best


@inlined
def forget(p: Periods, lane: int, until: float) -> None:
    """Drop the active periods that ended by a moment."""
    for j in range(lane, len(p.tail), p.lanes):
        while p.head[j] < p.tail[j] and p.idle[2 * (j * p.size + p.head[j])] <= until:
            p.active[j] = p.idle[2 * (j * p.size + p.head[j]) + 1]
            p.head[j] += 1


@inlined
def credit(p: Periods, lane: int, one: int, other: int, start: float, end: float) -> None:
    """Count a stretch of time for one bottleneck, or for two between which it shifts."""
    length = min(end, p.last) - max(start, p.first)
    if length <= 0.0:
        return
    if other == NOBODY:
        p.shares[2 * one * p.lanes + lane] += length
    else:
        p.shares[(2 * one + 1) * p.lanes + lane] += length
        p.shares[(2 * other + 1) * p.lanes + lane] += length


@inlined
def tidied(p: Periods, j: int) -> bool:
    """Move what is kept to the front where room is short; return whether it stays short."""
    if 2 * p.tail[j] <= p.size:
        return False
    kept = p.tail[j] - p.head[j]
    to, since = 2 * j * p.size, 2 * (j * p.size + p.head[j])
    for k in range(2 * kept):
        p.idle[to + k] = p.idle[since + k]
    p.head[j], p.tail[j] = 0, kept
    return bool(2 * kept > p.size)


def unknown(lanes: int, order: Ints, shares: Floats, window: tuple[float, float]) -> Periods:
    """Return what is known at the beginning: all stations rest, and nobody is the bottleneck."""
    many = len(order) * lanes
    chain = np.zeros(4 * lanes)
    chain[:lanes] = -1.0
    return Periods(
        np.zeros(2 * many * SIZE), np.zeros(many, np.int64), np.zeros(many, np.int64),
        np.zeros(many), np.zeros(many), chain, order, shares, lanes, SIZE, *window,
    )  # fmt: skip


def grown(p: Periods) -> Periods:
    """Return the same with room for twice as many idle times."""
    idle = np.zeros((len(p.tail), 4 * p.size))
    idle[:, : 2 * p.size] = p.idle.reshape(len(p.tail), -1)
    return p._replace(idle=idle.ravel(), size=2 * p.size)
