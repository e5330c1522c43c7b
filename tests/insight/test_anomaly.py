"""Anomalies of signals together and of single streams: what is promised, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Event, FloatArray, Severity, Signal
from deungdae.insight.anomaly import (
    Anomaly,
    AnomalyOptions,
    Part,
    Table,
    Watch,
    aligned,
    dump,
    judge,
    learn,
    load,
    novelty,
    slow,
)
from deungdae.insight.anomaly.limit import limit
from deungdae.insight.anomaly.model import Model, lagged
from deungdae.insight.anomaly.robust import scatter
from deungdae.model.factory import Factory, Identity

NAMES = ("flow", "pressure", "current", "speed")
MIX = np.array([[1.0, 0.8, 0.3, 0.0], [0.0, 0.5, -0.7, 1.0]])


def plant(rows: int, seed: int, remembers: float = 0.6) -> FloatArray:
    """Return four signals that two hidden ones move, [rows, 4]."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((rows, 2)) * np.sqrt(1 - remembers**2)
    hidden = lfilter([1], [1, -remembers], noise, axis=0)
    return 50 + hidden @ MIX + 0.3 * random.standard_normal((rows, 4))


def table(value: FloatArray, begin: int = 0) -> Table:
    return Table.of(NAMES, begin + np.arange(len(value), dtype=np.int64) * 10 * SECOND, value)


@pytest.fixture(scope="module")
def watch() -> Watch:
    return learn(table(plant(3000, 1)))


# ---- the parts


def test_a_quarter_of_bad_rows_does_not_move_the_scatter() -> None:
    good = plant(1000, 2)
    bad = good.copy()
    bad[:240] = [80, 20, 95, 5]
    honest, fooled = scatter(good), scatter(bad)
    here, there = (found.centre + found.scale * found.mean for found in (honest, fooled))
    assert np.abs(here - there).max() < 0.15
    spread = [np.outer(f.scale, f.scale) * f.covariance for f in (honest, fooled)]
    assert np.abs(spread[0] - spread[1]).max() < 0.35 * spread[0].max()


def test_the_index_is_that_of_the_definition() -> None:
    rows = plant(2000, 3)
    model = Model.learn(rows, 0)
    found = scatter(rows)
    variance, axes = np.linalg.eigh(found.covariance)
    variance, axes = variance[::-1], axes[:, ::-1]
    k = model.components
    score = ((rows - found.centre) / found.scale - found.mean) @ axes
    t2 = (score[:, :k] ** 2 / variance[:k]).sum(axis=1)
    q = (score[:, k:] ** 2).sum(axis=1)
    index = model.parts(rows).sum(axis=1)
    assert index == pytest.approx(0.5 * t2 / k + 0.5 * q / variance[k:].sum())


def test_missing_values_make_a_row_no_less_usual() -> None:
    model = Model.learn(plant(2000, 4), 0)
    rows = plant(50, 5)
    whole = model.parts(rows).sum(axis=1)
    rows[:, 2] = np.nan
    assert (model.parts(rows).sum(axis=1) <= whole + 1e-9).all()
    rows[:, :3] = np.nan
    assert np.isnan(model.parts(rows)).all()  # a quarter of a row tells nothing


def test_rows_across_a_gap_are_no_neighbours() -> None:
    wide = lagged(np.arange(5.0)[:, None], np.array([0, 1, 2, 10, 11]), 1, 3)
    assert np.array_equal(wide[:, 1], [np.nan, 0, 1, np.nan, 3], equal_nan=True)


def test_slow_signals_drift_and_quick_ones_do_not() -> None:
    random = np.random.default_rng(6)
    assert slow(np.cumsum(random.standard_normal(1000))) > 0.5
    assert slow(random.standard_normal(1000)) < 0.05
    assert slow(np.full(1000, 3.0)) == 0


def test_a_limit_is_passed_as_often_as_asked() -> None:
    random = np.random.default_rng(7)
    index = random.standard_normal(40_000)
    found = limit(index, 60 * SECOND, 10, 5.0, random)
    fresh = random.standard_normal(400_000).reshape(-1, 10).max(axis=1)
    per_day = np.mean(fresh > found.value) * DAY / (10 * MINUTE)
    assert found.known
    assert found.low < per_day < found.high
    assert per_day == pytest.approx(5, rel=0.5)


