"""All that a line can be, found again in the records of our own simulation of it."""

from __future__ import annotations

import pytest

from deungdae.core.types import SECOND
from deungdae.model.calendar import Calendar
from deungdae.sim import line as lines
from deungdae.sim import record
from deungdae.sim.distribution import parse
from deungdae.sim.kernel import Simulation
from deungdae.twin.replicate import Twin, learn, log_from

DAY = 86_400
MONDAY = 4 * DAY  # 1970-01-05
LINE = lines.read("""
sequence = ["a", "a", "a", "a", "a", "a", "b", "b", "b", "b"]
[stations.mix]
cycle = "triangular(45, 60, 75)"
to = "b1"
calendar = "two"
failures = [{ every = "exponential(14400)", repair = "exponential(1800)", crew = "fitters" }]
[stations.press]
cycle = { a = "lognormal(100, 10)", b = "lognormal(120, 10)" }
servers = 2
from = "b1"
to = "b2"
setup = "triangular(60, 120, 200)"
calendar = "two"
failures = [{ every = "exponential(14400)", repair = "exponential(1800)", crew = "fitters" }]
[stations.kiln]
cycle = "50"
from = "b2"
to = "b3"
calendar = "two"
maintenance = [{ every = 20000, length = "600", crew = "fitters" }]
failures = [{ every = "exponential(7200)", repair = "exponential(1800)", crew = "fitters" }]
[stations.test]
cycle = "uniform(30, 50)"
from = "b3"
scrap = 0.05
calendar = "two"
failures = [{ every = "exponential(7200)", repair = "exponential(900)", crew = "fitters" }]
[buffers.b1]
capacity = 8
[buffers.b2]
capacity = 12
delay = "20"
[buffers.b3]
capacity = 0
[products.a]
family = "a"
[products.b]
family = "b"
[crews.fitters]
size = 1
[[calendars.two.shifts]]
name = "long"
days = "mon-thu"
start = "06:00"
end = "22:00"
[[calendars.two.shifts]]
name = "short"
days = "fri"
start = "06:00"
end = "14:00"
""")


@pytest.fixture(scope="module")
def twin() -> Twin:
    origin = MONDAY * SECOND
    simulation = Simulation(LINE, seed=3, origin=origin)
    events = [
        event
        for until in (7 * DAY, 14 * DAY)
        for event in record.events(simulation.advance(until), LINE, origin)
    ]
    assets = [asset for each in record.assets(LINE) for asset in each]
    return learn(log_from(events, assets, origin + 7 * DAY * SECOND, origin + 14 * DAY * SECOND))


def test_machines_and_buffers(twin: Twin) -> None:
    assert {name: each.servers for name, each in twin.line.stations.items()} == {
        "mix": 1, "press": 2, "kiln": 1, "test": 1,
    }  # fmt: skip
    assert [each.capacity for each in twin.line.buffers.values()] == [8, 12, 0]
    assert parse(twin.line.buffers["before-kiln"].delay).mean == pytest.approx(20, rel=0.01)
    assert twin.line.stations["test"].scrap == pytest.approx(0.05, abs=0.015)


def test_products_setups_and_sequence(twin: Twin) -> None:
    press = twin.line.stations["press"]
    assert press.cycle_of("a").mean == pytest.approx(100, rel=0.01)
    assert press.cycle_of("b").mean == pytest.approx(120, rel=0.01)
    assert isinstance(press.setup, str)
    assert parse(press.setup).mean == pytest.approx(380 / 3, rel=0.05)
    assert len(twin.line.sequence) == 10
    assert twin.line.sequence.count("a") == 6
    families = [each.family for each in twin.line.products.values()]
    assert len(set(families)) == 2


def test_maintenance_and_crew(twin: Twin) -> None:
    (plan,) = twin.line.stations["kiln"].maintenance
    assert (plan.of, plan.length) == ("operation", "600")
    assert plan.every == pytest.approx(20_000, rel=1e-6)
    assert [each.size for each in twin.line.crews.values()] == [1]
    assert twin.line.stations["press"].failures[0].crew == "crew"


def test_calendar(twin: Twin) -> None:
    (name,) = twin.line.calendars
    assert {each.calendar for each in twin.line.stations.values()} == {name}
    found: Calendar = twin.line.calendars[name]
    assert {(each.days, each.start, each.end) for each in found.shifts} == {
        ("mon,tue,wed,thu", "06:00", "22:00"),
        ("fri", "06:00", "14:00"),
    }
