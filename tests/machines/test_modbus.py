"""The Modbus door without a device: addresses, merging, decoding, frames, and what goes wrong."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Refused, Unreachable
from deungdae.core.ports import Driver
from deungdae.core.types import Batch, Command, Event, Flag, Permit, Severity, Signal
from deungdae.machines.modbus import Modbus
from deungdae.machines.modbus.address import ORDERS, REGISTERS, Defaults, parse, span, spell
from deungdae.machines.modbus.blocks import Block, Entry, Limits, Moment, merge
from deungdae.machines.modbus.schedule import Schedule
from deungdae.machines.modbus.wire import Mbap, Rtu, crc16
from deungdae.machines.modbus.write import registers, write_request

NOW = 1_700_000_000_000_000_000
DEFAULTS = Defaults()


def entry(address: str, handle: int = 0, period: float = 1.0, **more: Any) -> Entry:
    signal = Signal(id=f"a.s{handle}", source=f"m:{address}", **more)
    return Entry(handle, signal, parse(address, DEFAULTS), period)


def reply(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def read(block: Block, data: bytes, now: float = 0.0) -> tuple[Batch, tuple[Event, ...]]:
    return block.read(reply(data), Moment(NOW, NOW + 1, now, 60.0))


# ---- addresses ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("holding/30021?float32", (1, "holding", 30021, "float32", "ABCD", None, 2)),
        ("7/input/0?int64,DCBA", (7, "input", 0, "int64", "DCBA", None, 4)),
        ("holding/5?bool,bit=15", (1, "holding", 5, "bool", "ABCD", 15, 1)),
        ("holding/5?string(9)", (1, "holding", 5, "string(9)", "ABCD", None, 5)),
        ("coil/65535", (1, "coil", 65535, "bool", "ABCD", None, 1)),
        ("input/3", (1, "input", 3, "uint16", "ABCD", None, 1)),
        ("input/3?BADC", (1, "input", 3, "uint16", "BADC", None, 1)),
    ],
)
def test_addresses(text: str, expected: tuple[object, ...]) -> None:
    assert msgspec.structs.astuple(parse(text, DEFAULTS)) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("40001", "write \\[unit/\\]table/number"),
        ("register/1", "use one of coil, discrete, input, holding"),
        ("holding/1?float", "neither a type"),
        ("holding/1?float32,ABDC", "nor an order"),
        ("holding/1?bool,bit=16", "nor bit=0 to 15"),
        ("holding/1?bit=3", "needs the type bool"),
        ("coil/1?float32", "leave type and bit away"),
        ("holding/65535?float32", "ends behind 65535"),
        ("holding/65536", "outside 0 to 65535"),
        ("300/holding/1", "a unit is 0 to 255"),
        ("holding/1?string(0)", "string\\(1\\) to string\\(250\\)"),
        ("holding/1?", None),
        ("", "write \\[unit/\\]table/number"),
    ],
)
def test_wrong_addresses_say_what_would_be_right(text: str, remedy: str | None) -> None:
    if remedy is None:
        Modbus.check_address(text)
        return
    with pytest.raises(ValueError, match=remedy):
        Modbus.check_address(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(ValueError):
        parse(text, DEFAULTS)


@pytest.mark.parametrize(
    ("numbering", "text", "number"),
    [
        ("protocol", "holding/0", 0),
        ("one", "holding/1", 0),
        ("traditional", "holding/40001", 0),
        ("traditional", "holding/49999", 9998),
        ("traditional", "holding/465536", 65535),
        ("traditional", "input/30021", 20),
        ("traditional", "discrete/10001", 0),
        ("traditional", "coil/1", 0),
        ("traditional", "coil/65536", 65535),
    ],
)
def test_three_ways_to_count(numbering: Any, text: str, number: int) -> None:
    defaults = Defaults(numbering=numbering)
    assert parse(text, defaults).number == number
    if text != "holding/49999":
        table = parse(text, defaults).table
        assert parse(spell(1, table, number, defaults), defaults).number == number


@pytest.mark.parametrize(
    ("numbering", "text"),
    [("one", "holding/0"), ("traditional", "holding/1"), ("traditional", "input/40001")],
)
def test_numbers_that_a_way_of_counting_does_not_have(numbering: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"outside|begins at"):
        parse(text, Defaults(numbering=numbering))


def test_without_the_options_an_address_is_right_if_any_numbering_has_it() -> None:
    Modbus.check_address("holding/465536")
    strict = Modbus.Options(url="tcp://h", numbering="one")
    with pytest.raises(ValueError, match="outside"):
        Modbus.check_address("holding/0", strict)


# ---- merging ----


def test_neighbours_share_a_read_and_gaps_and_lengths_end_it() -> None:
    entries = [entry(f"holding/{n}?float32", n) for n in (0, 2, 10, 29, 124, 126, 300)]
    blocks = merge(entries, Limits(125, 16))
    assert [(b.first, b.count) for b in blocks] == [(0, 12), (29, 2), (124, 4), (300, 2)]
    assert [(b.first, b.count) for b in merge(entries, Limits(10, 124))] == [
        (0, 4), (10, 2), (29, 2), (124, 4), (300, 2),
    ]  # fmt: skip


def test_units_tables_and_periods_do_not_mix() -> None:
    entries = [
        entry("holding/0", 0),
        entry("input/1", 1),
        entry("2/holding/1", 2),
        entry("holding/1", 3, period=0.1),
        entry("coil/1", 4),
        entry("coil/200", 5),
    ]
    assert len(merge(entries, Limits(125, 16))) == 5


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(sorted(REGISTERS))), max_size=40))
def test_every_signal_is_in_one_block_within_the_limits(places: list[tuple[int, str]]) -> None:
    entries = [entry(f"input/{n}?{type}", i) for i, (n, type) in enumerate(places)]
    blocks = merge(entries, Limits(20, 3))
    held = sorted(e.handle for block in blocks for e in block.entries)
    assert held == list(range(len(entries)))
    for block in blocks:
        assert block.count <= 20
        for each in block.entries:
            assert block.first <= each.point.number
            assert each.point.end <= block.first + block.count


def test_a_refused_block_parts_at_its_widest_gap() -> None:
    (block,) = merge([entry(f"input/{n}", n) for n in (0, 1, 2, 8, 9)], Limits(125, 16))
    assert [[e.handle for e in half.entries] for half in block.halves()] == [[0, 1, 2], [8, 9]]


# ---- decoding and encoding ----


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("type", sorted(REGISTERS))
@pytest.mark.parametrize("value", [0.0, 1.0, 9.0, 1234.0, -5.0])
def test_what_is_written_is_read(type: str, order: str, value: float) -> None:
    if (value < 0 and type.startswith(("uint", "bcd"))) or (value > 1 and type == "bool"):
        return
    if value < 0 and type == "bool":
        return
    one = entry(f"holding/0?{type},{order}")
    batch, _ = read(Block([one]), registers(one.point, value))
    assert batch.value[0] == value


# 123456.0 is 0x47F12000 (IEEE 754); the four orders as vendors' manuals show them
@pytest.mark.parametrize(
    ("order", "data"),
    [("ABCD", "47f12000"), ("CDAB", "200047f1"), ("BADC", "f1470020"), ("DCBA", "0020f147")],
)
def test_word_orders(order: str, data: str) -> None:
    batch, _ = read(Block([entry(f"input/0?float32,{order}")]), bytes.fromhex(data))
    assert batch.value[0] == 123456.0


# 123456.0 is 0x40FE240000000000 as float64
@pytest.mark.parametrize(
    ("order", "data"),
    [
        ("ABCD", "40fe240000000000"),
        ("CDAB", "00000000240040fe"),
        ("BADC", "fe40002400000000"),
        ("DCBA", "000000000024fe40"),
    ],
)
def test_word_orders_of_eight_bytes(order: str, data: str) -> None:
    batch, _ = read(Block([entry(f"input/0?float64,{order}")]), bytes.fromhex(data))
    assert batch.value[0] == 123456.0


def test_a_block_of_all_types_at_once() -> None:
    big = [
        ("int16", ">h", -2), ("uint16", ">H", 65535), ("int32", ">i", -70000),
        ("uint32", ">I", 4_000_000_000), ("int64", ">q", -(2**40)), ("uint64", ">Q", 2**50),
        ("float32", ">f", 0.5), ("float64", ">d", 1e-9),
    ]  # fmt: skip
    data, entries = b"", []
    for handle, (type, form, value) in enumerate(big):
        entries.append(entry(f"input/{len(data) // 2}?{type}", handle))
        data += struct.pack(form, value)
    (block,) = merge(entries, Limits(125, 0))
    batch, events = read(block, data)
    assert batch.value.tolist() == [value for _, _, value in big]
    assert batch.signal.tolist() == list(range(len(big)))
    assert set(batch.status.tolist()) == {Flag.RECEIVED_TIME}
    assert (batch.time[0], batch.received) == (NOW, NOW + 1)
    assert events == ()


def test_units_and_scales_are_applied_once() -> None:
    one = entry("input/0?int16", unit="K", source_unit="Cel", scale=0.1, offset=-5.0)
    batch, _ = read(Block([one]), struct.pack(">h", 250))
    assert batch.value[0] == pytest.approx(293.15)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_bad(number: float) -> None:
    block = merge([entry("input/0?float32", 0), entry("input/2?float32", 1)], Limits(125, 0))[0]
    batch, _ = read(block, struct.pack(">ff", number, 7.0))
    assert (batch.status & 3).tolist() == [Severity.BAD, Severity.GOOD]
    assert np.isnan(batch.value[0])
    assert batch.value[1] == 7.0


def test_bcd_with_a_digit_above_nine_is_bad() -> None:
    block = Block([entry("input/0?bcd16"), entry("input/1?bcd32", 1)])
    batch, _ = read(block, bytes.fromhex("12a412345678"))
    assert (batch.status & 3).tolist() == [Severity.BAD, Severity.GOOD]
    assert batch.value[1] == 12345678


def test_bits_of_coils_and_of_registers() -> None:
    coils = merge([entry("coil/3", 0), entry("coil/9", 1), entry("coil/4", 2)], Limits(125, 1))[0]
    assert (coils.first, coils.count) == (3, 7)
    batch, _ = read(coils, bytes([0b1000001]))
    assert dict(zip(batch.signal.tolist(), batch.value.tolist(), strict=True)) == {0: 1, 2: 0, 1: 1}
    bits = [
        entry("input/0?bool,bit=0", 0),
        entry("input/0?bool,bit=15", 1),
        entry("input/0?bool", 2),
    ]
    batch, _ = read(merge(bits, Limits(125, 0))[0], b"\x80\x00")
    assert batch.value.tolist() == [0, 1, 1]


def test_states_and_texts_become_events_when_they_change() -> None:
    block = merge(
        [
            entry("input/0", 0, kind="state"),
            entry("input/1?string(4)", 1, kind="text"),
            entry("input/3?string(4),BADC", 2, kind="text"),
            entry("input/5", 3),
        ],
        Limits(125, 0),
    )[0]
    batch, events = read(block, b"\x00\x03" + b"ab\0\0" + b"badc" + b"\x00\x09")
    assert [(e.id, e.kind, e.value) for e in events] == [
        ("a.s1", "text", "ab"), ("a.s2", "text", "abcd"), ("a.s0", "state", "3"),
    ]  # fmt: skip
    assert batch.signal.tolist() == [3]
    _, events = read(block, b"\x00\x03" + b"ab\0\0" + b"badc" + b"\x00\x09")
    assert events == ()
    batch, events = block.lost(NOW)
    assert [event.status & 3 for event in events] == [Severity.BAD] * 3
    assert batch.status[0] & 3 == Severity.BAD


def test_a_dead_band_hides_small_changes_but_not_for_ever() -> None:
    block = Block([entry("input/0", 0, deadband=5.0), entry("input/1", 1)])

    def told(value: int, now: float) -> list[int]:
        return read(block, struct.pack(">HH", value, 1), now)[0].signal.tolist()

    assert told(100, 0.0) == [0, 1]
    assert told(105, 1.0) == [1]
    assert told(106, 2.0) == [0, 1]
    assert told(106, 61.0) == [1]
    assert told(106, 62.0) == [0, 1]


@pytest.mark.parametrize(
    ("address", "value", "problem"),
    [
        ("input/0", 1.0, "cannot be written"),
        ("discrete/0", 1.0, "cannot be written"),
        ("holding/0?string(4)", 1.0, "cannot be written"),
        ("holding/0", 65536.0, "does not fit"),
        ("holding/0?int16", -32769.0, "does not fit"),
        ("holding/0?float32", 1e39, "does not fit"),
        ("holding/0?bcd16", 10_000.0, "does not fit"),
        ("holding/0", float("nan"), "finite"),
        ("coil/0", 0.5, "neither 0 nor 1"),
        ("holding/0?bool,bit=2", 2.0, "neither 0 nor 1"),
    ],
)
def test_values_that_cannot_be_written(address: str, value: float, problem: str) -> None:
    with pytest.raises(DoorError) as caught:
        write_request(parse(address, DEFAULTS), value, multiple=False)
    assert problem in f"{caught.value} {caught.value.remedy}"


# MODBUS Application Protocol V1.1b3, sections 6.5, 6.6, 6.12, 6.16
@pytest.mark.parametrize(
    ("address", "value", "multiple", "pdu"),
    [
        ("coil/172", 1.0, False, "05 00ac ff00"),
        ("coil/172", 0.0, False, "05 00ac 0000"),
        ("holding/1", 3.0, False, "06 0001 0003"),
        ("holding/1", 3.0, True, "10 0001 0001 02 0003"),
        ("holding/1?uint32", 0x000A0102, False, "10 0001 0002 04 000a 0102"),
        ("holding/4?bool,bit=2", 1.0, False, "16 0004 fffb 0004"),
        ("holding/4?bool,bit=2", 0.0, False, "16 0004 fffb 0000"),
    ],
)
def test_write_requests(address: str, value: float, multiple: bool, pdu: str) -> None:
    assert write_request(parse(address, DEFAULTS), value, multiple=multiple) == bytes.fromhex(pdu)


# ---- schedule ----


def test_the_block_with_the_nearest_deadline_comes_first_and_none_starves() -> None:
    slow, fast = Block([entry("input/0", period=10.0)]), Block([entry("coil/0", period=0.1)])
    schedule = Schedule([slow, fast], 0.0)
    assert schedule.delay(0.0) == 0.0
    assert schedule.take(0.0, 2) == [fast, slow]
    schedule.put(slow, 1.0)
    schedule.put(fast, 0.5)
    assert schedule.delay(0.0) == 0.5
    assert schedule.take(0.4, 9) == []
    for late in range(1, 200):  # the fast one is always due at once
        (chosen,) = schedule.take(late, 1)
        if chosen is slow:
            break
        schedule.put(chosen, late)
    assert chosen is slow


# ---- frames ----


def test_the_checksum_of_the_serial_line_guide() -> None:
    # MODBUS over Serial Line V1.02, appendix B: 02 07 gives 0x1241, sent low byte first
    assert crc16(b"\x02\x07").to_bytes(2, "little").hex() == "4112"


@given(st.binary(max_size=400), st.integers(1, 50))
def test_garbage_is_a_bad_reply_or_waits_and_never_grows(data: bytes, step: int) -> None:
    for framing in (Mbap(), Rtu()):
        buffer = bytearray()
        with suppress(BadReply):
            for i in range(0, len(data), step):
                buffer += data[i : i + step]
                while framing.take(buffer):
                    pass
                assert len(buffer) < 6 + 254 + 7


@given(
    st.lists(
        st.tuples(st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=2, max_size=250))
    )
)
def test_frames_come_out_as_they_went_in(frames: list[tuple[int, int, bytes]]) -> None:
    framing, buffer = Mbap(), bytearray()
    for frame in frames:
        buffer += framing.wrap(*frame)
    assert [framing.take(buffer) for _ in frames] == frames
    assert framing.take(buffer) is None


# ---- options ----


@pytest.mark.parametrize(
    "options",
    [
        {"url": "10.0.0.7:502"},
        {"url": "tcp://"},
        {"url": "udp://10.0.0.7"},
        {"url": "tcp://h:99999"},
        {"url": "tcp://h:x"},
        {"url": "tcp://h", "unit": 256},
        {"url": "tcp://h", "period": 0},
        {"url": "tcp://h", "periods": {"holding/0": 1}},
        {"url": "tcp://h", "periods": {"holding/0-9": 0}},
        {"url": "tcp://h", "scan": ["holding"]},
        {"url": "tcp://h", "scan": ["holding/9-0"]},
        {"url": "tcp://h", "speed": 1},
        {"url": "tcp://h", "order": "ABDC"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Modbus.Options)


def test_spans() -> None:
    assert span("2/holding/40001-40010", Defaults(numbering="traditional")).last == 9


# ---- a device that we script ----

Answer = Callable[[bytes], Awaitable[bytes] | bytes]


@asynccontextmanager
async def device(answer: Answer) -> AsyncIterator[int]:
    """A TCP server that answers each request frame with whatever `answer` says."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(300):
                said = answer(data)
                writer.write(said if isinstance(said, bytes) else await said)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def make(port: int, scheme: str = "tcp", **options: object) -> Modbus:
    given: Mapping[str, object] = {
        "url": f"{scheme}://127.0.0.1:{port}",
        "timeout": 5.0,
        "period": 0.01,
        "attempts": 1,
        **options,
    }
    return Modbus("m", msgspec.convert(given, Modbus.Options), RealClock())


