"""The verbs simulate and twin: what they print, what they write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deungdae.app.cli import main

LINE = """
[stations.cut]
cycle = "triangular(50, 60, 70)"
to = "between"
failures = [{ every = "exponential(7200)", repair = "exponential(600)" }]

[stations.weld]
from = "between"
cycle = "triangular(50, 62, 70)"

[buffers.between]
capacity = 5

[[levers]]
target = "weld.cycle"
low = 0.8
high = 1.0
step = 0.1
cost = 1_000_000
"""
FEW = ("--replications", "4", "--workers", "1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a line, in which we are."""
    (tmp_path / "line.toml").write_text(LINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_line_is_simulated_with_intervals(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "simulate", ".", "--days", "2", *FEW)
    assert 50 < found["throughput"]["mean"] < 60
    assert found["throughput"]["half_width"] > 0
    shares = {each["station"]: each["share"] for each in found["stations"]}
    assert sum(shares["cut"].values()) == pytest.approx(1.0, abs=1e-4)
    assert main(["simulate", ".", "--days", "2", *FEW]) == 0
    assert "throughput, good parts" in capsys.readouterr().out


def test_from_a_log_to_a_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "simulate", ".", "--days", "4", "--write", "log")["events"] > 10_000
    twin = told(capsys, "twin", "build", "--store", "log")
    assert set(twin["line"]["stations"]) == {"cut", "weld"}
    assert (here / "twin.toml").exists()
    score = told(capsys, "twin", "score", "--store", "log", "--hours", "12")
    assert len(score["shifts"]) >= 3
    answer = told(capsys, "twin", "whatif", "--set", "weld.cycle=-20%", "--days", "2", *FEW)
    assert answer["measures"]["throughput"]["difference"]["mean"] > 0
    words = ("--twin", "line.toml", "--budget", "1,000,000", "--days", "1")
    plan = told(capsys, "twin", "improve", *words, *FEW)
    assert float(plan["cost"]) <= 1_000_000


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("simulate", "nowhere"), "is not there"),
        (("simulate", ".", "--days", "0"), "a time above 0"),
        (("simulate", ".", "--start", "tomorrow"), "--start tomorrow: no ISO 8601"),
        (("simulate", ".", "--replications", "0"), "at least 1"),
        (("twin", "build", "--store", "nowhere"), "there is no such folder"),
        (("twin", "whatif", "--set", "wild.cycle=-10%"), "did you mean weld"),
        (("twin", "improve", "--budget", "lots"), "no amount of money"),
        (("twin", "whatif", "--set", "weld.cycle=-1%", "--twin", "t.json"), "twin build"),
    ],
)
def test_what_is_wrong_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    assert main(list(words)) == 2
    assert problem in capsys.readouterr().err


def test_a_time_zone_that_there_is_not_is_a_fault_of_the_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "line.toml").write_text('timezone = "Asia/Soul"\n' + LINE, encoding="utf-8")
    (fault,) = told(capsys, "simulate", ".", code=2)["faults"]
    assert (fault["key"], fault["value"]) == ("timezone", "Asia/Soul")
