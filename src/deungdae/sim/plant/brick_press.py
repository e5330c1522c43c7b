"""A hydraulic press for refractory bricks: compaction of a powder in a mould that wears.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, log, pi, sin
from typing import Annotated

import msgspec
import numpy as np

from .cycle import COUNT, ENERGY, ORDER, PART, POWER, STATE, Cycle
from .parts import Alarm, Method, NotNegative, Quantity, clipped, known, length, offered, settable
from .ware import logistic

Positive = Annotated[float, msgspec.Meta(gt=0)]
Friction = Annotated[float, msgspec.Meta(ge=0, le=0.45)]

# where in a cycle each part of it ends; before that the mould is filled
_APPROACH, _PRESS, _HOLD, _RETRACT = 0.42, 0.62, 0.72, 0.82
_FILL = 0.30
_DENSE = 2165.0  # kg/m3, below which bricks hold together badly
_USUAL = 80.0  # MPa, the pressure that `wear` is told for
# what a press stands for when it is down: share of the breakdowns (ours, not measured), severity
_FAULTS = {
    "hydraulics": (0.4, 700, "the hydraulic pressure is too low"),
    "ejector": (0.25, 600, "the ejector has not come back"),
    "filling": (0.2, 500, "the mould is not filled: a bridge in the hopper"),
    "guard": (0.15, 800, "the light curtain is interrupted"),
}
_SHARES = [share for share, _, _ in _FAULTS.values()]


class BrickPressParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A press for one straight brick a stroke. Lengths in mm, forces in kN, times in s."""

    cycle: Annotated[float, msgspec.Meta(ge=0.5)] = 12.0  # while it is not driven
    length: Annotated[float, msgspec.Meta(ge=50, le=500)] = 230.0  # of the mould
    width: Annotated[float, msgspec.Meta(ge=50, le=300)] = 114.0
    thickness: Annotated[float, msgspec.Meta(ge=62, le=90)] = 65.0  # set-point
    mass: Annotated[float, msgspec.Meta(ge=2, le=6)] = 3.84  # of powder, weighed, kg
    mass_scatter: Annotated[float, msgspec.Meta(ge=0, le=0.03)] = 0.004  # relative
    loose: Annotated[float, msgspec.Meta(ge=800, le=1400)] = 1250.0  # filled powder, kg/m3
    kawakita_a: Annotated[float, msgspec.Meta(gt=0.45, lt=1)] = 0.50  # greatest compression
    kawakita_b: Annotated[float, msgspec.Meta(ge=0.02, le=1)] = 0.10  # 1/MPa
    friction: Friction = 0.08  # share of the force that a new mould's walls take
    friction_worn: Friction = 0.22  # what wear adds to it at its limit
    limit: Annotated[float, msgspec.Meta(ge=100, le=10000)] = 3200.0  # of the force
    wear: Annotated[float, msgspec.Meta(ge=0, le=0.001)] = (
        4e-5  # of each wall by a stroke at 80 MPa
    )
    wear_limit: Annotated[float, msgspec.Meta(ge=0.05, le=5)] = 0.6
    change: NotNegative = 1500.0  # to change the mould, while it is not driven
    open: Annotated[float, msgspec.Meta(ge=0, le=500)] = (
        250.0  # way of the ram before it meets the powder
    )
    efficiency: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5  # hydraulic
    power_idle: NotNegative = 15.0  # pump without load, kW
    power_off: NotNegative = 0.5  # controls, kW


