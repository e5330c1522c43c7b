"""The days before a demo: the same line and machines, written as doors would have brought it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec
import pytest

from deungdae.app import describe, past
from deungdae.app.alarms import records
from deungdae.app.past import BEFORE, NOTE
from deungdae.core.types import HOUR, MINUTE
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.insight.alarms import AlarmOptions, replay
from deungdae.sim.works import Before

BRICKWORKS = Path(__file__).resolve().parents[2] / "examples" / "brickworks"
DAYS = 0.25


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("past") / "works"
    shutil.copytree(BRICKWORKS, folder)
    until = time.time_ns()
    past.write(folder, until, DAYS)
    return folder, until


def test_it_holds_what_the_doors_would_have_brought_and_ends_where_life_begins(
    told: tuple[Path, int],
) -> None:
    folder, until = told
    start = until - round(DAYS * 24 * HOUR)
    signals = describe.read(folder / "factory.toml").signals
    with Historian(folder / "history") as store:
        events = store.events(0, until + 365 * 24 * HOUR)
        numbers = store.query([s.id for s in signals.values() if s.kind == "number"], 0, 2 * until)
    times = [event.time for event in events if event.id != NOTE]
    assert start <= min(times)
    assert max(times) <= until
    ids = {event.id for event in events}
    asked = {s.id for s in signals.values() if s.kind in ("state", "scan")}
    assert asked - ids <= {"press-2.order", "press-1.order", "mixer.order"}  # may not have changed
    silent = {id for id, samples in numbers.items() if not len(samples)}
    assert not silent
    assert all(samples.time.max() <= until for samples in numbers.values())
    for id in ("press-1.count", "press-2.energy", "kiln.gas", "press-1.energy"):
        assert (numbers[id].value[1:] >= numbers[id].value[:-1]).all(), id
    parts = [event for event in events if event.id == "press-2.part"]
    assert {"product", "result", "lot", "order"} <= parts[-1].data.keys()
    pallets = [event for event in events if event.id == "robot.part"]
    assert pallets[-1].data["into"].startswith("P-")


def test_bricks_are_inspected_and_control_charts_begin_with_points(told: tuple[Path, int]) -> None:
    folder, until = told
    with Historian(folder / "history") as store:
        findings = store.findings(0, until)
    verdicts = [each.evidence["verdict"] for each in findings if each.name == "inspection"]
    assert 0 < verdicts.count("reject") < 0.1 * verdicts.count("pass")
    charts = {each.origin for each in findings if each.name == "control"}
    assert charts == {"density", "kiln_drift"}


def test_a_down_press_has_an_alarm_and_the_alarm_returns_to_normal(
    told: tuple[Path, int],
) -> None:
    folder, until = told
    with Historian(folder / "history") as store:
        events = store.events(0, until)
    for press in ("press-1", "press-2"):
        alarms = {f"{press}.{name}" for name in ("hydraulics", "ejector", "filling", "guard")}
        downs = [e.time for e in events if e.id == f"{press}.state" and e.value == "down"]
        rings = [e.time for e in events if e.id in alarms and e.value == "1"]
        quiet = [e.time for e in events if e.id in alarms and e.value == "0"]
        assert rings == downs
        assert all(any(later > ring for later in quiet) for ring in rings[:-1])


def test_it_says_that_it_is_simulated(told: tuple[Path, int]) -> None:
    folder, until = told
    with Historian(folder / "history") as store:
        (note,) = store.events(0, until, ids=[NOTE])
    assert (note.kind, note.value) == ("note", "simulated past")
    with Journal(folder / "history" / "journal") as journal:
        (entry,) = [each for each in journal.read(0, 2 * until) if each.kind == "past"]
    assert entry.data["simulated"] is True


def test_the_plant_can_go_on_with_it(told: tuple[Path, int]) -> None:
    folder, _ = told
    before = msgspec.json.decode((folder / BEFORE).read_bytes(), type=Before)
    with Historian(folder / "history") as store:
        last = store.last(["press-1.count"]).value[0]
    assert before.values["press-1/BrickPress"]["count"] == last
    assert before.left.counts.lot > 0
    assert before.said["press-1"]["order"].startswith("O-")


def test_bricks_wait_before_the_camera_when_it_ends(told: tuple[Path, int]) -> None:
    """Wagons come an hour or two apart: who begins between two would see no brick inspected."""
    folder, _ = told
    before = msgspec.json.decode((folder / BEFORE).read_bytes(), type=Before)
    assert len(before.snapshot.buffers["fired"]) > 0.9 * past.WAITING


def test_a_brick_stays_on_its_pallet_in_the_store(told: tuple[Path, int]) -> None:
    folder, until = told
    with Historian(folder / "history") as store:
        events = store.events(0, until, ids=["robot.part", "store.part"])
    put = {each.value: each.data["into"] for each in events if each.id == "robot.part"}
    stored = [each for each in events if each.id == "store.part" and each.value in put]
    assert stored
    assert all(each.data["carrier"] == put[each.value] for each in stored)


def test_people_of_the_shift_have_seen_what_alarms_came(told: tuple[Path, int]) -> None:
    folder, until = told
    wanted = AlarmOptions()
    with Historian(folder / "history") as store:
        board, steps = replay(wanted, records(store, wanted, 0, until), until)
    seen = [step.person for step in steps if step.what == "acknowledged"]
    assert seen
    assert set(seen) <= set(past.OPERATORS)
    waiting = [alarm for alarm in board.shown() if alarm.state in ("unacknowledged", "returned")]
    assert all(alarm.told > until - 6 * MINUTE for alarm in waiting)
