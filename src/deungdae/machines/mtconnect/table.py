"""From readings to Batches and Events: which signal each data item feeds, and in which unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite, nan
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from deungdae.core.ports import Events
from deungdae.core.types import SECOND, Batch, Event, Flag, Severity, Signal
from deungdae.core.units import scaling
from deungdae.machines import _moment as moment

from .model import Item
from .reading import UNAVAILABLE, Reading, is_unavailable, short

_AXES = {"x": 0, "y": 1, "z": 2, "a": 0, "b": 1, "c": 2}


class Target(NamedTuple):
    """One signal that a data item feeds. part: behind '#' in the address; rate: of a series."""

    handle: int
    signal: Signal
    part: str
    gain: float
    bias: float
    rate: float


class Table:
    """The signals of a stream, by data item.

    problems: signal id -> why its address cannot be found. silent: signal id -> its data item, of
    those that nothing was heard of yet.
    """

    def __init__(self, signals: Mapping[int, Signal], items: Sequence[Item] | None) -> None:
        """items: everything that the agent has, or None where nobody knows before it is told."""
        self.signals = dict(signals)
        self.problems: dict[str, str] = {}
        self.silent: dict[str, str] = {}
        self._targets: dict[str, list[Target]] = {}
        for handle, signal in signals.items():
            name, _, part = signal.address.partition("#")
            try:
                item, rate = name.replace("/", ":"), 0.0
                if items is not None:
                    found = find(name, items)
                    item, rate = found.id, found.rate
                scale = scaling(signal)
            except ValueError as error:
                self.problems[signal.id] = str(error)
                continue
            target = Target(handle, signal, part, scale.gain, scale.bias, rate)
            self._targets.setdefault(item, []).append(target)
            self.silent[signal.id] = signal.address

    def wants(self, item: str) -> bool:
        """Return whether any signal comes from the data item."""
        return bool(self._of(item))

    def translate(self, readings: Iterable[Reading], received: int) -> list[Batch | Events]:
        """Return what the readings say about the signals: at most one Batch and one tuple."""
        rows = _Rows()
        events: list[Event] = []
        for reading in readings:
            for target in self._of(reading.item):
                if self.silent:
                    self.silent.pop(target.signal.id, None)
                if target.signal.kind == "number":
                    rows.add(target, reading)
                else:
                    events.append(_event(target, reading, received))
        found: list[Batch | Events] = []
        if len(rows):
            found.append(rows.batch(received))
        if events:
            found.append(tuple(events))
        return found

    def _of(self, item: str) -> Sequence[Target]:
        return self._targets.get(item) or self._targets.get(short(item)) or ()

    def bad(self, ids: Iterable[str], received: int) -> list[Batch | Events]:
        """Return bad status for the given signals, as of now."""
        chosen = set(ids)
        status = Severity.BAD | Flag.RECEIVED_TIME
        handles = [
            handle
            for handle, signal in self.signals.items()
            if signal.id in chosen and signal.kind == "number"
        ]
        events = tuple(
            Event(
                id=signal.id,
                time=received,
                kind=signal.kind,
                value=UNAVAILABLE,
                status=status,
                received=received,
            )
            for signal in self.signals.values()
            if signal.id in chosen and signal.kind != "number"
        )
        count = len(handles)
        found: list[Batch | Events] = []
        if handles:
            times, values, states = [received] * count, [nan] * count, [status] * count
            found.append(Batch.of(handles, times, values, states, received=received))
        if events:
            found.append(events)
        return found

    def gap(self, since: int, until: int, why: str, received: int) -> Events:
        """Return the news that every signal lost its observations from `since` to `until`."""
        return tuple(
            Event(
                id=signal.id,
                time=since,
                kind="gap",
                value=why,
                received=received,
                data={"until": str(until)},
            )
            for signal in self.signals.values()
        )


def find(address: str, items: Sequence[Item]) -> Item:
    """Return the data item of an address: its id, its name, or `device/name`. Raises ValueError."""
    for item in items:
        if item.id == address:
            return item
    device, _, name = address.rpartition("/")
    close = [
        item
        for item in items
        if name in (item.name, item.id) and device in ("", item.device, *item.device_ids)
    ]
    if len(close) > 1:
        which = ", ".join(f"{item.device}/{item.name} ({item.id})" for item in close[:4])
        raise ValueError(f"{address!r} names {len(close)} data items: {which}; use the id")
    if not close:
        raise ValueError(f"the agent has no data item {address!r}; see `deungdae discover`")
    return close[0]


class _Rows:
    """Numeric readings as they come, made into columns at the end."""

    def __init__(self) -> None:
        self._targets: list[Target] = []
        self._times: list[str] = []
        self._texts: list[str] = []
        self._later: list[tuple[int, float, float]] = []  # row, value, s before the row's time

    def __len__(self) -> int:
        return len(self._targets)

    def add(self, target: Target, reading: Reading) -> None:
        text = _part(reading, target.part) if target.part else reading.value
        if reading.data is not None and "sampleCount" in reading.data and not target.part:
            text = self._series(target, reading)
        self._targets.append(target)
        self._times.append(reading.time)
        self._texts.append(text)

    def _series(self, target: Target, reading: Reading) -> str:
        """Return a time series' last value; the others follow as rows of their own.

        Its time is that of the last value. Source: MTConnect 2.1, Representations, TimeSeries.
        """
        values = reading.value.split()
        rate = _number((reading.data or {}).get("sampleRate", "")) or target.rate
        rate = rate if isfinite(rate) and rate > 0 else target.rate
        if rate > 0:
            for back, text in enumerate(reversed(values[:-1]), 1):
                self._later.append((len(self._targets), _number(text), back / rate))
        return values[-1] if values else ""

    def batch(self, received: int) -> Batch:
        times, wrong = moment.columns(pa.array(self._times, pa.string()))
        status = np.zeros(len(times), np.uint8)
        if wrong:
            missing = list(wrong)
            times[missing] = received
            status[missing] = Flag.RECEIVED_TIME
        targets, values = self._targets, _floats(self._texts)
        if self._later:
            rows = np.asarray([row for row, _, _ in self._later])
            back = np.asarray([seconds for _, _, seconds in self._later])
            targets = targets + [targets[row] for row in rows]
            values = np.concatenate([values, [value for _, value, _ in self._later]])
            times = np.concatenate([times, times[rows] - np.rint(back * SECOND).astype(np.int64)])
            status = np.concatenate([status, status[rows]])
        values = values * np.asarray([target.gain for target in targets])
        values += np.asarray([target.bias for target in targets])
        status[~np.isfinite(values)] |= np.uint8(Severity.BAD)
        handles = np.asarray([target.handle for target in targets], np.int32)
        return Batch(handles, times, values, status, received)


def _event(target: Target, reading: Reading, received: int) -> Event:
    text = _part(reading, target.part) if target.part else reading.value
    unknown = is_unavailable(text)
    status = int(Severity.BAD) if unknown else int(Severity.GOOD)
    try:
        time = moment.one(reading.time)
    except ValueError:
        time, status = received, status | Flag.RECEIVED_TIME
    return Event(
        id=target.signal.id,
        time=time,
        kind="text" if target.signal.kind == "number" else target.signal.kind,
        value=UNAVAILABLE if unknown else text,
        status=status,
        received=received,
        data=reading.data or {},
    )


def _part(reading: Reading, part: str) -> str:
    """Return one axis of a position, one value by its place, or one entry of a data set."""
    if reading.data is not None and part in reading.data:
        return reading.data[part]
    values = reading.value.split()
    place = int(part) if part.isdecimal() else _AXES.get(part.lower(), inf)
    return values[int(place)] if place < len(values) else UNAVAILABLE


def _floats(texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return float64[n], NaN where the text is no number."""
    try:
        if "_" not in "".join(texts):
            return np.asarray([float(text) for text in texts], np.float64)
    except ValueError:
        pass
    return np.asarray([_number(text) for text in texts], np.float64)


def _number(text: str) -> float:
    try:
        return nan if "_" in text else float(text)  # Python alone takes 1_000 for a number
    except ValueError:
        return nan
