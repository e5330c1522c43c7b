"""Whether parts are stuck for ever: which servers may ever go on, and which may not."""

from __future__ import annotations

from . import at
from .at import World
from .codes import CALENDAR, FAILS, HOLDS, PLANNED, PREPARES, WORKS
from .compiling import called, rare
from .rows import NONE, Buffer, Server

NEVER = 1e300  # s


@rare
def locked(w: World, n: int) -> bool:
    """Return whether a blocked server can never go on.

    A server is live that works, halts or is closed; that is blocked, but by a buffer from which a
    live one takes; that waits for parts, but from a buffer into which a live one puts, or to which
    others are on their way. The rest can never go on.
    """
    if soon(w, at.server(w, n)):
        return False
    for k in range(w.servers_count):
        at.server(w, k).live = 0
    changed = True
    while changed:
        changed = False
        for k in range(w.servers_count):
            server = at.server(w, k)
            if not server.live and is_live(w, server):
                server.live = 1
                changed = True
    return not at.server(w, n).live


@called
def soon(w: World, server: Server) -> bool:
    """Return whether one who takes from the buffer that blocks a server is at work, or will be."""
    buffer = at.buffer(w, server.blocked)
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        station = at.station(w, at.taker(w, k).to)
        for n in range(station.first, station.first + station.count):
            taker = at.server(w, n)
            if taker.task in (PREPARES, WORKS) or taker.halt != NONE:
                return True
    return False


@called
def is_live(w: World, server: Server) -> bool:
    """Return whether a server may go on, as far as is known of the others."""
    if server.task in (PREPARES, WORKS) or server.halt != NONE:
        return True
    if server.task == HOLDS:
        buffer = at.buffer(w, server.blocked)
        return under_way(w, buffer) or any_live(w, buffer)
    station = at.station(w, server.station)
    if station.closed or (station.timer != NONE and at.slot(w, station.timer).due < NEVER):
        return True
    if not station.inputs and station.to_order and w.orders_count:
        return True
    for k in range(station.input, station.input + station.inputs):
        if is_fed(w, at.buffer(w, at.input(w, k).to)):
            return True
    for k in range(station.need, station.need + station.needs):
        if is_fed(w, at.buffer(w, at.need(w, k).to)):
            return True
    return False


@called
def any_live(w: World, buffer: Buffer) -> bool:
    """Return whether a live server takes from a buffer."""
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        if has_live(w, at.taker(w, k).to):
            return True
    return False


@called
def is_fed(w: World, buffer: Buffer) -> bool:
    """Return whether parts may still come into a buffer."""
    if buffer.arrivals or under_way(w, buffer):
        return True
    for k in range(buffer.feeder, buffer.feeder + buffer.feeders):
        if has_live(w, at.feeder(w, k).to):
            return True
    return False


@called
def has_live(w: World, s: int) -> bool:
    """Return whether a server of a station is live."""
    station = at.station(w, s)
    for n in range(station.first, station.first + station.count):  # noqa: SIM110 - no generators
        if at.server(w, n).live:
            return True
    return False


@called
def under_way(w: World, buffer: Buffer) -> bool:
    """Return whether parts are on their way to a buffer, by conveyor or vehicle."""
    if buffer.moving != NONE:
        return True
    if buffer.ride != NONE:
        for v in range(w.vehicles_count):
            if at.vehicle(w, v).ride == buffer.ride:
                return True
    return False


@rare
def dead(w: World) -> int:
    """Return a blocked server where nothing can ever happen again that moves a part, or NONE."""
    found = NONE
    for n in range(w.servers_count):
        if at.server(w, n).blocked != NONE:
            found = n
    if found == NONE:
        return NONE
    for k in range(w.servers_count, w.slots_count):
        slot = at.slot(w, k)
        if slot.due < NEVER and slot.kind not in (FAILS, PLANNED, CALENDAR):
            return NONE
    return found if locked(w, found) else NONE
