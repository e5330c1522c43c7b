"""Faults by command: when each begins and ends, what is frozen, what rubbish there is."""

from __future__ import annotations

from math import isfinite

import msgspec
import pytest

from deungdae.core.types import SECOND
from deungdae.sim import plant
from deungdae.sim.plant import Plant
from deungdae.virtual._faults import KINDS, Fault, Faults
from deungdae.virtual._machine import MachineOptions, is_loopback


class HandClock:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> int:
        return round(self.passed * SECOND)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds

    async def call(self, work: object, *args: object) -> object:
        raise NotImplementedError


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def kiln() -> Plant:
    return plant.create("kiln", 1, {})


def test_without_faults_the_truth_is_shown(clock: HandClock) -> None:
    faults = Faults(clock)
    assert faults.shown("temperature", 850.0) == 850.0
    assert (faults.on, faults.dropped, faults.delay, faults.shift) == ([], False, 0, 0)


def test_a_fault_ends_in_the_machines_own_time(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="drop", seconds=10))
    clock.passed = 9.99
    assert faults.dropped
    clock.passed = 10.0
    assert not faults.dropped
    assert faults.on == []


def test_zero_seconds_is_until_cleared(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="drop", seconds=0))
    clock.passed = 1e9
    assert faults.dropped
    faults.clear("drop")
    assert not faults.dropped


def test_a_freeze_holds_what_was_true_when_it_began(clock: HandClock, kiln: Plant) -> None:
    faults = Faults(clock, plant=kiln)
    began = kiln.get("temperature")
    faults.put(Fault(kind="freeze", seconds=60))
    kiln.step(600)
    assert kiln.get("temperature") != began
    assert faults.shown("temperature", kiln.get("temperature")) == began


def test_without_a_plant_a_freeze_holds_what_is_shown_first(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="freeze"))
    assert [faults.shown("count", value) for value in (7.0, 8.0)] == [7.0, 7.0]


def test_a_second_freeze_holds_anew(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="freeze", seconds=5))
    assert faults.shown("count", 1.0) == 1.0
    clock.passed = 6.0  # over, and nobody looked meanwhile
    faults.put(Fault(kind="freeze", seconds=5))
    assert faults.shown("count", 9.0) == 9.0


def test_a_freeze_of_one_quantity_leaves_the_others(clock: HandClock, kiln: Plant) -> None:
    faults = Faults(clock, plant=kiln)
    before = kiln.get("valve")
    faults.put(Fault(kind="freeze", quantity="valve"))
    assert faults.shown("valve", 1.0) == before
    assert faults.shown("temperature", 1.0) == 1.0


def test_clearing_one_quantity_leaves_a_fault_of_all(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="freeze", quantity="a"))
    faults.put(Fault(kind="freeze"))
    assert faults.shown("a", 1.0) == 1.0
    faults.clear("freeze", "a")
    assert [fault.quantity for fault in faults.on] == [""]
    assert faults.shown("a", 2.0) == 2.0  # by the freeze of all, which saw it first now
    assert faults.shown("a", 3.0) == 2.0
    faults.clear()
    assert faults.shown("a", 4.0) == 4.0


def test_one_of_the_same_kind_and_quantity_is_replaced(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="slow", amount=2))
    faults.put(Fault(kind="slow", amount=3))
    assert faults.delay == 3
    faults.put(Fault(kind="rubbish", quantity="a"))
    faults.put(Fault(kind="rubbish", quantity="b"))
    assert len(faults.on) == 3
    faults.clear("rubbish")
    assert [fault.kind for fault in faults.on] == ["slow"]


def test_a_clock_jumps_ahead_and_back(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="jump", amount=-1.8e9))
    assert faults.shift == -1_800_000_000 * SECOND


@pytest.mark.parametrize("truth", [850.0, "running"])
def test_rubbish_is_repeatable_and_keeps_numbers_apart_from_texts(
    clock: HandClock, truth: float | str
) -> None:
    def said() -> list[str]:
        faults = Faults(clock, seed=3)
        faults.put(Fault(kind="rubbish"))
        said = [faults.shown("a", truth) for _ in range(60)]
        assert all(type(one) is type(truth) for one in said)
        assert sum(one == truth for one in said) < 5
        return [repr(one) for one in said]

    assert said() == said()


def test_rubbish_has_numbers_that_are_none(clock: HandClock) -> None:
    faults = Faults(clock)
    faults.put(Fault(kind="rubbish", quantity="a"))
    said = [faults.shown("a", 5.0) for _ in range(60)]
    assert {isfinite(one) for one in said if isinstance(one, float)} == {True, False}
    assert (faults.spoilt("a"), faults.spoilt("b"), faults.spoilt("")) == (True, False, False)
    faults.put(Fault(kind="rubbish"))
    assert faults.spoilt("")


def test_what_is_frozen_is_not_rubbish(clock: HandClock, kiln: Plant) -> None:
    faults = Faults(clock, plant=kiln)
    faults.put(Fault(kind="rubbish"))
    faults.put(Fault(kind="freeze", quantity="valve"))
    assert (faults.spoilt("valve"), faults.spoilt("load")) == (False, True)
    assert {faults.shown("valve", 9.0) for _ in range(20)} == {kiln.get("valve")}


def test_a_quantity_that_is_not_there_is_named(clock: HandClock, kiln: Plant) -> None:
    faults = Faults(clock, plant=kiln)
    for kind in ("freeze", "rubbish"):
        with pytest.raises(ValueError, match=r"no quantity is called 'heat'; known: valve"):
            faults.put(msgspec.convert({"kind": kind, "quantity": "heat"}, Fault))
    assert faults.on == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": "drop", "seconds": -1}, "seconds must be 0"),
        ({"kind": "drop", "seconds": float("inf")}, "seconds must be 0"),
        ({"kind": "slow", "amount": -1}, "slow: amount must be"),
        ({"kind": "slow", "amount": float("nan")}, "slow: amount must be"),
        ({"kind": "jump", "amount": float("nan")}, "jump: amount must be"),
        ({"kind": "drop", "quantity": "valve"}, "drop is of the whole machine"),
        ({"kind": "explode"}, "explode"),
        ({"kind": "drop", "second": 1}, "second"),
    ],
)
def test_absurd_faults_are_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert(given, Fault)


def test_the_kinds_are_five() -> None:
    assert set(KINDS) == {"drop", "freeze", "rubbish", "slow", "jump"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "plant.example"])
def test_only_an_open_machine_listens_beyond_this_computer(host: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="open = true"):
        msgspec.convert({"host": host}, MachineOptions)
    assert msgspec.convert({"host": host, "open": True}, MachineOptions).host == host


def test_this_computer_has_several_names() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost"))
