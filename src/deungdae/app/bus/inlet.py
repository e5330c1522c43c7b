"""The history's end of the data: takes parts from JetStream, and says when each is durable."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from contextlib import suppress
from typing import Any

import msgspec
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from deungdae.app import wire
from deungdae.app.runtime import Runtime
from deungdae.core.errors import StoreError, StoreFailed
from deungdae.core.types import Signal

from . import parts
from .link import AWAY, Link
from .options import BusOptions
from .outbox import Durable

log = logging.getLogger("deungdae.bus")

CONSUMER = "history"
PULL = 64  # messages of one request
PATIENCE = 3.0  # s of one request; the next one finds out whether server and consumer live
UNDER_WAY = 256  # messages that JetStream gives out before the first is acknowledged
ACKNOWLEDGE = 30.0  # s after which JetStream gives a message again; we know it then
REMEMBERED = 10_000  # parts that are known to be durable, should a copy come
RETRY = 1.0  # s
MEGABYTE = 1_000_000

Key = tuple[str, str, int]


class Inlet:
    """Feeds a Runtime's intake from the stream. Nothing is acknowledged before it is durable."""

    def __init__(self, link: Link, runtime: Runtime, options: BusOptions) -> None:
        self.problem = ""
        self._link = link
        self._runtime = runtime
        self._options = options
        self._pending: dict[Key, list[str]] = {}  # where to acknowledge each part's copies
        self._durable: OrderedDict[Key, None] = OrderedDict()
        self._told: list[tuple[Key, list[str]]] = []  # what is to be acknowledged
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Take what comes until cancelled; after a loss of the bus, again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            while True:
                try:
                    await self._take_all()
                except StoreFailed:
                    raise  # only opening the store anew can help
                except (*AWAY, StoreError) as error:
                    self._turn(f"no data: {str(error) or repr(error)}")
                    await self._runtime.clock.sleep(RETRY)

    async def _take_all(self) -> None:
        """Take parts until the bus fails."""
        await self._prepare()
        link = self._link
        inbox = link.client.new_inbox()
        arriving = await link.client.subscribe(inbox)
        try:
            asking = f"$JS.API.CONSUMER.MSG.NEXT.{link.stream}.{CONSUMER}"
            request = {"batch": PULL, "expires": int(PATIENCE * 1e9)}
            while True:
                await link.client.publish(asking, msgspec.json.encode(request), reply=inbox)
                await self._take_some(arriving)
        finally:
            if not link.client.is_closed:
                await arriving.unsubscribe()

    async def _take_some(self, arriving: Any) -> None:
        """Take the parts of one request; return when it is used up, or nothing more comes."""
        for _ in range(PULL):
            try:
                message = await arriving.next_msg(timeout=PATIENCE + 1)
            except TimeoutError:
                return
            status = (message.headers or {}).get("Status", "")
            if status in ("404", "408"):  # nothing there: ask again
                self._turn("")
                return
            if status:
                words = (message.headers or {}).get("Description", "")
                raise NatsError(f"JetStream answers {status} {words}".strip())
            self._turn("")
            await self._take(message)

    async def _prepare(self) -> None:
        """Make the stream, and the consumer anew: so what nobody acknowledged comes at once."""
        jetstream, stream = self._link.jetstream, self._link.stream
        wanted = StreamConfig(
            name=stream,
            subjects=[self._link.subject("data", ">")],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=self._options.buffer * MEGABYTE,
            max_age=self._options.max_age * 3600,
        )
        try:
            await jetstream.update_stream(wanted)
        except NotFoundError:
            await jetstream.add_stream(wanted)
        with suppress(NotFoundError):
            await jetstream.delete_consumer(stream, CONSUMER)
        await jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=CONSUMER,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACKNOWLEDGE,
                max_ack_pending=UNDER_WAY,
            ),
        )

    async def _take(self, message: Any) -> None:
        """Hand one part to the intake, unless it is known."""
        try:
            part = parts.read(message.data)
            if part.key in self._durable:
                self._acknowledge(part.key, [message.reply])
            elif part.key in self._pending:
                self._pending[part.key].append(message.reply)
            else:
                await self._store(part, message.reply)
        except ValueError as error:
            log.error("state=malformed subject=%s reason=%r", message.subject, str(error))
            await self._link.client.publish(message.reply, b"+TERM")

    async def _store(self, part: parts.Part, reply: str) -> None:
        runtime = self._runtime
        if strange := parts.unknown(part, runtime.live.handles):
            await self._learn(strange)
        items = parts.items(part, runtime.live.handles)
        self._pending[part.key] = [reply]
        if not items:
            self._is_durable(part.key)
        for item in items:  # stored in this order: with the last one all are durable
            last = item is items[-1]
            await runtime.intake.put(item, (lambda: self._is_durable(part.key)) if last else None)

    async def _learn(self, ids: list[str]) -> None:
        """Know signals that our factory file lacks; its copies need not change all at once."""
        runtime = self._runtime
        stored = await runtime.clock.call(_signals, runtime)
        known = {signal.id: signal for signal in stored}
        strange = {id: known.get(id) or Signal(id=id) for id in ids}
        log.warning("state=learned signals=%d first=%s: not in this factory file", len(ids), ids[0])
        signals = {**runtime.factory.signals, **strange}
        await runtime.reload(msgspec.structs.replace(runtime.factory, signals=signals))

    def _is_durable(self, key: Key) -> None:
        replies = self._pending.pop(key)
        self._durable[key] = None
        if len(self._durable) > REMEMBERED:
            self._durable.popitem(last=False)
        self._acknowledge(key, replies)

    def _acknowledge(self, key: Key, replies: list[str]) -> None:
        self._told.append((key, replies))
        self._news.set()

    async def _tell(self) -> None:
        """Acknowledge to JetStream and to the senders what is durable.

        What gets lost here is asked for again: its message comes anew, and is known.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            told, self._told = self._told, []
            numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
            try:
                for (sender, session, number), replies in told:
                    numbers[sender, session].append(number)
                    for reply in replies:
                        await self._link.client.publish(reply, b"+ACK")
                for (sender, session), found in numbers.items():
                    subject = self._link.subject("durable", sender)
                    await self._link.client.publish(subject, wire.dump(Durable(session, found)))
            except AWAY as error:
                self._turn(f"not acknowledged: {str(error) or repr(error)}")

    def _turn(self, problem: str) -> None:
        if problem != self.problem:
            if problem:
                log.warning("state=waiting reason=%r", problem)
            else:
                log.info("state=taking")
        self.problem = problem


def _signals(runtime: Runtime) -> list[Signal]:
    return runtime.store.signals()  # type: ignore[attr-defined, no-any-return]
