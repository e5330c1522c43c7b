"""Limits of an anomaly analysis that are learnt from a stated period of the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import HOUR, MINUTE, SECOND, Event, Finding, FloatArray, Signal
from deungdae.insight.anomaly import Anomaly, AnomalyOptions, Table, learn
from deungdae.model.factory import Factory, Identity

NAMES = ("pump.flow", "pump.pressure", "pump.current")
BEGIN = from_iso("2026-03-02T06:00+09:00")
END = from_iso("2026-03-02T12:00+09:00")
STATED = {"trained_from": "2026-03-02T06:00", "trained_until": "2026-03-02T12:00+09:00"}
EVERY = 10 * SECOND


def running(rows: int, seed: int = 1) -> FloatArray:
    """Return three signals that one hidden one moves, [rows, 3]."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((rows, 1))
    return np.asarray(50 + hidden * [1.0, 0.8, -0.5] + 0.3 * random.standard_normal((rows, 3)))


class History:
    """What a store holds: rows of all signals, a moment before each look."""

    def __init__(self, value: FloatArray, events: tuple[Event, ...] = ()) -> None:
        self.time = BEGIN + np.arange(1, len(value) + 1, dtype=np.int64) * EVERY - SECOND
        self.value = value
        self.events = events

    def window(self, start: int, end: int) -> Window:
        first = max(int(np.searchsorted(self.time, start)) - 1, 0)
        at = slice(first, int(np.searchsorted(self.time, end)))
        status = np.zeros(len(self.time[at]), np.uint8)
        samples = {n: Samples(self.time[at], self.value[at, c], status)
                   for c, n in enumerate(NAMES)}  # fmt: skip
        told = tuple(event for event in self.events if event.time < end)
        earlier = [event for event in told if event.time < start][-1:]
        events = (*earlier, *(event for event in told if event.time >= start))
        return Window(start, end, samples, {"pump.state": events})


def analysis(**options: Any) -> Anomaly:
    signals = {id: Signal(id=id) for id in NAMES}
    signals["pump.state"] = Signal(id="pump.state", kind="state")
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals=signals,
    )
    return Anomaly("pump", AnomalyOptions(signals=NAMES, **options), factory)


def recalled(work: Anomaly, history: History, now: int) -> str:
    """Show an analysis the past that it asks for; return what was missing in the end."""
    missing = ""
    for start, end in work.recall(now):
        try:
            work.update(end, history.window(start, end))
        except NotEnoughData as error:
            missing = str(error)
        else:
            missing = ""
    return missing


def looked(work: Anomaly, history: History, start: int, end: int) -> list[Finding]:
    found: list[Finding] = []
    for now in range(start, end, EVERY):
        found += work.update(now + EVERY, history.window(now, now + EVERY))
    return found


def test_limits_are_those_of_the_period_and_of_nothing_else() -> None:
    strange = np.vstack([running(2160), running(200, seed=2) + 30])
    work = analysis(**STATED)
    assert recalled(work, History(strange), END + 30 * MINUTE) == ""
    time = BEGIN + np.arange(1, 2161, dtype=np.int64) * EVERY
    assert work._watch is not None
    assert work._watch.limit == learn(Table.of(NAMES, time, strange[:2160])).limit
    (found,) = looked(work, History(strange), END + 30 * MINUTE, END + 30 * MINUTE + EVERY)
    assert found.severity == 2
    assert "unlike the training since 2026-03-02T12:00:" in found.reason  # not since the start
    assert found.evidence["trained_from"] == "2026-03-02T06:00:10+09:00"
    assert found.evidence["trained_until"] == "2026-03-02T12:00:00+09:00"


def test_the_past_that_is_asked_for_is_the_period_and_the_last_day() -> None:
    asked = list(analysis(**STATED).recall(END + 100 * HOUR))
    assert asked[0][0] == BEGIN
    assert END in {end for _, end in asked}
    assert END + 76 * HOUR in {start for start, _ in asked}
    assert asked[-1][1] == END + 100 * HOUR
    assert sum(end - start for start, end in asked) == 6 * HOUR + 24 * HOUR
    assert list(analysis().recall(END)) == []


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (0, "0 of 6 hours of running have data, half of them are needed"),
        (1000, "2.78 of 6 hours of running have data, half of them are needed"),
    ],
)
def test_a_period_with_too_few_data_says_what_is_missing_and_makes_no_limit(
    rows: int, missing: str
) -> None:
    work = analysis(**STATED, hold=10.0)
    history = History(running(rows))
    said = recalled(work, history, END + HOUR)
    begin = "from 2026-03-02T06:00:00+09:00 to 2026-03-02T12:00:00+09:00 there is too little"
    assert said.startswith(begin)
    assert said.endswith(missing)
    with pytest.raises(NotEnoughData, match="there is too little to learn from"):
        looked(work, history, END + HOUR, END + HOUR + EVERY)


def test_a_period_that_is_too_short_says_how_many_rows_a_limit_needs() -> None:
    work = analysis(trained_from="2026-03-02T06:00", trained_until="2026-03-02T06:20")
    said = recalled(work, History(running(2160)), END)
    assert "a limit needs 240 or more" in said


def test_only_running_counts_in_the_period() -> None:
    stops = Event(id="pump.state", time=BEGIN + 4 * HOUR, kind="state", value="idle")
    starts = Event(id="pump.state", time=BEGIN - HOUR, kind="state", value="running")
    value = running(2160)
    value[1440:] += 30  # it stands
    work = analysis(**STATED, state="pump.state")
    recalled(work, History(value, (starts, stops)), END)
    assert work._watch is not None
    assert work._watch.high.max() < 60
    assert work._watch.limit.days == pytest.approx(4 / 24, rel=0.1)


def test_a_period_that_is_not_over_is_learnt_from_until_it_is() -> None:
    value = running(2200)
    work, other = analysis(**STATED), analysis(**STATED)
    history = History(value)
    now = BEGIN + 5 * HOUR
    said = recalled(work, history, now)
    assert said == "learning until 2026-03-02T12:00:00+09:00"
    for start in range(now, END - EVERY, EVERY):
        with pytest.raises(NotEnoughData, match="learning until"):
            looked(work, history, start, start + EVERY)
    found = looked(work, history, END - EVERY, END + 5 * MINUTE)
    recalled(other, history, END)
    assert looked(other, history, END, END + 5 * MINUTE) == found
    assert len(found) == 30


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"trained_from": "2026-03-02"}, "trained_until.*belong together"),
        ({"trained_until": "2026-03-02"}, "trained_from.*belong together"),
        ({**STATED, "trained_until": "noon"}, "trained_until.*is no date and time"),
        ({**STATED, "trained_until": "2026-03-01"}, "is not after trained_from"),
        ({**STATED, "model": "pump.json"}, "not from both"),
    ],
)
def test_periods_that_cannot_be_are_faults(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)
