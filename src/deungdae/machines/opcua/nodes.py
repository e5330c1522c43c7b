"""Nodes: their addresses as text, what types they have, and browsing for them in large steps."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from asyncua import ua

from deungdae.core.errors import BadReply
from deungdae.core.ports import Node

from . import units
from .link import Link, chunks
from .table import written

_NODE = re.compile(r"(ns=\d{1,5};)?(i=\d{1,10}$|[sgb]=.)", re.ASCII | re.DOTALL)
_URI = re.compile(r"nsu=(.*?);(?=[isgb]=)")
_HIERARCHICAL, _PROPERTY, _SUBTYPE, _SERVER = 33, 46, 45, 2253
_OBJECT, _VARIABLE = 1, 2
_NUMBERS = range(1, 12)  # Boolean to Double, OPC 10000-6 §5.1.2
_TEXTS = (12, 21)  # String, LocalizedText
_ANY = 24  # the value says what it is
_ENUMERATION = ua.NodeId(29)
# abstract and derived types of namespace 0 and the built-in type that their values come in
_DERIVED = {26: 11, 27: 8, 28: 9, 290: 11, 295: 12, 12: 12, 21: 21, 289: 9}
_DESCRIBED = (
    ua.AttributeIds.DataType,
    ua.AttributeIds.ValueRank,
    ua.AttributeIds.UserAccessLevel,
    ua.AttributeIds.Description,
    ua.AttributeIds.Value,
)
_PROPERTIES = ("EngineeringUnits", "EURange", "InstrumentRange", "EnumStrings", "EnumValues",
               "TrueState", "FalseState")  # fmt: skip
_DEPTH = 40


class BadAddressError(ValueError):
    """The text is no NodeId; the message says why and what is right."""


def parse(address: str, namespaces: Sequence[str]) -> ua.NodeId:
    """Return the NodeId of `ns=2;s=Kiln.Temp`, or of `nsu=<uri>;s=…` at this server.

    Raises BadAddressError.
    """
    text = address.strip()
    if match := _URI.match(text):
        uri = match.group(1)
        if uri not in namespaces:
            raise BadAddressError(
                f"{address}: the server has no namespace {uri}; it has {', '.join(namespaces)}"
            )
        text = f"ns={namespaces.index(uri)};{text[match.end() :]}"
    try:
        if not _NODE.match(text):
            raise ValueError(text)
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError, TypeError) as error:
        raise BadAddressError(
            f"{address!r} is no node id: write it like ns=2;s=Kiln.Temp or ns=2;i=1001"
        ) from error


class Type(NamedTuple):
    """A data type: its name, the built-in type that its values come in, and names of states."""

    name: str
    builtin: int
    texts: Mapping[int, str] = {}


_NONE = Type("", 0)
_BOOLEAN = {0: "false", 1: "true"}


class Types:
    """The data types of one server, each asked for once."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[ua.NodeId, Type] = {}

    async def learn(self, nodes: Iterable[ua.NodeId]) -> Mapping[ua.NodeId, Type]:
        """Return the type of each data type node."""
        unknown = [node for node in dict.fromkeys(nodes) if node not in self._known]
        for node in unknown:
            self._known[node] = await self._ask(node)
        return self._known

    async def _ask(self, node: ua.NodeId) -> Type:
        """Climb to the built-in type; an enumeration's values come as Int32."""
        name, at = "", node
        for _ in range(_DEPTH):
            builtin = _builtin(at)
            if not name:
                name = await self._name(node)
            if builtin:
                return Type(name, builtin)
            if at == _ENUMERATION:
                return Type(name, 6, (await texts(self._link, [node]))[0])
            (above,) = await browse(self._link, [at], _SUBTYPE, inverse=True)
            if not above:
                break
            at = _here(above[0].NodeId)
        return Type(name, 0)

    async def _name(self, node: ua.NodeId) -> str:
        (found,) = await self._link.read([(node, ua.AttributeIds.BrowseName)])
        return str(found.Value.Value.Name) if found.Value and found.Value.Value else ""


