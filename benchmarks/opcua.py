"""CPU of a data-change notification over OPC UA, and how fast values and commands travel.

The servers run in processes of their own (node-opcua for the many items, asyncua for the
latencies); only the client's CPU is counted. Peers in the same run: asyncua's subscription
handler and node-opcua's client. Figures are medians of rounds; trust the ratios.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from asyncua import Client, Server, ua

from deungdae.core.clock import RealClock
from deungdae.core.types import SECOND, Batch, Command, Permit, Signal
from deungdae.machines.opcua import Opcua
from measure import Row, arguments, free_port, report, row, running

PEERS = Path(__file__).resolve().parent.parent / "tests" / "peers"
ITEMS = 5000
NODES = 10_000
CLOCK = RealClock()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--serve", type=int, help="port, for its own child")
    asked = parser.parse_args()
    if asked.serve:
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(asked.serve))
        return
    rows = notifications(1 if asked.quick else 3, 2.0 if asked.quick else 5.0)
    rows += browsing(NODES)
    rows += asyncio.run(latencies(200 if asked.quick else 1000))
    report("opcua", rows, as_json=asked.json)


# ---- many notifications ----


def notifications(rounds: int, seconds: float) -> list[Row]:
    port = free_port()
    url = f"opc.tcp://127.0.0.1:{port}/UA/Peer"
    mine, subscribing, theirs, node, rates = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", "opcua-server.js", str(port), folder, str(ITEMS)]
        with running(command, port, cwd=PEERS):
            for _ in range(rounds):
                cpu, rate, wait = asyncio.run(ours(url, seconds))
                mine.append(cpu)
                rates.append(rate)
                subscribing.append(wait)
                theirs.append(asyncio.run(handler(url, seconds)))
                node.append(node_client(url, seconds))
    wait = statistics.median(subscribing)
    ours_us, handler_us, node_us = map(statistics.median, (mine, theirs, node))
    beside = f"asyncua's handler {handler_us / ours_us:.0f} ×, node-opcua {node_us / ours_us:.1f} ×"
    return [
        row(
            f"CPU per notification, {ITEMS:,} items: deungdae",
            ours_us,
            "µs",
            most=1.0,
            peer=beside,
        ),
        row(f"CPU per notification, {ITEMS:,} items: asyncua handler", handler_us, "µs"),
        row(f"CPU per notification, {ITEMS:,} items: node-opcua client", node_us, "µs"),
        row("notifications received by deungdae", statistics.median(rates), "1/s"),
        row(f"{ITEMS:,} items subscribed at node-opcua (its own pace)", wait, "s"),
    ]


async def ours(url: str, seconds: float) -> tuple[float, float, float]:
    """Return CPU per notification (µs), notifications per second, seconds to subscribe."""
    door = Opcua("bench", Opcua.Options(url=url), CLOCK)
    await door.connect()
    signals = {i: Signal(id=f"bench.n{i}", source=f"bench:ns=1;s=N{i}") for i in range(ITEMS)}
    began = time.monotonic()
    first: set[int] = set()
    wait = count = 0.0
    cpu = start = 0.0
    async with aclosing(door.stream(signals)) as stream:
        async for item in stream:
            assert isinstance(item, Batch)
            if len(first) < ITEMS:
                first.update(item.signal.tolist())
                wait = time.monotonic() - began
            elif not start:
                start, cpu = time.monotonic(), time.process_time()
            else:
                count += len(item)
                if time.monotonic() - start > seconds:
                    break
        used, passed = time.process_time() - cpu, time.monotonic() - start
    await door.close()
    return used / count * 1e6, count / passed, wait


async def handler(url: str, seconds: float) -> float:
    """Return CPU per notification of asyncua's handler callback, µs."""

    class Handler:
        seen = 0

        def datachange_notification(self, _node: object, _value: object, _data: object) -> None:
            self.seen += 1

    counter = Handler()
    client = Client(url, timeout=30, watchdog_intervall=30)
    async with client:
        subscription = await client.create_subscription(250, counter)
        nodes = [client.get_node(f"ns=1;s=N{i}") for i in range(ITEMS)]
        await subscription.subscribe_data_change(nodes, queuesize=10)
        await asyncio.sleep(1)
        before, cpu = counter.seen, time.process_time()
        await asyncio.sleep(seconds)
        used, count = time.process_time() - cpu, counter.seen - before
    return used / max(count, 1) * 1e6


