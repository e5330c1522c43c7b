"""The OPC UA client door: connect, browse, stream, write."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from typing import Literal, NamedTuple

import numpy as np
from asyncua import ua

from deungdae.core import units
from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import DAY, SECOND, Batch, Permit, Signal, TimeArray

from . import backfill, nodes, options, subscription
from .link import Link, in_words, open_link, remedy, said
from .subscription import Arrival, History, Item, Mark, Publisher, Subscription
from .table import Table

State = Literal["stopped", "connecting", "online", "degraded", "offline"]
_SKEW = 60 * SECOND  # nodes of one server whose clocks differ more may miss some history
_RANGES = {
    ua.VariantType.Boolean: (0, 1),
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
    ua.VariantType.Float: (-3.4028235e38, 3.4028235e38),
    ua.VariantType.Double: (-1.7976931348623157e308, 1.7976931348623157e308),
}


class _Gap(NamedTuple):
    """What the history shall fill: from when on, and the newest time seen of each signal by id."""

    start: int
    seen: Mapping[str, int]


class _Before(NamedTuple):
    """What a stream leaves to the next one. mark: None where it ended in peace."""

    signals: Mapping[int, Signal]
    mark: Mark | None
    last: TimeArray
    refused: Mapping[int, str]
    ended: int

    def gap(self) -> _Gap:
        """Return what may be missing from the end of this stream on."""
        latest = int(self.last.max(initial=0))
        seen = {s.id: int(t) for s, t in zip(self.signals.values(), self.last, strict=True) if t}
        return _Gap(min(latest, self.ended) - _SKEW, seen)


class Opcua:
    """An OPC UA server: a PLC, a machine tool, a SCADA system or a gateway.

    Values come by subscription: the server looks at each node every `sampling` and sends what
    changed every `publishing`. The address of a signal is its node id, `ns=2;s=Kiln.Temp`; an
    address `nsu=<namespace uri>;s=Kiln.Temp` also holds when the server numbers its namespaces
    anew. Numbers and booleans have kind `number`; enumerations kind `state`, with the server's
    own names of the states; strings kind `text`. A signal's dead-band is applied by the server
    where it can.

    Time is the source's; where a server gives none, its own; where it gives neither, ours.
    After a lost link the subscription is taken up again or made anew, and the history of nodes
    that have one is read for what was missed.

    With a security policy the server's certificate must lie in `certificates/trusted/`: an
    unknown one is refused and written to `certificates/rejected/`, from where you move it. The
    server must likewise trust `certificates/own/certificate.der`, which is made on first use. A
    password is never sent in the clear, and never to a server whose certificate is not trusted.

    ```toml
    [machines.kiln]
    type = "opcua"
    url = "opc.tcp://10.0.0.7:4840"
    publishing = 0.25
    security = "Aes256Sha256RsaPss"
    user = "deungdae"
    password_env = "KILN_PASSWORD"

    [[signals]]
    id = "kiln1.zone3.temperature"
    unit = "Cel"
    source = "kiln:ns=2;s=Kiln.Zone3.Temperature"
    low = 0
    high = 1500
    ```
    """

    Options = options.Options

    def __init__(self, name: str, options: options.Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._link: Link | None = None
        self._health = Health(state="stopped", since=clock.now())
        self._table: Table | None = None
        self._before: _Before | None = None
        self._gap: _Gap | None = None
        self._types: dict[str, tuple[ua.NodeId, ua.VariantType]] = {}
        self._sent = 0
        self._unconfirmed: deque[tuple[int, int]] = deque(maxlen=10_000)
        self._subscription: Subscription | None = None
        self._publisher: Publisher | None = None

    @property
    def health(self) -> Health:
        table, health = self._table, self._health
        if health.state != "online" or table is None or not (table.problems or table.gaps):
            return health
        gaps = f"{table.gaps} times values were lost" if table.gaps else ""
        wrong = f"{len(table.problems)} signals do not work" if table.problems else ""
        return Health(
            state="degraded" if table.problems else "online",
            since=health.since,
            problem="; ".join(filter(None, (wrong, gaps))),
            remedy="check the addresses that are named" if wrong else "raise `queue`",
            signals=dict(table.problems),
        )

    async def connect(self) -> None:
        await self._drop()
        self._now_is("connecting")
        try:
            self._link = await open_link(self.name, self.options, self._clock, self._log)
        except DoorError as error:
            self._now_is("offline", str(error), error.remedy)
            raise
        self._types.clear()
        self._now_is("online")

    async def browse(self) -> AsyncIterator[Node]:
        link = self._linked()
        with in_words(self.options, "browsing"):
            found = nodes.discover(link, self.options.root, diagnostics=self.options.diagnostics)
            async for node in found:
                yield node

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        link = self._linked()
        self._table = table = Table(signals)
        self._sent = 0
        self._unconfirmed.clear()
        lost = False
        try:
            with in_words(self.options, "streaming"):
                async for item in self._stream(link, table, signals):
                    self._sent += 1
                    yield item
        except DoorError as error:
            lost = True
            self._now_is("offline", str(error), error.remedy)
            raise
        finally:
            await self._end(table, signals, lost)

    def confirm(self, items: int) -> None:
        current = self._subscription
        while current and self._unconfirmed and self._unconfirmed[0][0] <= items:
            current.acknowledge(self._unconfirmed.popleft()[1])

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        link, command = self._linked(), permit.command
        if command.signal != signal.id:
            raise DoorError(f"the permit is for {command.signal}, not for {signal.id}")
        with in_words(self.options, f"writing {signal.id}"):
            node, kind = await self._target(link, signal)
            raw = units.scaling(signal).raw(command.value)
            value = _fitting(signal, raw, kind)
            if command.expires <= self._clock.now():
                raise DoorError(
                    f"{signal.id}: the permit has expired; nothing was written",
                    remedy="ask again; if it happens often, the server answers too slowly",
                )
            await self._put(link, signal, node, ua.Variant(value, kind))
            return await self._read_back(link, signal, node)

    async def close(self) -> None:
        await self._silence()
        if self._link is not None:
            await self._link.close()
            self._link = None
        self._before = self._gap = None
        if self._health.state != "stopped":
            self._now_is("stopped")

    async def _stream(
        self, link: Link, table: Table, signals: Mapping[int, Signal]
    ) -> AsyncIterator[Batch | Events]:
        publisher = self._publishing(link)
        before = self._before
        addressed = self._addressed(link, table)
        await self._learn_texts(link, table, addressed)
        current = self._subscription = await self._open(link, before, signals, table, addressed)
        for item in table.bad(table.refused, self._clock.now()):
            yield item
        publisher.feed(current)
        if before and not current.resumed and self._gap is None:
            self._gap = before.gap()
        if self._gap:
            current.beside(self._backfill(link, current, self._gap, table, addressed))
        while True:
            arrival = await current.next()
            for item in _items(table, arrival):
                yield item
            if isinstance(arrival, Arrival) and not arrival.message.keepalive:
                self._unconfirmed.append((self._sent, arrival.message.sequence))

    def _publishing(self, link: Link) -> Publisher:
        """Return what keeps publish requests waiting, one for the life of a link."""
        if self._publisher is None:
            self._publisher = Publisher(link, self.options.requests, self._log)
        return self._publisher

    def _addressed(self, link: Link, table: Table) -> dict[int, ua.NodeId]:
        """Return the node of each row; what is wrong with the other addresses goes to refused."""
        found = {}
        for row, signal in enumerate(table.signals):
            try:
                found[row] = nodes.parse(signal.address, link.namespaces)
            except nodes.BadAddressError as error:
                table.refused[row] = str(error)
        return found

    async def _learn_texts(
        self, link: Link, table: Table, addressed: Mapping[int, ua.NodeId]
    ) -> None:
        """Learn what the server calls the states of the signals of kind state."""
        rows = [row for row in addressed if table.signals[row].kind == "state"]
        found = await nodes.states(link, [addressed[row] for row in rows])
        table.texts = dict(zip(rows, found, strict=True))

    async def _open(
        self,
        link: Link,
        before: _Before | None,
        signals: Mapping[int, Signal],
        table: Table,
        addressed: Mapping[int, ua.NodeId],
    ) -> Subscription:
        """Take up the subscription of before where it still lives, else make one."""
        if before and before.mark and before.signals == signals:
            if await subscription.transfer(link, before.mark):
                self._log.info("subscription transferred id=%d", before.mark.id)
                table.refused = dict(before.refused)
                table.last = before.last.copy()
                return Subscription(
                    link, before.mark, self.options, self._clock, self._log, resumed=True
                )
            self._log.info("subscription is gone id=%d", before.mark.id)
        mark = await subscription.create(link, self.options)
        made = Subscription(link, mark, self.options, self._clock, self._log)
        items = [Item(row, node, table.deadband(row)) for row, node in addressed.items()]
        for row, code in (await made.monitor(items)).items():
            advice = remedy(code, self.options)
            table.refused[row] = f"the server says {said(code)}; {advice}"
        return made

    async def _backfill(
        self,
        link: Link,
        current: Subscription,
        gap: _Gap,
        table: Table,
        addressed: Mapping[int, ua.NodeId],
    ) -> None:
        """Put what the history holds of the gap into the current stream.

        A gap that was not filled to its end is filled by the next stream.
        """
        seen = {row: gap.seen.get(table.signals[row].id, 0) for row in addressed}
        rows = {row: addressed[row] for row, last in seen.items() if last}
        now = self._clock.now()
        start = max(gap.start, now - round(self.options.backfill * SECOND))
        try:
            offered = await backfill.offered(link, rows) if start < now else {}
            async for row, page in backfill.missed(link, offered, start, now + DAY):
                new = np.flatnonzero(page.values.time > seen[row])
                values = page.values.take(new)
                await current.put(History(row, values, self._clock.now()))
                if page.code >> 30:
                    self._log.warning(
                        "no history signal=%s says=%s", table.signals[row].id, said(page.code)
                    )
            self._gap = None
        except (DoorError, OSError, TimeoutError, ua.UaError) as error:
            self._log.warning("backfill failed error=%r", error)

    async def _end(self, table: Table, signals: Mapping[int, Signal], lost: bool) -> None:
        """End the subscription; after a lost link leave it to the server, to be taken up again."""
        current, self._subscription = self._subscription, None
        if self._publisher is not None:
            self._publisher.feed(None)
        if current is not None:
            if not lost:
                with suppress(DoorError), in_words(self.options, "ending the subscription"):
                    await current.delete()
            await current.stop()
            # some servers let a subscription be taken up and then never answer for it
            mark = current.mark if lost and (current.heard or not current.resumed) else None
            self._before = _Before(
                signals, mark, table.last, dict(table.refused), self._clock.now()
            )
        if lost:
            await self._drop()

    async def _drop(self) -> None:
        await self._silence()
        link, self._link = self._link, None
        if link is not None:
            await link.drop()

    async def _silence(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.stop()

    async def _target(self, link: Link, signal: Signal) -> tuple[ua.NodeId, ua.VariantType]:
        """Return node and type to write; asked for once in the life of a link."""
        if signal.address not in self._types:
            try:
                node = nodes.parse(signal.address, link.namespaces)
            except nodes.BadAddressError as error:
                raise DoorError(f"{signal.id}: {error}") from error
            self._types[signal.address] = node, await nodes.writable(link, node)
        return self._types[signal.address]

    async def _put(self, link: Link, signal: Signal, node: ua.NodeId, variant: ua.Variant) -> None:
        # value alone: many servers refuse to have status or times written
        value = ua.DataValue(variant, StatusCode=None)
        (result,) = await link.client.uaclient.session.write_attributes([node], [value])
        if not result.is_good():
            code = int(result.value)
            raise BadReply(
                f"{signal.id}: the server refused {variant.Value}: {said(code)}",
                remedy=remedy(code, self.options),
            )

    async def _read_back(self, link: Link, signal: Signal, node: ua.NodeId) -> float:
        (found,) = await link.read([(node, ua.AttributeIds.Value)])
        if found.StatusCode is not None and not found.StatusCode.is_good():
            raise BadReply(
                f"{signal.id} was written, but reads back {said(int(found.StatusCode.value))}",
                remedy="look at the machine: the value may or may not have changed",
            )
        scaling = units.scaling(signal)
        return float(found.Value.Value) * scaling.gain + scaling.bias

    def _linked(self) -> Link:
        if self._link is None:
            raise Unreachable(f"{self.options.url} is not connected", remedy="connect first")
        return self._link

    def _now_is(self, state: State, problem: str = "", remedy: str = "") -> None:
        if state != self._health.state:
            self._log.info("state=%s url=%s problem=%s", state, self.options.url, problem)
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)


def _items(table: Table, arrival: Arrival | History) -> Iterator[Batch | Events]:
    if isinstance(arrival, History):
        yield from table.past(arrival.row, arrival.values, arrival.received)
        return
    if arrival.lost:
        yield table.lost(arrival.lost, arrival.received)
    for values in arrival.message.values:
        yield from table.items(values, arrival.received)


def _fitting(signal: Signal, raw: float, kind: ua.VariantType) -> bool | int | float:
    """Return a raw value as the node's type takes it. Raises DoorError where it does not fit."""
    low, high = _RANGES[kind]
    whole = kind not in (ua.VariantType.Float, ua.VariantType.Double)
    value = round(raw) if whole and math.isfinite(raw) else raw
    if not low <= value <= high:
        raise DoorError(
            f"{signal.id}: {raw} does not fit into the node's type {kind.name}",
            remedy="check unit, scale and address of the signal",
        )
    return bool(value) if kind is ua.VariantType.Boolean else value
