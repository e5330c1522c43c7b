"""A changed description is taken over while the factory runs, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from deungdae.app import describe
from deungdae.app.control import Control
from deungdae.app.house import House
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock, SimulatedClock
from deungdae.core.errors import FactoryError
from deungdae.core.types import DAY, SECOND, Flag
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.insight.kpi import Kpi

T0 = 20_000 * DAY
BASE = """
[factory]
id = "brickworks"

[machines.kiln]
type = "simulated"
model = "kiln"
period = 0.1

[machines.press]
type = "simulated"
model = "press"
period = 0.1

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"

[[signals]]
id = "kiln1.valve"
unit = "%"
source = "kiln:valve"
access = "rw"

[[signals]]
id = "press1.count"
source = "press:count"

[[signals]]
id = "press1.state"
kind = "state"
source = "press:state"
"""
POWER = """
[[signals]]
id = "kiln1.power"
unit = "kW"
source = "kiln:power"
"""
DRYER = """
[machines.dryer]
type = "simulated"
model = "kiln"
period = 0.1

[[signals]]
id = "dryer1.temperature"
unit = "Cel"
source = "dryer:temperature"
"""
GATE = """
[decide.gate]
type = "gate"
mode = "auto"
writable = [{ signal = "kiln1.valve", low = 20.0, high = 80.0, step = 10.0 }]
"""


class Plant:
    """A running factory whose file is written anew."""

    def __init__(self, folder: Path, clock: SimulatedClock, runtime: Runtime) -> None:
        self.folder = folder
        self.clock = clock
        self.runtime = runtime

    async def write(self, text: str) -> list[str]:
        """Change the file and load it; return what changed."""
        (self.folder / "factory.toml").write_text(text)
        return await self.runtime.reload(describe.read(self.folder))


def run(folder: Path, story: Callable[[Plant], object], text: str = BASE) -> Historian:
    """Run a factory in simulated time as long as the story lasts; return its history."""
    clock = SimulatedClock(T0)
    (folder / "factory.toml").write_text(text)
    factory, history = describe.read(folder), folder / "history"

    async def main() -> None:
        with Historian(history, clock=clock) as store, Journal(history / "journal") as journal:
            runtime = Runtime(factory, store, Control(factory, journal, Live(), clock), clock)
            task = asyncio.create_task(runtime.run())
            await runtime.ready.wait()
            await story(Plant(folder, clock, runtime))  # type: ignore[misc]
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    clock.run(main())
    return Historian(history)


def times(store: Historian, id: str) -> list[float]:
    """Return the times of all samples, s since the start."""
    found = store.query([id], T0, T0 + DAY)[id].time
    return [(moment - T0) / SECOND for moment in found.tolist()]


def assert_unbroken(moments: list[float], seconds: float) -> None:
    """Assert ten samples a second over the whole time."""
    assert len(moments) == round(seconds * 10) + 1
    assert np.diff(moments) == pytest.approx(0.1, abs=1e-6)


def test_doors_that_stay_lose_nothing_and_are_not_opened_anew(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(2.0)
        press = plant.runtime.doors["press"]
        assert await plant.write(BASE + POWER + DRYER) == [
            "machines.kiln changed",
            "machines.dryer opened",
        ]
        await plant.clock.sleep(2.0)
        assert plant.runtime.doors["press"] is press
        assert await plant.write(BASE) == ["machines.dryer closed", "machines.kiln changed"]
        await plant.clock.sleep(2.05)

    with run(tmp_path, story) as store:
        seconds = times(store, "press1.count")[-1]
        assert seconds >= 6.0
        assert_unbroken(times(store, "press1.count"), seconds)


def test_a_changed_door_hands_over_without_a_hole(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(2.03)
        await plant.write(BASE + POWER)
        await plant.clock.sleep(2.03)

    with run(tmp_path, story) as store:
        kept = times(store, "kiln1.temperature")
        assert kept[0] == 0.0
        assert kept[-1] > 4.0
        assert max(np.diff(kept)) <= 0.1 + 1e-6
        added = times(store, "kiln1.power")
        assert added[0] == pytest.approx(2.03, abs=0.01)
        assert not store.events(T0, T0 + DAY, kinds=["gap"])
        status = store.query(["kiln1.temperature"], T0, T0 + DAY)["kiln1.temperature"].status
        assert not status.any()


def test_a_changed_door_that_brings_nothing_is_given_up_for_the_new_one(tmp_path: Path) -> None:
    """The old one is held for a while; then the description counts."""
    dead = (
        BASE.replace('type = "simulated"\nmodel = "kiln"', 'type = "modbus"')
        .replace(
            "period = 0.1\n\n[machines.press]", 'url = "tcp://127.0.0.1:1"\n\n[machines.press]'
        )
        .replace("kiln:temperature", "kiln:holding/0")
        .replace("kiln:valve", "kiln:holding/1")
    )

    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        assert await plant.write(dead) == ["machines.kiln changed"]
        await plant.clock.sleep(5.0)
        assert plant.runtime.health()["machines.kiln"].state == "offline"
        reading = plant.runtime.live.reading("kiln1.temperature")
        assert reading is not None
        assert reading.status & Flag.STALE

    with run(tmp_path, story) as store:
        kept = times(store, "kiln1.temperature")
        assert [t for t in kept if 5.0 < t < 10.0]
        assert_unbroken(times(store, "press1.count"), times(store, "press1.count")[-1])


def test_the_last_signal_of_a_door_may_go(tmp_path: Path) -> None:
    """Its old door still brings it while the new one is opened."""

    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        await plant.write(BASE)
        await plant.clock.sleep(1.0)

    with run(tmp_path, story, BASE + POWER) as store:
        assert max(np.diff(times(store, "kiln1.temperature"))) <= 0.1 + 1e-6
        assert times(store, "kiln1.power")[-1] == pytest.approx(1.0, abs=0.11)


def test_a_door_that_goes_is_closed(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        dryer = plant.runtime.doors["dryer"]
        assert await plant.write(BASE) == ["machines.dryer closed"]
        assert dryer.health.state == "stopped"
        assert set(plant.runtime.doors) == {"kiln", "press"}
        assert "machines.dryer" not in plant.runtime.health()
        await plant.clock.sleep(1.0)

    with run(tmp_path, story, BASE + DRYER) as store:
        assert times(store, "dryer1.temperature")[-1] <= 1.0 + 1e-6


def test_a_door_that_comes_back_goes_on_with_its_signals(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        for text in (BASE, BASE + DRYER, BASE, BASE + DRYER):
            await plant.write(text)
            await plant.clock.sleep(1.0)

    with run(tmp_path, story, BASE + DRYER) as store:
        moments = times(store, "dryer1.temperature")
        assert [m for m in moments if 1.0 < m < 2.0]
        assert [m for m in moments if 3.0 < m < 4.0]
        assert not [m for m in moments if 2.1 < m < 2.9]


def test_nothing_changed_is_nothing_done(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        doors = dict(plant.runtime.doors)
        assert await plant.write("# a comment\n" + BASE) == []
        assert plant.runtime.doors == doors

    run(tmp_path, story).close()


def test_what_waits_for_the_next_start_is_told(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        more = '[historian]\nparquet_after = 5\n[virtual.oven]\ntype = "modbus"\nport = 5021\n'
        assert await plant.write(BASE + more) == [
            "virtual.oven changed: waits for the next start",
            "historian changed: waits for the next start",
        ]

    run(tmp_path, story)


def test_the_gate_comes_and_goes_with_its_table(tmp_path: Path) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        control = plant.runtime.control
        assert await plant.write(BASE + GATE) == ["decide.gate changed"]
        wish = control.command("kiln1.valve", 50.0, "kim", "a test")
        assert (await control.ask(wish)).result == "written"
        await plant.clock.sleep(2.0)
        assert await plant.write(BASE) == ["decide.gate removed"]
        wish = control.command("kiln1.valve", 55.0, "kim", "a test")
        assert (await control.ask(wish)).result == "refused"

    run(tmp_path, story).close()


@pytest.mark.parametrize(
    "spoilt",
    [
        BASE.replace("kiln:temperature", "kilm:temperature"),
        BASE.replace("period = 0.1", "perriod = 0.1"),
        BASE + '[insight.x]\ntype = "kpi"\nasset = "nobody"\nstate = "nobody.state"\n',
        BASE + "[[signals]]\n",
        "[factory",
        "",
    ],
)
def test_an_invalid_file_changes_nothing(tmp_path: Path, spoilt: str) -> None:
    async def story(plant: Plant) -> None:
        await plant.clock.sleep(1.0)
        before = (plant.runtime.factory, dict(plant.runtime.doors))
        with pytest.raises(FactoryError):
            await plant.write(spoilt)
        assert (plant.runtime.factory, plant.runtime.doors) == before
        await plant.clock.sleep(1.0)

    with run(tmp_path, story) as store:
        assert_unbroken(times(store, "press1.count"), times(store, "press1.count")[-1])


def test_a_thinker_that_explodes_when_it_is_made_is_a_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a plug-in's bug would end the factory that only looked at its new description."""

    def explode(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Kpi, "__init__", explode)
    text = BASE + '[insight.x]\ntype = "kpi"\nasset = "press1"\nstate = "press1.state"\n'
    (tmp_path / "factory.toml").write_text(text)
    with pytest.raises(FactoryError, match=r"insight\.x.*KeyError"):
        describe.read(tmp_path)


