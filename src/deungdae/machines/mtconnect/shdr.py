"""The line format of MTConnect adapters and their logs (SHDR): `time|item|value|item|value…`.

Source: MTConnect C++ agent, README "Adapter Agent Protocol", versions 1.3 to 2.x.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .reading import LEVELS, UNAVAILABLE, Reading, short

# fields of one item behind its name, by its shape; all others have one
_WIDTH = {"CONDITION": 5, "MESSAGE": 2, "TIME_SERIES": 3}
_CONDITION = ("nativeCode", "nativeSeverity", "qualifier", "text")
_BAR = re.compile(r"(?<!\\)\|")
_ASSET = re.compile(r"\|@(?:\w+_)?ASSETS?@\|")
_MULTILINE = re.compile(r"--multiline--\S+$")
_LONGEST_ASSET = 100_000  # lines; one that never ends must not swallow the stream


def parse(line: str, shapes: Mapping[str, str] = {}) -> list[Reading]:
    """Return what one data line says. Raises ValueError with what is wrong.

    shapes: item -> CONDITION, MESSAGE, TIME_SERIES or VALUE where a device file tells; an item
    without it is a condition if a level follows, and a message if it has three fields.
    """
    head, bar, _ = line.partition("|")
    if not bar:
        raise ValueError("no '|' in it")
    fields = line.split("|") if "\\|" not in line else _split_escaped(line)
    time = head.strip()
    place, readings = 1, []
    while place < len(fields):
        item = fields[place].strip()
        if not short(item):
            raise ValueError(f"field {place + 1} should name a data item, and is empty")
        shape = shapes.get(short(item)) or _guess(fields, place)
        width = _WIDTH.get(shape, 1)
        parts = [field.strip() for field in fields[place + 1 : place + 1 + width]]
        if len(parts) < width:
            raise ValueError(f"{item!r} has {len(parts)} of {width} fields")
        readings.append(_reading(shape, item, time, parts))
        place += 1 + width
    if not readings:
        raise ValueError("no data item in it")
    return readings


class Skipper:
    """Tells the lines that carry no readings: commands, assets, and the inside of a long asset."""

    def __init__(self) -> None:
        self._until = ""
        self._lines = 0

    def skips(self, line: str) -> bool:
        """Return whether the line, the next of its stream, carries no readings."""
        bare = line.strip()
        if self._until:
            self._lines += 1
            if bare == self._until or self._lines > _LONGEST_ASSET:
                self._until = ""
            return True
        if not bare or bare.startswith("*"):
            return True
        if _ASSET.search(line):
            if match := _MULTILINE.search(bare):
                self._until, self._lines = match.group(), 0
            return True
        return False


def _guess(fields: list[str], place: int) -> str:
    """Return the shape of the item that starts at `place`, from the shape of the line alone."""
    left = len(fields) - place
    if place == 1 and left == 3:
        return "MESSAGE"
    level = fields[place + 1].strip().upper() if left >= 6 else ""
    if level in ("WARNING", "FAULT"):
        return "CONDITION"
    # normal and unavailable are values of other items too: five more items would have names
    if level in LEVELS and not (fields[place + 2].strip() and fields[place + 4].strip()):
        return "CONDITION"
    return ""


def _reading(shape: str, item: str, time: str, parts: list[str]) -> Reading:
    if shape == "CONDITION":
        level = parts[0].upper() if parts[0].upper() in LEVELS else UNAVAILABLE
        said = {name: part for name, part in zip(_CONDITION, parts[1:], strict=True) if part}
        return Reading(item, time, level, {"level": level, **said})
    if shape == "MESSAGE":
        return Reading(item, time, parts[1], {"nativeCode": parts[0]})
    if shape == "TIME_SERIES":
        return Reading(item, time, parts[2], {"sampleCount": parts[0], "sampleRate": parts[1]})
    return Reading(item, time, parts[-1], None)


def _split_escaped(line: str) -> list[str]:
    r"""Return the fields of a line with `"…\|…"`: a bar that belongs to a quoted value."""
    fields = [field.strip() for field in _BAR.split(line)]
    return [
        field[1:-1].replace("\\|", "|") if field.startswith('"') and "\\|" in field else field
        for field in fields
    ]
