"""A door: what it does when its machine goes, comes back, or its driver is broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from deungdae.app.door import LONGEST_WAIT, Door
from deungdae.app.intake import Intake
from deungdae.app.live import Live
from deungdae.core.clock import SimulatedClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events, Health
from deungdae.core.types import (
    DAY,
    SECOND,
    Batch,
    Command,
    Event,
    Finding,
    Flag,
    Permit,
    Severity,
    Signal,
)
from deungdae.model.factory import Plugin

T0 = 20_000 * DAY
STALE = Severity.BAD | Flag.STALE
A, B, STATE = 0, 1, 2
SIGNALS = {
    A: Signal(id="kiln.a", source="kiln:a"),
    B: Signal(id="kiln.b", source="kiln:b", access="rw"),
    STATE: Signal(id="kiln.state", kind="state", source="kiln:state"),
}
Script = Callable[["Fake"], AsyncIterator[Batch | Events]]


class Fake:
    """A driver that does what its script says: one entry of `scripts` for each stream."""

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        scripts: tuple[Script, ...] = ()
        unreachable: int = 0  # how many connects fail before one works

    def __init__(self, name: str, options: Options, clock: SimulatedClock) -> None:
        self.clock = clock
        self.options = options
        self.connects: list[float] = []
        self.told: list[str] = []
        self.state: Any = "stopped"
        self.streams = 0

    @property
    def health(self) -> Health:
        return Health(state=self.state, since=0)

    async def connect(self) -> None:
        self.connects.append(self.clock.monotonic())
        if len(self.connects) <= self.options.unreachable:
            raise Unreachable("nothing answers at 10.0.0.7:502", remedy="look at the cable")
        self.state = "online"

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        self.streams += 1
        script = self.options.scripts[min(self.streams, len(self.options.scripts)) - 1]
        try:
            async for item in script(self):
                yield item
        finally:
            self.told.append("stream ended")

    def confirm(self, items: int) -> None:
        self.told.append(f"confirm {self.streams}:{items}")

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        self.told.append(f"write {permit.command.value:g}")
        return permit.command.value

    async def close(self) -> None:
        self.told.append("closed")
        self.state = "stopped"


class Bench:
    """Doors with an intake, in simulated time."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(T0)
        self.stored: list[Batch | Event | Finding] = []
        self.commit = asyncio.Event()  # nothing is durable before it is set
        self.commit.set()
        self.live = Live()
        self.live.know(list(SIGNALS.values()), np.array(list(SIGNALS), np.int32))
        self.intake = Intake(self._store, self.live, self.clock)
        self.intake.know(self.live.signals)

    async def _store(self, items: Sequence[Batch | Event | Finding]) -> None:
        await self.commit.wait()
        self.stored += items

    def door(self, *scripts: Script, **options: Any) -> tuple[Door, Fake]:
        plugin = Plugin("machines", "kiln", "fake", Fake, Fake.Options(scripts=scripts, **options))
        door = Door(plugin, SIGNALS, self.intake, self.live, self.clock)
        driver = Fake("kiln", plugin.options, self.clock)
        door.driver = driver
        return door, driver

    def run(
        self, seconds: float, *doors: Door, then: Coroutine[Any, Any, None] | None = None
    ) -> None:
        """Run the doors so many seconds; `then` is told beside."""

        async def main() -> None:
            tasks = [asyncio.create_task(self.intake.run())]
            tasks += [asyncio.create_task(door.run()) for door in doors]
            if then is not None:
                await then
            await self.clock.sleep(seconds)
            for task in reversed(tasks):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        self.clock.run(main())

    def rows(self, handle: int) -> list[tuple[float, float, int]]:
        """Return (s since start, value, status) of what was stored of a signal."""
        batches = [item for item in self.stored if isinstance(item, Batch)]
        return [
            ((time - T0) / SECOND, value, status)
            for batch in batches
            for signal, time, value, status in zip(
                batch.signal.tolist(),
                batch.time.tolist(),
                batch.value.tolist(),
                batch.status.tolist(),
                strict=True,
            )
            if signal == handle
        ]

    def states(self) -> list[tuple[str, int]]:
        return [(e.value, e.status) for e in self.stored if isinstance(e, Event)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.clock._loop.close()


def values(driver: Fake, *numbers: float, ahead: int = 0) -> Batch:
    now = driver.clock.now()
    times = [now + ahead + i for i in range(len(numbers))]
    return Batch.of([A] * len(numbers), times, numbers, received=now)


async def steady(driver: Fake) -> AsyncIterator[Batch | Events]:
    """Bring a value and a state, then nothing more for ever."""
    yield values(driver, float(driver.streams))
    now = driver.clock.now()
    yield (Event(id="kiln.state", time=now, kind="state", value="running", received=now),)
    await driver.clock.sleep(1e9)


async def breaking(driver: Fake) -> AsyncIterator[Batch | Events]:
    """Bring a value and a state, and lose the link after 60 s."""
    yield values(driver, float(driver.streams))
    now = driver.clock.now()
    yield (Event(id="kiln.state", time=now, kind="state", value="running", received=now),)
    await driver.clock.sleep(60.0)
    raise BadReply("the server closed the connection", remedy="is it restarting?")


async def exploding(driver: Fake) -> AsyncIterator[Batch | Events]:
    yield values(driver, 1.0)
    raise KeyError("a driver's bug")


async def wild(driver: Fake) -> AsyncIterator[Batch | Events]:
    """Bring a signal that nobody declared."""
    yield Batch.of([99], [driver.clock.now()], [1.0], received=driver.clock.now())


# ---- losing and finding a machine


def test_an_unreachable_machine_is_tried_again_ever_slower(bench: Bench) -> None:
    door, driver = bench.door(steady, unreachable=10**6)
    bench.run(600.0, door)
    waits = np.diff(driver.connects)
    for number, wait in enumerate(waits):
        usual = min(0.5 * 2**number, LONGEST_WAIT)
        assert 0.5 * usual <= wait <= 1.5 * usual
    assert len(set(waits[-5:])) == 5  # jittered: the doors of a plant do not knock as one
    assert door.driver.health.state == "stopped"
    assert driver.told == ["closed"]


def test_health_tells_the_cause_and_since_when_until_it_works(bench: Bench) -> None:
    door, _ = bench.door(steady, unreachable=3)
    seen: list[Health] = []

    async def look() -> None:
        for _ in range(200):
            await bench.clock.sleep(0.1)
            seen.append(door.health)

    bench.run(0.0, door, then=look())
    offline = [health for health in seen if health.state == "offline"]
    assert {(h.problem, h.remedy, h.since) for h in offline} == {
        ("nothing answers at 10.0.0.7:502", "look at the cable", T0)
    }
    assert seen[-1].state == "online"
    assert seen[-1].problem == ""


def test_a_lost_link_marks_the_last_values_stale_and_is_opened_anew(bench: Bench) -> None:
    door, driver = bench.door(breaking, steady)
    bench.run(100.0, door)
    (begin, lost, again) = bench.rows(A)
    assert begin == (0.0, 1.0, 0)
    assert lost == (60.0, 1.0, STALE)
    assert again[1:] == (2.0, 0)
    assert 60.0 < again[0] < 61.0  # it held for long: its loss counts as the first
    assert bench.states() == [("running", 0), ("UNAVAILABLE", STALE), ("running", 0)]
    assert bench.rows(B) == []  # nothing was ever known of it
    assert driver.streams == 2


def test_what_is_stale_is_not_marked_again_at_every_try(bench: Bench) -> None:
    door, driver = bench.door(steady, unreachable=10**6)
    bench.live.take(values(driver, 7.0))
    bench.run(300.0, door)
    assert [row[2] for row in bench.rows(A)] == [STALE]


def test_a_source_whose_clock_is_ahead_goes_stale_too(bench: Bench) -> None:
    """Else its last value would stand as good in front of the gate."""

    async def ahead(driver: Fake) -> AsyncIterator[Batch | Events]:
        yield values(driver, 1.0, ahead=90 * SECOND)
        now = driver.clock.now()
        later = now + 90 * SECOND
        yield (Event(id="kiln.state", time=later, kind="state", value="running", received=now),)
        raise BadReply("gone")

    async def silent(driver: Fake) -> AsyncIterator[Batch | Events]:
        await driver.clock.sleep(1e9)
        yield ()

    door, _ = bench.door(ahead, silent)
    bench.run(5.0, door)
    reading = bench.live.reading("kiln.a")
    assert reading is not None
    assert not reading.good
    assert bench.live.events["kiln.state"].value == "UNAVAILABLE"
    assert [row[1:] for row in bench.rows(A)] == [(1.0, 0), (1.0, STALE)]


def test_a_stream_that_ends_by_itself_is_opened_anew(bench: Bench) -> None:
    async def short(driver: Fake) -> AsyncIterator[Batch | Events]:
        yield values(driver, float(driver.streams))

    door, driver = bench.door(short)
    bench.run(20.0, door)
    assert driver.streams > 3


# ---- broken drivers


@pytest.mark.parametrize("script", [exploding, wild])
def test_a_driver_that_explodes_stops_nobody_else(
    bench: Bench, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    bad, driver = bench.door(script)
    good, _ = bench.door(steady)
    bench.run(30.0, bad, good)
    assert driver.streams > 3
    assert good.driver.told[-1] == "closed"  # type: ignore[attr-defined]
    assert bad.health.state == "offline"
    assert "the driver failed" in bad.health.problem
    assert "state=failed" in caplog.text
    assert ("running", 0) in bench.states()


def test_a_driver_that_cannot_be_made_is_tried_again(bench: Bench) -> None:
    """A certificate that was missing is put there; nobody needs to restart the factory."""
    door, driver = bench.door(steady)
    missing = [FileNotFoundError("kiln.pem")] * 2

    def make(*_: Any) -> Fake:
        if missing:
            raise missing.pop()
        return driver

    door.driver = None
    door.plugin = msgspec.structs.replace(door.plugin, cls=make)

    async def look() -> None:
        assert door.health.state == "stopped"
        with pytest.raises(DoorError, match="not been opened"):
            await door.write(permit(T0 + DAY), SIGNALS[B])
        await bench.clock.sleep(0.1)
        assert "kiln.pem" in door.health.problem
        await door.delivering.wait()
        assert door.health.state == "online"

    bench.run(1.0, door, then=look())


def test_a_driver_that_cannot_acknowledge_stops_nobody_else(bench: Bench) -> None:
    bad, driver = bench.door(steady)

    def confirm(items: int) -> None:
        raise RuntimeError("a driver's bug")

    driver.confirm = confirm  # type: ignore[method-assign]
    good, other = bench.door(steady)
    bench.run(1.0, bad, good)
    assert [word for word in other.told if word.startswith("confirm")] == [
        "confirm 1:1",
        "confirm 1:2",
    ]


def test_the_stream_is_closed_before_the_driver(bench: Bench) -> None:
    """Also where the door stands waiting for room, between two items."""
    bench.intake._room.clear()
    door, driver = bench.door(steady)
    bench.run(1.0, door)
    assert driver.told == ["stream ended", "closed"]


# ---- what may be acknowledged


def test_items_are_confirmed_in_order_when_they_are_durable(bench: Bench) -> None:
    door, driver = bench.door(steady)
    bench.run(1.0, door)
    assert driver.told[:2] == ["confirm 1:1", "confirm 1:2"]


def test_a_late_word_of_an_old_stream_confirms_nothing_of_the_new_one(bench: Bench) -> None:
    async def brief(driver: Fake) -> AsyncIterator[Batch | Events]:
        yield values(driver, 1.0)
        raise BadReply("gone")

    door, driver = bench.door(brief, steady)
    bench.commit.clear()

    async def later() -> None:
        await bench.clock.sleep(10.0)
        assert driver.streams == 2
        assert driver.told == ["stream ended"]
        bench.commit.set()

    bench.run(1.0, door, then=later())
    confirmed = [word for word in driver.told if word.startswith("confirm")]
    assert confirmed == ["confirm 2:1", "confirm 2:2"]
    assert [row[1] for row in bench.rows(A)] == [1.0, 1.0, 2.0]


# ---- writing


def permit(expires: int) -> Permit:
    command = Command(
        id="1", signal="kiln.b", value=5.0, origin="loop", because="", issued=T0, expires=expires
    )
    return Permit(command=command, granted=T0, mode="auto")


def test_what_has_expired_never_reaches_the_driver(bench: Bench) -> None:
    door, driver = bench.door(steady)

    async def main() -> None:
        assert await door.write(permit(T0 + SECOND), SIGNALS[B]) == 5.0
        await bench.clock.sleep(1.0)
        with pytest.raises(DoorError, match="expired"):
            await door.write(permit(T0 + SECOND), SIGNALS[B])

    bench.clock.run(main())
    assert driver.told == ["write 5"]


def test_a_door_tells_when_it_first_delivers(bench: Bench) -> None:
    door, _ = bench.door(steady, unreachable=2)

    async def look() -> None:
        assert not door.delivering.is_set()
        await door.delivering.wait()
        assert bench.clock.monotonic() > 0.5

    bench.run(1.0, door, then=look())


class Deaf(Fake):
    """Swallows the word to end, as asyncio.wait_for of Python 3.11 can: bpo-37658."""

    async def connect(self) -> None:
        await super().connect()
        if not self.options.scripts:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise Unreachable("cancelled") from None

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        while True:
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                self.told.append("heard nothing")
            yield values(self, 1.0)


@pytest.mark.parametrize("scripts", [(), (lambda _: None,)], ids=["connecting", "streaming"])
def test_a_driver_that_swallows_the_word_to_end_ends_all_the_same(
    bench: Bench, scripts: tuple[Any, ...]
) -> None:
    """Found when a page's port was taken: the kiln was just connecting, and the house stayed."""
    door, _ = bench.door(*scripts)
    driver = Deaf("kiln", door.plugin.options, bench.clock)
    door.driver = driver

    async def main() -> None:
        task = asyncio.create_task(door.run())
        await bench.clock.sleep(2.0)
        task.cancel()
        await asyncio.wait([task], timeout=5.0)
        assert task.cancelled()

    bench.clock.run(main())
    assert driver.told[-1] == "closed"
