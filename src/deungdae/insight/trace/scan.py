"""One scan as the genealogy reads it: whose code, where, and which other things it names."""

from __future__ import annotations

from typing import NamedTuple

from deungdae.core.clock import from_iso
from deungdae.core.types import Event, Severity

LONGEST = 256  # characters of a code; what is longer is none
PARENTS = 1000  # that one scan may name
UNREAD = frozenset({"", "NOREAD", "NO READ", "NO_READ", "ERROR", "?", "UNAVAILABLE"})
KINDS = ("scan", "image")
NAMED = ("serial", "sscc", "lot", "from", "into", "carrier", "order")  # keys of data: codes


class Sight(NamedTuple):
    """A thing was seen: `code` at `asset`, done at `time`.

    start: when work began, None where it was not told. parts: what went into it, by lot and from.
    into: the carrier that it went into; carrier: the one that it was in.
    """

    code: str
    time: int
    asset: str
    id: str
    kind: str
    start: int | None
    lots: tuple[str, ...]
    parents: tuple[str, ...]
    into: str
    carrier: str
    event: Event

    @property
    def parts(self) -> tuple[str, ...]:
        """Return everything that went into it, as this scan says."""
        return self.lots + self.parents

    @property
    def on(self) -> str:
        """Return the carrier that it is in from this scan on, or ''."""
        return self.into or self.carrier

    def told(self, key: str) -> str:
        """Return a part of the data in words, or ''."""
        return self.event.data.get(key, "").strip()


def clean(text: str) -> str:
    """Return a code without the spaces around it, or '' where it is no code."""
    code = text.strip()
    return "" if code.upper() in UNREAD or len(code) > LONGEST else code


def read(event: Event) -> Sight | None:
    """Return what a scan says, or None where nothing was read."""
    if event.kind not in KINDS or event.status & 3 >= Severity.BAD:
        return None
    data = event.data
    code = clean(data.get("sscc", "")) or clean(data.get("serial", ""))
    if not code and event.kind == "scan":
        code = clean(event.value)
    if not code:
        return None
    return Sight(
        code,
        event.time,
        event.asset,
        event.id,
        event.kind,
        _moment(data["start"], event.time) if "start" in data else None,
        _codes(data["lot"], code) if "lot" in data else (),
        _codes(data["from"], code) if "from" in data else (),
        _other(data["into"], code) if "into" in data else "",
        _other(data["carrier"], code) if "carrier" in data else "",
        event,
    )


def _other(text: str, own: str) -> str:
    code = clean(text)
    return "" if code == own else code


def _codes(text: str, own: str) -> tuple[str, ...]:
    """Return the codes in a list with commas between, each once, without the thing's own."""
    found = dict.fromkeys(clean(part) for part in text.split(",", PARENTS)[:PARENTS])
    return tuple(code for code in found if code and code != own)


def _moment(text: str, end: int) -> int | None:
    """Return ns of an ISO 8601 time or of digits; None for what is neither, or lies after end."""
    try:
        found = int(text) if text.isascii() and text.isdigit() else from_iso(text)
    except (ValueError, OverflowError):
        return None
    return found if found <= end else None
