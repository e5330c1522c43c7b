"""How long until an indicator passes its limit, with an interval, once it shows a trend.

The indicator, or its logarithm where it grows in proportion to itself, is taken as a Wiener
process with drift, seen with noise: x(t) = a + m t + s B(t), y = x + e. How much of the scatter is
wandering and how much is noise, and which law holds, is not known: both laws and a grid of shares
are weighed by their likelihood, the drift by its t distribution, and the first passage of what is
left of the way is inverse Gaussian.
The quantiles of the mixture are the interval, so it holds that drift, noise and future are unknown.

Sources: Folks and Chhikara (1978), J. R. Stat. Soc. B 40, 263-289 (inverse Gaussian as first
passage); Si, Wang, Hu and Zhou (2011), Eur. J. Oper. Res. 213, 1-14 (remaining life by it).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

Growth: TypeAlias = Literal["auto", "linear", "exponential"]

_POINTS = 1000  # that are looked at: more say no more
_KNEES = 60  # places that are tried as the begin of the rise
_LEAST = 12  # points below which no scatter can be told from a trend
_SURE = 0.99  # chance that the drift is upward from which a trend is shown
_SHARES = np.concatenate([[0.0], np.geomspace(0.03, 30, 10)])  # noise to wandering, variances
_NEGLIGIBLE = 0.01  # weight of a fit
_GRID = (np.arange(24) + 0.5) / 24  # of probability
_COARSE = (np.arange(5) + 0.5) / 5


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Time until the limit is passed first, in the unit of the times given.

    value: median; low, high: of the interval, infinite where it may never come; growth: by which
    law; since: the first time that the trend rests on; chance: that it rises at all.
    """

    value: float
    low: float
    high: float
    growth: Literal["linear", "exponential"]
    since: float
    chance: float
    level: float


class _Fit(NamedTuple):
    """One share of noise: weight (log), drift, its error and degrees, present level and error."""

    weight: float
    drift: float
    error: float
    degrees: int
    level: float
    doubt: float
    wander: float  # s^2
    goal: float
    logarithmic: bool


def remaining(
    time: FloatArray,
    value: FloatArray,
    limit: float,
    *,
    growth: Growth = "auto",
    sure: float = 0.9,
) -> Life:
    """Return when an indicator passes its limit first.

    time: float64[n], rising, any unit; value: float64[n]; sure: of the interval.
    Raises NotEnoughData for few points, and until a rising trend is shown.
    """
    kept = np.isfinite(value) & np.isfinite(time)
    time, value = np.asarray(time, np.float64)[kept], np.asarray(value, np.float64)[kept]
    if len(time) < _LEAST:
        raise NotEnoughData(f"{len(time)} points of {_LEAST} that a trend needs")
    time, value = _thinned(time, value)
    if not np.ptp(value) or not np.ptp(time):
        raise NotEnoughData("the indicator does not change")
    first = _onset(time, value)
    time, value = time[first:], value[first:]
    positive = limit > 0 and bool((value > 0).all())
    if growth == "exponential" and not positive:
        raise NotEnoughData("what is not above zero cannot grow in proportion to itself")
    fits: list[_Fit] = []
    if growth != "exponential":
        fits += _fits(time, value, limit, logarithmic=False)
    if growth != "linear" and positive:
        fits += _fits(time, np.log(value), float(np.log(limit)), logarithmic=True)
    fits.sort(key=lambda fit: -fit.weight)
    chance = _rising(fits)
    if chance < _SURE:
        raise NotEnoughData("no rising trend is shown yet")
    low, middle, high = (_passage(fits, share) for share in ((1 - sure) / 2, 0.5, (1 + sure) / 2))
    likely = fits[0]
    return Life(
        value=middle,
        low=low,
        high=high,
        growth="exponential" if likely.logarithmic else "linear",
        since=float(time[0]),
        chance=chance,
        level=float(np.exp(likely.level)) if likely.logarithmic else likely.level,
    )


