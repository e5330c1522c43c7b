"""What counters counted: increments with resets and wraps, and means of held values."""

from __future__ import annotations

import msgspec
import numpy as np

from deungdae.core.ports import Samples
from deungdae.core.types import FloatArray, Severity, TimeArray, severity

_MOST = 2.0**53  # from here on a float does not count by ones


class Increments(msgspec.Struct, frozen=True, eq=False):
    """How a counter rose over a period.

    time int64[n]: when each increment was seen; since int64[n]: the sample before it;
    amount float64[n]; known: from when on the counter is known within the period; resets: falls.
    """

    time: TimeArray
    since: TimeArray
    amount: FloatArray
    known: int
    resets: int

    @property
    def total(self) -> float:
        """Return what was counted."""
        return float(self.amount.sum())


def increments(samples: Samples, start: int, end: int, wrap: float = 0.0) -> Increments | None:
    """Return how a counter rose over [start, end), None if it has no usable sample before end.

    samples: in time order, with one or more before start, the last usable of which is the base.
    Bad samples are passed over, and what is no count: below 0, or 2**53 and more. A fall is a
    reset: what the counter shows after it was counted since. With wrap (the value at which it
    starts again from 0) a fall is a wrap where that makes the smaller half of the circle. An
    increment belongs to the moment of its sample.
    """
    usable = (severity(samples.status) != Severity.BAD) & (samples.time < end)
    usable &= (samples.value >= 0) & (samples.value < _MOST)
    time, value = samples.time[usable], samples.value[usable]
    if not len(time):
        return None
    rise = np.diff(value)
    fell = rise < 0
    if wrap > 0:
        around = np.mod(rise, wrap)
        wrapped = fell & (around < wrap / 2)
        rise = np.where(wrapped, around, rise)
        fell &= ~wrapped
    amount = np.where(fell, value[1:], rise)
    inside = time[1:] >= start
    return Increments(
        time=time[1:][inside],
        since=time[:-1][inside],
        amount=amount[inside],
        known=max(start, int(time[0])),
        resets=int((fell & inside).sum()),
    )


def held_mean(samples: Samples, start: int, end: int) -> tuple[float, float]:
    """Return the time-weighted mean of the held value over [start, end), and its known share.

    A usable value holds until the next sample of any status. The mean is NaN if nothing is known.
    """
    edges = np.clip(np.append(samples.time, end), start, end)
    usable = (severity(samples.status) != Severity.BAD) & np.isfinite(samples.value)
    length = np.where(usable, np.diff(edges), 0).astype(np.float64)
    covered = float(length.sum())
    if covered == 0:
        return float("nan"), 0.0
    share = length[usable] / covered
    return float((share * samples.value[usable]).sum()), covered / (end - start)
