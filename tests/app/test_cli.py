"""The command line: what each verb prints for people and for programs, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pyarrow import parquet

from deungdae.app import remote
from deungdae.app.cli import main, parser
from deungdae.app.reference import schema
from deungdae.core import registry
from deungdae.core.clock import from_iso
from deungdae.core.types import DAY, MINUTE, SECOND, Batch, Event, Signal
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples/brickworks/factory.toml"
BEGIN = from_iso("2026-03-02T08:00:00Z")
PERIOD = ("--from", "2026-03-02", "--to", "2026-03-03")
VERBS = sorted(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr,arg-type]


class Asked:
    """Runs commands and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Return what a command prints."""
        self._capsys.readouterr()
        assert main([*arguments, "--log", "error"]) == code
        return self._capsys.readouterr().out

    def words(self, *arguments: str, code: int) -> str:
        """Return what a command says beside its answer."""
        self._capsys.readouterr()
        assert main([*arguments, "--log", "error"]) == code
        return self._capsys.readouterr().err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Return the one JSON document that a command prints."""
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(capsys)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A morning of a press: one count a second for an hour, some states, a journal."""
    folder = tmp_path_factory.mktemp("press") / "history"
    with Historian(folder) as store, Journal(folder / "journal") as journal:
        signals = [
            Signal(id="press.count", unit="{part}"),
            Signal(id="press.state", kind="state"),
            Signal(id="press.empty", unit="kW"),
        ]
        store.register(signals)
        times = range(BEGIN, BEGIN + 60 * MINUTE, SECOND)
        states = [
            Event(id="press.state", time=BEGIN + i * 10 * MINUTE, kind="state", value=word)
            for i, word in enumerate(("running", "idle", "running", "down", "running", "idle"))
        ]
        store.append(
            [
                Batch.of([0] * 3600, times, range(3600), [2 * (i == 7) for i in range(3600)],
                         received=BEGIN),
                *states,
            ]
        )  # fmt: skip
        journal.append("login", {"what": "a test"}, "kim")
    return folder


# ---- help


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"deungdae {verb}" in text
    assert "--json" in text


def test_the_verbs_of_the_design_are_there() -> None:
    assert {"init", "check", "run", "demo", "discover", "import", "query", "export"} <= set(VERBS)
    assert {"report", "verify", "list", "new", "docs"} <= set(VERBS)


def test_the_command_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("deungdae ")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["report", "nonsense"], ["query"]])
def test_what_is_no_command_is_wrong_input(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


# ---- init, check


def test_a_new_factory_is_sound_and_never_written_over(ask: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert "deungdae check" in ask("init", str(folder))
    assert "no errors" in ask("check", str(folder))
    assert ask.json("check", str(folder / "factory.toml"))["factory"]
    (folder / "factory.toml").write_text("mine")
    assert "is there already" in ask.json("init", str(folder), code=2)["error"]
    assert (folder / "factory.toml").read_text() == "mine"


def test_an_empty_factory_waits_for_its_first_run(ask: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert "/start" in ask("init", str(folder), "--empty")
    assert ask.json("check", str(folder)) == {"factory": "my_factory", "signals": 0, "rooms": {}}


def test_init_answers_in_json(ask: Asked, tmp_path: Path) -> None:
    assert ask.json("init", str(tmp_path / "new")) == {"file": str(tmp_path / "new/factory.toml")}


def test_check_names_every_fault_with_its_line(ask: Asked, tmp_path: Path) -> None:
    file = tmp_path / "factory.toml"
    for beside in ("signals.csv", "line.toml"):
        shutil.copy(DEMO.parent / beside, tmp_path)
    text = DEMO.read_text().replace("kp =", "kq =").replace("period =", "perod =")
    file.write_text(text.replace('timezone = "Asia/Seoul"', 'timezone = "Asia/Soul"'))
    faults = ask.json("check", str(file), code=2)["faults"]
    assert {fault["key"].rpartition(".")[2] for fault in faults} >= {"timezone", "kq", "kp"}
    assert all(fault["line"] and fault["problem"] for fault in faults)
    words = ask.words("check", str(file), code=2)
    assert f"{len(faults)} errors; nothing was started" in words


def test_check_of_nothing(ask: Asked, tmp_path: Path) -> None:
    assert "is not there" in ask.json("check", str(tmp_path), code=2)["faults"][0]["problem"]


# ---- list, docs


def test_list_tells_what_there_is(ask: Asked) -> None:
    rows = ask.json("list")
    assert {(row["room"], row["type"]) for row in rows} >= {
        ("machines", "opcua"),
        ("insight", "kpi"),
        ("decide", "gate"),
    }
    assert all(row["what"] for row in rows)
    machines = ask.json("list", "machines")
    assert [row["type"] for row in machines] == registry.names("machines")
    assert "opcua" in ask("list", "machines")


def test_docs_are_written(ask: Asked, tmp_path: Path) -> None:
    files = ask.json("docs", str(tmp_path / "reference"))
    assert {Path(file).name for file in files} == {
        "options.md", "commands.md", "line.md", "errors.md", "imports.md",
        "factory.schema.json", "line.schema.json", "dataset.md", "dataset.schema.json",
    }  # fmt: skip
    for file in files:
        assert len(Path(file).read_text()) > 500
    text = (tmp_path / "reference/commands.md").read_text()
    assert all(f"## `deungdae {verb}`" in text for verb in VERBS)


def test_the_schema_is_one_and_takes_the_demo_but_no_mistakes() -> None:
    import tomllib

    found = schema()
    jsonschema_rs.meta.validate(found)
    judge = jsonschema_rs.validator_for(found)

    def read(path: Path) -> Any:
        """Return a file as editors see it: TOML's own dates as text."""
        return json.loads(json.dumps(tomllib.loads(path.read_text()), default=str))

    demo = read(DEMO)
    assert [error.message for error in judge.iter_errors(demo)] == []
    template = ROOT / "src/deungdae/app/cli/factory.template.toml"
    assert list(judge.iter_errors(read(template))) == []
    for table, key, value in (
        ("factory", "idd", "x"),
        ("factory", "currency", "won"),
        ("historian", "pathh", "x"),
        ("machines", "kiln", {"type": "opcua", "urll": "x"}),
        ("machines", "kiln", {"type": "nonsense"}),
    ):
        spoilt = {**demo, table: {**demo[table], key: value}}
        assert list(judge.iter_errors(spoilt)), (table, key)


