"""Parts on their way: born, in and out of buffers, and out of the line."""

from __future__ import annotations

import math

from . import at
from .at import World
from .codes import (
    BAD,
    BLOCKED,
    BORN,
    CLASSES,
    DUE,
    ENTERED,
    GOOD,
    LEFT,
    OUT,
    TAKEN,
)  # fmt: skip
from .compiling import called, inlined, rare
from .events import note, set_due, set_idle, show
from .ready import due_plan, has_needs
from .rows import NONE, Buffer, Part, Server, Station
from .stream import draw


@inlined
def ask(w: World, s: int) -> None:
    """Put a station on the agenda: something may have come that it can begin with."""
    station = at.station(w, s)
    if station.free and not station.asked:
        station.asked = 1
        at.agenda(w, w.asked).to = s
        w.asked += 1


@inlined
def count_wip(w: World, change: int, now: float) -> None:
    """Count parts that come into the line or leave it."""
    w.wip += change
    w.wip_area -= change * now


@rare
def born(w: World, product: int, now: float) -> int:
    """Return a new part."""
    p: int = w.free
    if p == NONE:
        p = w.fresh
        w.fresh += 1
    else:
        w.free = at.part(w, p).next
    w.unused -= 1
    w.serial += 1
    part = at.part(w, p)
    part.next = NONE
    part.product = product
    part.stage = at.product(w, product).stage
    part.birth = now
    part.serial = w.serial
    part.order = NONE
    part.due = math.inf
    part.spoilt = 0
    count_wip(w, 1, now)
    if w.tracing:
        note(w, BORN, NONE, NONE, p, NONE)
    return p


@called
def discard(w: World, p: int, now: float) -> None:
    """Let a part be no more."""
    at.part(w, p).next = w.free
    w.free = p
    w.unused += 1
    count_wip(w, -1, now)


@called
def leave(w: World, p: int, goal: int, now: float) -> None:
    """Let a part leave the line: good, bad and not found, or as scrap."""
    part = at.part(w, p)
    product = at.product(w, part.product)
    if w.tracing:
        note(w, LEFT, NONE, NONE, p, GOOD if goal == OUT and not part.spoilt else BAD)
    if goal == OUT and not part.spoilt:
        lead = now - part.birth
        w.lead += lead
        w.good += 1
        product.made += 1
        at.bin(w, lead_class(lead, w.bins_count)).count += 1
        if w.orders_count:
            meet(w, part.product, now)
    else:
        if goal == OUT:
            product.escaped += 1
        else:
            product.scrapped += 1
        if part.order != NONE:
            again(w, part.order)
    discard(w, p, now)


@called
def lead_class(lead: float, classes: int) -> int:
    """Return the class of a lead time: each is 4.4 % wide."""
    if lead <= 1e-3:
        return 0
    return min(classes - 1, int(CLASSES * math.log2(lead * 1e3)) + 1)


@rare
def meet(w: World, product: int, now: float) -> None:
    """Count a good part for the first order of its product, by due date, that still wants one."""
    for o in range(w.orders_count):
        order = at.order(w, o)
        if order.product == product and order.met < order.quantity:
            order.met += 1
            if order.met == order.quantity:
                order.finished = now
            return


@rare
def again(w: World, o: int) -> None:
    """Let one more part be begun for an order: one is lost."""
    at.order(w, o).begun -= 1
    ask_sources(w)


@called
def ask_sources(w: World) -> None:
    """Put all stations without input on the agenda."""
    for s in range(w.stations_count):
        if at.station(w, s).inputs == 0:
            ask(w, s)


@inlined
def room(w: World, b: int, stage: int) -> bool:
    """Return whether a part of a stage can go to a buffer now."""
    buffer = at.buffer(w, b)
    if buffer.simple and buffer.level < buffer.capacity:
        return True
    return other_room(w, buffer, stage)


@rare
def other_room(w: World, buffer: Buffer, stage: int) -> bool:
    """Return whether there is room at a vehicle's start, or a server for a buffer without places.

    A buffer without places passes a part on at the moment at which a server is there to take it.
    """
    if buffer.ride != NONE:
        ride = at.ride(w, buffer.ride)
        return ride.count < ride.places
    if buffer.capacity == 0:
        return is_awaited(w, buffer, stage)
    return buffer.level < buffer.capacity


@called
def is_awaited(w: World, buffer: Buffer, stage: int) -> bool:
    """Return whether a server waits for a part of a stage from a buffer without places."""
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        s = at.taker(w, k).to
        station = at.station(w, s)
        if (
            not station.closed
            and at.route(w, s * w.stages_count + stage).allowed
            and has_needs(w, station)
            and idle(w, station) > pledged(w, station)
        ):
            return True
    return False


@called
def idle(w: World, station: Station) -> int:
    """Return how many servers of a station can begin at once."""
    count = 0
    for n in range(station.first, station.first + station.count):
        server = at.server(w, n)
        if server.task == NONE and server.halt == NONE and due_plan(w, server) == NONE:
            count += 1
    return count


@called
def pledged(w: World, station: Station) -> int:
    """Return how many parts were just handed over to a station."""
    count = 0
    for k in range(station.input, station.input + station.inputs):
        buffer = at.buffer(w, at.input(w, k).to)
        if buffer.capacity == 0:
            count += buffer.level
    return count


@inlined
def count_level(buffer: Buffer, change: int, now: float) -> None:
    """Count parts that come into a buffer or leave it."""
    buffer.level += change
    buffer.area -= change * now


