"""The tunnel kiln: heat is neither made nor lost, controllers hold, a drift spoils bricks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.sim.plant import create
from deungdae.sim.plant.tunnel import Tunnel, TunnelParameters
from deungdae.sim.plant.ware import defect_probability

CALM = {"flame_loss_every": 0.0, "jam_share": 0.0}


def kiln(seed: int = 1, **options: float) -> Tunnel:
    plant = create("tunnel", seed, CALM | options)
    assert isinstance(plant, Tunnel)
    return plant


def number(plant: Tunnel, name: str) -> float:
    value = plant.get(name)
    assert isinstance(value, float)
    return value


def left_over(plant: Tunnel) -> float:
    b = plant.balance()
    return b.fuel - b.flue - b.dryer - b.wall - b.ware - b.stored


def test_the_heat_balance_closes() -> None:
    plant = kiln()
    plant.step(3 * 3600)
    plant.set("fan", 100.0)
    plant.set("zone3.setpoint", 1250.0)
    plant.call("push")
    plant.step(20 * 3600)
    assert plant.balance().fuel > 10_000
    assert left_over(plant) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    preheat=st.integers(1, 3), firing=st.integers(1, 3), cooling=st.integers(1, 3),
    positions=st.integers(1, 8), interval=st.floats(60, 7200), air=st.floats(0.1, 5),
    exchange=st.floats(0, 0.8), flow=st.floats(1, 300), gain=st.floats(0, 2),
)  # fmt: skip
def test_within_its_bounds_every_kiln_stays_sound(
    preheat: int, firing: int, cooling: int, positions: int,
    interval: float, air: float, exchange: float, flow: float, gain: float,
) -> None:  # fmt: skip
    plant = kiln(
        preheat=preheat, firing=firing, cooling=cooling, positions=positions, interval=interval,
        air=air, convection=exchange, radiation=exchange, flow=flow, gain=gain,
        zone_capacity=1000, wagon_capacity=1000, wall_capacity=1000,
    )  # fmt: skip
    for burner in range(firing):
        plant.set(f"zone{preheat + burner + 1}.mode", 1)
        plant.set(f"zone{preheat + burner + 1}.valve", 100.0)
    plant.step(3 * 3600)
    assert left_over(plant) == pytest.approx(0.0, abs=1e-5)
    read = [number(plant, f"zone{n + 1}.temperature") for n in range(preheat + firing + cooling)]
    assert all(0 <= each <= 1700 for each in read)


def test_it_begins_where_it_would_stay() -> None:
    plant = kiln(wagon_scatter=0.0, noise=0.0)
    before = [number(plant, f"zone{n}.temperature") for n in range(1, 7)]
    plant.step(24 * 3600.0)
    after = [number(plant, f"zone{n}.temperature") for n in range(1, 7)]
    assert after == pytest.approx(before, abs=8)
    stored = plant.balance().stored
    assert abs(stored) < 0.01 * plant.balance().fuel


def test_controllers_hold_their_set_points_and_follow_new_ones() -> None:
    plant = kiln(seed=4)
    seen = []
    for _ in range(12 * 60):
        plant.step(60.0)
        seen.append([number(plant, "zone3.temperature"), number(plant, "zone4.temperature")])
    assert np.abs(np.mean(seen, axis=0) - 1350).max() < 5
    assert np.abs(np.array(seen) - 1350).max() < 20
    plant.set("zone4.setpoint", 1300.0)
    plant.step(2 * 3600)
    assert number(plant, "zone4.temperature") == pytest.approx(1300, abs=12)


def test_by_hand_more_gas_makes_it_hotter_and_ever_so() -> None:
    plants = [kiln(noise=0.0, wagon_scatter=0.0) for _ in range(2)]
    for plant, valve in zip(plants, (50.0, 60.0), strict=True):
        for zone in ("zone3", "zone4"):
            plant.set(f"{zone}.mode", 1)
            plant.set(f"{zone}.valve", valve)
    gaps = []
    for _ in range(40):
        for plant in plants:
            plant.step(60.0)
        gaps.append(number(plants[1], "zone4.temperature") - number(plants[0], "zone4.temperature"))
    assert gaps[0] > 0
    assert all(later > sooner for sooner, later in pairwise(gaps))


def test_a_valve_belongs_to_its_controller_until_it_is_taken_over() -> None:
    plant = kiln()
    with pytest.raises(ValueError, match=r"set zone3\.mode to 1 \(manual\) first"):
        plant.set("zone3.valve", 40.0)
    plant.set("zone3.mode", 1)
    assert plant.get("zone3.mode") == "manual"
    plant.set("zone3.valve", 140.0)
    plant.step(3600.0)
    assert number(plant, "zone3.valve") == 100.0
    plant.set("zone3.mode", 0)
    plant.step(1.0)
    assert plant.get("zone3.mode") == "auto"
    assert number(plant, "zone3.valve") < 100.0  # it is far too hot by now


def test_an_outside_pi_controller_can_fire_it() -> None:
    plant = kiln(seed=2)
    plant.set("zone4.mode", 1)
    integral, errors = number(plant, "zone4.valve"), []
    for step in range(6 * 360):
        plant.step(10.0)
        error = 1350.0 - number(plant, "zone4.temperature")
        integral = min(max(integral + 0.004 * error, 0.0), 100.0)
        plant.set("zone4.valve", integral + 0.6 * error)
        errors += [abs(error)] if step > 1000 else []
    assert np.mean(errors) < 7


def test_each_wagon_keeps_what_it_went_through() -> None:
    plant = kiln(wagon_scatter=0.0)
    plant.step(40 * 3600 + 1.0)
    wagons = plant.fired()
    assert [wagon.number for wagon in wagons] == list(range(1, 41))
    assert plant.fired() == []
    for wagon in wagons[26:]:
        assert wagon.peak == pytest.approx(1349, abs=2)
        assert wagon.soak / 3600 == pytest.approx(3.94, abs=0.1)
        assert wagon.rate == pytest.approx(157, abs=3)
    assert number(plant, "wagon.peak") == wagons[-1].peak


def test_a_drifting_thermocouple_is_not_seen_at_itself_but_at_bricks_and_gas() -> None:
    good, bad = kiln(seed=3), kiln(seed=3)
    bad.call("start_drift")
    for plant in (good, bad):
        plant.step(26 * 3600)
    assert number(bad, "zone4.temperature") == pytest.approx(1350, abs=12)
    assert number(bad, "zone4.valve") < number(good, "zone4.valve") - 10
    assert number(bad, "wagon.peak") < number(good, "wagon.peak") - 30
    assert good.spoils()["colour"] < 0.01
    assert bad.spoils()["colour"] > 0.5
    bad.call("stop_drift")
    assert number(bad, "zone4.temperature") > 1300
    bad.step(60.0)
    assert number(bad, "zone4.temperature") < 1200  # now it tells how cold it is
    assert number(bad, "zone4.valve") > 90


def test_a_lost_flame_raises_an_alarm_and_shuts_the_gas_until_somebody_relights() -> None:
    plant = kiln(seed=6, flame_loss_every=1800.0, relight=1e9)
    lost = "zone3.flame_loss"
    for _ in range(5000):
        plant.step(10.0)
        if next(alarm for alarm in plant.alarms() if alarm.name == lost).active:
            break
    plant.step(120.0)
    assert number(plant, "zone3.gas_flow") == pytest.approx(0.0, abs=0.1)
    plant.call("reset")
    assert not any(alarm.active for alarm in plant.alarms() if "flame" in alarm.name)


def test_too_hot_is_told_until_it_is_clearly_not() -> None:
    plant = kiln(too_hot=1360.0, noise=0.0, wagon_scatter=0.0)
    told = []
    plant.set("zone4.setpoint", 1365.0)
    plant.step(7200.0)
    for setpoint in (1365.0, 1352.0, 1335.0):  # above, within the 15 K, below
        plant.set("zone4.setpoint", setpoint)
        plant.step(5000.0)
        told.append(next(a.active for a in plant.alarms() if a.name == "zone4.over_temperature"))
    assert told == [True, True, False]


def test_a_jam_stops_the_wagons_until_it_is_cleared() -> None:
    plant = kiln(jam_share=1.0, jam=1e7)
    plant.step(3601.0)
    assert plant.get("state") == "down"
    assert plant.alarms()[-1].active
    plant.step(5 * 3600)
    assert number(plant, "wagon.number") == 1
    plant.call("reset")
    plant.step(3600.0)
    assert number(plant, "wagon.number") == 2


def test_driven_it_pushes_with_the_line_and_keeps_its_heat_when_that_stands() -> None:
    plant = kiln()
    for minute in range(180):
        plant.drive("running", minute % 45 / 45)
        plant.step(60.0)
    assert number(plant, "wagon.number") == 3
    for _ in range(120):
        plant.drive("down", 0.0)
        plant.step(60.0)
    assert number(plant, "wagon.number") == 3
    assert plant.alarms()[-1].active
    assert number(plant, "zone3.temperature") == pytest.approx(1350, abs=10)


def test_defects_come_from_firing_too_little_too_much_and_too_fast() -> None:
    right = defect_probability(1349, 4 * 3600, 180)
    assert sum(right.values()) < 0.03
    assert defect_probability(1300, 1800, 180)["colour"] > 0.9
    assert defect_probability(1420, 5 * 3600, 180)["blowhole"] > 0.5
    assert defect_probability(1349, 4 * 3600, 350)["crack"] > 0.4


@given(
    peak=st.floats(0, 2000), soak=st.floats(0, 1e6), rate=st.floats(0, 1e4),
    more=st.floats(0, 100),
)  # fmt: skip
def test_hotter_is_never_paler_and_faster_never_safer(
    peak: float, soak: float, rate: float, more: float
) -> None:
    here = defect_probability(peak, soak, rate)
    assert all(0 <= chance <= 1 for chance in here.values())
    assert defect_probability(peak + more, soak, rate)["colour"] <= here["colour"]
    assert defect_probability(peak + more, soak, rate)["blowhole"] >= here["blowhole"]
    assert defect_probability(peak, soak, rate + more)["crack"] >= here["crack"]


def test_another_number_of_zones_names_them() -> None:
    plant = kiln(preheat=1, firing=3, cooling=1)
    names = {quantity.name for quantity in plant.quantities}
    assert {"zone1.temperature", "zone2.valve", "zone4.setpoint", "zone5.temperature"} <= names
    assert "zone5.valve" not in names
    assert "zone6.temperature" not in names
    with pytest.raises(ValueError, match="int"):
        create("tunnel", 1, {"firing": 2.5})
    assert TunnelParameters().firing == 2


def test_a_burner_may_be_left_to_somebody_else_from_the_first() -> None:
    kiln = create("tunnel", 1, {"manual": 1})
    assert (kiln.get("zone3.mode"), kiln.get("zone4.mode")) == ("auto", "manual")
    kiln.set("zone4.valve", 20.0)
    kiln.step(60.0)
    assert kiln.get("zone4.valve") == 20.0
