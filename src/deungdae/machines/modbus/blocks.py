"""Many signals in few reads: addresses merged into blocks, each decoded as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import (
    Batch,
    Event,
    Flag,
    FloatArray,
    Severity,
    Signal,
    StatusArray,
)
from deungdae.core.units import scaling

from .address import BITS, Order, Point, Table, text_length

FUNCTIONS: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
MOST_BITS = 2000
FORMATS = {
    "int16": ">i2", "uint16": ">u2", "int32": ">i4", "uint32": ">u4", "int64": ">i8",
    "uint64": ">u8", "float32": ">f4", "float64": ">f8", "bool": ">u2", "bcd16": ">u2",
    "bcd32": ">u4",
}  # fmt: skip
_BAD = np.uint8(Severity.BAD | Flag.RECEIVED_TIME)
_GOOD = np.uint8(Flag.RECEIVED_TIME)


class Entry(msgspec.Struct, frozen=True):
    """One signal at its place in the device, polled every `period` s."""

    handle: int
    signal: Signal
    point: Point
    period: float


class Limits(msgspec.Struct, frozen=True):
    """How far merging may go: registers per read, and registers read in vain between two."""

    registers: int
    gap: int


class Moment(NamedTuple):
    """When a reply is from: time, received, ns since 1970; now, heartbeat: s, monotonic."""

    time: int
    received: int
    now: float
    heartbeat: float


class Column(msgspec.Struct, frozen=True):
    """The values of one type within a block: where their bytes lie, and their rows."""

    type: str
    rows: NDArray[np.intp]
    bytes: NDArray[np.intp]
    bits: NDArray[np.uint16]

    def decode(self, raw: NDArray[np.uint8]) -> FloatArray:
        """Return the values, NaN where the bytes are none of the type."""
        words = raw[self.bytes].view(FORMATS[self.type]).ravel()
        if self.type == "bool":
            # 16 stands for the whole register: true when it is not zero
            chosen = np.where(self.bits < 16, words >> (self.bits & 15) & 1, words)
            return np.asarray(chosen != 0, np.float64)
        if self.type.startswith("bcd"):
            return _decimal(words)
        value: FloatArray = words.astype(np.float64)
        return value


class Block:
    """What one request reads: neighbouring entries of one table, with one period.

    due: when it is read next, s on the monotonic clock; refused: the device does not give it.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        head = entries[0].point
        self.entries = tuple(entries)
        self.unit = head.unit
        self.table = head.table
        self.period = entries[0].period
        self.first = head.number
        self.count = max(entry.point.end for entry in entries) - head.number
        self.due = 0.0
        self.refused = False
        self._measure()

    def halves(self) -> tuple[Block, Block]:
        """Return two blocks in its place: how a refused address is found.

        They part at the widest gap, for what lies in gaps is refused most; else in the middle.
        """
        n = len(self.entries)
        ends = list(accumulate((entry.point.end for entry in self.entries), max))

        def gap(place: int) -> tuple[int, int]:
            width = self.entries[place].point.number - ends[place - 1]
            return max(width, 0), -abs(2 * place - n)

        place = max(range(1, n), key=gap)
        return Block(self.entries[:place]), Block(self.entries[place:])

    def read(self, body: bytes, moment: Moment) -> tuple[Batch, tuple[Event, ...]]:
        """Return what a reply says."""
        value = self._values(body)
        good = np.isfinite(value)
        status = np.where(good, _GOOD, _BAD)
        value[~good] = np.nan
        return self._tell(value, status, self._texts(body), moment)

    def lost(self, time: int) -> tuple[Batch, tuple[Event, ...]]:
        """Return that no value could be read."""
        value = np.full(len(self._handles), np.nan)
        status = np.full(len(self._handles), _BAD)
        words = dict.fromkeys(self._strings, None)
        return self._tell(value, status, words, Moment(time, time, 0.0, 0.0))

    def value(self, body: bytes) -> float:
        """Return the value of its first entry, in the signal's unit; NaN: none."""
        return float(self._values(body)[0])

    def _measure(self) -> None:
        """Prepare what every reply needs: handles, scales and where the bytes lie."""
        numeric = [entry for entry in self.entries if not text_length(entry.point.type)]
        strings = [entry for entry in self.entries if text_length(entry.point.type)]
        self._signals = {entry.handle: entry.signal for entry in self.entries}
        self._strings = {entry.handle: self._characters(entry.point) for entry in strings}
        scales = [scaling(entry.signal) for entry in numeric]
        self._gain = np.array([scale.gain for scale in scales])
        self._bias = np.array([scale.bias for scale in scales])
        self._handles = np.array([entry.handle for entry in numeric], np.int32)
        self._number = np.array([entry.signal.kind == "number" for entry in numeric], bool)
        self._deadband = np.array([entry.signal.deadband for entry in numeric])
        self._quiet = bool((self._deadband > 0).any())
        self._columns = () if self.table in BITS else self._lay_out(numeric)
        self._places = np.array([entry.point.number - self.first for entry in numeric], np.intp)
        self._told = np.full(len(numeric), np.nan)
        self._told_at = np.full(len(numeric), -np.inf)
        self._words: dict[int, str | None] = {}

    def _characters(self, point: Point) -> list[int]:
        # a string has no word order, but some devices swap the bytes of each word
        order: Order = "BADC" if point.order in ("BADC", "DCBA") else "ABCD"
        return self._bytes(point, order)[: text_length(point.type)]

    def _lay_out(self, entries: Sequence[Entry]) -> tuple[Column, ...]:
        columns = []
        for type in sorted({entry.point.type for entry in entries}):
            rows = [row for row, entry in enumerate(entries) if entry.point.type == type]
            points = [entries[row].point for row in rows]
            columns.append(
                Column(
                    type,
                    np.array(rows, np.intp),
                    np.array([self._bytes(point, point.order) for point in points], np.intp),
                    np.array([16 if p.bit is None else p.bit for p in points], np.uint16),
                )
            )
        return tuple(columns)

    def _bytes(self, point: Point, order: Order) -> list[int]:
        start = 2 * (point.number - self.first)
        return [start + place for place in arrangement(order, 2 * point.size)]

    def _values(self, body: bytes) -> FloatArray:
        """Return all numbers in their signals' units; NaN or infinite where there is none."""
        with np.errstate(over="ignore", invalid="ignore"):
            value: FloatArray = self._decode(body) * self._gain + self._bias
        return value

    def _decode(self, body: bytes) -> FloatArray:
        raw = np.frombuffer(body, np.uint8, offset=1)
        if self.table in BITS:
            return np.unpackbits(raw, bitorder="little")[self._places].astype(np.float64)
        if len(self._columns) == 1:
            return self._columns[0].decode(raw)
        value = np.empty(len(self._handles))
        for column in self._columns:
            value[column.rows] = column.decode(raw)
        return value

    def _texts(self, body: bytes) -> dict[int, str | None]:
        found: dict[int, str | None] = {}
        for handle, places in self._strings.items():
            raw = bytes(body[1 + place] for place in places)
            found[handle] = raw.partition(b"\0")[0].decode("utf-8", "replace").strip()
        return found

    def _tell(
        self,
        value: FloatArray,
        status: StatusArray,
        words: dict[int, str | None],
        moment: Moment,
    ) -> tuple[Batch, tuple[Event, ...]]:
        for row in np.flatnonzero(~self._number):
            number = float(value[row])
            words[int(self._handles[row])] = _word(number) if np.isfinite(number) else None
        events = self._changes(words, moment)
        time = np.full(len(value), moment.time, np.int64)
        batch = Batch(self._handles, time, value, status, moment.received)
        chosen = self._worth_telling(value, moment)
        return (batch if chosen is None else batch.take(chosen)), events

    def _worth_telling(self, value: FloatArray, moment: Moment) -> NDArray[np.bool_] | None:
        """Return which rows go into the batch, None: all."""
        if not self._quiet:
            return None if self._number.all() else self._number
        moved = ~(np.abs(value - self._told) <= self._deadband)
        chosen: NDArray[np.bool_] = self._number & (
            moved | (self._deadband == 0) | (moment.now - self._told_at >= moment.heartbeat)
        )
        self._told[chosen] = value[chosen]
        self._told_at[chosen] = moment.now
        return chosen

    def _changes(self, words: dict[int, str | None], moment: Moment) -> tuple[Event, ...]:
        events = []
        for handle, word in words.items():
            if handle in self._words and self._words[handle] == word:
                continue
            self._words[handle] = word
            signal = self._signals[handle]
            events.append(
                Event(
                    id=signal.id,
                    time=moment.time,
                    kind="text" if signal.kind == "number" else signal.kind,
                    value=word or "",
                    status=int(_BAD if word is None else _GOOD),
                    received=moment.received,
                )
            )
        return tuple(events)


