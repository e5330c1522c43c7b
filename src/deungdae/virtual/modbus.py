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
from deungdae.sim import plant
from deungdae.sim.plant import Quantity

Table: TypeAlias = Literal["input", "holding"]
Type: TypeAlias = Literal["int16", "uint16", "int32", "uint32", "float32", "float64", "string"]
State: TypeAlias = Literal["online", "offline", "stopped"]
_FORMATS = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f", "float64": ">d",
}  # fmt: skip
_TEXT = 32  # characters of a string
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
    numbers as float32, states as uint16 (0 for the first state), texts as 32 characters. The
    highest byte comes first (`ABCD`). It answers under every unit id; what it does not hold gets
    exception 2. `deungdae discover` lists it.

    ```toml
    [virtual.kiln]
    type = "modbus"
    model = "kiln"
    port = 5020

    [virtual.kiln.map]                       # or leave the map away
    temperature = { table = "input", number = 100, type = "int16", scale = 0.1 }
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        model: Annotated[str, Meta(description="What it simulates: a model of sim/plant")] = "kiln"
        seed: Annotated[int, Meta(ge=0, description="The same seed gives the same machine")] = 1
        parameters: Annotated[
            dict[str, float], Meta(description="Parameters of the model that differ from its own")
        ] = {}
        host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 5020
        step: Annotated[
            float, Meta(gt=0, le=60, description="How often time moves on", extra={"unit": "s"})
        ] = 0.1
        map: Annotated[
            dict[str, Place],
            Meta(description="Where each quantity lies; quantities that it leaves out are hidden"),
        ] = {}

        def __post_init__(self) -> None:
            machine = plant.create(self.model, self.seed, self.parameters)
            _cells(machine.quantities, self.map)

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self.plant = plant.create(options.model, options.seed, options.parameters)
        self.cells = _cells(self.plant.quantities, options.map)
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        where = f"{self.options.host}:{self.options.port}"
        device = SimDevice(0, simdata=_registers(self.cells), action=self._act)
        server = ModbusTcpServer(device, address=(self.options.host, self.options.port))
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            remedy = "is it in use? choose another port, above 1023"
            self._turn("offline", f"cannot listen on {where}", remedy)
            raise Unreachable(f"{self.name} cannot listen on {where}", remedy=remedy) from error
        self._turn("online")
        try:
            await self._live()
        finally:
            await server.shutdown()
            self._turn("stopped")

    async def _live(self) -> None:
        then = self._clock.monotonic()
        while True:
            await self._clock.sleep(self.options.step)
            now = self._clock.monotonic()
            self.plant.step(now - then)
            then = now

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
            registers[begin:end] = _words(cell, self.plant.get(cell.quantity.name))
        return None

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
    type = place.type or natural[quantity.kind]
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
