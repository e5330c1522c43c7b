"""A dryer for green bricks: hot air, and moisture that leaves ever more slowly.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, exp
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from .cycle import COUNT, ENERGY, LOADED, POWER, STATE, Cycle
from .parts import Alarm, NotNegative, Percent, Quantity, Share, clipped, known, length, settable
from .ware import logistic

Array = NDArray[np.float64]
Positive = Annotated[float, msgspec.Meta(gt=0)]

_PARTS = 10  # of a cycle, when the first cars are dried
_STEP = 10.0  # s; far below every time constant that the bounds allow
_WATER = 2260.0  # kJ/kg to evaporate
_GAS = 8.314e-3  # kJ/(mol K)
_REFERENCE = 110.0  # Cel, where `rate` is told


class DryerParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A dryer full of cars; each cycle one leaves and one enters. Powers in kW, times in s."""

    cycle: Annotated[float, msgspec.Meta(ge=10)] = 600.0  # while it is not driven
    cars: Annotated[int, msgspec.Meta(ge=1, le=100)] = 12  # 1: a chamber, filled at once
    setpoint: Annotated[float, msgspec.Meta(ge=20, le=200)] = 110.0  # of the air, Cel
    ambient: Annotated[float, msgspec.Meta(ge=-20, le=60)] = 25.0  # Cel
    load: Annotated[float, msgspec.Meta(ge=1, le=5000)] = 230.0  # of a car, dry bricks, kg
    moisture: Share = 0.055  # of fresh bricks, kg water a kg of dry brick
    moisture_scatter: Annotated[float, msgspec.Meta(ge=0, le=0.3)] = 0.04  # relative
    critical: Share = 0.035  # where the falling rate begins
    equilibrium: Share = 0.002  # what the air leaves in the brick
    rate: Annotated[float, msgspec.Meta(ge=0, le=0.01)] = 5e-4  # at 110 Cel and full fan, 1/s
    activation: NotNegative = 28.0  # how the rate grows with temperature, kJ/mol
    capacity: Annotated[float, msgspec.Meta(ge=500)] = 4500.0  # bricks and chamber, kJ/K
    brick_share: Share = 0.8  # of the capacity, that is cars
    exhaust: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.6  # air let out, full fan, kW/K
    wall: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.1  # kW/K
    heater: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 180.0  # at full power
    gain: NotNegative = 4.0  # of the controller, kW/K
    reset_time: Positive = 3000.0  # of the controller
    fan: Percent = 80.0  # at the start, %
    fan_power: NotNegative = 15.0  # at 100 %
    noise: NotNegative = 0.3  # standard deviation of the thermometer, K


