"""The MQTT door against mosquitto: TCP and TLS, users, redelivery, restarts, large payloads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import Batch, Command, Event, Permit, Signal
from deungdae.machines.mqtt import Mqtt
from deungdae.wires.mqtt import codec
from deungdae.wires.mqtt.link import dial

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
WITHIN = 10.0
SECOND = 1_000_000_000
NOON = 1_790_000_000


class Mosquitto:
    """A broker with its own configuration; `start` and `stop` any number of times."""

    def __init__(self, folder: Path, port: int, config: str = "allow_anonymous true") -> None:
        self.port = port
        self.file = folder / "mosquitto.conf"
        self.log = folder / "mosquitto.log"
        self.file.write_text(
            f"listener {port} 127.0.0.1\n{config}\n"
            f"log_dest file {self.log}\nlog_type all\nuser root\n"
        )
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(self.file), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.process.returncode is None, "mosquitto ended"
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None


@pytest.fixture
async def broker(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Mosquitto]:
    server = Mosquitto(tmp_path, free_port())
    await server.start()
    yield server
    await server.stop()


async def publish(
    port: int, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1
) -> None:
    """Publish with mosquitto_pub: an implementation that others wrote."""
    process = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-p", str(port), "-t", topic, "-q", str(qos), "-s", *["-r"] * retain,
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.communicate(payload)
    assert process.returncode == 0


def door(broker: Mosquitto, **options: object) -> Mqtt:
    values: dict[str, object] = {"url": broker.url, "timeout": 3.0, **options}
    return Mqtt("press", Mqtt.Options(**values), RealClock())  # type: ignore[arg-type]


SIGNALS = {
    7: Signal(id="press1.temp", unit="Cel", source="press:plant/press1?t.v&time=ts"),
    9: Signal(id="press1.length", unit="m", source_unit="mm", source="press:plant/press1?length"),
    11: Signal(id="press1.mode", kind="state", source="press:plant/press1?mode&time=ts"),
}


def payload(temp: object = 21.5, second: int = 0, **more: object) -> bytes:
    return json.dumps({"t": {"v": temp}, "ts": NOON + second, **more}).encode()


class Collected:
    """Runs a stream and keeps what it yields; confirms each item at once if asked to."""

    def __init__(
        self, driver: Mqtt, signals: dict[int, Signal] = SIGNALS, *, confirm: bool = True
    ) -> None:
        self.driver, self.confirm = driver, confirm
        self.rows: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []
        self.items = 0
        self.error: DoorError | None = None
        self._task = asyncio.create_task(self._run(signals))

    async def _run(self, signals: dict[int, Signal]) -> None:
        try:
            async for item in self.driver.stream(signals):
                self.items += 1
                if isinstance(item, Batch):
                    columns = (item.signal, item.time, item.value, item.status)
                    self.rows += zip(*(column.tolist() for column in columns), strict=True)
                else:
                    self.events += item
                if self.confirm:
                    self.driver.confirm(self.items)
        except DoorError as error:
            self.error = error

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not done():
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def collecting(driver: Mqtt, **more: object) -> AsyncIterator[Collected]:
    await driver.connect()
    collected = Collected(driver, **more)  # type: ignore[arg-type]
    try:
        yield collected
    finally:
        await collected.stop()
        await driver.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_values_and_states_come_with_unit_and_time(broker: Mosquitto, version: str) -> None:
    await publish(broker.port, "plant/press1", payload(21.5, mode="RUN", length=1500), retain=True)
    async with collecting(door(broker, version=version)) as got:
        await got.until(lambda: len(got.rows) == 2)
        assert (7, NOON * SECOND, 21.5, 0) in got.rows
        handle, _, length, status = next(row for row in got.rows if row[0] == 9)
        assert (handle, length, status) == (9, 1.5, 0x05)  # retained, without time: uncertain
        assert [(e.id, e.kind, e.value, e.time) for e in got.events] == [
            ("press1.mode", "state", "RUN", NOON * SECOND)
        ]
        await publish(broker.port, "plant/press1", payload("22.5", 1))
        await got.until(lambda: (7, (NOON + 1) * SECOND, 22.5, 0) in got.rows)
        assert got.driver.health.state == "online"


async def test_what_was_not_durable_before_a_kill_comes_again(broker: Mosquitto) -> None:
    program = f"""
