"""Distributions of measured parts: fitted, tested by Anderson and Darling, and asked for quantiles.

Every fit takes many samples at once, [b, n], so that a bootstrap is one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

Shape = Literal["normal", "lognormal", "weibull", "gamma", "folded normal", "rayleigh"]
_TINY = 1e-300
_ROUNDS = 200  # samples drawn of the fitted distribution for the p-value of its own test
_DRAWN = 200  # parts of each, at most: of more parts A² has hardly another distribution


class Family(msgspec.Struct, frozen=True):
    """A family of distributions. fit: [b, n] -> [b, k]; cdf, density, quantile: see their names.

    positive: only for parts above 0. k: number of parameters.
    """

    fit: Callable[[FloatArray], FloatArray]
    cdf: Callable[[FloatArray, FloatArray], FloatArray]
    log_density: Callable[[FloatArray, FloatArray], FloatArray]
    quantile: Callable[[FloatArray, FloatArray], FloatArray]
    positive: bool
    k: int


class Fitted(msgspec.Struct, frozen=True, eq=False):
    """A distribution that was fitted to n parts.

    anderson: Anderson and Darling's A²; p: chance of so large an A² if the parts are of this
    family (its parameters estimated from them); aic: corrected for few parts, smaller is better.
    """

    shape: Shape
    parameters: tuple[float, ...]
    anderson: float
    p: float
    aic: float

    def below(self, x: float) -> float:
        """Return the share of parts below a value."""
        found = FAMILIES[self.shape].cdf(np.asarray([[x]]), np.asarray([self.parameters]))
        return float(found[0, 0])

    def above(self, x: float) -> float:
        """Return the share of parts above a value."""
        return 1.0 - self.below(x)

    def quantiles(self, shares: tuple[float, ...]) -> FloatArray:
        """Return the values below which these shares of the parts lie."""
        found: FloatArray = quantiles(self.shape, np.asarray([self.parameters]), shares)[0]
        return found


def quantiles(shape: Shape, parameters: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    """Return the quantiles of b fitted distributions: [b, len(shares)]. parameters: [b, k]."""
    return FAMILIES[shape].quantile(np.asarray(shares)[None, :], parameters)


def refit(shape: Shape, samples: FloatArray) -> FloatArray:
    """Return the parameters of each sample: [b, n] -> [b, k]."""
    return FAMILIES[shape].fit(samples)


def fit(shape: Shape, parts: FloatArray, random: np.random.Generator) -> Fitted:
    """Return the distribution of a family that is most likely. parts: [n].

    Raises NotEnoughData below 5 parts, where nothing varies, and for a family of positive values
    if a part is not. Source of A²: Anderson and Darling (1954); p: of the normal D'Agostino and
    Stephens (1986), table 4.9, else by the parametric bootstrap.
    """
    family = FAMILIES[shape]
    n = len(parts)
    if n < 5 or np.ptp(parts) == 0:
        raise NotEnoughData(f"a distribution needs 5 parts that differ; there are {n}")
    if family.positive and parts.min() <= 0:
        raise NotEnoughData(f"a {shape} distribution has values above 0 only")
    parameters = family.fit(parts[None])
    a = float(_anderson(family, parts[None], parameters)[0])
    likelihood = float(family.log_density(parts[None], parameters).sum())
    k = family.k
    aic = 2 * k - 2 * likelihood + 2 * k * (k + 1) / max(n - k - 1, 1)
    p = _p_of_normal(a, n) if shape == "normal" else _p_by_drawing(family, parameters, a, n, random)
    return Fitted(shape, tuple(parameters[0].tolist()), a, p, aic)


def _anderson(family: Family, samples: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return A² of each sample, [b]."""
    n = samples.shape[1]
    u = np.clip(family.cdf(np.sort(samples, axis=1), parameters), 1e-15, 1 - 1e-15)
    weight = 2 * np.arange(1, n + 1) - 1
    found: FloatArray = -n - (weight * (np.log(u) + np.log1p(-u[:, ::-1]))).mean(axis=1)
    return found


def _p_of_normal(a: float, n: int) -> float:
    """Return the p-value of A² with mean and deviation estimated."""
    s = a * (1 + 0.75 / n + 2.25 / n**2)
    if s >= 0.6:
        power = 1.2937 - 5.709 * s + 0.0186 * s**2
    elif s > 0.34:
        power = 0.9177 - 4.279 * s - 1.38 * s**2
    elif s > 0.2:
        return float(-np.expm1(-8.318 + 42.796 * s - 59.938 * s**2))
    else:
        return float(-np.expm1(-13.436 + 101.14 * s - 223.73 * s**2))
    return float(np.exp(min(power, 0.0)) if s < 10 else 0.0)


