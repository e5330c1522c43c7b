"""One edge node as a primary host sees it: births, aliases, sequence, deaths. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import to_iso
from deungdae.core.errors import BadReply
from deungdae.core.types import MILLISECOND, Batch, Event, Flag, Severity, Signal
from deungdae.core.units import scaling

from . import wire
from .columns import Columns, Cut, cut, read
from .wire import Metric, Type

_BAD = int(Severity.BAD)
_STALE = _BAD | int(Flag.STALE)
_SUSPECT = int(Flag.RECEIVED_TIME | Flag.CLOCK_SUSPECT)
_NAN = float("nan")
_READ = wire.NUMBERS | wire.TEXTS
_LATEST = 2**63 // MILLISECOND  # ms that fit
_MOMENT = 1.0  # s
_HELD = 1 << 24  # bytes of messages that wait for one that is missing
_QUALITY = {0: _BAD, 500: _STALE}  # of the property Quality; 192 is good
BDSEQ, REBIRTH = "bdSeq", "Node Control/Rebirth"


class Settings(msgspec.Struct, frozen=True):
    """reorder: s to wait for a missing message; rebirth: s at least between two requests.

    patience: s to wait for a birth; limit: bytes that a compressed payload may unpack to.
    """

    reorder: float = 5.0
    rebirth: float = 10.0
    patience: float = 10.0
    limit: int = 1 << 22


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


class Message(msgspec.Struct, frozen=True):
    """One message of an edge node. kind: NBIRTH, DDATA and so on; received: ns since 1970."""

    kind: str
    device: str
    data: bytes
    received: int


class Edge:
    """The session of one edge node.

    Feed it messages with `take` and the clock with `tick`; `drain` gives what they came to.
    `due`: monotonic s when it wants its next tick. `ask`: whether a rebirth should be asked for.
    """

    def __init__(
        self, group: str, name: str, wanted: Mapping[tuple[str, str], int], *, table: Table,
        settings: Settings, now: float,
    ) -> None:  # fmt: skip
        self.group = group
        self.name = name
        self.malformed = 0
        self.gaps = 0
        self._wanted = dict(wanted)
        self._table = table
        self._settings = settings
        self._born: list[Born] = []
        self._by_name: dict[tuple[str, str], int] = {}
        self._bdseq: int | None = None
        self._next: int | None = None  # sequence number that comes next; None before a birth
        self._held: dict[int, Message] = {}
        self._held_since = 0
        self._deadline: float | None = None  # of the missing message
        self._judge_at: float | None = now + settings.patience
        # a node that waits for its primary host gives birth by itself: let it, for a moment
        self._asked = now + _MOMENT - settings.rebirth
        self._want_rebirth = True
        self._rows: list[Rows] = []
        self._events: list[Event] = []
        n = len(table.signals)
        self._last = np.full(n, _NAN)
        self._texts: dict[int, tuple[str, int]] = {}
        self._index()

    # what comes in

    def take(self, message: Message, now: float) -> None:
        """Take one message; now: monotonic s. A malformed one calls for a rebirth."""
        try:
            self._take(message, now)
        except BadReply as error:
            self.malformed += 1
            self._want_rebirth = True
            self._note(message.received, f"{message.kind}: {error}")

    def miss(self, received: int, what: str) -> None:
        """Learn that a message was thrown away: a gap, and its signals are not what they seem."""
        self._lose(received, received, what)
        self._want_rebirth = True

    def tick(self, now: float, received: int) -> None:
        """Let time pass: give up a missing message, or a birth that never came."""
        if self._deadline is not None and now >= self._deadline:
            self._give_up(now, received)
        if self._judge_at is not None and now >= self._judge_at:
            self._judge_at = None
            self._judge(received)

    @property
    def due(self) -> float | None:
        """Return when `tick` or an allowed `ask` is due, monotonic s; None: not before news."""
        times = [time for time in (self._deadline, self._judge_at) if time is not None]
        if self._want_rebirth:
            times.append(self._asked + self._settings.rebirth)
        return min(times, default=None)

    def ask(self, now: float) -> bool:
        """Return whether to ask for a rebirth now; it then counts as asked."""
        if not self._want_rebirth or now < self._asked + self._settings.rebirth:
            return False
        self._asked, self._want_rebirth = now, False
        return True

    def drain(self) -> tuple[list[Rows], list[Event]]:
        """Return and forget what the messages came to."""
        rows, self._rows = self._rows, []
        events, self._events = self._events, []
        return rows, events

    def find(self, slot: int) -> Born:
        """Return the metric behind a signal, to write to it. Raises BadReply."""
        for born in self._born:
            if born.slot == slot and self._next is not None:
                return born
        raise BadReply(
            f"{self._table.signals[slot].id}: no birth of {self.group}/{self.name} declares it",
            remedy="wait for its birth; is the node online, and the metric's name right?",
        )

    @property
    def metrics(self) -> list[Born]:
        """Return everything that the births declared."""
        return self._born

    # order

    def _take(self, message: Message, now: float) -> None:
        if message.kind == "NBIRTH":
            self._node_birth(message, now)
        elif message.kind == "NDEATH":
            self._node_death(message)
        elif self._next is None:
            self._want_rebirth = True
        else:
            self._in_order(message, now)

    def _in_order(self, message: Message, now: float) -> None:
        """Take a message whose turn it is, and those that waited for it; hold any other."""
        message, parts = self._open(message)
        seq = parts.seq
        if seq is None or seq > 255:
            raise BadReply("it has no sequence number from 0 to 255")
        if seq != self._next:
            self._hold(seq, message, now)
            return
        self._next = (seq + 1) % 256
        while self._next in self._held:
            self._apply(message, parts)
            message, parts = self._open(self._held.pop(self._next))
            self._next = (self._next + 1) % 256
        if not self._held:
            self._deadline = None
        self._apply(message, parts)

    def _apply(self, message: Message, parts: Cut) -> None:
        if message.kind in ("NDATA", "DDATA"):
            self._data(message, read(message.data, parts), parts.timestamp)
        else:
            self._device(message)

    def _open(self, message: Message) -> tuple[Message, Cut]:
        """Return a message unpacked, and where its metrics stand."""
        parts = cut(message.data)
        if not parts.uuid:
            return message, parts
        inner = wire.unfold(message.data, wire.outline(message.data), self._settings.limit)
        return msgspec.structs.replace(message, data=inner), cut(inner)

    def _hold(self, seq: int, message: Message, now: float) -> None:
        """Keep a message that came before one that is missing."""
        if self._deadline is None:
            self._deadline = now + self._settings.reorder
            self._held_since = message.received
        self._held[seq] = message
        if sum(len(held.data) for held in self._held.values()) > _HELD:
            self._deadline = now

    def _give_up(self, now: float, received: int) -> None:
        """Go on without the missing messages: say so, take those that waited, ask for a rebirth."""
        if self._next is None:
            return
        self._lose(self._held_since, received, "messages of the edge node are missing")
        self._deadline = None
        while self._held and self._next is not None:
            start = self._next
            self._next = min(self._held, key=lambda seq: (seq - start) % 256)
            self.take(self._held.pop(self._next), now)  # and those that follow it at once
        self._want_rebirth = True

    def _lose(self, start: int, until: int, what: str) -> None:
        self.gaps += 1
        self._events.append(
            Event(
                id=f"{self.group}/{self.name}.data", time=start, kind="gap", received=until,
                value=what, data={"until": to_iso(until)},
            )
        )  # fmt: skip

    # births and deaths

    def _node_birth(self, message: Message, now: float) -> None:
        payload = wire.decode(message.data, limit=self._settings.limit)
        if payload.seq is None or payload.seq > 255:
            raise BadReply("it has no sequence number from 0 to 255")
        if self._held:  # they are older than this birth
            self._give_up(now, message.received)
        bdseq = next((m.value for m in payload.metrics if m.name == BDSEQ), None)
        self._bdseq = bdseq if isinstance(bdseq, int) else None
        self._born.clear()
        self._by_name.clear()
        self._held.clear()
        self._deadline, self._want_rebirth = None, False
        self._next = (payload.seq + 1) % 256
        self._judge_at = now + self._settings.patience
        self._birth("", payload, message.received)

    def _node_death(self, message: Message) -> None:
        """End the session, unless it is the will of an earlier one that comes late."""
        payload = wire.decode(message.data, limit=self._settings.limit)
        bdseq = next((m.value for m in payload.metrics if m.name == BDSEQ), None)
        if self._next is None or (self._bdseq is not None and bdseq != self._bdseq):
            return
        self._next = None
        self._held.clear()
        self._deadline = None
        self._stale(set(self._wanted.values()), message.received, "the edge node is dead")

    def _device(self, message: Message) -> None:
        payload = wire.decode(message.data, limit=self._settings.limit)
        if message.kind == "DBIRTH":
            self._born = [born for born in self._born if born.device != message.device]
            self._birth(message.device, payload, message.received)
        elif message.kind == "DDEATH":
            mine = {b.slot for b in self._born if b.device == message.device and b.slot >= 0}
            time, _ = _when(payload.timestamp, 0, message.received)
            self._stale(mine, time, f"device {message.device} is dead")

    def _birth(self, device: str, payload: wire.Payload, received: int) -> None:
        """Learn names, aliases and types; the values of a birth are the current ones."""
        for metric in payload.metrics:
            slot = self._wanted.get((device, metric.name), -1)
            self._born.append(
                Born(
                    device=device, name=metric.name, datatype=metric.datatype,
                    alias=metric.alias, slot=slot,
                    unit=str(metric.properties.get("engUnit", metric.properties.get("unit", ""))),
                    text="" if metric.value is None else str(metric.value)[:200],
                )
            )  # fmt: skip
        self._index()
        for metric in payload.metrics:
            found = self._by_name[device, metric.name]
            if self._born[found].slot >= 0:
                self._table.faults.pop(self._born[found].slot, None)
                self._single(self._born[found], metric, payload.timestamp, received)

    def _index(self) -> None:
        """Arrange what is born as columns, by alias."""
        self._by_name = {(born.device, born.name): i for i, born in enumerate(self._born)}
        self._names: dict[str, dict[bytes, int]] = {}
        for i, born in enumerate(self._born):
            self._names.setdefault(born.device, {})[born.name.encode()] = i
        aliased = sorted((b.alias, i) for i, b in enumerate(self._born) if b.alias is not None)
        self._aliases = np.array([alias for alias, _ in aliased], np.uint64)
        self._places = np.array([place for _, place in aliased], np.intp)
        self._slots = np.array([born.slot for born in self._born], np.intp)
        widths = [wire.SIGNED.get(born.datatype, 0) for born in self._born]  # type: ignore[call-overload]
        self._shift = np.array([64 - width if width else 0 for width in widths], np.uint64)
        self._signed = np.array([width > 0 for width in widths], np.bool_)

    def _judge(self, received: int) -> None:
        """Say of each signal that no birth has declared that there is nothing of it."""
        present = {born.slot for born in self._born}
        missing = {slot for slot in self._wanted.values() if slot not in present}
        where = f"{self.group}/{self.name}"
        if self._next is None:
            fault = f"edge node {where} does not answer: no birth came"
        else:
            fault = f"the births of edge node {where} hold no such metric"
        self._stale(missing, received, fault)

    def _stale(self, slots: set[int], time: int, fault: str) -> None:
        """Give signals their last value again, as stale."""
        table = self._table
        for slot in slots:
            table.faults[slot] = fault
        numbers = np.array(sorted(slot for slot in slots if table.number[slot]), np.intp)
        if len(numbers):
            n = len(numbers)
            self._rows.append(
                Rows(
                    numbers, np.full(n, time, np.int64), self._last[numbers],
                    np.full(n, _STALE, np.uint8),
                )
            )  # fmt: skip
        for slot in sorted(slots - set(numbers.tolist())):
            self._event(slot, self._texts.get(slot, ("", 0))[0], time, _STALE, time)

    # data

    def _data(self, message: Message, columns: Columns, timestamp: int) -> None:
        place, ok = self._lookup(columns.alias)
        if columns.named.any():
            self._find_names(message, columns, place, ok)
        if not ok.all():
            self._want_rebirth = True
        ok[ok] = self._slots[place[ok]] >= 0
        place = place[ok]
        slot = self._slots[place]
        value = np.where(columns.whole[ok], self._whole(columns.word[ok], place), columns.real[ok])
        time, status = _times(columns.time[ok], timestamp, message.received)
        status[~np.isfinite(value)] |= np.uint8(_BAD)
        number = self._table.number[slot]
        if not number.all():
            for i in np.flatnonzero(~number).tolist():
                text = _spell(self._born[place[i]].datatype, value[i].item())
                self._event(slot[i].item(), text, time[i].item(), int(status[i]), message.received)
            slot, time, value, status = slot[number], time[number], value[number], status[number]
        if len(slot):
            self._last[slot] = value
            self._rows.append(Rows(slot, time, value, status))
        for _, metric in columns.plain:
            self._plain(message, metric, timestamp)

    def _whole(self, word: NDArray[np.uint64], place: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return whole numbers as their types mean them: with a sign or without."""
        shift = self._shift[place]
        value = ((word << shift).view(np.int64) >> shift.view(np.int64)).astype(np.float64)
        return np.where(self._signed[place], value, word.astype(np.float64))

    def _find_names(
        self,
        message: Message,
        columns: Columns,
        place: NDArray[np.intp],
        ok: NDArray[np.bool_],
    ) -> None:
        """Look up the metrics that come by name instead of alias."""
        rows = np.flatnonzero(columns.named)
        starts, stops = columns.name
        names = self._names.get(message.device, {})
        data = message.data
        places = [
            names.get(data[start:stop], -1)
            for start, stop in zip(starts[rows].tolist(), stops[rows].tolist(), strict=True)
        ]
        place[rows] = places
        ok[rows] = place[rows] >= 0

    def _lookup(self, alias: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return which metric each alias means, and whether it means one."""
        if not len(self._aliases):
            return np.zeros(len(alias), np.intp), np.zeros(len(alias), np.bool_)
        at = np.minimum(np.searchsorted(self._aliases, alias), len(self._aliases) - 1)
        return self._places[at], self._aliases[at] == alias

    def _plain(self, message: Message, metric: Metric, timestamp: int) -> None:
        """Take a metric that is not of a common shape: by name, null, historical, a text …"""
        if metric.alias is not None:
            place, ok = self._lookup(np.array([metric.alias], np.uint64))
            found = int(place[0]) if ok[0] else None
        else:
            found = self._by_name.get((message.device, metric.name))
        if found is None:
            self._want_rebirth = True
        elif self._born[found].slot >= 0:
            self._single(self._born[found], metric, timestamp, message.received)

    def _single(self, born: Born, metric: Metric, timestamp: int, received: int) -> None:
        slot = born.slot
        time, status = _when(metric.timestamp, timestamp, received)
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
        if not metric.historical:
            self._last[slot] = value
        self._rows.append(
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
        self._events.append(
            Event(
                id=signal.id, time=time, kind=signal.kind, value=text, status=status,
                received=received,
            )
        )  # fmt: skip

    def _note(self, time: int, text: str) -> None:
        self._events.append(
            Event(id=f"{self.group}/{self.name}.data", time=time, kind="note", value=text)
        )


def _times(
    stamp: NDArray[np.uint64], timestamp: int, received: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return ns since 1970 of each metric, and the status that its time deserves."""
    stamp = np.where(stamp == 0, np.uint64(timestamp), stamp)
    good = (stamp > 0) & (stamp < _LATEST)
    time = np.where(good, stamp, 0).astype(np.int64) * MILLISECOND
    time[~good] = received
    return time, np.where(good, 0, _SUSPECT).astype(np.uint8)


def _when(stamp: int, timestamp: int, received: int) -> tuple[int, int]:
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