def signals(*addresses: str, **more: Any) -> dict[int, Signal]:
    return {i: Signal(id=f"a.s{i}", source=f"m:{a}", **more) for i, a in enumerate(addresses)}


async def collect(driver: Modbus, wanted: dict[int, Signal], items: int) -> list[Batch]:
    found: list[Batch] = []
    stream = driver.stream(wanted)
    async with asyncio.timeout(10):
        async for item in stream:
            if isinstance(item, Batch):
                found.append(item)
            if len(found) >= items:
                break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


def mbap(
    request: bytes, pdu: bytes, transaction: int | None = None, unit: int | None = None
) -> bytes:
    own, _, _, asked = struct.unpack(">HHHB", request[:7])
    return Mbap().wrap(
        own if transaction is None else transaction, asked if unit is None else unit, pdu
    )


def hold(request: bytes) -> bytes:
    """Answer a read: each register holds its own number."""
    function, first, count = struct.unpack(">BHH", request[7:12])
    data = struct.pack(f">{count}H", *range(first, first + count))
    return mbap(request, bytes((function, len(data))) + data)


def test_it_is_a_driver() -> None:
    assert isinstance(make(1), Driver)


async def test_nobody_there_is_unreachable() -> None:
    driver = make(9)
    with pytest.raises(Unreachable) as caught:
        await driver.connect()
    assert caught.value.remedy
    assert driver.health.state == "offline"
    await driver.close()
    await driver.close()


