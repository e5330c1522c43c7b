"""The nouns as bytes: what goes in comes out, and malformed bytes are told as such."""

from __future__ import annotations

import math
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.app import wire
from deungdae.core.ports import Rollup, Samples
from deungdae.core.types import Batch, Command, Event, Finding, Signal

times = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=True, allow_infinity=True)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    rows = st.tuples(st.integers(0, 2**31 - 1), times, floats, st.integers(0, 255))
    columns = list(zip(*draw(st.lists(rows, max_size=20)), strict=True)) or [()] * 4
    return Batch.of(*columns, received=draw(times))


@st.composite
def samples(draw: st.DrawFn) -> Samples:
    batch = draw(batches())
    return Samples(batch.time, batch.value, batch.status)


@st.composite
def rollups(draw: st.DrawFn) -> Rollup:
    n = draw(st.integers(0, 5))
    whole = [np.asarray(draw(st.lists(times, min_size=n, max_size=n)), np.int64) for _ in range(2)]
    columns = [draw(st.lists(floats, min_size=n, max_size=n)) for _ in range(6)]
    return Rollup(*whole, *(np.asarray(column, np.float64) for column in columns))


events = st.builds(
    Event,
    id=texts,
    time=times,
    kind=st.sampled_from(["state", "text", "scan", "alarm", "order", "gap", "note"]),
    value=texts,
    status=st.integers(0, 255),
    received=times,
    data=st.dictionaries(texts, texts, max_size=3),
)
findings = st.builds(
    Finding,
    origin=texts,
    asset=texts,
    name=texts,
    start=times,
    end=times,
    value=st.none() | floats,
    uncertainty=st.none() | floats,
    severity=st.integers(0, 3),
    reason=texts,
    evidence=st.dictionaries(texts, texts, max_size=3),
)
signals = st.builds(Signal, id=texts, name=texts, low=st.none() | floats, scale=floats)
commands = st.builds(
    Command,
    id=texts,
    signal=texts,
    value=floats,
    origin=texts,
    because=texts,
    issued=times,
    expires=times,
)
nouns = st.one_of(batches(), samples(), rollups(), events, findings, signals, commands)


def same(a: object, b: object) -> bool:
    """Return whether two nouns are equal, NaN being equal to NaN."""
    if type(a) is not type(b):
        return False
    pairs = [
        (getattr(a, name), getattr(b, name))
        for name in a.__struct_fields__  # type: ignore[attr-defined]
    ]
    return all(
        x.dtype == y.dtype and x.tobytes() == y.tobytes()
        if isinstance(x, np.ndarray)
        else x == y or (isinstance(x, float) and math.isnan(x) and math.isnan(y))
        for x, y in pairs
    )


@given(st.lists(nouns, max_size=5))
def test_what_is_encoded_comes_back(things: list[wire.Noun]) -> None:
    back = wire.decode(wire.encode(things))
    assert len(back) == len(things)
    assert all(same(a, b) for a, b in zip(things, back, strict=True))


@given(st.binary(max_size=200))
def test_any_bytes_are_nouns_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        wire.decode(data)


@given(st.lists(nouns, min_size=1, max_size=3), st.data())
def test_a_damaged_message_never_crashes(things: list[wire.Noun], data: st.DataObject) -> None:
    whole = bytearray(wire.encode(things))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with suppress(ValueError):
        wire.decode(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def test_a_batch_takes_21_bytes_a_sample() -> None:
    n = 1000
    batch = Batch.of(range(n), range(n), np.arange(n), received=1)
    assert len(wire.encode([batch])) < 21 * n + 50


def test_columns_of_different_lengths_are_refused() -> None:
    data = msgspec.msgpack.encode([["batch", b"\0" * 4, b"\0" * 16, b"\0" * 8, b"\0", 1]])
    with pytest.raises(ValueError, match="different lengths: 1, 2, 1, 1"):
        wire.decode(data)


def test_half_a_number_is_refused() -> None:
    data = msgspec.msgpack.encode([["samples", b"\0" * 9, b"", b""]])
    with pytest.raises(ValueError, match="no whole number"):
        wire.decode(data)


def test_a_time_beyond_64_bits_is_refused() -> None:
    data = msgspec.msgpack.encode([["batch", b"", b"", b"", b"", 2**64 - 1]])
    with pytest.raises(ValueError, match="beyond 64 bits"):
        wire.decode(data)


def test_a_status_that_is_no_byte_is_refused() -> None:
    event = Event(id="press.state", time=1, kind="state", value="idle", status=256)
    with pytest.raises(ValueError, match="0 to 255"):
        wire.decode(wire.encode([event]))


def test_what_is_too_large_is_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match="send it in parts"):
        wire.dump(bytes(wire.LIMIT))
    with pytest.raises(ValueError, match="is more than"):
        wire.load(bytes(wire.LIMIT + 1), bytes)


def test_text_that_is_none_is_malformed() -> None:
    with pytest.raises(ValueError, match="malformed message of 3 bytes"):
        wire.load(b"\xa2\x80\x80", str)
