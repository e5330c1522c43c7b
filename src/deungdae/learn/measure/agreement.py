"""How far people and models agree, and whether an inspector, human or not, is fit to inspect.

Variable gauges are in insight/spc; this is the gauge study of verdicts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

from .interval import Interval, bootstrap, exact, rate

Grade: TypeAlias = Literal["acceptable", "marginal", "unacceptable"]


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """One inspector against the truth.

    repeats: share of parts on which all trials agree, None for one trial; effectiveness: share of
    parts on which all trials are right; miss: bad parts passed, of all looks at bad parts;
    false_alarm: good parts stopped, of all looks at good parts; kappa: agreement with the truth
    beyond chance. grade: the worst of the three by AIAG's limits, from the values, as the manual
    does; sure: whether the intervals say the same.
    """

    repeats: Interval | None
    effectiveness: Interval
    miss: Interval
    false_alarm: Interval
    kappa: Interval
    grade: Grade
    sure: bool


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


def appraise(
    rejected: ArrayLike, bad: ArrayLike, *, random: np.random.Generator, level: float = 0.95
) -> Appraisal:
    """Return how one inspector, person or model, does on parts whose truth is known.

    rejected: bool[parts, trials] or bool[parts]; bad: bool[parts]. Parts are what was drawn:
    trials on one part are no several proofs. Raises NotEnoughData where one kind is missing or for
    fewer than 5 parts. Source: AIAG, Measurement Systems Analysis, 4th ed. (2010), chapter III C.
    """
    truths = np.asarray(bad, np.bool_)
    verdicts = np.asarray(rejected, np.bool_).reshape(len(truths), -1)
    if truths.all() or not truths.any():
        raise NotEnoughData("a study of verdicts needs parts known as good and as bad")
    trials = verdicts.shape[1]
    wrong = verdicts != truths[:, None]
    owners = np.repeat(np.arange(len(truths)), trials).reshape(verdicts.shape)
    effectiveness = rate(~wrong.any(axis=1), level=level)
    miss = rate(wrong[truths].ravel(), owners[truths].ravel(), level)
    false_alarm = rate(wrong[~truths].ravel(), owners[~truths].ravel(), level)
    looks = np.column_stack([verdicts.ravel(), np.repeat(truths, trials)])
    grade = _grade(effectiveness.value, miss.value, false_alarm.value)
    ends = {
        _grade(effectiveness.low, miss.high, false_alarm.high),
        _grade(effectiveness.high, miss.low, false_alarm.low),
    }
    return Appraisal(
        repeats=rate(np.ptp(verdicts.astype(np.int8), axis=1) == 0, level=level)
        if trials > 1
        else None,
        effectiveness=effectiveness,
        miss=miss,
        false_alarm=false_alarm,
        kappa=kappa(looks, owners.ravel(), random=random, level=level),
        grade=grade,
        sure=ends == {grade},
    )


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


def _grade(effectiveness: float, miss: float, false_alarm: float) -> Grade:
    """Return AIAG's grade, for an inspector: the worst of its three figures."""
    if effectiveness >= 0.90 and miss <= 0.02 and false_alarm <= 0.05:
        return "acceptable"
    if effectiveness >= 0.80 and miss <= 0.05 and false_alarm <= 0.10:
        return "marginal"
    return "unacceptable"
