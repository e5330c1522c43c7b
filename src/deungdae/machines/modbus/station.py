"""The device as requests see it: one link at a time, opened anew where it had to be given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Unreachable

from .address import Table
from .blocks import FUNCTIONS
from .wire import Link, Mbap, Reply, Rtu, read_request


class Place(NamedTuple):
    """Where a device listens; rtu: with serial frames."""

    host: str
    port: int
    rtu: bool


class Station:
    """A device or gateway. timeout, pause: s; attempts: how often a read is tried."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        *,
        timeout: float,
        pause: float,
        outstanding: int,
        attempts: int,
    ) -> None:
        self.outstanding = 1 if place.rtu else outstanding
        self._place = place
        self._clock = clock
        self._timeout = timeout
        self._pause = pause
        self._attempts = attempts
        self._link: Link | None = None
        self._opening = asyncio.Lock()

    @property
    def lost(self) -> DoorError | None:
        """Return why the link is gone, if it is and not by our own will."""
        link = self._link
        if link is None:
            return Unreachable("there is no connection", remedy="connect first")
        return link.ended.result() if link.ended.done() and not link.given_up else None

    async def open(self) -> None:
        """Connect. Raises Unreachable."""
        link = Link(
            Rtu() if self._place.rtu else Mbap(),
            self._clock,
            timeout=self._timeout,
            pause=self._pause,
            outstanding=self.outstanding,
        )
        await link.open(self._place.host, self._place.port)
        self._link = link

    def close(self) -> None:
        """Close the link. May be called twice."""
        if self._link is not None:
            self._link.close()
            self._link = None

    async def read(self, unit: int, table: Table, first: int, count: int) -> Reply:
        """Return the reply to one read. Raises Exceptional, BadReply, Unreachable."""
        pdu = read_request(FUNCTIONS[table], first, count)
        for _ in range(self._attempts - 1):
            try:
                return await self.request(unit, pdu)
            except Unreachable:
                if self.lost:
                    raise
        return await self.request(unit, pdu)

    async def request(self, unit: int, pdu: bytes, may: Callable[[], None] | None = None) -> Reply:
        """Return the reply to one request, sent once. may: called before it is sent; may raise."""
        link = self._link
        if link is None or link.given_up:
            link = await self._reopened()
        return await link.request(unit, pdu, may)

    async def wait(self, delay: float) -> None:
        """Wait so many seconds. Raises what ended the link, as soon as it is lost."""
        over = asyncio.ensure_future(self._clock.sleep(delay))
        ends: set[asyncio.Future[Any]] = {over}
        if self._link is not None and not self._link.given_up:
            ends.add(self._link.ended)
        try:
            if self.lost is None:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if error := self.lost:
            raise error

    async def _reopened(self) -> Link:
        """Return the link, opened anew if it was given up for a late reply."""
        async with self._opening:
            if self._link is None:
                raise Unreachable("there is no connection", remedy="connect first")
            if self._link.given_up:
                await self.open()
            return self._link


def place_of(url: str) -> Place:
    """Return what a URL means. Raises ValueError with a remedy."""
    wrong = f"url {url!r}: write tcp://host:502 or rtu+tcp://host:port"
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(wrong) from error
    if parts.scheme not in ("tcp", "rtu+tcp") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(wrong)
    return Place(parts.hostname, port or 502, parts.scheme == "rtu+tcp")
