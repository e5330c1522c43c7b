"""Press, dryer, mixer, motor, meter, milling, robot and camera: each by its own physics."""

from __future__ import annotations

from itertools import pairwise
from math import log, sqrt
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat

from deungdae.sim.plant import Plant, create
from deungdae.sim.plant.brick_press import BrickPress
from deungdae.sim.plant.camera import Camera
from deungdae.sim.plant.dryer import Dryer
from deungdae.sim.plant.machining import EXECUTIONS, PROGRAM, Machining
from deungdae.sim.plant.meter import Meter
from deungdae.sim.plant.mixer import Mixer
from deungdae.sim.plant.motor import FAULTS, ZONES, Bearing, Motor, frequencies
from deungdae.sim.plant.palletiser import Palletiser
from deungdae.sim.robot import Arm, Cell, forward
from deungdae.sim.scene import Defect

M = TypeVar("M")


def made(kind: type[M], model: str, seed: int = 1, **options: float) -> M:
    plant = create(model, seed, options)
    assert isinstance(plant, kind)
    return plant


def number(plant: Plant, name: str) -> float:
    value = plant.get(name)
    assert isinstance(value, float)
    return value


def active(plant: BrickPress | Dryer | Motor | Machining | Camera, name: str) -> bool:
    return next(alarm.active for alarm in plant.alarms() if alarm.name == name)


# ---- press


def press(**options: float) -> BrickPress:
    return made(BrickPress, "brick_press", **{"mass_scatter": 0.0, **options})


def test_a_stroke_approaches_presses_holds_and_ejects() -> None:
    plant = press()
    seen = []
    for _ in range(240):
        plant.step(0.05)
        seen.append([number(plant, name) for name in ("force", "stroke", "pressure")])
    force, stroke, pressure = np.array(seen).T
    start, end = int(np.argmax(force > 1)), int(np.argmax(force))
    assert (force[: start - 1] == 0).all()
    assert (np.diff(force[start:end]) > 0).all()
    assert (np.diff(stroke[start:end]) > 0).all()
    assert force[end] == force.max() == pytest.approx(force[160], rel=1e-9)  # held
    assert 0 < force[205] < 0.1 * force.max()  # what the walls hold while it is ejected
    assert stroke[205] == 0
    assert pressure.max() == pytest.approx(81.27, abs=0.01)  # C = 0.4452


def test_force_and_stroke_obey_kawakita() -> None:
    plant = press(friction=0.0, friction_worn=0.0, wear=0.0)
    depth = 3.84 / (1250 * 0.230 * 0.114) * 1000  # mm of loose powder
    checked = 0
    for _ in range(240):
        plant.step(0.05)
        c = (number(plant, "stroke") - 250.0) / depth
        if number(plant, "pressure") > 0 and c > 0:
            assert number(plant, "pressure") == pytest.approx(c / (0.10 * (0.50 - c)), rel=1e-9)
            assert number(plant, "force") == pytest.approx(
                number(plant, "pressure") * 230 * 114 / 1000, rel=1e-9
            )
            checked += 1
    assert checked > 30


def test_the_energy_of_a_stroke_is_force_times_way() -> None:
    plant = press(wear=0.0, power_idle=0.0, efficiency=1.0)
    way, work = number(plant, "stroke"), 0.0
    for _ in range(1200):
        plant.step(0.01)
        force, stroke = number(plant, "force"), number(plant, "stroke")
        if number(plant, "pressure") > 0:
            work += force * max(stroke - way, 0.0) / 1000  # kJ
        way = stroke
    assert number(plant, "count") == 1
    assert number(plant, "energy") * 3600 == pytest.approx(work, rel=0.01)
    a, b, c = 0.50, 0.10, 1 - 65 / (3.84 / (1250 * 0.230 * 0.114) * 1000)
    closed = 3.84 / 1250 * (a * log(a / (a - c)) - c) / b / (1 - 0.08) * 1000  # kJ
    assert number(plant, "energy") * 3600 == pytest.approx(closed, rel=1e-9)


def test_power_is_the_slope_of_energy() -> None:
    plant = press()
    used, before = 0.0, number(plant, "energy")
    for _ in range(24_000):
        plant.step(0.001)
        used += number(plant, "power") * 0.001 / 3600
    assert used == pytest.approx(number(plant, "energy") - before, rel=0.002)


