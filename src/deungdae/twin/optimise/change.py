"""What may be changed in a line, and how people write it: `press-2.cycle=-10%`.

    change    = target "=" value | "sequence" "=" product { "," product }
    target    = name "." field           name: of a station, buffer, product, crew, operators,
                                         vehicles; field: see FIELDS
    value     = number                   as it is then
              | distribution             `triangular(45, 60, 75)`, for times
              | "*" number               so many times what it was
              | ("+" | "-") number       so much more or less
              | ("+" | "-") number "%"   the same in percent of what it was

A time that is multiplied, or changed by percent or by seconds, keeps the form of its distribution.
`failures` and `maintenance` mean all of the station's; `failures.0.repair` means the first's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.sim import distribution
from deungdae.sim.line import STATES, Line
from deungdae.twin.replicate.twin import scaled

Kind = Literal["time", "whole", "share", "number"]

TABLES = ("stations", "buffers", "products", "crews", "operators", "vehicles")
FIELDS: dict[str, dict[str, Kind]] = {
    "stations": {
        "cycle": "time",
        "setup": "time",
        "servers": "whole",
        "batch": "whole",
        "scrap": "share",
        "rework": "share",
        "failures.every": "time",
        "failures.repair": "time",
        "maintenance.every": "number",
        "maintenance.length": "time",
        **{f"power.{state}": "number" for state in STATES},
    },
    "buffers": {"capacity": "whole", "delay": "time"},
    "products": {"share": "number", "arrival": "time"},
    "crews": {"size": "whole"},
    "operators": {"count": "whole"},
    "vehicles": {"count": "whole", "speed": "number"},
}
LOWEST: dict[str, float] = {
    "servers": 1, "batch": 1, "operators.count": 0, "vehicles.count": 1, "size": 0, "capacity": 0,
}  # fmt: skip
SEQUENCE = "sequence"

_VALUE = re.compile(
    r"^(?P<how>[*+-]?)\s*(?P<number>\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+)\s*(?P<percent>%?)$"
)


class Change(msgspec.Struct, frozen=True):
    """One change. target: `name.field` or `sequence`; value: as written behind `=`."""

    target: str
    value: str

    @staticmethod
    def parse(text: str) -> Change:
        """Return the change that a text means. Raises FactoryError where it is none."""
        target, equals, value = text.partition("=")
        if not equals or not target.strip() or not value.strip():
            raise _fault(text, None, "is no change", "write press-2.cycle=-10%")
        return Change(target.strip(), value.strip())

    def __str__(self) -> str:
        return f"{self.target}={self.value}"


class Place(msgspec.Struct, frozen=True):
    """Where a target lies in a line. index: of one failure or maintenance, None for all."""

    table: str
    name: str
    field: str
    kind: Kind
    index: int | None = None


def apply(line: Line, changes: Sequence[Change]) -> Line:
    """Return the line with the changes made, in their order. Raises FactoryError."""
    for change in changes:
        line = _apply(line, change)
    return line


def locate(line: Line, target: str) -> Place:
    """Return where a target lies. Raises FactoryError, naming what is known."""
    for table in TABLES:
        # names may hold dots: the longest that is known counts
        names = sorted(getattr(line, table), key=len, reverse=True)
        for name in names:
            if target.startswith(f"{name}."):
                return _field(line, table, name, target[len(name) + 1 :], target)
    known = [name for table in TABLES for name in getattr(line, table)]
    head = target.rpartition(".")[0] or target
    remedy = strict.closest(head, known) or f"known: {', '.join(known)}, or sequence=…"
    raise _fault(target, None, f"{head!r} is nothing in this line", remedy)


def value_at(line: Line, place: Place) -> Any:
    """Return what stands there now; of several failures, the first's."""
    item = getattr(line, place.table)[place.name]
    head, _, tail = place.field.partition(".")
    value = getattr(item, head)
    if head == "power":
        return value.get(tail, value.get("starved", 0.0))
    if tail:
        value = getattr(value[place.index or 0], tail)
    return value


