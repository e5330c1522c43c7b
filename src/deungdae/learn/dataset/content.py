"""A set: its card and its items, and the version that follows from them alone."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .card import FORMAT, Card, Count
from .item import Column, Item, Value, check_columns, contradicts, merged

FEW = 10  # items below which nothing at all can be promised
SPARSE = 0.1  # share of missing values from which on a column is named
FEW_BAD = 60  # groups with a defect; with fewer the rate of misses has a wide interval
_encode = msgspec.json.Encoder(order="deterministic").encode


class Dataset(msgspec.Struct, frozen=True, eq=False):
    """A card and the items that it speaks of, in order of time and name."""

    card: Card
    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)

    @staticmethod
    def of(
        name: str,
        items: Sequence[Item],
        *,
        columns: Sequence[Column] = (),
        good: Sequence[str] = ("good",),
        **card: Any,
    ) -> Dataset:
        """Return the set of these items, with its version, counts and limits on the card.

        card: further fields of Card. limits that are given stand before those found here.
        Raises ValueError for an item whose values do not fit the columns.
        """
        check_columns(columns)
        ordered = _ordered([_cleaned(item, columns) for item in merged(items)])
        kept = tuple(ordered)
        told = {"limits": (*card.pop("limits", ()), *limits(kept, good, columns)), **card}
        made = Card(
            name=name,
            version=version_of(kept, columns, good),
            kind="images" if any(item.ref for item in kept) else "rows",
            good=tuple(good),
            columns=tuple(columns),
            **_counted(kept),
            **told,
        )
        return Dataset(made, kept)

    def bad(self, item: Item) -> bool | None:
        """Return whether a label says that the part is bad; None: nobody says."""
        return None if not item.label else item.label not in self.card.good

    def column(self, name: str) -> NDArray[Any]:
        """Return one further column: float64[n], NaN where missing, or text as object[n].

        Raises LookupError.
        """
        names = [column.name for column in self.card.columns]
        if name not in names:
            raise LookupError(f"{self.card.name} has no column {name!r}: {', '.join(names)}")
        place = names.index(name)
        values: list[Value] = [item.values[place] for item in self.items]
        if self.card.columns[place].kind == "text":
            return np.asarray(["" if value is None else value for value in values], object)
        return np.asarray([np.nan if value is None else value for value in values], np.float64)

    def problems(self) -> list[str]:
        """Return what in the items does not fit the card; none: they are what was made."""
        found = version_of(self.items, self.card.columns, self.card.good)
        if found == self.card.version:
            return []
        return [
            f"{self.card.name}: the items are those of version {found[:12]}, not"
            f" {self.card.version[:12]}: the set was changed after it was made"
        ]


def version_of(items: Iterable[Item], columns: Sequence[Column], good: Sequence[str]) -> str:
    """Return the version of a content: SHA-256, 64 digits, whatever the order of the items.

    Over the columns, the labels that mean good, and every field of every item; images and masks
    enter by their own SHA-256. The same content has the same version on any machine.
    """
    shape = [[each.name, each.kind, each.unit] for each in columns]
    digests = sorted(hashlib.sha256(_encode(_plain(item))).digest() for item in items)
    whole = hashlib.sha256(_encode([FORMAT, shape, sorted(good), len(digests)]))
    for digest in digests:
        whole.update(digest)
    return whole.hexdigest()


def limits(
    items: Sequence[Item], good: Sequence[str], columns: Sequence[Column]
) -> tuple[str, ...]:
    """Return what a set cannot promise, in words."""
    if not any(item.label for item in items):
        found = ["nothing is labelled: it can show what is unusual, not what is bad"]
    else:
        found = list(_label_limits(items, good))
    groups = {item.group for item in items}
    if len(items) < FEW:
        found.insert(0, f"{len(items)} items: no error rate can be promised from so few")
    if len(groups) == 1 and len(items) > 1:
        found.append("all items are of one group: nothing can be held out to test with")
    if len(items) > 1 and len(groups) == len(items) and any(item.ref for item in items):
        found.append(
            "each image is its own group: if one part was photographed twice, tests flatter;"
            " let it be audited"
        )
    if disputed := sum(contradicts(item.labels) for item in items):
        found.append(f"{disputed} items have labels that contradict each other")
    for place, column in enumerate(columns):
        missing = sum(item.values[place] is None for item in items)
        if missing > len(items) * SPARSE:
            found.append(f"{column.name} is missing in {missing} of {len(items)} items")
    return tuple(found)


def _label_limits(items: Sequence[Item], good: Sequence[str]) -> Iterable[str]:
    bad = {item.group for item in items if item.label and item.label not in good}
    fine = {item.group for item in items if item.label in good}
    if not bad:
        yield "no item is labelled bad: how much escapes cannot be measured"
    elif len(bad) < FEW_BAD:
        # of n independent groups none missed: the one-sided 95 % bound, Clopper and Pearson (1934)
        rate = 1 - 0.05 ** (1 / len(bad))
        yield (
            f"{len(bad)} groups with a bad item: even if none of them were missed, up to"
            f" {rate:.0%} may escape (95 % bound)"
        )
    if not fine:
        yield f"no item is labelled {' or '.join(good) or 'good'}: false rejects cannot be measured"
    if open_ := sum(not item.label for item in items):
        yield f"{open_} of {len(items)} items have no label that holds"


def _counted(items: Sequence[Item]) -> Mapping[str, Any]:
    """Return the fields of a card that count."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        groups[item.label].add(item.group)
    labels = Counter(item.label for item in items)
    times = [item.time for item in items if item.time]
    return {
        "items": len(items),
        "groups": len({item.group for item in items}),
        "counts": tuple(
            Count(label=label, items=labels[label], groups=len(groups[label]))
            for label in sorted(labels)
        ),
        "sources": dict(sorted(Counter(item.source for item in items if item.source).items())),
        "contradicting": sum(contradicts(item.labels) for item in items),
        "masks": sum(bool(item.mask) for item in items),
        "drift": (min(times), max(times)) if times else (0, 0),
    }


def _ordered(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item.time, item.name, item.ref, _encode(_plain(item))))


def _cleaned(item: Item, columns: Sequence[Column]) -> Item:
    """Return the item with values of the columns' kinds; what is no number is missing."""
    if len(item.values) != len(columns):
        raise ValueError(
            f"{item.name}: {len(item.values)} values for {len(columns)} columns of the set"
        )
    values = [_value(value, column) for value, column in zip(item.values, columns, strict=True)]
    return msgspec.structs.replace(item, values=tuple(values))


def _value(value: Value, column: Column) -> Value:
    if value is None or (column.kind == "text") != isinstance(value, str):
        if value is not None:
            raise ValueError(f"{value!r} does not fit the column {column.name} of {column.kind}")
        return None
    if isinstance(value, str):
        return value
    return float(value) + 0.0 if isfinite(value) else None  # -0.0 is 0.0


def _plain(item: Item) -> list[object]:
    """Return everything of an item as a list: the order is part of the format."""
    said = [[each.label, each.source, each.who, each.time] for each in item.labels]
    return [item.ref, item.name, item.label, item.source, item.group, item.time, item.mask, said,
            list(item.values), *([item.golden] if item.golden else [])]  # fmt: skip
