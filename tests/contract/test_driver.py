"""What every driver must do, whatever its protocol: each runs against the rig of its name."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deungdae.core import registry, strict
from deungdae.core.clock import RealClock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Driver, Health, Node
from deungdae.core.types import SECOND, Batch, Command, Permit, Severity, Signal

RIGS = Path(__file__).parent / "rigs"
TYPES = sorted(path.stem for path in RIGS.glob("*.py") if not path.stem.startswith("_"))
OTHERWISE = {  # drivers whose nature the numeric contract does not fit, and where they are tried
    "camera": "tests/field/test_camera.py",
    "scanner": "tests/field/test_scanner.py",
    "replay": "tests/machines/test_replay.py",
    "simulated": "tests/machines/test_simulated.py",
}
WITHIN = 20.0  # s for anything to happen; generous, the machine may be busy


def test_every_driver_has_a_rig_or_says_where_it_is_tried() -> None:
    assert set(registry.names("machines")) == {*TYPES, *OTHERWISE}
    for place in OTHERWISE.values():
        assert (RIGS.parents[2] / place).exists()


def make_rig(type: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"rig_{type}", RIGS / f"{type}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Rig()


@pytest.fixture(params=TYPES)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    rig = make_rig(request.param)
    await rig.start()
    yield rig
    await rig.stop()
    if hasattr(rig, "clean"):
        rig.clean()


def driver_of(rig: Any) -> Driver:
    cls = registry.load("machines", rig.type)
    options, problems = strict.decode(cls.Options, rig.options)
    assert problems == []
    driver: Driver = cls("rig", options, RealClock())
    return driver


@pytest.fixture
async def driver(rig: Any) -> AsyncIterator[Driver]:
    driver = driver_of(rig)
    async with asyncio.timeout(WITHIN):
        await driver.connect()
    yield driver
    await driver.close()


class Watch:
    """A stream being read: what came, by handle, and how it ended."""

    def __init__(self, driver: Driver, signals: list[Signal]) -> None:
        self.driver = driver
        self.signals = dict(enumerate(signals, start=3))  # handles need not begin with 0
        self.latest: dict[str, tuple[float, int, int]] = {}
        self.items = 0
        self.error: BaseException | None = None
        self.task = asyncio.create_task(self._read())
        self._news = asyncio.Event()

    async def _read(self) -> None:
        try:
            async for item in self.driver.stream(self.signals):
                self.items += 1
                if isinstance(item, Batch):
                    rows = zip(item.signal, item.value, item.time, item.status, strict=True)
                    for handle, value, time, status in rows:
                        id = self.signals[int(handle)].id
                        self.latest[id] = (float(value), int(time), int(status))
                self.driver.confirm(self.items)
                self._news.set()
        except DoorError as error:
            self.error = error
        finally:
            self._news.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(WITHIN):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


def permit(signal: Signal, value: float, now: int) -> Permit:
    command = Command(
        id="c1", signal=signal.id, value=value, origin="test", because="contract",
        issued=now, expires=now + 30 * SECOND,
    )  # fmt: skip
    return Permit(command=command, granted=now, mode="auto")


def test_it_fits_the_port_and_documents_its_options() -> None:
    for type in registry.names("machines"):
        cls = registry.load("machines", type)
        assert cls.__doc__
        assert "```toml" in cls.__doc__, f"{type} shows no example"
        for option in registry.options(cls):
            assert option.description, f"{type}.{option.name} is not described"
        assert cls.Options.__struct_config__.forbid_unknown_fields


async def test_it_is_a_driver_and_tells_its_health(rig: Any, driver: Driver) -> None:
    assert isinstance(driver, Driver)
    assert isinstance(driver.health, Health)


async def test_the_first_items_carry_the_current_values(rig: Any, driver: Driver) -> None:
    async with Watch(driver, rig.signals) as watch:
        await watch.until(lambda: len(watch.latest) == len(rig.signals))
        for id, (value, time, status) in watch.latest.items():
            assert status & 3 == Severity.GOOD, id
            assert value == pytest.approx(await rig.read(id))
            assert abs(time - RealClock().now()) < 3600 * SECOND
    assert driver.health.state == "online"


async def test_a_change_at_the_machine_is_seen(rig: Any, driver: Driver) -> None:
    id = rig.signals[1].id
    async with Watch(driver, rig.signals) as watch:
        await watch.until(lambda: id in watch.latest)
        await rig.change(id, 4711.5)
        await watch.until(lambda: watch.latest[id][0] == pytest.approx(4711.5))


async def test_one_bad_signal_never_stops_the_others(rig: Any, driver: Driver) -> None:
    if rig.bad is None:
        pytest.skip(f"{rig.type} cannot have an address that its server does not know")
    async with Watch(driver, [rig.bad, *rig.signals]) as watch:
        await watch.until(lambda: all(s.id in watch.latest for s in rig.signals))
        await watch.until(lambda: rig.bad.id in driver.health.signals)
        if rig.bad.id in watch.latest:
            assert watch.latest[rig.bad.id][2] & 3 == Severity.BAD
        await rig.change(rig.signals[0].id, 12.5)
        await watch.until(lambda: watch.latest[rig.signals[0].id][0] == pytest.approx(12.5))


async def test_not_a_number_is_bad_and_nothing_breaks(rig: Any, driver: Driver) -> None:
    a, b = rig.signals[0].id, rig.signals[1].id
    async with Watch(driver, rig.signals) as watch:
        await watch.until(lambda: a in watch.latest and b in watch.latest)
        await rig.change(a, math.nan)
        await rig.change(b, 77.25)
        await watch.until(lambda: watch.latest[b][0] == pytest.approx(77.25))
        await watch.until(lambda: watch.latest[a][2] & 3 == Severity.BAD)


async def test_a_lost_link_ends_the_stream_and_it_comes_back(rig: Any, driver: Driver) -> None:
    async with Watch(driver, rig.signals) as watch:
        await watch.until(lambda: len(watch.latest) == len(rig.signals))
        await rig.stop()
        try:
            async with asyncio.timeout(WITHIN):
                await watch.task
            assert isinstance(watch.error, DoorError)
        finally:
            await rig.start()
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await driver.connect()
                break
            except DoorError:
                await asyncio.sleep(0.2)
    async with Watch(driver, rig.signals) as again:
        await again.until(lambda: len(again.latest) == len(rig.signals))
        await rig.change(rig.signals[0].id, 31.5)
        await again.until(lambda: again.latest[rig.signals[0].id][0] == pytest.approx(31.5))


async def how_it_ends(driver: Driver, signals: list[Signal]) -> BaseException | None:
    """Return what ends an attempt to connect and stream."""
    async with asyncio.timeout(WITHIN):
        try:
            await driver.connect()
        except DoorError as error:
            return error
        async with Watch(driver, signals) as watch:
            await watch.task
            return watch.error


async def test_nobody_there_is_told_with_a_remedy(rig: Any) -> None:
    await rig.stop()
    driver = driver_of(rig)
    try:
        error = await how_it_ends(driver, rig.signals)
        assert isinstance(error, DoorError)
        assert error.remedy
    finally:
        await driver.close()
        await rig.start()


async def test_a_write_reaches_the_machine_and_is_read_back(rig: Any, driver: Driver) -> None:
    if rig.writable is None:
        signal = rig.signals[0]
        with pytest.raises(DoorError):
            await driver.write(permit(signal, 1.0, RealClock().now()), signal)
        return
    signal = next(s for s in rig.signals if s.id == rig.writable)
    async with Watch(driver, rig.signals) as watch:
        await watch.until(lambda: signal.id in watch.latest)
        async with asyncio.timeout(WITHIN):
            read_back = await driver.write(permit(signal, 42.5, RealClock().now()), signal)
            assert read_back in (None, pytest.approx(42.5))
            while await rig.read(signal.id) != pytest.approx(42.5):
                await asyncio.sleep(0.02)


async def test_browsing_offers_what_can_be_streamed(rig: Any, driver: Driver) -> None:
    if not rig.browses:
        pytest.skip(f"{rig.type} offers nothing to browse")
    async with asyncio.timeout(WITHIN):
        nodes = [node async for node in driver.browse()]
    assert nodes
    assert all(isinstance(node, Node) for node in nodes)
    found = [
        Signal(id=f"x.n{i}", source=f"x:{n.address}", kind=n.kind) for i, n in enumerate(nodes)
    ]
    numbers = [signal for signal in found if signal.kind == "number"][:20]
    async with Watch(driver, numbers) as watch:
        await watch.until(lambda: len(watch.latest) >= min(2, len(numbers)))


async def test_closing_twice_is_harmless(rig: Any) -> None:
    driver = driver_of(rig)
    async with asyncio.timeout(WITHIN):
        await driver.connect()
        await driver.close()
        await driver.close()
