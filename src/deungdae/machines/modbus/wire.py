"""Modbus frames and the one connection that carries them.

Source: MODBUS Application Protocol Specification V1.1b3; MODBUS Messaging on TCP/IP V1.0b;
MODBUS over Serial Line V1.02 (CRC).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable

_HEADER = struct.Struct(">HHHB")
_READS = (1, 2, 3, 4)
_REASONS = {
    1: "illegal function: the device does not offer this table or this write",
    2: "illegal data address: the device has nothing there",
    3: "illegal data value",
    4: "the device failed while answering",
    5: "acknowledged, not finished",
    6: "the device is busy",
    8: "memory parity error in the device",
    10: "the gateway has no path to the unit",
    11: "the unit behind the gateway does not answer",
}


class Exceptional(BadReply):
    """The device answered, as the protocol allows, that it cannot. code: its exception code."""

    def __init__(self, code: int, unit: int) -> None:
        reason = _REASONS.get(code, "unknown exception")
        super().__init__(
            f"unit {unit} answered exception {code}: {reason}",
            remedy="compare table, number and unit with the device's register list",
        )
        self.code = code


class Misfit(BadReply):
    """The reply belongs to the request but does not fit it, e.g. is too short."""


class Reply(NamedTuple):
    """body: the PDU behind the function code; sent, received: ns since 1970."""

    body: bytes
    sent: int
    received: int


class Framing(Protocol):
    """How requests and replies lie in the stream of bytes."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        """Return the frame to send."""
        ...

    def take(self, buffer: bytearray) -> tuple[int | None, int, bytes] | None:
        """Remove and return the first whole frame as (transaction, unit, pdu), None: wait.

        transaction is None where frames carry none. Raises BadReply where there is no frame.
        """
        ...


class Mbap:
    """Modbus/TCP: a header of seven bytes, with a transaction id."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def take(self, buffer: bytearray) -> tuple[int | None, int, bytes] | None:
        if len(buffer) < 7:
            return None
        transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
        if protocol != 0 or not 3 <= length <= 254:
            raise BadReply(
                f"no Modbus/TCP frame: {bytes(buffer[:8]).hex(' ')}",
                remedy="does another protocol listen on this port, or is it rtu+tcp://?",
            )
        if len(buffer) < 6 + length:
            return None
        pdu = bytes(buffer[7 : 6 + length])
        del buffer[: 6 + length]
        return transaction, unit, pdu


