"""The MTConnect door on sockets: a small agent, the NIST documents, a NIST log as an adapter."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from tests.contract.rigs.mtconnect import Agent

from deungdae.core.clock import RealClock, from_iso
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import Batch, Event, Signal
from deungdae.machines.mtconnect import Mtconnect

WITHIN = 10.0
NIST = "nist-smstestbed"
SIGNALS = {
    1: Signal(id="m.x", unit="m", source_unit="mm", source="a:Xpos"),
    2: Signal(id="m.load", unit="%", source="a:l1"),
    3: Signal(id="m.execution", kind="state", source="a:execution"),
    4: Signal(id="m.system", kind="alarm", source="a:Dev1/system"),
    5: Signal(id="m.z", unit="mm", source="a:path#z"),
    6: Signal(id="m.wave", unit="A", source="a:wave"),
    7: Signal(id="m.parts", source="a:parts"),
    8: Signal(id="m.tool", source="a:vars#tool"),
}


def door(url: str, **options: object) -> Mtconnect:
    quick = {"interval": 0.02, "heartbeat": 0.3, "timeout": 1.0, "settle": 0.3}
    return Mtconnect("a", Mtconnect.Options(url=url, **(quick | options)), RealClock())


class Heard:
    """Takes a stream, and waits until it has told something."""

    def __init__(self, driver: Mtconnect, signals: dict[int, Signal]) -> None:
        self.samples: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []
        self._stream = driver.stream(signals)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not done():
                self._take(await anext(self._stream))

    async def close(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]

    def of(self, handle: int) -> list[float]:
        return [value for signal, _, value, _ in self.samples if signal == handle]

    def told(self, id: str) -> list[str]:
        return [event.value for event in self.events if event.id == id and event.kind != "gap"]

    def gaps(self) -> list[Event]:
        return [event for event in self.events if event.kind == "gap"]

    def _take(self, item: Batch | tuple[Event, ...]) -> None:
        if isinstance(item, Batch):
            columns = (item.signal, item.time, item.value, item.status)
            self.samples += zip(*(column.tolist() for column in columns), strict=True)
        else:
            self.events += item


@contextlib.asynccontextmanager
async def listening(driver: Mtconnect, signals: dict[int, Signal]) -> AsyncIterator[Heard]:
    await driver.connect()
    heard = Heard(driver, signals)
    try:
        yield heard
    finally:
        await heard.close()
        await driver.close()


@pytest.fixture
async def agent(free_port: Callable[[], int]) -> AsyncIterator[Agent]:
    double = Agent(free_port())
    await double.start()
    yield double
    await double.stop()


def url(agent: Agent) -> str:
    return f"http://127.0.0.1:{agent.port}/Dev1"


@pytest.mark.parametrize("version", ["1.3", "1.7", "2.4"])
@pytest.mark.parametrize("streams", [True, False])
async def test_current_values_then_changes(agent: Agent, version: str, streams: bool) -> None:
    agent.version, agent.streams = version, streams
    agent.set("x1", "250")
    agent.set("e1", "READY")
    agent.set("p1", "1 2 3.5")
    async with listening(door(url(agent)), SIGNALS) as heard:
        await heard.until(lambda: heard.told("m.execution") == ["READY"])
        assert heard.of(1) == [0.25]  # mm at the machine, m in the house
        assert heard.of(5) == [3.5]
        (unavailable,) = [row for row in heard.samples if row[0] == 2]
        assert np.isnan(unavailable[2])
        assert unavailable[3] == 2  # bad
        agent.set("x1", "251.5", time="2026-03-01T09:00:00.123456+09:00")
        agent.set("c1", "17")
        agent.set("v1", "tool=12 life=0.5")
        agent.set("k1", "FAULT", "nativeCode='3AC' qualifier='HIGH'")
        await heard.until(lambda: heard.told("m.system")[-1:] == ["FAULT"] and 12.0 in heard.of(8))
        assert heard.of(7)[-1] == 17
        time = next(row[1] for row in heard.samples if row[2] == 0.2515)
        assert time == from_iso("2026-03-01T00:00:00.123456Z")
        fault = heard.events[-1]
        assert fault.kind == "alarm"
        assert fault.data == {"level": "FAULT", "nativeCode": "3AC", "qualifier": "HIGH"}
    assert heard.gaps() == []


async def test_a_time_series_ends_at_its_time_stamp(agent: Agent) -> None:
    agent.set("s1", "1 2 3", "sampleCount='3' sampleRate='100'", time="2026-03-01T00:00:01Z")
    async with listening(door(url(agent)), {6: SIGNALS[6]}) as heard:
        await heard.until(lambda: len(heard.samples) == 3)
    last = from_iso("2026-03-01T00:00:01Z")
    rows = sorted((time - last, value) for _, time, value, _ in heard.samples)
    assert rows == [(-20_000_000, 1.0), (-10_000_000, 2.0), (0, 3.0)]


async def test_what_is_not_there_is_bad_and_named_while_others_go_on(agent: Agent) -> None:
    agent.set("x1", "1")
    signals = SIGNALS | {9: Signal(id="m.no", source="a:Zpos")}
    driver = door(url(agent))
    async with listening(driver, signals) as heard:
        await heard.until(lambda: heard.of(1) == [0.001] and len(heard.of(9)) == 1)
        assert driver.health.state == "degraded"
        assert "Zpos" in driver.health.signals["m.no"]
    assert driver.health.state == "stopped"


async def test_after_a_lost_link_nothing_is_missing_that_the_agent_still_has(
    agent: Agent,
) -> None:
    driver = door(url(agent))
    async with listening(driver, SIGNALS) as heard:
        agent.set("x1", "1000")
        await heard.until(lambda: 1.0 in heard.of(1))
        await agent.stop()
        with pytest.raises(Unreachable):
            await heard.until(lambda: False)
        assert driver.health.state == "offline"
    for number in range(2, 8):
        agent.set("x1", f"{number}000")
    await agent.start()
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: set(heard.of(1)) == {2.0, 3.0, 4.0, 5.0, 6.0, 7.0})
        assert heard.gaps() == []


async def test_what_the_reader_did_not_take_is_read_again(agent: Agent) -> None:
    driver = door(url(agent))
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        agent.set("e1", "READY")
        await heard.until(lambda: "READY" in heard.told("m.execution"))
        agent.set("x1", "5")
        agent.set("e1", "ACTIVE")
        await heard.until(lambda: 0.005 in heard.of(1))  # closed before the events are taken
    agent.set("e1", "STOPPED")
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: {"ACTIVE", "STOPPED"} <= set(heard.told("m.execution")))


@pytest.mark.parametrize("streams", [True, False])
async def test_what_fell_out_of_the_buffer_is_a_gap(agent: Agent, streams: bool) -> None:
    agent.streams = streams
    driver = door(url(agent))
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        agent.set("x1", "5")
        await heard.until(lambda: 0.005 in heard.of(1))
    for number in range(300):
        agent.set("x1", f"{number}")
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        gap = next(gap for gap in heard.gaps() if gap.id == "m.x")
        assert gap.time < int(gap.data["until"])
        assert "buffer" in gap.value
        agent.set("x1", "7")
        await heard.until(lambda: 0.007 in heard.of(1))


async def test_a_client_too_slow_for_the_buffer_synchronises_anew(agent: Agent) -> None:
    async with listening(door(url(agent), count=10), SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        for number in range(500):  # all at once: more than the buffer holds
            agent.set("x1", f"{number}")
        await heard.until(lambda: 0.499 in heard.of(1))
        assert {gap.id for gap in heard.gaps()} == {signal.id for signal in SIGNALS.values()}


@pytest.mark.parametrize("streams", [True, False])
async def test_a_restarted_agent_is_asked_anew_without_a_lost_link(
    agent: Agent, streams: bool
) -> None:
    agent.streams = streams
    async with listening(door(url(agent)), SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        agent.restart()
        agent.set("x1", "42")
        await heard.until(lambda: 0.042 in heard.of(1))
        assert "restarted" in heard.gaps()[0].value


async def test_the_agents_own_words_are_in_the_error(agent: Agent) -> None:
    for version in ("1.2", "2.0"):
        agent.version = version
        agent.answers["probe"] = agent._error("NO_DEVICE", "Could not find the device 'Dev9'")
        with pytest.raises(BadReply, match="NO_DEVICE: Could not find the device 'Dev9'"):
            await door(url(agent)).connect()
    agent.answers["probe"] = b"<html><body><h1>Welcome</h1></body></html>"
    with pytest.raises(BadReply, match="html: 'Welcome'"):
        await door(url(agent)).connect()
    agent.answers["probe"] = b"not XML"
    with pytest.raises(BadReply, match="no XML"):
        await door(url(agent)).connect()


async def test_nobody_nothing_and_too_much_end_in_time(
    agent: Agent, free_port: Callable[[], int]
) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await door(f"http://127.0.0.1:{free_port()}").connect()
    agent.answers["probe"] = b"<x>" + b"a" * (3 << 20) + b"</x>"
    with pytest.raises(BadReply, match="longer than 1 MiB"):
        await door(url(agent), limit=1).connect()
    agent.mute = True
    driver = door(url(agent), timeout=0.1)
    with pytest.raises(Unreachable, match="in time") as caught:
        await driver.connect()
    assert caught.value.remedy
    assert driver.health.problem
    await driver.close()


async def test_a_stream_without_heartbeat_is_a_lost_link(agent: Agent) -> None:
    driver = door(url(agent), heartbeat=0.1, timeout=0.1)
    async with listening(driver, SIGNALS) as heard:
        await heard.until(lambda: len(heard.of(1)) >= 1)
        agent._sample = lambda start, count: (b"", start, True)  # type: ignore[method-assign]
        agent._changed.wait = asyncio.Event().wait  # type: ignore[method-assign]
        agent.answers["sample"] = b""
        with pytest.raises(DoorError):
            await heard.until(lambda: False)


async def test_browsing_proposes_what_can_be_collected(agent: Agent) -> None:
    agent.set("x1", "12")
    driver = door(url(agent))
    await driver.connect()
    nodes = {node.address: node async for node in driver.browse()}
    assert nodes["Xpos"].unit == "mm"
    assert nodes["Xpos"].value == "12"
    assert nodes["path#z"].kind == "number"
    assert nodes["execution"].kind == "state"
    assert nodes["system"].kind == "alarm"
    assert nodes["parts"].kind == "number"
    signals = {
        handle: Signal(
            id=f"m.i{handle}", source=f"a:{node.address}", kind=node.kind, unit=node.unit or "1"
        )
        for handle, node in enumerate(nodes.values())
    }
    heard = Heard(driver, signals)
    heard_of = lambda: {row[0] for row in heard.samples} | {event.id for event in heard.events}  # noqa: E731
    await heard.until(lambda: len(heard_of()) == len(signals))
    assert driver.health.state == "online"
    await heard.close()
    await driver.close()


@pytest.mark.parametrize("document", ["qdr_input001", "qdr_input009"])
async def test_the_nist_documents_are_read_whole(
    agent: Agent, shared_data: Path, document: str
) -> None:
    folder = shared_data / NIST
    agent.answers["probe"] = (folder / "mtconnect/agent/Devices.xml").read_bytes()
    content = gzip.decompress((folder / f"raw/qdr_input/{document}.xml.gz").read_bytes())
    agent.answers["current"] = content
    signals = {
        1: Signal(id="g.x", unit="mm", source="a:Xposition"),
        2: Signal(id="g.execution", kind="state", source="a:GFAgie01/execution"),
        3: Signal(id="g.system", kind="alarm", source="a:GFAgie01/system"),
    }
    async with listening(door(url(agent)), signals) as heard:
        await heard.until(lambda: bool(heard.told("g.execution")))
        await heard.until(lambda: bool(heard.told("g.system")))
    assert len(heard.of(1)) == content.count(b'name="Xposition"')
    assert len(heard.told("g.execution")) == content.count(b'name="execution"')
    if document == "qdr_input009":
        texts = [event.data.get("text") for event in heard.events if event.value == "FAULT"]
        assert "Search address missing" in texts


class AdapterDouble:
    """Sends lines to whoever connects, and answers pings if it may."""

    def __init__(self, lines: list[bytes], *, pongs: bool = True) -> None:
        self.lines = lines
        self.pongs = pongs
        self.writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(b"".join(self.lines))
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while line := await reader.readline():
                if line.startswith(b"* PING") and self.pongs:
                    writer.write(b"* PONG 200\n")
            writer.close()


@contextlib.asynccontextmanager
async def adapter(double: AdapterDouble, port: int) -> AsyncIterator[str]:
    server = await asyncio.start_server(double, "127.0.0.1", port)
    try:
        yield f"shdr://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in double.writers:
            writer.transport.abort()
        await server.wait_closed()


RAW = {
    1: Signal(id="m.x", unit="mm", source="a:Xabs"),
    2: Signal(id="m.execution", kind="state", source="a:execution"),
    3: Signal(id="m.load", unit="%", source="a:Xload"),
}


async def test_an_adapter_is_heard_without_an_agent(
    shared_data: Path, free_port: Callable[[], int]
) -> None:
    log = shared_data / NIST / "raw/Mazak01/Mazak01-20161027-20161028.txt.gz"
    double = AdapterDouble([gzip.decompress(log.read_bytes())], pongs=False)
    async with adapter(double, free_port()) as place, listening(door(place), RAW) as heard:
        await heard.until(lambda: len(heard.told("m.execution")) == 3)
        assert heard.told("m.execution") == ["UNAVAILABLE", "STOPPED", "UNAVAILABLE"]
        double.writers[0].write(b"|Xabs|12.5\n2026-03-01T00:00:00Z|execution|ACTI")
        await heard.until(lambda: 12.5 in heard.of(1))
        flags = next(row[3] for row in heard.samples if row[2] == 12.5)
        assert flags == 4  # good, but the time is ours
        double.writers[0].write(b"VE\n")
        await heard.until(lambda: heard.told("m.execution")[-1] == "ACTIVE")


async def test_an_adapter_that_never_mentions_a_signal_is_said_so(
    free_port: Callable[[], int],
) -> None:
    double = AdapterDouble(
        [b"2026-03-01T00:00:00Z|Xabs|1|Xload|2|broken\n2026-03-01T00:00:00Z|Xabs|2\n"]
    )
    async with adapter(double, free_port()) as place:
        driver = door(place)
        async with listening(driver, RAW) as heard:
            await heard.until(lambda: heard.of(1) == [2.0] and len(heard.of(3)) == 1)
            assert set(driver.health.signals) == {"m.execution", "m.load"}
            double.writers[0].write(b"2026-03-01T00:00:01Z|Xload|50\n")
            await heard.until(lambda: 50.0 in heard.of(3))
            assert set(driver.health.signals) == {"m.execution"}


async def test_an_adapter_that_promised_answers_and_falls_silent_is_lost(
    free_port: Callable[[], int],
) -> None:
    promise = b"* PONG 200\n"
    double = AdapterDouble([promise, b"2026-03-01T00:00:00Z|Xabs|1\n"], pongs=False)
    async with adapter(double, free_port()) as place:
        driver = door(place, timeout=0.2)
        async with listening(driver, RAW) as heard:
            await heard.until(lambda: heard.of(1) == [1.0])
            with pytest.raises(Unreachable, match="silent"):
                await heard.until(lambda: False)


async def test_what_an_adapter_offers_is_told_by_listening(free_port: Callable[[], int]) -> None:
    double = AdapterDouble(
        [
            b"2026-03-01T00:00:00Z|Xabs|1.5|execution|READY\n",
            b"2026-03-01T00:00:00Z|system|normal||||\n",
        ]
    )
    async with adapter(double, free_port()) as place:
        driver = door(place)
        await driver.connect()
        async with aclosing(driver.browse()) as nodes:  # type: ignore[type-var]
            kinds = {node.address: node.kind async for node in nodes}
        assert kinds == {"Xabs": "number", "execution": "state", "system": "alarm"}
        heard = Heard(driver, RAW)
        await heard.until(lambda: heard.of(1) == [1.5])  # the link begins anew
        await heard.close()
        await driver.close()


async def test_an_endless_line_is_refused(free_port: Callable[[], int]) -> None:
    double = AdapterDouble([b"x" * (3 << 20)])
    async with adapter(double, free_port()) as place, listening(door(place), RAW) as heard:
        with pytest.raises(BadReply, match="longer than 1 MiB"):
            await heard.until(lambda: False)
