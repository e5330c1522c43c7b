"""How the bytes of a reply become values: whole arrays at once, in any word order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray

from .address import BITS, Order, Point, text_length

FORMATS = {
    "int16": ">i2", "uint16": ">u2", "int32": ">i4", "uint32": ">u4", "int64": ">i8",
    "uint64": ">u8", "float32": ">f4", "float64": ">f8", "bool": ">u2", "bcd16": ">u2",
    "bcd32": ">u4",
}  # fmt: skip
_WHOLE_REGISTER = 16  # instead of a bit's number: true when the register is not zero


class Column(msgspec.Struct, frozen=True):
    """The values of one type within a block.

    rows: which values they are; places int[n, width]: where the bytes of each lie, highest first;
    start: the first of them where they lie in a row, else None; bits uint16[n], of a bool.
    """

    type: str
    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    start: int | None
    bits: NDArray[np.uint16]

    def decode(self, raw: NDArray[np.uint8]) -> FloatArray:
        """Return the values, NaN where the bytes are none of the type."""
        form = FORMATS[self.type]
        if self.start is None:
            words = raw[self.places].view(form).ravel()
        else:
            words = raw[self.start : self.start + self.places.size].view(form)
        if self.type == "bool":
            chosen = np.where(self.bits < _WHOLE_REGISTER, words >> (self.bits & 15) & 1, words)
            return np.asarray(chosen != 0, np.float64)
        if self.type.startswith("bcd"):
            return _decimal(words)
        value: FloatArray = words.astype(np.float64)
        return value


class Layout:
    """Where the numbers of a block lie in its reply. first: number of the first register or bit.

    exact: every reply gives finite numbers, as integers and bits do.
    """

    def __init__(self, points: Sequence[Point], first: int) -> None:
        self._size = len(points)
        self._bits: NDArray[np.intp] | None = None
        self._columns: tuple[Column, ...] = ()
        if points and points[0].table in BITS:
            self._bits = np.array([point.number - first for point in points], np.intp)
        else:
            types = sorted({point.type for point in points})
            self._columns = tuple(_column(type, points, first) for type in types)
        self.exact = all("int" in point.type or point.type == "bool" for point in points)

    def decode(self, body: bytes) -> FloatArray:
        """Return the raw values of a reply's body: its byte count, then the data."""
        raw = np.frombuffer(body, np.uint8, offset=1)
        if self._bits is not None:
            return np.unpackbits(raw, bitorder="little")[self._bits].astype(np.float64)
        if len(self._columns) == 1:
            return self._columns[0].decode(raw)
        value = np.empty(self._size)
        for column in self._columns:
            value[column.rows] = column.decode(raw)
        return value


def characters(point: Point, first: int) -> list[int]:
    """Return where the characters of a string lie in the data of a reply."""
    # a string has no word order, but some devices swap the bytes of each word
    order: Order = "BADC" if point.order in ("BADC", "DCBA") else "ABCD"
    return _places(point, order, first)[: text_length(point.type)]


def arrangement(order: Order, width: int) -> list[int]:
    """Return, for each byte of a big-endian value, its place in the registers.

    ABCD: as the standard says; CDAB: the last word first; BADC: the bytes of each word swapped;
    DCBA: both. width: bytes of the value.
    """
    places = list(range(width))
    if order in ("BADC", "DCBA"):
        places = [place ^ 1 for place in places]
    if order in ("CDAB", "DCBA"):
        places = [width - 2 - place if place % 2 == 0 else width - place for place in places]
    return places


def _column(type: str, points: Sequence[Point], first: int) -> Column:
    rows = [row for row, point in enumerate(points) if point.type == type]
    places = [_places(points[row], points[row].order, first) for row in rows]
    flat = [place for each in places for place in each]
    in_a_row = flat == list(range(flat[0], flat[0] + len(flat)))
    bits = [points[row].bit for row in rows]
    return Column(
        type,
        np.array(rows, np.intp),
        np.array(places, np.intp),
        flat[0] if in_a_row else None,
        np.array([_WHOLE_REGISTER if bit is None else bit for bit in bits], np.uint16),
    )


def _places(point: Point, order: Order, first: int) -> list[int]:
    start = 2 * (point.number - first)
    return [start + place for place in arrangement(order, 2 * point.size)]


def _decimal(words: NDArray[np.unsignedinteger]) -> FloatArray:
    """Return binary-coded decimals as numbers, NaN where a digit is above 9."""
    shifts = np.arange(0, 8 * words.dtype.itemsize, 4, dtype=np.uint32)
    digits = (words.astype(np.uint32)[:, None] >> shifts) & 15
    value = (digits * 10.0 ** np.arange(len(shifts))).sum(axis=1)
    return np.where((digits > 9).any(axis=1), np.nan, value)
