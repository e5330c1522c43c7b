"""A live stream against its own past: false alarms, what is found, and what is missing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Finding, FloatArray, Signal
from deungdae.insight.anomaly import Table, unusual
from deungdae.insight.novelty import Novelty, NoveltyOptions
from deungdae.model.factory import Factory, Identity

ID = "hall1.power"
BEGIN = from_iso("2026-03-02T00:00+09:00")
EVERY = 30 * MINUTE
A_DAY = 48


def load(days: float, seed: int = 1) -> FloatArray:
    """Return a load with a daily course, a value each half hour, kW."""
    rows = round(days * DAY / EVERY)
    course = 10 * np.sin(2 * np.pi * np.arange(rows) * EVERY / DAY)
    return np.asarray(50 + course + np.random.default_rng(seed).standard_normal(rows))


def analysis(kind: Any = "number", **options: Any) -> Novelty:
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals={ID: Signal(id=ID, unit="kW", kind=kind)},
    )
    given: dict[str, Any] = {"signal": ID, "every": 1800.0, "hold": 2000.0} | options
    return Novelty("load", NoveltyOptions(**given), factory)


def look(work: Novelty, value: FloatArray, rows: int) -> Finding:
    """Return what is told after so many rows of the stream."""
    now = BEGIN + rows * EVERY + SECOND
    start = now - work.needs.history
    time = BEGIN + np.arange(1, rows + 1, dtype=np.int64) * EVERY - SECOND
    at = slice(max(int(np.searchsorted(time, start)) - 1, 0), rows)
    column = Samples(time[at], value[at], np.zeros(len(time[at]), np.uint8))
    (found,) = work.update(now, Window(start, now, {ID: column}))
    return found


def test_false_alarms_are_no_more_than_asked_for() -> None:
    work = analysis(alarms_per_day=0.3, history=30.0)
    alarms, days = 0, 0
    for seed in range(5):
        value = load(24, seed)
        time = BEGIN + np.arange(1, len(value) + 1, dtype=np.int64) * EVERY
        score = unusual(value, time, first=3 * A_DAY).max(axis=0)  # each row knows only its past
        told = [work._since(score[:rows]) is not None for rows in range(3 * A_DAY, len(value))]
        alarms += sum(not a and b for a, b in pairwise(told))
        days += 21
    assert alarms / days <= 0.3
    assert float(look(work, value, len(value)).evidence["day"]) == pytest.approx(
        unusual(value, time, first=3 * A_DAY)[1, -1], abs=0.01
    )


def test_what_is_unlike_any_is_told_with_its_begin_until_it_is_usual_again() -> None:
    value = load(18)
    event = 15 * A_DAY + 10
    value[event : event + 10] += 25
    work = analysis()
    assert look(work, value, event).severity == 0
    first = next(row for row in range(event, event + 10) if look(work, value, row).severity)
    assert first <= event + 3
    found = look(work, value, first + 2)
    assert found.severity == 2
    assert found.start == BEGIN + first * EVERY
    assert "unlike any before, since 2026-03-17T0" in found.reason
    assert " kW, on other days at this time " in found.reason
    assert found.value is not None
    assert found.value > float(found.evidence["limit"])
    assert found.asset == "hall1"
    assert look(work, value, 18 * A_DAY).severity == 0


def test_the_stretch_that_is_rarer_is_told() -> None:
    work, time = analysis(), BEGIN + np.arange(10, dtype=np.int64) * EVERY
    looks = Table.of((ID,), time, np.full((10, 1), 5.0))
    for scores, told in (((4.0, 2.0), "the last 6 h are"), ((2.0, 4.0), "the last day is")):
        since = f"{told} unlike any before, since 2026-03-02T00:00:00+09:00"
        assert work._reason(looks, np.asarray(scores), BEGIN) == since


def test_what_happened_before_is_not_new() -> None:
    value = load(18)
    for day in (8, 9, 10, 11, 15):
        value[day * A_DAY + 10 : day * A_DAY + 20] += 25
    work = analysis()
    assert {look(work, value, row).severity for row in range(15 * A_DAY, 16 * A_DAY, 4)} == {0}


def test_a_restart_changes_nothing() -> None:
    value = load(16)
    value[15 * A_DAY + 10 :] += 25
    one = analysis()
    look(one, value, 15 * A_DAY + 14)
    assert look(one, value, 15 * A_DAY + 18) == look(analysis(), value, 15 * A_DAY + 18)


def test_too_short_a_history_says_how_much_is_missing() -> None:
    with pytest.raises(NotEnoughData, match=r"hall1\.power: 2 of 3 days with data"):
        look(analysis(), load(2), 2 * A_DAY)


def test_a_stream_that_stopped_is_neither_usual_nor_new() -> None:
    value = load(10)
    work = analysis()
    time = BEGIN + np.arange(1, len(value) + 1, dtype=np.int64) * EVERY
    column = Samples(time, value, np.zeros(len(time), np.uint8))
    now = int(time[-1]) + 2 * HOUR
    with pytest.raises(NotEnoughData, match=r"no data since 2026-03-12T00:30"):
        work.update(now, Window(now - work.needs.history, now, {ID: column}))
    with pytest.raises(NotEnoughData, match="no data of it"):
        work.update(now, Window(now - work.needs.history, now, {}))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kind": "state"}, "not a number"),
        ({"every": 60.0}, "makes 20160 looks"),
        ({"learn": 13.5}, "less than a day"),
    ],
)
def test_options_that_cannot_be_are_faults(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)
