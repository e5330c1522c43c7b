"""Three processes of one factory over a real NATS server: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import nats
import numpy as np
import pytest
import trustme
from nats.aio.msg import Msg

from deungdae.app import wire
from deungdae.app.bus import BusOptions, parts
from deungdae.app.bus.hands import Written
from deungdae.app.bus.link import opened
from deungdae.app.bus.outbox import Durable
from deungdae.core.clock import RealClock
from deungdae.core.types import Batch, Command, Permit
from deungdae.decide.gate.seal import seal
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

AWAY = 2.0  # s, at least, that a process is gone
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

    def said(self, name: str) -> str:
        """Return what a process wrote to its log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def get(self, path: str, **query: str) -> Any:
        """Return what the pages answer, or None where they do not."""
        try:
            return (await self.client.get(path, params=query, headers=self.bearer())).json()
        except (httpx.TransportError, FileNotFoundError):
            return None

    def bearer(self) -> dict[str, str]:
        """Return what lets a program in."""
        found = json.loads((self.folder / "history" / "running.json").read_text())
        return {"Authorization": f"Bearer {found['token']}"}

    async def act(self, path: str, **deed: object) -> httpx.Response:
        """Do something in a person's name."""
        return await self.client.post(path, json={"person": "Kim", **deed}, headers=self.bearer())

    async def value(self, id: str) -> float | None:
        live = await self.get("/live")
        return live["readings"].get(id, {}).get("value") if live else None


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
        await plant.client.aclose()


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

    # what a person says on the pages is kept where the history is
    stop = {"asset": "press1", "start": live["events"]["press1.state"]["time"], "reason": "금형"}
    told = await plant.act("/stops/reason", **stop)
    assert told.status_code == 200, told.text

    # what was remembered, asked on the pages
    found = await plant.get("/samples", ids="kiln1.temperature", **{"from": "-1m"})
    assert len(found["kiln1.temperature"]["value"]) > 10

    # a changed description: each process reads its own part anew
    with (plant.folder / "factory.toml").open("a") as file:
        file.write('\n[[signals]]\nid = "press1.force"\nunit = "kN"\nsource = "press:force"\n')

    async def is_known() -> bool:
        return await plant.value("press1.force") is not None

    await until(is_known)

    await plant.stop()
    with Journal(plant.folder / "history" / "journal") as journal:
        assert journal.verify() is None
        kinds = [entry.kind for entry in journal.read(0, 2**62)]
    assert {"mode", "held", "permit", "written", "refusal", "kill", "release", "set-point"} <= set(
        kinds
    )


async def _is(plant: Plant, value: float) -> bool:
    return await plant.value("oven1.valve") == value


async def _send_strange_parts(plant: Plant) -> int:
    """Send copies and lies as a guest; return the time of the true sample among them."""
    client = await nats.connect(f"nats://127.0.0.1:{plant.nats_port}")
    jetstream = client.jetstream()
    told: asyncio.Queue[Durable] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        await told.put(msgspec.msgpack.decode(message.data, type=Durable))

    await client.subscribe("factory.brickworks.durable.guest", cb=hear)
    now = RealClock().now()
    batch = Batch.of([0, 1, 0], [now, now, now + 1], [1.0, 2.0, 3.0], received=now)
    part = parts.Part("guest", "s", 1, ["guest.a", "kiln1.temperature"], wire.encode([batch]))
    subject = "factory.brickworks.data.guest"
    for data in (
        wire.dump(part),
        b"nonsense",
        wire.dump(msgspec.structs.replace(part, number=2, nouns=b"nonsense")),
        wire.dump(msgspec.structs.replace(part, number=3, ids=[])),
        wire.dump(msgspec.structs.replace(part, number=4, sender="*")),
        wire.dump(part),
    ):
        await jetstream.publish(subject, data)

    said = await asyncio.wait_for(told.get(), 10)
    assert (said.session, said.numbers) == ("s", [1])

    async def is_empty() -> bool:
        found = await jetstream.stream_info("factory_brickworks", subjects_filter=subject)
        return not found.state.subjects

    await until(is_empty)  # also what was nonsense: it is not given again and again
    await client.close()
    return now


