"""An electricity meter: registers that count, and the demand of each quarter of an hour.

Parameters are typical orders of magnitude, not measurements of one machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import acos, exp, sqrt, tan
from typing import Annotated

import msgspec
import numpy as np

from .parts import Method, NotNegative, Quantity, known, length, offered, settable

_WINDOW = 900.0  # s; demand is billed by the quarter of an hour in Korea, as in most of Europe


class MeterParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A three-phase meter. Without a load told to it, it has one of its own, in kW."""

    base: NotNegative = 40.0  # mean of its own load
    spread: Annotated[float, msgspec.Meta(ge=0, le=0.3)] = 0.15  # relative, of its own load
    memory: Annotated[float, msgspec.Meta(gt=0)] = 600.0  # how long that load remembers, s
    voltage: Annotated[float, msgspec.Meta(ge=100, le=1000)] = 380.0  # between phases, V
    voltage_spread: Annotated[float, msgspec.Meta(ge=0, le=0.03)] = 0.004  # relative
    drop: Annotated[float, msgspec.Meta(ge=0, le=0.001)] = 2e-5  # of the voltage, by each kW
    frequency: Annotated[float, msgspec.Meta(ge=40, le=70)] = 60.0  # Hz
    factor: Annotated[float, msgspec.Meta(ge=0.3, le=1)] = 0.92  # power factor
    start: NotNegative = 0.0  # what the register shows at the start, kW.h


class Meter:
    """P = sqrt(3) U I cos phi; the register is the integral of P.

    Demand is the mean of the last full quarter of an hour since the start.
    """

    methods = (Method(name="reset_demand", description="forget the greatest demand"),)
    quantities = (
        Quantity(name="energy", unit="kW.h", low=0, description="active energy taken, in all"),
        Quantity(name="reactive_energy", unit="kW.h", low=0, description="in kvarh, in all"),
        Quantity(name="power", unit="kW", low=0, high=100_000, description="active power"),
        Quantity(name="voltage", unit="V", low=0, high=2000, description="between phases"),
        Quantity(name="current", unit="A", low=0, high=1_000_000, description="of each phase"),
        Quantity(name="power_factor", low=0, high=1, description="cos phi"),
        Quantity(name="frequency", unit="Hz", low=0, high=100, description="of the grid"),
        Quantity(name="demand", unit="kW", low=0, high=100_000, description="last 15 min"),
        Quantity(name="max_demand", unit="kW", low=0, high=100_000, description="greatest so far"),
    )

    def __init__(self, parameters: MeterParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random = random
        self._told: float | None = None
        self._own = 0.0  # how far its own load is from the mean, in standard deviations
        self._energy = parameters.start
        self._reactive = 0.0
        self._elapsed = 0.0  # s, in the present quarter of an hour
        self._used = 0.0  # kW.h, in it
        self._demand = self._max = 0.0
        self._swing = self._shift = 0.0

    def load(self, kw: float) -> None:
        """Take over what the machines behind it draw from now on, in kW."""
        self._told = max(kw, 0.0)

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the register of another meter."""
        self._energy = values.get("energy", self._energy)

    def step(self, dt: float) -> None:
        left = length(dt)
        while left > 0:
            passed = min(left, _WINDOW - self._elapsed)
            left -= passed
            self._count(passed)
        if dt > 0:
            self._swing, self._shift = np.clip(self._random.standard_normal(2), -4, 4).tolist()

    def get(self, name: str) -> float | str:
        power, voltage, factor = self._power, self._voltage, self._p.factor
        values = {
            "energy": self._energy,
            "reactive_energy": self._reactive,
            "power": power,
            "voltage": voltage,
            "current": power * 1000 / (sqrt(3) * voltage * factor),
            "power_factor": factor,
            "frequency": self._p.frequency + 0.015 * self._shift,
            "demand": self._demand,
            "max_demand": self._max,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)

    def call(self, method: str) -> None:
        offered(self.methods, method)
        self._max = 0.0

    @property
    def _power(self) -> float:
        if self._told is not None:
            return self._told
        return self._p.base * (1 + self._p.spread * self._own)

    @property
    def _voltage(self) -> float:
        p = self._p
        return p.voltage * (1 + p.voltage_spread * self._swing - min(p.drop * self._power, 0.2))

    def _count(self, passed: float) -> None:
        used = self._power * passed / 3600
        self._energy += used
        self._reactive += used * tan(acos(self._p.factor))
        self._used += used
        self._elapsed += passed
        if self._told is None:
            keep = exp(-passed / self._p.memory)
            fresh = sqrt(1 - keep * keep) * self._random.standard_normal()
            self._own = min(max(keep * self._own + fresh, -3.0), 3.0)
        if self._elapsed >= _WINDOW:
            self._demand = self._used * 3600 / _WINDOW
            self._max = max(self._max, self._demand)
            self._elapsed = self._used = 0.0
