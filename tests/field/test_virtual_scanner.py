"""The simulated barcode reader on a socket, read plainly and by our own door, with faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.core.types import Event, Signal
from deungdae.machines.scanner import Scanner as Door
from deungdae.virtual import scanner
from deungdae.virtual._faults import Fault
from deungdae.virtual.scanner import Scanner

CLOCK = RealClock()
WITHIN = 10.0
LABEL = {1: Signal(id="gate.label", kind="scan", source="gate:scan")}
GS1 = "]C10109501101530003" + "10LOT-7"


class Belt:
    """A plant whose codes are put before it."""

    quantities = ()

    def __init__(self) -> None:
        self.codes: list[str] = []

    def step(self, dt: float) -> None:
        self.passed = dt

    def get(self, name: str) -> float | str:
        raise ValueError(f"no quantity is called {name!r}")

    def set(self, name: str, value: float) -> None:
        self.get(name)

    def take(self) -> Sequence[str]:
        codes, self.codes = self.codes, []
        return codes


@pytest.fixture
def made(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scanner]:
    monkeypatch.setattr(scanner, "machine", lambda options: Belt())

    def make(**options: object) -> Scanner:
        chosen = Scanner.Options(model="press", port=free_port(), step=0.01, **options)  # type: ignore[arg-type]
        return Scanner("gate", chosen, CLOCK)

    return make


@asynccontextmanager
async def serving(bridge: Scanner) -> AsyncIterator[Belt]:
    task = asyncio.create_task(bridge.serve())
    await until(lambda: bridge.health.state == "online")
    assert isinstance(bridge.plant, Belt)
    try:
        yield bridge.plant
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(bridge: Scanner) -> AsyncIterator[asyncio.StreamReader]:
    before = len(bridge._clients)
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.options.port)
    await until(lambda: len(bridge._clients) > before)
    try:
        yield reader
    finally:
        writer.close()


async def read(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(WITHIN):
        return await reader.readexactly(count)


@asynccontextmanager
async def listening(bridge: Scanner) -> AsyncIterator[Callable[[int], object]]:
    url = f"tcp://127.0.0.1:{bridge.options.port}"
    driver = Door("gate", Door.Options(url=url, repeat=0.0), CLOCK)
    await driver.connect()
    await until(lambda: bridge._clients)
    stream = driver.stream(LABEL)

    async def take(count: int) -> list[Event]:
        events: list[Event] = []
        async with asyncio.timeout(WITHIN):
            while len(events) < count:
                events += await anext(stream)  # type: ignore[arg-type]
        return events

    yield take
    await driver.close()


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, b"BRICK-1\rBRICK-2\r"),
        ({"ends": "crlf", "prefix": "01,"}, b"01,BRICK-1\r\n01,BRICK-2\r\n"),
        ({"ends": "lf", "suffix": ":OK"}, b"BRICK-1:OK\nBRICK-2:OK\n"),
        ({"ends": "stx-etx"}, b"\x02BRICK-1\x03\x02BRICK-2\x03"),
    ],
)
async def test_every_client_is_sent_every_code(
    made: Callable[..., Scanner], options: dict[str, object], sent: bytes
) -> None:
    bridge = made(**options)
    async with serving(bridge) as belt, connected(bridge) as one, connected(bridge) as two:
        belt.codes += ["BRICK-1", "BRICK-2"]
        assert await read(one, len(sent)) == sent
        assert await read(two, len(sent)) == sent


@pytest.mark.parametrize("ends", ["cr", "lf", "crlf", "stx-etx"])
async def test_our_door_reads_it(made: Callable[..., Scanner], ends: str) -> None:
    bridge = made(ends=ends)
    async with serving(bridge) as belt, listening(bridge) as take:
        belt.codes += [GS1, "벽돌-2"]
        gs1, korean = await take(2)
        assert (gs1.kind, gs1.value, gs1.data["lot"]) == ("scan", GS1, "LOT-7")
        assert korean.value == "벽돌-2"


@pytest.mark.parametrize(("noread", "sent"), [("NOREAD", b"NOREAD\r"), ("", b"")])
async def test_a_code_that_cannot_be_read(
    made: Callable[..., Scanner], noread: str, sent: bytes
) -> None:
    bridge = made(misread=1.0, noread=noread)
    async with serving(bridge) as belt, connected(bridge) as client:
        belt.codes += ["BRICK-1"]
        await until(lambda: not belt.codes)
        if sent:
            assert await read(client, len(sent)) == sent
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.read(1)


async def test_the_faults_show(made: Callable[..., Scanner]) -> None:
    bridge = made()
    async with serving(bridge) as belt, listening(bridge) as take:
        bridge.faults.put(Fault(kind="freeze"))
        belt.codes += ["one", "two", "three"]
        assert [event.value for event in await take(3)] == ["one", "one", "one"]
        bridge.faults.clear()
        bridge.faults.put(Fault(kind="rubbish"))
        belt.codes += ["four"]
        (rubbish,) = await take(1)
        assert rubbish.value != "four"
        bridge.faults.clear()
        bridge.faults.put(Fault(kind="slow", amount=0.3))
        belt.codes += ["five"]
        before = CLOCK.monotonic()
        assert [event.value for event in await take(1)] == ["five"]
        assert CLOCK.monotonic() - before >= 0.3


async def test_dropped_it_is_gone_and_comes_back(made: Callable[..., Scanner]) -> None:
    bridge = made()
    async with serving(bridge) as belt:
        async with listening(bridge) as take:
            bridge.faults.put(Fault(kind="drop", seconds=0))
            with pytest.raises(Unreachable):
                await take(1)
            assert bridge.health.state == "offline"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", bridge.options.port)
        belt.codes += ["lost"]  # nobody hears it
        await until(lambda: not belt.codes)
        bridge.faults.clear()
        await until(lambda: bridge.health.state == "online")
        async with listening(bridge) as take:
            belt.codes += ["after"]
            assert [event.value for event in await take(1)] == ["after"]


async def test_a_client_that_reads_nothing_does_not_stop_the_others(
    made: Callable[..., Scanner],
) -> None:
    bridge = made()
    async with serving(bridge) as belt, connected(bridge) as deaf:
        deaf._transport.pause_reading()  # type: ignore[attr-defined]
        async with connected(bridge) as client:
            for _ in range(200):
                belt.codes += ["x" * 99_999]
                await read(client, 100_000)
                if len(bridge._clients) == 1:
                    break
            assert len(bridge._clients) == 1
