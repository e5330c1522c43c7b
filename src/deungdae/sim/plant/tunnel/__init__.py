"""A gas-fired tunnel kiln: zones, wagons, controllers, and a drift that can be switched on.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from math import ceil

import numpy as np
from msgspec import structs

from deungdae.sim.plant.cycle import ENERGY, LOADED, POWER, STATE, Cycle
from deungdae.sim.plant.parts import (
    Alarm,
    Method,
    Quantity,
    clipped,
    known,
    length,
    offered,
    settable,
)
from deungdae.sim.plant.ware import Wagon, defect_probability

from .heat import Balance, TunnelParameters, settled

__all__ = ["Balance", "Tunnel", "TunnelParameters"]

_MODES = ("auto", "manual")
_STEP = 5.0  # s
_CLEAR = 15.0  # K below its limit an alarm ends
_HOTTEST = 1700.0  # Cel, that anything can show
_KEPT = 1000  # wagons that nobody asked for


class Tunnel:
    """Zones in a row; wagons go one way through them, air the other.

    C_z dT_i/dt = m (T_i+1 - T_i) + P_i - k_zw (T_i - W_i) - sum over k of w_ki h_k (T_i - X_k)
    C_w dW_i/dt = k_zw (T_i - W_i) - k_wa (W_i - T_ambient)
    C_x dX_k/dt = sum over i of w_ki h_k (T_i - X_k), h_k = h_c + h_r (mean in K / 1500)^3
    w_ki: how much zone i counts where wagon k stands, 1 in all. Air enters behind the last zone; a
    share of it leaves for the dryer before the firing zones. Each firing zone has a thermocouple,
    a burner and a PI controller; in `manual` its valve can be written instead. What drifts is the
    thermocouple of the last firing zone: it reads more and more too much, the controller fires
    less and less, the panel looks right and the bricks come out pale.
    """

    methods = (
        Method(name="push", description="push a wagon in now"),
        Method(name="reset", description="relight burners and clear a jam"),
        Method(name="start_drift", description="let the last firing zone's thermocouple drift"),
        Method(name="stop_drift", description="put a new thermocouple in"),
    )

    def __init__(self, parameters: TunnelParameters, random: np.random.Generator) -> None:
        p = self._p = parameters
        self._random, self._noise = random.spawn(2)  # so the noise of reading moves no wagon
        self.quantities = _quantities(p)
        self._places = {each.name: _place(each.name) for each in self.quantities}
        self._cycle = Cycle(p.interval)
        self._heat = deepcopy(settled(p))
        self._dark = [0.0] * p.firing  # s until somebody relights
        self._left = [self._draw(p.flame_loss_every) for _ in range(p.firing)]  # s to a loss
        self._drifting = False
        self._energy = 0.0
        self._out: deque[Wagon] = deque(maxlen=_KEPT)
        self._last = self._wagon(0)
        self._hot = [False] * p.firing
        for burner in range(max(p.firing - p.manual, 0), p.firing):
            self._heat.switch(burner, auto=False)
        self._measure()

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / _STEP)
        for _ in range(count):
            self._advance(dt / count)
        if count:
            self._measure()

    def drive(self, state: str, phase: float, product: str = "") -> None:
        """Follow the line: each cycle that it completes is one push."""
        if self._cycle.drive(state, phase, product):
            self._push()

    def tell(self, name: str, text: str) -> None:
        """Show what a line says of its parts."""
        self._cycle.told[name] = text

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the counters, wagons and valves of another kiln."""
        self._energy = values.get("energy", self._energy)
        self._heat.gas = values.get("gas", self._heat.gas)
        self._last = self._wagon(int(values.get("wagon.number", self._last.number)))
        for burner in range(self._p.firing):
            name = f"zone{self._p.preheat + burner + 1}.valve"
            self._heat.valve[burner] = values.get(name, self._heat.valve[burner])

    def get(self, name: str) -> float | str:
        known(self.quantities, name)
        zone, field = self._places[name]
        if zone is not None:
            return self._zone(zone, field)
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "fan": self._heat.fan,
            "wagon.number": float(self._last.number),
            "wagon.peak": min(self._last.peak, _HOTTEST),
            "wagon.soak": self._last.soak,
            "wagon.rate": self._last.rate,
            "gas_flow": float(self._heat.flow.sum()),
            "gas": self._heat.gas,
            "power": self._power,
            "energy": self._energy,
            "loaded": self._cycle.told.get("loaded", ""),
        }
        return values[name]

    def set(self, name: str, value: float) -> None:
        value = clipped(settable(self.quantities, name, value), value)
        zone, field = self._places[name]
        if zone is None:
            self._heat.fan = value
            return
        burner = zone - self._p.preheat
        if field == "setpoint":
            self._heat.setpoint[burner] = value
        elif field == "mode":
            self._heat.switch(burner, auto=value < 0.5)
        elif self._heat.auto[burner]:
            mode = name.replace("valve", "mode")
            raise ValueError(f"{name} is the controller's: set {mode} to 1 (manual) first")
        else:
            self._heat.valve[burner] = value

    def call(self, method: str) -> None:
        match offered(self.methods, method):
            case "push":
                self._push()
            case "reset":
                self._heat.lit = [True] * self._p.firing
                self._cycle.start()
            case "start_drift":
                self._drifting = True
            case "stop_drift":
                self._drifting, self._heat.error = False, 0.0

    def alarms(self) -> tuple[Alarm, ...]:
        names = [f"zone{self._p.preheat + burner + 1}" for burner in range(self._p.firing)]
        hot = (
            Alarm(
                name=f"{name}.over_temperature",
                active=active,
                severity=800,
                message=f"{name} is above {self._p.too_hot:.0f} Cel",
                quantity=f"{name}.temperature",
            )
            for name, active in zip(names, self._hot, strict=True)
        )
        lost = (
            Alarm(
                name=f"{name}.flame_loss",
                active=not lit,
                severity=900,
                message=f"the burner of {name} is out; its gas is shut",
                quantity=f"{name}.gas_flow",
            )
            for name, lit in zip(names, self._heat.lit, strict=True)
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

    def spoils(self) -> Mapping[str, float]:
        """Return how likely each defect is for the bricks of the last wagon that left."""
        return defect_probability(self._last.peak, self._last.soak, self._last.rate)

    def balance(self) -> Balance:
        """Return where all heat went since the start."""
        return self._heat.balance()

    @property
    def _power(self) -> float:
        return self._p.auxiliary + self._p.fan_power * (self._heat.fan / 100) ** 3

    def _advance(self, dt: float) -> None:
        for _ in range(self._cycle.step(dt)):
            self._push()
            if self._random.random() < self._p.jam_share:
                self._cycle.stop("down", self._draw(self._p.jam))
        for burner in range(self._p.firing):
            self._flame(burner, dt)
        self._heat.error += dt * self._p.drift / 3600 if self._drifting else 0.0
        self._heat.advance(dt)
        self._energy += dt * self._power / 3600

    def _flame(self, burner: int, dt: float) -> None:
        """Lose a flame now and then; somebody lights it again."""
        if self._heat.lit[burner]:
            self._left[burner] -= dt
            if self._left[burner] <= 0:
                self._left[burner] = self._draw(self._p.flame_loss_every)
                self._heat.lit[burner], self._dark[burner] = False, self._p.relight
        else:
            self._dark[burner] -= dt
            self._heat.lit[burner] = self._dark[burner] <= 0

    def _push(self) -> None:
        load = float(np.clip(self._random.normal(1.0, self._p.wagon_scatter), 0.5, 1.5))
        self._heat.push(load)
        self._last = self._wagon(self._last.number + 1)
        self._out.append(self._last)

    def _wagon(self, number: int) -> Wagon:
        peak, soak, rate = self._heat.left
        return Wagon(number=number, peak=peak, soak=soak, rate=rate)

    def _measure(self) -> None:
        """Read the thermocouples; raise alarms at their limit, clear them a little below."""
        noise = self._p.noise * self._noise.standard_normal(self._heat.zones)
        self._read = np.clip(self._heat.seen() + noise, 0.0, _HOTTEST)
        for burner, read in enumerate(self._read[self._heat.burners].tolist()):
            self._hot[burner] = read > self._p.too_hot - (_CLEAR if self._hot[burner] else 0.0)

    def _zone(self, zone: int, field: str) -> float | str:
        if field == "temperature":
            return float(self._read[zone])
        burner = zone - self._p.preheat
        values: dict[str, float | str] = {
            "mode": _MODES[not self._heat.auto[burner]],
            "setpoint": self._heat.setpoint[burner],
            "valve": self._heat.valve[burner],
            "gas_flow": float(self._heat.flow[burner]),
        }
        return values[field]

    def _draw(self, mean: float) -> float:
        return float(self._random.exponential(mean)) if mean else float("inf")


def _place(name: str) -> tuple[int | None, str]:
    """Return which zone, counted from 0, a quantity belongs to, and what it is there."""
    place, _, field = name.partition(".")
    return (int(place[4:]) - 1, field) if place.startswith("zone") else (None, name)


def _quantities(p: TunnelParameters) -> tuple[Quantity, ...]:
    found = [STATE]
    for zone in range(p.preheat + p.firing + p.cooling):
        name = f"zone{zone + 1}"
        found.append(_number(f"{name}.temperature", "Cel", _HOTTEST, "thermocouple of the zone"))
        if p.preheat <= zone < p.preheat + p.firing:
            found += [
                _number(f"{name}.setpoint", "Cel", 1500, "of the zone's controller", write=True),
                Quantity(
                    name=f"{name}.mode", kind="state", states=_MODES, low=0, high=1, access="rw",
                    description="who moves the valve: the controller, or who writes it",
                ),
                _number(f"{name}.valve", "%", 100, "gas valve opening", write=True),
                _number(f"{name}.gas_flow", "m3/h", 1000, "gas to the burner"),
            ]  # fmt: skip
    return (
        *found,
        _number("fan", "%", 100, "speed of the fan that moves the air", write=True),
        Quantity(name="wagon.number", low=0, description="of the last wagon that left"),
        _number("wagon.peak", "Cel", _HOTTEST, "hottest that its bricks were"),
        _number("wagon.soak", "s", 10_000_000, "time that they soaked"),
        _number("wagon.rate", "K/h", 10_000, "fastest change at the quartz inversion"),
        _number("gas_flow", "m3/h", 10_000, "gas to all burners"),
        Quantity(name="gas", unit="m3", low=0, description="gas used in all"),
        POWER,
        ENERGY,
        LOADED,
    )


def _number(name: str, unit: str, high: float, what: str, *, write: bool = False) -> Quantity:
    number = Quantity(name=name, unit=unit, low=0, high=high, description=what)
    return structs.replace(number, access="rw") if write else number
