"""Sparkplug B: 500 metrics a payload -> decoded -> 1-s mean and threshold -> on disk, CPU a point.

Three ways in one run, medians of rounds:
- ours, decode to disk: payloads handed to the edge's session, without a broker, one by one or 20
  that one read of the socket has brought;
- ours, through mosquitto: the whole door, fed by another process at a fixed rate;
- straightforward: Google's protobuf, a loop over the metrics, SQLite in batches, without a broker.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from deungdae.core.clock import RealClock
from deungdae.core.types import SECOND, Batch, Signal
from deungdae.historian.store import Historian
from deungdae.machines.sparkplug import Sparkplug
from deungdae.machines.sparkplug.edge import Edge, Settings
from deungdae.machines.sparkplug.metrics import Message, Table
from deungdae.wires import sparkplug as wire
from deungdae.wires.mqtt import codec
from deungdae.wires.sparkplug import Metric, Type
from measure import arguments, mosquitto, report, row

METRICS = 500
LIMIT = 80.0
KINDS = ((Type.DOUBLE, wire.DOUBLE), (Type.FLOAT, wire.FLOAT), (Type.INT32, wire.INT),
         (Type.BOOLEAN, wire.BOOLEAN))  # fmt: skip


def birth(stamp: int) -> bytes:
    metrics = [Metric(name="bdSeq", datatype=Type.INT64, field=wire.LONG, value=0)]
    for i in range(METRICS):
        datatype, field = KINDS[i % 4]
        metrics.append(
            Metric(
                name=f"tag{i}", alias=i, timestamp=stamp, datatype=datatype, field=field, value=0
            )
        )
    return wire.encode(stamp, metrics, seq=0)


def data(number: int, stamp: int, share: float = 1.0, *, open_end: bool = False) -> bytes:
    """Return the payload of one round; share: of the metrics that have changed.

    open_end: without its sequence number.
    """
    draw = np.random.default_rng(number)
    noise = draw.normal(50, 20, METRICS)
    metrics = []
    for i in range(METRICS):
        if share < 1 and draw.random() > share:
            continue
        field = KINDS[i % 4][1]
        value: float = noise[i].item()
        if field == wire.INT:
            value = int(value * 10)
        elif field == wire.BOOLEAN:
            value = int(value > 50)
        metrics.append(Metric(alias=i, timestamp=stamp, field=field, value=value))
    return wire.encode(stamp, metrics, seq=None if open_end else (number + 1) % 256)


def signals(edges: int) -> list[Signal]:
    return [
        Signal(id=f"edge{e}.tag{i}", source=f"cells:plant/edge{e}/tag{i}")
        for e in range(edges)
        for i in range(METRICS)
    ]


class Windows:
    """One-second means of every signal, and how many were above the threshold."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.second = 0
        self.total = np.zeros(n)
        self.count = np.zeros(n)
        self.closed = self.alarms = 0

    def update(self, batch: Batch) -> None:
        seconds = batch.time // SECOND
        first, last = int(seconds.min()), int(seconds.max())
        for second in range(first, last + 1):
            rows = slice(None) if first == last else seconds == second
            if second > self.second:
                self.close()
                self.second = second
            self.total += np.bincount(batch.signal[rows], batch.value[rows], self.n)
            self.count += np.bincount(batch.signal[rows], minlength=self.n)

    def close(self) -> None:
        seen = self.count > 0
        self.closed += int(seen.sum())
        self.alarms += int((self.total[seen] / self.count[seen] > LIMIT).sum())
        self.total[:] = 0
        self.count[:] = 0


def ours(payloads: list[bytes], stamp: int, folder: Path, together: int) -> tuple[float, float]:
    """Return CPU s a point from payload to disk, 10,000 points a commit; and the historian's part.

    together: payloads that one read of the socket brings.
    """
    declared = signals(1)
    with Historian(folder) as store:
        handles = store.register(declared)
        table = Table(dict(zip(handles.tolist(), declared, strict=True)))
        wanted = {("", f"tag{i}"): i for i in range(METRICS)}
        edge = Edge("plant", "edge0", wanted, table=table, settings=Settings(), now=0.0)
        edge.take(Message("NBIRTH", "", birth(stamp), stamp * 1_000_000), 0.0)
        store.append([b for b in [table.batch(edge.drain()[0], 0)] if b])
        windows = Windows(int(handles.max()) + 1)
        points, stored = 0, 0.0
        start = time.process_time()
        waiting: list[Batch] = []
        for number, payload in enumerate(payloads, 1):
            edge.take(Message("NDATA", "", payload, stamp * 1_000_000), 0.0)
            if number % together:
                continue
            batch = table.batch(edge.drain()[0], stamp * 1_000_000)
            assert batch is not None
            windows.update(batch)
            waiting.append(batch)
            points += len(batch)
            if number % 20 == 0:
                before = time.process_time()
                store.append([Batch.merge(waiting)])
                stored += time.process_time() - before
                waiting.clear()
        spent = time.process_time() - start
    return spent / points, stored / points


