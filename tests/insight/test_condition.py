"""Bearing faults, zones and bad signals: known answers, a simulated motor, real recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import pi, sqrt
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import loadmat

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, FloatArray
from deungdae.insight.condition import (
    CATALOGUE,
    LIMITS,
    PLACES,
    Block,
    Geometry,
    Look,
    diagnose,
    doubt_of_rate,
    evenly,
    from_geometry,
    in_words,
    indicators,
    learn,
    look,
    looks,
    recorded,
    resampled,
    together,
    turns_needed,
    velocity,
    zone,
)
from deungdae.sim.plant.motor import Bearing, Motor, MotorParameters

RATE = 12_000.0
SKF = from_geometry(Geometry(balls=9, ball=7.94, pitch=39.04))


def motor(fault: str = "", hours: float = 8, seed: int = 1, **parameters: float) -> Motor:
    """Return a running motor with a fault that has grown for so many hours."""
    made = Motor(MotorParameters(**parameters), np.random.default_rng(seed))
    made.drive("running", 0.0)
    if fault:
        made.call(f"start_{fault}_fault")
        made.step(hours * 3600)
    return made


def listen(machine: Motor, seconds: float = 1.2, rate: float = RATE) -> Block:
    turning = float(machine.get("speed")) / 60
    return recorded(machine.waveform(round(seconds * rate), rate), rate, turning)


# ---- frequencies


@pytest.mark.parametrize(
    ("name", "geometry"),
    [
        ("6205", Geometry(balls=9, ball=7.94, pitch=39.04)),
        ("6203", Geometry(balls=8, ball=6.746, pitch=28.5)),
    ],
)
def test_frequencies_are_those_that_the_data_center_prints(name: str, geometry: Geometry) -> None:
    """Case Western Reserve University, Bearing Data Center, "Bearing Information"."""
    computed, printed = from_geometry(geometry), CATALOGUE[name]
    for place in PLACES:
        assert getattr(computed, place) == pytest.approx(getattr(printed, place), rel=4e-4)


def test_balls_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        from_geometry(Geometry(balls=9, ball=40, pitch=39))


def test_a_bearing_whose_lines_lie_beside_the_shafts_needs_longer_blocks() -> None:
    """2 BSF of the 6203 is 3.9874: within .3 % of the shaft's fourth harmonic."""
    assert turns_needed(CATALOGUE["6203"]) > 3 * turns_needed(CATALOGUE["6205"]) >= 75


# ---- zones and velocity


def test_velocity_of_a_sine_is_its_amplitude_over_its_frequency() -> None:
    time = np.arange(24_000) / RATE
    wave = 5.0 * np.sin(2 * pi * 50 * time)
    known = 1000 * 5.0 / (2 * pi * 50) / sqrt(2)
    found = indicators(recorded(wave, RATE, 25.0))
    assert found.velocity == pytest.approx(known, rel=1e-3)
    assert found.crest == pytest.approx(sqrt(2), rel=1e-3)
    assert found.kurtosis == pytest.approx(1.5, rel=1e-3)


def test_velocity_has_the_band_of_the_standard() -> None:
    time = np.arange(24_000) / RATE
    outside = np.sin(2 * pi * 5 * time) + np.sin(2 * pi * 2000 * time)
    assert velocity(recorded(outside, RATE, 25.0)) < 0.1
    slow = np.sin(2 * pi * 5 * np.arange(60_000) / RATE)
    assert velocity(recorded(slow, RATE, 5.0)) == pytest.approx(
        1000 / (10 * pi) / sqrt(2), rel=0.01
    )


def test_zones_are_those_of_the_standard() -> None:
    """ISO 10816-3:2009, tables A.1 and A.2."""
    assert [zone(v, 2, "rigid") for v in (1.4, 2.8, 4.5, 4.6)] == ["A", "B", "C", "D"]
    assert [zone(v, 1, "flexible") for v in (3.5, 7.1, 11.0, 11.1)] == ["A", "B", "C", "D"]
    assert LIMITS[1, "rigid"] == LIMITS[2, "flexible"] == (2.3, 4.5, 7.1)


