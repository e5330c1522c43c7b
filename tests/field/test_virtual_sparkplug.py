"""A virtual edge node over mosquitto: our host, a foreign host, and what faults do to both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core.clock import RealClock
from deungdae.core.types import Command, Flag, Permit
from deungdae.virtual._faults import Fault
from deungdae.virtual.sparkplug import Sparkplug
from deungdae.wires.mqtt.broker import Broker

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
PEERS = Path(__file__).resolve().parent.parent / "peers"
WITHIN = 15.0
Run = Callable[[str], AbstractAsyncContextManager[Any]]
Line = dict[str, Any]

FACTORY = """
[factory]
id = "works"

[virtual.oven]
type = "sparkplug"
model = "kiln"
node = "line1"
device = "oven"
step = 0.05
broker = {{ url = "mqtt://127.0.0.1:{port}" }}

[virtual.press]
type = "sparkplug"
model = "press"
node = "line2"
step = 0.05
broker = {{ url = "mqtt://127.0.0.1:{port}" }}
parameters = {{ failure_every = 0, wait_every = 0, cycle = 0.5 }}

[machines.cells]
type = "sparkplug"
url = "mqtt://127.0.0.1:{port}"
reorder = 0.2
rebirth = 0.3
patience = 3.0

[[signals]]
id = "oven.temperature"
unit = "K"
source_unit = "Cel"
source = "cells:plant/line1/oven/temperature"
low = 0
high = 2000

[[signals]]
id = "oven.valve"
unit = "%"
access = "rw"
source = "cells:plant/line1/oven/valve"

[[signals]]
id = "press.energy"
unit = "kW.h"
source = "cells:plant/line2/machine/energy"

[[signals]]
id = "press.state"
kind = "state"
source = "cells:plant/line2/machine/state"
"""


@pytest.fixture
async def port(
    tmp_path: Path,
    free_port: Callable[[], int],
    running: Callable[..., AbstractAsyncContextManager[object]],
) -> AsyncIterator[int]:
    number = free_port()
    file = tmp_path / "mosquitto.conf"
    file.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n")
    async with running(MOSQUITTO, "-c", str(file), port=number):
        yield number


@pytest.fixture
def text(port: int) -> str:
    return FACTORY.format(port=port)


def permit(value: float) -> Permit:
    command = Command(
        id="1", signal="oven.valve", value=value, origin="test", because="", issued=0,
        expires=2**62,
    )  # fmt: skip
    return Permit(command=command, granted=0, mode="auto")


async def test_our_host_reads_units_and_states_and_sets(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        assert 1300 < works.reading("oven.temperature").value < 1600
        await works.until(lambda: len(works.events("press.state")) == 1)
        assert works.events("press.state")[0].value == "running"
        door = works.runtime.doors["cells"]
        signal = works.runtime.factory.signals["oven.valve"]
        assert await door.write(permit(30.0), signal) == 30.0
        assert works.virtual("oven").plant.get("valve") == 30.0
        assert await door.write(permit(140.0), signal) == 100.0  # the actuator stops at its end
        assert await door.write(permit(130.0), signal) == 100.0  # and says so, though unchanged
        nodes = {node.address: node async for node in door.driver.browse()}
        assert nodes["plant/line1/oven/temperature"].unit == "Cel"
        assert nodes["plant/line2/machine/state"].kind == "text"


async def test_a_dropped_node_dies_by_its_will_and_the_other_goes_on(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        began = works.clock.now()
        works.virtual("oven").faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: works.reading("oven.temperature").status & 0x12 == 0x12)
        await works.until(lambda: works.virtual("oven").health.state == "offline")
        assert "dropped by command" in works.virtual("oven").health.problem
        assert "dead" in works.health("cells").signals["oven.temperature"]
        assert works.health("cells").state == "degraded"
        await works.good("press.energy")
        works.virtual("oven").faults.clear()
        await works.good("oven.temperature")
        assert works.health("cells").state == "online"
        assert not (works.samples("press.energy", began).status & 3).any()
        assert (works.samples("oven.temperature", began).status & Flag.STALE).any()


async def test_rubbish_is_bad_or_asks_for_a_birth_and_the_other_is_good(
    house: Run, text: str
) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        began = works.clock.now()
        works.virtual("oven").faults.put(Fault(kind="rubbish", seconds=0))
        await works.until(lambda: len(works.samples("oven.temperature", began)) >= 40)
        await works.until(lambda: "malformed" in works.health("cells").problem)
        works.virtual("oven").faults.clear()
        rubbish = works.samples("oven.temperature", began)
        odd = ~((rubbish.value >= 0) & (rubbish.value <= 2000))
        assert odd.any()
        assert (rubbish.status[odd] & 3 != 0).all()
        await works.good("oven.temperature")
        await works.good("press.energy")
        assert not (works.samples("press.energy", began).status & 3).any()
        await works.until(lambda: works.health("cells").state == "online")


async def test_a_clock_that_jumps_is_suspected(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        works.virtual("oven").faults.put(Fault(kind="jump", amount=86_400, seconds=0))
        suspect = Flag.CLOCK_SUSPECT
        await works.until(lambda: works.reading("oven.temperature").status & suspect)
        assert works.reading("oven.temperature").time <= works.clock.now()
        assert not works.reading("press.energy").status & suspect
        works.virtual("oven").faults.clear()
        await works.good("oven.temperature")


async def test_a_slow_node_comes_late_at_its_own_time_and_complete(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        began = works.clock.now()
        works.virtual("oven").faults.put(Fault(kind="slow", amount=1.5, seconds=0))
        await asyncio.sleep(0.2)
        works.virtual("oven").faults.clear()
        await works.good("oven.temperature", began + 2_000_000_000)
        samples = works.samples("oven.temperature", began)
        assert np.diff(samples.time).max() < 1.4e9  # late is not lost
        assert not works.store.events(began, 2**62, kinds=["gap"])
        assert works.health("cells").state == "online"


async def test_a_frozen_quantity_says_nothing_new(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("oven.temperature")
        works.virtual("oven").faults.put(Fault(kind="freeze", quantity="temperature", seconds=0))
        await asyncio.sleep(0.3)
        began = works.clock.now()
        await works.good("press.energy")
        assert not len(works.samples("oven.temperature", began))
        frozen = works.virtual("oven").plant.get("temperature")
        works.virtual("oven").faults.clear()
        await works.good("oven.temperature")
        assert works.reading("oven.temperature").value != frozen


class Foreign:
    """A host on Eclipse's payload library, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[Line] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    def do(self, name: str, **more: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name, **more}).encode() + b"\n")

    def all(self, what: str) -> list[Line]:
        return [one for one in self.said if one["what"] == what]

    async def until(self, what: str, count: int = 1) -> Line:
        async with asyncio.timeout(WITHIN):
            while len(self.all(what)) < count:
                assert self.process.returncode is None, self.said[-3:]
                await asyncio.sleep(0.01)
        return self.all(what)[count - 1]

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._task


