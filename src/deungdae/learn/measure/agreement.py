"""How far people and models agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

from .interval import Interval, bootstrap, exact


def kappa(
    ratings: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    random: np.random.Generator,
    rounds: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Return the agreement beyond chance: Cohen's for two who rate, Fleiss' for more.

    ratings: [looks, raters], any names of verdicts; groups: [looks], the part that was looked at,
    None where each look is at another part. Parts are drawn anew for the interval; where all agree
    on all, its low end is that of no disagreement in as many parts.
    Raises NotEnoughData for fewer than 5 parts, or where all verdicts are the same: chance alone
    would agree then. Source: Cohen (1960); Fleiss (1971).
    """
    table = np.asarray(ratings)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError("kappa needs [looks, raters] of two raters at least")
    names, codes = np.unique(table, return_inverse=True)
    verdicts = codes.reshape(table.shape).astype(np.int64)

    def figure(rows: NDArray[np.int64]) -> float:
        agreed, chance = _agreement(rows, len(names))
        return (agreed - chance) / (1.0 - chance)

    parts = np.arange(len(verdicts)) if groups is None else np.asarray(groups)
    found = bootstrap(figure, parts, verdicts, rounds=rounds, random=random, level=level)
    if found.value < 1.0:
        return found
    missed = exact(0, len(np.unique(parts)), level).high
    chance = _agreement(verdicts, len(names))[1]
    return Interval(1.0, max(-1.0, 1.0 - missed / (1.0 - chance)), 1.0, level)


def _agreement(verdicts: NDArray[np.int64], kinds: int) -> tuple[float, float]:
    """Return the share of agreeing pairs of raters, and what chance would give.

    verdicts: int[parts, raters] of 0 … kinds − 1. For two raters each keeps a share of verdicts of
    their own (Cohen); for more, all have one in common (Fleiss).
    """
    raters = verdicts.shape[1]
    counts = np.stack([(verdicts == kind).sum(axis=1) for kind in range(kinds)], axis=1)
    agreed = float(np.mean((counts * (counts - 1)).sum(axis=1)) / (raters * (raters - 1)))
    if raters == 2:
        own = np.stack([(verdicts == kind).mean(axis=0) for kind in range(kinds)])
        chance = float(np.sum(own[:, 0] * own[:, 1]))
    else:
        chance = float(np.sum((counts.mean(axis=0) / raters) ** 2))
    if chance > 1.0 - 1e-12:
        raise NotEnoughData("all verdicts are the same: agreement beyond chance has no meaning")
    return agreed, chance
