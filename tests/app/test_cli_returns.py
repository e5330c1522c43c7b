"""The return of a project on the command line: what was planted is found, and nothing else."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app.cli import main
from deungdae.core.clock import from_iso
from deungdae.core.types import DAY, HOUR, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.store import Historian
from deungdae.insight.vision.labels import event

FIRST = date(2026, 1, 1)
BEFORE, AFTER = 60, 40
CHANGE = str(FIRST + timedelta(days=BEFORE))
BEGIN = from_iso("2026-01-01T00:00:00+09:00")


def told(capsys: pytest.CaptureFixture[str], *arguments: str, rc: int = 0) -> Any:
    capsys.readouterr()
    assert main(["report", "return", *arguments, "--json", "--log", "error"]) == rc
    return json.loads(capsys.readouterr().out)


def table(path: Path, step: float, seed: int = 0) -> str:
    """Write days whose scrap follows the volume and, from CHANGE on, the step."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["day", "scrap", "produced"])
        for n in range(BEFORE + AFTER):
            produced = 1000 + 100 * random.normal()
            scrap = 30 + 0.02 * (produced - 1000) + random.normal() + step * (n >= BEFORE)
            lines.writerow([FIRST + timedelta(days=n), round(scrap, 3), round(produced, 1)])
    return str(path)


def asked(file: str) -> list[str]:
    return ["--csv", file, "--column", "scrap", "--time", "day", "--change", CHANGE,
            "--with", "produced", "--tz", "Asia/Seoul"]  # fmt: skip


def test_what_was_planted_is_found_and_paid_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path / "days.csv", -8.0)
    found = told(capsys, *asked(file), "--each", "1200", "--cost", "100,000")
    assert found["shown"]
    change = found["effect"]["change"]
    assert change["low"] < -8 < change["high"] < 0
    assert (found["effect"]["before"], found["effect"]["after"]) == (BEFORE, AFTER)
    placebo = found["effect"]["placebo"]
    assert placebo["low"] < 0 < placebo["high"]
    assert found["effect"]["expected"] == pytest.approx(30, abs=2.5)
    (saved,) = found["return"]["savings"]
    assert float(saved["value"]) == pytest.approx(-change["value"] * AFTER * 1200, abs=1)
    assert float(found["return"]["value"]) == float(saved["value"]) - 100_000
    assert (found["return"]["currency"], found["return"]["year"]) == ("KRW", 2026)
    back = found["payback_days"]
    assert back["low"] < back["days"] < back["high"]
    assert back["days"] == pytest.approx(100_000 / (8 * 1200), rel=0.4)


def test_where_nothing_changed_nothing_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path / "days.csv", 0.0)
    found = told(capsys, *asked(file), "--each", "1200", "--cost", "100000", rc=1)
    assert not found["shown"]
    assert "Not shown" in found["said"]
    assert main(["report", "return", *asked(file), "--each", "1200", "--cost", "100000"]) == 1
    said = capsys.readouterr().out
    assert "Not shown" in said
    assert "placebo: " in said
    assert "; not shown" in said
    assert "payback: not shown" in said


def test_a_share_counts_by_what_it_is_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path / "days.csv", -8.0)
    found = told(capsys, *asked(file), "--each", "1", "--of", "produced")
    (saved,) = found["return"]["savings"]
    change = found["effect"]["change"]["value"]
    assert float(saved["value"]) == pytest.approx(-change * 1000 * AFTER, rel=0.05)


def test_a_signal_of_the_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(3)
    hours = np.arange((BEFORE + AFTER) * 24)
    values = 5 + random.normal(size=len(hours)) - 2.0 * (hours >= BEFORE * 24)
    times = BEGIN + hours * HOUR
    with Historian(tmp_path) as store:
        (handle,) = store.register([Signal(id="line1.scrap_share", unit="%")])
        told_at = int(times[-1])
        store.append([Batch.of([handle] * len(hours), times, values.tolist(), received=told_at)])
    found = told(capsys, "--store", str(tmp_path), "--signal", "line1.scrap_share",
                 "--change", CHANGE, "--tz", "Asia/Seoul", "--from", "2026-01-01",
                 "--to", str(FIRST + timedelta(days=BEFORE + AFTER)))  # fmt: skip
    change = found["effect"]["change"]
    assert change["low"] < -2 < change["high"] < 0
    assert (found["effect"]["before"], found["effect"]["after"]) == (BEFORE, AFTER)
    assert (found["return"], found["payback_days"]) == (None, None)


def test_escapes_and_rejects_of_an_inspection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(4)
    items: list[Event | Finding] = []
    for day in range(50):
        for n in range(40):
            time = BEGIN + day * DAY + HOUR + n * SECOND
            escaped = random.random() < (0.3 if day < 30 else 0.05)
            ref, verdict = f"{day}-{n}", "pass" if n else "reject"
            evidence = {"image": ref, "verdict": verdict}
            finding = Finding(origin="eye", asset="camera1", name="inspection", start=time,
                              end=time, value=1.0, evidence=evidence)  # fmt: skip
            items.append(finding)
            if day >= 30 and n % 3 == 1:  # more are looked at since: no more escape for that
                evidence["drawn"] = "33 %"
            if (escaped or "drawn" in evidence) and n:
                items.append(event("camera1.image", finding, "reject", "kim", time + SECOND))
    with Historian(tmp_path) as store:
        store.append(items)
    common = ("--store", str(tmp_path), "--change", "2026-01-31", "--tz", "Asia/Seoul",
              "--from", "2026-01-01", "--to", "2026-02-20")  # fmt: skip
    found = told(capsys, *common, "--figure", "escapes", "--each", "1000")
    assert found["effect"]["change"]["value"] == pytest.approx(-244, abs=60)
    (saved,) = found["return"]["savings"]
    escapes = -found["effect"]["change"]["value"] / 1000 * 40 * 20  # fewer, of the parts since
    assert float(saved["value"]) == pytest.approx(escapes * 1000, rel=1e-3)
    assert main(["report", "return", *common, "--figure", "rejects"]) != 0  # 25 in 1000, every day
    assert "is 25 in all periods" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs --change DATE"),
        (["--change", "2026-03-02"], "needs --csv FILE, or --store"),
        (["--change", "soon"], "no ISO 8601 time"),
        (["--change", "2026-03-02", "--csv", "FILE"], "takes one --csv FILE, with one --column"),
        (["--change", "2026-03-02", "--csv", "FILE", "--column", "x", "--time", "day"],
         "no column x"),
        (["--change", "2036-03-02", "--csv", "FILE", "--column", "scrap", "--time", "day"],
         "is not within the days known, 2026-01-01 to 2026-04-10"),
        (["--change", CHANGE, "--csv", "FILE", "--column", "scrap", "--time", "day", "--cost", "9"],
         "--cost needs --each"),
        (["--change", "2026-01-05", "--csv", "FILE", "--column", "scrap", "--time", "day"],
         "4 periods before"),
    ],
)  # fmt: skip
def test_what_cannot_be_reckoned_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    file = table(tmp_path / "days.csv", 0.0)
    given = [file if each == "FILE" else each for each in arguments]
    assert main(["report", "return", *given]) != 0
    assert said in capsys.readouterr().err