@contextlib.asynccontextmanager
async def foreign(port: int) -> AsyncIterator[Foreign]:
    process = await asyncio.create_subprocess_exec(
        "node", str(PEERS / "sparkplug-host.js"), str(port), "plant",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    host = Foreign(process)
    try:
        await host.until("connected")
        yield host
    finally:
        await host.stop()


@contextlib.asynccontextmanager
async def oven(port: int, **options: Any) -> AsyncIterator[Sparkplug]:
    broker = Broker(url=f"mqtt://127.0.0.1:{port}")
    settings = Sparkplug.Options(broker=broker, node="line1", device="oven", step=0.05, **options)
    virtual = Sparkplug("oven", settings, RealClock())
    serving = asyncio.create_task(virtual.serve())
    try:
        yield virtual
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert virtual.health.state == "stopped"


def named(line: Line) -> dict[str, Line]:
    return {metric["name"]: metric for metric in line["payload"]["metrics"]}


async def test_eclipses_library_reads_births_data_and_deaths(port: int) -> None:
    async with foreign(port) as host:
        async with oven(port, typed=True) as virtual:
            node = await host.until("NBIRTH")
            assert (node["node"], node["payload"]["seq"], node["retain"]) == ("line1", 0, False)
            assert named(node)["Properties/Model"]["value"] == "kiln"
            device = await host.until("DBIRTH")
            valve = named(device)["valve"]
            assert (device["device"], device["payload"]["seq"]) == ("oven", 1)
            assert (valve["type"], valve["value"]) == ("Double", 55)
            assert valve["properties"]["engUnit"] == {"type": "String", "value": "%"}
            assert valve["properties"]["readOnly"] == {"type": "Boolean", "value": False}
            data = await host.until("DDATA")
            assert data["payload"]["seq"] == 2
            aliases = {metric["alias"] for metric in data["payload"]["metrics"]}
            assert named(device)["temperature"]["alias"] in aliases
            host.do(
                "command", kind="DCMD", node="line1", device="oven",
                metrics=[{"name": "valve", "type": "Double", "value": 42.0}],
            )  # fmt: skip
            async with asyncio.timeout(WITHIN):
                while virtual.plant.get("valve") != 42.0:
                    await asyncio.sleep(0.01)
            host.do(
                "command", kind="NCMD", node="line1",
                metrics=[{"name": "Node Control/Rebirth", "type": "Boolean", "value": True}],
            )  # fmt: skip
            again = await host.until("NBIRTH", 2)
            assert again["payload"]["seq"] == 0
            assert named(again)["bdSeq"]["value"] == named(node)["bdSeq"]["value"]
            assert named(await host.until("DBIRTH", 2))["valve"]["value"] == 42
        died = await host.until("NDEATH")  # in good order
        assert named(died)["bdSeq"]["value"] == named(node)["bdSeq"]["value"]
        assert "seq" not in died["payload"]
        seqs = [
            one["payload"]["seq"]
            for one in host.said
            if one["what"] in ("NBIRTH", "DBIRTH", "DDATA")
        ]
        restart = seqs.index(0, 1)
        assert seqs == [*range(restart), *range(len(seqs) - restart)]


async def test_a_dropped_link_is_a_death_and_the_next_birth_has_the_next_number(port: int) -> None:
    async with foreign(port) as host, oven(port) as virtual:
        first = named(await host.until("NBIRTH"))["bdSeq"]["value"]
        virtual.faults.put(Fault(kind="drop", seconds=0))
        died = await host.until("NDEATH")
        assert (named(died)["bdSeq"]["value"], died["retain"]) == (first, False)
        virtual.faults.clear()
        assert named(await host.until("NBIRTH", 2))["bdSeq"]["value"] == first + 1


async def test_rubbish_on_the_wire_is_malformed_at_times(port: int) -> None:
    async with foreign(port) as host, oven(port) as virtual:
        await host.until("DBIRTH")
        virtual.faults.put(Fault(kind="rubbish", seconds=0))
        await host.until("malformed")


async def test_it_waits_for_its_primary_host_and_goes_with_it(port: int) -> None:
    def state(online: bool, stamp: int) -> None:
        host.do("state", text=json.dumps({"online": online, "timestamp": stamp}))

    async with foreign(port) as host, oven(port, host_id="foreign") as virtual:
        async with asyncio.timeout(WITHIN):
            while "primary host" not in virtual.health.problem:
                await asyncio.sleep(0.01)
        state(False, 1000)
        await asyncio.sleep(0.2)
        assert not host.all("NBIRTH")
        state(True, 2000)
        await host.until("NBIRTH")
        state(False, 1500)  # an old will that comes late
        await host.until("DDATA", 3)
        assert not host.all("NDEATH")
        state(False, 2000)
        await host.until("NDEATH")
        state(True, 3000)
        await host.until("NBIRTH", 2)


async def test_the_broker_of_a_virtual_plant_serves_both_sides(
    house: Run, free_port: Callable[[], int]
) -> None:
    text = FACTORY.replace('{{ url = "mqtt://127.0.0.1:{port}" }}', "{broker}")
    text = text.replace('url = "mqtt://127.0.0.1:{port}"', '{old}\nurl = "{url}"')
    number, old = free_port(), 'version = "3.1.1"'  # all that its library speaks
    url = f"mqtt://127.0.0.1:{number}"
    text = text.format(broker=f'{{ url = "{url}", {old} }}', old=old, url=url)
    async with house(f'{text}\n[virtual.broker]\ntype = "broker"\nport = {number}\n') as works:
        await works.good("oven.temperature")
        works.virtual("oven").faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: works.reading("oven.temperature").status & 0x12 == 0x12)
        works.virtual("oven").faults.clear()
        await works.good("oven.temperature")
        await works.good("press.energy")


async def test_a_broker_that_comes_later_is_found(
    tmp_path: Path,
    free_port: Callable[[], int],
    running: Callable[..., AbstractAsyncContextManager[object]],
) -> None:
    number = free_port()
    file = tmp_path / "late.conf"
    file.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n")
    async with oven(number) as virtual:
        async with asyncio.timeout(WITHIN):
            while virtual.health.state != "offline":
                await asyncio.sleep(0.01)
        assert virtual.health.remedy
        for _ in range(2):
            async with running(MOSQUITTO, "-c", str(file), port=number), asyncio.timeout(WITHIN):
                while virtual.health.state != "online":
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(WITHIN):
                while virtual.health.state != "offline":
                    await asyncio.sleep(0.01)
