"""The Modbus driver: polls blocks of registers at their pace, writes with read-back."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Refused, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Event, Flag, Permit, Severity, Signal
from deungdae.core.units import scaling

from . import address, probe
from .address import Defaults, Numbering, Order, Span, Table
from .blocks import FUNCTIONS, Block, Entry, Limits, Moment, merge
from .schedule import Schedule
from .wire import Exceptional, Link, Mbap, Reply, Rtu, read_request
from .write import write_request

Told: TypeAlias = tuple[Batch, Events]
State: TypeAlias = Literal["stopped", "connecting", "online", "degraded", "offline"]

_HOLES = (2, 3)  # exceptions that say: not here, but perhaps in a part of it
_BUSY = (4, 5, 6)  # exceptions that may be gone at the next poll
_ASLEEP = (10, 11)  # exceptions by which a gateway says that the unit does not answer
_NOTHING: Told = (Batch.of((), (), (), received=0), ())
_DAY = 86_400.0


class Modbus:
    """A PLC, meter, inverter or controller that speaks Modbus, by TCP or through a gateway.

    `tcp://host:502` is Modbus/TCP; `rtu+tcp://host:port` sends serial RTU frames through a
    serial-to-Ethernet converter. An address is `[unit/]table/number[?type[,order][,bit=n]]`:

    - table: `coil`, `discrete`, `input` or `holding`; unit: where several devices answer behind
      one gateway, else the option `unit`;
    - number: counted from 0, as on the wire. `numbering = "one"` counts from 1,
      `"traditional"` writes 30001 for the first input and 40001 for the first holding register;
    - type: `uint16` (default), `int16`, `int32`, `uint32`, `int64`, `uint64`, `float32`,
      `float64`, `bcd16`, `bcd32`, `string(n)` with n characters, or `bool`: with `bit=0` (lowest)
      to `bit=15` one bit of a register, without it whether the register is not zero. Coils and
      discrete inputs are always bool and travel as 0 and 1;
    - order: where the bytes of a value lie. `ABCD` is the standard's (highest first), `CDAB` has
      the lowest word first, `BADC` swaps the bytes within each word, `DCBA` does both; the same
      for 16-, 32- and 64-bit values.

    Neighbouring addresses are read together. Signals of kind `state` become events with the number
    as text, `string(n)` goes with kind `text`. Every poll gives a sample, unless the signal has a
    dead-band: then only changes beyond it and one each `heartbeat`. An address that the device
    refuses is found, marked bad, named in the health and tried again every `retry` seconds.

    ```toml
    [machines.kiln]
    type = "modbus"
    url = "tcp://10.0.0.7:502"
    period = 1.0
    periods = { "holding/100-119" = 0.1 }   # these are read ten times a second

    [[signals]]
    id = "kiln1.zone3.temperature"
    unit = "Cel"
    source = "kiln:holding/30021?float32"

    [[signals]]
    id = "kiln1.burner.on"
    kind = "state"
    source = "kiln:holding/7?bool,bit=3"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        url: Annotated[
            str, Meta(description="Where it listens: tcp://host:502 or rtu+tcp://host:port")
        ]
        unit: Annotated[
            int, Meta(ge=0, le=255, description="Unit id (slave address) of the device")
        ] = 1
        numbering: Annotated[
            Numbering,
            Meta(description="How numbers count: from 0, from 1, or 30001/40001 as on old lists"),
        ] = "protocol"
        order: Annotated[Order, Meta(description="Byte order where an address names none")] = "ABCD"
        period: Annotated[
            float, Meta(gt=0, description="Time between two polls", extra={"unit": "s"})
        ] = 1.0
        periods: Annotated[
            dict[str, float],
            Meta(
                description="Other periods by range, [unit/]table/first-last; the first that fits "
                "counts",
                extra={"unit": "s"},
            ),
        ] = {}
        timeout: Annotated[
            float, Meta(gt=0, le=60, description="Wait for each reply", extra={"unit": "s"})
        ] = 2.0
        attempts: Annotated[
            int, Meta(ge=1, le=10, description="How often a read is tried; a write only once")
        ] = 2
        pause: Annotated[
            float, Meta(ge=0, description="Least time between two requests", extra={"unit": "s"})
        ] = 0.0
        outstanding: Annotated[
            int, Meta(ge=1, le=16, description="Requests under way at once; RTU: always 1")
        ] = 1
        registers: Annotated[int, Meta(ge=1, le=125, description="Most registers in one read")] = (
            125
        )
        gap: Annotated[
            int, Meta(ge=0, le=124, description="Registers read in vain to merge two reads")
        ] = 16
        heartbeat: Annotated[
            float,
            Meta(gt=0, description="A dead-band never hides a value longer", extra={"unit": "s"}),
        ] = 60.0
        retry: Annotated[
            float,
            Meta(gt=0, description="Time until a refused address is tried", extra={"unit": "s"}),
        ] = 60.0
        multiple: Annotated[
            bool, Meta(description="Write single registers by function 16 too, for old devices")
        ] = False
        scan: Annotated[
            tuple[str, ...],
            Meta(
                description="Ranges that browsing reads, [unit/]table/first-last; empty: the "
                "first 200 of every table"
            ),
        ] = ()

        def __post_init__(self) -> None:
            _target(self.url)
            for text, period in self.periods.items():
                address.span(text, _defaults(self))
                if not period > 0:
                    raise ValueError(f"periods: {text!r} = {period}: write a number above 0")
            for text in self.scan:
                address.span(text, _defaults(self))

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._defaults = _defaults(options)
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._answered = False
        self._problems: dict[str, str] = {}
        self._silent: dict[int, tuple[float, DoorError]] = {}
        self._last: DoorError | None = None
        self._limits = Limits(options.registers, options.gap)
        self._periods = [
            (address.span(text, self._defaults), period) for text, period in options.periods.items()
        ]
        self._health = Health(state="stopped", since=clock.now())

    @staticmethod
    def check_address(text: str, options: Options | None = None) -> None:
        """Raise ValueError, with a remedy, unless the text is an address of such a machine."""
        if options is not None:
            address.parse(text, _defaults(options))
            return
        try:
            address.parse(text, Defaults())
        except ValueError:
            # without the options nobody knows how the machine counts
            if not address.reads_traditional(text):
                raise

    @property
    def health(self) -> Health:
        """Return how the link is doing, and each address that does not work."""
        return msgspec.structs.replace(self._health, signals=dict(self._problems))

    async def connect(self) -> None:
        """Open the connection. Raises Unreachable."""
        await self.close()
        self._turn("connecting")
        try:
            self._link = await self._open()
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._silent.clear()
        self._problems.clear()
        self._answered = False
        self._last = None
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield the registers and bits that can be read in the ranges of the option `scan`.

        Modbus has no list of what a device holds: this reads, and sees what is not refused.
        """

        async def read(unit: int, table: Table, first: int, count: int) -> bytes:
            return (await self._read(unit, table, first, count)).body

        for span in self._spans():
            async for node in probe.browse(read, span, self.options.registers, self._defaults):
                yield node

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield what each poll reads. Raises Unreachable or BadReply when nothing answers."""
        await self._current()
        self._problems.clear()
        entries, refusals = self._entries(signals)
        for item in refusals:
            yield item
        schedule = Schedule(merge(entries, self._limits), self._clock.monotonic())
        units = {entry.point.unit for entry in entries}
        try:
            while True:
                await self._wait(schedule)
                chosen = schedule.take(self._clock.monotonic(), self._outstanding)
                for batch, events in await _all([self._poll(each, schedule) for each in chosen]):
                    if len(batch):
                        yield batch
                    if events:
                        yield events
                self._judge(units, len(signals))
        except DoorError as error:
            self._drop()
            self._turn("offline", error)
            raise

    def confirm(self, items: int) -> None:
        """Do nothing: Modbus has nothing to acknowledge."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Write a coil or registers, read back, and return what the device now holds."""
        command = permit.command
        point = address.parse(signal.address, self._defaults)
        raw = scaling(signal).raw(command.value)
        pdu = write_request(point, raw, multiple=self.options.multiple)
        link = await self._current()
        if self._clock.now() >= command.expires:
            raise Refused("expired", f"command {command.id} came too late to {signal.id}")
        try:
            await link.request(point.unit, pdu)
        except Unreachable as error:
            raise Unreachable(
                f"{signal.id}: {error}; it is not known whether {raw:g} was written",
                remedy=error.remedy,
            ) from error
        reply = await self._read(point.unit, point.table, point.number, point.size)
        value = Block([Entry(0, signal, point, 0.0)]).value(reply.body)
        self._log.info("write signal=%s value=%g read_back=%g", signal.id, command.value, value)
        return value

    async def close(self) -> None:
        """Close the connection."""
        self._drop()
        self._turn("stopped")

    @property
    def _outstanding(self) -> int:
        rtu = _target(self.options.url).scheme == "rtu+tcp"
        return 1 if rtu else self.options.outstanding

    async def _open(self) -> Link:
        where = _target(self.options.url)
        link = Link(
            Rtu() if where.scheme == "rtu+tcp" else Mbap(),
            self._clock,
            timeout=self.options.timeout,
            pause=self.options.pause,
            outstanding=self._outstanding,
        )
        await link.open(where.hostname or "", where.port or 502)
        return link

    async def _current(self) -> Link:
        """Return the open link; a new one where the last was given up for a late reply."""
        async with self._opening:
            if self._link is None:
                raise Unreachable(f"{self.name} is not connected", remedy="connect first")
            if self._link.given_up:
                self._link = await self._open()
            return self._link

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    async def _read(self, unit: int, table: Table, first: int, count: int) -> Reply:
        """Return the reply to one read, tried as often as the option says."""
        pdu = read_request(FUNCTIONS[table], first, count)
        for _ in range(self.options.attempts - 1):
            link = await self._current()
            try:
                return await link.request(unit, pdu)
            except Unreachable:
                if link.ended.done() and not link.given_up:
                    raise
        return await (await self._current()).request(unit, pdu)

    async def _wait(self, schedule: Schedule) -> None:
        """Wait until a block is due. Raises what ended the link, if it ends before."""
        link = await self._current()
        delay = schedule.delay(self._clock.monotonic())
        if delay == 0.0:
            return
        due = asyncio.ensure_future(self._clock.sleep(_DAY if delay is None else delay))
        ends: set[asyncio.Future[Any]] = {due, link.ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
        if link.ended.done() and not link.given_up:
            raise link.ended.result()

    async def _poll(self, block: Block, schedule: Schedule) -> Told:
        """Return what one read gives; the block is scheduled anew."""
        now = self._clock.monotonic()
        until, reason = self._silent.get(block.unit, (now, None))
        if reason is not None and until > now:
            return self._lose(block, reason, schedule, until)
        try:
            reply = await self._read(block.unit, block.table, block.first, block.count)
        except Unreachable as error:
            self._raise_if_ended(error)
            return self._sleep(block, error, schedule)
        except Exceptional as error:
            if error.code in _ASLEEP:
                return self._sleep(block, error, schedule)
            self._heard(block.unit)
            return self._refuse(block, error, schedule, split=error.code in _HOLES)
        except BadReply as error:
            self._raise_if_ended(error)
            return self._refuse(block, error, schedule, split=True)
        self._heard(block.unit)
        return self._accept(block, reply, schedule)

    def _accept(self, block: Block, reply: Reply, schedule: Schedule) -> Told:
        now = self._clock.monotonic()
        self._clear(block)
        if block.refused:
            _rejoin(block, schedule, self._limits, now)
        else:
            schedule.put(block, max(block.due + block.period, now))
        middle = (reply.sent + reply.received) // 2
        return block.read(reply.body, Moment(middle, reply.received, now, self.options.heartbeat))

    def _refuse(self, block: Block, error: BadReply, schedule: Schedule, *, split: bool) -> Told:
        now = self._clock.monotonic()
        self._last = error
        if split and len(block.entries) > 1:
            for half in block.halves():
                schedule.put(half, now)
            return _NOTHING
        busy = isinstance(error, Exceptional) and error.code in _BUSY
        block.refused = not busy
        wait = block.period if busy else max(self.options.retry, block.period)
        return self._lose(block, error, schedule, now + wait)

    def _sleep(self, block: Block, error: DoorError, schedule: Schedule) -> Told:
        """Leave a unit in peace that does not answer, so that others are not held up."""
        self._last = error
        until = self._clock.monotonic() + max(self.options.retry, block.period)
        self._silent[block.unit] = until, error
        return self._lose(block, error, schedule, until)

    def _lose(self, block: Block, error: DoorError, schedule: Schedule, due: float) -> Told:
        for entry in block.entries:
            self._blame(entry.signal, str(error))
        schedule.put(block, due)
        return block.lost(self._clock.now())

    def _raise_if_ended(self, error: DoorError) -> None:
        if self._link is None or (self._link.ended.done() and not self._link.given_up):
            raise error

    def _judge(self, units: set[int], signals: int) -> None:
        """Raise the last error if nothing answers any more."""
        if self._last is None:
            return
        if units <= self._silent.keys():
            raise self._last
        if not self._answered and len(self._problems) == signals:
            raise self._last

    def _heard(self, unit: int) -> None:
        self._answered = True
        self._silent.pop(unit, None)

    def _entries(self, signals: Mapping[int, Signal]) -> tuple[list[Entry], list[Batch | Events]]:
        """Return what can be polled, and what to tell of the rest."""
        entries: list[Entry] = []
        refused: dict[int, Signal] = {}
        for handle, signal in signals.items():
            try:
                entries.append(self._entry(handle, signal))
            except ValueError as error:
                self._blame(signal, str(error))
                refused[handle] = signal
        return entries, _lost(refused, self._clock.now())

    def _entry(self, handle: int, signal: Signal) -> Entry:
        point = address.parse(signal.address, self._defaults)
        if point.size > self.options.registers:
            raise ValueError(f"{signal.address!r} is longer than one read: raise registers")
        if signal.kind == "number" and address.text_length(point.type):
            raise ValueError(f"{signal.address!r} is text: set kind = 'text'")
        period = next(
            (period for span, period in self._periods if span.holds(point)), self.options.period
        )
        return Entry(handle, signal, point, period)

    def _spans(self) -> list[Span]:
        if self.options.scan:
            return [address.span(text, self._defaults) for text in self.options.scan]
        return [Span(self.options.unit, table, 0, 199) for table in address.TABLES]

    def _blame(self, signal: Signal, problem: str) -> None:
        if self._problems.get(signal.id) != problem:
            self._problems[signal.id] = problem
            self._log.warning("signal=%s problem=%s", signal.id, problem)
            self._turn("degraded")

    def _clear(self, block: Block) -> None:
        if not self._problems:
            return
        for entry in block.entries:
            if self._problems.pop(entry.signal.id, None) is not None:
                self._log.info("signal=%s works again", entry.signal.id)
        if not self._problems:
            self._turn("online")

    def _turn(self, state: State, error: DoorError | None = None) -> None:
        if state == self._health.state:
            return
        self._health = Health(
            state=state,
            since=self._clock.now(),
            problem=str(error or ""),
            remedy=error.remedy if error else "",
        )
        self._log.info("state=%s url=%s problem=%s", state, self.options.url, error or "none")


async def _all(polls: Sequence[Coroutine[Any, Any, Told]]) -> Sequence[Told]:
    """Return what all polls give; one alone needs no task of its own."""
    if len(polls) == 1:
        return [await polls[0]]
    done = await asyncio.gather(*polls, return_exceptions=True)
    told = []
    for result in done:
        if isinstance(result, BaseException):
            raise result
        told.append(result)
    return told


def _rejoin(block: Block, schedule: Schedule, limits: Limits, now: float) -> None:
    """Merge a block that is given again, and what its refusal had split, with the others."""
    block.refused = False
    blocks = [block, *schedule.clear()]
    for refused in [each for each in blocks if each.refused]:
        schedule.put(refused, refused.due)
    given = [entry for each in blocks if not each.refused for entry in each.entries]
    for merged in merge(given, limits):
        schedule.put(merged, now)


def _lost(signals: Mapping[int, Signal], now: int) -> list[Batch | Events]:
    """Return bad status for signals that cannot be polled."""
    numbers = [handle for handle, signal in signals.items() if signal.kind == "number"]
    bad = int(Severity.BAD | Flag.RECEIVED_TIME)
    n = len(numbers)
    told: list[Batch | Events] = []
    if numbers:
        told.append(Batch.of(numbers, [now] * n, [math.nan] * n, [bad] * n, received=now))
    events = tuple(
        Event(id=signal.id, time=now, kind=signal.kind, value="", status=bad, received=now)
        for signal in signals.values()
        if signal.kind != "number"
    )
    return [*told, events] if events else told


def _defaults(options: Modbus.Options) -> Defaults:
    return Defaults(options.unit, options.numbering, options.order)


def _target(url: str) -> SplitResult:
    """Return the parts of the option `url`. Raises ValueError with a remedy."""
    parts = urlsplit(url)
    if parts.scheme not in ("tcp", "rtu+tcp") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"url {url!r}: write tcp://host:502 or rtu+tcp://host:port")
    _ = parts.port  # raises ValueError where it is none
    return parts
