"""Which items may teach and which may test: whole groups, never across."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData


def folds(
    groups: ArrayLike, k: int = 5, seed: int = 0, strata: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Return the fold, 0 … k − 1, of each item: int64[n]; a group is whole in one.

    groups: [n], the part, lot or machine of each item; strata: [n], mostly the label. The groups
    of each kind are dealt out evenly, the rarest kind first, so every fold has each kind wherever
    k groups have it. Raises NotEnoughData for fewer groups than folds.
    """
    owners, counts = _table(groups, strata)
    n = len(counts)
    if k < 2:
        raise ValueError(f"{k} folds leave nothing to test on: take 2 at least")
    if n < k:
        raise NotEnoughData(f"{n} groups cannot fill {k} folds")
    kinds = _rarest(counts)
    size = counts.sum(axis=1)
    chance = np.random.default_rng(seed).permutation(n)
    rarity = (counts > 0).sum(axis=0)
    order = sorted(range(n), key=lambda group: (rarity[kinds[group]], -size[group], chance[group]))
    fold = np.empty(n, np.int64)
    having = np.zeros((k, counts.shape[1]), np.int64)  # groups of each kind in each fold
    items = np.zeros((k, counts.shape[1]), np.int64)
    for group in order:
        kind = kinds[group]
        load = zip(having[:, kind], items[:, kind], items.sum(axis=1), range(k), strict=True)
        place = min(load)[-1]
        fold[group] = place
        having[place] += counts[group] > 0
        items[place] += counts[group]
    return fold[owners]


def by_time(
    time: ArrayLike, share: float = 0.25, *, groups: ArrayLike | None = None, gap: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which items teach and which test, the later ones: bool[n] each.

    time: int64[n] ns; share: of the items, about, that test; gap: ns between the last that
    teaches and the first that tests, for what stays on the line a while. A group that lies on
    both sides or in the gap does neither. Raises NotEnoughData where a side is empty.
    """
    moments = np.asarray(time, np.int64)
    if not len(moments):
        raise NotEnoughData("there is nothing to split")
    if not 0.0 < share < 1.0:
        raise ValueError(f"share = {share} is not between 0 and 1")
    owners = np.arange(len(moments)) if groups is None else np.asarray(groups)
    _, inverse = np.unique(owners, return_inverse=True)
    first = np.full(inverse.max() + 1, np.iinfo(np.int64).max)
    last = np.full(inverse.max() + 1, np.iinfo(np.int64).min)
    np.minimum.at(first, inverse, moments)
    np.maximum.at(last, inverse, moments)
    begin = np.sort(moments)[min(len(moments) - 1, round(len(moments) * (1 - share)))]
    teaches, tests = (last < begin - gap)[inverse], (first >= begin)[inverse]
    if not teaches.any() or not tests.any():
        raise NotEnoughData("a side is empty: the groups last too long for this share and gap")
    return teaches, tests


def joined(*groups: ArrayLike) -> NDArray[np.int64]:
    """Return groups that join whatever one of the given namings joins: int64[n], from 0.

    E.g. parts and clusters of near-duplicates: what must never be parted.
    """
    from scipy.sparse import coo_matrix  # noqa: PLC0415 — loads only where it is needed
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    numbered = [np.unique(np.asarray(each), return_inverse=True)[1] for each in groups]
    n = len(numbered[0])
    ends, begin = [], n
    for each in numbered:
        ends.append(each + begin)
        begin += int(each.max(initial=-1)) + 1
    rows = np.tile(np.arange(n), len(numbered))
    links = coo_matrix((np.ones(len(rows)), (rows, np.concatenate(ends))), (begin, begin))
    _, component = connected_components(links, directed=False)
    _, number = np.unique(component[:n], return_inverse=True)
    return number.astype(np.int64)


def _table(
    groups: ArrayLike, strata: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the group of each item, and how many items of each kind each group has."""
    owners = np.asarray(groups)
    if not len(owners):
        raise NotEnoughData("there is nothing to split")
    names, inverse = np.unique(owners, return_inverse=True)
    kinds = np.zeros(len(owners), np.intp)
    if strata is not None:
        _, kinds = np.unique(np.asarray(strata), return_inverse=True)
    if kinds.shape != inverse.shape:
        raise ValueError(f"groups {inverse.shape} and strata {kinds.shape} are not of one length")
    counts = np.zeros((len(names), int(kinds.max()) + 1), np.int64)
    np.add.at(counts, (inverse, kinds), 1)
    return inverse, counts


def _rarest(counts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each group the kind that the fewest groups have, of those that it has."""
    rarity = (counts > 0).sum(axis=0)
    kinds: NDArray[np.intp] = np.argmin(np.where(counts > 0, rarity, len(counts) + 1), axis=1)
    return kinds