def test_what_is_no_chance_is_set_aside() -> None:
    random = np.random.default_rng(8)
    index = random.standard_normal(5000)
    clean = limit(index, 60 * SECOND, 10, 1.0, random)
    index[1000:1200] += 50
    fouled = limit(index, 60 * SECOND, 10, 1.0, random)
    assert fouled.value == pytest.approx(clean.value, rel=0.1)
    assert fouled.aside == pytest.approx(0.04)


# ---- what is promised


@pytest.mark.parametrize("remembers", [0.3, 0.9])
def test_false_alarms_a_day_are_what_was_asked(remembers: float) -> None:
    told, days = 0, 0.0
    for seed in range(4):
        asked = learn(table(plant(4000, 10 + seed, remembers)), per_day=10.0)
        rest = table(plant(8640, 20 + seed, remembers))
        told += len(judge(asked, rest).alarms)
        days += 1
    assert 2 < told / days < 20


def test_an_alarm_names_the_signal_its_side_and_its_time(watch: Watch) -> None:
    rows = plant(600, 30)
    rows[300:400, 1] += 4
    judged = judge(watch, table(rows))
    (alarm,) = judged.alarms
    assert 300 <= alarm.start // (10 * SECOND) < 310
    assert alarm.end is not None
    assert 400 <= alarm.end // (10 * SECOND) < 440
    assert alarm.parts[0].name == "pressure"
    assert alarm.parts[0].side == "above"
    assert alarm.parts[0].share > 0.5


def test_a_broken_relation_is_found_within_the_usual_range(watch: Watch) -> None:
    rows = plant(600, 31)
    rows[300:, 0] = rows[300:, 0][::-1]  # as it always was, but not with the others
    judged = judge(watch, table(rows))
    assert judged.alarms
    assert any(part.side == "" for alarm in judged.alarms for part in alarm.parts)


def test_judging_in_pieces_is_judging_at_once(watch: Watch) -> None:
    rows = plant(400, 32)
    rows[150:250, 3] -= 5
    rows[180:190, 0] = np.nan
    whole = judge(watch, table(rows))
    memory, ratio, alarms = None, [], []
    for first in range(0, 400, 7):
        part = table(rows).rows(slice(first, first + 7))
        piece = judge(watch, part, memory)
        memory = piece.memory
        ratio.append(piece.ratio)
        alarms += [alarm for alarm in piece.alarms if alarm.end is not None]
    assert np.concatenate(ratio) == pytest.approx(whole.ratio, nan_ok=True, abs=1e-9)
    assert [(a.start, a.end) for a in alarms] == [(a.start, a.end) for a in whole.alarms]


def test_a_model_comes_back_from_its_file_and_a_spoilt_one_is_refused(watch: Watch) -> None:
    rows = table(plant(300, 33))
    again = load(dump(watch))
    assert judge(again, rows).ratio == pytest.approx(judge(watch, rows).ratio, nan_ok=True)
    for spoilt in ("{}", "[1]", "no JSON", dump(watch)[:-20], dump(watch).replace('"lags"', '"l"')):
        with pytest.raises(ValueError, match=r"not whole|no model|make it anew"):
            load(spoilt)
    with pytest.raises(ValueError, match="make it anew"):
        load(dump(watch).replace('"columns": 4', '"columns": 3'))


# ---- bad input


def test_constant_drifting_and_empty_signals_are_left_out_and_said() -> None:
    rows = plant(1000, 40)
    rows[:, 0] = 7.0
    rows[:, 1] += np.linspace(0, 50, 1000)
    rows[:600, 2] = np.nan
    with pytest.raises(NotEnoughData, match="the training has 57 rows; a limit needs 240 or more"):
        learn(table(rows).rows(slice(0, 60)))
    found = learn(table(rows))
    assert found.names == ("speed",)
    assert found.left["flow"] == "stands still at 7 in the training"
    assert found.left["pressure"].startswith("drifts:")
    assert found.left["current"] == "no data in 60% of the training"
    assert "pressure" in learn(table(rows), keep=frozenset({"pressure"})).names


def test_nothing_to_watch_and_too_few_rows_are_said() -> None:
    with pytest.raises(NotEnoughData, match="no signal can be watched: flow: stands still"):
        learn(table(np.full((500, 4), 3.0)))
    with pytest.raises(NotEnoughData, match="no data in 100%"):
        learn(table(np.full((500, 4), np.nan)))
    for rows in (0, 1, 5, 40):
        with pytest.raises(NotEnoughData):
            learn(table(plant(rows, 41) if rows else np.empty((0, 4))))


