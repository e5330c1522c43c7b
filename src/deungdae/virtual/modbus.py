"""A simulated machine that answers Modbus/TCP, for practice, tests and commissioning."""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health
from deungdae.sim.plant import Plant, Quantity
from deungdae.sim.plant.parts import Alarming

from ._faults import Faults
from ._machine import MachineOptions, live, machine

Table: TypeAlias = Literal["input", "holding"]
Type: TypeAlias = Literal["int16", "uint16", "int32", "uint32", "float32", "float64", "string"]
State: TypeAlias = Literal["online", "offline", "stopped"]
_FORMATS = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f", "float64": ">d",
}  # fmt: skip
_TEXT = 96  # characters of a string
_EXCEPTIONS = 0.25  # share of the answers that are one, of a machine that talks rubbish
_ALARMS = "alarms"  # the word of alarms: a bit for each, in their order
_TABLES: dict[int, Table] = {3: "holding", 4: "input", 6: "holding", 16: "holding", 22: "holding"}


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one quantity lies. number: zero-based; value = register * scale.

    type: by default float32 for a number, uint16 for a state, string for a text.
    """

    table: Table
    number: Annotated[int, Meta(ge=0, le=65_535)]
    type: Type | None = None
    scale: Annotated[float, Meta(gt=0)] = 1.0


class Cell(NamedTuple):
    """One quantity in its registers from first to before end."""

    quantity: Quantity
    table: Table
    type: Type
    scale: float
    first: int
    end: int


class Modbus:
    """A simulated machine that answers Modbus/TCP on this computer.

    Without a `map` the quantities of the model lie in their order, without gaps, from number 0 on:
    what can only be read in the input registers, what can be written in the holding registers;
    numbers as float32, states as uint16 (0 for the first state), texts as 96 characters. The
    highest byte comes first (`ABCD`). A model with alarms tells them in one more input register
    behind these, the word of alarms: bit 0 is its first alarm. It answers under every unit id; what
    it does not hold gets exception 2. `deungdae discover` lists it.

    With a `map` it looks like a machine that you have: each quantity lies at the register where the
    maker's manual has it. The second example is an energy meter of the usual kind, with float32
    input registers, power in W and energy in kWh.

    Of the faults, `drop` closes every connection and refuses new ones, `slow` lets each answer
    wait, `rubbish` fills registers with chance or answers with an exception. Modbus tells no time,
    so a clock that jumps is not seen.

    ```toml
    [virtual.kiln]
    type = "modbus"
    model = "kiln"
    port = 5020

    [virtual.kiln.map]                       # or leave the map away
    temperature = { table = "input", number = 100, type = "int16", scale = 0.1 }

    [virtual.meter]
    type = "modbus"
    model = "meter"
    port = 5021

    [virtual.meter.map]
    power = { table = "input", number = 52, scale = 0.001 }    # W in the register, kW in the model
    power_factor = { table = "input", number = 62 }
    frequency = { table = "input", number = 70 }
    energy = { table = "input", number = 72 }                  # kWh
    demand = { table = "input", number = 84, scale = 0.001 }
    max_demand = { table = "input", number = 86, scale = 0.001 }
    ```
    """

    class Options(MachineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 5020
        map: Annotated[
            dict[str, Place],
            Meta(description="Where each quantity lies; quantities that it leaves out are hidden"),
        ] = msgspec.field(default_factory=dict)

        def __post_init__(self) -> None:
            super().__post_init__()
            _cells(_offered(machine(self)), self.map)

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self.cells = _cells(_offered(self.plant), options.map)
        self._server: ModbusTcpServer | None = None
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        await self._open()
        try:
            await live(self._clock, self.plant, self.options.step, self._follow)
        finally:
            await self._close()
            self._turn("stopped")

    async def _follow(self) -> None:
        """Hang up when the connections are to drop, and listen again afterwards."""
        if self.faults.dropped and self._server is not None:
            await self._close()
            self._turn("offline", "the connections are dropped by command")
        elif not self.faults.dropped and self._server is None:
            await self._open()

    async def _open(self) -> None:
        where = f"{self.options.host}:{self.options.port}"
        device = SimDevice(0, simdata=_registers(self.cells), action=self._act)
        server = ModbusTcpServer(device, address=(self.options.host, self.options.port))
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            remedy = "is it in use? choose another port, above 1023"
            self._turn("offline", f"cannot listen on {where}", remedy)
            raise Unreachable(f"{self.name} cannot listen on {where}", remedy=remedy) from error
        self._server = server
        self._turn("online")

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()

    async def _act(
        self,
        function: int,
        start: int,
        first: int,
        count: int,
        registers: list[int],
        values: list[int] | None,
    ) -> ExcCodes | None:
        """Bring the registers that are read up to date, or take over what is written."""
        if delay := self.faults.delay:
            await self._clock.sleep(delay)
        if self.faults.spoilt("") and self.faults.random.random() < _EXCEPTIONS:
            return ExcCodes.DEVICE_FAILURE
        table = _TABLES.get(function)
        for cell in self.cells:
            if cell.table != table or cell.first >= first + count or first >= cell.end:
                continue
            begin, end = cell.first - start, cell.end - start
            if values is not None:
                words = registers.copy()
                words[first - start : first - start + count] = values
                if not self._set(cell, words[begin:end]):
                    return ExcCodes.ILLEGAL_VALUE
            registers[begin:end] = self._said(cell)
        return None

    def _said(self, cell: Cell) -> list[int]:
        """Return the registers of a quantity, as the machine shows them now."""
        name = cell.quantity.name
        if self.faults.spoilt(name):
            size = cell.end - cell.first
            return [int(word) for word in self.faults.random.integers(0, 65_536, size)]
        if name == _ALARMS and isinstance(self.plant, Alarming):
            bits = sum(1 << n for n, alarm in enumerate(self.plant.alarms()) if alarm.active)
            return _words(cell, self.faults.shown(name, float(bits)))
        return _words(cell, self.faults.shown(name, self.plant.get(name)))

    def _set(self, cell: Cell, words: Sequence[int]) -> bool:
        """Return whether the plant took the value."""
        try:
            self.plant.set(cell.quantity.name, _number(cell, words))
        except ValueError as error:
            self._log.warning("refused quantity=%s reason=%s", cell.quantity.name, error)
            return False
        return True

    def _turn(self, state: State, problem: str = "", remedy: str = "") -> None:
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s problem=%s", state, problem or "none")


def _offered(plant: Plant) -> tuple[Quantity, ...]:
    """Return the quantities of a plant, and the word of its alarms behind them."""
    found = tuple(plant.quantities)
    if not isinstance(plant, Alarming):
        return found
    return (*found, Quantity(name=_ALARMS, low=0, high=65_535, description="one bit each"))


def _cells(quantities: Sequence[Quantity], places: Mapping[str, Place]) -> tuple[Cell, ...]:
    """Return where everything lies. Raises ValueError for a map that cannot be."""
    known = {quantity.name: quantity for quantity in quantities}
    for name in places:
        if name not in known:
            raise ValueError(f"map: no quantity is called {name!r}; known: {', '.join(known)}")
    cells = [_cell(known[name], place) for name, place in (places or _layout(quantities)).items()]
    cells.sort(key=lambda cell: (cell.table, cell.first))
    for before, cell in pairwise(cells):
        if before.table == cell.table and before.end > cell.first:
            a, b = before.quantity.name, cell.quantity.name
            raise ValueError(f"map: {a} and {b} overlap at {cell.table}/{cell.first}")
    return tuple(cells)


def _layout(quantities: Sequence[Quantity]) -> dict[str, Place]:
    """Return the map of a machine that was given none."""
    tables: dict[str, Table] = {"r": "input", "rw": "holding"}
    ends: dict[Table, int] = {"input": 0, "holding": 0}
    places = {}
    for quantity in quantities:
        table = tables[quantity.access]
        places[quantity.name] = Place(table=table, number=ends[table])
        ends[table] = _cell(quantity, places[quantity.name]).end
    return places


def _cell(quantity: Quantity, place: Place) -> Cell:
    natural: dict[str, Type] = {"number": "float32", "state": "uint16", "text": "string"}
    type = place.type or ("uint16" if quantity.name == _ALARMS else natural[quantity.kind])
    if (type == "string") != (quantity.kind == "text"):
        raise ValueError(f"map: {quantity.name} is a {quantity.kind} and cannot be a {type}")
    size = _TEXT // 2 if type == "string" else struct.calcsize(_FORMATS[type]) // 2
    end = place.number + size
    if end > 65_536:
        raise ValueError(f"map: {quantity.name} ends behind register 65535")
    return Cell(quantity, place.table, type, place.scale, place.number, end)


def _registers(cells: Sequence[Cell]) -> tuple[list[SimData], ...]:
    """Return the coils, discrete inputs, holding and input registers that the library serves."""
    # each table must hold something: the last bits, which nobody reads, or an invalid register
    bits = [SimData(4095, values=0, datatype=DataType.BITS)]
    tables = []
    for table in ("holding", "input"):
        held = [
            SimData(cell.first, count=cell.end - cell.first, datatype=DataType.REGISTERS)
            for cell in cells
            if cell.table == table
        ]
        tables.append(held or [SimData(0, datatype=DataType.INVALID)])
    return bits, bits, *tables


def _words(cell: Cell, value: float | str) -> list[int]:
    """Return the registers that hold a value, highest byte first."""
    if cell.type == "string":
        raw = str(value).encode("ascii", "replace")[:_TEXT].ljust(_TEXT, b"\0")
    else:
        if isinstance(value, str):
            value = cell.quantity.states.index(value)
        raw = _packed(_FORMATS[cell.type], value / cell.scale)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def _packed(form: str, number: float) -> bytes:
    if form[1] in "fd":
        return struct.pack(form, number)
    bits = 8 * struct.calcsize(form)
    low, high = (0, 2**bits - 1) if form[1].isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return struct.pack(form, min(max(round(number), low), high))


def _number(cell: Cell, words: Sequence[int]) -> float:
    """Return the value in registers. Raises ValueError for a text."""
    if cell.type == "string":
        raise ValueError(f"{cell.quantity.name} is a text and cannot be written")
    raw = struct.pack(f">{len(words)}H", *words)
    return float(struct.unpack(_FORMATS[cell.type], raw)[0]) * cell.scale