# ---- the house watches the file itself


@asynccontextmanager
async def housed(folder: Path, port: int) -> AsyncIterator[tuple[House, asyncio.Task[None]]]:
    text = f"[app]\nport = {port}\n{BASE}"
    (folder / "factory.toml").write_text(text)
    house = House(describe.read(folder / "factory.toml"), RealClock())
    ready = asyncio.Event()
    house.announce = lambda _: ready.set()
    task = asyncio.create_task(house.run())
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield house, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.02)


async def test_the_house_takes_a_changed_file_over_and_keeps_the_old_one_where_it_is_invalid(
    tmp_path: Path, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    file, port = tmp_path / "factory.toml", free_port()
    async with housed(tmp_path, port) as (house, task):
        head = f"[app]\nport = {port}\n"
        await asyncio.sleep(1.0)
        file.write_text(head + BASE.replace("kiln:temperature", "kilm:temperature"))
        house.look()
        await until(lambda: "state=kept" in caplog.text)
        assert "kilm:temperature" in caplog.text
        assert set(house.factory.room("machines")) == {"kiln", "press"}
        file.write_text(head + BASE + DRYER)
        house.look()
        await until(lambda: "dryer" in house.factory.room("machines"))
        await asyncio.sleep(1.0)
        assert not task.done()
    with Historian(tmp_path / "history") as store:
        now = RealClock().now()
        assert len(store.query(["dryer1.temperature"], 0, now)["dryer1.temperature"]) > 3
        kept = store.query(["press1.count"], 0, now)["press1.count"]
        # however slow this computer is, the machine never waited for a new description
        assert max(np.diff(kept.time)) < 2 * SECOND
        assert not kept.status.any()
