"""What a careless split would pretend: the same simple model, judged both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.learn.measure import Interval, auroc, bootstrap

from .duplicates import alike, hashes
from .groups import folds, joined

NEIGHBOURS = 5
COMPONENTS = 100


class Shortcut(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the part, e.g. the moment, and how well it alone tells good from bad."""

    name: str
    auroc: Interval

    @property
    def tells(self) -> bool:
        """Return whether it tells more than chance."""
        return self.auroc.low > 0.5


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """What a random split would pretend of a set.

    random, grouped: AUROC of the simple model under a random split, and with whole groups kept
    apart; flatters: random − grouped, each with the interval of whole groups drawn anew (how the
    folds fell is not in it). n items in `groups` groups, `apart` after those were joined that show
    the same. crossing: pairs of items of different groups that look the same; contradictions:
    pairs that look the same, one called good and one bad. same: all items look so alike that
    looks cannot tell duplicates; nothing was joined then. shortcuts: see there.
    """

    random: Interval
    grouped: Interval
    flatters: Interval
    n: int
    groups: int
    apart: int
    crossing: tuple[tuple[int, int], ...] = ()
    contradictions: tuple[tuple[int, int], ...] = ()
    same: bool = False
    shortcuts: tuple[Shortcut, ...] = ()

    @property
    def leaks(self) -> bool:
        """Return whether a random split of this set must not be believed."""
        return self.flatters.low > 0.0

    @property
    def said(self) -> tuple[str, ...]:
        """Return the findings in words, the heaviest first."""
        by = f"{self.flatters.value:.2f} ({self.flatters.low:.2f} to {self.flatters.high:.2f})"
        said = []
        if self.groups == self.n and not self.crossing:
            said.append(
                "Every item is a group of its own: if several show one part, say so, for no audit "
                "can see it otherwise."
            )
        elif self.leaks:
            said.append(
                f"A random split of this set would flatter you by {by} AUROC: "
                f"{self.random.value:.2f} instead of {self.grouped.value:.2f}."
            )
        else:
            said.append(f"A random split would change the AUROC by {by}: no leak was shown.")
        if self.crossing:
            said.append(
                f"{len(self.crossing)} pairs of items of different groups look the same: "
                f"{self.groups} groups are {self.apart} in truth."
            )
        if self.contradictions:
            said.append(
                f"{len(self.contradictions)} pairs of items look the same, but one is called good "
                "and one bad: look at them again."
            )
        if self.same:
            said.append("All items look so alike that duplicates cannot be told by looks.")
        said += [
            f"{each.name} alone tells good from bad with AUROC {each.auroc}: "
            "were they recorded under different conditions?"
            for each in self.shortcuts
            if each.tells
        ]
        return tuple(said)


def audit(
    items: ArrayLike,
    bad: ArrayLike,
    groups: ArrayLike,
    *,
    shortcuts: Mapping[str, ArrayLike] | None = None,
    k: int = 5,
    seed: int = 0,
    rounds: int = 500,
) -> Leak:
    """Return by how much a random split of a set would flatter its user.

    items: thumbnails [n, side, side], among which duplicates are looked for, or features [n, d];
    bad: bool[n]; groups: [n]; shortcuts: further numbers of each item that must not tell its
    verdict, e.g. time, brightness, width. The model is 100 principal components and extremely
    random trees, fixed: it need not be good, only greedy.
    Raises NotEnoughData where one kind is missing, or for fewer than 5 groups after joining.
    """
    table = np.asarray(items, np.float32)
    truths = np.asarray(bad, np.bool_)
    _, owners = np.unique(np.asarray(groups), return_inverse=True)
    if not len(table) == len(truths) == len(owners):
        raise ValueError(f"{len(table)} items, {len(truths)} truths and {len(owners)} groups")
    if len(truths) and (truths.all() or not truths.any()):
        raise NotEnoughData("a leak shows only where there are good and bad items")
    crossing, contradictions, apart, same = _duplicates(table, truths, owners)
    features = table.reshape(len(table), -1)
    careless = _scores(features, truths, np.arange(len(truths)), k, seed)
    careful = _scores(features, truths, apart, k, seed)
    random = np.random.default_rng(seed)

    def interval(figure: Any, *columns: NDArray[Any]) -> Interval:
        return bootstrap(figure, apart, *columns, rounds=rounds, random=random, strata=truths)

    return Leak(
        random=interval(auroc, careless, truths),
        grouped=interval(auroc, careful, truths),
        flatters=interval(_difference, careless, careful, truths),
        n=len(truths),
        groups=len(np.unique(owners)),
        apart=len(np.unique(apart)),
        crossing=crossing,
        contradictions=contradictions,
        same=same,
        shortcuts=tuple(
            Shortcut(name=name, auroc=interval(auroc, _told(values, truths, apart), truths))
            for name, values in (shortcuts or {}).items()
        ),
    )