import asyncio
from deungdae.core.clock import RealClock
from deungdae.core.types import Signal
from deungdae.wires.mqtt import codec
from deungdae.wires.mqtt.link import dial
from deungdae.machines.mqtt import Mqtt
async def main():
    driver = Mqtt("press", Mqtt.Options(url={broker.url!r}), RealClock())
    await driver.connect()
    items = 0
    signal = Signal(id="a.b", source="press:plant/press1?t.v&time=ts")
    async for item in driver.stream({{7: signal}}):
        items += 1
        if item.value[-1] == 1.0:
            driver.confirm(items)  # the first is durable; the second is not
        print("got", item.value[-1], flush=True)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await asyncio.sleep(0.5)
    async with asyncio.timeout(WITHIN):
        while not await subscribed(broker):
            await asyncio.sleep(0.05)
        await publish(broker.port, "plant/press1", payload(1.0, 1))
        assert b"1.0" in await process.stdout.readline()
        await publish(broker.port, "plant/press1", payload(2.0, 2))
        assert b"2.0" in await process.stdout.readline()
    process.kill()
    await process.wait()
    await publish(broker.port, "plant/press1", payload(3.0, 3))
    async with collecting(door(broker)) as got:
        await got.until(lambda: len([row for row in got.rows if row[0] == 7]) >= 2)
        assert [row[:3] for row in got.rows if row[0] == 7] == [
            (7, (NOON + 2) * SECOND, 2.0),
            (7, (NOON + 3) * SECOND, 3.0),
        ]


async def subscribed(broker: Mosquitto) -> bool:
    """Return whether the broker has noted the door's subscription."""
    return b"deungdae-press 1 plant/press1" in broker.log.read_bytes()


