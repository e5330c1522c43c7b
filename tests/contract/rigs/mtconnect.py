"""A small MTConnect agent, told what its machine does: for the contract and the field tests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

from deungdae.core.types import Signal

HEAD = "HTTP/1.1 {status}\r\nContent-Type: {type}\r\nConnection: close\r\n{more}\r\n"
ITEMS = {
    "x1": ("SAMPLE", "Position", "name='Xpos' type='POSITION' units='MILLIMETER'"),
    "l1": ("SAMPLE", "Load", "name='Xload' type='LOAD' units='PERCENT'"),
    "p1": ("SAMPLE", "PathPosition", "name='path' type='PATH_POSITION' units='MILLIMETER_3D'"),
    "s1": (
        "SAMPLE",
        "AmperageTimeSeries",
        "name='wave' type='AMPERAGE' units='AMPERE' representation='TIME_SERIES'",
    ),
    "e1": ("EVENT", "Execution", "name='execution' type='EXECUTION'"),
    "c1": ("EVENT", "PartCount", "name='parts' type='PART_COUNT'"),
    "v1": ("EVENT", "VariableDataSet", "name='vars' type='VARIABLE' representation='DATA_SET'"),
    "k1": ("CONDITION", "", "name='system' type='SYSTEM'"),
}


class Observation(NamedTuple):
    sequence: int
    item: str
    time: str
    value: str  # of a condition: its level
    attributes: str


class Agent:
    """Keeps the last `size` observations. Set `version`, `streams` or `instance` before asking."""

    def __init__(
        self, port: int, *, size: int = 100, began: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    ) -> None:
        self.port = port
        self.version = "1.3"
        self.size = size
        self.streams = True
        self.asked: list[str] = []
        self.answers: dict[str, bytes] = {}  # request -> a whole document to give instead
        self.mute = False  # accepts connections and says nothing
        self._now = began
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._instance = 0
        self.restart()

    def restart(self) -> None:
        """Forget everything, as an agent does that starts anew."""
        self._instance += 1
        self._next = 1
        self._buffer: list[Observation] = []
        self._current: dict[str, Observation] = {}
        self._changed = asyncio.Event()
        for item in ITEMS:
            self.set(item, "UNAVAILABLE")

    def set(self, item: str, value: str, attributes: str = "", time: str | None = None) -> None:
        """Have the machine say something new, a second of its clock later."""
        self._now += timedelta(seconds=1)
        stamp = self._stamp() if time is None else time
        observation = Observation(self._next, item, stamp, value, attributes)
        self._next += 1
        self._buffer = [*self._buffer, observation][-self.size :]
        self._current[item] = observation
        self._changed.set()

    def value(self, item: str) -> str:
        return self._current[item].value

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            target = request.split()[1].decode()
            self.asked.append(target)
            if self.mute:
                await reader.read()
            async for data in self._answer(target):
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, target: str) -> AsyncIterator[bytes]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        what = parts.path.rpartition("/")[2]
        if what in self.answers:
            yield self._document(self.answers[what])
        elif what == "probe":
            yield self._document(self._devices())
        elif what == "current":
            yield self._document(self._streams(list(self._current.values()), self._next))
        elif what == "sample" and "interval" in query and self.streams:
            async for data in self._stream(query):
                yield data
        elif what == "sample":
            content, _, found = self._sample(int(query["from"]), int(query["count"]))
            yield self._document(content, "200 OK" if found else "404 Not Found")
        else:
            yield self._document(self._error("INVALID_URI", "no such request"), "404 Not Found")

    async def _stream(self, query: dict[str, str]) -> AsyncIterator[bytes]:
        yield HEAD.format(
            status="200 OK", type="multipart/x-mixed-replace;boundary=cut", more=""
        ).encode()
        start, count = int(query["from"]), int(query["count"])
        while True:
            self._changed.clear()
            content, start, found = self._sample(start, count)
            head = f"--cut\r\nContent-type: text/xml\r\nContent-length: {len(content)}\r\n\r\n"
            yield head.encode() + content + b"\r\n"
            if not found:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(int(query["heartbeat"]) / 1000):
                    await self._changed.wait()

    def _sample(self, start: int, count: int) -> tuple[bytes, int, bool]:
        first = self._buffer[0].sequence if self._buffer else self._next
        if not first <= start <= self._next:
            return self._error("OUT_OF_RANGE", f"'from' must be in {first}..{self._next}"), 0, False
        found = [each for each in self._buffer if each.sequence >= start][:count]
        after = found[-1].sequence + 1 if found else start
        return self._streams(found, after), after, True

    def _devices(self) -> bytes:
        items = "".join(
            f"<DataItem id='{item}' category='{category}' {attributes}/>"
            for item, (category, _, attributes) in ITEMS.items()
        )
        return self._wrap(
            "Devices",
            f"<Header instanceId='{self._instance}' version='{self.version}'/><Devices>"
            f"<Device id='d1' name='Dev1' uuid='u1'><DataItems>{items}</DataItems></Device>"
            "</Devices>",
        )

    def _streams(self, observations: list[Observation], after: int) -> bytes:
        groups = {"SAMPLE": "", "EVENT": "", "CONDITION": ""}
        for each in observations:
            category, tag, _ = ITEMS[each.item]
            value = escape(each.value)
            if category == "CONDITION":
                tag, value = each.value.capitalize(), ""
            if tag.endswith("DataSet") and "=" in value:
                entries = (pair.split("=") for pair in value.split())
                value = "".join(f"<Entry key='{key}'>{text}</Entry>" for key, text in entries)
            groups[category] += (
                f"<{tag} dataItemId='{each.item}' timestamp={quoteattr(each.time)} "
                f"sequence='{each.sequence}' {each.attributes}>{value}</{tag}>"
            )
        first = self._buffer[0].sequence if self._buffer else self._next
        return self._wrap(
            "Streams",
            f"<Header creationTime='{self._stamp()}' instanceId='{self._instance}' "
            f"bufferSize='{self.size}' nextSequence='{after}' firstSequence='{first}' "
            f"lastSequence='{self._next - 1}'/><Streams><DeviceStream name='Dev1' uuid='u1'>"
            "<ComponentStream component='Device' componentId='d1'>"
            f"<Samples>{groups['SAMPLE']}</Samples><Events>{groups['EVENT']}</Events>"
            f"<Condition>{groups['CONDITION']}</Condition>"
            "</ComponentStream></DeviceStream></Streams>",
        )

    def _error(self, code: str, words: str) -> bytes:
        if self.version < "2":
            error = f"<Error errorCode='{code}'>{words}</Error>"
        else:
            name = code.title().replace("_", "")
            error = f"<{name} errorCode='{code}'><ErrorMessage>{words}</ErrorMessage></{name}>"
        return self._wrap("Error", f"<Header/><Errors>{error}</Errors>")

    def _wrap(self, kind: str, inner: str) -> bytes:
        space = f"urn:mtconnect.org:MTConnect{kind}:{self.version}"
        return f"<MTConnect{kind} xmlns='{space}'>{inner}</MTConnect{kind}>".encode()

    def _document(self, content: bytes, status: str = "200 OK") -> bytes:
        more = f"Content-Length: {len(content)}\r\n"
        return HEAD.format(status=status, type="text/xml", more=more).encode() + content

    def _stamp(self) -> str:
        return self._now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Rig:
    """A position and a load, behind an agent."""

    type = "mtconnect"
    writable = None
    browses = True

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self._agent = Agent(port, began=datetime.now(UTC) - timedelta(seconds=60))
        self._items = {"rig.a": "x1", "rig.b": "l1"}
        for number, item in zip(itertools.count(1), self._items.values(), strict=False):
            self._agent.set(item, f"{number}.5")
        self.options: dict[str, object] = {
            "url": f"http://127.0.0.1:{port}/Dev1",
            "interval": 0.02,
            "heartbeat": 0.5,
            "timeout": 1.0,
        }
        self.signals = [
            Signal(id="rig.a", unit="mm", source="rig:Xpos"),
            Signal(id="rig.b", unit="%", source="rig:l1"),
        ]
        self.bad: Signal | None = Signal(id="rig.bad", source="rig:Ypos")

    async def start(self) -> None:
        """Serve, on the same port each time; the agent runs on while its link is lost."""
        await self._agent.start()

    async def stop(self) -> None:
        """End the service and every connection."""
        await self._agent.stop()

    async def change(self, id: str, value: float) -> None:
        """Have the machine show another value."""
        self._agent.set(self._items[id], repr(value))

    async def read(self, id: str) -> float:
        """Return what the machine shows."""
        return float(self._agent.value(self._items[id]))
