"""The PID algorithm against textbook answers, and its promises: no windup, no bump."""

from __future__ import annotations

from itertools import pairwise

import pytest

from deungdae.decide.loop.pid import Bounds, Pid, Tuning

WIDE = Bounds(low=-1e9, high=1e9)


def started(tuning: Tuning, bounds: Bounds = WIDE, output: float = 0.0) -> Pid:
    pid = Pid(tuning, bounds)
    pid.start(0.0, 0.0, output)
    return pid


def test_a_constant_error_gives_a_step_and_a_ramp() -> None:
    # standard form: u = K (e + integral of e / Ti); with K 2, Ti 10, e 1: 2 at once, 0.2 each s
    pid = started(Tuning(gain=2, integral=10), output=5.0)
    found = [pid.step(-1.0, 0.0, 1.0) for _ in range(10)]
    assert found == pytest.approx([7 + 0.2 * n for n in range(1, 11)])


def test_sampling_does_not_matter() -> None:
    even, uneven = (started(Tuning(gain=2, integral=10)) for _ in range(2))
    for _ in range(100):
        even.step(-1.0, 0.0, 0.1)
    for dt in (0.5, 0.01, 2.49, 6.0, 1.0):
        uneven.step(-1.0, 0.0, dt)
    assert uneven.output == pytest.approx(even.output)


def test_the_derivative_answers_the_measurement_and_not_the_set_point() -> None:
    tuning = Tuning(gain=1, derivative=5, weight=0)
    assert started(tuning).step(0.0, 100.0, 1.0) == 0.0
    assert started(tuning).step(1.0, 0.0, 1.0) < -1.0


def test_the_derivative_of_a_ramp_is_its_slope_behind_the_filter() -> None:
    pid = started(Tuning(gain=2, derivative=5, filter=10, weight=0))
    for n in range(1, 200):
        pid.step(0.1 * n, 0.0, 0.1)
    # D settles at -K Td dy/dt = -2 * 5 * 1
    assert pid.output - (-2 * 0.1 * 199) == pytest.approx(-10.0)


def test_the_filter_limits_the_kick_of_the_derivative_to_gain_times_n() -> None:
    kick = started(Tuning(gain=2, derivative=5, filter=8, weight=0)).step(1.0, 0.0, 1e-9)
    assert kick == pytest.approx(-2 * (1 + 8))


def test_the_weight_softens_a_set_point_change() -> None:
    assert started(Tuning(gain=2, weight=0.3)).step(0.0, 10.0, 1.0) == pytest.approx(6.0)


def test_the_output_stays_within_its_limits_and_its_rate() -> None:
    pid = started(Tuning(gain=5, integral=10), Bounds(low=0, high=100, rate=2), output=50.0)
    found = [50.0, *(pid.step(-100.0, 0.0, 1.5) for _ in range(40))]
    assert max(b - a for a, b in pairwise(found)) == pytest.approx(3.0)
    assert found[-1] == 100.0


@pytest.mark.parametrize("derivative", [0.0, 2.0])
def test_it_leaves_the_limit_soon_however_long_it_was_there(derivative: float) -> None:
    tuning = Tuning(gain=2, integral=10, derivative=derivative)
    pid = started(tuning, Bounds(low=0, high=100), output=50.0)
    for _ in range(10_000):
        pid.step(-100.0, 0.0, 1.0)
    assert pid.output == 100.0
    waited = 0
    while pid.step(1.0, 0.0, 1.0) >= 100.0:
        waited += 1
    # without anti-windup the integral, 200,000 by now, would hold it there for a day
    assert waited < 30


def test_it_starts_from_the_output_that_is() -> None:
    pid = Pid(Tuning(gain=3, integral=20, derivative=2), Bounds(low=0, high=100))
    pid.start(1150.0, 1200.0, 55.0)
    assert pid.output == 55.0
    # a moment later, with the same measurement, it has moved by no more than the integral does
    assert pid.step(1150.0, 1200.0, 0.001) == pytest.approx(55.0, abs=0.01)


def test_another_tuning_does_not_make_the_output_jump() -> None:
    pid = started(Tuning(gain=3, integral=20, derivative=2), Bounds(low=0, high=100), 50.0)
    for n in range(10):
        pid.step(-0.3 * n, 0.0, 1.0)
    before = pid.output
    pid.retune(Tuning(gain=0.5, integral=100, derivative=9, weight=0.2))
    assert pid.step(-0.3 * 9, 0.0, 1e-6) == pytest.approx(before, abs=1e-3)


def test_a_negative_gain_lowers_the_output_when_the_measurement_is_too_low() -> None:
    assert started(Tuning(gain=-2)).step(-1.0, 0.0, 1.0) == -2.0
