"""A running factory: what it remembers, how it says that it was there, and what may fail in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import SimulatedClock
from deungdae.core.errors import DoorError, StoreError
from deungdae.core.ports import Events, Health
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model.factory import Factory, Identity, Plugin

T0 = 20_000 * DAY
SIGNALS = [
    Signal(id="kiln.a", source="kiln:a"),
    Signal(id="kiln.state", kind="state", source="kiln:state"),
    Signal(id="press.a", source="press:a"),
]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    period: float = 1.0
    fault: str = ""


class Machine:
    """Brings one number every period, its state once, and one number more when it is closed."""

    def __init__(self, name: str, options: Options, clock: SimulatedClock) -> None:
        if options.fault == "birth":
            raise FileNotFoundError("no such certificate: kiln.pem")
        self.options = options
        self.clock = clock
        self.closed = 0

    @property
    def health(self) -> Health:
        return Health(state="online", since=T0)

    async def connect(self) -> None:
        if self.options.fault == "connect":
            raise DoorError("nobody is there")

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        handles = {signal.short: handle for handle, signal in signals.items()}
        now = self.clock.now()
        if "state" in handles:
            yield (Event(id="kiln.state", time=now, kind="state", value="running", received=now),)
        while True:
            now = self.clock.now()
            yield Batch.of([handles["a"]], [now], [1.0], received=now)
            await self.clock.sleep(self.options.period)

    def confirm(self, items: int) -> None: ...

    async def close(self) -> None:
        self.closed += 1


class Server:
    """A bridge that falls over after a second."""

    def __init__(self, name: str, options: Options, clock: SimulatedClock) -> None:
        self.clock = clock
        self.served = 0

    @property
    def health(self) -> Health:
        return Health(state="online", since=T0)

    async def serve(self) -> None:
        self.served += 1
        await self.clock.sleep(1.0)
        raise OSError("the port is taken")


def factory(machines: Mapping[str, Options], virtual: Sequence[str] = ()) -> Factory:
    return Factory(
        path=Path("factory.toml"),
        identity=Identity(id="brickworks"),
        signals={signal.id: signal for signal in SIGNALS if signal.machine in machines},
        plugins={
            "machines": {
                name: Plugin("machines", name, "fake", Machine, options)
                for name, options in machines.items()
            },
            "virtual": {
                name: Plugin("virtual", name, "fake", Server, Options()) for name in virtual
            },
        },
    )


Story = Callable[[Runtime], Coroutine[Any, Any, None]]


def live(
    folder: Path,
    described: Factory,
    story: Story,
    *,
    start: int = T0,
    spoil: Callable[[Historian], None] = lambda _: None,
    commit: float = 0.0,  # s
) -> Historian:
    """Run a factory in simulated time as long as the story lasts; return its closed history."""
    clock = SimulatedClock(start)

    async def main() -> None:
        with Historian(folder, clock=clock) as store, Journal(folder / "journal", clock) as journal:
            spoil(store)
            control = Control(described, journal, Live(), clock)

            async def sink(items: Sequence[Batch | Event | Finding]) -> None:
                await clock.sleep(commit)
                store.append(items)

            runtime = Runtime(described, store, control, clock, sink=sink)
            task = asyncio.create_task(runtime.run())
            await runtime.ready.wait()
            await story(runtime)
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    clock.run(main())
    return Historian(folder)


def lasts(seconds: float) -> Story:
    async def story(runtime: Runtime) -> None:
        await runtime.clock.sleep(seconds)

    return story


def moments(store: Historian, id: str) -> list[float]:
    """Return when there are samples, s since start."""
    return [(t - T0) / SECOND for t in store.query([id], T0, T0 + DAY)[id].time.tolist()]


def gaps(store: Historian) -> list[tuple[str, float, float]]:
    return [
        (event.id, (event.time - T0) / SECOND, (int(event.data["until"]) - T0) / SECOND)
        for event in store.events(T0, T0 + DAY, kinds=["gap"])
    ]


def test_what_machines_bring_is_remembered(tmp_path: Path) -> None:
    with live(tmp_path, factory({"kiln": Options(), "press": Options()}), lasts(10.5)) as store:
        for id in ("kiln.a", "press.a"):
            assert moments(store, id) == pytest.approx(range(11), abs=0.01)
        (state,) = store.events(T0, T0 + DAY, ids=["kiln.state"])
        assert state.value == "running"


def test_what_comes_until_the_very_end_is_remembered(tmp_path: Path) -> None:
    """Doors are closed before the last is stored: what they brought meanwhile is stored, too."""
    brought: list[float] = []

    def listen(item: Batch | Events) -> None:
        brought.extend((t - T0) / SECOND for t in item.time.tolist())  # type: ignore[union-attr]

    async def story(runtime: Runtime) -> None:
        runtime.intake.listeners.append(listen)
        await runtime.clock.sleep(1.995)

    described = factory({"press": Options(period=0.01)})
    with live(tmp_path, described, story, commit=0.3) as store:
        assert len(brought) > 190
        assert moments(store, "press.a")[-len(brought) :] == brought


def test_doors_are_closed_at_the_end(tmp_path: Path) -> None:
    doors: list[Any] = []

    async def story(runtime: Runtime) -> None:
        await runtime.clock.sleep(1.0)
        doors.extend(runtime.doors.values())

    live(tmp_path, factory({"kiln": Options(), "press": Options()}), story).close()
    assert [door.driver.closed for door in doors] == [1, 1]


# ---- being there, and having been away


def test_it_says_each_minute_that_it_is_there_and_each_hour_which_machines_are(
    tmp_path: Path,
) -> None:
    machines = {"kiln": Options(period=60.0), "press": Options(period=60.0, fault="connect")}
    start = T0 + HOUR - 2 * MINUTE
    with live(tmp_path, factory(machines), lasts(300.5), start=start) as store:
        said = store.events(T0, T0 + DAY, kinds=["note"])
        own = [event.time for event in said if event.id.startswith("deungdae.")]
        assert len(own) == 6
        hours = [(event.time - T0) // HOUR for event in said if event.id == "kiln.alive"]
        assert hours == [0, 1]
        assert not [event for event in said if event.id == "press.alive"]


def test_the_time_away_is_a_gap_of_every_state(tmp_path: Path) -> None:
    described = factory({"kiln": Options(), "press": Options()})
    live(tmp_path, described, lasts(90.5)).close()
    with live(tmp_path, described, lasts(5.0), start=T0 + 10 * MINUTE) as store:
        ((id, since, until),) = gaps(store)
        assert id == "kiln.state"
        assert since == pytest.approx(90.0, abs=0.1)  # the last sample, not the last `alive`
        assert until == pytest.approx(600.0, abs=0.1)


def test_a_short_stop_is_no_gap(tmp_path: Path) -> None:
    described = factory({"kiln": Options()})
    live(tmp_path, described, lasts(90.5)).close()
    with live(tmp_path, described, lasts(5.0), start=T0 + 95 * SECOND) as store:
        assert gaps(store) == []


def test_a_first_start_was_never_away(tmp_path: Path) -> None:
    with live(tmp_path, factory({"kiln": Options()}), lasts(5.0)) as store:
        assert gaps(store) == []


def test_the_last_values_are_known_again_after_a_restart(tmp_path: Path) -> None:
    described = factory({"kiln": Options()})
    live(tmp_path, described, lasts(5.5)).close()
    seen: list[object] = []

    async def story(runtime: Runtime) -> None:
        await runtime.clock.sleep(1.0)
        seen.append(runtime.live.reading("kiln.a"))

    unreachable = factory({"kiln": Options(fault="connect")})
    live(tmp_path, unreachable, story, start=T0 + MINUTE).close()
    (reading,) = seen
    assert reading is not None
    assert not reading.good  # type: ignore[attr-defined]
    with Historian(tmp_path) as store:  # and the history says so, too: its machine was not found
        status = store.query(["kiln.a"], T0, T0 + DAY)["kiln.a"].status
    assert status.tolist() == [0] * 6 + [0x12]


# ---- failing parts


@pytest.mark.parametrize("fault", ["birth", "connect"])
def test_a_machine_that_cannot_be_opened_stops_no_other(tmp_path: Path, fault: str) -> None:
    health: dict[str, Health] = {}

    async def story(runtime: Runtime) -> None:
        await runtime.clock.sleep(5.5)
        health.update(runtime.health())

    described = factory({"kiln": Options(fault=fault), "press": Options()})
    with live(tmp_path, described, story) as store:
        assert len(moments(store, "press.a")) == 6
    assert health["machines.press"].state == "online"
    assert health["machines.kiln"].state == "offline"
    words = "kiln.pem" if fault == "birth" else "nobody is there"
    assert words in health["machines.kiln"].problem


def test_a_bridge_that_falls_over_is_set_up_again(tmp_path: Path) -> None:
    served: list[int] = []

    async def story(runtime: Runtime) -> None:
        await runtime.clock.sleep(20.0)
        (bridge,) = runtime.bridges.values()
        served.append(bridge.served)  # type: ignore[attr-defined]

    described = factory({"kiln": Options()}, virtual=["copy"])
    with live(tmp_path, described, story) as store:
        assert len(moments(store, "kiln.a")) == 21
    assert served[0] >= 3


def test_a_history_that_cannot_be_tidied_goes_on_storing(tmp_path: Path) -> None:
    def spoil(store: Historian) -> None:
        def tidy(now: int, budget: float = 0.5) -> bool:
            raise StoreError("the history cannot be tidied: no space left")

        store.tidy = tidy  # type: ignore[method-assign]

    with live(tmp_path, factory({"kiln": Options()}), lasts(20.5), spoil=spoil) as store:
        assert len(moments(store, "kiln.a")) == 21


def test_a_history_that_refuses_for_a_while_loses_nothing(tmp_path: Path) -> None:
    refused: list[int] = []

    def spoil(store: Historian) -> None:
        append = store.append

        def refusing(items: Sequence[Batch | Event | Finding]) -> None:
            if 5 <= len(refused) < 10 or not refused:
                refused.append(1)
                raise StoreError("the disk is full")
            refused.append(1)
            append(items)

        store.append = refusing  # type: ignore[method-assign]

    with live(
        tmp_path, factory({"kiln": Options(), "press": Options()}), lasts(60.0), spoil=spoil
    ) as store:
        found = moments(store, "kiln.a")
        assert len(refused) > 10
        assert found == sorted(set(found))
        # while the store refused the door waited: then its own clock went on in whole periods
        assert max(b - a for a, b in pairwise(found)) < 15
        assert [event.value for event in store.events(T0, T0 + DAY, ids=["kiln.state"])]
