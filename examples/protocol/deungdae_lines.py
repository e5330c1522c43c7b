"""A driver for machines that tell `name value` lines over TCP: the example of CONTRIBUTING.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from math import isfinite, nan
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health, Node
from deungdae.core.types import Batch, Flag, Permit, Severity, Signal
from deungdae.core.units import scaling

T = TypeVar("T")


class Lines:
    """A machine that tells `name value` lines over TCP: all it has, an empty line, then changes.

    The address of a signal is the name. A line sent to the machine sets the value.

    ```toml
    [machines.scale]
    type = "lines"
    host = "10.0.0.30"

    [[signals]]
    id = "packing.weight"
    unit = "kg"
    source = "scale:weight"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        host: Annotated[str, Meta(description="Name or address of the machine")]
        port: Annotated[int, Meta(ge=1, le=65535, description="TCP port")] = 7000
        timeout: Annotated[
            float, Meta(gt=0, description="Wait for an answer", extra={"unit": "s"})
        ] = 5.0
        silence: Annotated[
            float, Meta(gt=0, description="After so long it counts as gone", extra={"unit": "s"})
        ] = 60.0

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._first: dict[str, float] = {}  # what the machine told on connection
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None
        self.health = Health(state="stopped", since=clock.now())

    async def connect(self) -> None:
        """Open the link and hear all that the machine has."""
        host, port = self.options.host, self.options.port
        await self.close()
        link = asyncio.open_connection(host, port)
        self._reader, self._writer = await self._in_time(link, self.options.timeout)
        everything = self._reader.readuntil(b"\n\n")
        self._first = _values(await self._in_time(everything, self.options.timeout))

    async def browse(self) -> AsyncIterator[Node]:
        """Yield every name that the machine told."""
        for name, value in self._first.items():
            yield Node(address=name, path=name, access="rw", value=str(value))

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch]:
        """Yield what is told: as many lines as came together in one batch."""
        missing = {s.id: "no such name" for s in signals.values() if s.address not in self._first}
        self.health = Health(
            state="degraded" if missing else "online", since=self._clock.now(), signals=missing
        )
        yield self._batch(signals, {s.address: nan for s in signals.values()} | self._first)
        while True:
            lines = await self._in_time(self._reader.read(65536), self.options.silence)
            if not lines.endswith(b"\n"):
                lines += await self._in_time(self._reader.readuntil(b"\n"), self.options.timeout)
            yield self._batch(signals, _values(lines))

    def confirm(self, items: int) -> None:
        """Do nothing: this machine waits for no acknowledgement."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Send the value; what the machine makes of it comes with the stream."""
        if self._writer is None:
            raise Unreachable("not connected", remedy="try again when it is")
        raw = scaling(signal).raw(permit.command.value)
        self._writer.write(f"{signal.address} {raw!r}\n".encode())
        await self._in_time(self._writer.drain(), self.options.timeout)
        return None

    async def close(self) -> None:
        """Close the link."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self.health = Health(state="stopped", since=self._clock.now())

    async def _in_time(self, work: Awaitable[T], seconds: float) -> T:
        """Return what the machine does within so many seconds. Raises Unreachable."""
        try:
            async with asyncio.timeout(seconds):
                return await work
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            problem = f"{self.options.host}:{self.options.port}: {error!r}"
            raise Unreachable(problem, remedy="is it on, and is this its port?") from error

    def _batch(self, signals: Mapping[int, Signal], values: Mapping[str, float]) -> Batch:
        """Return the values in the units of their signals; what is no number is bad."""
        rows = [(h, s, values[s.address]) for h, s in signals.items() if s.address in values]
        now = self._clock.now()
        return Batch.of(
            [handle for handle, _, _ in rows],
            [now] * len(rows),
            [x * scaling(signal).gain + scaling(signal).bias for _, signal, x in rows],
            [Flag.RECEIVED_TIME | (0 if isfinite(x) else Severity.BAD) for _, _, x in rows],
            received=now,
        )


def _values(lines: bytes) -> dict[str, float]:
    """Return the values by name; NaN for what is no number."""
    values = {}
    for line in lines.decode("utf-8", "replace").split("\n"):
        name, _, text = line.partition(" ")
        try:
            values[name] = float(text)
        except ValueError:
            values[name] = nan
    return values
