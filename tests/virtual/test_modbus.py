"""The virtual Modbus machine without a wire: its map, its registers, what it refuses."""

from __future__ import annotations

import struct
import tomllib

import msgspec
import pytest
from pymodbus.constants import ExcCodes

from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Bridge
from deungdae.sim import plant
from deungdae.sim.plant.parts import Alarming, Driven
from deungdae.virtual._faults import Fault
from deungdae.virtual.modbus import Modbus

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY = 3, 4, 6, 16


def make(**options: object) -> Modbus:
    return Modbus("kiln", msgspec.convert(options, Modbus.Options), RealClock())


async def act(
    machine: Modbus, function: int, first: int, count: int, values: list[int] | None = None
) -> tuple[list[int], ExcCodes | None]:
    """Return the registers after an access, and how it was refused."""
    registers = [0] * 200
    refused = await machine._act(function, 0, first, count, registers, values)
    return registers[first : first + count], refused


def as_float(words: list[int]) -> float:
    return float(struct.unpack(">f", struct.pack(">HH", *words))[0])


def test_it_is_a_bridge() -> None:
    assert isinstance(make(), Bridge)


@pytest.mark.parametrize("model", plant.models())
def test_without_a_map_everything_lies_in_order_without_gaps(model: str) -> None:
    machine = make(model=model)
    alarms = {"alarms"} if isinstance(machine.plant, Alarming) else set()
    assert {cell.quantity.name for cell in machine.cells} - alarms == {
        quantity.name for quantity in machine.plant.quantities
    }
    for table in ("input", "holding"):
        cells = [cell for cell in machine.cells if cell.table == table]
        assert [cell.first for cell in cells] == [0, *(cell.end for cell in cells)][: len(cells)]
        assert all((cell.quantity.access == "rw") == (table == "holding") for cell in cells)


async def test_the_word_of_alarms_lies_behind_all_and_has_a_bit_for_each() -> None:
    machine = make(model="palletiser")
    (cell,) = [cell for cell in machine.cells if cell.quantity.name == "alarms"]
    assert (cell.type, cell.first) == ("uint16", max(c.first for c in machine.cells))
    assert isinstance(machine.plant, Driven)
    for state, word in (("running", 0), ("down", 1), ("running", 0)):
        machine.plant.drive(state, 0.5)
        words, _ = await act(machine, READ_INPUT, cell.first, 1)
        assert words == [word]


async def test_reads_give_what_the_plant_says_now() -> None:
    machine = make(model="kiln")
    machine.plant.step(60.0)
    words, refused = await act(machine, READ_INPUT, 0, 2)
    assert refused is None
    assert as_float(words) == pytest.approx(machine.plant.get("temperature"))


async def test_writes_reach_the_plant() -> None:
    machine = make(model="kiln")
    words = list(struct.unpack(">HH", struct.pack(">f", 12.5)))
    assert (await act(machine, WRITE_MANY, 0, 2, words))[1] is None
    assert machine.plant.get("valve") == 12.5


async def test_what_is_no_number_is_refused() -> None:
    machine = make(model="kiln")
    before = machine.plant.get("valve")
    _, refused = await act(machine, WRITE_ONE, 0, 1, [0x7FC0])
    assert refused is ExcCodes.ILLEGAL_VALUE
    assert machine.plant.get("valve") == before


async def test_what_can_only_be_read_is_refused() -> None:
    machine = make(model="kiln", map={"temperature": {"table": "holding", "number": 4}})
    words = list(struct.unpack(">HH", struct.pack(">f", 20.0)))
    assert (await act(machine, WRITE_MANY, 4, 2, words))[1] is ExcCodes.ILLEGAL_VALUE


async def test_a_map_chooses_place_type_and_scale() -> None:
    place = {"table": "input", "number": 100, "type": "int16", "scale": 0.1}
    machine = make(model="kiln", map={"temperature": place})
    (word,), _ = await act(machine, READ_INPUT, 100, 1)
    assert word * 0.1 == pytest.approx(machine.plant.get("temperature"), abs=0.051)
    assert len(machine.cells) == 1


async def test_an_energy_meter_has_floats_where_its_maker_put_them() -> None:
    example = tomllib.loads((Modbus.__doc__ or "").partition("```toml")[2].partition("```")[0])
    table = example["virtual"]["meter"]
    machine = make(model=table["model"], map=table["map"])
    machine.plant.step(3600.0)
    words, refused = await act(machine, READ_INPUT, 72, 2)
    assert refused is None
    assert 0 < as_float(words) == pytest.approx(machine.plant.get("energy"))
    watts = as_float((await act(machine, READ_INPUT, 52, 2))[0])
    assert watts == pytest.approx(1000 * float(machine.plant.get("power")))


async def test_integers_stop_at_their_ends() -> None:
    place = {"table": "input", "number": 0, "type": "int16", "scale": 0.001}
    machine = make(model="kiln", map={"temperature": place})
    assert (await act(machine, READ_INPUT, 0, 1))[0] == [32767]


async def test_states_are_their_place_in_the_list() -> None:
    machine = make(model="press")
    cell = next(cell for cell in machine.cells if cell.quantity.kind == "state")
    (word,), _ = await act(machine, READ_INPUT, cell.first, 1)
    assert cell.quantity.states[word] == machine.plant.get(cell.quantity.name)


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ({"heat": {"table": "input", "number": 0}}, "no quantity is called 'heat'"),
        (
            {
                "temperature": {"table": "input", "number": 0},
                "power": {"table": "input", "number": 1},
            },
            "overlap at input/1",
        ),
        ({"power": {"table": "input", "number": 65535}}, "ends behind register 65535"),
        ({"power": {"table": "input", "number": 0, "type": "string"}}, "cannot be a string"),
    ],
)
def test_a_map_that_cannot_be_says_why(places: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make(map=places)


async def test_a_frozen_machine_stays_as_it_was_when_the_freeze_began() -> None:
    machine = make(model="kiln")
    before, _ = await act(machine, READ_INPUT, 0, 2)
    machine.faults.put(Fault(kind="freeze", quantity="temperature"))
    machine.plant.step(3600.0)
    assert (await act(machine, READ_INPUT, 0, 2))[0] == before
    machine.faults.clear("freeze")
    assert (await act(machine, READ_INPUT, 0, 2))[0] != before


async def test_rubbish_of_one_quantity_is_in_its_registers_alone() -> None:
    machine = make(model="kiln")
    cell = next(cell for cell in machine.cells if cell.quantity.name == "gas_flow")
    true, _ = await act(machine, READ_INPUT, 0, 10)
    machine.faults.put(Fault(kind="rubbish", quantity="gas_flow"))
    said = [(await act(machine, READ_INPUT, 0, 10)) for _ in range(40)]
    assert {refused for _, refused in said} == {None}
    assert len({tuple(words[cell.first : cell.end]) for words, _ in said}) > 30
    assert all(words[: cell.first] == true[: cell.first] for words, _ in said)


async def test_a_machine_that_talks_rubbish_refuses_some_requests() -> None:
    machine = make(model="press")
    machine.faults.put(Fault(kind="rubbish"))
    said = [(await act(machine, READ_INPUT, 0, 10))[1] for _ in range(40)]
    assert {ExcCodes.DEVICE_FAILURE, None} == set(said)


async def test_a_port_in_use_is_told() -> None:
    machine = make(host="203.0.113.1", open=True)  # RFC 5737: nobody has this address
    with pytest.raises(Unreachable, match="cannot listen") as caught:
        await machine.serve()
    assert caught.value.remedy
    assert machine.health.state == "offline"
