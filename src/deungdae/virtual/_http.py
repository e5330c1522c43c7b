"""A small HTTP/1.1 responder for virtual machines: GET and HEAD, whole answers and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from deungdae.core.clock import Clock

from ._faults import Faults

_IDLE = 60.0  # s that a connection may say nothing
_STUCK = 30.0  # s that a peer may take nothing


class Request(NamedTuple):
    """What a client asks. target: path and query as sent; headers: by name in lower case."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What it is told. body: the whole of it, or its pieces as they come, to the end of all."""

    body: bytes | AsyncGenerator[bytes, None] = b""
    type: str = "text/plain"
    status: int = 200
    headers: Mapping[str, str] = {}


class Http:
    """Speaks HTTP on connections and asks `answer` what to say, as late as the faults want it."""

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Answer]],
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._faults = faults

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        goes_on = True
        while goes_on:
            async with asyncio.timeout(_IDLE):
                head = await reader.readuntil(b"\r\n\r\n")
            request = _read(head)
            if request is None:
                await self._send(writer, Answer(b"no HTTP request\n", status=400), keep=False)
                return
            answer = await self._answer(request)
            # a body that we do not read would be taken for the next request
            plain = not {"content-length", "transfer-encoding"} & request.headers.keys()
            goes_on = plain and request.headers.get("connection", "").lower() != "close"
            goes_on = await self._say(writer, request, answer, goes_on)

    async def _say(
        self, writer: asyncio.StreamWriter, request: Request, answer: Answer, keep: bool
    ) -> bool:
        """Send an answer; return whether the connection goes on."""
        await self._dawdle()
        if isinstance(answer.body, bytes):
            await self._send(writer, answer, keep=keep, silent=request.method == "HEAD")
            return keep
        async with aclosing(answer.body) as pieces:
            await self._write(writer, _head(answer, None, keep=False))
            if request.method == "HEAD":
                return False
            async for piece in pieces:
                await self._dawdle()
                await self._write(writer, piece)
        return False

    async def _send(
        self, writer: asyncio.StreamWriter, answer: Answer, *, keep: bool, silent: bool = False
    ) -> None:
        assert isinstance(answer.body, bytes)
        head = _head(answer, len(answer.body), keep)
        await self._write(writer, head if silent else head + answer.body)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        async with asyncio.timeout(_STUCK):
            await writer.drain()

    async def _dawdle(self) -> None:
        if delay := self._faults.delay:
            await self._clock.sleep(delay)


def _read(head: bytes) -> Request | None:
    """Return the request of a head, None if it is none."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    method, target, version = words
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        headers[name.strip().lower()] = value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, target, unquote(parts.path), query, headers)


def _head(answer: Answer, length: int | None, keep: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.type}",
        "Cache-Control: no-store",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    if length is not None and answer.status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
