"""What `deungdae discover` proposes for servers of others is a factory that runs."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.contract.rigs.mqtt import Rig as MqttRig
from tests.contract.rigs.mtconnect import Agent

from deungdae.app import describe, discover
from deungdae.app.cli import factory as verb
from deungdae.app.cli import main
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.ports import Node
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.machines.opcua import Opcua
from deungdae.model import factory as model

Running = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]
PEERS = Path(__file__).resolve().parents[1] / "peers"
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
WITHIN = 20.0  # s


async def deungdae(*arguments: str) -> tuple[int, Any, str]:
    """Return exit code, JSON and words of a command, run as a person runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; from deungdae.app.cli import main; sys.exit(main())",
        *arguments, "--json", "--log", "error",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, words = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, json.loads(out), words.decode()


async def discovered(folder: Path, url: str, *more: str) -> dict[str, dict[str, str]]:
    """Return what a server is found to offer, by id; `folder` then holds a sound factory."""
    code, rows, words = await deungdae("discover", url, "--write", str(folder), *more)
    assert code == 0, words
    assert f"wrote {len(rows)} signals" in words
    code, answer, words = await deungdae("check", str(folder))
    assert code == 0, answer
    assert answer["signals"] == len(rows)
    return {row["id"]: row for row in rows}


async def collected(
    folder: Path, *wanted: str, tick: Callable[[], object] = lambda: None
) -> dict[str, float | str]:
    """Run the factory until it has something good of every wanted signal; return what is stored."""
    factory, clock = describe.read(folder), RealClock()
    history = folder / "history"
    with Historian(history) as store, Journal(history / "journal") as journal:
        control = Control(factory, journal, Live(), clock)
        runtime = Runtime(factory, store, control, clock)
        task = asyncio.create_task(runtime.run())
        try:
            async with asyncio.timeout(WITHIN):
                while missing := [id for id in wanted if not _known(runtime, id)]:
                    assert not task.done(), task
                    tick()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"nothing good of {missing}; {runtime.health()}")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        samples = store.query(wanted, 0, clock.now() + 10**12)
        found: dict[str, float | str] = {id: s.value[-1] for id, s in samples.items() if len(s)}
        events = store.events(0, clock.now() + 10**12, ids=wanted)
        return found | {event.id: event.value for event in events}


def _known(runtime: Runtime, id: str) -> bool:
    reading, event = runtime.live.reading(id), runtime.live.events.get(id)
    return (reading is not None and reading.good) or (event is not None and not event.status & 3)


async def test_an_opc_ua_server(
    tmp_path: Path, free_port: Callable[[], int], running: Running
) -> None:
    port, peer = free_port(), tmp_path / "peer"
    peer.mkdir()
    folder = tmp_path / "factory"
    async with running(
        "node", "opcua-server.js", str(port), str(peer), port=port, within=40, cwd=PEERS
    ):
        found = await discovered(
            folder,
            f"opc.tcp://127.0.0.1:{port}/UA/Peer",
            "--name",
            "peer",
            "--set",
            "publishing=0.1",
        )
        plant = {id.removeprefix("peer.plant."): row for id, row in found.items()}
        assert plant["temperature"]["unit"] == "Cel"
        assert plant["text"]["kind"] == "text"
        assert plant["fixed"]["access"] == "r"
        assert plant["mode"]["kind"] == "state"
        values = await collected(
            folder, *(f"peer.plant.{name}" for name in ("temperature", "counter", "int64", "mode"))
        )
    assert values["peer.plant.temperature"] == 20.5
    assert values["peer.plant.int64"] == 5.0
    assert float(values["peer.plant.counter"]) > 0
    assert values["peer.plant.mode"] == "Running"


async def test_a_modbus_server(
    tmp_path: Path, free_port: Callable[[], int], running: Running
) -> None:
    port, folder = free_port(), tmp_path / "factory"
    async with running("node", str(PEERS / "modbus-server.js"), str(port), port=port):
        found = await discovered(
            folder, f"tcp://127.0.0.1:{port}", "--set", "period=0.1",
            "--set", 'scan=["holding/0-9", "input/0-9", "coil/0-7"]',
        )  # fmt: skip
        sources = {row["source"]: id for id, row in found.items()}
        wanted = {
            source: next(id for address, id in sources.items() if source in address)
            for source in ("holding/0", "input/7", "coil/3")
        }
        values = await collected(folder, *wanted.values())
    assert values[wanted["holding/0"]] == 21.5
    assert values[wanted["input/7"]] == 7.0
    assert str(values[wanted["coil/3"]]) in ("1", "1.0", "true")


