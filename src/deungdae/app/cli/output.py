"""What commands print: rows as a table for people or as JSON for programs; problems to stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from unicodedata import east_asian_width

import msgspec

from deungdae.core.errors import FactoryError

Row = Mapping[str, object]


class Output:
    """Where a command's answer goes. as_json: one JSON document instead of words."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def rows(self, rows: Sequence[Row], *, empty: str = "nothing found") -> None:
        """Print rows that share their keys."""
        if self.as_json:
            self.value(rows)
        elif not rows:
            self.note(empty)
        else:
            print(_table(rows))

    def value(self, value: object) -> None:
        """Print one document as JSON."""
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())

    def say(self, text: str) -> None:
        """Print words that belong to the answer; not with --json, whose output must stay whole."""
        if not self.as_json:
            print(text)

    def note(self, text: str) -> None:
        """Print words beside the answer."""
        print(text, file=sys.stderr)

    def problem(self, text: str, remedy: str = "") -> None:
        """Print what went wrong and what to do."""
        if self.as_json:
            self.value({"error": text, "remedy": remedy})
        print(f"deungdae: {text}" + (f"\n    remedy: {remedy}" if remedy else ""), file=sys.stderr)

    def faults(self, error: FactoryError) -> None:
        """Print every fault of a file."""
        if self.as_json:
            self.value({"faults": error.faults})
            return
        for fault in error.faults:
            self.note(str(fault))
        count = len(error.faults)
        self.note(f"\n{count} error{'s' if count > 1 else ''}; nothing was started")


def _table(rows: Sequence[Row]) -> str:
    heads = list(rows[0])
    cells = [[_cell(row.get(head)) for head in heads] for row in rows]
    numeric = [all(_is_number(row.get(head)) for row in rows) for head in heads]
    widths = [max(_width(head), *(_width(row[i]) for row in cells)) for i, head in enumerate(heads)]
    lines = [heads, ["─" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(
            _pad(cell, width, right=right)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.1f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_cell(part)}" for key, part in value.items())
    return " ".join(str(value).split())


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal: Korean letters take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
