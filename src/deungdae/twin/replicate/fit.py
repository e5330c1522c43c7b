"""Distributions for observed times: chosen by likelihood, kept only where they really fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.sim.distribution import Distribution

FEW = 30  # values below which nothing but the best of the families can be told
QUANTILES = 101  # of an empirical distribution
CLOSE = 0.015  # a family that is nowhere further from the data serves, however many they are
WIDE = 8.0  # deviation of logarithms beyond which nothing is a time any more
EXACT = 1e-6  # a relative spread that counts as none


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution for n observed values.

    distance: largest difference between its distribution function and that of the data
    (Kolmogorov–Smirnov), None where it was not measured. mean, deviation: of the data.
    error: relative standard error of the mean, correlation of successive values included.
    """

    distribution: Distribution
    n: int
    mean: float
    deviation: float
    error: float
    distance: float | None = None

    @property
    def spread(self) -> float:
        """Return the coefficient of variation of the data."""
        return self.deviation / self.mean if self.mean > 0 else 0.0


def fit(values: FloatArray) -> Fit:
    """Return the distribution that fits observed times best. values: float64[n] s, in time order.

    Of the families that `line.toml` knows the one of the least BIC (Schwarz 1978) is taken if it
    fits: its Kolmogorov–Smirnov distance is within the 1 % limit 1.63/√n, or below CLOSE. If none
    does, and there are FEW values or more, their quantiles are (`empirical`).
    Raises NotEnoughData where there is none.
    """
    x = np.asarray(values, np.float64)
    if not len(x):
        raise NotEnoughData("no value was observed")
    if (x < 0).any() or not np.isfinite(x).all():
        raise ValueError("times must be finite and not negative")
    mean, deviation = float(x.mean()), float(x.std(ddof=1)) if len(x) > 1 else 0.0

    def told(distribution: Distribution, distance: float | None = None) -> Fit:
        return Fit(distribution=distribution, n=len(x), mean=mean, deviation=deviation,
                   error=_error(x), distance=distance)  # fmt: skip

    if deviation <= EXACT * max(mean, EXACT):
        return told(Distribution("constant", (mean,)), 0.0)
    if len(x) < 5 or (x <= 0).any():
        return told(_few(x, mean))
    ranked = sorted(_candidates(x), key=lambda each: each[0])
    limit = max(1.63 / math.sqrt(len(x)), CLOSE)
    ordered = np.sort(x)
    for _, found in ranked:
        distance = distance_of(found, ordered)
        if distance <= limit:
            return told(_meaning(found, mean), distance)
    if len(x) >= FEW:
        return told(empirical(x), 0.5 / QUANTILES)
    best = ranked[0][1]
    return told(_meaning(best, mean), distance_of(best, ordered))


def empirical(values: FloatArray) -> Distribution:
    """Return the distribution of the values' quantiles, with just their mean."""
    x = np.sort(values)
    if len(x) > QUANTILES:
        x = np.quantile(x, _places(QUANTILES), method="hazen")
    made = Distribution("empirical", tuple(float(value) for value in x))
    return _meaning(made, float(np.mean(values)))


def shape_of(intervals: FloatArray, scales: FloatArray, open_ends: FloatArray) -> float:
    """Return the Weibull shape that intervals of several machines share; 1 where nothing denies it.

    intervals: float64[n] complete ones; scales: float64[n], mean of the machine of each;
    open_ends: float64[m], times still without an event, in units of their machine's mean.
    The shape is 1 unless the likelihood ratio says otherwise at 1 % (χ² 6.63).
    """
    x = np.concatenate([intervals / scales, open_ends])
    seen = np.concatenate([np.ones(len(intervals)), np.zeros(len(open_ends))])
    keep = x > 0
    x, seen = x[keep], seen[keep]
    if seen.sum() < 10:
        return 1.0
    shape = _weibull_shape(x, seen)
    gain = _weibull_loglik(x, seen, shape) - _weibull_loglik(x, seen, 1.0)
    return shape if 2 * gain > 6.63 else 1.0


def distance_of(distribution: Distribution, ordered: FloatArray) -> float:
    """Return the Kolmogorov–Smirnov distance to values in rising order."""
    n = len(ordered)
    cdf = distribution_function(distribution, ordered)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max()))


def distribution_function(distribution: Distribution, x: FloatArray) -> FloatArray:
    """Return the chance of at most x: float64[n]."""
    return np.clip(_CDF[distribution.kind](x, *distribution.parameters), 0.0, 1.0)


def _meaning(found: Distribution, mean: float) -> Distribution:
    """Return the distribution with just the mean of the data: it decides what a line makes."""
    return found.scaled(mean / found.mean) if found.mean > 0 else found


def _places(count: int) -> FloatArray:
    """Return the shares of which the values of an empirical distribution are the quantiles."""
    return (np.arange(count) + 0.5) / count


