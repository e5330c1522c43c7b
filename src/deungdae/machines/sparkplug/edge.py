"""One edge node as a primary host sees it: births, order, deaths. Pure: time is given."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from deungdae.core.clock import to_iso
from deungdae.core.errors import BadReply
from deungdae.core.types import Event
from deungdae.wires import sparkplug as wire

from .columns import Cut, cut
from .metrics import Born, Message, Metrics, Rows, Table, moment

_MOMENT = 1.0  # s
_HELD = 1 << 24  # bytes of messages that wait for one that is missing


class Settings(msgspec.Struct, frozen=True):
    """reorder: s to wait for a missing message; rebirth: s at least between two requests.

    patience: s to wait for a birth; limit: bytes that a compressed payload may unpack to.
    """

    reorder: float = 5.0
    rebirth: float = 10.0
    patience: float = 10.0
    limit: int = 1 << 22


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
        self._table = table
        self._settings = settings
        self._metrics = Metrics(wanted, table)
        self._bdseq: int | None = None
        self._next: int | None = None  # sequence number that comes next; None before a birth
        self._turn: list[tuple[Message, Cut]] = []  # data in order, to be read together
        self._held: dict[int, Message] = {}
        self._held_since = 0
        self._deadline: float | None = None  # of the missing message
        self._judge_at: float | None = now + settings.patience
        # a node that waits for its primary host gives birth by itself: let it, for a moment
        self._asked = now + _MOMENT - settings.rebirth
        self._want_rebirth = True

    # what comes in

    def take(self, message: Message, now: float) -> None:
        """Take one message; now: monotonic s. A malformed one calls for a rebirth."""
        try:
            self._take(message, now)
        except BadReply as error:
            self._spoilt(message, error)

    def miss(self, received: int, what: str) -> None:
        """Learn that a message was thrown away: a gap, and its signals are not what they seem."""
        self._lose(received, received, what)
        self._want_rebirth = True

    def tick(self, now: float, received: int) -> None:
        """Let time pass: give up a missing message, or a birth that never came."""
        if self._deadline is not None and now >= self._deadline:
            self._give_up(now, received)
        self._read()
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
        self._read()
        metrics = self._metrics
        rows, metrics.rows = metrics.rows, []
        events, metrics.events = metrics.events, []
        return rows, events

    def find(self, slot: int) -> Born:
        """Return the metric behind a signal, to write to it. Raises BadReply."""
        for born in self._metrics.born:
            if born.slot == slot and self._next is not None:
                return born
        raise BadReply(
            f"{self._table.signals[slot].id}: no birth of {self.group}/{self.name} declares it",
            remedy="wait for its birth; is the node online, and the metric's name right?",
        )

    @property
    def metrics(self) -> list[Born]:
        """Return everything that the births declared."""
        return self._metrics.born

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
            self._turn.append((message, parts))
        else:
            self._device(message)

    def _read(self) -> None:
        """Read the data that have come, together; one malformed message must not spoil others."""
        turn, self._turn = self._turn, []
        try:
            if turn:
                self._metrics.data([one for one, _ in turn], [parts for _, parts in turn])
        except BadReply:
            for message, parts in turn:
                try:
                    self._metrics.data([message], [parts])
                except BadReply as error:
                    self._spoilt(message, error)
        self._want_rebirth |= self._metrics.stranger
        self._metrics.stranger = False

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
        self._metrics.events.append(
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
        bdseq = next((m.value for m in payload.metrics if m.name == wire.BDSEQ), None)
        self._bdseq = bdseq if isinstance(bdseq, int) else None
        self._read()
        self._metrics.forget()
        self._held.clear()
        self._deadline, self._want_rebirth = None, False
        self._next = (payload.seq + 1) % 256
        self._judge_at = now + self._settings.patience
        self._metrics.birth("", payload, message.received)

    def _node_death(self, message: Message) -> None:
        """End the session, unless it is the will of an earlier one that comes late."""
        payload = wire.decode(message.data, limit=self._settings.limit)
        bdseq = next((m.value for m in payload.metrics if m.name == wire.BDSEQ), None)
        if self._next is None or (self._bdseq is not None and bdseq != self._bdseq):
            return
        self._read()
        self._next = None
        self._held.clear()
        self._deadline = None
        slots = set(self._metrics.wanted.values())
        self._metrics.stale(slots, message.received, "the edge node is dead")

    def _device(self, message: Message) -> None:
        payload = wire.decode(message.data, limit=self._settings.limit)
        self._read()
        device = message.device
        if message.kind == "DBIRTH":
            self._metrics.forget_device(device)
            self._metrics.birth(device, payload, message.received)
        elif message.kind == "DDEATH":
            born = self._metrics.born
            mine = {one.slot for one in born if one.device == device and one.slot >= 0}
            time, _ = moment(payload.timestamp, 0, message.received)
            self._metrics.stale(mine, time, f"device {device} is dead")

    def _judge(self, received: int) -> None:
        """Say of each signal that no birth has declared that there is nothing of it."""
        present = {born.slot for born in self._metrics.born}
        missing = {slot for slot in self._metrics.wanted.values() if slot not in present}
        where = f"{self.group}/{self.name}"
        if self._next is None:
            fault = f"edge node {where} does not answer: no birth came"
        else:
            fault = f"the births of edge node {where} hold no such metric"
        self._metrics.stale(missing, received, fault)

    def _spoilt(self, message: Message, error: BadReply) -> None:
        """Count a malformed message, note what is wrong with it, and want a rebirth."""
        self.malformed += 1
        self._want_rebirth = True
        self._metrics.events.append(
            Event(
                id=f"{self.group}/{self.name}.data", time=message.received, kind="note",
                value=f"{message.kind}: {error}", received=message.received,
            )
        )  # fmt: skip
