"""Rows of the engine's tables as they come to be, and what several of them share."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from deungdae.core.types import SECOND
from deungdae.sim import distribution
from deungdae.sim.distribution import Distribution
from deungdae.sim.line import OUT, SCRAP, Line, Snapshot

from . import codes, stream
from .rows import NONE
from .stages import Stages

Row = dict[str, Any]


class Tables:
    """The rows of each table, as they come to be."""

    def __init__(self, line: Line, start: Snapshot | None, origin: int, until: float) -> None:
        self.line = line
        self.start = start
        self.origin = origin
        self.until = until
        self.stages = Stages(line)
        self.rows: dict[str, list[Row]] = {}
        self.buffer = {name: place for place, name in enumerate(line.buffers)}
        self.buffer |= {OUT: codes.OUT, SCRAP: codes.SCRAP}
        self.product = {name: place for place, name in enumerate(line.product_names)}
        self.crew = {name: place for place, name in enumerate(line.crews)} | {"": NONE}
        self.families = families(line)
        self.later: list[tuple[Row, str, Row]] = []  # slots, which come after those of servers
        self._spans: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def add(self, table: str, **values: Any) -> int:
        """Add a row to a table; return its place."""
        rows = self.rows.setdefault(table, [])
        rows.append(values)
        return len(rows) - 1

    def count(self, table: str) -> int:
        """Return how many rows a table has so far."""
        return len(self.rows.get(table, ()))

    def slot(self, row: Row, kind: int, index: int, *, key: str = "slot", **values: Any) -> None:
        """Give a row a slot of the event list, after those of the servers."""
        self.later.append((row, key, {"kind": kind, "index": index, "due": math.inf, **values}))

    def family(self, product: str) -> str:
        """Return the family of a product."""
        return family_of(self.line, product)

    def spread(self, given: Distribution | str | float) -> int:
        """Add a spread."""
        if not isinstance(given, Distribution):
            given = distribution.parse(given)
        if given.kind == "empirical":
            first = self.count("numbers")
            for value in given.parameters:
                self.add("numbers", value=value)
            return self.add(
                "spreads", kind=stream.EMPIRICAL, first=first, count=len(given.parameters)
            )
        return self.add("spreads", **_spread(given.kind, *given.parameters))

    def streams(self, *names: str) -> int:
        """Add streams, each known by its name alone; return the place of the first."""
        first = self.count("streams")
        for name in names:
            digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
            self.add("streams", key=int.from_bytes(digest, "little"))
        return first

    def branches(self, goals: dict[str, float], known: dict[str, int]) -> int:
        """Add the ways of a table of shares; return the place of the first."""
        first = self.count("branches")
        upto = np.cumsum(list(goals.values())) / sum(goals.values())
        for goal, share in zip(goals, upto, strict=True):
            self.add("branches", goal=known[goal], upto=float(share))
        return first

    def links(self, table: str, names: Iterable[str], amounts: Iterable[int] = ()) -> int:
        """Add buffers to a list of them; return the place of the first."""
        first = self.count(table)
        for name, amount in itertools.zip_longest(names, amounts, fillvalue=1):
            self.add(table, to=self.buffer[str(name)], amount=amount)
        return first

    def calendar(self, name: str, asset: str, row: Row, kind: int, index: int) -> bool:
        """Add a calendar to a row; return whether it is closed at time 0."""
        if not name:
            return False
        spans = self._planned(name, asset)
        closed = not spans or spans[0][0] > 0
        toggles = [t for span in spans for t in span if 0 < t < self.until]
        first = self.count("toggles")
        for time in toggles:
            self.add("toggles", time=time)
        shift: Row = {"kind": kind, "index": index, "toggle": first, "end": first + len(toggles)}
        place = self.add("shifts", **shift)
        self.slot(
            self.rows["shifts"][place], codes.CALENDAR, place,
            due=toggles[0] if toggles else math.inf,
        )  # fmt: skip
        return closed

    def _planned(self, name: str, asset: str) -> list[tuple[float, float]]:
        calendar = self.line.calendars[name]
        mine = asset if any(stop.assets for stop in calendar.stops) else ""
        if (name, mine) not in self._spans:
            end = self.origin + math.ceil(self.until) * SECOND
            zone = ZoneInfo(self.line.timezone)
            self._spans[name, mine] = [
                ((span.start - self.origin) / SECOND, (span.end - self.origin) / SECOND)
                for span in calendar.planned(self.origin, end, zone, mine)
            ]
        return self._spans[name, mine]

    def mode(
        self, n: int, name: str, every: str | float, repair: str | float, crew: int, *, timed: bool
    ) -> int:
        """Add a way in which server n fails; return its place."""
        m = self.add(
            "modes", every=self.spread(every), repair=self.spread(repair),
            stream=self.streams(f"{name}/every", f"{name}/repair"), crew=crew, server=n, slot=NONE,
        )  # fmt: skip
        if timed:
            self.slot(self.rows["modes"][m], codes.FAILS, m)
        return m


def family_of(line: Line, product: str) -> str:
    """Return the family of a product; one without is its own."""
    given = line.products.get(product)
    return (given.family if given else "") or product


def families(line: Line) -> list[str]:
    """Return all families of products."""
    return list(dict.fromkeys(family_of(line, product) for product in line.product_names))


def _spread(kind: str, a: float, b: float = 0.0, c: float = 0.0) -> Row:
    match kind:
        case "constant":
            return {"kind": stream.CONSTANT, "a": a}
        case "uniform":
            return {"kind": stream.UNIFORM, "a": a, "b": b - a}
        case "triangular":
            width = c - a
            return {
                "kind": stream.TRIANGULAR, "a": a, "b": c, "c": (b - a) / width if width else 0.0,
                "d": width * (b - a), "e": width * (c - b),
            }  # fmt: skip
        case "exponential":
            return {"kind": stream.EXPONENTIAL, "a": a}
        case "normal":
            return {"kind": stream.NORMAL, "a": a, "b": b}
        case "lognormal":
            square = math.log1p((b / a) ** 2)
            return {"kind": stream.LOGNORMAL, "a": math.log(a) - square / 2, "b": math.sqrt(square)}
        case "gamma":
            return {"kind": stream.GAMMA, "a": a, "b": b}
        case "erlang":
            return {"kind": stream.GAMMA, "a": a, "b": b / a}
        case "weibull":
            return {"kind": stream.WEIBULL, "a": 1 / a, "b": b}
        case _:  # geometric
            return {"kind": stream.GEOMETRIC, "a": math.log1p(-a) if a < 1 else -math.inf, "b": b}
