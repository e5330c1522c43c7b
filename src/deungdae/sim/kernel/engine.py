"""The event loop: what happens at each moment, and what follows from it at once."""

from __future__ import annotations

import math

from .active import rest, work
from .compiling import called, inlined
from .rows import NONE, Clock, Note, Server, Station, World
from .stream import draw, uniform

# states, in the order of sim.line.STATES
RUNNING, STARVED, BLOCKED, SETUP, DOWN, MAINTENANCE, WAITING, OFF = 0, 1, 2, 3, 4, 5, 6, 7
ACTIVE = 0b00111001  # those in which a station is not kept waiting by others

# what a server is at, beside NONE
PREPARES, WORKS, HOLDS = 0, 1, 2

# goals of a part, beside a buffer
OUT, SCRAP, SPLIT = -1, -2, -3

# the streams of a station, in their order
CYCLE, FATE, WAY, PRODUCT = 0, 1, 2, 3
STREAMS = 8

# kinds of slots
ARRIVAL = 0

# why the loop ended
DONE, MORE_PARTS, MORE_NOTES, LOCKED = 0, 1, 2, 3

# kinds of notes
STATE, FINISHED, ENTERED, TAKEN, BORN, LEFT = 0, 1, 2, 3, 4, 5

# results of a cycle
GOOD, REWORK, BAD = 0, 1, 2

CLASSES = 16  # of lead times, by doubling


@inlined
def set_due(w: World, slot: int, moment: float) -> None:
    """Put the moment of a slot on the event list; math.inf takes it off."""
    w.due[slot] = moment
    leaves = w.clock[0].tree
    if leaves:
        climb(w, (slot + leaves) >> 1, leaves)


@called
def climb(w: World, node: int, leaves: int) -> None:
    """Set who is first in each branch from a node up to the root."""
    while node:
        left, right = 2 * node, 2 * node + 1
        a = left - leaves if left >= leaves else w.tree[left]
        b = right - leaves if right >= leaves else w.tree[right]
        w.tree[node] = a if w.due[a] <= w.due[b] else b
        node >>= 1


@inlined
def soonest(w: World) -> int:
    """Return the slot that is due first; of those at the same moment, the first."""
    if w.clock[0].tree:
        return w.tree[1]  # type: ignore[no-any-return]
    first = 0
    moment = w.due[0]
    for slot in range(1, len(w.due)):
        if w.due[slot] < moment:
            moment = w.due[slot]
            first = slot
    return first


@inlined
def note(
    notes: list[Note] | None, clock: Clock, kind: int, s: int, n: int, part: int, product: int,
    value: int,
) -> None:  # fmt: skip
    """Write a row of the trace, where somebody wants it."""
    if notes is None:
        return
    row = notes[clock.noted]
    row.time = clock.now
    row.kind = kind
    row.station = s
    row.server = n
    row.part = part
    row.product = product
    row.value = value
    clock.noted += 1


@inlined
def notes_left(notes: list[Note] | None, clock: Clock) -> int:
    """Return how many more rows the trace can take."""
    if notes is None:
        return clock.reserve
    return len(notes) - clock.noted


@inlined
def note_part(w: World, kind: int, s: int, n: int, p: int, value: int) -> None:
    """Write a row of the trace about a part."""
    part = w.parts[p]
    note(w.notes, w.clock[0], kind, s, n, part.serial, part.product, value)


@inlined
def note_state(w: World, n: int, server: Server, state: int) -> None:
    """Write a row of the trace about a server."""
    if server.part == NONE:
        note(w.notes, w.clock[0], STATE, server.station, n, NONE, NONE, state)
    else:
        note_part(w, STATE, server.station, n, server.part, state)


@inlined
def show(w: World, n: int, server: Server, state: int, now: float) -> None:
    """Let a server be in a state from now on."""
    if server.state == state:
        return
    was, becomes = (ACTIVE >> server.state) & 1, (ACTIVE >> state) & 1
    server.times[server.state] += now - server.since
    server.since = now
    server.state = state
    note_state(w, n, server, state)
    if was != becomes:
        if becomes:
            work(w, n, server, now)
        else:
            rest(w, n, server, now)


@inlined
def ask(w: World, s: int) -> None:
    """Put a station on the agenda: something may have come that it can begin with."""
    station = w.stations[s]
    if not station.asked:
        clock = w.clock[0]
        station.asked = 1
        w.agenda[clock.asked] = s
        clock.asked += 1


@inlined
def born(w: World, product: int, now: float) -> int:
    """Return a new part."""
    clock = w.clock[0]
    p = clock.free
    if p == NONE:
        p = clock.fresh
        clock.fresh += 1
    else:
        clock.free = w.parts[p].next
    clock.unused -= 1
    clock.serial += 1
    part = w.parts[p]
    part.next = NONE
    part.product = product
    part.birth = now
    part.serial = clock.serial
    note_part(w, BORN, NONE, NONE, p, NONE)
    count_wip(clock, 1, now)
    return p


