"""The XML documents of an agent: devices, streams and errors of MTConnect 2.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

from deungdae.core.clock import to_iso

from .buffer import Observation
from .model import Component, Item

VERSION = "2.4"
_ASSETS = 'assetBufferSize="1" assetCount="0" '  # the schema demands room for one


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What every document says of its agent. created, began: ns; sequence: first, last, next."""

    created: int
    began: int
    instance: int
    sender: str
    size: int
    sequence: tuple[int, int, int] = (1, 1, 1)


def devices(device: Component, header: Header) -> bytes:
    """Return the answer to a probe."""
    more = _ASSETS + _changed(header)
    return _document("Devices", header, more, f"<Devices>{describe(device)}</Devices>")


def describe(part: Component) -> str:
    """Return the element of a component, with all below it, without a namespace."""
    attributes = f"id={quoteattr(part.id)} name={quoteattr(part.name)}"
    description = ""
    if part.tag == "Device":
        attributes += f" uuid={quoteattr('deungdae-' + part.name)}"
        description = "<Description>A simulated machine</Description>"
    items = "".join(_declared(item) for item in part.items)
    inner = "".join(describe(below) for below in part.parts)
    items = f"<DataItems>{items}</DataItems>" if items else ""
    inner = f"<Components>{inner}</Components>" if inner else ""
    return f"<{part.tag} {attributes}>{description}{items}{inner}</{part.tag}>"


def streams(device: Component, seen: Sequence[Observation], header: Header) -> bytes:
    """Return observations by component, the answer to current and sample."""
    by_item: dict[str, list[Observation]] = {}
    for each in seen:
        by_item.setdefault(each.item.id, []).append(each)
    parts = "".join(_stream(part, by_item) for part in device.below())
    first, last, following = header.sequence
    numbers = f'firstSequence="{first}" lastSequence="{last}" nextSequence="{following}" '
    numbers += _changed(header)
    name = quoteattr(device.name)
    uuid = quoteattr(f"deungdae-{device.name}")
    body = f"<DeviceStream name={name} uuid={uuid}>{parts}</DeviceStream>"
    return _document("Streams", header, numbers, f"<Streams>{body}</Streams>")


def error(code: str, words: str, header: Header) -> bytes:
    """Return a refusal. code: UNAUTHORIZED, NO_DEVICE, OUT_OF_RANGE, INVALID_REQUEST …"""
    inner = f'<Errors><Error errorCode="{code}">{escape(words)}</Error></Errors>'
    return _document("Error", header, "", inner)


def _document(kind: str, header: Header, more: str, inner: str) -> bytes:
    name = f"MTConnect{kind}"
    space = f"urn:mtconnect.org:{name}:{VERSION}"
    place = f"{space} http://schemas.mtconnect.org/schemas/{name}_{VERSION}.xsd"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{name} xmlns="{space}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{place}">'
        f'<Header creationTime="{to_iso(header.created)}" sender={quoteattr(header.sender)} '
        f'instanceId="{header.instance}" version="{VERSION}.0.0" bufferSize="{header.size}" '
        f"{more}/>{inner}</{name}>\n"
    ).encode()


def _changed(header: Header) -> str:
    return f'deviceModelChangeTime="{to_iso(header.began)}"'


def _declared(item: Item) -> str:
    attributes = {
        "id": item.id, "name": item.name, "category": item.category, "type": item.type,
        "subType": item.sub_type, "units": item.units,
    }  # fmt: skip
    return f"<DataItem {_written(attributes)}/>"


def _stream(part: Component, seen: Mapping[str, list[Observation]]) -> str:
    groups = {"SAMPLE": "", "EVENT": "", "CONDITION": ""}
    for item in part.items:
        groups[item.category] += "".join(_observed(each) for each in seen.get(item.id, ()))
    inner = "".join(
        f"<{tag}>{group}</{tag}>"
        for tag, group in zip(("Samples", "Events", "Condition"), groups.values(), strict=True)
        if group
    )
    if not inner:
        return ""
    attributes = {"component": part.tag, "name": part.name, "componentId": part.id}
    return f"<ComponentStream {_written(attributes)}>{inner}</ComponentStream>"


def _observed(seen: Observation) -> str:
    item = seen.item
    attributes = {
        "dataItemId": item.id, "timestamp": to_iso(seen.time), "sequence": str(seen.sequence),
        "name": item.name,
    }  # fmt: skip
    if item.category != "CONDITION":
        attributes["subType"] = item.sub_type
        return f"<{item.tag} {_written(attributes)}>{escape(seen.value)}</{item.tag}>"
    attributes["type"] = item.type
    if seen.value != "Normal":
        attributes |= {
            "nativeCode": item.name, "nativeSeverity": str(seen.severity), "conditionId": item.id,
        }  # fmt: skip
    return f"<{seen.value} {_written(attributes)}>{escape(seen.text)}</{seen.value}>"


def _written(attributes: Mapping[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(text)}" for name, text in attributes.items() if text)
