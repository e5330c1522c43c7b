"""The Modbus frames against traffic of a SCADA test bed that others captured.

Source: Lemay and Fernandez, Providing SCADA Network Data Sets for Intrusion Detection Research,
CSET 2016 (shared data set modbus-lemay).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deungdae.machines.modbus.wire import Exceptional, Mbap, judge

PORT = 502


class Segment(NamedTuple):
    """What one TCP packet carries, from end to end."""

    source: bytes
    target: bytes
    sequence: int
    request: bool
    data: bytes


def segments(capture: Path) -> Iterator[Segment]:
    """Yield the Modbus/TCP segments of a classic pcap file, each once."""
    raw, at, seen = capture.read_bytes(), 24, set()
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at + 8)
        packet = raw[at + 16 : at + 16 + length]
        at += 16 + length
        if packet[12:14] != b"\x08\x00" or packet[23] != 6:  # IPv4, TCP
            continue
        tcp = 14 + 4 * (packet[14] & 15)
        end = 14 + int.from_bytes(packet[16:18], "big")
        source, target, sequence = struct.unpack_from(">HHI", packet, tcp)
        data = packet[tcp + 4 * (packet[tcp + 12] >> 4) : end]
        ends = packet[26:30] + packet[tcp : tcp + 2], packet[30:34] + packet[tcp + 2 : tcp + 4]
        if PORT in (source, target) and data and (ends, sequence) not in seen:
            seen.add((ends, sequence))
            yield Segment(*ends, sequence, target == PORT, data)


@pytest.mark.parametrize(
    ("name", "good", "refused"),
    [
        ("characterization_modbus_6RTU_with_operate.pcap", 630, 3329),
        ("exploit_ms08_netapi_modbus_6RTU_with_operate.pcap", 72, 0),
    ],
)
def test_every_captured_reply_fits_its_request(
    shared_data: Path, name: str, good: int, refused: int
) -> None:
    streams: dict[tuple[bytes, bytes], bytearray] = {}
    asked: dict[tuple[bytes, bytes, int | None], tuple[int, bytes]] = {}
    found: Counter[str] = Counter()
    for segment in segments(shared_data / "modbus-lemay" / name):
        stream = streams.setdefault((segment.source, segment.target), bytearray())
        stream += segment.data
        while frame := Mbap().take(stream):
            transaction, unit, pdu = frame
            if segment.request:
                asked[segment.source, segment.target, transaction] = unit, pdu
                continue
            request = asked.pop((segment.target, segment.source, transaction))
            try:
                judge(*request, unit, pdu)
                found["good"] += 1
            except Exceptional as error:
                found[f"exception {error.code}"] += 1
    assert not any(streams.values())
    assert (found["good"], found["exception 2"]) == (good, refused)
    assert set(found) <= {"good", "exception 2"}