class Rtu:
    """Serial frames in a TCP stream: unit, PDU, CRC; the length follows from the function."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        frame = bytes((unit,)) + pdu
        return frame + crc16(frame).to_bytes(2, "little")

    def take(self, buffer: bytearray) -> tuple[int | None, int, bytes] | None:
        if len(buffer) < 3:
            return None
        length = self._length(buffer)
        if len(buffer) < length:
            return None
        frame = bytes(buffer[:length])
        if crc16(frame[:-2]).to_bytes(2, "little") != frame[-2:]:
            raise BadReply(
                f"wrong checksum in {frame[:8].hex(' ')}…",
                remedy="check the serial line behind the gateway: wiring, baud rate, termination; "
                "or is it tcp://?",
            )
        del buffer[:length]
        return None, frame[0], frame[1:-2]

    def _length(self, buffer: bytearray) -> int:
        function = buffer[1]
        if function & 0x80:
            return 5
        if function in _READS:
            return 5 + buffer[2]
        return 10 if function == 22 else 8


class Link(asyncio.Protocol):
    """One connection to a device or gateway: requests out, replies matched to them.

    outstanding: how many requests may wait for replies at once; pause: least time between two
    requests, s; timeout: for each reply, s. ended: done with the reason once it is closed;
    given_up: we closed it ourselves, because a reply was late.
    """

    def __init__(
        self, framing: Framing, clock: Clock, timeout: float, pause: float, outstanding: int
    ) -> None:
        self.given_up = False
        self.ended: asyncio.Future[DoorError] = asyncio.get_running_loop().create_future()
        self._framing = framing
        self._clock = clock
        self._timeout = timeout
        self._pause = pause
        self._free = asyncio.Semaphore(outstanding)
        self._next = 0.0
        self._transaction = 0
        self._waiting: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._overdue: set[int] = set()  # transactions whose time was up
        self._late = 0  # replies to them, and
        self._strays = 0  # replies to what was never asked, since the last request
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises Unreachable."""
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except TimeoutError:
            raise Unreachable(
                f"{host}:{port} did not answer within {self._timeout} s",
                remedy="check the address, the cable and the firewall",
            ) from None
        except OSError as error:
            raise Unreachable(
                f"{host}:{port} cannot be reached: {error.strerror or error}",
                remedy="is the device on, and does it offer Modbus on this port?",
            ) from error

    async def request(self, unit: int, pdu: bytes, may: Callable[[], None] | None = None) -> Reply:
        """Return the reply to one request. Raises Exceptional, BadReply, Unreachable.

        may: called when the request's turn has come; what it raises keeps it from being sent.
        """
        async with self._free:
            await self._pace()
            if may:
                may()
            return await self._exchange(unit, pdu)

    def close(self, reason: DoorError | None = None) -> None:
        """Close the connection; whoever waits gets the reason."""
        error = reason or Unreachable("the connection is closed")
        if not self.ended.done():
            self.ended.set_result(error)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(
            Unreachable(
                f"the device ended the connection ({exc or 'closed'})",
                remedy="did it restart, or allow too few clients at once?",
            )
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while frame := self._framing.take(self._buffer):
                self._deliver(*frame)
        except BadReply as error:
            self.close(error)

    def _deliver(self, transaction: int | None, unit: int, pdu: bytes) -> None:
        if transaction is None:
            transaction = self._transaction
        waiting = self._waiting.pop(transaction, None)
        if waiting is not None and not waiting.done():
            waiting.set_result((unit, pdu))
        elif transaction in self._overdue:
            self._overdue.remove(transaction)
            self._late += 1
        else:
            self._strays += 1

    async def _pace(self) -> None:
        if self._pause:
            await self._clock.sleep(max(self._next - self._clock.monotonic(), 0.0))
            self._next = self._clock.monotonic() + self._pause

    async def _exchange(self, unit: int, pdu: bytes) -> Reply:
        if self.ended.done():
            raise self.ended.result()
        assert self._transport is not None
        self._transaction = transaction = (self._transaction + 1) & 0xFFFF
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._waiting[transaction] = waiting
        self._late = self._strays = 0
        # cheaper than asyncio.timeout, which counts where a thousand reads are done in a second
        timer = loop.call_later(self._timeout, _expire, waiting)
        sent = self._clock.now()
        self._transport.write(self._framing.wrap(transaction, unit, pdu))
        try:
            answering, answer = await waiting
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(self._framing, Rtu):
                # without transaction ids the late reply would pass for the next one
                self.given_up = True
                self.close(Unreachable(f"a request to unit {unit} was given up"))
            self._overdue.add(transaction)
            if isinstance(error, TimeoutError):
                raise self._silence(unit) from None
            raise
        finally:
            timer.cancel()
            self._waiting.pop(transaction, None)
        received = self._clock.now()
        if self._pause:
            self._next = self._clock.monotonic() + self._pause
        return Reply(judge(unit, pdu, answering, answer), sent, received)

    def _silence(self, unit: int) -> DoorError:
        """Return the error for a reply that did not come in time."""
        if self._strays:
            return BadReply(
                f"unit {unit} answered only with foreign transaction ids",
                remedy="the device or gateway mixes up its clients; set outstanding = 1, or "
                "restart it",
            )
        remedy = "is the unit id right, and the device on?"
        if self._late:
            remedy = "it does answer, but later: raise timeout"
        return Unreachable(f"unit {unit} did not answer within {self._timeout} s", remedy=remedy)


def read_request(function: int, first: int, count: int) -> bytes:
    """Return the PDU that reads `count` registers or bits from `first` on."""
    return struct.pack(">BHH", function, first, count)


def crc16(frame: bytes) -> int:
    """Return the CRC of a serial frame: polynomial 0xA001, start 0xFFFF, low byte sent first."""
    crc = 0xFFFF
    for byte in frame:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def judge(unit: int, request: bytes, answering: int, answer: bytes) -> bytes:
    """Return the body of a reply that fits its request. Raises Exceptional, BadReply."""
    function = request[0]
    if answering != unit:
        raise BadReply(
            f"unit {answering} answered where unit {unit} was asked",
            remedy=f"set unit = {answering}, if that is the device",
        )
    if answer[0] == function | 0x80 and len(answer) == 2:
        raise Exceptional(answer[1], unit)
    body = answer[1:]
    if answer[0] == function and _fits(function, request, body):
        return body
    raise Misfit(
        f"unit {unit} answered function {function} with {answer[:8].hex(' ')}"
        f" ({len(answer)} bytes)",
        remedy="the reply does not fit the request: update the device or the gateway",
    )


def is_hole(error: BadReply) -> bool:
    """Return whether an error says: not here, but perhaps in a part of what was asked."""
    # some devices answer with exception 3 or 4, and some with less than was asked
    return isinstance(error, Misfit) or (isinstance(error, Exceptional) and error.code in (2, 3, 4))


def _expire(waiting: asyncio.Future[tuple[int, bytes]]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())


def _fits(function: int, request: bytes, body: bytes) -> bool:
    if function in _READS:
        count = int.from_bytes(request[3:5], "big")
        size = 2 * count if function in (3, 4) else (count + 7) // 8
        return len(body) == size + 1 and body[0] == size
    # the other functions echo their request, or its address and count
    return body == request[1:5] if function in (15, 16) else body == request[1:]


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC = tuple(_crc_of(byte) for byte in range(256))
