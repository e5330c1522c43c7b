"""A table of parts as columns: numbers, words, and what is missing; read from CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from math import isfinite

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import FactoryError, Fault
from deungdae.core.types import FloatArray

MISSING = frozenset({"", "-", "–", "na", "n/a", "nan", "null", "none", "#n/a", "?", "unavailable"})
MOST_FAULTS = 20
FEW = 8  # values of a numbered thing that still are names: machine 1, tool 3
NAMED = re.compile(
    r"machine|tool|lot|line|cavity|operator|shift|station|head|spindle|fixture|mou?ld|nest|pallet"
    r"|batch|supplier|chamber|oven|press|설비|금형|작업자|교대|로트|라인|호기|캐비티|공구",
    re.IGNORECASE,
)


class Column(msgspec.Struct, frozen=True, eq=False):
    """One column. value: float64[n], NaN where missing; of words: the place in `levels`.

    levels: the words of a column of words, () of numbers.
    """

    name: str
    value: FloatArray
    levels: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return where there is a value: bool[n]."""
        return ~np.isnan(self.value)

    @property
    def distinct(self) -> int:
        """Return how many different values there are."""
        return len(np.unique(self.value[self.known]))

    def word(self, code: float) -> str:
        """Return a value as people read it."""
        return self.levels[int(code)] if self.levels else f"{code:g}"

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Column:
        """Return the column of the chosen rows."""
        return Column(self.name, self.value[rows], self.levels)

    @staticmethod
    def of_words(name: str, words: Sequence[str | None]) -> Column:
        """Return a column of words; None is missing."""
        levels = tuple(sorted({word for word in words if word is not None}, key=_natural))
        place = {word: float(number) for number, word in enumerate(levels)}
        value = [np.nan if word is None else place[word] for word in words]
        return Column(name, np.asarray(value, float), levels)


class Table(msgspec.Struct, frozen=True, eq=False):
    """Rows are parts or lots; all columns have the same length."""

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0].value) if self.columns else 0

    @property
    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(self.names)
        raise ValueError(f"there is no column {name!r}; there are: {known}")


def read(content: bytes, file: str, words: Collection[str] = ()) -> Table:
    """Return what a CSV file holds; commas, semicolons or tabs; UTF-8, else CP949.

    words: columns whose numbers are names. So are whole numbers in a column that is called like a
    thing (machine, lot, tool …) and has few of them.
    Raises FactoryError naming file, line and column of every cell that is no number in a column of
    numbers, and of every row that is too short or too long.
    """
    rows = _rows(_decoded(content, file), file)
    heads = [head.strip() for head in rows[0][1]]
    faults = _head_faults(heads, file)
    body = []
    for line, cells in rows[1:]:
        if len(cells) == len(heads):
            body.append((line, [cell.strip() for cell in cells]))
        else:
            faults.append(
                Fault(file=file, line=line, key="row",
                      problem=f"{len(cells)} cells under {len(heads)} headings",
                      remedy="put quotes around a cell that holds the separator")
            )  # fmt: skip
    if len(faults) >= MOST_FAULTS or (faults and not body):
        raise FactoryError(faults[:MOST_FAULTS])
    comma = _decimal_comma([cells for _, cells in body])
    columns = []
    for place, head in enumerate(heads):
        told = [(line, cells[place]) for line, cells in body]
        columns.append(_column(head, told, file, faults, named=head in words, comma=comma))
    unknown = [name for name in words if name not in heads]
    faults += [
        Fault(file=file, key=name, line=1, problem="no such column",
              remedy=f"there are: {', '.join(heads)}")
        for name in unknown
    ]  # fmt: skip
    if faults:
        raise FactoryError(faults[:MOST_FAULTS])
    return Table(tuple(columns))


def _decoded(content: bytes, file: str) -> str:
    for code in ("utf-8-sig", "cp949"):
        try:
            return content.decode(code)
        except UnicodeDecodeError:
            continue
    raise FactoryError(
        [Fault(file=file, key="text", problem="is neither UTF-8 nor CP949",
               remedy="save it as CSV UTF-8")]
    )  # fmt: skip


def _rows(text: str, file: str) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with its line; at least the head."""
    first = text.lstrip("\n\r").split("\n", 1)[0]
    mark = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        rows = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except csv.Error as error:
        problem = f"is no CSV: {error}"
        raise FactoryError([Fault(file=file, key="text", problem=problem)]) from error
    if not rows:
        raise FactoryError([Fault(file=file, key="text", problem="holds no rows")])
    return rows


def _head_faults(heads: Sequence[str], file: str) -> list[Fault]:
    counts = Counter(heads)
    return [
        Fault(file=file, key=name or f"column {heads.index(name) + 1}", line=1,
              problem="has no heading" if not name else "is a heading twice",
              remedy="give each column a name of its own")
        for name, count in counts.items()
        if not name or count > 1
    ]  # fmt: skip


def _decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether decimals are written 12,5: so they are somewhere, and never 12.5."""
    cells = [cell for row in rows for cell in row]
    comma = any(re.fullmatch(r"[+-]?\d+,\d+", cell) for cell in cells)
    return comma and not any(re.fullmatch(r"[+-]?\d+\.\d+", cell) for cell in cells)


def _number(cell: str, *, comma: bool) -> float | None:
    try:
        found = float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None
    return found if isfinite(found) and "_" not in cell else None


def _column(
    name: str, told: Sequence[tuple[int, str]], file: str, faults: list[Fault], *,
    named: bool, comma: bool,
) -> Column:  # fmt: skip
    cells = [None if cell.lower() in MISSING else cell for _, cell in told]
    numbers = [None if cell is None else _number(cell, comma=comma) for cell in cells]
    known = sum(cell is not None for cell in cells)
    numeric = sum(number is not None for number in numbers)
    if named or numeric <= known / 2 or _is_name(name, numbers, known):
        return Column.of_words(name, cells)
    for (line, cell), number, given in zip(told, numbers, cells, strict=True):
        if given is not None and number is None:
            faults.append(
                Fault(file=file, line=line, key=name, value=cell, problem="is no number",
                      remedy=f"correct it, or leave it empty; if {name} is a name: --words {name}")
            )  # fmt: skip
    return Column(name, np.array([np.nan if x is None else x for x in numbers], float))


def _is_name(name: str, numbers: Sequence[float | None], known: int) -> bool:
    found = {number for number in numbers if number is not None}
    whole = all(number == int(number) for number in found)
    return bool(NAMED.search(name)) and whole and len(found) <= min(FEW, known / 2)


def _natural(word: str) -> list[tuple[int, int | str]]:
    """Return what sorts lot 2 before lot 10."""
    parts = re.split(r"(\d+)", word)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
