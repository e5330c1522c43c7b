"""Inspection results as QIF documents (2.1 and 3.0): what was measured, and what was allowed.

Elements and their meaning: ANSI/DMSC QIF 2.1 and 3.0, ISO 23952:2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timezone
from math import isfinite
from zoneinfo import ZoneInfo

import msgspec
from lxml import etree

from deungdae.core.clock import from_iso
from deungdae.core.errors import BadReply

from . import xml

# QIF 2.1 says Actual where QIF 3.0 says Measurement
_MEASURED = ("CharacteristicActuals", "CharacteristicMeasurements")
_FEATURE_IDS = ("FeatureActualIds", "FeatureMeasurementIds")
_UNITS = {
    "mm": "mm", "millimeter": "mm", "millimetre": "mm", "m": "m", "meter": "m", "metre": "m",
    "cm": "cm", "um": "um", "micron": "um", "inch": "[in_i]", "in": "[in_i]",
    "degree": "deg", "deg": "deg", "radian": "rad", "rad": "rad",
}  # fmt: skip


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One measured characteristic of one part.

    characteristic: `<feature> <name>`, or the name alone where it is of no feature, or of several;
    feature, name: both as the document calls them; kind: `Diameter`, `Flatness`, `Position` …
    nominal, lower, upper: in `unit`; limits are absolute. None where there is none: a geometric
    tolerance has no nominal and only the upper limit.
    value: None where the document gives none, or no finite number. unit: UCUM, '' where the
    document does not say.
    bonus: what a hole or pin that is away from its maximum material size adds to `upper`.
    part: serial number, '' where it has none; result: id of its inspection within the document.
    time: ns; None where the document has none. status: as the inspection judged: PASS, FAIL …
    """

    characteristic: str
    feature: str
    name: str
    kind: str
    nominal: float | None
    lower: float | None
    upper: float | None
    value: float | None
    unit: str
    bonus: float
    part: str
    result: str
    time: int | None
    status: str


def measurements(content: bytes, zone: timezone | ZoneInfo = UTC) -> list[Measurement]:
    """Return every measurement of a QIF document, in its order; [] of one without results.

    zone: of times that bring no offset. Raises BadReply if it is no QIF document, or damaged.
    """
    return list(_Document(_parse(content), zone).measurements())


def _parse(content: bytes) -> etree._Element:
    root = xml.parsed(content, "QIF", remedy="export the results as QIF 2.1 or 3.0 again")
    if _local(root) != "QIFDocument":
        raise BadReply(f"this is a document {_local(root)}, not QIFDocument")
    return root


class _Reading(msgspec.Struct, frozen=True):
    """What a document says of one measured characteristic, before it is put together.

    condition: of material: NONE, MAXIMUM, LEAST. hole: whether the feature is one, None of others.
    """

    feature: str
    name: str
    kind: str
    nominal: float | None
    lower: float | None
    upper: float | None
    condition: str
    hole: bool | None
    value: float | None
    status: str


