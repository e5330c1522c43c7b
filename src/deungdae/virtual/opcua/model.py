"""The information model of a machine: its type, its identification, a node for all it offers.

After OPC 10000-3 (types and instances), -5 and -8 (analog and discrete items) and the shape of
OPC 40001-1 (identification of a machine), in a namespace of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import Node, Server, ua

from deungdae.sim.plant import Plant, Quantity
from deungdae.sim.plant.parts import Alarming, Method, Operable

NAMESPACE = "urn:deungdae:virtual"
VARIANTS = {
    "number": ua.VariantType.Double,
    "state": ua.VariantType.UInt32,
    "text": ua.VariantType.String,
}
_UCUM = "http://unitsofmeasure.org"  # OPC UA lets a unit name its own catalogue
_READ, _WRITE = ua.AccessLevel.CurrentRead.mask, ua.AccessLevel.CurrentWrite.mask
_EVENTS = 1  # OPC 10000-3 §5.5.1: clients may subscribe to events of the object


class Model:
    """One machine in a server's address space.

    The instance lies under Objects, with the node ids `ns=…;s=<name>.<quantity>` and
    `ns=…;s=<name>.<method>`; its type, under BaseObjectType, has the same members.
    """

    def __init__(self, server: Server, name: str, model: str, plant: Plant, serial: str) -> None:
        self.server = server
        self.name = name
        self.quantities: dict[ua.NodeId, Quantity] = {}
        self.methods: dict[ua.NodeId, Method] = {}
        self.index = 0
        self._plant = plant
        self._title = "".join(part.capitalize() for part in model.split("_"))
        self._identity = {
            "Manufacturer": ua.LocalizedText("Deungdae"),
            "Model": ua.LocalizedText(model),
            "SerialNumber": serial,
            "ProductInstanceUri": f"{NAMESPACE}:{name}:{serial}",
        }

    @property
    def machine(self) -> ua.NodeId:
        """Return the node of the machine."""
        return self.at(self.name)

    def at(self, text: str) -> ua.NodeId:
        """Return the node id of that text in our namespace."""
        return ua.NodeId(text, self.index)

    def node(self, text: str) -> Node:
        """Return the node of that id in our namespace."""
        return self.server.get_node(self.at(text))

    async def build(self) -> None:
        """Make all nodes; the values are those of the plant now."""
        self.index = await self.server.register_namespace(NAMESPACE)
        general = await self._type(ua.NodeId(ua.ObjectIds.BaseObjectType), "MachineType")
        identification = await self._type(
            ua.NodeId(ua.ObjectIds.BaseObjectType), "MachineIdentificationType"
        )
        await self._identify(general.Identifier, identification, {})
        special = await self._type(general, f"{self._title}Type")
        await self._members(special.Identifier)
        await self._mandatory(special.Identifier)
        await self._object(ua.NodeId(ua.ObjectIds.ObjectsFolder), self.name, self.name, special,
                           by=ua.ObjectIds.Organizes, events=_EVENTS)  # fmt: skip
        await self._identify(self.name, identification, self._identity)
        await self._members(self.name)
        await self._hears_events(special)
        self.quantities = {
            self.at(f"{self.name}.{quantity.name}"): quantity for quantity in self._plant.quantities
        }
        self.methods = {self.at(f"{self.name}.{one.name}"): one for one in self._methods}

    @property
    def _methods(self) -> Sequence[Method]:
        return self._plant.methods if isinstance(self._plant, Operable) else ()

    async def _type(self, above: ua.NodeId, title: str) -> ua.NodeId:
        node = self.server.get_node(above)
        made = await node.add_object_type(self.at(f"types/{title}"), self._called(title))
        return made.nodeid

    async def _members(self, owner: str) -> None:
        """Add a variable for each quantity, and each method, to an instance or a type."""
        for quantity in self._plant.quantities:
            await self._variable(owner, quantity)
        for method in self._methods:
            await self._add(
                f"{owner}.{method.name}", self.at(owner), method.name, ua.NodeClass.Method,
                ua.MethodAttributes(
                    DisplayName=ua.LocalizedText(method.name),
                    Description=ua.LocalizedText(method.description),
                ),
            )  # fmt: skip

    async def _variable(self, owner: str, quantity: Quantity) -> None:
        level = _READ | _WRITE if quantity.access == "rw" else _READ
        value = variant(quantity, self._plant.get(quantity.name))
        id = f"{owner}.{quantity.name}"
        await self._add(
            id, self.at(owner), quantity.name, ua.NodeClass.Variable,
            ua.VariableAttributes(
                DisplayName=ua.LocalizedText(quantity.name),
                Description=ua.LocalizedText(quantity.description),
                Value=value,
                DataType=ua.NodeId(value.VariantType.value),
                ValueRank=ua.ValueRank.Scalar,
                AccessLevel=level,
                UserAccessLevel=level,
            ),
            type=_definition(quantity),
        )  # fmt: skip
        for name, content in _properties(quantity):
            await self.node(id).add_property(self.at(f"{id}.{name}"), f"0:{name}", content)

    async def _identify(self, owner: str, type: ua.NodeId, identity: dict[str, Any]) -> None:
        """Add the folder that says who made the machine, and which one it is."""
        id = f"{owner}.Identification"
        await self._object(self.at(owner), id, "Identification", type, by=ua.ObjectIds.HasAddIn)
        for name, content in identity.items():
            await self.node(id).add_property(self.at(f"{id}.{name}"), self._called(name), content)

    async def _mandatory(self, type: str) -> None:
        """Say of each member of a type that every instance has it."""
        for member in await self.node(type).get_children():
            await member.set_modelling_rule(True)

    async def _hears_events(self, type: ua.NodeId) -> None:
        """Say where the machine's events come from, and that the server passes them on."""
        server = self.server.get_node(ua.ObjectIds.Server)
        await server.set_event_notifier([ua.EventNotifier.SubscribeToEvents])
        await server.add_reference(self.machine, ua.ObjectIds.HasNotifier)
        if isinstance(self._plant, Alarming):
            alarm = ua.NodeId(ua.ObjectIds.OffNormalAlarmType)
            await self.server.get_node(type).add_reference(alarm, ua.ObjectIds.GeneratesEvent)

    async def _object(
        self, parent: ua.NodeId, id: str, name: str, type: ua.NodeId, *, by: int, events: int = 0
    ) -> None:
        await self._add(
            id, parent, name, ua.NodeClass.Object,
            ua.ObjectAttributes(DisplayName=ua.LocalizedText(name), EventNotifier=events),
            type=type, by=by,
        )  # fmt: skip

    async def _add(
        self, id: str, parent: ua.NodeId, name: str, kind: ua.NodeClass, attributes: Any, *,
        type: ua.NodeId | None = None, by: int = ua.ObjectIds.HasComponent,
    ) -> None:  # fmt: skip
        item = ua.AddNodesItem(
            ParentNodeId=parent,
            ReferenceTypeId=ua.NodeId(by),
            RequestedNewNodeId=self.at(id),
            BrowseName=self._called(name),
            NodeClass=kind,
            NodeAttributes=attributes,
            TypeDefinition=type or ua.NodeId(),
        )
        (result,) = await self.server.iserver.isession.add_nodes([item])
        result.StatusCode.check()

    def _called(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self.index)


