"""From readings to Batches and Events: which signal each data item feeds, and in which unit."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from math import inf, nan
from typing import NamedTuple

import numpy as np

from deungdae.core.ports import Events
from deungdae.core.types import (
    Batch,
    Event,
    Flag,
    FloatArray,
    Severity,
    Signal,
    StatusArray,
    TimeArray,
)
from deungdae.core.units import scaling
from deungdae.machines import _moment as moment

from .model import Item
from .reading import UNAVAILABLE, Reading, is_unavailable, series, short

_AXES = {"x": 0, "y": 1, "z": 2, "a": 0, "b": 1, "c": 2}


class Target(NamedTuple):
    """One signal that a data item feeds.

    row: its place among all targets; part: behind '#' in the address; rate: of a series, 1/s.
    """

    row: int
    handle: int
    signal: Signal
    part: str
    gain: float
    bias: float
    rate: float


class Table:
    """The signals of a stream, by data item.

    problems: signal id -> why its address cannot be found. silent: signal id -> its address, of
    those that nothing was heard of yet.
    """

    def __init__(self, signals: Mapping[int, Signal], items: Sequence[Item] | None) -> None:
        """items: everything that the agent has, or None where nobody knows before it is told."""
        self.signals = dict(signals)
        self.problems: dict[str, str] = {}
        self.silent: dict[str, str] = {}
        self._targets: dict[str, list[Target]] = {}
        rows: list[Target] = []
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
            rows.append(Target(len(rows), handle, signal, part, scale.gain, scale.bias, rate))
            self._targets.setdefault(item, []).append(rows[-1])
            self.silent[signal.id] = signal.address
        self._handles = np.asarray([target.handle for target in rows], np.int32)
        self._gains = np.asarray([target.gain for target in rows], np.float64)
        self._biases = np.asarray([target.bias for target in rows], np.float64)

    @property
    def items(self) -> Container[str]:
        """Return the data items that signals come from; of adapters, perhaps `device:item`."""
        return self._targets.keys()

    def translate(self, readings: Iterable[Reading], received: int) -> list[Batch | Events]:
        """Return what the readings say about the signals: at most one Batch and one tuple."""
        rows, texts, times = _Rows(), [], []
        targets, silent = self._targets, self.silent
        for reading in readings:
            item = reading.item
            for target in targets.get(item) or targets.get(short(item)) or ():
                if silent:
                    silent.pop(target.signal.id, None)
                if target.signal.kind != "number":
                    times.append(reading.time)
                    texts.append((target, reading))
                elif reading.data is None and not target.part:
                    rows.add(target.row, reading.time, reading.value)
                else:
                    rows.add_part(target, reading)
        found: list[Batch | Events] = []
        if len(rows):
            found.append(self._batch(rows, received))
        if texts:
            columns = zip(*(part.tolist() for part in _times(times, received)), strict=True)
            found.append(
                tuple(
                    _event(target, reading, time, status, received)
                    for (target, reading), (time, status) in zip(texts, columns, strict=True)
                )
            )
        return found

    def bad(self, ids: Iterable[str], received: int) -> list[Batch | Events]:
        """Return bad status for the given signals, as of now."""
        chosen = set(ids)
        status = int(Severity.BAD | Flag.RECEIVED_TIME)
        found: list[Batch | Events] = []
        for handle, signal in self.signals.items():
            if signal.id not in chosen:
                continue
            if signal.kind == "number":
                found.append(Batch.of([handle], [received], [nan], [status], received=received))
            else:
                found.append((_told(signal, received, UNAVAILABLE, status, received, {}),))
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

    def _batch(self, rows: _Rows, received: int) -> Batch:
        row, time, value, status = rows.columns(received)
        value = value * self._gains[row] + self._biases[row]
        status[~np.isfinite(value)] |= np.uint8(Severity.BAD)
        return Batch(self._handles[row], time, value, status, received)


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
        self._rows: list[int] = []
        self._times: list[str] = []
        self._texts: list[str] = []
        self._earlier: list[tuple[int, int]] = []  # place, ns before its text's time

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, time: str, text: str) -> None:
        """Take one value of the target `row`."""
        self._rows.append(row)
        self._times.append(time)
        self._texts.append(text)

    def add_part(self, target: Target, reading: Reading) -> None:
        """Take one part of a reading, or a whole time series."""
        if target.part or "sampleCount" not in (reading.data or {}):
            self.add(target.row, reading.time, _part(reading, target.part))
            return
        for before, text in series(reading, target.rate):
            if before:
                self._earlier.append((len(self._rows), before))
            self.add(target.row, reading.time, text)

    def columns(
        self, received: int
    ) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], TimeArray, FloatArray, StatusArray]:
        """Return row, time, value and status of every value: [n] each."""
        rows = np.asarray(self._rows, np.intp)
        time, status = _times(self._times, received)
        value = _floats(self._texts)
        for place, before in self._earlier:
            time[place] -= before
        return rows, time, value, status


def _times(texts: list[str], received: int) -> tuple[TimeArray, StatusArray]:
    """Return ns and status of each text: where it is no time, that of receipt, marked so."""
    times, wrong = moment.listed(texts)
    status = np.zeros(len(times), np.uint8)
    if wrong:
        missing = list(wrong)
        times[missing] = received
        status[missing] = Flag.RECEIVED_TIME
    return times, status


def _event(target: Target, reading: Reading, time: int, status: int, received: int) -> Event:
    text = _part(reading, target.part) if target.part else reading.value
    if is_unavailable(text):
        text, status = UNAVAILABLE, status | Severity.BAD
    return _told(target.signal, time, text, status, received, reading.data or {})


def _told(
    signal: Signal, time: int, text: str, status: int, received: int, data: dict[str, str]
) -> Event:
    kind = "text" if signal.kind == "number" else signal.kind
    return Event(
        id=signal.id, time=time, kind=kind, value=text, status=status, received=received, data=data
    )


def _part(reading: Reading, part: str) -> str:
    """Return one axis of a position, one value by its place, or one entry of a data set."""
    if not part:
        return reading.value
    if reading.data is not None and part in reading.data:
        return reading.data[part]
    values = reading.value.split()
    place = int(part) if part.isdecimal() else _AXES.get(part.lower(), inf)
    return values[int(place)] if place < len(values) else UNAVAILABLE


def _floats(texts: list[str]) -> FloatArray:
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
