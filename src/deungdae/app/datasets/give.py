"""Gives a set away as a package, and takes one that others gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from deungdae.core.clock import to_iso
from deungdae.exchange.dataset import About, Field, Package, named, pack, unpack
from deungdae.learn.dataset import (
    DESCRIBED,
    FILES,
    Card,
    Dataset,
    Item,
    from_parquet,
    own_columns,
    to_parquet,
)

from .shelf import Shelf, read_card

_FOLDERS = {"images": "ref", "masks": "mask", "goldens": "golden"}


def give(shelf: Shelf, asked: str, target: Path, who: str, purpose: str = "") -> Dataset:
    """Return the set that was written as a package: a folder, or a .zip.

    The log of use says who gave it away and what for. Raises ValueError, StoreError, DoorError.
    """
    dataset = shelf.get(asked)
    card = dataset.card
    own = own_columns(dataset.items)
    names = {
        folder: _names(shelf, dataset, folder) for folder, field in _FOLDERS.items() if field in own
    }
    columns = dict(zip(FILES, names.values(), strict=False))  # where none has a golden image, less
    items = to_parquet(dataset.items, card.columns, {
        name: [path.partition("/")[2] for path in paths] for name, paths in columns.items()
    })  # fmt: skip
    package = Package(msgspec.json.format(msgspec.json.encode(card), indent=2), items)
    digest = pack(
        target, _about(card, own, list(columns)), package, _pictures(shelf, dataset, names)
    )
    shelf.note(card, "export", who, {"purpose": purpose, "to": target.name, "sums": digest})
    return dataset


def take(shelf: Shelf, source: Path, who: str) -> Dataset:
    """Return the set of a package, kept on the shelf with its origin, licence and consent.

    Raises BadReply for a package that is not what it says.
    """
    return shelf.keep(unpack(source, _judged, shelf.put), who, "import")


def _judged(package: Package, pictures: frozenset[str]) -> Dataset:
    """Return the set in a package. Raises ValueError where it is not the one on its card."""
    card = read_card(package.card)
    dataset = Dataset(card, from_parquet(package.items, card.columns))
    if problems := dataset.problems():
        raise ValueError(problems[0])
    for item in dataset.items:
        for ref in item.files:
            if ref not in pictures:
                raise ValueError(f"{item.name}: {ref} is not in the package")
    return dataset


def _names(shelf: Shelf, dataset: Dataset, folder: str) -> list[str]:
    """Return the name in the package of each item's file of a folder, '' where it has none."""
    found: dict[str, str] = {"": ""}
    names = []
    for item in dataset.items:
        ref = getattr(item, _FOLDERS[folder])
        if ref not in found:
            found[ref] = named(folder, ref, _content(shelf, item, ref))
        names.append(found[ref])
    return names


def _pictures(
    shelf: Shelf, dataset: Dataset, names: dict[str, list[str]]
) -> Iterator[tuple[str, bytes]]:
    for folder, paths in names.items():
        for item, name in zip(dataset.items, paths, strict=True):
            if name:
                yield name, _content(shelf, item, getattr(item, _FOLDERS[folder]))


def _content(shelf: Shelf, item: Item, ref: str) -> bytes:
    try:
        return shelf.content(ref)
    except LookupError as error:
        raise ValueError(
            f"{item.name}: {error}; a set that lost images is not given away"
        ) from error


def _about(card: Card, columns: Sequence[str], names: Sequence[str]) -> About:
    own = [Field(name, "time" if name == "time" else "text", DESCRIBED[name]) for name in columns]
    further = [
        Field(each.name, each.kind, each.description, each.unit if each.kind == "number" else "")
        for each in card.columns
    ]
    files = [Field(name, "text", words) for name, words in FILES.items() if name in names]
    told = "; ".join(card.anonymised) or "nothing was taken out: names and serials are as they were"
    return About(
        name=card.name,
        version=card.version,
        made=to_iso(card.made),
        fields=(*own, *further, *files),
        description=card.description,
        licence=card.licence,
        contributor=card.contributor,
        uses=card.consent.uses,
        limits=card.limits,
        collected=card.declaration,
        sensitive=told,
    )