def test_no_data_is_neither_normal_nor_an_anomaly(watch: Watch) -> None:
    rows = plant(400, 42)
    rows[100:200] = np.nan
    judged = judge(watch, table(rows))
    assert np.isnan(judged.ratio[100:200]).all()
    assert not judged.alarm.any()
    assert {(gap.name, gap.start // (10 * SECOND)) for gap in judged.missing} == {
        (name, 99) for name in NAMES
    }


def test_a_signal_that_stops_is_said_while_the_others_are_judged(watch: Watch) -> None:
    rows = plant(400, 43)
    rows[100:, 1] = np.nan
    judged = judge(watch, table(rows))
    assert [(gap.name, gap.end) for gap in judged.missing] == [("pressure", None)]
    assert not np.isnan(judged.ratio[10:]).any()
    assert not judged.alarm.any()


def test_a_signal_that_stands_still_is_said(watch: Watch) -> None:
    rows = plant(600, 44)
    rows[200:, 2] = rows[200, 2]
    assert [still.name for still in judge(watch, table(rows)).still] == ["current"]


def test_times_that_come_twice_count_once_and_order_does_not_matter() -> None:
    rows = plant(200, 45)
    time = np.arange(200, dtype=np.int64) * SECOND
    mixed = np.random.default_rng(1).permutation(200)
    twice = Table.of(NAMES, np.r_[time, time][np.r_[mixed + 200, mixed]],
                     np.vstack([rows, rows])[np.r_[mixed + 200, mixed]])  # fmt: skip
    assert np.array_equal(twice.time, time)
    assert np.array_equal(twice.value, rows)
    odd = Table.of(("a",), np.array([2, 1, 1]), np.array([[np.inf], [1.0], [1e300]]))
    assert np.isnan(odd.value).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda x: x * 1000, "1000 times"),
        (lambda x: x / 100, "1/100 of"),
        (lambda x: x + 273.15, "K of"),
        (lambda x: x * 1.8 + 32, "°F of"),
        (lambda x: x + 2, ""),
    ],
)
def test_a_changed_unit_is_said(watch: Watch, change: Any, word: str) -> None:
    rows = plant(400, 46)
    rows[300:, 0] = change(rows[300:, 0])
    parts = [part for alarm in judge(watch, table(rows)).alarms for part in alarm.parts]
    assert next(part.unit for part in parts if part.name == "flow") == word


def test_a_side_is_told_only_beyond_the_usual() -> None:
    part = Part(name="a", share=0.5, now=1.0, low=0.0, high=2.0, middle=1.0)
    assert (part.side, part.unit) == ("", "")


KNOWN = learn(table(plant(600, 47)))


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, (40, 4), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_judging_never_fails_whatever_comes(value: FloatArray) -> None:
    judged = judge(KNOWN, table(value))
    assert not np.isinf(judged.ratio).any()
    assert all(np.isfinite(part.share) for alarm in judged.alarms for part in alarm.parts)


# ---- single streams


def daily(days: int, seed: int) -> tuple[FloatArray, Any]:
    """Return a stream with a daily course, a value each half hour."""
    hours = np.arange(days * 48) / 2
    noise = np.random.default_rng(seed).normal(0, 0.3, len(hours))
    return 10 + 5 * np.sin(hours / 24 * 2 * np.pi) + noise, (hours * HOUR).astype(np.int64)


def test_a_day_unlike_all_before_is_told_once() -> None:
    value, time = daily(30, 1)
    value[48 * 20 : 48 * 20 + 24] = 10.0  # half a day without its course
    score = novelty(value, time, first=300)
    told = np.flatnonzero(score > 2)
    assert len(told) >= 1
    assert 48 * 20 <= told[0] < 48 * 21
    assert (told < 48 * 22).all()


def test_a_stream_knows_only_its_past() -> None:
    value, time = daily(30, 2)
    whole = novelty(value, time, first=300)
    part = novelty(value[:1000], time[:1000], first=300)
    assert np.array_equal(whole[:1000], part)


def test_constant_and_short_streams() -> None:
    time = np.arange(500, dtype=np.int64) * MINUTE
    assert not novelty(np.full(500, 3.0), time, first=200).any()
    with pytest.raises(NotEnoughData, match="are needed"):
        novelty(np.ones(50), time[:50], first=20)


# ---- what others published


