"""Metrics read as columns: all metrics of a payload at once, a few instructions for each field.

Data metrics have few parts and one order: name or alias, time stamp, perhaps the data type, value.
Eight bytes at a time of every metric are gathered into one array of words; tags, lengths and the
bits by which a varint goes on are checked on all of them together, and the seven-bit digits pressed
together by shifts. A metric is taken only if every byte of it has been accounted for in this way;
any other goes to the plain decoder of `wire`, so what is read is the same, only sooner.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import BadReply
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric

Places: TypeAlias = NDArray[np.intp]
Words: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]

_FEW = 8  # so few metrics are read faster one by one
_PAD = b"\0" * 320  # a metric that is not what it seems may lead so far beyond the end
_METRIC = 0x12
_TAG = {field: field << 3 for field in (wire.ALIAS, wire.TIMESTAMP, wire.DATATYPE)}
_NAME = wire.NAME << 3 | 2
_INT, _LONG, _BOOLEAN = wire.INT << 3, wire.LONG << 3, wire.BOOLEAN << 3
_FLOAT, _DOUBLE = wire.FLOAT << 3 | 5, wire.DOUBLE << 3 | 1
# by tag: whether a whole number follows, which of its bits count, the size of a float or double
_WHOLE = np.zeros(256, np.bool_)
_WHOLE[[_INT, _LONG, _BOOLEAN]] = True
_WIDTH = np.full(256, 2**64 - 1, np.uint64)
_WIDTH[_INT] = 2**32 - 1
_SIZE = np.full(256, -1)
_SIZE[[_FLOAT, _DOUBLE]] = 4, 8
_ONE, _TWO, _FOUR, _ONE_BYTE = (np.uint64(bits) for bits in (1, 2, 4, 8))
_LOW_BYTE = np.uint64(0xFF)
_GOES_ON = np.uint64(0x8080808080808080)
# every other group of 7, 14 and 28 bits
_EVEN_7, _ODD_7 = np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00)
_EVEN_14, _ODD_14 = np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000)
_EVEN_28, _ODD_28 = np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000)


class Cut(msgspec.Struct, frozen=True, eq=False):
    """A payload cut into metrics: where each of them starts and stops, intp[n].

    timestamp: ms; seq: None where there is none; uuid: what the payload says of itself.
    """

    timestamp: int
    seq: int | None
    uuid: str
    starts: Places
    stops: Places


class Columns(msgspec.Struct, frozen=True, eq=False):
    """The metrics that could be read at once, m of them, in order; the others one by one.

    row intp[m]: which of the payload's metrics; alias uint64[m], or name (start, stop) intp[m]
    where named bool[m]; time uint64[m], ms, 0 where there is none; word uint64[m]: the value, or
    the bits of a float or double; real float64[m]: the value where whole bool[m] is not set.
    """

    row: Places
    named: Mask
    alias: Words
    name: tuple[Places, Places]
    time: Words
    word: Words
    real: NDArray[np.float64]
    whole: Mask
    plain: list[tuple[int, Metric]]


def cut(data: bytes) -> Cut:
    """Return where the metrics of a payload stand. Raises BadReply."""
    octets = np.frombuffer(data + _PAD, np.uint8)
    heads = np.flatnonzero(octets[: len(data)] == _METRIC)
    third = octets[heads + 2]
    heads = heads[(third == _TAG[wire.ALIAS]) | (third == _NAME)]
    for _ in range(2):  # a value may look like a head: then it is not where a metric stops
        if len(heads) <= _FEW:
            break
        sizes = octets[heads + 1]
        stops = heads + 2 + sizes
        if (stops[:-1] == heads[1:]).all() and (sizes < 0x80).all():
            found = _around(data, heads[0].item(), stops[-1].item())
            if found is not None:
                return Cut(found.timestamp, found.seq, found.uuid, heads + 2, stops)
            break
        follows = np.zeros(len(octets) + 256, np.bool_)
        follows[stops] = True
        follows[heads[0]] = True
        heads = heads[follows[heads]]
    outline = wire.outline(data)
    return Cut(
        outline.timestamp, outline.seq, outline.uuid,
        np.array(outline.starts, np.intp), np.array(outline.stops, np.intp),
    )  # fmt: skip


def _around(data: bytes, first: int, last: int) -> wire.Outline | None:
    """Return the outline of what stands before and behind the metrics; None if that holds more.

    A protobuf message is its parts one after the other, so they can be read apart.
    """
    if last > len(data):
        return None
    try:
        outline = wire.outline(data[:first] + data[last:])
        wire.outline(data[:first])
    except BadReply:
        return None
    return None if outline.starts else outline


def read(data: bytes, parts: Cut) -> Columns:
    """Return all metrics of the payload. Raises BadReply."""
    n = len(parts.starts)
    columns, known = _together(data, parts) if n > _FEW else (_EMPTY, np.zeros(n, np.bool_))
    plain = [
        (row, wire.metric(data, parts.starts[row].item(), parts.stops[row].item()))
        for row in np.flatnonzero(~known).tolist()
    ]
    return msgspec.structs.replace(columns, plain=plain) if plain else columns


def _together(data: bytes, parts: Cut) -> tuple[Columns, Mask]:
    """Return what can be read at once, and which of the payload's metrics that is."""
    padded = data + _PAD
    octets = np.frombuffer(padded, np.uint8)
    words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))  # one from every byte on
    stops = parts.stops

    at = names = parts.starts  # name, or alias, or both
    named = octets[at] == _NAME
    ok = np.ones(len(at), np.bool_)
    if named.any():
        lead = octets[at + 1]
        ok = ~named | (lead < 0x80)
        names = np.where(named, at + 2 + lead, at)
        at = names
    word = words[at]
    alias, length, good = _varint(word >> _ONE_BYTE, 7)
    aliased = (word & _LOW_BYTE) == _TAG[wire.ALIAS]
    ok &= (aliased & good) | (named & ~aliased)
    at = at + aliased * (1 + length)

    word = words[at]  # time stamp, where there is one
    stamped = (word & _LOW_BYTE) == _TAG[wire.TIMESTAMP]
    same = (word << _ONE_BYTE) == (word[0] << _ONE_BYTE)  # mostly: then one stands for all
    time, length, good = _varint((word[:1] if same.all() else word) >> _ONE_BYTE, 7)
    time, length = time * stamped, length * stamped
    ok &= good | ~stamped
    at = at + stamped + length

    tag = octets[at]  # data type, where there is one
    typed = tag == _TAG[wire.DATATYPE]
    if typed.any():
        ok &= ~typed | (octets[at + 1] < 0x80)
        at = at + 2 * typed
        tag = octets[at]

    at = at + 1  # value
    size = stops - at
    word = words[at]
    whole = _WHOLE[tag]
    number, length, good = _varint(word, 8)
    ok &= np.where(whole, good & (length == size), size == _SIZE[tag])
    number &= _WIDTH[tag]
    boolean = tag == _BOOLEAN
    number[boolean] = number[boolean] != 0

    row = np.flatnonzero(ok)
    word = word[row]
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        short = (word & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32).astype(np.float64)
    real = np.where(tag[row] == _FLOAT, short, word.view(np.float64))
    columns = Columns(
        row, named[row] & ~aliased[row], alias[row], (parts.starts[row] + 2, names[row]),
        time[row], number[row], real, whole[row], [],
    )  # fmt: skip
    return columns, ok


def _varint(word: Words, most: int) -> tuple[Words, Places, Mask]:
    """Return the varint at the low end of each word, its bytes, and whether these are `most`."""
    ends = ~word & _GOES_ON
    bits = ends ^ (ends - _ONE)  # all bits up to the one that ends it
    x = word & bits & ~_GOES_ON
    x = (x & _EVEN_7) | (x & _ODD_7) >> _ONE
    x = (x & _EVEN_14) | (x & _ODD_14) >> _TWO
    x = (x & _EVEN_28) | (x & _ODD_28) >> _FOUR
    length = (np.bitwise_count(bits) >> 3).astype(np.intp)
    return x, length, (ends != 0) & (length <= most)


_EMPTY = Columns(
    np.zeros(0, np.intp), np.zeros(0, np.bool_), np.zeros(0, np.uint64),
    (np.zeros(0, np.intp), np.zeros(0, np.intp)), np.zeros(0, np.uint64), np.zeros(0, np.uint64),
    np.zeros(0), np.zeros(0, np.bool_), [],
)  # fmt: skip
