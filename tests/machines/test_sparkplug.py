"""The session of an edge node as its primary host sees it, message by message."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.core.types import MILLISECOND, SECOND, Batch, Event, Signal
from deungdae.machines.sparkplug import speech
from deungdae.machines.sparkplug.edge import Edge, Settings
from deungdae.machines.sparkplug.metrics import Born, Message, Table
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric, Type

T = 1_790_000_000_000  # ms
NOW = T * MILLISECOND
STALE = 0x12
SIGNALS = {
    10: Signal(id="l.count", source="c:g/e/count"),
    11: Signal(id="l.temp", unit="K", source_unit="Cel", source="c:g/e/oven/temp"),
    12: Signal(id="l.mode", kind="state", source="c:g/e/mode"),
    13: Signal(id="l.running", kind="state", source="c:g/e/running"),
}
WANTED = {("", "count"): 0, ("oven", "temp"): 1, ("", "mode"): 2, ("", "running"): 3}


class Host:
    """An Edge with a clock, fed by hand."""

    def __init__(self, **settings: float) -> None:
        self.table = Table(SIGNALS)
        self.edge = Edge(
            "g",
            "e",
            WANTED,
            table=self.table,
            settings=Settings(**settings),
            now=0.0,  # type: ignore[arg-type]
        )
        self.now = 0.0

    def feed(
        self, kind: str, metrics: list[Metric], seq: int | None = None, device: str = ""
    ) -> None:
        self.raw(kind, wire.encode(T, metrics, seq=seq), device)

    def raw(self, kind: str, data: bytes, device: str = "") -> None:
        self.edge.take(Message(kind, device, data, NOW), self.now)

    def birth(self, *, seq: int = 0, bdseq: int = 4, count: float = 1) -> None:
        self.feed("NBIRTH", [
            Metric(name="bdSeq", datatype=Type.INT64, field=wire.LONG, value=bdseq),
            Metric(name="count", alias=1, datatype=Type.INT8, field=wire.INT, value=int(count)),
            Metric(name="mode", alias=2, datatype=Type.STRING, field=wire.STRING, value="RUN"),
            Metric(name="running", alias=4, datatype=Type.BOOLEAN, field=wire.BOOLEAN, value=1),
        ], seq)  # fmt: skip
        self.feed("DBIRTH", [
            Metric(name="temp", alias=3, datatype=Type.DOUBLE, field=wire.DOUBLE, value=20.0,
                   properties={"engUnit": "Cel", "Quality": 192}),
        ], (seq + 1) % 256, "oven")  # fmt: skip

    def count(self, value: int, seq: int | None, stamp: int = T) -> None:
        metric = Metric(alias=1, timestamp=stamp, field=wire.INT, value=value)
        self.feed("NDATA", [metric], seq)

    def batch(self) -> Batch | None:
        return self.table.batch(self.edge.drain()[0], NOW)

    def rows(self) -> list[tuple[int, int, float, int]]:
        batch = self.batch()
        if batch is None:
            return []
        columns = (batch.signal, batch.time, batch.value, batch.status)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def events(self) -> list[Event]:
        return self.edge.drain()[1]

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.edge.tick(self.now, NOW + int(self.now * SECOND))


@pytest.fixture
def host() -> Host:
    made = Host()
    made.birth()
    return made


def test_births_give_current_values_in_our_units(host: Host) -> None:
    rows, events = host.edge.drain()
    batch = host.table.batch(rows, NOW)
    assert batch is not None
    assert dict(zip(batch.signal.tolist(), batch.value.tolist(), strict=True)) == {
        10: 1.0, 11: 293.15,
    }  # fmt: skip
    assert [(event.id, event.value) for event in events] == [
        ("l.mode", "RUN"), ("l.running", "true"),
    ]  # fmt: skip


def test_types_come_from_the_birth(host: Host) -> None:
    host.batch()
    host.count(0xFFFFFFFB, 2)  # sign extended to 32 bits, as Tahu sends an Int8
    host.count(0xFB, 3, T + 1)  # or not
    assert [row[2] for row in host.rows()] == [-5.0, -5.0]


def test_the_sequence_wraps_and_order_is_restored(host: Host) -> None:
    host.batch()
    for seq in range(2, 256):
        host.count(1, seq, T + seq)
    host.count(3, 1, T + 1001)
    assert len(host.rows()) == 254
    host.count(2, 0, T + 1000)
    assert [row[2] for row in host.rows()] == [2.0, 3.0]
    host.wait(60)
    assert host.edge.gaps == 0
    assert not host.edge.ask(host.now)


def test_many_messages_that_wait_for_one_come_in_order(host: Host) -> None:
    host.batch()
    for seq in [*range(3, 256), 0, 1]:
        host.count(seq % 100, seq, T + 2000 + (seq - 2) % 256)
    assert host.rows() == []
    host.count(99, 2, T + 2000)
    assert [row[2] for row in host.rows()] == [99.0] + [
        float(s % 100) for s in [*range(3, 256), 0, 1]
    ]


def test_a_missing_message_is_given_up_told_and_asked_for(host: Host) -> None:
    host.edge.drain()
    host.count(7, 3)
    assert host.edge.due == 5.0
    host.wait(5.0)
    rows, events = host.edge.drain()
    assert [part.value.tolist() for part in rows] == [[7.0]]
    assert [(event.kind, event.id, event.time) for event in events] == [("gap", "g/e.data", NOW)]
    assert events[0].data["until"] == "2026-09-21T14:13:25Z"
    assert host.edge.ask(host.now)
    assert not host.edge.ask(host.now)
    host.count(8, 4)  # the session goes on until the birth comes
    assert [row[2] for row in host.rows()] == [8.0]


def test_rebirths_are_asked_for_at_most_so_often(host: Host) -> None:
    asked = 0
    for _ in range(100):
        host.raw("NDATA", b"rubbish")
        host.now += 0.5
        asked += host.edge.ask(host.now)
    assert 4 <= asked <= 6


def test_a_new_birth_ends_all_waiting(host: Host) -> None:
    host.edge.drain()
    host.count(7, 9)
    host.birth(count=2)
    rows = host.rows()
    assert [row[2] for row in rows if row[0] == 10] == [7.0, 2.0]
    assert host.edge.due == host.now + 10.0  # only whether every signal was born
    host.count(3, 2)
    assert [row[2] for row in host.rows()] == [3.0]


def test_a_death_makes_everything_stale_with_the_last_values(host: Host) -> None:
    host.count(9, 2)
    host.edge.drain()
    host.feed("NDEATH", [Metric(name="bdSeq", field=wire.LONG, value=4)])
    rows, events = host.edge.drain()
    batch = host.table.batch(rows, NOW)
    assert batch is not None
    assert batch.value.tolist() == [9.0, 293.15]
    assert batch.status.tolist() == [STALE, STALE]
    assert [(event.value, event.status) for event in events] == [("RUN", STALE), ("true", STALE)]
    assert set(host.table.problems) == {"l.count", "l.temp", "l.mode", "l.running"}
    host.count(10, 3)  # data without a birth
    assert host.rows() == []
    host.now += 20
    assert host.edge.ask(host.now)
    host.birth(bdseq=5)
    assert host.table.problems == {}


def test_the_will_of_an_earlier_session_changes_nothing(host: Host) -> None:
    host.edge.drain()
    host.feed("NDEATH", [Metric(name="bdSeq", field=wire.LONG, value=3)])
    assert host.rows() == []
    host.count(5, 2)
    assert [row[2] for row in host.rows()] == [5.0]


def test_a_dead_device_is_stale_at_its_own_time(host: Host) -> None:
    host.edge.drain()
    host.raw("DDEATH", wire.encode(T + 50, [], seq=2), "oven")
    assert host.rows() == [(11, (T + 50) * MILLISECOND, 293.15, STALE)]


def test_null_quality_history_and_odd_times(host: Host) -> None:
    host.edge.drain()
    host.feed("NDATA", [
        Metric(alias=1, timestamp=T + 1, null=True),
        Metric(alias=1, timestamp=T - 5000, historical=True, field=wire.INT, value=3),
        Metric(alias=1, timestamp=T + 2, field=wire.INT, value=4, properties={"Quality": 0}),
        Metric(alias=1, timestamp=T + 3, field=wire.INT, value=5, properties={"Quality": 500}),
        Metric(alias=1, timestamp=2**63, field=wire.INT, value=6),
        Metric(alias=1, field=wire.INT, value=7),
    ], 2)  # fmt: skip
    rows = host.rows()
    assert [row[3] for row in rows] == [0x02, 0, 0x02, STALE, 0x0C, 0]
    assert [row[1] for row in rows][1] == (T - 5000) * MILLISECOND
    assert rows[4][1] == NOW
    assert rows[5][1] == T * MILLISECOND  # the payload's
    host.feed(
        "NDATA", [Metric(alias=1, timestamp=T - 1, historical=True, field=wire.INT, value=1)], 3
    )
    host.edge.drain()
    host.feed("NDEATH", [Metric(name="bdSeq", field=wire.LONG, value=4)])
    assert host.rows()[0][2] == 5.0  # the newest by its own time; history changes nothing


def test_metrics_by_name_and_unknown_aliases(host: Host) -> None:
    host.edge.drain()
    many = [Metric(name="other", timestamp=T, field=wire.INT, value=0) for _ in range(20)]
    host.feed("NDATA", [*many, Metric(name="count", timestamp=T, field=wire.INT, value=8)], 2)
    assert [row[2] for row in host.rows()] == [8.0]
    host.feed("DDATA", [
        *many, Metric(name="temp", timestamp=T, field=wire.DOUBLE, value=21.0),
        Metric(name="count", timestamp=T, field=wire.INT, value=1),  # not the device's
    ], 3, "oven")  # fmt: skip
    assert [row[2] for row in host.rows()] == [294.15]
    host.now += 60
    assert host.edge.ask(host.now)  # `other` was in no birth


def test_one_malformed_message_does_not_spoil_those_read_with_it(host: Host) -> None:
    host.edge.drain()
    many = [Metric(alias=1, timestamp=T + i, field=wire.INT, value=i) for i in range(20)]
    host.feed("NDATA", many, 2)
    host.raw("NDATA", wire._block(2, b"\x08\xff") + wire._number(3, 3))
    host.feed("DDATA", [Metric(name="temp", field=wire.DOUBLE, value=5.0)], 4, "oven")
    host.feed("NDATA", [Metric(alias=1, timestamp=T + 50, field=wire.INT, value=50)], 5)
    rows, events = host.edge.drain()
    batch = host.table.batch(rows, NOW)
    assert batch is not None
    assert batch.value.tolist() == [*map(float, range(20)), 278.15, 50.0]
    assert batch.time.tolist()[-2:] == [NOW, NOW + 50 * MILLISECOND]
    assert host.edge.malformed == 1
    assert [event.kind for event in events] == ["note"]


def test_states_change_once(host: Host) -> None:
    host.edge.drain()
    for seq, value in enumerate((1, 0, 0, 1), 2):
        many = [Metric(alias=1, timestamp=T, field=wire.INT, value=0)] * 9
        host.feed(
            "NDATA", [*many, Metric(alias=4, timestamp=T, field=wire.BOOLEAN, value=value)], seq
        )
    assert [event.value for event in host.events()] == ["false", "true"]


def test_a_data_set_is_not_read_and_says_so() -> None:
    host = Host()
    host.feed("NBIRTH", [Metric(name="count", datatype=Type.DATASET, field=17)], 0)
    batch = host.batch()
    assert batch is not None
    assert (batch.status & 3).tolist() == [2]
    assert "Dataset" in host.table.problems["l.count"]


def test_signals_that_no_birth_declares_are_missing_after_a_while() -> None:
    host = Host(patience=3.0)
    host.wait(2.9)
    assert host.table.problems == {}
    host.wait(0.2)
    assert "no birth came" in host.table.problems["l.count"]
    host.feed("NBIRTH", [Metric(name="count", datatype=3, field=wire.INT, value=1)], 0)
    assert "l.count" not in host.table.problems
    host.wait(3.1)
    assert "no such metric" in host.table.problems["l.temp"]
    assert "l.count" not in host.table.problems


def test_messages_that_wait_are_bounded() -> None:
    host = Host()
    host.birth()
    host.edge.drain()
    big = Metric(name="x", field=wire.STRING, value="y" * 5_000_000)
    for seq in (5, 6, 7, 8):
        host.feed("NDATA", [big], seq)
    host.wait(0.0)
    assert host.edge.gaps == 1
    assert host.edge._held == {}


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compressed_payloads_are_bounded(pack: object) -> None:
    def packed(inner: bytes) -> bytes:
        body = pack(inner)  # type: ignore[operator]
        return wire._block(4, b"SPBV1.0_COMPRESSED") + wire._block(5, body)

    host = Host(limit=100_000)
    host.birth()
    host.edge.drain()
    host.raw("NDATA", packed(wire.encode(T, [Metric(alias=1, field=wire.INT, value=9)], seq=2)))
    assert [row[2] for row in host.rows()] == [9.0]
    host.raw("NDATA", packed(bytes(10_000_000)))
    host.raw("NDATA", packed(b"")[:-3])
    assert host.edge.malformed == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA"]),
            st.binary(max_size=80) | st.builds(
                lambda seq, alias, value: wire.encode(
                    T, [Metric(name="count", alias=alias, datatype=3, field=wire.INT, value=value)],
                    seq=seq,
                ),
                st.integers(0, 256), st.integers(0, 3), st.integers(0, 300),
            ),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_any_messages_in_any_order_never_crash(messages: list[tuple[str, bytes]]) -> None:
    host = Host()
    for kind, data in messages:
        host.raw(kind, data, "oven" if kind[0] == "D" else "")
        host.wait(1.0)
    host.rows()


def test_writing_needs_a_birth() -> None:
    host = Host()
    with pytest.raises(BadReply, match="declares"):
        host.edge.find(0)
    host.birth()
    assert host.edge.find(0).alias == 1


@pytest.mark.parametrize(
    ("datatype", "raw", "field", "value"),
    [
        (Type.FLOAT, 1.5, wire.FLOAT, 1.5), (Type.DOUBLE, 1e300, wire.DOUBLE, 1e300),
        (Type.BOOLEAN, 1.0, wire.BOOLEAN, 1), (Type.INT8, -5.0, wire.INT, 2**32 - 5),
        (Type.UINT32, 4e9, wire.LONG, 4_000_000_000), (Type.INT64, -1.0, wire.LONG, 2**64 - 1),
    ],
)  # fmt: skip
def test_commands_carry_the_type_of_the_birth(
    datatype: Type, raw: float, field: int, value: float
) -> None:
    born = Born(device="", name="x", datatype=datatype, alias=3, slot=0)
    for typed in (False, True):
        payload = wire.decode(speech.command(born, raw, T, typed=typed))
        (metric,) = payload.metrics
        assert (payload.timestamp, payload.seq) == (T, None)
        assert (metric.name, metric.alias, metric.datatype) == ("", 3, datatype if typed else 0)
        assert (metric.field, metric.value) == (field, value)


@pytest.mark.parametrize(
    ("datatype", "raw"),
    [(Type.INT8, 128.0), (Type.UINT16, -1.0), (Type.FLOAT, 1e39), (Type.DOUBLE, float("inf")),
     (Type.INT32, float("nan")), (Type.STRING, 1.0)],
)  # fmt: skip
def test_a_command_that_does_not_fit_is_not_sent(datatype: Type, raw: float) -> None:
    with pytest.raises(BadReply):
        speech.command(
            Born(device="", name="x", datatype=datatype, alias=3, slot=0), raw, T, typed=False
        )


def test_states_of_hosts_are_told_apart_from_rubbish() -> None:
    assert speech.offline(speech.state(False, T))
    for payload in (speech.state(True, T), b"OFFLINE", b"[]", b"\xff", b"{}", b"[" * 9999):
        assert not speech.offline(payload)
