"""Sparkplug B 3.0: the primary host of edge nodes, over any MQTT broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import MILLISECOND, Batch, Permit, Severity, Signal
from deungdae.core.units import scaling
from deungdae.wires.mqtt.broker import Broker
from deungdae.wires.mqtt.codec import Message as Delivery
from deungdae.wires.mqtt.codec import Will
from deungdae.wires.mqtt.link import Ledger, Link, dial
from deungdae.wires.sparkplug import BDSEQ, SPACE

from . import speech
from .edge import Edge, Settings
from .metrics import Message, Rows, Table
from .speech import KINDS


class Sparkplug:
    """Be the Sparkplug B primary host: edge nodes see us online, and declare what they measure.

    A signal's address is `<group>/<edge node>/<metric>` or `<group>/<edge node>/<device>/<metric>`,
    in the names that the births use; `deungdae discover` lists them. Types come from the birth.
    When a message is missing, the door waits `reorder` seconds, notes a gap and asks for a rebirth;
    when a node or device dies, its signals turn stale.

    Numbers, booleans and texts are read; data sets, templates and arrays are not, and a signal that
    points at one says so. Edge nodes on Eclipse's JavaScript client read a command without a data
    type as null: name them in `typed`.

    ```toml
    [machines.cells]
    type = "sparkplug"
    url = "mqtt://broker.plant:1883"
    host_id = "deungdae"

    [[signals]]
    id = "oven.temperature"
    unit = "Cel"
    source = "cells:plant/line1/oven/Temperature"

    [[signals]]
    id = "oven.setpoint"
    unit = "Cel"
    access = "rw"
    source = "cells:plant/line1/oven/Setpoint"
    ```
    """

    class Options(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """Options of one broker as a Sparkplug network."""

        host_id: Annotated[
            str,
            Meta(
                description="Our name as a host, unlike that of any other host on this broker; "
                "edge nodes name it as their primary host.",
                pattern="^[^/+#]+$",
            ),
        ] = "deungdae"
        groups: Annotated[
            tuple[str, ...], Meta(description="Groups that `discover` listens to; empty: all.")
        ] = ()
        reorder: Annotated[
            float,
            Meta(
                description="How long to wait for a message that is missing from the sequence.",
                ge=0,
                le=300,
                extra={"unit": "s"},
            ),
        ] = 5.0
        rebirth: Annotated[
            float,
            Meta(
                description="At most one request for rebirth to an edge node in this time.",
                gt=0,
                le=3600,
                extra={"unit": "s"},
            ),
        ] = 10.0
        patience: Annotated[
            float,
            Meta(
                description="How long a birth may take before its signals count as missing.",
                gt=0,
                le=3600,
                extra={"unit": "s"},
            ),
        ] = 10.0
        typed: Annotated[
            tuple[str, ...],
            Meta(
                description="Edge nodes (`group/edge`, or `*`) that need the data type in commands."
            ),
        ] = ()
        listen: Annotated[
            float,
            Meta(
                description="How long `discover` waits for births.",
                gt=0,
                le=3600,
                extra={"unit": "s"},
            ),
        ] = 5.0

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._settings = Settings(
            options.reorder, options.rebirth, options.patience, options.message_limit
        )
        self._link: Link | None = None
        self._ledger: Ledger | None = None
        self._filters: set[str] = set()
        self._stamp = 0  # ms, of our STATE in this session
        self._edges: dict[tuple[str, str], Edge] = {}
        self._table: Table | None = None
        self._topics: dict[bytes, tuple[str, Edge | None, str]] = {}
        self._refused = 0
        self._expected: dict[int, asyncio.Future[float]] = {}
        self._slots: dict[str, int] = {}
        self._state: Literal["stopped", "connecting", "online", "offline"] = "stopped"
        self._since = clock.now()
        self._problem = self._remedy = ""

    @property
    def health(self) -> Health:
        """Return how the door is doing now; its signals with what is wrong with each."""
        signals = self._table.problems if self._table else {}
        problem = self._problem
        malformed = sum(edge.malformed for edge in self._edges.values())
        gaps = sum(edge.gaps for edge in self._edges.values())
        if malformed or gaps or self._refused:
            problem = problem or (
                f"{malformed} malformed, {self._refused} oversized messages, {gaps} gaps so far"
            )
        degraded = self._state == "online" and bool(signals)
        return Health(
            state="degraded" if degraded else self._state,
            since=self._since,
            problem=problem,
            remedy=self._remedy,
            signals=signals,
        )

    async def connect(self) -> None:
        """Open the link, with our death as its will. Raises Unreachable or BadReply."""
        await self._drop()
        self._turn("connecting")
        options = self._options
        self._stamp = self._clock.now() // MILLISECOND
        try:
            self._link = await dial(
                options,
                options.client_id or f"deungdae-{self._name}",
                clean=True,
                will=Will(self._home, speech.state(False, self._stamp)),
            )
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Collect births for a while, ask for those that are missing, and yield their metrics."""
        link = self._connected()
        table = Table({})
        edges: dict[tuple[str, str], Edge] = {}
        filters = [
            f"{SPACE}/{group}/{kind}/+{'/+' * (kind[0] == 'D')}"
            for group in self._options.groups or ("+",)
            for kind in sorted(KINDS)
        ]
        await self._announce(link, filters)
        end = self._clock.monotonic() + self._options.listen
        while (left := end - self._clock.monotonic()) > 0:
            for delivery in await link.receive(min(left, 0.5)):
                link.acknowledge([delivery.packet] if delivery.packet else [])
                kind, key, device = speech.address(delivery.topic)
                if kind not in KINDS or delivery.refused:
                    continue
                now = self._clock.monotonic()
                if key not in edges:
                    edges[key] = Edge(*key, {}, table=table, settings=self._settings, now=now)
                edges[key].take(Message(kind, device, delivery.payload, self._clock.now()), now)
            await self._ask(link, edges.values())
        for key, edge in sorted(edges.items()):
            for born in edge.metrics:
                if born.name != BDSEQ:
                    yield speech.node(key, born)

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield what the edge nodes say: births first, then data as they come."""
        link = self._connected()
        table = self._table = Table(signals)
        lost = self._plan(table, signals)
        ledger = self._ledger = Ledger(link.acknowledge)
        try:
            filters = sorted(f"{SPACE}/{group}/+/{edge}/#" for group, edge in self._edges)
            refused = await self._announce(link, filters)
            if refused:
                self._log.warning("subscription=refused filters=%s", sorted(refused))
            if lost is not None:
                ledger.give()
                yield lost
            while True:
                deliveries = await link.receive(self._pause())
                received = self._clock.now()
                for delivery in deliveries:
                    await self._deliver(link, delivery, received)
                await self._tick(link, received)
                items = self._drain(table, received)
                for _ in items:
                    ledger.give()
                ledger.owe([delivery.packet for delivery in deliveries if delivery.packet])
                for item in items:
                    yield item
        except DoorError as error:
            self._turn("offline", error)
            raise

    def confirm(self, items: int) -> None:
        """Acknowledge to the broker what is durable now (only deaths come at QoS 1)."""
        if self._ledger is not None:
            self._ledger.confirm(items)

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Send a command; return what the node then reports, None if it does not in time."""
        link = self._connected()
        slot = self._slots.get(signal.id)
        if slot is None:
            raise BadReply(
                f"{signal.id} is not streamed, so its metric's type is unknown",
                remedy="declare it among the signals of this machine",
            )
        group, name = signal.address.split("/")[:2]
        edge = self._edges[group, name]
        born = edge.find(slot)
        payload = speech.command(
            born,
            scaling(signal).raw(permit.command.value),
            self._clock.now() // MILLISECOND,
            typed=bool({"*", f"{group}/{name}"} & set(self._options.typed)),
        )
        kind, tail = ("DCMD", f"/{born.device}") if born.device else ("NCMD", "")
        reported: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._expected[slot] = reported
        try:
            topic = f"{SPACE}/{edge.group}/{kind}/{edge.name}{tail}"
            await link.publish(topic, payload, quality=0)
            async with asyncio.timeout(self._options.timeout):
                return await reported
        except TimeoutError:
            return None
        finally:
            self._expected.pop(slot, None)

    async def close(self) -> None:
        """Publish our death and close the link."""
        await self._drop()
        self._turn("stopped")

    # as a host

    @property
    def _home(self) -> str:
        return f"{SPACE}/STATE/{self._options.host_id}"

    async def _announce(self, link: Link, filters: Sequence[str]) -> dict[str, str]:
        """Subscribe, then say that we are online: in this order, as the specification asks."""
        wanted = [self._home, *filters]
        old = sorted(self._filters - set(wanted))
        if old:
            await link.unsubscribe(old)
        self._filters = set(wanted)
        refused = await link.subscribe(wanted, 1)
        await link.publish(self._home, speech.state(True, self._stamp), retain=True)
        return refused

    async def _deliver(self, link: Link, delivery: Delivery, received: int) -> None:
        kind, edge, device = self._topics.get(delivery.topic) or self._address(delivery.topic)
        if kind == "STATE" and not delivery.refused:
            if speech.offline(delivery.payload):  # an old will of ours, published late
                await link.publish(self._home, speech.state(True, self._stamp), retain=True)
        elif edge is not None and delivery.refused:
            self._refused += 1
            edge.miss(received, f"a {kind} of {delivery.size} bytes is over message_limit")
        elif edge is not None and kind in KINDS:
            edge.take(Message(kind, device, delivery.payload, received), self._clock.monotonic())

    def _address(self, topic: bytes) -> tuple[str, Edge | None, str]:
        """Return the kind of a topic, whose it is, and its device; and remember it."""
        kind, key, device = speech.address(topic)
        if len(self._topics) > 100_000:
            self._topics.clear()
        found = self._topics[topic] = kind, self._edges.get(key), device
        return found

    async def _tick(self, link: Link, received: int) -> None:
        now = self._clock.monotonic()
        for edge in self._edges.values():
            edge.tick(now, received)
        await self._ask(link, self._edges.values())

    async def _ask(self, link: Link, edges: Iterable[Edge]) -> None:
        """Ask for the rebirths that are due."""
        now = self._clock.monotonic()
        for edge in edges:
            if edge.ask(now):
                payload = speech.rebirth(self._clock.now() // MILLISECOND)
                topic = f"{SPACE}/{edge.group}/NCMD/{edge.name}"
                await link.publish(topic, payload, quality=0)
                self._log.info("rebirth=asked edge=%s/%s", edge.group, edge.name)

    def _pause(self) -> float | None:
        """Return how long to wait for news at most, s."""
        due = [edge.due for edge in self._edges.values()]
        first = min((time for time in due if time is not None), default=None)
        return None if first is None else max(first - self._clock.monotonic(), 0.01)

    def _drain(self, table: Table, received: int) -> list[Batch | Events]:
        rows: list[Rows] = []
        events: Events = ()
        for edge in self._edges.values():
            some, more = edge.drain()
            rows += some
            events += tuple(more)
        batch = table.batch(rows, received)
        if batch is not None and self._expected:
            self._notice(table, batch)
        return [item for item in (batch, events) if item]

    def _notice(self, table: Table, batch: Batch) -> None:
        """Hand the values that writes wait for to them."""
        for slot, future in self._expected.items():
            values = batch.value[batch.signal == table.handles[slot]]
            if len(values) and not future.done():
                future.set_result(float(values[-1]))

    def _plan(self, table: Table, signals: Mapping[int, Signal]) -> Batch | None:
        """Make an edge for every edge node that an address names; return bad rows for bad ones."""
        wanted: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
        for slot, signal in enumerate(signals.values()):
            parts = signal.address.split("/", 3)
            names = wanted.setdefault((parts[0], parts[1]), {}) if len(parts) > 2 else {}
            if len(parts) < 3 or not all(parts) or set("+#") & set(parts[0] + parts[1]):
                table.faults[slot] = (
                    f"{signal.address!r}: write group/edge/metric, or …/device/metric"
                )
                continue
            keys = [("", "/".join(parts[2:]))]
            if len(parts) == 4:  # a device, or a metric of the node with a slash in its name
                keys.append((parts[2], parts[3]))
            if keys[0] in names:
                table.faults[slot] = f"{signal.address} is the address of another signal already"
                continue
            names.update(dict.fromkeys(keys, slot))
        now = self._clock.monotonic()
        self._edges = {
            key: Edge(*key, names, table=table, settings=self._settings, now=now)
            for key, names in wanted.items()
        }
        self._topics = {}
        self._slots = {signal.id: slot for slot, signal in enumerate(signals.values())}
        slots = np.array([slot for slot in table.faults if table.number[slot]], np.intp)
        n = len(slots)
        received = self._clock.now()
        return table.batch(
            [
                Rows(
                    slots, np.full(n, received, np.int64), np.full(n, np.nan),
                    np.full(n, Severity.BAD, np.uint8),
                )
            ],
            received,
        )  # fmt: skip

    def _connected(self) -> Link:
        if self._link is None:
            raise Unreachable(f"{self._name} is not connected", remedy="connect first")
        return self._link

    async def _drop(self) -> None:
        link, self._link, self._ledger = self._link, None, None
        self._filters = set()
        if link is None:
            return
        if link.up:
            stamp = self._clock.now() // MILLISECOND
            try:
                await link.publish(self._home, speech.state(False, stamp), retain=True)
            except DoorError as error:
                self._log.warning("death=unpublished problem=%s", error)
        await link.close()

    def _turn(
        self,
        state: Literal["stopped", "connecting", "online", "offline"],
        error: DoorError | None = None,
    ) -> None:
        """Change the state, and log it when it is another."""
        self._problem, self._remedy = (str(error), error.remedy) if error else ("", "")
        if state != self._state:
            self._state, self._since = state, self._clock.now()
            self._log.info("state=%s problem=%s", state, self._problem)
