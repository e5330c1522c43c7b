"""The Modbus driver: polls blocks of registers at their pace, writes with read-back."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Refused, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Event, Flag, Permit, Severity, Signal
from deungdae.core.units import scaling

from . import address, probe
from .address import Defaults, Numbering, Order, Span, Table
from .blocks import Block, Entry, Limits
from .poll import Poll
from .station import Station, place_of
from .wire import Exceptional
from .write import write_request

State: TypeAlias = Literal["stopped", "connecting", "online", "degraded", "offline"]


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
            place_of(self.url)
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
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._defaults = _defaults(options)
        self._limits = Limits(options.registers, options.gap)
        self._periods = [
            (address.span(text, self._defaults), period) for text, period in options.periods.items()
        ]
        self._station = Station(
            place_of(options.url),
            clock,
            timeout=options.timeout,
            pause=options.pause,
            outstanding=options.outstanding,
            attempts=options.attempts,
        )
        self._poll: Poll | None = None
        self._problems: dict[str, str] = {}
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
        health = msgspec.structs.replace(self._health, signals=dict(self._problems))
        if self._poll is not None and self._poll.behind:
            return msgspec.structs.replace(
                health,
                state="degraded",
                problem=f"reads come {self._poll.behind:.2g} s late: more than one period",
                remedy="raise period, or gap so that fewer reads are needed",
            )
        if health.state != "degraded":
            return health
        return msgspec.structs.replace(
            health,
            problem=f"{len(self._problems)} signals do not work",
            remedy="compare their addresses with the device's register list",
        )

    async def connect(self) -> None:
        """Open the connection. Raises Unreachable."""
        self._station.close()
        self._turn("connecting")
        try:
            await self._station.open()
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield the registers and bits that can be read in the ranges of the option `scan`.

        Modbus has no list of what a device holds: this reads, and sees what is not refused.
        """

        async def read(unit: int, table: Table, first: int, count: int) -> bytes:
            return (await self._station.read(unit, table, first, count)).body

        for span in self._spans():
            async for node in probe.browse(read, span, self.options.registers, self._defaults):
                yield node

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield what each poll reads. Raises Unreachable or BadReply when nothing answers."""
        self._problems.clear()
        entries, refusals = self._entries(signals)
        for item in refusals:
            yield item
        self._poll = Poll(
            self._station,
            self._clock,
            entries,
            limits=self._limits,
            retry=self.options.retry,
            heartbeat=self.options.heartbeat,
            report=self._report,
        )
        try:
            while True:
                for batch, events in await self._poll.next():
                    if len(batch):
                        yield batch
                    if events:
                        yield events
        except DoorError as error:
            self._station.close()
            self._turn("offline", error)
            raise
        finally:
            self._poll = None

    def confirm(self, items: int) -> None:
        """Do nothing: Modbus has nothing to acknowledge."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Write a coil or registers, read back, and return what the device now holds.

        Raises Refused when the command expires before its turn comes.
        """
        command = permit.command
        sent = False

        def may() -> None:
            nonlocal sent
            if self._clock.now() >= command.expires:
                raise Refused("expired", f"command {command.id} came too late to {signal.id}")
            sent = True

        entry = self._writable(signal)
        point = entry.point
        raw = scaling(signal).raw(command.value)
        pdu = write_request(point, raw, multiple=self.options.multiple)
        try:
            await self._station.request(point.unit, pdu, may)
        except Unreachable as error:
            known = f"it is not known whether {raw:g} was" if sent else f"{raw:g} was not"
            problem = f"{signal.id}: {error}; {known} written"
            raise Unreachable(problem, remedy=error.remedy) from error
        except Exceptional as error:
            problem = f"{signal.id}: {raw:g} was not written: {error}"
            raise BadReply(problem, remedy=error.remedy) from error
        value = await self._read_back(entry)
        self._log.info("write signal=%s value=%g read_back=%g", signal.id, command.value, value)
        return value

    async def close(self) -> None:
        """Close the connection."""
        self._station.close()
        self._turn("stopped")

    def _writable(self, signal: Signal) -> Entry:
        try:
            return self._entry(0, signal)
        except ValueError as error:
            raise DoorError(f"{signal.id}: {error}", remedy="correct its source") from error

    async def _read_back(self, entry: Entry) -> float:
        point = entry.point
        try:
            reply = await self._station.read(point.unit, point.table, point.number, point.size)
        except (Unreachable, BadReply) as error:
            problem = f"{entry.signal.id}: written, but not read back: {error}"
            kind = Unreachable if isinstance(error, Unreachable) else BadReply
            raise kind(problem, remedy=error.remedy) from error
        value = Block([entry]).value(reply.body)
        if not math.isfinite(value):
            problem = f"{entry.signal.id}: written, but the device now holds no number"
            raise BadReply(problem, remedy="check type and order in its address")
        return value

    def _entries(self, signals: Mapping[int, Signal]) -> tuple[list[Entry], list[Batch | Events]]:
        """Return what can be polled, and what to tell of the rest."""
        entries: list[Entry] = []
        refused: dict[int, Signal] = {}
        for handle, signal in signals.items():
            try:
                entries.append(self._entry(handle, signal))
            except ValueError as error:
                self._report((signal,), str(error))
                refused[handle] = signal
        return entries, _lost(refused, self._clock.now())

    def _entry(self, handle: int, signal: Signal) -> Entry:
        point = address.parse(signal.address, self._defaults)
        if point.size > self.options.registers:
            raise ValueError(f"{signal.address!r} is longer than one read: raise registers")
        if signal.kind == "number" and address.text_length(point.type):
            raise ValueError(f"{signal.address!r} is text: set kind = 'text'")
        if scaling(signal).gain == 0:
            raise ValueError("scale = 0 makes every value the same: set it to another number")
        period = next(
            (period for span, period in self._periods if span.holds(point)), self.options.period
        )
        return Entry(handle, signal, point, period)

    def _spans(self) -> list[Span]:
        if self.options.scan:
            return [address.span(text, self._defaults) for text in self.options.scan]
        return [Span(self.options.unit, table, 0, 199) for table in address.TABLES]

    def _report(self, signals: Sequence[Signal], problem: str) -> None:
        """Keep the problem of signals; '': they work."""
        changed = [s.id for s in signals if self._problems.get(s.id, "") != problem]
        if not changed:
            return
        for id in changed:
            if problem:
                self._problems[id] = problem
            else:
                del self._problems[id]
        first, count = changed[0], len(changed)
        self._log.warning("signals=%d first=%s problem=%s", count, first, problem or "none")
        self._turn("degraded" if self._problems else "online")

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
