"""A production line as a table of its parts: what the kernel simulates and a twin learns."""

from __future__ import annotations

import tomllib
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
from .problems import problems_of
from .ways import distances, places, teams

__all__ = [
    "OUT", "SCRAP", "STATES", "Buffer", "Crew", "Failure", "Lever", "Line", "Maintenance",
    "Operators", "Order", "Product", "Quality", "Ride", "Server", "Snapshot", "Station", "Vehicles",
    "check", "distances", "places", "problems_of", "read", "teams",
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
    if line is None:
        raise FactoryError([_fault(problem, file) for problem in problems])
    check(line, file)
    return line


def check(line: Line, file: str = "line") -> None:
    """Raise FactoryError with every name that a line uses and lacks, and all that cannot work."""
    if problems := list(problems_of(line)):
        raise FactoryError([_fault(problem, file) for problem in problems])


def _fault(problem: Problem, file: str) -> Fault:
    key = ".".join(str(part) for part in problem.key) or "line"
    return Fault(
        file=file, key=key, value=problem.value, problem=problem.problem, remedy=problem.remedy
    )
