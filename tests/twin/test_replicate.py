"""A line learnt from the records of a plant that another program ran."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Samples
from deungdae.core.types import DAY, HOUR, SECOND, Event
from deungdae.sim import distribution
from deungdae.sim import line as lines
from deungdae.twin.replicate import Twin, decode, encode, learn, log_from, write

WEEK = 7 * DAY


@pytest.fixture(scope="module")
def twin(week: Any, assets: list[str]) -> Twin:
    return learn(log_from(week.events, assets, 0, WEEK), name="six", now=WEEK)


def gaps(twin: Twin, what: str) -> dict[str, str]:
    return {gap.station: str(gap) for gap in twin.gaps if gap.what.startswith(what)}


def test_finds_the_line_that_made_the_records(twin: Twin) -> None:
    line = twin.line
    assert list(line.stations) == ["m1", "m2", "m3", "m4", "m5", "m6"]
    assert [line.stations[name].takes_from for name in ("m1", "m2", "m3", "m6")] == [
        (), ("before-m2",), ("rework-m3", "before-m3"), ("before-m6",),
    ]  # fmt: skip
    capacities = {name: buffer.capacity for name, buffer in line.buffers.items()}
    assert capacities["before-m2"] == 5
    assert capacities["before-m3"] == 6
    assert capacities["before-m4"] == 7
    assert capacities["rework-m3"] is None
    assert line.stations["m4"].rework == pytest.approx(0.05, abs=0.01)
    assert line.stations["m4"].rework_to == "rework-m3"
    assert line.stations["m5"].scrap == pytest.approx(0.03, abs=0.01)
    assert line.stations["m5"].servers == 2
    assert "m5-1, m5-2 do the same work" in gaps(twin, "machines")["m5"]


def test_finds_the_times(twin: Twin) -> None:
    for name in ("m1", "m2", "m3", "m4", "m6"):
        cycle = twin.line.stations[name].cycle_of("part")
        assert cycle.kind == "triangular"
        assert cycle.parameters == pytest.approx((45, 60, 75), rel=0.02)
    two = twin.line.stations["m5"].cycle_of("part")
    assert two.kind in ("lognormal", "gamma")
    assert two.mean == pytest.approx(np.exp(4.7 + 0.02), rel=0.01)
    for name in ("m1", "m3", "m4", "m5", "m6"):
        (failure,) = twin.line.stations[name].failures
        assert failure.of == "operation"
        assert distribution.parse(failure.every).mean == pytest.approx(14_400, rel=0.25)
        assert distribution.parse(failure.repair).mean == pytest.approx(900, rel=0.3)


def test_a_machine_that_never_failed_has_a_bound_instead_of_an_mtbf(twin: Twin) -> None:
    assert twin.line.stations["m2"].failures == ()
    told = gaps(twin, "failures")["m2"]
    ran = 7 * 24 * 3600 * 0.8
    hours = float(told.partition("MTBF at least ")[2].split()[0])
    assert hours == pytest.approx(ran / 3 / 3600, rel=0.15)  # the rule of three


def test_survives_its_own_text(twin: Twin) -> None:
    assert decode(encode(twin)) == twin
    assert decode(encode(twin)).revision == twin.revision
    again = lines.read(write(twin.line))
    assert again.stations == twin.line.stations
    assert again.buffers == twin.line.buffers
    with pytest.raises(NotEnoughData, match="twin build"):
        decode("{}x")


def test_draws_differ_by_what_is_not_known(twin: Twin) -> None:
    random = np.random.default_rng(1)
    draws = [twin.sample(random) for _ in range(200)]
    repairs = [distribution.parse(each.stations["m1"].failures[0].repair).mean for each in draws]
    cycles = [each.stations["m1"].cycle_of("part").mean for each in draws]
    shares = [each.stations["m4"].rework for each in draws]
    assert 0.03 < np.std(repairs) / np.mean(repairs) < 0.25  # 25 or so repairs, pooled
    assert np.std(cycles) / 60 == pytest.approx(0.102 / np.sqrt(8000), rel=0.8)
    assert np.std(shares) == pytest.approx(np.sqrt(0.05 * 0.95 / 4000), rel=0.3)


def test_missing_days_are_told_and_not_taken_for_rest(
    week: Any, assets: list[str], twin: Twin
) -> None:
    lost = [e for e in week.events if not 2 * DAY <= e.time < 4 * DAY]
    found = learn(log_from(lost, assets, 0, WEEK))
    assert "2 days of 7" in gaps(found, "records")["m1"]
    assert found.observed.hours == pytest.approx(5 * 24, rel=0.01)
    assert found.observed.throughput == pytest.approx(week.good / 168, rel=0.03)
    same = ("before-m2", "before-m3", "before-m4")
    assert [found.line.buffers[name] for name in same] == [twin.line.buffers[name] for name in same]
    cycle = found.line.stations["m3"].cycle_of("part")
    assert cycle.mean == pytest.approx(60, rel=0.01)
    every = distribution.parse(found.line.stations["m3"].failures[0].every).mean
    assert every == pytest.approx(14_400, rel=0.3)


def test_a_recorded_gap_is_unknown(week: Any, assets: list[str]) -> None:
    a, b = 30 * HOUR, 42 * HOUR
    lost = [e for e in week.events if not (e.asset == "m3" and a <= e.time < b)]
    lost.append(Event(id="m3.state", time=a, kind="gap", value="", data={"until": str(b)}))
    found = learn(log_from(lost, assets, 0, WEEK))
    assert "0.5 days of 7" in gaps(found, "records")["m3"]
    assert found.line.stations["m3"].cycle_of("part").mean == pytest.approx(60, rel=0.01)


def test_a_clock_that_jumped_is_put_right_by_the_time_of_receipt(
    week: Any, assets: list[str], twin: Twin
) -> None:
    a, b = 50 * HOUR, 53 * HOUR
    told = []
    for event in week.events:
        off = HOUR if event.asset == "m3" and a <= event.time < b else 0
        received = event.time + SECOND // 10
        told.append(msgspec.structs.replace(event, time=event.time + off, received=received))
    found = learn(log_from(told, assets, 0, WEEK))
    assert "+3,600 s off" in gaps(found, "clock")["m3"]
    mine, other = found.line.stations["m3"], twin.line.stations["m3"]
    assert mine.cycle_of("part").mean == pytest.approx(other.cycle_of("part").mean, rel=1e-3)
    assert found.line.buffers["before-m3"] == twin.line.buffers["before-m3"]


def test_a_clock_that_is_slow_makes_negative_durations(week: Any, assets: list[str]) -> None:
    told = [
        msgspec.structs.replace(e, time=e.time - 900 * SECOND) if e.asset == "m4" else e
        for e in week.events
    ]
    found = learn(log_from(told, assets, 0, WEEK))
    assert "a negative duration" in gaps(found, "clock")["m4"]
    assert found.line.stations["m4"].cycle_of("part").mean == pytest.approx(60, rel=0.01)


def test_states_that_nobody_explained_are_named(week: Any, assets: list[str]) -> None:
    told = [
        msgspec.structs.replace(e, value="flurbing")
        if e.asset == "m6" and e.value == "down" and e.time > 3 * DAY else e
        for e in week.events
    ]  # fmt: skip
    found = learn(log_from(told, assets, 0, WEEK))
    assert "'flurbing'" in gaps(found, "state")["m6"]
    assert found.line.stations["m6"].cycle_of("part").mean == pytest.approx(60, rel=0.01)


DECLARED = """
[stations.m1]
cycle = 50
to = "b1"
[stations.m2]
cycle = 50
from = "b1"
to = "b2"
[stations.m3]
cycle = 50
from = ["b2", "again"]
to = "b3"
[stations.m4]
cycle = 50
from = "b3"
to = "b4"
[stations.m5]
cycle = 50
servers = 2
from = "b4"
to = "b5"
[stations.m6]
cycle = 50
from = "b5"
[stations.oven]
cycle = 10
from = "again"
to = "b5"
[buffers.b1]
capacity = 5
[buffers.b2]
capacity = 3
[buffers.b3]
capacity = 7
[buffers.b4]
[buffers.b5]
[buffers.again]
"""


def test_routes_against_the_declared_line_are_named(week: Any) -> None:
    declared = lines.read(DECLARED)
    stations = {name: name for name in declared.stations} | {"m5": ("m5-1", "m5-2")}
    found = learn(log_from(week.events, stations, 0, WEEK), declared=declared)
    routes = [str(gap) for gap in found.gaps if gap.what == "route"]
    assert any("m4: route" in each and "went to m3" in each for each in routes)
    assert "as declared" in gaps(found, "cycle")["oven"]
    assert "the records show 6" in gaps(found, "capacity of b2")["m2"]
    assert found.line.buffers == declared.buffers
    assert found.line.stations["m1"].cycle_of("part").mean == pytest.approx(60, rel=0.01)
    assert found.line.stations["m5"].scrap == pytest.approx(0.03, abs=0.01)


def test_states_and_counters_alone_give_stations_that_stand_alone(
    week: Any, assets: list[str]
) -> None:
    states = [event for event in week.events if event.kind == "state"]
    samples = {}
    for asset in assets:
        times = np.array([e.time for e in week.events if e.id == f"{asset}.part"], np.int64)
        counted = np.arange(1.0, len(times) + 1)
        samples[f"{asset}.count"] = Samples(times, counted, np.zeros(len(times), np.uint8))
    found = learn(log_from(states, assets, 0, WEEK, samples=samples))
    assert "nothing tells the order" in gaps(found, "route")[""]
    assert found.line.stations["m1"].cycle_of("part").mean == pytest.approx(60, rel=0.01)
    assert found.line.stations["m1"].takes_from == ()
    assert len(found.line.stations["m1"].failures) == 1


def test_nothing_can_be_learnt_from_nothing(assets: list[str]) -> None:
    with pytest.raises(NotEnoughData):
        learn(log_from([], assets, 0, WEEK))


@pytest.fixture(scope="module")
def short(plant: Callable[..., Any], machines: Callable[[], Sequence[Any]]) -> list[Event]:
    events: list[Event] = plant(machines(), 6 * 3600.0).events
    return events


@pytest.mark.parametrize("seed", range(16))
def test_rubbish_ends_in_a_twin_or_in_a_word(
    short: list[Event], assets: list[str], seed: int
) -> None:
    chance = random.Random(seed)
    share = chance.random() ** 2
    told = []
    for event in short:
        lot = chance.random()
        if lot > share:
            told.append(event)
        elif lot < share / 4:
            time = event.time + round(chance.gauss(0, 1e12))
            told.append(msgspec.structs.replace(event, time=time))
        elif lot < share / 2:
            word = chance.choice(["running", "down", "", "off", "\x00", "1"])
            told.append(msgspec.structs.replace(event, value=word))
        elif lot < 3 * share / 4:
            told.append(msgspec.structs.replace(event, data={}))
    try:
        twin = learn(log_from(told, assets, 0, 6 * HOUR))
    except NotEnoughData:
        return
    lines.read(write(twin.line))
    lines.read(write(twin.sample(np.random.default_rng(1))))
    assert decode(encode(twin)) == twin
