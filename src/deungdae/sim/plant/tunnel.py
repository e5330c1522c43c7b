"""A gas-fired tunnel kiln: zones, wagons, controllers, and a drift that can be switched on.

Parameters are typical orders of magnitude, not measurements of one machine. Equations, sources
and pictures: docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from collections import deque
from math import ceil, exp
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from .cycle import ENERGY, POWER, STATE, Cycle
from .parts import (
    Alarm,
    Method,
    NotNegative,
    Percent,
    Quantity,
    Share,
    clipped,
    known,
    length,
    settable,
)  # fmt: skip
from .ware import Wagon

Array = NDArray[np.float64]
Zones = Annotated[int, msgspec.Meta(ge=1, le=8)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
# within these bounds the kiln's equations are stable in steps of _SETTLE
Capacity = Annotated[float, msgspec.Meta(ge=1000)]
Exchange = Annotated[float, msgspec.Meta(ge=0, le=0.8)]

_MODES = ("auto", "manual")
_STEP = 5.0  # s
_SETTLE = 60.0  # s, of a step while the first state is sought
_SETTLES = 3000  # steps at most
_CLEAR = 15.0  # K below its limit an alarm ends


class TunnelParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A tunnel kiln for refractory bricks. Powers in kW, capacities in kJ/K, times in s."""

    preheat: Zones = 2
    firing: Zones = 2
    cooling: Zones = 2
    positions: Annotated[int, msgspec.Meta(ge=1, le=8)] = 4  # wagons in a zone
    interval: Annotated[float, msgspec.Meta(ge=60)] = (
        3600.0  # between pushes, while it is not driven
    )
    setpoint: Annotated[float, msgspec.Meta(ge=0, le=1500)] = 1350.0  # of the firing zones, Cel
    ambient: float = 25.0  # Cel
    wagon_temperature: float = 80.0  # of a wagon that comes from the dryer, Cel
    wagon_capacity: Annotated[float, msgspec.Meta(ge=1000)] = 3000.0  # 2 t bricks, 1 t furniture
    wagon_scatter: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.03  # relative spread of it
    zone_capacity: Capacity = 1500.0  # gas and the hot face of the lining
    wall_capacity: Capacity = 8000.0
    zone_wall: Exchange = 0.6  # kW/K
    wall_ambient: Exchange = 0.05  # kW/K
    convection: Exchange = 0.45  # between zone and a wagon, kW/K
    radiation: Exchange = 0.45  # the same at 1,500 K, where it grows with the third power, kW/K
    air: Annotated[float, msgspec.Meta(ge=0.1, le=5)] = 2.6  # heat capacity flow, fan 100 %, kW/K
    drawn_off: Share = 0.65  # of the air, between cooling and firing, to the dryer
    fan: Percent = 80.0  # at the start, %
    fan_power: NotNegative = 22.0  # at 100 %, kW
    auxiliary: NotNegative = 6.0  # pusher and controls, kW
    flow: Annotated[float, msgspec.Meta(gt=0, le=300)] = (
        110.0  # gas of a burner at a fully open valve, m3/h
    )
    heat: Positive = 10.5  # lower heating value of natural gas, kW.h/m3
    burner_lag: NotNegative = 15.0
    gain: NotNegative = 0.6  # of the controllers, %/K
    reset_time: Positive = 1500.0  # of the controllers
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


