"""A production line as a table of its parts: what the kernel simulates and a twin learns."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.strict import Problem
from deungdae.model.calendar import Calendar

from .parts import (
    OUT,
    SCRAP,
    STATES,
    Buffer,
    Crew,
    Failure,
    Lever,
    Maintenance,
    Operators,
    Order,
    Product,
    Quality,
    Ride,
    Server,
    Snapshot,
    Station,
    Vehicles,
)

__all__ = [
    "OUT", "SCRAP", "STATES", "Buffer", "Crew", "Failure", "Lever", "Line", "Maintenance",
    "Operators", "Order", "Product", "Quality", "Ride", "Server", "Snapshot", "Station",
    "Vehicles", "read",
]  # fmt: skip

ANY = "part"  # the product of a line that names none


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line. The order of the tables is the order of all results."""

    name: Annotated[str, Meta(description="Name in reports")] = "line"
    timezone: Annotated[str, Meta(description="IANA time zone of the calendars")] = "UTC"
    stations: dict[str, Station]
    buffers: dict[str, Buffer] = {}
    products: dict[str, Product] = {}
    crews: dict[str, Crew] = {}
    operators: dict[str, Operators] = {}
    vehicles: dict[str, Vehicles] = {}
    paths: Annotated[
        dict[str, Annotated[float, Meta(gt=0)]],
        Meta(description="Ways of vehicles: `a-b` both ways, `a>b` one way", extra={"unit": "m"}),
    ] = {}
    calendars: dict[str, Calendar] = {}
    orders: tuple[Order, ...] = ()
    sequence: Annotated[
        tuple[str, ...],
        Meta(
            description="Products in the order in which stations without input begin them, over "
            "and over; empty: by their shares, at random"
        ),
    ] = ()
    levers: Annotated[
        tuple[Lever, ...], Meta(description="What `twin improve` may change; no simulation sees it")
    ] = ()
    warm_up: Annotated[
        float, Meta(ge=0, description="Time before anything is counted", extra={"unit": "s"})
    ] = 0.0

    @property
    def product_names(self) -> tuple[str, ...]:
        """Return the names of all products; a line without any makes ANY."""
        return tuple(self.products) or (ANY,)


def read(text: str, file: str = "line.toml") -> Line:
    """Return the line that a TOML text describes. Raises FactoryError with every fault."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = Fault(file=file, key="file", problem=f"is no TOML: {error}")
        raise FactoryError([fault]) from error
    line, problems = strict.decode(Line, table)
    if line is not None:
        problems = list(problems_of(line))
    if problems or line is None:
        raise FactoryError([_fault(problem, file) for problem in problems])
    return line


def _fault(problem: Problem, file: str) -> Fault:
    key = ".".join(str(part) for part in problem.key) or "line"
    return Fault(
        file=file, key=key, value=problem.value, problem=problem.problem, remedy=problem.remedy
    )


def problems_of(line: Line) -> Iterator[Problem]:
    """Yield every name that a table uses and no table declares."""
    for name, station in line.stations.items():
        yield from _station(line, name, station)
    for name, buffer in line.buffers.items():
        if isinstance(buffer.initial, dict):
            yield from _known(("buffers", name, "initial"), buffer.initial, line.product_names)
        if buffer.ride is not None:
            key = ("buffers", name, "ride")
            yield from _known((*key, "vehicles"), [buffer.ride.vehicles], line.vehicles)
            yield from _known((*key, "start"), [buffer.ride.start], places(line))
            yield from _known((*key, "end"), [buffer.ride.end], places(line))
    for name, product in line.products.items():
        yield from _known(("products", name, "route"), product.route, line.stations)
        if product.into:
            yield from _known(("products", name, "into"), [product.into], line.buffers)
    for kind in ("crews", "operators"):
        for name, people in getattr(line, kind).items():
            if people.calendar:
                yield from _known((kind, name, "calendar"), [people.calendar], line.calendars)
    for number, order in enumerate(line.orders):
        yield from _known(("orders", number, "product"), [order.product], line.product_names)
    yield from _known(("sequence",), line.sequence, line.product_names)
    if not line.stations:
        yield Problem(("stations",), None, "there is none", "write [stations.press] with a cycle")


def _station(line: Line, name: str, station: Station) -> Iterator[Problem]:
    key = ("stations", name)
    ends = (*line.buffers, OUT, SCRAP)
    yield from _known((*key, "from"), station.takes_from, line.buffers)
    yield from _known((*key, "to"), station.goes_to, ends)
    yield from _known((*key, "needs"), station.needs, line.buffers)
    yield from _known((*key, "products"), station.products, line.product_names)
    if station.makes:
        yield from _known((*key, "makes"), [station.makes], line.product_names)
    if station.rework_to:
        yield from _known((*key, "rework_to"), [station.rework_to], line.buffers)
    if station.quality is not None:
        yield from _known((*key, "quality", "to"), [station.quality.to], ends)
    if station.calendar:
        yield from _known((*key, "calendar"), [station.calendar], line.calendars)
    if isinstance(station.cycle, dict):
        yield from _known((*key, "cycle"), station.cycle, line.product_names)
        for product in station.products or line.product_names:
            if product not in station.cycle:
                yield Problem((*key, "cycle", product), None, "is missing", "say how long it takes")
    crews = [each.crew for each in station.failures] + [each.crew for each in station.maintenance]
    yield from _known((*key, "crew"), filter(None, crews), line.crews)
    skills = {skill for group in line.operators.values() for skill in group.skills}
    yield from _known((*key, "operators"), station.operators, skills)
    for skill, count in station.operators.items():
        most = sum(group.count for group in line.operators.values() if skill in group.skills)
        if skill in skills and count > most:
            yield Problem((*key, "operators", skill), count, f"only {most} people can do that")


def places(line: Line) -> tuple[str, ...]:
    """Return the places that paths join, in the order in which they appear."""
    found: dict[str, None] = {}
    for path in line.paths:
        for place in path.replace(">", "-").split("-"):
            found[place] = None
    return tuple(found)


def _known(
    key: tuple[str | int, ...], names: Iterable[str], declared: Iterable[str] | Mapping[str, object]
) -> Iterator[Problem]:
    known = list(declared)
    for name in names:
        if name not in known:
            remedy = strict.closest(name, known) or f"known: {', '.join(known) or 'none'}"
            yield Problem(key, name, "is not declared", remedy)