async def test_streaming_without_a_connection_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        await collect(make(9), signals("holding/0"), 1)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda r: b"HTTP/1.1 400 Bad Request\r\n\r\n", BadReply, "no Modbus/TCP frame"),
        (lambda r: mbap(r, b"\x03\x02\x00\x01", transaction=999), BadReply, "foreign transaction"),
        (lambda r: mbap(r, b"\x03\x02\x00\x01", unit=9), BadReply, "unit 9 answered"),
        (lambda r: mbap(r, b"\x03\x04\x00\x01"), BadReply, "answered function 3 with"),
        (lambda r: mbap(r, b"\x04\x02\x00\x01"), BadReply, "answered function 3 with 04"),
        (lambda r: hold(r)[:8], Unreachable, "did not answer within"),
        (lambda r: b"", Unreachable, "did not answer within"),
        (lambda r: mbap(r, b"\x83\x0b"), BadReply, "behind the gateway"),
    ],
)
async def test_wrong_answers_end_the_stream_with_one_clear_error(
    answer: Answer, error: type[DoorError], words: str
) -> None:
    async with device(answer) as port:
        driver = make(port, timeout=0.2)
        await driver.connect()
        with pytest.raises(error, match=words) as caught:
            await collect(driver, signals("holding/0"), 3)
        assert caught.value.remedy
        assert driver.health.state == "offline"
        assert driver.health.problem
        await driver.close()


