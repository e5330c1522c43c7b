"""MQTT packets: known bytes of the standard, any cut of the stream, and any rubbish."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.wires.mqtt import codec
from deungdae.wires.mqtt.codec import Message, Reply, Splitter, Will
from deungdae.wires.mqtt.link import Ledger

TOPIC = st.text(st.characters(blacklist_characters="\0#+", blacklist_categories=["Cs"]), min_size=1)
MESSAGES = st.lists(st.tuples(TOPIC, st.binary(max_size=400), st.integers(0, 65_535)), max_size=20)


def cut(stream: bytes, places: list[int], *, five: bool, limit: int = 10_000) -> list[object]:
    """Return the packets of a stream that arrives in pieces."""
    splitter = Splitter(five=five, limit=limit)
    found: list[object] = []
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    for start, stop in itertools.pairwise(edges):
        found += splitter.feed(stream[start:stop])
    return found


@given(MESSAGES, st.lists(st.integers(0, 10_000), max_size=10), st.booleans())
def test_any_cut_of_a_stream_gives_the_same_messages(
    messages: list[tuple[str, bytes, int]], places: list[int], five: bool
) -> None:
    stream = b"".join(
        codec.publish(topic, payload, packet=packet, five=five)
        for topic, payload, packet in messages
    )
    found = cut(stream, places, five=five)
    assert [(m.topic.decode(), m.payload, m.packet) for m in found] == messages  # type: ignore[attr-defined]


@given(st.lists(st.integers(0, 500), max_size=10), st.booleans(), st.integers(0, 3000))
def test_a_message_over_the_limit_is_refused_and_the_next_one_comes(
    places: list[int], five: bool, size: int
) -> None:
    stream = codec.publish("big", b"x" * (size + 200), packet=7, five=five)
    stream += codec.publish("small", b"y", packet=8, five=five)
    big, small = cut(stream, places, five=five, limit=200)
    assert isinstance(big, Message)
    assert (big.topic, big.packet, big.payload, big.refused) == (b"big", 7, b"", True)
    assert isinstance(small, Message)
    assert (small.topic, small.payload, small.refused) == (b"small", b"y", False)


def test_no_more_is_held_than_the_limit_and_one_read() -> None:
    splitter = Splitter(five=True, limit=100_000)
    head = codec.publish("big", b"", five=True)[2:]
    stream = b"\x30" + codec._varint(len(head) + 200_000_000) + head
    splitter.feed(stream)
    for _ in range(100):
        splitter.feed(bytes(200_000))
        assert sum(map(len, splitter._parts)) < 200_000


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4), st.booleans())
def test_rubbish_is_refused_and_never_crashes(
    rubbish: bytes, places: list[int], five: bool
) -> None:
    with contextlib.suppress(BadReply):
        cut(rubbish, places, five=five, limit=100)


@given(st.binary(max_size=60))
def test_rubbish_properties_are_refused_and_never_crash(rubbish: bytes) -> None:
    try:
        found, end = codec.properties(rubbish, 0)
    except BadReply:
        return
    assert end <= len(rubbish)
    assert all(isinstance(value, int | str) for value in found.values())


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"\x34\x03\x00\x01a", "QoS 2"),
        (b"\x30\x01\x00", "no topic"),
        (b"\x30\x03\x00\x05a", "shorter"),
        (b"\x32\x04\x00\x01a\x00", "packet id"),
        (b"\x30\x04\x00\x01a\x7f", "shorter"),
        (b"\x30\xff\xff\xff\xff\x01", "four bytes"),
        (b"\x20\xff\xff\xff\x7f", "control packet"),
    ],
)
def test_malformed_packets_say_what_is_wrong(packet: bytes, words: str) -> None:
    with pytest.raises(BadReply, match=words):
        Splitter(five=True, limit=1000).feed(packet)


def test_connect_is_that_of_the_standard() -> None:
    # MQTT 3.1.1, figures 3.2-3.6: name, level 4, flags, keep alive, then the payload in order
    made = codec.connect(
        five=False, client="a", clean=True, keep_alive=10, expiry=0, inflight=1, user="u",
        password=b"p", will=Will("w", b"m"),
    )  # fmt: skip
    assert made == (
        b"\x10\x19\x00\x04MQTT\x04\xee\x00\x0a\x00\x01a\x00\x01w\x00\x01m\x00\x01u\x00\x01p"
    )


def test_other_packets_are_those_of_the_standard() -> None:
    # MQTT 3.1.1: SUBSCRIBE figure 3.23, UNSUBSCRIBE 3.31, PUBACK 3.4, DISCONNECT 3.14
    assert codec.subscribe(10, ["a/b", "c/d"], 1, five=False) == (
        b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x01"
    )
    assert codec.unsubscribe(10, ["a/b", "c/d"], five=False) == (
        b"\xa2\x0c\x00\x0a\x00\x03a/b\x00\x03c/d"
    )
    assert codec.acknowledge([1, 0x1234]) == b"\x40\x02\x00\x01\x40\x02\x12\x34"
    assert cut(b"\x20\x02\x01\x00", [], five=False) == [Reply(2, b"\x01\x00")]


@pytest.mark.parametrize(
    ("filter", "topic", "matches"),
    [  # MQTT 5, §4.7.1
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/monitor", True),
    ],
)
def test_filters_match_as_the_standard_says(filter: str, topic: str, matches: bool) -> None:
    assert codec.is_filter(filter)
    assert codec.matches(filter, topic) is matches


@pytest.mark.parametrize("filter", ["", "sport/tennis#", "sport/#/ranking", "sport+", "a\0b"])
def test_what_is_no_filter(filter: str) -> None:
    assert not codec.is_filter(filter)


def test_a_message_is_acknowledged_when_its_items_are_durable() -> None:
    paid: list[int] = []
    ledger = Ledger(paid.extend)
    ledger.owe([1])  # led to nothing, and nothing is open
    assert paid == [1]
    ledger.give()
    ledger.owe([2, 3])
    ledger.give()
    ledger.give()
    ledger.owe([4])
    ledger.owe([5])  # led to nothing: waits for what came before it
    assert paid == [1]
    ledger.confirm(1)
    assert paid == [1, 2, 3]
    ledger.confirm(2)
    assert paid == [1, 2, 3]
    ledger.confirm(3)
    assert paid == [1, 2, 3, 4, 5]
