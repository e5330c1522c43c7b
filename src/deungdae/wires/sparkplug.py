"""Sparkplug B payloads on the wire: protobuf, read and written field by field.

Field numbers and types: sparkplug_b.proto of Eclipse Tahu and the Sparkplug 3.0.0 specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec

from deungdae.core.errors import BadReply

SPACE = "spBv1.0"  # every topic begins so
BDSEQ = "bdSeq"  # metric that ties a node's birth to its death
REBIRTH = "Node Control/Rebirth"  # metric by which a host asks for births
_COMPRESSED = "SPBV1.0_COMPRESSED"  # uuid of a payload whose body is another one, deflated
_WORD = (1 << 64) - 1


class Type(IntEnum):
    """Data types of metrics that we know by name."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


SIGNED = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
_UNSIGNED = {Type.UINT8: 8, Type.UINT16: 16, Type.UINT32: 32}
NUMBERS = frozenset(range(Type.INT8, Type.BOOLEAN + 1)) | {Type.DATETIME}
TEXTS = frozenset({Type.STRING, Type.TEXT, Type.UUID})
# fields of a Metric
NAME, ALIAS, TIMESTAMP, DATATYPE, HISTORICAL, NULL, PROPERTIES = 1, 2, 3, 4, 5, 7, 9
INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING = 10, 11, 12, 13, 14, 15


class Metric(msgspec.Struct):
    """One metric as sent. field: number of the value's field, 0 when there is none.

    value: int as it stands on the wire (see `signed`), float, bool or text; None of other kinds.
    """

    name: str = ""
    alias: int | None = None
    timestamp: int = 0
    datatype: int = 0
    historical: bool = False
    null: bool = False
    field: int = 0
    value: int | float | str | None = None
    properties: dict[str, int | float | str] = {}  # a bool is written as Boolean, read as int


class Payload(msgspec.Struct):
    """A payload as sent. timestamp: ms; seq: None where there is none."""

    timestamp: int = 0
    seq: int | None = None
    uuid: str = ""
    body: bytes = b""
    metrics: list[Metric] = []


class Outline(msgspec.Struct, frozen=True):
    """A payload with its metrics still on the wire: where each begins and ends."""

    timestamp: int
    seq: int | None
    uuid: str
    body: tuple[int, int]
    starts: list[int]
    stops: list[int]


def decode(data: bytes, *, limit: int = 1 << 24) -> Payload:
    """Return the payload, unpacked if it is compressed. Raises BadReply.

    limit: largest size to unpack to, bytes.
    """
    found = outline(data)
    if found.uuid:
        data = unfold(data, found, limit)
        found = outline(data)
    return Payload(
        timestamp=found.timestamp,
        seq=found.seq,
        uuid=found.uuid,
        body=data[slice(*found.body)],
        metrics=[
            metric(data, start, stop) for start, stop in zip(found.starts, found.stops, strict=True)
        ],
    )


def unfold(data: bytes, outline: Outline, limit: int) -> bytes:
    """Return the payload within a compressed one (at most `limit` bytes), else data itself.

    Raises BadReply.
    """
    if outline.uuid != _COMPRESSED:
        return data
    body = data[slice(*outline.body)]
    machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        data = machine.decompress(body, limit)
    except zlib.error as error:
        raise BadReply(f"a compressed payload cannot be unpacked: {error}") from error
    if not machine.eof:
        raise BadReply(f"a compressed payload is cut off or larger than {limit} bytes")
    return data


def outline(data: bytes) -> Outline:
    """Return the parts of a payload. Raises BadReply."""
    timestamp, seq, uuid, body = 0, None, "", (0, 0)
    starts: list[int] = []
    stops: list[int] = []
    place, end = 0, len(data)
    try:
        while place < end:
            # most of a payload is metrics of less than 128 bytes
            if data[place] == 0x12 and data[place + 1] < 0x80:
                starts.append(place + 2)
                place += 2 + data[place + 1]
                stops.append(place)
                continue
            number, kind, value, stop, place = _field(data, place)
            if number == 1 and kind == 0:
                timestamp = value
            elif number == 2 and kind == 2:
                starts.append(value)
                stops.append(stop)
            elif number == 3 and kind == 0:
                seq = value
            elif number == 4 and kind == 2:
                uuid = data[value:stop].decode("utf-8", "replace")
            elif number == 5 and kind == 2:
                body = (value, stop)
    except IndexError:
        place = end + 1
    if place != end:
        raise BadReply(f"a Sparkplug payload of {end} bytes is cut off")
    return Outline(timestamp, seq, uuid, body, starts, stops)


def metric(data: bytes, start: int, stop: int) -> Metric:
    """Return the metric that stands between start and stop. Raises BadReply."""
    found = Metric()
    for number, kind, value, end in fields(data, start, stop):
        if kind == 0:
            _set_number(found, number, value)
        elif kind == 2 and number in (NAME, STRING):
            text = data[value:end].decode("utf-8", "replace")
            if number == NAME:
                found.name = text
            else:
                found.field, found.value = STRING, text
        elif kind == 2 and number == PROPERTIES:
            found.properties = _properties(data, value, end)
        elif kind == 5 and number == FLOAT:
            found.field, found.value = FLOAT, struct.unpack_from("<f", data, value)[0]
        elif kind == 1 and number == DOUBLE:
            found.field, found.value = DOUBLE, struct.unpack_from("<d", data, value)[0]
        elif number >= INT:
            found.field, found.value = number, None
    return found


