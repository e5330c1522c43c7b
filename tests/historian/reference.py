"""What a store must answer, worked out the slow and obvious way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deungdae.core.ports import Rollup, Samples
from deungdae.core.types import Batch

Sample = tuple[int, float, int]


class Reference:
    """Samples in dictionaries: the later append simply overwrites."""

    def __init__(self) -> None:
        self.samples: dict[int, dict[int, tuple[float, int]]] = {}

    def append(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            columns = (batch.signal, batch.time, batch.value, batch.status)
            for signal, time, value, status in zip(*(c.tolist() for c in columns), strict=True):
                self.samples.setdefault(signal, {})[time] = (value, status)

    def of(self, signal: int) -> list[Sample]:
        return [(time, *rest) for time, rest in sorted(self.samples.get(signal, {}).items())]

    def query(self, signal: int, start: int, end: int, before: bool) -> list[Sample]:
        mine = self.of(signal)
        earlier = [s for s in mine if s[0] < start][-1:] if before else []
        return earlier + [s for s in mine if start <= s[0] < end]

    def rollup(self, signal: int, start: int, end: int, every: int) -> list[tuple[float, ...]]:
        """Return (start, count, minimum, maximum, mean, last, weighted, bad) of each bucket."""
        mine = self.of(signal)
        found = []
        for bucket in sorted({s[0] // every * every for s in mine if start <= s[0] < end}):
            low, high = max(bucket, start), min(bucket + every, end)
            inside = [s for s in mine if low <= s[0] < high]
            good = [s[1] for s in inside if _good(s)]
            held = [s for s in mine if s[0] < low][-1:] + inside
            area = covered = 0.0
            for sample, following in zip(held, [*held[1:], (high, 0.0, 0)], strict=True):
                if _good(sample):
                    wait = following[0] - max(sample[0], low)
                    area += sample[1] * wait
                    covered += wait
            nan = math.nan
            found.append(
                (
                    bucket,
                    len(good),
                    min(good, default=nan),
                    max(good, default=nan),
                    sum(good) / len(good) if good else nan,
                    good[-1] if good else nan,
                    area / covered if covered else nan,
                    1 - len(good) / len(inside),
                )
            )
        return found


def same_samples(got: Samples, wanted: Sequence[Sample]) -> None:
    """Fail where samples differ; NaN equals NaN."""
    np.testing.assert_array_equal(got.time, [s[0] for s in wanted])
    np.testing.assert_array_equal(got.value, [s[1] for s in wanted])
    np.testing.assert_array_equal(got.status, [s[2] for s in wanted])
    assert (got.time.dtype, got.value.dtype, got.status.dtype) == (np.int64, np.float64, np.uint8)


def same_rollup(got: Rollup, wanted: Sequence[tuple[float, ...]]) -> None:
    """Fail where roll-ups differ by more than rounding."""
    np.testing.assert_array_equal(got.start, [row[0] for row in wanted])
    np.testing.assert_array_equal(got.count, [row[1] for row in wanted])
    columns = (got.minimum, got.maximum, got.mean, got.last, got.weighted, got.bad)
    for place, column in enumerate(columns, start=2):
        np.testing.assert_allclose(column, [row[place] for row in wanted], rtol=1e-9, atol=1e-9)


def _good(sample: Sample) -> bool:
    return sample[2] & 3 == 0 and math.isfinite(sample[1])
