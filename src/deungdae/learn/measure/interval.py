"""A figure with the interval that holds the truth: exact where there is a formula, else drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

FEWEST_GROUPS = 5  # of fewer, draws with replacement say nothing of what was not drawn

Figure: TypeAlias = Callable[..., float]


class Interval(msgspec.Struct, frozen=True):
    """A figure, and between which values the truth lies in `level` of such samples."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    def holds(self, value: float) -> bool:
        """Return whether a value lies within."""
        return self.low <= value <= self.high


def exact(hits: float, n: float, level: float = 0.95) -> Interval:
    """Return the share hits / n with the interval that never covers less than `level`.

    hits, n need not be whole: an effective number is as good. With no hit the low end is 0 and
    the high end 1 − ((1 − level) / 2)^(1/n), never 0. Raises NotEnoughData if n == 0.
    Source: Clopper and Pearson (1934).
    """
    from scipy.special import betaincinv  # noqa: PLC0415 — loads only where it is needed

    _must_count(hits, n)
    tail = (1.0 - level) / 2.0
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1.0, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1.0, n - hits, 1.0 - tail))
    return Interval(hits / n, low, high, level)


def wilson(hits: float, n: float, level: float = 0.95) -> Interval:
    """Return the share hits / n with an interval that covers `level` on average.

    Narrower than `exact`, for showing, not for promising. Raises NotEnoughData if n == 0.
    Source: Wilson (1927); Brown, Cai and DasGupta (2001).
    """
    from scipy.special import ndtri  # noqa: PLC0415 — loads only where it is needed

    _must_count(hits, n)
    share, z = hits / n, float(ndtri(0.5 + level / 2.0))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half), level)


def rate(hit: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Return the share of hits with an interval for items that come in groups.

    hit: bool[n]; groups: [n], whose items are alike, or None where each stands alone. The exact
    interval of as many independent items as the spread between groups is worth, at most n; where
    all items agree, of as many as there are groups. Raises NotEnoughData if n == 0.
    Source: Korn and Graubard (1998).
    """
    from scipy.special import stdtrit  # noqa: PLC0415 — loads only where it is needed

    hits = np.asarray(hit, np.float64)
    n = len(hits)
    if n == 0:
        raise NotEnoughData("there is nothing of which a share could be taken")
    share = float(hits.mean())
    if groups is None:
        return exact(float(hits.sum()), n, level)
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    m = int(inverse.max()) + 1
    if m == n:
        return exact(float(hits.sum()), n, level)
    worth = float(m)
    if m > 1 and 0.0 < share < 1.0:
        excess = np.bincount(inverse, hits - share)
        variance = m / (m - 1) * float(np.sum(excess**2)) / n**2
        tail = 0.5 + level / 2.0
        fewer = float(stdtrit(n - 1, tail) / stdtrit(m - 1, tail)) ** 2
        worth = float(n) if variance == 0 else min(n, share * (1 - share) / variance * fewer)
    return exact(share * worth, worth, level)


def bootstrap(
    figure: Figure,
    groups: ArrayLike,
    *arrays: ArrayLike,
    rounds: int = 1000,
    random: np.random.Generator,
    level: float = 0.95,
    strata: ArrayLike | None = None,
) -> Interval:
    """Return figure(*arrays) with its interval when whole groups are drawn anew.

    groups, arrays: [n] each. strata: bool[n], mostly `bad`: groups with and without are then drawn
    apart, so that no round lacks one kind. A round whose figure is undefined (NotEnoughData) does
    not count. A figure that is 0, or 1, in every round is taken for a share without failure among
    the groups of the smaller kind: no sample proves perfection.
    Raises NotEnoughData for fewer than 5 groups, or where most rounds have no figure.
    Source: Efron (1979), percentiles; Field and Welsh (2007) for groups.
    """
    columns = [np.asarray(each) for each in arrays]
    value = float(figure(*columns))
    members, kinds = _members(groups, strata)
    if len(members) < FEWEST_GROUPS:
        raise NotEnoughData(
            f"{len(members)} groups give no interval: {FEWEST_GROUPS} are needed at least"
        )
    drawn = []
    for _ in range(rounds):
        picked = np.concatenate([random.choice(kind, len(kind)) for kind in kinds])
        rows = np.concatenate([members[group] for group in picked])
        try:
            drawn.append(float(figure(*(column[rows] for column in columns))))
        except NotEnoughData:
            continue
    if 2 * len(drawn) < rounds:
        raise NotEnoughData(
            f"in {rounds - len(drawn)} of {rounds} draws the figure had no value: "
            "one kind is too rare among the groups"
        )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    if low == high == value and value in (0.0, 1.0):
        n = min(len(kind) for kind in kinds)
        return exact(value * n, n, level)
    return Interval(value, float(low), float(high), level)


def _members(
    groups: ArrayLike, strata: ArrayLike | None
) -> tuple[list[NDArray[np.intp]], list[NDArray[np.intp]]]:
    """Return the rows of each group, and the groups of each kind."""
    _, inverse, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    if strata is None or not len(counts):
        return members, [np.arange(len(counts))]
    marked = np.bincount(inverse, np.asarray(strata, np.float64)) > 0
    kinds = [np.flatnonzero(marked), np.flatnonzero(~marked)]
    return members, [kind for kind in kinds if len(kind)]


def _must_count(hits: float, n: float) -> None:
    if n <= 0:
        raise NotEnoughData("there is nothing of which a share could be taken")
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no share")


def arrays(score: ArrayLike, bad: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and truths as arrays. Raises ValueError where they do not fit together."""
    scores: NDArray[Any] = np.asarray(score, np.float64)
    truths = np.asarray(bad, np.bool_)
    if scores.ndim != 1 or scores.shape != truths.shape:
        raise ValueError(f"scores {scores.shape} and truths {truths.shape} are not of one length")
    if not np.isfinite(scores).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(scores))} scores are no numbers")
    return scores, truths
