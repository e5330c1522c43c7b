"""MQTT 5 and 3.1.1: JSON, CSV and plain numbers from any broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Permit, Signal
from deungdae.core.units import scaling
from deungdae.wires.mqtt.broker import Broker
from deungdae.wires.mqtt.link import Ledger, Link, dial

from .address import AddressError, parse, place
from .decoder import Decoder
from .survey import Survey


class Mqtt:
    """Subscribe to topics of an MQTT broker and read values out of their payloads.

    A signal's address is `<topic>?<path>`: the topic may hold `+` and `#`; the path leads to the
    value within JSON (`state.temp`, `values[0].v`, `values[id=Tag1].v`) or names a column of CSV;
    without a path the payload itself is the value. `&time=<path>` says where its time is (ISO 8601,
    or s, ms, µs, ns since 1970, told by size or by `&epoch=ms`); without one the time of receipt
    counts. `&write=<topic>` (and `&put=<path>`) says where to publish a new value.

    A message at QoS 1 is acknowledged only when the historian has it on disk; with MQTT 5 and a
    `session`, what arrives while we are away waits at the broker. Mind the broker's own limits:
    mosquitto keeps 1,000 messages (`max_queued_messages`), and for MQTT 3.1.1 sends only 20 ahead
    of the acknowledgement (`max_inflight_messages`), that is 200 a second.

    ```toml
    [machines.press]
    type = "mqtt"
    url = "mqtts://broker.plant:8883"
    ca = "plant-ca.pem"
    user = "deungdae"
    password_env = "BROKER_PASSWORD"

    [[signals]]
    id = "press1.temperature"
    unit = "Cel"
    source = "press:plant/press1/state?temp.value&time=ts"

    [[signals]]
    id = "press1.state"
    kind = "state"
    source = "press:plant/press1/state?mode&time=ts"
    ```
    """

    class Options(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """Options of one broker as a source of plain messages."""

        qos: Annotated[
            Literal[0, 1],
            Meta(description="1: nothing that the broker took is lost; 0: cheaper, may be lost."),
        ] = 1
        session: Annotated[
            int,
            Meta(
                description="The broker keeps our messages so long while we are away; "
                "0: it forgets us at once.",
                ge=0,
                le=4_294_967_295,
                extra={"unit": "s"},
            ),
        ] = 86_400
        payload: Annotated[
            Literal["json", "csv"],
            Meta(description="What payloads are, where an address does not say `&payload=`."),
        ] = "json"
        delimiter: Annotated[
            str, Meta(description="Between the columns of CSV.", min_length=1, max_length=1)
        ] = ","
        columns: Annotated[
            tuple[str, ...], Meta(description="Names of the columns of CSV, in order.")
        ] = ()
        topics: Annotated[
            tuple[str, ...],
            Meta(
                description="Topic filters to subscribe to instead of one for each address, e.g. "
                "`plant/#`; also what `discover` listens to (else `#`)."
            ),
        ] = ()
        listen: Annotated[
            float,
            Meta(description="How long `discover` listens.", gt=0, le=3600, extra={"unit": "s"}),
        ] = 5.0

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._client = options.client_id or f"deungdae-{name}"
        self._link: Link | None = None
        self._decoder: Decoder | None = None
        self._ledger: Ledger | None = None
        self._filters: set[str] = set()
        self._expected: dict[int, asyncio.Future[float]] = {}
        self._handles: dict[str, int] = {}
        self._state: Literal["stopped", "connecting", "online", "offline"] = "stopped"
        self._since = clock.now()
        self._problem = self._remedy = ""

    @property
    def health(self) -> Health:
        """Return how the door is doing now; its signals with what their last payload lacked."""
        decoder = self._decoder
        signals = decoder.problems if decoder else {}
        problem = self._problem
        if decoder and (decoder.malformed or decoder.refused):
            problem = problem or (
                f"{decoder.malformed} malformed and {decoder.refused} oversized messages so far"
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
        """Open the link. Raises Unreachable or BadReply."""
        await self._drop()
        self._turn("connecting")
        options = self._options
        try:
            self._link = await dial(
                options, self._client, clean=options.session == 0, expiry=options.session
            )
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Listen for a while and propose every number and text that the payloads hold."""
        link = self._connected()
        survey = Survey(self._options.payload, self._options.delimiter, self._options.columns)
        filters = list(self._options.topics or ("#",))
        await link.subscribe(filters, 0)
        end = self._clock.monotonic() + self._options.listen
        while (left := end - self._clock.monotonic()) > 0:
            messages = await link.receive(left)
            survey.add(messages)
            link.acknowledge([message.packet for message in messages if message.packet])
        await link.unsubscribe(filters)
        for node in survey.nodes():
            yield node

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield what arrives: one Batch, and the Events, of each group of messages."""
        if self._ledger is not None and self._ledger.owing:
            await self.connect()  # what an earlier stream left unconfirmed is sent again
        link = self._connected()
        decoder = self._prepare(signals)
        ledger = self._ledger = Ledger(link.acknowledge)
        try:
            refused = await self._subscribe(link, decoder)
            if refused:
                bad = decoder.missed(refused, "the broker refused it", self._clock.now())
                self._log.warning(
                    "subscription=refused filters=%s",
                    "; ".join(f"{filter}: {reason}" for filter, reason in refused.items()),
                )
                if bad is not None:
                    ledger.give()
                    yield bad
            while True:
                messages = await link.receive()
                batch, events = decoder.decode(messages, self._clock.now())
                items: list[Batch | Events] = [item for item in (batch, events) if item]
                for _ in items:
                    ledger.give()
                ledger.owe([message.packet for message in messages if message.packet])
                if self._expected and batch is not None:
                    self._notice(batch)
                for item in items:
                    yield item
        except DoorError as error:
            self._turn("offline", error)
            raise

    def confirm(self, items: int) -> None:
        """Acknowledge to the broker what is durable now."""
        if self._ledger is not None:
            self._ledger.confirm(items)

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Publish the value; return what the machine then reports, None if it does not in time."""
        link = self._connected()
        address = parse(signal.address)
        if not address.write:
            raise BadReply(
                f"{signal.id}: {signal.address} says no topic to write to",
                remedy="add &write=<topic> (and &put=<path>) to its address",
            )
        raw = scaling(signal).raw(permit.command.value)
        reported = self._expect(signal)
        payload = msgspec.json.encode(place(address.put, int(raw) if raw.is_integer() else raw))
        try:
            await link.publish(address.write, payload, quality=1)
            if reported is None:
                return None
            async with asyncio.timeout(self._options.timeout):
                return await reported
        except TimeoutError:
            return None
        finally:
            if reported is not None:
                self._expected.pop(self._handles[signal.id], None)

    async def close(self) -> None:
        """Close the link; the broker keeps the session for `session` seconds."""
        await self._drop()
        self._turn("stopped")

    def _connected(self) -> Link:
        if self._link is None:
            raise Unreachable(f"{self._name} is not connected", remedy="connect first")
        return self._link

    def _prepare(self, signals: Mapping[int, Signal]) -> Decoder:
        options = self._options
        try:
            self._decoder = Decoder(
                signals,
                payload=options.payload,
                delimiter=options.delimiter,
                columns=options.columns,
            )
        except AddressError as error:
            raise BadReply(
                f"{self._name}: {error}", remedy="correct the signal's source"
            ) from error
        self._handles = {signal.id: handle for handle, signal in signals.items()}
        return self._decoder

    async def _subscribe(self, link: Link, decoder: Decoder) -> dict[str, str]:
        filters = list(self._options.topics or decoder.filters)
        old = sorted(self._filters - set(filters))
        if old:
            await link.unsubscribe(old)
        self._filters = set(filters)
        refused = await link.subscribe(filters, self._options.qos)
        if refused and self._options.topics:  # then all signals may be meant
            return dict.fromkeys(decoder.filters, "; ".join(refused.values()))
        return refused

    def _expect(self, signal: Signal) -> asyncio.Future[float] | None:
        """Return the next value that the machine reports, where the stream reads the signal."""
        handle = self._handles.get(signal.id)
        if handle is None:
            return None
        future = self._expected[handle] = asyncio.get_running_loop().create_future()
        return future

    def _notice(self, batch: Batch) -> None:
        for handle, future in self._expected.items():
            values = batch.value[batch.signal == handle]
            if len(values) and not future.done():
                future.set_result(float(values[-1]))

    async def _drop(self) -> None:
        link, self._link, self._ledger = self._link, None, None
        self._filters = set()
        if link is not None:
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
