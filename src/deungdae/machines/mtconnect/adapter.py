"""MTConnect adapters over TCP: their raw lines, without an agent between."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Mapping
from contextlib import aclosing, suppress

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Node

from .lines import Reader, nodes
from .reading import Reading
from .source import News

_CHUNK = 1 << 16
_PONG = re.compile(rb"^\* PONG (\d+)", re.MULTILINE)


class Adapter:
    """One adapter. Plays the agent's part: asks `* PING`, and expects the promised answers."""

    items = None

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        log: logging.Logger,
        *,
        shapes: Mapping[str, str],
        heartbeat: float,
        timeout: float,
        settle: float,
    ) -> None:
        """shapes: of data items, from a device file. Times in s."""
        self._host = host
        self._port = port
        self._clock = clock
        self._log = log
        self._shapes = shapes
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._settle = settle
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> None:
        await self.close()
        try:
            async with asyncio.timeout(self._timeout):
                self._streams = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise Unreachable(
                f"no adapter answers at {self._place}: {error or 'time-out'}",
                remedy="check address and port (7878 is usual), and that the adapter runs",
            ) from error

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await streams[1].wait_closed()

    async def browse(self) -> AsyncIterator[Node]:
        """Yield what is told within the first seconds; an adapter tells everything at once."""
        until = self._clock.monotonic() + self._settle
        heard: list[Reading] = []
        async with aclosing(self.follow(frozenset)) as stream:
            async for news in stream:
                heard.extend(news.readings)
                if self._clock.monotonic() > until:
                    break
        await self.connect()  # so that a stream is told everything again
        for node in nodes(heard):
            yield node

    async def follow(self, wanted: Callable[[], Container[str]]) -> AsyncGenerator[News, None]:
        if self._streams is None:
            raise Unreachable(f"not connected to {self._place}")
        reader, writer = self._streams
        lines = Reader(self._shapes, self._log)
        pulse = min(self._heartbeat, self._settle)
        now = heard = self._clock.monotonic()
        asked, answers = now - self._heartbeat, 0.0  # s between promised answers, 0: none promised
        while True:
            if now - asked >= self._heartbeat:
                asked = now
                writer.write(b"* PING\n")
            data = await self._read(reader, pulse)
            now = self._clock.monotonic()
            if data:
                heard = now
            elif answers and now - heard > 2 * answers + self._timeout:
                raise Unreachable(f"the adapter at {self._place} has fallen silent")
            if match := _PONG.search(data):
                answers = int(match.group(1)) / 1000
            yield News(lines.feed(data))

    async def _read(self, reader: asyncio.StreamReader, within: float) -> bytes:
        """Return what has come, b"" if nothing came in time."""
        try:
            async with asyncio.timeout(within):
                data = await reader.read(_CHUNK)
        except TimeoutError:
            return b""
        except OSError as error:
            raise Unreachable(f"the link to {self._place} broke: {error}") from error
        if not data:
            raise Unreachable(f"the adapter at {self._place} closed the link")
        return data

    @property
    def _place(self) -> str:
        return f"{self._host}:{self._port}"
