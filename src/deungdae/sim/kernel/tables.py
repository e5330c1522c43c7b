"""From a line to the tables of the engine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from deungdae.sim import distribution
from deungdae.sim.distribution import Distribution
from deungdae.sim.line import OUT, SCRAP, Line, Station

from . import engine, rows, stream
from .rows import NONE, Ints, World

R = TypeVar("R")
ANY_NUMBER = 1 << 60
LEAVES = 32  # more slots than these are worth a tree


class Tables:
    """The rows of each table, as they come to be."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.rows: dict[type, list[Any]] = {}
        self.inputs: list[int] = []
        self.numbers: list[float] = []
        self.buffer = {name: place for place, name in enumerate(line.buffers)}
        self.buffer |= {OUT: engine.OUT, SCRAP: engine.SCRAP}
        self.product = {name: place for place, name in enumerate(line.product_names)}

    def add(self, row: type[R], **values: Any) -> int:
        """Add a row to its table; return its place."""
        return self.extend(row, [values])

    def extend(self, row: type[R], many: Iterable[dict[str, Any]]) -> int:
        """Add rows to their table; return the place of the first."""
        table = self.rows.setdefault(row, [])
        table.extend(many)
        return len(table) - len(list(many))

    def spread(self, given: Distribution) -> int:
        """Add a spread."""
        return self.add(rows.Spread, **self._spread(given))

    def _spread(self, given: Distribution) -> dict[str, Any]:
        values = given.parameters
        match given.kind:
            case "constant":
                return {"kind": stream.CONSTANT, "a": values[0]}
            case "uniform":
                return {"kind": stream.UNIFORM, "a": values[0], "b": values[1] - values[0]}
            case "triangular":
                return _triangular(*values)
            case "exponential":
                return {"kind": stream.EXPONENTIAL, "a": values[0]}
            case "normal":
                return {"kind": stream.NORMAL, "a": values[0], "b": values[1]}
            case "lognormal":
                width = math.log1p((values[1] / values[0]) ** 2)
                middle = math.log(values[0]) - width / 2
                return {"kind": stream.LOGNORMAL, "a": middle, "b": math.sqrt(width)}
            case "gamma":
                return {"kind": stream.GAMMA, "a": values[0], "b": values[1]}
            case "erlang":
                return {"kind": stream.GAMMA, "a": values[0], "b": values[1] / values[0]}
            case "weibull":
                return {"kind": stream.WEIBULL, "a": 1 / values[0], "b": values[1]}
            case "geometric":
                chance = math.log1p(-values[0]) if values[0] < 1 else -math.inf
                return {"kind": stream.GEOMETRIC, "a": chance, "b": values[1]}
        self.numbers.extend(values)
        first = len(self.numbers) - len(values)
        return {"kind": stream.EMPIRICAL, "first": first, "count": len(values)}

    def streams(self, *names: str) -> int:
        """Add streams, each known by its name alone; return the place of the first."""
        return self.extend(rows.Stream, [{"key": _key(name)} for name in names])

    def branches(self, goals: dict[str, float], places: dict[str, int]) -> int:
        """Add the ways of a table of shares."""
        upto = np.cumsum(list(goals.values())) / sum(goals.values())
        pairs = zip(goals, upto, strict=True)
        return self.extend(
            rows.Branch, [{"goal": places[goal], "upto": float(share)} for goal, share in pairs]
        )

    def filled(self, row: type[R]) -> list[R]:
        """Return a table of the engine with all rows of a kind."""
        return rows.table(row, max(1, len(self.rows.get(row, []))), self.rows.get(row, []))


def _triangular(low: float, mode: float, high: float) -> dict[str, Any]:
    width = high - low
    return {
        "kind": stream.TRIANGULAR, "a": low, "b": high, "c": (mode - low) / width if width else 0.0,
        "d": width * (mode - low), "e": width * (high - mode),
    }  # fmt: skip


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def build(line: Line) -> World:
    """Return the tables of a line at its beginning."""
    tables = Tables(line)
    takers: dict[str, list[int]] = {name: [] for name in line.buffers}
    for s, (name, station) in enumerate(line.stations.items()):
        _station(tables, name, station)
        for b in station.takes_from:
            takers[b].append(s)
    listed: list[int] = []
    for name, buffer in line.buffers.items():
        tables.add(
            rows.Buffer, capacity=ANY_NUMBER if buffer.capacity is None else buffer.capacity,
            head=NONE, tail=NONE, blocked=NONE, last=NONE, taker=len(listed),
            takers=len(takers[name]), initial=buffer.initial,
        )  # fmt: skip
        listed += takers[name]
    servers = len(tables.rows[rows.Server])
    _products(tables, servers)
    slots = servers + len(tables.rows.get(rows.Slot, []))
    leaves = slots if slots > LEAVES else 0
    initial = sum(row["initial"] for row in tables.rows.get(rows.Buffer, []))
    reserve = servers + 4
    tables.add(
        rows.Clock, servers=servers, tree=leaves, free=NONE, oldest=NONE, bottleneck=NONE,
        reserve=reserve,
    )  # fmt: skip
    return _world(tables, listed, slots, initial + 2 * reserve + 64)


