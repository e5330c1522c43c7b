"""The card of a set: where it comes from, who agreed to what, and what it cannot promise."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

from .item import Column

FORMAT = "deungdae.dataset/1"
_canonical = msgspec.json.Encoder(order="deterministic")


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the data come from. start, end: the period that was cut, ns; 0: not known."""

    factory: str = ""
    line: str = ""
    signals: tuple[str, ...] = ()
    files: str = ""
    start: int = 0
    end: int = 0


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who agreed, when, to what use. uses: none said means none agreed beyond the plant itself."""

    by: Annotated[str, msgspec.Meta(description="Who agreed")] = ""
    on: Annotated[str, msgspec.Meta(description="When, ISO 8601")] = ""
    uses: Annotated[tuple[str, ...], msgspec.Meta(description="To what uses")] = ()
    note: Annotated[str, msgspec.Meta(description="What else was agreed")] = ""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many items have a label, and in how many groups they are. label '': nobody says."""

    label: str
    items: int
    groups: int


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a set is, for people and programs.

    version: SHA-256 over the content, 64 digits. good: the labels that mean a good part; every
    other label means a bad one. counts: by label; sources: items by who says their label.
    drift: the first and last time of an item, ns: what comes later must be compared with it.
    contradicting: items of which people contradict each other; masks: items that have one.
    made: when it was cut, ns. declaration: how it was cut, as TOML. parents: name@version of what
    it was made from. left_out: what could not be taken, and why. limits: what it cannot promise.
    anonymised: what was done to it, () where nothing was.
    """

    name: str
    version: str
    kind: Literal["images", "rows"]
    format: str = FORMAT
    description: str = ""
    origin: Origin = Origin()
    contributor: str = ""
    consent: Consent = Consent()
    licence: str = ""
    good: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    items: int = 0
    groups: int = 0
    counts: tuple[Count, ...] = ()
    sources: dict[str, int] = {}
    contradicting: int = 0
    masks: int = 0
    drift: tuple[int, int] = (0, 0)
    made: int = 0
    declaration: str = ""
    parents: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    anonymised: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return name@version, as other cards and people name the set."""
        return f"{self.name}@{self.version}"

    @property
    def seal(self) -> str:
        """Return the SHA-256 of the whole card: it changes with every word of it."""
        return hashlib.sha256(_canonical.encode(self)).hexdigest()
