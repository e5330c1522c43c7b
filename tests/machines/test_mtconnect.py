"""MTConnect without a wire: lines, documents, the device model, logs, recordings."""

from __future__ import annotations

import contextlib
import gzip
import logging
from contextlib import aclosing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from deungdae.core import units
from deungdae.core.clock import RealClock, SimulatedClock, from_iso
from deungdae.core.errors import BadReply, DoorError, FactoryError
from deungdae.core.ports import Driver
from deungdae.core.types import SECOND, Batch, Signal
from deungdae.machines.mtconnect import Mtconnect, document, model, shdr
from deungdae.machines.mtconnect.lines import Reader
from deungdae.machines.mtconnect.log import Part, read_log
from deungdae.machines.mtconnect.multipart import Splitter, boundary
from deungdae.machines.mtconnect.reading import Reading
from deungdae.machines.mtconnect.table import Table

NIST = "nist-smstestbed"
LOG = logging.getLogger("deungdae.machines.test")
T0 = "2026-03-01T00:00:00Z"


def read(line: str, **shapes: str) -> list[tuple[str, str, dict[str, str] | None]]:
    return [(each.item, each.value, each.data) for each in shdr.parse(line, shapes)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("T|a|1", [("a", "1", None)]),
        ("T|a|1|b|READY", [("a", "1", None), ("b", "READY", None)]),
        ("T|a|", [("a", "", None)]),
        ("|a|1", [("a", "1", None)]),
        ("T|dev1:a| 1 ", [("dev1:a", "1", None)]),
        ("T|a|UNAVAILABLE|b|UNAVAILABLE|c|UNAVAILABLE", [(n, "UNAVAILABLE", None) for n in "abc"]),
        ("T|c|Normal||||", [("c", "NORMAL", {"level": "NORMAL"})]),
        ("T|c|unavailable||||", [("c", "UNAVAILABLE", {"level": "UNAVAILABLE"})]),
        (
            "T|c|Warning|1101|||INTERFERE",
            [("c", "WARNING", {"level": "WARNING", "nativeCode": "1101", "text": "INTERFERE"})],
        ),
        (
            "T|a|5|c|fault|E7|2|HIGH|too hot|b|6",
            [
                ("a", "5", None),
                (
                    "c",
                    "FAULT",
                    {
                        "level": "FAULT",
                        "nativeCode": "E7",
                        "nativeSeverity": "2",
                        "qualifier": "HIGH",
                        "text": "too hot",
                    },
                ),
                ("b", "6", None),
            ],
        ),
        ("T|m|77|Change the insert", [("m", "Change the insert", {"nativeCode": "77"})]),
        (r'T|p|"A\|B"|b|1', [("p", "A|B", None), ("b", "1", None)]),
    ],
)
def test_lines_are_read_by_their_shape(
    line: str, expected: list[tuple[str, str, dict[str, str] | None]]
) -> None:
    assert read(line) == expected


def test_a_device_file_decides_where_the_shape_cannot() -> None:
    assert read("T|a|FAULT|b|1|c|2|d|3", a="VALUE")[1] == ("b", "1", None)
    assert read("T|m|1|two|m|3|four", m="MESSAGE")[1] == ("m", "four", {"nativeCode": "3"})
    series = read("T|w|3|100|1 2 3", w="TIME_SERIES")
    assert series == [("w", "1 2 3", {"sampleCount": "3", "sampleRate": "100"})]


