"""What a signal was over many stretches of time: the columns that are joined to items."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Samples
from deungdae.core.types import SECOND, FloatArray, TimeArray, is_good

What: TypeAlias = Literal["mean", "minimum", "maximum", "deviation", "last"]


def over(samples: Samples, start: TimeArray, end: TimeArray, what: What) -> FloatArray:
    """Return what a signal was over each [start, end): float64[n], NaN where it was not known.

    A value holds from its sample to the next; one that is not good holds nothing. mean: weighted by
    time; minimum, maximum, deviation: of the values that held, each once; last: at the end.
    """
    if not len(samples):
        return np.full(len(start), np.nan)
    if what == "mean":
        return _mean(samples, start, end)
    good = is_good(samples.status)
    first = np.maximum(np.searchsorted(samples.time, start, "right") - 1, 0)
    last = np.searchsorted(samples.time, end, "left")
    found = np.full(len(start), np.nan)
    for n, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        held = samples.value[low:high][good[low:high]]
        if what == "last":
            held = held[-1:] if high > low and good[high - 1] else held[:0]
        if len(held):
            found[n] = _one(held, what)
    return found


def _one(held: NDArray[np.float64], what: What) -> float:
    if what == "minimum":
        return float(held.min())
    if what == "maximum":
        return float(held.max())
    if what == "last":
        return float(held[-1])
    return float(held.std(ddof=1)) if len(held) > 1 else float("nan")


def _mean(samples: Samples, start: TimeArray, end: TimeArray) -> FloatArray:
    """Return the mean over time of what held: differences of two running integrals."""
    held = is_good(samples.status)
    value = np.where(held, samples.value, 0.0)
    # about their own mean, so that a long history costs no digits
    level = float(value[held].mean()) if held.any() else 0.0
    value = np.where(held, value - level, 0.0)
    length = np.diff(samples.time) / SECOND
    area = np.concatenate([[0.0], np.cumsum(value[:-1] * length)])
    known = np.concatenate([[0.0], np.cumsum(held[:-1] * length)])

    def upto(moment: TimeArray) -> tuple[FloatArray, FloatArray]:
        place = np.searchsorted(samples.time, moment, "right") - 1
        at = np.maximum(place, 0)
        rest = np.where(place < 0, 0.0, (moment - samples.time[at]) / SECOND)
        return area[at] + value[at] * rest, known[at] + held[at] * rest

    (area_start, known_start), (area_end, known_end) = upto(start), upto(end)
    covered = known_end - known_start
    found = np.full(len(start), np.nan)
    np.divide(area_end - area_start, covered, out=found, where=covered > 0)
    return found + level