def decode_only(payloads: list[bytes], stamp: int, together: int = 1) -> float:
    """Return CPU s a point from payload to Batch."""
    declared = signals(1)
    table = Table(dict(enumerate(declared)))
    wanted = {("", f"tag{i}"): i for i in range(METRICS)}
    edge = Edge("plant", "edge0", wanted, table=table, settings=Settings(), now=0.0)
    edge.take(Message("NBIRTH", "", birth(stamp), stamp * 1_000_000), 0.0)
    edge.drain()
    points = 0
    start = time.process_time()
    for number, payload in enumerate(payloads, 1):
        edge.take(Message("NDATA", "", payload, stamp * 1_000_000), 0.0)
        if number % together:
            continue
        batch = table.batch(edge.drain()[0], 0)
        assert batch is not None
        points += len(batch)
    return (time.process_time() - start) / points


def payload_class() -> Any:
    """Return Google's message class for the parts of sparkplug_b.proto that data payloads use."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_bench.proto", package="bench")
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for number, name, kind in (
        (1, "name", kinds.TYPE_STRING), (2, "alias", kinds.TYPE_UINT64),
        (3, "timestamp", kinds.TYPE_UINT64), (4, "datatype", kinds.TYPE_UINT32),
        (7, "is_null", kinds.TYPE_BOOL), (10, "int_value", kinds.TYPE_UINT32),
        (11, "long_value", kinds.TYPE_UINT64), (12, "float_value", kinds.TYPE_FLOAT),
        (13, "double_value", kinds.TYPE_DOUBLE), (14, "boolean_value", kinds.TYPE_BOOL),
    ):  # fmt: skip
        field = metric.field.add(name=name, number=number, type=kind, label=1)
        if number >= 10:
            field.oneof_index = 0
    payload.field.add(name="timestamp", number=1, type=kinds.TYPE_UINT64, label=1)
    payload.field.add(
        name="metrics",
        number=2,
        type=kinds.TYPE_MESSAGE,
        type_name=".bench.Payload.Metric",
        label=3,
    )
    payload.field.add(name="seq", number=3, type=kinds.TYPE_UINT64, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Payload"))


def straightforward(payloads: list[bytes], stamp: int, folder: Path) -> float:
    """Return CPU s a point: protobuf, a loop, SQLite with an index on (tag, time)."""
    kind = payload_class()
    names = {i: f"edge0.tag{i}" for i in range(METRICS)}
    store = sqlite3.connect(folder / "peer.sqlite")
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("PRAGMA synchronous=FULL")
    store.execute("CREATE TABLE samples (tag TEXT, time INTEGER, value REAL)")
    store.execute("CREATE INDEX at ON samples (tag, time)")
    totals: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0])
    rows: list[tuple[str, int, float]] = []
    points = alarms = 0
    start = time.process_time()
    for number, payload in enumerate(payloads, 1):
        for metric in kind.FromString(payload).metrics:
            value = float(getattr(metric, metric.WhichOneof("value")))
            name = names[metric.alias]
            window = totals[name, metric.timestamp // 1000]
            window[0] += value
            window[1] += 1
            alarms += window[0] / window[1] > LIMIT
            rows.append((name, metric.timestamp, value))
        points += METRICS
        if number % 20 == 0 or number == len(payloads):
            store.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
            store.commit()
            rows.clear()
    spent = time.process_time() - start
    store.close()
    return spent / points


def publish(port: int, edges: int, rate: float, seconds: float) -> None:
    """Be the edge nodes, in a process of their own: `rate` payloads a second each."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(
        codec.connect(five=False, client="edges", clean=True, keep_alive=60, expiry=0, inflight=1)
    )
    link.recv(4)
    first = time.time_ns() // 1_000_000

    def send(kind: str, edge: int, payload: bytes) -> None:
        link.sendall(codec.publish(f"spBv1.0/plant/{kind}/edge{edge}", payload, five=False))

    for edge in range(edges):
        send("NBIRTH", edge, birth(first))
    made = [data(number, first, open_end=True) for number in range(32)]
    start = time.monotonic()
    for number in range(int(rate * seconds)):
        moment = time.time_ns() // 1_000_000
        payload = _restamped(made[number % 32], first, moment, (number + 1) % 256)
        for edge in range(edges):
            send("NDATA", edge, payload)
        time.sleep(max(0.0, start + (number + 1) / rate - time.monotonic()))
    time.sleep(1.0)


