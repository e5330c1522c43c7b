"""Energy from counters and power: known answers, what was not heard, and what adds up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Event,
    Finding,
    Flag,
    Severity,
    Signal,
)
from deungdae.insight.energy import (
    Carrier,
    Energy,
    EnergyOptions,
    Factor,
    Meter,
    from_counter,
    from_power,
    products,
    total,
    within,
)
from deungdae.model.calendar import Calendar, Shift
from deungdae.model.factory import Factory, Identity

MIDNIGHT = from_iso("2026-03-02T00:00+09:00")


def column(*rows: tuple[int, float] | tuple[int, float, int]) -> Samples:
    full = [(*row, 0)[:3] for row in rows]
    return Samples(
        np.asarray([row[0] for row in full], np.int64),
        np.asarray([row[1] for row in full], float),
        np.asarray([row[2] for row in full], np.uint8),
    )


# ---- counters


def test_a_counter_tells_its_rise() -> None:
    pieces = from_counter(column((0, 100.0), (HOUR, 104.0), (2 * HOUR, 110.0)), 0, 2 * HOUR)
    found = within(pieces, [(0, 2 * HOUR)])
    assert (found.value, found.low, found.high, found.unknown) == (10.0, 10.0, 10.0, 0)


def test_a_stretch_that_is_cut_gives_its_share_and_may_have_given_all_or_nothing() -> None:
    pieces = from_counter(column((0, 100.0), (HOUR, 104.0)), 0, HOUR)
    found = within(pieces, [(0, HOUR // 4)])
    assert (found.value, found.low, found.high) == (1.0, 0.0, 4.0)


def test_after_a_reset_what_was_lost_is_bounded_by_what_it_can_draw() -> None:
    readings = column((0, 100.0), (HOUR, 3.0))
    found = within(from_counter(readings, 0, HOUR, rated=20), [(0, HOUR)])
    assert (found.value, found.low, found.high) == (3.0, 3.0, 23.0)
    assert within(from_counter(readings, 0, HOUR), [(0, HOUR)]).high == inf


def test_an_overflow_is_no_reset() -> None:
    found = within(from_counter(column((0, 998.0), (HOUR, 3.0)), 0, HOUR, wrap=1000), [(0, HOUR)])
    assert (found.value, found.high) == (5.0, 5.0)


def test_units_are_converted() -> None:
    found = within(from_counter(column((0, 0.0), (HOUR, 500.0)), 0, HOUR, gain=1e-3), [(0, HOUR)])
    assert found.value == 0.5


def test_before_the_first_and_after_the_last_reading_nothing_is_known() -> None:
    readings = column((HOUR, 0.0), (2 * HOUR, 5.0))
    found = within(from_counter(readings, 0, 4 * HOUR, rated=10), [(0, 4 * HOUR)])
    assert (found.value, found.low, found.high) == (5.0, 5.0, 35.0)
    assert found.unknown == 3 * HOUR


@pytest.mark.parametrize("readings", [column(), column((HOUR, 5.0))])
def test_one_reading_tells_no_energy(readings: Samples) -> None:
    found = within(from_counter(readings, 0, 2 * HOUR), [(0, 2 * HOUR)])
    assert found.silent
    assert found.unknown == 2 * HOUR


# ---- power


def test_power_holds_until_the_next_sample() -> None:
    pieces = from_power(column((0, 10.0), (HOUR, 40.0)), 0, 2 * HOUR)
    found = within(pieces, [(HOUR // 2, HOUR + HOUR // 2)])
    assert (found.value, found.low, found.high) == (25.0, 25.0, 25.0)


@pytest.mark.parametrize(
    ("value", "status"),
    [(10.0, Severity.BAD), (10.0, Flag.STALE | 1), (float("nan"), 0), (1e300, 0)],
)
def test_power_that_is_no_measurement_is_unknown(value: float, status: int) -> None:
    power = column((0, 10.0), (HOUR, value, status), (2 * HOUR, 10.0))
    found = within(from_power(power, 0, 3 * HOUR, rated=15), [(0, 3 * HOUR)])
    assert (found.value, found.low, found.high, found.unknown) == (20.0, 20.0, 35.0, HOUR)


def test_a_sample_from_before_the_period_counts_within_it() -> None:
    found = within(from_power(column((-HOUR, 6.0)), 0, HOUR), [(0, HOUR)])
    assert (found.value, found.unknown) == (6.0, 0)


# ---- what adds up

times = st.integers(0, 60).map(lambda minute: minute * MINUTE)
readings = st.lists(
    st.tuples(times, st.floats(0, 1e4), st.sampled_from([0, 0, 0, 2, 0x11])),
    unique_by=lambda row: row[0],
    max_size=12,
).map(lambda rows: column(*sorted(rows)))


@given(readings, st.lists(times, min_size=2, max_size=8, unique=True), st.booleans())
def test_the_parts_of_a_period_make_the_whole(
    samples: Samples, cuts: list[int], counter: bool
) -> None:
    make = from_counter if counter else from_power
    pieces = make(samples, 0, HOUR, rated=50)
    edges = sorted(cuts)
    spans = list(pairwise(edges))
    parts = [within(pieces, [span]) for span in spans]
    whole = within(pieces, [(edges[0], edges[-1])])
    added = total(parts)
    assert added.value == pytest.approx(whole.value)
    assert added.low <= whole.low + 1e-6
    assert added.high >= whole.high - 1e-6
    assert sum(part.unknown for part in parts) == whole.unknown
    assert within(pieces, spans) == whole  # also where spans meet
    for part in parts:
        assert part.low <= part.value + 1e-6
        assert part.value <= part.high + 1e-6 * (1 + abs(part.high))
    assert within(pieces, spans[::2]).value == pytest.approx(total(parts[::2]).value)


@given(readings)
def test_power_is_integrated_as_by_a_ledger_of_minutes(samples: Samples) -> None:
    expected = 0.0
    for minute in range(60):
        held = np.searchsorted(samples.time, minute * MINUTE, "right") - 1
        if held >= 0 and samples.status[held] == 0:
            expected += samples.value[held] / 60
    assert within(from_power(samples, 0, HOUR), [(0, HOUR)]).value == pytest.approx(expected)


# ---- the analysis

PRESS = Meter(energy="press1.energy", state="press1.state", good="press1.good", rated=60)
KILN = Meter(power="kiln1.power")
UNITS = {"press1.energy": "kW.h", "kiln1.power": "W", "main.power": "kW", "press1.good": "1"}


def analysis(
    meters: dict[str, Meter] | None = None, calendar: Calendar | None = None, **options: Any
) -> Energy:
    signals = {id: Signal(id=id, unit=unit) for id, unit in UNITS.items()}
    signals["press1.state"] = Signal(id="press1.state", kind="state")
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals=signals,
        calendar=calendar or Calendar(),
    )
    chosen = meters or {"press1": PRESS, "kiln1": KILN}
    return Energy("site", EnergyOptions(asset="works", meters=chosen, **options), factory)


def told(
    work: Energy,
    now: int,
    samples: dict[str, Samples],
    states: Sequence[tuple[int, str]] = (),
) -> dict[tuple[str, str, int], Finding]:
    events = tuple(
        Event(id="press1.state", time=time, kind="state", value=value) for time, value in states
    )
    before = {
        id: Samples(*(column[held.time < now] for column in (held.time, held.value, held.status)))
        for id, held in samples.items()
    }
    window = Window(now - work.needs.history, now, before, {"press1.state": events})
    return {(f.asset, f.name, f.start): f for f in work.update(now, window)}


def every_minute(hours: float, power: float) -> Samples:
    minutes = range(round(hours * 60) + 1)
    return column(*((MIDNIGHT + m * MINUTE, 1000 + power * m / 60) for m in minutes))


def test_energy_of_machines_states_parts_and_site() -> None:
    now = MIDNIGHT + 2 * HOUR
    found = told(
        analysis(),
        now,
        {
            "press1.energy": every_minute(2, 30.0),
            "press1.good": column((MIDNIGHT, 10.0), (now - MINUTE, 130.0)),
            "kiln1.power": column((MIDNIGHT - HOUR, 100_000.0)),
        },
        [(MIDNIGHT, "running"), (MIDNIGHT + HOUR + HOUR // 2, "idle")],
    )
    press = found["press1", "energy", MIDNIGHT]
    assert press.value == pytest.approx(60 - 0.5)  # the last minute is not read yet
    assert press.uncertainty == pytest.approx(1.0)  # one minute of 60 kW
    assert press.unit == "kW.h"
    assert press.evidence["in running"] == "45 kW.h"
    assert press.evidence["in idle"].startswith("14.5 kW.h (14.5 to 15.5)")
    each = found["press1", "energy_per_good", MIDNIGHT]
    assert each.value == pytest.approx(59.5 / 120)
    assert found["kiln1", "energy", MIDNIGHT].value == pytest.approx(200.0)
    assert found["works", "energy", MIDNIGHT].value == pytest.approx(259.5)
    assert found["works", "peak_demand", MIDNIGHT].value == pytest.approx(130.0)
    demand = found["works", "demand", now - 15 * MINUTE]
    assert demand.value == pytest.approx(130 - 30 / 15)


def test_the_peak_is_found_in_its_quarter() -> None:
    start = MIDNIGHT + 45 * MINUTE
    power = column((MIDNIGHT, 10e3), (start, 70e3), (start + 5 * MINUTE, 10e3))
    work = analysis({"kiln1": KILN})
    peak = told(work, MIDNIGHT + 2 * HOUR, {"kiln1.power": power})["works", "peak_demand", MIDNIGHT]
    assert peak.value == pytest.approx(30.0)  # 5 minutes of 70 kW and 10 of 10 kW
    assert peak.evidence["from"] == "2026-03-02T00:45:00+09:00"
    assert peak.unit == "kW"


def test_before_a_whole_quarter_there_is_a_demand_but_no_peak() -> None:
    now = MIDNIGHT + 5 * MINUTE
    found = told(analysis({"kiln1": KILN}), now, {"kiln1.power": column((MIDNIGHT, 10e3))})
    assert found["works", "demand", MIDNIGHT].value == pytest.approx(10.0)
    peak = found["works", "peak_demand", MIDNIGHT]
    assert peak.value is None
    assert peak.reason == "no whole quarter of an hour was told yet"


def test_a_silent_meter_is_missed_in_the_total() -> None:
    now = MIDNIGHT + 2 * HOUR
    found = told(analysis(), now, {"kiln1.power": column((MIDNIGHT, 10e3))})
    press = found["press1", "energy", MIDNIGHT]
    assert press.value is None
    assert press.reason == "nothing was told of it in this time"
    whole = found["works", "energy", MIDNIGHT]
    assert whole.value == pytest.approx(20.0)
    assert whole.reason == "not everything was told in 100.0 % of the time"
    assert whole.evidence["high"] == "140"  # two hours of 60 kW more


def test_without_a_rating_the_upper_bound_is_missed_not_guessed() -> None:
    power = column((MIDNIGHT, 10e3), (MIDNIGHT + HOUR, 10e3, Severity.BAD))
    found = told(analysis({"kiln1": KILN}), MIDNIGHT + 2 * HOUR, {"kiln1.power": power})
    whole = found["works", "energy", MIDNIGHT]
    assert whole.value == pytest.approx(10.0)
    assert whole.uncertainty is None
    assert "high" not in whole.evidence
    assert "50.0 % of the time; to bound it, state `rated`" in whole.reason


def test_the_main_meter_shows_what_no_machine_does() -> None:
    work = analysis({"kiln1": KILN}, main=Meter(power="main.power"))
    now = MIDNIGHT + HOUR
    powers = {
        "kiln1.power": column((MIDNIGHT, 10e3)),
        "main.power": column((MIDNIGHT, 14.0)),
    }
    found = told(work, now, powers)
    assert found["works", "energy", MIDNIGHT].value == pytest.approx(14.0)
    assert found["works", "unmetered", MIDNIGHT].value == pytest.approx(4.0)


def test_no_good_part_is_no_division() -> None:
    now = MIDNIGHT + HOUR
    samples = {
        "press1.energy": every_minute(1, 30.0),
        "press1.good": column((MIDNIGHT, 10.0), (now - MINUTE, 10.0)),
    }
    each = told(analysis({"press1": PRESS}), now, samples)["press1", "energy_per_good", MIDNIGHT]
    assert each.value is None
    assert each.reason == "no good part was made"


def test_parts_and_energy_are_set_against_each_other_over_the_same_time() -> None:
    now = MIDNIGHT + 2 * HOUR + SECOND
    samples = {
        "press1.energy": every_minute(2, 30.0),
        "press1.good": column((MIDNIGHT + HOUR, 5.0), (now - SECOND, 65.0)),
    }
    each = told(analysis({"press1": PRESS}), now, samples)["press1", "energy_per_good", MIDNIGHT]
    assert each.value == pytest.approx(0.5)  # 30 kW.h and 60 parts of the second hour
    assert each.evidence["since"] == "2026-03-02T01:00:00+09:00"


def test_good_parts_are_all_but_the_scrapped() -> None:
    now = MIDNIGHT + HOUR + SECOND
    meter = Meter(energy="press1.energy", count="press1.count", reject="press1.reject")
    samples = {
        "press1.energy": every_minute(1, 30.0),
        "press1.count": column((MIDNIGHT, 0.0), (now - SECOND, 70.0)),
        "press1.reject": column((MIDNIGHT, 0.0), (now - SECOND, 10.0)),
    }
    each = told(analysis({"press1": meter}), now, samples)["press1", "energy_per_good", MIDNIGHT]
    assert each.value == pytest.approx(0.5)


def test_a_shift_that_ended_is_told_once_more_in_full() -> None:
    shifts = (Shift(name="day", start="08:00", end="20:00"),)
    work = analysis({"kiln1": KILN}, calendar=Calendar(shifts=shifts), period="shift")
    start, power = MIDNIGHT + 8 * HOUR, {"kiln1.power": column((MIDNIGHT, 10e3))}
    ended = told(work, start + 12 * HOUR + MINUTE, power)
    assert ended["works", "energy", start].value == pytest.approx(120.0)
    assert ended["works", "energy", start].end == start + 12 * HOUR
    later = told(work, start + 12 * HOUR + 5 * MINUTE, power)
    assert [key[1] for key in later] == ["demand"]


def test_over_midnight_both_days_are_told() -> None:
    now = MIDNIGHT + DAY + MINUTE
    found = told(analysis({"kiln1": KILN}), now, {"kiln1.power": column((MIDNIGHT, 10e3))})
    assert found["works", "energy", MIDNIGHT].value == pytest.approx(240.0)
    assert found["works", "energy", MIDNIGHT + DAY].value == pytest.approx(1 / 6)


def test_nothing_told_is_said() -> None:
    with pytest.raises(NotEnoughData, match=r"press1\.energy, kiln1\.power"):
        told(analysis(), MIDNIGHT + HOUR, {})


def test_findings_are_finite_or_explained() -> None:
    now = MIDNIGHT + HOUR
    samples = {"press1.energy": column((MIDNIGHT, 1.0), (MIDNIGHT + MINUTE, 0.5))}
    for finding in told(analysis(), now, samples).values():
        assert finding.value is None or isfinite(finding.value)
        assert finding.value is not None or finding.reason


@pytest.mark.parametrize(
    ("meters", "problem"),
    [
        ({"press1": Meter()}, "either `energy` or `power`"),
        ({"press1": Meter(energy="press1.energy", power="kiln1.power")}, "either"),
        ({"press1": Meter(energy="kiln1.power")}, "measure different things"),
        ({"works": KILN}, "is one of the meters"),
    ],
)
def test_meters_that_make_no_sense_are_faults(meters: dict[str, Meter], problem: str) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(meters)


# ---- over any period


class Memory:
    """A store of what a test says."""

    def __init__(self, samples: dict[str, Samples], events: Sequence[Event] = ()) -> None:
        self._samples = samples
        self._events = events

    def query(
        self, ids: Sequence[str], start: int, end: int, *, before: bool = False
    ) -> dict[str, Samples]:
        return {id: self._samples.get(id, column()) for id in ids}

    def events(self, start: int, end: int, *, ids: Sequence[str], before: bool) -> list[Event]:
        return [event for event in self._events if event.id in ids]


def scan(id: str, time: int, product: str) -> Event:
    return Event(id=id, time=time, kind="scan", value="1", data={"product": product})


def test_an_account_is_told_by_state_product_and_carbon() -> None:
    counter = column(*((MIDNIGHT + n * 15 * MINUTE, 100.0 + 5 * n) for n in range(9)))
    states = [
        Event(id="press.state", time=MIDNIGHT, kind="state", value="running"),
        Event(id="press.state", time=MIDNIGHT + HOUR, kind="state", value="idle"),
    ]
    parts = [
        scan("press.part", MIDNIGHT + 30 * MINUTE, "arch"),
        scan("press.part", MIDNIGHT + 60 * MINUTE, "straight"),
    ]
    gas = column((MIDNIGHT, 10.0), (MIDNIGHT + 2 * HOUR, 16.0))
    options = {
        "meters": {"press": Meter(energy="press.energy", state="press.state")},
        "co2": Factor(factor=0.4173, year=2023),
        "carriers": {"gas": Carrier(asset="kiln", counter="kiln.gas")},
    }
    store: Any = Memory({"press.energy": counter, "kiln.gas": gas}, [*states, *parts])
    found = analysis(**options).account(store, MIDNIGHT, MIDNIGHT + 2 * HOUR)
    (press,) = found.machines
    assert found.energy.value == 40.0
    assert {state: each.value for state, each in press.states.items()} == {
        "running": 20.0,
        "idle": 20.0,
    }
    made = {product: each.value for product, each in press.products.items()}
    assert made == {"arch": 10.0, "straight": 10.0, "": 20.0}  # what comes next nobody knows yet
    assert found.co2 == pytest.approx(40 * 0.4173)
    assert [block.value for block in found.load] == [20.0] * 8
    assert (found.carriers[0].amount.value, found.carriers[0].co2) == (6.0, None)


def test_a_quarter_in_which_a_meter_was_silent_has_no_load() -> None:
    counter = column((MIDNIGHT + 15 * MINUTE, 1.0), (MIDNIGHT + 45 * MINUTE, 3.0))
    meters = {"press": Meter(energy="press.energy")}
    found = analysis(meters=meters).account(
        Memory({"press.energy": counter}),  # type: ignore[arg-type]
        MIDNIGHT,
        MIDNIGHT + HOUR,
    )
    assert [block.value for block in found.load] == [None, 4.0, 4.0, None]
    assert found.peak == found.load[1]
    assert found.co2 is None


def test_an_account_of_silence_is_none() -> None:
    meters = {"press": Meter(energy="press.energy")}
    with pytest.raises(NotEnoughData, match=r"press\.energy"):
        analysis(meters=meters).account(Memory({}), MIDNIGHT, MIDNIGHT + HOUR)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(-5, 25), st.sampled_from(["a", "b", ""])), max_size=12).map(
        sorted
    )
)
def test_products_fill_the_period_once(parts: list[tuple[int, str]]) -> None:
    found = products([scan("x.part", time, product) for time, product in parts], 0, 20)
    spans = sorted(span for each in found.values() for span in each)
    assert (spans[0][0], spans[-1][1]) == (0, 20)
    assert all(first[1] == second[0] for first, second in pairwise(spans))
