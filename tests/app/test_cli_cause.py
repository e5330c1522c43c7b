"""`report cause` and the making of a part on the command line: tables, experiments, inspections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app.cli import main


class Asked:
    """Runs a command and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> str:
        assert main([str(each) for each in arguments]) == code
        told = self._capsys.readouterr()
        return told.out if code == 0 else told.err

    def json(self, *arguments: object) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(capsys)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """200 parts of which machine 2 makes thicker ones."""
    random = np.random.default_rng(1)
    lines = ["serial,lot,machine,temperature,thickness"]
    for n in range(200):
        machine = random.integers(1, 4)
        thick = 2 + 0.05 * (machine == 2) + 0.01 * random.normal()
        lines.append(f"S{n:04d},L{n // 10},{machine},{180 + random.normal():.2f},{thick:.4f}")
    path = tmp_path / "parts.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_table_of_parts(ask: Asked, parts: Path) -> None:
    told = ask.json("report", "cause", parts, "--result", "thickness", "--lsl", 1.95, "--usl", 2.05,
                    "--group", "lot")  # fmt: skip
    (cause,) = told["causes"]["causes"]
    assert (cause["factor"], cause["upper"]) == ("machine", "2")
    assert cause["low"] < 0.05 < cause["high"]
    assert told["verdict"]["kind"] == "spread"
    assert any("with these causes held" in line for line in told["said"])
    said = ask("report", "cause", parts, "--result", "thickness")
    assert "1. machine: from" in said
    assert "half samples %" in said


def test_a_specification_fault(ask: Asked, parts: Path) -> None:
    options = ("--result", "thickness", "--lsl", 2.4, "--usl", 2.6, "--nominal", 2.5)
    said = ask("report", "cause", parts, *options)
    assert "a specification fault, not the process" in said
    assert "not why the parts are outside" in said
    aimed = ask.json("report", "cause", parts, *options, "--aimed", 2.0)
    assert aimed["verdict"]["sure"]


def test_a_designed_experiment_is_seen_as_one(ask: Asked, tmp_path: Path) -> None:
    """Montgomery, Design and Analysis of Experiments, 8th ed., example 6.2."""
    rates = (45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96)
    rows = [
        ",".join(["high" if run >> place & 1 else "low" for place in range(4)] + [str(rate)])
        for run, rate in enumerate(rates)
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["temperature,pressure,formaldehyde,stirring,rate", *rows]))
    told = ask.json("report", "cause", path, "--result", "rate")
    first = told["experiment"]["effects"][0]
    assert (first["name"], first["effect"]) == ("temperature", 21.625)
    assert "1. temperature from low to high: +21.62" in told["said"][1]
    assert "causes" in ask.json("report", "cause", path, "--result", "rate", "--observed")


@pytest.mark.parametrize(
    ("content", "code", "problem"),
    [
        ("m,y\nA,1\nB,2\nA,3\n", 1, "3 parts have a y; at least 8 are needed"),
        ("m,y\n" + "A,good\nB,good\n" * 9, 1, "every y is good"),
        ("m,y\n" + "A,1\nA,2\n" * 9, 1, "no factor differs"),
        ("t,y\n1,1\n2,2\n3,3\n4x,4\n", 2, ":5: t = '4x': is no number"),
        ("", 2, "holds no rows"),
    ],
)
def test_bad_tables(ask: Asked, tmp_path: Path, content: str, code: int, problem: str) -> None:
    path = tmp_path / "parts.csv"
    path.write_text(content)
    assert problem in ask("report", "cause", path, "--result", "y", code=code)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["cause"], "needs a table (CSV), --qif results, or --store"),
        (["cause", "none.csv", "--result", "y"], "none.csv: No such file"),
        (["cause", "none.qif"], "none.qif: No such file"),
        (["trace", "7", "--mtconnect", "none.txt"], "none.txt: No such file"),
        (["trace", "7"], "needs --store"),
        (["kpi"], "needs --store"),
    ],
)
def test_what_is_missing_is_named(ask: Asked, arguments: list[str], problem: str) -> None:
    assert problem in ask("report", *arguments, code=2)


def test_a_column_that_is_not_there(ask: Asked, parts: Path) -> None:
    assert "--result: which column is it?" in ask("report", "cause", parts, code=2)
    assert "no column 'x'" in ask("report", "cause", parts, "--result", "x", code=2)


def test_the_covers(ask: Asked, shared_data: Path) -> None:
    """Cover 10 was never measured, cover 4 was made in another way, cover 20 is not flat."""
    folder = shared_data / "nist-smstestbed/tdp/mtc"
    logs = sorted((folder / "PartData").glob("*.gz"))
    first, incoming = [*folder.glob("FAIR/*.qif"), *folder.glob("QIF-IncomingInspection/*.QIF")]
    told = ask.json("report", "cause", "--qif", first, incoming, "--mtconnect", *logs)
    found = {row["characteristic"]: row for row in told["characteristics"]}
    assert "Part Number" not in found
    assert found["SIMPLE_HOLE30 DIAMETER4"]["verdict"] == "capable"
    assert found["SIMPLE_HOLE30 DIAMETER4"]["Pp"] > 90  # 26.6 with cover 10
    assert found["DISTANCEBETWEEN1"]["why"].startswith("special cause: parts 4 (5.623)")
    assert found["Flatness 1"]["outside"] == 1
    said = "\n".join(told["said"])
    assert "part 10 was not measured: 20 of its values are exactly the nominals" in said
    assert "part 4 in its making: " in said


def test_the_life_of_a_cover(ask: Asked, shared_data: Path) -> None:
    folder = shared_data / "nist-smstestbed/tdp/mtc"
    log = folder / "PartData/Cover-Hurco04-06of20.txt.gz"
    results, programs = folder.glob("FAIR/*.qif"), folder.glob("NC-Code/*.NC")
    files = ("--mtconnect", log, "--qif", *results, "--program", *programs)
    told = ask.json("report", "trace", "6", *files)
    assert [run["blocks"] for run in told["runs"]] == [2797, 99, 1981, 1464]
    assert told["runs"][3]["program"] == "NIST_MTC_CRADA_COVER_REV-A.NC"
    assert told["operations"][0]["tool"] == "T2"
    flat = next(row for row in told["results"] if row["characteristic"] == "Flatness 1")
    assert (flat["value"], flat["is"]) == (0.046, "in")
    assert any("these logs hold no positions" in doubt for doubt in told["not joined"])
    said = ask("report", "trace", "6", *files)
    assert said.startswith("part 6: Cover-Hurco04-06of20, 6\n")
    assert "no file names the part 99" in ask("report", "trace", "99", *files, code=1)
