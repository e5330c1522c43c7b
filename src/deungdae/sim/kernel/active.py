"""The bottleneck by active periods, resolved while the line runs.

At each moment the bottleneck is the machine with the longest uninterrupted active period, seen
whole: what is still to come of it counts. Where the period of one bottleneck ends, the longest of
those under way is the next; while both last, the bottleneck shifts.

Only a period that ends while it began before all others under way can be the longest anywhere: one
that began earlier covers it wholly. Those few are kept until it is known who follows.

Source: Roser, Nakano, Tanaka (2002), Shifting bottleneck detection, Winter Simulation Conference.
"""

from __future__ import annotations

from .compiling import called, inlined
from .rows import NONE, Clock, Server, World


@inlined
def work(w: World, n: int, server: Server, now: float) -> None:
    """Begin an active period of a server."""
    clock = w.clock[0]
    server.active = 1
    server.active_since = now
    if clock.oldest == NONE:
        clock.oldest = n


@inlined
def rest(w: World, n: int, server: Server, now: float) -> None:
    """End the active period of a server."""
    server.active = 0
    if w.clock[0].oldest == n:
        record(w, n, now)


@called
def record(w: World, n: int, now: float) -> None:
    """Keep a period that ended as the oldest, and resolve what is now known."""
    clock = w.clock[0]
    period = w.periods[clock.pending]
    period.server = n
    period.start = w.servers[n].active_since
    period.end = now
    clock.pending += 1
    oldest, since = NONE, now
    for k in range(clock.servers):
        server = w.servers[k]
        if server.active and (oldest == NONE or server.active_since < since):
            oldest, since = k, server.active_since
    clock.oldest = oldest
    resolve(w, since, oldest == NONE)


@called
def resolve(w: World, since: float, quiet: bool) -> None:
    """Count all that no period under way, begun at `since` or later, can change."""
    clock = w.clock[0]
    while clock.pending and (clock.bottleneck == NONE or quiet or since > clock.until):
        longest = follower(w, clock)
        if longest == NONE:
            if clock.bottleneck != NONE:
                credit(w, clock.bottleneck, NONE, clock.since, clock.until)
            longest = 0
            clock.since = w.periods[0].start
        else:
            shift(w, clock, longest)
        period = w.periods[longest]
        clock.bottleneck = period.server
        clock.until = period.end
        forget(w, clock, period.end)


@called
def follower(w: World, clock: Clock) -> int:
    """Return the longest period that was under way when the bottleneck's ended, or NONE."""
    longest = NONE
    if clock.bottleneck == NONE:
        return longest
    length = 0.0
    for k in range(clock.pending):
        period = w.periods[k]
        if period.start <= clock.until and period.end - period.start > length:
            longest = k
            length = period.end - period.start
    return longest


@called
def shift(w: World, clock: Clock, k: int) -> None:
    """Count the bottleneck's share up to its end, part of it together with its follower."""
    period = w.periods[k]
    overlap = max(period.start, clock.since)
    credit(w, clock.bottleneck, NONE, clock.since, overlap)
    credit(w, clock.bottleneck, period.server, overlap, clock.until)
    clock.since = clock.until


@called
def credit(w: World, n: int, m: int, start: float, end: float) -> None:
    """Count a stretch of time for one bottleneck, or for two between which it shifts."""
    length = end - max(start, w.clock[0].counted)
    if length <= 0.0:
        return
    if m == NONE or w.servers[m].station == w.servers[n].station:
        w.servers[n].sole += length
    else:
        w.servers[n].shifting += length
        w.servers[m].shifting += length


@called
def forget(w: World, clock: Clock, end: float) -> None:
    """Drop the periods that ended by then."""
    kept = 0
    for k in range(clock.pending):
        period = w.periods[k]
        if period.end > end:
            to = w.periods[kept]
            to.server, to.start, to.end = period.server, period.start, period.end
            kept += 1
    clock.pending = kept


@called
def close(w: World, now: float) -> None:
    """Count everything up to the end of a replication, at which every period is over."""
    clock = w.clock[0]
    while clock.oldest != NONE:
        server = w.servers[clock.oldest]
        server.active = 0
        record(w, clock.oldest, now)
    if clock.bottleneck != NONE:
        credit(w, clock.bottleneck, NONE, clock.since, clock.until)
        clock.bottleneck = NONE
