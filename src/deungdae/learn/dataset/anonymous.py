"""A set without names, serials, texts and true times, so far as its table is concerned."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from deungdae.core.types import DAY, SECOND

from .card import Consent, Origin
from .content import Dataset
from .item import Column, Item, Label, Value

DIGITS = 16  # of a pseudonym: two of a million names meet once in 40 million sets
YEARS = 10  # over which times are shifted at most
FEW = 10  # values below which nothing is taken for a serial number


def anonymous(
    dataset: Dataset,
    name: str,
    key: bytes,
    refs: Mapping[str, str],
    *,
    keep: Collection[str] = (),
    coarse: int = 0,
    card: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return a set of another name that tells of no person, part or day, and says what was done.

    key: secret of the factory, of at least 32 bytes: the same name always becomes the same
    pseudonym, and only who has the key can tell which. refs: the stripped image of each file.
    keep: columns of text, or of numbers that look like serials, to keep. coarse: ns; times
    are cut down to multiples of it, 0: all are shifted by one constant. card: fields of the new
    card. Raises ValueError for a short key or a column that is not there.
    """
    if len(key) < 32:
        raise ValueError("the key must have at least 32 bytes")
    known = {column.name for column in dataset.card.columns}
    if unknown := set(keep) - known:
        raise ValueError(f"no column {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    dropped = [n for n, column in enumerate(dataset.card.columns)
               if column.name not in keep and _tells(dataset, n, column)]  # fmt: skip
    columns = [c for n, c in enumerate(dataset.card.columns) if n not in dropped]
    veil = _Veil(key, coarse)
    items = [
        msgspec.structs.replace(
            veil.item(item, refs),
            values=tuple(v for n, v in enumerate(item.values) if n not in dropped),
        )
        for item in dataset.items
    ]
    consent = dataset.card.consent
    told: dict[str, Any] = {
        "licence": dataset.card.licence,
        "consent": Consent(by=veil.hidden("person", consent.by), on=consent.on, uses=consent.uses),
        "origin": Origin(),
        "parents": (f"original@{dataset.card.version}",),
        "left_out": _counted(dataset.card.left_out),
        "anonymised": _said(dataset, dropped, coarse, refs),
        **(card or {}),
    }
    return Dataset.of(name, items, columns=columns, good=dataset.card.good, **told)


class _Veil:
    """Gives pseudonyms and other times."""

    def __init__(self, key: bytes, coarse: int) -> None:
        self._key = key
        self._coarse = coarse
        days = int.from_bytes(self._digest("time", "shift")[:8], "big") % (YEARS * 365)
        self._shift = (days + 1) * DAY

    def hidden(self, kind: str, name: str) -> str:
        """Return the pseudonym of a name, '' for none."""
        return f"{kind}-{self._digest(kind, name).hex()[:DIGITS]}" if name else ""

    def time(self, moment: int) -> int:
        """Return another time, 0 where there was none."""
        if not moment:
            return 0
        return moment // self._coarse * self._coarse if self._coarse else moment - self._shift

    def item(self, item: Item, refs: Mapping[str, str]) -> Item:
        """Return an item under pseudonyms."""
        return msgspec.structs.replace(
            item,
            ref=refs[item.ref] if item.ref else "",
            mask=refs[item.mask] if item.mask else "",
            golden=refs[item.golden] if item.golden else "",
            name=self.hidden("item", item.name),
            group=self.hidden("group", item.group),
            time=self.time(item.time),
            labels=tuple(self._label(label) for label in item.labels),
        )

    def _label(self, label: Label) -> Label:
        person = label.source not in ("inspection", "signal")
        who = self.hidden("person", label.who) if person else label.who
        return msgspec.structs.replace(label, who=who, time=self.time(label.time))

    def _digest(self, kind: str, name: str) -> bytes:
        return hmac.new(self._key, f"{kind}\0{name}".encode(), hashlib.sha256).digest()


def _tells(dataset: Dataset, place: int, column: Column) -> bool:
    """Return whether a column may name something: free text, or numbers like serials."""
    if column.kind == "text":
        return True
    values: list[Value] = [item.values[place] for item in dataset.items]
    numbers = [value for value in values if isinstance(value, float)]
    whole = all(number.is_integer() for number in numbers)
    return whole and len(numbers) >= FEW and len(set(numbers)) == len(numbers)


def _counted(left_out: Collection[str]) -> tuple[str, ...]:
    return (f"{len(left_out)} things could not be taken",) if left_out else ()


def _said(
    dataset: Dataset, dropped: Collection[int], coarse: int, refs: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what was done, and what was not, in words."""
    names = ", ".join(dataset.card.columns[n].name for n in dropped) or "none"
    times = (
        f"times were cut down to multiples of {coarse // SECOND} s"
        if coarse
        else "all times were shifted by one constant: what lay between them stays"
    )
    found = [
        "names of people, parts, files and groups became keyed hashes (HMAC-SHA-256); the key stays"
        " in the factory; groups stay groups",
        times,
        f"columns of text and of numbers like serials were left out: {names}",
        "origin, declaration, description, contributor and notes were left out of the card",
        "the names of columns and the words of labels were kept",
    ]
    if refs:
        found.append(
            "EXIF, places and comments were taken out of images; their pixels are the same, and"
            " what they show was not looked at: faces, serials on parts"
        )
    found.append(
        "k-anonymity is not promised: who knows the line may tell a part by its values or its image"
    )
    return tuple(found)