async def states(link: Link, nodes: Sequence[ua.NodeId]) -> list[dict[int, str]]:
    """Return number -> name of the states of each variable, from itself or its data type."""
    own = await texts(link, nodes)
    read = await link.read([(node, ua.AttributeIds.DataType) for node in nodes])
    types = [_value(value) for value in read]
    known = await Types(link).learn(node for node in types if node is not None)
    of_type = [known[node] if node is not None else _NONE for node in types]
    return [
        found or dict(type_.texts) or (_BOOLEAN if type_.builtin == 1 else {})
        for found, type_ in zip(own, of_type, strict=True)
    ]


async def texts(link: Link, nodes: Sequence[ua.NodeId]) -> list[dict[int, str]]:
    """Return number -> name of its states for each variable or enumeration, {} where none."""
    properties = await _properties(link, nodes)
    return [_named(found) for found in properties]


async def browse(
    link: Link,
    nodes: Sequence[ua.NodeId],
    reference: int,
    *,
    inverse: bool = False,
    classes: int = 0,
) -> list[list[ua.ReferenceDescription]]:
    """Return the references of each node; a node that cannot be browsed has none."""
    found: list[list[ua.ReferenceDescription]] = []
    session = link.client.uaclient.session
    for chunk in chunks(nodes, link.limits.browse):
        parameters = ua.BrowseParameters()
        parameters.NodesToBrowse = [_wish(node, reference, inverse, classes) for node in chunk]
        results = await session.browse(parameters)
        if len(results) != len(chunk):
            raise BadReply(f"the server browsed {len(results)} of {len(chunk)} nodes")
        pages = [list(result.References or []) for result in results]
        open_ = {i: r.ContinuationPoint for i, r in enumerate(results) if r.ContinuationPoint}
        while open_:
            more = ua.BrowseNextParameters(False, list(open_.values()))
            results = await session.browse_next(more)
            for i, result in zip(tuple(open_), results, strict=True):
                pages[i] += result.References or []
                if result.ContinuationPoint:
                    open_[i] = result.ContinuationPoint
                else:
                    del open_[i]
        found += pages
    return found


class _Place(NamedTuple):
    """A node on the way down, and its path as people name it."""

    node: ua.NodeId
    path: str


async def discover(link: Link, root: str, *, diagnostics: bool) -> AsyncIterator[Node]:
    """Yield every variable below the root that has one number, state or text as its value."""
    start = parse(root, link.namespaces)
    seen = {start} if diagnostics else {start, ua.NodeId(_SERVER)}
    types = Types(link)
    level = [_Place(start, "")]
    while level:
        below: list[_Place] = []
        variables: list[_Place] = []
        pages = await browse(
            link, [place.node for place in level], _HIERARCHICAL, classes=_OBJECT | _VARIABLE
        )
        for place, references in zip(level, pages, strict=True):
            for reference in references:
                node = _here(reference.NodeId)
                if node in seen or reference.ReferenceTypeId == ua.NodeId(_PROPERTY):
                    continue
                seen.add(node)
                name = str(reference.DisplayName.Text or reference.BrowseName.Name or "")
                found = _Place(node, f"{place.path}/{name}" if place.path else name)
                below.append(found)
                if reference.NodeClass == ua.NodeClass.Variable:
                    variables.append(found)
        for chunk in chunks(variables, 1000):
            for node_ in await _describe(link, types, chunk):
                yield node_
        level = below


async def _describe(link: Link, types: Types, places: Sequence[_Place]) -> list[Node]:
    """Return what can be proposed of the variables."""
    wanted = [(place.node, attribute) for place in places for attribute in _DESCRIBED]
    read = await link.read(wanted)
    width = len(_DESCRIBED)
    rows = [
        [*map(_value, read[i : i + width - 1]), read[i + width - 1].Value]
        for i in range(0, len(read), width)
    ]
    known = await types.learn(row[0] for row in rows if isinstance(row[0], ua.NodeId))
    properties = await _properties(link, [place.node for place in places])
    found = []
    for place, row, more in zip(places, rows, properties, strict=True):
        type_ = known.get(row[0])
        if type_ is not None and (node := _proposal(place, type_, row, more)) is not None:
            found.append(node)
    return found


