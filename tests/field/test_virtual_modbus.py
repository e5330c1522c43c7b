"""Faults of a virtual Modbus machine as our driver and a foreign client meet them on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from pymodbus.client import AsyncModbusTcpClient

from deungdae.virtual._faults import Fault

Run = Callable[[str], AbstractAsyncContextManager[Any]]

FACTORY = """
[factory]
id = "works"

[virtual.kiln]
type = "modbus"
model = "kiln"
port = {kiln}
step = 0.05

[virtual.press]
type = "modbus"
model = "press"
port = {press}
step = 0.05
parameters = {{ failure_every = 0, wait_every = 0, cycle = 0.5 }}

[machines.kiln]
type = "modbus"
url = "tcp://127.0.0.1:{kiln}"
period = 0.1
timeout = 0.5

[machines.press]
type = "modbus"
url = "tcp://127.0.0.1:{press}"
period = 0.1

[[signals]]
id = "kiln.temperature"
unit = "Cel"
source = "kiln:input/0?float32"
low = 0
high = 1600

[[signals]]
id = "kiln.gas_flow"
unit = "m3/h"
source = "kiln:input/2?float32"
low = 0
high = 1000

[[signals]]
id = "press.energy"
unit = "kW.h"
source = "press:input/7?float32"
"""


@pytest.fixture
def text(free_port: Callable[[], int]) -> str:
    return FACTORY.format(kiln=free_port(), press=free_port())


async def test_a_dropped_machine_is_stale_then_back_and_the_other_goes_on(
    house: Run, text: str
) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: works.health("kiln").state == "offline")
        await works.until(lambda: works.virtual("kiln").health.state == "offline")
        last = works.reading("kiln.temperature")
        assert last.status & 0x12 == 0x12  # bad, stale
        assert works.health("press").state == "online"
        works.virtual("kiln").faults.clear()
        await works.good("kiln.temperature")
        assert works.health("kiln").state == "online"
        await works.good("press.energy")
        press = works.samples("press.energy", began)
        assert not (press.status & 3).any()
        assert np.diff(press.time).max() < 3e9
        # what was missed is told: the stale sample lies between the last good and the first again
        kiln = works.samples("kiln.temperature", began)
        assert (kiln.status & 0x10).any()


async def test_a_slow_machine_is_told_and_comes_back(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        works.virtual("kiln").faults.put(Fault(kind="slow", amount=1.5, seconds=0))
        await works.until(lambda: works.health("kiln").state != "online")
        assert works.health("kiln").problem
        await works.good("press.energy")
        assert works.health("press").state == "online"
        works.virtual("kiln").faults.clear()
        await works.good("kiln.temperature")
        await works.until(lambda: works.health("kiln").state == "online")


async def test_a_machine_that_is_a_little_late_loses_nothing(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="slow", amount=0.2, seconds=0))
        await works.until(lambda: len(works.samples("kiln.temperature", began)) >= 5)
        assert not (works.samples("kiln.temperature", began).status & 3).any()
        assert works.health("kiln").state == "online"


async def test_rubbish_is_never_silently_good(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.gas_flow")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="rubbish", seconds=0))
        await works.until(lambda: len(works.samples("kiln.gas_flow", began)) >= 30)
        rubbish = works.samples("kiln.gas_flow", began + 200_000_000)
        impossible = ~((rubbish.value >= 0) & (rubbish.value <= 1000))
        assert impossible.any()
        assert (rubbish.status[impossible] & 3 != 0).all()
        await works.good("press.energy")
        assert not (works.samples("press.energy", began).status & 3).any()
        works.virtual("kiln").faults.clear()
        await works.good("kiln.gas_flow")
        await works.until(lambda: works.health("kiln").state == "online")


async def test_a_frozen_quantity_keeps_its_value_with_fresh_times(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        works.virtual("kiln").faults.put(Fault(kind="freeze", quantity="temperature", seconds=0))
        frozen = works.virtual("kiln").plant.get("temperature")
        await asyncio.sleep(0.3)
        began = works.clock.now()
        await works.until(lambda: len(works.samples("kiln.temperature", began)) >= 5)
        samples = works.samples("kiln.temperature", began)
        assert samples.value == pytest.approx(frozen, rel=1e-6)
        assert (np.diff(samples.time) > 0).all()


async def test_a_clock_that_jumps_is_not_seen_over_modbus(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        works.virtual("kiln").faults.put(Fault(kind="jump", amount=86_400, seconds=0))
        await works.good("kiln.temperature")
        assert works.health("kiln").state == "online"
        assert works.samples("kiln.temperature").time[-1] <= works.clock.now()


async def test_a_foreign_client_meets_the_same_faults(house: Run, text: str) -> None:
    async with house(text) as works:
        virtual = works.virtual("kiln")
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=virtual.options.port, timeout=0.3, retries=0, reconnect_delay=0
        )
        assert await client.connect()
        assert not (await client.read_input_registers(0, count=2)).isError()
        virtual.faults.put(Fault(kind="rubbish", seconds=0))
        answers = [await client.read_input_registers(0, count=2) for _ in range(40)]
        assert {answer.isError() for answer in answers} == {True, False}
        virtual.faults.clear()
        virtual.faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: not client.connected)
        assert not await client.connect()
        virtual.faults.clear()
        await works.until(lambda: virtual.health.state == "online")
        assert await client.connect()
        client.close()
