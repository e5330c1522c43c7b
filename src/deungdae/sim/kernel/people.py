"""Crews that repair, operators that work at stations."""

from __future__ import annotations

from . import at
from .at import World
from .codes import CALLS, DOWN, FAILURE, MAINTAINS, MAINTENANCE, REPAIRS, WAITING
from .compiling import called, rare
from .events import set_due, set_idle, show
from .rows import NONE, Server
from .stream import draw


@rare
def call(w: World, n: int, server: Server, c: int, now: float) -> None:
    """Let a server have its repair or maintenance, or wait for the crew."""
    if c == NONE:
        attend(w, n, server, now)
        return
    crew = at.crew(w, c)
    if not crew.closed and crew.busy < crew.size:
        crew.busy += 1
        attend(w, n, server, now)
        return
    server.halt = CALLS
    server.next_call = NONE
    if crew.first == NONE:
        crew.first = n
    else:
        at.server(w, crew.last).next_call = n
    crew.last = n
    set_idle(w, n)
    show(w, n, server, WAITING, now)


@called
def attend(w: World, n: int, server: Server, now: float) -> None:
    """Begin a repair or maintenance."""
    if server.why == FAILURE:
        mode = at.mode(w, server.cause)
        server.halt = REPAIRS
        set_due(w, n, now + draw(w, mode.repair, mode.stream + 1))
        show(w, n, server, DOWN, now)
    else:
        plan = at.plan(w, server.cause)
        server.halt = MAINTAINS
        set_due(w, n, now + draw(w, plan.length, plan.stream))
        show(w, n, server, MAINTENANCE, now)


@called
def send(w: World, c: int, now: float) -> None:
    """Send the people of a crew who are free to those that wait for them, the first first."""
    crew = at.crew(w, c)
    while crew.first != NONE and not crew.closed and crew.busy < crew.size:
        n = crew.first
        server = at.server(w, n)
        crew.first = server.next_call
        crew.busy += 1
        attend(w, n, server, now)


@called
def join(w: World, server: Server) -> bool:
    """Return whether people came to a server: the first of its station's teams that is free."""
    station = at.station(w, server.station)
    for team in range(station.team, station.team + station.teams):
        if is_free(w, team):
            for g in range(w.groups_count):
                at.group(w, g).busy += at.member(w, team * w.groups_count + g).need
            server.team = team
            return True
    return False


@called
def is_free(w: World, team: int) -> bool:
    """Return whether everybody in a team is there and has nothing to do."""
    for g in range(w.groups_count):
        need = at.member(w, team * w.groups_count + g).need
        group = at.group(w, g)
        if need and (group.closed or group.busy + need > group.size):
            return False
    return True


@called
def part_from(w: World, server: Server) -> None:
    """Let the people at a server go."""
    for g in range(w.groups_count):
        at.group(w, g).busy -= at.member(w, server.team * w.groups_count + g).need
    server.team = NONE
    w.people_asked = 1


@called
def wait_for_people(w: World, n: int, server: Server, now: float) -> None:
    """Put a server at the end of those that wait for people."""
    set_idle(w, n)
    show(w, n, server, WAITING, now)
    if server.waits:
        return
    server.waits = 1
    server.next_wait = NONE
    if w.waits == NONE:
        w.waits = n
    else:
        at.server(w, w.last_wait).next_wait = n
    w.last_wait = n