# ---- query, export


def test_query_lists_the_signals(ask: Asked, history: Path) -> None:
    rows = ask.json("query", "--store", str(history))
    assert [row["id"] for row in rows] == ["press.count", "press.state", "press.empty"]
    assert "press.count" in ask("query", "--store", str(history))


def test_query_gives_samples_and_states_of_a_period(ask: Asked, history: Path) -> None:
    asked = ("query", "--store", str(history), "--signal", "press.count", "--signal", "press.state")
    rows = ask.json(*asked, "--from", "2026-03-02T08:00:05Z", "--to", "2026-03-02T08:10:01Z")
    counts = [row for row in rows if row["id"] == "press.count"]
    assert counts[0] == {
        "id": "press.count", "time": "2026-03-02T08:00:05Z", "value": 5.0, "status": "good",
    }  # fmt: skip
    assert len(counts) == 596
    assert counts[2]["status"] == "bad"
    assert [row["value"] for row in rows if row["id"] == "press.state"] == ["idle"]
    seoul = ask.json(
        *asked, "--from", "2026-03-02T17:00", "--to", "2026-03-02T17:01", "--tz", "Asia/Seoul"
    )
    assert seoul[0]["time"] == "2026-03-02T17:00:00+09:00"
    assert len(seoul) == 61


def test_query_gives_means(ask: Asked, history: Path) -> None:
    asked = ("query", "--store", str(history), "--signal", "press.count", *PERIOD)
    rows = ask.json(*asked, "--every", "10m")
    assert [row["count"] for row in rows] == [599, 600, 600, 600, 600, 600]
    assert (rows[1]["min"], rows[1]["max"], rows[1]["mean"]) == (600.0, 1199.0, 899.5)
    assert "10m" not in ask(*asked, "--every", "1h")


def test_a_signal_without_samples_is_an_empty_answer(ask: Asked, history: Path) -> None:
    asked = ("query", "--store", str(history), "--signal", "press.empty")
    assert ask.json(*asked) == []
    assert "no samples in this period" in ask.words(*asked, code=0)


def test_query_takes_one_select(ask: Asked, history: Path) -> None:
    store = ("--store", str(history))
    (row,) = ask.json("query", "SELECT count(*) AS n, max(value) AS top FROM samples", *store)
    assert row == {"n": 3600, "top": 3599.0}
    rows = ask.json("query", "SELECT id, time, value FROM events ORDER BY time LIMIT 1", *store)
    assert rows[0]["value"] == "running"
    assert "3600" in ask("query", "SELECT count(*) AS n FROM samples", *store)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM samples",
        "DROP TABLE signals",
        "INSERT INTO events SELECT * FROM events",
        "CREATE TABLE x AS SELECT 1",
        "COPY samples TO '{folder}/x.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT 1; DELETE FROM samples",
        "ATTACH '{folder}/other.duckdb'",
        "INSTALL httpfs",
    ],
)
def test_query_changes_nothing_and_reads_nothing_else(
    ask: Asked, history: Path, tmp_path: Path, sql: str
) -> None:
    store = ("--store", str(history))
    assert ask.json("query", sql.format(folder=tmp_path), *store, code=2)["error"]
    assert ask.json("query", "SELECT count(*) AS n FROM samples", *store) == [{"n": 3600}]
    assert list(tmp_path.iterdir()) == []


