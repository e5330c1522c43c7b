"""Quality and capability on the command line: the covers of NIST, tables, and a factory."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app.cli import main
from deungdae.core.clock import from_iso
from deungdae.core.types import MINUTE, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.store import Historian

COVERS = "nist-smstestbed/tdp/mtc/QIF-IncomingInspection"
REFERENCE = "nist-smstestbed/reference_capability_cover.csv"
BEGIN = from_iso("2026-03-02T08:00:00+09:00")
FACTORY = """
[factory]
id = "works"
timezone = "Asia/Seoul"

[[signals]]
id = "press.length"
unit = "mm"

[insight.length]
type = "spc"
signal = "press.length"
chart = "xbar_r"
subgroup = 5
lsl = 228.0
usl = 232.0
"""


def told(capsys: pytest.CaptureFixture[str], *arguments: str, rc: int = 0) -> Any:
    capsys.readouterr()
    assert main(["report", *arguments, "--json", "--log", "error"]) == rc
    return json.loads(capsys.readouterr().out)


# ---- capability of the covers


def test_capability_of_the_covers_is_the_vendors(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {
        row["characteristic"]: row
        for row in told(capsys, "capability", "--qif", str(shared_data / COVERS), rc=0)
    }
    two_sided = 0
    with (shared_data / REFERENCE).open() as lines:
        for known in csv.DictReader(lines):
            feature, name = known["feature"], known["characteristic"]
            row = found[name if name == feature else f"{feature} {name}"]
            assert row["n"] == 20
            if known["kind"] == "two-sided":
                two_sided += 1
                assert row["pp"]["value"] == pytest.approx(float(known["Pp_published"]), abs=0.02)
                assert row["ppk"]["value"] == pytest.approx(float(known["Ppk_published"]), abs=0.02)
                assert row["ppk"]["low"] < row["ppk"]["value"] < row["ppk"]["high"]
            elif name != "POSITION2":  # the spreadsheet has other values than the document
                assert row["pp"] is None
                assert row["ppk"]["value"] == pytest.approx(float(known["Ppk_published"]), abs=0.02)
    assert two_sided == 24
    assert found["CYLINDER3 POSITION2"]["usl"] == pytest.approx(0.5745)
    assert any("4.5: far from all" in note for note in found["CYLINDER1 DIAMETER2"]["notes"])


def test_capability_is_readable(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "capability", "--qif", str(shared_data / COVERS)]) == 0
    words = capsys.readouterr().out
    assert "PLANE1 FLATNESS1" in words
    assert "24 more: 20 parts, of 30 that such a study should have" in words


# ---- tables


def test_a_long_table_brings_its_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"bore,{20 + i % 5 / 100},19.9,20.1" for i in range(40)]
    rows += [f"burr,{i % 7 / 100},,0.2" for i in range(40)] + ["burr,,,0.2"]
    file = tmp_path / "parts.csv"
    file.write_text("\n".join(["characteristic,value,lsl,usl", *rows]))
    bore, burr = told(capsys, "capability", "--csv", str(file))
    assert (bore["characteristic"], bore["n"], bore["lsl"], bore["usl"]) == ("bore", 40, 19.9, 20.1)
    assert bore["ppk"]["value"] == pytest.approx(0.08 / (3 * bore["deviation"]))
    assert (burr["pp"], burr["kind"], burr["skipped"]) == (None, "one-sided", 1)


def test_a_wide_table_takes_limits_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lot.csv"
    lines = [f"A{i};{5 + i % 3 / 10};x" for i in range(50)]
    file.write_text("\ufeffserial;height;note\n" + "\n".join(lines), encoding="utf-8")
    (row,) = told(capsys, "capability", "--csv", str(file), "--lsl", "4", "--usl", "6", "--machine")
    assert row["characteristic"] == "height"
    assert row["cmk"]["value"] > 0
    assert row["ppk"] is None
    assert main(["report", "capability", "--csv", str(file), "--column", "width"]) == 2


def test_parts_made_together_are_subgroups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shots.csv"
    values = [f"{shot % 2 + part / 10}" for shot in range(20) for part in range(4)]
    file.write_text("\n".join(["value", *values]))
    given = ("--csv", str(file), "--lsl", "-1", "--usl", "3")
    (alone,) = told(capsys, "capability", *given)
    (together,) = told(capsys, "capability", *given, "--subgroup", "4")
    assert together["cp"]["value"] > 1.5 * alone["cp"]["value"]
    assert together["pp"] == alone["pp"]
    assert main(["report", "capability", *given, "--subgroup", "99", "--log", "error"]) == 2


@pytest.mark.parametrize(
    ("content", "rc"), [("", 2), ("a,b\n", 1), ("value\nx\n", 1), ("value\n1\n2\n", 1)]
)
def test_a_table_without_an_answer_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, rc: int
) -> None:
    file = tmp_path / "x.csv"
    file.write_text(content)
    assert main(["report", "capability", "--csv", str(file), "--log", "error"]) == rc


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--qif", "/nowhere"),
        ("--csv", "/nowhere.csv"),
        ("--signal", "press.length"),
    ],
)
def test_what_is_missing_is_wrong_input(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "capability", *arguments, "--log", "error"]) == 2
    assert "deungdae:" in capsys.readouterr().err


def test_a_damaged_document_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.qif").write_bytes(b"<QIFDocument>")
    assert main(["report", "capability", "--qif", str(tmp_path)]) != 0
    assert "bad.qif" in capsys.readouterr().err


# ---- a factory


@pytest.fixture
def works(tmp_path: Path) -> Path:
    """A press with measured, charted and inspected bricks, and what people said of two."""
    (tmp_path / "factory.toml").write_text(FACTORY, encoding="utf-8")
    length = np.random.default_rng(1).normal(230, 0.4, 123)
    verdicts = ["pass"] * 17 + ["reject"] * 2 + ["unsure"]
    with Historian(tmp_path / "history") as store:
        (handle,) = store.register([Signal(id="press.length", unit="mm")]).tolist()
        time = [BEGIN + i * MINUTE for i in range(len(length))]
        store.append([Batch.of([handle] * len(length), time, length.tolist(), received=time[-1])])
        looked = [
            Finding(origin="look", asset="press", name="inspection", start=t, end=t, value=0.1,
                    evidence={"verdict": verdict, "image": f"sha256:{i}", "serial": f"B{i}"})
            for i, (t, verdict) in enumerate(zip(time, verdicts, strict=False))
        ]  # fmt: skip
        drawn = [
            Finding(origin="length", asset="press", name="control", start=time[0], end=time[i],
                    value=230.0, unit="mm", severity=2 if i == 7 else 0,
                    evidence={"cl": "230", "signal": "press.length"}
                    | ({"rules": "nelson_1, nelson_3"} if i == 7 else {}))
            for i in range(4, 20)
        ]  # fmt: skip
        labels = [
            Event(id="press.image.label", time=time[at], kind="note", value=said,
                  received=time[-1] + SECOND, data={"ref": f"sha256:{at}", "person": "김"})
            for at, said in ((0, "reject"), (17, "good"), (18, "reject"))
        ]  # fmt: skip
        store.append([*looked, *drawn, *labels])
    return tmp_path


def test_the_quality_of_a_factory(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--store", str(works / "history"), "--factory", str(works / "factory.toml"))
    found = told(capsys, "quality", *given, "--to", "2026-03-03")
    (look,) = found["inspections"]
    assert (look["inspected"], look["rejected"], look["unsure"]) == (20, 2, 1)
    assert look["reject_rate"]["low"] < 0.1 < look["reject_rate"]["high"]
    assert (look["looked_at"], look["agreed"]) == (3, 1)
    assert (look["escaped"], look["falsely_rejected"]) == (1, 1)
    (chart,) = found["charts"]
    assert (chart["points"], chart["out"]) == (16, 1)
    assert chart["rules"] == {"nelson_1": 1, "nelson_3": 1}
    (length,) = found["capability"]
    assert (length["characteristic"], length["n"], length["unit"]) == ("length", 123, "mm")
    assert length["cpk"]["value"] > 1
    assert main(["report", "quality", *given, "--log", "error"]) == 0
    words = capsys.readouterr().out
    assert "nelson_1 1, nelson_3 1" in words


def test_capability_of_signals_of_a_history(
    works: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", str(works / "history"))
    (row,) = told(capsys, "capability", *store, "--signal", "press.length", "--usl", "232")
    assert (row["n"], row["kind"]) == (123, "one-sided")
    (row,) = told(capsys, "capability", *store, "--factory", str(works / "factory.toml"))
    assert (row["lsl"], row["usl"]) == (228.0, 232.0)


def test_a_period_without_anything_is_told(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--store", str(works / "history"), "--from", "2020-01-01", "--to", "2020-01-02")
    assert main(["report", "quality", *given, "--log", "error"]) == 1
    assert "nothing was inspected" in capsys.readouterr().err


# ---- gauges and sampling


def test_a_gauge_is_judged_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    rows = [
        f"{part},{operator},{part + random.normal(0, 0.02):.3f}"
        for part in range(8)
        for operator in "AB"
        for _ in range(2)
    ]
    file = tmp_path / "gauge.csv"
    file.write_text("\n".join(["part,operator,value", *rows]))
    found = told(capsys, "gauge", "--csv", str(file), "--lsl", "0", "--usl", "8")
    assert (found["parts"], found["operators"], found["trials"]) == (8, 2, 2)
    assert found["verdict"] == "good"
    assert found["components"]["gauge"]["tolerance"]["value"] < 10
    assert main(["report", "gauge", "--csv", str(file), "--log", "error"]) == 0
    assert "categories" in capsys.readouterr().out
    file.write_text("\n".join(["part,operator,value", *rows[1:]]))
    assert (
        main(["report", "gauge", "--csv", str(file), "--log", "error"]) == 1
    )  # a trial is missing
    file.write_text("part,value\n1,2\n")
    assert main(["report", "gauge", "--csv", str(file), "--log", "error"]) == 2


def test_a_sampling_plan_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = told(capsys, "sampling", "--lot", "1000", "--aql", "1")
    assert (row["letter"], row["n"], row["accept"], row["reject"]) == ("J", 80, 2, 3)
    (row,) = told(capsys, "sampling", "--lot", "1000", "--aql", "1", "--variables")
    assert (row["n"], row["k"]) == (35, 1.89)
    (row,) = told(capsys, "sampling", "--lot", "10", "--aql", "0.1")
    assert row["n"] == 10
    assert main(["report", "sampling", "--lot", "1000", "--aql", "1.1", "--log", "error"]) == 2
    assert main(["report", "sampling", "--log", "error"]) == 2