def _p_by_drawing(
    family: Family, parameters: FloatArray, a: float, n: int, random: np.random.Generator
) -> float:
    drawn = family.quantile(random.uniform(size=(_ROUNDS, min(n, _DRAWN))), parameters)
    drawn = np.maximum(drawn, _TINY)
    again = _anderson(family, drawn, family.fit(drawn))
    return float((1 + (again >= a).sum()) / (_ROUNDS + 1))


# ---- the families


def _fit_normal(x: FloatArray) -> FloatArray:
    return np.stack([x.mean(axis=1), np.maximum(x.std(axis=1, ddof=1), _TINY)], axis=1)


def _z(x: FloatArray, p: FloatArray) -> FloatArray:
    z: FloatArray = (x - p[:, :1]) / p[:, 1:2]
    return z


def _phi(z: FloatArray) -> FloatArray:
    from scipy.special import ndtr  # noqa: PLC0415 — only who has limits needs it

    found: FloatArray = ndtr(z)
    return found


def _normal_quantile(q: FloatArray, p: FloatArray) -> FloatArray:
    from scipy.special import ndtri  # noqa: PLC0415 — as above

    found: FloatArray = p[:, :1] + p[:, 1:2] * ndtri(q)
    return found


def _normal_density(x: FloatArray, p: FloatArray) -> FloatArray:
    found: FloatArray = -(_z(x, p) ** 2) / 2 - np.log(p[:, 1:2]) - np.log(2 * np.pi) / 2
    return found


def _fit_weibull(x: FloatArray) -> FloatArray:
    """Return shape and scale, by Newton's method on the shape."""
    log = np.log(x)
    spread = np.maximum(log.std(axis=1), 1e-12)
    shape = np.clip(1.2825 / spread, 1e-3, 1e6)
    top = log.max(axis=1, keepdims=True)
    mean = log.mean(axis=1)
    for _ in range(50):
        weight = np.exp(shape[:, None] * (log - top))
        total = weight.sum(axis=1)
        first = (weight * log).sum(axis=1) / total
        second = (weight * log**2).sum(axis=1) / total
        slope = second - first**2 + 1 / shape**2
        step = (first - 1 / shape - mean) / slope
        shape = np.clip(shape - step, shape / 3, shape * 3)
    weight = np.exp(shape[:, None] * (log - top))
    scale = np.exp(top[:, 0]) * weight.mean(axis=1) ** (1 / shape)
    return np.stack([shape, scale], axis=1)


def _fit_gamma(x: FloatArray) -> FloatArray:
    """Return shape and scale, by Minka's (2002) iteration."""
    from scipy.special import digamma, polygamma  # noqa: PLC0415 — as above

    mean = x.mean(axis=1)
    gap = np.maximum(np.log(mean) - np.log(x).mean(axis=1), 1e-12)
    shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(30):
        change = (np.log(shape) - digamma(shape) - gap) / (
            shape**2 * (1 / shape - polygamma(1, shape))
        )
        shape = np.clip(1 / (1 / shape + change), shape / 3, shape * 3)
    return np.stack([shape, mean / shape], axis=1)


def _gamma_cdf(x: FloatArray, p: FloatArray) -> FloatArray:
    from scipy.special import gammainc  # noqa: PLC0415 — as above

    found: FloatArray = gammainc(p[:, :1], np.maximum(x, 0) / p[:, 1:2])
    return found


def _gamma_density(x: FloatArray, p: FloatArray) -> FloatArray:
    from scipy.special import gammaln  # noqa: PLC0415 — as above

    k, scale = p[:, :1], p[:, 1:2]
    found: FloatArray = (k - 1) * np.log(x) - x / scale - gammaln(k) - k * np.log(scale)
    return found


def _gamma_quantile(q: FloatArray, p: FloatArray) -> FloatArray:
    from scipy.special import gammaincinv  # noqa: PLC0415 — as above

    found: FloatArray = gammaincinv(p[:, :1], q) * p[:, 1:2]
    return found


def _fit_folded(x: FloatArray) -> FloatArray:
    """Return mean and deviation of the normal value whose size is measured, by EM."""
    square = (x**2).mean(axis=1)
    mu = np.maximum(x.mean(axis=1), 1e-12)
    for _ in range(100):
        variance = np.maximum(square - mu**2, 1e-12 * square)
        mu = (x * np.tanh(mu[:, None] * x / variance[:, None])).mean(axis=1)
    deviation = np.sqrt(np.maximum(square - mu**2, 1e-12 * square))
    return np.stack([mu, deviation], axis=1)


def _folded_cdf(x: FloatArray, p: FloatArray) -> FloatArray:
    x = np.maximum(x, 0)
    return _phi(_z(x, p)) - _phi(_z(-x, p))


