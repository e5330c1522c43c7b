"""MQTT 5 and 3.1.1 packets: cut a stream of bytes into them, and make those that a client sends.

Sources: OASIS MQTT Version 5.0 and 3.1.1; "§" in this file means the chapter of 5.0.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from deungdae.core.errors import BadReply

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 11, 13, 14
PINGREQ = b"\xc0\x00"
LARGEST = 268_435_455  # §1.5.5: what four bytes of length can say
_HEAD = 65_539  # of a PUBLISH: length of topic, topic, packet id


class Message(msgspec.Struct, frozen=True, gc=False):
    """One PUBLISH. packet: its id, to acknowledge; 0 at QoS 0. size: of the whole packet's body.

    refused: the body was over the limit; the payload was thrown away and is empty here.
    """

    topic: bytes
    payload: bytes
    packet: int = 0
    retained: bool = False
    size: int = 0
    refused: bool = False


class Reply(msgspec.Struct, frozen=True):
    """Any other packet of the broker: its type, flags and body."""

    type: int
    body: bytes


Packet: TypeAlias = Message | Reply


class Will(NamedTuple):
    """What the broker publishes for us, at QoS 1, when it loses us."""

    topic: str
    payload: bytes
    retain: bool = True


class Splitter:
    """Cuts what a broker sends into packets, and never holds more than `limit` and one read.

    A PUBLISH over the limit is skipped as it comes and handed over as refused. Raises BadReply on
    anything that is not MQTT.
    """

    def __init__(self, *, five: bool, limit: int) -> None:
        self._five = five
        self._limit = limit
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 2
        self._skip = 0

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that are complete now, in order."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if not data:
                return []
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return []
        if len(self._parts) > 1:
            data = b"".join(self._parts)
        packets, place = self._cut(data)
        rest = data[place:]
        self._parts, self._have = [rest], len(rest)
        return packets

    def _cut(self, data: bytes) -> tuple[list[Packet], int]:
        """Return the packets in data, and where the first incomplete one begins."""
        packets: list[Packet] = []
        place, end = 0, len(data)
        while end - place >= 2:
            first = data[place]
            length, body = data[place + 1], place + 2
            if length & 0x80:
                length, body = _length(data, place + 1)
                if body == 0:
                    self._need = end - place + 1
                    return packets, place
            stop = body + length
            if length > self._limit:
                oversize = self._oversize(data, first, body, length)
                if oversize is None:
                    self._need = min(body - place + _HEAD, stop - place)
                    return packets, place
                packets.append(oversize)
                self._skip = max(stop - end, 0)
                place = min(stop, end)
            elif stop > end:
                self._need = stop - place
                return packets, place
            else:
                if first >> 4 == PUBLISH:
                    packets.append(self._publish(data, first, body, stop))
                else:
                    packets.append(Reply(first >> 4, data[body:stop]))
                place = stop
        self._need = 2
        return packets, place

    def _publish(self, data: bytes, first: int, body: int, stop: int) -> Message:
        topic, packet, start = _head(data, first, body, stop)
        if self._five:  # properties: nothing that a subscriber of ours asked for
            if start < stop and data[start] == 0:
                start += 1
            else:
                length, used = _length(data[start : min(stop, start + 4)], 0)
                start = start + used + length if used else stop + 1
        if start > stop:
            raise BadReply("a PUBLISH of the broker is shorter than its own parts")
        return Message(topic, data[start:stop], packet, first & 1 == 1, stop - body)

    def _oversize(self, data: bytes, first: int, body: int, length: int) -> Message | None:
        """Return what stands for a packet over the limit; None while its head is incomplete."""
        if first >> 4 != PUBLISH:
            raise BadReply(f"the broker sends a control packet of {length} bytes")
        if len(data) - body < min(_HEAD, length):
            return None
        topic, packet, _ = _head(data, first, body, body + length)
        return Message(topic, b"", packet, bool(first & 1), length, True)


def _head(data: bytes, first: int, body: int, stop: int) -> tuple[bytes, int, int]:
    """Return topic, packet id and where the rest of a PUBLISH begins."""
    quality = first >> 1 & 3
    if quality > 1:
        raise BadReply(f"a PUBLISH of the broker has QoS {quality}; we subscribed with at most 1")
    if stop - body < 2:
        raise BadReply("a PUBLISH of the broker has no topic")
    start = body + 2 + (data[body] << 8 | data[body + 1])
    topic = data[body + 2 : start]
    packet = 0
    if quality:
        if start + 2 > stop:
            raise BadReply("a PUBLISH of the broker ends before its packet id")
        packet = data[start] << 8 | data[start + 1]
        start += 2
    if start > stop:
        raise BadReply("a PUBLISH of the broker is shorter than its topic")
    return topic, packet, start


def _length(data: bytes, place: int) -> tuple[int, int]:
    """Return a variable byte integer (§1.5.5) and where it ends, or (0, 0) if it is incomplete."""
    value = 0
    for count in range(4):
        if place + count >= len(data):
            return 0, 0
        byte = data[place + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, place + count + 1
    raise BadReply("what comes from the broker is not MQTT: a length has more than four bytes")


# property (§2.2.2.2): how its value is laid out
_PROPERTIES = {
    0x01: "B", 0x02: "I", 0x03: "s", 0x08: "s", 0x09: "s", 0x0B: "v", 0x11: "I", 0x12: "s",
    0x13: "H", 0x15: "s", 0x16: "s", 0x17: "B", 0x18: "I", 0x19: "B", 0x1A: "s", 0x1C: "s",
    0x1F: "s", 0x21: "H", 0x22: "H", 0x23: "H", 0x24: "B", 0x25: "B", 0x26: "ss", 0x27: "I",
    0x28: "B", 0x29: "B", 0x2A: "B",
}  # fmt: skip
SERVER_KEEP_ALIVE, REASON = 0x13, 0x1F


def properties(body: bytes, place: int) -> tuple[dict[int, int | str], int]:
    """Return the properties that stand at `place`, the last of each, and where they end.

    Raises BadReply when they are malformed.
    """
    length, place = _length(body, place)
    end = place + length
    if place == 0 or end > len(body):
        raise BadReply("a packet of the broker ends within its properties")
    found: dict[int, int | str] = {}
    body = body[:end]
    while place < end:
        key, place = body[place], place + 1
        for form in _PROPERTIES.get(key, "?"):
            found[key], place = _property(body, place, form)
    return found, end


def _property(body: bytes, place: int, form: str) -> tuple[int | str, int]:
    if form == "v":
        value, stop = _length(body, place)
        if stop:
            return value, stop
    elif form == "s":
        start = place + 2
        stop = start + int.from_bytes(body[place:start], "big")
        if start <= len(body) and stop <= len(body):
            return body[start:stop].decode("utf-8", "replace"), stop
    elif form != "?":
        stop = place + struct.calcsize(form)
        if stop <= len(body):
            return int.from_bytes(body[place:stop], "big"), stop
    raise BadReply("a packet of the broker has a property that MQTT 5 does not know")


def connect(
    *,
    five: bool,
    client: str,
    clean: bool,
    keep_alive: int,
    expiry: int,
    inflight: int,
    user: str = "",
    password: bytes = b"",
    will: Will | None = None,
) -> bytes:
    """Return CONNECT (§3.1)."""
    flags = (clean << 1) | (bool(user) << 7) | (bool(password) << 6)
    parts = [_text(client)]
    if will is not None:
        flags |= 0x04 | 0x08 | will.retain << 5
        parts += [b"\x00"] * five + [_text(will.topic), _text(will.payload)]
    if user:
        parts.append(_text(user))
    if password:
        parts.append(_text(password))
    body = _text("MQTT") + struct.pack(">BBH", 5 if five else 4, flags, keep_alive)
    if five:
        asked = struct.pack(">BIBH", 0x11, expiry, 0x21, inflight)
        body += _varint(len(asked)) + asked
    return _packet(0x10, body + b"".join(parts))


def subscribe(packet: int, filters: Sequence[str], quality: int, *, five: bool) -> bytes:
    """Return SUBSCRIBE (§3.8) of all filters at one QoS."""
    options = bytes([quality])
    listed = b"".join(_text(filter) + options for filter in filters)
    return _packet(0x82, struct.pack(">H", packet) + b"\x00" * five + listed)


def unsubscribe(packet: int, filters: Sequence[str], *, five: bool) -> bytes:
    """Return UNSUBSCRIBE (§3.10)."""
    listed = b"".join(_text(filter) for filter in filters)
    return _packet(0xA2, struct.pack(">H", packet) + b"\x00" * five + listed)


def publish(
    topic: str, payload: bytes, *, packet: int = 0, retain: bool = False, five: bool
) -> bytes:
    """Return PUBLISH (§3.3): QoS 1 with a packet id, QoS 0 without."""
    first = 0x30 | bool(packet) << 1 | retain
    number = struct.pack(">H", packet) if packet else b""
    return _packet(first, _text(topic) + number + b"\x00" * five + payload)


def acknowledge(packets: Sequence[int]) -> bytes:
    """Return one PUBACK (§3.4, success) for each packet id."""
    replies = np.empty((len(packets), 4), np.uint8)
    replies[:, :2] = 0x40, 0x02
    ids = np.asarray(packets, np.uint16)
    replies[:, 2] = ids >> 8
    replies[:, 3] = ids & 0xFF
    return replies.tobytes()


def disconnect() -> bytes:
    """Return DISCONNECT (§3.14), normal: the broker drops the will."""
    return b"\xe0\x00"


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _varint(len(body)) + body


def _text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(raw)) + raw


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def matches(filter: str, topic: str) -> bool:
    """Return whether a topic filter (§4.7) takes in a topic."""
    if topic.startswith("$") and filter[:1] in ("+", "#"):
        return False
    wanted, given = filter.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def is_filter(filter: str) -> bool:
    """Return whether a text is a topic filter (§4.7.1)."""
    levels = filter.split("/")
    return (
        0 < len(filter.encode()) < 65_536
        and "\0" not in filter
        and all(level in ("+", "#") or not set("+#") & set(level) for level in levels)
        and "#" not in levels[:-1]
    )
