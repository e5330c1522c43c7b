"""An electric motor with a fan: speed, vibration, and bearing faults that can be seeded.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from math import ceil, cos, exp, hypot, pi, radians, sqrt
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from .cycle import ENERGY, POWER, STATE, Cycle
from .parts import (
    Alarm,
    Method,
    NotNegative,
    Quantity,
    clipped,
    known,
    length,
    offered,
    settable,
)

Array = NDArray[np.float64]
Positive = Annotated[float, msgspec.Meta(gt=0)]

FAULTS = ("outer", "inner", "ball", "cage")
# ISO 10816-1:1995 annex B, class II (15 to 75 kW): where zones A, B and C end, mm/s rms
ZONES = (1.12, 2.8, 7.1)
_NAMES = ("A", "B", "C", "D")
_CLEAR = 0.9  # an alarm ends at this share of its limit
_STRENGTH = {"outer": 1.0, "inner": 0.8, "ball": 0.6, "cage": 0.4}  # of the impulses


class Bearing(msgspec.Struct, frozen=True, kw_only=True):
    """A ball bearing. Lengths in mm; the default is the SKF 6205 of the CWRU recordings."""

    balls: int = 9
    ball: float = 7.94  # diameter
    pitch: float = 39.04  # diameter
    angle: float = 0.0  # of contact, deg


def frequencies(bearing: Bearing) -> dict[str, float]:
    """Return how often each fault is struck, as multiples of the shaft's speed.

    outer: BPFO = n/2 (1 - r); inner: BPFI = n/2 (1 + r); ball: twice BSF = D/d (1 - r^2), since
    it strikes both races in a turn; cage: FTF = (1 - r)/2; r = d/D cos(angle).
    Source: Randall and Antoni (2011), Mech. Syst. Signal Process. 25, 485-520.
    """
    ratio = bearing.ball / bearing.pitch * cos(radians(bearing.angle))
    return {
        "outer": bearing.balls / 2 * (1 - ratio),
        "inner": bearing.balls / 2 * (1 + ratio),
        "ball": bearing.pitch / bearing.ball * (1 - ratio**2),
        "cage": (1 - ratio) / 2,
    }


class MotorParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A four-pole motor of a fan. Powers in kW, times in s."""

    rated: Annotated[float, msgspec.Meta(ge=0.1, le=1000)] = 22.0  # at full speed
    speed: Annotated[float, msgspec.Meta(ge=10, le=20000)] = 1770.0  # full, 1/min
    run_up: NotNegative = 4.0  # first-order lag of the speed
    efficiency: Annotated[float, msgspec.Meta(gt=0.1, le=1)] = 0.92
    ambient: Annotated[float, msgspec.Meta(ge=-40, le=60)] = 25.0  # Cel
    warm: Annotated[float, msgspec.Meta(ge=0, le=60)] = 28.0  # of a good bearing, K
    warm_fault: Annotated[float, msgspec.Meta(ge=0, le=60)] = 35.0  # more, when it is ruined, K
    warm_up: Positive = 1800.0
    vibration: Annotated[float, msgspec.Meta(ge=0, le=20)] = 0.8  # of a good motor, mm/s rms
    vibration_fault: Annotated[float, msgspec.Meta(ge=0, le=50)] = 9.0  # more, ruined, mm/s rms
    scatter: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.03  # of a reading, relative
    growth: Positive = 8 * 3600.0  # running time in which a fault grows by e
    noise: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.4  # of the acceleration, m/s2 rms
    impulse: Annotated[float, msgspec.Meta(ge=0, le=1000)] = (
        60.0  # peak of a ruined outer ring's impulse, m/s2
    )
    resonance: Annotated[float, msgspec.Meta(gt=0, le=20_000)] = 3200.0  # that it rings, Hz
    decay: Annotated[float, msgspec.Meta(ge=100, le=10_000)] = 900.0  # of the ringing, 1/s
    slip: Annotated[float, msgspec.Meta(ge=0, le=0.05)] = 0.01  # scatter of the impulses, relative


