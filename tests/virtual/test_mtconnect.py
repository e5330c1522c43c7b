"""The simulated MTConnect agent without a socket: its model, its buffer, its documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from lxml import etree

from deungdae.core.units import conversion
from deungdae.machines.mtconnect import model as reading
from deungdae.sim import plant
from deungdae.sim.plant import Quantity
from deungdae.sim.plant.parts import Alarm
from deungdae.virtual.mtconnect import documents
from deungdae.virtual.mtconnect.buffer import Buffer, Observation
from deungdae.virtual.mtconnect.model import _RULES, _VOCABULARIES, Component, Item, device

XS = {"xs": "http://www.w3.org/2001/XMLSchema"}
HEADER = documents.Header(
    created=1_790_000_000_123_456_789, began=1_790_000_000_000_000_000, instance=7, sender="mill",
    size=64, sequence=(1, 9, 10),
)  # fmt: skip
MILL = (
    Quantity(name="execution", kind="state", states=("READY", "ACTIVE", "UNAVAILABLE")),
    Quantity(name="mode", kind="state", states=("AUTOMATIC", "MANUAL")),
    Quantity(name="door", kind="state", states=("OPEN", "CLOSED")),
    Quantity(name="chuck", kind="state", states=("OPEN", "CLOSED")),
    Quantity(name="belt", kind="state", states=("fast", "slow")),
    Quantity(name="program", kind="text"),
    Quantity(name="remark", kind="text"),
    Quantity(name="part_count"),
    Quantity(name="tool"),
    Quantity(name="x_position", unit="m"),
    Quantity(name="spindle_speed", unit="/min"),
    Quantity(name="spindle_load", unit="%"),
    Quantity(name="feed", unit="mm/min"),
    Quantity(name="feed_override", unit="%"),
    Quantity(name="energy", unit="kW.h"),
    Quantity(name="coolant_temperature", unit="Cel"),
    Quantity(name="coolant_pressure", unit="bar"),
    Quantity(name="roughness"),
)
ALARMS = (
    Alarm(name="hot", active=True, severity=500, message="coolant < cold",
          quantity="coolant_temperature"),
    Alarm(name="crash", active=True, severity=900, message="axis & tool"),
    Alarm(name="lubrication", active=False, severity=300, message="low"),
)  # fmt: skip


def items(root: Component) -> dict[str, Item]:
    return {item.name: item for part in root.below() for item in part.items}


def places(root: Component) -> dict[str, str]:
    return {item.name: part.id for part in root.below() for item in part.items}


def check(content: bytes, kind: str, shared_data: Path) -> etree._Element:
    """Return the document, which the standard's own schema has found right."""
    path = shared_data.parent / f"standards/mtconnect/MTConnect{kind}_2.4_1.0.xsd"
    root = etree.fromstring(content)
    etree.XMLSchema(etree.parse(path)).assertValid(root)
    return root


def observed(root: Component, quantities: Sequence[Quantity]) -> list[Observation]:
    """Return one observation of each data item, the first state of each state."""
    buffer = Buffer(64)
    known = items(root)
    buffer.add(known["availability"], HEADER.created, "AVAILABLE")
    for quantity in quantities:
        value = quantity.states[0] if quantity.kind == "state" else 2.5
        item = known[quantity.name]
        buffer.add(item, HEADER.created, item.said(value))
    for level, alarm in zip(("Warning", "Fault", "Normal"), ALARMS, strict=True):
        text = alarm.message if alarm.active else ""
        buffer.add(known[alarm.name], HEADER.created, level, text, alarm.severity)
    return buffer.current({item.id for item in known.values()})


def test_a_quantity_becomes_what_mtconnect_calls_it() -> None:
    known = items(device("mill", MILL, ALARMS))
    types = {name: (item.category, item.type) for name, item in known.items()}
    assert types == {
        "availability": ("EVENT", "AVAILABILITY"),
        "execution": ("EVENT", "EXECUTION"),
        "mode": ("EVENT", "CONTROLLER_MODE"),
        "door": ("EVENT", "DOOR_STATE"),
        "chuck": ("EVENT", "CHUCK_STATE"),
        "belt": ("EVENT", "VARIABLE"),
        "program": ("EVENT", "PROGRAM"),
        "remark": ("EVENT", "VARIABLE"),
        "part_count": ("EVENT", "PART_COUNT"),
        "tool": ("EVENT", "TOOL_NUMBER"),
        "x_position": ("SAMPLE", "POSITION"),
        "spindle_speed": ("SAMPLE", "ROTARY_VELOCITY"),
        "spindle_load": ("SAMPLE", "LOAD"),
        "feed": ("SAMPLE", "PATH_FEEDRATE"),
        "feed_override": ("EVENT", "PATH_FEEDRATE_OVERRIDE"),
        "energy": ("SAMPLE", "ELECTRICAL_ENERGY"),
        "coolant_temperature": ("SAMPLE", "TEMPERATURE"),
        "coolant_pressure": ("SAMPLE", "PRESSURE"),
        "roughness": ("EVENT", "VARIABLE"),
        "hot": ("CONDITION", "TEMPERATURE"),
        "crash": ("CONDITION", "SYSTEM"),
        "lubrication": ("CONDITION", "SYSTEM"),
    }


def test_values_are_in_the_units_of_mtconnect() -> None:
    known = items(device("mill", MILL, ()))
    assert known["x_position"].said(0.25) == "250"
    assert known["energy"].said(2.0) == "7200000"
    assert known["coolant_pressure"].said(4.0) == "400000"
    assert known["feed"].said(60.0) == "1"
    assert known["part_count"].said(17.0) == "17"
    assert known["program"].said("O1234") == "O1234"
    wild = [known["feed"].said(x) for x in (float("nan"), float("inf"), -float("inf"))]
    assert wild == ["NaN", "INF", "-INF"]


