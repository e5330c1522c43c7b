"""Remaining life: the interval holds as often as it says, and nothing is told without a trend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.insight.condition import remaining


@pytest.mark.parametrize("law", ["linear", "exponential"])
def test_nine_of_ten_runs_end_within_the_interval(
    benchmark: Callable[[str], Any], law: str
) -> None:
    """90 % are promised: of 60 runs 47 lie within three standard errors of it."""
    random = np.random.default_rng(17)
    run = benchmark("ai_bearings").run
    inside = judged = 0
    while judged < 60:
        found = run(law, random)
        if found is None:
            continue
        low, _, high, truth = found
        judged += 1
        inside += low <= truth <= high
    assert inside >= 47


def test_a_plain_line_is_followed() -> None:
    time = np.arange(50.0)
    noise = 0.01 * np.random.default_rng(0).standard_normal(50)
    life = remaining(time, 1 + 0.02 * time + noise, 3.0)
    assert life.value == pytest.approx((3.0 - 1.98) / 0.02, rel=0.05)
    assert life.low < 51 < life.high
    assert life.level == pytest.approx(1.98, abs=0.02)


def test_growth_in_proportion_is_told_from_a_line() -> None:
    time = np.arange(200.0)
    noise = np.exp(0.02 * np.random.default_rng(1).standard_normal(200))
    life = remaining(time, np.exp(0.01 * time) * noise, 20.0)
    assert life.growth == "exponential"
    assert life.low < np.log(20) / 0.01 - 199 < life.high


def test_what_is_past_its_limit_has_no_time_left() -> None:
    time = np.arange(60.0)
    assert remaining(time, 1 + 0.1 * time, 3.0).value == 0


@pytest.mark.parametrize("seed", range(3))
def test_steady_running_has_no_trend(seed: int) -> None:
    noise = 0.1 * np.random.default_rng(seed).standard_normal(300)
    with pytest.raises(NotEnoughData, match="no rising trend"):
        remaining(np.arange(300.0), 2 + noise, 4.5)


def test_a_falling_indicator_has_no_trend() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(100)
    with pytest.raises(NotEnoughData, match="no rising trend"):
        remaining(np.arange(100.0), 4 - 0.02 * np.arange(100) + noise, 4.5)


def test_it_says_what_is_missing() -> None:
    with pytest.raises(NotEnoughData, match="5 points of 12"):
        remaining(np.arange(5.0), np.ones(5), 4.5)
    with pytest.raises(NotEnoughData, match="does not change"):
        remaining(np.arange(50.0), np.ones(50), 4.5)
    with pytest.raises(NotEnoughData, match="above zero"):
        remaining(np.arange(50.0), np.arange(50.0) - 3, 4.5, growth="exponential")


def test_a_long_history_is_judged_as_quickly() -> None:
    time = np.arange(20_000.0)
    value = 1 + 1e-4 * time + 0.05 * np.random.default_rng(2).standard_normal(20_000)
    life = remaining(time, value, 4.0)
    assert life.value == pytest.approx(1e4, rel=0.1)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e6, 1e6)),
    st.floats(-1e6, 1e6),
    st.sampled_from(["auto", "linear", "exponential"]),
)
def test_whatever_comes_gives_an_interval_or_a_reason(
    value: FloatArray, limit: float, growth: str
) -> None:
    try:
        life = remaining(np.arange(len(value), dtype=float), value, limit, growth=growth)  # type: ignore[arg-type]
    except NotEnoughData:
        return
    assert 0 <= life.low <= life.value <= life.high
