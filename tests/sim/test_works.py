"""A works in motion: its machines do what the line does, and what they do comes back to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from deungdae.sim import line as lines
from deungdae.sim import plant
from deungdae.sim.plant.parts import Quantity
from deungdae.sim.works import WARM, Works, under_way

BRICKWORKS = Path(__file__).resolve().parents[2] / "examples" / "brickworks" / "line.toml"
LINE = """
[stations.press]
cycle = 20
to = "green"
power = { running = 40 }

[buffers.green]
capacity = 20

[stations.kiln]
from = "green"
to = "fired"
cycle = 200
batch = 10
servers = 2
quality = { defects = 0.0 }

[buffers.fired]
capacity = 40

[stations.camera]
from = "fired"
cycle = 10
quality = { inspects = true, to = "scrap" }
"""


def works(text: str = LINE, seed: int = 1) -> Works:
    return Works(lines.read(text), seed=seed)


class Machine:
    """A machine that keeps what it is told."""

    quantities = (Quantity(name="power", unit="kW"),)
    pace = 1.0

    def __init__(self, spoils: Mapping[str, float] | None = None) -> None:
        self.kinds = spoils or {}
        self.time = 0.0
        self.cycles = 0
        self.phase = 0.0
        self.shown: list[tuple[str, str, tuple[str, ...]]] = []

    def step(self, dt: float) -> None:
        self.time += dt

    def get(self, name: str) -> float | str:
        return 40.0

    def set(self, name: str, value: float) -> None:
        raise ValueError(name)

    def drive(self, state: str, phase: float, product: str = "") -> None:
        self.cycles += phase < self.phase
        self.phase = phase

    def spoils(self) -> Mapping[str, float]:
        return self.kinds

    def show(self, serial: str, product: str, defects: tuple[str, ...]) -> None:
        self.shown.append((serial, product, defects))


def run(found: Works, seconds: float) -> None:
    for _ in range(round(seconds)):
        found.advance(found.time + 1.0)


def test_a_machine_completes_the_cycles_of_its_station_and_no_other() -> None:
    found, press, kiln = works(), Machine(), Machine()
    found.join("press", press)
    found.join("kiln", kiln)
    run(found, 4000.0)
    assert press.time == kiln.time == found.time == 4000.0
    assert press.cycles == pytest.approx(200, abs=1)
    assert kiln.cycles == pytest.approx(20, abs=1)  # ten bricks together are one cycle


def test_what_has_passed_does_not_pass_again() -> None:
    found, press = works(), Machine()
    found.join("press", press)
    found.advance(10.0)
    found.advance(10.0)
    found.advance(4.0)
    assert press.time == 10.0


def test_a_camera_sees_every_part_and_what_the_machines_have_spoilt() -> None:
    found, kiln, camera = works(), Machine({"crack": 0.3, "colour": 0.0}), Machine()
    found.join("kiln", kiln)
    found.join("camera", camera)
    run(found, 8000.0)
    assert len({serial for serial, _, _ in camera.shown}) == len(camera.shown) > 300
    late = camera.shown[200:]
    bad = [defects for _, _, defects in late if defects]
    assert len(bad) / len(late) == pytest.approx(0.3, abs=0.12)
    assert set(bad) == {("crack",)}


def test_a_machine_that_is_set_faster_makes_more() -> None:
    found, press = works(), Machine()
    press.pace = 2.0
    found.join("press", press)
    found.join("kiln", Machine())
    run(found, 1000.0)
    assert press.cycles > 60


def test_a_meter_measures_what_the_others_at_its_station_use() -> None:
    found, press = works(), Machine()
    meter = plant.create("meter", 1, {})
    found.join("press", press)
    found.join("press", meter)
    run(found, 360.0)
    assert meter.get("energy") == pytest.approx(4.0, rel=0.05)  # 40 kW for a tenth of an hour


def test_a_station_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match=r"'pres'.*press, kiln"):
        works().join("pres", Machine())


def test_a_line_under_way_is_half_full() -> None:
    start = under_way(lines.read(LINE))
    assert len(start.buffers["green"]) == 10
    assert [server.remaining for server in start.stations["kiln"]] == [50.0, 150.0]
    assert WARM > 0


def test_parts_that_were_bad_are_bad_where_another_goes_on() -> None:
    text = LINE.replace("defects = 0.0", "defects = 0.5")
    first = works(text)
    run(first, 1000)
    before = first.ended()
    told = []
    for each in (first, Works(lines.read(text), seed=2, before=before)):
        camera = Machine()
        each.join("camera", camera)
        run(each, 10 * len(before.snapshot.buffers["fired"]))
        told.append([(serial, bool(defects)) for serial, _, defects in camera.shown])
    assert told[0] == told[1]
    assert {bad for _, bad in told[0]} == {True, False}


def test_the_brickworks_is_the_same_twice() -> None:
    def told() -> list[tuple[float | str, ...]]:
        found = Works(lines.read(BRICKWORKS.read_text(encoding="utf-8")), seed=3)
        models = {
            "mixer": "mixer", "press-1": "brick_press", "press-2": "brick_press",
            "dryer": "dryer", "kiln": "tunnel", "camera": "camera", "robot": "palletiser",
        }  # fmt: skip
        machines = [plant.create(model, 5, {}) for model in models.values()]
        for station, machine in zip(models, machines, strict=True):
            found.join(station, machine)
        rows = []
        for minute in range(30):
            found.advance(60.0 * (minute + 1))
            rows.append(tuple(m.get(q.name) for m in machines for q in m.quantities))
        return rows

    first = told()
    assert first == told()
    counts = {row[1] for row in first}
    assert len(counts) > 1
