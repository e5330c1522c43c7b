"""The event loop: what happens at each moment, and what follows from it at once."""

from __future__ import annotations

import math

from . import at
from .at import World
from .begin import begin
from .codes import (
    ARRIVAL,
    CALENDAR,
    CONVEYOR,
    DONE,
    FAILS,
    LOCKED,
    MORE_NOTES,
    MORE_PARTS,
    OF_CREW,
    OF_STATION,
    PLANNED,
    PREPARES,
    RELEASE,
    RIPE,
    RUNNING,
    SETUP,
    STANDS,
    STILL,
    WORKS,
)  # fmt: skip
from .compiling import called, inlined, rare
from .events import set_due, set_idle, show, soonest
from .flow import ask, ask_sources, born, get_in, go_to, room
from .lock import dead, locked
from .people import join, send
from .rides import reach, send_out
from .rows import NONE, Server
from .stream import draw
from .work import fail, finish, mend, proceed, resume, stop, suspend, wear


@inlined
def settle(w: World, now: float) -> None:
    """Let everything follow at once that can: people join, stations begin, vehicles set out."""
    while True:
        if w.people_asked:
            help_out(w, now)
        elif w.asked:
            w.asked -= 1
            s = at.agenda(w, w.asked).to
            station = at.station(w, s)
            station.asked = 0
            if not station.closed:
                n = station.first
                end = n + station.count
                while n < end:
                    server = at.server(w, n)
                    if server.task == NONE and server.halt == NONE:
                        begin(w, n, server, s, station, now)
                    n += 1
        elif w.rides_asked:
            send_out(w, now)
        else:
            return


@rare
def help_out(w: World, now: float) -> None:
    """Let people join the servers that wait for them, the first first."""
    w.people_asked = 0
    before, n = NONE, w.waits
    while n != NONE:
        server = at.server(w, n)
        following = server.next_wait
        if not needs_people(server):  # they came when its repair was over
            server.waits = 0
        elif may_work(w, server) and join(w, server):
            server.waits = 0
            proceed(w, n, server, now)
            show(w, n, server, SETUP if server.task == PREPARES else RUNNING, now)
        if server.waits:
            before = n
        elif before == NONE:
            w.waits = following
        else:
            at.server(w, before).next_wait = following
        n = following
    w.last_wait = before


@called
def needs_people(server: Server) -> bool:
    """Return whether a server has a task, and nobody for it."""
    return server.team == NONE and server.task in (PREPARES, WORKS)


@called
def may_work(w: World, server: Server) -> bool:
    """Return whether a server neither halts nor is closed."""
    return server.halt == NONE and not at.station(w, server.station).closed


@inlined
def happen(w: World, n: int, now: float) -> None:
    """Do what a server is due for."""
    server = at.server(w, n)
    if server.halt != NONE:
        mend(w, n, server, now)
        return
    wear(w, server, server.span)
    if server.ends == NONE:
        finish(w, n, server, now)
    else:
        server.moves = 0
        fail(w, n, server, server.ends, now)


@rare
def occur(w: World, k: int, now: float) -> None:
    """Do what a slot is due for that is no server's."""
    slot = at.slot(w, k)
    if slot.kind == ARRIVAL:
        deliver_new(w, k, slot.index, now)
    elif slot.kind == CONVEYOR:
        get_in(w, slot.index)
    elif slot.kind == RIPE:
        at.station(w, slot.index).ripe = 1
        set_idle(w, k)
        ask(w, slot.index)
    elif slot.kind == FAILS:
        set_idle(w, k)
        break_down(w, slot.index, now)
    elif slot.kind == PLANNED:
        set_idle(w, k)
        plan = at.plan(w, slot.index)
        plan.due = 1
        ask(w, at.server(w, plan.server).station)
    elif slot.kind == CALENDAR:
        toggle(w, k, slot.index, now)
    elif slot.kind == RELEASE:
        release(w, k, now)
    else:
        reach(w, slot.index, now)


@called
def deliver_new(w: World, k: int, product: int, now: float) -> None:
    """Let a part arrive at the line; without room for it, it goes elsewhere."""
    row = at.product(w, product)
    if room(w, row.into, row.stage):
        go_to(w, row.into, born(w, product, now), now)
    else:
        row.lost += 1
    set_due(w, k, now + draw(w, row.every, row.stream))


@called
def break_down(w: World, m: int, now: float) -> None:
    """Let a server fail of a mode that counts all time; at once, or when it stands no more."""
    mode = at.mode(w, m)
    server = at.server(w, mode.server)
    if server.halt != NONE:
        mode.pending = 1
        server.pending += 1
    else:
        suspend(w, mode.server, server, now)
        fail(w, mode.server, server, m, now)


@called
def toggle(w: World, k: int, index: int, now: float) -> None:
    """Begin or end the planned time of a station, a crew or a group of operators."""
    shift = at.shift(w, index)
    shift.toggle += 1
    if shift.toggle < shift.end:
        set_due(w, k, at.toggle(w, shift.toggle).time)
    else:
        set_idle(w, k)
    if shift.kind == OF_STATION:
        open_or_close(w, shift.index, now)
    elif shift.kind == OF_CREW:
        crew = at.crew(w, shift.index)
        crew.closed = 1 - crew.closed
        send(w, shift.index, now)
    else:
        group = at.group(w, shift.index)
        group.closed = 1 - group.closed
        w.people_asked = 1


@called
def open_or_close(w: World, s: int, now: float) -> None:
    """Begin or end the planned time of a station."""
    station = at.station(w, s)
    station.closed = 1 - station.closed
    for n in range(station.first, station.first + station.count):
        server = at.server(w, n)
        if station.closed:
            stop(w, n, server, now)
        elif server.halt == NONE:
            resume(w, n, server, now)


@called
def release(w: World, k: int, now: float) -> None:
    """Release orders."""
    following = math.inf
    for o in range(w.orders_count):
        moment = at.order(w, o).release
        if now < moment < following:
            following = moment
    set_due(w, k, following)
    ask_sources(w)


@rare
def look_for_lock(w: World, slot: int) -> int:
    """Return LOCKED where parts are stuck for ever, else DONE."""
    if w.suspect != NONE:
        n = w.suspect
        w.suspect = NONE
        if at.server(w, n).blocked != NONE and locked(w, n):
            w.culprit = n
            return LOCKED
    if slot >= w.servers_count and at.slot(w, slot).kind in (FAILS, PLANNED, CALENDAR):
        w.culprit = dead(w)
        return DONE if w.culprit == NONE else LOCKED
    return DONE


@called
def go_on(w: World, until: float) -> int:
    """Let everything happen up to a moment, that included. Return why it ended."""
    while True:
        slot, now = soonest(w)
        if now > until:
            if now == math.inf:
                w.culprit = dead(w)
                if w.culprit != NONE:
                    return LOCKED
            w.now = until
            return DONE
        if w.unused < w.reserve:
            return MORE_PARTS
        if w.tracing and w.notes_count - w.noted < w.margin:
            return MORE_NOTES
        w.still = 0 if now > w.now else w.still + 1
        if w.still > STILL:
            w.culprit = slot
            return STANDS
        w.now = now
        w.events += 1
        if slot < w.servers_count:
            happen(w, slot, now)
        else:
            occur(w, slot, now)
        settle(w, now)
        odd = w.suspect != NONE or slot >= w.servers_count
        if odd and look_for_lock(w, slot) != DONE:
            return LOCKED
