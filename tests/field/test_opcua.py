"""The OPC UA doors against servers that others wrote: node-opcua and asyncua."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Server, ua
from asyncua.server.history import HistoryDict

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Bridge, Driver, Events, Node
from deungdae.core.types import SECOND, Batch, Command, Event, Flag, Permit, Severity, Signal
from deungdae.machines.opcua import Opcua, trust
from deungdae.virtual.opcua import Opcua as Virtual
from deungdae.virtual.opcua import standard

PEERS = Path(__file__).resolve().parents[1] / "peers"
CLOCK = RealClock()
QUICK = {"publishing": 0.05, "keepalive": 0.3, "timeout": 3.0}


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """The node-opcua server as a process that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free()
        self.folder = folder
        self.url = f"opc.tcp://127.0.0.1:{self.port}/UA/Peer"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["node", "opcua-server.js", str(self.port), str(self.folder)],
            cwd=PEERS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                pytest.fail(f"the node-opcua server ended with {self.process.returncode}")
            time.sleep(0.05)
        pytest.fail("the node-opcua server did not start within 40 s")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A node-opcua server that trusts the certificate in folder/ours."""
    folder = tmp_path_factory.mktemp("peer")
    trust.own(folder / "ours", CLOCK.now())
    for place in ("pki/trusted/certs", "users/trusted/certs"):
        (folder / place).mkdir(parents=True)
        shutil.copy(folder / "ours/own/certificate.der", folder / place / "ours.der")
    server = Peer(folder)
    server.start()
    yield server
    server.kill()


def driver(url: str, **options: Any) -> Opcua:
    return Opcua("peer", Opcua.Options(url=url, **QUICK | options), CLOCK)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Opcua]:
    door = driver(url, **options)
    await door.connect()
    try:
        yield door
    finally:
        await door.close()


def proposed(nodes: list[Node]) -> dict[int, Signal]:
    """Return a signal for each node, as `deungdae discover` would."""
    return {
        handle: Signal(
            id=f"peer.{node.path.rpartition('/')[2]}",
            unit=node.unit or "1",
            source=f"peer:{node.address}",
            kind=node.kind,
            access=node.access,
            low=node.low,
            high=node.high,
        )
        for handle, node in enumerate(nodes)
    }


Seen = dict[int, tuple[float, int]]


async def collect(
    door: Opcua, signals: dict[int, Signal], enough: Callable[[Seen, list[Event]], bool]
) -> tuple[Seen, list[Event]]:
    """Stream until enough was seen: the last value and status of each handle, and all events."""
    seen: Seen = {}
    events: list[Event] = []
    async with asyncio.timeout(20), aclosing(door.stream(signals)) as stream:
        async for item in stream:
            note(item, seen, events)
            if enough(seen, events):
                break
    return seen, events


def note(item: Batch | Events, seen: Seen, events: list[Event]) -> None:
    if isinstance(item, Batch):
        for handle, value, status in zip(item.signal, item.value, item.status, strict=True):
            seen[int(handle)] = (float(value), int(status))
    else:
        events += item


def permit(signal: str, value: float, expires: int | None = None) -> Permit:
    command = Command(
        id="1",
        signal=signal,
        value=value,
        origin="test",
        because="test",
        issued=0,
        expires=CLOCK.now() + 60 * SECOND if expires is None else expires,
    )
    return Permit(command=command, granted=0, mode="auto")


async def put(url: str, node: str, value: Any, kind: ua.VariantType) -> None:
    """Change a value with another implementation of the client."""
    async with Client(url, timeout=5) as client:
        await client.get_node(node).write_value(ua.DataValue(ua.Variant(value, kind)))


async def test_discover_proposes_what_then_streams(peer: Peer) -> None:
    async with connected(peer.url) as door:
        assert isinstance(door, Driver)
        nodes = [node async for node in door.browse()]
        by_name = {node.path.removeprefix("Plant/"): node for node in nodes}
        assert {"Boolean", "Int64", "Double", "Text", "Mode", "Counter"} <= set(by_name)
        assert not {"Array", "Moment"} & set(by_name)
        temperature = by_name["Temperature"]
        assert (temperature.unit, temperature.low, temperature.high) == ("Cel", 0.0, 1500.0)
        assert temperature.description == "Zone 3"
        assert (by_name["Mode"].kind, by_name["Mode"].value) == ("state", "Running")
        assert (by_name["Fixed"].access, by_name["Double"].access) == ("r", "rw")
        signals = proposed(nodes)
        count = sum(node.kind == "number" for node in nodes)
        seen, events = await collect(
            door, signals, lambda seen, events: len(seen) == count and len(events) >= 3
        )
        values = {signals[h].id.removeprefix("peer."): seen[h] for h in seen}
        assert values["Boolean"] == (1.0, 0)
        assert values["SByte"] == (-7.0, 0)
        assert values["Int32"] == (-70000.0, 0)
        assert values["UInt64"] == (6.0, 0)
        assert values["Float"] == (1.5, 0)
        for wrong in ("NotANumber", "Infinite", "Broken"):
            value, status = values[wrong]
            assert math.isnan(value)
            assert status & 3 == Severity.BAD
            assert f"peer.{wrong}" in door.health.signals
        assert {event.id: event.value for event in events} == {
            "peer.Text": "idle",
            "peer.Title": "등대",
            "peer.Mode": "Running",
        }
        assert door.health.state == "degraded"


async def test_the_server_itself_is_browsed_when_asked_for(peer: Peer) -> None:
    async with connected(peer.url, diagnostics=True) as door:
        paths = [node.path async for node in door.browse()]
    assert any(path.startswith("Server/ServerStatus") for path in paths)


async def test_a_change_arrives_in_order_with_its_source_time(peer: Peer) -> None:
    signals = {3: Signal(id="peer.n", source="peer:ns=1;s=Counter")}
    times: list[int] = []
    values: list[float] = []
    async with (
        connected(peer.url) as door,
        asyncio.timeout(20),
        aclosing(door.stream(signals)) as stream,
    ):
        async for item in stream:
            assert isinstance(item, Batch)
            assert set(item.signal) == {3}
            assert (item.status == 0).all()
            times += item.time.tolist()
            values += item.value.tolist()
            assert abs(item.received - times[-1]) < 5 * SECOND
            if len(values) >= 5:
                break
    assert values == [values[0] + i for i in range(len(values))]
    assert times == sorted(times)


async def test_write_reads_back_in_the_signals_unit(peer: Peer) -> None:
    kelvin = Signal(
        id="peer.t", unit="Cel", source_unit="K", source="peer:ns=1;s=Double", access="rw"
    )
    short = Signal(id="peer.s", scale=0.1, source="peer:ns=1;s=Int16", access="rw")
    switch = Signal(id="peer.b", source="peer:ns=1;s=Boolean", access="rw")
    async with connected(peer.url) as door:
        assert await door.write(permit("peer.t", 20.0), kelvin) == pytest.approx(20.0)
        assert await door.write(permit("peer.s", 12.34), short) == pytest.approx(12.3)
        assert await door.write(permit("peer.b", 0.0), switch) == 0.0
        async with Client(peer.url) as other:
            assert await other.get_node("ns=1;s=Double").read_value() == pytest.approx(293.15)
            assert await other.get_node("ns=1;s=Int16").read_value() == 123
        await door.write(permit("peer.b", 1.0), switch)


async def test_a_write_that_cannot_be_says_why_and_changes_nothing(peer: Peer) -> None:
    short = Signal(id="peer.s", source="peer:ns=1;s=Int16", access="rw")
    async with connected(peer.url) as door:
        await door.write(permit("peer.s", 5), short)
        for value in (40_000.0, float("nan")):
            with pytest.raises(DoorError, match="does not fit"):
                await door.write(permit("peer.s", value), short)
        with pytest.raises(DoorError, match="expired"):
            await door.write(permit("peer.s", 9, expires=CLOCK.now() - 1), short)
        with pytest.raises(DoorError, match="permit is for"):
            await door.write(permit("peer.other", 9), short)
        for node, problem in (
            ("ns=1;s=Fixed", "BadNotWritable|BadUserAccessDenied"),
            ("ns=1;s=Text", "no single number"),
            ("ns=1;s=Nowhere", "no single number"),
            ("nonsense", "no node id"),
        ):
            with pytest.raises(DoorError, match=problem):
                await door.write(
                    permit("peer.x", 1), Signal(id="peer.x", source=f"peer:{node}", access="rw")
                )
        assert await door.write(permit("peer.s", 6), short) == 6.0


async def test_one_bad_address_never_stops_the_others(peer: Peer) -> None:
    signals = {
        0: Signal(id="peer.good", source="peer:ns=1;s=Float"),
        1: Signal(id="peer.unknown", source="peer:ns=1;s=Nowhere"),
        2: Signal(id="peer.nonsense", source="peer:kiln temperature"),
        3: Signal(id="peer.uri", source="peer:nsu=urn:nobody;s=Float"),
        4: Signal(id="peer.by_uri", source="peer:nsu=urn:deungdae:peer;s=Double"),
        5: Signal(id="peer.text", source="peer:ns=1;s=Text"),
        6: Signal(id="peer.state", source="peer:ns=1;s=Nowhere2", kind="state"),
    }
    async with connected(peer.url) as door:
        seen, events = await collect(door, signals, lambda seen, _: len(seen) == 6)
        named = door.health.signals
    assert seen[0] == (1.5, 0)
    assert seen[4][1] == 0
    for handle in (1, 2, 3):
        assert seen[handle][1] == Severity.BAD | Flag.RECEIVED_TIME
    assert seen[5][1] & 3 == Severity.BAD
    assert events[0].id == "peer.state"
    assert events[0].status & 3 == Severity.BAD
    assert "BadNodeIdUnknown" in named["peer.unknown"]
    assert "write it like ns=2" in named["peer.nonsense"]
    assert "no namespace urn:nobody" in named["peer.uri"]
    assert 'kind = "text"' in named["peer.text"]
    assert set(named) == {f"peer.{n}" for n in ("unknown", "nonsense", "uri", "text", "state")}


async def test_encrypted_with_certificates_and_user(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER_PASSWORD", "등대-pass")
    ours = tmp_path / "certificates"
    shutil.copytree(peer.folder / "ours/own", ours / "own")
    secure = {
        "security": "Aes256Sha256RsaPss",
        "certificates": str(ours),
        "user": "kim",
        "password_env": "PEER_PASSWORD",
    }
    with pytest.raises(DoorError, match="not trusted") as refusal:
        await driver(peer.url, **secure).connect()
    (rejected,) = (ours / "rejected").iterdir()
    assert str(rejected) in refusal.value.remedy
    (ours / "trusted").mkdir()
    rejected.rename(ours / "trusted" / rejected.name)
    signals = {0: Signal(id="peer.n", source="peer:ns=1;s=Counter")}
    async with connected(peer.url, **secure) as door:
        seen, _ = await collect(door, signals, lambda seen, _: len(seen) > 0)
        assert seen[0][1] == 0
        signal = Signal(id="peer.d", source="peer:ns=1;s=Double", access="rw")
        assert await door.write(permit("peer.d", 7.5), signal) == 7.5
    assert (ours / "own/key.pem").stat().st_mode & 0o777 == 0o600

    monkeypatch.setenv("PEER_PASSWORD", "wrong")
    with pytest.raises(BadReply, match=r"Bad.*(Denied|Rejected)") as denied:
        await driver(peer.url, **secure).connect()
    assert "user and password" in denied.value.remedy
    assert "wrong" not in str(denied.value)
    monkeypatch.delenv("PEER_PASSWORD")
    with pytest.raises(DoorError, match="no variable PEER_PASSWORD"):
        await driver(peer.url, **secure).connect()


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep"])
@pytest.mark.parametrize("mode", ["sign", "encrypt"])
async def test_every_policy_and_a_user_certificate(peer: Peer, policy: str, mode: str) -> None:
    ours = peer.folder / "ours"
    keys = {
        "user_certificate": str(ours / "own/certificate.der"),
        "user_key": str(ours / "own/key.pem"),
    }
    secure = {"security": policy, "mode": mode, "certificates": str(ours), "trust": "first"}
    async with connected(peer.url, **secure, **keys) as door:
        signals = {0: Signal(id="peer.f", source="peer:ns=1;s=Float")}
        seen, _ = await collect(door, signals, lambda seen, _: len(seen) > 0)
        assert seen[0] == (1.5, 0)


async def test_a_client_that_the_server_does_not_trust_is_told_so(
    peer: Peer, tmp_path: Path
) -> None:
    door = driver(
        peer.url,
        security="Aes256Sha256RsaPss",
        certificates=str(tmp_path),
        trust="first",
    )
    with pytest.raises(DoorError) as refused:
        await door.connect()
    assert "certificate" in refused.value.remedy
    assert door.health.state == "offline"
    assert door.health.remedy == refused.value.remedy


async def test_a_policy_that_is_not_offered_is_named(tmp_path: Path) -> None:
    async with asyncua_server() as (_, url):
        door = driver(url, security="Basic256Sha256", certificates=str(tmp_path))
        with pytest.raises(DoorError, match=r"does not offer.*None"):
            await door.connect()


async def test_a_password_is_never_sent_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER_PASSWORD", "secret")
    async with asyncua_server() as (_, url):
        door = driver(url, user="kim", password_env="PEER_PASSWORD", certificates=str(tmp_path))
        with pytest.raises(DoorError, match="in the clear"):
            await door.connect()


async def test_a_server_killed_and_started_again(tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    peer.start()
    signals = {0: Signal(id="peer.n", source="peer:ns=1;s=Counter")}
    door = driver(peer.url)
    try:
        await door.connect()
        stream = door.stream(signals)
        async with asyncio.timeout(20):
            await anext(stream)
            peer.kill()
            with pytest.raises(Unreachable):
                await until_lost(stream)
        assert door.health.state == "offline"
        with pytest.raises(Unreachable) as gone:
            await door.connect()
        assert gone.value.remedy
        peer.start()
        await door.connect()
        seen, _ = await collect(door, signals, lambda seen, _: len(seen) > 0)
        assert seen[0][1] == 0
        assert door.health.state == "online"
    finally:
        await door.close()
        peer.kill()


async def test_a_lost_link_is_taken_up_and_nothing_is_missing(peer: Peer) -> None:
    """The link is cut while the counter runs; the server's subscription holds what came."""
    signals = {0: Signal(id="peer.n", source="peer:ns=1;s=Counter")}
    async with proxied(peer.port) as (port, cut):
        door = driver(f"opc.tcp://127.0.0.1:{port}/UA/Peer", queue=100)
        values: list[float] = []
        await door.connect()
        async with asyncio.timeout(30):
            with pytest.raises(Unreachable):
                await until_lost(door.stream(signals), values, lambda: len(values) >= 5 and cut())
            await asyncio.sleep(1.0)  # ten values go by
            await door.connect()
            async with aclosing(door.stream(signals)) as stream:
                async for item in stream:
                    assert isinstance(item, Batch)
                    values += item.value.tolist()
                    if len(set(values)) >= 25:
                        break
        await door.close()
    distinct = sorted(set(values))
    assert distinct == [distinct[0] + i for i in range(len(distinct))]


