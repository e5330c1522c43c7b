"""Real logs through the command line: what was published is what comes out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from deungdae.app.cli import main

OCTOBER = ("--from", "2016-10-01", "--to", "2016-11-01", "--tz", "UTC")
MACHINES = ("Mazak01", "Mazak03", "GFAgie01")
EMPTY = ("Hurco01", "Hurco02")
DAYS = [f"2016-10-{day:02}" for day in range(1, 32)]
Cells = dict[tuple[str, str], float]


def logs(shared_data: Path, machine: str) -> list[str]:
    return [str(p) for p in sorted((shared_data / "nist-smstestbed/raw" / machine).glob("*.gz"))]


@pytest.fixture(scope="module")
def history(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with the month of five machines of the NIST test bed."""
    store = tmp_path_factory.mktemp("nist") / "history"
    for machine in (*MACHINES, *EMPTY):
        code = main(
            ["import", "mtconnect-log", *logs(shared_data, machine), "--asset", machine,
             "--store", str(store), "--log", "error"]
        )  # fmt: skip
        assert code == 0
    return store


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Return the JSON that a command prints."""
    capsys.readouterr()
    assert main([*arguments, "--json", "--log", "error"]) == code
    return json.loads(capsys.readouterr().out)


def reference(shared_data: Path, machine: str) -> Cells:
    path = shared_data / "nist-smstestbed" / "reference_execution_hours_2016-10.csv"
    with path.open() as file:
        return {
            (row["utc_day"], row["execution_state"]): float(row["seconds"])
            for row in csv.DictReader(file)
            if row["machine"] == machine
        }


@pytest.mark.parametrize("machine", MACHINES)
def test_seconds_of_each_state_and_day_are_those_of_the_reference(
    history: Path, shared_data: Path, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = answer(capsys, "report", "states", "--asset", machine, "--store", str(history), *OCTOBER)
    assert {row["asset"] for row in rows} == {machine}
    found: Cells = {(row["day"], row["state"]): row["seconds"] for row in rows}
    expected = reference(shared_data, machine)
    told = {cell: seconds for cell, seconds in found.items() if cell[1] != "unknown"}
    for cell in sorted(told.keys() | expected.keys()):
        assert told.get(cell, 0.0) == pytest.approx(expected.get(cell, 0.0), abs=1.0), cell


@pytest.mark.parametrize("machine", MACHINES)
def test_each_day_is_whole_and_days_without_data_are_unknown(
    history: Path, shared_data: Path, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = answer(capsys, "report", "states", "--asset", machine, "--store", str(history), *OCTOBER)
    with_data = {day for day, _ in reference(shared_data, machine)}
    for day in DAYS:
        lengths = {row["state"]: row["seconds"] for row in rows if row["day"] == day}
        assert sum(lengths.values()) == pytest.approx(86_400, abs=0.001)
        if day not in with_data:
            assert lengths == {"unknown": 86_400.0}


@pytest.mark.parametrize("machine", EMPTY)
def test_a_machine_of_which_nearly_nothing_is_known_is_unknown_not_an_error(
    history: Path, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--asset", machine, "--store", str(history), *OCTOBER)
    rows = answer(capsys, "report", "states", *asked)
    by_day: dict[str, dict[str, float]] = {}
    for row in rows:
        by_day.setdefault(row["day"], {})[row["state"]] = row["seconds"]
    assert sorted(by_day) == DAYS
    assert all(set(lengths) <= {"unknown", "UNAVAILABLE"} for lengths in by_day.values())
    indicators = answer(capsys, "report", "kpi", *asked)
    assert len(indicators) == 34
    assert all(row["reason"] for row in indicators if row["value"] is None)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_indicator_has_a_value_or_a_reason(
    history: Path, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("report", "kpi", "--asset", machine, "--store", str(history), *OCTOBER)
    rows = answer(capsys, *asked)
    assert sorted(row["number"] for row in rows) == list(range(1, 35))
    for row in rows:
        assert (row["value"] is None) == bool(row["reason"]) or row["value"] is not None
        assert row["value"] is not None or row["reason"]
        assert row["start"] == "2016-10-01T00:00:00Z"
        assert row["end"] == "2016-11-01T00:00:00Z"
    assert main([*asked, "--log", "error"]) == 0
    printed = capsys.readouterr().out
    assert "what cannot be given, and why" in printed
    assert all(row["title"] in printed for row in rows)


def test_all_machines_at_once_and_by_the_day(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    week = ("--from", "2016-10-10", "--to", "2016-10-12")
    rows = answer(capsys, "report", "states", "--store", str(history), *week, "--by", "hour")
    assert {row["asset"] for row in rows} == {*MACHINES, *EMPTY}
    for asset in MACHINES:
        seconds = [row["seconds"] for row in rows if row["asset"] == asset]
        assert sum(seconds) == pytest.approx(2 * 86_400, abs=0.001)
    rows = answer(
        capsys, "report", "kpi", "--asset", "Mazak01", "--store", str(history), *week, "--by", "day"
    )
    assert len(rows) == 2 * 34


def test_a_day_is_one_of_the_zone(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("report", "states", "--asset", "Mazak03", "--store", str(history))
    rows = answer(
        capsys, *asked, "--from", "2016-10-10", "--to", "2016-10-12", "--tz", "Asia/Seoul"
    )
    assert {row["day"] for row in rows} == {"2016-10-10", "2016-10-11"}
    assert sum(row["seconds"] for row in rows) == pytest.approx(2 * 86_400, abs=0.001)


def test_without_a_period_it_is_that_of_the_data(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "history")
    load = ("import", "mtconnect-log", *logs(shared_data, "Mazak01")[1:3])
    answer(capsys, *load, "--asset", "m1", "--store", store)
    (first,) = answer(capsys, "query", "SELECT min(time) AS t FROM events", "--store", store)
    days = {row["day"] for row in answer(capsys, "report", "states", "--store", store)}
    assert min(days) == first["t"][:10]
    rows = answer(capsys, "report", "kpi", "--store", store)
    assert {row["start"][:10] for row in rows} == {first["t"][:10]}


def test_importing_twice_changes_nothing(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = (
        "import", "mtconnect-log", *logs(shared_data, "Mazak01")[:2], "--asset", "m1",
        "--store", str(tmp_path / "history"),
    )  # fmt: skip
    ask = (
        "query",
        "SELECT count(*) AS n, round(sum(value)) AS s FROM samples",
        "--store",
        load[-1],
    )
    events = ("query", "SELECT count(*) AS n FROM events", "--store", load[-1])
    first = answer(capsys, *load)
    assert first["samples"] > 0
    assert first["events"] > 0
    before = (answer(capsys, *ask), answer(capsys, *events))
    answer(capsys, *load)
    assert (answer(capsys, *ask), answer(capsys, *events)) == before
    assert answer(capsys, "verify", "--store", load[-1]) == []


# ---- odd invocations: exit codes, words, and JSON that stays whole

Odd = tuple[list[str], int, str]


@pytest.fixture
def odd(history: Path, tmp_path: Path) -> dict[str, Odd]:
    """Commands that cannot be answered: arguments, exit code, words that must be told."""
    here = ["--store", str(history)]
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("words")
    return {
        "no such log": (
            [
                "import",
                "mtconnect-log",
                "nowhere.txt",
                "--asset",
                "m",
                "--store",
                str(tmp_path / "h"),
            ],
            2,
            "no such file: nowhere.txt",
        ),
        "no such store": (["report", "states", "--store", "nowhere"], 2, "no such folder"),
        "a store that is a file": (
            ["report", "states", "--store", str(tmp_path / "file.txt")],
            2,
            "no such folder",
        ),
        "a folder that is no history": (
            ["report", "kpi", "--store", str(tmp_path / "empty")],
            2,
            "holds no history",
        ),
        "no such zone": (
            ["report", "states", *here, "--tz", "Asia/Seul"],
            2,
            "no such time zone",
        ),
        "no such time": (["report", "states", *here, "--from", "yesterday"], 2, "--from yesterday"),
        "from after to": (
            ["report", "states", *here, "--from", "2016-11-01", "--to", "2016-10-01"],
            2,
            "is not before",
        ),
        "no such asset": (
            ["report", "states", *here, "--asset", "Mazak99"],
            1,
            "no state signal of Mazak99",
        ),
        "no such signal": (
            ["query", *here, "--signal", "Mazak01.nothing"],
            2,
            "Mazak01.nothing: not in this history",
        ),
        "no such bucket": (
            ["query", *here, "--signal", "Mazak01.execution", "--every", "soon"],
            2,
            "--every soon",
        ),
        "no SQL": (["query", "SELEC 1", *here], 2, "SELEC"),
        "a write": (["query", "DELETE FROM samples", *here], 2, ""),
        "no such factory": (
            ["report", "kpi", *here, "--factory", "nowhere.toml"],
            2,
            "is not there",
        ),
        "verify nothing": (["verify", "--store", str(tmp_path / "empty")], 2, "no history"),
        "export nothing": (
            ["export", str(tmp_path / "x.csv"), *here, "--signal", "nobody.here"],
            2,
            "not in this history",
        ),
        "export to what": (["export", str(tmp_path / "x.xlsx"), *here], 2, ".csv"),
        "export to nowhere": (["export", str(tmp_path / "no/x.csv"), *here], 2, "no"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "no such log", "no such store", "a store that is a file", "a folder that is no history",
        "no such zone", "no such time", "from after to", "no such asset", "no such signal",
        "no such bucket", "no SQL", "a write", "no such factory", "verify nothing",
        "export nothing", "export to what", "export to nowhere",
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_told_in_words_and_in_json(
    odd: dict[str, Odd], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, code, words = odd[name]
    assert main([*arguments, "--log", "error"]) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    problem = answer(capsys, *arguments, code=code)
    assert words in json.dumps(problem)
