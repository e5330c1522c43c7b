"""The virtual edge node without a broker: what it says, in which order, and what it obeys."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Bridge
from deungdae.sim import plant
from deungdae.virtual.sparkplug import Sparkplug
from deungdae.virtual.sparkplug.edge import Edge, host_state, number
from deungdae.wires import sparkplug as wire
from deungdae.wires.mqtt.codec import Message
from deungdae.wires.sparkplug import Metric, Type

QUANTITIES = plant.create("kiln", 1, {}).quantities
VALUES: dict[str, float | str] = {quantity.name: 10.0 for quantity in QUANTITIES}
NOW = 1_700_000_000_000  # ms


def make(**more: object) -> Edge:
    settings = {"identity": {"Model": "kiln"}, "deadband": 0.0, "typed": False, **more}
    device = str(settings.pop("device", "oven"))
    return Edge("plant", "line1", device, QUANTITIES, **settings)  # type: ignore[arg-type]


def names(payload: bytes) -> list[str]:
    return [metric.name for metric in wire.decode(payload).metrics]


def test_births_tell_everything_and_data_only_aliases() -> None:
    edge = make()
    edge.connect()
    node, device = edge.births(VALUES, NOW)
    assert node.topic == "spBv1.0/plant/NBIRTH/line1"
    assert names(node.payload) == ["bdSeq", "Node Control/Rebirth", "Properties/Model"]
    assert all(metric.alias is None for metric in wire.decode(node.payload).metrics)
    assert device.topic == "spBv1.0/plant/DBIRTH/line1/oven"
    born = {metric.name: metric for metric in wire.decode(device.payload).metrics}
    assert list(born) == [quantity.name for quantity in QUANTITIES]
    valve = born["valve"]
    assert (valve.datatype, valve.value, valve.timestamp) == (Type.DOUBLE, 10.0, NOW)
    assert valve.properties == {
        "readOnly": 0, "engUnit": "%", "engLow": 0.0, "engHigh": 100.0,
        "documentation": "gas valve opening",
    }  # fmt: skip
    assert born["temperature"].properties["readOnly"] == 1
    said = edge.data(VALUES | {"temperature": 11.0}, NOW + 1)
    assert said is not None
    assert said.topic == "spBv1.0/plant/DDATA/line1/oven"
    (metric,) = wire.decode(said.payload).metrics
    assert (metric.name, metric.alias) == ("", born["temperature"].alias)
    assert (metric.datatype, metric.value) == (0, 11.0)


def test_without_a_device_the_quantities_are_the_nodes_own() -> None:
    edge = make(device="")
    (birth,) = edge.births(VALUES, NOW)
    assert names(birth.payload)[-len(QUANTITIES) :] == [quantity.name for quantity in QUANTITIES]
    said = edge.data(VALUES | {"load": 1.0}, NOW)
    assert said is not None
    assert said.topic == "spBv1.0/plant/NDATA/line1"
    assert edge.commands == "spBv1.0/plant/NCMD/line1"


def test_typed_data_say_their_type() -> None:
    edge = make(typed=True)
    list(edge.births(VALUES, NOW))
    said = edge.data(VALUES | {"load": 1.0}, NOW)
    assert said is not None
    assert wire.decode(said.payload).metrics[0].datatype == Type.DOUBLE


def test_sequence_numbers_go_round_and_begin_anew_with_a_birth() -> None:
    edge = make()
    seen = [wire.decode(saying.payload).seq for saying in edge.births(VALUES, NOW)]
    for n in range(300):
        said = edge.data({"load": float(n)}, NOW)
        assert said is not None
        seen.append(wire.decode(said.payload).seq)
    assert seen == [n % 256 for n in range(302)]
    assert [wire.decode(saying.payload).seq for saying in edge.births(VALUES, NOW)] == [0, 1]


def test_birth_and_death_of_one_connection_share_their_number() -> None:
    edge = make()
    numbers = []
    for _ in range(258):
        edge.connect()
        death = edge.death(NOW)
        birth = next(iter(edge.births(VALUES, NOW)))
        died, born = wire.decode(death.payload), wire.decode(birth.payload)
        assert died.seq is None
        assert [metric.name for metric in died.metrics] == ["bdSeq"]
        assert died.metrics[0].value == born.metrics[0].value
        numbers.append(died.metrics[0].value)
    assert numbers == [n % 256 for n in range(258)]


def test_only_what_leaves_the_dead_band_is_said() -> None:
    edge = make(deadband=0.01)  # of 0..1600 Cel: 16 K
    list(edge.births(VALUES, NOW))
    assert edge.data(VALUES, NOW) is None
    assert edge.data(VALUES | {"temperature": 25.9}, NOW) is None
    assert edge.data(VALUES | {"temperature": 26.1}, NOW) is not None
    assert edge.data(VALUES | {"temperature": 11.0}, NOW) is None  # against what was said last
    for wild in (math.nan, math.inf, "#####"):
        assert edge.data(VALUES | {"temperature": wild}, NOW) is not None
    assert edge.data(VALUES | {"temperature": 26.0}, NOW) is not None  # a number again
    assert edge.data(VALUES | {"temperature": 26.0}, NOW, force=["valve"]) is not None


def test_states_and_texts_are_said_when_they_differ() -> None:
    press = plant.create("press", 1, {})
    edge = Edge("g", "n", "d", press.quantities, identity={}, deadband=0.5, typed=False)
    values = {quantity.name: press.get(quantity.name) for quantity in press.quantities}
    _, birth = edge.births(values, NOW)
    state = next(m for m in wire.decode(birth.payload).metrics if m.name == "state")
    assert (state.datatype, state.value) == (Type.STRING, "running")
    assert edge.data({"state": "running"}, NOW) is None
    assert edge.data({"state": "down"}, NOW) is not None


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Metric(field=wire.DOUBLE, value=2.5), 2.5),
        (Metric(field=wire.INT, value=0xFFFFFFFF, datatype=Type.INT32), -1.0),
        (Metric(field=wire.INT, value=0xFFFFFFFF), -1.0),
        (Metric(field=wire.INT, value=0xFFFFFFFF, datatype=Type.UINT32), 4294967295.0),
        (Metric(field=wire.LONG, value=(1 << 64) - 2), -2.0),
        (Metric(field=wire.BOOLEAN, value=1, datatype=Type.BOOLEAN), 1.0),
    ],
)
def test_commands_carry_numbers_of_any_type(metric: Metric, value: float) -> None:
    assert number(metric) == value


@pytest.mark.parametrize(
    "metric", [Metric(), Metric(null=True, value=1.0), Metric(field=wire.STRING, value="7")]
)
def test_commands_without_a_number_are_told(metric: Metric) -> None:
    with pytest.raises(ValueError, match="no number"):
        number(metric)


def test_a_command_names_a_quantity_by_alias_or_by_name() -> None:
    edge = make()
    list(edge.births(VALUES, NOW))
    by_name = edge.find(Metric(name="valve"))
    assert by_name is not None
    assert by_name.name == "valve"
    assert edge.find(Metric(alias=1)) == QUANTITIES[0]
    assert edge.find(Metric(alias=999, name="valve")) is None
    assert edge.find(Metric(name="heat")) is None


@given(st.binary(max_size=80))
def test_a_state_that_cannot_be_read_says_nothing(payload: bytes) -> None:
    assert host_state(payload) is None


def test_a_state_is_read() -> None:
    state = host_state(b'{"online": true, "timestamp": 1668114759262}')  # chapter 6's example
    assert state is not None
    assert (state.online, state.timestamp) == (True, 1668114759262)


def bridge(**options: object) -> Sparkplug:
    given = {"broker": {"url": "mqtt://127.0.0.1:1"}, **options}
    return Sparkplug("oven", msgspec.convert(given, Sparkplug.Options), RealClock())


def test_it_is_a_bridge_with_faults() -> None:
    made = bridge()
    assert isinstance(made, Bridge)
    assert made.faults.on == []


async def test_a_machine_that_cannot_live_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def live(*_: object) -> None:
        raise Unreachable("there is no such line")

    monkeypatch.setattr("deungdae.virtual.sparkplug.live", live)
    made = bridge()
    with pytest.raises(Unreachable, match="no such line"):
        await made.serve()
    assert made.health.state == "stopped"


@pytest.mark.parametrize("field", ["group", "node", "device", "host_id"])
def test_names_that_no_topic_can_hold_are_refused(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        bridge(**{field: "a/b"})


@given(topic=st.sampled_from(["NCMD/oven", "DCMD/oven/machine"]), payload=st.binary(max_size=60))
def test_commands_that_cannot_be_read_change_nothing(topic: str, payload: bytes) -> None:
    made = bridge()
    made._obey(Message(f"spBv1.0/plant/{topic}".encode(), payload))
    assert made.plant.get("valve") == 55.0
