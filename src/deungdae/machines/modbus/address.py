"""How a place in a Modbus device is spelled: `[unit/]table/number[?type[,order][,bit=n]]`."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

import msgspec

Table: TypeAlias = Literal["coil", "discrete", "input", "holding"]
Order: TypeAlias = Literal["ABCD", "CDAB", "BADC", "DCBA"]
Numbering: TypeAlias = Literal["protocol", "one", "traditional"]

TABLES: tuple[Table, ...] = get_args(Table)
ORDERS: tuple[Order, ...] = get_args(Order)
BITS = ("coil", "discrete")
REGISTERS = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4,
    "float32": 2, "float64": 4, "bool": 1, "bcd16": 1, "bcd32": 2,
}  # fmt: skip
_LEADING = {"coil": 0, "discrete": 1, "input": 3, "holding": 4}
_SHAPE = re.compile(r"(?:(\d{1,3})/)?([^/?]+)/(\d{1,6})(?:\?(.*))?")
_RANGE = re.compile(r"(?:(\d{1,3})/)?([^/?]+)/(\d{1,6})-(\d{1,6})")
_SYNTAX = "write [unit/]table/number[?type[,order][,bit=n]], e.g. holding/120?float32,CDAB"


class Defaults(msgspec.Struct, frozen=True):
    """What an address means where it is silent: the options of its machine."""

    unit: int = 1
    numbering: Numbering = "protocol"
    order: Order = "ABCD"


class Point(msgspec.Struct, frozen=True):
    """One value in a device: number is zero-based, size counts registers (or bits)."""

    unit: int
    table: Table
    number: int
    type: str
    order: Order
    bit: int | None
    size: int

    @property
    def end(self) -> int:
        """Return the number behind the last register or bit."""
        return self.number + self.size


class Span(msgspec.Struct, frozen=True):
    """A range of one table of one unit, both ends included, zero-based."""

    unit: int
    table: Table
    first: int
    last: int

    def holds(self, point: Point) -> bool:
        """Return whether a point begins in the range."""
        here = (self.unit, self.table) == (point.unit, point.table)
        return here and self.first <= point.number <= self.last


def parse(address: str, defaults: Defaults) -> Point:
    """Return the point that an address names. Raises ValueError with a remedy."""
    shape = _SHAPE.fullmatch(address)
    if shape is None:
        raise ValueError(f"{address!r} is no Modbus address: {_SYNTAX}")
    table = _table(shape[2])
    type, order, bit = _how(address, table, shape[4] or "", defaults)
    size = size_of(type)
    number = zero_based(table, int(shape[3]), defaults.numbering)
    if number + size > 65_536:
        raise ValueError(f"{address!r} ends behind 65535, the last {table} that Modbus can name")
    return Point(_unit(shape[1], defaults), table, number, type, order, bit, size)


def reads_traditional(address: str) -> bool:
    """Return whether an address makes sense in the traditional numbering."""
    try:
        parse(address, Defaults(numbering="traditional"))
    except ValueError:
        return False
    return True


def span(text: str, defaults: Defaults) -> Span:
    """Return the range that `[unit/]table/first-last` names. Raises ValueError with a remedy."""
    shape = _RANGE.fullmatch(text)
    if shape is None:
        raise ValueError(f"{text!r} is no range: write [unit/]table/first-last, holding/0-199")
    table = _table(shape[2])
    first, last = (zero_based(table, int(shape[i]), defaults.numbering) for i in (3, 4))
    if last < first:
        raise ValueError(f"{text!r} ends before it begins: write the smaller number first")
    return Span(_unit(shape[1], defaults), table, first, last)


def spell(unit: int, table: Table, number: int, defaults: Defaults) -> str:
    """Return the address of a zero-based number, as a person writes it for that machine."""
    if defaults.numbering != "protocol":
        number += 1
    if defaults.numbering == "traditional":
        number += _LEADING[table] * (10_000 if number < 10_000 else 100_000)
    return ("" if unit == defaults.unit else f"{unit}/") + f"{table}/{number}"


def zero_based(table: Table, number: int, numbering: Numbering) -> int:
    """Return the number that goes over the wire. Raises ValueError with a remedy."""
    if numbering == "protocol":
        found = number
    elif numbering == "one":
        found = number - 1
    else:
        # 40001..49999 with four digits behind the table's digit, 400001..465536 with five
        found = number - _LEADING[table] * (10_000 if number < 100_000 else 100_000) - 1
        limit = 9_999 if 0 < number < 100_000 and table != "coil" else 65_536
        if not 0 <= found < limit:
            raise ValueError(
                f"{table}/{number} is not in the traditional numbering: {table} begins at "
                f'{_LEADING[table]}0001; or set numbering = "protocol" to count from 0'
            )
    if not 0 <= found <= 65_535:
        raise ValueError(f"{table}/{number} is outside 0 to 65535 (numbering {numbering!r})")
    return found


def size_of(type: str) -> int:
    """Return how many registers (or bits) a type takes."""
    if length := text_length(type):
        return (length + 1) // 2
    return REGISTERS[type]


def text_length(type: str) -> int:
    """Return n of `string(n)`, 0 for every other type."""
    shape = re.fullmatch(r"string\((\d{1,3})\)", type)
    return int(shape[1]) if shape else 0


def _table(name: str) -> Table:
    for table in TABLES:
        if table == name:
            return table
    raise ValueError(f"{name!r} is no Modbus table: use one of {', '.join(TABLES)}")


def _unit(text: str | None, defaults: Defaults) -> int:
    unit = defaults.unit if text is None else int(text)
    if unit > 255:
        raise ValueError(f"unit {unit} does not exist: a unit is 0 to 255")
    return unit


def _how(
    address: str, table: Table, words: str, defaults: Defaults
) -> tuple[str, Order, int | None]:
    type, order, bit = "bool" if table in BITS else "uint16", defaults.order, None
    for place, word in enumerate(words.split(",") if words else []):
        if place == 0 and (word in REGISTERS or 0 < text_length(word) <= 250):
            type = word
        elif word in ORDERS:
            order = next(known for known in ORDERS if known == word)
        elif shape := re.fullmatch(r"bit=(\d|1[0-5])", word):
            bit = int(shape[1])
        else:
            raise ValueError(
                f"{address!r}: {word!r} is neither a type ({', '.join(REGISTERS)}, "
                f"string(1) to string(250)), nor an order ({', '.join(ORDERS)}), nor bit=0 to 15"
            )
    if table in BITS and (type != "bool" or bit is not None):
        raise ValueError(f"{address!r}: a {table} is one bit; leave type and bit away")
    if bit is not None and type != "bool":
        raise ValueError(f"{address!r}: bit={bit} needs the type bool: ?bool,bit={bit}")
    return type, order, bit
