"""What all machines of a works have in common: they do what their station does, and can be told."""

from __future__ import annotations

import subprocess
import sys
from math import isfinite

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.inspect import IntType

from deungdae.sim.line import STATES
from deungdae.sim.plant import Plant, create, models
from deungdae.sim.plant.brick_press import BrickPressParameters
from deungdae.sim.plant.camera import CameraParameters
from deungdae.sim.plant.cycle import Cycle
from deungdae.sim.plant.dryer import DryerParameters
from deungdae.sim.plant.machining import MachiningParameters
from deungdae.sim.plant.meter import MeterParameters
from deungdae.sim.plant.mixer import MixerParameters
from deungdae.sim.plant.motor import MotorParameters
from deungdae.sim.plant.palletiser import PalletiserParameters
from deungdae.sim.plant.parts import Alarming, Driven, Operable, Seeing
from deungdae.sim.plant.tunnel import TunnelParameters

DRIVEN = [model for model in models() if isinstance(create(model, 1, {}), Driven)]
PARAMETERS = {
    "brick_press": BrickPressParameters,
    "camera": CameraParameters,
    "dryer": DryerParameters,
    "machining": MachiningParameters,
    "meter": MeterParameters,
    "mixer": MixerParameters,
    "motor": MotorParameters,
    "palletiser": PalletiserParameters,
    "tunnel": TunnelParameters,
}
COUNTS = {"tunnel": "wagon.number", "machining": "part_count"}


def number(plant: Plant, name: str) -> float:
    value = plant.get(name)
    assert isinstance(value, float)
    return value


def driven(model: str) -> Driven:
    plant = create(model, 1, {})
    assert isinstance(plant, Driven)
    return plant


def test_a_cycle_is_complete_when_its_phase_falls() -> None:
    cycle = Cycle(10.0)
    told = [
        ("running", 0.4), ("running", 0.9),
        ("running", 0.1),  # one
        ("down", 0.0), ("down", 0.0), ("waiting", 0.0),  # a breakdown is no new cycle
        ("running", 0.5), ("blocked", 1.0), ("blocked", 0.0),  # two, and it stands full
        ("running", 0.2), ("starved", 0.0),  # three
        ("starved", 0.0), ("setup", 0.7), ("running", 0.3),  # a setup is no cycle
    ]  # fmt: skip
    assert sum(cycle.drive(state, phase, "") for state, phase in told) == cycle.count == 3


def test_its_length_is_the_time_that_it_ran() -> None:
    cycle = Cycle(10.0)
    for state, phase in (("running", 0.2), ("running", 0.6), ("down", 0.0), ("running", 0.8)):
        cycle.drive(state, phase, "")
        cycle.step(3.0)
    cycle.drive("running", 0.1, "")
    assert cycle.length == 9.0


def test_undriven_it_stops_only_as_its_machine_says() -> None:
    cycle = Cycle(10.0)
    assert cycle.step(25.0) == 2
    cycle.stop("setup", 30.0)
    assert cycle.step(20.0) == 0
    assert cycle.state == "setup"
    assert cycle.step(15.0) == 1  # ten seconds of it stood, five ran
    cycle.drive("running", 0.5, "")
    cycle.stop("down", 100.0)  # now the line says so
    assert cycle.running


def test_what_it_had_begun_alone_counts_when_the_line_takes_over() -> None:
    cycle = Cycle(10.0)
    cycle.step(7.0)
    assert cycle.drive("running", 0.2, "")
    assert cycle.count == 1


@pytest.mark.parametrize(("state", "phase"), [("asleep", 0.1), ("running", 1.2), ("running", -1.0)])
def test_a_state_or_phase_that_cannot_be_is_refused(state: str, phase: float) -> None:
    with pytest.raises(ValueError, match=r"asleep|from 0 to 1"):
        driven("mixer").drive(state, phase)


def test_these_machines_can_be_driven() -> None:
    assert set(models()) - set(DRIVEN) == {"kiln", "press", "meter", "reader"}


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(DRIVEN),
    told=st.lists(
        st.tuples(st.sampled_from(STATES), st.floats(0, 1), st.floats(0, 900)), max_size=25
    ),
)
def test_whatever_the_line_does_the_machine_follows(
    model: str, told: list[tuple[str, float, float]]
) -> None:
    plant, reference = create(model, 5, {}), Cycle(1.0)
    assert isinstance(plant, Driven)
    counter = COUNTS.get(model, "count")
    energy = number(plant, "energy")
    completed = 0
    for state, phase, dt in told:
        plant.drive(state, phase, "arch")
        completed += reference.drive(state, phase, "arch")
        plant.step(dt)
        assert plant.get("state") == state
        assert number(plant, "energy") >= energy - 1e-9
        energy = number(plant, "energy")
        for quantity in plant.quantities:
            value = plant.get(quantity.name)
            if isinstance(value, str):
                assert quantity.kind == "text" or value in quantity.states
            else:
                assert (quantity.low or 0) - 1e-6 <= value or quantity.low is None
                assert quantity.high is None or value <= quantity.high
    if model != "motor":
        assert number(plant, counter) == completed


