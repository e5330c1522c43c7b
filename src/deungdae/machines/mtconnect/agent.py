"""MTConnect agents over HTTP: probe, current, and sample as a stream or by polling."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import NamedTuple

import httpx
from lxml import etree

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, Unreachable
from deungdae.core.ports import Node
from deungdae.machines import _moment as moment

from . import document, model, multipart
from .document import Header, OutOfRangeError
from .model import Item
from .source import Gap, News

logging.getLogger("httpx").setLevel(logging.WARNING)  # else it logs every request

_TRIES = 5  # re-synchronisations in a row before the agent is given up
_AXES = ("x", "y", "z")
_ANGLES = ("a", "b", "c")


class Place(NamedTuple):
    """How far the stream was read: which run of the agent, the next number, and until when."""

    instance: str
    next: int
    heard: int


class Agent:
    """One agent. Remembers over reconnections how far it read, and goes on there."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        path: str,
        interval: float,
        heartbeat: float,
        timeout: float,
        count: int,
        limit: int,
        streaming: bool,
    ) -> None:
        """path: XPath of a part of the agent, or ''. Times in s; limit: bytes of a document."""
        self._url = url.rstrip("/")
        self._clock = clock
        self._path = path
        self._interval = interval
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._count = count
        self._limit = limit
        self._streaming = streaming
        self._client: httpx.AsyncClient | None = None
        self._items: list[Item] = []
        self._place: Place | None = None

    @property
    def items(self) -> Sequence[Item]:
        return self._items

    async def connect(self) -> None:
        await self.close()
        self._client = httpx.AsyncClient(
            timeout=self._timeout,
            trust_env=False,  # machines are on the local network, never behind a proxy
            headers={"Accept": "text/xml, application/xml", "Accept-Encoding": "identity"},
        )
        await self._probe()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def browse(self) -> AsyncIterator[Node]:
        root = await self._get("current", {}, "MTConnectStreams")
        known = {item.id for item in self._items}
        values = {reading.item: reading.value for reading in document.readings(root, known)}
        names = [item.name for item in self._items]
        for item in self._items:
            unique = item.name and names.count(item.name) == 1
            for node in _nodes(item, item.name if unique else item.id, values.get(item.id, "")):
                yield node

    async def follow(self, wanted: Callable[[], Container[str]]) -> AsyncGenerator[News, None]:
        tries = 0
        while True:
            root = await self._get("current", self._filter(), "MTConnectStreams")
            header = document.header(root)
            news, place = await self._synchronise(header)
            yield news._replace(readings=document.readings(root, wanted()))
            self._place = place  # not before: what was not taken is read again
            try:
                async with aclosing(self._samples(header)) as samples:
                    async for root in samples:
                        header = document.header(root)
                        if not self._continues(header):
                            break
                        tries = 0
                        yield News(document.readings(root, wanted()))
                        self._place = _place(header)
            except OutOfRangeError:
                tries += 1
                if tries > _TRIES:
                    raise
            await self._clock.sleep(self._interval)

    async def _synchronise(self, header: Header) -> tuple[News, Place]:
        """Return what was lost since the stream was last read, and where to read on."""
        before, here = self._place, _place(header)
        if before is None:
            return News(), here
        if before.instance != here.instance:
            await self._probe()
            gap = Gap(before.heard, here.heard, "the agent restarted")
            return News(gap=gap, changed=True), here
        if header.first <= before.next <= header.next:
            return News(), before
        why = "the agent counts anew"
        if before.next < header.first:
            lost = header.first - before.next
            why = f"{lost} observations fell out of the agent's buffer"
        return News(gap=Gap(before.heard, here.heard, why)), here

    def _continues(self, header: Header) -> bool:
        place = self._place
        return place is not None and (
            header.instance == place.instance and header.first <= place.next <= header.next
        )

    async def _samples(self, header: Header) -> AsyncGenerator[etree._Element, None]:
        """Yield sample documents from the present place on, for as long as the agent goes on."""
        if self._streaming:
            async with aclosing(self._stream(header)) as stream:
                async for root in stream:
                    yield root
        while not self._streaming:
            root = await self._get("sample", self._from(header), "MTConnectStreams")
            before = self._place
            yield root
            if before is not None and document.header(root).next - before.next < self._count // 2:
                await self._clock.sleep(self._interval)

    async def _stream(self, header: Header) -> AsyncGenerator[etree._Element, None]:
        parameters = self._from(header) | {
            "interval": str(round(self._interval * 1000)),
            "heartbeat": str(round(self._heartbeat * 1000)),
        }
        patience = httpx.Timeout(self._timeout, read=2 * self._heartbeat + self._timeout)
        with self._errors("sample"):
            async with self._open.stream(
                "GET", f"{self._url}/sample", params=parameters, timeout=patience
            ) as response:
                mark = multipart.boundary(response.headers.get("content-type", ""))
                if mark is None:
                    # an agent, or a proxy before it, that does not stream: ask again and again
                    content = await self._read(response)
                    root = self._parse(response, content, "MTConnectStreams")
                    self._streaming = False
                    yield root
                    return
                splitter = multipart.Splitter(mark, self._limit)
                async for data in response.aiter_bytes():
                    for content in splitter.feed(data):
                        yield document.parse(content, "MTConnectStreams")
        raise Unreachable(f"the agent at {self._url} ended the stream")

    async def _probe(self) -> None:
        root = await self._get("probe", {}, "MTConnectDevices")
        self._items = model.items(root)

    async def _get(self, request: str, parameters: dict[str, str], expected: str) -> etree._Element:
        with self._errors(request):
            async with asyncio.timeout(2 * self._timeout):  # a server may drip byte by byte
                async with self._open.stream(
                    "GET", f"{self._url}/{request}", params=parameters
                ) as response:
                    content = await self._read(response)
                    return self._parse(response, content, expected)

    @property
    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            raise Unreachable(f"not connected to {self._url}")
        return self._client

    async def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for data in response.aiter_bytes():
            content += data
            if len(content) > self._limit:
                raise BadReply(
                    f"the answer of {response.url} is longer than {self._limit >> 20} MiB",
                    remedy="choose one device in the url or a `path`, or raise `limit`",
                )
        return bytes(content)

    def _parse(self, response: httpx.Response, content: bytes, expected: str) -> etree._Element:
        """Return the document; an agent explains itself also behind a status of 400 or 404."""
        try:
            return document.parse(content, expected)
        except OutOfRangeError:
            raise
        except BadReply as error:
            status = f"HTTP {response.status_code}, " if response.status_code != 200 else ""
            raise BadReply(f"{response.url}: {status}{error}", remedy=error.remedy) from error

    def _filter(self) -> dict[str, str]:
        return {"path": self._path} if self._path else {}

    def _from(self, header: Header) -> dict[str, str]:
        place = self._place or _place(header)
        # an agent refuses a count above the size of its buffer
        count = min(self._count, header.size) if header.size > 0 else self._count
        return self._filter() | {"from": str(place.next), "count": str(count)}

    @contextmanager
    def _errors(self, request: str) -> Iterator[None]:
        """Turn what the HTTP library raises into the house's errors."""
        try:
            yield
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Unreachable(
                f"{self._url}/{request} does not answer in time",
                remedy="check address, port and network, or raise `timeout`",
            ) from error
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise BadReply(f"{self._url}/{request} does not speak HTTP: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"{self._url}/{request} cannot be reached: {error}",
                remedy="check address, port and that the agent runs",
            ) from error


def _place(header: Header) -> Place:
    try:
        heard = moment.one(header.created)
    except ValueError as error:
        raise BadReply(f"the Header's creationTime {header.created!r} is no time") from error
    return Place(header.instance, header.next, heard)


def _nodes(item: Item, address: str, value: str) -> Iterator[Node]:
    """Yield what to propose for a data item: a position in space as three numbers."""
    said = " ".join(part for part in (item.type, item.subtype) if part)
    parts = (_ANGLES if item.unit == "deg" else _AXES) if item.triple else ("",)
    values = value.split() if item.triple else [value]
    for place, part in enumerate(parts):
        yield Node(
            address=f"{address}#{part}" if part else address,
            path=f"{item.path}/{item.name or item.id}" + (f"/{part}" if part else ""),
            kind="number" if part else item.kind,
            type=item.type,
            unit=item.unit,
            value=values[place] if place < len(values) else "",
            description=said,
        )
