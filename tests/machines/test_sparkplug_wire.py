"""Sparkplug payloads read and written as Google's protobuf reads and writes them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric


def classes() -> Any:
    """Return Google's class for the parts of sparkplug_b.proto that we read."""
    of = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_test.proto", package="test")
    value = (
        ("int_value", of.TYPE_UINT32), ("long_value", of.TYPE_UINT64),
        ("float_value", of.TYPE_FLOAT), ("double_value", of.TYPE_DOUBLE),
        ("boolean_value", of.TYPE_BOOL), ("string_value", of.TYPE_STRING),
    )  # fmt: skip

    def message(name: str, plain: list[tuple[int, str, int]], values: int = 0) -> Any:
        made = file.message_type.add(name=name)
        for number, field, kind in plain:
            made.field.add(name=field, number=number, type=kind, label=1)
        if values:
            made.oneof_decl.add(name="value")
            for number, (field, kind) in enumerate(value, values):
                made.field.add(name=field, number=number, type=kind, label=1, oneof_index=0)
        return made

    message("PropertyValue", [(1, "type", of.TYPE_UINT32), (2, "is_null", of.TYPE_BOOL)], 3)
    properties = message("PropertySet", [])
    properties.field.add(name="keys", number=1, type=of.TYPE_STRING, label=3)
    properties.field.add(
        name="values", number=2, type=of.TYPE_MESSAGE, type_name=".test.PropertyValue", label=3
    )
    metric = message("Metric", [
        (1, "name", of.TYPE_STRING), (2, "alias", of.TYPE_UINT64),
        (3, "timestamp", of.TYPE_UINT64), (4, "datatype", of.TYPE_UINT32),
        (5, "is_historical", of.TYPE_BOOL), (6, "is_transient", of.TYPE_BOOL),
        (7, "is_null", of.TYPE_BOOL),
    ], 10)  # fmt: skip
    metric.field.add(
        name="properties", number=9, type=of.TYPE_MESSAGE, type_name=".test.PropertySet", label=1
    )
    payload = message("Payload", [
        (1, "timestamp", of.TYPE_UINT64), (3, "seq", of.TYPE_UINT64), (4, "uuid", of.TYPE_STRING),
        (5, "body", of.TYPE_BYTES),
    ])  # fmt: skip
    payload.field.add(
        name="metrics", number=2, type=of.TYPE_MESSAGE, type_name=".test.Metric", label=3
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Payload"))


Payload = classes()
WORD = st.integers(0, 2**64 - 1)
SHORT = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=10)
VALUES = st.one_of(
    st.tuples(st.just("int_value"), SHORT),
    st.tuples(st.just("long_value"), WORD),
    st.tuples(st.just("float_value"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("double_value"), st.floats(allow_nan=False)),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), TEXT),
)
METRIC = st.fixed_dictionaries(
    {"value": st.none() | VALUES},
    optional={
        "name": TEXT, "alias": WORD, "timestamp": WORD, "datatype": SHORT,
        "is_historical": st.booleans(), "is_null": st.booleans(), "is_transient": st.booleans(),
        "properties": st.dictionaries(TEXT, VALUES, max_size=3),
    },
)  # fmt: skip
FIELDS = {name: number for number, name in enumerate(
    ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value"), 10
)}  # fmt: skip


@given(st.lists(METRIC, max_size=5), WORD, st.none() | WORD)
def test_what_google_writes_is_read(
    metrics: list[dict[str, Any]], time: int, seq: int | None
) -> None:
    theirs = Payload(timestamp=time)
    if seq is not None:
        theirs.seq = seq
    for given_ in metrics:
        metric = theirs.metrics.add()
        for key, value in given_.items():
            if key == "properties":
                for name, (field, content) in value.items():
                    metric.properties.keys.append(name)
                    setattr(metric.properties.values.add(), field, content)
            elif key == "value" and value is not None:
                setattr(metric, value[0], value[1])
            elif key != "value":
                setattr(metric, key, value)
    ours = wire.decode(theirs.SerializeToString())
    assert (ours.timestamp, ours.seq) == (time, seq)
    assert len(ours.metrics) == len(metrics)
    for mine, given_ in zip(ours.metrics, metrics, strict=True):
        assert mine.name == given_.get("name", "")
        assert mine.alias == given_.get("alias")
        assert mine.timestamp == given_.get("timestamp", 0)
        assert mine.datatype == given_.get("datatype", 0)
        assert mine.historical == given_.get("is_historical", False)
        assert mine.null == given_.get("is_null", False)
        if given_["value"] is not None:
            field, content = given_["value"]
            assert (mine.field, mine.value) == (FIELDS[field], content)
        properties = {key: value for key, (_, value) in given_.get("properties", {}).items()}
        assert mine.properties == properties


@given(
    st.builds(
        Metric,
        name=TEXT, alias=st.none() | WORD, timestamp=WORD, datatype=SHORT,
        historical=st.booleans(), null=st.booleans(), field=st.just(wire.DOUBLE),
        value=st.floats(allow_nan=False),
    ),
    WORD, st.none() | WORD,
)  # fmt: skip
def test_what_we_write_is_read_by_google(metric: Metric, time: int, seq: int | None) -> None:
    theirs = Payload.FromString(wire.encode(time, [metric], seq=seq))
    (found,) = theirs.metrics
    assert (theirs.timestamp, theirs.seq if theirs.HasField("seq") else None) == (time, seq)
    assert (found.name, found.double_value) == (metric.name, metric.value)
    assert (found.alias if found.HasField("alias") else None) == metric.alias
    assert (found.timestamp, found.datatype) == (metric.timestamp, metric.datatype)
    assert (found.is_historical, found.is_null) == (metric.historical, metric.null)


@given(st.binary(max_size=100))
def test_rubbish_is_refused_and_never_crashes(rubbish: bytes) -> None:
    with contextlib.suppress(BadReply):
        ours = wire.decode(rubbish)
        with contextlib.suppress(DecodeError):  # Google also refuses what we leave unread
            theirs = Payload.FromString(rubbish)
            assert len(theirs.metrics) == len(ours.metrics)


@pytest.mark.parametrize(
    ("value", "datatype", "meant"),
    [
        (0xFFFFFFFF, wire.Type.INT8, -1), (0xFF, wire.Type.INT8, -1), (0x7F, wire.Type.INT8, 127),
        (0xFFFF8000, wire.Type.INT16, -32768), (0x80000000, wire.Type.INT32, -(2**31)),
        (2**64 - 1, wire.Type.INT64, -1), (0xFFFFFFFF, wire.Type.UINT32, 2**32 - 1),
        (255, wire.Type.UINT8, 255), (5, 0, 5),
    ],
)  # fmt: skip
def test_integers_mean_what_their_type_says(value: int, datatype: int, meant: int) -> None:
    assert wire.signed(value, datatype) == meant
    if datatype:
        low, high = wire.bounds(datatype)
        assert low <= meant <= high


def test_a_boolean_property_is_one_to_google() -> None:
    metric = Metric(name="a", properties={"readOnly": True, "engUnit": "Cel", "engHigh": 1.5})
    (seen,) = Payload.FromString(wire.encode(1, [metric])).metrics
    values = dict(zip(seen.properties.keys, seen.properties.values, strict=True))
    assert values["readOnly"].WhichOneof("value") == "boolean_value"
    assert values["readOnly"].boolean_value is True
    assert (values["engUnit"].string_value, values["engHigh"].double_value) == ("Cel", 1.5)