async def test_a_sparkplug_edge_node(
    tmp_path: Path, free_port: Callable[[], int], running: Running
) -> None:
    port, folder = free_port(), tmp_path / "factory"
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    births = {
        "node": [
            {"name": "Node Control/Rebirth", "type": "Boolean", "value": False},
            {"name": "Speed", "type": "Int32", "value": -5},
        ],
        "devices": {
            "oven": [
                {"name": "Temperature", "type": "Double", "value": 850.5,
                 "properties": {"engUnit": {"type": "String", "value": "Cel"}}},
                {"name": "Druck/Öl, links", "type": "Double", "value": 3.5,
                 "properties": {"engUnit": {"type": "String", "value": "parsec per fortnight"}}},
                {"name": "온도", "type": "Double", "value": 7.0},
                {"name": "압력", "type": "Double", "value": 8.0},
                {"name": "Recipe", "type": "String", "value": "brick"},
            ]
        },
    }  # fmt: skip
    async with running(MOSQUITTO, "-c", str(config), port=port), _edge_node(port) as do:
        await do({"do": "births", **births})
        # an edge node that says nothing is not known to anybody who comes late
        talking = asyncio.create_task(_talk(do))
        found = await discovered(
            folder, f"mqtt://127.0.0.1:{port}", "--type", "sparkplug", "--name", "cells",
            "--set", "listen=3", "--set", "rebirth=0.3",
        )  # fmt: skip
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        by_name = {row["source"].rpartition("/")[2]: id for id, row in found.items()}
        temperature = next(id for id in found if id.endswith("temperature"))
        recipe = next(id for id in found if id.endswith("recipe"))
        pressure = next(id for id in found if "druck" in id)
        assert found[temperature]["unit"] == "Cel"
        assert found[pressure]["unit"] == "1"
        assert found[recipe]["kind"] == "text"
        assert by_name["온도"] != by_name["압력"]
        values = await collected(folder, temperature, recipe, pressure, by_name["압력"])
    assert values[temperature] == 850.5
    assert values[recipe] == "brick"
    assert values[pressure] == 3.5
    assert values[by_name["압력"]] == 8.0


async def _talk(do: Callable[[dict[str, object]], Any]) -> None:
    while True:
        metric = {"name": "Speed", "type": "Int32", "value": -5}
        await do({"do": "ndata", "metrics": [metric], "options": {}})
        await asyncio.sleep(0.4)


