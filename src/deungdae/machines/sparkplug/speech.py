"""What a host says and hears beside data: topics, its STATE, commands, requests for rebirth."""

from __future__ import annotations

import math

import msgspec

from deungdae.core.errors import BadReply
from deungdae.core.ports import Node
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric, Type

from .metrics import Born

KINDS = frozenset({"NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA"})
_LARGEST = 3.4028236e38  # beyond any float of four bytes


def state(online: bool, stamp: int) -> bytes:
    """Return the payload of our STATE. stamp: ms, that of the session's CONNECT."""
    return msgspec.json.encode({"online": online, "timestamp": stamp})


def offline(payload: bytes) -> bool:
    """Return whether a STATE says that its host is offline; what cannot be read says nothing."""
    try:
        return msgspec.json.decode(payload, type=dict[str, object]).get("online") is False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def address(topic: bytes) -> tuple[str, tuple[str, str], str]:
    """Return kind, (group, edge node) and device of a topic; kind '' where it is none of ours."""
    parts = topic.decode("utf-8", "replace").split("/")
    if len(parts) == 3 and parts[1] == "STATE":
        return "STATE", ("", ""), ""
    if len(parts) not in (4, 5) or (len(parts) == 5) != (parts[2][:1] == "D"):
        return "", ("", ""), ""
    return parts[2], (parts[1], parts[3]), parts[4] if len(parts) == 5 else ""


def _encode(born: Born, raw: float) -> tuple[int, float | int]:
    """Return field and value of a number as the metric's type wants them. Raises BadReply."""
    datatype = born.datatype
    if not abs(raw) < (_LARGEST if datatype == Type.FLOAT else math.inf):
        raise BadReply(f"{raw:g} does not fit into {born.name}")
    if datatype == Type.FLOAT:
        return wire.FLOAT, raw
    if datatype == Type.DOUBLE:
        return wire.DOUBLE, raw
    if datatype == Type.BOOLEAN:
        return wire.BOOLEAN, int(raw != 0)
    if datatype not in wire.NUMBERS:
        raise BadReply(f"{born.name} is no number, so it cannot be written")
    low, high = wire.bounds(datatype)
    value = round(raw)
    if not low <= value <= high:
        raise BadReply(f"{raw:g} does not fit into {born.name}: it takes {low} to {high}")
    short = (Type.INT8, Type.INT16, Type.INT32, Type.UINT8, Type.UINT16)
    return (wire.INT if datatype in short else wire.LONG), value


def node(key: tuple[str, str], born: Born) -> Node:
    """Return what browsing says of a metric. key: group and edge node."""
    address = "/".join(filter(None, (*key, born.device, born.name)))
    text = born.datatype in wire.TEXTS
    return Node(
        address=address,
        path=address,
        kind="text" if text else "number",
        type=Type(born.datatype).name.capitalize() if born.datatype in list(Type) else "",
        unit=born.unit,
        value=born.text,
    )


def command(born: Born, raw: float, stamp: int, *, typed: bool) -> bytes:
    """Return the payload of a command: by alias where there is one, else by name. Raises BadReply.

    raw: in the machine's unit; stamp: ms; typed: with the data type, though it should be left out.
    """
    field, value = _encode(born, raw)
    metric = Metric(
        name=born.name if born.alias is None else "",
        alias=born.alias,
        timestamp=stamp,
        datatype=born.datatype if typed else 0,
        field=field,
        value=value,
    )
    return wire.encode(stamp, [metric])


def rebirth(stamp: int) -> bytes:
    """Return the payload of a request for rebirth.

    With its data type, though commands should go without: an edge node whose types we do not know
    yet may be one that reads a command without type as null.
    """
    metric = Metric(
        name=wire.REBIRTH, timestamp=stamp, datatype=Type.BOOLEAN, field=wire.BOOLEAN, value=1
    )
    return wire.encode(stamp, [metric])
