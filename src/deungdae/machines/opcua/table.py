"""The signals of one stream as columns: from what the server sends to Batches and Events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

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
from .wire import NEVER, Values

_OVERFLOW = 0x0480  # InfoType DataValue with the overflow bit: OPC 10000-4 §7.39
# sub-codes that say where a value comes from: UncertainLastUsableValue, UncertainSubstituteValue,
# GoodLocalOverride, GoodEntryInserted, GoodEntryReplaced
_ORIGINS = {
    0x4090: Flag.STALE, 0x4091: Flag.SUBSTITUTED, 0x0096: Flag.SUBSTITUTED,
    0x00A2: Flag.SUBSTITUTED, 0x00A3: Flag.SUBSTITUTED,
}  # fmt: skip


class _Samples(NamedTuple):
    """Values on their way to a Batch or to Events, one row of the table for each."""

    values: Values
    rows: NDArray[np.intp]
    time: TimeArray
    status: StatusArray
    received: int

    def take(self, places: NDArray[np.intp]) -> _Samples:
        """Return the samples at these places."""
        return _Samples(
            self.values.take(places),
            self.rows[places],
            self.time[places],
            self.status[places],
            self.received,
        )


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
        samples = _samples(values, rows, received)
        if gaps := self._overflows(samples):
            yield gaps
        self.last[rows] = samples.time
        yield from self._sorted(samples)

    def past(self, row: int, values: Values, received: int) -> Iterator[Batch | Events]:
        """Yield what one row's history says."""
        rows = np.full(len(values), row, np.intp)
        yield from self._sorted(_samples(values, rows, received))

    def _sorted(self, samples: _Samples) -> Iterator[Batch | Events]:
        """Yield numbers as a batch and the rest as events."""
        numeric = self.numeric[samples.rows]
        if numeric.all():
            if len(samples.rows):
                yield self._batch(samples)
            return
        if numeric.any():
            yield self._batch(samples.take(np.flatnonzero(numeric)))
        yield self._events(samples.take(np.flatnonzero(~numeric)))

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

    def _batch(self, samples: _Samples) -> Batch:
        rows, value, status = samples.rows, samples.values.value, samples.status
        if not self.plain:
            value = value * self.gain[rows] + self.bias[rows]
        wrong = ~np.isfinite(value)
        if wrong.any():
            status = np.where(wrong, status & 0xFC | Severity.BAD, status).astype(np.uint8)
            value = np.where(wrong, np.nan, value)
        if self._troubled or (status & 3 == Severity.BAD).any():
            self._judge(samples, status)
        return Batch(self.handle[rows], samples.time, value, status, samples.received)

    def _judge(self, samples: _Samples, status: StatusArray) -> None:
        """Name the signals that turned bad and strike out those that are good again."""
        bad = status & 3 == Severity.BAD
        for i in np.flatnonzero(bad).tolist():
            row = int(samples.rows[i])
            self.problems[self.signals[row].id] = _problem(samples.values, i)
            self._troubled.add(row)
        for row in self._troubled.intersection(samples.rows[~bad].tolist()):
            self.problems.pop(self.signals[row].id, None)
            self._troubled.discard(row)

    def _events(self, samples: _Samples) -> Events:
        values, found = samples.values, []
        for i, row in enumerate(samples.rows.tolist()):
            signal = self.signals[row]
            found.append(
                Event(
                    id=signal.id,
                    time=int(samples.time[i]),
                    kind="text" if signal.kind == "number" else signal.kind,
                    value=written(values.others.get(i, values.value[i]), self.texts.get(row, {})),
                    status=int(samples.status[i]),
                    received=samples.received,
                )
            )
        return tuple(found)

    def _overflows(self, samples: _Samples) -> Events:
        lost = np.flatnonzero(samples.values.code & _OVERFLOW == _OVERFLOW)
        self.gaps += len(lost)
        found = []
        for place in lost.tolist():
            row, until = int(samples.rows[place]), int(samples.time[place])
            data = {"reason": "the server's queue was too short", "until": str(until)}
            found.append(
                Event(id=self.signals[row].id, time=int(self.last[row]) or until, kind="gap",
                      value="queue overflow", received=samples.received, data=data)
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


def _samples(values: Values, rows: NDArray[np.intp], received: int) -> _Samples:
    """Return values with their status, and the receive time where the server gave no time."""
    status, time = severity(values.code), values.time
    missing = time == NEVER
    if missing.any():
        status[missing] |= np.uint8(Flag.RECEIVED_TIME)
        time = np.where(missing, received, time)
    return _Samples(values, rows, time, status, received)


def _problem(values: Values, i: int) -> str:
    if (code := int(values.code[i])) >> 30 >= Severity.BAD:
        return f"the server says {said(code)}"
    if i in values.others:
        found = values.others[i]
        kind = "nothing" if found is None else type(found).__name__
        return f'sends {kind}, not a number: set kind = "text" or take another node'
    return f"sends {values.value[i]}, which is no number"
