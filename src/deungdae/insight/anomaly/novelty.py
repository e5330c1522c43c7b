"""One stream against its own past: how far is the last stretch from any that was before?"""

from __future__ import annotations

from collections import deque

import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY, FloatArray, TimeArray

SHORT = 12  # rows of the short stretch; the long one is a day
QUANTILE = 0.95  # of the distances so far: below, nothing is told
CALM = 1.5  # days that an alarm stands for
_WORSE = 2.0  # times the score after which an alarm is given anew
_PIECES = 16  # means that a stretch is told by
_BLOCK = 256
_STEP = 50  # rows after which the tail is learnt anew
_FEWEST = 50  # distances from which a tail is learnt


def novelty(
    value: FloatArray,
    time: TimeArray,
    *,
    first: int,
    short: int = SHORT,
    quantile: float = QUANTILE,
    calm: float = CALM,
) -> FloatArray:
    """Return how unusual each row is, float64[n]: -log10 of its chance, 0 where nothing is told.

    Of one event the first row is told, and again what is twice as unusual; then `calm` days pass.
    The rest is as of `unusual`. Raises NotEnoughData.
    """
    scores = unusual(value, time, first=first, short=short, quantile=quantile)
    return _onsets(scores.max(axis=0), max(round(calm * _day(time)), 1))


def unusual(
    value: FloatArray,
    time: TimeArray,
    *,
    first: int,
    short: int = SHORT,
    quantile: float = QUANTILE,
) -> FloatArray:
    """Return how unusual the stretches that end at each row are, short and a day: [2, n].

    -log10 of the chance, 0 within what is usual. Each row knows only those before it. value: [n],
    finite; time: ns, rising, about even; first: rows that are only learnt from. The last `short`
    rows and the last day are each compared with every stretch of the past; of the distances to the
    nearest so far, the tail beyond their quantile is taken to fall off as a power.
    Sources: Lu, Wu, Mueen, Zuluaga and Keogh (2022), left discords; Weissman (1978), tails.
    Raises NotEnoughData.
    """
    if len(value) <= first or first < 2 * _FEWEST:
        raise NotEnoughData(f"{len(value)} rows; {max(first, 2 * _FEWEST) + 1} are needed")
    learnt = value[:first]
    scaled = (value - np.median(learnt)) / (learnt.std() + 1e-9 * (1 + np.abs(learnt).max()))
    scores = [_chance(nearest(scaled, n), first // 2, quantile) for n in (short, _day(time))]
    return np.asarray(scores)


def _day(time: TimeArray) -> int:
    """Return the rows of a day."""
    return max(round(DAY / float(np.median(np.diff(time)))), 2)


def nearest(value: FloatArray, rows: int) -> FloatArray:
    """Return how far the stretch that ends at each row is from the nearest before it, [n].

    rows: of a stretch, told by its mean in sixteen pieces; only stretches that do not overlap it
    count. NaN where there is none.
    """
    pieces = _pieces(value, rows)
    distance = np.full(len(value), np.nan)
    squares = (pieces**2).sum(axis=1)
    for begin in range(0, len(pieces), _BLOCK):
        end = min(begin + _BLOCK, len(pieces))
        before = end - rows
        if before <= 0:
            continue
        apart = squares[begin:end, None] + squares[None, :before]
        apart -= 2 * pieces[begin:end] @ pieces[:before].T
        late = np.arange(before)[None] > np.arange(begin, end)[:, None] - rows
        apart[late] = np.inf
        least = np.sqrt(np.maximum(apart.min(axis=1), 0) / pieces.shape[1])
        distance[begin + rows - 1 : end + rows - 1] = np.where(np.isinf(least), np.nan, least)
    return distance


def _pieces(value: FloatArray, rows: int) -> FloatArray:
    """Return the means of each stretch, [n - rows + 1, pieces]."""
    total = np.r_[0.0, np.cumsum(value)]
    edges = np.linspace(0, rows, min(_PIECES, rows) + 1).round().astype(int)
    starts = np.arange(max(len(value) - rows + 1, 0))[:, None]
    pieces: FloatArray = np.diff(total[starts + edges], axis=1) / np.diff(edges)
    return pieces


def _chance(distance: FloatArray, first: int, quantile: float) -> FloatArray:
    """Return -log10 of the chance of each distance, by the tail of those before it."""
    score = np.zeros(len(distance))
    for begin in range(0, len(distance), _STEP):
        past = distance[:begin]
        past = past[~np.isnan(past)]
        if begin < first or len(past) <= _FEWEST:
            continue
        level = max(float(np.quantile(past, quantile)), 1e-9)
        beyond = past[past > level]
        fall = max(float(np.log(beyond / level).mean()) if len(beyond) else 0.0, 1e-6)
        over = np.log(np.maximum(np.nan_to_num(distance[begin : begin + _STEP]), 1e-12) / level)
        told = (over / fall) / np.log(10) - np.log10(1 - quantile)
        score[begin : begin + _STEP] = np.where(over > 0, told, 0.0)
    return score


def _onsets(score: FloatArray, calm: int) -> FloatArray:
    """Return the scores that are twice as large as all of the `calm` rows before them, others 0."""
    told = np.zeros(len(score))
    largest: deque[int] = deque()  # rows in reach whose scores fall
    for row, value in enumerate(score.tolist()):
        while largest and largest[0] < row - calm:
            largest.popleft()
        if value > (_WORSE * score[largest[0]] if largest else 0.0):
            told[row] = value
        while largest and score[largest[-1]] <= value:
            largest.pop()
        largest.append(row)
    return told
