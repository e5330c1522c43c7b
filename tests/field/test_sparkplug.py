"""The Sparkplug host against edge nodes on Eclipse's JavaScript client, over mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import DoorError
from deungdae.core.types import Batch, Command, Event, Permit, Signal
from deungdae.machines.sparkplug import Sparkplug

PEERS = Path(__file__).resolve().parent.parent / "peers"
WITHIN = 15.0
STALE = 0x12  # bad, and stale


class EdgeNode:
    """An edge node in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, object]] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    def do(self, name: str, **given: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name, **given}).encode() + b"\n")

    async def until(self, what: str, count: int = 1) -> dict[str, object]:
        async with asyncio.timeout(WITHIN):
            while len(found := [one for one in self.said if one["what"] == what]) < count:
                assert self.process.returncode is None, f"the edge node ended: {self.said}"
                await asyncio.sleep(0.01)
        return found[-1]

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._task


@contextlib.asynccontextmanager
async def edge_node(
    port: int, group: str = "plant", name: str = "line1"
) -> AsyncIterator[EdgeNode]:
    process = await asyncio.create_subprocess_exec(
        "node", str(PEERS / "sparkplug-edge.js"), str(port), group, name,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    node = EdgeNode(process)
    try:
        await node.until("connected")
        yield node
    finally:
        await node.kill()


@pytest.fixture
async def port(
    tmp_path: Path,
    free_port: Callable[[], int],
    running: Callable[..., contextlib.AbstractAsyncContextManager[object]],
) -> AsyncIterator[int]:
    number = free_port()
    file = tmp_path / "mosquitto.conf"
    file.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n")
    async with running("mosquitto", "-c", str(file), port=number):
        yield number


BIRTHS = {
    "node": [
        {"name": "Node Control/Rebirth", "type": "Boolean", "value": False},
        {"name": "Speed", "type": "Int32", "value": -5, "alias": 1},
        {"name": "Line/Running", "type": "Boolean", "value": True, "alias": 2},
    ],
    "devices": {
        "oven": [
            {"name": "Temperature", "type": "Double", "value": 850.5, "alias": 3,
             "properties": {"engUnit": {"type": "String", "value": "Cel"}}},
            {"name": "Setpoint", "type": "Float", "value": 900, "alias": 4},
            {"name": "Recipe", "type": "String", "value": "brick", "alias": 5},
        ]
    },
}  # fmt: skip
SIGNALS = {
    4: Signal(id="line.speed", unit="m/min", source="cells:plant/line1/Speed"),
    5: Signal(id="line.running", kind="state", source="cells:plant/line1/Line/Running"),
    6: Signal(
        id="oven.temp", unit="K", source_unit="Cel", source="cells:plant/line1/oven/Temperature"
    ),
    7: Signal(
        id="oven.setpoint", unit="Cel", access="rw", source="cells:plant/line1/oven/Setpoint"
    ),
    8: Signal(id="oven.recipe", kind="text", source="cells:plant/line1/oven/Recipe"),
}


class Collected:
    """Runs a stream and keeps what it yields."""

    def __init__(self, driver: Sparkplug, signals: dict[int, Signal]) -> None:
        self.driver = driver
        self.rows: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []
        self.error: DoorError | None = None
        self._task = asyncio.create_task(self._run(signals))

    async def _run(self, signals: dict[int, Signal]) -> None:
        try:
            async for item in self.driver.stream(signals):
                if isinstance(item, Batch):
                    columns = (item.signal, item.time, item.value, item.status)
                    self.rows += zip(*(column.tolist() for column in columns), strict=True)
                else:
                    self.events += item
        except DoorError as error:
            self.error = error

    def last(self, handle: int) -> tuple[float, int] | None:
        found = [(value, status) for signal, _, value, status in self.rows if signal == handle]
        return found[-1] if found else None

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not done():
                assert not self._task.done() or self.error, self._task
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def hosting(
    port: int, signals: dict[int, Signal] = SIGNALS, **options: object
) -> AsyncIterator[Collected]:
    values: dict[str, object] = {
        "url": f"mqtt://127.0.0.1:{port}", "timeout": 2.0, "reorder": 0.2, "rebirth": 0.3,
        "patience": 3.0, **options,
    }  # fmt: skip
    driver = Sparkplug("cells", Sparkplug.Options(**values), RealClock())  # type: ignore[arg-type]
    await driver.connect()
    collected = Collected(driver, signals)
    try:
        yield collected
    finally:
        await collected.stop()
        await driver.close()


async def test_births_data_and_death(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        node.do("births", **BIRTHS)
        await host.until(lambda: len({row[0] for row in host.rows}) == 3)
        assert host.last(4) == (-5.0, 0)
        assert host.last(6) == (850.5 + 273.15, 0)
        assert host.last(7) == (900.0, 0)
        await host.until(lambda: len(host.events) == 2)
        assert {(e.id, e.value) for e in host.events} == {
            ("line.running", "true"), ("oven.recipe", "brick"),
        }  # fmt: skip
        node.do("ddata", device="oven", metrics=[{"alias": 3, "type": "Double", "value": 860.0}])
        node.do("ndata", metrics=[{"alias": 1, "type": "Int32", "value": 12}])
        await host.until(lambda: host.last(4) == (12.0, 0))
        assert host.last(6) == (860.0 + 273.15, 0)
        await node.kill()
        await host.until(lambda: host.last(7) == (900.0, STALE))
        assert host.last(4) == (12.0, STALE)
        assert host.events[-1].status == STALE
        assert "dead" in host.driver.health.signals["oven.temp"]
        assert host.driver.health.state == "degraded"
