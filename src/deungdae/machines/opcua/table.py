"""The signals of one stream as columns: from what the server sends to Batches and Events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from deungdae.core import units
from deungdae.core.clock import to_iso
from deungdae.core.ports import Events
from deungdae.core.types import (
    SECOND,
    Batch,
    Event,
    Flag,
    IntArray,
    Severity,
    Signal,
    StatusArray,
    TimeArray,
)

from .link import said
from .wire import Values

_OVERFLOW = 0x0480  # InfoType DataValue with the overflow bit: OPC 10000-4 §7.39
# sub-codes that say where a value comes from: UncertainLastUsableValue, UncertainSubstituteValue,
# GoodLocalOverride, GoodEntryInserted, GoodEntryReplaced
_ORIGINS = {
    0x4090: Flag.STALE, 0x4091: Flag.SUBSTITUTED, 0x0096: Flag.SUBSTITUTED,
    0x00A2: Flag.SUBSTITUTED, 0x00A3: Flag.SUBSTITUTED,
}  # fmt: skip


class Table:
    """One row per signal; the row is the client handle that the server sends back.

    refused: why the server does not watch a row. problems: what is wrong now, by signal id.
    last: newest source time of each row. gaps: how often values were lost.
    """

    def __init__(self, signals: Mapping[int, Signal]) -> None:
        self.signals = list(signals.values())
        self.handle: IntArray = np.fromiter(signals, np.int32, len(signals))
        scalings = [units.scaling(signal) for signal in self.signals]
        self.gain = np.array([scaling.gain for scaling in scalings])
        self.bias = np.array([scaling.bias for scaling in scalings])
        self.plain = all(scaling.plain for scaling in scalings)
        self.numeric = np.array([signal.kind == "number" for signal in self.signals], bool)
        self.last: TimeArray = np.zeros(len(signals), np.int64)
        self.texts: dict[int, Mapping[int, str]] = {}
        self.refused: dict[int, str] = {}
        self.problems: dict[str, str] = {}
        self.gaps = 0
        self._troubled: set[int] = set()

    def deadband(self, row: int) -> float:
        """Return the dead-band of a row in raw units, 0 for none."""
        signal = self.signals[row]
        return signal.deadband / abs(self.gain[row]) if signal.kind == "number" else 0.0

    def items(self, values: Values, received: int) -> Iterator[Batch | Events]:
        """Yield what one message says."""
        rows = values.handle.astype(np.intp)
        if len(rows) and rows.max() >= len(self.signals):
            known = np.flatnonzero(rows < len(self.signals))
            values, rows = values.take(known), rows[known]
        if gaps := self._overflows(values, rows, received):
            yield gaps
        self.last[rows] = values.time
        yield from self._items(values, rows, received)

    def past(self, row: int, values: Values, received: int) -> Iterator[Batch | Events]:
        """Yield what one row's history says."""
        yield from self._items(values, np.full(len(values), row, np.intp), received)

    def _items(
        self, values: Values, rows: NDArray[np.intp], received: int
    ) -> Iterator[Batch | Events]:
        status = severity(values.code)
        time = _times(values.time, status, received)
        numeric = self.numeric[rows]
        if numeric.all():
            if len(rows):
                yield self._batch(values, rows, time, status, received)
            return
        if numeric.any():
            some = np.flatnonzero(numeric)
            yield self._batch(values.take(some), rows[some], time[some], status[some], received)
        rest = np.flatnonzero(~numeric)
        yield self._events(values.take(rest), rows[rest], time[rest], status[rest], received)

    def bad(self, problems: Mapping[int, str], received: int) -> Iterator[Batch | Events]:
        """Yield a bad sample for each row that does not work, and keep its problem."""
        for row, problem in problems.items():
            self.problems[self.signals[row].id] = problem
            self._troubled.add(row)
        status = Severity.BAD | Flag.RECEIVED_TIME
        rows = [row for row in problems if self.numeric[row]]
        if rows:
            n = len(rows)
            handles = self.handle[rows]
            yield Batch.of(handles, [received] * n, [np.nan] * n, [status] * n, received=received)
        others = [self.signals[row] for row in problems if not self.numeric[row]]
        if others:
            yield tuple(
                Event(id=signal.id, time=received, kind=signal.kind, value="", status=int(status),
                      received=received)
                for signal in others if signal.kind != "number"
            )  # fmt: skip

    def lost(self, count: int, until: int) -> Events:
        """Return a gap of every signal: `count` messages never came, nobody knows whose."""
        self.gaps += count
        reason = {"reason": f"{count} messages lost", "until": str(until)}
        return tuple(
            Event(id=signal.id, time=int(begin) or until, kind="gap", value="message lost",
                  received=until, data=reason)
            for signal, begin in zip(self.signals, self.last, strict=True)
        )  # fmt: skip

    def _batch(
        self,
        values: Values,
        rows: NDArray[np.intp],
        time: TimeArray,
        status: StatusArray,
        received: int,
    ) -> Batch:
        value = values.value if self.plain else values.value * self.gain[rows] + self.bias[rows]
        wrong = ~np.isfinite(value)
        if wrong.any():
            status = np.where(wrong, status & 0xFC | Severity.BAD, status).astype(np.uint8)
            value = np.where(wrong, np.nan, value)
        if self._troubled or (status & 3 == Severity.BAD).any():
            self._judge(values, rows, status)
        return Batch(self.handle[rows], time, value, status, received)

    def _judge(self, values: Values, rows: NDArray[np.intp], status: StatusArray) -> None:
        """Name the signals that turned bad and strike out those that are good again."""
        bad = status & 3 == Severity.BAD
        for i in np.flatnonzero(bad).tolist():
            row = int(rows[i])
            self.problems[self.signals[row].id] = _problem(values, i)
            self._troubled.add(row)
        for row in self._troubled.intersection(rows[~bad].tolist()):
            self.problems.pop(self.signals[row].id, None)
            self._troubled.discard(row)

    def _events(
        self, values: Values, rows: NDArray[np.intp], time: TimeArray, status: StatusArray,
        received: int,
    ) -> Events:  # fmt: skip
        found = []
        for i, row in enumerate(rows.tolist()):
            signal = self.signals[row]
            value = values.others.get(i, values.value[i])
            found.append(
                Event(
                    id=signal.id,
                    time=int(time[i]),
                    kind="text" if signal.kind == "number" else signal.kind,
                    value=written(value, self.texts.get(row, {})),
                    status=int(status[i]),
                    received=received,
                )
            )
        return tuple(found)

    def _overflows(self, values: Values, rows: NDArray[np.intp], received: int) -> Events:
        lost = np.flatnonzero(values.code & _OVERFLOW == _OVERFLOW)
        self.gaps += len(lost)
        found = []
        for place in lost.tolist():
            row, until = int(rows[place]), int(values.time[place]) or received
            data = {"reason": "the server's queue was too short", "until": str(until)}
            found.append(
                Event(id=self.signals[row].id, time=int(self.last[row]) or until, kind="gap",
                      value="queue overflow", received=received, data=data)
            )  # fmt: skip
        return tuple(found)