def _restamped(payload: bytes, old: int, new: int, seq: int) -> bytes:
    """Return the payload with every time replaced, and its sequence number behind it."""
    return payload.replace(wire._varint(old), wire._varint(new)) + b"\x18" + wire._varint(seq)


async def through_broker(
    port: int, edges: int, rate: float, seconds: float, folder: Path
) -> tuple[float, float]:
    """Return CPU s a point of the whole door and store, and the share that was stored."""
    declared = signals(edges)
    options = Sparkplug.Options(url=f"mqtt://127.0.0.1:{port}", rebirth=1000)
    driver = Sparkplug("cells", options, RealClock())
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
                    windows.update(item)
                    waiting.append(item)

        async def keep() -> None:
            nonlocal stored
            while True:
                await asyncio.sleep(0.1)
                if waiting:
                    items, done = waiting.copy(), count
                    waiting.clear()
                    merged = Batch.merge(items)
                    await asyncio.to_thread(store.append, [merged])
                    stored += len(merged)
                    driver.confirm(done)

        tasks = [asyncio.create_task(collect()), asyncio.create_task(keep())]
        await asyncio.sleep(0.5)
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--publish", str(port), str(edges), str(rate), str(seconds)
        )
        while stored < edges * METRICS:
            await asyncio.sleep(0.05)
        spent, before = time.process_time(), stored
        await child.wait()
        before_last = -1
        while stored != before_last:  # what is still on its way
            before_last = stored
            await asyncio.sleep(0.5)
        spent = time.process_time() - spent
        points = stored - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await driver.close()
    offered = edges * METRICS * int(rate * seconds)
    return spent / points, stored / (offered + edges * METRICS)


def median(rounds: int, work: Callable[[Path], tuple[float, float]]) -> tuple[float, float]:
    results = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            results.append(work(Path(folder)))
    return statistics.median(r[0] for r in results), statistics.median(r[1] for r in results)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--publish", nargs=4, help="for its own child")
    given = parser.parse_args()
    if given.publish:
        port, edges, rate, seconds = given.publish
        publish(int(port), int(edges), float(rate), float(seconds))
        return
    rounds, count, seconds = (1, 100, 3.0) if given.quick else (5, 400, 10.0)
    stamp = time.time_ns() // 1_000_000
    full = [data(i, stamp + i) for i in range(count)]
    some = [data(i, stamp + i, 0.4) for i in range(count)]
    micro = 1e6

    def decode(payloads: list[bytes], together: int) -> float:
        return statistics.median(
            decode_only(payloads, stamp, together) * micro for _ in range(rounds)
        )

    disk, _ = median(rounds, lambda folder: ours(full, stamp, folder, 1))
    group, store = median(rounds, lambda folder: ours(full, stamp, folder, 20))
    plain, _ = median(rounds, lambda folder: (straightforward(full, stamp, folder), 0.0))
    with mosquitto() as port, tempfile.TemporaryDirectory() as folder:
        whole, share = asyncio.run(through_broker(port, 10, 10.0, seconds, Path(folder)))
    times = f"protobuf, loop, SQLite {plain / group:.1f} ×"
    rows = [
        row("payload → columns, one at a time", decode(full, 1), "µs/point"),
        row("payload → columns, 20 at a time", decode(full, 20), "µs/point"),
        row("200 of the 500 metrics → columns, 20 at a time", decode(some, 20), "µs/point"),
        row("payload → mean, threshold → disk, one at a time", disk * micro, "µs/point", most=0.5),
        row("payload → mean, threshold → disk, 20 at a time", group * micro, "µs/point", most=0.5,
            peer=times),
        row("  of it the historian", store * micro, "µs/point"),
        row("through mosquitto, 10 nodes, 50,000 points/s", whole * micro, "µs/point"),
        row("share of the points on disk, through mosquitto", share * 100, "%", least=100),
        row("straightforward: protobuf, loop, SQLite", plain * micro, "µs/point"),
    ]  # fmt: skip
    report("sparkplug", rows, as_json=given.json)


if __name__ == "__main__":
    main()
