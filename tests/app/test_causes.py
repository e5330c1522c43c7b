"""From a history to causes: the station, the setting and the lot that a planted fault came from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deungdae.app import causes as history
from deungdae.app.cli import main
from deungdae.core.clock import from_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import MINUTE, Batch, Event, Signal
from deungdae.historian.store import Historian

BEGIN = from_iso("2026-03-02T08:00:00Z")
PARTS = 300


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of two presses, dried on the way; where the dryer is hot they crack, at whatever press.

    Thickness is measured at the test as a signal; press-2 makes thicker parts.
    """
    folder = tmp_path_factory.mktemp("history")
    random = np.random.default_rng(3)
    heat = 80 + 6 * random.normal(size=PARTS)
    press = random.integers(1, 3, PARTS)
    cracked = random.random(PARTS) < np.where(heat > 86, 0.7, 0.04)
    events = []
    for n in range(PARTS):
        at = BEGIN + 10 * n * MINUTE
        code, lot = f"B{n}", f"M{n // 30}"
        result = "scrap" if cracked[n] else "good"
        for asset, minute, data in (
            (f"press-{press[n]}", 1, {"lot": lot, "start": str(at), "product": "straight"}),
            ("dryer", 6, {"start": str(at + 2 * MINUTE)}),
            ("test", 9, {"start": str(at + 8 * MINUTE), "result": result}),
        ):
            told = Event(id=f"{asset}.part", time=at + minute * MINUTE, kind="scan", value=code,
                         data=data)  # fmt: skip
            events.append(told)
    signals = [Signal(id="dryer.temperature", unit="Cel"), Signal(id="test.thickness", unit="mm")]
    moments = BEGIN + 10 * MINUTE * np.arange(PARTS)
    thick = 50 + 0.3 * (press == 2) + 0.1 * random.normal(size=PARTS)
    with Historian(folder) as store:
        one, two = store.register(signals).tolist()
        store.append([
            Batch.of([one] * PARTS, (moments + 4 * MINUTE).tolist(), heat.tolist(), received=0),
            Batch.of([two] * PARTS, (moments + 9 * MINUTE).tolist(), thick.tolist(), received=0),
            *events,
        ])  # fmt: skip
    return folder


def test_a_row_holds_the_way_of_a_part(works: Path) -> None:
    with Historian(works) as store:
        table = history.table(store, BEGIN, BEGIN + 10 * PARTS * MINUTE)
    assert len(table) == PARTS
    assert set(table.names) >= {"result", "time", "press", "dryer", "dryer.temperature", "dryer s",
                                "dryer waited s", "product", "test.thickness"}  # fmt: skip
    assert table["press"].levels == ("press-1", "press-2")
    assert np.unique(table["dryer s"].value).tolist() == [240.0]
    assert np.unique(table["dryer waited s"].value).tolist() == [60.0]
    assert np.std(table["dryer.temperature"].value) > 5


def test_the_cause_of_rejects(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "cause", "--store", str(works), "--at", "test", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (cause,) = told["causes"]["causes"]
    assert cause["factor"] == "dryer.temperature"
    assert cause["effect"] > 0.2


def test_the_cause_of_a_measured_signal(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["report", "cause", "--store", str(works), "--at", "test", "--json"]
    assert main([*asked, "--result", "test.thickness"]) == 0
    told = json.loads(capsys.readouterr().out)
    (cause,) = told["causes"]["causes"]
    assert (cause["factor"], cause["upper"]) == ("press", "press-2")
    assert cause["low"] < 0.3 < cause["high"]
    assert main([*asked, "--result", "test.colour"]) == 2
    assert "no such signal" in capsys.readouterr().err


def test_a_history_without_results_says_what_is_missing(works: Path) -> None:
    with Historian(works) as store, pytest.raises(NotEnoughData, match="no scan at dryer"):
        history.table(store, BEGIN, BEGIN + 10 * PARTS * MINUTE, at="dryer")
