"""How a line begins: streams, clocks of failures, parts in buffers, servers half-way through."""

from __future__ import annotations

from . import at
from .at import World
from .codes import (
    BLOCKED,
    BY_STATION,
    DOWN,
    FAILURE,
    HOLDS,
    MAINTAINS,
    PLAN,
    PREPARES,
    REPAIRS,
    RUNNING,
    SETUP,
    START,
    WAITING,
    WORKS,
)  # fmt: skip
from .compiling import called
from .engine import settle
from .events import set_due, show
from .flow import arrive, ask, born, count_level, deliver
from .rows import NONE, Seat, Server, Station
from .stream import EXPONENTIAL, draw, start
from .work import fail, resume, start_cycle, way

TRIES = 10_000  # draws of a span longer than what has elapsed, before it is taken to be over


@called
def open_line(w: World, seed: int, replication: int) -> None:
    """Let a line begin at time 0, from tables as they were built."""
    w.unused = w.parts_count
    for k in range(w.streams_count):
        start(at.stream(w, k), seed, replication)
    for m in range(w.modes_count):
        mode = at.mode(w, m)
        mode.left = draw(w, mode.every, mode.stream)
        if mode.slot != NONE:
            set_due(w, mode.slot, mode.left)
    for p in range(w.products_count):
        product = at.product(w, p)
        if product.slot != NONE:
            set_due(w, product.slot, draw(w, product.every, product.stream))
    for k in range(w.slots_count):  # what was due as built gets its place in the tree
        set_due(w, k, at.slot(w, k).due)
    for k in range(w.heaps_count):
        heap = at.heap(w, k)
        for _ in range(heap.count):
            p = new_part(w, heap.stage)
            count_level(at.buffer(w, heap.buffer), 1, 0.0)
            arrive(w, heap.buffer, at.buffer(w, heap.buffer), p)
    for n in range(w.seats_count):
        seat = at.seat(w, n)
        server = at.server(w, n)
        station = at.station(w, server.station)
        sit_down(w, n, server, station, seat)
    for s in range(w.stations_count):
        ask(w, w.stations_count - 1 - s)
    settle(w, 0.0)


@called
def new_part(w: World, stage: int) -> int:
    """Return a new part that has come to a stage of its route."""
    p = born(w, at.stage(w, stage).product, 0.0)
    at.part(w, p).stage = stage
    return p


@called
def fill(w: World, server: Server, seat: Seat) -> None:
    """Put parts into a server."""
    for _ in range(seat.parts):
        p = new_part(w, seat.stage)
        at.part(w, p).next = server.part
        server.part = p


@called
def sit_down(w: World, n: int, server: Server, station: Station, seat: Seat) -> None:
    """Let a server be at what it was at."""
    if seat.stage != NONE:
        fill(w, server, seat)
        station.free -= 1
        give_task(w, server, station, seat)
    if seat.state == BLOCKED and server.part != NONE:
        hand_over(w, n, server, station, seat)
    elif seat.cause == NONE:
        resume(w, n, server, 0.0)
    elif seat.state == WAITING:
        fail(w, n, server, seat.cause, 0.0)
    else:
        stand(w, n, server, station, seat)


@called
def give_task(w: World, server: Server, station: Station, seat: Seat) -> None:
    """Give a server its task, and what is left of it."""
    server.task = WORKS
    if seat.state == RUNNING:
        server.work = seat.elapsed
        server.left = still(w, station, seat, station.pace)
    elif seat.state == SETUP:
        server.task = PREPARES
        server.left = still(w, station, seat, 1.0)
    elif seat.work >= 0.0:
        server.left = seat.work
    else:
        start_cycle(w, server, station)


@called
def still(w: World, station: Station, seat: Seat, factor: float) -> float:
    """Return how long a state still lasts: as known, or drawn given how long it lasts already."""
    if seat.left >= 0.0:
        return seat.left
    stream = station.stream + START
    span = factor * draw(w, seat.spread, stream)
    if at.spread(w, seat.spread).kind == EXPONENTIAL:
        return span
    tries = 1
    while span <= seat.elapsed and tries < TRIES:
        span = factor * draw(w, seat.spread, stream)
        tries += 1
    return max(0.0, span - seat.elapsed)


@called
def hand_over(w: World, n: int, server: Server, station: Station, seat: Seat) -> None:
    """Let a server hold parts that are finished."""
    server.task = HOLDS
    p = server.part
    while p != NONE:
        part = at.part(w, p)
        part.goal = way(w, station) if seat.goal == BY_STATION else seat.goal
        p = part.next
    deliver(w, n, 0.0)


@called
def stand(w: World, n: int, server: Server, station: Station, seat: Seat) -> None:
    """Let a server be under repair or maintenance."""
    server.cause = seat.cause
    if seat.state == DOWN:
        server.why = FAILURE
        server.halt = REPAIRS
        crew = at.mode(w, seat.cause).crew
    else:
        server.why = PLAN
        server.halt = MAINTAINS
        crew = at.plan(w, seat.cause).crew
    if crew != NONE:
        at.crew(w, crew).busy += 1
    set_due(w, n, still(w, station, seat, 1.0))
    show(w, n, server, seat.state, 0.0)