def _field(line: Line, table: str, name: str, written: str, target: str) -> Place:
    match = re.fullmatch(r"(failures|maintenance)\.(\d+)\.(\w+)", written)
    index = int(match[2]) if match else None
    field = f"{match[1]}.{match[3]}" if match else written
    kind = FIELDS[table].get(field)
    if kind is None:
        remedy = strict.closest(field, FIELDS[table]) or f"known: {', '.join(FIELDS[table])}"
        raise _fault(target, None, f"{written!r} cannot be changed", remedy)
    item = getattr(line, table)[name]
    head = field.partition(".")[0]
    if head in ("failures", "maintenance"):
        count = len(getattr(item, head))
        if not count or (index is not None and index >= count):
            raise _fault(target, None, f"{name} has {count} {head}", "none of them can be changed")
    elif getattr(item, head) is None:
        raise _fault(target, None, f"{name} has no {head}", "give it one in the line file")
    return Place(table, name, field, kind, index)


def _apply(line: Line, change: Change) -> Line:
    if change.target == SEQUENCE:
        return _sequence(line, change)
    place = locate(line, change.target)
    items = dict(getattr(line, place.table))
    item = items[place.name]
    head, _, tail = place.field.partition(".")
    old = getattr(item, head)
    if head == "power":
        new: Any = {**old, tail: _changed(change, place, old.get(tail, old.get("starved", 0.0)))}
    elif tail:
        new = tuple(
            msgspec.structs.replace(each, **{tail: _changed(change, place, getattr(each, tail))})
            if place.index in (None, number) else each
            for number, each in enumerate(old)
        )  # fmt: skip
    else:
        new = _changed(change, place, old)
    try:
        items[place.name] = msgspec.structs.replace(item, **{head: new})
    except ValueError as error:
        raise _fault(change.target, change.value, str(error), "") from error
    return msgspec.structs.replace(line, **{place.table: items})


def _sequence(line: Line, change: Change) -> Line:
    sequence = tuple(part.strip() for part in change.value.split(","))
    for product in sequence:
        if product not in line.product_names:
            known = ", ".join(line.product_names)
            raise _fault(SEQUENCE, change.value, f"{product!r} is no product", f"known: {known}")
    return msgspec.structs.replace(line, sequence=sequence)


def _changed(change: Change, place: Place, old: Any) -> Any:
    """Return the new value of one field."""
    match = _VALUE.match(change.value)
    if place.kind == "time":
        return _time(change, match, old)
    if match is None:
        remedy = "write 20, +5, -10% or *0.5"
        raise _fault(change.target, change.value, "is no number", remedy)
    new = _number(match, float(old))
    short = place.field.rpartition(".")[2]
    lowest = LOWEST.get(f"{place.table}.{short}", LOWEST.get(short, 0.0))
    if place.kind == "whole":
        if abs(new - round(new)) > 1e-9 and match["how"] != "*" and not match["percent"]:
            raise _fault(change.target, change.value, "must be a whole number", "")
        new = round(new)
    if new < lowest or (place.kind == "share" and new > 1):
        most = " to 1" if place.kind == "share" else " or more"
        raise _fault(change.target, change.value, f"makes it {new:g}", f"{lowest:g}{most}")
    return new


def _time(change: Change, match: re.Match[str] | None, old: Any) -> Any:
    if match is None or not match["how"]:
        try:
            distribution.parse(change.value)
        except ValueError as error:
            raise _fault(change.target, None, str(error), "") from error
        if isinstance(old, dict):
            return dict.fromkeys(old, change.value)
        return change.value
    if isinstance(old, dict):
        return {name: _stretched(change, match, value) for name, value in old.items()}
    return _stretched(change, match, old)


def _stretched(change: Change, match: re.Match[str], old: str | float) -> Any:
    mean = distribution.parse(old).mean
    new = _number(match, mean)
    if new <= 0 or mean <= 0:
        problem = f"makes a time of {mean:g} s one of {new:g} s"
        raise _fault(change.target, change.value, problem, "it must stay above 0")
    return scaled(old, new / mean)


def _number(match: re.Match[str], old: float) -> float:
    number = float(match["number"])
    if match["how"] == "*":
        return old * number
    if not match["how"]:
        return old * number / 100 if match["percent"] else number
    signed = number if match["how"] == "+" else -number
    return old * (1 + signed / 100) if match["percent"] else old + signed


def _fault(key: str, value: object, problem: str, remedy: str) -> FactoryError:
    return FactoryError(
        [Fault(file="change", key=key, value=value, problem=problem, remedy=remedy)]
    )