async def test_a_device_that_hangs_up_ends_the_stream_even_while_it_waits() -> None:
    async with device(hold) as port:
        driver = make(port, period=3600)
        await driver.connect()
        stream = driver.stream(signals("holding/0"))
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.02)
        link = driver._station._link
        assert link is not None
        link.connection_lost(None)
        with pytest.raises(Unreachable, match="ended the connection"):
            await asyncio.wait_for(waiting, 5)
        await driver.close()


def hole(*numbers: int) -> Answer:
    def answer(request: bytes) -> bytes:
        _, first, count = struct.unpack(">BHH", request[7:12])
        if any(first <= number < first + count for number in numbers):
            return mbap(request, b"\x83\x02")
        return hold(request)

    return answer


async def test_an_illegal_address_is_found_and_the_others_go_on() -> None:
    async with device(hole(30)) as port:
        driver = make(port, retry=3600)
        await driver.connect()
        batches = await collect(driver, signals(*[f"holding/{n}" for n in range(60)]), 12)
        merged = Batch.merge(batches)
        good = merged.status & 3 == Severity.GOOD
        assert set(merged.signal[good].tolist()) == set(range(60)) - {30}
        assert merged.signal[~good].tolist() == [30]
        assert driver.health.state == "degraded"
        assert list(driver.health.signals) == ["a.s30"]
        assert "exception 2" in driver.health.signals["a.s30"]
        await driver.close()


