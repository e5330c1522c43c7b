"""The scanner door against plain TCP peers, socat and a pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.core.types import Event, Flag, Severity, Signal
from deungdae.machines.scanner import Scanner

LABEL = Signal(id="packing.gate.label", kind="scan", source="gate:scan")
BADGE = Signal(id="packing.gate.badge", kind="scan", source="gate:scan?prefix=EMP-")
GS1 = "]C10109501101530003" + "10LOT-7"


def make(**options: object) -> Scanner:
    return Scanner("gate", msgspec.convert(options, Scanner.Options), RealClock())


async def take(stream: Any, count: int) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(10):
        while len(events) < count:
            events += await anext(stream)
    return events


@asynccontextmanager
async def reader(port: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """A reader that waits for us to connect."""
    writers: list[asyncio.StreamWriter] = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(meet, "127.0.0.1", port)
    try:
        yield writers
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_codes_come_from_a_reader_that_we_call(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with reader(port) as writers:
        driver = make(url=f"tcp://127.0.0.1:{port}")
        await driver.connect()
        await until(lambda: writers)
        stream = driver.stream({1: LABEL, 2: BADGE})
        writers[0].write(
            f"{GS1}\rEMP-12\r\nEMP-12\r\n".encode() + b"\xff\xff\r]C10109501101530004\r"
        )
        label, badge, both, noise, wrong = await take(stream, 5)
        assert (label.id, label.value, label.data["lot"]) == (LABEL.id, GS1, "LOT-7")
        assert label.status == Flag.RECEIVED_TIME
        assert {badge.id, both.id} == {LABEL.id, BADGE.id}
        assert badge.value == both.value == "EMP-12"
        assert (noise.kind, noise.data["bytes"]) == ("note", "ffff")
        assert wrong.status & 3 == Severity.UNCERTAIN
        assert "check digit" in wrong.data["reason"]
        assert driver.health.state == "online"
        writers[0].write(b"\xff\r")
        await take(stream, 1)
        assert driver.health.state == "degraded"
        assert "unreadable" in driver.health.problem
        writers[0].close()
        with pytest.raises(Unreachable):
            await take(stream, 1)
        assert driver.health.state == "offline"
        await driver.connect()
        await driver.close()
        await driver.close()


async def test_codes_come_from_socat_that_calls_us(free_port: Callable[[], int]) -> None:
    port = free_port()
    driver = make(url=f"listen://127.0.0.1:{port}", readers=1)
    await driver.connect()
    stream = driver.stream({1: LABEL})
    for text in ("A1", "B2"):  # one after the other: a reader may come back
        process = await asyncio.create_subprocess_exec(
            "socat", "-u", "-", f"TCP:127.0.0.1:{port}", stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(f"\x02{text}\x03".encode())
        (event,) = await take(stream, 1)
        assert (event.value, event.data) == (text, {"reader": "127.0.0.1"})
    assert driver.health.state == "online"
    await driver.close()


async def test_one_reader_too_many_is_sent_away(free_port: Callable[[], int]) -> None:
    port = free_port()
    driver = make(url=f"listen://127.0.0.1:{port}", readers=1)
    await driver.connect()
    first, second = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(second[0].readexactly(1), 10)
    first[1].write(b"A1\n")
    assert (await take(driver.stream({1: LABEL}), 1))[0].value == "A1"
    for _, writer in (first, second):
        writer.close()
    await driver.close()


async def test_silence_ends_a_code_without_suffix(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with reader(port) as writers:
        driver = make(url=f"tcp://127.0.0.1:{port}", silence=0.05)
        await driver.connect()
        await until(lambda: writers)
        writers[0].write(b"E2003412")
        assert (await take(driver.stream({1: LABEL}), 1))[0].value == "E2003412"
        await driver.close()


async def test_codes_come_over_a_serial_line() -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    driver = make(url=f"serial://{os.ttyname(theirs)}?baud=115200")
    await driver.connect()
    os.close(theirs)
    stream = driver.stream({1: LABEL})
    os.write(ours, b"A1\rB2\r")
    assert [event.value for event in await take(stream, 2)] == ["A1", "B2"]
    os.close(ours)  # the cable is pulled
    with pytest.raises(Unreachable):
        await take(stream, 1)
    await driver.close()
