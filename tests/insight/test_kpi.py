"""Indicators of ISO 22400-2: known answers, what is unknown, what cannot be told, what adds up."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Analyser, Samples, Window
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Event, Finding, Severity, Signal
from deungdae.core.units import parse
from deungdae.historian.store import Historian
from deungdae.insight import kpi
from deungdae.insight.kpi import Kpi, KpiOptions, KpiResult, Report
from deungdae.insight.kpi.categories import Category, categorise, words
from deungdae.insight.kpi.reporting import heard_in
from deungdae.insight.kpi.timeline import faults, gaps, told_by_samples
from deungdae.model.calendar import Calendar, Shift, Stop
from deungdae.model.factory import Factory, Identity

SEOUL_DAY = from_iso("2026-03-02T00:00+09:00")  # a Monday
STATE = "press1.state"


def factory(
    *signals: Signal, calendar: Calendar | None = None, zone: str = "Asia/Seoul"
) -> Factory:
    return Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone=zone),
        signals={signal.id: signal for signal in signals},
        calendar=calendar or Calendar(),
    )


def states(*told: tuple[int, str], id: str = STATE) -> dict[str, tuple[Event, ...]]:
    return {id: tuple(Event(id=id, time=t, kind="state", value=v) for t, v in told)}


def column(*rows: tuple[int, float]) -> Samples:
    return Samples(
        np.asarray([t for t, _ in rows], np.int64),
        np.asarray([v for _, v in rows], np.float64),
        np.zeros(len(rows), np.uint8),
    )


def evaluate(
    spec: KpiOptions,
    start: int,
    end: int,
    events: Mapping[str, tuple[Event, ...]] | None = None,
    samples: Mapping[str, Samples] | None = None,
    plant: Factory | None = None,
) -> Report:
    window = Window(start, end, samples or {}, events or {})
    return kpi.evaluate(spec, plant or factory(), window, start, end, heard_in(window))


def by_name(report: Report) -> dict[str, KpiResult]:
    return {result.name: result for result in report.results}


def value(report: Report, name: str) -> float:
    found = by_name(report)[name]
    assert found.value is not None, found.reason
    return found.value


def assert_balanced(report: Report) -> None:
    times, balance = report.times, report.balance
    parts = (times.APT, times.AUST, times.ADET, times.ADOT, times.unknown)
    assert sum(parts) == pytest.approx(times.PBT)
    lost = sum(loss.seconds for loss in balance.losses)
    assert balance.productive + lost == pytest.approx(balance.planned)
    assert balance.planned == times.PBT
    seconds = [loss.seconds for loss in balance.losses]
    assert seconds == sorted(seconds, reverse=True)


# ---- the catalogue


def test_the_catalogue_is_that_of_the_facts_file(shared_data: Path) -> None:
    with (shared_data.parent / "facts" / "iso22400_kpis.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["no"] for row in rows] == [str(entry.number) for entry in kpi.KPIS]
    for row, entry in zip(rows, kpi.KPIS, strict=True):
        assert row["kpi"] == entry.title
        assert row["trend"] == entry.trend
        assert row["formula"].startswith(entry.formula)


def test_names_are_unique_and_units_are_ucum() -> None:
    assert len({entry.name for entry in kpi.KPIS}) == 34
    for entry in kpi.KPIS:
        parse(entry.unit)


# ---- known answers


def day_shift() -> Calendar:
    return Calendar(
        shifts=(Shift(name="early", start="06:00", end="14:00"),),
        stops=(
            Stop(name="break", start="08:00", end="08:15"),
            Stop(name="lunch", start="10:00", end="10:30"),
            Stop(name="break", start="12:00", end="12:15"),
        ),
    )


def vorne() -> Report:
    """Return the shift of the worked example of www.oee.com, "Calculating OEE" (Vorne).

    480 min shift, 60 min breaks, 47 min stop time, ideal cycle 1.0 s, 19,271 parts, 423 rejected.
    """
    start = SEOUL_DAY + 6 * HOUR
    stop = start + HOUR
    events = states((start, "RUN"), (stop, "DOWN"), (stop + 47 * MINUTE, "RUN"))
    spec = KpiOptions(
        asset="press1", state=STATE, count="press1.count", reject="press1.reject", cycle=1.0
    )
    made = {
        "press1.count": column((start, 1000), (start + HOUR, 5000), (start + 7 * HOUR, 20_271)),
        "press1.reject": column((start, 7), (start + 7 * HOUR, 430)),
    }
    plant = factory(calendar=day_shift())
    return evaluate(spec, start, start + 8 * HOUR, events, made, plant)


def test_oee_of_the_worked_example_of_vorne() -> None:
    report = vorne()
    assert report.times.PBT == 420 * 60
    assert report.times.APT == 373 * 60
    assert value(report, "availability") == pytest.approx(88.81, abs=0.005)
    assert value(report, "effectiveness") == pytest.approx(86.11, abs=0.005)
    assert value(report, "quality_ratio") == pytest.approx(97.80, abs=0.005)
    assert value(report, "oee") == pytest.approx(74.79, abs=0.005)
    assert value(report, "scrap_ratio") == pytest.approx(100 * 423 / 19_271)
    availability = by_name(report)["availability"]
    assert availability.terms == {"APT": 22_380, "PBT": 25_200, "unknown": 0}
    assert (availability.coverage, availability.uncertainty) == (1.0, 0.0)


def test_losses_of_the_worked_example_add_up_to_the_planned_time() -> None:
    report = vorne()
    assert_balanced(report)
    assert {(x.reason, x.kind): round(x.seconds) for x in report.balance.losses} == {
        ("slower than planned", "effectiveness"): 22_380 - 19_271,
        ("DOWN", "availability"): 47 * 60,
        ("parts not good", "quality"): 423,
    }
    assert report.balance.productive == pytest.approx(18_848)
    assert report.balance.losses[-1].cumulative == pytest.approx(100)


def test_all_time_indicators_by_hand() -> None:
    """By hand: 10 h with 5 h production, 1 h setup, 2 h delay, 2 h idle; 200 parts."""
    hours = ((0, "run"), (5, "setup"), (6, "hold"), (8, "idle"))
    spec = KpiOptions(asset="m", state=STATE, count="m.n", cycle=45.0)
    report = evaluate(
        spec,
        0,
        10 * HOUR,
        states(*((h * HOUR, s) for h, s in hours)),
        {"m.n": column((0, 0), (5 * HOUR, 200))},
    )
    assert value(report, "allocation_ratio") == pytest.approx(80)  # AUBT 8 h of AOET 10 h
    assert value(report, "throughput_rate") == pytest.approx(20)
    assert value(report, "allocation_efficiency") == pytest.approx(80)
    assert value(report, "utilization_efficiency") == pytest.approx(62.5)
    assert value(report, "availability") == pytest.approx(50)
    assert value(report, "effectiveness") == pytest.approx(50)  # 200 * 45 s of 18000 s
    assert value(report, "setup_ratio") == pytest.approx(100 / 6)
    assert value(report, "technical_efficiency") == pytest.approx(500 / 7)
    assert value(report, "production_process_ratio") == pytest.approx(50)
    assert "good parts" in by_name(report)["oee"].reason
    assert_balanced(report)


def test_oee_and_nee_are_zero_where_nothing_was_made() -> None:
    spec = KpiOptions(
        asset="m", state=STATE, count="m.n", good="m.n", cycle=1, states={"S": "setup"}
    )
    report = evaluate(spec, 0, HOUR, states((0, "idle"), (MINUTE, "S")), {"m.n": column((0, 5))})
    assert value(report, "oee") == 0
    assert value(report, "nee") == 0
    quality = by_name(report)["quality_ratio"]
    assert quality.value is None
    assert "0: GQ, PQ" in quality.reason


def test_failures_by_hand() -> None:
    """By hand: failures of 1 h and 30 min, 7 h of production: FE = 2."""
    told = ((0, "run"), (120, "down"), (180, "run"), (360, "fault"), (390, "idle"), (420, "run"))
    spec = KpiOptions(asset="m", state=STATE)
    report = evaluate(spec, 0, 9 * HOUR, states(*((m * MINUTE, s) for m, s in told)))
    assert value(report, "mttr") == 90 * 60 / 3
    assert value(report, "mttf") == 7 * 3600 / 3
    assert value(report, "mtbf") == (7 * 3600 + 90 * 60) / 3
    assert by_name(report)["mtbf"].terms["FE"] == 2


def test_a_failure_goes_on_over_a_break_and_through_unknown_time() -> None:
    told = ((0, "run"), (60, "down"), (90, "break"), (100, "down"), (110, "offline"), (115, "down"))
    report = evaluate(
        KpiOptions(asset="m", state=STATE),
        0,
        2 * HOUR,
        states(*((m * MINUTE, s) for m, s in told)),
    )
    assert by_name(report)["mttr"].terms == {"TTR": (30 + 10 + 5) * 60.0, "FE": 1}


def test_a_failure_that_was_there_before_is_restored_but_not_counted_again() -> None:
    report = evaluate(
        KpiOptions(asset="m", state=STATE), HOUR, 3 * HOUR, states((0, "down"), (2 * HOUR, "run"))
    )
    assert by_name(report)["mttr"].terms == {"TTR": 3600.0, "FE": 0}


def test_repair_against_preventive_maintenance() -> None:
    told = states((0, "run"), (HOUR, "repair"), (2 * HOUR, "maintenance"), (5 * HOUR, "run"))
    report = evaluate(KpiOptions(asset="m", state=STATE), 0, 6 * HOUR, told)
    assert value(report, "corrective_maintenance_ratio") == pytest.approx(25)
    assert report.times.PBT == 3 * 3600  # preventive maintenance was planned
    assert report.times.stops == 3 * 3600


def test_parts_people_material_and_energy() -> None:
    def counted(amount: float) -> Samples:
        return column((0, 10.0), (HOUR, 10.0 + amount))

    names = {
        "count": 100, "good": 90, "reject": 6, "rework": 4, "inspected": 50, "first_pass": 45,
        "first_operation": 120, "worked": 6, "attended": 8, "material": 200, "integrated": 150,
        "production_loss": 20, "storage_loss": 10, "other_loss": 4, "energy": 360,
    }  # fmt: skip
    units = {"worked": "h", "attended": "h", "energy": "MJ"}
    signals = [Signal(id=f"m.{name}", unit=units.get(name, "1")) for name in names]
    spec = KpiOptions(
        asset="m", planned_scrap=5, capacity=50, inventory="m.stock", carriers={"m.gas": 10},
        **{name: f"m.{name}" for name in names},  # type: ignore[arg-type]
    )  # fmt: skip
    samples = {f"m.{name}": counted(amount) for name, amount in names.items()}
    samples |= {"m.stock": column((0, 400)), "m.gas": counted(2)}
    report = evaluate(spec, 0, 4 * HOUR, {}, samples, factory(*signals))
    expected = {
        "quality_ratio": 90, "actual_to_planned_scrap_ratio": 120, "first_pass_yield": 90,
        "scrap_ratio": 6, "rework_ratio": 4, "fall_off_ratio": 5, "worker_efficiency": 75,
        "finished_goods_ratio": 45, "integrated_goods_ratio": 75, "production_loss_ratio": 10,
        "storage_and_transportation_loss_ratio": 5, "other_loss_ratio": 2,
        "equipment_load_ratio": 50, "energy_consumption": (100 + 20) / 100,
        "inventory_turns": 600 / 400,
    }  # fmt: skip
    for name, amount in expected.items():
        assert value(report, name) == pytest.approx(amount), name


def test_power_is_energy_only_where_it_is_known_throughout() -> None:
    plant = factory(Signal(id="m.power", unit="W"))
    spec = KpiOptions(asset="m", power="m.power", count="m.n")
    counted = {"m.n": column((0, 0), (1, 10))}
    report = evaluate(spec, 0, HOUR, {}, counted | {"m.power": column((0, 5000.0))}, plant)
    assert value(report, "energy_consumption") == pytest.approx(0.5)
    report = evaluate(spec, 0, HOUR, {}, counted | {"m.power": column((HOUR // 2, 5e3))}, plant)
    assert "50.0 %" in by_name(report)["energy_consumption"].reason


def test_units_that_do_not_fit_are_said() -> None:
    plant = factory(Signal(id="m.kg", unit="kg"), Signal(id="m.e", unit="kg"))
    spec = KpiOptions(asset="m", good="m.n", reject="m.r", material="m.kg", energy="m.e")
    counted = {id: column((0, 0), (1, 5)) for id in ("m.n", "m.r", "m.kg", "m.e")}
    found = by_name(evaluate(spec, 0, HOUR, {}, counted, plant))
    assert found["finished_goods_ratio"].reason == "good parts are counted in '1', material in 'kg'"
    assert "no energy" in found["energy_consumption"].reason


def test_capability_by_hand() -> None:
    """By hand: subgroups -2, -1, 0, 1, 2 around 10 have variance 2.5; limits 10 ± 6."""
    values = np.tile([8.0, 9, 10, 11, 12], 25)
    samples = Samples(np.arange(125), values, np.zeros(125, np.uint8))
    spec = KpiOptions(asset="m", measure="m.x", usl=17, lsl=5)
    report = evaluate(spec, 0, HOUR, {}, {"m.x": samples})
    assert value(report, "cp") == pytest.approx(12 / 6 / math.sqrt(2.5))
    assert value(report, "cpk") == pytest.approx(5 / 3 / math.sqrt(2.5))
    s = math.sqrt(2 * 50 / 49)
    assert value(report, "cm") == pytest.approx(12 / 6 / s)
    assert value(report, "cmk") == pytest.approx(5 / 3 / s)
    assert by_name(report)["cp"].uncertainty == pytest.approx(
        1.96 * 12 / 6 / math.sqrt(2.5) / math.sqrt(248)
    )
    few = evaluate(spec, 0, 60, {}, {"m.x": samples})
    assert by_name(few)["cm"].value is not None
    assert by_name(few)["cp"].reason == "m.x has 60 samples, fewer than 125"


def test_samples_too_large_to_reckon_with_give_no_value() -> None:
    values = np.asarray([1e300, -1e300] * 63)
    samples = Samples(np.arange(126), values, np.zeros(126, np.uint8))
    spec = KpiOptions(asset="m", measure="m.x", usl=1, lsl=0)
    found = by_name(evaluate(spec, 0, HOUR, {}, {"m.x": samples}))
    assert found["cmk"].value is None
    assert "too large" in found["cmk"].reason


# ---- what is unknown


def test_unknown_time_is_told_beside_and_never_idle() -> None:
    told = states((0, "run"), (6 * HOUR, "UNAVAILABLE"), (8 * HOUR, "idle"))
    report = evaluate(KpiOptions(asset="m", state=STATE), 0, 10 * HOUR, told)
    found = by_name(report)["availability"]
    assert found.value == pytest.approx(75)  # 6 h of the 8 h that are known
    assert found.low == pytest.approx(60)
    assert found.high == pytest.approx(80)
    assert found.uncertainty == pytest.approx(15)
    assert found.coverage == pytest.approx(0.8)
    assert found.terms["unknown"] == 2 * 3600
    assert report.times.ADOT == 2 * 3600
    assert report.unknown == {"UNAVAILABLE": 2 * 3600}
    assert_balanced(report)


def test_too_little_known_time_gives_no_value() -> None:
    told = states((6 * HOUR, "run"))
    report = evaluate(KpiOptions(asset="m", state=STATE), 0, 10 * HOUR, told)
    assert "only 40.00 %" in by_name(report)["availability"].reason
    report = evaluate(KpiOptions(asset="m", state=STATE, coverage=40), 0, 10 * HOUR, told)
    assert value(report, "availability") == 100
    report = evaluate(KpiOptions(asset="m", state=STATE, coverage=0), 0, 10 * HOUR)
    assert "unknown for all" in by_name(report)["availability"].reason


def test_a_state_that_nobody_explained_is_unknown_and_named() -> None:
    told = states((0, "run"), (HOUR, "TEACH"))
    report = evaluate(KpiOptions(asset="m", state=STATE), 0, 2 * HOUR, told)
    assert report.unknown == {"TEACH": 3600}
    assert any("'TEACH'" in note for note in report.notes)
    spec = KpiOptions(asset="m", state=STATE, states={"teach": "setup"})
    assert evaluate(spec, 0, 2 * HOUR, told).times.AUST == 3600


def test_parts_over_unknown_time_do_not_count_for_effectiveness() -> None:
    told = states((0, "run"), (2 * HOUR, "offline"), (3 * HOUR, "run"))
    counted = column((0, 0), (2 * HOUR, 120), (3 * HOUR + SECOND, 150), (4 * HOUR - 1, 210))
    spec = KpiOptions(asset="m", state=STATE, count="m.n", reject="m.r", cycle=60)
    report = evaluate(spec, 0, 4 * HOUR, told, {"m.n": counted, "m.r": column((0, 0))})
    found = by_name(report)
    assert found["effectiveness"].terms["PQ known"] == 180
    assert value(report, "effectiveness") == pytest.approx(100)
    assert found["quality_ratio"].terms["PQ"] == 210
    assert found["oee"].low == pytest.approx(75)
    assert found["oee"].high == pytest.approx(100)


def test_a_gap_in_the_record_is_unknown() -> None:
    gap = Event(id=STATE, time=HOUR, kind="gap", value="lost", data={"until": str(2 * HOUR)})
    (run,) = states((0, "run"))[STATE]
    report = evaluate(KpiOptions(asset="m", state=STATE), 0, 4 * HOUR, {STATE: (run, gap)})
    assert report.times.unknown == 3600
    iso = Event(id="a.b", time=1, kind="gap", value="", data={"until": "1970-01-01T00:00:01Z"})
    none = Event(id="a.b", time=1, kind="gap", value="", received=7)
    odd = Event(id="a.b", time=1, kind="gap", value="", received=7, data={"until": "soon"})
    assert gaps([iso, none, odd]) == [(1, SECOND), (1, 7), (1, 7)]


def test_work_outside_planned_time_is_told_apart() -> None:
    start = SEOUL_DAY
    spec = KpiOptions(asset="m", state=STATE)
    plant = factory(calendar=day_shift())
    report = evaluate(spec, start, start + DAY, states((start, "run")), plant=plant)
    assert report.times.PBT == 7 * 3600
    assert value(report, "availability") == 100
    assert report.times.outside == 17 * 3600
    night = evaluate(spec, start, start + 6 * HOUR, states((start, "run")), plant=plant)
    assert "no time was planned" in by_name(night)["availability"].reason


def test_a_shift_over_a_clock_change_is_as_long_as_it_is() -> None:
    berlin = factory(
        calendar=Calendar(shifts=(Shift(name="night", start="22:00", end="06:00"),)),
        zone="Europe/Berlin",
    )
    start = from_iso("2026-03-28T22:00+01:00")
    spec = KpiOptions(asset="m", state=STATE)
    report = evaluate(spec, start, start + 10 * HOUR, states((start, "run")), plant=berlin)
    assert report.times.PBT == 7 * 3600


# ---- what the states say


def test_packml_by_name_and_by_number() -> None:
    meaning = words("packml", {})
    assert categorise(meaning, "Execute") == categorise(meaning, "6") == "production"
    assert categorise(meaning, "6.0") == "production"
    assert categorise(meaning, "ABORTED") == categorise(meaning, "9") == "failure"
    assert categorise(meaning, "42") is None
    assert all(categorise(meaning, str(number)) for number in range(1, 18))


def test_plain_words_in_english_and_korean() -> None:
    meaning = words("plain", {"금형 교체": "setup"})
    said: dict[str, Category] = {
        "Running": "production", "가동": "production", "set-up": "setup", "minor stop": "delay",
        "고장": "failure", "대기": "idle", "금형교체": "setup", "OFFLINE": "unknown",
        "1": "production", "0": "idle",
    }  # fmt: skip
    for word, category in said.items():
        assert categorise(meaning, word) == category, word


def test_a_numeric_state_signal() -> None:
    samples = Samples(
        np.asarray([0, HOUR, 2 * HOUR, 3 * HOUR], np.int64),
        np.asarray([6.0, 6.0, 4.0, 0.0]),
        np.asarray([0, 0, 0, Severity.BAD], np.uint8),
    )
    assert list(told_by_samples(samples).state) == ["6", "4", "UNAVAILABLE"]
    spec = KpiOptions(asset="m", state="m.state", model="packml")
    times = evaluate(spec, 0, 4 * HOUR, {}, {"m.state": samples}).times
    assert (times.APT, times.ADOT, times.unknown) == (7200, 3600, 3600)


def test_a_state_that_its_source_does_not_stand_behind_is_unknown() -> None:
    bad = Event(id=STATE, time=HOUR, kind="state", value="run", status=Severity.BAD)
    (run,) = states((0, "run"))[STATE]
    times = evaluate(KpiOptions(asset="m", state=STATE), 0, 2 * HOUR, {STATE: (run, bad)}).times
    assert times.unknown == 3600


def alarm(time: int, value: str, code: str = "", id: str = "m.system") -> Event:
    data = {"nativeCode": code} if code else {}
    return Event(id=id, time=time, kind="alarm", value=value, data=data)


def test_faults_last_until_each_code_or_all_are_cleared() -> None:
    told = {
        "m.system": [
            alarm(1, "FAULT", "7"), alarm(2, "FAULT", "8"), alarm(3, "NORMAL", "7"),
            alarm(5, "NORMAL", "8"), alarm(8, "FAULT", "9"), alarm(9, "NORMAL"),
        ],
        "m.estop": [alarm(4, "TRIGGERED", id="m.estop"), alarm(6, "ARMED", id="m.estop")],
    }  # fmt: skip
    assert [span[:2] for span in faults(told, 2, 20)] == [(2, 6), (8, 9)]
    told["m.system"].append(alarm(15, "FAULT"))
    assert faults(told, 2, 20)[-1][:2] == (15, 20)


def test_stops_under_a_fault_are_failures_and_mtconnect_alone_tells_none() -> None:
    told = states((0, "ACTIVE"), (HOUR, "STOPPED"), (2 * HOUR, "ACTIVE"))
    spec = KpiOptions(asset="m", state=STATE, model="mtconnect")
    found = by_name(evaluate(spec, 0, 4 * HOUR, told))
    assert "do not tell failures" in found["mtbf"].reason
    assert "do not tell setup" in found["setup_ratio"].reason
    spec = KpiOptions(asset="m", state=STATE, model="mtconnect", failures=("m.system",))
    events = {**told, "m.system": (alarm(HOUR // 2, "FAULT"), alarm(HOUR * 3 // 2, "NORMAL"))}
    found = by_name(evaluate(spec, 0, 4 * HOUR, events))
    assert found["mttr"].terms == {"TTR": 1800, "FE": 1}


def test_reasons_explain_the_stop_in_which_they_were_told() -> None:
    told = states((0, "run"), (60, "stopped"), (120, "run"), (180, "stopped"))
    reasons = states((70, "no material"), (100, "jam"), id="m.reason")
    report = evaluate(KpiOptions(asset="m", state=STATE, reason="m.reason"), 0, 240, told | reasons)
    assert {x.reason: round(x.seconds * SECOND) for x in report.balance.losses} == {
        "stopped": 60,
        "stopped: no material": 40,  # from the begin of the stop
        "stopped: jam": 20,
    }


def test_counters_that_contradict_each_other_are_not_believed() -> None:
    counted = {"m.n": column((0, 0), (1, 5)), "m.g": column((0, 0), (1, 9))}
    found = by_name(evaluate(KpiOptions(asset="m", count="m.n", good="m.g"), 0, HOUR, {}, counted))
    assert found["quality_ratio"].reason == "the counters contradict each other: 9 good of 5"


def test_everything_that_is_missing_is_named() -> None:
    report = evaluate(KpiOptions(asset="m"), 0, HOUR)
    assert [result.number for result in report.results] == list(range(1, 35))
    for result in report.results:
        assert result.value is None
        assert "`" in result.reason


# ---- what adds up

WORDS = ["run", "idle", "setup", "hold", "down", "repair", "maintenance", "offline", "strange"]
told_states = st.lists(
    st.tuples(st.integers(0, 3 * DAY // MINUTE), st.sampled_from(WORDS)), max_size=25
).map(lambda told: [(SEOUL_DAY + minute * MINUTE, word) for minute, word in sorted(told)])
PLANTS = [factory(), factory(calendar=day_shift())]


@settings(deadline=None)
@given(
    told_states,
    st.lists(st.integers(0, 3 * DAY // MINUTE), min_size=3, max_size=3, unique=True).map(sorted),
    st.sampled_from(PLANTS),
    st.lists(st.tuples(st.integers(0, 3 * DAY // MINUTE), st.integers(0, 9)), max_size=20),
)
def test_times_losses_and_parts_add_up_however_a_period_is_split(
    told: list[tuple[int, str]],
    edges: Sequence[int],
    plant: Factory,
    made: list[tuple[int, int]],
) -> None:
    start, middle, end = (SEOUL_DAY + minute * MINUTE for minute in edges)
    spec = KpiOptions(asset="m", state=STATE, count="m.n", reject="m.r", cycle=60, coverage=0)
    moments = sorted({SEOUL_DAY + minute * MINUTE: amount for minute, amount in made}.items())
    total = np.cumsum([amount for _, amount in moments])
    counted = column(*((t, float(n)) for (t, _), n in zip(moments, total, strict=True)))
    samples = {"m.n": counted, "m.r": column((0, 0))}
    whole, first, second = (
        evaluate(spec, a, b, states(*told), samples, plant)
        for a, b in ((start, end), (start, middle), (middle, end))
    )
    for report in (whole, first, second):
        assert_balanced(report)
        for result in report.results:
            if result.value is not None and result.low is not None and result.high is not None:
                assert result.low <= result.value <= result.high
    for term in ("PBT", "APT", "AUST", "ADET", "ADOT", "unknown", "stops", "outside", "CMT"):
        parts = getattr(first.times, term) + getattr(second.times, term)
        assert getattr(whole.times, term) == pytest.approx(parts)
    for term, name in (("FE", "mttr"), ("PQ", "quality_ratio")):
        parts = [by_name(r)[name].terms.get(term) for r in (first, second, whole)]
        if None not in parts:
            assert parts[0] + parts[1] == pytest.approx(parts[2])


@settings(deadline=None)
@given(told_states, st.sampled_from(WORDS[:5]), st.integers(1, 10))
def test_whatever_filled_the_unknown_time_the_value_lies_within_its_bounds(
    told: list[tuple[int, str]], filling: str, hours: int
) -> None:
    spec = KpiOptions(asset="m", state=STATE, coverage=0)
    start, end = SEOUL_DAY + 3 * DAY, SEOUL_DAY + 3 * DAY + 20 * HOUR
    told = [(t, word) for t, word in told if word != "strange"] or [(SEOUL_DAY, "run")]
    told.append((start, "run"))
    hidden = states(*told, (start + HOUR, "offline"), (start + (1 + hours) * HOUR, "idle"))
    real = states(*told, (start + HOUR, filling), (start + (1 + hours) * HOUR, "idle"))
    bounded, true = (by_name(evaluate(spec, start, end, events)) for events in (hidden, real))
    for name in ("availability", "allocation_efficiency", "utilization_efficiency"):
        found, fact = bounded[name], true[name].value
        assert found.low is not None
        assert found.high is not None
        assert fact is not None
        assert found.low - 1e-9 <= fact <= found.high + 1e-9


# ---- the report of a store


def test_a_report_from_a_store_without_a_factory_file(tmp_path: Path) -> None:
    signals = [
        Signal(id="m.execution", kind="state"), Signal(id="m.PartCountAct"),
        Signal(id="m.system_cond", kind="alarm"), Signal(id="other.execution", kind="state"),
    ]  # fmt: skip
    spec = kpi.default_spec("m", signals)
    assert (spec.state, spec.model, spec.count) == ("m.execution", "mtconnect", "m.PartCountAct")
    assert spec.failures == ("m.system_cond",)
    assert "other.execution" not in spec.heard
    with Historian(tmp_path / "store") as store:
        handles = store.register(signals)
        bad = [0, 0, int(Severity.BAD), 0]
        times = [0, HOUR, 2 * HOUR - 1, 3 * HOUR]
        count = Batch.of([handles[1]] * 4, times, [0, 10, 0, 25], bad, received=0)
        told = states((HOUR, "ACTIVE"), (5 * HOUR, "READY"), id="m.execution")["m.execution"]
        gap = Event(id="m.execution", time=HOUR + 1, kind="gap", value="", data={"until": "3601"})
        store.append([count, *told, gap])
        report = kpi.compute(spec, store, factory(*signals), 2 * HOUR, 6 * HOUR)
    assert value(report, "availability") == pytest.approx(75)
    assert value(report, "throughput_rate") == pytest.approx(15 / 4)
    rows = kpi.rows(report)
    assert len(rows) == 34
    assert rows[7]["name"] == "availability"
    assert rows[7]["terms"] == {"APT": 3 * 3600, "PBT": 4 * 3600, "unknown": 0}
    assert kpi.explain(report.results[7]).startswith("APT/PBT: APT = 10800 s, PBT = 14400 s")
    assert kpi.losses(report)[0]["reason"] == "READY"


def test_an_only_state_signal_is_taken_whatever_its_name_but_not_guessed_among_several() -> None:
    one, two = Signal(id="m.lamp", kind="state"), Signal(id="m.door", kind="state")
    assert kpi.default_spec("m", [one, Signal(id="m.t")]).state == "m.lamp"
    assert kpi.default_spec("m", [one, two]).state == ""
    named = Signal(id="m.StateCurrent")
    assert kpi.default_spec("m", [one, two, named]).model == "packml"


# ---- the analysis


def analyser(
    plant: Factory | None = None, **options: object
) -> tuple[Kpi, dict[str, tuple[Event, ...]]]:
    chosen = KpiOptions(asset="press1", state=STATE, **options)  # type: ignore[arg-type]
    plant = plant or factory(Signal(id=STATE, kind="state"), calendar=day_shift())
    return Kpi("press_kpi", chosen, plant), states((SEOUL_DAY + 6 * HOUR, "run"))


def test_the_running_shift_tells_the_live_indicators_and_a_shift_that_ended_all() -> None:
    work, told = analyser(live=("availability", "oee"))
    assert isinstance(work, Analyser)
    assert work.needs.events == (STATE,)
    assert work.needs.history >= DAY
    start, end = SEOUL_DAY + 6 * HOUR, SEOUL_DAY + 14 * HOUR

    def at(now: int) -> dict[str, Finding]:
        found = work.update(now, Window(now - work.needs.history, now, {}, told))
        assert {finding.end for finding in found} <= {min(now, end)}
        assert {finding.start for finding in found} <= {start}
        return {finding.name: finding for finding in found}

    assert set(at(start + HOUR)) == {"availability", "oee", "unknown"}
    assert at(start + HOUR)["availability"].value == 100
    assert at(start + HOUR)["oee"].value is None
    assert "`cycle`" in at(start + HOUR)["oee"].reason
    assert len(at(end + MINUTE)) == 34 + 2
    assert at(end + HOUR) == {}


def test_a_machine_is_heard_by_its_words_and_one_number_if_nothing_else_is_said() -> None:
    signals = [
        Signal(id=STATE, kind="state"), Signal(id="press1.program", kind="text"),
        Signal(id="press1.force"), Signal(id="press1.speed"), Signal(id="other.speed"),
    ]  # fmt: skip
    work, _ = analyser(factory(*signals))
    assert work.needs.events == (STATE, "press1.program")
    assert work.needs.signals == ("press1.force",)
    work, _ = analyser(factory(*signals), heard=("press1.speed",))
    assert (work.needs.events, work.needs.signals) == ((STATE,), ("press1.speed",))


def test_periods_of_days_and_hours() -> None:
    work, told = analyser(period="hour", live=("availability",))
    now = SEOUL_DAY + 8 * HOUR + 30 * SECOND
    found = work.update(now, Window(now - work.needs.history, now, {}, told))
    spans = {(finding.start, finding.end) for finding in found}
    assert spans == {(now - 30 * SECOND, now), (now - 30 * SECOND - HOUR, now - 30 * SECOND)}
    work, told = analyser(factory(), period="shift", live=("availability",))
    now = SEOUL_DAY + 8 * HOUR
    found = work.update(now, Window(now - work.needs.history, now, {}, told))
    assert {(finding.start, finding.end) for finding in found} == {(SEOUL_DAY, now)}


def test_nothing_told_is_not_enough_data_and_wrong_names_are_refused() -> None:
    work, _ = analyser()
    with pytest.raises(NotEnoughData, match="press1"):
        work.update(SEOUL_DAY, Window(0, SEOUL_DAY))
    with pytest.raises(FactoryError, match="no indicator"):
        analyser(live=("oeee",))
    with pytest.raises(FactoryError, match="not a number"):
        analyser(factory(Signal(id="m.n", kind="text")), count="m.n")


def test_all_periods_of_a_day_meet_without_overlap() -> None:
    work, told = analyser(period="hour")
    ends: set[tuple[int, int]] = set()
    for now in range(SEOUL_DAY + 6 * HOUR, SEOUL_DAY + 10 * HOUR, MINUTE):
        window = Window(now - work.needs.history, now, {}, told)
        ends |= {(f.start, f.end) for f in work.update(now, window) if f.name == "losses"}
    for (_, end), (start, _) in pairwise(sorted(ends)):
        assert end == start
