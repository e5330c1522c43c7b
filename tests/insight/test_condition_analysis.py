"""The live analysis: blocks as they come, few warnings, zones and remaining life."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core import strict
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import HOUR, SECOND, Batch, Finding, Flag, Severity, Signal
from deungdae.historian.store import Historian, HistorianOptions
from deungdae.insight.condition import Condition, ConditionOptions
from deungdae.model.factory import Factory, Identity
from deungdae.sim.plant.motor import Motor, MotorParameters

RATE = 12_000
START = 1_767_225_600 * SECOND
GEOMETRY = {"balls": 9, "ball": 7.94, "pitch": 39.04}


def factory(**units: str) -> Factory:
    given = {"fan.acceleration": "m/s2", "fan.speed": "/min", "fan.velocity": "mm/s", **units}
    signals = {id: Signal(id=id, unit=unit) for id, unit in given.items()}
    return Factory(path=Path("factory.toml"), identity=Identity(id="works"), signals=signals)


def analysis(units: dict[str, str] | None = None, **options: Any) -> Condition:
    table: dict[str, Any] = {"signal": "fan.acceleration", "speed": 1770.0, "geometry": GEOMETRY}
    decoded, problems = strict.decode(ConditionOptions, {**table, **options})
    assert problems == []
    return Condition("fan", decoded, factory(**(units or {})))


def slow(**options: Any) -> Condition:
    return analysis(signal="fan.velocity", kind="rms", speed=None, geometry=None, **options)


def column(time: Sequence[int], value: Sequence[float], status: int = 0) -> Samples:
    n = len(time)
    return Samples(np.asarray(time, np.int64), np.asarray(value, float), np.full(n, status, "u1"))


def motor(fault: str = "", seed: int = 1) -> Motor:
    made = Motor(MotorParameters(), np.random.default_rng(seed))
    made.drive("running", 0.0)
    if fault:
        made.call(f"start_{fault}_fault")
        made.step(8 * 3600)
    return made


def heard(
    work: Condition, machine: Motor, minute: int, seconds: float = 1.5, **more: Samples
) -> dict[str, Finding]:
    """Return by name what the analysis says of a snapshot taken in a minute."""
    n = round(seconds * RATE)
    begin = START + minute * 60 * SECOND
    time = begin + np.round(np.arange(n) * (SECOND / RATE)).astype(np.int64)
    waves = {"fan.acceleration": column(time.tolist(), machine.waveform(n, RATE).tolist())}
    end = int(time[-1]) + 1
    return {f.name: f for f in work.update(end, Window(begin, end, waves | more))}


# ---- a waveform


def test_a_fault_warns_when_three_blocks_agree() -> None:
    work, machine = analysis(), motor("inner")
    severities = [heard(work, machine, minute)["bearing"].severity for minute in range(5)]
    assert severities == [1, 1, 2, 2, 2]
    found = heard(work, machine, 5)["bearing"]
    assert found.reason.startswith("inner race: struck 15")
    assert found.evidence["by"] == "lines"
    assert "4 harmonics" in found.evidence["inner"]
    assert found.asset == "fan"


def test_one_odd_block_is_a_notice_and_no_warning() -> None:
    work, good, bad = analysis(), motor(), motor("outer")
    told = [heard(work, bad if minute == 2 else good, minute)["bearing"] for minute in range(6)]
    assert [each.severity for each in told] == [0, 0, 1, 0, 0, 0]


def test_healthy_running_is_learnt_from_the_first_blocks() -> None:
    work, machine = analysis(learn=3), motor()
    told = [heard(work, machine, minute)["bearing"].evidence for minute in range(4)]
    assert told[0]["healthy running"] == "1 of 3 blocks learnt"
    assert told[3]["healthy running"] == "learnt from 3 blocks"
    assert "level against healthy running" in told[3]


def test_a_bearing_that_is_bad_from_the_start_is_not_taken_as_healthy() -> None:
    work, machine = analysis(learn=3), motor("outer")
    told = [heard(work, machine, minute)["bearing"] for minute in range(4)]
    assert told[3].severity == 2
    assert "already shows a fault" in told[3].evidence["healthy running"]


STATED: dict[str, Any] = {
    "trained_from": "2026-01-01T00:00Z",
    "trained_until": "2026-01-01T00:10Z",
}


def recalled(work: Condition, machine: Motor, now: int, snapshots: int) -> None:
    """Show an analysis the past that it asks for: a snapshot in each of the first minutes."""
    for start, end in work.recall(now):
        minute = (start - START) // (60 * SECOND)
        if minute < snapshots:
            heard(work, machine, minute)
        else:
            with pytest.raises(NotEnoughData):
                work.update(end, Window(start, end))


def test_healthy_running_is_learnt_from_the_stated_period_after_each_start() -> None:
    told = []
    for _ in range(2):
        work = analysis(learn=3, **STATED)
        recalled(work, motor(seed=2), START + HOUR, snapshots=10)
        told.append(heard(work, motor("inner"), 60)["bearing"])
    assert told[0] == told[1]
    assert told[0].evidence["healthy running"] == "learnt from 3 blocks"
    assert told[0].evidence["trained_from"].startswith("2026-01-01T09:00:01")
    assert told[0].evidence["trained_until"].startswith("2026-01-01T09:02:01")


def test_a_period_with_too_few_blocks_is_said_and_learns_nothing() -> None:
    work = analysis(learn=3, **STATED)
    recalled(work, motor(seed=2), START + HOUR, snapshots=2)
    told = [heard(work, motor(), minute)["bearing"].evidence for minute in range(60, 65)]
    assert {each["healthy running"] for each in told} == {
        "from 2026-01-01T09:00:00+09:00 to 2026-01-01T09:10:00+09:00 there are 2 of 3 healthy "
        "blocks"
    }


def test_what_it_said_before_a_restart_it_goes_on_from() -> None:
    one, machine = analysis(), motor("inner")
    before = [found for minute in range(2) for found in heard(one, machine, minute).values()]
    other = analysis()
    other.remember(before)
    assert list(other.recall(START + HOUR)) == []
    third = heard(one, motor("inner", seed=4), 2)
    assert third["bearing"].severity == 2  # the third block in a row
    again = heard(other, motor("inner", seed=4), 2)
    assert again["bearing"].severity == 2
    assert again["vibration"] == third["vibration"]
    assert other._trend == one._trend


def test_velocity_and_its_zone_are_told() -> None:
    found = heard(analysis(), motor(), 0)["vibration"]
    assert found.unit == "mm/s"
    assert found.value == pytest.approx(0.84, rel=0.15)  # as the motor's own quantity says
    assert found.evidence["zone"] == "A"
    assert found.evidence["from"] == "ISO 10816-3, group 2, rigid"


def test_acceleration_in_g_is_the_same_machine() -> None:
    work, machine = analysis(units={"fan.acceleration": "[g]"}), motor(seed=3)
    wave = machine.waveform(2 * RATE, RATE)
    time = (START + np.round(np.arange(len(wave)) * SECOND / RATE)).astype(np.int64)
    end = int(time[-1]) + 1
    window = Window(
        START, end, {"fan.acceleration": column(time.tolist(), (wave / 9.80665).tolist())}
    )
    found = {each.name: each for each in work.update(end, window)}
    assert found["vibration"].value == pytest.approx(0.84, rel=0.15)


def test_the_speed_may_be_a_signal() -> None:
    work, machine = analysis(speed="fan.speed"), motor("outer")
    with pytest.raises(NotEnoughData, match="speed is not known"):
        heard(work, machine, 0)
    known = column([START - SECOND], [1770.0])
    assert heard(work, machine, 1, **{"fan.speed": known})["bearing"].reason.startswith("outer")
    assert heard(work, machine, 2)["bearing"].reason.startswith("outer")  # it is remembered
    with pytest.raises(NotEnoughData, match="stands still"):
        heard(work, machine, 3, **{"fan.speed": column([START + 180 * SECOND], [0.0])})
    lost = column([START + 240 * SECOND], [1770.0], int(Severity.BAD))
    with pytest.raises(NotEnoughData, match="not known"):
        heard(work, machine, 4, **{"fan.speed": lost})


def test_a_block_may_come_in_pieces() -> None:
    work, machine = analysis(), motor("inner")
    wave = machine.waveform(2 * RATE, RATE)
    time = (START + np.round(np.arange(len(wave)) * SECOND / RATE)).astype(np.int64)
    half = len(wave) // 3
    first = Window(
        START,
        int(time[half]),
        {"fan.acceleration": column(time[:half].tolist(), wave[:half].tolist())},
    )
    with pytest.raises(NotEnoughData, match="without a gap; a block has 1 s"):
        work.update(int(time[half]), first)
    end = int(time[-1]) + 1
    rest = Window(
        int(time[half]),
        end,
        {"fan.acceleration": column(time[half:].tolist(), wave[half:].tolist())},
    )
    assert {each.name for each in work.update(end, rest)} == {"vibration", "bearing"}


@pytest.mark.parametrize(
    ("status", "said"),
    [(int(Severity.BAD), "no good samples"), (int(Flag.STALE), "no good samples")],
)
def test_samples_that_are_not_good_are_not_judged(status: int, said: str) -> None:
    window = Window(START, START + SECOND, {"fan.acceleration": column([START], [1.0], status)})
    with pytest.raises(NotEnoughData, match=said):
        analysis().update(START + SECOND, window)


def test_without_a_bearing_there_is_the_zone_alone() -> None:
    found = heard(analysis(geometry=None, speed=None), motor("outer"), 0)
    assert set(found) == {"vibration"}


def test_a_slow_rate_still_shows_nothing_false() -> None:
    work = analysis(geometry=None)
    time = [START + round(each * SECOND / 500) for each in range(1000)]
    wave = np.random.default_rng(0).normal(size=1000).tolist()
    end = time[-1] + 1
    (found,) = work.update(end, Window(START, end, {"fan.acceleration": column(time, wave)}))
    assert found.value is None
    assert "sample at 2560 Hz" in found.reason


# ---- an rms velocity


def told(work: Condition, hour: int, velocity: float) -> dict[str, Finding]:
    """Return by name what is said of a minute of values, one a second."""
    begin = START + hour * HOUR
    time = [begin + each * SECOND for each in range(60)]
    window = Window(begin, time[-1] + 1, {"fan.velocity": column(time, [velocity] * 60)})
    return {f.name: f for f in work.update(time[-1] + 1, window)}


def test_zones_warn_when_three_blocks_agree() -> None:
    work = slow()
    severities = [told(work, hour, v)["vibration"].severity
                  for hour, v in enumerate([1, 3, 3, 3, 5, 5, 5, 1])]  # fmt: skip
    assert severities == [0, 0, 0, 2, 2, 2, 3, 0]


def test_own_limits_replace_the_standards() -> None:
    work = slow(limits=[0.5, 1.0, 2.0], hold=1)
    found = told(work, 0, 1.5)["vibration"]
    assert (found.severity, found.evidence["from"]) == (2, "own limits")
    assert found.reason == "zone C: not fit for long running: plan a repair"


def test_a_rising_velocity_tells_the_time_that_is_left() -> None:
    work = slow()
    random = np.random.default_rng(3)
    found: dict[str, Finding] = {}
    steady = [told(work, hour, 1 + 0.03 * random.normal()) for hour in range(40)]
    assert all("remaining_life" not in each for each in steady)
    for hour in range(40, 100):
        found = told(work, hour, 1 + 0.03 * (hour - 40) + 0.03 * random.normal())
    life = found["remaining_life"]
    truth = (4.5 - 1) / 0.03 - 59  # hours to zone D
    assert float(life.evidence["low"]) < truth < float(life.evidence["high"])
    assert life.unit == "h"
    assert life.uncertainty is not None
    assert life.uncertainty > 0
    assert life.start < life.end - 40 * HOUR


def test_in_zone_d_no_time_is_left_to_tell() -> None:
    work = slow()
    for hour in range(40):
        found = told(work, hour, 1 + 0.12 * hour)
    assert set(found) == {"vibration"}


def test_an_rms_below_zero_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="below zero"):
        told(slow(), 0, -1.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(), max_size=30), st.sampled_from([0, 2, 16]))
def test_whatever_a_transmitter_sends_is_judged_or_refused(
    values: list[float], status: int
) -> None:
    time = [START + each * SECOND for each in range(len(values))]
    window = Window(START, START + HOUR, {"fan.velocity": column(time, values, status)})
    try:
        found = slow().update(START + HOUR, window)
    except NotEnoughData:
        return
    assert all(f.value is not None and np.isfinite(f.value) for f in found)


# ---- the factory file


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bearing": "6205"}, "is stated twice"),
        ({"bearing": "9999", "geometry": None}, "is not in the catalogue"),
        ({"geometry": {"balls": 9, "ball": 50.0, "pitch": 39.0}}, "not smaller than the pitch"),
        ({"speed": None}, "state its speed"),
        ({"speed": 0.0}, "no speed of a turning shaft"),
        ({"signal": "fan.velocity"}, "measure different things"),
        ({"signal": "fan.velocity", "kind": "rms"}, "an rms value shows no strikes"),
        ({"limits": [3.0, 2.0, 1.0]}, "do not rise"),
        ({"trained_from": "2026-01-01"}, "trained_until.*belong together"),
        ({**STATED, "geometry": None}, "without a bearing nothing is learnt"),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(FactoryError, match=said):
        analysis(**options)


def test_a_waveform_passes_through_the_historian(tmp_path: Path) -> None:
    """12,000 samples a second are kept at their own times, and judged as they come back."""
    ids = ("fan.acceleration", "fan.speed")
    store = Historian(tmp_path, HistorianOptions(disk_reserve=0))
    try:
        handles = store.register([Signal(id=each) for each in ids])
        work, machine = analysis(speed="fan.speed"), motor("outer")
        places = []
        for minute in range(3):
            begin = START + minute * 60 * SECOND
            wave = machine.waveform(2 * RATE, RATE)
            time = begin + np.round(np.arange(len(wave)) * (SECOND / RATE)).astype(np.int64)
            fast = Batch.of([handles[0]] * len(wave), time.tolist(), wave.tolist(), received=begin)
            turning = Batch.of([handles[1]], [begin], [1770.0], received=begin)
            store.append([fast, turning])
            end = begin + 60 * SECOND
            window = Window(begin, end, store.query(ids, begin, end, before=True))
            places += [f.evidence["place"] for f in work.update(end, window) if f.name == "bearing"]
    finally:
        store.close()
    assert places == ["outer race"] * 3
