"""Whether a score may be read as a probability, and two ways to make it one."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData

from .interval import Interval, arrays, rate


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of like probability: from low to high, n of them, what was said and what was true."""

    low: float
    high: float
    n: int
    said: float
    true: Interval


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How far said probabilities are from what was true.

    error: expected calibration error, the mean |said − true| over the bins, by their parts.
    brier: mean squared error of the probability; known: that of saying the share of bad always.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float
    known: float


class Platt(msgspec.Struct, frozen=True):
    """P(bad) = 1 / (1 + exp(−(slope · score + offset)))."""

    slope: float
    offset: float

    def probability(self, score: ArrayLike) -> NDArray[np.float64]:
        """Return how likely each part is bad: float[n] of the shape of the scores."""
        return _logistic(self.slope * np.asarray(score, np.float64) + self.offset)


def reliability(
    probability: ArrayLike,
    bad: ArrayLike,
    groups: ArrayLike | None = None,
    bins: int = 10,
) -> Reliability:
    """Return what was said against what was true, in bins of about as many parts each.

    probability: float[n] in 0..1. Raises NotEnoughData for fewer parts than bins.
    Source: Brier (1950); Naeini, Cooper and Hauskrecht (2015).
    """
    said, truths = arrays(probability, bad)
    if len(said) < bins:
        raise NotEnoughData(f"{len(said)} parts cannot fill {bins} bins")
    if said.min() < 0 or said.max() > 1:
        raise ValueError("probabilities lie within 0 and 1: calibrate the scores first")
    owners = np.arange(len(said)) if groups is None else np.asarray(groups)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    places = np.searchsorted(edges, said, "right")
    told = []
    for place in np.unique(places):
        rows = places == place
        told.append(
            Bin(
                low=float(said[rows].min()), high=float(said[rows].max()), n=int(rows.sum()),
                said=float(said[rows].mean()), true=rate(truths[rows], owners[rows]),
            )
        )  # fmt: skip
    share = float(truths.mean())
    return Reliability(
        bins=tuple(told),
        error=sum(each.n * abs(each.said - each.true.value) for each in told) / len(said),
        brier=float(np.mean((said - truths) ** 2)),
        known=share * (1 - share),
    )


def platt(score: ArrayLike, bad: ArrayLike) -> Platt:
    """Return the logistic curve through the scores: for few parts.

    Targets are (bad + 1) / (bad + 2) and 1 / (good + 2), which keeps the curve finite where the
    scores part the kinds without error. Raises NotEnoughData where one kind is missing.
    Source: Platt (1999); Lin, Lin and Weng (2007).
    """
    scores, truths = arrays(score, bad)
    positive, negative = int(truths.sum()), int((~truths).sum())
    if not positive or not negative:
        raise NotEnoughData("a probability needs bad and good parts")
    spread = float(scores.std()) or 1.0
    middle = float(scores.mean())
    z = (scores - middle) / spread
    target = np.where(truths, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = _newton(np.column_stack([z, np.ones_like(z)]), target)
    slope = float(weight[0]) / spread
    return Platt(slope, float(weight[1]) - slope * middle)


def _newton(design: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the logistic regression on soft targets."""
    weight = np.zeros(design.shape[1])
    loss = _loss(design, target, weight)
    for _ in range(100):
        said = _logistic(design @ weight)
        slope = design.T @ (said - target)
        bend = (design * (said * (1 - said))[:, None]).T @ design + 1e-9 * np.eye(len(weight))
        step = np.linalg.solve(bend, slope)
        while _loss(design, target, weight - step) > loss + 1e-12 and np.abs(step).max() > 1e-12:
            step = step / 2
        weight = weight - step
        loss = _loss(design, target, weight)
        if np.abs(step).max() < 1e-10:
            break
    return weight


def _loss(
    design: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    linear = design @ weight
    return float(np.sum(np.logaddexp(0.0, linear) - target * linear))


def _logistic(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    said: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(linear / 2.0))  # never overflows
    return said
