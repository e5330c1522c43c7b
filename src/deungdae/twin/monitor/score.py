"""How good forecasts were: the ranked probability score, and how often the interval held."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.measure import Interval, exact

LEAST, MOST = 0.85, 0.95  # of 90 % intervals, the share that should hold


def crps(members: FloatArray, value: float) -> float:
    """Return the continuous ranked probability score of an ensemble, in its unit; 0 is perfect.

    members: float64[m], m >= 2. It is the fair form, mean |x − y| − Σ|x − x'| / (2 m (m − 1)),
    whose mean does not depend on how many members there are; so it may be a little below 0.
    Source: Gneiting and Raftery (2007) eq. 21; Ferro (2014) for the fair form.
    """
    x = np.sort(np.asarray(members, np.float64))
    m = len(x)
    if m < 2:
        raise NotEnoughData(f"{m} members make no distribution: two are needed at least")
    weight = 2 * np.arange(1, m + 1) - m - 1  # Σ|x − x'| over all pairs = 2 Σ weight x
    pairs = 2 * float((weight * x).sum())
    return float(np.abs(x - value).mean()) - pairs / (2 * m * (m - 1))


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One forecast against what came. made: parts; low, high: the 90 % interval of the forecast.

    crps: parts. inside: whether the interval held. rank: share of members below what came.
    """

    start: int
    end: int
    made: int
    expected: float
    low: float
    high: float
    crps: float
    inside: bool
    rank: float


def score(start: int, end: int, members: FloatArray, made: int) -> Score:
    """Return how good a forecast was. members: parts made in each of its courses, float64[m]."""
    low, high = interval(members)
    return Score(
        start=start, end=end, made=made, expected=float(np.mean(members)), low=low, high=high,
        crps=crps(members, made), inside=low <= made <= high,
        rank=float(np.mean(np.asarray(members) < made)),
    )  # fmt: skip


def interval(members: FloatArray, confidence: float = 0.90) -> tuple[float, float]:
    """Return the bounds between which a new value lies with the given confidence.

    Of m members and one new value, each rank is as likely: the bounds are the members (between
    them, a straight line) of ranks (m + 1)(1 ∓ confidence)/2, so the interval is not too narrow
    for few members.
    """
    x = np.sort(np.asarray(members, np.float64))
    m = len(x)
    if m < 2:
        raise NotEnoughData(f"{m} members make no interval: two are needed at least")
    ranks = (m + 1) * np.asarray([(1 - confidence) / 2, (1 + confidence) / 2]) - 1
    low, high = np.interp(ranks, np.arange(m), x)
    return float(low), float(high)


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a twin may be believed, and why. coverage with its 95 % interval, over n shifts."""

    yes: bool
    reasons: tuple[str, ...]
    n: int
    coverage: float
    low: float
    high: float


def believable(
    scores: Sequence[Score],
    *,
    shifts: int,
    drifting: Sequence[str] = (),
    age: float = 0.0,
    oldest: float = math.inf,
) -> Belief:
    """Return whether the scores allow to believe the twin.

    shifts: how many scored ones are asked for. Of their 90 % intervals, 85 to 95 % must have held;
    more than that speaks against a twin only when it cannot be chance. drifting: stations whose
    cycles drift. age: s since the twin was learnt, not more than oldest.
    """
    n = len(scores)
    held = sum(each.inside for each in scores)
    coverage = exact(held, n) if n else Interval(math.nan, 0.0, 1.0)
    reasons = []
    if n < shifts:
        reasons.append(f"only {n} of {shifts} shifts have been scored")
    elif coverage.value < LEAST:
        reasons.append(f"its 90 % interval held in {held} of {n} shifts only")
    elif coverage.low > MOST:
        reasons.append(f"its 90 % interval held in {held} of {n} shifts: it is too wide")
    if drifting:
        reasons.append(f"the cycles of {', '.join(drifting)} drift")
    if age > oldest:
        days = age / 86_400
        reasons.append(f"it was learnt {days:.0f} days ago, more than {oldest / 86_400:.0f}")
    yes = not reasons
    if yes:
        reasons.append(f"its 90 % interval held in {held} of {n} shifts")
    return Belief(
        yes=yes,
        reasons=tuple(reasons),
        n=n,
        coverage=coverage.value,
        low=coverage.low,
        high=coverage.high,
    )
