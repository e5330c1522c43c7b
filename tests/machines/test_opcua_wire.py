"""The column decoder against the library's decoder, and against bytes that nobody meant."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.machines.opcua import wire

V = ua.VariantType
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
RANGES = {
    V.SByte: (-128, 127), V.Byte: (0, 255), V.Int16: (-(2**15), 2**15 - 1),
    V.UInt16: (0, 2**16 - 1), V.Int32: (-(2**31), 2**31 - 1), V.UInt32: (0, 2**32 - 1),
    V.Int64: (-(2**63), 2**63 - 1), V.UInt64: (0, 2**64 - 1),
}  # fmt: skip
NUMBERS = st.one_of(
    *[
        st.integers(*bounds).map(lambda v, t=kind: ua.Variant(v, t))
        for kind, bounds in RANGES.items()
    ],
    st.booleans().map(lambda v: ua.Variant(v, V.Boolean)),
    st.floats(width=32).map(lambda v: ua.Variant(v, V.Float)),
    st.floats().map(lambda v: ua.Variant(v, V.Double)),
)
OTHERS = st.one_of(
    st.text(max_size=8).map(lambda v: ua.Variant(v, V.String)),
    st.lists(st.floats(allow_nan=False), max_size=4).map(
        lambda v: ua.Variant(v, V.Double, is_array=True)
    ),
    st.text(max_size=5).map(lambda v: ua.Variant(ua.LocalizedText(v), V.LocalizedText)),
    st.just(ua.Variant(None, V.Null)),
    st.just(ua.Variant(datetime(2026, 1, 1, tzinfo=UTC), V.DateTime)),
    st.just(ua.Variant(ua.NodeId("Kiln", 2), V.NodeId)),
)
MOMENTS = st.none() | st.integers(-8_000_000_000, 8_000_000_000).map(
    lambda seconds: _EPOCH + timedelta(seconds=seconds, microseconds=seconds % 999_983)
)
CODES = st.none() | st.sampled_from([0, 0x40000000, 0x80340000, 0x480, 0x00960000]).map(
    ua.StatusCode
)


@st.composite
def data_values(draw: Any) -> ua.DataValue:
    """A DataValue; picoseconds only where the library puts them where the standard does."""
    source, server = draw(MOMENTS), draw(MOMENTS)
    fine = draw(st.none() | st.integers(0, 9999)) if source and not server else None
    return ua.DataValue(draw(NUMBERS | OTHERS), draw(CODES), source, server, SourcePicoseconds=fine)


def diagnostics(count: int) -> list[ua.DiagnosticInfo]:
    return [ua.DiagnosticInfo(SymbolicId=ua.Int32(i)) for i in range(count)]


def response(items: list[ua.MonitoredItemNotification], extra: int = 0) -> bytes:
    answer = ua.PublishResponse()
    answer.Parameters.SubscriptionId = ua.UInt32(7)
    answer.Parameters.AvailableSequenceNumbers = [ua.UInt32(40), ua.UInt32(41)]
    answer.Parameters.NotificationMessage.SequenceNumber = ua.UInt32(41)
    answer.Parameters.NotificationMessage.NotificationData = [
        ua.DataChangeNotification(items, diagnostics(extra))
    ]
    answer.Parameters.Results = [ua.StatusCode(0)]
    return struct_to_binary(answer)


def expected(item: ua.MonitoredItemNotification) -> tuple[int, int, datetime | None]:
    value = item.Value
    code = value.StatusCode.value if value.StatusCode is not None else 0
    return item.ClientHandle, code, value.SourceTimestamp or value.ServerTimestamp


def same(column: float, value: object) -> bool:
    number = float(value)  # type: ignore[arg-type]
    return column == number or (math.isnan(column) and math.isnan(number))


@settings(deadline=None)
@given(st.lists(data_values(), max_size=30), st.integers(0, 2), st.booleans())
def test_columns_equal_the_librarys_objects(
    data: list[ua.DataValue], extra: int, repeat: bool
) -> None:
    data = data * 3 if repeat else data
    body = response(
        [ua.MonitoredItemNotification(ua.UInt32(i), value) for i, value in enumerate(data)], extra
    )
    library = struct_from_binary(ua.PublishResponse, Buffer(body))
    message = wire.publish(body)
    (columns,) = message.values
    (notification,) = library.Parameters.NotificationMessage.NotificationData
    assert (message.subscription, message.sequence, message.available) == (7, 41, (40, 41))
    assert len(columns) == len(notification.MonitoredItems)
    for row, item in enumerate(notification.MonitoredItems):
        handle, code, time = expected(item)
        assert (columns.handle[row], columns.code[row]) == (handle, code)
        ns = int(columns.time[row])
        fine = (item.Value.SourcePicoseconds or 0) // 100
        if time is None:
            assert ns == wire.NEVER
        else:
            assert (ns - fine) // 1000 == (time - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
        variant = item.Value.Value
        if variant is None or variant.VariantType.value not in range(1, 12) or variant.is_array:
            assert np.isnan(columns.value[row])
            assert columns.others.get(row) == (variant.Value if variant else None)
        else:
            assert row not in columns.others
            assert same(columns.value[row], variant.Value)


@settings(deadline=None, max_examples=50)
@given(st.lists(data_values(), max_size=20))
def test_history_has_the_same_columns_without_handles(data: list[ua.DataValue]) -> None:
    answer = ua.HistoryReadResponse()
    page = ua.HistoryReadResult()
    page.ContinuationPoint = b"more"
    page.HistoryData = ua.HistoryData(data)
    answer.Results = [page, ua.HistoryReadResult(StatusCode=ua.StatusCode(0x80720000))]
    first, second = wire.history(struct_to_binary(answer))
    live = wire.publish(response([ua.MonitoredItemNotification(ua.UInt32(0), d) for d in data]))
    assert first.continuation == b"more"
    assert second.code == 0x80720000
    for column in ("value", "code", "time"):
        np.testing.assert_array_equal(
            getattr(first.values, column), getattr(live.values[0], column)
        )


def test_both_picoseconds_stand_where_the_standard_puts_them() -> None:
    # OPC 10000-6 §5.2.2.17: each picoseconds field follows its own time; asyncua 2.1 differs
    tick = wire.ticks(1_700_000_000_000_000_000)
    record = struct.pack("<IBBdIqHqH", 5, 0x3F, 11, 20.5, 0, tick, 2500, tick + 9, 100)
    body = struct.pack("<i", 2) + record + record + struct.pack("<i", 0)
    read, end = wire.values(body, 0)
    assert end == len(body) - 4
    assert read.value.tolist() == [20.5, 20.5]
    assert read.time.tolist() == [1_700_000_000_000_000_025] * 2


def test_hundred_nanoseconds_are_kept_and_far_times_stay_in_range() -> None:
    far = np.array([wire.EPOCH + 1, 0, -5, 2**63 - 1, 1])
    times = wire.nanoseconds(far)
    assert times[:3].tolist() == [100, wire.NEVER, wire.NEVER]
    assert times[3] > 9.22e18
    assert times[4] < -9.22e18


def test_a_keepalive_carries_nothing() -> None:
    answer = ua.PublishResponse()
    answer.Parameters.SubscriptionId = ua.UInt32(7)
    answer.Parameters.NotificationMessage.SequenceNumber = ua.UInt32(3)
    message = wire.publish(struct_to_binary(answer))
    assert message.keepalive
    assert message.values == ()


def test_the_end_of_a_subscription_is_told() -> None:
    answer = ua.PublishResponse()
    notice = ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
    answer.Parameters.NotificationMessage.NotificationData = [notice]
    assert wire.publish(struct_to_binary(answer)).closed == ua.StatusCodes.BadTimeout


def test_a_refusal_stays_the_servers_own() -> None:
    answer = ua.PublishResponse()
    answer.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadNoSubscription)
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        wire.publish(struct_to_binary(answer))


@settings(deadline=None)
@given(
    st.lists(data_values(), min_size=1, max_size=10),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_damaged_bytes_give_one_clear_error_or_a_message(
    data: list[ua.DataValue], changes: list[tuple[int, int]], cut: int
) -> None:
    body = bytearray(response([ua.MonitoredItemNotification(ua.UInt32(1), d) for d in data]))
    for place, value in changes:
        body[place % len(body)] = value
    damaged = bytes(body[: len(body) - cut])
    with suppress(BadReply, ua.UaStatusCodeError):
        wire.publish(damaged)


def test_a_count_beyond_the_message_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        wire.values(struct.pack("<i", 2**31 - 1) + b"\0" * 100, 0)