def _error(x: FloatArray) -> float:
    """Return the relative standard error of the mean: the larger of plain and of batch means."""
    n, mean = len(x), float(x.mean())
    if n < 2 or mean <= 0:
        return 1.0 if n < 2 else 0.0
    plain = float(x.std(ddof=1)) / math.sqrt(n)
    if n < 200:
        return plain / mean
    batches = x[: n // 20 * 20].reshape(20, -1).mean(axis=1)
    return max(plain, float(batches.std(ddof=1)) / math.sqrt(20)) / mean


def _few(x: FloatArray, mean: float) -> Distribution:
    """Return what a handful of values allows to assume: of times, exponential is the least."""
    if mean <= 0:
        return Distribution("constant", (0.0,))
    if len(x) < 5:
        return Distribution("exponential", (mean,))
    return empirical(x)


def _candidates(x: FloatArray) -> list[tuple[float, Distribution]]:
    """Return the families with their BIC."""
    n, logs = len(x), np.log(x)
    found: list[tuple[float, Distribution]] = []

    def offer(kind: str, parameters: tuple[float, ...], loglik: float) -> None:
        if all(math.isfinite(value) for value in (*parameters, loglik)):
            bic = len(parameters) * math.log(n) - 2 * loglik
            found.append((bic, Distribution(kind, parameters)))

    mean, deviation = float(x.mean()), float(x.std())
    offer("exponential", (mean,), -n * (math.log(mean) + 1))
    low, high = float(x.min()), float(x.max())
    offer("uniform", (low, high), -n * math.log(high - low))
    offer(*_triangular(x))
    if mean > 4 * deviation:  # else a normal time would be cut off at 0
        offer("normal", (mean, deviation),
              -n * (math.log(deviation) + 0.5 * math.log(2 * math.pi) + 0.5))  # fmt: skip
    offer(*_lognormal(logs))
    offer(*_gamma(x, logs))
    offer(*_weibull(x, logs))
    return found


def _triangular(x: FloatArray) -> tuple[str, tuple[float, ...], float]:
    """Return the triangular distribution of the largest likelihood."""
    from scipy.optimize import minimize  # noqa: PLC0415 - heavy

    ordered = np.sort(x)
    if len(x) > 1000:  # the ends and 1,000 quantiles tell as much as all
        ordered = np.quantile(ordered, np.linspace(0, 1, 1000))
    low, high = float(ordered[0]), float(ordered[-1])
    width = high - low

    def parameters(u: NDArray[np.float64]) -> tuple[float, float, float]:
        a = max(low - width * math.exp(u[0]), 0.0)
        b = high + width * math.exp(u[1])
        return a, a + (b - a) / (1 + math.exp(-u[2])), b

    def loss(u: NDArray[np.float64]) -> float:
        return -_triangular_loglik(ordered, *parameters(np.clip(u, -30, 30)))

    found = minimize(loss, np.array([-4.0, -4.0, 0.0]), method="Nelder-Mead",
                     options={"maxiter": 400, "xatol": 1e-3, "fatol": 1e-3})  # fmt: skip
    a, c, b = parameters(np.clip(found.x, -30, 30))
    a, b = min(a, float(x.min())), max(b, float(x.max()))
    return "triangular", (a, c, b), _triangular_loglik(x, a, c, b)


def _triangular_loglik(x: FloatArray, a: float, c: float, b: float) -> float:
    left = x < c
    density = np.where(
        left,
        2 * (x - a) / max((b - a) * (c - a), 1e-300),
        2 * (b - x) / max((b - a) * (b - c), 1e-300),
    )
    # the values at the very ends have density 0: as if they lay a little inside
    return float(np.log(np.maximum(density, 2e-3 / (b - a) / len(x))).sum())


def _lognormal(logs: FloatArray) -> tuple[str, tuple[float, ...], float]:
    mu, sigma = float(logs.mean()), float(logs.std())
    if sigma > WIDE:
        return "lognormal", (1.0, 1.0), -math.inf
    mean = math.exp(mu + sigma**2 / 2)
    deviation = mean * math.sqrt(math.expm1(sigma**2))
    loglik = -len(logs) * (math.log(sigma) + 0.5 * math.log(2 * math.pi) + 0.5) - logs.sum()
    return "lognormal", (mean, deviation), float(loglik)


def _gamma(x: FloatArray, logs: FloatArray) -> tuple[str, tuple[float, ...], float]:
    from scipy.special import digamma, gammaln, polygamma  # noqa: PLC0415 - heavy

    mean = float(x.mean())
    s = math.log(mean) - float(logs.mean())
    shape = (3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)  # Minka (2002)
    for _ in range(20):
        step = (math.log(shape) - digamma(shape) - s) / (1 / shape - polygamma(1, shape))
        shape = max(shape - float(step), shape / 2)
    scale = mean / shape
    loglik = (shape - 1) * logs.sum() - x.sum() / scale
    loglik -= len(x) * (shape * math.log(scale) + float(gammaln(shape)))
    return "gamma", (shape, scale), float(loglik)


def _weibull(x: FloatArray, logs: FloatArray) -> tuple[str, tuple[float, ...], float]:
    seen = np.ones(len(x))
    unit = math.exp(float(logs.mean()))  # so that powers stay within range
    shape = _weibull_shape(x / unit, seen)
    scale = unit * float(((x / unit) ** shape).mean()) ** (1 / shape)
    z = x / scale
    loglik = len(x) * math.log(shape / scale) + (shape - 1) * np.log(z).sum() - (z**shape).sum()
    return "weibull", (shape, scale), float(loglik)


def _weibull_shape(x: FloatArray, seen: FloatArray) -> float:
    """Return the shape of the largest likelihood; seen: 1 for events, 0 for open ends."""
    from scipy.optimize import brentq  # noqa: PLC0415 - heavy

    logs = np.log(x)
    mean_log = float((logs * seen).sum() / seen.sum())

    def slope(shape: float) -> float:
        powers = np.exp(shape * (logs - logs.max()))
        return float((powers * logs).sum() / powers.sum()) - 1 / shape - mean_log

    low, high = 0.05, 200.0
    if slope(low) > 0:
        return low
    return high if slope(high) < 0 else float(brentq(slope, low, high, xtol=1e-6))


def _weibull_loglik(x: FloatArray, seen: FloatArray, shape: float) -> float:
    """Return the largest log-likelihood of a shape, over the scale."""
    events = float(seen.sum())
    power = float((x**shape).sum()) / events  # scale ** shape
    logs = float((np.log(x) * seen).sum())
    return events * (math.log(shape) - math.log(power)) + (shape - 1) * logs - events


def _triangular_cdf(x: FloatArray, a: float, c: float, b: float) -> FloatArray:
    left = (x - a) ** 2 / max((b - a) * (c - a), 1e-300)
    right = 1 - (b - x) ** 2 / max((b - a) * (b - c), 1e-300)
    inside: FloatArray = np.where(x < c, left, right)
    return np.where(x <= a, 0.0, np.where(x >= b, 1.0, inside))


def _normal_cdf(x: FloatArray, mean: float, deviation: float) -> FloatArray:
    from scipy.special import ndtr  # noqa: PLC0415 - heavy

    return np.asarray(ndtr((x - mean) / deviation), np.float64)


def _lognormal_cdf(x: FloatArray, mean: float, deviation: float) -> FloatArray:
    sigma = math.sqrt(math.log1p((deviation / mean) ** 2))
    return _normal_cdf(np.log(x), math.log(mean) - sigma**2 / 2, sigma)


def _gamma_cdf(x: FloatArray, shape: float, scale: float) -> FloatArray:
    from scipy.special import gammainc  # noqa: PLC0415 - heavy

    return np.asarray(gammainc(shape, x / scale), np.float64)


_CDF: dict[str, Callable[..., FloatArray]] = {
    "constant": lambda x, value: (x >= value).astype(np.float64),
    "uniform": lambda x, low, high: (x - low) / (high - low),
    "triangular": _triangular_cdf,
    "exponential": lambda x, mean: -np.expm1(-x / mean),
    "normal": _normal_cdf,
    "lognormal": _lognormal_cdf,
    "gamma": _gamma_cdf,
    "weibull": lambda x, shape, scale: -np.expm1(-((x / scale) ** shape)),
    "empirical": lambda x, *values: np.interp(x, values, _places(len(values)), left=0.0, right=1.0),
}


def deviation_of(distribution: Distribution) -> float:
    """Return the standard deviation."""
    return math.sqrt(max(_VARIANCE[distribution.kind](*distribution.parameters), 0.0))


def _weibull_variance(shape: float, scale: float) -> float:
    return scale**2 * (math.gamma(1 + 2 / shape) - math.gamma(1 + 1 / shape) ** 2)


def _empirical_variance(*values: float) -> float:
    # straight between the values, each step as likely; half a step sits at either end
    x = np.asarray(values)
    a, b = x[:-1], x[1:]
    second = float(((a * a + a * b + b * b) / 3).sum()) + (x[0] ** 2 + x[-1] ** 2) / 2
    return float(second / len(x) - x.mean() ** 2)


_VARIANCE: dict[str, Callable[..., float]] = {
    "constant": lambda value: 0.0,
    "uniform": lambda low, high: (high - low) ** 2 / 12,
    "triangular": lambda a, c, b: (a * a + b * b + c * c - a * b - a * c - b * c) / 18,
    "exponential": lambda mean: mean**2,
    "normal": lambda mean, deviation: deviation**2,
    "lognormal": lambda mean, deviation: deviation**2,
    "gamma": lambda shape, scale: shape * scale**2,
    "weibull": _weibull_variance,
    "erlang": lambda stages, mean: mean**2 / stages,
    "geometric": lambda chance, slot: slot**2 * (1 - chance) / chance**2,
    "empirical": _empirical_variance,
}
