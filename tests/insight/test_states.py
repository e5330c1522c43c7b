"""The rule of held states, and the NIST reference that it reproduces."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso, to_iso
from deungdae.core.types import DAY, HOUR, SECOND, Event, TimeArray
from deungdae.insight import states
from deungdae.insight.states import Spell, Told
from deungdae.machines.mtconnect.log import read_log

NIST = "nist-smstestbed"


def told(*pairs: tuple[int, str]) -> Told:
    return states.told(Event(id="m.state", time=t, kind="state", value=v) for t, v in pairs)


def heard(*moments: int) -> TimeArray:
    return np.asarray(moments, np.int64)


def test_a_state_holds_until_the_next_and_is_unknown_before_the_first() -> None:
    found = states.spells(told((2 * HOUR, "READY"), (5 * HOUR, "ACTIVE")), 0, DAY, heard=heard())
    assert found == [
        Spell(0, 2 * HOUR, "unknown"),
        Spell(2 * HOUR, 5 * HOUR, "READY"),
        Spell(5 * HOUR, DAY, "ACTIVE"),
    ]


def test_what_was_told_before_the_period_holds_into_it() -> None:
    found = states.spells(told((1 * HOUR, "READY")), 2 * HOUR, 3 * HOUR, heard=heard())
    assert found == [Spell(2 * HOUR, 3 * HOUR, "READY")]


def test_order_of_arrival_decides_only_between_states_of_the_same_moment() -> None:
    shuffled = told((5, "B"), (1, "A"), (5, "C"), (1, "A"))
    assert shuffled.time.tolist() == [1, 5]
    assert list(shuffled.state) == ["A", "C"]


def test_a_silent_day_is_unknown_even_if_the_machine_was_ready() -> None:
    found = states.spells(
        told((HOUR, "READY"), (3 * DAY + HOUR, "ACTIVE")), 0, 5 * DAY, heard=heard(DAY + HOUR)
    )
    assert found == [
        Spell(0, HOUR, "unknown"),
        Spell(HOUR, 2 * DAY, "READY"),  # something was heard on the second day
        Spell(2 * DAY, 3 * DAY, "unknown"),
        Spell(3 * DAY, 3 * DAY + HOUR, "READY"),
        Spell(3 * DAY + HOUR, 4 * DAY, "ACTIVE"),
        Spell(4 * DAY, 5 * DAY, "unknown"),
    ]


def test_unavailable_lasts_over_silent_days_until_data_come_and_no_longer() -> None:
    found = states.spells(told((HOUR, "UNAVAILABLE")), 0, 5 * DAY, heard=heard(3 * DAY + HOUR))
    assert found == [
        Spell(0, HOUR, "unknown"),
        Spell(HOUR, 4 * DAY, "UNAVAILABLE"),
        Spell(4 * DAY, 5 * DAY, "unknown"),
    ]


def test_days_are_those_of_the_zone() -> None:
    seoul = ZoneInfo("Asia/Seoul")
    start = from_iso("2026-03-01T00:00:00+09:00")
    found = states.spells(
        told((start + HOUR, "RUN")), start, start + 3 * DAY, heard=heard(), zone=seoul
    )
    assert found[-1] == Spell(start + DAY, start + 3 * DAY, "unknown")
    assert states.days(start, start + 2 * DAY, seoul) == [start, start + DAY, start + 2 * DAY]


def test_a_day_is_as_long_as_its_calendar_says() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start, end = from_iso("2026-03-28", berlin), from_iso("2026-03-31", berlin)
    lengths = np.diff(states.days(start, end, berlin)) / HOUR
    assert lengths.tolist() == [24, 23, 24]


def test_a_gap_is_unknown_up_to_the_last_state_told_for_a_time_within_it() -> None:
    known = told((0, "RUN"), (6 * HOUR, "IDLE"))
    found = states.spells(
        known, 0, DAY, heard=heard(), gaps=[(2 * HOUR, 8 * HOUR), (10 * HOUR, 11 * HOUR)]
    )
    assert found == [
        Spell(0, 2 * HOUR, "RUN"),
        Spell(2 * HOUR, 6 * HOUR, "unknown"),
        Spell(6 * HOUR, 10 * HOUR, "IDLE"),
        Spell(10 * HOUR, 11 * HOUR, "unknown"),
        Spell(11 * HOUR, DAY, "IDLE"),
    ]


def test_nothing_told_is_unknown_and_no_period_is_nothing() -> None:
    assert states.spells(told(), 0, DAY, heard=heard(HOUR)) == [Spell(0, DAY, "unknown")]
    assert states.spells(told((0, "RUN")), DAY, DAY, heard=heard()) == []


@given(
    pairs=st.lists(st.tuples(st.integers(0, 9 * DAY), st.sampled_from("AB")), max_size=20),
    times=st.lists(st.integers(0, 9 * DAY), max_size=10),
    gaps=st.lists(st.tuples(st.integers(0, 9 * DAY), st.integers(0, 9 * DAY)), max_size=4),
    start=st.integers(0, 4 * DAY),
    length=st.integers(1, 5 * DAY),
)
def test_every_period_is_covered_exactly_once(
    pairs: list[tuple[int, str]],
    times: list[int],
    gaps: list[tuple[int, int]],
    start: int,
    length: int,
) -> None:
    end = start + length
    found = states.spells(told(*pairs), start, end, heard=heard(*times), gaps=gaps)
    assert found[0].start == start
    assert found[-1].end == end
    for before, after in pairwise(found):
        assert before.end == after.start
        assert before.state != after.state
    edges = states.days(start, end)
    per_day = states.durations(found, edges)
    assert [sum(day.values()) for day in per_day] == np.diff(edges).tolist()


def reference(folder: Path) -> dict[str, dict[tuple[str, str], float]]:
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    with (folder / "reference_execution_hours_2016-10.csv").open() as file:
        for row in csv.DictReader(file):
            found[row["machine"]][row["utc_day"], row["execution_state"]] = float(row["seconds"])
    return found


def measured(folder: Path, machine: str) -> dict[tuple[str, str], float]:
    """Return the seconds per day and state of October 2016, from the machine's raw logs."""
    log = read_log(sorted((folder / "raw" / machine).glob("*.gz")), machine)
    handles = {signal.id: place for place, signal in enumerate(log.signals)}
    hours: set[int] = set()
    events: list[Event] = []
    for part in log.parts(handles, received=0):
        assert part.faults == ()
        hours.update(np.unique(part.batch.time // HOUR * HOUR).tolist())
        hours.update(event.time for event in part.events)
        events += [event for event in part.events if event.id == f"{machine}.execution"]
    start, end = from_iso("2016-10-01"), from_iso("2016-11-01")
    found = states.spells(states.told(events), start, end, heard=heard(*hours))
    edges = states.days(start, end)
    return {
        (to_iso(day)[:10], state): length / SECOND
        for day, durations in zip(edges, states.durations(found, edges), strict=False)
        for state, length in durations.items()
    }


@pytest.mark.parametrize("machine", ["Mazak01", "Mazak03", "GFAgie01"])
def test_execution_of_october_2016_equals_the_nist_reference(
    shared_data: Path, machine: str
) -> None:
    expected = reference(shared_data / NIST)[machine]
    found = measured(shared_data / NIST, machine)
    known = {key: seconds for key, seconds in found.items() if key[1] != "unknown"}
    for key in expected.keys() | known.keys():
        assert known.get(key, 0.0) == pytest.approx(expected.get(key, 0.0), abs=1.0), key
    per_day: dict[str, float] = defaultdict(float)
    for (day, _), seconds in found.items():
        per_day[day] += seconds
    assert list(per_day.values()) == pytest.approx([86_400.0] * 31)


def test_days_without_data_are_unknown_in_the_nist_logs(shared_data: Path) -> None:
    mazak = measured(shared_data / NIST, "Mazak01")
    assert [mazak[f"2016-10-0{day}", "unknown"] for day in range(1, 5)] == [86_400.0] * 4
    assert mazak["2016-10-05", "unknown"] == pytest.approx(86_400 - 17_092.974, abs=1.0)
    hurco = measured(shared_data / NIST, "Hurco01")  # a machine that was never on
    assert {state for _, state in hurco} == {"unknown", "UNAVAILABLE"}