@pytest.mark.parametrize("line", ["", "T", "T|a", "T||1", "T|dev:|1", "T|a|1|b|2|c"])
def test_a_corrupt_line_says_what_is_wrong(line: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        shdr.parse(line)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    line = text.replace("\n", " ")
    try:
        parsed = shdr.parse(line)
    except ValueError:
        return
    assert all(reading.item for reading in parsed)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_lines_are_the_same_whatever_pieces_they_come_in(noise: bytes, size: int) -> None:
    data = b"T|a|1\n* PONG 10000\n" + noise + b"\n" + b"T|b|2|c|Normal||||\r\n"
    whole = Reader({}, LOG).feed(data)
    reader = Reader({}, LOG)
    pieces = [reader.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert [reading for piece in pieces for reading in piece] == whole


def test_assets_of_many_lines_are_skipped() -> None:
    asset = b"T|@ASSET@|a1|CuttingTool|--multiline--XYZ\n<A>\nT|b|9\n--multiline--XYZ\n"
    found = Reader({}, LOG).feed(asset + b"T|@UPDATE_ASSET@|a1|x|1\nT|a|1\n")
    assert [(reading.item, reading.value) for reading in found] == [("a", "1")]


def test_an_asset_that_never_ends_does_not_swallow_the_stream_for_ever() -> None:
    reader = Reader({}, LOG)
    reader.feed(b"T|@ASSET@|a1|CuttingTool|--multiline--XYZ\n" + b"x\n" * 100_001)
    assert len(reader.feed(b"T|a|1\n")) == 1


DEVICES = """<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:{version}"><Devices>
<Device id="d" name="Mill" uuid="u-1"><DataItems>
  <DataItem category="EVENT" id="avail" type="AVAILABILITY"/></DataItems>
 <Components><Axes id="axes"><Components><Linear id="x" name="X"><DataItems>
  <DataItem category="SAMPLE" id="x1" name="Xpos" type="POSITION" units="MILLIMETER"/>
  <DataItem category="SAMPLE" id="x2" type="ACCELERATION" units="MILLIMETER/SECOND^2"
    representation="TIME_SERIES" sampleRate="1000"/>
  <DataItem category="CONDITION" id="x3" name="travel" type="POSITION"/>
 </DataItems></Linear></Components></Axes>
 <Controller id="c"><DataItems>
  <DataItem category="EVENT" id="m1" type="MESSAGE"/>
  <DataItem category="EVENT" id="p1" type="PROGRAM"/>
  <DataItem category="EVENT" id="n1" type="PART_COUNT"/>
  <DataItem category="SAMPLE" id="q1" type="PATH_POSITION" units="MILLIMETER_3D"/>
 </DataItems></Controller></Components></Device></Devices></MTConnectDevices>"""


@pytest.mark.parametrize("version", ["1.0", "1.3", "2.4", "3.0"])
def test_the_device_model_of_any_version(version: str) -> None:
    root = document.parse(DEVICES.format(version=version).encode(), "MTConnectDevices")
    items = {item.id: item for item in model.items(root)}
    assert items["x1"].path == "Mill/axes/X"
    kinds = {key: item.kind for key, item in items.items()}
    assert kinds == {
        "avail": "state", "x1": "number", "x2": "number", "x3": "alarm",
        "m1": "text", "p1": "text", "n1": "number", "q1": "text",
    }  # fmt: skip
    assert items["x2"].unit == "mm/s2"
    assert items["x2"].rate == 1000
    assert [items[key].shape for key in ("x1", "x2", "x3", "m1")] == [
        "VALUE", "TIME_SERIES", "CONDITION", "MESSAGE",
    ]  # fmt: skip


def test_every_unit_of_the_standard_is_ucum_or_nothing(shared_data: Path) -> None:
    schema = shared_data.parent / "standards/mtconnect/MTConnectDevices_2.7_1.0.xsd"
    space = {"xs": "http://www.w3.org/2001/XMLSchema"}
    kinds = "//xs:simpleType[@name='UnitsEnum' or @name='NativeUnitsEnum']//xs:enumeration/@value"
    names = {str(name) for name in etree.parse(schema).xpath(kinds, namespaces=space)}
    unknown = {name for name in names if not model.ucum(name)}
    assert len(names) > 90
    assert unknown == {
        "PH",
        "UNIT_VECTOR_3D",
        "OTHER",
        "GRAVITATIONAL_FORCE",
        "RANKINE",
        "MICROTORR",
    }
    for name in names - unknown:
        units.parse(model.ucum(name))
    assert model.ucum("REVOLUTION/MINUTE") == "/min"
    assert model.ucum("MILLIMETER/REVOLUTION") == "mm"
    assert model.ucum("POUND/INCH^2") == "[lb_av]/[in_i]2"


def error_document(version: str) -> bytes:
    error = "<Error errorCode='OUT_OF_RANGE'>'from' must be above 5</Error>"
    if version == "2.0":
        error = (
            "<OutOfRange errorCode='OUT_OF_RANGE'><ErrorMessage>'from' must be above 5"
            "</ErrorMessage></OutOfRange>"
        )
    if version == "2.7":
        error = (
            "<OutOfRange><URI>/sample</URI><ErrorMessage>'from' must be above 5</ErrorMessage>"
            "</OutOfRange>"
        )
    space = f"urn:mtconnect.org:MTConnectError:{version}"
    inner = error if version == "1.0" else f"<Errors>{error}</Errors>"
    return f"<MTConnectError xmlns='{space}'><Header/>{inner}</MTConnectError>".encode()


@pytest.mark.parametrize("version", ["1.0", "1.3", "2.0", "2.7"])
def test_errors_of_any_version_are_raised_in_the_agents_words(version: str) -> None:
    with pytest.raises(document.OutOfRangeError, match="OUT_OF_RANGE: 'from' must be above 5"):
        document.parse(error_document(version), "MTConnectStreams")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no XML"),
        (b"<a", "no XML"),
        (b"<Fault><code>7</code><reason>Search address missing</reason></Fault>", "Search address"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "DOCTYPE"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "DOCTYPE"),
        (b"<MTConnectError/>", "MTConnectError"),
    ],
)
def test_what_is_no_such_document_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BadReply, match=problem):
        document.parse(content, "MTConnectStreams")


