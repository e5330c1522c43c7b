"""Small machines in digital form: a kiln zone and a press, seeded and in SI time.

They are here to feed doors, loops and tests with plausible dynamics. Parameters are typical
orders of magnitude, not measurements of one machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import ceil, isfinite, pi, sin
from typing import Annotated, Literal, Protocol

import msgspec
import numpy as np


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of a plant: what a machine would offer under an address.

    unit: UCUM; low, high: physical range in it. states: every value that a state can take.
    """

    name: str
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    access: Literal["r", "rw"] = "r"
    kind: Literal["number", "state", "text"] = "number"
    states: tuple[str, ...] = ()
    description: str = ""


class Plant(Protocol):
    """A machine that time moves on. Two plants with one seed and the same calls are the same."""

    @property
    def quantities(self) -> Sequence[Quantity]:
        """Return everything that can be read or set."""
        ...

    def step(self, dt: float) -> None:
        """Let dt seconds pass; dt >= 0, of any length."""
        ...

    def get(self, name: str) -> float | str:
        """Return a quantity's value now, in its unit. Raises ValueError for an unknown name."""
        ...

    def set(self, name: str, value: float) -> None:
        """Set a quantity; beyond its range it stops at the end, as an actuator does.

        Raises ValueError for an unknown or read-only name, or a value that is not finite.
        """
        ...


def create(model: str, seed: int, options: Mapping[str, float]) -> Plant:
    """Return a plant of the model, with default parameters but for the given options.

    Raises ValueError for an unknown model or option, naming the known, or a value out of bounds.
    """
    if model not in _MODELS:
        raise ValueError(f"no plant model is called {model!r}; known: {', '.join(sorted(_MODELS))}")
    plant, parameters = _MODELS[model]
    known = parameters.__struct_fields__
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"{model} has no option {name!r}; known: {', '.join(known)}")
        if not isfinite(value):
            raise ValueError(f"{model} option {name} must be a finite number, not {value}")
    return plant(msgspec.convert(dict(options), parameters), np.random.default_rng(seed))


def models() -> list[str]:
    """Return the name of every model, sorted."""
    return sorted(_MODELS)


Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
# within these bounds the kiln's equations are stable in steps of 1 s
Capacity = Annotated[float, msgspec.Meta(ge=10)]
Conductance = Annotated[float, msgspec.Meta(ge=0, le=2)]


class KilnParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A gas-fired tunnel-kiln zone. Powers in kW, capacities in kJ/K, times in s."""

    temperature: float = 1150.0  # of zone and ware at the start, Cel
    valve: Percent = 55.0  # at the start, %
    ambient: float = 25.0  # Cel
    flow: NotNegative = 60.0  # gas at a fully open valve, m3/h
    heat: NotNegative = 10.5  # lower heating value of natural gas, kW.h/m3
    efficiency: Share = 0.55  # share of the heat that stays in the zone, the rest leaves as flue
    lag: NotNegative = 15.0  # burner's first-order lag
    dead_time: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 20.0  # from valve to zone
    zone_capacity: Capacity = 400.0
    wall_capacity: Capacity = 6000.0
    ware_capacity: Capacity = 900.0  # of a full wagon
    zone_wall: Conductance = 0.5  # kW/K
    wall_ambient: Conductance = 0.1  # kW/K
    zone_ware: Conductance = 0.3  # kW/K
    wagon_interval: NotNegative = 2400.0  # between pushes of a wagon; 0: none is pushed
    wagon_temperature: float = 750.0  # of a wagon that comes in, Cel
    wagon_scatter: Share = 0.2  # relative spread of a wagon's capacity
    noise: NotNegative = 0.3  # standard deviation of the thermocouple, K


class Kiln:
    """One zone: gas valve -> burner (lag, dead time) -> zone <-> wall -> ambient, zone -> wagon.

    C_zone dT/dt  = efficiency·P(t - dead_time) - k_zw (T - T_wall) - k_zx (T - T_ware)
    C_wall dT_w/dt = k_zw (T - T_wall) - k_wa (T_wall - T_ambient)
    C_ware dT_x/dt = k_zx (T - T_ware), a cold wagon of random mass entering at each push
    Around 1,200 Cel one valve percent moves the zone by 0.5 K in a minute.
    """

    quantities = (
        Quantity(
            name="valve", unit="%", low=0, high=100, access="rw", description="gas valve opening"
        ),
        Quantity(name="temperature", unit="Cel", low=0, high=1600, description="zone temperature"),
        Quantity(name="gas_flow", unit="m3/h", low=0, high=1000, description="gas to the burner"),
        Quantity(name="power", unit="kW", low=0, high=10000, description="heat set free by gas"),
        Quantity(name="wall_temperature", unit="Cel", low=0, high=1600, description="of the wall"),
        Quantity(name="load", unit="1", low=0, high=2, description="wagon's mass; 1: a full one"),
    )

    def __init__(self, parameters: KilnParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random = random
        self._valve = parameters.valve
        self._flow = self._valve / 100 * parameters.flow
        self._zone = self._ware = parameters.temperature
        self._wall = self._settled_wall()
        self._load = 1.0
        self._time = 0.0
        self._push = parameters.wagon_interval or float("inf")
        self._underway: deque[tuple[float, float]] = deque()  # (when it arrives, power)
        self._arrived = self._power
        self._reading = self._zone

    @property
    def _power(self) -> float:
        return self._flow * self._p.heat

    def step(self, dt: float) -> None:
        count = ceil(_length(dt))  # steps of at most 1 s: a tenth of the fastest lag
        for _ in range(count):
            self._advance(dt / count)
        if count:
            self._reading = self._zone + self._p.noise * self._random.standard_normal()

    def get(self, name: str) -> float | str:
        values = {
            "valve": self._valve,
            "temperature": self._reading,
            "gas_flow": self._flow,
            "power": self._power,
            "wall_temperature": self._wall,
            "load": self._load,
        }
        return values[_known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        _settable(self.quantities, name, value)
        self._valve = min(max(value, 0.0), 100.0)

    def _settled_wall(self) -> float:
        p = self._p
        total = p.zone_wall + p.wall_ambient
        if not total:
            return p.ambient
        return (p.zone_wall * p.temperature + p.wall_ambient * p.ambient) / total

    def _advance(self, dt: float) -> None:
        p = self._p
        self._time += dt
        wanted = self._valve / 100 * p.flow
        self._flow += (wanted - self._flow) * dt / max(p.lag, dt)
        self._underway.append((self._time + p.dead_time, self._power))
        while self._underway and self._underway[0][0] <= self._time:
            self._arrived = self._underway.popleft()[1]
        if self._time >= self._push:
            self._push += p.wagon_interval
            self._ware = p.wagon_temperature
            self._load = float(np.clip(self._random.normal(1.0, p.wagon_scatter), 0.3, 2.0))
        to_wall = p.zone_wall * (self._zone - self._wall)
        to_ware = p.zone_ware * (self._zone - self._ware)
        lost = p.wall_ambient * (self._wall - p.ambient)
        self._zone += dt * (p.efficiency * self._arrived - to_wall - to_ware) / p.zone_capacity
        self._wall += dt * (to_wall - lost) / p.wall_capacity
        self._ware += dt * to_ware / (p.ware_capacity * self._load)


class PressParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A stamping press. Times in s; each `_every` is a mean time of running, 0: never."""

    cycle: Annotated[float, msgspec.Meta(ge=0.1)] = 4.0  # nominal time of a stroke
    cycle_scatter: Share = 0.02  # relative spread of it
    failure_every: NotNegative = 4 * 3600.0
    repair: NotNegative = 900.0  # mean, exponential
    wait_every: NotNegative = 1200.0
    wait: NotNegative = 120.0  # mean, exponential
    batch: NotNegative = 3000.0  # parts between set-ups, 0: never
    setup: NotNegative = 1200.0
    reject: Share = 0.015  # share of parts
    force: NotNegative = 1600.0  # peak of a stroke, kN
    power_running: NotNegative = 22.0  # kW
    power_standing: NotNegative = 5.0  # kW


