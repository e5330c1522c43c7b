"""Metrics read as columns: learn how they look on the wire, check it by mask, read by stride.

Payloads of one edge node are made of a few shapes: `alias, timestamp, double` with an alias of two
bytes, and the like. A shape is learnt from one metric that the plain decoder has read: which bytes
are tags, which bits say that a number goes on, where the values are. A metric whose bytes agree
with a shape on all tags and all such bits is cut in exactly the same way, so reading its values by
position cannot differ from the plain decoder. What agrees with no shape goes to the plain decoder.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from . import wire
from .wire import Metric, Outline

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.intp]
Words: TypeAlias = NDArray[np.uint64]

_SHAPES = 128
_CUTS = 16
_LARGEST = 128  # bytes of a metric; those with long names or texts are read one by one
_FEW = 8  # so few metrics are read faster one by one


class Shape(msgspec.Struct, frozen=True, eq=False):
    """One way in which a metric is written. Bytes differ only where mask is 0.

    weights: uint64[size, 3], by which its 7-bit digits give alias, timestamp and whole number.
    field: of the value; start: where the value's bytes stand, for float and double.
    """

    pattern: Bytes
    mask: Bytes
    weights: Words
    field: int
    start: int


class Cut(msgspec.Struct, frozen=True, eq=False):
    """A payload cut into metrics; n of them.

    heads: intp[n], where the tag of each stands; marks: uint8[2, n], tag and length of each;
    groups: metrics of one size each: which ones, and the place of every byte, intp[m, size].
    """

    outline: Outline
    heads: Places
    marks: Bytes
    groups: list[tuple[Places, Places]]


class Columns(msgspec.Struct, frozen=True, eq=False):
    """The metrics of a payload, in order. known bool[n]: read here; the others are in `plain`.

    alias uint64[n]; time uint64[n], ms, 0 where there is none; word uint64[n], of a whole number;
    real float64[n], of a float or double; whole bool[n]: which of the two it is.
    """

    known: NDArray[np.bool_]
    alias: Words
    time: Words
    word: Words
    real: NDArray[np.float64]
    whole: NDArray[np.bool_]
    plain: list[tuple[int, Metric]]


class Template:
    """What is learnt of the payloads of one edge node."""

    def __init__(self) -> None:
        self._shapes: dict[int, list[Shape]] = {}
        self._count = 0
        self._cuts: dict[int, Cut] = {}

    def cut(self, data: bytes) -> Cut:
        """Return where the metrics stand. Raises BadReply."""
        last = self._cuts.get(len(data))
        if last is not None and (outline := _again(last, data)) is not None:
            return Cut(outline, last.heads, last.marks, last.groups)
        outline = wire.outline(data)
        starts = np.array(outline.starts, np.intp)
        sizes = np.array(outline.stops, np.intp) - starts
        cut = Cut(outline, starts - 2, _marks(data, starts - 2), _groups(starts, sizes))
        if len(self._cuts) >= _CUTS:
            self._cuts.clear()
        if len(starts) > _FEW and not outline.uuid and (sizes < _LARGEST).all():
            self._cuts[len(data)] = cut
        return cut

    def read(self, data: bytes, cut: Cut) -> Columns:
        """Return all metrics of the payload. Raises BadReply."""
        outline = cut.outline
        n = len(outline.starts)
        columns = Columns(
            np.zeros(n, np.bool_), np.zeros(n, np.uint64), np.zeros(n, np.uint64),
            np.zeros(n, np.uint64), np.zeros(n), np.zeros(n, np.bool_), [],
        )  # fmt: skip
        if n > _FEW:
            self._fill(columns, data, cut)
        for row in np.flatnonzero(~columns.known).tolist():
            start, stop = outline.starts[row], outline.stops[row]
            columns.plain.append((row, wire.metric(data, start, stop)))
            if n > _FEW and self._count < _SHAPES and stop - start < _LARGEST:
                self._learn(data[start:stop])
        return columns

    def _fill(self, columns: Columns, data: bytes, cut: Cut) -> None:
        octets = np.frombuffer(data, np.uint8)
        for members, places in cut.groups:
            shapes = self._shapes.get(places.shape[1])
            if not shapes:
                continue
            rows, matrix = members, octets[places]
            for shape in shapes:
                fits = ~((matrix ^ shape.pattern) & shape.mask).any(axis=1)
                if fits.all():
                    _take(columns, shape, rows, matrix)
                    break
                if fits.any():
                    _take(columns, shape, rows[fits], matrix[fits])
                    rows, matrix = rows[~fits], matrix[~fits]

    def _learn(self, octets: bytes) -> None:
        shape = learn(octets)
        if shape is None:
            return
        known = self._shapes.setdefault(len(octets), [])
        for other in known:
            same = (shape.mask == other.mask).all()
            if same and not ((shape.pattern ^ other.pattern) & shape.mask).any():
                return
        known.append(shape)
        self._count += 1


def learn(octets: bytes) -> Shape | None:
    """Return the shape of one metric, None where it has parts that columns cannot hold.

    Those are names, texts, nulls, history, properties. Raises BadReply on what is no metric.
    """
    size = len(octets)
    mask = np.full(size, 0xFF, np.uint8)
    weights = np.zeros((size, 3), np.uint64)
    field = start = 0
    seen: set[int] = set()
    for number, kind, value, end in wire.fields(octets, 0, size):
        if number in seen or (number >= wire.INT and field):
            return None
        seen.add(number)
        if kind == 0 and number in (wire.ALIAS, wire.TIMESTAMP, wire.INT, wire.LONG, wire.BOOLEAN):
            begin = _begin(octets, end)
            mask[begin:end] = 0x80
            column = {wire.ALIAS: 0, wire.TIMESTAMP: 1}.get(number, 2)
            digits = np.arange(end - begin, dtype=np.uint64)
            weights[begin:end, column] = np.uint64(1) << (np.uint64(7) * digits)
        elif (kind, number) in ((5, wire.FLOAT), (1, wire.DOUBLE)):
            start = value
            mask[value:end] = 0
        elif number != wire.DATATYPE or kind != 0:
            return None
        if number >= wire.INT:
            field = number
    if not field or wire.ALIAS not in seen:
        return None
    return Shape(np.frombuffer(octets, np.uint8), mask, weights, field, start)


def _again(last: Cut, data: bytes) -> Outline | None:
    """Return the outline of a payload whose metrics stand where those of an earlier one stood.

    The parts before and behind them are read anew: a payload is its parts one after the other.
    """
    if (_marks(data, last.heads) != last.marks).any():
        return None
    old = last.outline
    before = wire.outline(data[: old.starts[0] - 2])
    behind = wire.outline(data[old.stops[-1] :])
    if before.starts or behind.starts or before.uuid or behind.uuid:
        return None
    return Outline(
        behind.timestamp or before.timestamp,
        before.seq if behind.seq is None else behind.seq,
        "", (0, 0), old.starts, old.stops,
    )  # fmt: skip


def _marks(data: bytes, heads: Places) -> Bytes:
    octets = np.frombuffer(data, np.uint8)
    return np.stack((octets[heads], octets[heads + 1]))


def _groups(starts: Places, sizes: Places) -> list[tuple[Places, Places]]:
    groups = []
    for size in np.flatnonzero(np.bincount(np.minimum(sizes, _LARGEST))).tolist():
        if 0 < size < _LARGEST:
            rows = np.flatnonzero(sizes == size)
            groups.append((rows, starts[rows, None] + np.arange(size)))
    return groups


def _begin(octets: bytes, end: int) -> int:
    """Return where the varint that ends at `end` begins: behind the last byte that ends another."""
    begin = end - 1
    while begin > 0 and octets[begin - 1] & 0x80:
        begin -= 1
    return begin


def _take(columns: Columns, shape: Shape, rows: Places, matrix: Bytes) -> None:
    columns.known[rows] = True
    numbers = (matrix & np.uint8(0x7F)).astype(np.uint64) @ shape.weights
    columns.alias[rows] = numbers[:, 0]
    columns.time[rows] = numbers[:, 1]
    if shape.field == wire.FLOAT:
        columns.real[rows] = _reals(matrix, shape.start, "<f4")
    elif shape.field == wire.DOUBLE:
        columns.real[rows] = _reals(matrix, shape.start, "<f8")
    else:
        columns.whole[rows] = True
        word = numbers[:, 2]
        if shape.field == wire.INT:
            word &= np.uint64(0xFFFFFFFF)
        elif shape.field == wire.BOOLEAN:
            word = (word != 0).astype(np.uint64)
        columns.word[rows] = word


def _reals(matrix: Bytes, start: int, form: str) -> NDArray[np.floating]:
    size = np.dtype(form).itemsize
    return np.ascontiguousarray(matrix[:, start : start + size]).view(form)[:, 0]
