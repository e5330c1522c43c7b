"""The Modbus doors against libmodbus, jsmodbus and mbpoll, which others wrote."""

from __future__ import annotations

import asyncio
import os
import sys
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, Unreachable
from deungdae.core.types import Batch, Command, Event, Permit, Severity, Signal
from deungdae.machines.modbus import Modbus
from deungdae.virtual.modbus import Modbus as Virtual

PEERS = Path(__file__).resolve().parent.parent / "peers"
LIBMODBUS = str(PEERS / "libmodbus_server.py")


def make(url: str, **options: object) -> Modbus:
    settings = {"url": url, "period": 0.02, **options}
    return Modbus("m", msgspec.convert(settings, Modbus.Options), RealClock())


def signals(*addresses: str, **more: Any) -> dict[int, Signal]:
    return {i: Signal(id=f"a.s{i}", source=f"m:{a}", **more) for i, a in enumerate(addresses)}


def permit(value: float) -> Permit:
    command = Command(
        id="c", signal="a.s0", value=value, origin="t", because="t", issued=0, expires=2**62
    )
    return Permit(command=command, granted=0, mode="auto")


async def values(driver: Modbus, wanted: dict[int, Signal]) -> dict[str, float | str]:
    """Return the first good value of every signal."""
    found: dict[str, float | str] = {}
    stream = driver.stream(wanted)
    async with asyncio.timeout(15):
        async for item in stream:
            if isinstance(item, Batch):
                good = item.take(item.status & 3 == Severity.GOOD)
                for handle, value in zip(good.signal.tolist(), good.value.tolist(), strict=True):
                    found.setdefault(wanted[handle].id, value)
            else:
                found.update({event.id: event.value for event in item})
            if len(found) == len(wanted):
                break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


