"""One process's connection to the bus: tell, hear, ask and answer under `factory.<id>.…`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deungdae.core.errors import Unreachable

from .options import BusOptions

log = logging.getLogger("deungdae.bus")

# what NATS's client raises when the bus is away; a time-out of its own is one of asyncio's too
AWAY = (NatsError, TimeoutError, OSError)
MARGIN = 4096  # bytes of a message that are not ours: subject, headers
ANSWERS = 8  # that are worked on at once, of one subject
CLOSING = 5.0  # s
_MORE, _LAST = b"+", b"."


class Link:
    """A connection that comes back by itself. Made by `opened`."""

    def __init__(self, client: Client, factory: str, group: asyncio.TaskGroup) -> None:
        self.client = client
        self.jetstream = client.jetstream()
        self.reconnected: list[Callable[[], None]] = []
        self._factory = factory
        self._group = group

    @property
    def limit(self) -> int:
        """Return how many bytes one message may have."""
        return int(self.client.max_payload) - MARGIN

    @property
    def is_up(self) -> bool:
        """Return whether the server is connected now."""
        return bool(self.client.is_connected)

    @property
    def stream(self) -> str:
        """Return the name of the factory's stream."""
        return f"factory_{self._factory}"

    def subject(self, *names: str) -> str:
        """Return a subject of this factory."""
        return ".".join(("factory", self._factory, *names))

    async def tell(self, subject: str, data: bytes) -> None:
        """Say something to whoever listens now. Raises Unreachable."""
        try:
            await self.client.publish(subject, data)
        except AWAY as error:
            raise _away(error) from error

    async def hear(self, subject: str, take: Callable[[Any], Awaitable[None]]) -> Any:
        """Call `take` with each message from now on; return the subscription."""
        return await self.client.subscribe(subject, cb=take)

    async def ask(self, subject: str, data: bytes, patience: float) -> bytes:
        """Return what is answered within `patience` s. Raises Unreachable.

        Nothing is asked while the server is away: a question must not be answered later.
        """
        if not self.is_up:
            raise Unreachable("the bus is away", remedy="look after the NATS server")
        if len(data) > self.limit:
            raise Unreachable(f"a question of {len(data)} bytes is more than {self.limit}")
        inbox = self.client.new_inbox()
        try:
            replies = await self.client.subscribe(inbox)
            try:
                await self.client.publish(subject, data, reply=inbox)
                async with asyncio.timeout(patience):
                    return await _gathered(replies, subject)
            finally:
                await replies.unsubscribe()
        except TimeoutError as error:
            raise Unreachable(f"{subject} was not answered within {patience:g} s") from error
        except AWAY as error:
            raise _away(error) from error

    async def answer(
        self,
        subject: str,
        work: Callable[[str, bytes], Awaitable[bytes]],
        at_once: int = ANSWERS,
    ) -> Any:
        """Answer each question with what `work(subject, data)` gives; return the subscription."""
        places = asyncio.Semaphore(at_once)

        async def take(message: Any) -> None:
            await places.acquire()
            task = self._group.create_task(self._reply(message, work))
            task.add_done_callback(lambda _: places.release())

        return await self.client.subscribe(subject, cb=take)

    async def _reply(self, message: Any, work: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        try:
            body = await work(message.subject, message.data)
            size = self.limit - 1
            for start in range(0, max(len(body), 1), size):
                mark = _LAST if start + size >= len(body) else _MORE
                await self.client.publish(message.reply, mark + body[start : start + size])
        except Exception:  # the asker's time-out tells it; the others must still be answered
            log.exception("state=failed subject=%s", message.subject)


@asynccontextmanager
async def opened(options: BusOptions, factory: str, folder: Path, name: str) -> AsyncIterator[Link]:
    """Give a link that is connected; wait for the server as long as it takes.

    folder: of the factory file; name: of this process. Raises FactoryError where login or
    certificate are not to be had, Unreachable when the server turns us out.
    """
    client = Client()
    end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    said, leaving = "", False
    password = options.password(folder)

    async def failed(error: Exception) -> None:
        nonlocal said
        if str(error) != said:
            said = str(error)
            log.warning("state=waiting url=%s reason=%r", options.url, said or repr(error))

    async def back() -> None:
        nonlocal said
        said = ""
        log.info("state=connected url=%s", options.url)
        for call in link.reconnected:
            call()

    async def gone() -> None:
        if not leaving:
            log.warning("state=lost url=%s", options.url)

    async def closed() -> None:
        if not end.done():
            end.set_result(None)

    def secret() -> str:
        _check_encrypted(client, options)
        return password

    login = {"user": options.user, "password": secret} if options.user else {}
    async with asyncio.TaskGroup() as group:
        link = Link(client, factory, group)
        await client.connect(
            options.url,
            name=f"deungdae {factory} {name}",
            tls=options.context(folder),
            connect_timeout=5,
            reconnect_time_wait=1,
            max_reconnect_attempts=-1,
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=failed,
            reconnected_cb=back,
            disconnected_cb=gone,
            closed_cb=closed,
            **login,
        )
        await back()
        watch = group.create_task(_until_closed(end, options.url))
        try:
            yield link
        finally:
            leaving = True
            watch.cancel()
            async with asyncio.timeout(CLOSING):
                await client.close()


async def _gathered(replies: Any, subject: str) -> bytes:
    """Return an answer that comes in pieces."""
    pieces = []
    while True:
        message = await replies.next_msg(timeout=None)
        if (message.headers or {}).get("Status") == "503":
            raise Unreachable(f"nobody answers {subject}", remedy="start the process that does")
        pieces.append(message.data[1:])
        if message.data[:1] == _LAST:
            return b"".join(pieces)


async def _until_closed(end: asyncio.Future[None], url: str) -> None:
    await end
    raise Unreachable(f"NATS at {url} turned us out", remedy="look at user and password")


def _check_encrypted(client: Client, options: BusOptions) -> None:
    """Raise Unreachable before the password is told to a server that offers no TLS.

    The client leaves that to the server, and so to whoever sits in between.
    """
    writer = getattr(client._transport, "_io_writer", None)
    if options.is_encrypted and (writer is None or writer.get_extra_info("ssl_object") is None):
        raise NatsError(f"{options.url} does not speak TLS: it gets no login")


def _away(error: BaseException) -> Unreachable:
    return Unreachable(f"the bus: {str(error) or repr(error)}", remedy="look after the NATS server")
