"""Adapter logs played back as if the adapter spoke now."""

from __future__ import annotations

import logging
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Mapping, Sequence
from pathlib import Path

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, FactoryError, Unreachable
from deungdae.core.ports import Node
from deungdae.core.types import SECOND
from deungdae.machines import _moment as moment

from .files import opened
from .lines import Reader, nodes
from .reading import Reading
from .source import News

_CHUNK = 1 << 18
_STEP = SECOND // 10  # what lies closer together in time is told together


class Recording:
    """Log files, in the order of their names. Ends with the last; never begins anew."""

    items = None

    def __init__(
        self,
        pattern: str,
        clock: Clock,
        log: logging.Logger,
        *,
        shapes: Mapping[str, str],
        speed: float,
        pause: float,
    ) -> None:
        """pattern: a path, its last part may hold `*`; speed: 1 as recorded, 0 without waiting.

        pause: longest wait, s. A file begins with older values, which would be waited for long.
        """
        self._pattern = Path(pattern)
        self._clock = clock
        self._log = log
        self._shapes = shapes
        self._speed = speed
        self._pause = pause
        self._paths: list[Path] = []
        self._played = False

    async def connect(self) -> None:
        folder, name = self._pattern.parent, self._pattern.name
        self._paths = await self._clock.call(lambda: sorted(folder.glob(name)))
        if not self._paths:
            raise Unreachable(f"no file is called {self._pattern}", remedy="check the path")

    async def close(self) -> None:
        self._paths = []

    async def browse(self) -> AsyncIterator[Node]:
        """Yield every data item that the first file tells of."""
        heard: list[Reading] = []
        async for readings in self._readings(self._paths[:1]):
            heard.extend(readings)
        for node in nodes(heard):
            yield node

    async def follow(self, wanted: Callable[[], Container[str]]) -> AsyncGenerator[News, None]:
        if self._played:
            return
        now = 0  # time in the recording, ns; 0: not begun
        async for readings in self._readings(self._paths):
            due: list[Reading] = []
            for reading in readings:
                time = _time(reading)
                if self._speed and time > now + _STEP:
                    yield News(due)
                    due = []
                    gap = (time - now) / SECOND / self._speed if now else 0.0
                    await self._clock.sleep(min(gap, self._pause))
                    now = time
                due.append(reading)
            yield News(due)
        self._played = True

    async def _readings(self, paths: Sequence[Path]) -> AsyncIterator[list[Reading]]:
        lines = Reader(self._shapes, self._log)
        for path in paths:
            try:
                with opened(path) as file:
                    while data := await self._clock.call(file.read, _CHUNK):
                        yield lines.feed(data)
            except (FactoryError, OSError, EOFError, zlib.error) as error:
                raise BadReply(f"{path} cannot be read to its end: {error}") from error
            yield lines.feed(b"\n")  # the last line of a file may lack its end


def _time(reading: Reading) -> int:
    try:
        return moment.one(reading.time)
    except ValueError:
        return 0