class Motor:
    """A fan's power goes with the cube of its speed; a fault grows exponentially once seeded.

    v = sqrt(v_0^2 + (s v_f)^2) n/n_0, s = 0.05 e^(t/growth) up to 1: mm/s rms, as ISO 10816 asks.
    The bearing warms by warm (n/n_0)^2 + warm_fault s, with a first-order lag.
    """

    methods = (
        *(Method(name=f"start_{fault}_fault", description=f"seed a {fault} fault that grows")
          for fault in FAULTS),
        Method(name="change_bearing", description="put a new bearing in"),
    )  # fmt: skip
    quantities = (
        STATE,
        Quantity(
            name="setpoint", unit="%", low=0, high=100, access="rw", description="of full speed"
        ),
        Quantity(name="speed", unit="/min", low=0, high=100_000, description="of the shaft"),
        Quantity(name="vibration", unit="mm/s", low=0, high=1000, description="velocity, rms"),
        Quantity(name="zone", kind="state", states=_NAMES, description="ISO 10816-1, class II"),
        Quantity(name="acceleration", unit="m/s2", low=0, high=10_000, description="rms"),
        Quantity(name="temperature", unit="Cel", low=-50, high=300, description="of the bearing"),
        POWER,
        ENERGY,
    )

    def __init__(self, parameters: MotorParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random, self._noise = random.spawn(2)  # waveforms change nothing else
        self.bearing = Bearing()
        self._cycle = Cycle(1.0)
        self._setpoint = 100.0
        self._speed = parameters.speed
        self._temperature = parameters.ambient + parameters.warm
        self._faults = dict.fromkeys(FAULTS, 0.0)
        self._energy = 0.0
        self._shake = 1.0
        self._alarms = [False, False]

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / max(self._p.run_up / 4, 1.0))
        for _ in range(count):
            self._advance(dt / count)
        if count:
            normal = float(np.clip(self._random.standard_normal(), -3, 3))
            self._shake = 1 + self._p.scatter * normal
            for number, limit in enumerate(ZONES[1:]):
                ends = limit * (_CLEAR if self._alarms[number] else 1.0)
                self._alarms[number] = self._vibration > ends

    def drive(self, state: str, phase: float, product: str = "") -> None:
        self._cycle.drive(state, phase, product)

    def get(self, name: str) -> float | str:
        vibration = self._vibration
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "setpoint": self._setpoint,
            "speed": self._speed,
            "vibration": vibration,
            "zone": _NAMES[sum(vibration > limit for limit in ZONES)],
            "acceleration": self._acceleration(),
            "temperature": self._temperature,
            "power": self._power,
            "energy": self._energy,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        self._setpoint = clipped(settable(self.quantities, name, value), value)

    def call(self, method: str) -> None:
        if offered(self.methods, method) == "change_bearing":
            self._faults = dict.fromkeys(FAULTS, 0.0)
        else:
            fault = method.removeprefix("start_").removesuffix("_fault")
            self._faults[fault] = max(self._faults[fault], 0.05)

    def alarms(self) -> tuple[Alarm, ...]:
        return tuple(
            Alarm(
                name=name,
                active=active,
                severity=severity,
                message=f"vibration above {limit} mm/s: {what} (ISO 10816-1, class II)",
                quantity="vibration",
            )
            for name, severity, what, limit, active in zip(
                ("vibration_high", "vibration_damaging"),
                (500, 900),
                ("zone C, not for long", "zone D, may cause damage"),
                ZONES[1:],
                self._alarms,
                strict=True,
            )
        )

    def waveform(self, n: int, rate: float) -> Array:
        """Return n >= 1 samples of the housing's acceleration, `rate` a second: [n], m/s2.

        Shaft harmonics, noise, and for each fault a train of impulses at its frequency, each
        ringing at the resonance; inner faults are stronger once a turn, balls once a cage's turn,
        as they pass the load zone.
        """
        p = self._p
        time = np.arange(n) / rate
        turning = self._speed / 60  # Hz
        share = self._speed / p.speed
        wave = p.noise * share * self._noise.standard_normal(n)
        phase = self._noise.uniform(0, 2 * pi, 2)
        unbalance = self._base / 1000 * 2 * pi * turning * sqrt(2)  # m/s2, peak
        wave += unbalance * np.cos(2 * pi * turning * time + phase[0])
        wave += 0.3 * unbalance * np.cos(4 * pi * turning * time + phase[1])
        if turning <= 0:
            return wave
        multiples = frequencies(self.bearing)
        train = np.zeros(n)
        for fault, severity in self._faults.items():
            if severity > 0:
                train += self._impulses(
                    fault, severity * share, multiples[fault] * turning, n, rate
                )
        lasts = np.arange(max(ceil(rate * 7 / p.decay), 1)) / rate
        ring = np.exp(-p.decay * lasts) * np.sin(2 * pi * p.resonance * lasts)
        wave += np.convolve(train, ring)[:n]
        return wave

    def _impulses(
        self, fault: str, severity: float, frequency: float, n: int, rate: float
    ) -> Array:
        """Return the impulses of one fault, before anything rings: [n], m/s2."""
        p, turning = self._p, self._speed / 60
        every = 1 / frequency  # s
        lasts = n / rate
        gaps = every * (1 + p.slip * self._noise.standard_normal(ceil(lasts / every) + 2))
        at = np.cumsum(gaps) - every * self._noise.random()
        at = at[(at >= 0) & (at < lasts)]
        around = {"inner": turning, "ball": frequencies(self.bearing)["cage"] * turning}
        load = 0.5 * (1 + np.cos(2 * pi * around.get(fault, 0.0) * at))
        weights = p.impulse * _STRENGTH[fault] * severity * load
        samples = np.minimum((at * rate).astype(np.int64), n - 1)
        return np.bincount(samples, weights=weights, minlength=n).astype(np.float64)

    @property
    def _on(self) -> bool:
        return self._cycle.state not in {"off", "down", "maintenance"}

    @property
    def _power(self) -> float:
        share = self._speed / self._p.speed
        return self._p.rated * share**3 / self._p.efficiency if self._on else 0.0

    @property
    def _base(self) -> float:
        """Return the vibration of the motor itself, mm/s rms."""
        return self._p.vibration * self._speed / self._p.speed

    @property
    def _vibration(self) -> float:
        worn = max(self._faults.values()) * self._p.vibration_fault * self._speed / self._p.speed
        return hypot(self._base, worn) * self._shake

    def _acceleration(self) -> float:
        """Return the rms of what `waveform` gives, in m/s2."""
        p = self._p
        share, turning = self._speed / p.speed, self._speed / 60
        unbalance = self._base / 1000 * 2 * pi * turning
        power = (p.noise * share) ** 2 + unbalance**2 * (1 + 0.3**2)
        ringing = 1 / (4 * p.decay)  # integral of the squared ring, s
        for fault, severity in self._faults.items():
            peak = p.impulse * _STRENGTH[fault] * severity * share
            load = 3 / 8 if fault in {"inner", "ball"} else 1.0  # mean square of the load zone
            strikes = frequencies(self.bearing)[fault] * turning
            power += load * peak**2 * strikes * ringing
        return sqrt(power)

    def _advance(self, dt: float) -> None:
        p = self._p
        target = p.speed * self._setpoint / 100 if self._on else 0.0
        self._energy += self._power * dt / 3600
        self._speed += (target - self._speed) * (1 - exp(-dt / p.run_up) if p.run_up else 1.0)
        self._speed = self._speed if self._speed > 1e-3 * p.speed else 0.0
        share = self._speed / p.speed
        worst = max(self._faults.values())
        warm = p.ambient + p.warm * share**2 + p.warm_fault * worst * share
        self._temperature += (warm - self._temperature) * (1 - exp(-dt / p.warm_up))
        if worst and share:
            grown = exp(share * dt / p.growth)
            self._faults = {
                fault: min(severity * grown, 1.0) for fault, severity in self._faults.items()
            }