def merge(entries: Sequence[Entry], limits: Limits) -> list[Block]:
    """Return the fewest blocks that hold all entries within the limits."""

    def place(entry: Entry) -> tuple[int, str, float, int, int]:
        point = entry.point
        return point.unit, point.table, entry.period, point.number, point.end

    blocks: list[Block] = []
    run: list[Entry] = []
    end = 0
    for entry in sorted(entries, key=place):
        if run and not _joins(run[0], end, entry, limits):
            blocks.append(Block(run))
            run, end = [], 0
        run.append(entry)
        end = max(end, entry.point.end)
    return [*blocks, Block(run)] if run else blocks


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


def _joins(head: Entry, end: int, entry: Entry, limits: Limits) -> bool:
    a, b = head.point, entry.point
    if (a.unit, a.table, head.period) != (b.unit, b.table, entry.period):
        return False
    bits = a.table in BITS
    most, gap = (MOST_BITS, 16 * limits.gap) if bits else (limits.registers, limits.gap)
    return b.number - end <= gap and max(end, b.end) - a.number <= most


def _decimal(words: NDArray[np.unsignedinteger]) -> FloatArray:
    """Return binary-coded decimals as numbers, NaN where a digit is above 9."""
    shifts = np.arange(0, 8 * words.dtype.itemsize, 4, dtype=np.uint32)
    digits = (words.astype(np.uint32)[:, None] >> shifts) & 15
    value = (digits * 10.0 ** np.arange(len(shifts))).sum(axis=1)
    return np.where((digits > 9).any(axis=1), np.nan, value)


def _word(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
