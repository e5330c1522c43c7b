"""Publish and history responses decoded as columns, straight from the bytes.

A library makes three or four objects of every value; here all values of one shape (DataValue mask
and variant type) are read with one NumPy view. What has no fixed size (texts, arrays, structures)
is read one by one with the library's variant decoder.
Source: OPC 10000-6 §5.2 (binary encoding), OPC 10000-4 §5.14.5 (Publish), §7.26 (notifications).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, variant_from_binary
from numpy.typing import NDArray

from deungdae.core.errors import BadReply
from deungdae.core.types import FloatArray, TimeArray

NEVER = np.iinfo(np.int64).min  # the server gave no time
EPOCH = 116_444_736_000_000_000  # 1970 in ticks of 100 ns since 1601
_TICKS_LOW = EPOCH - 2**63 // 100 + 1
_TICKS_HIGH = EPOCH + 2**63 // 100 - 1

_NUMBERS = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8",
    10: "<f4", 11: "<f8",
}  # fmt: skip
_TAIL = ((2, "code", "<u4"), (4, "source", "<i8"), (16, "source_ps", "<u2"), (8, "server", "<i8"),
         (32, "server_ps", "<u2"))  # fmt: skip
Read = TypeVar("Read")
_DATA_CHANGE, _STATUS_CHANGE, _HISTORY_DATA = 811, 820, 658


class Values(msgspec.Struct, frozen=True, eq=False):
    """n values in the order of the message, as columns.

    handle: uint32[n], client handle (0 in a history); value: float64[n], NaN where there is no
    number; code: uint32[n], StatusCode; time: int64[n], source time, else server time, ns since
    1970, NEVER where the server gave neither; others: row -> value that is not one number.
    """

    handle: NDArray[np.uint32]
    value: FloatArray
    code: NDArray[np.uint32]
    time: TimeArray
    others: Mapping[int, Any]

    def __len__(self) -> int:
        return len(self.handle)

    def take(self, places: NDArray[np.intp]) -> Values:
        """Return the values at these places, in that order."""
        others = {
            new: self.others[old]
            for new, old in (enumerate(places.tolist()) if self.others else ())
            if old in self.others
        }
        return Values(
            self.handle[places], self.value[places], self.code[places], self.time[places], others
        )


class Message(msgspec.Struct, frozen=True, eq=False):
    """One NotificationMessage. keepalive: it carries nothing and uses up no sequence number.

    available: sequence numbers that the server can send again.
    closed: StatusCode with which the server ended the subscription, 0 while it lives.
    """

    subscription: int
    sequence: int
    keepalive: bool
    available: tuple[int, ...]
    values: tuple[Values, ...]
    closed: int = 0


class Page(msgspec.Struct, frozen=True, eq=False):
    """The history of one node as far as one response carries it."""

    code: int
    continuation: bytes
    values: Values


def publish(body: bytes) -> Message:
    """Return what a PublishResponse says. Raises BadReply."""
    return _guarded(_publish, body)


def republish(body: bytes, subscription: int) -> Message:
    """Return what a RepublishResponse says. Raises BadReply."""
    return _guarded(_republish, body, subscription)


def history(body: bytes) -> list[Page]:
    """Return what a HistoryReadResponse says, node by node. Raises BadReply."""
    return _guarded(_history, body)


def values(body: bytes, place: int, *, handles: bool = True) -> tuple[Values, int]:
    """Return the array of values that starts at `place` (its count first) and where it ends.

    handles: MonitoredItemNotifications (a client handle before each DataValue), else DataValues.
    """
    (count,) = struct.unpack_from("<i", body, place)
    prefix = 4 if handles else 0
    if count > (len(body) - place) // (prefix + 1):
        raise ValueError(f"{count} values cannot stand in {len(body)} bytes")
    columns = _Columns(body, prefix, max(count, 0))
    return columns.values(), columns.read(place + 4)


def nanoseconds(ticks: NDArray[np.int64]) -> TimeArray:
    """Return ns since 1970 of DateTimes, NEVER where they are null; int64[n]."""
    if len(ticks) and ticks.min() >= _TICKS_LOW and ticks.max() <= _TICKS_HIGH:
        return (ticks - EPOCH) * 100
    since = (np.clip(ticks, _TICKS_LOW, _TICKS_HIGH) - EPOCH) * 100
    return np.where(ticks > 0, since, NEVER)


def ticks(moment: int) -> int:
    """Return the DateTime, in ticks of 100 ns since 1601, of ns since 1970."""
    return moment // 100 + EPOCH


def _layout(mask: int, number: str, prefix: int) -> np.dtype[Any]:
    """Return the record of one value: client handle, mask, type, value, status, times."""
    fields = [("handle", "<u4")] if prefix else []
    fields += [("key", "<u2"), ("value", number)] if mask & 1 else [("key", "u1")]
    fields += [(name, kind) for bit, name, kind in _TAIL if mask & bit]
    return np.dtype(fields)


def _layouts(prefix: int) -> dict[int, np.dtype[Any]]:
    """Return key (mask | type << 8) -> record, for every shape of fixed size."""
    found: dict[int, np.dtype[Any]] = {}
    for mask in range(64):
        if mask & 1:
            found |= {mask | t << 8: _layout(mask, kind, prefix) for t, kind in _NUMBERS.items()}
        else:  # no value, so what stands for its type is the next thing's
            found |= dict.fromkeys(range(mask, 1 << 16, 1 << 8), _layout(mask, "", prefix))
    return found


_LAYOUTS = {prefix: _layouts(prefix) for prefix in (0, 4)}
_SIZES = {  # by key, 0 where there is no fixed size
    prefix: bytes(layouts[key].itemsize if key in layouts else 0 for key in range(1 << 16))
    for prefix, layouts in _LAYOUTS.items()
}
_TAILS = {mask: _layout(mask & ~1, "", 0) for mask in range(64)}


class _Columns:
    """The columns of one message while they are filled."""

    def __init__(self, body: bytes, prefix: int, count: int) -> None:
        self.body = body
        self.prefix = prefix
        self.count = count
        self.handle = np.zeros(count, np.uint32)
        self.value = np.full(count, np.nan)
        self.code = np.zeros(count, np.uint32)
        self.time = np.full(count, NEVER)
        self.others: dict[int, Any] = {}

    def values(self) -> Values:
        return Values(self.handle, self.value, self.code, self.time, self.others)

    def read(self, place: int) -> int:
        """Fill all rows; return where the array ends.

        Walks from run to run of values of one shape, then reads all of one shape together.
        """
        body, sizes, row = self.body, _SIZES[self.prefix], 0
        starts, lengths = [], []
        place += self.prefix  # where the mask is, from here on
        while row < self.count:
            start, length = place, 1
            key = body[place] | body[place + 1] << 8
            if size := sizes[key]:
                place += size
                if body[place : place + 2] == body[start : start + 2]:
                    length = min(_run(body, start, key, size), self.count - row)
                    place = start + length * size
            else:
                place += self._one(row, start)
            starts.append(start)
            lengths.append(length)
            row += length
        if place - self.prefix > len(body):
            raise ValueError("the values end behind the message")
        self._gather(np.array(starts, np.intp), np.array(lengths, np.intp))
        return place - self.prefix

    def _gather(self, starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
        """Read the values of fixed size in the runs that start at these masks."""
        octets = np.frombuffer(self.body, np.uint8)
        keys = octets[starts] | octets[starts + 1].astype(np.uint16) << 8
        first = np.cumsum(lengths) - lengths
        for key in set(keys.tolist()):
            layout = _LAYOUTS[self.prefix].get(key)
            if layout is None:
                continue
            chosen = np.flatnonzero(keys == key)
            length = lengths[chosen]
            steps = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
            places = np.repeat(starts[chosen] - self.prefix, length) + steps * layout.itemsize
            # one record at every byte, to pick those that we want from
            shape = (len(octets) - layout.itemsize + 1,)
            records = np.ndarray(shape, layout, self.body, strides=(1,))[places]
            self._fill(np.repeat(first[chosen], length) + steps, records)

    def _one(self, row: int, start: int) -> int:
        """Read a value without fixed size whose mask is at `start`; return all its bytes."""
        mask = self.body[start]
        if mask > 63:
            raise ValueError(f"{mask:#x} is no mask of a DataValue")
        buffer = Buffer(self.body, start + 1)
        self.others[row] = variant_from_binary(buffer).Value
        tail = np.frombuffer(self.body, _TAILS[mask], 1, buffer.cur_pos - 1)
        self._fill(slice(row, row + 1), tail)
        if self.prefix:
            (self.handle[row],) = struct.unpack_from("<I", self.body, start - self.prefix)
        return int(buffer.cur_pos) - 1 + tail.itemsize - start + self.prefix

    def _fill(self, rows: slice | NDArray[np.intp], records: NDArray[Any]) -> None:
        names: Mapping[str, Any] = records.dtype.fields or {}
        for name in ("handle", "value", "code"):
            if name in names:
                getattr(self, name)[rows] = records[name]
        self.time[rows] = _times(records, names)


@lru_cache(maxsize=256)
def _pattern(key: int, size: int) -> re.Pattern[bytes]:
    """Return what matches a run of values of one shape, from mask to mask."""
    shape = re.escape(key.to_bytes(2, "little"))
    return re.compile(b"(?s:(?:%b.{%d})++)" % (shape, size - 2))


def _run(body: bytes, start: int, key: int, size: int) -> int:
    """Return how many values of the same shape follow each other from `start`; at least 1."""
    found = _pattern(key, size).match(body, start)
    return (found.end() - start) // size if found else 1


def _times(records: NDArray[Any], names: Mapping[str, Any]) -> TimeArray:
    """Return the source times, the server's where the source's are null, NEVER without both."""
    time = np.full(len(records), NEVER)
    for name in ("source", "server"):
        if name not in names:
            continue
        found = nanoseconds(records[name].astype(np.int64))
        if f"{name}_ps" in names:  # tens of picoseconds, at most 99.99 ns
            fine = np.minimum(records[f"{name}_ps"], 9999).astype(np.int64) // 100
            found = np.where(found != NEVER, found + fine, NEVER)
        time = np.where(time == NEVER, found, time)
        if (time != NEVER).all():
            break
    return time


def _guarded(read: Callable[..., Read], body: bytes, *arguments: object) -> Read:
    try:
        return read(body, *arguments)
    except (ValueError, IndexError, struct.error, NotEnoughData, ua.UaError) as error:
        if isinstance(error, ua.UaStatusCodeError):
            raise
        raise BadReply(
            f"the server sent a response that cannot be read: {error}",
            remedy="look for an update of the server; note its name and version for a report",
        ) from error


def _opened(body: bytes) -> Buffer:
    """Return the response behind its header. Raises the server's refusal, a UaStatusCodeError."""
    buffer = Buffer(body)
    nodeid_from_binary(buffer)
    struct_from_binary(ua.ResponseHeader, buffer).ServiceResult.check()
    return buffer


