"""The heat in a tunnel kiln: zones, walls and wagons, burners and their controllers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, exp
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.sim.plant.parts import NotNegative, Percent, Share

Array = NDArray[np.float64]
Zones = Annotated[int, msgspec.Meta(ge=1, le=8)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
# within these bounds the equations are stable in steps of _SETTLE
Capacity = Annotated[float, msgspec.Meta(ge=1000)]
Exchange = Annotated[float, msgspec.Meta(ge=0, le=0.8)]

_SETTLE = 60.0  # s, of a step while the first state is sought
_SETTLES = 3000  # steps at most
_GLOW = 1.25  # 1,875 K: where no kiln is hotter, and the equations would grow too stiff
_INVERSION = (523.0, 623.0)  # Cel: quartz changes its volume at 573


class TunnelParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A tunnel kiln for refractory bricks. Powers in kW, capacities in kJ/K, times in s."""

    preheat: Zones = 2
    firing: Zones = 2
    cooling: Zones = 2
    positions: Annotated[int, msgspec.Meta(ge=1, le=8)] = 4  # wagons in a zone
    interval: Annotated[float, msgspec.Meta(ge=60)] = 3600.0  # of pushes, while it is not driven
    setpoint: Annotated[float, msgspec.Meta(ge=0, le=1500)] = 1350.0  # of the firing zones, Cel
    manual: Annotated[int, msgspec.Meta(ge=0, le=8)] = 0  # last burners whose valves others move
    ambient: Annotated[float, msgspec.Meta(ge=-40, le=60)] = 25.0  # Cel
    wagon_temperature: Annotated[float, msgspec.Meta(ge=0, le=300)] = 80.0  # coming in, Cel
    wagon_capacity: Capacity = 3000.0  # 2 t of bricks and 1 t of kiln furniture
    wagon_scatter: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.03  # relative spread of it
    zone_capacity: Capacity = 1500.0  # gas and the hot face of the lining
    wall_capacity: Capacity = 8000.0
    zone_wall: Exchange = 0.6  # kW/K
    wall_ambient: Exchange = 0.05  # kW/K
    convection: Exchange = 0.45  # between zone and a wagon, kW/K
    radiation: Exchange = 0.45  # the same at 1,500 K; it grows with the third power, kW/K
    air: Annotated[float, msgspec.Meta(ge=0.1, le=5)] = 2.6  # heat capacity flow, fan 100 %, kW/K
    drawn_off: Share = 0.65  # of the air, between cooling and firing, to the dryer
    fan: Percent = 80.0  # at the start, %
    fan_power: NotNegative = 22.0  # at 100 %
    auxiliary: NotNegative = 6.0  # pusher and controls
    flow: Annotated[float, msgspec.Meta(gt=0, le=300)] = 150.0  # of a burner, valve open, m3/h
    heat: Annotated[float, msgspec.Meta(gt=0, le=40)] = 10.5  # lower value of natural gas, kW.h/m3
    burner_lag: NotNegative = 15.0
    gain: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.6  # of the controllers, %/K
    reset_time: Annotated[float, msgspec.Meta(ge=200)] = 1500.0  # of the controllers
    noise: NotNegative = 0.8  # standard deviation of a thermocouple, K
    soak_above: float = 1300.0  # where soaking begins, Cel
    drift: Annotated[float, msgspec.Meta(ge=-100, le=100)] = 8.0  # once switched on, K/h
    too_hot: float = 1450.0  # alarm, Cel
    flame_loss_every: NotNegative = 20 * 86_400.0  # mean, of each burner; 0: never
    relight: NotNegative = 900.0  # until somebody has, if `reset` is not called
    jam_share: Share = 0.002  # of pushes, while it is not driven
    jam: NotNegative = 1800.0  # mean, exponential


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the heat went since the start, in kW.h; fuel = flue + dryer + wall + ware + stored."""

    fuel: float
    flue: float
    dryer: float
    wall: float
    ware: float
    stored: float


class Heat:
    """The continuous part of the kiln, [zones] or [wagons] long; see the kiln for its equations.

    setpoint, auto, valve, lit: of each burner; error: what the last firing zone's thermocouple
    reads too much, K; fan: %.
    """

    def __init__(self, parameters: TunnelParameters) -> None:
        p = self._p = parameters
        self.zones = p.preheat + p.firing + p.cooling
        self.burners = slice(p.preheat, p.preheat + p.firing)
        self.fan = p.fan
        self.setpoint = [p.setpoint] * p.firing
        self.auto = [True] * p.firing
        self.valve = [50.0] * p.firing
        self.lit = [True] * p.firing
        self.error = 0.0
        self.flow = np.full(p.firing, 0.5 * p.flow)  # m3/h
        self.gas = 0.0  # m3, in all
        self._integral = list(self.valve)
        self._weights = _weights(self.zones, p.positions)
        rise = np.linspace(350, p.setpoint - 250, p.preheat)
        fall = np.linspace(p.setpoint - 350, 200, p.cooling)
        self.zone: Array = np.concatenate([rise, np.full(p.firing, p.setpoint), fall])
        self.wall = self.zone.copy()
        self.ware: Array = self._weights @ self.zone
        self._load = np.ones(len(self.ware))
        self._peak = np.zeros(len(self.ware))
        self._soak = np.zeros(len(self.ware))
        self._rate = np.zeros(len(self.ware))
        self.left = (0.0, 0.0, 0.0)  # peak, soak and rate of the wagon that left last
        self._spent = np.zeros(5)  # kJ: fuel, flue, dryer, wall, ware
        self._first = 0.0  # kJ, stored at the start

    def advance(self, dt: float) -> None:
        """Let dt seconds pass, few enough for the equations: 60 at most."""
        p, burners = self._p, self.burners
        self._burn(dt)
        burning = np.zeros(self.zones)
        burning[burners] = self.flow * p.heat
        air = p.air * self.fan / 100
        kept = air * (1 - p.drawn_off)  # what goes on to the firing and preheating zones
        flows = np.full(self.zones, kept)
        flows[burners.stop :] = air
        behind = np.append(self.zone[1:], p.ambient)
        around = self._weights @ self.zone
        kelvin = (around + self.ware) / 3000.0 + 273.15 / 1500.0  # mean, in units of 1,500 K
        exchange = p.convection + p.radiation * np.minimum(kelvin, _GLOW) ** 3
        gained = exchange * (around - self.ware)
        given = exchange @ self._weights * self.zone - (exchange * self.ware) @ self._weights
        to_wall = p.zone_wall * (self.zone - self.wall)
        lost = p.wall_ambient * (self.wall - p.ambient)
        net = flows * (behind - self.zone) + burning - to_wall - given
        self._spent += dt * np.array([
            burning.sum(),
            kept * (self.zone[0] - p.ambient),
            (air - kept) * (self.zone[burners.stop] - p.ambient),
            lost.sum(),
            0.0,
        ])  # fmt: skip
        speed = gained / (p.wagon_capacity * self._load)
        self.zone = self.zone + dt / p.zone_capacity * net
        self.wall = self.wall + dt / p.wall_capacity * (to_wall - lost)
        self.ware = self.ware + dt * speed
        self.gas += dt * float(self.flow.sum()) / 3600
        np.maximum(self._peak, self.ware, out=self._peak)
        self._soak += dt * (self.ware > p.soak_above)
        crossing = (self.ware > _INVERSION[0]) & (self.ware < _INVERSION[1])
        np.maximum(self._rate, 3600 * np.abs(speed) * crossing, out=self._rate)

    def push(self, load: float) -> None:
        """Move every wagon one position on; the last leaves, one of that relative load enters."""
        p = self._p
        self.left = float(self._peak[-1]), float(self._soak[-1]), float(self._rate[-1])
        entering = p.wagon_temperature
        out = self._load[-1] * (self.ware[-1] - p.ambient) - load * (entering - p.ambient)
        self._spent[4] += p.wagon_capacity * out
        for row, first in (
            (self.ware, entering),
            (self._load, load),
            (self._peak, entering),
            (self._soak, 0.0),
            (self._rate, 0.0),
        ):
            row[1:] = row[:-1].copy()
            row[0] = first

    def switch(self, burner: int, auto: bool) -> None:
        """Give a valve to its controller, without a bump, or take it away."""
        if auto and not self.auto[burner]:
            self._integral[burner] = self.valve[burner]
        self.auto[burner] = auto

    def seen(self) -> Array:
        """Return what the thermocouples would read without noise: [zones], Cel."""
        seen = self.zone.copy()
        seen[self.burners.stop - 1] += self.error
        return seen

    def balance(self) -> Balance:
        """Return where all heat went since the start."""
        fuel, flue, dryer, wall, ware = (float(heat) / 3600 for heat in self._spent)
        stored = (self._stored() - self._first) / 3600
        return Balance(fuel=fuel, flue=flue, dryer=dryer, wall=wall, ware=ware, stored=stored)

    def settle(self) -> None:
        """Begin as if it had run for ever: full of wagons that were pushed at the interval."""
        p = self._p
        left = p.interval  # s to the next push
        for _ in range(min(ceil((len(self.ware) + 4) * p.interval / _SETTLE), _SETTLES)):
            self.advance(_SETTLE)
            if p.zone_wall + p.wall_ambient:  # walls are slow: they are put where they will be
                held = p.zone_wall * self.zone + p.wall_ambient * p.ambient
                self.wall = held / (p.zone_wall + p.wall_ambient)
            left -= _SETTLE
            if left <= 0:
                left += p.interval
                self.push(1.0)
        self._spent[:] = 0.0
        self.gas = 0.0
        self._first = self._stored()

    def _burn(self, dt: float) -> None:
        """Let the controllers act and the gas follow the valves."""
        p = self._p
        share = 1 - exp(-dt / p.burner_lag) if p.burner_lag else 1.0
        seen: Sequence[float] = self.zone[self.burners].tolist()
        for burner, setpoint in enumerate(self.setpoint):
            if self.auto[burner]:
                wrong = self.error if burner == p.firing - 1 else 0.0
                error = setpoint - seen[burner] - wrong
                held = self._integral[burner] + p.gain / p.reset_time * error * dt
                self._integral[burner] = min(max(held, 0.0), 100.0)
                self.valve[burner] = min(max(held + p.gain * error, 0.0), 100.0)
            wanted = self.valve[burner] / 100 * p.flow if self.lit[burner] else 0.0
            self.flow[burner] += share * (wanted - self.flow[burner])

    def _stored(self) -> float:
        """Return the heat in zones, walls and wagons above ambient, kJ."""
        p = self._p
        ware = p.wagon_capacity * self._load @ (self.ware - p.ambient)
        zone = p.zone_capacity * (self.zone - p.ambient).sum()
        return float(ware + zone + p.wall_capacity * (self.wall - p.ambient).sum())


@lru_cache(maxsize=16)
def settled(parameters: TunnelParameters) -> Heat:
    """Return the heat of a kiln that has run for long; copy it before it goes on."""
    heat = Heat(parameters)
    heat.settle()
    return heat


def _weights(zones: int, positions: int) -> Array:
    """Return how much each zone [columns] counts where each wagon [rows] stands; rows add to 1."""
    where = (np.arange(zones * positions) + 0.5) / positions - 0.5
    return np.stack([np.interp(where, np.arange(zones), row) for row in np.eye(zones)], axis=1)
