"""The simulated machine: the same run each time, honest marks, writes with read-back."""

from __future__ import annotations

from contextlib import aclosing
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from deungdae.core.clock import RealClock, SimulatedClock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Driver
from deungdae.core.types import SECOND, Batch, Command, Event, Permit, Signal, severity
from deungdae.machines.simulated import Simulated

START = 1_790_000_000 * SECOND
KILN = {
    1: Signal(id="k.temperature", unit="K", source_unit="Cel", source="k:temperature"),
    2: Signal(id="k.valve", unit="%", access="rw", source="k:valve"),
}


def permit(signal: str, value: float) -> Permit:
    command = Command(
        id="1", signal=signal, value=value, origin="t", because="t", issued=0, expires=1
    )
    return Permit(command=command, granted=0, mode="auto")


def run(
    signals: dict[int, Signal], count: int, **options: object
) -> tuple[list[Batch], list[Event], Simulated]:
    """Return what a fresh machine tells in its first items, in simulated time."""
    clock = SimulatedClock(START)
    driver = Simulated("k", msgspec.convert(options, Simulated.Options), clock)
    batches: list[Batch] = []
    events: list[Event] = []

    async def listen() -> None:
        await driver.connect()
        async with aclosing(driver.stream(signals)) as stream:  # type: ignore[type-var]
            async for item in stream:
                if isinstance(item, Batch):
                    batches.append(item)
                else:
                    events.extend(item)
                if len(batches) == count:
                    break

    clock.run(listen())
    return batches, events, driver


def test_it_is_a_driver() -> None:
    assert isinstance(Simulated("k", Simulated.Options(), RealClock()), Driver)


def test_the_same_seed_gives_the_same_run_and_time_passes_by_the_period() -> None:
    first, _, _ = run(KILN, 50, period=2.0, seed=3)
    second, _, _ = run(KILN, 50, period=2.0, seed=3)
    other, _, _ = run(KILN, 50, period=2.0, seed=4)
    values = [Batch.merge(batches).value.tolist() for batches in (first, second, other)]
    assert values[0] == values[1] != values[2]
    times = Batch.merge(first).time
    assert times[0] == START
    assert times[-1] == START + 49 * 2 * SECOND


def test_values_are_in_the_signals_unit_and_marked_as_not_measured() -> None:
    (batch,), _, _ = run(KILN, 1)
    assert batch.signal.tolist() == [1, 2]
    assert batch.value[0] == pytest.approx(1150 + 273.15, abs=3)
    assert (severity(batch.status) == 0).all()
    assert not batch.status.any()


def test_states_are_told_when_they_change() -> None:
    signals = {
        1: Signal(id="p.count", source="p:count"),
        2: Signal(id="p.state", kind="state", source="p:state"),
    }
    batches, events, _ = run(signals, 2000, model="press", period=10.0)
    states = [event.value for event in events]
    assert states[0] == "running"
    assert {"running", "idle", "down"} <= set(states)
    assert all(before != after for before, after in pairwise(states))
    counts = Batch.merge(batches).value
    assert (np.diff(counts) >= 0).all()


def test_what_does_not_exist_is_bad_and_named() -> None:
    signals = KILN | {
        3: Signal(id="k.flap", source="k:flap"),
        4: Signal(id="k.words", kind="state", source="k:valve"),
    }
    batches, events, driver = run(signals, 2)
    assert batches[0].signal.tolist() == [3]
    assert severity(batches[0].status).tolist() == [2]
    assert [(event.id, event.status) for event in events] == [("k.words", 2)]
    assert batches[1].signal.tolist() == [1, 2]
    assert driver.health.state == "degraded"
    assert "temperature" in driver.health.signals["k.flap"]
    assert "is a number" in driver.health.signals["k.words"]


def test_writing_sets_and_reads_back_in_the_signals_unit() -> None:
    clock = SimulatedClock(START)
    driver = Simulated("k", Simulated.Options(), clock)
    share = Signal(id="k.valve", unit="1", source_unit="%", access="rw", source="k:valve")

    async def work() -> None:
        with pytest.raises(DoorError, match="not started"):
            await driver.write(permit("k.valve", 0.4), share)
        await driver.connect()
        assert await driver.write(permit("k.valve", 0.4), share) == pytest.approx(0.4)
        assert await driver.write(permit("k.valve", 7.0), share) == 1.0  # as far as it goes
        with pytest.raises(DoorError, match="only be read"):
            await driver.write(permit("k.temperature", 1.0), KILN[1])
        await driver.close()

    clock.run(work())
    assert driver.health.state == "stopped"


def test_browsing_gives_what_can_be_collected() -> None:
    clock = SimulatedClock(START)
    driver = Simulated("k", Simulated.Options(), clock)

    async def browse() -> dict[str, str]:
        await driver.connect()
        return {node.address: node.access async for node in driver.browse()}

    assert clock.run(browse())["valve"] == "rw"


@pytest.mark.parametrize(
    "options", [{"model": "oven"}, {"parameters": {"speed": 1.0}}, {"parameters": {"valve": 101.0}}]
)
def test_a_model_that_cannot_be_built_is_refused_before_the_start(options: object) -> None:
    with pytest.raises(ValueError, match=r"oven|speed|valve"):
        msgspec.convert(options, Simulated.Options)
