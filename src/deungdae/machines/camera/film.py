"""How pictures come from a camera over RTSP: of an endless film always the newest."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, Unreachable

from .options import Options
from .picture import MOST
from .secret import password
from .source import Shot

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.error import FFmpegError

_QUALITY = 95  # of the JPEG that a picture is kept as: the film itself has lost more


class Film:
    """The link to one camera over RTSP, through TCP. A thread decodes, and keeps one picture."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._film: InputContainer | None = None
        self._reader: _Reader | None = None

    async def connect(self) -> None:
        """Find out that the camera shows a film. Raises Unreachable, BadReply."""
        await self.close()
        self._film = await self._clock.call(self._opened)

    async def close(self) -> None:
        """Close the link. A thread that waits for the camera ends when it answers, or times out."""
        film, self._film = self._film, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()  # it closes the film: nobody else may while it reads
        elif film is not None:
            await self._clock.call(film.close)

    async def shots(self) -> AsyncGenerator[Shot, None]:
        """Yield the newest picture each `period`. Raises Unreachable, BadReply."""
        if self._film is None:
            raise Unreachable(f"not connected to {self._options.url}")
        if self._reader is None:
            self._reader = _Reader(self._film, self._clock, asyncio.get_running_loop())
        while True:
            begun = self._clock.monotonic()
            with self._errors():
                async with asyncio.timeout(self._options.silence):
                    frame, received = await self._reader.newest()
                content = await self._clock.call(_jpeg, frame)
            if len(content) > self._options.limit << 20:
                raise BadReply(
                    f"{self._options.url}: a picture is longer than {self._options.limit} MiB",
                    remedy="have the camera send smaller pictures, or raise `limit`",
                )
            yield Shot(content, {}, received, None)
            due = begun + self._options.period - self._clock.monotonic()
            await self._clock.sleep(max(due, 0.0))

    def _opened(self) -> InputContainer:
        """Return the film, of which the first pictures are known. Blocks."""
        try:
            import av  # noqa: PLC0415 — 60 MB, for those with such a camera alone
        except ImportError as error:
            raise Unreachable(
                "a camera over RTSP needs the package av",
                remedy="pip install 'deungdae[camera]', or give its snapshot over http",
            ) from error
        options, begun = self._options, self._clock.monotonic()
        with self._errors():
            try:
                film = av.open(
                    _address(options),
                    options={"rtsp_transport": "tcp"},
                    timeout=(options.timeout, options.silence),
                )
            except av.error.InvalidDataError as error:  # also what it says of silence
                if self._clock.monotonic() - begun >= options.timeout:
                    raise TimeoutError from error
                raise
        try:
            _check(film, options.url)
        except BadReply:
            film.close()
            raise
        return film

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the library raises into the house's errors; its own words hold the password."""
        from av import error as av  # noqa: PLC0415

        url = self._options.url
        try:
            yield
        except (TimeoutError, av.ExitError) as error:
            raise Unreachable(
                f"{url} does not answer in time",
                remedy="check address, port and network, or raise `timeout` or `silence`",
            ) from error
        except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
            raise BadReply(
                f"{url}: the camera wants another login", remedy="check user and password"
            ) from None
        except EOFError:
            raise Unreachable(f"{url}: the camera ended the film") from None
        except (av.HTTPClientError, av.HTTPServerError, av.InvalidDataError) as error:
            raise BadReply(
                f"{url} is no film that can be shown: {error.strerror}",
                remedy="check the path of the stream in the camera's manual",
            ) from None
        except (av.FFmpegError, OSError) as error:
            raise Unreachable(
                f"{url} cannot be reached: {error.strerror}",
                remedy="check address, port and that the camera is on",
            ) from None


class _Reader:
    """A thread that decodes all there is, as a film demands, and keeps the newest picture alone."""

    def __init__(self, film: InputContainer, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self._film = film
        self._clock = clock
        self._loop = loop
        self._come = asyncio.Event()
        self._newest: tuple[VideoFrame, int] | None = None
        self._ended: FFmpegError | OSError | None = None
        self._stopped = False
        # a daemon: a camera that is silent must not hold up the end of the program
        threading.Thread(target=self._read, daemon=True, name="film").start()

    def stop(self) -> None:
        """Have the thread end with the next picture."""
        self._stopped = True

    async def newest(self) -> tuple[VideoFrame, int]:
        """Return the newest picture not yet given, and when it came, ns; raise how it ended."""
        await self._come.wait()
        self._come.clear()
        if self._newest is None:
            raise self._ended or EOFError
        newest, self._newest = self._newest, None
        if self._ended is not None:
            self._come.set()  # the next one who asks is told
        return newest

    def _read(self) -> None:
        from av.error import FFmpegError  # noqa: PLC0415

        try:
            for frame in _frames(self._film):
                if self._stopped:
                    break
                self._newest = frame, self._clock.now()
                self._tell()
        except (FFmpegError, OSError) as error:
            self._ended = error
        finally:
            self._tell()
            self._film.close()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._come.set)


def _frames(film: InputContainer) -> Iterator[VideoFrame]:
    """Yield all whole pictures; what came damaged, or before the first whole one, is none."""
    from av.error import InvalidDataError  # noqa: PLC0415

    stream = film.streams.video[0]
    stream.codec_context.thread_count = 1  # more would hold pictures back
    for packet in film.demux(stream):
        with suppress(InvalidDataError):
            frames: list[Any] = packet.decode()
            yield from (frame for frame in frames if not frame.is_corrupt)


def _check(film: InputContainer, url: str) -> None:
    """Raise BadReply unless there is a picture, of a size that can be held."""
    if not film.streams.video:
        raise BadReply(f"{url} has no pictures", remedy="give the address of its video stream")
    seen = film.streams.video[0]
    if seen.width * seen.height > MOST:
        raise BadReply(
            f"{url} shows {seen.width}×{seen.height} pixels, more than {MOST}",
            remedy="give the address of a smaller stream of the camera",
        )


def _jpeg(frame: Any) -> bytes:
    """Return a picture as a file. Blocks."""
    file = io.BytesIO()
    frame.to_image().save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _address(options: Options) -> str:
    """Return the url with the login in it, as the library wants it. Raises Unreachable."""
    if not options.user:
        return options.url
    parts = urlsplit(options.url)
    login = f"{quote(options.user, safe='')}:{quote(password(options), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
