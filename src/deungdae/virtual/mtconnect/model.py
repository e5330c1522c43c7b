"""What a plant's quantities and alarms are in MTConnect: data items of a device's components."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from deungdae.core.units import UnknownUnitError, conversion
from deungdae.sim.plant import Quantity
from deungdae.sim.plant.parts import Alarm

Category: TypeAlias = Literal["SAMPLE", "EVENT", "CONDITION"]

# controlled vocabularies, as MTConnectStreams_2.4.xsd enumerates them
_VOCABULARIES: dict[str, tuple[str, ...]] = {
    "EXECUTION": (
        "READY", "ACTIVE", "INTERRUPTED", "FEED_HOLD", "STOPPED", "OPTIONAL_STOP",
        "PROGRAM_STOPPED", "PROGRAM_COMPLETED", "WAIT", "PROGRAM_OPTIONAL_STOP",
    ),
    "CONTROLLER_MODE": ("AUTOMATIC", "MANUAL", "MANUAL_DATA_INPUT", "SEMI_AUTOMATIC", "EDIT"),
    "FUNCTIONAL_MODE": ("PRODUCTION", "SETUP", "TEARDOWN", "MAINTENANCE", "PROCESS_DEVELOPMENT"),
    "EMERGENCY_STOP": ("ARMED", "TRIGGERED"),
    "DOOR_STATE": ("OPEN", "CLOSED", "UNLATCHED"),
    "CHUCK_STATE": ("OPEN", "CLOSED", "UNLATCHED"),
    "POWER_STATE": ("ON", "OFF"),
    "AXIS_STATE": ("HOME", "TRAVEL", "PARKED", "STOPPED"),
    "ROTARY_MODE": ("SPINDLE", "INDEX", "CONTOUR"),
    "PART_DETECT": ("PRESENT", "NOT_PRESENT"),
    "PROCESS_STATE": ("INITIALIZING", "READY", "ACTIVE", "COMPLETE", "INTERRUPTED", "ABORTED"),
    "WAIT_STATE": (
        "POWERING_UP", "POWERING_DOWN", "PART_LOAD", "PART_UNLOAD", "TOOL_LOAD", "TOOL_UNLOAD",
        "MATERIAL_LOAD", "MATERIAL_UNLOAD", "SECONDARY_PROCESS", "PAUSING", "RESUMING",
    ),
}  # fmt: skip
_TEXTS = ("PROGRAM", "PROGRAM_COMMENT", "BLOCK", "TOOL_ID", "PART_ID", "MATERIAL", "MESSAGE")
_PATH = re.compile(r"EXECUTION|PROGRAM|PATH_|PART_|BLOCK|LINE|TOOL_|WAIT_STATE|PROCESS_|MATERIAL")
_CONTROLLER = re.compile(r"CONTROLLER_MODE|EMERGENCY_STOP|FUNCTIONAL_MODE|MESSAGE")
_ELECTRIC = re.compile(r"WATTAGE|ELECTRICAL_ENERGY|AMPERAGE|VOLTAGE|FREQUENCY")
_AXIS = re.compile(r"([xyz]|[abc]|spindle)(?:_|$)")


class Rule(NamedTuple):
    """A number whose name has the pattern in it, and whose unit can become `code`, is a `type`."""

    pattern: str
    code: str  # UCUM
    category: Category
    type: str
    sub_type: str
    units: str


_RULES = (
    Rule("reject|scrap|bad", "1", "EVENT", "PART_COUNT", "BAD", ""),
    Rule("good", "1", "EVENT", "PART_COUNT", "GOOD", ""),
    Rule("count|parts", "1", "EVENT", "PART_COUNT", "ALL", ""),
    Rule("block|line", "1", "EVENT", "LINE_NUMBER", "INCREMENTAL", ""),
    Rule("^tool(_number)?$", "1", "EVENT", "TOOL_NUMBER", "", ""),
    Rule("spindle.*override", "%", "EVENT", "ROTARY_VELOCITY_OVERRIDE", "", "PERCENT"),
    Rule("override", "%", "EVENT", "PATH_FEEDRATE_OVERRIDE", "PROGRAMMED", "PERCENT"),
    Rule("valve|open", "%", "SAMPLE", "OPENNESS", "", "PERCENT"),
    Rule("humidity", "%", "SAMPLE", "HUMIDITY_RELATIVE", "", "PERCENT"),
    Rule("level|fill", "%", "SAMPLE", "FILL_LEVEL", "", "PERCENT"),
    Rule("", "%", "SAMPLE", "LOAD", "", "PERCENT"),
    Rule("torque", "N.m", "SAMPLE", "TORQUE", "", "NEWTON_METER"),
    Rule("", "W.s", "SAMPLE", "ELECTRICAL_ENERGY", "", "WATT_SECOND"),
    Rule("", "W", "SAMPLE", "WATTAGE", "", "WATT"),
    Rule("", "A", "SAMPLE", "AMPERAGE", "", "AMPERE"),
    Rule("", "V", "SAMPLE", "VOLTAGE", "", "VOLT"),
    Rule("speed|rotary|rpm|spindle", "/min", "SAMPLE", "ROTARY_VELOCITY", "ACTUAL",
         "REVOLUTION/MINUTE"),
    Rule("", "Hz", "SAMPLE", "FREQUENCY", "", "HERTZ"),
    Rule("", "Cel", "SAMPLE", "TEMPERATURE", "", "CELSIUS"),
    Rule("", "Pa", "SAMPLE", "PRESSURE", "", "PASCAL"),
    Rule("", "N", "SAMPLE", "LINEAR_FORCE", "", "NEWTON"),
    Rule("feed", "mm/s", "SAMPLE", "PATH_FEEDRATE", "ACTUAL", "MILLIMETER/SECOND"),
    Rule("", "mm/s", "SAMPLE", "VELOCITY", "", "MILLIMETER/SECOND"),
    Rule("", "mm/s2", "SAMPLE", "ACCELERATION", "", "MILLIMETER/SECOND^2"),
    Rule("pos|^[xyz]$", "mm", "SAMPLE", "POSITION", "ACTUAL", "MILLIMETER"),
    Rule("", "mm", "SAMPLE", "LENGTH", "", "MILLIMETER"),
    Rule("", "deg", "SAMPLE", "ANGLE", "ACTUAL", "DEGREE"),
    Rule("", "kg", "SAMPLE", "MASS", "", "KILOGRAM"),
    Rule("", "s", "SAMPLE", "PROCESS_TIMER", "PROCESS", "SECOND"),
    Rule("", "L/s", "SAMPLE", "FLOW", "", "LITER/SECOND"),
)  # fmt: skip


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One data item. name: of the quantity or alarm; value = quantity * gain + bias."""

    id: str
    name: str
    category: Category
    type: str
    sub_type: str = ""
    units: str = ""
    gain: float = 1.0
    bias: float = 0.0

    @property
    def tag(self) -> str:
        """Return the name of the element that its observations have."""
        return "".join(part.capitalize() for part in self.type.split("_"))

    def said(self, value: float | str) -> str:
        """Return a value of the quantity as MTConnect writes it."""
        if isinstance(value, str):
            return value
        value = value * self.gain + self.bias
        if not isfinite(value):
            return "NaN" if value != value else "INF" if value > 0 else "-INF"  # noqa: PLR0124
        if self.type in ("PART_COUNT", "LINE_NUMBER"):
            return str(round(value))
        return f"{value:.9g}"


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the machine with its data items and its own parts."""

    tag: str
    id: str
    name: str
    items: list[Item]
    parts: list[Component]

    def below(self) -> list[Component]:
        """Return this component and all below it."""
        return [self, *(inner for part in self.parts for inner in part.below())]


def device(name: str, quantities: Sequence[Quantity], alarms: Sequence[Alarm]) -> Component:
    """Return the device of a plant: its tree of components with every data item in its place."""
    tree = _Tree(name)
    items = {quantity.name: _item(quantity) for quantity in quantities}
    for quantity in quantities:
        tree.put(items[quantity.name], quantity.name)
    for alarm in alarms:
        about = items.get(alarm.quantity)
        condition = about.type if about and about.category == "SAMPLE" else "SYSTEM"
        item = Item(
            id=f"alarm-{identifier(alarm.name)}",
            name=alarm.name,
            category="CONDITION",
            type=condition,
        )
        tree.put(item, alarm.quantity)
    return tree.device


class _Tree:
    """The components made so far, each when its first data item comes."""

    def __init__(self, name: str) -> None:
        available = Item(
            id="device-availability", name="availability", category="EVENT", type="AVAILABILITY"
        )
        self.device = Component(tag="Device", id="device", name=name, items=[available], parts=[])

    def put(self, item: Item, quantity: str) -> None:
        """Put a data item where a machine tool would have it."""
        part = self.device
        for tag, name in _place(item, quantity):
            part = self._part(part, tag, name)
        part.items.append(item)

    def _part(self, of: Component, tag: str, name: str) -> Component:
        for part in of.parts:
            if (part.tag, part.name) == (tag, name):
                return part
        part = Component(tag=tag, id=f"{of.id}-{name}", name=name, items=[], parts=[])
        of.parts.append(part)
        return part


def _place(item: Item, quantity: str) -> tuple[tuple[str, str], ...]:
    """Return the components, tag and name, from the device down to the data item."""
    if match := _AXIS.match(quantity):
        axis = match.group(1)
        kind = "Linear" if axis in "xyz" else "Rotary"
        return ("Axes", "axes"), (kind, "S" if axis == "spindle" else axis.upper())
    if _PATH.match(item.type):
        return ("Controller", "controller"), ("Path", "path")
    if _CONTROLLER.match(item.type):
        return (("Controller", "controller"),)
    if _ELECTRIC.match(item.type):
        return ("Systems", "systems"), ("Electric", "electric")
    return ()


def _item(quantity: Quantity) -> Item:
    id = identifier(quantity.name)
    if quantity.kind == "state":
        type = _vocabulary(quantity)
        return Item(id=id, name=quantity.name, category="EVENT", type=type)
    if quantity.kind == "text":
        type = quantity.name.upper() if quantity.name.upper() in _TEXTS else "VARIABLE"
        return Item(id=id, name=quantity.name, category="EVENT", type=type)
    return _number(id, quantity)


def _vocabulary(quantity: Quantity) -> str:
    """Return the type whose words the state's are, of several the one that it is named like."""
    said = set(quantity.states) - {"UNAVAILABLE"}  # which is a word of every vocabulary
    fits = [type for type, words in _VOCABULARIES.items() if said <= set(words)]
    named = [type for type in fits if type.partition("_")[0].lower() in quantity.name]
    return (named or fits or ["VARIABLE"])[0]


def _number(id: str, quantity: Quantity) -> Item:
    for rule in _RULES:
        scaling = _scaling(quantity.unit, rule.code)
        if scaling is not None and re.search(rule.pattern, quantity.name):
            return Item(
                id=id, name=quantity.name, category=rule.category, type=rule.type,
                sub_type=rule.sub_type, units=rule.units, gain=scaling[0], bias=scaling[1],
            )  # fmt: skip
    return Item(id=id, name=quantity.name, category="EVENT", type="VARIABLE")


def _scaling(unit: str, code: str) -> tuple[float, float] | None:
    """Return gain and bias from one unit to the other, None where they are not of one kind."""
    if "1" in (unit, code) or "%" in (unit, code):  # counts, shares and angles have one dimension
        return (1.0, 0.0) if unit == code else None
    try:
        return conversion(unit, code)
    except UnknownUnitError:
        return None


def identifier(name: str) -> str:
    """Return the id of a quantity's data item: its name, as far as an xs:ID may be like it."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return plain if plain[:1].isalpha() else f"_{plain}"