def _station(tables: Tables, name: str, station: Station) -> None:
    line = tables.line
    cycles = [tables.spread(station.cycle_of(product)) for product in line.product_names]
    first = len(tables.rows.get(rows.Server, []))
    goals = station.goes_to
    branch = tables.branches(goals, tables.buffer)
    purposes = ("cycle", "fate", "way", "product", "setup", "defect", "inspection", "start")
    menu = dict.fromkeys(line.product_names, 1.0)
    menu = {
        name: each.share for name, each in line.products.items() if each.arrival is None
    } or menu
    inputs = station.takes_from
    tables.add(
        rows.Station, first=first, count=station.servers, input=len(tables.inputs),
        inputs=len(inputs), cycle=cycles[0], by_product=int(isinstance(station.cycle, dict)),
        goal=tables.buffer[next(iter(goals))] if len(goals) == 1 else engine.SPLIT, branch=branch,
        branches=len(goals),
        stream=tables.streams(*(f"{name}/{purpose}" for purpose in purposes)),
        scrap=station.scrap, rework=station.rework,
        rework_to=tables.buffer.get(station.rework_to, NONE),
        menu=tables.branches(menu, tables.product), menus=len(menu), pace=1.0,
    )  # fmt: skip
    tables.inputs += [tables.buffer[b] for b in inputs]
    for number in range(station.servers):
        mode = len(tables.rows.get(rows.Mode, []))
        for place, failure in enumerate(station.failures):
            where = f"{name}/{number}/failure/{place}"
            tables.add(
                rows.Mode, every=tables.spread(distribution.parse(failure.every)),
                repair=tables.spread(distribution.parse(failure.repair)),
                stream=tables.streams(f"{where}/every", f"{where}/repair"),
            )  # fmt: skip
        tables.add(
            rows.Server, station=len(tables.rows[rows.Station]) - 1, task=NONE, halt=NONE,
            state=engine.STARVED, part=NONE, mode=mode, modes=len(station.failures), blocked=NONE,
            next=NONE, ends=NONE, cause=NONE,
        )  # fmt: skip


def _products(tables: Tables, servers: int) -> None:
    for place, name in enumerate(tables.line.product_names):
        product = tables.line.products.get(name)
        if product is None or product.arrival is None:
            tables.add(rows.Product, slot=NONE)
            continue
        slot = servers + tables.add(rows.Slot, kind=engine.ARRIVAL, index=place)
        tables.add(
            rows.Product, slot=slot, every=tables.spread(distribution.parse(product.arrival)),
            into=tables.buffer[product.into], stream=tables.streams(f"{name}/arrival"),
        )  # fmt: skip


def _world(tables: Tables, takers: list[int], slots: int, parts: int) -> World:
    servers = len(tables.rows[rows.Server])
    slot_rows = tables.rows.get(rows.Slot, [])
    tables.rows[rows.Slot] = [{} for _ in range(servers)] + slot_rows
    return World(
        clock=tables.filled(rows.Clock),
        stations=tables.filled(rows.Station),
        servers=tables.filled(rows.Server),
        buffers=tables.filled(rows.Buffer),
        parts=rows.table(rows.Part, parts),
        modes=tables.filled(rows.Mode),
        products=tables.filled(rows.Product),
        branches=tables.filled(rows.Branch),
        slots=tables.filled(rows.Slot),
        spreads=tables.filled(rows.Spread),
        streams=tables.filled(rows.Stream),
        periods=rows.table(rows.Period, servers + 2),
        inputs=_ints(tables.inputs),
        takers=_ints(takers),
        agenda=_ints([0] * (len(tables.rows[rows.Station]) + 1)),
        due=rows.array([math.inf] * slots, np.float64),
        tree=_ints([0] * max(2, slots)),
        numbers=rows.array(tables.numbers or [0.0], np.float64),
        classes=_ints([0] * 640),
        notes=None,
    )


def _ints(values: list[int]) -> Ints:
    return rows.array(values or [0], np.int64)
