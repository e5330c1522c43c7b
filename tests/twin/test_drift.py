"""Drift of cycle times: found as soon as was measured, and hardly ever where there is none."""

import numpy as np
import pytest

from deungdae.twin.monitor import drift

MEAN, DEVIATION = 60.0, 6.1237  # triangular(45, 60, 75)


def cycles(random: np.random.Generator, n: int, factor: float = 1.0) -> np.ndarray:
    return random.triangular(45, 60, 75, n) * factor


def test_false_alarms_are_rare() -> None:
    random = np.random.default_rng(1)
    alarms = sum(bool(drift(cycles(random, 10_000), MEAN, DEVIATION).direction) for _ in range(100))
    assert alarms <= 60  # 0.6 in 10,000 parts, as measured: the last one may be over by then


@pytest.mark.parametrize(("factor", "most"), [(1.03, 200), (1.05, 110), (0.95, 110)])
def test_drift_is_found_within_parts(factor: float, most: int) -> None:
    delays = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        found = drift(
            np.concatenate([cycles(random, 500), cycles(random, 600, factor)]), MEAN, DEVIATION
        )
        assert found.direction == ("longer" if factor > 1 else "shorter")
        delays.append(found.alarm - 500)
    assert np.median(delays) < most


def test_size_and_beginning_are_told() -> None:
    random = np.random.default_rng(4)
    x = np.concatenate([cycles(random, 800), cycles(random, 1500, 1.05)])
    found = drift(x, MEAN, DEVIATION)
    assert found.since == pytest.approx(800, abs=60)
    assert found.size_low < 0.05 < found.size_high
    assert found.size == pytest.approx(0.05, abs=0.01)


def test_a_drift_that_is_over_is_no_alarm() -> None:
    random = np.random.default_rng(6)
    x = np.concatenate([cycles(random, 300, 1.05), cycles(random, 3000)])
    assert drift(x, MEAN, DEVIATION).direction == ""


def test_one_wild_cycle_is_no_drift() -> None:
    x = np.full(200, 60.0)
    x[100] = 1e6
    assert drift(x, 60.0, 0.0).direction == ""
    assert drift(np.empty(0), 60.0, 6.0).n == 0