def _thinned(time: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return every so many-th point up to the last: means would hide how much it wanders."""
    every = -(-len(time) // _POINTS)
    return time[::-1][::every][::-1], value[::-1][::every][::-1]


def _onset(time: FloatArray, value: FloatArray) -> int:
    """Return where the rise begins: the knee of the best flat line with a slope behind it.

    0 where a knee explains hardly more than one slope from the start.
    """
    best, knee = np.inf, 0
    for place in np.unique(np.linspace(0, len(time) - _LEAST, _KNEES).astype(int)).tolist():
        after = np.maximum(time - time[place], 0.0)
        design = np.column_stack([np.ones(len(time)), after])
        _, rest, _, _ = np.linalg.lstsq(design, value, rcond=None)
        squares = float(rest[0]) if len(rest) else np.inf
        if place == 0:
            best = 0.8 * squares  # a knee must take away a fifth of what is left
        elif squares < best:
            best, knee = squares, place
    return knee


def _fits(time: FloatArray, y: FloatArray, goal: float, *, logarithmic: bool) -> list[_Fit]:
    """Return the fit for each share of noise, by generalised least squares of the increments.

    Weights are marginal likelihoods: the drift, in shares of the level, and the log of the scatter
    have flat priors; the Jacobian makes both laws comparable.
    """
    from scipy.linalg import cholesky_banded, solve_banded  # noqa: PLC0415 — slow to import

    steps, rises = np.diff(time), np.diff(y)
    n = len(rises)
    fair = -float(y[1:].sum()) if logarithmic else -float(np.log(max(abs(y).mean(), 1e-300)))
    found = []
    for share in _SHARES:
        noise = share * float(np.median(steps))
        cover = np.stack([steps + 2 * noise, np.full(n, -noise)])
        lower = cholesky_banded(cover, lower=True)
        last = np.concatenate([np.zeros(n - 1), [noise]])
        each = np.column_stack([steps, rises, last])
        steps_, rises_, last_ = solve_banded((1, 0), lower, each).T
        drift = float(steps_ @ rises_ / (steps_ @ steps_))
        rest = rises_ - drift * steps_
        wander = max(float(rest @ rest) / (n - 1), 1e-300)
        weight = -0.5 * (n - 1) * float(np.log(wander)) - float(np.log(lower[0]).sum()) + fair
        weight -= 0.5 * float(np.log(steps_ @ steps_))
        found.append(
            _Fit(
                weight=weight,
                drift=drift,
                error=float(np.sqrt(wander / (steps_ @ steps_))),
                degrees=n - 1,
                level=float(y[-1]) - float(last_ @ rest),
                doubt=wander * max(noise - float(last_ @ last_), 0.0),
                wander=wander,
                goal=goal,
                logarithmic=logarithmic,
            )
        )
    return found


def _shares(fits: list[_Fit]) -> FloatArray:
    weights = np.exp(np.asarray([fit.weight - fits[0].weight for fit in fits]))
    return np.asarray(weights / weights.sum(), np.float64)


def _rising(fits: list[_Fit]) -> float:
    """Return the chance that the drift is upward."""
    from scipy.stats import t  # noqa: PLC0415 — slow to import

    each = [t.cdf(fit.drift / fit.error, fit.degrees) for fit in fits]
    return float(_shares(fits) @ np.asarray(each))


def _passage(fits: list[_Fit], share: float) -> float:
    """Return the time by which the goal is passed with the chance `share`; inf if never so sure."""
    from scipy.special import log_ndtr, ndtr, ndtri  # noqa: PLC0415 — slow to import
    from scipy.stats import t  # noqa: PLC0415

    weights = _shares(fits)
    drifts, ways, wanders, odds = [], [], [], []
    for fit, weight in zip(fits, weights.tolist(), strict=True):
        if weight < _NEGLIGIBLE:
            continue
        drift = fit.drift + fit.error * t.ppf(_GRID, fit.degrees)
        way = fit.goal - fit.level - np.sqrt(fit.doubt) * ndtri(_COARSE)
        grid = np.meshgrid(drift, way)
        drifts.append(grid[0].ravel())
        ways.append(grid[1].ravel())
        wanders.append(np.full(grid[0].size, fit.wander))
        odds.append(np.full(grid[0].size, weight / grid[0].size))
    m, d, s2, p = (np.concatenate(each) for each in (drifts, ways, wanders, odds))
    passed = d <= 0
    d = np.where(passed, 1.0, d)

    def by(after: float) -> float:
        """Return the chance of having passed: the inverse Gaussian law, also for drifts below 0."""
        root = np.sqrt(s2 * after)
        direct = ndtr((m * after - d) / root)
        back = np.exp(np.minimum(2 * m * d / s2 + log_ndtr(-(m * after + d) / root), 0.0))
        return float(p @ np.where(passed, 1.0, np.minimum(direct + back, 1.0)))

    if by(1e-12) >= share:
        return 0.0
    scale = abs(fits[0].goal - fits[0].level) / abs(fits[0].drift)
    low, high = 0.0, scale
    while by(high) < share:
        low, high = high, 2 * high
        if high > 1e4 * scale:
            return float("inf")
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if by(middle) < share else (low, middle)
    return (low + high) / 2
