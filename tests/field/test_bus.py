"""Three processes of one factory over a real NATS server: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import nats
import numpy as np
import pytest

from deungdae.app.bus.hands import Written
from deungdae.core.clock import RealClock
from deungdae.core.types import Command, Permit
from deungdae.decide.gate.seal import seal
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

PERIOD = 0.1  # s between two samples of a simulated machine
FACTORY = """
[factory]
id = "brickworks"

[app]
port = {http}

[bus]
url = "nats://127.0.0.1:{nats}"

[machines.kiln]
type = "simulated"
model = "kiln"
period = 0.1

[machines.oven]
type = "simulated"
model = "kiln"
seed = 2
period = 0.1

[machines.press]
type = "simulated"
model = "press"
period = 0.1
speed = 20.0

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"

[[signals]]
id = "kiln1.valve"
unit = "%"
source = "kiln:valve"
access = "rw"
low = 0
high = 100

[[signals]]
id = "oven1.valve"
unit = "%"
source = "oven:valve"
access = "rw"
low = 0
high = 100

[[signals]]
id = "press1.state"
kind = "state"
source = "press:state"

[[signals]]
id = "press1.count"
source = "press:count"

[decide.gate]
type = "gate"
mode = "auto"
writable = [
    {{ signal = "kiln1.valve", low = 20.0, high = 80.0, step = 50.0 }},
    {{ signal = "oven1.valve", low = 20.0, high = 80.0, step = 50.0 }},
]

[decide.zone]
type = "loop"
measurement = "kiln1.temperature"
output = "kiln1.valve"
set_point = 1150.0
kp = 0.5
ti = 300.0
"""


class Plant:
    """The bus and the processes of one factory."""

    def __init__(self, folder: Path, nats_port: int, http_port: int) -> None:
        self.folder = folder
        self.nats_port = nats_port
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        text = FACTORY.format(nats=nats_port, http=http_port)
        (folder / "factory.toml").write_text(text)
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{http_port}/api/v1", trust_env=False, timeout=10
        )

    async def serve_nats(self) -> None:
        await self._start(
            "nats",
            "nats-server",
            *("--addr", "127.0.0.1", "--port", str(self.nats_port)),
            *("--jetstream", "--store_dir", str(self.folder / "jetstream")),
        )

    async def run(self, role: str) -> None:
        module = (sys.executable, "-m", "deungdae.app.cli")
        await self._start(role, *module, "run", str(self.folder), "--as", role)

    async def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log
            )

    async def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End the processes as a service manager does, the bus last."""
        for name in ("connect", "history", "pages", "nats"):
            if process := self.processes.pop(name, None):
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 20) in (0, 1), self.said(name)
        await self.client.aclose()

    def said(self, name: str) -> str:
        """Return what a process wrote to its log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def get(self, path: str, **query: str) -> Any:
        """Return what the pages answer, or None where they do not."""
        try:
            return (await self.client.get(path, params=query)).json()
        except httpx.TransportError:
            return None

    async def act(self, path: str, **deed: object) -> httpx.Response:
        """Do something in a person's name."""
        found = json.loads((self.folder / "history" / "running.json").read_text())
        headers = {"Authorization": f"Bearer {found['token']}"}
        return await self.client.post(path, json={"person": "Kim", **deed}, headers=headers)

    async def value(self, id: str) -> float | None:
        live = await self.get("/live")
        return live["readings"].get(id, {}).get("value") if live else None

    async def stored(self) -> int:
        """Return how many items the history has made durable since it started."""
        health = await self.get("/health")
        return health["stored"] if health else 0


async def until(true: Callable[[], Awaitable[object]], within: float = 30.0) -> None:
    """Return when it is true; fail when it never becomes so."""
    async with asyncio.timeout(within):
        while not await true():
            await asyncio.sleep(0.1)


@pytest.fixture
async def plant(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Plant]:
    """Give a factory of three processes that see each other."""
    plant = Plant(tmp_path, free_port(), free_port())
    await plant.serve_nats()
    for role in ("connect", "pages", "history"):  # the history last: the others wait for it
        await plant.run(role)
    try:

        async def is_complete() -> bool:
            health = await plant.get("/health")
            return bool(health and health["state"] == "ok" and health["stored"] > 20)

        await until(is_complete)
        yield plant
    except TimeoutError:
        pytest.fail("\n".join(plant.said(name) for name in (*plant.processes,)))
    finally:
        for name in list(plant.processes):
            if plant.processes[name].returncode is None:
                await plant.kill(name)


