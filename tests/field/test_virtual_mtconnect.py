"""The simulated MTConnect agent over HTTP: by plain requests, and by our own door, with faults."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from deungdae.core import registry
from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import SECOND, Batch, Event, Signal
from deungdae.machines.mtconnect import Mtconnect as Door
from deungdae.sim.plant import Quantity
from deungdae.sim.plant.parts import Alarm
from deungdae.virtual._faults import Fault
from deungdae.virtual.mtconnect import Mtconnect, agent

WITHIN = 10.0
SIGNALS = {
    1: Signal(id="mill.execution", kind="state", source="a:execution"),
    2: Signal(id="mill.x", unit="m", source_unit="mm", source="a:x_position"),
    3: Signal(id="mill.parts", source="a:part_count"),
    4: Signal(id="mill.hot", kind="alarm", source="a:hot"),
    5: Signal(id="mill.program", kind="text", source="a:program"),
    6: Signal(id="mill.energy", unit="kW.h", source_unit="W.s", source="a:energy"),
}


class Mill:
    """A plant that does what it is told."""

    quantities = (
        Quantity(name="execution", kind="state", states=("READY", "ACTIVE", "STOPPED")),
        Quantity(name="x_position", unit="m"),
        Quantity(name="part_count"),
        Quantity(name="program", kind="text"),
        Quantity(name="energy", unit="kW.h"),
    )

    def __init__(self) -> None:
        self.now: dict[str, float | str] = {
            "execution": "READY", "x_position": 0.25, "part_count": 3.0, "program": "O1 <a>",
            "energy": 2.5,
        }  # fmt: skip
        self.hot = False

    def step(self, dt: float) -> None:
        self.passed = dt

    def get(self, name: str) -> float | str:
        return self.now[name]

    def set(self, name: str, value: float) -> None:
        raise ValueError(f"{name} can only be read")

    def alarms(self) -> Sequence[Alarm]:
        return [Alarm(name="hot", active=self.hot, severity=800, message="too hot")]


@pytest.fixture
async def mill(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Mtconnect]:
    monkeypatch.setattr(agent, "machine", lambda options: Mill())
    bridge = Mtconnect("mill", Mtconnect.Options(port=free_port(), step=0.01, buffer=64), CLOCK)
    async with serving(bridge):
        yield bridge


CLOCK = RealClock()


@asynccontextmanager
async def serving(bridge: Mtconnect) -> AsyncIterator[None]:
    task = asyncio.create_task(bridge.serve())
    await until(lambda: bridge.health.state == "online" or task.done())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert bridge.health.state == "stopped"


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():
            await asyncio.sleep(0.01)


def url(bridge: Mtconnect) -> str:
    return f"http://127.0.0.1:{bridge.options.port}"


async def ask(bridge: Mtconnect, target: str) -> tuple[int, etree._Element]:
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        reply = await client.get(url(bridge) + target)
    return reply.status_code, etree.fromstring(reply.content)


def plant(bridge: Mtconnect) -> Mill:
    assert isinstance(bridge.plant, Mill)
    return bridge.plant


def door(bridge: Mtconnect, **options: object) -> Door:
    quick: dict[str, Any] = {"interval": 0.02, "heartbeat": 0.2, "timeout": 1.0, "settle": 0.3}
    address = f"{url(bridge)}/mill"
    return Door("a", Door.Options(url=address, **(quick | options)), CLOCK)


class Heard:
    """What our own door has told so far."""

    def __init__(self, driver: Door) -> None:
        self.stream = driver.stream(SIGNALS)
        self.samples: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN):
            while not true():
                item = await anext(self.stream)
                if isinstance(item, Batch):
                    columns = (item.signal, item.time, item.value, item.status)
                    self.samples += zip(*(x.tolist() for x in columns), strict=True)
                else:
                    self.events += item

    def of(self, handle: int) -> list[float]:
        return [value for signal, _, value, _ in self.samples if signal == handle]

    def told(self, id: str) -> list[str]:
        return [event.value for event in self.events if event.id == id]


@asynccontextmanager
async def listening(driver: Door) -> AsyncIterator[Heard]:
    await driver.connect()
    heard = Heard(driver)
    try:
        async with aclosing(heard.stream):  # type: ignore[type-var]
            yield heard
    finally:
        await driver.close()


def test_it_is_a_plug_in() -> None:
    assert registry.load("virtual", "mtconnect") is Mtconnect


@pytest.mark.parametrize("streaming", [True, False])
async def test_our_door_reads_it(mill: Mtconnect, streaming: bool) -> None:
    async with listening(door(mill, streaming=streaming)) as heard:
        await heard.until(lambda: heard.told("mill.execution") and heard.of(6))
        assert heard.told("mill.execution") == ["READY"]
        assert heard.told("mill.program") == ["O1 <a>"]
        assert heard.told("mill.hot") == ["NORMAL"]
        assert heard.of(2) == [0.25]
        assert heard.of(3) == [3.0]
        assert heard.of(6) == [2.5]
        plant(mill).now |= {"execution": "ACTIVE", "x_position": 0.3, "part_count": 4.0}
        plant(mill).hot = True
        await heard.until(lambda: heard.told("mill.hot")[-1] == "FAULT" and 0.3 in heard.of(2))
        assert heard.told("mill.execution") == ["READY", "ACTIVE"]
        fault = next(event for event in heard.events if event.value == "FAULT")
        assert fault.data["text"] == "too hot"
        assert fault.data["nativeSeverity"] == "800"
        time = next(row[1] for row in heard.samples if row[2] == 0.3)
        assert abs(time - CLOCK.now()) < 10 * SECOND
        assert all(status == 0 for *_, status in heard.samples)


async def test_it_is_discovered_by_our_door(mill: Mtconnect) -> None:
    driver = door(mill)
    await driver.connect()
    nodes = {node.address: node async for node in driver.browse()}
    await driver.close()
    assert nodes["x_position"].unit == "mm"
    assert nodes["x_position"].path == "mill/axes/X/x_position"
    assert nodes["execution"].kind == "state"
    assert nodes["hot"].kind == "alarm"


async def test_only_a_part_is_read_by_an_xpath(mill: Mtconnect) -> None:
    status, root = await ask(mill, "/current?path=//Axes//DataItem[@type='POSITION']")
    assert status == 200
    assert [node.get("dataItemId") for node in root.findall(".//*[@sequence]")] == ["x_position"]
    for wrong in ("//Axes[", "//Rotary", "count(//DataItem)"):
        status, root = await ask(mill, f"/sample?path={wrong}")
        assert status == 400
        assert root.find(".//{*}Error").get("errorCode") == "INVALID_PATH"


async def test_documents_are_what_the_schemas_demand(mill: Mtconnect, shared_data: Path) -> None:
    plant(mill).hot = True
    await asyncio.sleep(0.05)
    folder = shared_data.parent / "standards/mtconnect"
    for target, kind in (
        ("/", "Devices"), ("/probe", "Devices"), ("/mill/probe", "Devices"),
        ("/current", "Streams"), ("/mill/sample?from=1&count=5", "Streams"),
        ("/nobody/current", "Error"), ("/nothing", "Error"),
    ):  # fmt: skip
        _, root = await ask(mill, target)
        schema = etree.XMLSchema(etree.parse(folder / f"MTConnect{kind}_2.4_1.0.xsd"))
        schema.assertValid(root)


async def test_the_buffer_is_read_by_number(mill: Mtconnect) -> None:
    _, root = await ask(mill, "/current")
    before = int(root.find("{*}Header").get("lastSequence"))
    plant(mill).now["program"] = "O2"
    await asyncio.sleep(0.1)
    _, root = await ask(mill, f"/sample?from={before + 1}&count=10")
    assert [node.text for node in root.findall(".//*[@sequence]")] == ["O2"]
    assert root.find("{*}Header").get("nextSequence") == str(before + 2)
    _, root = await ask(mill, f"/current?at={before}")
    assert root.find(".//{*}Program").text == "O1 <a>"
    _, root = await ask(mill, "/current")
    assert root.find(".//{*}Program").text == "O2"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/sample?from=9999", 404, "OUT_OF_RANGE"),
        ("/sample?from=0", 404, "OUT_OF_RANGE"),
        ("/sample?count=0", 404, "OUT_OF_RANGE"),
        ("/sample?count=65", 404, "OUT_OF_RANGE"),
        ("/current?at=9999", 404, "OUT_OF_RANGE"),
        ("/sample?from=abc", 400, "INVALID_REQUEST"),
        ("/sample?interval=1.5", 400, "INVALID_REQUEST"),
        ("/current?at=1&interval=5", 400, "INVALID_REQUEST"),
        ("/mill/assets", 404, "INVALID_URI"),
        ("/other/current", 404, "NO_DEVICE"),
    ],
)
async def test_what_cannot_be_answered(
    mill: Mtconnect, target: str, status: int, code: str
) -> None:
    got, root = await ask(mill, target)
    assert (got, root.find(".//{*}Error").get("errorCode")) == (status, code)


async def test_it_can_only_be_read(mill: Mtconnect) -> None:
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        reply = await client.put(f"{url(mill)}/mill", content=b"x=1")
        assert reply.status_code == 405
        assert b"UNSUPPORTED" in reply.content
        again = await client.get(f"{url(mill)}/probe")  # the body was not taken for a request
        assert again.status_code == 200
        head = await client.head(f"{url(mill)}/probe")
        assert head.status_code == 200
        assert int(head.headers["content-length"]) > 500
        assert head.content == b""


async def test_a_reader_that_is_too_slow_is_told(mill: Mtconnect) -> None:
    mill.faults.put(Fault(kind="slow", amount=0.3))
    parts = b""
    async with (
        httpx.AsyncClient(timeout=WITHIN) as client,
        client.stream("GET", f"{url(mill)}/sample?from=1&interval=0&count=1") as reply,
    ):
        async for data in reply.aiter_bytes():
            parts += data
            for number in range(200):  # more than the buffer holds
                plant(mill).now["program"] = f"O{number}"
                await asyncio.sleep(0.01) if number % 2 else None
                mill._observe()
    assert b"OUT_OF_RANGE" in parts


async def test_a_stream_with_no_news_gives_a_sign_of_life(mill: Mtconnect) -> None:
    _, root = await ask(mill, "/current")
    following = int(root.find("{*}Header").get("nextSequence"))
    seen = b""
    async with (
        httpx.AsyncClient(timeout=WITHIN) as client,
        client.stream(
            "GET", f"{url(mill)}/sample?from={following}&interval=10&heartbeat=50"
        ) as reply,
    ):
        async for data in reply.aiter_bytes():
            seen += data
            if seen.count(b"</MTConnectStreams>") >= 3:
                break
    assert b"dataItemId" not in seen
    assert seen.count(f'nextSequence="{following}"'.encode()) >= 3


async def test_current_as_a_stream(mill: Mtconnect) -> None:
    seen = b""
    async with (
        httpx.AsyncClient(timeout=WITHIN) as client,
        client.stream("GET", f"{url(mill)}/current?interval=10") as reply,
    ):
        assert reply.headers["content-type"].startswith("multipart/x-mixed-replace;boundary=")
        async for data in reply.aiter_bytes():
            seen += data
            if seen.count(b"</MTConnectStreams>") >= 2:
                break


async def test_nonsense_is_answered_not_suffered(mill: Mtconnect) -> None:
    for nonsense in (b"\x16\x03\x01\x02\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", mill.options.port)
        writer.write(nonsense)
        async with asyncio.timeout(WITHIN):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", mill.options.port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 200_000)
    async with asyncio.timeout(WITHIN):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    status, _ = await ask(mill, "/probe")
    assert status == 200


async def test_a_port_in_use_is_said(mill: Mtconnect) -> None:
    second = Mtconnect("second", mill.options, CLOCK)
    with pytest.raises(Unreachable, match="cannot listen"):
        await second.serve()
    assert second.health.state == "offline"


async def test_after_a_drop_the_door_reads_on_where_it_was(mill: Mtconnect) -> None:
    driver = door(mill)
    async with listening(driver) as heard:
        await heard.until(lambda: heard.told("mill.program"))
        mill.faults.put(Fault(kind="drop", seconds=0))
        with pytest.raises(DoorError):
            await heard.until(lambda: False)
        assert mill.health.state == "offline"
        with pytest.raises(Unreachable):
            await driver.connect()
        plant(mill).now["program"] = "O2"
        await asyncio.sleep(0.05)
        plant(mill).now["program"] = "O3"
        await asyncio.sleep(0.05)
        mill.faults.clear()
        await until(lambda: mill.health.state == "online")
    async with listening(driver) as heard:
        await heard.until(lambda: len(heard.told("mill.program")) == 3)
        # the present first, then what was missed: nothing was lost
        assert heard.told("mill.program") == ["O3", "O2", "O3"]
        assert not [event for event in heard.events if event.kind == "gap"]


async def test_the_other_faults_show(mill: Mtconnect) -> None:
    async with listening(door(mill)) as heard:
        await heard.until(lambda: heard.of(2))
        mill.faults.put(Fault(kind="freeze", quantity="x_position"))
        await asyncio.sleep(0.05)
        plant(mill).now |= {"x_position": 0.9, "part_count": 5.0}
        await heard.until(lambda: 5.0 in heard.of(3))
        assert 0.9 not in heard.of(2)
        mill.faults.clear()
        await heard.until(lambda: 0.9 in heard.of(2))
        mill.faults.put(Fault(kind="rubbish", quantity="execution"))
        await heard.until(lambda: not set(heard.told("mill.execution")) <= {"READY", "ACTIVE"})
        mill.faults.put(Fault(kind="rubbish", quantity="x_position"))
        wild: Callable[[float], bool] = lambda x: not math.isfinite(x) or abs(x) > 1  # noqa: E731
        await heard.until(lambda: any(wild(x) for x in heard.of(2)))
        assert all(status & 3 == 2 for _, _, x, status in heard.samples if not math.isfinite(x))
        mill.faults.clear()
        mill.faults.put(Fault(kind="jump", amount=3600))
        plant(mill).now["part_count"] = 6.0
        await heard.until(lambda: 6.0 in heard.of(3))
        time = next(row[1] for row in heard.samples if row[0] == 3 and row[2] == 6.0)
        assert time - CLOCK.now() > 3500 * SECOND


async def test_slow_is_late_and_too_slow_is_unreachable(mill: Mtconnect) -> None:
    mill.faults.put(Fault(kind="slow", amount=0.2))
    async with listening(door(mill)) as heard:
        await heard.until(lambda: heard.of(2))
    mill.faults.put(Fault(kind="slow", amount=5))
    driver = door(mill, timeout=0.2)
    with pytest.raises(Unreachable, match="in time"):
        await driver.connect()
    await driver.close()


async def test_documents_that_break_off_are_a_bad_reply(mill: Mtconnect) -> None:
    mill.faults.put(Fault(kind="rubbish"))
    driver = door(mill)
    with pytest.raises(BadReply, match="no XML"):
        await driver.connect()
    mill.faults.clear()
    async with listening(driver) as heard:
        await heard.until(lambda: heard.of(2))
        mill.faults.put(Fault(kind="rubbish"))
        with pytest.raises(BadReply):
            await heard.until(lambda: False)
