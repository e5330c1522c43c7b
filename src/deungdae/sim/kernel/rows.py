"""The tables of the engine: what a row of each holds.

Where the kernel is compiled, a row is a record in one block of memory; where it is interpreted, an
object of these classes. A number that points at a row is NONE where there is none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import numpy as np

Int = Annotated[int, np.int64]
Real = Annotated[float, np.float64]
Word = Annotated[int, np.uint64]
AHEAD = 32  # variates that are drawn at once
Ahead = Annotated[list[float], (np.float64, (AHEAD,))]
Times = Annotated[list[float], (np.float64, (8,))]

NONE = -1


class Station:
    """Machines alike."""

    first: Int  # server
    count: Int
    plain: Int  # 1: takes one part, from the first of its buffers that has one, and begins at once
    simple: Int  # 1: a finished part only has to go somewhere
    asked: Int  # whether it is on the agenda
    free: Int  # servers without a task
    closed: Int  # by its calendar
    input: Int  # into inputs
    inputs: Int
    cycle: Int  # spread of the first product; the others follow
    by_product: Int  # 1 where the cycle differs
    stream: Int  # the first of its streams, in the order of the purposes
    goal: Int  # buffer, OUT, SCRAP, or SPLIT: by branch
    sheds: Int  # whether a share is scrapped or worked on again
    branch: Int
    branches: Int
    scrap: Real
    rework: Real
    rework_to: Int
    pace: Real
    done: Int
    filters: Int  # whether it takes but some of the parts in its buffers
    pick: Int
    batch: Int
    least: Int
    wait: Real
    mixes: Int  # whether parts of different products are worked on together
    timer: Int  # slot at which a batch is ripe
    ripe: Int  # whether the wait for a full batch is over
    need: Int  # into needs
    needs: Int
    yields: Int
    setups: Int  # into setups: by family that was and family that comes
    team: Int  # into teams
    teams: Int
    menu: Int  # into branches: the products that a station without input begins
    menus: Int
    in_turn: Int  # whether the menu is a sequence
    turn: Int
    to_order: Int
    inspects: Int
    quality: Int
    defects: Real
    worsens: Real
    warm_up: Int
    escapes: Real
    alarms: Real
    sorted_to: Int


class Server:
    """One machine of a station. What each cycle touches comes first."""

    station: Int
    task: Int
    halt: Int
    state: Int
    part: Int  # the first of those in it
    ends: Int  # what ends the stretch: its task (NONE), or a mode of failure
    mode: Int  # the first of its modes of failure
    modes: Int  # how many of those count running time; those that count all time follow
    plan: Int  # the first of its plans of maintenance
    plans: Int
    moves: Int  # whether a stretch of work is under way
    begun: Real  # when it began
    span: Real  # how long it lasts
    left: Real  # of the task, at the stretch's beginning
    work: Real  # time since the cycle began, stops not counted: at the stretch's beginning
    blocked: Int  # buffer that has no room for its part
    next: Int  # server that waits for that buffer after it
    since: Real  # when the state began
    live: Int  # whether it may ever go on, as far as was looked
    active: Int
    active_since: Real
    times: Times
    sole: Real
    shifting: Real
    timed: Int
    why: Int  # why it halts: a failure or maintenance
    cause: Int  # the mode or plan of that
    pending: Int  # modes that failed while it stood
    next_call: Int  # server that waits for the crew after it
    waits: Int  # whether it waits for people
    next_wait: Int  # server that waits for people after it
    team: Int
    family: Int  # for which it is set up
    worn: Int  # parts since maintenance
    cold: Int  # parts that are still spoilt after a setup or repair


class Buffer:
    """Parts that wait."""

    capacity: Int
    level: Int  # parts in it, on their way in it, and places promised
    count: Int  # parts that can be taken
    head: Int
    tail: Int
    blocked: Int  # first server that waits for room
    last: Int
    taker: Int  # into takers: the stations that take from it
    takers: Int
    feeder: Int  # into feeders: the stations that put parts into it
    feeders: Int
    arrivals: Int  # whether parts arrive at it from outside
    area: Real  # the integral of the level over time, less the level times the present
    simple: Int  # 1: first in, first out, and nothing to be carried
    order: Int
    delay: Int  # spread
    stream: Int
    slot: Int
    ready: Real  # when the last part on the conveyor gets in
    moving: Int  # first part on the conveyor
    mover: Int  # last
    ride: Int


class Part:
    """One part, or the place for one."""

    next: Int
    product: Int
    stage: Int
    goal: Int
    birth: Real
    serial: Int
    since: Real  # when it gets in, or began to wait for a vehicle
    due: Real
    order: Int
    spoilt: Int


class Mode:
    """One way in which one server fails."""

    left: Real  # running time until it does
    every: Int  # spread
    repair: Int
    stream: Int  # of its times to failure; of its repairs: the next
    crew: Int
    server: Int
    slot: Int  # where all time counts
    pending: Int


class Plan:
    """Maintenance of one server."""

    left: Real  # running time or parts until it is due
    every: Real
    of: Int
    length: Int  # spread
    stream: Int
    crew: Int
    renews: Int
    server: Int
    slot: Int
    due: Int


class Product:
    """What one kind of part did."""

    made: Int
    escaped: Int
    scrapped: Int
    lost: Int
    family: Int
    stage: Int  # where it begins
    every: Int  # spread of its arrivals
    into: Int
    slot: Int
    stream: Int


class Stage:
    """How far a part has come on its product's route."""

    product: Int