class Press:
    """A press that runs, waits for material, breaks down and is set up.

    Times to failure and to a wait are exponential in running time, repairs and waits in clock
    time. Every stroke makes one part; the ram's force is the positive half of a sine over it.
    """

    states = ("running", "idle", "down", "setup")
    quantities = (
        Quantity(name="state", kind="state", states=states, description="what the press does"),
        Quantity(name="cycle_time", unit="s", low=0, high=60, description="of the last part"),
        Quantity(name="count", low=0, description="parts made in all, rejects too"),
        Quantity(name="rejects", low=0, description="parts that were not good"),
        Quantity(name="energy", unit="kW.h", low=0, description="electric energy used in all"),
        Quantity(name="force", unit="kN", low=0, high=5000, description="ram force now"),
    )

    def __init__(self, parameters: PressParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random = random
        self._state = "running"
        self._left = 0.0  # of the present stop
        self._failure = self._draw(parameters.failure_every)
        self._wait = self._draw(parameters.wait_every)
        self._cycle = self._stroke()
        self._phase = 0.0  # s into the present stroke
        self._cycle_time = 0.0
        self._count = self._rejects = 0
        self._energy = 0.0

    def step(self, dt: float) -> None:
        left = _length(dt)
        while left > 0:
            running = self._state == "running"
            ends = (self._failure, self._wait, self._cycle - self._phase) if running else ()
            passed = min(left, *ends) if running else min(left, self._left)
            left -= passed
            power = self._p.power_running if running else self._p.power_standing
            self._energy += power * passed / 3600
            self._run(passed) if running else self._stand(passed)

    def get(self, name: str) -> float | str:
        values: dict[str, float | str] = {
            "state": self._state,
            "cycle_time": self._cycle_time,
            "count": float(self._count),
            "rejects": float(self._rejects),
            "energy": self._energy,
            "force": self._force(),
        }
        return values[_known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        _settable(self.quantities, name, value)

    def _run(self, passed: float) -> None:
        self._phase += passed
        self._failure -= passed
        self._wait -= passed
        if self._cycle - self._phase <= 0:
            self._finish()
        if self._failure <= 0:
            self._failure = self._draw(self._p.failure_every)
            self._stop("down", self._draw(self._p.repair))
        elif self._wait <= 0:
            self._wait = self._draw(self._p.wait_every)
            self._stop("idle", self._draw(self._p.wait))

    def _finish(self) -> None:
        self._count += 1
        self._rejects += int(self._random.random() < self._p.reject)
        self._cycle_time = self._cycle
        self._cycle, self._phase = self._stroke(), 0.0
        if self._p.batch and self._count % int(max(self._p.batch, 1)) == 0:
            self._stop("setup", self._p.setup)

    def _stand(self, passed: float) -> None:
        self._left -= passed
        if self._left <= 0:
            self._state = "running"

    def _stop(self, state: str, length: float) -> None:
        self._state, self._left = state, length

    def _force(self) -> float:
        stroke = sin(2 * pi * self._phase / self._cycle)
        return self._p.force * max(stroke, 0.0) if self._state == "running" else 0.0

    def _draw(self, mean: float) -> float:
        return float(self._random.exponential(mean)) if mean else float("inf")

    def _stroke(self) -> float:
        scatter = 1 + self._p.cycle_scatter * self._random.standard_normal()
        return max(self._p.cycle * scatter, 0.05)


_MODELS: dict[str, tuple[Callable[..., Plant], type[msgspec.Struct]]] = {
    "kiln": (Kiln, KilnParameters),
    "press": (Press, PressParameters),
}


def _length(dt: float) -> float:
    if not (isfinite(dt) and dt >= 0):
        raise ValueError(f"a step must be a number of seconds >= 0, not {dt}")
    return dt


def _known(quantities: Sequence[Quantity], name: str) -> Quantity:
    for quantity in quantities:
        if quantity.name == name:
            return quantity
    names = ", ".join(quantity.name for quantity in quantities)
    raise ValueError(f"no quantity is called {name!r}; known: {names}")


def _settable(quantities: Sequence[Quantity], name: str, value: float) -> None:
    if _known(quantities, name).access == "r":
        raise ValueError(f"{name} can only be read")
    if not isfinite(value):
        raise ValueError(f"{name} cannot be set to {value}: it is not a finite number")
