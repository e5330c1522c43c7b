"""The agent: a plant's machine, shown as MTConnect over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Container, Mapping
from typing import Annotated

from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.ports import Health
from deungdae.sim.plant.parts import Alarming
from deungdae.virtual._faults import Faults
from deungdae.virtual._http import Answer, Http, Request
from deungdae.virtual._machine import MachineOptions, live, machine
from deungdae.virtual._tcp import Port

from . import documents
from .buffer import Buffer, Observation
from .model import Item, device, identifier

_FAULT = 667  # severity from which on an alarm stops a machine: OPC 10000-9 calls it high
_LONGEST = 3_600_000  # ms, of interval and heartbeat
_BOUNDARY = "deungdae"
_XML = "text/xml; charset=utf-8"


class Refusal(Exception):
    """What the agent cannot answer, in the words of MTConnect."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


class Mtconnect:
    """A simulated machine tool behind an MTConnect agent of version 2.4.

    It answers `probe`, `current` (also `at` a number of its buffer) and `sample`, whole or, with an
    `interval`, as a stream; also behind the device's name, which is the bridge's, and for the part
    of it that `path` names. What MTConnect has a word for is what it calls it: a state in words of
    `Execution` is that event, a temperature a `Temperature` in CELSIUS, a number of parts a
    `PartCount`, energy an `ElectricalEnergy` in WATT_SECOND; the rest is a `Variable`, in the
    unit of the model. Alarms are conditions: Warning, from severity 667 on Fault. What belongs to
    an axis, the path, the controller or the power supply lies there, the rest at the device. The
    names of the data items are those of the quantities. There are no assets, and nothing can be
    written.

    Made to send rubbish, one quantity says nonsense; the whole machine sends documents that break
    off in the middle, as agents at their end do. A frozen quantity says nothing new.

    ```toml
    [virtual.mill]
    type = "mtconnect"
    model = "press"
    port = 5000
    ```
    """

    class Options(MachineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 5000
        buffer: Annotated[
            int, Meta(ge=16, le=1_000_000, description="Most observations that it remembers")
        ] = 8192

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self._clock = clock
        self._alarming = self.plant if isinstance(self.plant, Alarming) else None
        alarms = self._alarming.alarms() if self._alarming else ()
        self._device = device(name, self.plant.quantities, alarms)
        self._items: dict[str, Item] = {
            item.id: item for part in self._device.below() for item in part.items
        }
        self._buffer = Buffer(options.buffer)
        self._began = clock.now()
        http = Http(self._answer, clock, self.faults)
        self._port = Port(name, (options.host, options.port), http.meet, clock, self.faults)

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._port.health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        self._observe()
        async with self._port:
            await live(self._clock, self.plant, self.options.step, self._shown)

    async def _shown(self) -> None:
        self._observe()
        await self._port.heed()

    def _observe(self) -> None:
        """Note what is new at the machine."""
        now = self._now()
        self._buffer.add(self._items["device-availability"], now, "AVAILABLE")
        for quantity in self.plant.quantities:
            item = self._items[identifier(quantity.name)]
            value = self.faults.shown(quantity.name, self.plant.get(quantity.name))
            self._buffer.add(item, now, item.said(value))
        for alarm in self._alarming.alarms() if self._alarming else ():
            level = "Normal"
            if alarm.active:
                level = "Fault" if alarm.severity >= _FAULT else "Warning"
            text = alarm.message if alarm.active else ""
            item = self._items[f"alarm-{identifier(alarm.name)}"]
            self._buffer.add(item, now, level, text, alarm.severity)

    def _now(self) -> int:
        return self._clock.now() + self.faults.shift

    async def _answer(self, request: Request) -> Answer:
        try:
            return self._granted(request)
        except Refusal as refusal:
            content = documents.error(refusal.code, str(refusal), self._header())
            return Answer(self._spoilt(content), _XML, refusal.status)

    def _granted(self, request: Request) -> Answer:
        """Return the answer. Raises Refusal."""
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405, "UNSUPPORTED", "an agent can only be read: use GET")
        what = self._what(request.path)
        query = request.query
        if what == "probe":
            return self._whole(documents.devices(self._device, self._header()))
        wanted = self._wanted(query.get("path", ""))
        interval = _number(query, "interval", 0, _LONGEST) if "interval" in query else None
        if what == "current":
            return self._current(query, wanted, interval)
        return self._sample(query, wanted, interval)

    def _current(
        self, query: Mapping[str, str], wanted: Container[str], interval: int | None
    ) -> Answer:
        if "at" in query:
            if interval is not None:
                raise Refusal(400, "INVALID_REQUEST", "at and interval exclude each other")
            at = _number(query, "at", self._buffer.first, self._buffer.next - 1)
            return self._whole(self._streams(self._buffer.current(wanted, at)))
        if interval is not None:
            return _stream(self._presents(wanted, interval))
        return self._whole(self._streams(self._buffer.current(wanted)))

    def _sample(
        self, query: Mapping[str, str], wanted: Container[str], interval: int | None
    ) -> Answer:
        first = self._buffer.first
        start = _number(query, "from", first, self._buffer.next, first)
        count = _number(query, "count", 1, self._buffer.size, min(100, self._buffer.size))
        if interval is not None:
            heartbeat = _number(query, "heartbeat", 1, _LONGEST, 10_000)
            return _stream(self._samples(wanted, start, count, interval, heartbeat))
        return self._whole(self._streams(*self._buffer.sample(wanted, start, count)))

    def _what(self, path: str) -> str:
        """Return which request it is: probe, current or sample."""
        parts = [part for part in path.split("/") if part]
        if parts and parts[0] in (self.name, f"deungdae-{self.name}", "device"):
            parts = parts[1:]
        elif len(parts) > 1:
            raise Refusal(404, "NO_DEVICE", f"no device is called {parts[0]!r}; try {self.name!r}")
        what = parts[0] if parts else "probe"
        if len(parts) > 1 or what not in ("probe", "current", "sample"):
            raise Refusal(404, "INVALID_URI", f"{path!r} is none of /probe, /current, /sample")
        return what

    def _wanted(self, path: str) -> Container[str]:
        """Return the ids of the data items that an XPath chooses."""
        if not path:
            return self._items
        from lxml import etree  # noqa: PLC0415  (15 MB that most agents never need)

        content = f"<MTConnectDevices><Devices>{documents.describe(self._device)}</Devices>"
        root = etree.fromstring(f"{content}</MTConnectDevices>")
        try:
            found = root.xpath(path)
        except etree.XPathError as error:
            raise Refusal(400, "INVALID_PATH", f"{path!r} is no XPath: {error}") from error
        nodes = [node for node in found if etree.iselement(node)] if isinstance(found, list) else []
        ids = {str(item.get("id")) for node in nodes for item in node.iter("DataItem")}
        if not ids:
            raise Refusal(400, "INVALID_PATH", f"{path!r} names no data item")
        return ids

    async def _samples(
        self, wanted: Container[str], start: int, count: int, interval: int, heartbeat: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield what is new from `start` on, and a sign of life when nothing is."""
        told = -float("inf")
        while True:
            if start < self._buffer.first:
                words = f"{start} fell out of the buffer: read faster, or begin at current"
                yield _part(documents.error("OUT_OF_RANGE", words, self._header()))
                return
            seen, start = self._buffer.sample(wanted, start, count)
            if seen or self._clock.monotonic() - told >= heartbeat / 1000:
                yield _part(self._spoilt(self._streams(seen, start)))
                told = self._clock.monotonic()
            if len(seen) < count:
                await self._pause(interval)

    async def _presents(self, wanted: Container[str], interval: int) -> AsyncGenerator[bytes, None]:
        while True:
            yield _part(self._spoilt(self._streams(self._buffer.current(wanted))))
            await self._pause(interval)

    async def _pause(self, interval: int) -> None:
        """Wait between two parts of a stream, but not less than until something can be new."""
        await self._clock.sleep(max(interval / 1000, self.options.step))

    def _streams(self, seen: list[Observation], following: int | None = None) -> bytes:
        return documents.streams(self._device, seen, self._header(following))

    def _header(self, following: int | None = None) -> documents.Header:
        after = self._buffer.next
        return documents.Header(
            created=self._now(),
            began=self._began,
            instance=self._began,
            sender=self.name,
            size=self._buffer.size,
            sequence=(self._buffer.first, after - 1, following or after),
        )

    def _whole(self, content: bytes) -> Answer:
        return Answer(self._spoilt(content), _XML)

    def _spoilt(self, content: bytes) -> bytes:
        """Return a document, or half of it where the whole machine sends rubbish."""
        return content[: len(content) // 2] if self.faults.spoilt("") else content


def _stream(parts: AsyncGenerator[bytes, None]) -> Answer:
    return Answer(parts, f"multipart/x-mixed-replace;boundary={_BOUNDARY}")


def _part(content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(content)}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _number(query: Mapping[str, str], name: str, least: int, most: int, otherwise: int = 0) -> int:
    """Return a whole number of a query. Raises Refusal."""
    text = query.get(name, str(otherwise))
    try:
        number = int(text)
    except ValueError as error:
        raise Refusal(400, "INVALID_REQUEST", f"{name}={text!r} is no whole number") from error
    if not least <= number <= most:
        raise Refusal(404, "OUT_OF_RANGE", f"{name}={number} is not within {least} and {most}")
    return number