def _publish(body: bytes) -> Message:
    buffer = _opened(body)
    (subscription,) = struct.unpack("<I", buffer.read(4))
    available = _numbers(buffer)
    buffer.skip(1)  # MoreNotifications: further responses follow anyway
    return _notifications(body, buffer, subscription, available)


def _republish(body: bytes, subscription: int) -> Message:
    return _notifications(body, _opened(body), subscription, ())


def _notifications(
    body: bytes, buffer: Buffer, subscription: int, available: tuple[int, ...]
) -> Message:
    sequence, _published, count = struct.unpack("<Iqi", buffer.read(16))
    found, closed = [], 0
    for _ in range(count):
        kind, place = _extension(buffer)
        if kind == _DATA_CHANGE:
            read, _end = values(body, place)
            found.append(read)
        elif kind == _STATUS_CHANGE:
            (closed,) = struct.unpack_from("<I", body, place)
    return Message(subscription, sequence, count <= 0, available, tuple(found), closed)


def _history(body: bytes) -> list[Page]:
    buffer = _opened(body)
    (count,) = struct.unpack("<i", buffer.read(4))
    pages = []
    for _ in range(count):
        code, length = struct.unpack("<Ii", buffer.read(8))
        continuation = buffer.read(max(length, 0))
        kind, place = _extension(buffer)
        empty = _Columns(b"", 0, 0).values()
        read = values(body, place, handles=False)[0] if kind == _HISTORY_DATA else empty
        pages.append(Page(code, continuation, read))
    return pages


def _extension(buffer: Buffer) -> tuple[int, int]:
    """Step over an ExtensionObject; return the number of its type and where its body starts."""
    kind = nodeid_from_binary(buffer)
    (encoding,) = buffer.read(1)
    if not encoding & 1:
        return 0, buffer.cur_pos
    (length,) = struct.unpack("<i", buffer.read(4))
    place = buffer.cur_pos
    if length < 0:
        raise ValueError("an ExtensionObject does not tell its length")
    buffer.skip(length)
    return (kind.Identifier if kind.NamespaceIndex == 0 else 0), place


def _numbers(buffer: Buffer) -> tuple[int, ...]:
    (count,) = struct.unpack("<i", buffer.read(4))
    count = max(count, 0)
    return struct.unpack(f"<{count}I", buffer.read(4 * count))
