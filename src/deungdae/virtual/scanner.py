"""A simulated barcode reader over TCP: what passes it is sent to everybody who is connected."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.ports import Health
from deungdae.sim.plant.parts import Scanning

from ._faults import Faults
from ._machine import MachineOptions, live, machine
from ._tcp import Port

_ENDS = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "stx-etx": b"\x03"}
_BEHIND = 65_536  # bytes that a client may leave unread before it is cut off


class Scanner:
    """A simulated barcode reader at a TCP port, as fixed readers of many makers speak.

    Whoever connects is sent every code that passes from then on: `prefix`, code, `suffix`, and the
    end that `ends` names; what a client sends is thrown away. Several may be connected. A share
    `misread` of the codes is not read; then `noread` is sent, or nothing where that is empty. The
    model must be one that has codes to read, which then says what stands in them.

    Made to send rubbish, it sends nonsense for each code; frozen, the same code each time; slow,
    each code late. It has no clock that could jump.

    ```toml
    [virtual.gate]
    type = "scanner"
    model = "reader"
    port = 9004
    ```
    """

    class Options(MachineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        model: Annotated[str, Meta(description="What it simulates: a model that has codes")]
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 9004
        prefix: Annotated[str, Meta(max_length=32, description="Sent before each code")] = ""
        suffix: Annotated[str, Meta(max_length=32, description="Sent behind each code")] = ""
        ends: Annotated[
            Literal["cr", "lf", "crlf", "stx-etx"],
            Meta(description="How a code ends; stx-etx: also how it begins"),
        ] = "cr"
        encoding: Annotated[
            Literal["utf-8", "ascii", "latin-1", "cp949", "shift_jis"],
            Meta(description="How text is written"),
        ] = "utf-8"
        misread: Annotated[
            float, Meta(ge=0, le=1, description="Share of the codes that cannot be read")
        ] = 0.0
        noread: Annotated[
            str, Meta(max_length=32, description="Sent for a code that cannot be read")
        ] = "NOREAD"

        def __post_init__(self) -> None:
            super().__post_init__()
            if not isinstance(machine(self), Scanning):
                raise ValueError(f"model {self.model!r} has no codes to read: choose one that has")

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self._random = np.random.default_rng((options.seed, 1))  # another stream than the plant's
        self._clients: set[asyncio.StreamWriter] = set()
        self._waiting: deque[tuple[float, bytes]] = deque()  # when each is sent, monotonic s
        address = (options.host, options.port)
        self._port = Port(name, address, self._meet, clock, self.faults)

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._port.health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        async with self._port:
            await live(self._clock, self.plant, self.options.step, self._shown)

    async def _shown(self) -> None:
        await self._port.heed()
        due = self._clock.monotonic() + self.faults.delay
        codes = self.plant.take() if isinstance(self.plant, Scanning) else ()
        for code in codes:
            if text := self._read(code):
                self._waiting.append((due, self._framed(text)))
        while self._waiting and self._waiting[0][0] <= self._clock.monotonic():
            self._send(self._waiting.popleft()[1])

    def _read(self, code: str) -> str:
        """Return what the reader makes of a code."""
        if self._random.random() < self.options.misread:
            return self.options.noread
        return str(self.faults.shown("code", code))

    def _framed(self, text: str) -> bytes:
        whole = f"{self.options.prefix}{text}{self.options.suffix}"
        start = b"\x02" if self.options.ends == "stx-etx" else b""
        return start + whole.encode(self.options.encoding, "replace") + _ENDS[self.options.ends]

    def _send(self, data: bytes) -> None:
        for client in list(self._clients):
            if client.transport.get_write_buffer_size() > _BEHIND:
                self._log.warning(
                    "cut off peer=%s reason=unread", client.get_extra_info("peername")
                )
                client.transport.abort()
            else:
                client.write(data)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while await reader.read(1024):
                pass  # a trigger, or a command: this one reads by itself
        finally:
            self._clients.discard(writer)
