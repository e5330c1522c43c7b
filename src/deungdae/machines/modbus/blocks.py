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

from .address import BITS, Point, Table, text_length
from .decode import Layout, characters

FUNCTIONS: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
MOST_BITS = 2000
_BAD = np.uint8(Severity.BAD | Flag.RECEIVED_TIME)
_GOOD = np.uint8(Flag.RECEIVED_TIME)
_HUGE = 1e200  # a scale with which even an integer may become infinite


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


class Block:
    """What one request reads: neighbouring entries of one table, with one period.

    due: when it is read next, s on the monotonic clock; behind: how much too late it was read
    last, s; refused: the device does not give it.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        head = entries[0].point
        self.entries = tuple(entries)
        self.handles = tuple(entry.handle for entry in entries)
        self.signals = tuple(entry.signal for entry in entries)
        self.unit = head.unit
        self.table = head.table
        self.period = entries[0].period
        self.first = head.number
        self.count = max(entry.point.end for entry in entries) - head.number
        self.due = 0.0
        self.behind = 0.0
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
        status = self._fine.copy()
        if not self._exact:
            bad = ~np.isfinite(value)
            status[bad] = _BAD
            value[bad] = np.nan
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
        self._strings = {e.handle: characters(e.point, self.first) for e in strings}
        scales = [scaling(entry.signal) for entry in numeric]
        self._gain = np.array([scale.gain for scale in scales])
        self._bias = np.array([scale.bias for scale in scales])
        self._handles = np.array([entry.handle for entry in numeric], np.int32)
        self._number = np.array([entry.signal.kind == "number" for entry in numeric], bool)
        self._states = np.flatnonzero(~self._number).tolist()
        self._deadband = np.array([entry.signal.deadband for entry in numeric])
        self._quiet = bool((self._deadband > 0).any())
        self._layout = Layout([entry.point for entry in numeric], self.first)
        self._plain = all(scale.plain for scale in scales)
        self._exact = self._layout.exact and bool((np.abs(self._gain) < _HUGE).all())
        self._fine = np.full(len(numeric), _GOOD)
        self._told = np.full(len(numeric), np.nan)
        self._told_at = np.full(len(numeric), -np.inf)
        self._words: dict[int, str | None] = {}

    def _values(self, body: bytes) -> FloatArray:
        """Return all numbers in their signals' units; NaN or infinite where there is none."""
        if self._exact:
            value = self._layout.decode(body)
            return value if self._plain else value * self._gain + self._bias
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: FloatArray = self._layout.decode(body) * self._gain + self._bias
        return scaled

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
        for row in self._states:
            number = float(value[row])
            words[int(self._handles[row])] = _word(number) if np.isfinite(number) else None
        events = self._changes(words, moment) if words else ()
        time = np.full(len(value), moment.time, np.int64)
        batch = Batch(self._handles, time, value, status, moment.received)
        chosen = self._worth_telling(value, moment)
        return (batch if chosen is None else batch.take(chosen)), events

    def _worth_telling(self, value: FloatArray, moment: Moment) -> NDArray[np.bool_] | None:
        """Return which rows go into the batch, None: all."""
        if not self._quiet:
            return self._number if self._states else None
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
            signal = self.signals[self.handles.index(handle)]
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


def _joins(head: Entry, end: int, entry: Entry, limits: Limits) -> bool:
    a, b = head.point, entry.point
    if (a.unit, a.table, head.period) != (b.unit, b.table, entry.period):
        return False
    bits = a.table in BITS
    most, gap = (MOST_BITS, 16 * limits.gap) if bits else (limits.registers, limits.gap)
    return b.number - end <= gap and max(end, b.end) - a.number <= most


def _word(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
