"""The reading by columns must never differ from the plain decoder, nor crash, whatever comes."""

from __future__ import annotations

import random
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.machines.sparkplug.columns import Columns, cut, read
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric

WORD = st.integers(0, 2**64 - 1) | st.integers(0, 300)
NUMERIC = st.one_of(
    st.tuples(st.just(wire.INT), st.integers(0, 2**32 - 1) | st.integers(0, 300)),
    st.tuples(st.just(wire.LONG), WORD),
    st.tuples(st.just(wire.BOOLEAN), st.integers(0, 1)),
    st.tuples(st.just(wire.FLOAT), st.floats(width=32)),
    st.tuples(st.just(wire.DOUBLE), st.floats()),
)
PLAIN = st.builds(
    lambda alias, timestamp, typed, value: Metric(
        alias=alias, timestamp=timestamp, datatype=typed, field=value[0], value=value[1]
    ),
    WORD, st.sampled_from([0, 1_790_000_000_000, 127, 2**64 - 1]),
    st.sampled_from([0, 0, 3, 10]), NUMERIC,
)  # fmt: skip
ODD = st.builds(
    Metric,
    name=st.text(max_size=5),
    alias=st.none() | WORD,
    timestamp=WORD,
    historical=st.booleans(),
    null=st.booleans(),
    field=st.just(wire.STRING),
    value=st.text(max_size=150),
)
METRICS = st.lists(PLAIN | PLAIN | PLAIN | ODD, max_size=40)


Row = tuple[int | bytes, int, bool, object]


def rows(data: bytes, columns: Columns) -> list[Row]:
    """Return (alias or name, time, whole?, value bits) of every metric, however it was read."""
    found = {i: row(metric) for i, metric in columns.plain}
    for i, place in enumerate(columns.row.tolist()):
        key: int | bytes = int(columns.alias[i])
        if columns.named[i]:
            key = data[columns.name[0][i] : columns.name[1][i]]
        whole = bool(columns.whole[i])
        value = int(columns.word[i]) if whole else bits(float(columns.real[i]))
        assert place not in found
        found[place] = (key, int(columns.time[i]), whole, value)
    return [found[i] for i in range(len(found))]


def row(metric: Metric) -> Row:
    key = metric.name.encode() if metric.alias is None else metric.alias
    if isinstance(metric.value, float):
        return key, metric.timestamp, False, bits(metric.value)
    return key, metric.timestamp, isinstance(metric.value, int), metric.value


def bits(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("<d", value)


def both(data: bytes) -> tuple[object, object]:
    """Return what the columns and what the plain decoder make of data."""
    try:
        outline = wire.outline(data)
        metrics = [wire.metric(data, *at) for at in zip(outline.starts, outline.stops, strict=True)]
        plain: object = [outline.timestamp, outline.seq, *(row(metric) for metric in metrics)]
    except BadReply:
        plain = "bad"
    try:
        parts = cut(data)
        columns: object = [parts.timestamp, parts.seq, *rows(data, read(data, parts))]
    except BadReply:
        columns = "bad"
    return columns, plain


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(METRICS, st.integers(0, 2**42), st.integers(0, 255)), max_size=6))
def test_columns_equal_the_plain_decoder(payloads: list[tuple[list[Metric], int, int]]) -> None:
    for metrics, timestamp, seq in payloads:
        columns, plain = both(wire.encode(timestamp, metrics, seq=seq))
        assert columns == plain != "bad"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_and_cut_payloads_never_read_differently(data: st.DataObject) -> None:
    metrics = [
        Metric(alias=i * 3, timestamp=1_790_000_000_000 + i, field=wire.DOUBLE, value=i / 7)
        for i in range(20)
    ] + [Metric(alias=100 + i, timestamp=5, field=wire.LONG, value=i * 50) for i in range(20)]
    good = wire.encode(1_790_000_000_000, metrics, seq=7)
    assert both(good)[0] == both(good)[1]
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(bad)) | st.just(len(bad)))
    columns, plain = both(bytes(bad[:end]))
    assert columns == plain


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_never_crash(data: bytes) -> None:
    columns, plain = both(data)
    assert columns == plain


def test_values_may_change_their_length_from_payload_to_payload() -> None:
    random.seed(3)
    for shift in range(0, 64, 3):
        metrics = [
            Metric(
                alias=i, timestamp=1 << (shift % 42), field=wire.LONG,
                value=random.getrandbits(shift + 1),
            )
            for i in range(200)
        ]  # fmt: skip
        columns, plain = both(wire.encode(0, metrics, seq=shift))
        assert columns == plain


def test_only_texts_nulls_and_the_like_are_read_one_by_one() -> None:
    metrics = [Metric(alias=i, timestamp=9, field=wire.FLOAT, value=0.5) for i in range(100)]
    metrics += [Metric(name=f"n{i}", datatype=10, field=wire.INT, value=i) for i in range(100)]
    metrics += [Metric(alias=7, null=True), Metric(name="a", field=wire.STRING, value="x")]
    data = wire.encode(1, metrics, seq=0)
    columns = read(data, cut(data))
    assert columns.row.tolist() == list(range(200))
    assert [place for place, _ in columns.plain] == [200, 201]


def test_a_value_that_looks_like_the_head_of_a_metric_misleads_nobody() -> None:
    looks = struct.unpack("<d", b"\x12\x05\x10\x12\x05\x10\x12\x01")[0]
    metrics = [Metric(alias=18, timestamp=5, field=wire.DOUBLE, value=looks) for _ in range(30)]
    columns, plain = both(wire.encode(1, metrics, seq=0))
    assert columns == plain


def test_a_length_that_points_beyond_the_end_is_survived() -> None:
    good = wire.encode(1, [Metric(alias=1, field=wire.INT, value=1)] * 20)
    for odd in (b"\x0a\xff", b"\x0a\x7f", b"\x10\xff", b"\x0a\xff\x10\xff\x18\xff\x20\xff\x50"):
        columns, plain = both(good + b"\x12" + bytes([len(odd)]) + odd)
        assert columns == plain == "bad"