class Route:
    """What a station does with a part of a stage: one row for each two of them."""

    allowed: Int
    after: Int  # stage
    goal: Int  # or BY_STATION
    again: Int  # stage of a part for rework
    sorted: Int  # stage of a part that was sorted out


class Tally:
    """Parts of a stage that can be taken from a buffer: one row for each two of them."""

    count: Int


class Branch:
    """One of several ways, chosen at random or in turn."""

    goal: Int
    upto: Real  # cumulative share


class Link:
    """A row of another table, in a list of them."""

    to: Int
    amount: Int


class Setup:
    """From one family to another."""

    spread: Int


class Crew:
    """People who repair."""

    size: Int
    busy: Int
    closed: Int
    first: Int  # server that waits for them
    last: Int


class Group:
    """Operators alike."""

    size: Int
    busy: Int
    closed: Int


class Member:
    """How many of a group are in a team: one row for each two of them."""

    need: Int


class Shift:
    """When a station, crew or group works."""

    kind: Int
    index: Int
    toggle: Int  # the next
    end: Int  # after the last
    slot: Int


class Toggle:
    """When a shift begins or ends."""

    time: Real


class Order:
    """Parts of a product that are wanted."""

    product: Int
    quantity: Int
    release: Real
    due: Real
    begun: Int
    met: Int  # good parts so far
    finished: Real


class Fleet:
    """Vehicles alike."""

    first: Int
    count: Int
    speed: Real
    load: Real
    unload: Real


class Vehicle:
    """One vehicle."""

    place: Int
    ride: Int
    loaded: Int
    head: Int  # of its parts
    slot: Int


class Ride:
    """A way by vehicle into a buffer."""

    buffer: Int
    fleet: Int
    start: Int
    end: Int
    lot: Int
    places: Int
    count: Int  # parts that wait for it
    claimed: Int  # of those, for which a vehicle comes
    head: Int
    tail: Int


class Way:
    """The distance of two places: one row for each two of them."""

    metres: Real


class Slot:
    """Something that has its next moment."""

    due: Real
    kind: Int
    index: Int


class Node:
    """A branch of the event list: the slot in it that is due first."""

    slot: Int


class Spread:
    """A distribution, ready to be drawn from; a to e hang on its kind."""

    kind: Int
    first: Int  # into numbers
    count: Int
    a: Real
    b: Real
    c: Real
    d: Real
    e: Real


class Number:
    """A value of an empirical distribution."""

    value: Real


class Stream:
    """A stream of random numbers. key: the hash of its name."""

    key: Word
    state: Word
    stride: Word