async def test_an_address_that_comes_back_is_read_again_in_one_block() -> None:
    holes = [30]
    reads: list[tuple[int, int]] = []

    def answer(request: bytes) -> bytes:
        reads.append(struct.unpack(">HH", request[8:12]))
        return bytes(hole(*holes)(request))  # type: ignore[arg-type]

    async with device(answer) as port:
        driver = make(port, retry=0.05)
        await driver.connect()
        stream = driver.stream(signals(*[f"holding/{n}" for n in range(60)]))
        async with asyncio.timeout(10):
            async for _ in stream:
                if driver.health.signals:
                    holes.clear()
                elif not holes and reads[-1] == (0, 60):
                    break
        assert driver.health.state == "online"
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()


async def test_a_gap_that_is_refused_costs_no_signal() -> None:
    async with device(hole(5)) as port:
        driver = make(port)
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("holding/0", "holding/9"), 2))
        assert set(merged.signal.tolist()) == {0, 1}
        assert driver.health.state == "online"
        await driver.close()


async def test_a_busy_device_is_asked_again_at_the_next_poll() -> None:
    asked = 0

    def answer(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return mbap(request, b"\x83\x06") if asked == 2 else hold(request)

    async with device(answer) as port:
        driver = make(port, retry=3600)
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("holding/1", "holding/2"), 3))
        assert (merged.status & 3).tolist() == [0, 0, 2, 2, 0, 0]
        assert driver.health.state == "online"
        await driver.close()


