"""The verb detect: files and histories, what is left out, and what is wrong with the input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app.cli import main
from deungdae.core.clock import from_iso, to_iso
from deungdae.core.types import SECOND, Batch, Signal
from deungdae.historian.store import Historian

BEGIN = from_iso("2026-03-02T06:00Z")
ROWS = 1500


def course(seed: int = 1) -> np.ndarray[Any, Any]:
    """Return flow, pressure and a signal that stands still; the pressure falls at row 1200."""
    random = np.random.default_rng(seed)
    load = random.standard_normal(ROWS)
    rows = np.stack([50 + load, 8 + 0.2 * load, np.full(ROWS, 3.0)], axis=1)
    rows[:, :2] += 0.1 * random.standard_normal((ROWS, 2))
    rows[1200:, 1] -= 3
    return rows


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = ["time;flow;pressure;level;who"]
    for at, (flow, pressure, level) in enumerate(course()):
        moment = to_iso(BEGIN + at * 10 * SECOND)
        lines.append(f"{moment};{flow:.4f};{pressure:.4f};{level};Kim")
    file = tmp_path / "log.csv"
    file.write_text("\n".join(lines))
    return file


def test_a_file_is_learnt_from_and_judged(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "anomaly", str(log), "--train-rows", "1000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["signals"] == ["flow", "pressure"]
    assert told["left"] == {"level": "stands still at 3 in the training"}
    (alarm,) = told["alarms"]
    assert alarm["start"].startswith("2026-03-02T09:20")
    assert alarm["end"] is None
    assert alarm["parts"][0]["name"] == "pressure"
    assert main(["detect", "anomaly", str(log), "--train-rows", "1000"]) == 0
    captured = capsys.readouterr()
    assert "who holds no numbers and is passed over" in captured.err
    assert "unlike the training since 2026-03-02T09:20" in captured.out
    assert "pressure is below what is usual" in captured.out


def test_a_model_is_saved_and_judges_again(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.json"
    options = ["detect", "anomaly", str(log), "--json"]
    assert main([*options, "--train-to", "2026-03-02T09:00Z", "--save", str(model)]) == 0
    capsys.readouterr()
    assert main([*options, "--model", str(model)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == ROWS
    assert len(told["alarms"]) == 1


def test_a_history_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = course()
    ids = [Signal(id=f"pump.{name}") for name in ("flow", "pressure")]
    with Historian(tmp_path / "store") as store:
        handles = store.register(ids)
        time = BEGIN + np.arange(ROWS, dtype=np.int64) * 10 * SECOND
        for handle, column in zip(handles, rows.T, strict=False):
            size = np.full(ROWS, handle, np.int32)
            status = np.zeros(ROWS, np.uint8)
            store.append([Batch(size, time, column.copy(), status, int(time[-1]))])
    options = ["detect", "anomaly", "--store", str(tmp_path / "store"), "--json"]
    period = ["--to", "2026-03-02T10:10Z", "--train-to", "2026-03-02T09:00Z"]
    signals = ["--signals", "pump.flow", "pump.pressure"]
    assert main([*options, *period, *signals]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [alarm["parts"][0]["name"] for alarm in told["alarms"]] == ["pump.pressure"]
    assert main([*options, *period, "--signals", "pump.flow", "pump.none"]) == 1
    assert "no sample of pump.none" in capsys.readouterr().err


def test_a_single_stream_is_compared_with_its_past(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = np.arange(20 * 24)
    value = np.sin(hours / 24 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.05, len(hours))
    value[400:412] += 5
    lines = [f"{BEGIN // SECOND + hour * 3600},{each:.5f}" for hour, each in enumerate(value)]
    file = tmp_path / "stream.csv"
    file.write_text("\n".join(["time,load", *lines]))
    assert main(["detect", "novelty", str(file), "--train-rows", "200", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert to_iso(BEGIN + 400 * 3600 * SECOND) in {row["time"] for row in rows}


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        ([], 2, "either a FILE or --store"),
        (["no.csv"], 2, "there is no such file"),
        (["LOG", "--signals", "none"], 2, "there is no column none"),
        (["LOG", "--signals", "who"], 2, "no column holds numbers"),
        (["LOG", "--time", "who"], 2, "is not ISO 8601"),
        (["LOG", "--train-rows", "20"], 1, "not enough data"),
        (["LOG", "--train-from", "2030-01-01"], 1, "no row lies within the training"),
        (["LOG", "--train-from", "soon"], 2, "no ISO 8601 time"),
        (["LOG", "--alarms-per-day", "0"], 2, "is below"),
        (["LOG", "--model", "LOG"], 2, "it is not whole"),
        (["--store", "s"], 2, "needs --signals"),
    ],
)
def test_what_is_wrong_is_said(
    log: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    problem: str,
) -> None:
    given = [str(log) if part == "LOG" else part for part in arguments]
    assert main(["detect", "anomaly", *given]) == code
    assert problem in capsys.readouterr().err
