"""A factory that restarts goes on as if it had not: limits, sums, runs and lasting alarms."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from deungdae.app import describe
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import SimulatedClock, from_iso
from deungdae.core.types import MINUTE, SECOND, Batch, Finding, FloatArray
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

pytestmark = pytest.mark.timeout(300)  # for three runs; the machine may be busy
BEGIN = from_iso("2026-03-02T08:00:00+09:00")
STRANGE = BEGIN + 18 * MINUTE  # from here on the pump is unlike before, and bricks grow
RESTART = BEGIN + 20 * MINUTE
END = BEGIN + 22 * MINUTE
STEP = 10 * SECOND
IDS = (
    "pump.flow",
    "pump.pressure",
    "pump.current",
    "press.length",
    "press.width",
    "pump.vibration",
)
FACTORY = """
[factory]
id = "brickworks"
timezone = "Asia/Seoul"

[insight.pump]
type = "anomaly"
signals = ["pump.flow", "pump.pressure", "pump.current"]
trained_from = "2026-03-02T08:00:00"
trained_until = "2026-03-02T08:17:00"
smooth = 4

[insight.small_shift]
type = "spc"
signal = "press.length"
chart = "ewma"
trained_from = "2026-03-02T08:00:00"

[insight.sums]
type = "spc"
signal = "press.length"
chart = "cusum"
centre = 230
sigma = 1
trained_from = "2026-03-02T08:00:00"

[insight.means]
type = "spc"
signal = "press.length"
chart = "xbar_r"
subgroup = 7
learn = 10
trained_from = "2026-03-02T08:00:00"

[insight.size]
type = "spc"
signal = "press.length"
together = ["press.width"]
chart = "t2"
learn = 50
trained_from = "2026-03-02T08:00:00"

[insight.shaking]
type = "condition"
signal = "pump.vibration"
kind = "rms"
every = 10

[insight.forgetful]
type = "spc"
signal = "press.length"
chart = "ewma"
learn = 5
""" + "".join(f'[[signals]]\nid = "{id}"\n' for id in IDS)


def measured() -> FloatArray:
    """Return what the machines measure, a row each ten seconds, [n, 6]."""
    random = np.random.default_rng(5)
    rows = (END - BEGIN) // STEP
    pump, brick = random.standard_normal((2, rows, 1))
    value = np.hstack([50 + pump * [1.0, 0.8, -0.5], np.array([230.0, 114.0]) + brick * 0.9])
    value += 0.3 * random.standard_normal((rows, 5))
    late = (STRANGE - BEGIN) // STEP
    value[late:, 2] -= 3
    value[late:, 3:] += [0.6, 0.0]
    # it shakes more and more; the last blocks before the restart are in zone C
    shaking = 1.0 + 2.2 * np.arange(rows) / ((RESTART - BEGIN) // STEP)
    return np.column_stack([value, shaking + 0.02 * random.standard_normal(rows)])


def run(folder: Path, restart: int | None = None) -> dict[str, list[Finding]]:
    """Return what was concluded, by analysis; restart: when all that was in memory is lost."""
    folder.mkdir()
    (folder / "factory.toml").write_text(FACTORY)
    factory, clock = describe.read(folder), SimulatedClock(BEGIN)
    value = measured()

    async def live(store: Historian, journal: Journal, until: int) -> None:
        control = Control(factory, journal, Live(), clock)
        runtime = Runtime(factory, store, control, clock)
        task = asyncio.create_task(runtime.run())
        await runtime.ready.wait()
        handles = [runtime.live.handles[id] for id in IDS]
        while (now := clock.now()) < until:
            row = (now - BEGIN) // STEP
            time = BEGIN + row * STEP + STEP // 2
            await clock.sleep((time - now) / SECOND)
            await runtime.intake.put(
                Batch.of(handles, [time] * len(IDS), value[row], received=time)
            )
            await clock.sleep((BEGIN + (row + 1) * STEP - clock.now()) / SECOND + 1e-3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def main() -> list[Finding]:
        with Historian(folder, clock=clock) as store, Journal(folder / "journal", clock) as journal:
            for until in sorted({restart or END, END}):
                await live(store, journal, until)
            return store.findings(BEGIN, END + MINUTE)

    found: dict[str, list[Finding]] = {}
    for finding in clock.run(main()):
        found.setdefault(finding.origin, []).append(finding)
    return found


Runs = tuple[dict[str, list[Finding]], ...]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Three runs: without a restart, and twice with one."""
    folder = tmp_path_factory.mktemp("restart")
    return run(folder / "whole"), run(folder / "first", RESTART), run(folder / "again", RESTART)


def told(found: list[Finding]) -> list[tuple[object, ...]]:
    """Return all that is told after the restart, but when it was looked: to the second."""
    return [
        (f.name, f.start, f.end // SECOND, f.value, f.severity, f.reason, f.evidence)
        for f in found
        if f.end > RESTART + STEP
    ]


@pytest.mark.parametrize("origin", ["pump", "small_shift", "sums", "means", "size", "shaking"])
def test_a_restart_changes_nothing(runs: Runs, origin: str) -> None:
    whole, first, again = (each[origin] for each in runs)
    assert len(told(whole)) > 1
    assert told(first) == told(whole)
    assert first == again
    # nothing of the past is told anew
    assert len({(f.name, f.end) for f in first}) == len(first)
    assert len(first) == len(whole)


def test_a_lasting_alarm_keeps_its_begin(runs: Runs) -> None:
    last = runs[1]["pump"][-1]
    assert last.severity == 2
    assert last.start < RESTART
    assert "unlike the training since 2026-03-02T08:18:" in last.reason


def test_zone_and_remaining_life_go_on(runs: Runs) -> None:
    first = told(runs[1]["shaking"])
    assert {each[0] for each in first} == {"vibration", "remaining_life"}
    assert {each[4] for each in first if each[0] == "vibration"} == {2}  # three blocks agree


def test_limits_stay_those_of_phase_one(runs: Runs) -> None:
    last = runs[1]["small_shift"][-1]
    assert last.evidence["trained_from"] == "2026-03-02T08:00:05+09:00"
    assert last.evidence["trained_until"] == "2026-03-02T08:04:05+09:00"
    assert last.evidence["points"] == "132"


def test_without_a_stated_time_it_says_from_when_on_it_counts(runs: Runs) -> None:
    last = runs[1]["forgetful"][-1]
    assert last.evidence["from"] == "2026-03-02T08:20:05+09:00"
    assert last.evidence["trained_until"] == "2026-03-02T08:20:45+09:00"