def _folded_density(x: FloatArray, p: FloatArray) -> FloatArray:
    found: FloatArray = np.logaddexp(_normal_density(x, p), _normal_density(-x, p))
    return found


def _folded_quantile(q: FloatArray, p: FloatArray) -> FloatArray:
    """Return quantiles by halving: the distribution function has no inverse in closed form."""
    low = np.zeros(np.broadcast_shapes(q.shape, (len(p), 1)))
    high = low + np.abs(p[:, :1]) + 12 * p[:, 1:2]
    for _ in range(60):
        middle = (low + high) / 2
        over = _folded_cdf(middle, p) > q
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    found: FloatArray = (low + high) / 2
    return found


def _weibull_density(x: FloatArray, p: FloatArray) -> FloatArray:
    k, scale = p[:, :1], p[:, 1:2]
    log = np.log(x / scale)
    found: FloatArray = np.log(k / scale) + (k - 1) * log - np.exp(k * log)
    return found


def _log(x: FloatArray) -> FloatArray:
    found: FloatArray = np.log(np.maximum(x, _TINY))
    return found


FAMILIES: dict[Shape, Family] = {
    "normal": Family(
        _fit_normal, lambda x, p: _phi(_z(x, p)), _normal_density, _normal_quantile, False, 2
    ),
    "lognormal": Family(
        lambda x: _fit_normal(np.log(x)),
        lambda x, p: _phi(_z(_log(x), p)),
        lambda x, p: _normal_density(np.log(x), p) - np.log(x),
        lambda q, p: np.exp(_normal_quantile(q, p)),
        True,
        2,
    ),
    "weibull": Family(
        _fit_weibull,
        lambda x, p: -np.expm1(-((np.maximum(x, 0) / p[:, 1:2]) ** p[:, :1])),
        _weibull_density,
        lambda q, p: p[:, 1:2] * (-np.log1p(-q)) ** (1 / p[:, :1]),
        True,
        2,
    ),
    "gamma": Family(_fit_gamma, _gamma_cdf, _gamma_density, _gamma_quantile, True, 2),
    "folded normal": Family(_fit_folded, _folded_cdf, _folded_density, _folded_quantile, True, 2),
    "rayleigh": Family(
        lambda x: np.sqrt((x**2).mean(axis=1, keepdims=True) / 2),
        lambda x, p: -np.expm1(-((np.maximum(x, 0) / p[:, :1]) ** 2) / 2),
        lambda x, p: np.log(x / p[:, :1] ** 2) - (x / p[:, :1]) ** 2 / 2,
        lambda q, p: p[:, :1] * np.sqrt(-2 * np.log1p(-q)),
        True,
        1,
    ),
}


def pearson(parts: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    """Return quantiles of the Pearson curve with the parts' first four moments: [len(shares)].

    This is what Clements (1989) tabulates. Raises NotEnoughData where skewness and kurtosis belong
    to no distribution, as those of few parts may.
    """
    deviation = float(parts.std())
    z = (parts - parts.mean()) / deviation
    skew, kurtosis = float((z**3).mean()), float((z**4).mean())
    curve = _pearson_curve(skew, kurtosis)
    found: FloatArray = parts.mean() + deviation * np.interp(shares, *curve)
    return found


def _pearson_curve(skew: float, kurtosis: float) -> tuple[FloatArray, FloatArray]:
    """Return the distribution function of the standardised Pearson curve: shares, values.

    Its density solves p'/p = -(a + x) / (c0 + c1 x + c2 x²). Source: Johnson, Kotz, Balakrishnan
    (1994), ch. 12.4.1.
    """
    below = 10 * kurtosis - 12 * skew**2 - 18
    if kurtosis <= 1 + skew**2 or below <= 0:
        raise NotEnoughData(
            f"no Pearson curve has a skewness of {skew:.2f} and a kurtosis of {kurtosis:.2f}"
        )
    c0 = (4 * kurtosis - 3 * skew**2) / below
    c1 = skew * (kurtosis + 3) / below
    c2 = (2 * kurtosis - 3 * skew**2 - 6) / below
    x = np.linspace(-25, 25, 20_001)
    bottom = c0 + c1 * x + c2 * x**2
    # around the mode, between the roots of the quadratic, where it is above 0
    inside = bottom > 1e-9
    centre = len(x) // 2
    first = centre - int(np.argmin(inside[centre::-1])) + 1 if not inside[:centre].all() else 0
    last = centre + int(np.argmin(inside[centre:])) - 1 if not inside[centre:].all() else len(x) - 1
    x, bottom = x[first : last + 1], bottom[first : last + 1]
    slope = -(c1 + x) / bottom
    step = x[1] - x[0]
    log = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2 * step)])
    density = np.exp(log - log.max())
    share = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return share / share[-1], x