def test_the_nist_stream_documents_are_read_in_full(shared_data: Path) -> None:
    folder = shared_data / NIST
    for name in (
        "raw/qdr_input/qdr_input001.xml.gz",
        "tdp/mtc/MTConnect/Cover-Hurco04-01of20.xml.gz",
    ):
        content = gzip.decompress((folder / name).read_bytes())
        root = document.parse(content, "MTConnectStreams")
        ids = {node.get("dataItemId", "") for node in root.iter("{*}*")}
        assert sum(1 for _ in document.readings(root, ids)) == content.count(b" dataItemId=")
        assert document.header(root).next > 1


@pytest.mark.parametrize("text", ["", "<Header/>", "<Header firstSequence='1' nextSequence='x'/>"])
def test_a_streams_document_needs_its_header(text: str) -> None:
    root = document.parse(
        f"<MTConnectStreams>{text}</MTConnectStreams>".encode(), "MTConnectStreams"
    )
    with pytest.raises(BadReply, match="Header"):
        document.header(root)


@pytest.mark.parametrize("length", [True, False])
@given(
    documents=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5),
    size=st.integers(1, 30),
)
def test_a_multipart_stream_is_cut_whatever_pieces_it_comes_in(
    length: bool, documents: list[bytes], size: int
) -> None:
    clean = [b"<" + each.replace(b"-", b"+").replace(b"\r", b" ") + b">" for each in documents]
    data = b""
    for each in clean:
        head = f"Content-length: {len(each)}\r\n" if length else ""
        data += b"\r\n--cut\r\nContent-type: text/xml\r\n" + head.encode() + b"\r\n" + each
    data += b"\r\n--cut\r\n\r\n"
    splitter = Splitter("cut", 10_000)
    pieces = [splitter.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert [part.strip() for piece in pieces for part in piece] == [each.strip() for each in clean]


def test_a_part_that_is_too_long_is_refused_before_it_is_held() -> None:
    with pytest.raises(BadReply, match="above the limit"):
        Splitter("b", 100).feed(b"--b\r\nContent-Length: 101\r\n\r\n")
    with pytest.raises(BadReply, match="longer"):
        Splitter("b", 100).feed(b"--b\r\n\r\n" + b"x" * 200)
    with pytest.raises(BadReply, match="head"):
        Splitter("b", 1 << 20).feed(b"--b" + b"x" * 9000)


def test_the_boundary_is_found() -> None:
    assert boundary('multipart/x-mixed-replace; boundary="a b"') == "a b"
    assert boundary("Multipart/X-Mixed-Replace;boundary=abc") == "abc"
    assert boundary("text/xml") is None


def translate(signal: Signal, *readings: Reading) -> Batch:
    (batch,) = Table({1: signal}, None).translate(readings, received=7)
    assert isinstance(batch, Batch)
    return batch


def test_numbers_that_are_none_are_bad_never_good() -> None:
    values = ["1.5", "UNAVAILABLE", "", "nan", "inf", "1_000", "READY", "0x10", "2e3"]
    batch = translate(
        Signal(id="m.x", source="a:x"), *(Reading("x", T0, value) for value in values)
    )
    good = batch.status == 0
    assert batch.value[good].tolist() == [1.5, 2000.0]
    assert (batch.status[~good] == 2).all()


def test_a_missing_or_wild_time_is_the_time_of_receipt_and_says_so() -> None:
    times = ["", "yesterday", "9999-01-01T00:00:00Z", "2026-03-01T00:00:00", T0]
    batch = translate(Signal(id="m.x", source="a:x"), *(Reading("x", time, "1") for time in times))
    assert batch.status.tolist() == [4, 4, 4, 0, 0]
    assert batch.time.tolist() == [7, 7, 7, from_iso(T0), from_iso(T0)]


def test_addresses_that_name_several_items_ask_for_the_id() -> None:
    text = DEVICES.format(version="1.3")
    device = text[text.index("<Device ") : text.index("</Devices>")]
    twice = text.replace(device, device + device.replace('name="Mill"', 'name="Mill2"'))
    items = model.items(document.parse(twice.encode(), "MTConnectDevices"))
    signals = {
        1: Signal(id="m.a", source="a:Mill2/Xpos"),
        2: Signal(id="m.b", source="a:Xpos"),
        3: Signal(id="m.c", source="a:Ypos"),
    }
    table = Table(signals, items)
    assert set(table.problems) == {"m.b", "m.c"}
    assert "2 data items" in table.problems["m.b"]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def parts(path: Path, asset: str = "m") -> tuple[dict[str, Signal], list[Part]]:
    log = read_log([path], asset)
    handles = {signal.id: place for place, signal in enumerate(log.signals)}
    return {signal.id: signal for signal in log.signals}, list(log.parts(handles, received=9))


def test_a_log_has_the_signals_that_its_values_show(tmp_path: Path) -> None:
    text = (
        "2026-03-01T00:00:00Z|n|UNAVAILABLE\n2026-03-01T00:00:01Z|n|1.5\n"
        "2026-03-01T00:00:00Z|s|READY\n2026-03-01T00:00:00Z|t|Part 7\n"
        "2026-03-01T00:00:00Z|c|Warning|12|||hot\n2026-03-01T00:00:00Z|never|UNAVAILABLE\n"
        "2026-03-01T00:00:02.5Z|n|nan\n2026-03-01T00:00:03Z|dev:a.b|3|n|4\n"
    )
    signals, (part,) = parts(write(tmp_path, "log.txt", text))
    kinds = {id: signal.kind for id, signal in signals.items()}
    assert kinds == {
        "m.n": "number", "m.s": "state", "m.t": "text", "m.c": "alarm",
        "m.never": "state", "m.a_b": "number",
    }  # fmt: skip
    number = list(signals).index("m.n")
    rows = part.batch.take(part.batch.signal == number)
    assert rows.value[np.isfinite(rows.value)].tolist() == [1.5, 4.0]
    assert rows.status.tolist() == [2, 0, 2, 0]
    told = {event.id: event for event in part.events}
    assert told["m.c"].data == {"level": "WARNING", "nativeCode": "12", "text": "hot"}
    assert told["m.never"].status == 2
    assert part.lines == 8
    assert part.faults == ()


def test_corrupt_lines_are_named_with_their_place_and_the_rest_is_read(tmp_path: Path) -> None:
    text = (
        "2026-03-01T00:00:00Z|a|1\n\nno bar\n2026-13-01T00:00:00Z|a|2\n* PING\n"
        "2026-03-01T00:00:00Z|a|1|b|2|c\n2026-03-01T00:00:05|a|3\n|a|4\n2026-03-01T00:00:06Z|a|5"
    )
    path = write(tmp_path, "log.txt", text)
    _, (part,) = parts(path)
    assert part.batch.value.tolist() == [1.0, 3.0, 5.0]
    assert part.lines == 9
    places = [fault.removeprefix(f"{path}:").partition(":")[0] for fault in part.faults]
    assert places == ["3", "4", "6", "8"]


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = gzip.compress(b"2026-03-01T00:00:00Z|a|1\n" * 200_000)
    _, found = parts(write(tmp_path, "log", whole[: len(whole) // 2]))
    assert 0 < sum(len(part.batch) for part in found) < 200_000
    assert "breaks off" in found[-1].faults[-1]


def test_an_empty_log_is_nothing_and_a_missing_one_an_error(tmp_path: Path) -> None:
    assert parts(write(tmp_path, "log.txt.gz", "")) == ({}, [])
    with pytest.raises(FactoryError, match="none"):
        parts(tmp_path / "none")


def test_a_device_file_gives_units_and_kinds(tmp_path: Path, shared_data: Path) -> None:
    devices = shared_data / NIST / "mtconnect/agent/Devices.xml"
    path = write(tmp_path, "log", f"{T0}|Srpm|1200\n{T0}|program|1000\n{T0}|Xtravel|Normal||||\n")
    log = read_log([path], "Mazak01", devices)
    found = {signal.name: (signal.kind, signal.unit) for signal in log.signals}
    assert found == {
        "Srpm": ("number", "/min"), "program": ("text", "1"), "Xtravel": ("alarm", "1"),
    }  # fmt: skip
    with pytest.raises(FactoryError, match=r"no device 'Mazak99', but .*Mazak01"):
        read_log([path], "Mazak99", devices)
    with pytest.raises(FactoryError, match="cannot be read"):
        read_log([path], "Mazak01", path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_log_or_faults(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "any", f"{T0}|a|1\n".encode() + content + f"\n{T0}|a|2".encode())
    _, found = parts(path)
    total = sum(len(part.batch) + len(part.events) for part in found)
    assert total >= 1  # an asset's beginning may hide the end


def test_a_time_series_in_a_log_is_all_its_values(tmp_path: Path) -> None:
    devices = write(tmp_path, "Devices.xml", DEVICES.format(version="1.3"))
    path = write(tmp_path, "log", f"{T0}|x2|3|100|1 2 UNAVAILABLE\n")
    log = read_log([path], "Mill", devices)
    (part,) = log.parts({"Mill.x2": 0}, received=9)
    assert (part.batch.time - from_iso(T0)).tolist() == [-20_000_000, -10_000_000, 0]
    assert part.batch.value[:2].tolist() == [1.0, 2.0]
    assert part.batch.status.tolist() == [0, 0, 2]


def test_the_nist_logs_have_no_corrupt_line(shared_data: Path) -> None:
    day = shared_data / NIST / "raw/GFAgie01/GFAgie01-20161014-20161015.txt.gz"
    signals, (part,) = parts(day, "GFAgie01")
    assert part.faults == ()
    assert part.lines == len(part.batch) + len(part.events)
    assert signals["GFAgie01.Xposition"].kind == "number"
    assert signals["GFAgie01.path_pos"].kind == "text"
    assert signals["GFAgie01.system"].kind == "alarm"


def test_a_recording_plays_logs_at_their_pace_once(tmp_path: Path) -> None:
    write(tmp_path, "a-1.gz", "2026-03-01T00:00:00Z|x|1\n2026-03-01T00:00:10Z|x|2\n")
    write(tmp_path, "a-2.gz", "2026-03-01T00:00:05Z|x|2\n2026-03-01T00:01:00Z|x|3")
    start = from_iso("2026-11-01")
    options = Mtconnect.Options(url=f"file://{tmp_path}/a-*.gz", speed=10.0)
    clock = SimulatedClock(start)
    driver = Mtconnect("r", options, clock)
    seen: list[tuple[float, int]] = []

    async def listen() -> None:
        await driver.connect()
        signals = {1: Signal(id="m.x", source="r:x")}
        for _ in range(2):
            async with aclosing(driver.stream(signals)) as stream:  # type: ignore[type-var]
                async for item in stream:
                    assert isinstance(item, Batch)
                    seen.extend((value, clock.now() - start) for value in item.value.tolist())
        assert [node.address async for node in driver.browse()] == ["x"]
        await driver.close()

    clock.run(listen())
    assert seen == [(1.0, 0), (2.0, SECOND), (2.0, SECOND), (3.0, 6 * SECOND)]


def played(path: Path) -> tuple[Mtconnect, SimulatedClock]:
    """Return the door and the clock after a recording was played."""
    clock = SimulatedClock(0)
    driver = Mtconnect("r", Mtconnect.Options(url=f"file://{path}"), clock)

    async def listen() -> None:
        await driver.connect()
        async for _ in driver.stream({1: Signal(id="m.x", source="r:x")}):
            pass

    with contextlib.suppress(BadReply):
        clock.run(listen())
    return driver, clock


def test_a_recording_does_not_wait_long_for_its_gaps(tmp_path: Path) -> None:
    text = "2026-03-01T00:00:00Z|x|1\n2026-03-15T00:00:00Z|x|2\n"
    driver, clock = played(write(tmp_path, "a", text))
    assert clock.now() == 60 * SECOND
    assert driver.health.problem == ""


def test_a_recording_says_where_it_breaks_off(tmp_path: Path) -> None:
    whole = gzip.compress(b"2026-03-01T00:00:00Z|x|1\n")
    driver, _ = played(write(tmp_path, "a", whole[:-8]))
    assert driver.health.state == "offline"
    assert "to its end" in driver.health.problem


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "10.0.0.1:5000", "file://"])
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        msgspec.convert({"url": url}, Mtconnect.Options)


async def test_it_is_a_driver_that_cannot_write() -> None:
    driver = Mtconnect("a", Mtconnect.Options(url="http://127.0.0.1:1"), RealClock())
    assert isinstance(driver, Driver)
    assert driver.health.state == "stopped"
    with pytest.raises(DoorError, match="only be read"):
        await driver.write(None, Signal(id="m.x"))  # type: ignore[arg-type]
    for wrong in ("", "#x", "x#"):
        with pytest.raises(ValueError, match="execution"):
            Mtconnect.check_address(wrong)