class Tunnel:
    """Zones in a row; wagons go one way through them, air the other.

    C_z dT_i/dt = m (T_i+1 - T_i) + P_i - k_zw (T_i - W_i) - sum over wagons q
    C_w dW_i/dt = k_zw (T_i - W_i) - k_wa (W_i - T_ambient)
    C_x dX_k/dt = q_k = (h_c + h_r (mean of T and X in K / 1500)^3) (T(x_k) - X_k)
    T(x_k): between the middles of two zones, interpolated. Air enters behind the last zone at
    ambient temperature; a share of it leaves for the dryer before the firing zones. Each firing
    zone has a thermocouple, a burner and a PI controller; in `manual` its valve can be set
    instead. What drifts is the thermocouple of the last firing zone: it reads more and more too
    much, the controller fires less and less, the panel looks right and the bricks come out pale.
    """

    methods = (
        Method(name="push", description="push a wagon in now"),
        Method(name="reset", description="relight burners and clear a jam"),
        Method(name="start_drift", description="let the last firing zone's thermocouple drift"),
        Method(name="stop_drift", description="put in a new thermocouple"),
    )

    def __init__(self, parameters: TunnelParameters, random: np.random.Generator) -> None:
        p = self._p = parameters
        self._random, self._noise = random.spawn(2)  # so the noise of reading moves no wagon
        self._zones = p.preheat + p.firing + p.cooling
        self._burners = range(p.preheat, p.preheat + p.firing)
        self.quantities = _quantities(p)
        self._fields = {q.name: q.name.rpartition(".") for q in self.quantities}
        self._cycle = Cycle(p.interval)
        self._weights = _weights(self._zones, p.positions)
        self._fan = p.fan
        self._setpoint = [p.setpoint] * p.firing
        self._auto = [True] * p.firing
        self._valve = np.full(p.firing, 50.0)
        self._integral = self._valve.copy()
        self._flow = self._valve / 100 * p.flow  # m3/h
        self._lit = [True] * p.firing
        self._dark = [0.0] * p.firing  # s until somebody relights
        self._left = [self._draw(p.flame_loss_every) for _ in self._burners]  # s to the next loss
        self._error = 0.0  # K, of the drifting thermocouple
        self._drifting = False
        self._gas = self._energy = 0.0
        self._heat = np.zeros(5)  # kJ: fuel, flue, dryer, wall, ware
        self._out: deque[Wagon] = deque(maxlen=1000)
        self._last = Wagon(number=0, peak=0.0, soak=0.0, rate=0.0)
        self._begin()
        self._first = self._stored()
        self._measure()
        self._hot = [False] * self._zones

    # what it is asked and told

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / _STEP)
        for _ in range(count):
            for _ in range(self._cycle.step(dt / count)):
                self._due()
            self._advance(dt / count)
        if count:
            self._measure()
            self._watch()

    def drive(self, state: str, phase: float, product: str = "") -> None:
        """Follow the line: each cycle that it completes is one push."""
        if self._cycle.drive(state, phase, product):
            self._push()

    def get(self, name: str) -> float | str:
        known(self.quantities, name)
        place, _, field = self._fields[name]
        if place.startswith("zone"):
            return self._zone_value(int(place[4:]) - 1, field)
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "fan": self._fan,
            "wagon.number": float(self._last.number),
            "wagon.peak": self._last.peak,
            "wagon.soak": self._last.soak,
            "wagon.rate": self._last.rate,
            "gas_flow": float(self._flow.sum()),
            "gas": self._gas,
            "power": self._power,
            "energy": self._energy,
        }
        return values[name]

    def set(self, name: str, value: float) -> None:
        value = clipped(settable(self.quantities, name, value), value)
        place, _, field = self._fields[name]
        if not place:
            self._fan = value
            return
        burner = int(place[4:]) - 1 - self._p.preheat
        if field == "setpoint":
            self._setpoint[burner] = value
        elif field == "mode":
            self._switch(burner, value < 0.5)
        elif self._auto[burner]:
            raise ValueError(f"{name} is the controller's: set {place}.mode to 1 (manual) first")
        else:
            self._valve[burner] = value

    def call(self, method: str) -> None:
        if method == "push":
            self._push()
        elif method == "reset":
            self._lit = [True] * self._p.firing
            self._cycle.start()
        elif method == "start_drift":
            self._drifting = True
        elif method == "stop_drift":
            self._drifting, self._error = False, 0.0
        else:
            names = ", ".join(each.name for each in self.methods)
            raise ValueError(f"no method is called {method!r}; known: {names}")

    def alarms(self) -> tuple[Alarm, ...]:
        hot = (
            Alarm(
                name=f"zone{zone + 1}.over_temperature",
                active=self._hot[zone],
                severity=800,
                message=f"zone {zone + 1} is above {self._p.too_hot:.0f} Cel",
                quantity=f"zone{zone + 1}.temperature",
            )
            for zone in self._burners
        )
        lost = (
            Alarm(
                name=f"zone{zone + 1}.flame_loss",
                active=not self._lit[burner],
                severity=900,
                message=f"the burner of zone {zone + 1} is out; its gas is shut",
                quantity=f"zone{zone + 1}.gas_flow",
            )
            for burner, zone in enumerate(self._burners)
        )
        jam = Alarm(
            name="wagon_jam",
            active=self._cycle.state == "down",
            severity=700,
            message="a wagon does not move",
            quantity="state",
        )
        return (*hot, *lost, jam)

    def fired(self) -> list[Wagon]:
        """Return the wagons that left since the last call, oldest first; 1,000 at most."""
        out = list(self._out)
        self._out.clear()
        return out

    def balance(self) -> Balance:
        """Return where all heat went since the start."""
        fuel, flue, dryer, wall, ware = (float(heat) / 3600 for heat in self._heat)
        stored = (self._stored() - self._first) / 3600
        return Balance(fuel=fuel, flue=flue, dryer=dryer, wall=wall, ware=ware, stored=stored)

    # physics

    def _begin(self) -> None:
        """Begin as if it had run for ever: a guess, then a day in coarse steps."""
        p = self._p
        rise = np.linspace(350, p.setpoint - 250, p.preheat)
        fall = np.linspace(p.setpoint - 350, 200, p.cooling)
        self._gases = np.concatenate([rise, np.full(p.firing, p.setpoint), fall])
        self._walls = self._gases.copy()
        wagons = self._zones * p.positions
        self._wares = self._weights @ self._gases
        self._wares[0] = p.wagon_temperature
        self._load = np.ones(wagons)
        self._peak = np.zeros(wagons)
        self._soak = np.zeros(wagons)
        self._rate = np.zeros(wagons)
        self._number = wagons - 1  # of the last wagon that came in
        left = p.interval
        for _ in range(min(ceil((wagons + 4) * p.interval / _SETTLE), _SETTLES)):
            self._advance(_SETTLE)
            total = p.zone_wall + p.wall_ambient
            if total:
                held = p.zone_wall * self._gases + p.wall_ambient * p.ambient
                self._walls = held / total
            left -= _SETTLE
            if left <= 0:
                left += p.interval
                self._push(load=1.0)
        self._heat[:] = 0.0
        self._gas = self._energy = 0.0
        self._number = wagons - 1
        self._last = Wagon(number=0, peak=0.0, soak=0.0, rate=0.0)
        self._out.clear()

    def _advance(self, dt: float) -> None:
        p = self._p
        self._burn(dt)
        burning = np.zeros(self._zones)
        burning[p.preheat : p.preheat + p.firing] = self._flow * p.heat
        air = p.air * self._fan / 100
        kept = air * (1 - p.drawn_off)  # what goes on to the firing and preheating zones
        flows = np.full(self._zones, kept)
        flows[p.preheat + p.firing :] = air
        behind = np.append(self._gases[1:], p.ambient)
        local = self._weights @ self._gases
        kelvin = (local + self._wares) / 3000.0 + 273.15 / 1500.0
        gained = (p.convection + p.radiation * kelvin**3) * (local - self._wares)
        to_wall = p.zone_wall * (self._gases - self._walls)
        lost = p.wall_ambient * (self._walls - p.ambient)
        net = flows * (behind - self._gases) + burning - to_wall - gained @ self._weights
        boundary = self._gases[p.preheat + p.firing]
        self._heat += dt * np.array([
            burning.sum(),
            kept * (self._gases[0] - p.ambient),
            (air - kept) * (boundary - p.ambient),
            lost.sum(),
            0.0,
        ])  # fmt: skip
        speed = gained / (p.wagon_capacity * self._load)
        self._gases = self._gases + dt / p.zone_capacity * net
        self._walls = self._walls + dt / p.wall_capacity * (to_wall - lost)
        self._wares = self._wares + dt * speed
        np.maximum(self._peak, self._wares, out=self._peak)
        self._soak += dt * (self._wares > p.soak_above)
        crossing = np.abs(self._wares - 573.0) < 50.0
        np.maximum(self._rate, np.abs(speed) * 3600 * crossing, out=self._rate)
        self._gas += dt * float(self._flow.sum()) / 3600
        self._energy += dt * self._power / 3600
        self._error += dt * p.drift / 3600 if self._drifting else 0.0

    def _burn(self, dt: float) -> None:
        """Let the controllers act and the gas follow the valves."""
        p = self._p
        share = 1 - exp(-dt / p.burner_lag) if p.burner_lag else 1.0
        for burner, zone in enumerate(self._burners):
            if self._auto[burner]:
                seen = self._gases[zone] + (self._error if zone == self._burners[-1] else 0.0)
                error = self._setpoint[burner] - float(seen)
                held = self._integral[burner] + p.gain / p.reset_time * error * dt
                self._integral[burner] = min(max(held, 0.0), 100.0)
                self._valve[burner] = min(max(held + p.gain * error, 0.0), 100.0)
            self._flame(burner, dt)
            wanted = self._valve[burner] / 100 * p.flow if self._lit[burner] else 0.0
            self._flow[burner] += share * (wanted - self._flow[burner])

    def _flame(self, burner: int, dt: float) -> None:
        if self._lit[burner]:
            self._left[burner] -= dt
            if self._left[burner] <= 0:
                self._left[burner] = self._draw(self._p.flame_loss_every)
                self._lit[burner], self._dark[burner] = False, self._p.relight
        else:
            self._dark[burner] -= dt
            self._lit[burner] = self._dark[burner] <= 0

    def _due(self) -> None:
        """Push as the interval says, or jam."""
        if self._random.random() < self._p.jam_share:
            self._cycle.stop("down", self._draw(self._p.jam))
        self._push()

    def _push(self, load: float | None = None) -> None:
        """Move every wagon one position on; the last leaves, a cold one enters."""
        p = self._p
        if load is None:
            load = float(np.clip(self._random.normal(1.0, p.wagon_scatter), 0.5, 1.5))
        number = self._number - len(self._wares) + 1
        self._last = Wagon(
            number=max(number, 0),
            peak=float(self._peak[-1]),
            soak=float(self._soak[-1]),
            rate=float(self._rate[-1]),
        )
        self._out.append(self._last)
        entering = p.wagon_temperature
        leaves = self._load[-1] * (self._wares[-1] - p.ambient) - load * (entering - p.ambient)
        self._heat[4] += p.wagon_capacity * leaves
        for row, first in (
            (self._wares, entering),
            (self._load, load),
            (self._peak, entering),
            (self._soak, 0.0),
            (self._rate, 0.0),
        ):
            row[1:] = row[:-1].copy()
            row[0] = first
        self._number += 1

    def _stored(self) -> float:
        """Return the heat in zones, walls and wagons above ambient, in kJ."""
        p = self._p
        ware = p.wagon_capacity * self._load @ (self._wares - p.ambient)
        zones = p.zone_capacity * (self._gases - p.ambient).sum()
        return float(ware + zones + p.wall_capacity * (self._walls - p.ambient).sum())

    @property
    def _power(self) -> float:
        return self._p.auxiliary + self._p.fan_power * (self._fan / 100) ** 3

    # what the panel shows

    def _measure(self) -> None:
        self._read = self._gases + self._p.noise * self._noise.standard_normal(self._zones)
        self._read[self._burners[-1]] += self._error

    def _watch(self) -> None:
        for zone in self._burners:
            limit = self._p.too_hot - (_CLEAR if self._hot[zone] else 0.0)
            self._hot[zone] = bool(self._read[zone] > limit)

    def _switch(self, burner: int, auto: bool) -> None:
        if auto and not self._auto[burner]:
            self._integral[burner] = self._valve[burner]  # no bump
        self._auto[burner] = auto

    def _zone_value(self, zone: int, field: str) -> float | str:
        if field == "temperature":
            return min(max(float(self._read[zone]), 0.0), 1700.0)
        burner = zone - self._p.preheat
        if field == "mode":
            return _MODES[not self._auto[burner]]
        if field == "setpoint":
            return self._setpoint[burner]
        return float(self._valve[burner] if field == "valve" else self._flow[burner])

    def _draw(self, mean: float) -> float:
        return float(self._random.exponential(mean)) if mean else float("inf")