class Dryer:
    """Above the critical moisture X_c the surface is wet and the rate constant; below it falls.

    dX/dt = -k (min(X, X_c) - X_e), k = rate exp(E/R (1/T_ref - 1/T)) (Lewis; Arrhenius)
    C dT/dt = P - (m c + U A) (T - T_ambient) - L M |dX/dt|
    While the surface is wet, k goes with fan^0.8, as convection does; then the brick decides.
    """

    quantities = (
        STATE,
        COUNT,
        Quantity(
            name="setpoint", unit="Cel", low=20, high=200, access="rw", description="of the air"
        ),
        Quantity(name="fan", unit="%", low=0, high=100, access="rw", description="fan speed"),
        Quantity(name="temperature", unit="Cel", low=0, high=400, description="of the air"),
        Quantity(name="moisture", unit="%", low=0, high=100, description="mean, dry basis"),
        Quantity(name="moisture_out", unit="%", low=0, high=100, description="last car out"),
        Quantity(name="evaporation", unit="kg/h", low=0, high=10_000, description="water leaving"),
        Quantity(name="heat", unit="kW", low=0, high=10_000, description="heat put in"),
        Quantity(name="heat_energy", unit="kW.h", low=0, description="heat put in, in all"),
        POWER,
        ENERGY,
        LOADED,
    )

    def __init__(self, parameters: DryerParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random, self._noise = random.spawn(2)  # so the noise of reading wets no brick
        self._cycle = Cycle(parameters.cycle)
        self._setpoint = self._reading = self._temperature = parameters.setpoint
        self._fan = parameters.fan
        self._heat_energy = self._energy = 0.0
        self._evaporation = 0.0  # kg/s
        self._wet = self._full()
        self._out = float(self._wet[0])  # of the car that left last
        self._heat = self._integral = self._needed()

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / _STEP)
        for _ in range(count):
            for _ in range(self._cycle.step(dt / count)):
                self._change()
            self._advance(dt / count)
        if count:
            noise = self._p.noise * self._noise.standard_normal()
            self._reading = min(max(self._temperature + noise, 0.0), 400.0)

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if self._cycle.drive(state, phase, product):
            self._change()

    def tell(self, name: str, text: str) -> None:
        """Show what a line says of its parts."""
        self._cycle.told[name] = text

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the counters of another dryer."""
        self._cycle.count = int(values.get("count", self._cycle.count))
        self._energy = values.get("energy", self._energy)
        self._heat_energy = values.get("heat_energy", self._heat_energy)

    def get(self, name: str) -> float | str:
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "count": float(self._cycle.count),
            "setpoint": self._setpoint,
            "fan": self._fan,
            "temperature": self._reading,
            "moisture": float(self._wet.mean()) * 100,
            "moisture_out": self._out * 100,
            "evaporation": self._evaporation * 3600,
            "heat": self._heat,
            "heat_energy": self._heat_energy,
            "power": self._power,
            "energy": self._energy,
            "loaded": self._cycle.told.get("loaded", ""),
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        value = clipped(settable(self.quantities, name, value), value)
        if name == "fan":
            self._fan = value
        else:
            self._setpoint = value

    def alarms(self) -> tuple[Alarm, ...]:
        return (
            Alarm(
                name="car_wet",
                active=self._out > 2 * self._p.equilibrium + 0.005,
                severity=500,
                message=f"the last car left with {self._out * 100:.1f} % moisture",
                quantity="moisture_out",
            ),
        )

    def spoils(self) -> Mapping[str, float]:
        """Return how likely the bricks of the last car are to crack in the kiln, being too wet."""
        return {"crack": 0.5 * logistic((100 * self._out - 1.2) / 0.12)}

    @property
    def _on(self) -> bool:
        return self._cycle.state not in {"off", "down", "maintenance"}

    @property
    def _power(self) -> float:
        return self._p.fan_power * (self._fan / 100) ** 3 if self._on else 0.0

    def _advance(self, dt: float) -> None:
        p = self._p
        self._control(dt)
        dried = np.zeros(p.cars)
        if self._cycle.state != "starved":  # else it is empty
            dried = np.minimum(self._speed() * dt, self._wet - p.equilibrium)
        self._wet -= dried
        self._evaporation = p.load * float(dried.sum()) / dt
        above = self._temperature - p.ambient
        lost = (p.exhaust * (self._fan / 100 if self._on else 0.0) + p.wall) * above
        net = self._heat - lost - _WATER * self._evaporation
        self._temperature = max(self._temperature + net * dt / p.capacity, 0.0)
        self._heat_energy += self._heat * dt / 3600
        self._energy += self._power * dt / 3600

    def _speed(self) -> Array:
        """Return how fast moisture leaves each car: [cars], kg/(kg s)."""
        p = self._p
        cold = 1 / (_REFERENCE + 273.15) - 1 / (self._temperature + 273.15)
        rate = p.rate * exp(p.activation / _GAS * cold)
        blown = (self._fan / 100 if self._on else 0.1) ** 0.8
        rates: Array = rate * np.where(self._wet > p.critical, blown, 1.0)
        return rates * np.maximum(np.minimum(self._wet, p.critical) - p.equilibrium, 0.0)

    def _needed(self) -> float:
        """Return the heat that holds the temperature while cars go through, kW."""
        p = self._p
        above = self._temperature - p.ambient
        water = _WATER * p.load * float(self._speed().sum())
        cars = p.brick_share * p.capacity / p.cars * above / p.cycle
        return min((p.exhaust * self._fan / 100 + p.wall) * above + water + cars, p.heater)

    def _control(self, dt: float) -> None:
        p = self._p
        if not self._on:
            self._heat = 0.0
            return
        error = self._setpoint - self._temperature
        held = self._integral + p.gain / p.reset_time * error * dt
        self._integral = min(max(held, 0.0), p.heater)
        self._heat = min(max(self._integral + p.gain * error, 0.0), p.heater)

    def _change(self) -> None:
        """Let the car leave that has been in longest, and a cold and wet one come."""
        p = self._p
        self._out = float(self._wet[0])
        self._wet = np.append(self._wet[1:], self._fresh())
        self._temperature -= p.brick_share / p.cars * (self._temperature - p.ambient)

    def _full(self) -> Array:
        """Return the cars as they stand in a dryer that has run for long, the oldest first."""
        self._wet = np.array([self._fresh() for _ in range(self._p.cars)])
        for age in range(self._p.cars):
            older = self._wet[: self._p.cars - 1 - age]
            for _ in range(_PARTS):
                older -= self._speed()[: len(older)] * self._p.cycle / _PARTS
        return np.maximum(self._wet, self._p.equilibrium)

    def _fresh(self) -> float:
        p = self._p
        scatter = 1 + p.moisture_scatter * self._random.standard_normal()
        return min(max(p.moisture * scatter, p.equilibrium), 1.0)