@inlined
def count_wip(clock: Clock, change: int, now: float) -> None:
    """Count parts that come into the line or leave it."""
    clock.wip_area += clock.wip * (now - clock.wip_since)
    clock.wip_since = now
    clock.wip += change


@inlined
def leave(w: World, p: int, goal: int, now: float) -> None:
    """Let a part leave the line, good or as scrap."""
    clock = w.clock[0]
    part = w.parts[p]
    note_part(w, LEFT, NONE, NONE, p, GOOD if goal == OUT else BAD)
    if goal == OUT:
        lead = now - part.birth
        clock.lead += lead
        clock.good += 1
        w.products[part.product].made += 1
        w.classes[lead_class(lead, len(w.classes))] += 1
    else:
        w.products[part.product].scrapped += 1
    part.next = clock.free
    clock.free = p
    clock.unused += 1
    count_wip(clock, -1, now)


@inlined
def lead_class(lead: float, classes: int) -> int:
    """Return the class of a lead time: each is 4.4 % wide, from 1 ms on."""
    if lead <= 1e-3:
        return 0
    return min(classes - 1, int(CLASSES * math.log2(lead * 1e3)) + 1)


@inlined
def room(w: World, b: int) -> bool:
    """Return whether a part can enter a buffer now.

    A buffer without places passes a part on when a server is there to take it.
    """
    buffer = w.buffers[b]
    if buffer.level < buffer.capacity:
        return True
    return buffer.capacity == 0 and idle_takers(w, b) > buffer.level


@called
def idle_takers(w: World, b: int) -> int:
    """Return how many servers wait for a part from a buffer."""
    buffer = w.buffers[b]
    idle = 0
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        station = w.stations[w.takers[k]]
        for n in range(station.first, station.first + station.count):
            server = w.servers[n]
            if server.task == NONE and server.halt == NONE:
                idle += 1
    return idle


@inlined
def enter(w: World, b: int, p: int, now: float) -> None:
    """Let a part enter a buffer that has room."""
    buffer = w.buffers[b]
    buffer.area += buffer.level * (now - buffer.since)
    buffer.since = now
    buffer.level += 1
    buffer.count += 1
    w.parts[p].next = NONE
    if buffer.tail == NONE:
        buffer.head = p
    else:
        w.parts[buffer.tail].next = p
    buffer.tail = p
    note_part(w, ENTERED, NONE, NONE, p, b)
    for k in range(buffer.taker, buffer.taker + buffer.takers):
        ask(w, w.takers[k])


@inlined
def take(w: World, b: int, now: float) -> int:
    """Return the part that is first in a buffer, taken out of it."""
    buffer = w.buffers[b]
    buffer.area += buffer.level * (now - buffer.since)
    buffer.since = now
    buffer.level -= 1
    buffer.count -= 1
    p = buffer.head
    part = w.parts[p]
    buffer.head = part.next
    part.next = NONE
    if buffer.head == NONE:
        buffer.tail = NONE
    note_part(w, TAKEN, NONE, NONE, p, b)
    return p


@inlined
def deliver(w: World, n: int, now: float) -> None:
    """Pass the finished parts of a server on, until there is no room for one."""
    server = w.servers[n]
    while server.part != NONE:
        p = server.part
        part = w.parts[p]
        following = part.next
        if part.goal >= 0:
            if not room(w, part.goal):
                wait_for_room(w, n, server, part.goal, now)
                return
            enter(w, part.goal, p, now)
        else:
            leave(w, p, part.goal, now)
        server.part = following
    server.task = NONE
    ask(w, server.station)


@inlined
def wait_for_room(w: World, n: int, server: Server, b: int, now: float) -> None:
    """Put a server at the end of those that wait for room in a buffer."""
    buffer = w.buffers[b]
    server.blocked = b
    server.next = NONE
    if buffer.blocked == NONE:
        buffer.blocked = n
    else:
        w.servers[buffer.last].next = n
    buffer.last = n
    set_due(w, n, math.inf)
    if server.halt == NONE:
        show(w, n, server, BLOCKED, now)


@inlined
def admit(w: World, b: int, now: float) -> None:
    """Let the parts in that wait for room in a buffer."""
    buffer = w.buffers[b]
    while buffer.blocked != NONE and room(w, b):
        n = buffer.blocked
        server = w.servers[n]
        p = server.part
        server.part = w.parts[p].next
        enter(w, b, p, now)
        if server.part == NONE or w.parts[server.part].goal != b:
            buffer.blocked = server.next
            server.blocked = NONE
            deliver(w, n, now)


@inlined
def settle(w: World, now: float) -> None:
    """Let every station on the agenda begin what it can, until nothing more follows."""
    clock = w.clock[0]
    while clock.asked:
        clock.asked -= 1
        s = w.agenda[clock.asked]
        station = w.stations[s]
        station.asked = 0
        for n in range(station.first, station.first + station.count):
            server = w.servers[n]
            if server.task == NONE and server.halt == NONE:
                begin(w, n, server, station, now)


