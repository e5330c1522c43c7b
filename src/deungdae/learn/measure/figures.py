"""How well scores rank parts, and which limit is cheapest."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

from .interval import Interval, arrays


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """Reject from `limit` on: the cheapest limit on these parts.

    cost: expected money for each part inspected; accept_all, reject_all: what it would cost
    without inspection. escape, false_reject: rates on these parts; new parts do a little worse.
    """

    limit: float
    cost: float
    accept_all: float
    reject_all: float
    escape: float
    false_reject: float


def auroc(score: ArrayLike, bad: ArrayLike) -> float:
    """Return how often a bad part scores above a good one; a tie counts half.

    score: float[n]; bad: bool[n]. Raises NotEnoughData where one kind is missing.
    Source: Mann and Whitney (1947); Hanley and McNeil (1982).
    """
    scores, truths = _both_kinds(score, bad)
    good = np.sort(scores[~truths])
    below = np.searchsorted(good, scores[truths], "left")
    upto = np.searchsorted(good, scores[truths], "right")
    return float((below + upto).mean() / (2 * len(good)))


def balanced(escape: Interval, false_reject: Interval) -> Interval:
    """Return 1 − (escape + false_reject) / 2 with the interval that the two give."""
    value = 1.0 - (escape.value + false_reject.value) / 2.0
    down = math.hypot(escape.high - escape.value, false_reject.high - false_reject.value) / 2.0
    up = math.hypot(escape.value - escape.low, false_reject.value - false_reject.low) / 2.0
    return Interval(value, max(0.0, value - down), min(1.0, value + up), escape.level)


def threshold(
    score: ArrayLike,
    bad: ArrayLike,
    cost_escape: float,
    cost_false_reject: float,
    prevalence: float | None = None,
) -> Threshold:
    """Return the limit with the lowest expected cost for each part.

    cost_escape, cost_false_reject: money for one bad part accepted, for one good part rejected.
    prevalence: share of bad parts on the line; None takes that of these parts, which is mostly far
    too high: bad parts are collected on purpose. Raises NotEnoughData where one kind is missing.
    Source: Elkan (2001).
    """
    scores, truths = _both_kinds(score, bad)
    if min(cost_escape, cost_false_reject) < 0 or cost_escape + cost_false_reject <= 0:
        raise ValueError("costs must not be negative, and one of them more than 0")
    share = float(truths.mean()) if prevalence is None else prevalence
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"prevalence {share} is no share")
    known = np.unique(scores)
    limits = np.concatenate(
        [known[:1], (known[:-1] + known[1:]) / 2, [np.nextafter(known[-1], np.inf)]]
    )
    escape = np.searchsorted(np.sort(scores[truths]), limits, "left") / truths.sum()
    rejected = 1.0 - np.searchsorted(np.sort(scores[~truths]), limits, "left") / (~truths).sum()
    cost = share * escape * cost_escape + (1 - share) * rejected * cost_false_reject
    best = int(np.argmin(cost))
    return Threshold(
        limit=float(limits[best]),
        cost=float(cost[best]),
        accept_all=share * cost_escape,
        reject_all=(1 - share) * cost_false_reject,
        escape=float(escape[best]),
        false_reject=float(rejected[best]),
    )


def parts(
    score: ArrayLike, bad: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return one score, truth and number for each part: that of its worst image.

    A part is bad if one of its images shows it. For lines where every part is photographed from
    several sides, and rejected if one side is.
    """
    scores, truths = arrays(score, bad)
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    worst = np.full(len(names), -np.inf)
    np.maximum.at(worst, inverse, scores)
    return worst, np.bincount(inverse, truths, len(names)) > 0, np.arange(len(names))


def _both_kinds(score: ArrayLike, bad: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, truths = arrays(score, bad)
    if truths.all() or not truths.any():
        if truths.any():
            raise NotEnoughData(f"no part of {len(truths)} is good: both kinds are needed")
        raise NotEnoughData(f"no part of {len(truths)} is bad: both kinds are needed")
    return scores, truths
