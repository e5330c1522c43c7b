"""How pictures come from a camera: asked for one by one, waited for, or as a stream."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import NamedTuple

import httpx

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, Unreachable

from . import multipart
from .options import Options
from .secret import password

logging.getLogger("httpx").setLevel(logging.WARNING)  # else it logs every request

_PICTURES = "image/jpeg, image/png"


class Shot(NamedTuple):
    """What a camera sent as a picture, and when, ns. headers: by name in lower case.

    number: the camera's own of the picture, None where it does not number them.
    """

    content: bytes
    headers: Mapping[str, str]
    received: int
    number: int | None


class Source:
    """The link to one camera."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._number: int | None = None  # of the last picture

    async def connect(self) -> None:
        """Find out that the camera answers with pictures. Raises Unreachable, BadReply."""
        await self.close()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(self._options.timeout, read=self._options.silence),
            auth=_login(self._options),
            verify=_context(self._options),
            trust_env=False,  # cameras are on the local network, never behind a proxy
            headers={"Accept": f"{_PICTURES}, multipart/x-mixed-replace"},
        )
        async with self._asked(httpx.URL(self._options.url), self._options.timeout):
            pass  # the answer's head tells it

    async def close(self) -> None:
        """Close the link."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def shots(self) -> AsyncGenerator[Shot, None]:
        """Yield each picture as it comes. Raises Unreachable, BadReply."""
        while True:
            begun, before = self._clock.monotonic(), self._number
            wait = 0.0 if before is None else self._options.silence / 2
            shot = None
            async with self._asked(self._next(wait), wait + self._options.timeout) as response:
                if mark := multipart.boundary(response.headers.get("content-type", "")):
                    async with aclosing(self._stream(response, mark)) as stream:
                        async for shot in stream:
                            yield shot
                    raise Unreachable(f"{self._options.url}: the camera ended the stream")
                if response.status_code == 200:
                    content = await self._read(response)
                    shot = self._shot(content, dict(response.headers))
            if shot is not None:
                yield shot
            if before is None or shot is None or shot.number == before:
                pause = self._options.period if before is None else min(self._options.period, 1.0)
                await self._clock.sleep(max(begun + pause - self._clock.monotonic(), 0.0))

    def _next(self, wait: float) -> httpx.URL:
        """Return what to ask: of a camera that numbers its pictures, for the one after the last."""
        url = httpx.URL(self._options.url)
        if self._number is None:
            return url
        return url.copy_merge_params({"after": self._number, "wait": wait})

    async def _stream(self, response: httpx.Response, mark: str) -> AsyncGenerator[Shot, None]:
        splitter = multipart.Splitter(mark, self._options.limit << 20)
        due = -float("inf")
        async for data in response.aiter_bytes():
            for part in splitter.feed(data):
                shot = self._shot(part.body, part.headers)
                now = self._clock.monotonic()
                if shot.number is not None or now >= due:
                    due = now + self._options.period
                    yield shot

    def _shot(self, content: bytes, headers: Mapping[str, str]) -> Shot:
        text = headers.get("x-frame", "")
        self._number = int(text) if text.isdecimal() else None
        return Shot(content, headers, self._clock.now(), self._number)

    @asynccontextmanager
    async def _asked(self, url: httpx.URL, patience: float) -> AsyncIterator[httpx.Response]:
        """Give an answer whose head is there within `patience` s, and whose body is not yet."""
        if self._client is None:
            raise Unreachable(f"not connected to {self._options.url}")
        with self._errors():
            request = self._client.build_request("GET", url)
            async with asyncio.timeout(patience):
                response = await self._client.send(request, stream=True)
            try:
                self._check(response)
                yield response
            finally:
                await response.aclose()

    def _check(self, response: httpx.Response) -> None:
        status, kind = response.status_code, response.headers.get("content-type", "")
        if status == 204:
            return
        if status in (401, 403):
            raise BadReply(
                f"{self._options.url}: the camera wants another login (HTTP {status})",
                remedy="check user and password, and whether the camera takes basic or digest",
            )
        if status != 200:
            raise BadReply(
                f"{self._options.url}: the camera answers HTTP {status}",
                remedy="check the path of its pictures in the camera's manual",
            )
        if not (kind.lower().startswith("image/") or multipart.boundary(kind)):
            raise BadReply(
                f"{self._options.url} is no picture but {kind or 'of no named kind'}",
                remedy="give the address of the snapshot or of the MJPEG stream, not of a page",
            )

    async def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async with asyncio.timeout(self._options.silence):  # a camera may drip byte by byte
            async for data in response.aiter_bytes():
                content += data
                if len(content) > self._options.limit << 20:
                    raise BadReply(
                        f"{self._options.url}: a picture is longer than {self._options.limit} MiB",
                        remedy="have the camera send smaller pictures, or raise `limit`",
                    )
        return bytes(content)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the HTTP library raises into the house's errors."""
        url = self._options.url
        try:
            yield
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Unreachable(
                f"{url} does not answer in time",
                remedy="check address, port and network, or raise `timeout` or `silence`",
            ) from error
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise BadReply(
                f"{url} broke off, or does not speak HTTP: {error}",
                remedy="is the camera restarting? else check the port",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"{url} cannot be reached: {error}",
                remedy="check address, port and that the camera is on; over https also `ca`",
            ) from error


def _login(options: Options) -> httpx.Auth | None:
    if not options.user:
        return None
    kind = httpx.BasicAuth if options.login == "basic" else httpx.DigestAuth
    return kind(options.user, password(options))


def _context(options: Options) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca or None)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(
            f"ca {options.ca} cannot be used: {error}",
            remedy="ca must be a readable PEM file: the authority's certificate, or the camera's",
        ) from error