@contextlib.asynccontextmanager
async def _edge_node(port: int) -> AsyncIterator[Callable[[dict[str, object]], Any]]:
    process = await asyncio.create_subprocess_exec(
        "node", str(PEERS / "sparkplug-edge.js"), str(port), "plant", "line1",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    async def until(what: str) -> None:
        async with asyncio.timeout(WITHIN):
            while json.loads(await process.stdout.readline())["what"] != what:  # type: ignore[union-attr]
                pass

    async def do(order: dict[str, object]) -> None:
        process.stdin.write(json.dumps(order).encode() + b"\n")  # type: ignore[union-attr]
        await until("did")

    await until("connected")
    reading: asyncio.Task[bytes] | None = None
    try:
        yield do
    finally:
        process.kill()
        reading = asyncio.create_task(process.stdout.read())
        await process.wait()
        await reading


async def test_an_mqtt_broker(tmp_path: Path) -> None:
    rig, folder = MqttRig(), tmp_path / "factory"
    await rig.start()
    try:
        await discovered(
            folder,
            str(rig.options["url"]),
            "--name",
            "broker",
            "--set",
            "listen=1",
            "--set",
            "session=0",
        )
        found = model.read(folder, describe.SECTIONS).signals
        wanted = [id for id in found if id.endswith(".v")]
        assert len(wanted) == 3
        assert set((await collected(folder, *wanted)).values()) == {1.5}
    finally:
        await rig.stop()
        rig._folder.cleanup()


async def test_an_mtconnect_agent(tmp_path: Path, free_port: Callable[[], int]) -> None:
    agent, folder = Agent(free_port()), tmp_path / "factory"
    agent.set("x1", "12.5")
    agent.set("e1", "ACTIVE")
    await agent.start()
    try:
        url = f"http://127.0.0.1:{agent.port}/Dev1"
        found = await discovered(folder, url, "--name", "mill", "--set", "interval=0.05")
        position = next(id for id, row in found.items() if row["source"].endswith("Xpos"))
        execution = next(id for id, row in found.items() if row["source"].endswith("execution"))
        assert found[position]["unit"] == "mm"
        assert found[execution]["kind"] == "state"
        values = await collected(folder, position, execution)
    finally:
        await agent.stop()
    assert values == {position: 12.5, execution: "ACTIVE"}


# ---- what is odd about servers and askers


def proposed(*nodes: Node) -> list[str]:
    return [signal.id for signal in discover.propose("press", list(nodes))]


def test_ids_are_readable_and_unique() -> None:
    nodes = [
        Node(address="1", path="Plant/Line 1/Temperature °C"),
        Node(address="2", path="Plant/Line 1/Temperature °C"),
        Node(address="3", path="plant/line_1/temperature_c"),
        Node(address="4", path="온도"),
        Node(address="5", path="압력"),
        Node(address="6", path=""),
        Node(address="7", path="press/speed"),
        Node(address="8", path="/-/_x_/"),
    ]
    ids = proposed(*nodes)
    assert len(set(ids)) == len(ids)
    assert ids[0] == "press.plant.line_1.temperature_c"
    assert all(model._ID.match(id) for id in ids)
    assert ids[6] == "press.speed"


def test_what_is_proposed_reads_back(tmp_path: Path) -> None:
    nodes = [
        Node(address="a, b", path='x/"quoted", name', description="two\nlines, and a comma"),
        Node(address="c", path="range", low=float("-inf"), high=float("inf")),
        Node(address="d", path="turned", low=5.0, high=1.0),
        Node(address="e", path="nan", low=float("nan"), high=1.0),
        Node(address="f", path="unit", unit="°F", low=0.0, high=1.0),
        Node(address="g", path="state", kind="state", unit="mm", low=0.0, high=3.0),
        Node(address="h", path="등대/온도", access="rw", unit="Cel"),
    ]
    signals = discover.propose("press", nodes)
    verb._write(tmp_path, "press", "simulated", {"seed": 3}, signals)
    assert list(model.read(tmp_path, describe.SECTIONS).signals.values()) == signals
    with (tmp_path / "signals.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(nodes)


@pytest.mark.parametrize(
    "table",
    [
        {"seed": 3, "parameters": {"wagon_interval": 1800.0}},
        {"model": "press", "period": 0.5},
    ],
)
def test_options_are_written_as_toml(tmp_path: Path, table: dict[str, object]) -> None:
    verb._write(tmp_path, "kiln", "simulated", table, [])
    (plugin,) = model.read(tmp_path, describe.SECTIONS).room("machines").values()
    for key, value in table.items():
        assert getattr(plugin.options, key) == value


ODD = {
    "an unknown scheme": (["gopher://10.0.0.1"], 2, "which driver is this"),
    "no scheme": (["10.0.0.1:502"], 2, "which driver is this"),
    "an unknown driver": (["tcp://127.0.0.1:1", "--type", "modbuss"], 2, "no such driver"),
    "an unknown option": (["tcp://127.0.0.1:1", "--set", "perriod=1"], 2, "did you mean period?"),
    "no value": (["tcp://127.0.0.1:1", "--set", "period"], 2, "KEY=VALUE"),
    "no number": (["tcp://127.0.0.1:1", "--set", "period=often"], 2, "period"),
    "nobody there": (["tcp://127.0.0.1:1"], 2, "127.0.0.1"),
    "a name that is none": (["tcp://127.0.0.1:1", "--name", "Kiln 1"], 2, "--name Kiln 1"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_requests_are_answered_in_words(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments, code, words = ODD[case]
    assert main(["discover", *arguments, "--json", "--log", "error"]) == code
    captured = capsys.readouterr()
    assert words in json.dumps(json.loads(captured.out))
    assert "Traceback" not in captured.err


def test_a_user_name_of_digits_is_text() -> None:
    table = verb._table(Opcua, "opc.tcp://127.0.0.1:4840", ["user=1234", "publishing=0.5"])
    assert (table["user"], table["publishing"]) == ("1234", 0.5)
    assert discover.options(Opcua, table).user == "1234"


async def test_a_server_that_offers_nothing_is_an_answer(
    tmp_path: Path, free_port: Callable[[], int], running: Running
) -> None:
    port, config, folder = free_port(), tmp_path / "mosquitto.conf", tmp_path / "factory"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    async with running(MOSQUITTO, "-c", str(config), port=port):
        code, rows, _ = await deungdae(
            "discover", f"mqtt://127.0.0.1:{port}", "--set", "listen=0.2", "--write", str(folder)
        )
    assert (code, rows) == (1, [])
    assert not folder.exists()


def test_what_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "signals.csv").write_text("id\n")
    code = main(["discover", "tcp://127.0.0.1:1", "--write", str(tmp_path), "--log", "error"])
    assert code == 2
    assert "is there already" in capsys.readouterr().err  # told before the server is asked
    assert [path.name for path in tmp_path.iterdir()] == ["signals.csv"]


async def test_a_range_of_addresses_is_searched(free_port: Callable[[], int]) -> None:
    port = free_port()
    agent = Agent(port)
    await agent.start()
    try:
        code, rows, _ = await deungdae("discover", "127.0.0.1", "--ports", str(port))
    finally:
        await agent.stop()
    assert code == 0
    assert [(row["type"], row["url"]) for row in rows] == [
        ("mtconnect", f"http://127.0.0.1:{port}")
    ]
    code, rows, _ = await deungdae("discover", "127.0.0.1", "--ports", str(port))
    assert (code, rows) == (1, [])


@pytest.mark.parametrize(
    ("text", "words"), [("8.8.8.8", "--public"), ("10.0.0.0/8", "at most 1024")]
)
def test_a_range_that_may_not_be_searched_is_told(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", text, "--json", "--log", "error"]) == 2
    assert words in capsys.readouterr().out
