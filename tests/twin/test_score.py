"""Scores of forecasts: against closed forms, and against what chance allows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import NotEnoughData
from deungdae.twin.monitor import Score, believable, crps, interval, score


def normal_crps(mean: float, deviation: float, value: float) -> float:
    """Gneiting and Raftery (2007), eq. 5."""
    z = (value - mean) / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * math.erfc(-z / math.sqrt(2))
    return deviation * (z * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi))


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.7, 3.0])
def test_crps_of_a_large_ensemble_is_that_of_its_normal(value: float) -> None:
    members = np.random.default_rng(1).normal(0, 1, 200_000)
    assert crps(members, value) == pytest.approx(normal_crps(0, 1, value), abs=5e-3)


def test_fair_crps_does_not_hang_on_the_number_of_members() -> None:
    random = np.random.default_rng(2)
    mean = {
        m: np.mean([crps(random.normal(size=m), random.normal()) for _ in range(20_000)])
        for m in (3, 20)
    }
    assert mean[3] == pytest.approx(mean[20], abs=0.02)
    assert mean[20] == pytest.approx(1 / math.sqrt(math.pi), abs=0.02)  # of two standard normals


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12), st.integers(-60, 60))
def test_crps_is_what_its_definition_says(members: list[int], value: int) -> None:
    x = np.asarray(members, np.float64)
    pairs = np.abs(x[:, None] - x[None, :]).sum()
    plain = np.abs(x - value).mean() - pairs / (2 * len(x) * (len(x) - 1))
    assert crps(x, value) == pytest.approx(plain, abs=1e-9)


def test_interval_of_few_members_holds_a_new_value_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(5000):
        low, high = interval(random.normal(size=30))
        held += low <= random.normal() <= high
    assert held / 5000 == pytest.approx(0.90, abs=0.015)


def scores(held: int, n: int) -> list[Score]:
    return [score(i, i + 1, np.arange(100.0), 50 if i < held else 1000) for i in range(n)]


def test_a_twin_is_believed_when_its_intervals_hold_as_often_as_they_should() -> None:
    assert believable(scores(18, 20), shifts=20).yes
    none = believable([], shifts=20)
    assert (none.yes, none.low, none.high) == (False, 0, 1)
    few = believable(scores(5, 5), shifts=20)
    assert not few.yes
    assert "5 of 20" in few.reasons[0]
    wrong = believable(scores(16, 20), shifts=20)
    assert not wrong.yes
    assert "16 of 20" in wrong.reasons[0]
    assert believable(scores(20, 20), shifts=20).yes  # as may well be by chance
    assert not believable(scores(300, 300), shifts=20).yes  # this may not
    drifting = believable(scores(18, 20), shifts=20, drifting=["m3"])
    assert "m3" in "; ".join(drifting.reasons)
    assert not drifting.yes
    assert not believable(scores(18, 20), shifts=20, age=2.0, oldest=1.0).yes


def test_too_few_members_are_refused() -> None:
    with pytest.raises(NotEnoughData):
        crps(np.array([1.0]), 1.0)
    with pytest.raises(NotEnoughData):
        interval(np.array([1.0]))
