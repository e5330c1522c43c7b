"""The small plants: same seed same run, plausible physics, honest refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core import units
from deungdae.sim.plant import Plant, create, models


def snapshot(plant: Plant) -> dict[str, float | str]:
    return {quantity.name: plant.get(quantity.name) for quantity in plant.quantities}


def number(plant: Plant, name: str) -> float:
    value = plant.get(name)
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("model", models())
def test_one_seed_gives_one_run(model: str) -> None:
    first, second, other = create(model, 7, {}), create(model, 7, {}), create(model, 8, {})
    for plant in (first, second, other):
        for _ in range(500):
            plant.step(10.0)
    assert snapshot(first) == snapshot(second)
    assert model == "reader" or snapshot(first) != snapshot(other)  # it has nothing to draw


@pytest.mark.parametrize("model", models())
def test_every_quantity_has_a_ucum_unit_and_stays_in_its_range(model: str) -> None:
    plant = create(model, 3, {})
    for _ in range(200):
        plant.step(60.0)
        for quantity in plant.quantities:
            value = plant.get(quantity.name)
            units.parse(quantity.unit)
            if quantity.kind == "text":
                assert isinstance(value, str)
            elif isinstance(value, str):
                assert value in quantity.states
            else:
                assert quantity.low is None or value >= quantity.low
                assert quantity.high is None or value <= quantity.high


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.floats(0, 300), max_size=20),
    valve=st.floats(-50, 150),
    model=st.sampled_from(models()),
)
def test_steps_of_any_length_keep_every_number_finite(
    steps: list[float], valve: float, model: str
) -> None:
    plant = create(model, 1, {})
    if model == "kiln":
        plant.set("valve", valve)
        assert 0 <= number(plant, "valve") <= 100
    for dt in steps:
        plant.step(dt)
    for value in snapshot(plant).values():
        assert isinstance(value, str) or math.isfinite(value)


def test_the_kiln_answers_its_valve_after_the_dead_time() -> None:
    quiet = {"noise": 0.0, "wagon_interval": 0.0, "dead_time": 60.0}
    low, high = create("kiln", 1, quiet), create("kiln", 1, quiet)
    high.set("valve", 80.0)
    for plant in (low, high):
        plant.step(59.0)
    assert number(low, "temperature") == number(high, "temperature")
    assert number(high, "gas_flow") > number(low, "gas_flow")
    for plant in (low, high):
        plant.step(600.0)
    assert 20 < number(high, "temperature") - number(low, "temperature") < 150


def test_the_kiln_settles_where_its_heat_balance_says() -> None:
    options = {"noise": 0.0, "wagon_interval": 0.0, "zone_ware": 0.0, "wall_capacity": 50.0}
    kiln = create("kiln", 1, options)
    kiln.set("valve", 30.0)
    kiln.step(200_000.0)
    kept = 0.55 * 0.30 * 60.0 * 10.5  # kW: efficiency, valve, m3/h, kW.h/m3
    expected = 25.0 + kept * (1 / 0.5 + 1 / 0.1)  # two heat resistances in series
    assert number(kiln, "temperature") == pytest.approx(expected, abs=0.01)


def test_a_pi_loop_holds_the_kiln_at_1200_degrees_while_wagons_come() -> None:
    kiln = create("kiln", 5, {})
    integral, errors = 55.0, []
    for second in range(6 * 3600):
        kiln.step(1.0)
        error = 1200 - number(kiln, "temperature")
        integral = min(max(integral + 0.003 * error, 0), 100)
        kiln.set("valve", integral + error)
        if second > 2 * 3600:
            errors.append(abs(error))
    assert sum(errors) / len(errors) < 4
    assert max(errors) < 40


def test_the_press_makes_parts_only_while_it_runs() -> None:
    press = create("press", 2, {})
    before, counted = 0.0, {"running": 0.0, "idle": 0.0, "down": 0.0, "setup": 0.0}
    for _ in range(3 * 86_400):
        state = str(press.get("state"))
        press.step(1.0)
        made = number(press, "count") - before
        before += made
        if press.get("state") == state:
            counted[state] += made
    assert counted["running"] > 10_000
    assert counted["idle"] == counted["down"] == counted["setup"] == 0
    assert 0.01 < number(press, "rejects") / number(press, "count") < 0.02


def test_the_press_stands_as_often_and_as_long_as_it_is_told() -> None:
    press = create("press", 4, {"wait_every": 0.0, "batch": 0.0, "failure_every": 1000.0})
    down = 0
    for _ in range(200_000):
        press.step(10.0)
        down += press.get("state") == "down"
    assert down / 200_000 == pytest.approx(900 / 1900, abs=0.03)  # repair / (run + repair)


def test_what_is_wrong_is_said_with_what_would_be_right() -> None:
    with pytest.raises(ValueError, match=r"'oven'; known: .*kiln, .*press"):
        create("oven", 1, {})
    with pytest.raises(ValueError, match=r"'speed'; known: .*valve"):
        create("kiln", 1, {"speed": 2.0})
    with pytest.raises(ValueError, match="valve"):
        create("kiln", 1, {"valve": 120.0})
    with pytest.raises(ValueError, match="finite"):
        create("kiln", 1, {"valve": math.nan})
    kiln, press = create("kiln", 1, {}), create("press", 1, {})
    with pytest.raises(ValueError, match=r"'flap'; known: valve, temperature"):
        kiln.get("flap")
    with pytest.raises(ValueError, match="only be read"):
        kiln.set("temperature", 1200.0)
    with pytest.raises(ValueError, match="only be read"):
        press.set("count", 0.0)
    with pytest.raises(ValueError, match="not a finite number"):
        kiln.set("valve", math.inf)
    with pytest.raises(ValueError, match="number of seconds"):
        press.step(-1.0)
