"""The best of several systems with a stated probability: the procedure of Kim and Nelson.

S.-H. Kim, B. L. Nelson: A fully sequential procedure for indifference-zone selection in simulation.
ACM TOMACS 11 (2001), with c = 1. With normal, independent replications (common random numbers are
allowed) the system that is chosen is the best one with probability 1 − α at least, where the best
is better than all others by δ; else it is within δ of the best with that probability.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

Sample = Callable[[int, range], FloatArray]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """best: place of the system chosen. sure: whether the probability was reached; where the
    replications ended before, survivors are those that could not be told apart.
    means: of each system over the replications that it was given.
    """

    best: int
    sure: bool
    survivors: tuple[int, ...]
    means: tuple[float, ...]
    replications: tuple[int, ...]


def select(
    count: int,
    sample: Sample,
    *,
    indifference: float,
    confidence: float = 0.95,
    first: int = 20,
    most: int = 2000,
    step: int = 10,
) -> Selection:
    """Return the system of the largest mean.

    sample(system, range): values of the replications of that range, float64. indifference: δ, in
    their unit, > 0. first: replications from which variances are told, >= 2; most: of one system.
    step: replications taken between two looks: looking seldom only makes it safer.
    """
    if count < 1 or indifference <= 0:
        raise ValueError(f"count = {count}, indifference = {indifference}: both must be above 0")
    if first < 2:
        raise NotEnoughData(f"first = {first}: variances need two replications at least")
    values = [np.asarray(sample(system, range(first)), np.float64) for system in range(count)]
    alive = list(range(count))
    if count > 1:
        alpha = 1 - confidence
        eta = 0.5 * ((2 * alpha / (count - 1)) ** (-2 / (first - 1)) - 1)
        h2 = 2 * eta * (first - 1)
        start = np.stack(values)
        variances = {
            (a, b): float(np.var(start[a] - start[b], ddof=1))
            for a in range(count) for b in range(count) if a != b
        }  # fmt: skip
        taken = first
        while True:
            alive = _standing(alive, values, variances, taken, indifference, h2)
            if len(alive) == 1 or taken >= most:
                break
            ahead = range(taken, min(taken + step, most))
            for system in alive:
                values[system] = np.concatenate([values[system], sample(system, ahead)])
            taken = ahead.stop
    best = max(alive, key=lambda system: float(values[system].mean()))
    return Selection(
        best=best, sure=len(alive) == 1, survivors=tuple(alive),
        means=tuple(float(each.mean()) for each in values),
        replications=tuple(len(each) for each in values),
    )  # fmt: skip


def _standing(
    alive: list[int],
    values: list[FloatArray],
    variances: dict[tuple[int, int], float],
    taken: int,
    indifference: float,
    h2: float,
) -> list[int]:
    """Return the systems that no other one beats by more than chance and indifference allow."""
    sums = {system: float(values[system][:taken].sum()) for system in alive}
    kept = []
    for a in alive:
        for b in alive:
            if a == b:
                continue
            room = indifference / 2 * (h2 * variances[a, b] / indifference**2 - taken)
            gap = sums[b] - sums[a] - max(room, 0.0)
            if gap > 0 or (gap == 0 and room <= 0 and a > b):  # alike to the last digit
                break
        else:
            kept.append(a)
    return kept or alive
