"""The one reader of the clock: real, simulated or replayed time behind one face.

Doors and the roof are given a Clock; thinkers are given `now`. A simulated clock runs a whole
factory as fast as the processor allows and twice the same, because blocking work is then done in
line and time moves on only when everybody waits.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from .types import SECOND

Result = TypeVar("Result")


class Clock(Protocol):
    """What doors and the roof may know of time."""

    def now(self) -> int:
        """Return the time of day: ns since 1970 UTC. May step; never use it to measure waits."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back: for waits and time-outs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of this clock's time."""
        ...

    async def call(self, work: Callable[..., Result], *args: object) -> Result:
        """Return work(*args), done where blocking does not stop the loop."""
        ...


class RealClock:
    """The clock of the machine that we run on."""

    def now(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def call(self, work: Callable[..., Result], *args: object) -> Result:
        return await asyncio.to_thread(work, *args)


class ScaledClock:
    """Real time that starts at a given moment and runs `speed` times as fast: replay, demo.

    since: the real time, ns since 1970, at which it showed `start`; by default now. Several
    processes that are given the same have the same time.
    """

    def __init__(self, start: int, speed: float = 1.0, since: int | None = None) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.start = start
        self.speed = speed
        passed = 0 if since is None else time.time_ns() - since
        self._origin = time.monotonic_ns() - passed

    def now(self) -> int:
        return self.start + int((time.monotonic_ns() - self._origin) * self.speed)

    def monotonic(self) -> float:
        return (time.monotonic_ns() - self._origin) / SECOND * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    async def call(self, work: Callable[..., Result], *args: object) -> Result:
        return await asyncio.to_thread(work, *args)


class SimulatedClock:
    """Time that stands still until everybody waits, then jumps to the next thing due.

    Everything must run inside `run`; there may be no sockets and no threads.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self._loop = _VirtualLoop()

    def now(self) -> int:
        return self.start + round(self._loop.time() * SECOND)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def call(self, work: Callable[..., Result], *args: object) -> Result:
        await asyncio.sleep(0)
        return work(*args)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        """Return what `main` returns, in simulated time."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            return runner.run(main)


class _JumpingSelector(selectors.SelectSelector):
    """A selector that, asked to wait, moves the loop's time on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("simulated time stands still: everybody waits for nothing")
            self.waited += max(timeout, 0.0)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.waited


def to_iso(moment: int, zone: timezone | ZoneInfo = UTC) -> str:
    """Return ISO 8601 with offset, to the nanosecond where it matters."""
    whole, fraction = divmod(moment, SECOND)
    # not datetime.fromtimestamp: it refuses times that a faulty clock can well send
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole)).astimezone(zone)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    offset = local.isoformat()[19:]
    return local.strftime("%Y-%m-%dT%H:%M:%S") + digits + ("Z" if offset == "+00:00" else offset)


def from_iso(text: str, zone: timezone | ZoneInfo = UTC) -> int:
    """Return ns since 1970 of an ISO 8601 date or time; without offset it is taken in `zone`.

    Fractions keep nanoseconds. Raises ValueError.
    """
    body, digits, offset = _split_fraction(text.strip())
    moment = datetime.fromisoformat(body + offset)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + int(digits.ljust(9, "0")[:9])


def _split_fraction(text: str) -> tuple[str, str, str]:
    head, point, tail = text.partition(".")
    if not point:
        return text, "", ""
    length = len(tail) - len(tail.lstrip("0123456789"))
    if length == 0:
        raise ValueError(f"no digits behind the point in {text!r}")
    return head, tail[:length], tail[length:]