class BrickPress:
    """Powder of a weighed mass is pressed to a thickness, or as far as the force reaches.

    Kawakita: C = (h_0 - h) / h_0 = a b P / (1 + b P), so P = C / (b (a - C))
    F = P A / (1 - f): walls take the share f of the force
    Wear w of the walls: A = (l + 2w) (b + 2w), f = f_0 + f_1 w / w_limit, and dw a stroke grows
    with the force (Archard). So wear makes bricks larger and less dense, and needs more force.
    """

    methods = (Method(name="change_mould", description="put a new mould in"),)
    quantities = (
        STATE,
        COUNT,
        Quantity(
            name="setpoint", unit="mm", low=62, high=90, access="rw",
            description="thickness to press to",
        ),
        Quantity(
            name="speed", unit="%", low=50, high=120, access="rw", description="of the cycle"
        ),
        Quantity(name="force", unit="kN", low=0, high=10_000, description="ram force now"),
        Quantity(name="stroke", unit="mm", low=0, high=1000, description="way of the ram"),
        Quantity(name="pressure", unit="MPa", low=0, high=1000, description="on the powder now"),
        Quantity(name="peak", unit="kN", low=0, high=10_000, description="of the last stroke"),
        Quantity(name="mass", unit="kg", low=0, high=10, description="of the last brick"),
        Quantity(name="thickness", unit="mm", low=0, high=200, description="of the last brick"),
        Quantity(
            name="density", unit="kg/m3", low=0, high=5000, description="of the last green brick"
        ),
        Quantity(name="wear", unit="mm", low=0, high=100, description="of each mould wall"),
        Quantity(name="cycle_time", unit="s", low=0, high=3600, description="of the last brick"),
        POWER,
        ENERGY,
        PART,
        ORDER,
    )  # fmt: skip

    def __init__(self, parameters: BrickPressParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random = random
        self._chance = random.spawn(1)[0]  # so what breaks presses no other bricks
        self._broken = ""  # which of _FAULTS it stands for
        self._cycle = Cycle(parameters.cycle)
        self._setpoint = parameters.thickness
        self._speed = 100.0  # %
        self._wear = 0.0  # mm
        self._energy = 0.0  # kW.h, but for the stroke under way
        self._brick = (parameters.mass, 0.0, 0.0)  # kg, mm, kg/m3 of the last one
        self._peak = 0.0  # kN
        self._begin()

    def step(self, dt: float) -> None:
        off = self._cycle.state in {"off", "maintenance"}
        idle = self._p.power_off if off else self._p.power_idle
        self._energy += idle * length(dt) / 3600
        for _ in range(self._cycle.step(dt)):
            self._finish()

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if state != "down":
            self._broken = ""
        elif not self._broken:
            self._broken = str(self._chance.choice(list(_FAULTS), p=_SHARES))
        if self._cycle.drive(state, phase, product):
            self._finish()

    def tell(self, name: str, text: str) -> None:
        """Show what a line says of its parts."""
        self._cycle.told[name] = text

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the counters and the mould of another press."""
        self._cycle.count = int(values.get("count", self._cycle.count))
        self._energy = values.get("energy", self._energy)
        self._wear = values.get("wear", self._wear)
        self._begin()

    def get(self, name: str) -> float | str:
        mass, thickness, density = self._brick
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "count": float(self._cycle.count),
            "setpoint": self._setpoint,
            "speed": self._speed,
            "force": self._force(),
            "stroke": self._stroke(),
            "pressure": self._pressure(self._compression()) if self._pressing else 0.0,
            "peak": self._peak,
            "mass": mass,
            "thickness": thickness,
            "density": density,
            "wear": self._wear,
            "cycle_time": self._cycle.length,
            "power": self._power(),
            "part": self._cycle.told.get("part", ""),
            "order": self._cycle.told.get("order", ""),
            "energy": self._energy + self._work(self._compression()) / self._p.efficiency / 3600,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        value = clipped(settable(self.quantities, name, value), value)
        if name == "setpoint":
            self._setpoint = value
            return
        self._speed = value
        if not self._cycle.driven:
            self._cycle.length = self._p.cycle / self.pace

    def call(self, method: str) -> None:
        offered(self.methods, method)
        self._wear = 0.0
        self._cycle.stop("setup", self._p.change)

    @property
    def pace(self) -> float:
        """Return how fast it is set to run; 1: as it was built for."""
        return self._speed / 100

    def spoils(self) -> Mapping[str, float]:
        """Return how likely each defect is now: loose bricks crack, worn moulds leave chips."""
        worn = self._wear / self._p.wear_limit
        loose = logistic((_DENSE - self._brick[2]) / 12.0) if self._cycle.count else 0.0
        return {"crack": 0.002 + 0.3 * loose, "chip": 0.002 + 0.01 * worn**2}

    def alarms(self) -> tuple[Alarm, ...]:
        broken = (
            Alarm(
                name=name, active=self._broken == name, severity=severity, message=message,
                quantity="state",
            )
            for name, (_, severity, message) in _FAULTS.items()
        )  # fmt: skip
        return (
            Alarm(
                name="mould_worn",
                active=self._wear >= self._p.wear_limit,
                severity=400,
                message=f"the mould walls have lost {self._wear:.2f} mm; change the mould",
                quantity="wear",
            ),
            Alarm(
                name="overload",
                active=self._peak > 0.999 * self._p.limit,
                severity=600,
                message="the force reaches its limit; bricks are thicker than set",
                quantity="peak",
            ),
            *broken,
        )

    def _begin(self) -> None:
        """Fill the mould, and find how far this powder will be pressed."""
        p = self._p
        scatter = 1 + p.mass_scatter * self._random.standard_normal()
        self._mass = p.mass * max(scatter, 0.8)
        self._area = (p.length + 2 * self._wear) * (p.width + 2 * self._wear) * 1e-6  # m2
        worn = min(self._wear / p.wear_limit, 2.0)
        self._through = 1 - min(p.friction + p.friction_worn * worn, 0.9)
        self._depth = self._mass / (p.loose * self._area) * 1000  # mm, of the loose powder
        bp = p.kawakita_b * p.limit * self._through / self._area / 1000
        reached = p.kawakita_a * bp / (1 + bp)
        self._last = min(max(1 - self._setpoint / self._depth, 0.0), reached)

    def _finish(self) -> None:
        p = self._p
        thickness = self._depth * (1 - self._last)
        self._brick = (self._mass, thickness, self._mass / (self._area * thickness) * 1000)
        self._peak = self._needed(self._last)
        self._energy += self._work(self._last) / p.efficiency / 3600
        self._wear += p.wear * self._pressure(self._last) / _USUAL
        self._wear = min(self._wear, 3 * p.wear_limit)  # by then the liner is gone
        self._begin()

    def _pressure(self, compression: float) -> float:
        """Return the pressure on the powder in MPa."""
        return compression / (self._p.kawakita_b * (self._p.kawakita_a - compression))

    def _needed(self, compression: float) -> float:
        """Return the force in kN that compresses the powder so far."""
        return self._pressure(compression) * self._area * 1000 / self._through

    def _work(self, compression: float) -> float:
        """Return the work in kJ that it took: the force over the way."""
        a, b = self._p.kawakita_a, self._p.kawakita_b
        integral = a * log(a / (a - compression)) - compression
        return self._area * self._depth * integral / (b * self._through)

    def _compression(self) -> float:
        """Return how far the powder is compressed now; after the hold the brick stays so."""
        share = (self._cycle.phase - _APPROACH) / (_PRESS - _APPROACH)
        return self._last * sin(pi / 2 * min(max(share, 0.0), 1.0))

    @property
    def _pressing(self) -> bool:
        return self._cycle.running and _APPROACH <= self._cycle.phase <= _HOLD

    def _force(self) -> float:
        phase = self._cycle.phase
        if self._pressing:
            return self._needed(self._compression())
        if not self._cycle.running or phase < _RETRACT:
            return 0.0
        rest = (1 - phase) / (1 - _RETRACT)  # what the walls still hold of the brick
        return (1 - self._through) * self._needed(self._last) * rest

    def _stroke(self) -> float:
        """Return how far the ram has come down, in mm; it stays up while the brick is ejected."""
        phase, bottom = self._cycle.phase, self._p.open + self._depth * self._last
        if phase < _APPROACH:
            return self._p.open * max(phase - _FILL, 0.0) / (_APPROACH - _FILL)
        if phase <= _HOLD:
            return self._p.open + self._depth * self._compression()
        return bottom * max(_RETRACT - phase, 0.0) / (_RETRACT - _HOLD)

    def _power(self) -> float:
        if self._cycle.state in {"off", "maintenance"}:
            return self._p.power_off
        share = (self._cycle.phase - _APPROACH) / (_PRESS - _APPROACH)
        if not self._cycle.running or not 0 < share < 1:
            return self._p.power_idle
        lasts = (_PRESS - _APPROACH) * max(self._cycle.length, 0.5)  # s
        speed = self._depth * self._last * pi / 2 * cos(pi / 2 * share) / lasts / 1000  # m/s
        return self._p.power_idle + self._force() * speed / self._p.efficiency