def test_nab_is_scored_as_nab_does(benchmark: Callable[[str], Any], shared_data: Path) -> None:
    # Source: NAB, results/numenta/numenta_standard_scores.csv (one alarm, no false one), and the
    # pairs of earthgeckoSkyline and windowedGaussian in their files beside it
    nab = benchmark("ai_nab")
    of = {each.name: each for each in nab.series(shared_data / "nab-subset")}
    hold = of["rogue_agent_key_hold"]
    weight = nab.weights(len(hold.value), hold.windows)
    single = weight.worth[weight.window >= 0] - 1
    assert np.abs(single + 0.867400232622).min() < 1e-11
    latency = of["ec2_request_latency_system_failure"]
    weight = nab.weights(len(latency.value), latency.windows)
    first, third = (weight.worth[weight.window == number] for number in (0, 2))
    pairs = first[:, None] + third[None] - 1
    for published in (0.0968518961062, -0.06591011872780705):
        assert np.abs(pairs - published).min() < 1e-10
    count = sum(len(each.windows) for each in of.values())
    nothing = sum(
        nab.scored(nab.weights(len(e.value), e.windows), np.zeros(len(e.value)), np.ones(1))[0]
        for e in of.values()
    )
    assert nab.normal(nothing, count) == 0
    best = 0.0
    for each in of.values():
        score = np.zeros(len(each.value))
        score[[left for left, _ in each.windows]] = 1
        weight = nab.weights(len(score), each.windows)
        best += nab.scored(weight, score, np.ones(1))[0]
    assert nab.normal(best, count) == pytest.approx(100, abs=0.1)


def test_skab_is_found_better_than_published(
    benchmark: Callable[[str], Any], shared_data: Path
) -> None:
    skab = benchmark("ai_skab")
    of = skab.experiments(shared_data / "skab")
    leave = skab.drifting(of)
    assert leave == {"Temperature", "Thermocouple"}
    counts = skab.watched(of, skab.Choice(), leave)
    assert skab.f1(counts) >= 0.85
    assert skab.far(counts) <= 15
    assert len(of) == 34


# ---- the analysis


def analysis(**options: Any) -> Anomaly:
    texts = {options["model"]: options.pop("text")} if "text" in options else {}
    kinds = {id: options.pop("kind", "number") for id in (f"pump.{name}" for name in NAMES)}
    signals = {id: Signal(id=id, unit="1", kind=kind) for id, kind in kinds.items()}
    signals["pump.state"] = Signal(id="pump.state", kind="state", states="0=idle, 1=running")
    factory = Factory(
        path=Path("factory.toml"), identity=Identity(id="works"), signals=signals, texts=texts
    )
    return Anomaly("pump", AnomalyOptions(signals=tuple(kinds), **options), factory)


def window(rows: FloatArray, begin: int, events: tuple[Event, ...] = ()) -> Window:
    """Return rows of every 10 s from begin on."""
    time = begin + np.arange(len(rows), dtype=np.int64) * 10 * SECOND
    status = np.zeros(len(rows), np.uint8)
    samples = {f"pump.{name}": Samples(time, rows[:, at], status) for at, name in enumerate(NAMES)}
    end = begin + len(rows) * 10 * SECOND
    return Window(begin, end, samples, {"pump.state": events} if events else {})


NOON = 20_000 * DAY + 12 * HOUR


def test_it_learns_then_tells_what_and_since_when() -> None:
    work = analysis(learn=5.0)
    first = window(plant(1500, 50), NOON)
    with pytest.raises(NotEnoughData, match=r"learning: 4.17 of 5 hours"):
        work.update(first.end, first)
    second = window(plant(1000, 51), first.end)
    assert work.update(second.end, second) == []
    calm = window(plant(30, 52), second.end)
    (found,) = work.update(calm.end, calm)
    assert (found.severity, found.reason, found.asset) == (0, "", "pump")
    assert found.value is not None
    assert found.value < 1
    rows = plant(30, 53)
    rows[:, 2] -= 6
    broken = window(rows, calm.end)
    (found,) = work.update(broken.end, broken)
    assert found.severity == 2
    assert found.value is not None
    assert found.value > 1
    assert found.reason.startswith("unlike the training since 2024-10-")
    assert "pump.current is below what is usual" in found.reason
    assert found.start < found.end == broken.end
    assert float(found.evidence["share pump.current"]) > 0.5


