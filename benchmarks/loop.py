"""The whole loop, end to end: a value changes at the machine, a command comes back and is written.

An OPC UA server (asyncua) in a process of its own changes an input, and waits until somebody
writes the same value to an output: that is one latency, both ends on the server's clock. Between
them are our door, intake, a policy, the gate on auto, the journal (fdatasync before the write) and
the door again, in a whole Runtime whose historian stores everything beside. The floor, in the same
run: a bare asyncua client that writes in its subscription's callback, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from asyncua import Client, Server, ua

from deungdae.app import describe
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.ports import Needs, Window
from deungdae.core.types import SECOND, Command
from deungdae.historian.journal import Entry, Journal
from deungdae.historian.store import Historian
from deungdae.model.factory import Factory, Plugin
from measure import Row, arguments, free_port, report, row, wait_for

QUICK, USUAL = 0.005, 0.25  # s between publishings: for a loop, and the driver's default
WARM = 10  # turns that do not count
PATIENCE = 2.0  # s that the server waits for a write before it calls it lost
PAUSE = (0.02, 0.04)  # s between two turns, and up to one publishing more: never in step with it

FACTORY = """
[factory]
id = "bench"

[machines.plc]
type = "opcua"
url = "opc.tcp://127.0.0.1:{port}/"
publishing = {publishing}

[[signals]]
id = "cell.input"
source = "plc:ns=2;s=Input"

[[signals]]
id = "cell.output"
source = "plc:ns=2;s=Output"
access = "rw"

[decide.gate]
type = "gate"
mode = "auto"

[[decide.gate.writable]]
signal = "cell.output"
low = 0.0
high = 1e9
step = 1e9
interval = 0.0
age = 0
tolerance = 0.0
"""

Answering: TypeAlias = Callable[[int, float], Coroutine[Any, Any, None]]


class Follow:
    """A policy that wants the output to be what the input is."""

    needs = Needs(signals=("cell.input",))

    def __init__(self, name: str, _options: object, _factory: Factory) -> None:
        self.name = name

    def decide(self, now: int, window: Window) -> Sequence[Command]:
        value = float(window.samples["cell.input"].value[-1])
        return [
            Command(id=f"{self.name}:{now}", signal="cell.output", value=value, origin=self.name,
                    because="the input changed", issued=now, expires=now + 5 * SECOND)
        ]  # fmt: skip


class Timed:
    """A journal that remembers how long each entry took to be durable, ms."""

    def __init__(self, journal: Journal) -> None:
        self.taken: list[float] = []
        self._journal = journal

    def append(self, kind: str, data: dict[str, object], who: str = "") -> Entry:
        begun = time.perf_counter()
        entry = self._journal.append(kind, data, who)
        if kind == "permit":
            self.taken.append((time.perf_counter() - begun) * 1e3)
        return entry


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--serve", nargs=3, help="port, turns, publishing: for its own child")
    asked = parser.parse_args()
    if asked.serve:
        port, turns, publishing = asked.serve
        asyncio.run(serve(int(port), int(turns), float(publishing)))
        return
    turns = 150 if asked.quick else 1000
    report("loop", measured(turns), as_json=asked.json)


def measured(turns: int) -> list[Row]:
    journal: list[float] = []

    def ours(port: int, publishing: float) -> Coroutine[Any, Any, None]:
        return factory(port, publishing, journal)

    quick, spent = turn_about(ours, turns, QUICK)
    writing = journal[WARM:]
    floor, bare = turn_about(bare_client, turns, QUICK)
    usual, _ = turn_about(ours, max(turns // 10, 30), USUAL)
    p50, p99 = (float(np.percentile(quick, share)) for share in (50, 99))
    least50, least99 = (float(np.percentile(floor, share)) for share in (50, 99))
    ms = f"publishing every {QUICK * 1e3:g} ms"
    return [
        row(f"value changed → durable → written, p50, {ms}", p50, "ms", most=10,
            peer=f"{p50 / least50:.1f} × a bare client's"),
        row(f"value changed → durable → written, p99, {ms}", p99, "ms", most=30,
            peer=f"{p99 / least99:.1f} × a bare client's"),
        row("  of it the journal's fdatasync, p50", float(np.percentile(writing, 50)), "ms"),
        row("  of it the journal's fdatasync, p99", float(np.percentile(writing, 99)), "ms"),
        row("  CPU of one turn, everything stored", spent, "ms"),
        row("bare asyncua client, nothing kept, p50", least50, "ms"),
        row("bare asyncua client, nothing kept, p99", least99, "ms"),
        row("bare asyncua client, CPU of one turn", bare, "ms"),
        row(f"the default, publishing every {USUAL * 1e3:g} ms, p50",
            float(np.percentile(usual, 50)), "ms"),
        row(f"the default, publishing every {USUAL * 1e3:g} ms, p99",
            float(np.percentile(usual, 99)), "ms"),
    ]  # fmt: skip


def turn_about(answering: Answering, turns: int, publishing: float) -> tuple[list[float], float]:
    """Return the latency of each turn and our CPU of one, both ms."""
    port = free_port()
    command = [sys.executable, __file__, "--serve", str(port), str(turns), str(publishing)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, 30.0, server)
        found, spent = asyncio.run(until_told(answering(port, publishing), server))
    finally:
        server.kill()
        server.wait()
    if found["lost"]:
        raise SystemExit(f"{found['lost']} of {turns} values were not answered")
    return found["taken"], spent / turns * 1e3


async def until_told(
    answering: Coroutine[Any, Any, None], server: subprocess.Popen[bytes]
) -> tuple[dict[str, Any], float]:
    """Answer until the server says how long that took; and our CPU since it was warm, s."""
    task = asyncio.create_task(answering)
    try:
        await told(server, task)
        spent = time.process_time()
        found = json.loads(await told(server, task))
        return found, time.process_time() - spent
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(server: subprocess.Popen[bytes], task: asyncio.Task[None]) -> bytes:
    """Return the server's next line. Raises what ended the task before."""
    assert server.stdout is not None
    line = asyncio.create_task(asyncio.to_thread(server.stdout.readline))
    await asyncio.wait({task, line}, return_when=asyncio.FIRST_COMPLETED)
    if not line.done():
        server.kill()
        await line
        task.result()
    return await line