def test_wear_needs_more_force_for_looser_bricks_until_the_mould_is_changed() -> None:
    plant = press()
    peaks, densities, spoilt = [], [], []
    for _ in range(6):
        plant.step(12 * 3000)
        peaks.append(number(plant, "peak"))
        densities.append(number(plant, "density"))
        spoilt.append(sum(plant.spoils().values()))
    assert all(later > sooner for sooner, later in pairwise(peaks))
    assert all(later < sooner for sooner, later in pairwise(densities))
    assert all(later > sooner for sooner, later in pairwise(spoilt))
    assert active(plant, "mould_worn")
    plant.call("change_mould")
    assert plant.get("state") == "setup"
    assert not active(plant, "mould_worn")
    plant.step(1500 + 24.0)
    assert plant.get("state") == "running"
    assert number(plant, "density") > densities[0]


def test_where_the_force_does_not_reach_bricks_stay_thick() -> None:
    plant = press(limit=1500.0)
    plant.step(24.0)
    assert number(plant, "peak") == pytest.approx(1500.0)
    assert number(plant, "thickness") > 65.5
    assert active(plant, "overload")


def test_a_thinner_brick_is_denser_and_a_faster_press_makes_more() -> None:
    plant = press()
    plant.set("setpoint", 64.0)
    plant.set("speed", 120.0)
    plant.step(1000.0)
    assert number(plant, "thickness") == pytest.approx(64.0)
    assert number(plant, "count") == 100
    assert plant.pace == 1.2


# ---- dryer


def test_the_falling_rate_is_exponential() -> None:
    plant = made(Dryer, "dryer", cars=1, cycle=1e6, moisture_scatter=0.0, capacity=1e9,
                 moisture=0.03)  # fmt: skip
    before = number(plant, "moisture")
    plant.drive("running", 0.1)
    plant.step(3600.0)
    after = number(plant, "moisture")
    kept = (after - 0.2) / (before - 0.2)  # above the equilibrium
    assert log(1 / kept) == pytest.approx(5e-4 * 3600, rel=0.01)  # Lewis: X - Xe = e^(-k t)


def test_the_first_rate_is_constant_and_goes_with_the_fan() -> None:
    speeds = {}
    for fan in (50.0, 100.0):
        plant = made(Dryer, "dryer", cars=1, cycle=1e6, moisture_scatter=0.0, capacity=1e9,
                     fan=fan)  # fmt: skip
        plant.drive("running", 0.1)
        seen = []
        for _ in range(10):
            plant.step(30.0)
            seen.append(number(plant, "evaporation"))
        assert max(seen) == pytest.approx(min(seen), rel=0.02)
        speeds[fan] = seen[-1]
    assert speeds[50.0] / speeds[100.0] == pytest.approx(0.5**0.8, rel=0.01)


def test_the_dryer_s_heat_goes_where_it_should() -> None:
    plant = made(Dryer, "dryer", noise=0.0, moisture_scatter=0.0)
    plant.step(4 * 3600.0)
    began, temperature = number(plant, "heat_energy"), number(plant, "temperature")
    cars, air, water = 0.0, 0.0, 0.0
    for _ in range(3600):
        hot, count = number(plant, "temperature"), number(plant, "count")
        plant.step(10.0)
        cars += (number(plant, "count") - count) * 0.8 * 4500 / 12 * (hot - 25)
        air += (0.6 * 0.8 + 0.1) * (hot - 25) * 10
        water += number(plant, "evaporation") / 3600 * 10 * 2260
    stored = 4500 * (number(plant, "temperature") - temperature)
    put_in = (number(plant, "heat_energy") - began) * 3600
    assert put_in == pytest.approx(cars + air + water + stored, rel=0.005)
    assert water > 0.25 * put_in


def test_too_cold_a_dryer_lets_wet_bricks_out() -> None:
    plant = made(Dryer, "dryer")
    plant.step(3 * 3600.0)
    assert not active(plant, "car_wet")
    assert plant.spoils()["crack"] < 0.01
    plant.set("setpoint", 50.0)
    plant.step(8 * 3600.0)
    assert active(plant, "car_wet")
    assert plant.spoils()["crack"] > 0.1


# ---- mixer


def test_a_batch_is_seen_in_the_motor() -> None:
    plant = made(Mixer, "mixer", noise=0.0, batch_scatter=0.0)
    seen = {}
    for second in range(360):
        plant.step(1.0)
        seen[second + 1] = number(plant, "power")
    peak = max(seen, key=lambda second: seen[second])
    assert 0.45 < peak / 360 < 0.55  # when all water is in
    assert seen[peak] > 1.8 * seen[110]  # the dry mix
    assert seen[110] > 2.5 * seen[5]
    assert 1.0 < seen[peak] / seen[290] < 1.5  # then granules roll


