"""What the births of an edge node declared, and data read by it: samples by slot, and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import MILLISECOND, Batch, Event, Flag, Severity, Signal
from deungdae.core.units import scaling
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric, Payload, Type

from .columns import Columns, Cut, read

_BAD = int(Severity.BAD)
_STALE = _BAD | int(Flag.STALE)
_SUSPECT = int(Flag.RECEIVED_TIME | Flag.CLOCK_SUSPECT)
_NAN = float("nan")
_READ = wire.NUMBERS | wire.TEXTS
_LATEST = 2**63 // MILLISECOND  # ms that fit
_QUALITY = {0: _BAD, 500: _STALE}  # of the property Quality; 192 is good


class Message(msgspec.Struct, frozen=True):
    """One message of an edge node. kind: NBIRTH, DDATA and so on; received: ns since 1970."""

    kind: str
    device: str
    data: bytes
    received: int


class Born(msgspec.Struct):
    """One metric that a birth declared. slot: the signal's place, -1 where nobody wants it."""

    device: str
    name: str
    datatype: int
    alias: int | None
    slot: int
    unit: str = ""
    text: str = ""


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Samples by slot: intp[n], time int64[n], value float64[n] as sent, status uint8[n]."""

    slot: NDArray[np.intp]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.slot)


class Table:
    """The signals of one door as columns: handle, gain and bias by slot; and their problems."""

    def __init__(self, signals: Mapping[int, Signal]) -> None:
        self.signals = list(signals.values())
        self.handles = np.fromiter(signals, np.int32, len(signals))
        scales = [scaling(signal) for signal in self.signals]
        self.gain = np.array([scale.gain for scale in scales])
        self.bias = np.array([scale.bias for scale in scales])
        self.number = np.array([signal.kind == "number" for signal in self.signals], np.bool_)
        self.faults: dict[int, str] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Return what is wrong with each signal that does not work, by id."""
        return {self.signals[slot].id: fault for slot, fault in self.faults.items()}

    def batch(self, parts: Sequence[Rows], received: int) -> Batch | None:
        """Return everything as one batch in the signals' units; None when there is nothing."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return None
        slot = np.concatenate([part.slot for part in parts])
        value = np.concatenate([part.value for part in parts])
        return Batch(
            self.handles[slot],
            np.concatenate([part.time for part in parts]),
            value * self.gain[slot] + self.bias[slot],
            np.concatenate([part.status for part in parts]),
            received,
        )


class Metrics:
    """The metrics of one edge node. wanted: (device, name) -> slot of the signal.

    What it reads gathers in `rows` and `events`; `stranger` tells that something came which no
    birth has declared.
    """

    def __init__(self, wanted: Mapping[tuple[str, str], int], table: Table) -> None:
        self.wanted = dict(wanted)
        self.born: list[Born] = []
        self.rows: list[Rows] = []
        self.events: list[Event] = []
        self.stranger = False
        self._table = table
        self._last = np.full(len(table.signals), _NAN)
        self._last_time = np.zeros(len(table.signals), np.int64)
        self._texts: dict[int, tuple[str, int]] = {}
        self._index()

    def forget(self) -> None:
        """Forget all births: a new session begins."""
        self.born = []

    def forget_device(self, device: str) -> None:
        """Forget a device's birth: a new one follows."""
        self.born = [born for born in self.born if born.device != device]

    def birth(self, device: str, payload: Payload, received: int) -> None:
        """Learn names, aliases and types; the values of a birth are the current ones."""
        for metric in payload.metrics:
            slot = self.wanted.get((device, metric.name), -1)
            self.born.append(
                Born(
                    device=device, name=metric.name, datatype=metric.datatype,
                    alias=metric.alias, slot=slot,
                    unit=str(metric.properties.get("engUnit", metric.properties.get("unit", ""))),
                    text="" if metric.value is None else str(metric.value)[:200],
                )
            )  # fmt: skip
        self._index()
        for metric in payload.metrics:
            born = self.born[self._names[device][metric.name.encode()]]
            if born.slot >= 0:
                self._table.faults.pop(born.slot, None)
                self._single(born, metric, payload.timestamp, received)

    def stale(self, slots: set[int], time: int, fault: str) -> None:
        """Give signals their last value again, as stale."""
        table = self._table
        for slot in slots:
            table.faults[slot] = fault
        numbers = np.array(sorted(slot for slot in slots if table.number[slot]), np.intp)
        if len(numbers):
            n = len(numbers)
            self.rows.append(
                Rows(
                    numbers, np.full(n, time, np.int64), self._last[numbers],
                    np.full(n, _STALE, np.uint8),
                )
            )  # fmt: skip
        for slot in sorted(slots - set(numbers.tolist())):
            self._event(slot, self._texts.get(slot, ("", 0))[0], time, _STALE, time)

    def data(self, messages: Sequence[Message], cuts: Sequence[Cut]) -> None:
        """Read the data of several messages at once. Raises BadReply, and has then read none."""
        if len(messages) == 1:
            message, cut = messages[0].data, cuts[0]
        else:
            message, cut = _join(messages, cuts)
        columns = read(message, cut)
        owner = np.repeat(np.arange(len(cuts)), [len(one.starts) for one in cuts])
        self._columns(messages, cuts, message, columns, owner)
        for row, metric in columns.plain:
            at = owner[row].item()
            self._plain(messages[at], metric, cuts[at].timestamp)

    def _columns(
        self, messages: Sequence[Message], cuts: Sequence[Cut], data: bytes, columns: Columns,
        owner: NDArray[np.intp],
    ) -> None:  # fmt: skip
        """Take what was read as columns. owner: which message each metric of `data` is of."""
        owner = owner[columns.row]
        place, ok = self._lookup(columns.alias)
        if columns.named.any():
            self._find_names(
                [messages[at].device for at in owner.tolist()], data, columns, place, ok
            )
        self.stranger |= not ok.all()
        ok[ok] = self._slots[place[ok]] >= 0
        place, owner = place[ok], owner[ok]
        slot = self._slots[place]
        value = np.where(columns.whole[ok], self._whole(columns.word[ok], place), columns.real[ok])
        received = np.array([message.received for message in messages])[owner]
        stamp = np.array([cut.timestamp for cut in cuts], np.uint64)[owner]
        time, status = _times(columns.time[ok], stamp, received)
        status[~np.isfinite(value)] |= np.uint8(_BAD)
        number = self._table.number[slot]
        if not number.all():
            for i in np.flatnonzero(~number).tolist():
                text = _spell(self.born[place[i]].datatype, value[i].item())
                self._event(
                    slot[i].item(), text, time[i].item(), int(status[i]), received[i].item()
                )
            slot, time, value, status = slot[number], time[number], value[number], status[number]
        if len(slot):
            self._last[slot], self._last_time[slot] = value, time
            self.rows.append(Rows(slot, time, value, status))

    def _find_names(
        self, devices: Sequence[str], data: bytes, columns: Columns, place: NDArray[np.intp],
        ok: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Look up the metrics that come by name instead of alias."""
        starts, stops = columns.name
        for i in np.flatnonzero(columns.named).tolist():
            found = self._names.get(devices[i], {}).get(data[starts[i] : stops[i]], -1)
            place[i], ok[i] = found, found >= 0

    def _whole(self, word: NDArray[np.uint64], place: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return whole numbers as their types mean them: with a sign or without."""
        shift = self._shift[place]
        value = ((word << shift).view(np.int64) >> shift.view(np.int64)).astype(np.float64)
        return np.where(self._signed[place], value, word.astype(np.float64))

    def _lookup(self, alias: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return which metric each alias means, and whether it means one."""
        if not len(self._aliases):
            return np.zeros(len(alias), np.intp), np.zeros(len(alias), np.bool_)
        at = np.minimum(np.searchsorted(self._aliases, alias), len(self._aliases) - 1)
        return self._places[at], self._aliases[at] == alias

    def _plain(self, message: Message, metric: Metric, timestamp: int) -> None:
        """Take a metric that is not of a common shape: null, historical, a text …"""
        if metric.alias is not None:
            place, ok = self._lookup(np.array([metric.alias], np.uint64))
            found = int(place[0]) if ok[0] else None
        else:
            found = self._names.get(message.device, {}).get(metric.name.encode())
        if found is None:
            self.stranger = True
        elif self.born[found].slot >= 0:
            self._single(self.born[found], metric, timestamp, message.received)

    def _single(self, born: Born, metric: Metric, timestamp: int, received: int) -> None:
        slot = born.slot
        time, status = moment(metric.timestamp, timestamp, received)
        quality = metric.properties.get("Quality")
        if isinstance(quality, int):
            status |= _QUALITY.get(quality, 0)
        datatype = born.datatype or metric.datatype
        if metric.null or metric.value is None:
            status |= _BAD
            if not metric.null and datatype not in _READ:
                self._table.faults[slot] = f"a metric of type {_name(datatype)} is not read"
        if not self._table.number[slot]:
            text = "" if metric.null or metric.value is None else _spell(datatype, metric.value)
            self._event(slot, text, time, status, received)
            return
        value = _number(metric, datatype)
        if value - value != 0:
            status |= _BAD
        if not metric.historical and time >= self._last_time[slot]:
            self._last[slot], self._last_time[slot] = value, time
        self.rows.append(
            Rows(
                np.array([slot], np.intp), np.array([time], np.int64), np.array([value]),
                np.array([status], np.uint8),
            )
        )  # fmt: skip

    def _event(self, slot: int, text: str, time: int, status: int, received: int) -> None:
        """Note a state when it changes; a scan, a text or an alarm each time."""
        signal = self._table.signals[slot]
        if signal.kind == "number":
            return
        if signal.kind == "state" and self._texts.get(slot) == (text, status):
            return
        self._texts[slot] = (text, status)
        self.events.append(
            Event(
                id=signal.id, time=time, kind=signal.kind, value=text, status=status,
                received=received,
            )
        )  # fmt: skip

    def _index(self) -> None:
        """Arrange what is born as columns, by alias."""
        self._by_name = {(born.device, born.name): i for i, born in enumerate(self.born)}
        self._names: dict[str, dict[bytes, int]] = {}
        for i, born in enumerate(self.born):
            self._names.setdefault(born.device, {})[born.name.encode()] = i
        aliased = sorted((b.alias, i) for i, b in enumerate(self.born) if b.alias is not None)
        self._aliases = np.array([alias for alias, _ in aliased], np.uint64)
        self._places = np.array([place for _, place in aliased], np.intp)
        self._slots = np.array([born.slot for born in self.born], np.intp)
        widths = [wire.SIGNED.get(born.datatype, 0) for born in self.born]  # type: ignore[call-overload]
        self._shift = np.array([64 - width if width else 0 for width in widths], np.uint64)
        self._signed = np.array([width > 0 for width in widths], np.bool_)


def _join(messages: Sequence[Message], cuts: Sequence[Cut]) -> tuple[bytes, Cut]:
    """Return several payloads as one, with where the metrics of all stand."""
    offsets = np.cumsum([0, *(len(message.data) for message in messages[:-1])])
    return b"".join([message.data for message in messages]), Cut(
        0, None, "",
        np.concatenate([cut.starts + at for cut, at in zip(cuts, offsets, strict=True)]),
        np.concatenate([cut.stops + at for cut, at in zip(cuts, offsets, strict=True)]),
    )  # fmt: skip


def _times(
    stamp: NDArray[np.uint64], timestamp: NDArray[np.uint64], received: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return ns since 1970 of each metric, and the status that its time deserves."""
    stamp = np.where(stamp == 0, timestamp, stamp)
    good = (stamp > 0) & (stamp < _LATEST)
    time = np.where(good, stamp, 0).astype(np.int64) * MILLISECOND
    time[~good] = received[~good]
    return time, np.where(good, 0, _SUSPECT).astype(np.uint8)


def moment(stamp: int, timestamp: int, received: int) -> tuple[int, int]:
    stamp = stamp or timestamp
    return (stamp * MILLISECOND, 0) if 0 < stamp < _LATEST else (received, _SUSPECT)


def _number(metric: Metric, datatype: int) -> float:
    if isinstance(metric.value, str):
        try:
            return float(metric.value)
        except ValueError:
            return _NAN
    if isinstance(metric.value, int):
        return float(wire.signed(metric.value, datatype))
    return _NAN if metric.value is None else metric.value


def _spell(datatype: int, value: float | str) -> str:
    """Return a value as the text of an event."""
    if datatype == Type.BOOLEAN:
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(wire.signed(value, datatype))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)


def _name(datatype: int) -> str:
    return Type(datatype).name.capitalize() if datatype in list(Type) else f"number {datatype}"
