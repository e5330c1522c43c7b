"""Whether blocked servers wait for each other, so that none of them can ever go on."""

from __future__ import annotations

from . import at
from .at import World
from .codes import CALENDAR, FAILS, HOLDS, PLANNED, PREPARES, WORKS
from .compiling import called
from .rows import NONE, Server


@called
def locked(w: World, n: int) -> bool:
    """Return whether a blocked server waits for room that only blocked servers could make.

    They are then the first `suspects` of the world.
    """
    marked = 1
    mark(w, n, 0)
    k = 0
    while k < marked:
        server = at.server(w, at.suspect(w, k).to)
        k += 1
        buffer = at.buffer(w, server.blocked)
        if buffer.ride != NONE and rides(w, buffer.ride):
            return False
        for t in range(buffer.taker, buffer.taker + buffer.takers):
            station = at.station(w, at.taker(w, t).to)
            for m in range(station.first, station.first + station.count):
                other = at.server(w, m)
                if other.task != HOLDS or other.blocked == NONE:
                    return False
                if not is_marked(w, m, marked):
                    mark(w, m, marked)
                    marked += 1
    w.locked = marked
    return True


@called
def mark(w: World, n: int, place: int) -> None:
    """Put a server on the list of suspects."""
    at.suspect(w, place).to = n


@called
def is_marked(w: World, n: int, marked: int) -> bool:
    """Return whether a server is on the list of suspects."""
    for k in range(marked):  # noqa: SIM110 - Numba knows no generators
        if at.suspect(w, k).to == n:
            return True
    return False


@called
def rides(w: World, r: int) -> bool:
    """Return whether a vehicle is on a ride."""
    for v in range(w.vehicles_count):  # noqa: SIM110 - as above
        if at.vehicle(w, v).ride == r:
            return True
    return False


@called
def dead(w: World) -> int:
    """Return a blocked server where nothing can ever happen again that moves a part, or NONE."""
    found = NONE
    for n in range(w.servers_count):
        server = at.server(w, n)
        if server.blocked != NONE:
            found = n
        elif server.task in (PREPARES, WORKS) or may_begin(w, server):
            return NONE
    if found == NONE:
        return NONE
    for k in range(w.servers_count, w.slots_count):
        slot = at.slot(w, k)
        if slot.due < 1e300 and slot.kind not in (FAILS, PLANNED, CALENDAR):
            return NONE
    return found


@called
def may_begin(w: World, server: Server) -> bool:
    """Return whether an idle server stands only because of a halt or its calendar."""
    station = at.station(w, server.station)
    if server.halt == NONE and not station.closed:
        return False
    if not station.inputs:
        return True
    for k in range(station.input, station.input + station.inputs):
        buffer = at.buffer(w, at.input(w, k).to)
        if buffer.count or buffer.blocked != NONE:
            return True
    return False