def test_a_wetter_mix_loads_the_motor_more() -> None:
    peaks = []
    for moisture in (4.5, 5.5, 6.5):
        plant = made(Mixer, "mixer", noise=0.0, batch_scatter=0.0)
        plant.set("setpoint", moisture)
        plant.step(185.0)
        peaks.append(number(plant, "power"))
        assert number(plant, "water") == pytest.approx(8.0 * moisture)
        current = number(plant, "power") * 1000 / (sqrt(3) * 380 * 0.86)
        assert number(plant, "current") == pytest.approx(current)
    assert peaks[0] < peaks[1] < peaks[2]


# ---- motor


def test_fault_frequencies_are_those_of_the_6205() -> None:
    # CWRU Bearing Data Center, drive end SKF 6205: 5.4152 inner, 3.5848 outer, 4.7135 twice BSF
    # ("rolling element"), 0.39828 cage, as multiples of the shaft's speed
    found = frequencies(Bearing())
    assert found["outer"] == pytest.approx(3.5848, abs=1e-4)
    assert found["inner"] == pytest.approx(5.4152, abs=1e-4)
    assert found["ball"] == pytest.approx(4.7135, abs=1e-4)
    assert found["cage"] == pytest.approx(0.39828, abs=1e-4)
    assert found["outer"] + found["inner"] == pytest.approx(9)  # the number of balls


