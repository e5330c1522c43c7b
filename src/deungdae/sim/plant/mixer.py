"""An intensive mixer: the load of its motor over a batch tells what happens in the pan.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import ceil, pi, sqrt
from typing import Annotated

import msgspec
import numpy as np

from .cycle import COUNT, ENERGY, LOT, ORDER, POWER, STATE, Cycle
from .parts import Alarm, Quantity, clipped, known, length, settable

Positive = Annotated[float, msgspec.Meta(gt=0)]

# share of the rated load over a batch: filled, mixed dry, wetted, kneaded, let out
_LOAD = (
    (0.00, 0.05), (0.15, 0.45), (0.33, 0.42), (0.36, 0.48), (0.50, 0.98), (0.56, 0.90),
    (0.70, 0.76), (0.85, 0.72), (0.97, 0.08), (1.00, 0.05),
)  # fmt: skip
_WET_FROM, _WET_TO = 0.33, 0.50
_STEP = 5.0  # s
_USUAL = 5.5  # % moisture, for which the load is told


class MixerParameters(msgspec.Struct, frozen=True, kw_only=True):
    """An intensive mixer; each cycle is one batch. Powers in kW, times in s."""

    cycle: Annotated[float, msgspec.Meta(ge=5)] = 360.0  # while it is not driven
    batch: Annotated[float, msgspec.Meta(ge=1, le=5000)] = 800.0  # dry mix, kg
    batch_scatter: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.015  # relative
    moisture: Annotated[float, msgspec.Meta(ge=0, le=12)] = 5.5  # set-point, % of the dry mix
    rated: Annotated[float, msgspec.Meta(ge=1, le=500)] = 45.0
    idle: Annotated[float, msgspec.Meta(ge=0, le=100)] = 4.0
    off: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.3
    speed: Annotated[float, msgspec.Meta(ge=10, le=5000)] = 420.0  # of the rotor, 1/min
    voltage: Annotated[float, msgspec.Meta(ge=100, le=1000)] = 380.0  # between phases, V
    factor: Annotated[float, msgspec.Meta(ge=0.3, le=1)] = 0.86  # power factor
    heat: Annotated[float, msgspec.Meta(ge=0.2, le=5)] = 1.0  # of the mix, kJ/(kg K)
    ambient: Annotated[float, msgspec.Meta(ge=-20, le=60)] = 25.0  # Cel
    noise: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.02  # of the load, relative


class Mixer:
    """P = P_idle + P_rated f(phase) (m / m_0) (1 + 0.18 (X - X_0)), X in %, once the mix is wet.

    f rises while water goes in and liquid bridges form, and settles on a plateau as the
    granules are formed: the power curve of wet granulation (Leuenberger). Torque = P / omega;
    current = P / (sqrt(3) U cos phi). The mix warms by what the motor puts in.
    """

    quantities = (
        STATE,
        COUNT,
        Quantity(
            name="setpoint", unit="%", low=0, high=12, access="rw",
            description="moisture to be reached, of the dry mix",
        ),
        Quantity(name="water", unit="kg", low=0, high=1000, description="water in the batch"),
        Quantity(name="mass", unit="kg", low=0, high=10_000, description="dry mix of the batch"),
        Quantity(name="speed", unit="/min", low=0, high=5000, description="rotor speed"),
        Quantity(name="torque", unit="N.m", low=0, high=100_000, description="at the rotor"),
        Quantity(name="current", unit="A", low=0, high=2000, description="of the motor"),
        Quantity(name="temperature", unit="Cel", low=-50, high=300, description="of the mix"),
        POWER,
        ENERGY,
        LOT,
        ORDER,
        Quantity(name="alarm", kind="text", description="what is wrong; empty: nothing"),
    )  # fmt: skip

    def __init__(self, parameters: MixerParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random, self._noise = random.spawn(2)
        self._cycle = Cycle(parameters.cycle)
        self._setpoint = parameters.moisture
        self._energy = 0.0
        self._shake = 0.0  # of the load, relative
        self._begin()

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / _STEP)
        for _ in range(count):
            self._advance(dt / count)
        if count:
            self._shake = self._p.noise * float(np.clip(self._noise.standard_normal(), -4, 4))

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if self._cycle.drive(state, phase, product):
            self._begin()

    def tell(self, name: str, text: str) -> None:
        """Show what a line says of its parts."""
        self._cycle.told[name] = text

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the counters of another mixer."""
        self._cycle.count = int(values.get("count", self._cycle.count))
        self._energy = values.get("energy", self._energy)

    def alarms(self) -> tuple[Alarm, ...]:
        return (
            Alarm(
                name="motor_protection",
                active=self._cycle.state == "down",
                severity=700,
                message="the motor's protection has tripped",
                quantity="state",
            ),
        )

    def get(self, name: str) -> float | str:
        power, turning = self._power * (1 + self._shake), self._cycle.running
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "count": float(self._cycle.count),
            "setpoint": self._setpoint,
            "water": self._water,
            "mass": self._mass,
            "speed": self._p.speed if turning else 0.0,
            "torque": power * 1000 / (self._p.speed * 2 * pi / 60) if turning else 0.0,
            "current": power * 1000 / (sqrt(3) * self._p.voltage * self._p.factor),
            "temperature": self._temperature,
            "power": power,
            "energy": self._energy,
            "lot": self._cycle.told.get("lot", ""),
            "order": self._cycle.told.get("order", ""),
            "alarm": "; ".join(alarm.message for alarm in self.alarms() if alarm.active),
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        self._setpoint = clipped(settable(self.quantities, name, value), value)

    @property
    def _power(self) -> float:
        p = self._p
        if not self._cycle.running:
            return p.off if self._cycle.state in {"off", "maintenance"} else p.idle
        wetter = 0.18 * (self._setpoint - _USUAL) * self._wetted
        load = _at(self._cycle.phase) * self._mass / p.batch * max(1 + wetter, 0.3)
        return p.idle + p.rated * load

    @property
    def _wetted(self) -> float:
        """Return the share of the water that is in."""
        share = (self._cycle.phase - _WET_FROM) / (_WET_TO - _WET_FROM)
        return min(max(share, 0.0), 1.0)

    @property
    def _water(self) -> float:
        """Return the water that is in, kg."""
        return self._setpoint / 100 * self._mass * self._wetted

    def _advance(self, dt: float) -> None:
        power = self._power
        self._energy += power * dt / 3600
        held = self._mass * self._p.heat + self._water * 4.19  # kJ/K
        loss = 0.02 * (self._temperature - self._p.ambient)  # kW
        gained = power - self._p.idle if self._cycle.running else 0.0
        self._temperature += (gained - loss) * dt / held
        for _ in range(self._cycle.step(dt)):
            self._begin()

    def _begin(self) -> None:
        p = self._p
        scatter = 1 + p.batch_scatter * self._random.standard_normal()
        self._mass = p.batch * min(max(scatter, 0.5), 1.5)
        self._temperature = p.ambient


def _at(phase: float) -> float:
    """Return the share of the rated load at a phase of the batch."""
    for (start, low), (end, high) in pairwise(_LOAD):
        if phase <= end:
            return low + (high - low) * (phase - start) / (end - start)
    return _LOAD[-1][1]