def test_velocity_says_what_it_needs() -> None:
    with pytest.raises(NotEnoughData, match="too short"):
        velocity(recorded(np.random.default_rng(0).normal(size=1000), RATE, 25.0))
    with pytest.raises(NotEnoughData, match="sample at 2560 Hz"):
        velocity(recorded(np.random.default_rng(0).normal(size=1000), 500.0, 25.0))


# ---- what cannot be judged


@pytest.mark.parametrize(
    ("value", "rate", "turning", "said"),
    [
        (np.full(5000, 3.0), RATE, 25.0, "all the time"),
        (np.r_[np.nan, np.ones(99)], RATE, 25.0, "1 of 100 samples are no numbers"),
        (np.r_[np.inf, np.zeros(99)], RATE, 25.0, "no numbers"),
        (np.r_[1e200, np.zeros(99)], RATE, 25.0, "no numbers"),
        (np.arange(9.0), RATE, 0.0, "stands still"),
        (np.arange(9.0), RATE, np.nan, "not known"),
        (np.arange(9.0), 0.0, 25.0, "sampling rate"),
        (np.ones(1), RATE, 25.0, "1 samples"),
    ],
)
def test_a_signal_that_tells_nothing_is_refused(
    value: FloatArray, rate: float, turning: float, said: str
) -> None:
    with pytest.raises(NotEnoughData, match=said):
        recorded(value, rate, turning)


def test_a_clipped_signal_is_judged_with_a_doubt() -> None:
    healthy = learn([look(listen(motor(seed=seed)), SKF) for seed in range(4)])
    wave = listen(motor("outer"))
    cut = recorded(np.clip(wave.value, -8, 8), RATE, wave.speed)
    found = diagnose(look(cut, SKF), healthy)
    assert found.place == "outer"
    assert any("clipped" in doubt for doubt in found.doubts)
    assert wave.doubts == ()


def test_too_short_a_block_says_how_long_it_must_be() -> None:
    with pytest.raises(NotEnoughData, match=r"6 turns .* 25 are needed, 0\.85 s"):
        look(listen(motor(), 0.2), SKF)


def test_too_slow_a_rate_says_which_is_needed() -> None:
    with pytest.raises(NotEnoughData, match="inner race is struck 160 times a second"):
        look(listen(motor(), 2.0, 800.0), SKF)


