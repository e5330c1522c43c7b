"""A stamping press that runs, waits, breaks down and is set up, seeded and in SI time.

Parameters are typical orders of magnitude, not measurements of one machine.
"""

from __future__ import annotations

from math import pi, sin
from typing import Annotated

import msgspec
import numpy as np

from .parts import NotNegative, Quantity, Share, known, length, settable


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
        left = length(dt)
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
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)

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
