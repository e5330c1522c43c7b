"""A twin in the shadow of its line: forecasts before, scores after, drift, belief."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Analyser, Window
from deungdae.core.registry import load
from deungdae.core.types import DAY, HOUR, Event, Finding
from deungdae.model.factory import Factory, Identity
from deungdae.twin.monitor import Monitor, MonitorOptions
from deungdae.twin.replicate import encode, learn, log_from, write

SHIFT = 8 * HOUR


@pytest.fixture(scope="module")
def ten(plant: Callable[..., Any], machines: Callable[[], list[Any]]) -> Any:
    return plant(machines(), 10 * 86_400.0, 5)


@pytest.fixture(scope="module")
def texts(ten: Any, assets: list[str]) -> dict[str, str]:
    twin = learn(log_from(ten.events, assets, 0, 7 * DAY), now=7 * DAY)
    return {"twin.json": encode(twin).decode(), "line.toml": write(twin.line)}


def monitor(texts: dict[str, str], **options: Any) -> Monitor:
    factory = Factory(
        path=Path("factory.toml"), identity=Identity(id="six", timezone="UTC"), texts=texts
    )
    given = {"line": "twin.json", "asset": "six", "shifts": 6, "replications": 60} | options
    return Monitor("shadow", MonitorOptions(**given), factory)


def window(work: Monitor, events: list[Event], now: int) -> Window:
    ids = work.needs.events
    start = max(now - work.needs.history, 0)
    return Window(
        start, now,
        events={id: tuple(e for e in events if e.id == id and start <= e.time < now) for id in ids},
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(ten: Any, texts: dict[str, str]) -> dict[str, list[Finding]]:
    work = monitor(texts)
    told: dict[str, list[Finding]] = {}
    for finding in work.update(10 * DAY - SHIFT + HOUR // 4, window(work, ten.events, 10 * DAY)):
        told.setdefault(finding.name, []).append(finding)
    return told


def test_is_a_plug_in_and_an_analyser(texts: dict[str, str]) -> None:
    assert load("twin", "monitor") is Monitor
    work = monitor(texts)
    assert isinstance(work, Analyser)
    assert set(work.needs.events) >= {"m1.state", "m5-2.part"}
    assert work.needs.history >= 6 * SHIFT


def test_forecasts_the_running_shift(found: dict[str, list[Finding]]) -> None:
    (finding,) = found["forecast"]
    assert (finding.start, finding.end) == (10 * DAY - SHIFT, 10 * DAY)
    made = json.loads(finding.evidence["made"])
    assert len(made) == 60
    assert finding.value == pytest.approx(np.mean(made), abs=0.5)
    assert float(finding.evidence["low"]) < finding.value < float(finding.evidence["high"])
    assert len(json.loads(finding.evidence["wip"])) == 4


def test_scores_the_shift_that_ended(found: dict[str, list[Finding]], ten: Any) -> None:
    *earlier, finding = found["score"]
    assert all(each.end <= finding.start for each in earlier)
    made = sum(
        1 for event in ten.events
        if event.id == "m6.part" and finding.start <= event.time < finding.end
    )  # fmt: skip
    assert finding.evidence["made"] == str(made)
    assert 0 <= finding.value < 60
    wip, expected = (json.loads(finding.evidence[key]) for key in ("wip", "wip forecast"))
    assert float(finding.evidence["wip error"]) == pytest.approx(
        float(np.sqrt(np.mean((np.array(wip) - np.array(expected)) ** 2))), rel=1e-3
    )
    assert np.mean(wip) == pytest.approx(np.mean(expected), rel=0.4)


def test_says_whether_it_may_be_believed(found: dict[str, list[Finding]]) -> None:
    (finding,) = found["believable"]
    assert finding.evidence["shifts"] == "6"
    assert finding.value in (0.0, 1.0)
    assert "of 6 shifts" in finding.reason
    assert all(each.severity == 0 for each in found["drift"])


def test_the_forecast_is_the_same_whenever_it_is_computed(ten: Any, texts: dict[str, str]) -> None:
    start = 9 * DAY
    early, late = monitor(texts), monitor(texts)
    before = early.update(start + HOUR, window(early, ten.events, start + HOUR))
    after = late.update(start + SHIFT + HOUR // 4, window(late, ten.events, start + SHIFT + HOUR))
    (forecast,) = [each for each in before if each.name == "forecast"]
    *_, score = [each for each in after if each.name == "score"]
    assert (score.start, score.end) == (forecast.start, forecast.end)
    assert score.evidence["low"] == forecast.evidence["low"]
    assert score.evidence["wip forecast"] == forecast.evidence["wip"]


def test_a_slower_machine_is_found_and_ends_belief(
    plant: Callable[..., Any], machines: Callable[[], list[Any]], texts: dict[str, str]
) -> None:
    slow = machines()
    slow[2]["cycle"] = lambda random: 1.06 * random.triangular(45, 75, 60)
    made = plant(slow, 8 * 86_400.0, 6)
    work = monitor(texts, shifts=2)
    told = work.update(8 * DAY, window(work, made.events, 8 * DAY))
    drifts = {each.asset: each for each in told if each.name == "drift"}
    assert drifts["m3"].severity == 2
    assert drifts["m3"].value == pytest.approx(0.06, abs=0.02)
    assert "longer" in drifts["m3"].reason
    assert drifts["m1"].severity == 0
    (belief,) = [each for each in told if each.name == "believable"]
    assert belief.value == 0
    assert "m3" in belief.reason


def test_a_line_file_does_as_well(ten: Any, texts: dict[str, str]) -> None:
    work = monitor(texts, line="line.toml", shifts=2)
    now = 2 * DAY + HOUR
    told = work.update(now, window(work, ten.events, now))
    assert {each.name for each in told} >= {"forecast", "believable", "drift"}


def test_what_is_missing_is_said(texts: dict[str, str]) -> None:
    with pytest.raises(FactoryError, match="is not there"):
        monitor({})
    with pytest.raises(FactoryError, match="this is no twin"):
        monitor({"twin.json": "{"})
    with pytest.raises(FactoryError, match="is no station of the line"):
        monitor(texts, stations={"m9": "x"})
    work = monitor(texts)
    with pytest.raises(NotEnoughData, match="no state was told"):
        work.update(10 * DAY, Window(0, 10 * DAY))
