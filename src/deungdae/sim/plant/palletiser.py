"""A palletising robot: a six-axis arm that stacks bricks, place by place."""

from __future__ import annotations

from collections.abc import Mapping
from math import degrees, exp
from typing import Annotated

import msgspec
import numpy as np

from deungdae.sim.robot import Arm, Cell, Round, forward, palletise

from .cycle import COUNT, ENERGY, PART, POWER, STATE, Cycle
from .parts import Alarm, NotNegative, Percent, Quantity, clipped, known, length, settable

_JUST = 1e-9  # s, by which a step goes beyond an edge rather than end before it
_LEAST = 0.05  # of full speed, where the override stands at 0


class PalletiserParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A robot and its cell; see sim/robot for the arm. Powers in kW, times in s."""

    layers: Annotated[int, msgspec.Meta(ge=1, le=8)] = 6
    grip: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.35  # to close, and to open
    wait: NotNegative = 2.5  # for the next brick, in a cycle, while it is not driven; mean
    override: Percent = 100.0  # of its speed
    drop: Annotated[float, msgspec.Meta(ge=0, le=0.1)] = 0.0005  # share of bricks that slip
    power_idle: NotNegative = 0.25
    power_moving: NotNegative = 0.35  # more, with a joint at full speed
    power_off: NotNegative = 0.02
    warm: Annotated[float, msgspec.Meta(ge=0, le=60)] = 18.0  # of the motors, at work, K
    ambient: Annotated[float, msgspec.Meta(ge=-20, le=50)] = 25.0  # Cel


class Palletiser:
    """Each cycle picks a brick, lifts it, goes across, places it and comes back.

    How long that takes depends on the place; a line that drives it stretches the movement over
    its own cycle. The next pallet comes when the last place is taken.
    """

    quantities = (
        STATE,
        COUNT,
        Quantity(name="pallet_count", low=0, description="full pallets, in all"),
        Quantity(name="on_pallet", low=0, high=1000, description="bricks on the pallet"),
        Quantity(
            name="override", unit="%", low=0, high=100, access="rw",
            description="of full speed; below 5 % it creeps",
        ),
        Quantity(
            name="reject", low=0, high=1, access="rw",
            description="1: what it grips is put aside, not on the pallet",
        ),
        *(Quantity(name=f"joint{n}", unit="deg", low=-360, high=360, description="angle of axis")
          for n in range(1, 7)),
        *(Quantity(name=axis, unit="mm", low=-2000, high=2000, description="where it grips")
          for axis in "xyz"),
        Quantity(name="gripper", kind="state", states=("open", "closed"), description="gripper"),
        Quantity(name="cycle_time", unit="s", low=0, high=3600, description="of the last brick"),
        Quantity(name="dropped", low=0, description="bricks that slipped, in all"),
        Quantity(name="temperature", unit="Cel", low=-50, high=200, description="of its motors"),
        POWER,
        ENERGY,
        PART,
    )  # fmt: skip

    def __init__(self, parameters: PalletiserParameters, random: np.random.Generator) -> None:
        p = self._p = parameters
        self._random = random
        self._arm = Arm()
        self._cell = Cell(layers=p.layers, grip=p.grip)
        self._places = len(self._cell.places)
        self._rounds: dict[int, Round] = {}
        self._override = p.override
        self._reject = 0.0
        self._on = self._pallets = self._dropped = 0
        self._round = self._planned()
        self._cycle = Cycle(1.0)
        self._wait = 0.0  # s, until the present brick is there
        self._plan()
        self._energy = 0.0
        self._temperature = p.ambient

    def step(self, dt: float) -> None:
        left = length(dt)
        while left > 0:
            passed = left if self._cycle.driven else min(left, self._next)
            left -= passed
            self._pass(passed)

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if self._cycle.drive(state, phase, product):
            self._placed()

    def tell(self, name: str, text: str) -> None:
        """Show what a line says of its parts."""
        self._cycle.told[name] = text

    @property
    def pallet(self) -> str:
        """Return the pallet onto which it has put the last part."""
        return f"P-{self._pallets + (self._on > 0):06d}"

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the counters of another robot."""
        self._cycle.count = int(values.get("count", self._cycle.count))
        self._pallets = int(values.get("pallet_count", self._pallets))
        self._energy = values.get("energy", self._energy)

    def get(self, name: str) -> float | str:
        known(self.quantities, name)
        joints, held = self._round.at(self._time)
        if name.startswith("joint"):
            return degrees(joints[int(name[5:]) - 1])
        if name in {"x", "y", "z"}:
            return 1000 * float(forward(self._arm, joints)["xyz".index(name), 3])
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "count": float(self._cycle.count),
            "pallet_count": float(self._pallets),
            "on_pallet": float(self._on),
            "override": self._override,
            "reject": self._reject,
            "gripper": "closed" if held else "open",
            "cycle_time": self._cycle.length,
            "dropped": float(self._dropped),
            "temperature": self._temperature,
            "power": self._power,
            "energy": self._energy,
            "part": self._cycle.told.get("part", ""),
        }
        return values[name]

    def set(self, name: str, value: float) -> None:
        taken = clipped(settable(self.quantities, name, value), value)
        if name == "reject":
            self._reject = float(taken >= 0.5)
        else:
            self._override = taken

    def alarms(self) -> tuple[Alarm, ...]:
        return (
            Alarm(
                name="protective_stop",
                active=self._cycle.state == "down",
                severity=700,
                message="the robot has stopped by itself; look before it is started again",
                quantity="state",
            ),
        )

    @property
    def pace(self) -> float:
        """Return how fast it is set to run; 1: at full speed."""
        return max(self._override / 100, _LEAST)

    @property
    def _next(self) -> float:
        """Return how long it goes on as it does now, s: waiting, or moving."""
        into = self._cycle.phase * self._cycle.length
        ends = self._wait if into < self._wait else self._cycle.length
        return ends - into + _JUST

    @property
    def _time(self) -> float:
        """Return how far the movement is, in its own time."""
        wait = 0.0 if self._cycle.driven else self._wait / self._cycle.length
        moving = (self._cycle.phase - wait) / (1 - wait)
        return max(moving, 0.0) * self._round.time

    @property
    def _power(self) -> float:
        p = self._p
        if self._cycle.state in {"off", "maintenance"}:
            return p.power_off
        if not self._cycle.running or self._time <= 0:
            return p.power_idle
        return p.power_idle + p.power_moving * 0.6  # mean of a cycle's speeds

    def _pass(self, passed: float) -> None:
        self._energy += self._power * passed / 3600
        warm = self._p.ambient + self._p.warm * self._cycle.running
        self._temperature += (warm - self._temperature) * (1 - exp(-passed / 2400.0))
        for _ in range(self._cycle.step(passed)):
            self._placed()

    def _placed(self) -> None:
        """Count a brick, and plan the next."""
        if self._random.random() < self._p.drop:
            self._dropped += 1
        elif not self._reject:
            self._on += 1
        if self._on == self._places:
            self._on = 0
            self._pallets += 1
        self._round = self._planned()
        self._plan()

    def _plan(self) -> None:
        """Find how long the present cycle takes, while nobody else says so."""
        if not self._cycle.driven:
            self._wait = self._p.wait * float(self._random.uniform(0.5, 1.5))
            self._cycle.length = self._wait + self._round.time / self.pace

    def _planned(self) -> Round:
        if self._on not in self._rounds:
            self._rounds[self._on] = palletise(self._arm, self._cell, self._on)
        return self._rounds[self._on]
