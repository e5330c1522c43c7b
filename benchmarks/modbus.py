"""CPU of reading Modbus: this driver beside pymodbus' client, and what merging saves.

The server is libmodbus in a process of its own; only this process's CPU is counted. Figures are
medians; trust the ratios.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import msgspec
from pymodbus.client import AsyncModbusTcpClient

from deungdae.core.clock import RealClock
from deungdae.core.types import Batch, Signal
from deungdae.machines.modbus import Modbus
from deungdae.machines.modbus.address import Defaults, parse
from deungdae.machines.modbus.blocks import Entry, Limits, merge
from measure import Row, arguments, free_port, report, row, running

SERVER = Path(__file__).resolve().parent.parent / "tests" / "peers" / "libmodbus_server.py"
Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

REGISTERS = 125
FLOATS = 62


def driver(port: int) -> Modbus:
    """Return a driver that polls as fast as the server answers."""
    options = {"url": f"tcp://127.0.0.1:{port}", "period": 1e-6}
    return Modbus("bench", msgspec.convert(options, Modbus.Options), RealClock())


async def ours(port: int, reads: int, wanted: dict[int, Signal]) -> None:
    """Read one block so often through the driver, decoded into batches."""
    door = driver(port)
    await door.connect()
    stream = door.stream(wanted)
    for _ in range(reads):
        batch = await anext(stream)
        assert isinstance(batch, Batch)
        assert len(batch) == len(wanted)
    await stream.aclose()  # type: ignore[attr-defined]
    await door.close()


async def raw(port: int, reads: int) -> None:
    """Read one block so often through pymodbus, registers as it gives them."""
    async with AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        for _ in range(reads):
            reply = await client.read_input_registers(0, count=REGISTERS)
            assert len(reply.registers) == REGISTERS


async def floats(port: int, reads: int) -> None:
    """Read one block so often through pymodbus, converted by it to float32."""
    async with AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        for _ in range(reads):
            reply = await client.read_input_registers(0, count=2 * FLOATS)
            values = client.convert_from_registers(reply.registers, client.DATATYPE.FLOAT32)
            assert len(values) == FLOATS  # type: ignore[arg-type]


def cpu(rounds: int, reads: int, works: Sequence[Work]) -> list[list[float]]:
    """Return the CPU of one read, µs, of each work in each round; they take turns."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, found, strict=True):
            before = time.process_time()
            asyncio.run(work())
            times.append((time.process_time() - before) / reads * 1e6)
    return found


def scattered(count: int, span: int) -> list[Entry]:
    """Return float32 tags at random places of a table, as real machines scatter them."""
    places = sorted(random.Random(1).sample(range(0, span, 2), count))
    return [
        Entry(n, Signal(id=f"b.s{n}"), parse(f"holding/{place}?float32", Defaults()), 1.0)
        for n, place in enumerate(places)
    ]


def measure(port: int, rounds: int, reads: int) -> list[Row]:
    words = {n: Signal(id=f"b.w{n}", source=f"b:input/{n}") for n in range(REGISTERS)}
    pairs = {n: Signal(id=f"b.f{n}", source=f"b:input/{2 * n}?float32") for n in range(FLOATS)}
    door, library, door_floats, library_floats = cpu(
        rounds,
        reads,
        [
            lambda: ours(port, reads, words),
            lambda: raw(port, reads),
            lambda: ours(port, reads, pairs),
            lambda: floats(port, reads),
        ],
    )
    tags = scattered(500, 4000)
    merged = len(merge(tags, Limits(REGISTERS, 16)))
    adjacent = len(merge(tags, Limits(REGISTERS, 0)))
    registers, values = ratio(door, library), ratio(door_floats, library_floats)
    return [
        row("125 registers: this driver, to batches", median(door), "µs/read"),
        row("125 registers: pymodbus client, to a list", median(library), "µs/read"),
        row("125 registers: ratio to pymodbus", registers, "1", most=1.0, peer="pymodbus 1"),
        row("125 registers: this driver", median(door) / REGISTERS, "µs/register"),
        row("125 registers: pymodbus client", median(library) / REGISTERS, "µs/register"),
        row("62 float32: this driver, to batches", median(door_floats), "µs/read"),
        row("62 float32: pymodbus client, converted", median(library_floats), "µs/read"),
        row("62 float32: ratio to pymodbus", values, "1", most=1.0, peer="pymodbus 1"),
        row("500 scattered tags: read one by one", len(tags), "reads"),
        row("500 scattered tags: only neighbours merged", adjacent, "reads"),
        row("500 scattered tags: merged across gaps", merged, "reads", most=50,
            peer=f"neighbours only {adjacent / merged:.0f} ×"),
    ]  # fmt: skip


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    asked = arguments(__doc__).parse_args()
    port = free_port()
    with running([sys.executable, str(SERVER), "tcp", str(port)], port):
        rows = measure(port, *((3, 500) if asked.quick else (7, 3000)))
    report("modbus", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