class _Document:
    """A QIF document with its parts by their id."""

    def __init__(self, root: etree._Element, zone: timezone | ZoneInfo) -> None:
        self._root = root
        self._zone = zone
        self._ids = {node.get("id", ""): node for node in root.iter() if node.get("id")}

    def measurements(self) -> Iterator[Measurement]:
        for results in self._root.iter("{*}MeasurementResults"):
            groups = [group for name in _MEASURED for group in results.iter(f"{{*}}{name}")]
            readings = [self._read(node) for group in groups for node in group]
            sizes = {r.feature: r for r in readings if r.kind == "Diameter" and r.feature}
            part, time = self._part(results), self._time(results)
            for read in readings:
                alone = not read.feature or read.feature == read.name
                yield Measurement(
                    characteristic=read.name if alone else f"{read.feature} {read.name}",
                    feature=read.feature,
                    name=read.name,
                    kind=read.kind,
                    nominal=read.nominal,
                    lower=read.lower,
                    upper=read.upper,
                    value=read.value,
                    unit=self._unit("AngularUnit" if "Angle" in read.kind else "LinearUnit"),
                    bonus=_bonus(read, sizes.get(read.feature)),
                    part=part,
                    result=results.get("id", ""),
                    time=time,
                    status=read.status,
                )

    def _read(self, node: etree._Element) -> _Reading:
        item = self._at(node, "CharacteristicItemId")
        nominal = self._at(item, "CharacteristicNominalId")
        definition = self._at(nominal, "CharacteristicDefinitionId")
        feature = self._feature(node, item)
        target = _number(nominal, "TargetValue")
        lower, upper = _limits(definition, target)
        return _Reading(
            feature="" if feature is None else _text(feature, "FeatureName"),
            name=_text(item, "Name") or item.get("id", ""),
            kind=_local(node).partition("Characteristic")[0],
            nominal=target,
            lower=lower,
            upper=upper,
            condition=_text(definition, "MaterialCondition"),
            hole=None if feature is None else self._is_hole(feature),
            value=_number(node, "Value"),
            status=_text(node, "Status/{*}CharacteristicStatusEnum"),
        )

    def _feature(self, node: etree._Element, item: etree._Element) -> etree._Element | None:
        """Return the one feature that was measured, None where there are none, or several."""
        for name in _FEATURE_IDS:
            measured = node.findall(f"{{*}}{name}/{{*}}Id")
            if len(measured) == 1:
                return self._at(self._by(measured[0].text), "FeatureItemId")
            if measured:
                return None
        planned = item.findall("{*}FeatureItemIds/{*}Id")
        return self._by(planned[0].text) if len(planned) == 1 else None

    def _is_hole(self, feature: etree._Element) -> bool | None:
        definition = self._at(self._at(feature, "FeatureNominalId"), "FeatureDefinitionId")
        side = _text(definition, "InternalExternal")
        return {"INTERNAL": True, "EXTERNAL": False}.get(side)

    def _part(self, results: etree._Element) -> str:
        """Return the serial number of the part, '' where it has none, or there are several."""
        ids = results.findall("{*}ActualComponentIds/{*}Id")
        return _text(self._by(ids[0].text), "SerialNumber") if len(ids) == 1 else ""

    def _time(self, results: etree._Element) -> int | None:
        """Return when it was inspected, or at least reported."""
        places = (results, "InspectionTraceability"), (self._root, "MeasurementsResults")
        for node, name in (*places, (self._root, "Version")):
            for known in (
                "InspectionEnd",
                "InspectionStart",
                "ReportPreparationDate",
                "TimeCreated",
            ):
                text = next((found.text for place in node.iterchildren(f"{{*}}{name}")
                             for found in place.iter(f"{{*}}{known}")), None)  # fmt: skip
                if text:
                    try:
                        return from_iso(text, self._zone)
                    except ValueError as error:
                        raise BadReply(f"{known} {text!r} is no time") from error
        return None

    def _unit(self, kind: str) -> str:
        name = _text(self._root, f"FileUnits/{{*}}PrimaryUnits/{{*}}{kind}/{{*}}UnitName")
        return _UNITS.get(name.lower(), name)

    def _at(self, node: etree._Element, name: str) -> etree._Element:
        """Return what a node points at by an id, an empty element if it does not point."""
        id_ = _text(node, name)
        return self._by(id_) if id_ else etree.Element("none")

    def _by(self, id_: str | None) -> etree._Element:
        """Return what has the id. Raises BadReply."""
        try:
            return self._ids[(id_ or "").strip()]
        except KeyError as error:
            raise BadReply(f"the document points at id {id_!r}, which is not in it") from error


def _limits(definition: etree._Element, target: float | None) -> tuple[float | None, float | None]:
    """Return the lower and the upper limit.

    A geometric tolerance is the width of a zone: what is measured lies between 0 and it; some
    programs write it with a minus. Limits that are none "as limit" are measured from the target.
    """
    zone = _number(definition, "ToleranceValue")
    if zone is not None:
        return None, abs(zone)
    node = definition.find("{*}Tolerance")
    if node is None:
        return None, None
    lower, upper = _number(node, "MinValue"), _number(node, "MaxValue")
    if _text(node, "DefinedAsLimit") in ("true", "1"):
        return lower, upper
    if target is None:
        return None, None
    return (
        None if lower is None else target + lower,
        None if upper is None else target + upper,
    )


def _bonus(read: _Reading, size: _Reading | None) -> float:
    """Return what the feature's size adds to its geometric tolerance.

    Source: ASME Y14.5-2009, 2.8: at maximum material condition the tolerance grows by the departure
    from the maximum material size, which is that of the smallest hole or the largest pin.
    """
    if read.condition != "MAXIMUM" or size is None or size.value is None or read.hole is None:
        return 0.0
    most = size.lower if read.hole else size.upper
    if most is None:
        return 0.0
    return max(0.0, size.value - most if read.hole else most - size.value)


def _text(node: etree._Element, path: str) -> str:
    found = node.find(f"{{*}}{path}")
    return "" if found is None else (found.text or "").strip()


def _number(node: etree._Element, name: str) -> float | None:
    try:
        value = float(_text(node, name))
    except ValueError:
        return None
    return value if isfinite(value) else None


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname
