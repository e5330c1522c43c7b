"""One replication that is stepped: with a trace of all that happens, and looks in between."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np

from deungdae.core.types import FloatArray, IntArray, StatusArray, TimeArray
from deungdae.sim.line import STATES, Line, Server, Snapshot

from . import codes, tables
from .builder import families
from .compiling import COMPILED, word
from .replicate import run
from .rows import NONE
from .simulate import more

NOTES = 4096  # rows of a trace before it is emptied
REACH = 2 * 366 * 86_400.0  # s for which calendars are known


class Kind(IntEnum):
    """What a row of a trace is about."""

    STATE = codes.STATE  # a server's state; value: its place in STATES; part: what is in it
    DONE = codes.FINISHED  # a server finished a part; value: its Result
    ENTER = codes.ENTERED  # a part entered a buffer; value: the buffer
    LEAVE = codes.TAKEN  # a part was taken from a buffer; value: the buffer
    BORN = codes.BORN  # a part came into the line
    OUT = codes.LEFT  # a part left the line; value: its Result


class Result(IntEnum):
    """What became of a part."""

    GOOD = codes.GOOD
    REWORK = codes.REWORK
    SCRAP = codes.BAD


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
        self._families = families(line)
        self._buffer = {name: place for place, name in enumerate(line.buffers)}
        self._replication = replication
        self._memory = tables.build(line, start=start, origin=origin, until=REACH)
        world = self._world = self._memory.world[0]
        self._memory.grow("notes", NOTES + int(world.margin) + 4 * int(world.parts_count))
        for each in self._memory.worlds():
            each.tracing = each.watched = 1
        self._first = np.asarray([station.first for station in self._memory.table("stations")])
        self._seed = word(seed)
        self._run(0.0, resumes=False)

    def _run(self, until: float, *, resumes: bool) -> bool:
        """Let the line go on; return whether it came to the moment."""
        memory = self._memory
        results: Any = np.zeros((1, 0))
        numbers: Any = np.asarray([self._replication], np.int64)
        if not COMPILED:
            results, numbers = results.tolist(), numbers.tolist()
        rows: int = run(
            memory.world, memory.block, memory.pristine, results, numbers, 0, resumes,
            self._seed, 0.0, float(until),
        )  # fmt: skip
        return rows == 1

    @property
    def time(self) -> float:
        """Return the present, s."""
        return float(self._world.now)

    def advance(self, until: float) -> Trace:
        """Return everything that happens after the present and up to a moment, that included.

        The first call also tells what happened at time 0. Raises ValueError for a moment before
        the present.
        """
        if not math.isfinite(until) or until < self.time:
            raise ValueError(f"until = {until} s: it is {self.time} s already")
        if until > REACH and self.line.calendars:
            raise ValueError(f"until = {until} s: calendars are known for {REACH:.0f} s only")
        parts = []
        while not self._run(until, resumes=True):
            parts.append(self._emptied())
            if self._world.status != codes.MORE_NOTES:
                more(self.line, self._memory, self._replication)
        parts.append(self._emptied())
        return Trace(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def server(self, station: str, number: int = 0, *, counted: bool = True) -> Server:
        """Return what a server does now. counted: else a batch is told as one part, sooner."""
        n = int(self._station(station).first) + number
        row = self._memory.table("servers")[n]
        state = STATES[row.state]
        due = float(self._memory.table("slots")[n].due)
        done = self.time - float(row.begun) if row.moves else 0.0
        left = float(row.left) - done
        elapsed = self.time - float(row.since)
        if state == "running":
            elapsed = float(row.work) + done
        remaining = None
        if row.moves:
            remaining = left
        elif math.isfinite(due):
            remaining = due - self.time
        interrupted = row.task in (codes.PREPARES, codes.WORKS) and not row.moves
        return Server(
            state=state,
            product="" if row.part == NONE else self._product(row.part),
            elapsed=elapsed,
            remaining=remaining,
            work=left if interrupted else None,
            parts=self._parts(row.part) if counted else 1,
        )

    def level(self, buffer: str) -> int:
        """Return how many parts are in a buffer now, on their way to it included."""
        return int(self._memory.table("buffers")[self._buffer[buffer]].level)

    def pace(self, station: str, factor: float) -> None:
        """Let cycles that begin from now on take so many times as long."""
        if not math.isfinite(factor) or factor <= 0:
            raise ValueError(f"{station}: a pace of {factor} is no factor above 0")
        self._station(station).pace = factor

    def spoil(self, station: str, share: float) -> None:
        """Let a share of the parts that a station finishes from now on be bad."""
        if not 0 <= share <= 1:
            raise ValueError(f"{station}: {share} is no share from 0 to 1")
        row = self._station(station)
        row.defects, row.worsens, row.quality, row.simple = share, 0.0, 1, 0

    def snapshot(self) -> Snapshot:
        """Return the line as it is now. What is under way to a buffer is told as in it."""
        families = {}
        for name in self.line.stations:
            family = self._memory.table("servers")[int(self._station(name).first)].family
            if family != NONE:
                families[name] = self._families[family]
        return Snapshot(
            buffers={name: self._waiting(place) for name, place in self._buffer.items()},
            stations={
                name: tuple(self.server(name, number) for number in range(station.servers))
                for name, station in self.line.stations.items()
            },
            family=families,
        )

    def serials(self) -> list[int]:
        """Return the serial numbers of all parts, in the order in which a line that begins at the
        snapshot of this moment makes them: those in buffers, then those in servers.
        """
        parts = self._memory.table("parts")
        return [int(parts[p].serial) for p in self._present()]

    def spoilt(self) -> list[int]:
        """Return which parts are spoilt, by their places in what `serials` gives."""
        parts = self._memory.table("parts")
        return [place for place, p in enumerate(self._present()) if parts[p].spoilt]

    def taint(self, places: Sequence[int]) -> None:
        """Let parts be spoilt, by their places in the line with whose snapshot this one begins."""
        parts = self._memory.table("parts")
        wanted = {place + 1 for place in places}  # serial numbers begin with 1
        for p in self._present():
            if parts[p].serial in wanted:
                parts[p].spoilt = 1

    def _present(self) -> list[int]:
        """Return all parts in the line: those in buffers, then those in servers."""
        servers = self._memory.table("servers")
        found = [p for place in self._buffer.values() for p in self._standing(place)]
        for name, station in self.line.stations.items():
            first = int(self._station(name).first)
            for n in range(first, first + station.servers):
                found += reversed(list(self._numbers(int(servers[n].part))))
        return found

    def _station(self, name: str) -> Any:
        return self._memory.table("stations")[self._place[name]]

    def _parts(self, p: int) -> int:
        return max(1, sum(1 for _ in self._numbers(p)))

    def _numbers(self, p: int) -> Iterator[int]:
        """Yield a part and those that follow it."""
        while p != NONE:
            yield p
            p = int(self._memory.table("parts")[p].next)

    def _standing(self, place: int) -> list[int]:
        """Return the parts in a buffer, and those on their way to it."""
        row = self._memory.table("buffers")[place]
        found = [*self._numbers(int(row.head)), *self._numbers(int(row.moving))]
        if row.ride != NONE:
            found += self._numbers(int(self._memory.table("rides")[row.ride].head))
            for vehicle in self._memory.table("vehicles"):
                if vehicle.ride == row.ride and vehicle.loaded:
                    found += self._numbers(int(vehicle.head))
        return found

    def _waiting(self, place: int) -> tuple[str, ...]:
        return tuple(self._product(p) for p in self._standing(place))

    def _product(self, part: int) -> str:
        product: int = self._memory.table("parts")[part].product
        return self.line.product_names[product]

    def _emptied(self) -> tuple[Any, ...]:
        """Return the columns of the trace so far, and begin it anew."""
        count = int(self._world.noted)
        self._world.noted = 0
        names = ("time", "kind", "station", "server", "part", "product", "value")
        columns = [self._memory.column("notes", name, count) for name in names]
        time, kind, station, server, part, product, value = columns
        inside = server >= 0
        server = server.astype(np.int32)
        server[inside] -= self._first[station[inside].astype(np.int64)].astype(np.int32)
        return (
            time.astype(np.float64), kind.astype(np.uint8), station.astype(np.int32), server,
            part.astype(np.int64), product.astype(np.int32), value.astype(np.int32),
        )  # fmt: skip
