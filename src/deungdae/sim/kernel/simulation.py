"""One replication that is stepped: with a trace of all that happens, and looks in between."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np

from deungdae.core.types import FloatArray, IntArray, StatusArray, TimeArray
from deungdae.sim.line import STATES, Line, Server, Snapshot

from . import engine, rows, tables
from .compiling import COMPILED, word
from .replicate import advance, begin
from .rows import NONE
from .simulate import more_parts

NOTES = 4096  # rows of a trace before it is emptied


class Kind(IntEnum):
    """What a row of a trace is about."""

    STATE = engine.STATE  # a server's state; value: its place in STATES; part: what is in it
    DONE = engine.FINISHED  # a server finished a part; value: its Result
    ENTER = engine.ENTERED  # a part entered a buffer; value: the buffer
    LEAVE = engine.TAKEN  # a part was taken from a buffer; value: the buffer
    BORN = engine.BORN  # a part came into the line
    OUT = engine.LEFT  # a part left the line; value: its Result


class Result(IntEnum):
    """What became of a part."""

    GOOD = engine.GOOD
    REWORK = engine.REWORK
    SCRAP = engine.BAD


class Trace(msgspec.Struct, frozen=True, eq=False):
    """What happened, in order, as columns of n rows.

    time: s; kind: a Kind; station, server: places, the server's within its station, -1 where none
    is concerned; part: serial number, -1 for none; product: place; value: hangs on the kind.
    """

    time: FloatArray
    kind: StatusArray
    station: IntArray
    server: IntArray
    part: TimeArray
    product: IntArray
    value: IntArray

    def __len__(self) -> int:
        return len(self.time)


class Simulation:
    """One replication of a line, stepped as somebody asks for it."""

    def __init__(
        self,
        line: Line,
        *,
        seed: int = 1,
        replication: int = 0,
        start: Snapshot | None = None,
        origin: int = 0,
    ) -> None:
        self.line = line
        self._place = {name: place for place, name in enumerate(line.stations)}
        self._buffer = {name: place for place, name in enumerate(line.buffers)}
        self._world = tables.build(line)._replace(notes=rows.table(rows.Note, NOTES))
        self._first = np.asarray([station.first for station in self._world.stations], np.int64)
        begin(self._world, tables.build(line), word(seed), replication)

    @property
    def time(self) -> float:
        """Return the present, s."""
        return float(self._world.clock[0].now)

    def advance(self, until: float) -> Trace:
        """Return everything that happens after the present and up to a moment, that included.

        The first call also tells what happened at time 0. Raises ValueError for a moment before
        the present.
        """
        if not math.isfinite(until) or until < self.time:
            raise ValueError(f"until = {until} s: it is {self.time} s already")
        parts = []
        while status := advance(self._world, until):
            parts.append(self._emptied())
            if status == engine.MORE_PARTS:
                self._world = more_parts(self._world)
        parts.append(self._emptied())
        return Trace(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def server(self, station: str, number: int = 0) -> Server:
        """Return what a server does now."""
        world = self._world
        row = world.servers[world.stations[self._place[station]].first + number]
        product = "" if row.part == NONE else self._product(row.part)
        elapsed, remaining = self.time - row.since, None
        due = float(world.due[world.stations[self._place[station]].first + number])
        if math.isfinite(due):
            remaining = due - self.time
        return Server(
            state=STATES[row.state], product=product, elapsed=elapsed, remaining=remaining
        )

    def level(self, buffer: str) -> int:
        """Return how many parts are in a buffer now."""
        return int(self._world.buffers[self._buffer[buffer]].level)

    def pace(self, station: str, factor: float) -> None:
        """Let cycles that begin from now on take so many times as long."""
        if not math.isfinite(factor) or factor <= 0:
            raise ValueError(f"{station}: a pace of {factor} is no factor above 0")
        self._world.stations[self._place[station]].pace = factor

    def snapshot(self) -> Snapshot:
        """Return the line as it is now."""
        return Snapshot(
            buffers={name: self._waiting(place) for name, place in self._buffer.items()},
            stations={
                name: tuple(self.server(name, number) for number in range(station.servers))
                for name, station in self.line.stations.items()
            },
        )

    def _waiting(self, place: int) -> tuple[str, ...]:
        products, p = [], self._world.buffers[place].head
        while p != NONE:
            products.append(self._product(p))
            p = self._world.parts[p].next
        return tuple(products)

    def _product(self, part: int) -> str:
        return self.line.product_names[self._world.parts[part].product]

    def _emptied(self) -> tuple[Any, ...]:
        """Return the columns of the trace so far, and begin it anew."""
        clock = self._world.clock[0]
        notes: Any = self._world.notes
        count = int(clock.noted)
        clock.noted = 0
        names = ("time", "kind", "station", "server", "part", "product", "value")
        if COMPILED:
            columns = [notes[name][:count].copy() for name in names]
        else:
            columns = [np.array([getattr(row, name) for row in notes[:count]]) for name in names]
        time, kind, station, server, part, product, value = columns
        inside = server >= 0
        server = server.astype(np.int32)
        server[inside] -= self._first[station[inside].astype(np.int64)].astype(np.int32)
        return (
            time.astype(np.float64), kind.astype(np.uint8), station.astype(np.int32), server,
            part.astype(np.int64), product.astype(np.int32), value.astype(np.int32),
        )  # fmt: skip
