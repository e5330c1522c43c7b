"""The scanner door without a wire: cutting, GS1, repeats, refusals."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import RealClock
from deungdae.core.errors import DoorError, Unreachable
from deungdae.core.ports import Driver
from deungdae.core.types import Severity, Signal
from deungdae.machines.scanner import Scanner
from deungdae.machines.scanner.codes import read
from deungdae.machines.scanner.frames import Splitter


def texts(splitter: Splitter, *parts: bytes) -> list[str]:
    return [code.text for part in parts for code in splitter.feed(part)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"A1\rB2\r", ["A1", "B2"]),
        (b"A1\r\nB2\r\n", ["A1", "B2"]),
        (b"\x02A1\x03\x02B2\x03", ["A1", "B2"]),
        (b"\x02A1\x03\r\n", ["A1"]),
        (b"\r\n\r\n", []),
        (b"unfinished", []),
        ("등대-7\n".encode(), ["등대-7"]),
        (b"0109501101530003\x1d10ABC\r", ["0109501101530003\x1d10ABC"]),
    ],
)
def test_codes_end_with_cr_lf_or_etx(stream: bytes, expected: list[str]) -> None:
    assert texts(Splitter("utf-8", 100), stream) == expected


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 7))
def test_cutting_does_not_depend_on_how_bytes_arrive(parts: list[bytes], step: int) -> None:
    stream = b"".join(parts)
    whole = Splitter("utf-8", 16)
    pieces = Splitter("utf-8", 16)
    expected = whole.feed(stream)
    got = [code for i in range(0, len(stream), step) for code in pieces.feed(stream[i : i + step])]
    assert got == expected
    assert whole.flush() == pieces.flush()


def test_an_endless_code_is_bounded_and_told() -> None:
    splitter = Splitter("utf-8", 16)
    assert texts(splitter, *[b"x" * 1000] * 50) == []
    (code,) = splitter.feed(b"\r")
    assert code.problem == "longer than 16 bytes"
    assert len(code.raw) == 16
    assert texts(splitter, b"next\r") == ["next"]


@pytest.mark.parametrize("raw", [b"\xff\xfe\r", b"ab\x07cd\r", b"\x00\x01\r"])
def test_bytes_that_are_no_text_are_told(raw: bytes) -> None:
    (code,) = Splitter("utf-8", 100).feed(raw)
    assert code.problem
    assert code.text == ""


def test_noise_before_stx_is_told_and_the_code_kept() -> None:
    noise, code = Splitter("utf-8", 100).feed(b"zz\x02A1\x03")
    assert (noise.problem, code.text) == ("bytes in front of STX", "A1")


# GTIN 09501101530003 is GS1's own example (GS1 Digital Link standard, section 2); the AI syntax is
# that of the GS1 General Specifications, section 7.8
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "]C101095011015300031726123110LOT-7\x1d21S99",
            {
                "symbology": "]C1",
                "format": "gs1",
                "gtin": "09501101530003",
                "expiry": "2026-12-31",
                "lot": "LOT-7",
                "serial": "S99",
            },
        ),
        (
            "(01)09501101530003(10)LOT-7",
            {"format": "gs1", "gtin": "09501101530003", "lot": "LOT-7"},
        ),
        (
            "https://id.gs1.org/01/09501101530003/10/LOT-7/21/S99?17=261231",
            {
                "format": "gs1-link",
                "gtin": "09501101530003",
                "lot": "LOT-7",
                "serial": "S99",
                "expiry": "2026-12-31",
            },
        ),
        ("00106141412345678908", {"format": "gs1", "sscc": "106141412345678908"}),
        ("]E09501101530003", {"symbology": "]E0", "format": "gtin", "gtin": "09501101530003"}),
        ("9501101530003", {"format": "gtin", "gtin": "09501101530003"}),
        ("9501101530004", {}),  # a house number of 13 digits is no error
        ("LOT-7", {}),
        ("10ABC", {}),  # biip alone would call this lot ABC
        ("https://example.com/orders/77", {}),
        ("]Q1anything", {"symbology": "]Q1"}),
        ("]", {}),
    ],
)
def test_what_a_code_says(text: str, expected: dict[str, str]) -> None:
    meaning = read(text)
    assert meaning.data == expected
    assert meaning.doubt == ""


@pytest.mark.parametrize(
    "text",
    [
        "]C10109501101530004",  # wrong check digit
        "]E09501101530004",
        "00106141412345678909",
        "(01)09501101530004(10)LOT-7",
        "https://id.gs1.org/01/09501101530004",
        "]C10555",  # there is no application identifier 05
        "]C1010950110153000317269931",  # no such day
    ],
)
def test_a_wrong_gs1_code_is_doubted_with_a_reason(text: str) -> None:
    meaning = read(text)
    assert meaning.data["format"] in ("gs1", "gs1-link", "gtin")
    assert meaning.doubt


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    read(text)
    read("]C1" + text)
    read("https://x/01/" + text)
    read("(01)" + text)


def make(**options: object) -> Scanner:
    settings = msgspec.convert({"url": "tcp://127.0.0.1:9", **options}, Scanner.Options)
    return Scanner("gate", settings, RealClock())


def test_it_is_a_driver() -> None:
    assert isinstance(make(), Driver)


@pytest.mark.parametrize(
    "url", ["gate:9004", "tcp://host", "serial://", "http://x:1", "tcp://:1", "tcp://h:x"]
)
def test_a_wrong_url_names_what_would_be_right(url: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="write tcp://"):
        make(url=url)


def test_listening_to_the_network_needs_named_peers() -> None:
    with pytest.raises(msgspec.ValidationError, match="peers"):
        make(url="listen://0.0.0.0:9004")
    with pytest.raises(msgspec.ValidationError, match="peers"):
        make(url="listen://gate.example:9004")
    with pytest.raises(msgspec.ValidationError, match=r"write e\.g\."):
        make(url="listen://0.0.0.0:9004", peers=["10.0.0.20/8"])
    make(url="listen://0.0.0.0:9004", peers=["10.0.0.20/32"])
    make(url="listen://127.0.0.1:9004")


def test_addresses() -> None:
    Scanner.check_address("scan")
    Scanner.check_address("scan?prefix=LOT-")
    with pytest.raises(ValueError, match="scan\\?prefix="):
        Scanner.check_address("barcode")


async def test_nobody_there_is_unreachable() -> None:
    driver = make(url="tcp://127.0.0.1:9")
    with pytest.raises(Unreachable) as caught:
        await driver.connect()
    assert caught.value.remedy
    assert driver.health.state == "offline"


async def test_a_missing_serial_port_is_unreachable() -> None:
    driver = make(url="serial:///dev/no-such-port?baud=9600")
    with pytest.raises(Unreachable):
        await driver.connect()


async def test_a_wrong_serial_setting_is_unreachable() -> None:
    driver = make(url="serial:///dev/null?baud=fast")
    with pytest.raises(Unreachable):
        await driver.connect()


async def test_a_number_cannot_come_from_a_scanner() -> None:
    driver = make()
    stream = driver.stream({1: Signal(id="gate.count", source="gate:scan")})
    (event,) = await anext(stream)
    assert event.status & 3 == Severity.BAD
    assert "kind" in driver.health.signals["gate.count"]
    await stream.aclose()


async def test_writing_is_refused() -> None:
    with pytest.raises(DoorError, match="cannot be written"):
        await make().write(None, Signal(id="gate.label"))  # type: ignore[arg-type]


async def test_a_full_queue_leaves_a_counted_gap() -> None:
    driver = make(queue=2, repeat=0)
    for number in range(5):
        for code in Splitter("utf-8", 99).feed(b"C%d\r" % number):
            driver._arrived(driver._feed(), code)
    stream = driver.stream({1: Signal(id="gate.label", kind="scan", source="gate:scan")})
    first = await anext(stream)
    assert [event.kind for event in first] == ["scan", "gap"]
    assert first[1].data["lost"] == "3"
    assert "dropped" in driver.health.problem
    await stream.aclose()