async def test_a_given_up_serial_link_is_not_waited_for_in_a_busy_loop() -> None:
    answered = 0

    def answer(request: bytes) -> bytes:
        nonlocal answered
        if request[0] == 2:
            return b""
        answered += 1
        return Rtu().wrap(0, request[0], request[1:2] + b"\x02\x00\x07")

    async with device(answer) as port:
        driver = make(port, "rtu+tcp", timeout=0.1, period=0.3, retry=3600)
        await driver.connect()
        turns = 0

        async def count(schedule_delay: float) -> None:
            nonlocal turns
            turns += 1
            await wait(schedule_delay)

        wait = driver._station.wait
        driver._station.wait = count  # type: ignore[method-assign]
        await collect(driver, signals("1/holding/0", "2/holding/0"), 4)
        assert answered >= 3
        assert turns < 20
        await driver.close()


async def test_reads_that_cannot_keep_their_period_are_told() -> None:
    async with device(hold) as port:
        driver = make(port, period=1e-6)
        await driver.connect()
        stream = driver.stream(signals("holding/1"))
        for _ in range(5):
            await anext(stream)
        assert driver.health.state == "degraded"
        assert "late" in driver.health.problem
        await stream.aclose()  # type: ignore[attr-defined]
        assert driver.health.state == "online"
        await driver.close()


async def test_a_missing_table_is_told_and_not_split() -> None:
    asked = []

    def answer(request: bytes) -> bytes:
        asked.append(request[7])
        return mbap(request, b"\x81\x01") if request[7] == 1 else hold(request)

    async with device(answer) as port:
        driver = make(port)
        await driver.connect()
        await collect(driver, signals("coil/0", "coil/1", "holding/0"), 5)
        assert asked.count(1) == 1
        assert set(driver.health.signals) == {"a.s0", "a.s1"}
        await driver.close()


async def test_a_malformed_reply_to_one_block_does_not_stop_the_others() -> None:
    def answer(request: bytes) -> bytes:
        return mbap(request, b"\x04\x07\x00") if request[7] == 4 else hold(request)

    async with device(answer) as port:
        driver = make(port)
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("input/0", "holding/7"), 6))
        assert set(merged.value[merged.signal == 1].tolist()) == {7.0}
        assert list(driver.health.signals) == ["a.s0"]
        await driver.close()


