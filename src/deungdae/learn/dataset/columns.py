"""Columns of a table that people wrote: which hold numbers, which text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from .item import RESERVED, Column, Value

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "inf", "-inf"})


def typed(
    rows: Sequence[Mapping[str, object]], names: Sequence[str], units: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Value, ...]]]:
    """Return the columns of a table and each row's values.

    A column is of numbers where everything in it is a number or missing. A name that every set has
    for itself gets a _ behind it.
    """
    columns: list[Column] = []
    values: list[list[Value]] = []
    for name in names:
        given = [row.get(name) for row in rows]
        numbers = [_number(value) for value in given]
        kept = f"{name}_" if name in RESERVED else name
        missing = [_is_missing(value) for value in given]
        if all(n is not None or gone for n, gone in zip(numbers, missing, strict=True)):
            columns.append(Column(name=kept, unit=units.get(name, "1")))
            values.append(list(numbers))
        else:
            columns.append(Column(name=kept, kind="text"))
            values.append([None if value in (None, "") else str(value) for value in given])
    return columns, [tuple(row) for row in zip(*values, strict=True)] if values else [()] * len(
        rows
    )


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or (isinstance(value, float) and not isfinite(value))


def _number(value: object) -> float | None:
    """Return a number that keeps every digit as float64, or None."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        if "_" in value:
            return None  # Python reads 1_000, nobody else does
    elif isinstance(value, bool | int | float):
        number = float(value)
        if isinstance(value, int) and int(number) != value:
            return None
    else:
        return None
    return number if isfinite(number) else None