def envelope(wave: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return the spectrum of the envelope between 2 and 4.5 kHz: [n/2 + 1]."""
    spectrum = np.fft.fft(wave)
    frequency = np.fft.fftfreq(len(wave), 1 / rate)
    band = (frequency > 2000) & (frequency < 4500)
    signal = np.abs(np.fft.ifft(2 * spectrum * band))
    return np.abs(np.fft.rfft(signal - signal.mean()))


@pytest.mark.parametrize(("fault", "stands"), [("outer", 50), ("inner", 30), ("ball", 30)])
def test_a_fault_is_found_at_its_frequency_in_the_envelope(fault: str, stands: float) -> None:
    good, bad = made(Motor, "motor", 5), made(Motor, "motor", 5)
    bad.call(f"start_{fault}_fault")
    rate, n = 12_000.0, 60_000  # as CWRU recorded, 5 s
    ratios = {}
    for name, plant in (("good", good), ("bad", bad)):
        plant.step(16 * 3600.0)
        seen = envelope(plant.waveform(n, rate), rate)
        at = round(frequencies(Bearing())[fault] * number(plant, "speed") / 60 * n / rate)
        ratios[name] = seen[at - 5 : at + 6].max() / np.median(seen[: n // 12])
    assert ratios["good"] < 8
    assert ratios["bad"] > stands


@pytest.mark.parametrize(
    ("recording", "fault"), [("IR007_0_105", "inner"), ("OR007@6_0_130", "outer")]
)
def test_real_faults_are_found_at_the_same_multiples(
    shared_data: Path, recording: str, fault: str
) -> None:
    """The recordings of CWRU, drive end, 12 kHz, no load: 1,797 revolutions a minute."""
    file = shared_data / "cwru-bearing" / f"12k_Drive_End_{recording}.mat"
    wave = loadmat(file)[f"X{recording[-3:]}_DE_time"][:60_000, 0]
    seen = envelope(wave - wave.mean(), 12_000.0)
    at = round(frequencies(Bearing())[fault] * 1797 / 60 * len(wave) / 12_000)
    assert seen[at - 8 : at + 9].max() > 50 * np.median(seen[: len(wave) // 12])


@pytest.mark.parametrize("fault", FAULTS)
def test_the_waveform_has_the_rms_that_the_panel_shows(fault: str) -> None:
    plant = made(Motor, "motor", 3)
    plant.call(f"start_{fault}_fault")
    plant.step(20 * 3600.0)
    wave = plant.waveform(120_000, 12_000.0)
    assert sqrt((wave**2).mean()) == pytest.approx(number(plant, "acceleration"), rel=0.1)


def test_a_fault_grows_through_the_zones_and_warms_the_bearing() -> None:
    plant = made(Motor, "motor", scatter=0.0)
    plant.call("start_outer_fault")
    zones, vibration = [], []
    for _ in range(36):
        plant.step(3600.0)
        zones.append(str(plant.get("zone")))
        vibration.append(number(plant, "vibration"))
    assert sorted(set(zones)) == ["A", "B", "C", "D"]
    assert zones == sorted(zones)
    assert vibration == sorted(vibration)
    assert active(plant, "vibration_high")
    assert active(plant, "vibration_damaging")
    assert number(plant, "temperature") == pytest.approx(25 + 28 + 35, abs=0.5)
    plant.call("change_bearing")
    plant.step(4 * 3600.0)
    assert plant.get("zone") == "A"
    assert not active(plant, "vibration_high")
    assert ZONES == (1.12, 2.8, 7.1)  # ISO 10816-1:1995 annex B, class II


def test_a_fan_obeys_the_cube_law_and_stands_when_the_line_is_off() -> None:
    plant = made(Motor, "motor")
    full = number(plant, "power")
    plant.set("setpoint", 50.0)
    plant.step(600.0)
    assert number(plant, "power") == pytest.approx(full / 8, rel=1e-6)
    plant.drive("off", 0.0)
    plant.step(600.0)
    assert number(plant, "speed") == 0
    assert number(plant, "power") == 0
    assert np.abs(plant.waveform(1000, 12_000.0)).max() == 0


@pytest.mark.parametrize("n", [1, 2, 100])
def test_a_waveform_may_be_short(n: int) -> None:
    plant = made(Motor, "motor")
    plant.call("start_ball_fault")
    assert plant.waveform(n, 12_000.0).shape == (n,)


# ---- meter


def test_the_register_is_the_integral_and_demand_the_mean_of_a_quarter() -> None:
    plant = made(Meter, "meter", start=1000.0)
    for load, seconds in ((60.0, 450.0), (20.0, 450.0), (90.0, 899.0)):
        plant.load(load)
        plant.step(seconds)
    assert number(plant, "energy") == pytest.approx(1000 + (60 * 450 + 20 * 450 + 90 * 899) / 3600)
    assert number(plant, "demand") == pytest.approx(40.0)
    plant.step(1.0)
    assert number(plant, "demand") == pytest.approx(90.0)
    plant.load(0.0)
    plant.step(1800.0)
    assert number(plant, "demand") == 0
    assert number(plant, "max_demand") == pytest.approx(90.0)
    plant.call("reset_demand")
    assert number(plant, "max_demand") == 0


def test_its_figures_agree() -> None:
    plant = made(Meter, "meter")
    plant.load(75.0)
    plant.step(3600.0)
    voltage, current = number(plant, "voltage"), number(plant, "current")
    factor = number(plant, "power_factor")
    assert sqrt(3) * voltage * current * factor / 1000 == pytest.approx(75.0)
    tangent = sqrt(1 - factor**2) / factor
    assert number(plant, "reactive_energy") == pytest.approx(75.0 * tangent)
    assert voltage == pytest.approx(380, rel=0.03)
    assert number(plant, "frequency") == pytest.approx(60, abs=0.1)


def test_alone_it_has_a_load_of_its_own() -> None:
    plant = made(Meter, "meter", base=40.0)
    for _ in range(2000):
        plant.step(600.0)
    assert number(plant, "energy") / (2000 / 6) == pytest.approx(40, rel=0.03)


# ---- machining centre


def test_states_are_told_in_the_words_of_mtconnect() -> None:
    plant = made(Machining, "machining")
    told = {}
    for state in ("running", "starved", "blocked", "setup", "down", "maintenance", "off"):
        plant.drive(state, 0.5, "arch")
        told[state] = plant.get("execution")
    assert told == {
        "running": "ACTIVE", "starved": "READY", "blocked": "PROGRAM_COMPLETED", "setup": "READY",
        "down": "STOPPED", "maintenance": "READY", "off": "READY",
    }  # fmt: skip
    assert set(told.values()) <= set(EXECUTIONS)
    assert plant.get("program") == "MOULD-ARCH.NC"


def test_the_spindle_s_load_is_what_the_cut_needs() -> None:
    plant = made(Machining, "machining", noise=0.0)
    rough = PROGRAM[0]
    # P_c = a_p a_e v_f k_c / (60 10^6) kW: 2 x 22 mm, 1,440 mm/min, 2,000 MPa
    assert rough.power == pytest.approx(2.0 * 22.0 * 1440.0 * 2000.0 / 60e6)
    plant.drive("running", 0.3, "")
    load = number(plant, "spindle_load") / 100 * 15.0
    wear = number(plant, "tool_wear")
    assert load == pytest.approx(rough.power * (1 + wear) / 0.8 + 0.3)
    assert number(plant, "spindle_speed") == 1800.0
    plant.drive("down", 0.3, "")
    assert number(plant, "spindle_load") == 0
    assert active(plant, "system")


def test_the_tool_crosses_the_pocket_without_a_jump() -> None:
    plant = made(Machining, "machining")
    places = []
    for phase in np.linspace(0.05, 0.5, 4000):
        plant.drive("running", float(phase))
        places.append([number(plant, axis) for axis in "xyz"])
    x, y, z = np.array(places).T
    assert x.min() >= 16
    assert x.max() <= 250 - 16
    assert np.abs(np.diff(x)).max() < 10
    assert y.min() >= 16
    assert y.max() <= 134 - 16 + 1e-9
    assert len(np.unique(z)) == 6
    assert (np.diff(z) <= 0).all()


def test_feed_hold_holds() -> None:
    plant = made(Machining, "machining")
    plant.step(600.0)
    plant.set("feed_override", 0.0)
    before = number(plant, "x")
    plant.step(600.0)
    assert plant.get("execution") == "FEED_HOLD"
    assert number(plant, "x") == before
    plant.set("feed_override", 100.0)
    plant.step(1300.0)
    assert number(plant, "part_count") == 1


# ---- robot


def test_it_stacks_pallets() -> None:
    plant = made(Palletiser, "palletiser", layers=1, drop=0.0, wait=0.0)
    places = len(Cell(layers=1).places)
    while number(plant, "pallet_count") < 2:
        plant.step(1.0)
    assert number(plant, "count") == 2 * places + number(plant, "on_pallet")
    assert 4.3 < number(plant, "cycle_time") < 6.5


def test_the_panel_shows_where_the_joints_put_the_grip() -> None:
    plant = made(Palletiser, "palletiser")
    for step in range(40):
        plant.drive("running", step / 40)
        joints = [np.radians(number(plant, f"joint{n}")) for n in range(1, 7)]
        where = [number(plant, axis) / 1000 for axis in "xyz"]
        assert np.abs(forward(Arm(), joints)[:3, 3] - where).max() < 1e-9
    plant.drive("running", 0.5)
    assert plant.get("gripper") == "closed"


def test_slower_it_takes_longer() -> None:
    fast, slow = (made(Palletiser, "palletiser", wait=0.0, override=o) for o in (100.0, 50.0))
    for plant in (fast, slow):
        plant.step(3600.0)
    assert number(fast, "count") == pytest.approx(2 * number(slow, "count"), rel=0.01)
    slow.set("override", 0.0)
    assert slow.pace == 0.05


# ---- camera


def test_it_shows_the_brick_that_is_brought() -> None:
    plant = made(Camera, "camera")
    assert plant.frame() is None
    plant.show("ST0000007", "arch", ("crack", Defect(kind="stain", severity=0.9)))
    frame, scene = plant.frame(), plant.scene()
    assert frame is not None
    assert scene is not None
    assert (frame.number, frame.serial) == (1, "ST0000007")
    assert frame.pixels is scene.pixels
    assert set(scene.masks) == {"crack", "stain"}
    plant.drive("running", 0.9)
    plant.drive("running", 0.1)  # the line shows its bricks itself
    assert plant.frame().number == 1  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="'dent'"):
        plant.show("ST0000008", "arch", ("dent",))


def test_alone_a_brick_comes_each_cycle_and_some_have_defects() -> None:
    plant = made(Camera, "camera", defects=0.5, height=48, width=64)
    bad = 0
    for _ in range(60):
        plant.step(6.0)
        scene = plant.scene()
        assert scene is not None
        bad += bool(scene.masks)
    assert 15 < bad < 45
    assert number(plant, "count") == 60


def test_asking_for_images_changes_nothing_else() -> None:
    asked, quiet = made(Camera, "camera", 9), made(Camera, "camera", 9)
    for _ in range(5):
        asked.step(6.0)
        quiet.step(6.0)
        asked.frame()
    first, second = asked.frame(), quiet.frame()
    assert first is not None
    assert second is not None
    assert (first.pixels == second.pixels).all()


def test_the_lamp_fades_until_it_is_changed() -> None:
    plant = made(Camera, "camera", lamp_life=36_000.0, daylight=0.0, wander=0.0)
    plant.step(36_000.0)
    assert number(plant, "light") == pytest.approx(100 * np.exp(-1), rel=1e-6)
    assert active(plant, "lamp_dim")
    plant.call("change_lamp")
    plant.step(6.0)
    assert number(plant, "light") == pytest.approx(100, rel=1e-3)
    assert not active(plant, "lamp_dim")
