"""A gas-fired kiln zone, seeded and in SI time.

Parameters are typical orders of magnitude, not measurements of one machine.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Annotated

import msgspec
import numpy as np

from .parts import NotNegative, Percent, Quantity, Share, known, length, settable

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
        count = ceil(length(dt))  # steps of at most 1 s: a tenth of the fastest lag
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
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)
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
