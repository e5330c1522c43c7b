"""Reports over a store: which signal tells a state, which periods there are, what is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from deungdae.app import describe, report
from deungdae.core.clock import from_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Event, Signal
from deungdae.historian.store import Historian

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
UTC = ZoneInfo("UTC")
MONDAY = from_iso("2026-03-02T00:00:00Z")
SIGNALS = [
    Signal(id="press.state", kind="state"),
    Signal(id="press.count", unit="{part}"),
    Signal(id="kiln.temperature", unit="Cel"),
    Signal(id="saw.state", kind="state"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Historian]:
    with Historian(tmp_path / "history") as found:
        found.register(SIGNALS)
        yield found


def state(moment: int, value: str, id: str = "press.state") -> Event:
    return Event(id=id, time=moment, kind="state", value=value)


def gap(since: int, until: int) -> Event:
    return Event(id="press.state", time=since, kind="gap", value="away", data={"until": str(until)})


def seconds(rows: list[report.StateRow]) -> dict[tuple[str, str], float]:
    return {(row.day, row.state): row.seconds for row in rows if row.asset == "press"}


def test_only_assets_that_tell_a_state_have_one() -> None:
    found = report.state_signals(SIGNALS)
    assert {asset: signal.id for asset, signal in found.items()} == {
        "press": "press.state",
        "saw": "saw.state",
    }
    assert list(report.state_signals(SIGNALS, ["saw"])) == ["saw"]


@pytest.mark.parametrize("asset", ["kiln", "nobody", ""])
def test_an_asset_without_a_state_is_named_with_those_that_have_one(asset: str) -> None:
    with pytest.raises(NotEnoughData, match="press, saw"):
        report.state_signals(SIGNALS, ["press", asset])


def test_a_store_without_states_says_so(tmp_path: Path) -> None:
    with Historian(tmp_path / "empty") as empty:
        with pytest.raises(NotEnoughData, match="no asset"):
            report.states(empty, MONDAY, MONDAY + DAY, by="day", zone=UTC)
        with pytest.raises(NotEnoughData, match="no asset"):
            report.kpis(empty, MONDAY, MONDAY + DAY, by="all", zone=UTC)


def test_states_of_a_day(store: Historian) -> None:
    store.append([state(MONDAY + 8 * HOUR, "running"), state(MONDAY + 10 * HOUR, "idle")])
    rows = report.states(store, MONDAY, MONDAY + DAY, by="day", zone=UTC)
    assert seconds(rows) == {
        ("2026-03-02", "unknown"): 8 * 3600.0,
        ("2026-03-02", "running"): 2 * 3600.0,
        ("2026-03-02", "idle"): 14 * 3600.0,
    }
    saw = [(row.state, row.seconds) for row in rows if row.asset == "saw"]
    assert saw == [("unknown", 86_400.0)]


def test_a_day_begins_where_the_zone_says(store: Historian) -> None:
    store.append([state(MONDAY - HOUR, "running"), state(MONDAY + HOUR, "idle")])
    rows = report.states(store, MONDAY, MONDAY + 2 * HOUR, by="day", zone=SEOUL)
    assert seconds(rows) == {("2026-03-02", "running"): 3600.0, ("2026-03-02", "idle"): 3600.0}
    rows = report.states(store, MONDAY - 9 * HOUR, MONDAY + 15 * HOUR, by="day", zone=SEOUL)
    assert {row.day for row in rows} == {"2026-03-02"}


def test_a_day_of_the_change_to_summer_time_is_an_hour_short(store: Historian) -> None:
    begin = from_iso("2026-03-08T00:00:00-05:00")
    store.append([state(begin, "running"), state(begin + 23 * HOUR, "idle")])
    rows = report.states(store, begin, begin + 24 * HOUR, by="day", zone=NEW_YORK)
    assert seconds(rows)["2026-03-08", "running"] == 23 * 3600.0
    assert seconds(rows)["2026-03-09", "idle"] == 3600.0


def test_states_by_the_hour_begin_and_end_within_it(store: Historian) -> None:
    begin = MONDAY + 20 * MINUTE
    store.append([state(begin, "running")])
    rows = report.states(store, begin, begin + 2 * HOUR, by="hour", zone=UTC)
    lengths = [row.seconds for row in rows if row.asset == "press"]
    assert lengths == [2400.0, 3600.0, 1200.0]
    assert rows[0].day == "2026-03-02T00:20:00+00:00"


def test_what_was_lost_is_unknown_until_a_state_is_told(store: Historian) -> None:
    since, until = MONDAY + 2 * HOUR, MONDAY + 4 * HOUR
    store.append([state(MONDAY, "running"), gap(since, until), state(until + HOUR, "idle")])
    rows = report.states(store, MONDAY, MONDAY + 6 * HOUR, by="all", zone=UTC)
    lengths = {row.state: row.seconds for row in rows if row.asset == "press"}
    assert lengths == {"running": 3 * 3600.0, "unknown": 2 * 3600.0, "idle": 3600.0}


def test_a_silent_day_is_unknown_and_a_sign_of_life_ends_the_silence(store: Historian) -> None:
    store.append([state(MONDAY + HOUR, "ready")])
    rows = report.states(store, MONDAY + DAY, MONDAY + 2 * DAY, by="day", zone=UTC)
    assert seconds(rows) == {("2026-03-03", "unknown"): 86_400.0}
    store.register([Signal(id="press.alive", name="sign of life", kind="text")])
    life = Event(id="press.alive", time=MONDAY + DAY + HOUR, kind="note", value="alive")
    store.append([life])
    rows = report.states(store, MONDAY + DAY, MONDAY + 2 * DAY, by="day", zone=UTC)
    assert seconds(rows) == {("2026-03-03", "ready"): 86_400.0}


def test_numbers_are_heard_of_too(store: Historian) -> None:
    times = [MONDAY + 7 * SECOND, MONDAY + 5 * HOUR]
    store.append([Batch.of([1, 1], times, [1.0, 2.0], received=MONDAY)])
    store.append([state(MONDAY + 3 * HOUR, "ready")])
    found = report.heard(store, SIGNALS[:2], MONDAY, MONDAY + DAY)
    assert found.dtype == np.int64
    assert found.tolist() == [MONDAY, MONDAY + 3 * HOUR, MONDAY + 5 * HOUR]


def test_indicators_of_each_asset_and_period(store: Historian) -> None:
    store.append([state(MONDAY + h * HOUR, "running" if h % 2 else "idle") for h in range(48)])
    found = report.kpis(store, MONDAY, MONDAY + 2 * DAY, by="day", zone=UTC, assets=["press"])
    assert [(each.asset, each.start, each.end) for each in found] == [
        ("press", MONDAY, MONDAY + DAY),
        ("press", MONDAY + DAY, MONDAY + 2 * DAY),
    ]
    for each in found:
        assert len(each.results) == 34
        assert all(result.value is not None or result.reason for result in each.results)


def test_what_a_factory_declares_is_used(store: Historian, tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_text(
        """
