"""Distributions for times: the right family is found, or none is forced."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.errors import NotEnoughData
from deungdae.sim import distribution
from deungdae.twin.replicate.fit import (
    deviation_of,
    distance_of,
    distribution_function,
    empirical,
    fit,
    shape_of,
)

MADE = {
    "triangular": lambda random: random.triangular(45, 60, 75, 4000),
    "lognormal": lambda random: random.lognormal(4, 0.4, 4000),
    "gamma": lambda random: random.gamma(2, 300, 4000),
    "weibull": lambda random: random.weibull(3.5, 4000) * 60,
    "exponential": lambda random: random.exponential(900, 400),
    "uniform": lambda random: random.uniform(20, 90, 1000),
}


@pytest.mark.parametrize("kind", MADE)
def test_finds_the_family_that_made_the_values(kind: str) -> None:
    values = MADE[kind](np.random.default_rng(5))
    found = fit(values)
    assert found.distribution.kind == kind
    assert found.distribution.mean == pytest.approx(values.mean(), rel=1e-9)
    assert deviation_of(found.distribution) == pytest.approx(values.std(), rel=0.15)
    assert found.distance is not None
    assert found.distance < 1.63 / math.sqrt(len(values))


def test_two_kinds_of_cycles_fit_no_family() -> None:
    random = np.random.default_rng(5)
    values = np.concatenate([random.normal(60, 1, 500), random.normal(90, 1, 300)])
    found = fit(values)
    assert found.distribution.kind == "empirical"
    assert found.distribution.mean == pytest.approx(values.mean())
    assert distance_of(found.distribution, np.sort(values)) < 0.02


def test_a_time_that_never_varies_is_constant() -> None:
    assert str(fit(np.full(50, 12.5)).distribution) == "12.5"


def test_a_handful_of_values_makes_no_form() -> None:
    found = fit(np.array([100.0, 300.0]))
    assert found.distribution == distribution.parse("exponential(200)")
    with pytest.raises(NotEnoughData):
        fit(np.empty(0))
    with pytest.raises(ValueError, match="not negative"):
        fit(np.array([-1.0, 2.0]))


def test_error_of_the_mean_knows_slow_waves() -> None:
    random = np.random.default_rng(1)
    steady = random.normal(60, 3, 4000)
    waves = steady + 3 * np.sin(np.arange(4000) / 300)
    assert fit(steady).error == pytest.approx(0.05 / math.sqrt(4000), rel=0.5)
    assert fit(waves).error > 3 * fit(steady).error


def test_weibull_shape_is_one_unless_the_data_deny_it() -> None:
    random = np.random.default_rng(2)
    ones = np.ones(300)
    assert shape_of(random.exponential(1, 300), ones, np.empty(0)) == 1.0
    worn = random.weibull(3, 300)
    assert shape_of(worn, ones, np.array([0.2, 0.1])) == pytest.approx(3, rel=0.2)


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=60))
def test_anything_has_a_fit_with_its_mean(values: list[float]) -> None:
    found = fit(np.asarray(values))
    assert distribution.parse(str(found.distribution)).mean == pytest.approx(
        float(np.mean(values)), rel=1e-5, abs=1e-6
    )


@pytest.mark.parametrize(
    "text",
    ["uniform(2, 4)", "triangular(1, 2, 5)", "exponential(3)", "normal(60, 3)",
     "lognormal(60, 20)", "gamma(2, 30)", "weibull(2, 30)", "empirical(1, 2, 4, 8)"],
)  # fmt: skip
def test_distribution_functions_agree_with_means_and_deviations(text: str) -> None:
    spread = distribution.parse(text)
    x = np.linspace(0, 2000, 2_000_001)
    beyond = 1 - distribution_function(spread, np.maximum(x, 1e-12))
    step = x[1] - x[0]
    assert beyond.sum() * step == pytest.approx(spread.mean, rel=2e-3)
    second = 2 * float((x * beyond).sum()) * step
    assert math.sqrt(second - spread.mean**2) == pytest.approx(deviation_of(spread), rel=0.05)


def test_empirical_keeps_few_values_as_they_are() -> None:
    assert empirical(np.array([3.0, 1.0, 2.0])).parameters == (1.0, 2.0, 3.0)