def _set_number(found: Metric, number: int, value: int) -> None:
    if number == ALIAS:
        found.alias = value
    elif number == TIMESTAMP:
        found.timestamp = value
    elif number == DATATYPE:
        found.datatype = value & 0xFFFFFFFF
    elif number == HISTORICAL:
        found.historical = bool(value)
    elif number == NULL:
        found.null = bool(value)
    elif number == INT:
        found.field, found.value = INT, value & 0xFFFFFFFF
    elif number == LONG:
        found.field, found.value = LONG, value
    elif number == BOOLEAN:
        found.field, found.value = BOOLEAN, int(value != 0)


def _properties(data: bytes, start: int, stop: int) -> dict[str, int | float | str]:
    """Return the properties that are numbers or texts, by name."""
    keys: list[str] = []
    values: list[int | float | str | None] = []
    for number, kind, value, end in fields(data, start, stop):
        if kind == 2 and number == 1:
            keys.append(data[value:end].decode("utf-8", "replace"))
        elif kind == 2 and number == 2:
            values.append(_property(data, value, end))
    return {key: value for key, value in zip(keys, values, strict=False) if value is not None}


def _property(data: bytes, start: int, stop: int) -> int | float | str | None:
    found: int | float | str | None = None
    datatype = 0
    for number, kind, value, end in fields(data, start, stop):
        if number == 1 and kind == 0:
            datatype = value
        elif number in (3, 4, 7) and kind == 0:
            found = value
        elif number == 5 and kind == 5:
            found = struct.unpack_from("<f", data, value)[0]
        elif number == 6 and kind == 1:
            found = struct.unpack_from("<d", data, value)[0]
        elif number == 8 and kind == 2:
            found = data[value:end].decode("utf-8", "replace")
    return signed(found, datatype) if isinstance(found, int) else found


def fields(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield field number, wire type, value (or where it begins) and where it ends.

    Wire types: 0 a varint, 1 eight bytes, 2 so many bytes as stated, 5 four. Raises BadReply.
    """
    place = start
    try:
        while place < stop:
            number, kind, value, end, place = _field(data, place)
            if place > stop:
                break
            yield number, kind, value, end
    except IndexError:
        place = stop + 1
    if place != stop:
        raise BadReply("a part of a Sparkplug payload is longer than its whole")


def _field(data: bytes, place: int) -> tuple[int, int, int, int, int]:
    """Return number, wire type, value or start, stop, and where the next field begins."""
    tag, place = varint(data, place)
    number, kind = tag >> 3, tag & 7
    if number == 0:
        raise BadReply("a Sparkplug payload has a field with the number 0")
    if kind == 0:
        value, place = varint(data, place)
        return number, kind, value, place, place
    if kind == 2:
        length, place = varint(data, place)
        return number, kind, place, place + length, place + length
    if kind in (1, 5):
        end = place + (8 if kind == 1 else 4)
        return number, kind, place, end, end
    raise BadReply(f"a Sparkplug payload has a field of wire type {kind}, which is not in use")


def varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a varint, 64 bits of it, and where it ends. Raises BadReply, IndexError at the end."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _WORD, place
        shift += 7
        if shift >= 70:
            raise BadReply("a Sparkplug payload has a number of more than ten bytes")


def signed(value: int, datatype: int) -> int:
    """Return an integer as its type means it: two's complement of the type's width."""
    width = SIGNED.get(datatype)  # type: ignore[call-overload]
    if width is None:
        return value
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def bounds(datatype: int) -> tuple[int, int]:
    """Return the least and the greatest value of a whole number's type."""
    width = SIGNED.get(datatype)  # type: ignore[call-overload]
    if width is not None:
        return -(1 << (width - 1)), (1 << (width - 1)) - 1
    return 0, (1 << _UNSIGNED.get(datatype, 64)) - 1  # type: ignore[call-overload]


def encode(timestamp: int, metrics: Sequence[Metric], *, seq: int | None = None) -> bytes:
    """Return a payload."""
    parts = [b"\x08" + _varint(timestamp)]
    parts += [_block(2, _metric(one)) for one in metrics]
    if seq is not None:
        parts.append(b"\x18" + _varint(seq))
    return b"".join(parts)


def _metric(one: Metric) -> bytes:
    parts = []
    if one.name:
        parts.append(_block(NAME, one.name.encode()))
    if one.alias is not None:
        parts.append(_number(ALIAS, one.alias))
    for number, value in ((TIMESTAMP, one.timestamp), (DATATYPE, one.datatype),
                          (HISTORICAL, one.historical), (NULL, one.null)):  # fmt: skip
        if value:
            parts.append(_number(number, value))
    if one.properties:
        parts.append(_block(PROPERTIES, _encode_properties(one.properties)))
    if one.field == STRING:
        parts.append(_block(STRING, str(one.value).encode()))
    elif one.field == FLOAT:
        parts.append(_tag(FLOAT, 5) + struct.pack("<f", one.value))
    elif one.field == DOUBLE:
        parts.append(_tag(DOUBLE, 1) + struct.pack("<d", one.value))
    elif one.field:
        width = 0xFFFFFFFF if one.field == INT else _WORD
        parts.append(_number(one.field, int(one.value or 0) & width))
    return b"".join(parts)


def _encode_properties(properties: dict[str, int | float | str]) -> bytes:
    """Return a PropertySet of Boolean, Int64, Double and String."""
    keys = b"".join(_block(1, key.encode()) for key in properties)
    values = []
    for value in properties.values():
        if isinstance(value, str):
            values.append(_number(1, Type.STRING) + _block(8, value.encode()))
        elif isinstance(value, bool):
            values.append(_number(1, Type.BOOLEAN) + _number(7, value))
        elif isinstance(value, float):
            values.append(_number(1, Type.DOUBLE) + _tag(6, 1) + struct.pack("<d", value))
        else:
            values.append(_number(1, Type.INT64) + _number(4, value & _WORD))
    return keys + b"".join(_block(2, value) for value in values)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _number(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value)


def _block(number: int, content: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
