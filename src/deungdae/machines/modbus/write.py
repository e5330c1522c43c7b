"""A value turned into the one request that writes it."""

from __future__ import annotations

import math
import struct

import numpy as np

from deungdae.core.errors import DoorError

from .address import Point, text_length
from .decode import FORMATS, arrangement


def write_request(point: Point, value: float, *, multiple: bool) -> bytes:
    """Return the PDU that writes a raw value. Raises DoorError where it cannot be written.

    multiple: use function 16 for a single register too. A bit of a register is written by
    function 22, so that the device itself keeps the other bits.
    """
    if point.table in ("input", "discrete"):
        raise DoorError(f"a {point.table} cannot be written", remedy="only coil and holding can")
    if text_length(point.type):
        raise DoorError("a string cannot be written", remedy="use access = 'r'")
    if not math.isfinite(value):
        raise DoorError(f"{value} cannot be written", remedy="ask for a finite value")
    if point.table == "coil":
        return struct.pack(">BHH", 5, point.number, 0xFF00 if _truth(value) else 0)
    if point.bit is not None:
        mask = 1 << point.bit
        chosen = mask if _truth(value) else 0
        return struct.pack(">BHHH", 22, point.number, 0xFFFF ^ mask, chosen)
    data = registers(point, value)
    if point.size == 1 and not multiple:
        return struct.pack(">BH", 6, point.number) + data
    return struct.pack(">BHHB", 16, point.number, point.size, len(data)) + data


def registers(point: Point, value: float) -> bytes:
    """Return the bytes of a raw value as they lie in the registers. Raises DoorError."""
    big = _big_endian(point.type, value)
    places = arrangement(point.order, len(big))
    data = bytearray(len(big))
    for byte, place in zip(big, places, strict=True):
        data[place] = byte
    return bytes(data)


def _big_endian(type: str, value: float) -> bytes:
    form = np.dtype(FORMATS[type])
    if type == "bool":
        return int(_truth(value)).to_bytes(2, "big")
    if type.startswith("bcd"):
        digits = 2 * form.itemsize
        return bytes.fromhex(f"{_whole(value, 0, 10**digits - 1):0{digits}d}")
    if form.kind == "f":
        _within(value, -float(np.finfo(form).max), float(np.finfo(form).max))
        return np.array(value, form).tobytes()
    limits = np.iinfo(form)
    return np.array(_whole(value, int(limits.min), int(limits.max)), form).tobytes()


def _whole(value: float, low: int, high: int) -> int:
    number = round(value)
    _within(number, low, high)
    return number


def _within(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DoorError(
            f"{value:g} does not fit: the register holds {low:g} to {high:g}",
            remedy="check scale and offset of the signal, or the type in its address",
        )


def _truth(value: float) -> bool:
    if value not in (0.0, 1.0):
        raise DoorError(f"{value:g} is neither 0 nor 1", remedy="a bit can only be 0 or 1")
    return value == 1.0