@pytest.mark.parametrize("model", DRIVEN)
def test_what_stands_off_uses_less_than_what_runs(model: str) -> None:
    used = {}
    for state in ("running", "off"):
        plant = create(model, 1, {})
        assert isinstance(plant, Driven)
        for second in range(1200):
            plant.drive(state, second % 60 / 60 if state == "running" else 0.0)
            plant.step(1.0)
        used[state] = number(plant, "energy")
    if model == "tunnel":  # its fan never stands
        assert used["off"] == used["running"]
    else:
        assert used["off"] < 0.5 * used["running"]


# quantities that may depend on how time is cut only by this much: absolute
CUT = {
    "tunnel": {"zone1.temperature": 0.3, "zone3.temperature": 0.3, "zone6.temperature": 0.3,
               "gas": 0.05, "energy": 1e-6, "wagon.number": 0},
    "brick_press": {"count": 0, "energy": 1e-6, "wear": 1e-9, "density": 1e-6},
    "dryer": {"temperature": 0.3, "moisture": 0.01, "heat_energy": 0.4, "energy": 1e-6},
    "mixer": {"count": 0, "energy": 0.05, "temperature": 0.3},
    "motor": {"energy": 1e-3, "speed": 1e-3, "temperature": 1e-2},
    "machining": {"part_count": 0, "energy": 0.05, "x": 1.0, "tool": 0},
    "palletiser": {"count": 0, "energy": 1e-4, "on_pallet": 0},
    "camera": {"count": 0, "energy": 1e-6},
}  # fmt: skip


@pytest.mark.parametrize("model", CUT)
def test_an_hour_is_an_hour_however_it_is_cut(model: str) -> None:
    quiet = {"noise": 0.0} if model in {"tunnel", "dryer", "mixer", "motor", "machining"} else {}
    by_seconds, by_minutes = create(model, 3, quiet), create(model, 3, quiet)
    for _ in range(4000):
        by_seconds.step(1.0)
    for _ in range(66):
        by_minutes.step(60.0)
    by_minutes.step(40.0)
    for name, within in CUT[model].items():
        assert number(by_minutes, name) == pytest.approx(number(by_seconds, name), abs=within), name


def extremes(model: str, random: np.random.Generator) -> dict[str, float]:
    """Return parameters of a model, about half of them at or between the ends of their bounds."""
    drawn: dict[str, float] = {}
    for field in msgspec.inspect.type_info(PARAMETERS[model]).fields:  # type: ignore[attr-defined]
        kind, usual = field.type, float(field.default)
        low = next((end for end in (kind.ge, kind.gt) if end is not None), usual - abs(usual))
        high = next((end for end in (kind.le, kind.lt) if end is not None), 20 * abs(usual) + low)
        near = 1e-3 * (high - low)
        value = random.choice([usual, usual, low + near, high - near, random.uniform(low, high)])
        drawn[field.name] = float(round(value)) if isinstance(kind, IntType) else float(value)
    return drawn


@pytest.mark.parametrize("model", PARAMETERS)
def test_whatever_its_parameters_within_their_bounds_every_number_is_finite(model: str) -> None:
    random = np.random.default_rng(20)
    for _ in range(12):
        options = extremes(model, random)
        plant = create(model, 1, options)
        for dt in (1.0, 500.0, 2000.0):
            plant.step(dt)
        for quantity in plant.quantities:
            value = plant.get(quantity.name)
            assert isinstance(value, str) or isfinite(value), (quantity.name, options)


@pytest.mark.parametrize("model", models())
def test_a_button_that_there_is_not_is_refused_and_the_others_do_something(model: str) -> None:
    plant = create(model, 1, {})
    if not isinstance(plant, Operable):
        return
    plant.step(100.0)
    for method in plant.methods:
        assert method.description
        plant.call(method.name)
    with pytest.raises(ValueError, match=r"'explode'; known: " + plant.methods[0].name):
        plant.call("explode")


@pytest.mark.parametrize("model", models())
def test_alarms_keep_their_order_and_name_quantities_that_there_are(model: str) -> None:
    plant = create(model, 1, {})
    if not isinstance(plant, Alarming):
        return
    names = [alarm.name for alarm in plant.alarms()]
    assert len(set(names)) == len(names)
    known = {quantity.name for quantity in plant.quantities}
    for alarm in plant.alarms():
        assert not alarm.active, "a new machine has no alarm"
        assert 1 <= alarm.severity <= 1000
        assert alarm.quantity in known
    plant.step(5000.0)
    assert [alarm.name for alarm in plant.alarms()] == names


def test_only_the_camera_sees() -> None:
    assert [model for model in models() if isinstance(create(model, 1, {}), Seeing)] == ["camera"]


def test_the_machines_are_light_to_import() -> None:
    heavy = "numba scipy PIL sklearn pyarrow duckdb"
    code = (
        f"import sys, deungdae.sim.plant; print([m for m in {heavy.split()} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