def test_sample_times_give_rate_and_doubts() -> None:
    step = SECOND // 1000
    even = 1_000_000_000_000 + np.arange(1000) * step
    assert evenly(even) == (0, pytest.approx(1000), ())
    gap = even + np.where(np.arange(1000) >= 400, 5 * step, 0)
    first, rate, doubts = evenly(gap)
    assert (first, rate) == (400, pytest.approx(1000))
    assert "gaps" in doubts[0]
    shaky = even + np.random.default_rng(0).integers(-step // 20, step // 20, 1000)
    assert "waver" in evenly(shaky)[2][0]
    with pytest.raises(NotEnoughData, match="irregularly"):
        evenly(np.sort(even + np.random.default_rng(0).integers(-step // 2, step // 2, 1000)))
    with pytest.raises(NotEnoughData, match="3 samples"):
        evenly(even[:3])


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.integers(0, 400), elements=st.floats(allow_nan=True)),
    st.floats(0, 1e5),
    st.floats(-1, 100),
)
def test_whatever_comes_is_judged_or_refused(
    value: FloatArray, rate: float, turning: float
) -> None:
    try:
        found = diagnose(look(recorded(value, rate, turning), SKF))
    except NotEnoughData:
        return
    assert np.isfinite(found.ratio)


# ---- faults of a simulated motor


@pytest.fixture(scope="module")
def healthy() -> list[Look]:
    running = motor(seed=11)
    return [look(listen(running), SKF) for _ in range(40)]


@pytest.mark.parametrize("fault", PLACES)
def test_a_fault_is_named_before_the_vibration_leaves_zone_a(
    fault: str, healthy: list[Look]
) -> None:
    worn = motor(fault, 8, seed=3)
    assert float(worn.get("vibration")) < 1.5
    found = diagnose(look(listen(worn), SKF), learn(healthy))
    assert (found.place, found.by) == (fault, "lines")
    assert found.ratio > 1
    assert found.chance is not None
    assert found.chance < 1e-3
    assert fault in in_words(found)


def test_healthy_running_shows_no_fault(healthy: list[Look]) -> None:
    known = learn(healthy[:20])
    found = [diagnose(each, known) for each in healthy[20:]]
    assert {each.place for each in found} == {"none"}
    assert max(each.ratio for each in found) < 0.7
    assert {in_words(each) for each in found} == {"no fault shown"}


@pytest.mark.parametrize("speed", [600.0, 1730.0, 2950.0])
def test_races_are_named_without_any_learning(speed: float) -> None:
    for fault in ("inner", "outer"):
        block = listen(motor(fault, 8, seed=5, speed=speed), max(1.2, 1800 / speed))
        found = diagnose(look(block, SKF))
        assert found.place == fault
        assert found.chance is None


def test_a_speed_that_is_one_percent_wrong_does_no_harm() -> None:
    block = listen(motor("inner"), 1.2)
    off = recorded(block.value, RATE, block.speed * 1.01)
    strike = diagnose(look(off, SKF)).strikes["inner"]
    assert strike.slip == pytest.approx(-0.01, abs=0.004)
    assert strike.sidebands >= 2


def test_another_bearing_needs_only_its_dimensions() -> None:
    small = Geometry(balls=8, ball=6.746, pitch=28.5)
    multiples = from_geometry(small)
    for fault in ("inner", "outer", "ball"):
        machine = motor(fault, 12, seed=2)
        machine.bearing = Bearing(balls=8, ball=6.746, pitch=28.5)
        assert diagnose(look(listen(machine, 3.0), multiples)).place == fault


def test_a_changing_speed_is_followed_by_the_shafts_angle() -> None:
    machine = motor("outer", 8, seed=4)
    rate, seconds, rise = RATE, 2.0, 0.2
    even = machine.waveform(round(1.2 * seconds * rate), rate)
    at = np.arange(round(seconds * rate)) / rate
    wave = np.interp(at + rise * at**2 / (2 * seconds), np.arange(len(even)) / rate, even)
    turning = float(machine.get("speed")) / 60 * (1 + rise * at / seconds)
    tracked = look(recorded(wave, rate, turning), SKF).strikes["outer"]
    assert diagnose(look(recorded(wave, rate, turning), SKF)).place == "outer"
    assert abs(tracked.slip) < 0.005
    smeared = look(recorded(wave, rate, float(turning.mean())), SKF)
    assert "outer" not in smeared.strikes or smeared.strikes["outer"].depth < tracked.depth / 2


def test_a_louder_band_without_struck_races_is_told_by_elimination(healthy: list[Look]) -> None:
    quiet = listen(motor(seed=8))
    random = np.random.default_rng(0)
    dry = np.convolve(
        random.normal(size=len(quiet.value)), np.cos(2 * pi * 2600 / RATE * np.arange(32)), "same"
    )
    found = diagnose(look(recorded(quiet.value + dry, RATE, quiet.speed), SKF), learn(healthy))
    assert (found.place, found.by) == ("ball", "elimination")
    assert found.band == (2250, 3000)
    assert "ball, cage or lubrication remain" in in_words(found)


def test_levels_are_not_compared_across_speeds(healthy: list[Look]) -> None:
    fast = diagnose(look(listen(motor(speed=3500.0)), SKF), learn(healthy))
    assert fast.place == "none"
    assert fast.risen is None
    assert "levels are not compared" in fast.doubts[0]


def test_learning_needs_healthy_blocks_of_one_rate(healthy: list[Look]) -> None:
    with pytest.raises(NotEnoughData, match="two or more"):
        learn(healthy[:1])
    worn = motor("inner")
    with pytest.raises(NotEnoughData, match="already shows a fault of the inner race"):
        learn([look(listen(worn), SKF) for _ in range(3)])
    other = look(listen(motor(), 1.2, 24_000.0), SKF)
    with pytest.raises(NotEnoughData, match="different rates"):
        learn([healthy[0], other])
    with pytest.raises(NotEnoughData, match="bring both to one rate"):
        diagnose(other, learn(healthy))


def test_blocks_say_together_what_most_of_them_show() -> None:
    worn = motor("outer", 6)
    whole = looks(listen(worn, 6.0), SKF)
    assert len(whole) == 6
    assert diagnose(together(whole)).place == "outer"
    with pytest.raises(NotEnoughData, match="no block"):
        together([])


def test_a_recording_can_be_brought_to_a_lower_rate() -> None:
    fast = listen(motor("inner"), 1.2, 48_000.0)
    slow = resampled(fast, RATE)
    assert (slow.rate, slow.seconds) == (RATE, pytest.approx(fast.seconds))
    assert resampled(slow, 48_000.0) is slow
    assert diagnose(look(slow, SKF)).place == "inner"


# ---- real recordings


@pytest.fixture(scope="module")
def bearings(shared_data: Path) -> Callable[..., Block]:
    """Return a reader of the CWRU recordings at 12 kHz. The healthy one was sampled at 48 kHz."""

    def read(name: str, end: str = "DE", rate: float | None = None) -> Block:
        (path,) = (shared_data / "cwru-bearing").glob(f"*{name}*.mat")
        held = loadmat(path)
        value = next(held[key] for key in held if key.endswith(f"{end}_time")).ravel()
        speed = next(held[key].item() for key in held if key.endswith("RPM")) / 60
        return recorded(value * 9.80665, rate or (48_000 if "normal" in name else RATE), speed)

    return read


@pytest.mark.parametrize("end", ["DE", "FE"])
def test_all_recordings_are_named_by_either_sensor(
    bearings: Callable[..., Block], end: str
) -> None:
    """The faults are at the drive end; limits come from the first half of healthy running."""
    good = looks(bearings("normal_0", end), CATALOGUE["6205"], seconds=1.0, rate=RATE)
    known = learn(good[:2])
    assert [diagnose(each, known).place for each in good[3:]] == ["none"] * 2
    for name, place in (("IR007", "inner"), ("IR021", "inner"), ("OR007", "outer"),
                        ("OR021", "outer"), ("B007", "ball"), ("B021", "ball")):  # fmt: skip
        blocks = looks(bearings(name, end), CATALOGUE["6205"], seconds=1.0)
        assert len(blocks) == 10
        assert {diagnose(each, known).place for each in blocks} == {place}, name


def test_ball_faults_are_honestly_told_by_elimination(bearings: Callable[..., Block]) -> None:
    good = looks(bearings("normal_0"), CATALOGUE["6205"], seconds=1.0, rate=RATE)
    for name in ("B007", "B021"):
        found = together(looks(bearings(name), CATALOGUE["6205"], seconds=1.0))
        assert diagnose(found).place == "none"  # the lines alone do not show it
        assert diagnose(found, learn(good)).by == "elimination"


def test_the_rate_that_the_source_states_for_healthy_running_is_doubted(
    bearings: Callable[..., Block],
) -> None:
    assert "48000 Hz, not 12000" in doubt_of_rate(bearings("normal_0", rate=12_000))
    assert doubt_of_rate(bearings("normal_0", rate=48_000)) == ""
    assert [doubt_of_rate(bearings(name)) for name in ("IR007", "OR021", "B007")] == [""] * 3


def test_a_look_can_be_kept_as_json(healthy: list[Look]) -> None:
    known = learn(healthy)
    assert msgspec.json.decode(msgspec.json.encode(known), type=type(known)) == known
    assert json.loads(msgspec.json.encode(known))["blocks"] == 40