class Stock:
    """Variates of a station's cycle, drawn ahead."""

    used: Int
    values: Ahead


class Period:
    """An active period that may turn out to be the bottleneck's."""

    server: Int
    start: Real
    end: Real


class Bin:
    """Good parts out of one class of lead time."""

    count: Int


class Seat:
    """What a server is at when the line begins."""

    state: Int
    stage: Int  # of its parts; NONE: it has none
    parts: Int
    elapsed: Real
    left: Real  # until the state ends; below 0: not known
    work: Real  # of an interrupted cycle, still to do; below 0: not known
    spread: Int  # of how long the state lasts
    cause: Int  # mode or plan for which it stands
    goal: Int  # of its parts, where they are finished


class Heap:
    """Parts in a buffer when the line begins, first in line first."""

    buffer: Int
    stage: Int
    count: Int


class Note:
    """One row of a trace."""

    time: Real
    kind: Int
    station: Int
    server: Int
    part: Int
    product: Int
    value: Int


# the tables of a world, by name
TABLES: dict[str, type] = {
    "stations": Station, "servers": Server, "buffers": Buffer, "modes": Mode, "plans": Plan,
    "products": Product, "stages": Stage, "routes": Route, "tallies": Tally, "branches": Branch,
    "inputs": Link, "takers": Link, "feeders": Link, "needs": Link, "setups": Setup, "crews": Crew,
    "groups": Group, "members": Member, "shifts": Shift, "toggles": Toggle, "orders": Order,
    "fleets": Fleet, "vehicles": Vehicle, "rides": Ride, "ways": Way, "slots": Slot, "nodes": Node,
    "spreads": Spread, "numbers": Number, "streams": Stream, "stocks": Stock, "periods": Period,
    "bins": Bin, "agenda": Link, "seats": Seat, "heaps": Heap,
}  # fmt: skip
GROWING: dict[str, type] = {"parts": Part, "notes": Note}


class World:
    """A whole line: what is one in it, how many of each there are, and where the tables are."""

    now: Real
    status: Int  # why the loop ended
    culprit: Int  # the row that the status is about
    tree: Int  # leaves of the event list's tree; 0: few enough to look at all
    asked: Int  # stations on the agenda
    free: Int  # first part that was used and is free
    fresh: Int  # first part that was never used
    unused: Int  # how many parts are free
    reserve: Int  # so many one event may need
    margin: Int  # so many rows of the trace one event may need
    serial: Int  # of the last part that was born
    wip: Int
    wip_area: Real  # the integral of wip over time, less wip times the present
    counted: Real  # since when it is counted
    warm: Int  # whether the warm-up is over
    lead: Real  # sum over good parts out
    good: Int
    oldest: Int  # server whose active period began first
    bottleneck: Int  # server that has the longest active period, as far as it is known
    until: Real  # that period's end
    since: Real  # from when its share is not yet counted
    pending: Int  # periods that may follow it
    events: Int
    still: Int  # events since time last went on
    watched: Int  # whether parts are tallied or traced
    tracing: Int
    noted: Int  # rows of the trace
    tallied: Int  # whether parts are tallied by stage
    waits: Int  # first server that waits for people
    last_wait: Int
    people_asked: Int  # whether people may have become free
    rides_asked: Int  # whether a vehicle may set out
    families: Int
    places: Int
    may_lock: Int  # whether blocked servers can wait for each other in a circle
    suspect: Int  # server that was blocked last

    if TYPE_CHECKING:  # its tables, and how many rows each has

        def __getattr__(self, name: str) -> Any: ...


@cache
def shape(row: type) -> np.dtype[Any]:
    """Return a row as a record of memory; of World, with address and length of each table."""
    fields: list[Any] = []
    for name, hint in get_type_hints(row, include_extras=True).items():
        meta = hint.__metadata__[0]
        fields.append((name, *meta) if isinstance(meta, tuple) else (name, meta))
    if row is World:
        for name in (*TABLES, *GROWING):
            fields += [(name, np.int64), (f"{name}_count", np.int64)]
    return np.dtype(fields)
