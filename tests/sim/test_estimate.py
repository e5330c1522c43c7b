"""Means with intervals: what replications prove, and what they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.sim.outcome import difference, estimate, needed


def test_interval_of_student() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    # t(3, .975) = 3.182446 (any table); s = 1.290994
    assert found.mean == 2.5
    assert found.half_width == pytest.approx(3.182446 * 1.290994 / 2, rel=1e-6)
    assert (found.low, found.high) == (2.5 - found.half_width, 2.5 + found.half_width)
    assert found.relative == pytest.approx(found.half_width / 2.5)


@pytest.mark.parametrize("values", [[], [4.0], [1.0, math.nan, 2.0]])
def test_too_little_is_said(values: list[float]) -> None:
    with pytest.raises(NotEnoughData, match="replication"):
        estimate(values)


def test_intervals_cover_as_often_as_they_say() -> None:
    draws = np.random.default_rng(5).exponential(3.0, (4000, 20)).mean(axis=1).reshape(-1, 8)
    hits = [abs(estimate(row).mean - 3.0) <= estimate(row).half_width for row in draws]
    assert 0.92 < np.mean(hits) < 0.98


def test_pairs_are_surer_than_either() -> None:
    noise = np.random.default_rng(1).normal(0, 10, 30)
    before, after = 100 + noise, 101 + noise * 1.01
    assert difference(after, before).half_width < 0.1 * estimate(after).half_width
    assert difference(after, before).mean == pytest.approx(np.mean(after) - np.mean(before))
    with pytest.raises(ValueError, match="30 and 29"):
        difference(after, before[1:])


def test_replications_needed() -> None:
    values = np.random.default_rng(2).normal(50, 5, 400)
    count = needed(values, 0.25)
    assert 1.96 * 5 / math.sqrt(count) == pytest.approx(0.25, rel=0.1)
    assert needed(values, 100) <= 3  # and Student's t for so few is minded
    assert needed([7.0, 7.0, 7.0], 1.0) == 2
    assert estimate(values[: needed(values[:10], 2.0)]).half_width < 4.0
    with pytest.raises(ValueError, match="above 0"):
        needed(values, 0)
