"""One item of a set: an image or a row, its label and who says it, and what it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

Value: TypeAlias = float | str | None
Source: TypeAlias = Literal["person", "file", "inspection", "signal", ""]

OWN = ("ref", "name", "label", "source", "group", "time", "mask", "labels")  # columns of every set
SOME = "golden"  # a column of those sets alone whose items have one
RESERVED = frozenset({*OWN, SOME, "image", "mask_image", "golden_image"})  # the last: of packages
_RANK = {"person": 0, "file": 0, "signal": 0, "inspection": 1}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A further column of a set. unit: UCUM code of its numbers; times are ns since 1970, UTC."""

    name: str
    kind: Literal["number", "text"] = "number"
    unit: str = "1"
    description: str = ""


def check_columns(columns: Sequence[Column]) -> None:
    """Raise ValueError for a name that two columns have, or that every set has for itself."""
    names = [column.name for column in columns]
    for name in names:
        if name in RESERVED or not name:
            raise ValueError(f"a column may not be called {name!r}: every set has that for itself")
        if names.count(name) > 1:
            raise ValueError(f"two columns are called {name!r}: give one of them another name")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of an item.

    source: a person at the line, the file or folder it came in, an inspection, or a signal.
    who: the person's name, or that of the analysis. time: when it was said, ns; 0: not known.
    """

    label: str
    source: Source
    who: str = ""
    time: int = 0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One image or one row.

    ref: `sha256:…` of the image's file, '' for a row. name: what the plant calls it: the file's
    name or the part's serial. label: what holds, '' where nobody says or people contradict each
    other; source: who says so. labels: all that was said. group: items of one group are never
    split between training and test. time: ns, 0 where it is not known. mask: `sha256:…` of an
    image of the same size whose bright half (> 127) is the defect. values: of the set's columns, in
    their order; None: missing. golden: `sha256:…` of an image of a right part, taken alike.
    """

    ref: str = ""
    name: str = ""
    label: str = ""
    source: Source = ""
    group: str = ""
    time: int = 0
    mask: str = ""
    labels: tuple[Label, ...] = ()
    values: tuple[Value, ...] = ()
    golden: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the references of all its files."""
        return tuple(each for each in (self.ref, self.mask, self.golden) if each)


def settled(said: Iterable[Label]) -> tuple[str, Source]:
    """Return the label that holds and who says it; '' and '' where none does.

    People go before inspections, the newest before older ones. Of two that are as new as each
    other and differ, none holds: a person must decide.
    """
    ranked = sorted(said, key=lambda each: (_RANK[each.source], -each.time))
    if not ranked:
        return "", ""
    first = ranked[0]
    rivals = [e for e in ranked if (_RANK[e.source], e.time) == (_RANK[first.source], first.time)]
    if len({each.label for each in rivals}) > 1:
        return "", ""
    return first.label, first.source


def contradicts(said: Iterable[Label]) -> bool:
    """Return whether people contradict each other; who changes his own mind does not."""
    last: dict[tuple[str, str], Label] = {}
    nameless: set[str] = set()
    for each in sorted(said, key=lambda each: each.time):
        if each.source == "inspection":
            continue
        if each.source == "person":
            last[each.source, each.who] = each
        else:
            nameless.add(each.label)
    return len({each.label for each in last.values()} | nameless) > 1


def merged(items: Sequence[Item]) -> list[Item]:
    """Return the items with each image once, in order of their names.

    An image that came twice keeps what was said of both, and the two groups become one: otherwise
    it could be trained on and tested with. Rows without an image stay as they are.
    """
    shown: dict[str, list[str]] = {}
    for item in items:
        if item.ref:
            shown.setdefault(item.ref, []).append(item.group)
    name_of = together(shown.values())
    images: dict[str, Item] = {}
    rows: list[Item] = []
    for item in sorted(items, key=_order):
        group = name_of.get(item.group, item.group)
        if not item.ref:
            rows.append(msgspec.structs.replace(item, group=group))
        elif (first := images.get(item.ref)) is None:
            images[item.ref] = msgspec.structs.replace(item, group=group)
        else:
            images[item.ref] = _both(first, item)
    return [*images.values(), *rows]


def _order(item: Item) -> tuple[str, int, str, str, str]:
    return item.name, item.time, item.ref, item.group, repr(item.values)


def _both(first: Item, second: Item) -> Item:
    said = tuple(
        sorted(
            {*first.labels, *second.labels},
            key=lambda each: (each.time, each.source, each.who, each.label),
        )
    )
    label, source = first.label, first.source
    if (label, source) != (second.label, second.source):
        # of those alone whose word counted before: an inspection's may be kept and not count
        counted = {first.source, second.source}
        label, source = settled(each for each in said if each.source in counted)
    return msgspec.structs.replace(
        first,
        labels=said,
        label=label,
        source=source,
        mask=first.mask or second.mask,
        golden=first.golden or second.golden,
    )


def together(names: Iterable[Sequence[str]]) -> dict[str, str]:
    """Return the name of the group that each name is part of, the first by its letters.

    names: what stands together belongs to one group, and so does what is linked through others.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for linked in names:
        for other in linked:
            one, rest = sorted((root(linked[0]), root(other)))
            parent[rest] = one
    return {name: root(name) for name in list(parent)}
