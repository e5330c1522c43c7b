"""How bytes come from readers: TCP connections and serial lines."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import serial

from .frames import Code, Splitter


class Feed(asyncio.Protocol):
    """One connection: bytes in, codes out.

    arrived: told each code; ended: told once, with the reason, when the connection is gone;
    silence: a pause, s, that ends a code, 0: none; admits: whether its peer may connect.
    """

    def __init__(
        self,
        splitter: Splitter,
        silence: float,
        *,
        arrived: Callable[[Feed, Code], None],
        ended: Callable[[Feed, str], None],
        admits: Callable[[Feed], bool],
    ) -> None:
        self.peer = ""
        self._splitter = splitter
        self._silence = silence
        self._arrived = arrived
        self._ended = ended
        self._admits = admits
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = str(transport.get_extra_info("peername")[0])
        if not self._admits(self):
            self.close()
            return
        keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        for code in self._splitter.feed(data):
            self._arrived(self, code)
        self._wind()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._ended(self, str(exc or "the reader ended the connection"))

    def close(self) -> None:
        """End the connection; nothing more is told."""
        self._ended = _nobody
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _wind(self) -> None:
        self._stop_timer()
        if self._silence and self._splitter.pending:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._silence, self._flush)

    def _flush(self) -> None:
        for code in self._splitter.flush():
            self._arrived(self, code)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Line:
    """A serial port read by a thread of its own, which hands the bytes to a feed."""

    def __init__(self, port: serial.Serial, feed: Feed) -> None:
        self._port = port
        self._feed = feed
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._pump, name=f"serial {port.port}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop the thread, then close the port."""
        self._stopping.set()
        self._port.cancel_read()
        await asyncio.to_thread(self._thread.join)
        self._port.close()

    def _pump(self) -> None:
        try:
            while not self._stopping.is_set():
                data = self._port.read(1)
                data += self._port.read(self._port.in_waiting)
                if data:
                    self._loop.call_soon_threadsafe(self._feed.data_received, data)
        except OSError as error:  # also what pyserial raises
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._feed.connection_lost, error)


def open_port(path: str, asked: dict[str, str]) -> serial.Serial:
    """Return the opened port. Raises OSError, ValueError."""
    return serial.Serial(
        path,
        baudrate=int(asked.get("baud", "9600")),
        bytesize=int(asked.get("bits", "8")),
        parity=asked.get("parity", "N"),
        stopbits=int(asked.get("stop", "1")),
        timeout=0.5,
        exclusive=True,
    )


def keep_alive(connection: socket.socket) -> None:
    """Have the system find out within half a minute that a silent reader is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)


def _nobody(feed: Feed, reason: str) -> None:
    """Take no notice."""