def test_only_running_counts() -> None:
    work = analysis(state="pump.state", learn=1.0)
    told = Event(id="pump.state", time=NOON, kind="state", value="0")
    idle = window(plant(500, 54) + 100, NOON, (told,))
    with pytest.raises(NotEnoughData, match="learning: 0 of 1 hours"):
        work.update(idle.end, idle)
    runs = Event(id="pump.state", time=idle.end, kind="state", value="1")
    good = window(plant(1000, 55), idle.end, (runs,))
    assert work.update(good.end, good) == []
    stops = Event(id="pump.state", time=good.end, kind="state", value="idle")
    with pytest.raises(NotEnoughData, match="the machine does not run"):
        work.update(good.end + HOUR, window(np.zeros((360, 4)), good.end, (stops,)))


def test_a_given_model_judges_from_the_first_row_on() -> None:
    known = learn(table(plant(3000, 56)))
    text = dump(known)
    for name in NAMES:
        text = text.replace(f'"{name}"', f'"pump.{name}"')
    work = analysis(model="pump.json", text=text)
    first = window(plant(40, 57), NOON)
    assert work.update(first.end, first)[0].severity == 0
    empty = Window(first.end, first.end + 2 * HOUR)
    (found,) = work.update(empty.end, empty)
    assert found.value is None
    assert "no data since" in found.reason
    assert "neither normal nor an anomaly" in found.reason


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kind": "state"}, "not a number"),
        ({"model": "m.json", "text": "{}"}, "cannot be used"),
        ({"model": "m.json", "text": "FLOW"}, "the model needs flow"),
        ({"model": "m.json", "text": "PUMP", "every": 60.0}, "a row each 10 s"),
    ],
)
def test_options_that_do_not_fit_are_faults(options: dict[str, Any], problem: str) -> None:
    text = dump(learn(table(plant(600, 58))))
    pump = text
    for name in NAMES:
        pump = pump.replace(f'"{name}"', f'"pump.{name}"')
    options = dict(options)
    if "text" in options:
        options["text"] = {"FLOW": text, "PUMP": pump}.get(options["text"], options["text"])
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)


def test_values_are_held_until_they_are_old_or_bad() -> None:
    good, bad = 0, int(Severity.BAD)
    samples = {
        "a": Samples(
            np.array([0, 30]) * SECOND, np.array([1.0, 2.0]), np.array([good, bad], np.uint8)
        ),
        "b": Samples(np.array([0]) * SECOND, np.array([5.0]), np.array([good], np.uint8)),
    }
    times = np.array([10, 20, 40]) * SECOND
    found = aligned(samples, ("a", "b", "c"), times, 15 * SECOND)
    assert np.array_equal(
        found.value,
        [[1, 5, np.nan], [np.nan, np.nan, np.nan], [np.nan, np.nan, np.nan]],
        equal_nan=True,
    )


# ---- the harness of the Tennessee Eastman plant, on a plant of 52 signals made up here


def eastman(rows: int, seed: int, shift: float = 0.0, begin: int = 0) -> FloatArray:
    """Return 52 signals that five hidden ones move; from row `begin` on six of them are shifted."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(5, 52))
    hidden = lfilter([1], [1, -0.6], 0.8 * random.standard_normal((rows, 5)), axis=0)
    value = 100 + hidden @ mix + random.standard_normal((rows, 52))
    value[begin:, :6] += shift
    return value


def test_the_harness_tells_what_can_be_found_and_what_cannot(
    benchmark: Callable[[str], Any], tmp_path: Path
) -> None:
    tep = benchmark("ai_tep")
    np.savetxt(tmp_path / "d00.dat", eastman(500, 1).T)  # on its side, as the published file
    np.savetxt(tmp_path / "d00_te.dat", eastman(960, 2))
    np.savetxt(tmp_path / "d01_te.dat", eastman(960, 3, 4.0, 160))
    np.savetxt(tmp_path / "d03_te.dat", eastman(960, 4, 0.02, 160))
    found = {row["what"]: row for row in tep.figures(*tep.runs(tmp_path))}
    assert found["TEP, normal running: false alarms a day"]["value"] <= 2
    assert found["TEP, fault 1: rows in alarm"]["value"] > 95
    assert found["TEP, fault 1: rows in alarm"]["peer"].startswith("delay 0.")
    assert found["TEP, fault 3: rows in alarm"]["peer"] == "not detectable with these signals"
    assert found["TEP, of faults 3, 9 and 15 called undetectable"]["value"] == 1


def test_the_harness_refuses_what_is_no_run(
    benchmark: Callable[[str], Any], tmp_path: Path
) -> None:
    tep = benchmark("ai_tep")
    with pytest.raises(ValueError, match="neither d00"):
        tep.runs(tmp_path)
    (tmp_path / "d00.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="2 columns, not 52"):
        tep.runs(tmp_path)
