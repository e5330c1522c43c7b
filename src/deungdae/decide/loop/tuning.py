"""From a step test to a tuning: a first-order model with dead time, and the SIMC rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, FloatArray, TimeArray

LEAST = 20  # samples
MOVING = 0.25  # share of the output's whole range that drift alone may make up
LEAST_SHARE = 0.5  # of the output's variance that the input must explain


class Simc(NamedTuple):
    """A tuning in standard form. kp: output unit per measurement unit; ti, td: s."""

    kp: float
    ti: float
    td: float


class Estimate(msgspec.Struct, frozen=True):
    """A value with the half width of its 95 % interval."""

    value: float
    uncertainty: float


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A first-order process with dead time, as a step test shows it.

    gain: output unit per input unit; time_constant, dead_time: s. drift: of the output, per s.
    r2: share of the output's variance (about its drift) that the input explains; noise: standard
    deviation of the rest. The uncertainties take the rest for white noise, so they are at the
    small side.
    """

    gain: Estimate
    time_constant: Estimate
    dead_time: Estimate
    drift: Estimate
    r2: float
    noise: float
    samples: int


def simc(
    gain: float, time_constant: float, dead_time: float, closed_loop_time: float | None = None
) -> Simc:
    """Return the PI tuning of a first-order process with dead time.

    gain: measurement unit per output unit; the times in s, and so are ti and td.
    closed_loop_time: wanted time constant of the closed loop, None: the dead time, which is tight;
    longer is smoother. kp has the sign of the gain. td is 0: a first-order process needs none.
    Raises ValueError for a gain of 0 or times that are not positive.
    Source: Skogestad, J. Process Control 13 (2003) 291-309.
    """
    wanted = dead_time if closed_loop_time is None else closed_loop_time
    if not (gain and time_constant > 0 and dead_time >= 0 and wanted >= 0):
        raise ValueError(
            f"no tuning for gain {gain}, time constant {time_constant}, dead time {dead_time}"
        )
    reach = wanted + dead_time
    if reach <= 0:
        raise ValueError("without dead time the closed-loop time must be given, above 0")
    return Simc(time_constant / (gain * reach), min(time_constant, 4 * reach), 0.0)


def identify(
    time: TimeArray, input: FloatArray, output: FloatArray, *, drift: bool = False
) -> Model:
    """Return the first-order model with dead time that fits a step test best (least squares).

    time: int64[n] ns, rising; input: [n], what was set, held until the next sample; output: [n].
    Sampling may be irregular. drift: the output was also moving by itself, evenly: where one
    cannot wait for rest; the input must then step up and down again.
    Raises NotEnoughData when the input or the answer is too small to tell.
    """
    test = _Test(time, input, output, drift)
    place = test.search()
    place, spread = test.refine(place)
    linear, rest = test.fit(place)
    error = 1.96 * spread
    model = Model(
        gain=Estimate(float(linear[0]), float(error[2])),
        time_constant=Estimate(float(np.exp(place[0])), float(np.exp(place[0]) * error[0])),
        dead_time=Estimate(float(place[1]), float(error[1])),
        drift=Estimate(float(linear[2]), float(error[4])) if drift else Estimate(0.0, 0.0),
        r2=1 - float(rest @ rest) / test.unexplained(),
        noise=float(np.sqrt(rest @ rest / test.freedom)),
        samples=len(test.seconds),
    )
    if not model.r2 >= LEAST_SHARE:
        raise NotEnoughData(
            f"the input explains only {model.r2:.0%} of what the output did; make a larger step, "
            "at rest, or step up and down again and allow for drift"
        )
    return model


