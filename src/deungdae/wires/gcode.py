"""Part programs in G-code (ISO 6983): tools, operations, holes and how far a tool cuts.

Read as the common controls do (Fanuc, Haas, Hurco ISNC): modal words, canned cycles, comments.
Macros, subprograms and tool compensation are not followed; `notes` says where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from math import atan2, cos, hypot, isfinite, pi, sin, sqrt

import msgspec

from deungdae.core.errors import BadReply

INCH = 25.4
MOST_NOTES = 50
_WORD = re.compile(r"([A-Z])\s*([+-]?(?:\d+\.?\d*|\.\d+))")
_REST = re.compile(r"[A-Z]\s*[+-]?(?:\d+\.?\d*|\.\d+)|\s+|^/\d?")
_COMMENT = re.compile(r"\(([^)]*)\)?|;(.*)$")
_TOOL = re.compile(r"^\s*T\s*(\d+)\s*[|:,\- ]\s*(.*)$", re.IGNORECASE)
_CYCLES = {73: "peck", 74: "tap", 76: "bore", 81: "drill", 82: "drill", 83: "peck", 84: "tap",
           85: "bore", 86: "bore", 87: "bore", 88: "bore", 89: "bore"}  # fmt: skip


class Hole(msgspec.Struct, frozen=True):
    """A hole that a program makes: x, y, bottom z in mm; kind: drill, peck, tap, bore or circle.

    diameter: of the path of the tool's middle, of a circle; else None. block: where it stands.
    """

    x: float
    y: float
    z: float
    kind: str
    block: int
    diameter: float | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with one tool until the next: blocks first to last.

    tool: its number, None before the first change; words: what a comment calls it.
    speeds: rev/min in order; feeds: mm/min, of cutting. length: mm cut; seconds: at these feeds.
    low, high: box of the cut (x, y, z) in mm, None where nothing is cut.
    """

    tool: int | None
    words: str
    first: int
    last: int
    speeds: tuple[float, ...]
    feeds: tuple[float, ...]
    length: float
    seconds: float
    low: tuple[float, float, float] | None
    high: tuple[float, float, float] | None
    holes: tuple[Hole, ...]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A part program. blocks: lines that are blocks, as controls count them; unit: mm or inch.

    notes: what was not followed or not understood, with its line.
    """

    number: str
    title: str
    unit: str
    blocks: int
    operations: tuple[Operation, ...]
    notes: tuple[str, ...]


def read(content: bytes) -> Program:
    """Return what a program does. Raises BadReply if it is no G-code."""
    text = content.decode("latin-1")
    if "\0" in text:
        raise BadReply("this is no G-code: it holds bytes that are no text")
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        reader.take(number, line)
    if not reader.words:
        raise BadReply("this is no G-code: no line holds words like G1 X10.")
    return reader.program()


class _Reader:
    """The state of a control while it reads."""

    def __init__(self) -> None:
        self.words = 0
        self.blocks = 0
        self.number, self.title = "", ""
        self.unit = ""
        self.notes: list[str] = []
        self._called: dict[int, str] = {}
        self._operations: list[_Open] = [_Open(None, 1)]
        self._place = [0.0, 0.0, 0.0]
        self._motion = 0
        self._absolute = True
        self._plane = 17
        self._feed = 0.0
        self._speed = 0.0
        self._next_tool: int | None = None
        self._cycle_bottom = 0.0
        self._cycle_top = 0.0

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        bare = line.strip()
        if not bare or bare.startswith("%"):
            return
        self.blocks += 1
        for match in _COMMENT.finditer(bare):
            self._comment((match.group(1) or match.group(2) or "").strip())
        code = _COMMENT.sub(" ", bare).upper()
        if re.search(r"[#\[\]=]|\b(IF|WHILE|GOTO|END|DO)\d*\b", code):
            self._note(number, f"a macro is not followed: {bare[:40]!r}")
            return
        left = _REST.sub("", code)
        if left:
            self._note(number, f"not understood: {left[:20]!r}")
        words = [(letter, float(value)) for letter, value in _WORD.findall(code)]
        words = [(letter, value) for letter, value in words if isfinite(value)]
        self.words += sum(letter in "GMXYZTSF" for letter, _ in words)
        if words:
            self._block(number, words, code)

    def program(self) -> Program:
        """Return all that was read."""
        ends = [each.first - 1 for each in self._operations[1:]] + [self.blocks]
        found = [
            each.closed(self._called, last)
            for each, last in zip(self._operations, ends, strict=True)
            if each.used
        ]
        return Program(
            number=self.number, title=self.title, unit=self.unit, blocks=self.blocks,
            operations=tuple(found), notes=tuple(self.notes),
        )  # fmt: skip

    def _comment(self, text: str) -> None:
        tool = _TOOL.match(text)
        if tool:
            words = [part.strip() for part in tool.group(2).split("|")]
            self._called.setdefault(int(tool.group(1)), words[0])
        elif text and not self.title:
            self.title = text

    def _note(self, number: int, what: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(f"line {number}: {what}")

    def _block(self, number: int, words: list[tuple[str, float]], code: str) -> None:
        codes = [round(value * 10) / 10 for letter, value in words if letter == "G"]
        values = {letter: value for letter, value in words if letter not in "GMN"}
        misc = {int(value) for letter, value in words if letter == "M"}
        if "O" in values and not self.number:
            self.number = re.search(r"O\s*(\d+)", code).group(1)  # type: ignore[union-attr]
        self._modes(codes)
        factor = INCH if self.unit == "inch" else 1.0
        if "F" in values:
            self._feed = values["F"] * factor
        if "S" in values:
            self._speed = values["S"]
        if "T" in values:
            self._next_tool = int(values["T"])
        if 6 in misc:
            self._operations.append(_Open(self._next_tool, self.blocks))
        if misc & {98, 198} or 65 in codes:
            self._note(number, "a subprogram is not followed")
        if {41, 42} & set(codes):
            self._note(number, "cutter compensation is not followed")
        self._operations[-1].seen(self._speed)
        if not {28, 30, 53, 92, 10, 4} & set(codes):
            self._move(values, factor)

    def _modes(self, codes: list[float]) -> None:
        for code in codes:
            if code in (0, 1, 2, 3, 80) or code in _CYCLES:
                self._motion = int(code)
            elif code in (17, 18, 19):
                self._plane = int(code)
            elif code in (20, 70):
                self.unit = "inch"
            elif code in (21, 71):
                self.unit = "mm"
            elif code in (90, 91):
                self._absolute = code == 90

    def _move(self, values: dict[str, float], factor: float) -> None:
        if not set("XYZIJKR") & values.keys():
            return
        start = list(self._place)
        axes = {axis: values[axis] * factor for axis in "XYZIJKR" if axis in values}
        if self._motion in _CYCLES:
            self._cycle(axes)
            return
        for place, axis in enumerate("XYZ"):
            if axis in axes:
                self._place[place] = axes[axis] + (0 if self._absolute else start[place])
        if self._motion == 1:
            points = [start, self._place]
        elif self._motion in (2, 3):
            points = self._arc(start, axes)
        else:
            return
        self._operations[-1].cut(points, self._feed)

    def _cycle(self, axes: dict[str, float]) -> None:
        for place, axis in enumerate("XY"):
            if axis in axes:
                self._place[place] = axes[axis] + (0 if self._absolute else self._place[place])
        if "R" in axes:
            self._cycle_top = axes["R"] + (0 if self._absolute else self._place[2])
        if "Z" in axes:
            self._cycle_bottom = axes["Z"] + (0 if self._absolute else self._cycle_top)
        x, y = self._place[:2]
        operation = self._operations[-1]
        operation.cut([[x, y, self._cycle_top], [x, y, self._cycle_bottom]], self._feed)
        kind = _CYCLES[self._motion]
        operation.holes.append(Hole(x, y, self._cycle_bottom, kind, self.blocks))

    def _arc(self, start: list[float], axes: dict[str, float]) -> list[list[float]]:
        """Return points of an arc in the plane XY; in other planes only its ends."""
        end = list(self._place)
        if self._plane != 17 or not {"I", "J", "R"} & axes.keys():
            return [start, end]
        centre = self._centre(start, end, axes)
        radius = hypot(start[0] - centre[0], start[1] - centre[1])
        first = atan2(start[1] - centre[1], start[0] - centre[0])
        last = atan2(end[1] - centre[1], end[0] - centre[0])
        turn = (last - first) % (2 * pi) if self._motion == 3 else -((first - last) % (2 * pi))
        if abs(turn) < 1e-9:
            turn = 2 * pi if self._motion == 3 else -2 * pi
            hole = Hole(*centre, end[2], "circle", self.blocks, 2 * radius)
            self._operations[-1].holes.append(hole)
        steps = max(2, round(abs(turn) / (pi / 18)))
        parts = [number / steps for number in range(steps + 1)]
        return [
            [
                centre[0] + radius * cos(first + turn * part),
                centre[1] + radius * sin(first + turn * part),
                start[2] + (end[2] - start[2]) * part,
            ]
            for part in parts
        ]

    def _centre(
        self, start: list[float], end: list[float], axes: dict[str, float]
    ) -> tuple[float, float]:
        if "R" not in axes:
            return start[0] + axes.get("I", 0.0), start[1] + axes.get("J", 0.0)
        dx, dy = end[0] - start[0], end[1] - start[1]
        chord = hypot(dx, dy)
        if chord == 0:
            return start[0], start[1]
        away = sqrt(max(0.0, axes["R"] ** 2 - (chord / 2) ** 2)) / chord
        side = -1.0 if (self._motion == 2) == (axes["R"] > 0) else 1.0
        return (start[0] + end[0]) / 2 - side * dy * away, (
            start[1] + end[1]
        ) / 2 + side * dx * away


class _Open:
    """An operation while it is read."""

    def __init__(self, tool: int | None, first: int) -> None:
        self.tool = tool
        self.first = first
        self.holes: list[Hole] = []
        self._speeds: list[float] = []
        self._feeds: list[float] = []
        self._length = 0.0
        self._seconds = 0.0
        self._low: list[float] | None = None
        self._high: list[float] = []

    @property
    def used(self) -> bool:
        """Return whether it is an operation: has a tool, or cuts."""
        return self.tool is not None or self._length > 0

    def seen(self, speed: float) -> None:
        if speed and speed not in self._speeds:
            self._speeds.append(speed)

    def cut(self, points: list[list[float]], feed: float) -> None:
        for start, end in _steps(points):
            length = sqrt(sum((b - a) ** 2 for a, b in zip(start, end, strict=True)))
            self._length += length
            self._seconds += 60 * length / feed if feed > 0 else 0.0
        if feed and feed not in self._feeds:
            self._feeds.append(feed)
        for point in points:
            low = self._low or point
            high = self._high or point
            self._low = [min(a, b) for a, b in zip(low, point, strict=True)]
            self._high = [max(a, b) for a, b in zip(high, point, strict=True)]

    def closed(self, called: dict[int, str], last: int) -> Operation:
        return Operation(
            tool=self.tool, words=called.get(self.tool, "") if self.tool is not None else "",
            first=self.first, last=last, speeds=tuple(self._speeds), feeds=tuple(self._feeds),
            length=self._length, seconds=self._seconds,
            low=None if self._low is None else (self._low[0], self._low[1], self._low[2]),
            high=None if self._low is None else (self._high[0], self._high[1], self._high[2]),
            holes=tuple(self.holes),
        )  # fmt: skip


def _steps(points: list[list[float]]) -> Iterator[tuple[list[float], list[float]]]:
    return pairwise(points)
