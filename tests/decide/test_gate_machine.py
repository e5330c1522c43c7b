"""No sequence of events whatever yields a permit that breaks a rule: checked by a second opinion.

`World` holds a machine and an oracle that knows the truth: what the machine really holds, whatever
was polled, lost or restarted. It judges each permit by itself, without the gate's code.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from deungdae.core import strict
from deungdae.core.errors import Refused
from deungdae.core.types import SECOND, Command, Permit, Signal
from deungdae.decide.gate import MODES, RULES, Gate, State
from deungdae.model.factory import Factory, Identity

VALVE, DOOR, BEAT = "kiln.valve", "kiln.door", "kiln.beat"
LOW, HIGH, STEP, RATE, INTERVAL, AGE, SLACK, LIFE = 10.0, 90.0, 5.0, 1.0, 2.0, 10.0, 0.08, 60.0
TIMEOUT = 30.0
FACTORY = Factory(
    path=Path("factory.toml"),
    identity=Identity(id="works"),
    signals={
        VALVE: Signal(id=VALVE, low=0, high=100, access="rw", source="plc:1"),
        DOOR: Signal(id=DOOR, source="plc:2"),
        BEAT: Signal(id=BEAT, access="rw", source="plc:3"),
    },
)
TABLE: dict[str, Any] = {
    "mode": "auto",
    "max_expiry": LIFE,
    "writable": [
        {
            "signal": VALVE,
            "low": LOW,
            "high": HIGH,
            "step": STEP,
            "rate": RATE,
            "interval": INTERVAL,
            "age": AGE,
            "interlocks": [{"signal": DOOR, "low": 1}],
        }
    ],
    "watchdog": [{"signal": BEAT, "timeout": TIMEOUT}],
}


class Seen(msgspec.Struct, frozen=True):
    value: float
    time: int
    status: int = 0


class World:
    """A valve, a door, people, a clock and a gate. Times in s are floats, else ns."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND
        self.truth = 50.0
        self.door = 1.0
        self.seen: dict[str, Seen] = {}
        self.killed = self.held = False
        self.mode = "auto"
        self.granted: set[str] = set()
        self.last: int | None = None  # when the last write was granted that may have landed
        self.flight: Permit | None = None
        self.alive: int | None = None
        self.count = 0
        self.permits = 0
        self.refusals: set[str] = set()
        self.gate = self.build()
        self.poll(0, 0, 0)
        self.beat(True)

    def build(self) -> Gate:
        options, problems = strict.decode(Gate.Options, TABLE)
        assert options is not None, problems
        return Gate("gate", options, FACTORY)

    def reading(self, id: str) -> Seen | None:
        return self.seen.get(id)

    def wait(self, seconds: float) -> None:
        """Let time pass; back where seconds < 0, as a clock does that is set."""
        self.now += round(seconds * SECOND)

    def poll(self, status: int, door_status: int, age: float) -> None:
        """Read the valve through a float32 register, and the door; what is old comes again."""
        moment = self.now - round(age * SECOND)
        rounded = struct.unpack("f", struct.pack("f", self.truth))[0]
        if age:
            old = self.seen[VALVE]
            self.seen[VALVE] = Seen(old.value, min(old.time, moment), status)
        else:
            self.seen[VALVE] = Seen(rounded, moment, status)
        self.seen[DOOR] = Seen(self.door, self.now, door_status)

    def operate(self, value: float) -> None:
        """A person turns the valve; it is polled at once."""
        if self.flight is None:
            self.truth = value
            self.now += 1
            self.poll(0, 0, 0)

    def ask(self, value: float, relative: bool, life: float, age: float, id: str = "") -> None:
        """A policy asks for a value, near the true one perhaps."""
        self.count += 1
        issued = self.now - round(age * SECOND)
        wish = Command(
            id=id or f"c{self.count}",
            signal=VALVE,
            value=self.truth + value if relative else value,
            origin="policy",
            because="test",
            issued=issued,
            expires=issued + round(life * SECOND),
        )
        try:
            verdict = self.gate.judge(wish, self.now, self)
        except Refused as refused:
            self.refusals.add(refused.rule)
        else:
            if isinstance(verdict, Permit):
                self.check(verdict, ("auto",))
            else:
                assert self.mode in ("advise", "approve")

    def approve(self) -> None:
        """A person approves whatever waits."""
        for proposal in self.gate.proposals(self.now):
            try:
                permit = self.gate.approve(proposal.command.id, "kim", self.now, self)
            except Refused as refused:
                self.refusals.add(refused.rule)
            else:
                assert permit.approver == "kim"
                self.check(permit, ("approve", "auto"))

    def check(self, permit: Permit, modes: tuple[str, ...]) -> None:
        """Judge the gate: none of this may rest on what it says of itself but the time."""
        wish, now = permit.command, permit.granted
        assert 0 <= now - self.now <= SECOND
        assert not self.killed
        assert not self.held
        assert self.mode in modes
        assert wish.id not in self.granted
        assert now < wish.expires
        assert wish.expires - wish.issued <= LIFE * SECOND
        assert math.isfinite(wish.value)
        assert LOW <= wish.value <= HIGH
        for id in (VALVE, DOOR):
            seen = self.seen[id]
            assert seen.status == 0
            assert abs(now - seen.time) <= AGE * SECOND
        assert self.seen[DOOR].value >= 1
        assert self.alive is not None
        assert now - self.alive <= TIMEOUT * SECOND
        change = abs(wish.value - self.truth)
        assert change <= STEP + SLACK
        if self.last is not None:
            assert now - self.last >= INTERVAL * SECOND
            assert change <= RATE * (now - self.last) / SECOND + SLACK
        assert self.flight is None or self.flight.command.expires + 60 * SECOND <= now
        self.granted.add(wish.id)
        self.permits += 1
        self.flight = permit

    def write(self, landed: bool, told: str, wait: float) -> None:
        """Carry the permit that is under way to the machine; land, and tell the gate, or not."""
        if self.flight is None:
            return
        permit, self.flight = self.flight, None
        self.wait(wait)
        try:
            self.gate.recheck(permit, self.now)
        except Refused:
            return
        assert not self.killed
        assert self.now - SECOND < permit.command.expires
        assert self.mode in ("approve", "auto")
        if landed:
            self.truth = permit.command.value
        self.last = permit.granted
        if told == "confirm":
            finding = self.gate.confirm(permit, self.truth, self.now)
            missed = abs(self.truth - permit.command.value) > SLACK
            assert (finding is not None) == missed
            self.held = self.held or missed
        elif told == "lost":
            self.gate.lost(permit, self.now)
        else:
            self.flight = permit  # the runtime died here

    def beat(self, taken: bool) -> None:
        """Carry the heartbeats that are due."""
        for wish in self.gate.heartbeats(self.now):
            try:
                permit = self.gate.judge(wish, self.now, self)
            except Refused:
                return
            assert isinstance(permit, Permit)
            assert not self.killed
            assert self.mode in ("approve", "auto")
            assert permit.command.value in (0, 1)
            if taken:
                self.gate.confirm(permit, None, self.now)
                self.alive = permit.granted
            else:
                self.gate.lost(permit, self.now)

    def kill(self) -> None:
        self.gate.kill("kim", "smoke", self.now)
        self.killed = True

    def release(self) -> None:
        self.gate.release("kim", self.now)
        self.killed = False

    def clear(self) -> None:
        self.gate.clear(VALVE, "kim")
        self.held = False

    def switch(self, mode: str) -> None:
        self.gate.switch(msgspec.convert(mode, Any), "kim")
        self.mode = mode

    def restart(self) -> None:
        """The runtime dies and comes back with what its journal holds."""
        state = msgspec.json.decode(msgspec.json.encode(self.gate.state()), type=State)
        if self.flight is not None:
            self.last, self.flight = self.flight.granted, None
        self.gate = self.build()
        self.gate.restore(state)
        self.alive = None


