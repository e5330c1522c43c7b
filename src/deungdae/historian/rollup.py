"""Samples condensed by time: exact sums that can be condensed again. Pure, on arrays.

A condensed row stands for the samples of one signal from `first` to `final`. It knows nothing of
what came before or after, so it stays right when neighbours arrive late; what was held into and
out of it is added when a question is answered (`answer`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Rollup, Samples
from deungdae.core.types import FloatArray, IntArray, StatusArray, TimeArray, is_good


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Condensed rows as columns, in order of (signal, first); also the columns on disk.

    start: where the bucket starts; n samples, of them `good` good and finite ones, which give
    minimum, maximum, total (their sum) and last (NaN where there are none). first, final: time
    of the first and final sample; value, status: of the final one. covered: ns in [first, final]
    with a good value held; integral: value * ns over those.
    """

    signal: IntArray
    start: TimeArray
    n: TimeArray
    good: TimeArray
    minimum: FloatArray
    maximum: FloatArray
    total: FloatArray
    last: FloatArray
    first: TimeArray
    final: TimeArray
    value: FloatArray
    status: StatusArray
    covered: TimeArray
    integral: FloatArray

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """Return the chosen rows (mask or positions), in that order."""
        return Rows(*(getattr(self, name)[rows] for name in COLUMNS))

    @property
    def held(self) -> NDArray[np.bool_]:
        """Return where the final sample is good, so that its value holds until the next."""
        return is_good(self.status) & np.isfinite(self.value)

    @staticmethod
    def of(signal: IntArray, time: TimeArray, value: FloatArray, status: StatusArray) -> Rows:
        """Return samples, sorted by (signal, time) without duplicates, as rows of one each."""
        good = is_good(status) & np.isfinite(value)
        known = np.where(good, value, np.nan)
        zero = np.zeros(len(time), np.int64)
        return Rows(
            signal=signal,
            start=time,
            n=zero + 1,
            good=good.astype(np.int64),
            minimum=known,
            maximum=known,
            total=np.where(good, value, 0.0),
            last=known,
            first=time,
            final=time,
            value=value,
            status=status,
            covered=zero,
            integral=zero.astype(np.float64),
        )

    @staticmethod
    def merge(parts: Sequence[Rows]) -> Rows:
        """Return all rows in order of (signal, first). Needs at least one part."""
        joined = Rows(*(np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS))
        return joined.take(np.lexsort((joined.first, joined.signal)))


COLUMNS = Rows.__struct_fields__


def condense(rows: Rows, every: int) -> Rows:
    """Return one row for each signal and bucket of `every` ns.

    rows: sorted by (signal, first), none reaching across a bucket's edge.
    """
    if len(rows) == 0:
        return rows
    start = rows.first // every * every
    new = np.ones(len(rows), bool)
    new[1:] = (rows.signal[1:] != rows.signal[:-1]) | (start[1:] != start[:-1])
    head = np.flatnonzero(new)
    tail = np.append(head[1:], len(rows)) - 1
    # what each row adds until the next one of its group begins
    held = rows.held
    wait = np.zeros(len(rows), np.int64)
    wait[:-1] = np.where(held[:-1] & ~new[1:], rows.first[1:] - rows.final[:-1], 0)
    area = np.where(held, rows.value, 0.0) * wait
    return Rows(
        signal=rows.signal[head],
        start=start[head],
        n=np.add.reduceat(rows.n, head),
        good=np.add.reduceat(rows.good, head),
        minimum=np.fmin.reduceat(rows.minimum, head),
        maximum=np.fmax.reduceat(rows.maximum, head),
        total=np.add.reduceat(rows.total, head),
        last=_last_known(rows.last, rows.good > 0, head, tail),
        first=rows.first[head],
        final=rows.final[tail],
        value=rows.value[tail],
        status=rows.status[tail],
        covered=np.add.reduceat(rows.covered + wait, head),
        integral=np.add.reduceat(rows.integral + area, head),
    )


def answer(rows: Rows, start: int, end: int, every: int, before: Samples) -> Rollup:
    """Return the buckets of one signal over [start, end).

    rows: as for `condense`, of one signal. before: the last sample before start, if any.
    A good value is held until the next sample of any status; the newest one to the end of its
    bucket. A bucket that start or end cuts counts only its part inside.
    """
    buckets = condense(rows, every)
    n = len(buckets)
    held = np.concatenate([is_good(before.status) & np.isfinite(before.value), buckets.held])
    value = np.concatenate([before.value, buckets.value])
    if len(before) == 0:
        held, value = np.append(False, held), np.append(np.nan, value)
    opening = buckets.first - np.maximum(buckets.start, start)
    cut = buckets.start > end - every
    closing = np.where(cut, end - buckets.final, buckets.start + every - buckets.final)
    covered, integral = buckets.covered, buckets.integral
    for hold, kept, wait in ((held[:n], value[:n], opening), (held[1:], value[1:], closing)):
        covered = covered + np.where(hold, wait, 0)
        integral = integral + np.where(hold, kept, 0.0) * wait
    return Rollup(
        start=buckets.start,
        count=buckets.good,
        minimum=buckets.minimum,
        maximum=buckets.maximum,
        mean=_ratio(buckets.total, buckets.good),
        last=buckets.last,
        weighted=_ratio(integral, covered),
        bad=_ratio(buckets.n - buckets.good, buckets.n),
    )


def _last_known(
    last: FloatArray, known: NDArray[np.bool_], head: NDArray[np.intp], tail: NDArray[np.intp]
) -> FloatArray:
    place = np.maximum.accumulate(np.where(known, np.arange(len(last)), -1))[tail]
    return np.where(place >= head, last[place], np.nan)


def _ratio(part: FloatArray | TimeArray, whole: TimeArray) -> FloatArray:
    result = np.full(len(whole), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
