"""The PID algorithm in standard form, sampled at irregular times.

    v = K (b r - y) + I + D,   dI/dt = K e / Ti + (u - v) / Tt,   u = v within its limits
    D + (Td / N) dD/dt = -K Td dy/dt

Anti-windup is back-calculation with Tt = sqrt(Ti Td), or Ti without derivative action.
Source: Åström, Hägglund: Advanced PID Control (2006), chapters 3 and 13.
"""

from __future__ import annotations

from math import sqrt

import msgspec


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """How the controller answers.

    gain: K, output unit per unit of the measurement; below 0 where a higher output lowers the
    measurement. integral: Ti, s, 0: no integral action. derivative: Td, s. weight: b, share of
    the set-point in the proportional part. filter: N, limits the derivative's gain.
    """

    gain: float
    integral: float = 0.0
    derivative: float = 0.0
    weight: float = 1.0
    filter: float = 10.0


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What the output may be. rate: its largest change per second, None: any."""

    low: float
    high: float
    rate: float | None = None


class Pid:
    """One controller. `start` first; then `step` with each measurement."""

    def __init__(self, tuning: Tuning, bounds: Bounds) -> None:
        self.tuning = tuning
        self.bounds = bounds
        self.output = 0.0
        self._integral = 0.0
        self._derivative = 0.0
        self._measured = 0.0
        self._wanted = 0.0

    def start(self, measured: float, wanted: float, output: float) -> None:
        """Begin from the output that the machine holds: the next step goes on from there."""
        self.output = output
        self._measured, self._wanted = measured, wanted
        self._derivative = 0.0
        self._integral = output - self._proportional()

    def retune(self, tuning: Tuning) -> None:
        """Go on with another tuning; the output does not jump."""
        before = self._proportional() + self._integral + self._derivative
        self.tuning = tuning
        self._derivative = 0.0
        self._integral = before - self._proportional()

    def step(self, measured: float, wanted: float, dt: float) -> float:
        """Return the output for a measurement made dt > 0 seconds after the one before."""
        tuning = self.tuning
        if tuning.derivative:
            lag = tuning.derivative / tuning.filter
            kick = tuning.gain * tuning.derivative * (measured - self._measured)
            self._derivative = (lag * self._derivative - kick) / (lag + dt)
        self._measured, self._wanted = measured, wanted
        if tuning.integral:
            self._integral += tuning.gain * (wanted - measured) * dt / tuning.integral
        free = self._proportional() + self._integral + self._derivative
        self.output = self._bounded(free, dt)
        if tuning.integral:
            tracking = sqrt(tuning.integral * tuning.derivative) or tuning.integral
            self._integral += (self.output - free) * min(dt / tracking, 1.0)
        return self.output

    def _proportional(self) -> float:
        return self.tuning.gain * (self.tuning.weight * self._wanted - self._measured)

    def _bounded(self, value: float, dt: float) -> float:
        if self.bounds.rate is not None:
            reach = self.bounds.rate * dt
            value = min(max(value, self.output - reach), self.output + reach)
        return min(max(value, self.bounds.low), self.bounds.high)
