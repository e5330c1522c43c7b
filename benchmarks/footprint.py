"""A running factory: how soon it is ready, what memory and processor it takes.

`deungdae run` of 500 signals that change once a second at a server in another process, with the
indicators of a machine, a control loop that writes through the gate, historian, journal and API; no
page is open. Once over OPC UA (asyncua serves) and once over Modbus/TCP (polled every second).
Ready: from the start of the process until the API shows every signal with a good value.
"""

from __future__ import annotations

import asyncio
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from asyncua import Server, ua

from measure import Row, arguments, free_port, present, report, row, running

SIGNALS = 500
TAGS = SIGNALS - 3  # beside them a state, a count and a valve
PERIOD = 1.0
PATIENCE = 60.0  # s until all signals must be good

FACTORY = """
signals = "signals.csv"

[factory]
id = "bench"
timezone = "UTC"

[machines.line]
type = "{type}"
url = "{url}"

[insight.kpi]
type = "kpi"
asset = "cell"
state = "cell.state"
count = "cell.count"
cycle = 1.0

[decide.zone]
type = "loop"
measurement = "cell.t0"
output = "cell.valve"
set_point = 50.0
kp = 1.0
ti = 60.0
low = 0.0
high = 100.0
every = 1.0

[decide.gate]
type = "gate"
mode = "auto"

[[decide.gate.writable]]
signal = "cell.valve"
low = 0.0
high = 100.0
step = 100.0
age = 0

[app]
port = {port}
"""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--serve", nargs=2, help="protocol and port, for its own children")
    asked = parser.parse_args()
    if asked.serve:
        protocol, port = asked.serve
        asyncio.run({"opcua": serve_opcua, "modbus": serve_modbus}[protocol](int(port)))
        return
    starts, warm, window = (2, 3.0, 10.0) if asked.quick else (5, 30.0, 60.0)
    rows = measured("opcua", starts, warm, window) + measured("modbus", starts, warm, window)
    report("footprint", rows, as_json=asked.json)


def measured(protocol: str, starts: int, warm: float, window: float) -> list[Row]:
    port = free_port()
    command = [sys.executable, __file__, "--serve", protocol, str(port)]
    with running(command, port):
        ready = []
        for turn in range(starts):
            with house(protocol, port) as (process, seconds):
                ready.append(seconds)
                if turn == starts - 1:
                    time.sleep(warm)
                    share = share_of_core(process, window)
                    memory = process.memory_info().rss / 1e6
    what = f"run, {SIGNALS} signals at {1 / PERIOD:g} Hz over {protocol}"
    return [
        row(f"{what}: ready", statistics.median(ready), "s", most=3),
        row(f"{what}: memory (RSS)", memory, "MB", most=250),
        row(f"{what}: processor", share * 100, "% of core", most=3),
    ]


def share_of_core(process: psutil.Process, window: float) -> float:
    before, begun = process.cpu_times(), time.perf_counter()
    time.sleep(window)
    after, passed = process.cpu_times(), time.perf_counter() - begun
    return (after.user + after.system - before.user - before.system) / passed


@contextmanager
def house(protocol: str, server: int) -> Iterator[tuple[psutil.Process, float]]:
    """Run a fresh factory; give its process and how long it took to be ready, s."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder, port = Path(name).resolve(), free_port()
        describe(folder, protocol, server, port)
        begun = time.perf_counter()
        command = [str(Path(sys.executable).with_name("deungdae")), "run", str(folder)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while not is_ready(folder / "history"):
                passed = time.perf_counter() - begun
                if process.poll() is not None or passed > PATIENCE:
                    raise SystemExit((folder / "log").read_text(encoding="utf-8"))
                time.sleep(0.05)
            yield psutil.Process(process.pid), time.perf_counter() - begun
        finally:
            process.terminate()
            process.wait(20)


def is_ready(history: Path) -> bool:
    """Return whether the factory knows a good value of every signal."""
    try:
        known = present(history)
    except (OSError, ValueError):
        return False
    good = [reading for reading in known["readings"].values() if reading["quality"] == "good"]
    return len(good) + len(known["events"].keys() & {"cell.state"}) == SIGNALS


def describe(folder: Path, protocol: str, server: int, port: int) -> None:
    """Write the factory's files."""
    scheme = {"opcua": "opc.tcp", "modbus": "tcp"}[protocol]
    url = f"{scheme}://127.0.0.1:{server}"
    text = FACTORY.format(type=protocol, url=url, port=port)
    (folder / "factory.toml").write_text(text, encoding="utf-8")
    tag, state, count, valve = {
        "opcua": ("ns=2;s=T{}", "ns=2;s=State", "ns=2;s=Count", "ns=2;s=Valve"),
        "modbus": ("input/{}?float32", "holding/0", "holding/2?float32", "holding/4?float32"),
    }[protocol]
    places = [tag.format(n if protocol == "opcua" else 2 * n) for n in range(TAGS)]
    lines = ["id,kind,states,access,source"]
    lines += [f'cell.t{n},number,,r,"line:{place}"' for n, place in enumerate(places)]
    lines += [
        f'cell.state,state,"0=idle,1=running",r,"line:{state}"',
        f'cell.count,number,,r,"line:{count}"',
        f'cell.valve,number,,rw,"line:{valve}"',
    ]
    (folder / "signals.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


# ---- the machines


async def serve_opcua(port: int) -> None:
    """Serve all over OPC UA; every tag changes each second."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:bench")

    async def add(name: str, value: float) -> ua.NodeId:
        node = await server.nodes.objects.add_variable(ua.NodeId(name, 2), name, value)
        return node.nodeid

    tags = [await add(f"T{n}", float(n)) for n in range(TAGS)]
    state, count = await add("State", 1), await add("Count", 0.0)
    await server.get_node(await add("Valve", 50.0)).set_writable()
    async with server:
        second = 0
        while True:
            second += 1
            for n, tag in enumerate(tags):
                value = ua.Variant(n + second % 60 / 10, ua.VariantType.Double)
                await server.write_attribute_value(tag, ua.DataValue(value))
            made = ua.Variant(float(second), ua.VariantType.Double)
            await server.write_attribute_value(count, ua.DataValue(made))
            running = ua.Variant(int(second % 20 > 0), ua.VariantType.Int64)
            await server.write_attribute_value(state, ua.DataValue(running))
            await asyncio.sleep(PERIOD)


async def serve_modbus(port: int) -> None:
    """Serve all over Modbus/TCP; what is read depends on the second."""
    valve = bytearray(struct.pack(">f", 50.0))

    def registers(function: int) -> bytes:
        second = int(time.time())
        if function == 4:
            return struct.pack(f">{TAGS}f", *(n + second % 60 / 10 for n in range(TAGS)))
        return struct.pack(">HHf", second % 20 > 0, 0, second % 1_000_000) + bytes(valve)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with_end = asyncio.IncompleteReadError, ConnectionError
        try:
            while True:
                head = await reader.readexactly(6)
                body = await reader.readexactly(int.from_bytes(head[4:], "big"))
                reply = body[:2] + carried_out(body)
                writer.write(head[:4] + len(reply).to_bytes(2, "big") + reply)
        except with_end:
            writer.close()

    def carried_out(body: bytes) -> bytes:
        function, first, count = struct.unpack(">xBHH", body[:6])
        if function == 16:  # the valve is all that can be written
            valve[:] = body[7:11]
            return body[2:6]
        part = registers(function)[2 * first : 2 * (first + count)]
        return bytes([len(part)]) + part

    async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    main()
