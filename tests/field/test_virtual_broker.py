"""The small broker of a virtual plant, with clients that others wrote."""

from __future__ import annotations

import asyncio
import socket

import pytest

from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.virtual.broker import Broker


async def serving(port: int) -> asyncio.Task[None]:
    broker = Broker("broker", Broker.Options(port=port), RealClock())
    task = asyncio.create_task(broker.serve())
    while broker.health.state != "online":
        await asyncio.wait([task], timeout=0.01)
        if task.done():
            await task
    return task


async def run(*words: str) -> bytes:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    return out


async def test_mosquitto_clients_publish_and_hear(unused_tcp_port: int) -> None:
    task = await serving(unused_tcp_port)
    where = ("-h", "127.0.0.1", "-p", str(unused_tcp_port), "-t", "works/kiln")
    await run("mosquitto_pub", *where, "-m", "1204", "-q", "1", "-r")
    assert await run("mosquitto_sub", *where, "-C", "1", "-q", "1") == b"1204\n"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_port_in_use_is_told(unused_tcp_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", unused_tcp_port)),
        pytest.raises(Unreachable, match="cannot listen") as told,
    ):
        await serving(unused_tcp_port)
    assert "another port" in told.value.remedy