@inlined
def begin(w: World, n: int, server: Server, station: Station, now: float) -> None:
    """Let an idle server begin a cycle, or starve."""
    b = NONE
    if station.inputs:
        b = choose(w, station, now)
        if b == NONE:
            set_due(w, n, math.inf)
            show(w, n, server, STARVED, now)
            return
        p = take(w, b, now)
    else:
        p = born(w, menu(w, station), now)
    server.part = p
    server.task = WORKS
    place = station.cycle
    if station.by_product:
        place += w.parts[p].product
    server.left = station.pace * draw(w.spreads[place], w.numbers, w.streams[station.stream])
    show(w, n, server, RUNNING, now)
    proceed(w, n, server, now)
    if b != NONE:
        admit(w, b, now)


@inlined
def choose(w: World, station: Station, now: float) -> int:
    """Return the first buffer of a station that has a part, or NONE."""
    for k in range(station.input, station.input + station.inputs):
        b = w.inputs[k]
        buffer = w.buffers[b]
        if buffer.count == 0 and buffer.capacity == 0:
            admit(w, b, now)
        if buffer.count > 0:
            return b  # type: ignore[no-any-return]
    return NONE


@inlined
def menu(w: World, station: Station) -> int:
    """Return the product that a station without input begins."""
    if station.menus == 1:
        return w.branches[station.menu].goal
    return split(w, station.menu, station.menus, uniform(w.streams[station.stream + PRODUCT]))


@inlined
def split(w: World, first: int, count: int, u: float) -> int:
    """Return the goal of the branch in whose share u lies."""
    k = first
    while k < first + count - 1 and u >= w.branches[k].upto:
        k += 1
    return w.branches[k].goal


@inlined
def proceed(w: World, n: int, server: Server, now: float) -> None:
    """Let a server go on with its task, until it is done or a mode fails."""
    server.ends = NONE
    server.span = server.left
    for m in range(server.mode, server.mode + server.modes):
        mode = w.modes[m]
        if mode.left < server.span:
            server.span = mode.left
            server.ends = m
    server.begun = now
    set_due(w, n, now + server.span)


@inlined
def wear(w: World, server: Server, span: float) -> None:
    """Count running time."""
    server.left -= span
    for m in range(server.mode, server.mode + server.modes):
        w.modes[m].left -= span


@inlined
def happen(w: World, n: int, now: float) -> None:
    """Do what a server is due for."""
    server = w.servers[n]
    if server.halt != NONE:
        mend(w, n, server, now)
        return
    wear(w, server, server.span)
    if server.ends != NONE:
        fail(w, n, server, server.ends, now)
        return
    finish(w, n, server, now)


@inlined
def fail(w: World, n: int, server: Server, m: int, now: float) -> None:
    """Let a server break down."""
    mode = w.modes[m]
    server.halt = DOWN
    server.cause = m
    set_due(w, n, now + draw(w.spreads[mode.repair], w.numbers, w.streams[mode.stream + 1]))
    show(w, n, server, DOWN, now)


@inlined
def mend(w: World, n: int, server: Server, now: float) -> None:
    """Let a server go on after its repair."""
    mode = w.modes[server.cause]
    mode.left = draw(w.spreads[mode.every], w.numbers, w.streams[mode.stream])
    server.halt = NONE
    show(w, n, server, RUNNING, now)
    proceed(w, n, server, now)


@inlined
def finish(w: World, n: int, server: Server, now: float) -> None:
    """Let a server's cycle be over."""
    station = w.stations[server.station]
    station.done += 1
    goal = way(w, station)
    w.parts[server.part].goal = goal
    result = BAD if goal == SCRAP else REWORK if goal == station.rework_to and goal >= 0 else GOOD
    note_part(w, FINISHED, server.station, n, server.part, result)
    server.task = HOLDS
    deliver(w, n, now)


@inlined
def way(w: World, station: Station) -> int:
    """Return where a finished part goes."""
    if station.scrap + station.rework > 0.0:
        u = uniform(w.streams[station.stream + FATE])
        if u < station.scrap:
            return SCRAP
        if u < station.scrap + station.rework:
            return station.rework_to
    if station.goal == SPLIT:
        u = uniform(w.streams[station.stream + WAY])
        return split(w, station.branch, station.branches, u)
    return station.goal


@inlined
def occur(w: World, slot: int, now: float) -> None:
    """Do what a slot is due for that is no server."""
    index = w.slots[slot].index
    product = w.products[index]
    if room(w, product.into):
        enter(w, product.into, born(w, index, now), now)
    else:
        product.lost += 1
    pause = draw(w.spreads[product.every], w.numbers, w.streams[product.stream])
    set_due(w, slot, now + pause)


@called
def go_on(w: World, until: float) -> int:
    """Let everything happen up to a moment, that included. Return why it ended."""
    clock = w.clock[0]
    while True:
        slot = soonest(w)
        now = w.due[slot]
        if now > until:
            clock.now = until
            return DONE
        if clock.unused < clock.reserve:
            return MORE_PARTS
        if notes_left(w.notes, clock) < clock.reserve:
            return MORE_NOTES
        clock.now = now
        clock.events += 1
        if slot < clock.servers:
            happen(w, slot, now)
        else:
            occur(w, slot, now)
        settle(w, now)
