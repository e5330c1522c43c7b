"""The charts: from subgroups and what is known of the process to points and their limits."""

from __future__ import annotations

from math import pi, sqrt
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .constants import constants

Spread = Literal["range", "deviation"]
Marks = NDArray[np.bool_]
LEAST = 1e-100  # sigma; of smaller ones the standardised points would overflow


class Process(msgspec.Struct, frozen=True):
    """What a process does while nothing disturbs it: mean and standard deviation of its parts.

    error: relative standard error of sigma, 0 where it was given and not learnt.
    """

    centre: float
    sigma: float
    error: float = 0.0


class Chart(msgspec.Struct, frozen=True, eq=False):
    """n points and where they should lie: point, lower, upper float64[n]; centre.

    Points and limits are in the unit of the parts, those of a CUSUM in their standard deviations.
    """

    point: FloatArray
    centre: float
    lower: FloatArray
    upper: FloatArray

    def outside(self) -> Marks:
        """Return which points lie beyond the limits: bool[n]."""
        beyond: Marks = (self.point > self.upper) | (self.point < self.lower)
        return beyond


def learn(groups: FloatArray, spread: Spread = "range") -> Process:
    """Return the process that phase I shows, from the spread within its subgroups.

    groups: [m, n], n parts of each of m subgroups; n = 1: from the ranges of two parts in
    succession. Raises NotEnoughData below two subgroups, and where nothing varies.
    Source: Montgomery, Introduction to Statistical Quality Control, ch. 6; of the errors: Cryer and
    Ryan (1990) for moving ranges, the variance of the mean of m ranges or deviations otherwise.
    """
    m = len(groups)
    if m < 2:
        raise NotEnoughData(f"limits need two subgroups or more, not {m}")
    sigma, error = _spread_within(groups, spread)
    if sigma < LEAST:
        raise NotEnoughData(f"the parts of all {m} subgroups are equal: they show no spread")
    return Process(centre=float(groups.mean()), sigma=sigma, error=error)


def _spread_within(groups: FloatArray, spread: Spread) -> tuple[float, float]:
    """Return sigma and its relative standard error."""
    m, n = groups.shape
    if n == 1:
        pairs = m - 1
        sigma = float(np.abs(np.diff(groups[:, 0])).mean()) / constants(2).d2
        # neighbouring moving ranges share a part: their covariance counts twice
        own, shared = 2 - 4 / pi, 4 / pi * (sqrt(3) / 2 + pi / 12 - 1)
        variance = (own + 2 * shared * (pairs - 1) / pairs) / pairs
        return sigma, sqrt(variance) / constants(2).d2
    of = constants(n)
    if spread == "range":
        return float(np.ptp(groups, axis=1).mean()) / of.d2, of.d3 / of.d2 / sqrt(m)
    return float(groups.std(axis=1, ddof=1).mean()) / of.c4, of.c5 / of.c4 / sqrt(m)


def standardised(groups: FloatArray, process: Process) -> FloatArray:
    """Return each subgroup's mean, float64[m], as its distance from the centre in its sigmas."""
    error = process.sigma / sqrt(groups.shape[1])
    z: FloatArray = (groups.mean(axis=1) - process.centre) / error
    return z


def standardised_ranges(groups: FloatArray, process: Process) -> FloatArray:
    """Return each subgroup's range, float64[m], as its distance from the mean one in its sigmas."""
    of = constants(groups.shape[1])
    z: FloatArray = (np.ptp(groups, axis=1) / process.sigma - of.d2) / of.d3
    return z


def means(groups: FloatArray, process: Process) -> Chart:
    """Return the chart of means with limits at three standard errors; n = 1: of individuals.

    Source: Shewhart (1931).
    """
    half = 3 * process.sigma / sqrt(groups.shape[1])
    return _level(groups.mean(axis=1), process.centre, process.centre - half, process.centre + half)


def ranges(groups: FloatArray, process: Process) -> Chart:
    """Return the chart of ranges. groups: [m, n], n >= 2. Source: Montgomery, ch. 6.2."""
    of = constants(groups.shape[1])
    mean = of.d2 * process.sigma
    return _level(np.ptp(groups, axis=1), mean, of.D3 * mean, of.D4 * mean)


def deviations(groups: FloatArray, process: Process) -> Chart:
    """Return the chart of standard deviations. groups: [m, n], n >= 2. Source: Montgomery, 6.3."""
    of = constants(groups.shape[1])
    mean = of.c4 * process.sigma
    return _level(groups.std(axis=1, ddof=1), mean, of.B3 * mean, of.B4 * mean)


def moving_ranges(groups: FloatArray, process: Process) -> Chart:
    """Return the chart of ranges of two parts in succession, one point fewer than parts.

    groups: [m, 1]. Source: Montgomery, ch. 6.4.
    """
    mean = constants(2).d2 * process.sigma
    return _level(np.abs(np.diff(groups[:, 0])), mean, 0.0, constants(2).D4 * mean)


def ewma(groups: FloatArray, process: Process, weight: float, width: float) -> Chart:
    """Return the chart of exponentially weighted means of the subgroups' means.

    0 < weight <= 1; width: distance of the limits, in standard deviations of a point. The limits
    widen from the first point on. Source: Roberts (1959); exact variance: Lucas, Saccucci (1990).
    """
    m, n = groups.shape
    point = np.empty(m)
    held = process.centre
    for place, mean in enumerate(groups.mean(axis=1)):
        held += weight * (mean - held)
        point[place] = held
    share = weight / (2 - weight) * -np.expm1(2 * np.arange(1, m + 1) * _log(1 - weight))
    half = width * process.sigma / sqrt(n) * np.sqrt(share)
    return Chart(point, process.centre, process.centre - half, process.centre + half)


def cusum(
    groups: FloatArray, process: Process, slack: float, decision: float
) -> tuple[Chart, Chart]:
    """Return the charts of the upper and the lower cumulative sum, the lower one from 0 down.

    slack k and decision interval h: in standard deviations of a subgroup's mean, as the points.
    The sum max(0, C + z - k) is the walk of z - k above its lowest point so far.
    Source: Page (1954); tabular form: Montgomery, ch. 9.1.
    """
    z = standardised(groups, process)
    return (
        _level(_above_lowest(z - slack), 0.0, 0.0, decision),
        _level(-_above_lowest(-z - slack), 0.0, -decision, 0.0),
    )


def _above_lowest(step: FloatArray) -> FloatArray:
    walk = np.cumsum(step)
    lowest = np.minimum(np.minimum.accumulate(walk), 0.0)
    above: FloatArray = walk - lowest
    return above


def _level(point: FloatArray, centre: float, lower: float, upper: float) -> Chart:
    return Chart(point, centre, np.full(len(point), lower), np.full(len(point), upper))


def _log(x: float) -> float:
    return float(np.log(x)) if x > 0 else -np.inf
