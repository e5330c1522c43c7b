"""Looks at a set before anybody believes a figure that comes of it, and keeps what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.learn.dataset import Card, Dataset, Item

from .shelf import Shelf

if TYPE_CHECKING:
    from deungdae.learn.split import Leak

MOST = 5_000  # items that are looked at: time grows with their square
SHOWN = 20  # pairs that are named


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found. said: in words, the heaviest first; n: items that were looked at.

    flatters: by how much AUROC a random split would flatter, with its interval; None where it
    cannot be told, and `said` says why. pairs: items of different groups that look the same.
    """

    set: str
    n: int
    said: tuple[str, ...]
    leaks: bool = False
    flatters: tuple[float, float, float] | None = None
    random: tuple[float, float, float] | None = None
    grouped: tuple[float, float, float] | None = None
    pairs: tuple[tuple[str, str], ...] = ()


def audit(shelf: Shelf, dataset: Dataset, who: str) -> Audit:
    """Return what an audit finds in a set, and keep it beside the card. Raises StoreError."""
    from deungdae.learn.split import audit as judged  # noqa: PLC0415 — loads scikit-learn and SciPy

    items = [item for item in dataset.items if item.label]
    chosen = items[-MOST:]
    try:
        if not chosen:
            raise NotEnoughData("nothing is labelled")
        table, shortcuts = _looks(shelf, dataset, chosen)
        bad = np.asarray([dataset.bad(item) is True for item in chosen], np.bool_)
        groups = np.asarray([item.group for item in chosen], np.str_)
        found = _told(dataset, chosen, judged(table, bad, groups, shortcuts=shortcuts))
    except NotEnoughData as error:
        found = Audit(set=dataset.card.id, n=len(chosen), said=(f"No audit can be made: {error}.",))
    if len(chosen) < len(items):
        words = f"Only the newest {MOST} of {len(items)} labelled items were looked at."
        found = msgspec.structs.replace(found, said=(*found.said, words))
    shelf.keep_audit(dataset.card, msgspec.json.encode(found), who)
    return found


def kept(shelf: Shelf, card: Card) -> Audit | None:
    """Return what the last audit of a set found, or None for no audit. Raises StoreError."""
    content = shelf.audit(card)
    try:
        return None if content is None else msgspec.json.decode(content, type=Audit)
    except msgspec.MsgspecError as error:
        raise StoreError(f"the audit of {card.name} is damaged: {error}") from error


def _told(dataset: Dataset, items: list[Item], leak: Leak) -> Audit:
    return Audit(
        set=dataset.card.id,
        n=leak.n,
        said=leak.said,
        leaks=leak.leaks,
        flatters=(leak.flatters.value, leak.flatters.low, leak.flatters.high),
        random=(leak.random.value, leak.random.low, leak.random.high),
        grouped=(leak.grouped.value, leak.grouped.low, leak.grouped.high),
        pairs=tuple((items[a].name, items[b].name) for a, b in leak.crossing[:SHOWN]),
    )


def _looks(
    shelf: Shelf, dataset: Dataset, items: list[Item]
) -> tuple[NDArray[np.float32], Mapping[str, NDArray[np.float64]]]:
    """Return what of the items a model would see, and numbers that must not tell the verdict."""
    shortcuts = {"The time": np.asarray([item.time for item in items], np.float64)}
    if dataset.card.kind == "rows":
        return _numbers(dataset, items), _varying(shortcuts)
    from deungdae.learn.split import thumbnail  # noqa: PLC0415 — as above
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — as above

    small, light, width = [], [], []
    for item in items:
        pixels = decoded(shelf.content(item.ref))
        small.append(thumbnail(pixels))
        light.append(float(pixels.mean()))
        width.append(float(pixels.shape[1]))
    shortcuts |= {"The brightness": np.asarray(light), "The width": np.asarray(width)}
    return np.asarray(small, np.float32), _varying(shortcuts)


def _numbers(dataset: Dataset, items: list[Item]) -> NDArray[np.float32]:
    """Return the numeric columns of rows, each with mean 0 and deviation 1, 0 where missing."""
    places = [n for n, column in enumerate(dataset.card.columns) if column.kind == "number"]
    rows = [[item.values[n] for n in places] for item in items]
    table = np.asarray(rows, np.float64).reshape(len(items), len(places))
    known = np.isfinite(table)
    count = np.maximum(known.sum(axis=0), 1)
    table = np.where(known, table, 0.0)
    centred = np.where(known, table - table.sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0), np.float32)


def _varying(told: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name: values for name, values in told.items() if len(np.unique(values)) > 1}
