"""The bottleneck by active periods, resolved while the line runs.

At each moment the bottleneck is the machine with the longest uninterrupted active period, seen
whole: what is still to come of it counts. Where the period of one bottleneck ends, the longest of
those under way is the next; while both last, the bottleneck shifts.

Only a period that ends while it began before all others under way can be the longest anywhere: one
that began earlier covers it wholly. Those few are kept until it is known who follows.

Source: Roser, Nakano, Tanaka (2002), Shifting bottleneck detection, Winter Simulation Conference.
"""

from __future__ import annotations

from . import at
from .at import World
from .compiling import called
from .rows import NONE, Server


@called
def work(w: World, n: int, server: Server, now: float) -> None:
    """Begin an active period of a server."""
    server.active = 1
    server.active_since = now
    if w.oldest == NONE:
        w.oldest = n


@called
def rest(w: World, n: int, server: Server, now: float) -> None:
    """End the active period of a server."""
    server.active = 0
    if w.oldest == n:
        record(w, n, now)


@called
def record(w: World, n: int, now: float) -> None:
    """Keep a period that ended as the oldest, and resolve what is now known."""
    period = at.period(w, w.pending)
    period.server = n
    period.start = at.server(w, n).active_since
    period.end = now
    w.pending += 1
    oldest, since = NONE, now
    for k in range(w.servers_count):
        server = at.server(w, k)
        if server.active and (oldest == NONE or server.active_since < since):
            oldest, since = k, server.active_since
    w.oldest = oldest
    resolve(w, since, oldest == NONE)


@called
def resolve(w: World, since: float, quiet: bool) -> None:
    """Count all that no period under way, begun at `since` or later, can change."""
    if w.bottleneck != NONE:
        forget(w, w.until)
    while w.pending and (w.bottleneck == NONE or quiet or since > w.until):
        longest = follower(w)
        if longest == NONE:
            if w.bottleneck != NONE:
                credit(w, w.bottleneck, NONE, w.since, w.until)
            longest = 0
            w.since = at.period(w, 0).start
        else:
            shift(w, longest)
        period = at.period(w, longest)
        w.bottleneck = period.server
        w.until = period.end
        forget(w, period.end)


@called
def follower(w: World) -> int:
    """Return the longest period that was under way when the bottleneck's ended, or NONE."""
    longest = NONE
    if w.bottleneck == NONE:
        return longest
    length = 0.0
    for k in range(w.pending):
        period = at.period(w, k)
        under_way = period.start <= w.until < period.end
        if under_way and period.end - period.start > length:
            longest = k
            length = period.end - period.start
    return longest


@called
def shift(w: World, k: int) -> None:
    """Count the bottleneck's share up to its end, part of it together with its follower."""
    period = at.period(w, k)
    overlap = max(period.start, w.since)
    credit(w, w.bottleneck, NONE, w.since, overlap)
    credit(w, w.bottleneck, period.server, overlap, w.until)
    w.since = w.until


@called
def credit(w: World, n: int, m: int, start: float, end: float) -> None:
    """Count a stretch of time for one bottleneck, or for two between which it shifts."""
    length = end - max(start, w.counted)
    if length <= 0.0:
        return
    if m == NONE or at.server(w, m).station == at.server(w, n).station:
        at.server(w, n).sole += length
    else:
        at.server(w, n).shifting += length
        at.server(w, m).shifting += length


@called
def forget(w: World, end: float) -> None:
    """Drop the periods that ended by then."""
    kept = 0
    for k in range(w.pending):
        period = at.period(w, k)
        if period.end > end:
            to = at.period(w, kept)
            to.server, to.start, to.end = period.server, period.start, period.end
            kept += 1
    w.pending = kept


@called
def close(w: World, now: float) -> None:
    """Count everything up to the end of a replication, at which every period is over."""
    while w.oldest != NONE:
        server = at.server(w, w.oldest)
        server.active = 0
        record(w, w.oldest, now)
    if w.bottleneck != NONE:
        credit(w, w.bottleneck, NONE, w.since, w.until)
        w.bottleneck = NONE
