"""The event list, the trace, and the states that servers show."""

from __future__ import annotations

import math

from . import at
from .active import rest, work
from .at import World
from .codes import ACTIVE, STATE
from .compiling import called, inlined, rare
from .rows import NONE, Server


@inlined
def set_due(w: World, slot: int, moment: float) -> None:
    """Put the next moment of a slot on the event list."""
    at.slot(w, slot).due = moment
    if w.tree:
        climb(w, (slot + w.tree) >> 1)


@inlined
def set_idle(w: World, slot: int) -> None:
    """Take a slot off the event list."""
    set_due(w, slot, math.inf)


@rare
def climb(w: World, node: int) -> None:
    """Set who is first in each branch, from a node up to the root."""
    leaves = w.tree
    while node:
        left, right = 2 * node, 2 * node + 1
        a = left - leaves if left >= leaves else at.node(w, left).slot
        b = right - leaves if right >= leaves else at.node(w, right).slot
        at.node(w, node).slot = a if not at.slot(w, b).due < at.slot(w, a).due else b
        node >>= 1


@inlined
def soonest(w: World) -> tuple[int, float]:
    """Return the slot that is due first, and when; of those at the same moment, the first."""
    if w.tree:
        slot = at.node(w, 1).slot
        return slot, at.slot(w, slot).due
    # two searches side by side, neither of which waits for the other's comparisons
    even, odd = 0, 1
    first, second = at.slot(w, 0).due, at.slot(w, 1).due
    for slot in range(2, w.slots_count, 2):
        due, after = at.slot(w, slot).due, at.slot(w, slot + 1).due
        if due < first:
            first = due
            even = slot
        if after < second:
            second = after
            odd = slot + 1
    if second < first or (second == first and odd < even):
        return odd, second
    return even, first


@rare
def note(w: World, kind: int, s: int, n: int, p: int, value: int) -> None:
    """Write a row of the trace."""
    row = at.note(w, w.noted)
    w.noted += 1
    row.time = w.now
    row.kind = kind
    row.station = s
    row.server = n
    row.part = NONE if p == NONE else at.part(w, p).serial
    row.product = NONE if p == NONE else at.part(w, p).product
    row.value = value


@inlined
def show(w: World, n: int, server: Server, state: int, now: float) -> None:
    """Let a server be in a state from now on."""
    if server.state != state:
        change(w, n, server, state, now)


@called
def change(w: World, n: int, server: Server, state: int, now: float) -> None:
    """Let a server change its state."""
    was, becomes = (ACTIVE >> server.state) & 1, (ACTIVE >> state) & 1
    server.times[server.state] += now - server.since
    server.since = now
    server.state = state
    if w.tracing:
        note(w, STATE, server.station, n, server.part, state)
    if was < becomes:
        work(w, n, server, now)
    elif was > becomes:
        rest(w, n, server, now)