async def test_a_restarted_broker_ends_the_stream_and_another_connect_goes_on(
    broker: Mosquitto,
) -> None:
    driver = door(broker)
    async with collecting(driver) as got:
        await publish(broker.port, "plant/press1", payload(1.0, 1))
        await got.until(lambda: len(got.rows) > 0)
        await broker.stop()
        await got.until(lambda: got.error is not None)
        assert isinstance(got.error, Unreachable)
        assert got.error.remedy
        assert driver.health.state == "offline"
        with pytest.raises(Unreachable, match="Connect call failed"):
            await driver.connect()
        await broker.start()
        await driver.connect()
        again = Collected(driver)
        await again.until(lambda: driver.health.state == "online")
        await publish(broker.port, "plant/press1", payload(2.0, 2), retain=True)
        await again.until(lambda: 2.0 in [row[2] for row in again.rows])
        await again.stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_payload_of_100_mb_is_refused_told_and_forgotten(
    broker: Mosquitto, tmp_path: Path, version: str
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    async with collecting(door(broker, version=version)) as got:
        await publish(broker.port, "plant/press1", payload(1.0, 1))
        await got.until(lambda: len(got.rows) > 0)
        before = peak_memory()
        await publish_file(broker.port, "plant/press1", large)
        await got.until(lambda: any(event.kind == "gap" for event in got.events))
        assert peak_memory() - before < 40 * 1024 * 1024
        assert "message_limit" in got.driver.health.signals["press1.temp"]
        assert "1 oversized" in got.driver.health.problem
        assert got.driver.health.state == "degraded"
        await publish(broker.port, "plant/press1", payload(2.0, 2))
        await got.until(lambda: (7, (NOON + 2) * SECOND, 2.0, 0) in got.rows)
        assert "press1.temp" not in got.driver.health.signals


async def publish_file(port: int, topic: str, file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-p", str(port), "-t", topic, "-q", "1", "-f", str(file)
    )
    assert await process.wait() == 0


def peak_memory() -> int:
    """Return the memory of this process at most until now, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def test_a_malformed_payload_is_bad_for_its_own_signals_only(broker: Mosquitto) -> None:
    signals = SIGNALS | {13: Signal(id="press2.temp", source="press:plant/press2?v")}
    async with collecting(door(broker), signals=signals) as got:
        await publish(broker.port, "plant/press2", b'{"v": 5}')
        await got.until(lambda: any(row[0] == 13 for row in got.rows))
        await publish(broker.port, "plant/press1", b'{"t": {"v"')
        await got.until(lambda: any(row[0] == 7 and row[3] & 3 == 2 for row in got.rows))
        assert set(got.driver.health.signals) == {"press1.temp", "press1.length", "press1.mode"}
        await publish(broker.port, "plant/press2", b'{"v": 6}')
        await got.until(lambda: got.rows[-1][2] == 6.0)
        assert "1 malformed" in got.driver.health.problem


async def test_write_publishes_and_returns_what_the_machine_reports(broker: Mosquitto) -> None:
    target = Signal(
        id="press1.speed", unit="m/s", source_unit="mm/s", access="rw",
        source="press:plant/press1/speed?v&write=plant/press1/set&put=speed.target",
    )  # fmt: skip
    machine = await asyncio.create_subprocess_exec(
        "mosquitto_sub", "-p", str(broker.port), "-t", "plant/press1/set", "-C", "1",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    command = Command(
        id="1", signal="press1.speed", value=1.5, origin="test", because="", issued=0, expires=0
    )
    driver = door(broker, timeout=1.0)
    async with collecting(driver, signals={3: target}) as got:
        await publish(broker.port, "plant/press1/speed", b'{"v": 100}')
        await got.until(lambda: len(got.rows) > 0)

        async def answer() -> bytes:
            asked, _ = await machine.communicate()
            await publish(broker.port, "plant/press1/speed", b'{"v": 1499}')
            return asked

        told = asyncio.create_task(answer())
        assert await driver.write(Permit(command=command, granted=0, mode="auto"), target) == 1.499
        assert json.loads(await told) == {"speed": {"target": 1500}}
        silent = await driver.write(Permit(command=command, granted=0, mode="auto"), target)
        assert silent is None
        with pytest.raises(BadReply, match="write"):
            await driver.write(Permit(command=command, granted=0, mode="auto"), SIGNALS[7])


async def test_browse_proposes_addresses_that_work(broker: Mosquitto) -> None:
    driver = door(broker, listen=0.5)
    await publish(broker.port, "plant/press1", payload(21.5, mode="RUN", list=[1, 2]), retain=True)
    await publish(broker.port, "plant/count", b"42", retain=True)
    await driver.connect()
    nodes = {node.address: node async for node in driver.browse()}
    await driver.close()
    assert set(nodes) == {
        "plant/count",
        "plant/press1?t.v&time=ts",
        "plant/press1?mode&time=ts",
        "plant/press1?list[0]&time=ts",
        "plant/press1?list[1]&time=ts",
    }
    assert nodes["plant/press1?mode&time=ts"].kind == "text"
    signals = {
        i: Signal(id=f"a.s{i}", source=f"press:{node.address}")
        for i, node in enumerate(nodes.values())
        if node.kind == "number"
    }
    async with collecting(driver, signals=signals) as got:
        await got.until(lambda: {row[0] for row in got.rows} == set(signals))


async def test_tls_with_our_certificate_user_and_password(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    server, ours = authority.issue_cert("127.0.0.1"), authority.issue_cert("deungdae@plant")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "server", "key", "ours", "our_key")}
    authority.cert_pem.write_to_path(files["ca"])
    server.cert_chain_pems[0].write_to_path(files["server"])
    server.private_key_pem.write_to_path(files["key"])
    ours.cert_chain_pems[0].write_to_path(files["ours"])
    ours.private_key_pem.write_to_path(files["our_key"])
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "press", "se:cret"], check=True)
    passwords.chmod(0o644)
    broker = Mosquitto(
        tmp_path,
        free_port(),
        f"allow_anonymous false\npassword_file {passwords}\ncafile {files['ca']}\n"
        f"certfile {files['server']}\nkeyfile {files['key']}\nrequire_certificate true",
    )
    await broker.start()
    monkeypatch.setenv("PRESS_PASSWORD", "se:cret")
    good = {
        "url": f"mqtts://127.0.0.1:{broker.port}", "ca": str(files["ca"]),
        "certificate": str(files["ours"]), "key": str(files["our_key"]), "user": "press",
        "password_env": "PRESS_PASSWORD",
    }  # fmt: skip
    try:
        driver = door(broker, **good)
        await driver.connect()
        assert driver.health.state == "online"
        await driver.close()
        secret = tmp_path / "secret"
        secret.write_text("wrong\n")
        wrong = good | {"password_env": "", "password_file": str(secret)}
        with pytest.raises(BadReply, match=r"bad user name or password|not authorised") as error:
            await door(broker, **wrong).connect()
        assert "press" in error.value.remedy
        with pytest.raises(Unreachable, match="not trusted") as distrust:
            await door(broker, **(good | {"ca": ""})).connect()
        assert "ca" in distrust.value.remedy
        with pytest.raises(DoorError):
            await door(broker, **(good | {"certificate": "", "key": ""})).connect()
        with pytest.raises(Unreachable, match="NO_SUCH"):
            await door(broker, **(good | {"password_env": "NO_SUCH"})).connect()
    finally:
        await broker.stop()


async def test_a_client_id_that_another_takes_over_is_named(broker: Mosquitto) -> None:
    async with collecting(door(broker)) as first:
        await publish(broker.port, "plant/press1", payload(1.0))
        await first.until(lambda: len(first.rows) > 0)
        second = door(broker)
        await second.connect()
        await first.until(lambda: first.error is not None)
        assert first.error is not None
        assert "client_id" in first.error.remedy
        await second.close()


async def test_a_subscription_that_the_broker_refuses_is_bad_and_the_rest_goes_on(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite plant/press1\n")
    broker = Mosquitto(tmp_path, free_port(), f"allow_anonymous true\nacl_file {rules}")
    await broker.start()
    secret = Signal(id="secret.value", source="press:secret/topic")
    try:
        async with collecting(door(broker), signals=SIGNALS | {20: secret}) as got:
            await publish(broker.port, "plant/press1", payload(1.0, 1))
            await got.until(lambda: (7, (NOON + 1) * SECOND, 1.0, 0) in got.rows)
    finally:
        await broker.stop()


@contextlib.asynccontextmanager
async def pretending(
    port: int, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    """Run a server that only pretends to be a broker, and see all its connections closed."""
    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        mine = ended[-1]
        with contextlib.suppress(ConnectionError):
            await talk(reader, writer)
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        mine.set()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield
        async with asyncio.timeout(WITHIN):
            for event in ended:
                await event.wait()


async def test_something_that_is_no_broker_is_told_apart(free_port: Callable[[], int]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    answers = [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b""]
    port = free_port()
    async with pretending(port, talk):
        for pattern in ("MQTT", "did not answer"):
            options = Mqtt.Options(url=f"mqtt://127.0.0.1:{port}", timeout=0.3)
            with pytest.raises(DoorError, match=pattern):
                await Mqtt("press", options, RealClock()).connect()


async def test_a_broker_that_falls_silent_is_noticed(free_port: Callable[[], int]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x20\x03\x00\x00\x00")
        await reader.readuntil(b"plant/press1\x01")
        writer.write(b"\x90\x04\x00\x01\x00\x01")

    port = free_port()
    async with pretending(port, talk):
        options = Mqtt.Options(url=f"mqtt://127.0.0.1:{port}", timeout=1.0, keep_alive=1)
        driver = Mqtt("press", options, RealClock())
        await driver.connect()
        with pytest.raises(Unreachable, match="silent"):
            async for _ in driver.stream({7: SIGNALS[7]}):
                pass
        await driver.close()


async def test_a_flood_that_nobody_takes_waits_at_the_broker(free_port: Callable[[], int]) -> None:
    message = codec.publish("plant/press1", payload(1.0) + b" " * 1000, five=True)
    count = 20_000
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(100)
        writer.write(b"\x20\x03\x00\x00\x00")
        for sent in range(count):  # noqa: B007
            writer.write(message)
            await writer.drain()

    port = free_port()
    async with pretending(port, talk):
        options = Mqtt.Options(url=f"mqtt://127.0.0.1:{port}", buffer=64 * 1024)
        link = await dial(options, "test", clean=True)
        async with asyncio.timeout(WITHIN):
            while not sent:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert sent < count * 0.9
        taken = 0
        async with asyncio.timeout(WITHIN):
            while taken < count:
                group = await link.receive()
                assert len(group) < 1000
                taken += len(group)
        await link.close()