def _weights(zones: int, positions: int) -> Array:
    """Return how much each zone [columns] counts where each wagon [rows] stands; rows add to 1."""
    where = (np.arange(zones * positions) + 0.5) / positions - 0.5
    return np.stack([np.interp(where, np.arange(zones), row) for row in np.eye(zones)], axis=1)


def _quantities(p: TunnelParameters) -> tuple[Quantity, ...]:
    found = [STATE]
    for zone in range(p.preheat + p.firing + p.cooling):
        name = f"zone{zone + 1}"
        found.append(_number(f"{name}.temperature", "Cel", 1700, "thermocouple of the zone"))
        if p.preheat <= zone < p.preheat + p.firing:
            found += [
                _number(f"{name}.setpoint", "Cel", 1500, "of the zone's controller", "rw"),
                Quantity(
                    name=f"{name}.mode", kind="state", states=_MODES, low=0, high=1, access="rw",
                    description="who moves the valve: the controller, or who writes it",
                ),
                _number(f"{name}.valve", "%", 100, "gas valve opening", "rw"),
                _number(f"{name}.gas_flow", "m3/h", 1000, "gas to the burner"),
            ]  # fmt: skip
    return (
        *found,
        _number("fan", "%", 100, "speed of the fan that moves the air", "rw"),
        Quantity(name="wagon.number", low=0, description="of the last wagon that left"),
        _number("wagon.peak", "Cel", 1700, "hottest that its bricks were"),
        _number("wagon.soak", "s", 10_000_000, "time that they soaked"),
        _number("wagon.rate", "K/h", 10_000, "fastest change at the quartz inversion"),
        _number("gas_flow", "m3/h", 10_000, "gas to all burners"),
        Quantity(name="gas", unit="m3", low=0, description="gas used in all"),
        POWER,
        ENERGY,
    )


def _number(name: str, unit: str, high: float, description: str, access: str = "r") -> Quantity:
    return Quantity(
        name=name, unit=unit, low=0, high=high, description=description,
        access="rw" if access == "rw" else "r",
    )  # fmt: skip