async def test_what_strangers_send_does_no_harm(plant: Plant) -> None:
    guest = await _send_strange_parts(plant)
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

    # nobody knows how the machines are when the process with their doors is gone
    await plant.kill("connect")

    async def is_offline() -> bool:
        return {each["state"] for each in await plant.get("/machines")} == {"offline"}

    await until(is_offline)

    async def is_refused() -> bool:
        told = await plant.act("/commands", signal="oven1.valve", value=43.0, reason="a test")
        return told.status_code == 409 and told.json()["rule"] == "quality"

    await until(is_refused)
    await plant.stop()
    with Historian(plant.folder / "history") as store:  # a signal that the file does not have
        found = store.query(["guest.a"], 0, 2**62)["guest.a"]
        assert found.time.tolist() == [guest, guest + 1]
        assert found.value.tolist() == [1.0, 3.0]


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


class Witness:
    """Hears what doors publish, beside the history."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[int, float]] = defaultdict(dict)

    async def hear(self, message: Msg) -> None:
        part = parts.read(message.data)
        for item in parts.items(part, {id: handle for handle, id in enumerate(part.ids)}):
            if isinstance(item, Batch):
                for handle, time, value in zip(
                    item.signal.tolist(), item.time.tolist(), item.value.tolist(), strict=True
                ):
                    self.samples[part.ids[handle]][time] = value

    def compare(self, folder: Path) -> None:
        """Fail unless the history holds exactly once all that was heard."""
        assert len(self.samples["kiln1.temperature"]) > 30
        with Historian(folder / "history") as store:
            for id, heard in self.samples.items():
                found = store.query([id], min(heard), max(heard) + 1)[id]
                assert dict(zip(found.time.tolist(), found.value.tolist(), strict=True)) == heard
                assert len(found) == len(heard)


async def test_nothing_is_lost_or_twice_when_history_and_bus_are_killed(plant: Plant) -> None:
    witness = Witness()
    client = await nats.connect(f"nats://127.0.0.1:{plant.nats_port}")
    await client.subscribe("factory.brickworks.data.*", cb=witness.hear)
    await plant.kill("history")

    async def is_failing() -> bool:
        health = await plant.get("/health")
        return bool(health and health["state"] == "failing")

    async def is_back() -> bool:
        health = await plant.get("/health")
        return bool(health and health["state"] == "ok" and health["stored"] > 40)

    await until(is_failing)  # the pages tell that nothing is kept
    await asyncio.sleep(AWAY)  # the doors go on: what they bring waits in JetStream
    await plant.run("history")
    await until(is_back)
    await client.drain()

    before = (await plant.get("/health"))["stored"]
    await plant.kill("nats")
    await asyncio.sleep(AWAY)
    await plant.serve_nats()

    async def is_back_again() -> bool:
        health = await plant.get("/health")
        return bool(health and health["state"] == "ok" and health["stored"] > before + 60)

    await until(is_back_again)
    await plant.stop()
    witness.compare(plant.folder)
    _check_steps(plant)


def _check_steps(plant: Plant) -> None:
    """Fail where what doors brought while something was away is missing."""
    with Historian(plant.folder / "history") as store:
        for id in ("kiln1.temperature", "press1.count"):
            found = store.query([id], 0, 2**62)[id]
            assert np.diff(found.time).max() / 1e9 < AWAY / 2
        assert store.events(0, 2**62, kinds=["gap"]) == []


async def test_beyond_this_machine_the_bus_needs_tls_and_a_login(
    tmp_path: Path, free_port: Callable[[], int], running: Any
) -> None:
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "password").write_text("secret")
    options = BusOptions(
        url=f"tls://localhost:{port}", user="f", password_file="password", tls_ca="ca.pem"
    )
    server = (
        "nats-server",
        *("--addr", "127.0.0.1", "--port", str(port), "--user", "f", "--pass", "secret"),
        *("--tls", "--tlscert", str(tmp_path / "cert.pem"), "--tlskey", str(tmp_path / "key.pem")),
    )
    async with running(*server, port=port), opened(options, "f", tmp_path, "test") as link:

        async def answer(_: str, data: bytes) -> bytes:
            return data * 2

        await link.answer("factory.f.store.double", answer)
        question = b"x" * 900_000  # the answer comes in pieces
        assert await link.ask("factory.f.store.double", question, 5) == question * 2


async def test_a_server_without_tls_is_not_told_the_password(
    tmp_path: Path, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    heard = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload":1000000,"auth_required":true}\r\n')
        heard.extend(await reader.read())
        writer.close()

    (tmp_path / "password").write_text("secret")
    port = free_port()
    options = BusOptions(url=f"tls://127.0.0.1:{port}", user="f", password_file="password")
    async with await asyncio.start_server(pretend, "127.0.0.1", port):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), opened(options, "f", tmp_path, "test"):
                pytest.fail("it connected")
    assert b"secret" not in heard
    assert "does not speak TLS" in caplog.text
