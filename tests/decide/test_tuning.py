"""Models from step tests, and the SIMC rules against the figures of their paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND
from deungdae.decide.loop import identify, simc


def peak(gain: float, constant: float, dead: float, kp: float, ti: float) -> float:
    """Return the greatest sensitivity |1 / (1 + L)| of a PI loop around gain e^-θs / (τs + 1)."""
    s = 1j * np.logspace(-3, 2, 200_000) / dead
    open_loop = kp * (1 + 1 / (ti * s)) * gain * np.exp(-dead * s) / (constant * s + 1)
    return float(np.max(1 / np.abs(1 + open_loop)))


def test_example_one_of_the_paper() -> None:
    # Skogestad (2003), example E1: 1 / ((s + 1)(0.2 s + 1)) by the half rule has time constant
    # 1.1 and dead time 0.1; PI with the dead time as closed-loop time: Kc 5.5, τI 0.8
    assert simc(1.0, 1.1, 0.1) == pytest.approx((5.5, 0.8, 0.0))


@pytest.mark.parametrize(
    ("constant", "sensitivity"),
    [
        (1.0, 1.59),  # τI = τ: first order, τ <= 8 θ
        (8.0, 1.59),
        (1e5, 1.70),  # τI = 8 θ: as good as integrating
    ],
)
def test_the_robustness_that_the_paper_states(constant: float, sensitivity: float) -> None:
    # Skogestad (2003), table 1: Ms 1.59 for a first-order, 1.70 for an integrating process
    kp, ti, _ = simc(2.0, constant, 1.0)
    assert peak(2.0, constant, 1.0, kp, ti) == pytest.approx(sensitivity, abs=0.005)


def test_a_slower_loop_is_a_calmer_one() -> None:
    kp, ti, td = simc(4.0, 500.0, 30.0, 70.0)
    assert (kp, ti, td) == pytest.approx((500 / (4 * 100), 400.0, 0.0))


def test_the_gain_gives_its_sign() -> None:
    assert simc(-2.0, 10.0, 1.0).kp == -simc(2.0, 10.0, 1.0).kp


@pytest.mark.parametrize(
    "process", [(0, 1, 1), (1, 0, 1), (1, -1, 1), (1, 1, -1), (1, 1, 0), (1, 1, 1, -1)]
)
def test_what_cannot_be_tuned(process: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="dead time"):
        simc(*process)


def step_test(
    gain: float, constant: float, dead: float, *, noise: float = 0.0, slope: float = 0.0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return a test at uneven times, up by 4 at about 100 s and back down at about 500 s."""
    random = np.random.default_rng(7)
    seconds = np.cumsum(random.uniform(0.3, 1.7, 900))
    up, down = np.searchsorted(seconds, [100.0, 500.0])
    input = np.full(900, 50.0)
    input[up:down] = 54.0
    output = 300.0 + slope * seconds + noise * random.standard_normal(900)
    for start, size in ((seconds[up], 4.0), (seconds[down], -4.0)):
        since = np.maximum(seconds - start - dead, 0.0)
        output += gain * size * -np.expm1(-since / constant)
    return (seconds * SECOND).astype(np.int64), input, output


@pytest.mark.parametrize("process", [(2.5, 80.0, 12.3), (-0.4, 20.0, 0.0), (5.0, 600.0, 30.0)])
def test_an_exact_answer_gives_the_exact_model(process: tuple[float, float, float]) -> None:
    model = identify(*step_test(*process))
    found = (model.gain.value, model.time_constant.value, model.dead_time.value)
    assert found == pytest.approx(process, rel=2e-3, abs=1e-2)
    assert model.r2 > 0.999999


def test_noise_is_told_in_the_uncertainty() -> None:
    model = identify(*step_test(2.5, 80.0, 12.3, noise=0.5))
    for estimate, truth in (
        (model.gain, 2.5),
        (model.time_constant, 80.0),
        (model.dead_time, 12.3),
    ):
        assert 0 < estimate.uncertainty < 0.15 * truth
        assert abs(estimate.value - truth) < 2 * estimate.uncertainty
    assert model.noise == pytest.approx(0.5, rel=0.1)


def test_the_uncertainty_covers_the_truth_as_often_as_it_says() -> None:
    time, input, clean = (column[::3] for column in step_test(2.5, 80.0, 12.3))
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        gain = identify(time, input, clean + 0.5 * random.standard_normal(300)).gain
        hits += abs(gain.value - 2.5) < gain.uncertainty
    assert hits >= 52  # of 60 at 95 %: fewer has a chance of 1 in 100


def test_drift_is_told_apart() -> None:
    model = identify(*step_test(2.5, 80.0, 12.3, noise=0.1, slope=0.02), drift=True)
    assert model.gain.value == pytest.approx(2.5, rel=0.02)
    assert model.drift.value == pytest.approx(0.02, rel=0.02)


TIME, INPUT, OUTPUT = step_test(2.5, 80.0, 12.3)


@pytest.mark.parametrize(
    ("time", "input", "output", "words"),
    [
        (TIME[:10], INPUT[:10], OUTPUT[:10], "10 samples"),
        (TIME[:0], INPUT[:0], OUTPUT[:0], "0 samples"),
        (TIME, np.full(900, 50.0), OUTPUT, "input never changed"),
        (TIME, INPUT, np.full(900, 300.0), "output never changed"),
        (TIME[::-1], INPUT, OUTPUT, "do not rise"),
        (TIME, INPUT, np.full(900, np.nan), "without a value"),
        (TIME, INPUT, np.random.default_rng(3).standard_normal(900), "explains only"),
        (*step_test(2.5, 80.0, 12.3, slope=0.5), "allow for drift"),
    ],
)
def test_a_test_that_tells_nothing_is_refused(
    time: NDArray[Any], input: NDArray[Any], output: NDArray[Any], words: str
) -> None:
    with pytest.raises(NotEnoughData, match=words):
        identify(time, input, output)
