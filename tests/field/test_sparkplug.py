"""The Sparkplug host against edge nodes on Eclipse's JavaScript client, over mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Node
from deungdae.core.types import Batch, Command, Event, Permit, Signal
from deungdae.machines.sparkplug import Sparkplug

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
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
    async with running(MOSQUITTO, "-c", str(file), port=number):
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


def permit(value: float, signal: str = "oven.setpoint") -> Permit:
    command = Command(
        id="1", signal=signal, value=value, origin="test", because="", issued=0, expires=0
    )
    return Permit(command=command, granted=0, mode="auto")


async def born(host: Collected, node: EdgeNode) -> None:
    node.do("births", **BIRTHS)
    await host.until(lambda: len({row[0] for row in host.rows}) == 3)


async def test_a_lost_message_is_a_gap_and_asks_for_a_rebirth(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        await born(host, node)
        node.do("skip")
        node.do("ndata", metrics=[{"alias": 1, "type": "Int32", "value": 77}])
        # what waited for the lost message is not thrown away
        await host.until(lambda: any(row[0] == 4 and row[2] == 77.0 for row in host.rows))
        await node.until("ncmd")
        await node.until("born", 2)
        assert [event.kind for event in host.events].count("gap") == 1
        await host.until(lambda: host.last(4) == (-5.0, 0))
        assert "1 gaps" in host.driver.health.problem
        assert node.process.returncode is None


async def test_a_host_that_comes_late_asks_for_births(port: int) -> None:
    async with edge_node(port) as node:
        node.do("births", **BIRTHS)
        await node.until("born")
        async with hosting(port) as host:
            await host.until(lambda: len({row[0] for row in host.rows}) == 3)
            assert host.last(6) == (850.5 + 273.15, 0)


async def test_a_dead_device_is_stale_and_the_rest_is_not(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        await born(host, node)
        node.do("ddeath", device="oven")
        await host.until(lambda: host.last(6) == (850.5 + 273.15, STALE))
        assert host.last(4) == (-5.0, 0)
        assert set(host.driver.health.signals) == {"oven.temp", "oven.setpoint", "oven.recipe"}
        node.do("births", **BIRTHS)
        await host.until(lambda: host.last(6) == (850.5 + 273.15, 0))
        assert host.driver.health.state == "online"


async def test_a_node_that_never_answers_and_a_metric_that_is_not_there(port: int) -> None:
    signals = SIGNALS | {
        20: Signal(id="x.y", source="cells:plant/nobody/Speed"),
        21: Signal(id="x.z", source="cells:plant/line1/oven/Nothing"),
        22: Signal(id="x.w", source="cells:nonsense"),
        23: Signal(id="x.s", source="cells:plant/line1/Speed"),
    }
    async with edge_node(port) as node, hosting(port, signals, patience=0.5) as host:
        node.do("births", **BIRTHS)
        await host.until(lambda: {20, 21, 22} <= {row[0] for row in host.rows if row[3] & 3 == 2})
        await host.until(lambda: host.last(4) == (-5.0, 0))
        problems = host.driver.health.signals
        assert "no birth came" in problems["x.y"]
        assert "no such metric" in problems["x.z"]
        assert "group/edge/metric" in problems["x.w"]
        assert "another signal" in problems["x.s"]


async def test_commands_reach_the_node_with_and_without_data_type(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        await born(host, node)
        written = asyncio.create_task(host.driver.write(permit(905.5), SIGNALS[7]))
        said = await node.until("dcmd")
        # the trap: without a data type Eclipse's JavaScript client reads null
        assert said["device"] == "oven"
        assert said["metrics"][0]["alias"] == 4  # type: ignore[index]
        assert said["metrics"][0].get("value") is None  # type: ignore[index]
        node.do("ddata", device="oven", metrics=[{"alias": 4, "type": "Float", "value": 905.5}])
        assert await written == 905.5
    async with edge_node(port) as node, hosting(port, typed=("plant/line1",)) as host:
        await born(host, node)
        written = asyncio.create_task(host.driver.write(permit(910.0), SIGNALS[7]))
        said = await node.until("dcmd")
        assert said["metrics"][0]["value"] == 910.0  # type: ignore[index]
        assert await written is None  # the node does not report it in time
        with pytest.raises(DoorError, match="no number"):
            await host.driver.write(permit(1, "oven.recipe"), SIGNALS[8])


async def test_state_is_published_retained_and_an_old_will_is_corrected(port: int) -> None:
    state = "spBv1.0/STATE/deungdae"

    async def last() -> dict[str, object]:
        process = await asyncio.create_subprocess_exec(
            "mosquitto_sub", "-p", str(port), "-t", state, "-C", "1",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        found: dict[str, object] = json.loads(out)
        return found

    async def becomes(online: bool) -> dict[str, object]:
        async with asyncio.timeout(WITHIN):
            while (found := await last())["online"] is not online:
                await asyncio.sleep(0.02)
        return found

    async with hosting(port) as host:
        await host.until(lambda: host.driver.health.state == "online")
        await asyncio.sleep(0.2)
        first = await becomes(True)
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub", "-p", str(port), "-t", state, "-r", "-q", "1", "-m",
            '{"online":false,"timestamp":1}',
        )  # fmt: skip
        await process.wait()
        assert await becomes(True) == first
    died = await becomes(False)
    assert int(str(died["timestamp"])) > int(str(first["timestamp"]))


async def test_compressed_payloads_are_read(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        await born(host, node)
        for algorithm in ("DEFLATE", "GZIP"):
            node.do(
                "ndata",
                metrics=[{"alias": 1, "type": "Int32", "value": len(algorithm)}],
                options={"compress": True, "algorithm": algorithm},
            )
            await host.until(lambda: host.last(4) == (float(len(algorithm)), 0))  # noqa: B023


async def test_browse_lists_what_is_born(port: int) -> None:
    async with edge_node(port) as node:
        node.do("births", **BIRTHS)
        await node.until("born")
        options = Sparkplug.Options(url=f"mqtt://127.0.0.1:{port}", listen=2.5, rebirth=0.3)
        driver = Sparkplug("cells", options, RealClock())
        await driver.connect()
        listening = asyncio.create_task(collect(driver))
        while not listening.done():  # data without birth, whenever it begins to listen
            node.do("ndata", metrics=[{"alias": 1, "type": "Int32", "value": 1}])
            await asyncio.sleep(0.3)
        nodes = await listening
        await driver.close()
    assert nodes["plant/line1/oven/Temperature"].unit == "Cel"
    assert nodes["plant/line1/oven/Temperature"].type == "Double"
    assert nodes["plant/line1/oven/Recipe"].kind == "text"
    assert "plant/line1/Line/Running" in nodes


async def collect(driver: Sparkplug) -> dict[str, Node]:
    return {node.address: node async for node in driver.browse()}


async def test_a_malformed_payload_is_noted_and_the_node_is_born_again(port: int) -> None:
    async with edge_node(port) as node, hosting(port) as host:
        await born(host, node)
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub", "-p", str(port), "-t", "spBv1.0/plant/NDATA/line1", "-m", "rubbish"
        )
        await process.wait()
        await node.until("born", 2)
        assert "1 malformed" in host.driver.health.problem
        assert any(event.kind == "note" for event in host.events)
