"""A simulated machine that speaks Sparkplug B, for practice, tests and commissioning."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError
from deungdae.core.ports import Health
from deungdae.core.types import MILLISECOND
from deungdae.sim.plant import Quantity
from deungdae.virtual._faults import Faults
from deungdae.virtual._machine import PlantOptions, live, machine
from deungdae.wires import sparkplug as wire
from deungdae.wires.mqtt.broker import Broker
from deungdae.wires.mqtt.codec import Message, Will
from deungdae.wires.mqtt.link import Link, dial
from deungdae.wires.sparkplug import Metric

from .edge import Edge, Saying, Value, host_state, number

_FIRST, _LONGEST = 0.5, 15.0  # s between two attempts to reach the broker
_LOOK = 0.1  # s between two looks whether a fault still keeps the link down
_WRONG_TYPE = 0.2  # share of rubbish values whose type is wrong, too
_GARBLED = 0.1  # share of messages cut in half, of a machine that talks rubbish
_LATE = 10_000  # messages that may wait to be late; then the oldest is lost, and the host asks
_NAME = "^[^/+#]+$"


class Sparkplug:
    """A simulated machine that is an edge node of a Sparkplug B network.

    It connects to an MQTT broker that you run, says what it is in its births (units, ranges and
    what may be written are properties of each metric), then sends what changes. The quantities are
    metrics of one device, or of the node itself where `device` is empty; numbers are Double, states
    and texts String. A host sets a writable one by DCMD (NCMD), beyond its range the value stops at
    the end, and the machine reports what it then holds. It gives birth again when a host asks, and
    dies by its will when the broker loses it. With `host_id` it keeps silent while that host is
    offline. While the broker is away the machine goes on and tries again, but what happens then
    is not kept.

    Of the faults, `drop` cuts the link, so that the broker publishes the death; `slow` sends each
    message late; `rubbish` sends numbers that are none, values of a wrong type and, of the whole
    machine, messages cut in half.

    ```toml
    [virtual.oven]
    type = "sparkplug"
    model = "kiln"
    group = "plant"
    node = "line1"
    device = "oven"

    [virtual.oven.broker]
    url = "mqtt://127.0.0.1:1883"
    ```
    """

    class Options(PlantOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        broker: Annotated[
            Broker, Meta(description="How to reach the broker: as in `[machines.…]` of `sparkplug`")
        ]
        group: Annotated[str, Meta(description="Group of the node", pattern=_NAME)] = "plant"
        node: Annotated[
            str, Meta(description="Edge node; empty: the table's name", pattern="^[^/+#]*$")
        ] = ""
        device: Annotated[
            str,
            Meta(
                description="Device of the node; empty: the quantities are the node's own",
                pattern="^[^/+#]*$",
            ),
        ] = "machine"
        host_id: Annotated[
            str,
            Meta(
                description="Primary host to wait for; empty: speak whether anybody listens or not",
                pattern="^[^/+#]*$",
            ),
        ] = ""
        deadband: Annotated[
            float,
            Meta(ge=0, le=0.5, description="Share of its range that a number must move to be sent"),
        ] = 0.0
        typed: Annotated[
            bool,
            Meta(
                description="Say the data type with each value, not in births alone: Eclipse's "
                "JavaScript library needs it"
            ),
        ] = False

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self._edge = Edge(
            options.group,
            options.node or name,
            options.device,
            self.plant.quantities,
            identity={
                "Manufacturer": "Deungdae",
                "Model": options.model,
                "Serial Number": f"{options.model}-{options.seed}",
            },
            deadband=options.deadband,
            typed=options.typed,
        )
        self._link: Link | None = None
        self._born = False
        self._host_since = 0  # ms, of the newest STATE that counts
        self._tries = 0  # since the broker last accepted us
        # messages with the monotonic s when each is due
        self._waiting: deque[tuple[float, Saying]] = deque(maxlen=_LATE)
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether the broker has us."""
        return self._health

    async def serve(self) -> None:
        """Live and speak until cancelled; a broker that is away is tried again and again.

        Raises Unreachable where the machine cannot live: the line in which it stands is not there.
        """
        self._turn("connecting")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(live(self._clock, self.plant, self.options.step, self._tell))
                group.create_task(self._keep_linked())
        except ExceptionGroup as group:
            if isinstance(group.exceptions[0], DoorError):
                raise group.exceptions[0] from None
            raise
        finally:
            self._turn("stopped")

    # the link

    async def _keep_linked(self) -> None:
        # waits are not in the machine's time: no broker must be asked sixty times as often
        while True:
            if self.faults.dropped:
                self._lost("")
                self._tries = 0
                await asyncio.sleep(_LOOK)
                continue
            try:
                await self._session()
            except DoorError as error:
                self._lost(str(error), error.remedy)
            wait = min(_FIRST * 2**self._tries, _LONGEST)
            self._tries += 1
            await asyncio.sleep(wait * self.faults.random.uniform(0.5, 1.5))

    def _lost(self, problem: str, remedy: str = "") -> None:
        if self.faults.dropped:
            problem, remedy = "the connection is dropped by command", ""
        self._turn("offline", problem, remedy)

    async def _session(self) -> None:
        """Be connected until the link is lost, or the primary host is."""
        self._edge.connect()
        topic, payload = self._edge.death(self._stamp)
        link = await dial(
            self.options.broker,
            self.options.broker.client_id or f"deungdae-virtual-{self.name}",
            clean=True,
            will=Will(topic, payload, retain=False),
        )
        self._tries = 0
        self._link = link
        try:
            await self._listen(link)
        finally:
            self._link, self._born = None, False
            self._waiting.clear()
            await self._leave(link)

    async def _leave(self, link: Link) -> None:
        """Die in good order: the broker drops the will of who says goodbye."""
        if link.up:
            with contextlib.suppress(DoorError):
                await link.publish(*self._edge.death(self._stamp))
        await link.close()

    async def _listen(self, link: Link) -> None:
        host = self.options.host_id
        state = f"{wire.SPACE}/STATE/{host}"
        wanted = {self._edge.topic("NCMD"), self._edge.commands}
        refused = await link.subscribe(sorted(wanted | ({state} if host else set())), 1)
        if refused:
            raise BadReply(
                f"the broker refused our subscriptions: {refused}",
                remedy="allow this user to read there, in the broker's access list",
            )
        if host:
            self._turn("connecting", f"waits for its primary host {host}")
        else:
            self._birth()
        while True:
            await self._send()
            for message in await link.receive():
                link.acknowledge([message.packet] if message.packet else [])
                if message.topic.decode("utf-8", "replace") != state:
                    self._obey(message)
                elif not self._host_is_there(message):
                    return

    def _host_is_there(self, message: Message) -> bool:
        """Return False when the primary host has gone: then we go, too."""
        state = host_state(message.payload)
        if state is None or state.timestamp < self._host_since:
            return True
        self._host_since = state.timestamp
        if state.online and not self._born:
            self._birth()
        return state.online or not self._born

    # what is said

    async def _tell(self) -> None:
        """Say what has changed; hang up when the connection is to drop."""
        if self.faults.dropped and self._link is not None:
            self._born = False
            self._link.abort()
        elif self._born:
            self._say(self._edge.data(self._values(), self._stamp))
            await self._send()

    def _birth(self) -> None:
        for saying in self._edge.births(self._values(), self._stamp):
            self._say(saying)
        self._born = True
        self._turn("online")

    def _say(self, saying: Saying | None) -> None:
        if saying is None:
            return
        if self.faults.spoilt("") and self.faults.random.random() < _GARBLED:
            saying = Saying(saying.topic, saying.payload[: len(saying.payload) // 2])
        self._waiting.append((self._clock.monotonic() + self.faults.delay, saying))

    async def _send(self) -> None:
        """Publish what is due, in order; a lost link is told by whoever listens on it."""
        now = self._clock.monotonic()
        while self._link is not None and self._waiting and self._waiting[0][0] <= now:
            _, (topic, payload) = self._waiting.popleft()
            with contextlib.suppress(DoorError):
                await self._link.publish(topic, payload, quality=0)

    def _values(self) -> dict[str, Value]:
        return {quantity.name: self._said(quantity) for quantity in self.plant.quantities}

    def _said(self, quantity: Quantity) -> Value:
        value = self.faults.shown(quantity.name, self.plant.get(quantity.name))
        if self.faults.spoilt(quantity.name) and self.faults.random.random() < _WRONG_TYPE:
            return "#####" if quantity.kind == "number" else float("nan")
        return value

    @property
    def _stamp(self) -> int:
        """Return the machine's time, ms since 1970; what lies before cannot be said."""
        return max((self._clock.now() + self.faults.shift) // MILLISECOND, 0)

    # what is heard

    def _obey(self, message: Message) -> None:
        """Take a command; what cannot be read or done is noted in the log alone."""
        try:
            payload = wire.decode(message.payload)
        except BadReply as error:
            self._log.warning("command refused reason=%s", error)
            return
        topic = message.topic.decode("utf-8", "replace")
        if topic == self._edge.topic("NCMD") and any(map(_asks_for_birth, payload.metrics)):
            self._log.info("rebirth=asked")
            if self._born:
                self._birth()
        if topic == self._edge.commands:
            self._set(payload.metrics)

    def _set(self, metrics: Sequence[Metric]) -> None:
        """Set what is named, and report what the machine then holds, changed or not."""
        named = []
        for metric in metrics:
            quantity = self._edge.find(metric)
            if quantity is None:
                if metric.name != wire.REBIRTH:
                    self._log.warning("refused metric=%r alias=%s", metric.name, metric.alias)
                continue
            named.append(quantity.name)
            try:
                self.plant.set(quantity.name, number(metric))
            except ValueError as error:
                self._log.warning("refused quantity=%s reason=%s", quantity.name, error)
        if named and self._born:
            self._say(self._edge.data(self._values(), self._stamp, force=named))

    def _turn(
        self,
        state: Literal["connecting", "online", "offline", "stopped"],
        problem: str = "",
        remedy: str = "",
    ) -> None:
        if (state, problem) == (self._health.state, self._health.problem):
            return
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s problem=%s", state, problem or "none")


def _asks_for_birth(metric: Metric) -> bool:
    return metric.name == wire.REBIRTH and bool(metric.value)