@inlined
def go_to(w: World, b: int, p: int, now: float) -> None:
    """Let a part go to a buffer that has room for it."""
    buffer = at.buffer(w, b)
    if buffer.simple:
        count_level(buffer, 1, now)
        arrive(w, b, buffer, p)
    elif buffer.ride != NONE:
        wait_for_ride(w, buffer, p, now)
    else:
        count_level(buffer, 1, now)
        if buffer.delay == NONE:
            arrive(w, b, buffer, p)
        else:
            get_on(w, buffer, p, now)


@rare
def get_on(w: World, buffer: Buffer, p: int, now: float) -> None:
    """Put a part on a conveyor; it gets in no earlier than the one before it."""
    part = at.part(w, p)
    buffer.ready = max(buffer.ready, now + draw(w, buffer.delay, buffer.stream))
    part.since = buffer.ready
    part.next = NONE
    if buffer.moving == NONE:
        buffer.moving = p
        set_due(w, buffer.slot, part.since)
    else:
        at.part(w, buffer.mover).next = p
    buffer.mover = p


@called
def get_in(w: World, b: int) -> None:
    """Let the first part on a conveyor get in."""
    buffer = at.buffer(w, b)
    p = buffer.moving
    buffer.moving = at.part(w, p).next
    if buffer.moving == NONE:
        set_idle(w, buffer.slot)
    else:
        set_due(w, buffer.slot, at.part(w, buffer.moving).since)
    arrive(w, b, buffer, p)


@rare
def wait_for_ride(w: World, buffer: Buffer, p: int, now: float) -> None:
    """Let a part wait at the start of a vehicle's way."""
    ride = at.ride(w, buffer.ride)
    part = at.part(w, p)
    part.since = now
    part.next = NONE
    if ride.head == NONE:
        ride.head = p
    else:
        at.part(w, ride.tail).next = p
    ride.tail = p
    ride.count += 1
    w.rides_asked = 1


@inlined
def arrive(w: World, b: int, buffer: Buffer, p: int) -> None:
    """Let a part be there to be taken."""
    part = at.part(w, p)
    buffer.count += 1
    empty = buffer.head == NONE
    if buffer.order and not empty:
        line_up(w, buffer, p, part)
    else:  # without a branch, for nobody can foresee whether it is empty
        at.part(w, p if empty else buffer.tail).next = p
        part.next = NONE
        buffer.head = p if empty else buffer.head
        buffer.tail = p
    if w.watched:
        register(w, b, p, ENTERED, 1)
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        ask(w, at.taker(w, k).to)


@rare
def register(w: World, b: int, p: int, kind: int, change: int) -> None:
    """Tally and note a part that came to a buffer or was taken from it."""
    if w.tallied:
        at.tally(w, b * w.stages_count + at.part(w, p).stage).count += change
    if w.tracing:
        note(w, kind, NONE, NONE, p, b)


@rare
def line_up(w: World, buffer: Buffer, p: int, part: Part) -> None:
    """Put a part in its place in a buffer that is not empty: before all, or by due date."""
    before, after = NONE, buffer.head
    if buffer.order == DUE:
        while after != NONE and at.part(w, after).due <= part.due:
            before, after = after, at.part(w, after).next
    part.next = after
    if before == NONE:
        buffer.head = p
    else:
        at.part(w, before).next = p
    if after == NONE:
        buffer.tail = p


@inlined
def take(w: World, b: int, before: int, now: float) -> int:
    """Return a part, taken out of a buffer: that after another, or the first (NONE)."""
    buffer = at.buffer(w, b)
    count_level(buffer, -1, now)
    buffer.count -= 1
    p = buffer.head if before == NONE else at.part(w, before).next
    part = at.part(w, p)
    if before == NONE:
        buffer.head = part.next
    else:
        at.part(w, before).next = part.next
    buffer.tail = before if part.next == NONE else buffer.tail
    part.next = NONE
    if w.watched:
        register(w, b, p, TAKEN, -1)
    return p


@inlined
def deliver(w: World, n: int, now: float) -> None:
    """Pass the finished parts of a server on, until there is no room for one."""
    server = at.server(w, n)
    while server.part != NONE:
        p = server.part
        part = at.part(w, p)
        following = part.next
        if part.goal < 0:
            leave(w, p, part.goal, now)
        elif room(w, part.goal, part.stage):
            go_to(w, part.goal, p, now)
        else:
            wait_for_room(w, n, server, part.goal, now)
            return
        server.part = following
    server.task = NONE
    at.station(w, server.station).free += 1
    ask(w, server.station)


@called
def wait_for_room(w: World, n: int, server: Server, b: int, now: float) -> None:
    """Put a server at the end of those that wait for room in a buffer."""
    buffer = at.buffer(w, b)
    server.blocked = b
    server.next = NONE
    if buffer.blocked == NONE:
        buffer.blocked = n
    else:
        at.server(w, buffer.last).next = n
    buffer.last = n
    if w.may_lock:
        w.suspect = n
    if server.halt == NONE:
        set_idle(w, n)
        if not at.station(w, server.station).closed:
            show(w, n, server, BLOCKED, now)


@called
def admit(w: World, b: int, now: float) -> None:
    """Let the parts in that wait for room in a buffer."""
    buffer = at.buffer(w, b)
    while buffer.blocked != NONE:
        n = buffer.blocked
        server = at.server(w, n)
        p = server.part
        if not room(w, b, at.part(w, p).stage):
            return
        server.part = at.part(w, p).next
        go_to(w, b, p, now)
        if server.part == NONE or at.part(w, server.part).goal != b:
            buffer.blocked = server.next
            server.blocked = NONE
            deliver(w, n, now)


@inlined
def free_up(w: World, b: int, now: float) -> None:
    """Let others use the room that a buffer may have now."""
    buffer = at.buffer(w, b)
    if buffer.ride != NONE:
        w.rides_asked = 1
    elif buffer.blocked != NONE:
        admit(w, b, now)