def node_client(url: str, seconds: float) -> float:
    """Return CPU per notification of node-opcua's client, µs."""
    command = ["node", "opcua-client.js", url, str(ITEMS), str(seconds)]
    done = subprocess.run(command, cwd=PEERS, capture_output=True, check=True, timeout=120)
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_us"])


def browsing(nodes: int) -> list[Row]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", "opcua-server.js", str(port), folder, str(nodes)]
        with running(command, port, cwd=PEERS):
            taken = asyncio.run(discovery(f"opc.tcp://127.0.0.1:{port}/UA/Peer", nodes))
    return [row(f"{nodes:,} nodes discovered at node-opcua", taken, "s", most=10.0)]


async def discovery(url: str, nodes: int) -> float:
    door = Opcua("bench", Opcua.Options(url=url, timeout=30.0), CLOCK)
    await door.connect()
    start = time.monotonic()
    found = [node async for node in door.browse()]
    taken = time.monotonic() - start
    await door.close()
    assert len(found) > nodes
    return taken


# ---- latencies ----


async def latencies(count: int) -> list[Row]:
    port = free_port()
    command = [sys.executable, __file__, "--serve", str(port)]
    with running(command, port):
        door = Opcua(
            "bench", Opcua.Options(url=f"opc.tcp://127.0.0.1:{port}/", publishing=0.005), CLOCK
        )
        await door.connect()
        seen = await changes(door, count)
        written = await writes(door, count)
        subscribing = [await subscribe(door) for _ in range(3)]
        await door.close()
    wait = statistics.median(subscribing)
    rows = [row(f"{ITEMS:,} items subscribed at asyncua, all values here", wait, "s", most=1.0)]
    for what, taken in (("value changed -> driver has it", seen), ("write and read back", written)):
        for name, share in (("p50", 50), ("p99", 99)):
            rows.append(row(f"{what}, {name}", float(np.percentile(taken, share)), "ms"))
    return rows


async def changes(door: Opcua, count: int) -> list[float]:
    """Return ms from the server's source time to our receive time, publishing every 5 ms."""
    signals = {0: Signal(id="bench.tick", source="bench:ns=2;s=Tick")}
    taken: list[float] = []
    async with aclosing(door.stream(signals)) as stream:
        async for item in stream:
            assert isinstance(item, Batch)
            taken += ((item.received - item.time) / 1e6).tolist()
            if len(taken) > count // 4:
                return taken[1:]
    return taken


async def subscribe(door: Opcua) -> float:
    """Return seconds until the first value of each of many items is here."""
    signals = {i: Signal(id=f"bench.n{i}", source=f"bench:ns=2;s=N{i}") for i in range(ITEMS)}
    began = time.monotonic()
    first: set[int] = set()
    async with aclosing(door.stream(signals)) as stream:
        async for item in stream:
            assert isinstance(item, Batch)
            first.update(item.signal.tolist())
            if len(first) == ITEMS:
                break
    return time.monotonic() - began


async def writes(door: Opcua, count: int) -> list[float]:
    signal = Signal(id="bench.set", source="bench:ns=2;s=Set", access="rw")
    taken = []
    for i in range(count):
        command = Command(id=str(i), signal=signal.id, value=float(i), origin="bench",
                          because="bench", issued=0, expires=CLOCK.now() + 10 * SECOND)  # fmt: skip
        start = time.perf_counter()
        await door.write(Permit(command=command, granted=0, mode="auto"), signal)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken[1:]


async def serve(port: int) -> None:
    """Serve a value that changes every 20 ms, one that can be set, and many that rest."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:bench")
    tick = await server.nodes.objects.add_variable(ua.NodeId("Tick", 2), "Tick", 0.0)
    settable = await server.nodes.objects.add_variable(ua.NodeId("Set", 2), "Set", 0.0)
    await settable.set_writable()
    for i in range(ITEMS):
        await server.nodes.objects.add_variable(ua.NodeId(f"N{i}", 2), f"N{i}", float(i))
    async with server:
        i = 0
        while True:
            await asyncio.sleep(0.02)
            i += 1
            sample = ua.DataValue(ua.Variant(float(i)), SourceTimestamp=datetime.now(UTC))
            await server.write_attribute_value(tick.nodeid, sample)


if __name__ == "__main__":
    main()