async def test_a_silent_unit_behind_a_gateway_does_not_hold_up_the_others() -> None:
    def answer(request: bytes) -> bytes:
        return b"" if request[6] == 2 else hold(request)

    async with device(answer) as port:
        driver = make(port, retry=3600, timeout=0.3)
        await driver.connect()
        wanted = signals("1/holding/5", "2/holding/5", "2/input/5")
        merged = Batch.merge(await collect(driver, wanted, 20))
        assert (merged.signal == 0).sum() >= 15
        assert set(driver.health.signals) == {"a.s1", "a.s2"}
        await driver.close()


async def test_a_late_answer_is_not_taken_for_the_next() -> None:
    late: list[bytes] = []

    async def answer(request: bytes) -> bytes:
        if not late:  # the first reply comes together with the second
            late.append(hold(request))
            return b""
        return late.pop() + hold(request) if len(late) == 1 and late[0] else hold(request)

    async with device(answer) as port:
        driver = make(port, attempts=2, timeout=0.3)
        await driver.connect()
        (batch,) = await collect(driver, signals("holding/3"), 1)
        assert batch.value.tolist() == [3.0]
        await driver.close()


async def test_a_device_that_is_always_too_late_is_told_to_be_slow() -> None:
    before: list[bytes] = []

    def answer(request: bytes) -> bytes:  # each reply comes when the next request does
        before.append(hold(request))
        return before[-2] if len(before) > 1 else b""

    async with device(answer) as port:
        driver = make(port, attempts=3, timeout=0.2)
        await driver.connect()
        with pytest.raises(Unreachable) as caught:
            await collect(driver, signals("holding/3"), 3)
        assert "raise timeout" in caught.value.remedy
        await driver.close()


async def test_rtu_frames_over_tcp_and_a_late_reply_that_has_no_transaction() -> None:
    asked = 0

    async def answer(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        if asked == 2:
            await asyncio.sleep(0.6)  # longer than the time-out: this reply is too late
        first, count = struct.unpack(">HH", request[2:6])
        data = struct.pack(f">{count}H", *range(first, first + count))
        return Rtu().wrap(0, request[0], bytes((request[1], len(data))) + data)

    async with device(answer) as port:
        driver = make(port, "rtu+tcp", attempts=2, gap=0, timeout=0.3)
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("holding/3", "holding/50"), 8))
        assert set(merged.value[merged.signal == 0].tolist()) == {3.0}
        assert set(merged.value[merged.signal == 1].tolist()) == {50.0}
        await driver.close()


async def test_a_wrong_checksum_ends_the_stream() -> None:
    async with device(lambda r: b"\x01\x03\x02\x00\x01\x00\x00") as port:
        driver = make(port, "rtu+tcp")
        await driver.connect()
        with pytest.raises(BadReply, match="checksum"):
            await collect(driver, signals("holding/0"), 1)


async def test_wrong_addresses_are_bad_from_the_start_and_named() -> None:
    async with device(hold) as port:
        driver = make(port)
        await driver.connect()
        wanted = signals("holding/1", "nonsense/1", "holding/2?string(4)")
        batches = await collect(driver, wanted, 2)
        assert batches[0].signal.tolist() == [1, 2]
        assert batches[1].value.tolist() == [1.0]
        assert set(driver.health.signals) == {"a.s1", "a.s2"}
        await driver.close()


@pytest.mark.parametrize("wrong", [{"unit": "K", "source_unit": "bar"}, {"scale": 0.0}])
async def test_a_scale_that_cannot_be_concerns_its_signal_alone(wrong: dict[str, Any]) -> None:
    async with device(hold) as port:
        driver = make(port)
        await driver.connect()
        wanted = signals("holding/1") | {9: Signal(id="a.x", source="m:holding/2", **wrong)}
        batches = await collect(driver, wanted, 2)
        assert batches[1].value.tolist() == [1.0]
        assert list(driver.health.signals) == ["a.x"]
        with pytest.raises(DoorError):
            await driver.write(permit(1.0), wanted[9])
        await driver.close()


