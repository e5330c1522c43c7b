"""Tandem lines without events: which lines those are, and what their replications give.

The random numbers are those of the engine, taken in the same order; so the results are the
engine's, but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from deungdae.core.types import FloatArray
from deungdae.sim import distribution
from deungdae.sim.line import OUT, STATES, Line, Snapshot, Station

from . import bottleneck, recursion, tables
from .codes import BINS, CLASSES
from .compiling import COMPILED, word
from .recursion import Memory
from .rows import NONE

LANES = (1, 8, 32) if COMPILED else (1,)  # replications side by side


def fits(line: Line, start: Snapshot | None = None) -> str:
    """Return why a line is no tandem whose times follow by recursion, or '' where it is one.

    A tandem: stations in a row, one server each, joined by buffers; one product; the first station
    never starves or takes from a buffer without bound at which parts arrive; the last sends parts
    out. Stations fail in operation and are repaired at once. Nothing else happens.
    """
    return next(_obstacles(line, start), "")


def _obstacles(line: Line, start: Snapshot | None) -> Iterator[str]:
    if start is not None:
        yield "it begins from a snapshot"
    if len(line.product_names) != 1:
        yield "it has several products"
    for what in ("orders", "vehicles"):
        if getattr(line, what):
            yield f"it has {what}"
    for name, station in line.stations.items():
        yield from (f"station {name} {why}" for why in _station_obstacles(station))
    for name, buffer in line.buffers.items():
        if buffer.order == "lifo":
            yield f"buffer {name} is last in, first out"
        if buffer.ride is not None or distribution.parse(buffer.delay).mean > 0:
            yield f"buffer {name} takes time to get into"
        initial = _initial(line, name)
        if buffer.capacity is not None and initial > buffer.capacity:
            yield f"buffer {name} begins with more parts than it holds"
    yield from _row_obstacles(line)


def _station_obstacles(station: Station) -> Iterator[str]:
    if station.servers != 1:
        yield "has several servers"
    if station.batch > 1 or station.needs or station.yields > 1:
        yield "works on batches, joins or parts parts"
    if station.scrap or station.rework or station.quality is not None or station.products:
        yield "sorts parts"
    if isinstance(station.to, dict) and len(station.to) > 1:
        yield "has several ways out"
    if len(station.takes_from) > 1:
        yield "takes from several buffers"
    if station.maintenance or station.operators or station.calendar:
        yield "waits for people or a plan"
    if any(failure.of != "operation" or failure.crew for failure in station.failures):
        yield "fails while it waits, or waits for a crew"
    if station.setup != 0.0:
        yield "is set up"
    if not isinstance(station.cycle, dict) and distribution.parse(station.cycle).mean == 0:
        yield "takes no time"
    if station.makes:
        yield "changes the product"


def _row_obstacles(line: Line) -> Iterator[str]:
    """Yield what keeps the stations from being one row."""
    row = chain(line)
    if len(row) != len(line.stations) or set(row) != set(line.stations):
        yield "its stations are not one row"
        return
    first, last = line.stations[row[0]], line.stations[row[-1]]
    if [*last.goes_to] != [OUT]:
        yield f"station {row[-1]} sends nothing out"
    product = line.products.get(line.product_names[0])
    into = product.into if product is not None else ""
    if [*first.takes_from] != ([into] if into else []):
        yield f"station {row[0]} takes from a buffer at which nothing arrives"
    if into and line.buffers[into].capacity is not None:
        yield f"buffer {into}, at which parts arrive, has a bound"
    if product is not None and product.route:
        yield "its product has a route"
    unused = set(line.buffers) - {into} - {_between(line, name) for name in row[:-1]}
    if unused:
        yield f"buffer {min(unused)} stands beside the row"


def chain(line: Line) -> list[str]:
    """Return the stations that follow one another, from the one that no other feeds."""
    takers: dict[str, list[str]] = {}
    for name, station in line.stations.items():
        for buffer in station.takes_from:
            takers.setdefault(buffer, []).append(name)
    fed = {
        each for s in line.stations.values() for goal in s.goes_to for each in takers.get(goal, [])
    }
    starts = [name for name in line.stations if name not in fed]
    row = starts[:1] if len(starts) == 1 else []
    while row and len(row) <= len(line.stations):
        following = takers.get(_between(line, row[-1]), [])
        if len(following) != 1:
            break
        row.append(following[0])
    return row


def _between(line: Line, station: str) -> str:
    """Return where a station sends its parts."""
    return next(iter(line.stations[station].goes_to))


def _initial(line: Line, buffer: str) -> int:
    initial = line.buffers[buffer].initial
    return sum(initial.values()) if isinstance(initial, dict) else initial


def results(
    line: Line, numbers: np.ndarray[Any, Any], seed: int, window: tuple[float, float]
) -> FloatArray:
    """Return the results of replications, in the columns of `replicate.collect`.

    numbers: int64[R], of the replications; window: from when to when is counted, s. Only for lines
    that fit.
    """
    tandem = Tandem(line)
    found = [
        tandem.run(numbers[first : first + lanes], lanes, seed, window)
        for first, lanes in _shared_out(len(numbers))
    ]
    return np.concatenate(found)


def _shared_out(count: int) -> Iterator[tuple[int, int]]:
    """Yield from which replication on how many are run side by side."""
    first = 0
    while first < count:
        lanes = max((each for each in LANES if each <= count - first), default=1)
        if lanes > 1 and count - first <= 3 * lanes // 4:
            lanes = 1
        yield first, lanes
        first += lanes


class Tandem:
    """A line that fits, as the recursion wants it."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.row = chain(line)
        self.tables = tables.build(line, until=0.0)
        places = {name: place for place, name in enumerate(line.stations)}
        self.order = np.asarray([places[name] for name in self.row], np.int64)
        self.plans = np.asarray([self._plan(place) for place in range(len(self.row))], np.int64)
        product = self.tables.table("products")[0]
        arrives = line.products[line.product_names[0]].into if product.slot != NONE else ""
        skips = self._skips(0) + (_initial(line, arrives) if arrives else 0)
        self.arrivals = np.asarray(
            [product.every if arrives else NONE, product.stream, 0, 0, 0, skips], np.int64
        )
        self.inputs = [arrives, *(_between(line, name) for name in self.row[:-1])]

    def _plan(self, place: int) -> list[int]:
        station = self.tables.table("stations")[self.order[place]]
        server = self.tables.table("servers")[station.first]
        capacity = recursion.UNLIMITED
        if place < len(self.row) - 1:
            given = self.line.buffers[_between(self.line, self.row[place])].capacity
            capacity = recursion.UNLIMITED if given is None else given
        return [station.cycle, station.stream, server.mode, server.modes, capacity,
                self._skips(place)]  # fmt: skip

    def _skips(self, place: int) -> int:
        """Return how many of the parts lie behind a station at the beginning."""
        return sum(_initial(self.line, _between(self.line, name)) for name in self.row[place:-1])

    def run(
        self, numbers: np.ndarray[Any, Any], lanes: int, seed: int, window: tuple[float, float]
    ) -> FloatArray:
        """Return the results of up to so many replications."""
        padded = np.concatenate([numbers, np.repeat(numbers[-1:], lanes - len(numbers))])
        shares = np.zeros(len(self.row) * 2 * lanes)
        memory, depth = self._memory(lanes)
        periods = bottleneck.unknown(lanes, self.order, shares, window)
        while recursion.recurse(
            (0,) * lanes, self.tables.world, memory, periods, depth, word(seed), padded, window
        ):
            periods = bottleneck.grown(periods)
        each = [array.reshape(len(self.row), -1, lanes) for array in (memory.sums, shares)]
        used = slice(len(numbers))
        return self._columns(
            np.concatenate(each, axis=1)[:, :, used],
            memory.totals.reshape(-1, lanes)[:, used],
            window,
        )

    def _memory(self, lanes: int) -> tuple[Memory, int]:
        """Return empty memory for so many lanes, and how deep its ring is."""
        stations = len(self.row)
        streams = len(self.tables.table("streams")) * lanes
        depth = int(self.plans[:, recursion.CAPACITY].max()) + 1
        depth = max(depth, 1)
        leads = np.zeros(lanes)
        lowest_class, edges = recursion.lead_classes()
        memory = Memory(
            plans=self.plans,
            arrivals=self.arrivals,
            states=_words(streams),
            strides=_words(streams),
            left=np.zeros(len(self.tables.table("modes")) * lanes),
            ring=np.zeros((stations * depth + 2) * lanes),
            now=np.zeros(6 * lanes),
            leads=leads,
            bits=leads.view(np.int64),
            lowest_class=lowest_class,
            edges=edges,
            sums=np.zeros(stations * recursion.SUMS * lanes),
            totals=np.zeros((recursion.LEADS + BINS) * lanes),
            parts=np.zeros(1, np.int64),
        )
        return memory, depth

    def _columns(
        self, sums: FloatArray, totals: FloatArray, window: tuple[float, float]
    ) -> FloatArray:
        """Return one row for each replication, in the order of `replicate.collect`."""
        counted = window[1] - window[0]
        made, lead, wip = totals[: recursion.LEADS]
        late = [_quantile(each, 0.9) for each in totals[recursion.LEADS :].T]
        level = np.zeros((len(made), len(self.line.buffers)))
        places = {name: place for place, name in enumerate(self.line.buffers)}
        for place, buffer in enumerate(self.inputs):
            if buffer:
                level[:, places[buffer]] = sums[place, recursion.LEVEL] / counted
        each = np.zeros((len(made), len(self.row), 11))
        for place, station in enumerate(self.order):
            each[:, station] = _station_columns(sums[place], counted)
        return np.column_stack(
            [
                np.divide(lead, made, out=np.full(len(made), math.nan), where=made > 0),
                late, wip / counted, made, np.zeros((len(made), 3)), level,
                each.reshape(len(made), -1),
            ]
        )  # fmt: skip


