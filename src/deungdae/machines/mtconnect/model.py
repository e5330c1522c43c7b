"""The device model of MTConnect: what a probe or a Devices.xml says about each data item."""

from __future__ import annotations

from math import isfinite
from typing import Literal

import msgspec
from lxml import etree

Kind = Literal["number", "state", "text", "alarm"]

_UNITS = {
    "AMPERE": "A", "AMPERE_HOUR": "A.h", "BAR": "bar", "CELSIUS": "Cel", "CENTIPOISE": "cP",
    "COULOMB": "C", "COUNT": "1", "CUBIC_FOOT": "[cft_i]", "CUBIC_METER": "m3",
    "CUBIC_MILLIMETER": "mm3", "DECIBEL": "dB", "DEGREE": "deg", "FAHRENHEIT": "[degF]",
    "FOOT": "[ft_i]", "GALLON": "[gal_us]", "GRAM": "g", "GRAVITATIONAL_ACCELERATION": "[g]",
    "HERTZ": "Hz", "HOUR": "h", "INCH": "[in_i]", "INCH_POUND": "[in_i].[lbf_av]", "JOULE": "J",
    "KELVIN": "K", "KILOGRAM": "kg", "KILOWATT": "kW", "KILOWATT_HOUR": "kW.h", "LITER": "L",
    "METER": "m", "MICROMETER": "um", "MICRO_RADIAN": "urad", "MILLIGRAM": "mg",
    "MILLILITER": "mL", "MILLIMETER": "mm", "MILLIMETER_MERCURY": "mm[Hg]", "MINUTE": "min",
    "NEWTON": "N", "NEWTON_METER": "N.m", "OHM": "Ohm", "OHM_METER": "Ohm.m", "PASCAL": "Pa",
    "PASCAL_SECOND": "Pa.s", "PERCENT": "%", "POUND": "[lb_av]", "RADIAN": "rad",
    "REVOLUTION": "1", "SECOND": "s", "SIEMENS": "S", "SQUARE_INCH": "[in_i]2",
    "SQUARE_MILLIMETER": "mm2", "TORR": "mm[Hg]", "VOLT": "V", "VOLT_AMPERE": "V.A",
    "VOLT_AMPERE_REACTIVE": "V.A", "WATT": "W", "WATT_SECOND": "W.s",
}  # fmt: skip
# events with a controlled vocabulary: those that MTConnectStreams_2.7.xsd enumerates
_STATES = frozenset((
    "ACTUATOR_STATE", "AVAILABILITY", "AXIS_COUPLING", "AXIS_INTERLOCK", "AXIS_STATE",
    "BATTERY_STATE", "BINDING_STATE", "CHARACTERISTIC_STATUS", "CHUCK_INTERLOCK", "CHUCK_STATE",
    "CONNECTION_STATUS", "CONTROLLER_MODE", "CONTROLLER_MODE_OVERRIDE", "DIRECTION", "DOOR_STATE",
    "EMERGENCY_STOP", "END_OF_BAR", "EQUIPMENT_MODE", "EXECUTION", "FUNCTIONAL_MODE",
    "INTERFACE_STATE", "LEAK_DETECT", "LOCK_STATE", "OPERATING_MODE", "PART_COUNT_TYPE",
    "PART_DETECT", "PART_PROCESSING_STATE", "PART_STATUS", "PATH_MODE", "POWER_STATE",
    "POWER_STATUS", "PROCESS_STATE", "PROGRAM_EDIT", "PROGRAM_LOCATION_TYPE", "ROTARY_MODE",
    "SPINDLE_INTERLOCK", "VALVE_STATE", "WAIT_STATE",
))  # fmt: skip
# events that are numbers there
_NUMBERS = frozenset((
    "ACTIVATION_COUNT", "ASSET_COUNT", "AXIS_FEEDRATE_OVERRIDE", "BLOCK_COUNT", "CYCLE_COUNT",
    "DEACTIVATION_COUNT", "HARDNESS", "LINE_NUMBER", "LOAD_COUNT", "MATERIAL_LAYER",
    "MEASUREMENT_VALUE", "PART_COUNT", "PART_INDEX", "PATH_FEEDRATE_OVERRIDE",
    "PROGRAM_NEST_LEVEL", "ROTARY_VELOCITY_OVERRIDE", "THICKNESS", "TOOL_OFFSET",
    "TRANSFER_COUNT", "UNLOAD_COUNT",
))  # fmt: skip


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One data item of the device `device` (its name), which also goes by `device_ids`.

    path: names of device and components, joined by '/'. unit: UCUM or ''. rate: of a time series,
    values per second, 0 if each observation says it. triple: a value is three numbers.
    """

    id: str
    name: str
    device: str
    device_ids: tuple[str, ...]
    path: str
    category: str
    type: str
    subtype: str = ""
    representation: str = ""
    unit: str = ""
    rate: float = 0.0
    triple: bool = False

    @property
    def kind(self) -> Kind:
        """Return how its values travel: three-space positions and data sets as text."""
        if self.category == "CONDITION":
            return "alarm"
        if self.triple or self.representation in ("DATA_SET", "TABLE", "DISCRETE_TABLE"):
            return "text"
        if self.category == "SAMPLE" or self.unit or self.type in _NUMBERS:
            return "number"
        return "state" if self.type in _STATES else "text"

    @property
    def shape(self) -> str:
        """Return how adapters write it: CONDITION, MESSAGE, TIME_SERIES, or VALUE: one field."""
        if self.category == "CONDITION":
            return "CONDITION"
        if self.representation == "TIME_SERIES":
            return "TIME_SERIES"
        return "MESSAGE" if self.type == "MESSAGE" else "VALUE"


def ucum(units: str) -> str:
    """Return the UCUM code of an MTConnect unit, e.g. mm/s2 of MILLIMETER/SECOND^2; '' if none."""
    codes = []
    for part in units.removesuffix("_3D").split("/"):
        base, _, power = part.partition("^")
        if base not in _UNITS:
            return ""
        codes.append(_UNITS[base] + power if _UNITS[base] != "1" else "1")
    if len(codes) == 2 and codes[1] != "1":
        return "/".join(
            "" if place == 0 and code == "1" else code for place, code in enumerate(codes)
        )
    return codes[0]


def items(root: etree._Element) -> list[Item]:
    """Return every data item of an MTConnectDevices document of any version, in its order."""
    found: list[Item] = []
    for device in root.iter("{*}Device", "{*}Agent"):
        _collect(device, device, "", found)
    return found


def _collect(
    component: etree._Element, device: etree._Element, path: str, found: list[Item]
) -> None:
    tag = etree.QName(component).localname
    path = f"{path}/{component.get('name') or component.get('id') or tag}".lstrip("/")
    for group in component.iterchildren("{*}DataItems"):
        found.extend(_item(node, device, path) for node in group.iterchildren("{*}DataItem"))
    for group in component.iterchildren("{*}Components"):
        for child in group.iterchildren("{*}*"):
            _collect(child, device, path, found)


def _item(node: etree._Element, device: etree._Element, path: str) -> Item:
    units = node.get("units", "")
    return Item(
        id=node.get("id", ""),
        name=node.get("name", ""),
        device=device.get("name", "") or device.get("id", ""),
        device_ids=(device.get("id", ""), device.get("uuid", "")),
        path=path,
        category=node.get("category", ""),
        type=node.get("type", ""),
        subtype=node.get("subType", ""),
        representation=node.get("representation", ""),
        unit=ucum(units),
        rate=_rate(node.get("sampleRate", "")),
        triple=units.endswith("_3D"),
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        return 0.0
    return rate if isfinite(rate) and rate > 0 else 0.0