def _proposal(
    place: _Place, type_: Type, row: Sequence[Any], properties: Mapping[str, Any]
) -> Node | None:
    _, rank, access, description, variant = row
    value = variant.Value if variant is not None else None
    if isinstance(value, list) or (rank is not None and rank >= 0):
        return None
    states = type_.texts or _named(properties)
    builtin = type_.builtin
    if builtin == _ANY and value is not None:
        builtin = int(variant.VariantType.value)
    if builtin not in _NUMBERS and builtin not in _TEXTS:
        return None
    kind: Any = "text" if builtin in _TEXTS else "state" if states else "number"
    low, high = _range(properties)
    return Node(
        address=place.node.to_string(),
        path=place.path,
        kind=kind,
        type=type_.name,
        unit=units.ucum(properties.get("EngineeringUnits")),
        access="rw" if (access or 0) & 2 else "r",
        low=low,
        high=high,
        value=written(value, states),
        description=str(getattr(description, "Text", None) or ""),
    )


def _range(properties: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the physical range: the instrument's where it is given, else the engineering one."""
    found = properties.get("InstrumentRange") or properties.get("EURange")
    low, high = getattr(found, "Low", None), getattr(found, "High", None)
    if low is None or high is None or not low < high:
        return None, None
    return float(low), float(high)


def _named(properties: Mapping[str, Any]) -> dict[int, str]:
    strings, values = properties.get("EnumStrings"), properties.get("EnumValues")
    if strings:
        return {i: str(text.Text or "") for i, text in enumerate(strings)}
    if values:
        return {int(value.Value): str(value.DisplayName.Text or "") for value in values}
    if "TrueState" in properties and "FalseState" in properties:
        return {
            0: str(properties["FalseState"].Text or ""),
            1: str(properties["TrueState"].Text or ""),
        }
    return {}


async def _properties(link: Link, nodes: Sequence[ua.NodeId]) -> list[dict[str, Any]]:
    """Return the values of the known properties of each node, by name."""
    pages = await browse(link, nodes, _PROPERTY, classes=_VARIABLE)
    wanted = [
        (row, str(reference.BrowseName.Name), _here(reference.NodeId))
        for row, references in enumerate(pages)
        for reference in references
        if reference.BrowseName.Name in _PROPERTIES
    ]
    read = await link.read([(node, ua.AttributeIds.Value) for _, _, node in wanted])
    found: list[dict[str, Any]] = [{} for _ in nodes]
    for (row, name, _), value in zip(wanted, read, strict=True):
        if (content := _value(value)) is not None:
            found[row][name] = content
    return found


def _wish(node: ua.NodeId, reference: int, inverse: bool, classes: int) -> ua.BrowseDescription:
    wish = ua.BrowseDescription()
    wish.NodeId = node
    wish.BrowseDirection = ua.BrowseDirection.Inverse if inverse else ua.BrowseDirection.Forward
    wish.ReferenceTypeId = ua.NodeId(reference)
    wish.IncludeSubtypes = True
    wish.NodeClassMask = ua.UInt32(classes)
    wish.ResultMask = ua.UInt32(63)
    return wish


def _builtin(node: ua.NodeId) -> int:
    """Return the built-in type of a data type node of namespace 0, 0 if it is derived from one."""
    if node.NamespaceIndex != 0 or not isinstance(node.Identifier, int):
        return 0
    return node.Identifier if 0 < node.Identifier <= 25 else _DERIVED.get(node.Identifier, 0)


def _here(node: ua.NodeId | ua.ExpandedNodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex)


def _value(read: ua.DataValue) -> Any:
    return read.Value.Value if read.Value is not None else None


async def writable(link: Link, node: ua.NodeId) -> ua.VariantType:
    """Return the type of value that a node takes: that of its value, else of its data type.

    Raises BadReply where it takes no single number.
    """
    value, type_ = await link.read(
        [(node, ua.AttributeIds.Value), (node, ua.AttributeIds.DataType)]
    )
    variant = value.Value
    if variant is not None and variant.Value is not None and not variant.is_array:
        builtin = int(variant.VariantType.value)
    else:
        data_type = _value(type_)
        known = await Types(link).learn([data_type]) if data_type is not None else {}
        builtin = known[data_type].builtin if known and not isinstance(_value(value), list) else 0
    if builtin not in _NUMBERS:
        raise BadReply(
            f"{node.to_string()} takes no single number", remedy="check the address of the signal"
        )
    return ua.VariantType(builtin)
