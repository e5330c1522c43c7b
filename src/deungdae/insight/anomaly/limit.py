"""The limit that gives as many false alarms a day as are asked for, and how well that is known."""

from __future__ import annotations

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY, FloatArray, TimeArray

_TAIL = 0.3  # share of the peaks from which the tail is learnt
_FEWEST = 8  # peaks
_APART = 6.0  # robust standard deviations: what lies beyond is another state, not chance
_ROUNDS = 400
_STEP = 0.002  # of the limit, by which it is raised
_SURE = 0.9  # that there are no more alarms than asked for, as far as the training can tell


class Limit(msgspec.Struct, frozen=True):
    """value: of the index. low, high: false alarms a day that may come of it, 95 % interval.

    days: of training; aside: share of it that was unlike the rest and set aside. known: whether
    the training is long enough to have seen such alarms; else its tail is drawn on.
    """

    value: float
    per_day: float
    low: float
    high: float
    days: float
    aside: float
    known: bool


def limit(
    index: FloatArray, period: float, window: int, per_day: float, random: np.random.Generator
) -> Limit:
    """Return the limit of an index that passes it `per_day` times a day.

    index: [n], of the training, smoothed; period: ns between rows; window: rows after which the
    index has forgotten what was: the largest of each such block is a peak, and peaks are nearly
    independent. The largest peaks beyond a high one fall off exponentially; where the training is
    long enough, the limit is near a peak that was seen. Peaks drawn anew give the interval of
    the rate, and the limit is raised until nine in ten of them keep it.
    Sources: Coles (2001), block maxima; Davison and Smith (1990), exponential tail.
    Raises NotEnoughData.
    """
    kept, aside = _calm(index)
    blocks = len(kept) // window
    if blocks < _FEWEST:
        raise NotEnoughData(
            f"the training has {len(index)} rows; a limit needs {_FEWEST * window} or more"
        )
    peaks = kept[len(kept) - blocks * window :].reshape(blocks, window).max(axis=1)
    share = per_day * window * period / DAY
    drawn = np.sort(peaks[random.integers(0, blocks, (_ROUNDS, blocks))])[:, ::-1]
    value = _level(peaks, share)
    while np.quantile(_shares(drawn, value), _SURE) > share:
        value += _STEP * abs(value)
    rates = _shares(drawn, value) * DAY / (window * period)
    low, high = np.quantile(rates, [0.025, 0.975])
    return Limit(
        value=value,
        per_day=per_day,
        low=float(low),
        high=float(high),
        days=len(kept) * period / DAY,
        aside=aside,
        known=share * blocks >= 1,
    )


def smoothed(index: FloatArray, time: TimeArray, rows: int, usual: float, gap: int) -> FloatArray:
    """Return the exponentially weighted mean of an index over about so many rows, [n].

    Where nothing is told (NaN) nothing is told; after a gap in time it begins at the usual value.
    """
    from scipy.signal import lfilter  # noqa: PLC0415 — loaded when something is judged

    weight = 1.0 / rows
    found = np.full(len(index), np.nan)
    told = np.flatnonzero(~np.isnan(index))
    if not len(told):
        return found
    begins = np.flatnonzero(np.r_[True, np.diff(time[told]) > gap])
    for first, last in zip(begins, np.r_[begins[1:], len(told)], strict=True):
        part = told[first:last]
        state = [(1 - weight) * usual]
        found[part] = lfilter([weight], [1, weight - 1], index[part], zi=state)[0]
    return found


def _calm(index: FloatArray) -> tuple[FloatArray, float]:
    """Return the index without what is no chance, and the share that was set aside.

    As phase I of a control chart: what is out of control is taken out, and the rest looked at
    anew. At most a quarter goes.
    """
    told = index[~np.isnan(index)]
    kept = told
    for _ in range(5):
        middle, high = np.quantile(kept, [0.5, 0.9]) if len(kept) else (0.0, 0.0)
        calm = kept[kept <= middle + _APART * (high - middle) / 1.2816]
        if len(calm) == len(kept) or len(calm) < 0.75 * len(told):
            break
        kept = calm
    return kept, 1 - len(kept) / max(len(told), 1)


def _level(peaks: FloatArray, share: float) -> float:
    """Return what a share of the peaks passes; share: 0 < share, of all such blocks."""
    largest = np.sort(peaks)[::-1]
    tail = max(3, round(_TAIL * len(peaks)))
    expected = share * len(peaks)
    if expected >= tail:
        return float(largest[min(int(expected), len(peaks) - 1)])
    excess = float(np.mean(largest[:tail] - largest[tail]))
    return float(largest[tail] + excess * np.log(tail / expected))


def _shares(largest: FloatArray, level: float) -> FloatArray:
    """Return the share of peaks that passes a level, of each draw. largest: [draws, n], falling."""
    tail = max(3, round(_TAIL * largest.shape[1]))
    edge = largest[:, tail]
    excess = np.maximum((largest[:, :tail] - edge[:, None]).mean(axis=1), 1e-12)
    beyond = tail / largest.shape[1] * np.exp(-np.maximum(level - edge, 0) / excess)
    shares: FloatArray = np.where(level <= edge, (largest > level).mean(axis=1), beyond)
    return shares