def test_export_writes_tables(ask: Asked, history: Path, tmp_path: Path) -> None:
    store = ("--store", str(history), *PERIOD)
    target = tmp_path / "press.csv"
    assert ask.json("export", str(target), *store) == {"file": str(target), "rows": 3600}
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3600
    assert (rows[0]["id"], float(rows[9]["value"])) == ("press.count", 9.0)
    target = tmp_path / "press.parquet"
    assert "wrote 3,600 samples" in ask("export", str(target), *store, "--signal", "press.count")
    assert parquet.read_table(target).num_rows == 3600
    none = ask.json("export", str(tmp_path / "none.csv"), *store, "--signal", "press.empty")
    assert none["rows"] == 0


# ---- report


def test_reports_for_people_and_programs(ask: Asked, history: Path) -> None:
    store = ("--store", str(history), *PERIOD)
    rows = ask.json("report", "states", *store)
    found = {row["state"]: row["seconds"] for row in rows}
    assert found["running"] == pytest.approx(1800.0)
    assert found["down"] == pytest.approx(600.0)
    assert sum(found.values()) == pytest.approx(86_400.0)
    assert "running" in ask("report", "states", *store, "--by", "all")
    assert len(ask.json("report", "kpi", *store)) == 34


def test_how_good_the_alarms_are(ask: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    with Historian(folder) as store:
        store.append(
            [
                Event(id="press.jam", time=BEGIN + n * MINUTE, kind="alarm", value=word)
                for n, word in enumerate(("active", "normal", "active"))
            ]
        )
    asked = ("report", "alarms", "--store", str(folder), *PERIOD)
    told = ask.json(*asked)
    assert told["told"] == 2
    verdicts = {figure["name"]: figure["verdict"] for figure in told["figures"]}
    assert (verdicts["per_hour"], verdicts["top_ten"]) == ("good", "too_much")
    assert "press.jam" in ask(*asked)


def test_a_report_of_a_history_without_states_says_so(ask: Asked, tmp_path: Path) -> None:
    with Historian(tmp_path / "history") as store:
        store.register([Signal(id="kiln.temperature", unit="Cel")])
        store.append([Batch.of([0], [BEGIN], [1.0], received=BEGIN)])
    asked = ("report", "states", "--store", str(tmp_path / "history"))
    assert "not enough data" in ask.json(*asked, code=1)["error"]


def test_the_trace_of_a_code(ask: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    told = [("press.part", "B1", {"lot": "M1"}), ("robot.part", "B1", {"into": "P1"})]
    with Historian(folder) as store:
        store.append(
            [
                Event(id=id, time=BEGIN + n * MINUTE, kind="scan", value=code, data=data)
                for n, (id, code, data) in enumerate(told)
            ]
        )
    asked = ("--store", str(folder))
    life = ask.json("report", "trace", "b1", *asked)
    assert [step["station"] for step in life["steps"]] == ["press", "robot"]
    assert (life["backward"], life["forward"]) == ({"lot": 1}, {"carrier": 1})
    assert "went into: 1 serial, 1 carrier" in ask("report", "trace", "M1", *asked)
    rows = ask.json("report", "trace", "M1", "--recall", *asked)
    assert [(row["code"], row["in"]) for row in rows] == [("M1", ""), ("B1", "P1"), ("P1", "")]
    assert "codes like it: B1" in ask.json("report", "trace", "B9", *asked, code=1)["error"]
    assert "needs a code" in ask.json("report", "trace", *asked, code=2)["error"]


# ---- verify


def test_a_sound_history_has_no_damage(ask: Asked, history: Path) -> None:
    assert ask.json("verify", "--store", str(history)) == []
    assert "no damage found" in ask.words("verify", "--store", str(history), code=0)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A history with a day in a file, and a journal."""
    folder = tmp_path / "history"
    with Historian(folder) as store, Journal(folder / "journal") as journal:
        store.register([Signal(id="press.count")])
        times = range(BEGIN, BEGIN + 60 * MINUTE, SECOND)
        store.append([Batch.of([0] * 3600, times, range(3600), received=BEGIN)])
        for day in range(400, 410):
            while store.tidy(BEGIN + day * DAY):
                pass
        for number in range(5):
            journal.append("login", {"number": number}, "kim")
    return folder


def test_a_damaged_day_is_found(ask: Asked, damaged: Path) -> None:
    (day,) = (damaged / "days").iterdir()
    data = bytearray(day.read_bytes())
    data[len(data) // 2] ^= 0x10
    day.write_bytes(data)
    (row,) = ask.json("verify", "--store", str(damaged), code=1)
    assert day.name in row["problem"]


def test_a_changed_journal_is_found(ask: Asked, damaged: Path) -> None:
    (file,) = (damaged / "journal").glob("*.jsonl")
    file.write_text(file.read_text().replace('"number":2', '"number":7'))
    (row,) = ask.json("verify", "--store", str(damaged), code=1)
    assert row["problem"].startswith("journal: ")


def test_a_journal_whose_end_is_damaged_is_found(ask: Asked, damaged: Path) -> None:
    (file,) = (damaged / "journal").glob("*.jsonl")
    file.write_text(file.read_text().replace('"number":4', '"number":7'))
    (row,) = ask.json("verify", "--store", str(damaged), code=1)
    assert row["problem"].startswith("journal: ")


# ---- run


FACTORY = """
[factory]
id = "brickworks"

[app]
port = {port}

[machines.kiln]
type = "simulated"
model = "kiln"
period = 0.05

[machines.press]
type = "simulated"
model = "press"
period = 0.05

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"

[[signals]]
id = "press1.state"
kind = "state"
source = "press:state"
"""
COMMAND = (sys.executable, "-c", "import sys; from deungdae.app.cli import main; sys.exit(main())")


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "run", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def samples(folder: Path, ask: Asked) -> list[str]:
    """Return the times of what is stored, asked of the running factory."""
    sql = "SELECT time FROM samples WHERE id = 'kiln1.temperature' ORDER BY time"
    return [row["time"] for row in ask.json("query", sql, "--store", str(folder / "history"))]


def until(condition: Callable[[], bool], within: float = 30.0) -> float:
    """Wait until something holds; return how long that took, s."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within
        time.sleep(0.05)
    return time.monotonic() - begun


def is_up(folder: Path) -> bool:
    """Return whether the factory answers, and has more than a little to tell."""
    found = remote.find(folder / "history")
    if found is None:
        return False
    return int(found.sql("SELECT count(*) AS n FROM samples").column("n")[0].as_py()) > 20


def test_a_running_factory_answers_and_stops_when_asked(
    ask: Asked, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    (tmp_path / "factory.toml").write_text(FACTORY.format(port=free_port()))
    process = started(tmp_path)
    try:
        until(lambda: is_up(tmp_path))
        store = ("--store", str(tmp_path / "history"))
        assert ask.json("query", *store)
        assert ask.json("query", *store, "--signal", "kiln1.temperature", "--every", "1s")
        assert ask.json("report", "states", *store)
        target = tmp_path / "out.parquet"
        assert ask.json("export", str(target), *store)["rows"] > 20
        assert "a factory runs on it" in ask.json("verify", *store, code=2)["error"]
        process.send_signal(signal.SIGTERM)
        out, words = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "is running" in out
    assert "Traceback" not in words
    assert ask.json("verify", *store) == []


def test_a_killed_factory_loses_nothing_it_had_acknowledged(
    ask: Asked, tmp_path: Path, free_port: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: what a query gave once is given for ever. P4: how long it takes to be back is printed."""
    (tmp_path / "factory.toml").write_text(FACTORY.format(port=free_port()))
    process = started(tmp_path)
    try:
        until(lambda: is_up(tmp_path))
        acknowledged = samples(tmp_path, ask)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        killed = time.time_ns()
        time.sleep(11.0)  # s; shorter absences are no gap
        process = started(tmp_path)
        took = until(lambda: is_up(tmp_path) and len(samples(tmp_path, ask)) > len(acknowledged))
        with capsys.disabled():
            print(f"new samples {took:.1f} s after the start that followed a kill -9")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    store = ("--store", str(tmp_path / "history"))
    assert ask.json("verify", *store) == []
    found = samples(tmp_path, ask)
    assert found[: len(acknowledged)] == acknowledged
    with Historian(tmp_path / "history") as history:
        (gap,) = history.events(0, time.time_ns(), kinds=["gap"])
    assert gap.id == "press1.state"
    assert gap.time <= killed < int(gap.data["until"])
    assert killed - gap.time < 2 * SECOND
    rows = ask.json("report", "states", *store, "--by", "all")
    unknown = sum(row["seconds"] for row in rows if row["state"] == "unknown")
    assert unknown >= 10.0


def test_a_second_factory_on_the_same_history_is_refused(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    (tmp_path / "factory.toml").write_text(FACTORY.format(port=free_port()))
    with Historian(tmp_path / "history"):
        done = subprocess.run(
            [*COMMAND, "run", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 2
    assert "is held by a running instance" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_invalid_factory_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_text("[factory]\nidd = 'x'\n")
    done = subprocess.run(
        [*COMMAND, "run", str(tmp_path)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 2
    assert "nothing was started" in done.stderr


def test_a_pipe_that_closes_early_is_no_error() -> None:
    done = subprocess.run(
        f'{sys.executable} -c "{COMMAND[2]}" list | head -1',
        shell=True, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.stdout