async def factory(port: int, publishing: float, journal_times: list[float]) -> None:
    """Be a factory with the policy, until cancelled."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        path = Path(name) / "factory.toml"
        path.write_text(FACTORY.format(port=port, publishing=publishing), encoding="utf-8")
        described = describe.read(path)
        policy = Plugin("decide", "follow", "follow", Follow, None)
        decide = described.room("decide") | {"follow": policy}
        plugins = described.plugins | {"decide": decide}
        described = msgspec.structs.replace(described, plugins=plugins)
        clock = RealClock()
        with Historian(Path(name) / "history") as store, Journal(Path(name) / "log") as journal:
            timed = Timed(journal)
            control = Control(described, timed, Live(), clock)
            try:
                await Runtime(described, store, control, clock).run()
            finally:
                journal_times += timed.taken


async def bare_client(port: int, publishing: float) -> None:
    """Write what comes to the output, in the callback, until cancelled."""
    async with Client(f"opc.tcp://127.0.0.1:{port}/", watchdog_intervall=30) as client:
        output = client.get_node("ns=2;s=Output")
        values: asyncio.Queue[float] = asyncio.Queue()

        class Handler:
            def datachange_notification(self, _node: object, value: float, _data: object) -> None:
                values.put_nowait(value)

        subscription = await client.create_subscription(publishing * 1e3, Handler())
        await subscription.subscribe_data_change(client.get_node("ns=2;s=Input"))
        while True:
            await output.write_value(ua.DataValue(ua.Variant(await values.get())))


# ---- the machine


async def serve(port: int, turns: int, publishing: float) -> None:
    """Change the input so often, wait for each answer, and print how long they took, ms.

    A line before tells that the turns which do not count are over.
    """
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:bench")
    objects = server.nodes.objects
    source = await objects.add_variable(ua.NodeId("Input", 2), "Input", 0.0)
    sink = await objects.add_variable(ua.NodeId("Output", 2), "Output", 0.0)
    await sink.set_writable()
    written: asyncio.Queue[tuple[float, float]] = asyncio.Queue()

    async def on_write(_handle: int, value: ua.DataValue, _error: object = None) -> None:
        written.put_nowait((value.Value.Value, time.perf_counter()))

    space = server.iserver.aspace
    space.add_datachange_callback(sink.nodeid, ua.AttributeIds.Value, on_write)
    pauses = random.Random(1)
    taken: list[float] = []
    lost = 0
    async with server:
        for turn in range(1, WARM + turns + 1):
            await asyncio.sleep(pauses.uniform(*PAUSE) + pauses.uniform(0, publishing))
            begun = time.perf_counter()
            await source.write_value(float(turn))
            try:
                # the first answer waits until somebody has connected at all
                async with asyncio.timeout(30.0 if turn == 1 else PATIENCE):
                    while (answer := await written.get())[0] != turn:
                        pass
            except TimeoutError:
                lost += 1
            else:
                taken.append((answer[1] - begun) * 1e3)
            if turn == WARM:
                print("warm", flush=True)
                taken.clear()
        print(json.dumps({"taken": taken, "lost": lost}), flush=True)
        await asyncio.sleep(3600)


if __name__ == "__main__":
    main()
