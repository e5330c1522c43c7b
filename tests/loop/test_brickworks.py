"""The whole loop in simulated time: machine, historian, insight, decision, gate, machine; twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from deungdae.app import describe
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import SimulatedClock, from_iso
from deungdae.core.ports import Samples
from deungdae.core.types import MINUTE, SECOND, Event, Finding
from deungdae.historian.journal import Entry, Journal
from deungdae.historian.store import Historian

pytestmark = pytest.mark.timeout(300)  # for two runs of 90 minutes; the machine may be busy
BEGIN = from_iso("2026-03-02T08:00:00+09:00")
SETTLED = BEGIN + 20 * MINUTE
KILLED = BEGIN + 80 * MINUTE
END = BEGIN + 90 * MINUTE
SET_POINT = 1200.0
FACTORY = """
[factory]
id = "brickworks"
timezone = "Asia/Seoul"

[calendar]
shifts = [{ name = "day", start = "08:00", end = "20:00" }]

[machines.kiln]
type = "simulated"
model = "kiln"
seed = 7
period = 2.0

[machines.press]
type = "simulated"
model = "press"
seed = 11
period = 2.0
parameters = { failure_every = 1800, repair = 120, wait_every = 300, wait = 30 }

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"
low = 0
high = 1600

[[signals]]
id = "kiln1.valve"
unit = "%"
source = "kiln:valve"
access = "rw"
low = 0
high = 100

[[signals]]
id = "press1.state"
kind = "state"
source = "press:state"

[[signals]]
id = "press1.count"
unit = "{part}"
source = "press:count"

[[signals]]
id = "press1.rejects"
unit = "{part}"
source = "press:rejects"

[[signals]]
id = "press1.energy"
unit = "kW.h"
source = "press:energy"

[insight.press_kpi]
type = "kpi"
asset = "press1"
state = "press1.state"
count = "press1.count"
reject = "press1.rejects"
energy = "press1.energy"
cycle = 4.0
every = 60
coverage = 0

[decide.kiln_temperature]
type = "loop"
measurement = "kiln1.temperature"
output = "kiln1.valve"
set_point = 1200
kp = 1.4
ti = 340
rate = 1.5
low = 10
high = 90

[decide.gate]
type = "gate"
mode = "auto"

[[decide.gate.writable]]
signal = "kiln1.valve"
low = 10
high = 90
step = 5
rate = 2
interval = 0.5
interlocks = [{ signal = "kiln1.temperature", low = 600, high = 1350 }]
"""


class Run(NamedTuple):
    """All that is left of a run."""

    head: str
    entries: list[Entry]
    samples: dict[str, Samples]
    events: list[Event]
    findings: list[Finding]
    damage: list[str]


def run(folder: Path) -> Run:
    """Run the factory over the simulated shift, with somebody who kills it near its end."""
    (folder / "factory.toml").write_text(FACTORY)
    factory, clock = describe.read(folder), SimulatedClock(BEGIN)

    async def main() -> Run:
        with Historian(folder, clock=clock) as store, Journal(folder / "journal", clock) as journal:
            control = Control(factory, journal, Live(), clock)
            runtime = Runtime(factory, store, control, clock)
            control.findings = runtime.intake.conclude
            task = asyncio.create_task(runtime.run())
            await clock.sleep((KILLED - BEGIN) / SECOND + 0.5)
            await control.kill("kim", "smoke over the kiln")
            await clock.sleep((END - KILLED) / SECOND)
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return Run(
                journal.head(),
                journal.read(BEGIN, END + MINUTE),
                store.query(list(factory.signals), BEGIN, END),
                store.events(BEGIN, END),
                store.findings(BEGIN, END),
                store.verify(),
            )

    return clock.run(main())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    return run(tmp_path_factory.mktemp("first")), run(tmp_path_factory.mktemp("second"))


def test_two_runs_are_the_same_to_the_last_bit(runs: tuple[Run, Run]) -> None:
    first, second = runs
    assert first.head == second.head
    assert first.entries == second.entries
    assert first.events == second.events
    assert first.findings == second.findings
    for id, samples in first.samples.items():
        again = second.samples[id]
        assert samples.time.tobytes() == again.time.tobytes()
        assert samples.value.tobytes() == again.value.tobytes()
        assert samples.status.tobytes() == again.status.tobytes()


def test_every_sample_is_there(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    for id in ("kiln1.temperature", "kiln1.valve", "press1.count"):
        steps = np.diff(first.samples[id].time)
        assert (np.abs(steps - 2 * SECOND) < 1000).all()  # ns; waits are floats
        assert len(steps) == (END - BEGIN) // (2 * SECOND) - 1
        assert not first.samples[id].status.any()
    assert first.damage == []


def test_the_kiln_is_held_at_its_set_point(runs: tuple[Run, Run]) -> None:
    temperature = runs[0].samples["kiln1.temperature"]
    held = (temperature.time >= SETTLED) & (temperature.time < KILLED)
    off = temperature.value[held] - SET_POINT
    # each cold wagon, every 40 minutes, takes it down for some minutes
    assert abs(np.median(off)) < 3.0
    assert np.mean(np.abs(off) < 25.0) > 0.9
    assert np.abs(off).max() < 80.0


def test_each_write_was_in_the_journal_before_the_machine_held_it(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    kinds = [entry.kind for entry in first.entries]
    assert kinds.count("permit") == kinds.count("written") > 100
    permitted = {entry.data["id"]: entry.time for entry in first.entries if entry.kind == "permit"}
    valve = first.samples["kiln1.valve"]
    for entry in first.entries:
        if entry.kind != "written":
            continue
        assert entry.data["read_back"] == entry.data["value"]
        assert permitted[entry.data["id"]] <= entry.time
    written = {entry.data["value"] for entry in first.entries if entry.kind == "permit"}
    assert set(valve.value[1:].tolist()) <= written | {valve.value[0]}


def test_the_kill_switch_stops_the_writes(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    after = [entry for entry in first.entries if entry.time >= KILLED + SECOND]
    assert after
    assert {entry.kind for entry in after} == {"refusal"}
    assert {entry.data["rule"] for entry in after} == {"kill-switch"}
    assert len(after) <= 11  # one a minute
    valve = first.samples["kiln1.valve"]
    assert len(set(valve.value[valve.time > KILLED + SECOND].tolist())) == 1


def test_the_press_has_its_effectiveness(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    oee = [finding for finding in first.findings if finding.name == "oee"]
    assert len(oee) >= 80
    last = oee[-1]
    assert (last.origin, last.asset) == ("press_kpi", "press1")
    assert last.value is not None
    assert 30 < last.value < 100
    states = {event.value for event in first.events if event.id == "press1.state"}
    assert {"running", "idle", "down"} <= states