def test_it_lies_where_a_machine_tool_has_it() -> None:
    where = places(device("mill", MILL, ALARMS))
    assert where["x_position"] == "device-axes-X"
    assert where["spindle_load"] == "device-axes-S"
    assert where["execution"] == where["part_count"] == where["feed"] == "device-controller-path"
    assert where["mode"] == "device-controller"
    assert where["energy"] == "device-systems-electric"
    assert where["coolant_temperature"] == where["hot"] == "device"


def test_rules_and_words_are_those_of_the_standard(shared_data: Path) -> None:
    folder = shared_data.parent / "standards/mtconnect"
    devices = etree.parse(folder / "MTConnectDevices_2.4_1.0.xsd")
    streams = etree.parse(folder / "MTConnectStreams_2.4_1.0.xsd")

    def words(tree: etree._ElementTree, name: str) -> set[str]:
        path = f"//xs:simpleType[@name='{name}']//xs:enumeration/@value"
        return {str(word) for word in tree.xpath(path, namespaces=XS)}

    elements = {str(x) for x in streams.xpath("//xs:element/@name", namespaces=XS)}
    for rule in _RULES:
        assert rule.type in words(devices, "DataItemEnumEnum")
        assert not rule.units or rule.units in words(devices, "UnitsEnum")
        assert not rule.sub_type or rule.sub_type in words(devices, "DataItemSubEnumEnum")
        item = Item(id="x", name="x", category=rule.category, type=rule.type)
        assert item.tag in elements
        if rule.units:  # what we write is what our own door will take it for
            assert conversion(reading.ucum(rule.units), rule.code) == (1.0, 0.0)
    for type, known in _VOCABULARIES.items():
        tag = Item(id="x", name="x", category="EVENT", type=type).tag
        assert set(known) <= words(streams, f"{tag}ValueType") | words(streams, f"{tag}Enum"), tag


@pytest.mark.parametrize("model", ["", *plant.models()])
def test_documents_are_what_the_schema_demands(model: str, shared_data: Path) -> None:
    quantities = plant.create(model, 1, {}).quantities if model else MILL
    root = device("mill", quantities, ALARMS)
    probe = check(documents.devices(root, HEADER), "Devices", shared_data)
    found = {item.name: item for item in reading.items(probe)}  # as our own door reads it
    assert found.keys() == items(root).keys()
    told = documents.streams(root, observed(root, quantities), HEADER)
    assert len(check(told, "Streams", shared_data).findall(".//*[@sequence]")) == len(found)


def test_conditions_and_values_are_told() -> None:
    root = device("mill", MILL, ALARMS)
    told = etree.fromstring(documents.streams(root, observed(root, MILL), HEADER))
    hot = told.find(".//{*}Warning")
    assert (hot.text, hot.get("nativeCode"), hot.get("type")) == (
        "coolant < cold", "hot", "TEMPERATURE",
    )  # fmt: skip
    assert told.find(".//{*}Fault").get("nativeSeverity") == "900"
    assert told.find(".//{*}Normal").text is None
    assert told.find(".//{*}Execution").text == "READY"
    assert told.find(".//{*}ElectricalEnergy").get("timestamp") == "2026-09-21T14:13:20.123456789Z"


def test_a_refusal_is_what_the_schema_demands(shared_data: Path) -> None:
    for code in ("OUT_OF_RANGE", "INVALID_REQUEST", "INVALID_URI", "NO_DEVICE", "INVALID_PATH",
                 "UNSUPPORTED"):  # fmt: skip
        root = check(documents.error(code, "from=9 is < 12 & gone", HEADER), "Error", shared_data)
        assert root.find(".//{*}Error").get("errorCode") == code
        assert root.find(".//{*}Error").text == "from=9 is < 12 & gone"


A = Item(id="a", name="a", category="EVENT", type="PROGRAM")
B = Item(id="b", name="b", category="EVENT", type="BLOCK")


def test_only_changes_are_numbered() -> None:
    buffer = Buffer(16)
    assert (buffer.first, buffer.next) == (1, 1)
    for time, value in enumerate(["one", "one", "two"]):
        buffer.add(A, time, value)
    assert [(seen.sequence, seen.time, seen.value) for seen in buffer.current({"a"})] == [
        (2, 2, "two")
    ]
    assert [seen.value for seen in buffer.sample({"a"}, 1, 10)[0]] == ["one", "two"]
    assert (buffer.first, buffer.next) == (1, 3)


def test_what_falls_out_is_known_only_as_it_was() -> None:
    buffer = Buffer(3)
    buffer.add(A, 0, "a1")
    for number in range(5):
        buffer.add(B, number, f"b{number}")
    assert (buffer.first, buffer.next) == (4, 7)
    assert [seen.value for seen in buffer.current({"a", "b"})] == ["a1", "b4"]
    assert [seen.value for seen in buffer.current({"a", "b"}, at=5)] == ["a1", "b3"]
    assert [seen.value for seen in buffer.current({"b"}, at=4)] == ["b2"]


def test_a_sample_says_where_to_go_on() -> None:
    buffer = Buffer(16)
    for number in range(6):
        buffer.add((A, B)[number % 2], number, str(number))
    found, following = buffer.sample({"b"}, 1, 2)
    assert ([seen.value for seen in found], following) == (["1", "3"], 5)
    found, following = buffer.sample({"b"}, following, 2)
    assert ([seen.value for seen in found], following) == (["5"], 7)
    assert buffer.sample({"b"}, 7, 2) == ([], 7)