async def test_libmodbus_reads_in_all_word_orders(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    async with running(sys.executable, LIBMODBUS, "tcp", str(port), port=port):
        driver = make(f"tcp://127.0.0.1:{port}")
        await driver.connect()
        wanted = signals(
            "holding/0?float32",
            "holding/2?float32,CDAB",
            "holding/4?float32,BADC",
            "holding/6?float32,DCBA",
            "holding/10?int16",
            "input/199",
            "coil/31",
            "discrete/0",
        )
        found = await values(driver, wanted)
        assert [found[f"a.s{i}"] for i in range(4)] == pytest.approx([123.456] * 4, rel=1e-6)
        assert [found[f"a.s{i}"] for i in range(4, 8)] == [-5, 1199, 1, 0]
        await driver.close()


async def test_libmodbus_is_written_and_read_back(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    async with running(sys.executable, LIBMODBUS, "tcp", str(port), port=port):
        driver = make(f"tcp://127.0.0.1:{port}")
        await driver.connect()
        for address, value in [
            ("holding/20?float32,CDAB", 0.25),
            ("holding/22?float64", 1e-7),
            ("holding/26?int32,DCBA", -123456.0),
            ("holding/28", 65535.0),
            ("holding/29?bool,bit=4", 1.0),
            ("coil/2", 1.0),
        ]:
            (signal,) = signals(address, access="rw").values()
            assert await driver.write(permit(value), signal) == value
        (whole,) = signals("holding/29", access="rw").values()
        assert await values(driver, {0: whole}) == {"a.s0": 16.0}
        with pytest.raises(BadReply, match="exception 2"):
            await driver.write(permit(1.0), signals("holding/100", access="rw")[0])
        await driver.close()


async def test_libmodbus_refuses_one_address_and_the_others_go_on(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    async with running(sys.executable, LIBMODBUS, "tcp", str(port), port=port):
        driver = make(f"tcp://127.0.0.1:{port}")
        await driver.connect()
        stream = driver.stream(signals("holding/98", "holding/99", "holding/100", "holding/101"))
        seen: dict[int, int] = {}
        async with asyncio.timeout(15):
            while len(seen) < 4:
                batch = await anext(stream)
                seen |= dict(zip(batch.signal.tolist(), (batch.status & 3).tolist(), strict=True))
        assert seen == {0: 0, 1: 0, 2: 2, 3: 2}
        assert set(driver.health.signals) == {"a.s2", "a.s3"}
        await driver.close()


async def exhaust(stream: Any) -> None:
    async for _ in stream:
        pass


async def test_libmodbus_is_killed_and_comes_back(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    driver = make(f"tcp://127.0.0.1:{port}")
    command = (sys.executable, LIBMODBUS, "tcp", str(port))
    async with running(*command, port=port) as server:
        await driver.connect()
        stream = driver.stream(signals("input/7"))
        await asyncio.wait_for(anext(stream), 15)
        server.kill()
        with pytest.raises(Unreachable):
            await asyncio.wait_for(exhaust(stream), 15)
        assert driver.health.state == "offline"
        with pytest.raises(Unreachable):
            await driver.connect()
    async with running(*command, port=port):
        await driver.connect()
        assert await values(driver, signals("input/7")) == {"a.s0": 1007.0}
        assert driver.health.state == "online"
        await driver.close()


async def test_libmodbus_behind_a_serial_gateway(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    async with serial_line() as (device, line), slave(device), gateway(line, port):
        driver = make(f"rtu+tcp://127.0.0.1:{port}")
        await driver.connect()
        wanted = signals("holding/2?float32,CDAB", "input/7", "coil/3", "holding/100")
        stream = driver.stream(wanted)
        merged = Batch.merge([await asyncio.wait_for(anext(stream), 15) for _ in range(8)])
        told = dict(zip(merged.signal.tolist(), merged.value.tolist(), strict=True))
        assert [told[i] for i in range(3)] == [pytest.approx(123.456, rel=1e-6), 1007, 1]
        assert "exception 2" in driver.health.signals["a.s3"]
        await stream.aclose()  # type: ignore[attr-defined]
        (signal,) = signals("holding/20?float32", access="rw").values()
        assert await driver.write(permit(0.5), signal) == 0.5
        await driver.close()


@asynccontextmanager
async def serial_line() -> AsyncIterator[tuple[str, int]]:
    """Give the name of one end of a pseudo-terminal, and the other end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield os.ttyname(theirs), ours
    finally:
        os.close(ours)
        os.close(theirs)


@asynccontextmanager
async def slave(device: str) -> AsyncIterator[None]:
    """A libmodbus RTU slave with unit id 1 on a serial line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, LIBMODBUS, "rtu", device, "1", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    async with ended(process):
        yield


@asynccontextmanager
async def gateway(line: int, port: int) -> AsyncIterator[None]:
    """Socat between TCP connections and a serial line that it inherits."""
    process = await asyncio.create_subprocess_exec(
        "socat", "-d", "-d", "-t", "0.01",
        f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"FD:{line}",
        pass_fds=(line,), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"listening on" not in await process.stderr.readline():
        pass
    async with ended(process):
        yield


@asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """End a process at the end."""
    try:
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_jsmodbus_is_read_written_and_browsed(
    free_port: Callable[[], int], running: Any
) -> None:
    port = free_port()
    async with running("node", str(PEERS / "modbus-server.js"), str(port), port=port):
        driver = make(f"tcp://127.0.0.1:{port}", scan=["holding/0-9", "input/190-210", "coil/0-7"])
        await driver.connect()
        wanted = signals("holding/0?float32", "input/150", "coil/3", "coil/2")
        found = await values(driver, wanted)
        assert [found[f"a.s{i}"] for i in range(4)] == [21.5, 150, 1, 0]
        for address, value in [("holding/20?float32", -1.5), ("holding/30", 7.0), ("coil/5", 1.0)]:
            (signal,) = signals(address, access="rw").values()
            assert await driver.write(permit(value), signal) == value
        nodes = {node.address: node async for node in driver.browse()}
        assert nodes["holding/0?float32"].value == "21.5"
        assert nodes["input/199"].value == "199"
        assert nodes["coil/3"].value == "1"
        proposed = signals(*list(nodes)[:20])
        assert len(await values(driver, proposed)) == 20
        await driver.close()


async def mbpoll(*arguments: str) -> str:
    """Return what mbpoll prints; -0: numbers from 0; -B: highest word first."""
    process = await asyncio.create_subprocess_exec(
        "mbpoll", "-q", "-0", "-B", "127.0.0.1", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 15)
    return said.decode()


@asynccontextmanager
async def serving(virtual: Virtual) -> AsyncIterator[None]:
    task = asyncio.create_task(virtual.serve())
    async with asyncio.timeout(15):
        while virtual.health.state != "online":
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_mbpoll_reads_and_writes_the_virtual_kiln(free_port: Callable[[], int]) -> None:
    port = free_port()
    options = Virtual.Options(model="kiln", port=port)
    virtual = Virtual("kiln", options, RealClock())
    async with serving(virtual):
        to = ("-p", str(port))
        valve = await mbpoll(*to, "-t", "4:float", "-r", "0", "-c", "1", "-1")
        assert "[0]: \t55\n" in valve
        assert "Written 1 references" in await mbpoll(*to, "-t", "4:float", "-r", "0", "--", "62.5")
        assert virtual.plant.get("valve") == 62.5
        assert "[0]: \t62.5\n" in await mbpoll(*to, "-t", "4:float", "-r", "0", "-c", "1", "-1")
        temperature = await mbpoll(*to, "-t", "3:float", "-r", "0", "-c", "1", "-1")
        assert 1000 < float(temperature.split("[0]:")[1].split()[0]) < 1300
        beyond = await mbpoll(*to, "-t", "3:float", "-r", "500", "-c", "1", "-1")
        assert "Illegal data address" in beyond
    assert virtual.health.state == "stopped"


async def test_our_driver_closes_the_loop_with_the_virtual_kiln(
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    virtual = Virtual("kiln", Virtual.Options(model="kiln", port=port), RealClock())
    async with serving(virtual):
        driver = make(f"tcp://127.0.0.1:{port}")
        await driver.connect()
        valve = Signal(id="kiln.valve", unit="%", source="m:holding/0?float32", access="rw")
        temperature = Signal(
            id="kiln.temperature", unit="K", source_unit="Cel", source="m:input/0?float32"
        )
        found = await values(driver, {0: valve, 1: temperature})
        assert found["kiln.valve"] == 55
        assert 1273 < float(found["kiln.temperature"]) < 1573
        assert await driver.write(permit(40.0), valve) == 40.0
        assert await driver.write(permit(140.0), valve) == 100.0  # the actuator stops at its end
        addresses = [node.address async for node in driver.browse()]
        assert "holding/0?float32" in addresses
        assert "input/0?float32" in addresses
        await driver.close()


async def test_states_of_the_virtual_press_are_events(free_port: Callable[[], int]) -> None:
    port = free_port()
    virtual = Virtual("press", Virtual.Options(model="press", port=port), RealClock())
    async with serving(virtual):
        driver = make(f"tcp://127.0.0.1:{port}")
        await driver.connect()
        state = next(cell for cell in virtual.cells if cell.quantity.kind == "state")
        stream = driver.stream(signals(f"{state.table}/{state.first}", kind="state"))
        (event,) = await asyncio.wait_for(anext(stream), 15)
        assert isinstance(event, Event)
        assert state.quantity.states[int(event.value)] == virtual.plant.get(state.quantity.name)
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()