def _station_columns(sums: FloatArray, counted: float) -> FloatArray:
    columns = np.zeros((sums.shape[1], 11))
    columns[:, 0] = sums[recursion.DONE]
    columns[:, 1] = sums[recursion.SUMS] / counted
    columns[:, 2] = sums[recursion.SUMS + 1] / counted
    times = columns[:, 3:]
    for state, row in (("starved", recursion.STARVED), ("blocked", recursion.BLOCKED),
                       ("down", recursion.DOWN)):  # fmt: skip
        times[:, STATES.index(state)] = sums[row]
    times[:, STATES.index("running")] = counted - times.sum(axis=1)
    return columns


def _quantile(bins: FloatArray, share: float) -> float:
    """Return the lead time that a share of the parts did not exceed, as `replicate.quantile`."""
    upto = np.cumsum(bins)
    wanted = share * float(upto[-1])
    if wanted == 0:
        return math.nan
    k = int(np.searchsorted(upto, wanted))
    within = (wanted - float(upto[k] - bins[k])) / float(bins[k])
    return 1e-3 * 2.0 ** ((k - 1 + within) / CLASSES) if k else 0.0


def _words(count: int) -> Any:
    """Return so many words of 64 bits; where the kernel is interpreted, of any."""
    return np.zeros(count, np.uint64) if COMPILED else [0] * count