class _Test:
    """A step test. A place is (log of the time constant, dead time); the rest is linear in it."""

    def __init__(self, time: TimeArray, input: FloatArray, output: FloatArray, drift: bool) -> None:
        self.seconds = (time - time[0]) / SECOND if len(time) else np.zeros(0)
        self.input, self.output, self.drift = input, output, drift
        self._check()
        self.changes = np.flatnonzero(np.diff(input)) + 1
        self.sizes = np.diff(input)[self.changes - 1]
        self.span = float(self.seconds[-1])
        self.freedom = len(output) - (5 if drift else 4)

    def _check(self) -> None:
        if len(self.seconds) < LEAST:
            raise NotEnoughData(f"{len(self.seconds)} samples, at least {LEAST} are needed")
        if not (np.isfinite(self.input).all() and np.isfinite(self.output).all()):
            raise NotEnoughData("the test holds samples without a value: leave them out")
        if not (np.diff(self.seconds) > 0).all():
            raise NotEnoughData("the times do not rise: leave out what came twice")
        if np.ptp(self.input) == 0:
            raise NotEnoughData("the input never changed: make a step")
        if np.ptp(self.output) == 0:
            raise NotEnoughData("the output never changed: make a larger step or a longer test")
        if not self.drift and self._moved_before():
            raise NotEnoughData(
                "the output was moving before the step: wait for rest, or step up and down again "
                "and allow for drift"
            )

    def _moved_before(self) -> bool:
        """Return whether the output drifted before the first step, by enough to spoil the test."""
        rest = int(np.flatnonzero(np.diff(self.input))[0]) + 1
        if rest < LEAST // 2:
            return False
        seconds = self.seconds[:rest] - self.seconds[:rest].mean()
        output = self.output[:rest] - self.output[:rest].mean()
        slope = float(seconds @ output / (seconds @ seconds))
        left = output - slope * seconds
        error = float(np.sqrt(left @ left / (rest - 2) / (seconds @ seconds)))
        moved = abs(slope) * float(self.seconds[-1])
        return abs(slope) > 5 * error and moved > MOVING * float(np.ptp(self.output))

    def answer(self, place: Sequence[float] | FloatArray) -> FloatArray:
        """Return what the input makes of a process of gain 1, exactly: [n]."""
        constant, dead = float(np.exp(place[0])), float(place[1])
        total = np.zeros(len(self.seconds))
        for at, size in zip(self.changes, self.sizes, strict=True):
            since = np.maximum(self.seconds - self.seconds[at] - dead, 0.0)
            total -= size * np.expm1(-since / constant)
        return total

    def columns(self, place: Sequence[float] | FloatArray) -> NDArray[np.float64]:
        """Return what the output is a sum of: the answer, one, and perhaps time: [n, 2 or 3]."""
        parts = [self.answer(place), np.ones(len(self.seconds))]
        if self.drift:
            parts.append(self.seconds)
        return np.stack(parts, axis=1)

    def fit(self, place: Sequence[float] | FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gain, offset (and drift) at a place, and what is left: [n]."""
        columns = self.columns(place)
        linear: FloatArray = np.asarray(
            np.linalg.lstsq(columns, self.output, rcond=None)[0], np.float64
        )
        return linear, self.output - columns @ linear

    def unexplained(self) -> float:
        """Return the sum of squares that is left without the input."""
        columns = self.columns((0.0, 0.0))[:, 1:]
        rest = self.output - columns @ np.linalg.lstsq(columns, self.output, rcond=None)[0]
        return float(rest @ rest)

    def misfit(self, place: Sequence[float] | FloatArray) -> float:
        rest = self.fit(place)[1]
        return float(rest @ rest)

    def search(self) -> FloatArray:
        """Return the best place of a coarse grid, so that refining cannot miss the valley."""
        after = self.span - float(self.seconds[self.changes[0]])
        shortest = self.span / (2 * len(self.seconds))
        constants = np.linspace(np.log(shortest), np.log(10 * self.span), 25)
        places = [(c, d) for c in constants for d in np.linspace(0, after / 2, 25)]
        return np.asarray(min(places, key=self.misfit))

    def refine(self, place: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the best place and the standard errors of [log constant, dead time, linear...].

        Levenberg's damped Gauss-Newton on the two, the linear part solved at each place.
        """
        damping, best = 1e-3, self.misfit(place)
        for _ in range(100):
            slopes = self._slopes(place)[:, :2]
            rest = self.fit(place)[1]
            normal = slopes.T @ slopes
            step = np.linalg.lstsq(
                normal + damping * np.diag(np.diag(normal) + 1e-12), slopes.T @ rest, rcond=None
            )[0]
            trial = np.asarray([place[0] + step[0], min(max(place[1] + step[1], 0.0), self.span)])
            found = self.misfit(trial)
            if found < best:
                gained, place, best = best - found, trial, found
                damping /= 3
                if gained < 1e-12 * best:
                    break
            else:
                damping *= 4
                if damping > 1e9:
                    break
        slopes = self._slopes(place)
        covariance = np.linalg.pinv(slopes.T @ slopes) * best / self.freedom
        return place, np.sqrt(np.maximum(np.diag(covariance), 0.0)).astype(np.float64)

    def _slopes(self, place: FloatArray) -> NDArray[np.float64]:
        """Return how the modelled output moves with each parameter: [n, 4 or 5]."""
        linear = self.fit(place)[0]
        moves = []
        for index, width in enumerate((1e-4, 1e-4 * self.span)):
            up, down = place.copy(), place.copy()
            up[index] += width
            down[index] -= width
            moves.append((self.answer(up) - self.answer(down)) * linear[0] / (2 * width))
        return np.column_stack([*moves, self.columns(place)])
