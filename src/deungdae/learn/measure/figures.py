"""How well scores rank parts, what a limit lets through, and which limit is cheapest."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

from .interval import Interval, arrays, rate


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What a yes or no does to parts.

    escape: bad parts accepted, of all bad; false_reject: good parts rejected, of all good;
    balanced_accuracy: 1 − (escape + false_reject) / 2; precision: bad among the rejected, None
    where nothing is rejected. bad, good: how many items of each.
    """

    escape: Interval
    false_reject: Interval
    balanced_accuracy: Interval
    precision: Interval | None
    bad: int
    good: int


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


def average_precision(score: ArrayLike, bad: ArrayLike) -> float:
    """Return Σ (Rₙ − Rₙ₋₁) Pₙ over the limits: the area under precision and recall, in steps.

    Raises NotEnoughData where one kind is missing.
    """
    scores, truths = _both_kinds(score, bad)
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(truths[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # a limit cannot part equal scores
    found, rejected = found[last], np.flatnonzero(last) + 1
    return float(np.sum(np.diff(found, prepend=0) * found / rejected) / found[-1])


def escape_rate(rejected: ArrayLike, bad: ArrayLike) -> float:
    """Return the share of bad parts that are accepted. Raises NotEnoughData without a bad part."""
    verdict, truths = _verdicts(rejected, bad)
    return _portion(~verdict[truths], "there is no bad part")


def false_reject_rate(rejected: ArrayLike, bad: ArrayLike) -> float:
    """Return the share of good parts that are rejected. Raises NotEnoughData without a good one."""
    verdict, truths = _verdicts(rejected, bad)
    return _portion(verdict[~truths], "there is no good part")


def balanced_accuracy(rejected: ArrayLike, bad: ArrayLike) -> float:
    """Return 1 − (escape rate + false-reject rate) / 2: .5 is what a coin reaches."""
    return 1.0 - (escape_rate(rejected, bad) + false_reject_rate(rejected, bad)) / 2.0


def precision(rejected: ArrayLike, bad: ArrayLike) -> float:
    """Return the share of bad parts among the rejected. Raises NotEnoughData if none is."""
    verdict, truths = _verdicts(rejected, bad)
    return _portion(truths[verdict], "no part is rejected")


def f1(rejected: ArrayLike, bad: ArrayLike) -> float:
    """Return the harmonic mean of precision and the share of bad parts found; 0 if none is found.

    Raises NotEnoughData without a bad part.
    """
    verdict, truths = _verdicts(rejected, bad)
    if not truths.any():
        raise NotEnoughData("there is no bad part")
    hits = np.count_nonzero(verdict & truths)
    return 2.0 * hits / (np.count_nonzero(verdict) + np.count_nonzero(truths))


def rates(
    rejected: ArrayLike, bad: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Rates:
    """Return escape, false-reject and balanced rates with intervals, also where no error was seen.

    rejected, bad: bool[n]; groups: [n], or None where each item stands alone. The interval of
    the balanced accuracy joins the other two as if independent; images of one part that scores
    high or low make it wider than need be. Raises NotEnoughData where one kind is missing.
    Source: Zou and Donner (2008) for the sum.
    """
    verdict, truths = _verdicts(rejected, bad)
    owners = np.arange(len(truths)) if groups is None else np.asarray(groups)
    _both_kinds(verdict, truths)
    escape = rate(~verdict[truths], owners[truths], level)
    false_reject = rate(verdict[~truths], owners[~truths], level)
    return Rates(
        escape=escape,
        false_reject=false_reject,
        balanced_accuracy=balanced(escape, false_reject),
        precision=rate(truths[verdict], owners[verdict], level) if verdict.any() else None,
        bad=int(truths.sum()),
        good=int((~truths).sum()),
    )


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


def _verdicts(rejected: ArrayLike, bad: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    verdict, truths = np.asarray(rejected), np.asarray(bad, np.bool_)
    if verdict.dtype != np.bool_ or verdict.shape != truths.shape:
        raise ValueError(f"verdicts must be {truths.shape} of bool: compare the scores to a limit")
    return verdict, truths


def _portion(hits: NDArray[np.bool_], problem: str) -> float:
    if not len(hits):
        raise NotEnoughData(problem)
    return float(hits.mean())