async def until_lost(
    stream: AsyncIterator[Batch | Events],
    values: list[float] | None = None,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Read until the stream ends by itself, doing `then` after each item."""
    async for item in stream:
        assert isinstance(item, Batch)
        if values is not None:
            values += item.value.tolist()
        then()


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """A TCP proxy that can cut all its links at once."""
    links: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", target)
        links.extend((writer, outer))
        for task in (pump(reader, outer), pump(inner, writer)):
            tasks.add(asyncio.create_task(task))

    def cut() -> None:
        for link in links:
            link.transport.abort()
        links.clear()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], cut
    finally:
        server.close()
        cut()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def asyncua_server(port: int = 0) -> AsyncIterator[tuple[Server, str]]:
    server = await standard.server()
    server.disable_clock()
    url = f"opc.tcp://127.0.0.1:{port or free()}/"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:test")
    async with server:
        yield server, url


async def test_history_fills_what_a_restart_of_the_link_missed() -> None:
    async with asyncua_server() as (server, url):
        node = await server.nodes.objects.add_variable(ua.NodeId("H", 2), "H", 0.0)
        server.iserver.history_manager.set_storage(HistoryDict())
        await server.historize_node_data_change(node, period=None, count=10_000)
        signals = {0: Signal(id="peer.h", source="peer:ns=2;s=H")}
        values: list[float] = []
        async with proxied(int(url.rstrip("/").rpartition(":")[2])) as (port, cut):
            # the server forgets the subscription at once, so only its history can help
            door = driver(f"opc.tcp://127.0.0.1:{port}/", lifetime=1.0)
            await door.connect()
            with pytest.raises(Unreachable):
                await until_lost(door.stream(signals), values, cut)
            door._before = door._before and door._before._replace(mark=None)
            for i in range(1, 2500):
                await node.write_value(float(i))
            await door.connect()
            async with asyncio.timeout(20), aclosing(door.stream(signals)) as stream:
                async for item in stream:
                    assert isinstance(item, Batch)
                    values += item.value.tolist()
                    if len(set(values)) >= 2500:
                        break
            await door.close()
        assert set(values) == {float(i) for i in range(2500)}


async def test_ten_thousand_nodes_are_found_in_steps() -> None:
    async with asyncua_server() as (server, url):
        folder = await server.nodes.objects.add_folder(ua.NodeId("Many", 2), "Many")
        for i in range(1200):
            await folder.add_variable(ua.NodeId(f"N{i}", 2), f"N{i}", float(i))
        async with connected(url, chunk=500) as door:
            nodes = [node async for node in door.browse()]
    assert [node.path for node in nodes] == [f"Many/N{i}" for i in range(1200)]


async def test_a_second_stream_on_the_same_link_misses_nothing() -> None:
    """Publish requests of the first stream used to swallow the second one's first values."""
    async with asyncua_server() as (server, url):
        for i in range(60):
            node = ua.NodeId(f"N{i}", 2)
            await server.nodes.objects.add_variable(node, f"N{i}", float(i))
        signals = {i: Signal(id=f"peer.n{i}", source=f"peer:ns=2;s=N{i}") for i in range(60)}
        async with connected(url) as door:
            for _ in range(4):
                seen, events = await collect(door, signals, lambda seen, _: len(seen) == 60)
                assert all(seen[i] == (float(i), 0) for i in range(60))
                assert events == []


async def test_a_slow_consumer_holds_the_server_back_and_the_next_stream_works(peer: Peer) -> None:
    signals = {0: Signal(id="peer.n", source="peer:ns=1;s=Counter")}
    async with connected(peer.url, queue=1000, publishing=0.02) as door:
        stream = door.stream(signals)
        first = await anext(stream)
        await asyncio.sleep(1.0)
        values = [float(first.value[0])] if isinstance(first, Batch) else []
        while len(values) < 8:
            item = await anext(stream)
            assert isinstance(item, Batch)
            values += item.value.tolist()
        assert values == [values[0] + i for i in range(len(values))]
        await stream.aclose()
        seen, _ = await collect(door, signals, lambda seen, _: len(seen) == 1)
        assert seen[0][0] >= values[-1]


async def test_a_full_queue_at_the_server_is_a_counted_gap() -> None:
    async with asyncua_server() as (server, url):
        node = await server.nodes.objects.add_variable(ua.NodeId("V", 2), "V", 0.0)
        signals = {0: Signal(id="peer.v", source="peer:ns=2;s=V")}
        async with connected(url) as door, aclosing(door.stream(signals)) as stream:
            await anext(stream)
            overflow = ua.DataValue(ua.Variant(9.0), ua.StatusCode(0x00000480))
            await server.write_attribute_value(node.nodeid, overflow)
            async with asyncio.timeout(10):
                gaps = await anext(stream)
                value = await anext(stream)
            assert isinstance(gaps, tuple)
            assert isinstance(value, Batch)
            assert [(gap.kind, gap.id) for gap in gaps] == [("gap", "peer.v")]
            assert value.status.tolist() == [Flag.RECEIVED_TIME]
            assert "1 times" in door.health.problem


async def test_the_virtual_machine_has_units_ranges_and_takes_writes(
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    virtual = Virtual("kiln1", Virtual.Options(port=port, model="kiln", step=0.02), CLOCK)
    assert isinstance(virtual, Bridge)
    serving = asyncio.create_task(virtual.serve())
    async with asyncio.timeout(20):
        while virtual.health.state != "online":
            await asyncio.sleep(0.02)
    async with connected(f"opc.tcp://127.0.0.1:{port}/") as door:
        nodes = {node.path: node async for node in door.browse()}
        valve = nodes["kiln1/valve"]
        assert (valve.unit, valve.low, valve.high, valve.access) == ("%", 0.0, 100.0, "rw")
        assert nodes["kiln1/temperature"].unit == "Cel"
        signal = Signal(id="k.v", unit="%", source=f"peer:{valve.address}", access="rw")
        assert await door.write(permit("k.v", 30.0), signal) == 30.0
        assert virtual.plant.get("valve") == 30.0
        assert await door.write(permit("k.v", 130.0), signal) == 100.0
        zone = "peer:ns=2;s=kiln1.temperature"
        hot = {0: Signal(id="k.t", unit="K", source_unit="Cel", source=zone)}
        seen, _ = await collect(door, hot, lambda seen, _: len(seen) > 0)
        assert 1300 < seen[0][0] < 1600
        fixed = Signal(id="k.t", source=f"peer:{nodes['kiln1/temperature'].address}")
        with pytest.raises(BadReply, match=r"BadUserAccessDenied|BadNotWritable"):
            await door.write(permit("k.t", 1.0), fixed)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert virtual.health.state == "stopped"


async def test_nobody_there_is_told_within_the_time_out(free_port: Callable[[], int]) -> None:
    with pytest.raises(Unreachable, match="cannot be reached") as gone:
        await driver(f"opc.tcp://127.0.0.1:{free_port()}/").connect()
    assert "check host, port" in gone.value.remedy


async def test_something_else_behind_the_port_is_told() -> None:
    closed = asyncio.Event()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((Unreachable, BadReply)) as told:
            await driver(f"opc.tcp://127.0.0.1:{port}/").connect()
        assert told.value.remedy
        async with asyncio.timeout(5):
            await closed.wait()


async def test_a_silent_server_is_unreachable_and_the_link_is_closed() -> None:
    closed = asyncio.Event()

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match=r"did not answer within 0\.3 s"):
            await driver(f"opc.tcp://127.0.0.1:{port}/", timeout=0.3).connect()
        async with asyncio.timeout(5):
            await closed.wait()


def test_peers_are_installed() -> None:
    assert os.path.isdir(PEERS / "node_modules/node-opcua"), "run `make test`, or npm ci there"