STATUS = st.sampled_from([0, 0, 0, 0, 1, 2, 0x10, 0x20, 0x40])
NUMBERS = st.one_of(
    st.floats(-8, 8), st.sampled_from([0.0, 5.0, -5.0, 5.01, math.nan, math.inf, -math.inf])
)


class AnySequence(RuleBasedStateMachine):
    """Everything that can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(seconds=st.one_of(st.floats(0, 20), st.sampled_from([-0.5, -5.0, -3600.0, 3600.0])))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(status=STATUS, door=STATUS, age=st.sampled_from([0.0, 0.0, 5.0, 11.0]))
    def poll(self, status: int, door: int, age: float) -> None:
        self.world.poll(status, door, age)

    @rule(value=st.floats(0, 100))
    def operate(self, value: float) -> None:
        self.world.operate(value)

    @rule(value=st.sampled_from([0.0, 1.0]))
    def door(self, value: float) -> None:
        self.world.door = value

    @rule(
        value=NUMBERS,
        relative=st.booleans(),
        life=st.sampled_from([0.0, 3.0, 30.0, 60.0, 61.0]),
        age=st.sampled_from([0.0, 0.0, 2.0, 40.0, -5.0]),
        id=st.sampled_from(["", "", "again"]),
    )
    def ask(self, value: float, relative: bool, life: float, age: float, id: str) -> None:
        self.world.ask(value, relative, life, age, id)

    @rule(value=st.floats(-5, 5), wait=st.floats(0, 5))
    def ask_well(self, value: float, wait: float) -> None:
        self.world.wait(wait)
        self.world.beat(True)
        self.world.poll(0, 0, 0)
        self.world.ask(value, True, 30.0, 0.0)

    @rule(
        landed=st.booleans(),
        told=st.sampled_from(["confirm", "lost", "nothing"]),
        wait=st.sampled_from([0.0, 1.0, 40.0]),
    )
    def write(self, landed: bool, told: str, wait: float) -> None:
        self.world.write(landed, told, wait)

    @rule(taken=st.booleans())
    def beat(self, taken: bool) -> None:
        self.world.beat(taken)

    @rule(mode=st.sampled_from([*MODES, "auto", "auto"]))
    def switch(self, mode: str) -> None:
        self.world.switch(mode)

    @rule()
    def approve(self) -> None:
        self.world.approve()

    @rule()
    def kill(self) -> None:
        self.world.kill()

    @rule()
    def release(self) -> None:
        self.world.release()

    @rule()
    def clear(self) -> None:
        self.world.clear()

    @rule()
    def restart(self) -> None:
        self.world.restart()


AnySequence.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAnySequence = AnySequence.TestCase


def test_many_seeded_commands_never_break_a_rule() -> None:
    world, random = World(), np.random.default_rng(20261123)
    rare: list[Any] = [
        world.kill,
        world.restart,
        lambda: world.switch(str(random.choice(MODES))),
        lambda: world.operate(float(random.uniform(0, 100))),
        lambda: world.wait(float(random.choice([-3600, -3, 3600]))),
        lambda: setattr(world, "door", float(random.integers(2))),
    ]
    states = [0] * 12 + [2, 16]
    for _ in range(20_000):
        world.wait(float(random.exponential(3)))
        world.beat(bool(random.random() < 0.95))
        status, door = (int(value) for value in random.choice(states, 2))
        world.poll(status, door, float(random.choice([0, 0, 0, 5, 20])))
        again = f"c{world.count}" if random.random() < 0.1 else ""
        world.ask(float(random.uniform(-7, 7)), bool(random.random() < 0.9), 30.0, 0.0, again)
        world.approve()
        world.write(
            bool(random.random() < 0.9), str(random.choice(["confirm", "confirm", "lost"])), 0.5
        )
        if random.random() < 0.02:
            rare[random.integers(len(rare))]()
        elif random.random() < 0.05:
            world.release()
            world.clear()
            world.switch(str(random.choice(["auto", "approve"])))
            world.door = 1.0
    assert world.permits > 1000  # or nothing was tried
    assert world.refusals <= set(RULES)