def _difference(
    careless: NDArray[np.float64], careful: NDArray[np.float64], bad: NDArray[np.bool_]
) -> float:
    return auroc(careless, bad) - auroc(careful, bad)


def _duplicates(
    table: NDArray[np.float32], bad: NDArray[np.bool_], owners: NDArray[np.intp]
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...], NDArray[np.int64], bool]:
    """Return pairs across groups, pairs across verdicts, the groups joined, and whether all match.

    What all items have in common, as parts before a fixed camera have, is taken off first.
    """
    if table.ndim != 3 or len(table) < 3:
        return (), (), joined(owners), False
    first, second = alike(hashes(table - table.mean(axis=0)))
    across = owners[first] != owners[second]
    apart = _linked(owners, first[across], second[across])
    _, sizes = np.unique(apart[np.unique(owners, return_index=True)[1]], return_counts=True)
    if len(sizes) == 0 or (sizes.max() > 10 and 2 * sizes.max() > sizes.sum()):
        return (), (), joined(owners), True
    crossing = zip(first[across].tolist(), second[across].tolist(), strict=True)
    other = bad[first] != bad[second]
    contradictions = zip(first[other].tolist(), second[other].tolist(), strict=True)
    return tuple(crossing), tuple(contradictions), apart, False


def _linked(
    owners: NDArray[np.intp], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the groups after those were joined of which a pair of items is given."""
    from scipy.sparse import coo_matrix  # noqa: PLC0415 — loads only where it is needed
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    n = int(owners.max()) + 1
    links = coo_matrix((np.ones(len(first)), (owners[first], owners[second])), (n, n))
    _, component = connected_components(links, directed=False)
    linked: NDArray[np.int64] = component[owners].astype(np.int64)
    return linked


def _scores(
    features: NDArray[np.float32],
    bad: NDArray[np.bool_],
    groups: NDArray[np.int64],
    k: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the score of each item by a model that saw no item of its fold: float64[n]."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 — heavy, loads when named
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415

    score = np.empty(len(bad))
    fold = folds(groups, k, seed, bad)
    for number in range(k):
        test = fold == number
        if bad[~test].all() or not bad[~test].any():
            raise NotEnoughData(f"all of one kind lie in one group: {k} folds cannot be learnt")
        width = min(COMPONENTS, features.shape[1], int((~test).sum()) - 1)
        view = PCA(width, svd_solver="full", random_state=seed).fit(features[~test])
        trees = ExtraTreesClassifier(100, random_state=seed, min_samples_leaf=2)
        trees.fit(view.transform(features[~test]), bad[~test])
        score[test] = trees.predict_proba(view.transform(features[test]))[:, 1]
    return score


def _told(
    values: ArrayLike, bad: NDArray[np.bool_], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of bad among the nearest items of other groups, by one number."""
    numbers = np.asarray(values, np.float64)
    share = np.empty(len(bad))
    for group in np.unique(groups):
        own = groups == group
        away = np.abs(numbers[own][:, None] - numbers[~own][None])
        near = np.argsort(away, axis=1, kind="stable")[:, :NEIGHBOURS]
        share[own] = bad[~own][near].mean(axis=1)
    return share