[factory]
id = "brickworks"
timezone = "UTC"

[calendar]
shifts = [{ name = "day", start = "08:00", end = "16:00" }]

[[signals]]
id = "press.state"
kind = "state"

[[signals]]
id = "press.count"
unit = "{part}"

[insight.press]
type = "kpi"
asset = "press"
state = "press.state"
count = "press.count"
cycle = 4.0
"""
    )
    factory = describe.read(tmp_path / "factory.toml")
    begin = MONDAY + 8 * HOUR
    parts = range(7201)
    store.append([state(begin, "running")])
    store.append(
        [Batch.of([1] * 7201, (begin + 4 * i * SECOND for i in parts), parts, received=begin)]
    )
    asked = {"by": "all", "zone": UTC, "assets": ["press"]}
    (plain,) = report.kpis(store, MONDAY, MONDAY + DAY, **asked)  # type: ignore[arg-type]
    (planned,) = report.kpis(store, MONDAY, MONDAY + DAY, **asked, factory=factory)  # type: ignore[arg-type]
    assert plain.times.PBT == 86_400
    assert planned.times.PBT == 8 * 3600
    found = {result.name: result.value for result in planned.results}
    assert found["availability"] == pytest.approx(100.0, abs=0.1)
    assert found["effectiveness"] == pytest.approx(100.0, abs=0.1)
