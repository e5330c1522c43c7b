"""The nouns as compact bytes, for the bus between processes and for stores that are elsewhere.

MessagePack; the columns of Batches, Samples and Rollups travel as raw little-endian bytes. What is
malformed raises ValueError, and nothing larger than LIMIT is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Rollup, Samples
from deungdae.core.types import Batch, Command, Event, Finding, Signal

LIMIT = 64 * 1024 * 1024  # bytes of one message: three million samples
INT64 = 2**63

Noun: TypeAlias = Batch | Event | Finding | Samples | Rollup | Signal | Command
T = TypeVar("T")


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    """Columns of equal length, as bytes; dtypes says what they are."""

    dtypes: ClassVar[tuple[str, ...]] = ()

    def arrays(self) -> list[NDArray[Any]]:
        """Return the columns as read-only arrays. Raises ValueError."""
        columns = [getattr(self, name) for name in self.__struct_fields__[: len(self.dtypes)]]
        arrays = [_column(data, d) for data, d in zip(columns, self.dtypes, strict=True)]
        if len({len(array) for array in arrays}) > 1:
            lengths = ", ".join(str(len(array)) for array in arrays)
            raise ValueError(f"columns of different lengths: {lengths}")
        return arrays


class _Batch(_Columns, frozen=True, array_like=True, tag="batch"):
    dtypes = ("<i4", "<i8", "<f8", "u1")
    signal: bytes
    time: bytes
    value: bytes
    status: bytes
    received: int


class _Samples(_Columns, frozen=True, array_like=True, tag="samples"):
    dtypes = ("<i8", "<f8", "u1")
    time: bytes
    value: bytes
    status: bytes


class _Rollup(_Columns, frozen=True, array_like=True, tag="rollup"):
    dtypes = ("<i8", "<i8", "<f8", "<f8", "<f8", "<f8", "<f8", "<f8")
    start: bytes
    count: bytes
    minimum: bytes
    maximum: bytes
    mean: bytes
    last: bytes
    weighted: bytes
    bad: bytes


class _Event(msgspec.Struct, frozen=True, array_like=True, tag="event"):
    noun: Event


class _Finding(msgspec.Struct, frozen=True, array_like=True, tag="finding"):
    noun: Finding


class _Signal(msgspec.Struct, frozen=True, array_like=True, tag="signal"):
    noun: Signal


class _Command(msgspec.Struct, frozen=True, array_like=True, tag="command"):
    noun: Command


_Record: TypeAlias = _Event | _Finding | _Signal | _Command
_Message: TypeAlias = _Batch | _Samples | _Rollup | _Record
_COLUMNS = {Batch: _Batch, Samples: _Samples, Rollup: _Rollup}
_NOUNS = {_Batch: Batch, _Samples: Samples, _Rollup: Rollup}
_RECORDS = {Event: _Event, Finding: _Finding, Signal: _Signal, Command: _Command}


def encode(nouns: Sequence[Noun]) -> bytes:
    """Return the nouns as one message. Raises ValueError where it would be larger than LIMIT."""
    return dump([_to_wire(noun) for noun in nouns])


def decode(data: bytes) -> list[Noun]:
    """Return the nouns of a message, in order. Raises ValueError; arrays are read-only."""
    return [_from_wire(message) for message in load(data, list[_Message])]


def dump(thing: object) -> bytes:
    """Return plain structs and values as bytes. Raises ValueError beyond LIMIT."""
    data = msgspec.msgpack.encode(thing)
    if len(data) > LIMIT:
        raise ValueError(f"a message of {len(data)} bytes is more than {LIMIT}: send it in parts")
    return data


def load(data: bytes, kind: type[T]) -> T:
    """Return what `dump` wrote, checked against its type. Raises ValueError."""
    if len(data) > LIMIT:
        raise ValueError(f"a message of {len(data)} bytes is more than {LIMIT}")
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a malformed message of {len(data)} bytes: {error}") from error


def _raw(array: NDArray[Any], dtype: str) -> bytes:
    """Return a column as bytes of the given type."""
    return np.ascontiguousarray(array, dtype).tobytes()


def _column(data: bytes, dtype: str) -> NDArray[Any]:
    """Return a column from its bytes, read-only. Raises ValueError."""
    size = np.dtype(dtype).itemsize
    if len(data) % size:
        raise ValueError(f"a column of {len(data)} bytes is no whole number of {dtype}")
    return np.frombuffer(data, dtype)


def _to_wire(noun: Noun) -> _Message:
    if isinstance(noun, Batch | Samples | Rollup):
        form: Any = _COLUMNS[type(noun)]
        values = [getattr(noun, name) for name in form.__struct_fields__]
        arrays = [_raw(array, dtype) for array, dtype in zip(values, form.dtypes, strict=False)]
        return form(*arrays, *values[len(arrays) :])  # type: ignore[no-any-return]
    record: Any = _RECORDS[type(noun)]
    return record(noun)  # type: ignore[no-any-return]


def _from_wire(message: _Message) -> Noun:
    if isinstance(message, _Columns):
        noun: Any = _NOUNS[type(message)]
        rest = [_int64(message.received)] if isinstance(message, _Batch) else []
        return noun(*message.arrays(), *rest)  # type: ignore[no-any-return]
    record: Event | Finding | Signal | Command = message.noun
    for name in ("time", "received", "start", "end", "issued", "expires"):
        _int64(getattr(record, name, 0))
    if isinstance(record, Event) and not 0 <= record.status <= 255:
        raise ValueError(f"an event with the status {record.status}: it must be 0 to 255")
    return record


def _int64(moment: int) -> int:
    if not -INT64 <= moment < INT64:
        raise ValueError(f"a time of {moment} ns is beyond 64 bits")
    return moment
