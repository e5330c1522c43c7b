"""The MQTT door against mosquitto: TCP and TLS, users, redelivery, restarts, large payloads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import Batch, Command, Event, Permit, Signal
from deungdae.machines.mqtt import Mqtt

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
WITHIN = 10.0
SECOND = 1_000_000_000
NOON = 1_790_000_000


class Mosquitto:
    """A broker with its own configuration; `start` and `stop` any number of times."""

    def __init__(self, folder: Path, port: int, config: str = "allow_anonymous true") -> None:
        self.port = port
        self.file = folder / "mosquitto.conf"
        self.file.write_text(f"listener {port} 127.0.0.1\n{config}\n")
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(self.file), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.process.returncode is None, "mosquitto ended"
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None


@pytest.fixture
async def broker(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Mosquitto]:
    server = Mosquitto(tmp_path, free_port())
    await server.start()
    yield server
    await server.stop()


async def publish(
    port: int, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1
) -> None:
    """Publish with mosquitto_pub: an implementation that others wrote."""
    process = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-p", str(port), "-t", topic, "-q", str(qos), "-s", *["-r"] * retain,
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.communicate(payload)
    assert process.returncode == 0


def door(broker: Mosquitto, **options: object) -> Mqtt:
    values: dict[str, object] = {"url": broker.url, "timeout": 3.0, **options}
    return Mqtt("press", Mqtt.Options(**values), RealClock())  # type: ignore[arg-type]


SIGNALS = {
    7: Signal(id="press1.temp", unit="Cel", source="press:plant/press1?t.v&time=ts"),
    9: Signal(id="press1.length", unit="m", source_unit="mm", source="press:plant/press1?length"),
    11: Signal(id="press1.mode", kind="state", source="press:plant/press1?mode&time=ts"),
}


def payload(temp: object = 21.5, second: int = 0, **more: object) -> bytes:
    return json.dumps({"t": {"v": temp}, "ts": NOON + second, **more}).encode()


class Collected:
    """Runs a stream and keeps what it yields; confirms each item at once if asked to."""

    def __init__(
        self, driver: Mqtt, signals: dict[int, Signal] = SIGNALS, *, confirm: bool = True
    ) -> None:
        self.driver, self.confirm = driver, confirm
        self.rows: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []
        self.items = 0
        self.error: DoorError | None = None
        self._task = asyncio.create_task(self._run(signals))

    async def _run(self, signals: dict[int, Signal]) -> None:
        try:
            async for item in self.driver.stream(signals):
                self.items += 1
                if isinstance(item, Batch):
                    columns = (item.signal, item.time, item.value, item.status)
                    self.rows += zip(*(column.tolist() for column in columns), strict=True)
                else:
                    self.events += item
                if self.confirm:
                    self.driver.confirm(self.items)
        except DoorError as error:
            self.error = error

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not done():
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def collecting(driver: Mqtt, **more: object) -> AsyncIterator[Collected]:
    await driver.connect()
    collected = Collected(driver, **more)  # type: ignore[arg-type]
    try:
        yield collected
    finally:
        await collected.stop()
        await driver.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_values_and_states_come_with_unit_and_time(broker: Mosquitto, version: str) -> None:
    await publish(broker.port, "plant/press1", payload(21.5, mode="RUN", length=1500), retain=True)
    async with collecting(door(broker, version=version)) as got:
        await got.until(lambda: len(got.rows) == 2)
        assert (7, NOON * SECOND, 21.5, 0) in got.rows
        handle, _, length, status = next(row for row in got.rows if row[0] == 9)
        assert (handle, length, status) == (9, 1.5, 0x05)  # retained, without time: uncertain
        assert [(e.id, e.kind, e.value, e.time) for e in got.events] == [
            ("press1.mode", "state", "RUN", NOON * SECOND)
        ]
        await publish(broker.port, "plant/press1", payload("22.5", 1))
        await got.until(lambda: (7, (NOON + 1) * SECOND, 22.5, 0) in got.rows)
        assert got.driver.health.state == "online"