async def test_what_one_process_does_three_do_too(plant: Plant) -> None:
    machines = await plant.get("/machines")
    assert {each["name"]: each["state"] for each in machines} == {
        "kiln": "online",
        "oven": "online",
        "press": "online",
    }
    assert 1000 < (await plant.value("kiln1.temperature") or 0) < 1300
    live = await plant.get("/live")
    assert live["events"]["press1.state"]["kind"] == "state"

    # a person's command on the pages moves the machine of another process, through the gate
    assert (await plant.act("/gate/mode", mode="approve")).json()["mode"] == "approve"
    told = await plant.act("/commands", signal="oven1.valve", value=61.5, reason="a test")
    assert (told.status_code, told.json()["result"]) == (200, "held")
    id = told.json()["command"]["id"]
    told = await plant.act(f"/proposals/{id}/approve")
    assert (told.json()["result"], told.json()["read_back"]) == ("written", 61.5)
    await until(lambda: _is(plant, 61.5))
    outside = await plant.act("/commands", signal="oven1.valve", value=99.0, reason="a test")
    assert (outside.status_code, outside.json()["rule"]) == (409, "limits")

    # the kill switch, from the pages
    killed = (await plant.act("/gate/kill", reason="a test")).json()
    assert killed["killed"]["person"] == "Kim"
    told = await plant.act("/commands", signal="oven1.valve", value=60.0, reason="a test")
    assert told.json()["rule"] == "kill-switch"
    assert (await plant.act("/gate/release")).json()["killed"] is None

    # another set-point for the loop of the history's process
    assert (await plant.act("/loops/zone", set_point=1160.0, reason="a test")).status_code == 200

    async def is_retargeted() -> bool:
        return bool((await plant.get("/loops"))[0]["set_point"] == 1160.0)

    await until(is_retargeted)

    # what was remembered, asked on the pages
    found = await plant.get("/samples", ids="kiln1.temperature", **{"from": "-1m"})
    assert len(found["kiln1.temperature"]["value"]) > 10

    await plant.stop()
    with Journal(plant.folder / "history" / "journal") as journal:
        assert journal.verify() is None
        kinds = [entry.kind for entry in journal.read(0, 2**62)]
    assert {"mode", "held", "permit", "written", "refusal", "kill", "release", "set-point"} <= set(
        kinds
    )


async def _is(plant: Plant, value: float) -> bool:
    return await plant.value("oven1.valve") == value


async def test_a_permit_that_the_gate_did_not_seal_is_refused(plant: Plant) -> None:
    client = await nats.connect(f"nats://127.0.0.1:{plant.nats_port}")
    key = (plant.folder / "bus.key").read_bytes()
    now = RealClock().now()
    permit = _permit(now)
    subject = "factory.brickworks.write.oven"

    async def write(data: bytes) -> Written:
        reply = await client.request(subject, data, timeout=10)
        return msgspec.msgpack.decode(reply.data[1:], type=Written)

    for forged in (b"", b"x" * 200, seal(permit, b"\0" * 32), seal(permit, key)[:-1] + b"\x01"):
        assert (await write(forged)).rule == "seal"
    assert (await write(seal(_permit(now - 60 * 10**9), key))).rule == "expired"
    sealed = seal(permit, key)
    assert (await write(sealed)).read_back == 42.0
    assert (await write(sealed)).rule == "duplicate"  # caught on the wire and sent again
    await client.close()


def _permit(now: int) -> Permit:
    command = Command(
        id=f"test:{now}",
        signal="oven1.valve",
        value=42.0,
        origin="test",
        because="a test",
        issued=now,
        expires=now + 30 * 10**9,
    )
    return Permit(command=command, granted=now, mode="auto")


async def test_nothing_is_lost_and_nothing_twice_when_the_history_is_killed(plant: Plant) -> None:
    before = await plant.stored()
    await plant.kill("history")

    async def is_failing() -> bool:
        health = await plant.get("/health")
        return bool(health and health["state"] == "failing")

    await until(is_failing)  # the pages tell that nothing is kept
    await asyncio.sleep(2)  # the doors go on: what they bring waits in JetStream
    await plant.run("history")
    await until(lambda: _more_than(plant, 40))
    assert before
    await plant.stop()
    _check_complete(plant)


async def test_nothing_is_lost_when_the_bus_is_killed(plant: Plant) -> None:
    await plant.kill("nats")
    await asyncio.sleep(2)
    await plant.serve_nats()
    before = await plant.stored()
    await until(lambda: _more_than(plant, before + 40))

    async def is_ok() -> bool:
        health = await plant.get("/health")
        return bool(health and health["state"] == "ok")

    await until(is_ok)
    await plant.stop()
    _check_complete(plant)


async def _more_than(plant: Plant, items: int) -> bool:
    return await plant.stored() > items


def _check_complete(plant: Plant) -> None:
    """Fail unless every sample that a door brought is there once: at 10 Hz no step is missing."""
    with Historian(plant.folder / "history") as store:
        for id in ("kiln1.temperature", "press1.count"):
            found = store.query([id], 0, 2**62)[id]
            assert len(np.unique(found.time)) == len(found)
            steps = np.diff(found.time) / 1e9
            assert len(steps) > 50
            assert steps.max() < 5 * PERIOD, f"{id}: a step of {steps.max():.2f} s"
        assert not [e for e in store.events(0, 2**62, kinds=["gap"])]
