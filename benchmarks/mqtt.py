"""MQTT: a small JSON message per tag, 10,000 a second -> mean, alarm -> on disk, CPU a message.

Ours: the door, 1-s windows with a threshold, and the historian with a commit every 100 ms; QoS 1
is acknowledged only when durable. Beside it, in the same run and from the same publisher, what a
user would build instead: Node-RED with its SQLite node, an insert for each message (installed into
benchmarks/peers at the first run; not with --quick), and a small Python program of gmqtt, msgspec
and SQLite in batches, which acknowledges before anything is on disk.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from deungdae.core.clock import RealClock
from deungdae.core.types import SECOND, Batch, Signal
from deungdae.historian.store import Historian
from deungdae.machines.mqtt import Mqtt
from deungdae.wires.mqtt import codec
from measure import Row, arguments, free_port, mosquitto, report, row, wait_for

TAGS = 1000
RATE = 10_000
LIMIT = 80.0
PEERS = Path(__file__).resolve().parent / "peers"


def publish(port: int, quality: int, seconds: float) -> None:
    """Offer RATE messages a second, 50 at a time, from a process of its own."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(
        codec.connect(five=False, client="plant", clean=True, keep_alive=60, expiry=0, inflight=1)
    )
    link.recv(4)
    noise = np.random.default_rng(1).normal(50, 20, TAGS).round(2).tolist()
    part, sent, start = 50, 0, time.monotonic()
    while sent < RATE * seconds:
        stamp = time.time_ns() // 1_000_000
        packets = []
        for number in range(sent, sent + part):
            tag = number % TAGS
            payload = b'{"v":%.2f,"ts":%d}' % (noise[tag], stamp)
            packet = (number % 65_535 + 1) if quality else 0
            packets.append(codec.publish(f"plant/t{tag}", payload, packet=packet, five=False))
        link.sendall(b"".join(packets))
        sent += part
        with suppress(BlockingIOError):  # the broker's acknowledgements
            link.recv(1 << 20, socket.MSG_DONTWAIT)
        time.sleep(max(0.0, start + sent / RATE - time.monotonic()))
    time.sleep(0.5)


async def offer(port: int, quality: int, seconds: float) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--publish", str(port), str(quality), str(seconds)
    )


class Windows:
    """One-second means of every tag, and how many were above the threshold."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.second = 0
        self.total = np.zeros(n)
        self.count = np.zeros(n)
        self.alarms = 0

    def update(self, batch: Batch) -> None:
        seconds = batch.time // SECOND
        first, last = int(seconds.min()), int(seconds.max())
        for second in range(first, last + 1):
            rows = slice(None) if first == last else seconds == second
            if second > self.second:
                seen = self.count > 0
                self.alarms += int((self.total[seen] / self.count[seen] > LIMIT).sum())
                self.total[:] = self.count[:] = 0
                self.second = second
            self.total += np.bincount(batch.signal[rows], batch.value[rows], self.n)
            self.count += np.bincount(batch.signal[rows], minlength=self.n)


async def ours(port: int, quality: int, seconds: float, folder: Path) -> tuple[float, float]:
    """Return CPU s a message and the share of the messages that is on disk."""
    declared = [Signal(id=f"p.t{i}", source=f"m:plant/t{i}?v&time=ts") for i in range(TAGS)]
    options = Mqtt.Options(url=f"mqtt://127.0.0.1:{port}", qos=quality, topics=("plant/#",))
    driver = Mqtt("m", options, RealClock())
    with Historian(folder) as store:
        handles = store.register(declared)
        windows = Windows(int(handles.max()) + 1)
        await driver.connect()
        waiting: list[Batch] = []
        count = stored = 0

        async def collect() -> None:
            nonlocal count
            async for item in driver.stream(dict(zip(handles.tolist(), declared, strict=True))):
                count += 1
                if isinstance(item, Batch):
                    waiting.append(item)

        async def keep() -> None:
            nonlocal stored
            while True:
                await asyncio.sleep(0.1)
                if waiting:
                    merged, done = Batch.merge(waiting), count
                    waiting.clear()
                    windows.update(merged)
                    await asyncio.to_thread(store.append, [merged])
                    stored += len(merged)
                    driver.confirm(done)

        tasks = [asyncio.create_task(collect()), asyncio.create_task(keep())]
        await asyncio.sleep(0.3)
        spent = time.process_time()
        child = await offer(port, quality, seconds)
        await child.wait()
        while stored < RATE * seconds and (before := stored) >= 0:
            await asyncio.sleep(1.0)
            if stored == before:
                break
        spent = time.process_time() - spent
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await driver.close()
    return spent / (RATE * seconds), stored / (RATE * seconds)


def small_program(port: int, quality: int, file: str) -> None:
    """The small program: gmqtt, msgspec, a commit of SQLite every 0.5 s. Runs until killed."""
    from gmqtt import Client

    async def run() -> None:
        store = sqlite3.connect(file)
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA synchronous=FULL")
        store.execute("CREATE TABLE samples (tag TEXT, time INTEGER, value REAL)")
        rows: list[tuple[str, int, float]] = []
        decode = msgspec.json.Decoder().decode
        totals: dict[str, list[float]] = {}
        client = Client("small")

        def on_message(_: Any, topic: str, payload: bytes, *__: Any) -> int:
            content = decode(payload)
            window = totals.setdefault(topic, [0.0, 0, 0])
            window[0] += content["v"]
            window[1] += 1
            window[2] += window[0] / window[1] > LIMIT
            rows.append((topic, content["ts"], content["v"]))
            return 0

        client.on_message = on_message
        await client.connect("127.0.0.1", port)
        client.subscribe("plant/#", qos=quality)
        while True:
            await asyncio.sleep(0.5)
            if rows:
                store.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
                rows.clear()
                store.commit()

    asyncio.run(run())


async def peer(
    command: list[str], port: int, quality: int, seconds: float, file: Path, ready: int = 0
) -> tuple[float, float]:
    """Return CPU s a message stored, and the share stored, of a program that writes `file`."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        if ready:
            await asyncio.to_thread(wait_for, ready, 60.0)
        await asyncio.sleep(3.0)
        before = cpu(process.pid)
        child = await offer(port, quality, seconds)
        await child.wait()
        await asyncio.sleep(1.0)
        spent = cpu(process.pid) - before
    finally:
        process.kill()
        await process.wait()
    with sqlite3.connect(file) as store:
        (stored,) = store.execute("SELECT count(*) FROM samples").fetchone()
    return spent / max(stored, 1), stored / (RATE * seconds)


def cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def install() -> None:
    """Install Node-RED, and compile its SQLite where npm does not run install scripts."""
    sqlite = PEERS / "node_modules" / "sqlite3"
    subprocess.run(["npm", "ci"], cwd=PEERS, check=True, capture_output=True)
    if not list(sqlite.glob("build/Release/*.node")):
        build = ["npx", "--no-install", "node-gyp", "rebuild"]
        subprocess.run(build, cwd=sqlite, check=True, capture_output=True)


def node_red(folder: Path, port: int, quality: int, own: int) -> list[str]:
    """Return the command of a Node-RED that inserts every message by its SQLite node."""
    if not (PEERS / "node_modules" / "node-red").exists():
        install()
    file = str(folder / "peer.sqlite")
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("CREATE TABLE samples (tag TEXT, time INTEGER, value REAL)")
    build = (
        "msg.params = {$tag: msg.topic, $time: msg.payload.ts, $value: msg.payload.v};"
        "msg.topic = 'INSERT INTO samples VALUES ($tag, $time, $value)'; return msg;"
    )
    flow = [
        {"id": "tab", "type": "tab", "label": "bench"},
        {"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port),
         "clientid": "nodered", "autoConnect": True, "usetls": False, "protocolVersion": "4",
         "keepalive": "60", "cleansession": True},
        {"id": "db", "type": "sqlitedb", "db": file, "mode": "RWC"},
        {"id": "in", "type": "mqtt in", "z": "tab", "topic": "plant/#", "qos": str(quality),
         "datatype": "json", "broker": "broker", "inputs": 0, "wires": [["f"]]},
        {"id": "f", "type": "function", "z": "tab", "func": build, "outputs": 1, "wires": [["s"]]},
        {"id": "s", "type": "sqlite", "z": "tab", "mydb": "db", "sqlquery": "msg.topic",
         "wires": [[]]},
    ]  # fmt: skip
    (folder / "flows.json").write_text(json.dumps(flow))
    (folder / "settings.js").write_text(
        f'module.exports = {{flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: {own}, '
        f'nodesDir: "{PEERS}/node_modules/node-red-node-sqlite", telemetry: {{enabled: false}}}};'
    )
    return ["node", str(PEERS / "node_modules/node-red/red.js"), "-u", str(folder),
            "-s", str(folder / "settings.js"), str(folder / "flows.json")]  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--publish", nargs=3, help="for its own child")
    parser.add_argument("--small", nargs=3, help="for its own child")
    given = parser.parse_args()
    if given.publish:
        publish(int(given.publish[0]), int(given.publish[1]), float(given.publish[2]))
        return
    if given.small:
        small_program(int(given.small[0]), int(given.small[1]), given.small[2])
        return
    seconds = 3.0 if given.quick else 10.0
    rows = compared(1, seconds) + compared(0, seconds)
    if not given.quick:
        rows += node_red_alone(seconds)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("mqtt", [*rows, row("memory at most", most, "MiB")], as_json=given.json)


def compared(quality: int, seconds: float) -> list[Row]:
    """Return what a message costs us and the small program."""
    with mosquitto() as port, tempfile.TemporaryDirectory() as folder:
        spent, kept = asyncio.run(ours(port, quality, seconds, Path(folder)))
    with mosquitto() as port, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "small.sqlite"
        command = [sys.executable, __file__, "--small", str(port), str(quality), str(file)]
        small, share = asyncio.run(peer(command, port, quality, seconds, file))
    times = f"gmqtt + SQLite {small / spent:.1f} ×"
    return [
        row(f"{RATE:,} messages/s, QoS {quality}: CPU", spent * 1e6, "µs/message", most=10,
            peer=times),
        row(f"{RATE:,} messages/s, QoS {quality}: on disk", kept * 100, "%", least=100,
            peer=f"gmqtt + SQLite {share * 100:.1f} %"),
        row(f"gmqtt + SQLite, QoS {quality}: CPU", small * 1e6, "µs/message"),
        row(f"gmqtt + SQLite, QoS {quality}: on disk", share * 100, "%"),
    ]  # fmt: skip


def node_red_alone(seconds: float) -> list[Row]:
    """Return what a message costs Node-RED, and what it keeps."""
    with mosquitto() as port, tempfile.TemporaryDirectory() as folder:
        own = free_port()
        command = node_red(Path(folder), port, 0, own)
        file = Path(folder) / "peer.sqlite"
        red, share = asyncio.run(peer(command, port, 0, seconds, file, own))
    return [
        row("Node-RED + SQLite, QoS 0: CPU", red * 1e6, "µs/message", peer="the peer itself"),
        row("Node-RED + SQLite, QoS 0: on disk", share * 100, "%", peer="the peer itself"),
    ]


if __name__ == "__main__":
    main()
