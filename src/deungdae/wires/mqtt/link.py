"""One connection to a broker: messages come in groups, memory is bounded, silence is noticed."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import deque
from collections.abc import Callable, Sequence

from deungdae.core.errors import BadReply, DoorError, Unreachable

from . import codec
from .broker import Broker, endpoint, password
from .codec import Message, Reply, Will

_GATHER = 0.01  # s: under load, let so much come together before reading again
_MUCH = 65_536  # bytes of one read that need no more to come together
_FILTERS = 1_000  # a SUBSCRIBE of more is cut: brokers have limits on packets
_MESSAGES = 100_000  # undecoded at most, however small they are


async def dial(
    broker: Broker, client: str, *, clean: bool, expiry: int = 0, will: Will | None = None
) -> Link:
    """Return a link on which the broker has accepted us. Raises Unreachable or BadReply.

    clean: forget what an earlier session left; expiry: s that the broker keeps the session.
    """
    host, port, context = endpoint(broker)
    hello = codec.connect(
        five=broker.five,
        client=client,
        clean=clean,
        keep_alive=broker.keep_alive,
        expiry=expiry,
        inflight=broker.inflight,
        user=broker.user,
        password=password(broker),
        will=will,
    )
    loop = asyncio.get_running_loop()
    link: Link | None = None
    try:
        async with asyncio.timeout(broker.timeout):
            _, link = await loop.create_connection(
                lambda: Link(broker, hello), host, port, ssl=context
            )
            await link.accepted
    except TimeoutError as error:
        raise Unreachable(
            f"{broker.url} did not answer within {broker.timeout:g} s",
            remedy=f"is it an MQTT broker, does it run, and does it speak MQTT {broker.version}?",
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            f"{broker.url}: its certificate is not trusted: {error.verify_message}",
            remedy="set ca to the file of the authority that signed it; the name must match too",
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{broker.url}: {error.strerror or error}",
            remedy="check host, port and firewall, and that the broker is running",
        ) from error
    finally:
        if link is not None and not link.up:
            link.abort()
    return link


class Link(asyncio.Protocol):
    """One connection. `receive` gives groups of messages; nothing is acknowledged by itself."""

    def __init__(self, broker: Broker, hello: bytes) -> None:
        self._broker = broker
        self._hello = hello
        self._loop = asyncio.get_running_loop()
        self._splitter = codec.Splitter(five=broker.five, limit=broker.message_limit)
        self._silence = broker.keep_alive * 1.5
        self._transport: asyncio.Transport | None = None
        self.accepted: asyncio.Future[bool] = self._loop.create_future()  # session present?
        self._lost: DoorError | None = None
        self._waiting: list[Message] = []
        self._bytes = 0
        self._paused = False
        self._wake = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = self._loop.create_future()
        self._heard = self._read = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._gather: asyncio.TimerHandle | None = None
        self._numbers = itertools.cycle(range(1, 65_536))
        self._replies: dict[tuple[int, int], asyncio.Future[bytes]] = {}

    # what a door does with it

    @property
    def up(self) -> bool:
        """Return whether the broker accepted us and the link still stands."""
        return self._lost is None and self.accepted.done() and not self.accepted.cancelled()

    async def receive(self, within: float | None = None) -> list[Message]:
        """Return what came since the last call, in order; waits for something.

        Empty when nothing came `within` so many seconds. Raises the DoorError that ended the link,
        after everything that came before it.
        """
        if not self._waiting and self._lost is None:
            self._wake.clear()
            try:
                async with asyncio.timeout(within):
                    await self._wake.wait()
            except TimeoutError:
                return []
        if not self._waiting and self._lost is not None:
            raise self._lost
        messages, self._waiting, self._bytes = self._waiting, [], 0
        if self._gather is None:
            self._resume()
        return messages

    async def subscribe(self, filters: Sequence[str], quality: int) -> dict[str, str]:
        """Subscribe; return why the broker refused a filter, for each that it refused."""
        refused: dict[str, str] = {}
        for start in range(0, len(filters), _FILTERS):
            part = filters[start : start + _FILTERS]
            number, reply = self._expect(codec.SUBACK)
            self._write(codec.subscribe(number, part, quality, five=self._broker.five))
            codes = self._reasons(await self._answer(reply, "SUBSCRIBE"))
            if len(codes) != len(part):
                raise self._broken(f"{len(codes)} answers to {len(part)} subscriptions")
            refused |= {
                filter: _REASONS.get(code, f"reason 0x{code:02x}")
                for filter, code in zip(part, codes, strict=True)
                if code >= 0x80
            }
        return refused

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Give up subscriptions."""
        for start in range(0, len(filters), _FILTERS):
            number, reply = self._expect(codec.UNSUBACK)
            part = filters[start : start + _FILTERS]
            self._write(codec.unsubscribe(number, part, five=self._broker.five))
            await self._answer(reply, "UNSUBSCRIBE")

    async def publish(
        self, topic: str, payload: bytes, *, quality: int = 1, retain: bool = False
    ) -> None:
        """Publish; at QoS 1 return when the broker has taken it. Raises DoorError."""
        if quality == 0:
            self._write(codec.publish(topic, payload, retain=retain, five=self._broker.five))
            return
        number, reply = self._expect(codec.PUBACK)
        self._write(
            codec.publish(topic, payload, packet=number, retain=retain, five=self._broker.five)
        )
        body = await self._answer(reply, f"PUBLISH to {topic}")
        if len(body) > 2 and body[2] >= 0x80:
            raise BadReply(
                f"the broker refused our message to {topic}: {_reason(body[2])}",
                remedy="allow this user to write there, in the broker's access list",
            )

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Tell the broker that it may forget these messages. Does nothing on a lost link."""
        if packets and self._lost is None:
            self._write(codec.acknowledge(packets))

    async def close(self) -> None:
        """Say goodbye and free the connection. May be called twice."""
        self._end(Unreachable("the link was closed"))
        if self._transport is None:
            return
        if not self._transport.is_closing():
            self._transport.write(codec.disconnect())
            self._transport.close()
        try:
            async with asyncio.timeout(1.0):
                await asyncio.shield(self._gone)
        except TimeoutError:
            self._transport.abort()

    def abort(self) -> None:
        """Drop the connection without a goodbye: the broker publishes our will."""
        self._end(Unreachable("the link was dropped"))
        if self._transport is not None:
            self._transport.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello)
        self._watch = self._loop.call_later(self._broker.keep_alive / 2, self._look)

    def data_received(self, data: bytes) -> None:
        now = self._heard = self._loop.time()
        try:
            for packet in self._splitter.feed(data):
                if type(packet) is Message:
                    self._waiting.append(packet)
                else:
                    self._reply(packet)  # type: ignore[arg-type]
        except DoorError as error:
            self._end(error)
            self.abort()
            return
        if self._waiting:  # what a refused message brings is gone already
            self._bytes += len(data)
            self._wake.set()
        if len(data) < _MUCH and now - self._read < 2 * _GATHER and self._gather is None:
            self._gather = self._loop.call_later(_GATHER, self._gathered)
        self._read = now
        if self._gather is not None or self._full:
            self._pause()

    def connection_lost(self, error: Exception | None) -> None:
        reason = f": {error}" if error else ""
        self._end(
            Unreachable(
                f"{self._broker.url} closed the connection{reason}",
                remedy="is the broker running, and does another client use our client_id?",
            )
        )
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # inside

    @property
    def _full(self) -> bool:
        return self._bytes >= self._broker.buffer or len(self._waiting) >= _MESSAGES

    def _gathered(self) -> None:
        self._gather = None
        if not self._full:
            self._resume()

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._heard = self._loop.time()
            self._transport.resume_reading()

    def _reply(self, reply: Reply) -> None:
        if reply.type == codec.CONNACK:
            self._accept(reply.body)
        elif reply.type in (codec.SUBACK, codec.UNSUBACK, codec.PUBACK) and len(reply.body) >= 2:
            number = int.from_bytes(reply.body[:2], "big")
            future = self._replies.pop((reply.type, number), None)
            if future is not None and not future.done():
                future.set_result(reply.body)
        elif reply.type == codec.DISCONNECT:
            code = reply.body[0] if reply.body else 0
            raise Unreachable(
                f"{self._broker.url} ended the connection: {_reason(code)}",
                remedy="give this door a client_id of its own" if code == 0x8E else "",
            )
        elif reply.type != codec.PINGRESP:
            raise self._broken(f"a packet of type {reply.type}, {len(reply.body)} bytes")

    def _accept(self, body: bytes) -> None:
        if len(body) < 2 or self.accepted.done():
            raise self._broken("a CONNACK out of place")
        if body[1]:
            text, remedy = _refusal(body[1], self._broker)
            raise BadReply(f"{self._broker.url} refused us: {text}", remedy=remedy)
        if self._broker.five and len(body) > 2:
            found, _ = codec.properties(body, 2)
            keep_alive = found.get(codec.SERVER_KEEP_ALIVE)
            if isinstance(keep_alive, int) and keep_alive:
                self._silence = keep_alive * 1.5
        self.accepted.set_result(bool(body[0] & 1))

    def _look(self) -> None:
        """Every third of the longest silence: notice a dead link, and keep ours alive."""
        if self._lost is not None:
            return
        if not self._paused and self._loop.time() - self._heard > self._silence:
            self._end(
                Unreachable(
                    f"{self._broker.url} has been silent for {self._silence:g} s",
                    remedy="check the network between here and the broker",
                )
            )
            self.abort()
            return
        if self.accepted.done():
            self._write(codec.PINGREQ)
        self._watch = self._loop.call_later(self._silence / 3, self._look)

    def _expect(self, type: int) -> tuple[int, asyncio.Future[bytes]]:
        """Return a free packet id and the answer to come. Raises what ended the link."""
        if self._lost is not None:
            raise self._lost
        number = next(n for n in self._numbers if (type, n) not in self._replies)
        reply: asyncio.Future[bytes] = self._loop.create_future()
        self._replies[type, number] = reply
        return number, reply

    async def _answer(self, reply: asyncio.Future[bytes], question: str) -> bytes:
        try:
            async with asyncio.timeout(self._broker.timeout):
                await self._writable.wait()
                return await reply
        except TimeoutError as error:
            raise Unreachable(
                f"{self._broker.url} did not answer our {question}"
                f" within {self._broker.timeout:g} s"
            ) from error
        finally:
            self._forget(reply)

    def _forget(self, reply: asyncio.Future[bytes]) -> None:
        for key in [key for key, value in self._replies.items() if value is reply]:
            del self._replies[key]

    def _reasons(self, body: bytes) -> bytes:
        place = codec.properties(body, 2)[1] if self._broker.five else 2
        return body[place:]

    def _write(self, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        assert self._transport is not None
        self._transport.write(data)

    def _broken(self, what: str) -> BadReply:
        return BadReply(
            f"{self._broker.url} sent {what}, which MQTT {self._broker.version} does not allow",
            remedy="is it an MQTT broker, and does it speak this version?",
        )

    def _end(self, error: DoorError) -> None:
        if self._lost is not None:
            return
        self._lost = error
        for timer in (self._watch, self._gather):
            if timer is not None:
                timer.cancel()
        _fail(self.accepted, error)
        for reply in self._replies.values():
            _fail(reply, error)
        self._wake.set()


def _fail(future: asyncio.Future[bool] | asyncio.Future[bytes], error: DoorError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen, even where nobody waits any more


# reason codes (§2.4) that a broker gives and a person can act on; 1-5: CONNACK of 3.1.1
_REASONS = {
    0x00: "no reason given", 0x80: "unspecified error", 0x81: "malformed packet",
    0x82: "protocol error", 0x83: "not accepted here", 0x84: "unsupported protocol version",
    0x85: "client_id not valid", 0x86: "bad user name or password", 0x87: "not authorised",
    0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned", 0x8B: "server shutting down",
    0x8D: "keep-alive time-out", 0x8E: "another client took over our client_id",
    0x8F: "topic filter not valid", 0x90: "topic name not valid", 0x93: "receive maximum exceeded",
    0x95: "packet too large", 0x97: "quota exceeded", 0x98: "administrative action",
    0x9D: "server moved", 0xA2: "wildcards not supported",
}  # fmt: skip
_REASONS_311 = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}


def _reason(code: int) -> str:
    return _REASONS.get(code, f"reason 0x{code:02x}")


def _refusal(code: int, broker: Broker) -> tuple[str, str]:
    code = _REASONS_311.get(code, code)
    remedy = {
        0x84: "set version to the MQTT version that the broker speaks",
        0x85: "set client_id to a name that the broker accepts",
        0x86: f"check user {broker.user!r} and the password in password_env or password_file",
        0x87: f"check user {broker.user!r} and its password, or allow our client_id or certificate",
    }.get(code, "ask who runs the broker")
    return _reason(code), remedy


class Ledger:
    """Which messages may be acknowledged: those whose items are durable.

    A message belongs to the last item that it led to; one that led to nothing, to the item before.
    """

    def __init__(self, pay: Callable[[Sequence[int]], None]) -> None:
        self._pay = pay
        self._given = 0
        self._durable = 0
        self._owed: deque[tuple[int, list[int]]] = deque()

    @property
    def owing(self) -> bool:
        """Return whether messages wait for their items."""
        return bool(self._owed)

    def give(self) -> None:
        """Count one more item that is about to be yielded."""
        self._given += 1

    def owe(self, packets: list[int]) -> None:
        """Note the packet ids that the items given so far stand for."""
        if packets:
            self._owed.append((self._given, packets))
            self._settle()

    def confirm(self, items: int) -> None:
        """Learn that the first `items` items are durable."""
        self._durable = max(self._durable, items)
        self._settle()

    def _settle(self) -> None:
        packets: list[int] = []
        while self._owed and self._owed[0][0] <= self._durable:
            packets += self._owed.popleft()[1]
        if packets:
            self._pay(packets)
