"""Addresses, times and payloads of the MQTT door, without a broker."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso, to_iso
from deungdae.core.types import SECOND, Batch, Signal
from deungdae.machines.mqtt.address import AddressError, getter, parse, spell, steps
from deungdae.machines.mqtt.decoder import Decoder
from deungdae.machines.mqtt.moment import moment, scaled
from deungdae.machines.mqtt.survey import Survey
from deungdae.wires.mqtt.codec import Message

NOW = 1_790_000_000 * SECOND


def signal(address: str, **more: object) -> Signal:
    return Signal(id="a.b", source=f"m:{address}", **more)  # type: ignore[arg-type]


def decode(decoder: Decoder, topic: str, payload: bytes, *, retained: bool = False) -> Batch | None:
    return decoder.decode([Message(topic.encode(), payload, retained=retained)], NOW)[0]


def one(address: str, payload: bytes, **options: object) -> tuple[float, int, int]:
    """Return value, time and status of the single sample that a payload gives."""
    batch = decode(Decoder({5: signal(address)}, **options), "t", payload)  # type: ignore[arg-type]
    assert batch is not None
    assert batch.signal.tolist() == [5]
    return batch.value.tolist()[0], batch.time.tolist()[0], batch.status.tolist()[0]


# addresses


def test_an_address_is_taken_apart() -> None:
    found = parse("a/+/b?x.'y.z'[2].w[id=Tag 1].v&time=ts&epoch=ms&payload=csv&write=c/d&put=p.q")
    assert found.filter == "a/+/b"
    assert found.path == ("x", "y.z", 2, "w", ("id", "Tag 1"), "v")
    assert (found.time, found.epoch, found.payload) == (("ts",), "ms", "csv")
    assert (found.write, found.put) == ("c/d", ("p", "q"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "topic filter"),
        ("a/#/b?x", "topic filter"),
        ("a?x&when=y", "known are"),
        ("a?x&time=", "known are"),
        ("a?x&epoch=min", "epoch"),
        ("a?x..y", "cannot read"),
        ("a?x[", "cannot read"),
        ("a?x&write=b&put=c[0]", "only have keys"),
    ],
)
def test_a_wrong_address_says_why(address: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        parse(address)


@given(
    st.lists(
        st.integers(0, 99)
        | st.text(
            st.characters(blacklist_characters="'&", blacklist_categories=["Cs"]), min_size=1
        ),
        max_size=5,
    )
)
def test_a_path_is_spelt_and_read_back(path: list[int | str]) -> None:
    assert steps(spell(tuple(path))) == tuple(path)


def test_a_path_leads_to_its_value() -> None:
    content = {"values": [{"id": "T1", "v": 1}, {"id": "T2", "v": 2}], "a": {"b": [5, 6]}}
    assert getter(steps("values[id=T2].v"))(content) == 2
    assert getter(steps("a.b[1]"))(content) == 6
    for path in ("values[id=T3].v", "a.b[2]", "a.c", "a.b.c", "a.b[0].x", "values[no=T1]"):
        with pytest.raises((LookupError, TypeError)):
            getter(steps(path))(content)
    with pytest.raises(TypeError):
        getter(steps("a[0]"))({"a": "text"})


# times


@pytest.mark.parametrize(
    "raw",
    [
        1_790_000_000, "1790000000", 1_790_000_000_000, 1_790_000_000_000_000,
        1_790_000_000_000_000_000, 1_790_000_000.0, 1.79e12, "2026-09-21T14:13:20Z",
        "2026-09-21T23:13:20+09:00", "2026-09-21 14:13:20", "2026-09-21T14:13:20.000Z",
        "20260921T141320Z",
    ],
)  # fmt: skip
def test_a_time_is_told_by_its_looks(raw: object) -> None:
    assert moment(raw) == NOW


def test_a_time_keeps_its_fraction() -> None:
    assert moment(1_790_000_000.123456) == NOW + 123_456_000
    assert moment("2026-09-21T14:13:20.123456789Z") == NOW + 123_456_789
    assert moment(1_790_000_000_123) == NOW + 123_000_000
    assert moment(500_000_000_000, "ms") == 500_000_000 * SECOND


@pytest.mark.parametrize(
    "raw", [None, True, "", "noon", -5, 0, 1e300, float("nan"), [1], "x" * 99, "9" * 40, 2**70,
            "2026-09-21T14:13:99Z", "2026-13-21T14:13:20Z"],
)  # fmt: skip
def test_what_is_no_time(raw: object) -> None:
    assert moment(raw) is None


@given(st.integers(from_iso("1974-01-01"), from_iso("2200-01-01")))
def test_iso_times_are_read_as_the_clock_reads_them(time: int) -> None:
    assert moment(to_iso(time)) == time


@given(st.integers(10**17, 2**62))
def test_numbers_scaled_together_equal_those_one_by_one(time: int) -> None:
    for raw in (time, time // 1000, time // 10**6, time // 10**9):
        expected = moment(raw)
        if expected is not None:
            assert scaled(np.array([raw]))[0] == expected


# payloads


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"12.5", 12.5), (b'"12.5"', 12.5), (b"-3", -3.0), (b"true", 1.0), (b"false", 0.0),
        (b"ON", 1.0), (b" 7 \n", 7.0), (b"1e3", 1000.0), (b'"off"', 0.0),
    ],
)  # fmt: skip
def test_a_payload_may_be_the_value(payload: bytes, value: float) -> None:
    assert one("t", payload) == (value, NOW, 0x04)


@pytest.mark.parametrize(
    "payload",
    [b"null", b"NaN", b"inf", b"RUN", b'"x"', b"{}", b"[1]", b"1e999", b"", b"\xff", b"{",
     b"[" * 5000, b"9" * 400, b'{"a":1}x'],
)  # fmt: skip
def test_what_is_no_number_is_bad_and_named(payload: bytes) -> None:
    decoder = Decoder({5: signal("t")})
    batch = decode(decoder, "t", payload)
    assert batch is not None
    assert batch.status.tolist()[0] & 3 == 2
    assert "a.b" in decoder.problems
    decode(decoder, "t", b"1")
    assert decoder.problems == {}


def test_time_unit_and_status_come_with_a_value() -> None:
    address = "t?v&time=ts"
    assert one(address, b'{"v":1,"ts":1790000001}') == (1.0, NOW + SECOND, 0)
    assert one(address, b'{"v":1}') == (1.0, NOW, 0x0C)
    assert one(address, b'{"v":1,"ts":"never"}') == (1.0, NOW, 0x0C)
    assert one(address, b'{"v":1,"ts":99999999999999999999}') == (1.0, NOW, 0x0C)
    decoder = Decoder({5: signal("t", unit="m", source_unit="mm", scale=2, offset=1)})
    batch = decode(decoder, "t", b"1000")
    assert batch is not None
    assert batch.value.tolist() == [2.001]


def test_a_retained_value_without_a_time_is_uncertain() -> None:
    batch = decode(Decoder({5: signal("t")}), "t", b"1", retained=True)
    assert batch is not None
    assert batch.status.tolist() == [0x05]


def test_a_path_that_was_never_there_is_named_once_and_a_partial_message_is_fine() -> None:
    decoder = Decoder({5: signal("t?v")})
    first = decode(decoder, "t", b'{"w":1}')
    assert first is not None
    assert first.status.tolist() == [0x06]
    assert decode(decoder, "t", b'{"w":1}') is None
    assert "hold nothing at v" in decoder.problems["a.b"]
    assert decode(decoder, "t", b'{"v":1}') is not None
    assert decoder.problems == {}
    assert decode(decoder, "t", b'{"w":1}') is None
    assert decoder.problems == {}


def test_messages_of_one_group_do_not_fall_on_one_moment() -> None:
    decoder = Decoder({5: signal("t")})
    first, _ = decoder.decode([Message(b"t", b"1"), Message(b"t", b"2")], NOW)
    again, _ = decoder.decode([Message(b"t", b"3")], NOW)
    assert first is not None
    assert again is not None
    assert [*first.time.tolist(), *again.time.tolist()] == [NOW, NOW + 1, NOW + 2]
    earlier, _ = decoder.decode([Message(b"t", b"4")], NOW - 3600 * SECOND)
    assert earlier is not None
    assert earlier.time.tolist() == [NOW - 3600 * SECOND]


def test_wildcards_give_one_signal_many_topics() -> None:
    decoder = Decoder({1: signal("plant/+/t"), 2: signal("plant/a/t")})
    batch, _ = decoder.decode([Message(b"plant/a/t", b"1"), Message(b"plant/b/t", b"2")], NOW)
    assert batch is not None
    assert sorted(zip(batch.signal.tolist(), batch.value.tolist(), strict=True)) == [
        (1, 1.0), (1, 2.0), (2, 1.0),
    ]  # fmt: skip


def test_states_come_when_they_change_and_scans_each_time() -> None:
    state = Signal(id="m.mode", kind="state", source="m:t?mode&time=ts")
    scan = Signal(id="m.code", kind="scan", source="m:t?code")
    decoder = Decoder({1: state, 2: scan})
    payload = json.dumps({"mode": "RUN", "code": 42, "ts": 1_790_000_000}).encode()
    _, events = decoder.decode([Message(b"t", payload)] * 2, NOW)
    assert [(event.id, event.kind, event.value) for event in events] == [
        ("m.mode", "state", "RUN"), ("m.code", "scan", "42"), ("m.code", "scan", "42"),
    ]  # fmt: skip
    assert events[0].time == NOW
    _, gone = decoder.decode([Message(b"t", b'{"mode":null,"code":"x"}')], NOW + SECOND)
    assert (gone[0].status & 3, gone[0].value) == (2, "null")


def test_csv_rows_and_columns() -> None:
    options = {"payload": "csv", "columns": ("when", "temp")}
    decoder = Decoder({5: signal("t?temp&time=when")}, **options)  # type: ignore[arg-type]
    batch = decode(decoder, "t", b"1790000000,20.5\r\n1790000001,x\r\n\r\n1790000002,21.5\n")
    assert batch is not None
    assert batch.time.tolist() == [NOW, NOW + SECOND, NOW + 2 * SECOND]
    assert (batch.status & 3).tolist() == [0, 2, 0]
    assert one("t?1&payload=csv", b"7;8", delimiter=";") == (8.0, NOW, 0x04)
    assert one("t?5&payload=csv", b"7,8")[2] == 0x06
    for bad in (b"", b"\xff\xfe", b'"' + b"x" * 200_000):
        assert one("t?0&payload=csv", bad)[2] == 0x06
    with pytest.raises(AddressError, match="no column"):
        Decoder({5: signal("t?weight&payload=csv")})


def test_a_refused_message_is_a_gap() -> None:
    decoder = Decoder({5: signal("t?v")})
    batch, events = decoder.decode([Message(b"t", b"", 3, False, 10**8, True)], NOW)
    assert batch is not None
    assert batch.status.tolist() == [0x06]
    assert (events[0].kind, events[0].id) == ("gap", "a.b")
    assert "100000000 bytes" in decoder.problems["a.b"]
    assert decoder.refused == 1


@given(st.lists(st.binary(max_size=60), max_size=10), st.sampled_from(["json", "csv"]))
def test_any_payload_gives_status_and_never_an_exception(payloads: list[bytes], kind: str) -> None:
    signals = {
        1: signal("t?0&time=1"), 2: signal("t"), 3: Signal(id="a.c", kind="state", source="m:t"),
        4: signal("t?x.y&time=x.z") if kind == "json" else signal("t?3"),
    }  # fmt: skip
    decoder = Decoder(signals, payload=kind)  # type: ignore[arg-type]
    batch, _ = decoder.decode([Message(b"t", payload) for payload in payloads], NOW)
    if batch is not None:
        bad = (batch.status & 3) == 2
        assert np.isfinite(batch.value[~bad]).all()
        assert (batch.time > 0).all()
    survey = Survey(kind, ",", ())
    survey.add([Message(b"t", payload) for payload in payloads])
    for node in survey.nodes():
        parse(node.address)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.sampled_from(["v", "ts", "w"])


@given(
    st.recursive(LEAVES, lambda x: st.lists(x, max_size=4) | st.dictionaries(KEYS, x, max_size=3))
)
def test_any_json_gives_status_and_never_an_exception(content: object) -> None:
    decoder = Decoder({1: signal("t?v&time=ts"), 2: signal("t?v[0].w"), 3: signal("t?v[w=1].ts")})
    decode(decoder, "t", json.dumps(content).encode())


def test_a_survey_proposes_the_columns_of_csv() -> None:
    survey = Survey("csv", ",", ("time", "temp"))
    survey.add([Message(b"t", b"2026-09-21T14:13:20Z,20.5,ok")])
    assert [(node.address, node.kind) for node in survey.nodes()] == [
        ("t?temp&time=time", "number"), ("t?2&time=time", "text"),
    ]  # fmt: skip