def severity(code: NDArray[np.uint32]) -> StatusArray:
    """Return the status of each StatusCode, uint8[n]: its severity, and what its sub-code says."""
    status: StatusArray = np.minimum(code >> 30, Severity.BAD).astype(np.uint8)
    if code.any():
        for origin, flag in _ORIGINS.items():
            status[code >> 16 == origin] |= np.uint8(flag)
    return status


def written(value: Any, texts: Mapping[int, str]) -> str:
    """Return a value as text: the name of a state, else the value itself."""
    if isinstance(value, bool | int | float | np.floating):
        number = float(value)
        if number.is_integer():
            return texts.get(int(number), str(int(number)))
        return "" if np.isnan(number) else str(number)
    if isinstance(value, ua.LocalizedText):
        return str(value.Text or "")
    if isinstance(value, datetime):
        return to_iso(_since(value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, ua.NodeId):
        return str(value.to_string())
    return "" if value is None else str(value)


def _since(moment: datetime) -> int:
    whole = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return whole // timedelta(microseconds=1) * (SECOND // 1_000_000)


def _times(time: TimeArray, status: StatusArray, received: int) -> TimeArray:
    """Return the times, the receive time where there is none; marks those in status."""
    missing = time == 0
    if not missing.any():
        return time
    status[missing] |= np.uint8(Flag.RECEIVED_TIME)
    return np.where(missing, received, time)


def _problem(values: Values, i: int) -> str:
    if (code := int(values.code[i])) >> 30 >= Severity.BAD:
        return f"the server says {said(code)}"
    if i in values.others:
        found = values.others[i]
        kind = "nothing" if found is None else type(found).__name__
        return f'sends {kind}, not a number: set kind = "text" or take another node'
    return f"sends {values.value[i]}, which is no number"