def variant(quantity: Quantity, value: float | str) -> ua.Variant:
    """Return a quantity's value as OPC UA carries it; a state is its place among the states."""
    if quantity.kind == "state":
        value = quantity.states.index(str(value))
    return ua.Variant(value, VARIANTS[quantity.kind])


def _definition(quantity: Quantity) -> ua.NodeId:
    """Return the variable type: with unit, with unit and range, with names of states (part 8)."""
    if quantity.kind == "state":
        return ua.NodeId(ua.ObjectIds.MultiStateDiscreteType)
    if quantity.kind == "text":
        return ua.NodeId(ua.ObjectIds.BaseDataVariableType)
    ranged = quantity.low is not None and quantity.high is not None
    return ua.NodeId(ua.ObjectIds.AnalogUnitRangeType if ranged else ua.ObjectIds.AnalogUnitType)


def _properties(quantity: Quantity) -> list[tuple[str, Any]]:
    """Return unit and range of a number, or the names of a state (OPC 10000-8 §5.3)."""
    if quantity.kind == "state":
        names = [ua.LocalizedText(state) for state in quantity.states]
        return [("EnumStrings", ua.Variant(names, ua.VariantType.LocalizedText, is_array=True))]
    if quantity.kind == "text":
        return []
    unit = ua.EUInformation(_UCUM, -1, ua.LocalizedText(quantity.unit))
    found: list[tuple[str, Any]] = [("EngineeringUnits", unit)]
    if quantity.low is not None and quantity.high is not None:
        found.append(("EURange", ua.Range(quantity.low, quantity.high)))
    return found