async def test_periods_by_range() -> None:
    async with device(hold) as port:
        driver = make(port, period=3600, periods={"holding/100-199": 0.01})
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("holding/1", "holding/100"), 6))
        assert (merged.signal == 0).sum() == 1
        assert (merged.signal == 1).sum() == 5
        await driver.close()


async def test_several_requests_under_way() -> None:
    waiting: list[bytes] = []

    def answer(request: bytes) -> bytes:  # two frames arrive before either is answered
        frames = [request[i : i + 12] for i in range(0, len(request), 12)]
        waiting.extend(frames)
        if len(waiting) < 2:
            return b""
        said = b"".join(hold(frame) for frame in reversed(waiting))
        waiting.clear()
        return said

    async with device(answer) as port:
        driver = make(port, outstanding=2, gap=0)
        await driver.connect()
        merged = Batch.merge(await collect(driver, signals("holding/3", "holding/50"), 4))
        assert set(merged.value.tolist()) == {3.0, 50.0}
        await driver.close()


def permit(value: float, expires: int = 2**62) -> Permit:
    command = Command(
        id="c1", signal="a.s0", value=value, origin="t", because="t", issued=0, expires=expires
    )
    return Permit(command=command, granted=0, mode="auto")


async def test_a_write_without_answer_is_not_repeated() -> None:
    asked = 0

    def answer(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return b""

    async with device(answer) as port:
        driver = make(port, attempts=5, timeout=0.2)
        await driver.connect()
        with pytest.raises(Unreachable, match="not known whether"):
            await driver.write(permit(1.0), signals("holding/0", access="rw")[0])
        assert asked == 1
        await driver.close()


async def test_a_write_without_a_connection_was_not_done() -> None:
    with pytest.raises(Unreachable, match="1 was not written"):
        await make(1).write(permit(1.0), signals("holding/0", access="rw")[0])


async def test_a_write_that_is_refused_says_why() -> None:
    async with device(lambda r: mbap(r, b"\x86\x02")) as port:
        driver = make(port)
        await driver.connect()
        with pytest.raises(BadReply, match="exception 2"):
            await driver.write(permit(1.0), signals("holding/0", access="rw")[0])
        await driver.close()


async def test_a_write_to_a_wrong_address_says_so() -> None:
    with pytest.raises(DoorError, match="no Modbus table"):
        await make(1).write(permit(1.0), signals("register/0", access="rw")[0])


async def test_a_write_that_reads_back_as_no_number_says_so() -> None:
    def answer(request: bytes) -> bytes:
        if request[7] == 16:
            return mbap(request, request[7:12])
        return mbap(request, b"\x03\x04\x7f\xc0\x00\x00")

    async with device(answer) as port:
        driver = make(port)
        await driver.connect()
        with pytest.raises(BadReply, match="holds no number"):
            await driver.write(permit(1.0), signals("holding/0?float32", access="rw")[0])
        await driver.close()


async def test_an_expired_command_is_not_written() -> None:
    async with device(lambda r: pytest.fail("something was written")) as port:
        driver = make(port)
        await driver.connect()
        with pytest.raises(Refused, match="too late"):
            await driver.write(permit(1.0, expires=1), signals("holding/0", access="rw")[0])
        await driver.close()


async def test_browsing_shows_what_is_not_refused() -> None:
    pair = struct.unpack(">HH", struct.pack(">f", 21.5))

    def answer(request: bytes) -> bytes:
        _, first, count = struct.unpack(">BHH", request[7:12])
        if first < 4 or first + count > 12:
            return mbap(request, b"\x83\x02")
        held = {4: pair[0], 5: pair[1], 6: pair[0], 7: pair[1]}
        data = b"".join(held.get(n, 3).to_bytes(2, "big") for n in range(first, first + count))
        return mbap(request, bytes((3, len(data))) + data)

    async with device(answer) as port:
        driver = make(port, scan=["holding/0-40"])
        await driver.connect()
        nodes = [node async for node in driver.browse()]
        assert [(node.address, node.value) for node in nodes] == [
            ("holding/4?float32", "21.5"), ("holding/6?float32", "21.5"), ("holding/8", "3"),
            ("holding/9", "3"), ("holding/10", "3"), ("holding/11", "3"),
        ]  # fmt: skip
        for node in nodes:
            Modbus.check_address(node.address, driver.options)
        await driver.close()
