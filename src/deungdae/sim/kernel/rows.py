"""The tables of the engine: what a row of each holds.

A table is an array of records where the kernel is compiled, and a list of these rows where it is
interpreted: both read `servers[n].state`. A number that points at a row is -1 where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar, get_type_hints

import numpy as np

from .compiling import COMPILED


Int = Annotated[int, np.int64]
Real = Annotated[float, np.float64]
Word = Annotated[int, np.uint64]
Times = Annotated[list[float], (np.float64, (8,))]

Ints: TypeAlias = Any  # an array of int64, or a list
Floats: TypeAlias = Any  # an array of float64, or a list

NONE = -1


class Clock:
    """The whole line: one row."""

    now: Real
    seed: Word
    replication: Int
    servers: Int
    tree: Int  # leaves of the tree of events; 0: few enough to look at all
    status: Int  # why the loop ended: one of the reasons of engine
    culprit: Int  # the row that the status is about
    asked: Int  # stations on the agenda
    free: Int  # first part that was used and is free
    fresh: Int  # first part that was never used
    unused: Int  # how many parts are unused
    reserve: Int  # so many one event may need
    serial: Int  # of the last part that was born
    wip: Int
    wip_area: Real
    wip_since: Real
    counted: Real  # since when it is counted
    lead: Real  # sum over good parts out
    good: Int
    oldest: Int  # server whose active period began first
    bottleneck: Int  # server that had the longest active period, resolved up to `until`
    until: Real  # its period's end
    since: Real  # from when its share is not yet counted
    pending: Int  # periods that may follow it
    events: Int
    may_lock: Int
    warm: Int  # whether the warm-up is over
    noted: Int  # rows of the trace


class Station:
    """Machines alike."""

    first: Int  # server
    count: Int
    input: Int  # into inputs
    inputs: Int
    cycle: Int  # spread of the first product; the others follow
    by_product: Int  # 1 where the cycle differs
    goal: Int  # buffer, OUT, or SPLIT: by `branch`
    branch: Int
    branches: Int
    stream: Int  # the first of its streams, in the order of engine's purposes
    scrap: Real
    rework: Real
    rework_to: Int
    menu: Int  # what a station without input begins: products by their cumulative share
    menus: Int
    asked: Int  # whether it is on the agenda
    done: Int
    pace: Real


class Server:
    """One machine of a station."""

    station: Int
    task: Int
    halt: Int
    state: Int
    part: Int  # the first of those in it
    ends: Int  # what ends the segment: its work, or the mode that fails
    mode: Int  # the first of its modes of failure
    modes: Int
    begun: Real  # when the segment began
    span: Real  # how long it lasts
    left: Real  # of the task, at the segment's beginning
    cause: Int  # the mode or plan for which it stands
    since: Real  # when the state began
    blocked: Int  # buffer that has no room for its part
    next: Int  # server that waits for that buffer after it
    active: Int
    active_since: Real
    sole: Real
    shifting: Real
    times: Times


class Buffer:
    """Parts that wait."""

    capacity: Int
    level: Int  # parts in it, on their way in it, and places promised
    head: Int
    tail: Int
    count: Int  # parts that can be taken
    blocked: Int  # first server that waits for room
    last: Int
    taker: Int  # into takers: the stations that take from it
    takers: Int
    area: Real
    since: Real
    initial: Int


class Part:
    """One part, or the place for one."""

    next: Int
    product: Int
    goal: Int
    birth: Real
    serial: Int


class Mode:
    """One way in which one server fails."""

    left: Real  # running time until it does
    every: Int  # spread
    repair: Int
    stream: Int  # of its times to failure; of its repairs: the next


class Product:
    """What one kind of part did."""

    made: Int
    escaped: Int
    scrapped: Int
    lost: Int
    every: Int  # spread of its arrivals
    into: Int
    slot: Int
    stream: Int


class Branch:
    """One of several ways, chosen at random."""

    goal: Int
    upto: Real  # cumulative share


class Slot:
    """What happens at a moment of the event list, for those that are no servers."""

    kind: Int
    index: Int


class Spread:
    """A distribution, ready to be drawn from; a to e hang on its kind."""

    kind: Int
    first: Int
    count: Int
    a: Real
    b: Real
    c: Real
    d: Real
    e: Real


class Stream:
    """A stream of random numbers. key: the hash of its name."""

    key: Word
    state: Word
    stride: Word


class Period:
    """An active period that may turn out to be the bottleneck's."""

    server: Int
    start: Real
    end: Real


class Note:
    """One row of a trace."""

    time: Real
    kind: Int
    station: Int
    server: Int
    part: Int
    product: Int
    value: Int


class World(NamedTuple):
    """All tables."""

    clock: list[Clock]
    stations: list[Station]
    servers: list[Server]
    buffers: list[Buffer]
    parts: list[Part]
    modes: list[Mode]
    products: list[Product]
    branches: list[Branch]
    slots: list[Slot]
    spreads: list[Spread]
    streams: list[Stream]
    periods: list[Period]
    inputs: Ints
    takers: Ints
    agenda: Ints
    due: Floats  # by slot
    tree: Ints  # the slot that is due first in each branch of the event list
    numbers: Floats  # of empirical spreads
    classes: Ints  # good parts out by the class of their lead time
    notes: list[Note] | None  # the trace; None: nobody wants it


R = TypeVar("R")


def dtype(row: type) -> np.dtype[Any]:
    """Return the record of a row."""
    hints = get_type_hints(row, include_extras=True)
    fields = [(name, *_shape(hint.__metadata__[0])) for name, hint in hints.items()]
    return np.dtype(fields)


def _shape(meta: Any) -> tuple[Any, ...]:
    return meta if isinstance(meta, tuple) else (meta,)


def table(row: type[R], count: int, given: Sequence[Mapping[str, Any]] = ()) -> list[R]:
    """Return a table of so many rows; what is not given is 0."""
    shape = dtype(row)
    if not COMPILED:
        empty = {name: 0 if shape[name].shape == () else [0.0] * 8 for name in shape.names or ()}
        return [_row(row, {**empty, **values}) for values in [*given, *[{}] * (count - len(given))]]
    rows: Any = np.zeros(count, shape).view(np.recarray)
    for place, values in enumerate(given):
        for name, value in values.items():
            rows[name][place] = value
    return rows  # type: ignore[no-any-return]


def _row(row: type[R], values: Mapping[str, Any]) -> R:
    made = row()
    for name, value in values.items():
        setattr(made, name, list(value) if isinstance(value, list) else value)
    return made


def array(values: Sequence[float], kind: type) -> Any:
    """Return numbers as an array; as a list, where the kernel is interpreted."""
    return np.asarray(values, kind) if COMPILED else list(values)
