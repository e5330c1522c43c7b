"""The virtual OPC UA machine without a wire: its information model and its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from asyncua import Node, ua
from asyncua.server.address_space import NodeData

from deungdae.core.clock import RealClock
from deungdae.core.ports import Bridge
from deungdae.sim import plant
from deungdae.sim.plant.parts import Alarm, Method, Quantity, known, settable
from deungdae.virtual.opcua import Opcua, standard
from deungdae.virtual.opcua.alarms import Condition, _Kind
from deungdae.virtual.opcua.model import Model, variant

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Saw:
    """A machine with one of everything, that does what the test says."""

    quantities = (
        Quantity(name="state", kind="state", states=("running", "idle")),
        Quantity(name="speed", unit="/min", low=0, high=3000, access="rw", description="of blade"),
        Quantity(name="cuts"),
        Quantity(name="blade", kind="text"),
    )
    methods = (Method(name="start", description="let it run"), Method(name="stop"))

    def __init__(self) -> None:
        self.values: dict[str, float | str] = {
            "state": "idle", "speed": 1500.0, "cuts": 0.0, "blade": "B-7",
        }  # fmt: skip
        self.hot = Alarm(name="hot", active=False, severity=700, message="blade is hot",
                         quantity="speed")  # fmt: skip
        self.guard = Alarm(name="guard", active=False, severity=900, message="guard is open")

    def step(self, dt: float) -> None: ...

    def get(self, name: str) -> float | str:
        return self.values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)
        self.values[name] = min(max(value, 0.0), 3000.0)

    def call(self, method: str) -> None:
        if method == "start" and self.guard.active:
            raise ValueError("the guard is open")
        self.values["state"] = {"start": "running", "stop": "idle"}[method]

    def alarms(self) -> Sequence[Alarm]:
        return self.hot, self.guard


async def name_of_type(model: Model, node: Node) -> str:
    type = await node.read_type_definition()
    return str((await model.server.get_node(type).read_browse_name()).Name)


async def test_the_information_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deungdae.virtual.opcua.machine", lambda _: Saw())
    bridge = Opcua("saw1", Opcua.Options(seed=5), RealClock())
    assert isinstance(bridge, Bridge)
    model = await bridge._made()
    alarms = await bridge._alarms(model)
    assert alarms is not None
    assert model.index == 2

    saw = model.node("saw1")
    assert await name_of_type(model, saw) == "KilnType"  # named after the model of the options
    above = await model.node("types/KilnType").get_referenced_nodes(
        ua.ObjectIds.HasSubtype, ua.BrowseDirection.Inverse
    )
    assert [node.nodeid.Identifier for node in above] == ["types/MachineType"]
    members = {(await node.read_browse_name()).Name for node in await saw.get_children()}
    mandatory = {
        (await node.read_browse_name()).Name
        for node in await model.node("types/KilnType").get_children()
    }
    assert mandatory == {"state", "speed", "cuts", "blade", "start", "stop"}
    assert members == mandatory | {"Identification", "Alarms"}

    kinds = {
        name: await name_of_type(model, model.node(f"saw1.{name}"))
        for name in ("state", "speed", "cuts", "blade")
    }
    assert kinds == {
        "state": "MultiStateDiscreteType", "speed": "AnalogUnitRangeType",
        "cuts": "AnalogUnitType", "blade": "BaseDataVariableType",
    }  # fmt: skip
    speed = model.node("saw1.speed")
    assert (await speed.read_description()).Text == "of blade"
    eu_range = await (await speed.get_child("0:EURange")).read_value()
    assert (eu_range.Low, eu_range.High) == (0, 3000)
    assert (await (await speed.get_child("0:EngineeringUnits")).read_value()).DisplayName.Text == (
        "/min"
    )
    states = await (await model.node("saw1.state").get_child("0:EnumStrings")).read_value()
    assert [state.Text for state in states] == ["running", "idle"]

    identity = {
        (await node.read_browse_name()).Name: await node.read_value()
        for node in await model.node("saw1.Identification").get_children()
    }
    assert identity["Manufacturer"].Text == "Deungdae"
    assert identity["SerialNumber"] == "kiln-5"
    assert identity["ProductInstanceUri"] == "urn:deungdae:virtual:saw1:kiln-5"

    hot = model.node("saw1.Alarms.hot")
    assert await name_of_type(model, hot) == "OffNormalAlarmType"
    assert not await model.node("saw1.Alarms.hot.ActiveState.Id").read_value()
    assert await model.node("saw1.Alarms.hot.InputNode").read_value() == speed.nodeid
    assert await model.node("saw1.Alarms.hot.Severity").read_value() == 700
    assert await saw.read_event_notifier() == {ua.EventNotifier.SubscribeToEvents}


async def test_two_servers_share_no_change_of_a_standard_node() -> None:
    one, other = await standard.server(), await standard.server()
    objects = ua.NodeId(ua.ObjectIds.ObjectsFolder)
    await one.nodes.objects.add_object(ua.NodeId("here", 1), "1:here")
    await one.get_node(objects).write_attribute(
        ua.AttributeIds.Description, ua.DataValue(ua.LocalizedText("changed"))
    )
    here = [node.nodeid for node in await one.nodes.objects.get_children()]
    there = [node.nodeid for node in await other.nodes.objects.get_children()]
    assert set(here) - set(there) == {ua.NodeId("here", 1)}
    assert (await other.get_node(objects).read_description()).Text != "changed"
    fresh = await standard.server()
    assert [node.nodeid for node in await fresh.nodes.objects.get_children()] == there


def test_all_standard_nodes_are_there_and_refer_to_each_other() -> None:
    nodes = standard._standard()
    assert len(nodes) > 6000
    for node in list(nodes)[::50]:
        found = nodes[node]
        assert found.nodeid == node
        assert {reference.NodeId for reference in found.references} <= nodes.keys()


def test_nodes_of_a_server_are_its_own_and_the_standard_ones() -> None:
    kept, gone, added = (ua.NodeId(number) for number in (1, 2, 3))
    nodes = standard.Nodes(standard.Packed({node: NodeData(node) for node in (kept, gone)}))
    nodes[added] = NodeData(added)
    assert (len(nodes), set(nodes)) == (3, {kept, gone, added})
    nodes[kept].references.append(ua.ReferenceDescription())
    assert len(nodes[kept].references) == 1
    del nodes[gone]
    assert gone not in nodes
    assert (nodes.get(gone), len(nodes)) == (None, 2)
    with pytest.raises(KeyError):
        del nodes[gone]
    nodes[gone] = NodeData(gone)
    assert gone in nodes


@pytest.mark.parametrize("model", plant.models())
def test_every_model_can_be_shown(model: str) -> None:
    machine = plant.create(model, 1, {})
    for quantity in machine.quantities:
        assert variant(quantity, machine.get(quantity.name)).VariantType is not None


def test_a_condition_is_retained_until_it_is_gone_and_acknowledged() -> None:
    saw = Saw()
    model = Model(None, "saw1", "saw", saw, "1")  # type: ignore[arg-type]
    condition = Condition(model, saw.hot)

    def becomes(**changes: Any) -> bool:
        saw.hot = msgspec.structs.replace(saw.hot, **changes)
        return condition.take(saw.hot)

    assert (becomes(), condition.retained) == (False, False)
    assert (becomes(message="cool"), condition.retained) == (False, False)
    assert (becomes(active=True), condition.retained) == (True, True)
    assert not condition.acknowledged
    assert not becomes(message="blade is at 91 °C")  # words alone are no news
    assert becomes(severity=800)
    worse = condition.notice(NOON)
    assert (worse["Severity"].Value, worse["LastSeverity"].Value) == (800, 700)
    assert (becomes(active=False), condition.retained) == (True, True)
    condition.acknowledged = True
    assert not condition.retained
    assert (becomes(active=True), condition.acknowledged) == (True, False)


def test_the_type_of_an_event_is_also_each_type_above_it() -> None:
    kind = _Kind(ua.ObjectIds.OffNormalAlarmType)
    for above in ("OffNormalAlarmType", "AlarmConditionType", "ConditionType", "BaseEventType"):
        assert kind == ua.NodeId(getattr(ua.ObjectIds, above))
    assert kind != ua.NodeId(ua.ObjectIds.LimitAlarmType)
    assert kind != ua.NodeId(ua.ObjectIds.ConditionType, 2)
    assert ua.ua_binary.nodeid_to_binary(kind) == ua.ua_binary.nodeid_to_binary(
        ua.NodeId(ua.ObjectIds.OffNormalAlarmType)
    )


def test_every_notice_has_an_id_of_its_own_and_all_that_clients_select() -> None:
    saw = Saw()
    model = Model(None, "saw1", "saw", saw, "1")  # type: ignore[arg-type]
    condition = Condition(model, saw.guard)
    condition.take(msgspec.structs.replace(saw.guard, active=True))
    first, second = condition.notice(NOON), condition.notice(NOON)
    assert first["EventId"].Value != second["EventId"].Value == condition.event
    said = {path: content.Value for path, content in second.items()}
    assert (said["ActiveState/Id"], said["AckedState/Id"], said["Retain"]) == (True, False, True)
    assert (said["Message"].Text, said["SourceName"], said["Time"]) == (
        "guard is open", "saw1", NOON,
    )  # fmt: skip
    assert said["NodeId"].Identifier == "saw1.Alarms.guard"
    assert said["InputNode"].is_null()
