"""XML documents of MTConnect agents, of any version: safe reading, errors, observations."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

import msgspec
from lxml import etree

from deungdae.core.errors import BadReply
from deungdae.wires import xml

from .reading import LEVELS, UNAVAILABLE, Reading

_EXCERPT = 200
_OTHER = "check that the address is that of an MTConnect agent"


class OutOfRangeError(BadReply):
    """The agent no longer has, or does not yet have, the sequence number that was asked for."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of a streams document says; instance changes when the agent restarts.

    created: time at the agent; first: oldest sequence number that it holds; next: the number after
    the last of this document; size: how many it can hold.
    """

    instance: str
    created: str
    first: int
    next: int
    size: int


def parse(content: bytes, expected: str) -> etree._Element:
    """Return the root of an MTConnect document named `expected`, e.g. MTConnectStreams.

    Raises BadReply with the agent's words if it is an error document or anything else, and
    OutOfRangeError if the agent says so. No entity is resolved, nothing is fetched.
    """
    root = xml.parsed(content, "MTConnect", remedy=_OTHER)
    name = etree.QName(root).localname
    if name != expected:
        raise _refusal(root, name, expected)
    return root


def header(root: etree._Element) -> Header:
    """Return the header of a streams document. Raises BadReply if a number is missing."""
    node = root.find("{*}Header")
    if node is None:
        raise BadReply("the document has no Header")
    try:
        return Header(
            instance=node.get("instanceId", ""),
            created=node.get("creationTime", ""),
            first=int(node.get("firstSequence", "")),
            next=int(node.get("nextSequence", "")),
            size=int(node.get("bufferSize", "0")),
        )
    except ValueError as error:
        raise BadReply(
            "the Header has no firstSequence, nextSequence or bufferSize as a number"
        ) from error


def readings(root: etree._Element, wanted: Container[str]) -> Iterator[Reading]:
    """Yield the observations of the wanted data items of a streams document, by dataItemId."""
    for group in root.iter("{*}Samples", "{*}Events"):
        for node in group:
            get = node.get
            item = get("dataItemId", "")
            if item not in wanted:
                continue
            text = node.text or ""
            if len(node):
                entries = _entries(node)
                joined = " ".join(f"{key}={value}" for key, value in entries.items())
                yield Reading(item, get("timestamp", ""), joined, entries)
            elif " " in text or get("nativeCode") is not None:
                yield Reading(item, get("timestamp", ""), text, _data(node))
            else:
                yield Reading(item, get("timestamp", ""), text, None)
    for group in root.iter("{*}Condition"):
        for node in group:
            if node.get("dataItemId", "") in wanted:
                yield _condition(node)


def _data(node: etree._Element) -> dict[str, str] | None:
    """Return what else a time series or a message says."""
    if node.get("sampleCount") is not None:
        return {name: node.get(name, "") for name in ("sampleCount", "sampleRate")}
    code = node.get("nativeCode")
    return None if code is None else {"nativeCode": code}


def _entries(node: etree._Element) -> dict[str, str]:
    """Return a data set's or table's entries by key; a table's cells by `row.column`."""
    found = {}
    for entry in node.iterchildren("{*}Entry"):
        key = entry.get("key", "")
        for cell in entry.iterchildren("{*}Cell"):
            found[f"{key}.{cell.get('key', '')}"] = cell.text or ""
        if not len(entry):
            found[key] = entry.text or ""
    return found


def _condition(node: etree._Element) -> Reading:
    level = etree.QName(node).localname.upper()
    level = level if level in LEVELS else UNAVAILABLE
    parts = {
        "level": level,
        "nativeCode": node.get("nativeCode", ""),
        "nativeSeverity": node.get("nativeSeverity", ""),
        "qualifier": node.get("qualifier", ""),
        "text": node.text or "",
    }
    return Reading(
        node.get("dataItemId", ""),
        node.get("timestamp", ""),
        level,
        {name: part for name, part in parts.items() if part},
    )


def _refusal(root: etree._Element, name: str, expected: str) -> BadReply:
    """Return what an error document says.

    `<Error errorCode=…>` until 1.8, an element per kind since 2.0, without the attribute in 2.7.
    """
    errors = [each for node in root.iter("{*}Errors") for each in node.iterchildren("{*}*")]
    errors += root.iterchildren("{*}Error")
    if name != "MTConnectError" or not errors:
        words = " ".join(" ".join(str(part) for part in root.itertext()).split())[:_EXCERPT]
        return BadReply(
            f"expected {expected}, and the answer is a {name}: {words!r}",
            remedy=_OTHER,
        )
    said = [(node.get("errorCode") or _code(node), _message(node)) for node in errors]
    kind = OutOfRangeError if any(code == "OUT_OF_RANGE" for code, _ in said) else BadReply
    return kind("the agent says " + "; ".join(f"{code}: {text}" for code, text in said))


def _code(node: etree._Element) -> str:
    """Return the code that an element's name stands for: `OutOfRange` is OUT_OF_RANGE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", etree.QName(node).localname).upper()


def _message(node: etree._Element) -> str:
    inner = node.find("{*}ErrorMessage")
    return ((node if inner is None else inner).text or "").strip()
