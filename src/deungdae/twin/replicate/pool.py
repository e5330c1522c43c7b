"""Rates of machines that are somewhat alike, each learnt from all: a hierarchical gamma model.

Each machine i has k_i events over an exposure x_i (failures over running time; repairs over time
under repair). Its rate is θ_i ~ Gamma(a, b), common to the pool, so a posteriori
θ_i ~ Gamma(a + k_i, b + x_i): drawn towards the others the more, the less it has told itself and
the more alike they are. How alike they are is not known either: (a, b) are drawn from their own
posterior on a grid of the common mean and of the coefficient of variation τ between machines,
flat in the logarithm of both. So an interval made from the draws holds all that is not known.
Source: Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), ch. 5; for the sum of n times with
coefficient of variation c, k = n/c² (its relative variance is then that of a gamma).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from deungdae.core.types import FloatArray

SPREADS = np.geomspace(0.02, 2.0, 40)  # coefficient of variation between machines
MEANS = np.linspace(-2.5, 2.5, 61)  # logarithm of the common mean, about the plain mean
DRAWS = 200  # of (a, b) that are kept


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of several machines. members: name -> (k, x). hyper: draws of (a, b)."""

    members: dict[str, tuple[float, float]]
    hyper: tuple[tuple[float, float], ...]

    def means(self) -> dict[str, float]:
        """Return the posterior mean of each rate."""
        return {
            name: math.fsum((a + k) / (b + x) for a, b in self.hyper) / len(self.hyper)
            for name, (k, x) in self.members.items()
        }

    def inverse_means(self) -> dict[str, float]:
        """Return the posterior mean of 1/rate: of the mean time."""
        return {
            name: math.fsum((b + x) / max(a + k - 1, 0.5) for a, b in self.hyper) / len(self.hyper)
            for name, (k, x) in self.members.items()
        }

    def sample(self, random: np.random.Generator) -> dict[str, float]:
        """Return one draw of all rates from their joint posterior."""
        a, b = self.hyper[int(random.integers(len(self.hyper)))]
        return {name: float(random.gamma(a + k)) / (b + x) for name, (k, x) in self.members.items()}


def pool(members: dict[str, tuple[float, float]], seed: int = 1) -> Pool:
    """Return the pool of members name -> (events k > 0, exposure x > 0), at least one.

    A machine alone has nobody to learn from: its prior is then the flat one, 1/θ.
    """
    k = np.asarray([events for events, _ in members.values()])
    x = np.asarray([exposure for _, exposure in members.values()])
    if len(members) == 1:
        return Pool(members=members, hyper=((0.0, 0.0),))
    centre = math.log(k.sum() / x.sum())
    shape = 1 / SPREADS**2
    a, m = (grid.ravel() for grid in np.meshgrid(shape, centre + MEANS, indexing="ij"))
    b = a / np.exp(m)
    weight = _evidence(a, b, k, x)
    chance = np.exp(weight - weight.max())
    random = np.random.default_rng(seed)
    picked = random.choice(len(a), DRAWS, p=chance / chance.sum())
    return Pool(members=members, hyper=tuple((float(a[each]), float(b[each])) for each in picked))


def _evidence(a: FloatArray, b: FloatArray, k: FloatArray, x: FloatArray) -> FloatArray:
    """Return the log-likelihood of each (a, b), the rates integrated out: float64[grid]."""
    from scipy.special import gammaln  # noqa: PLC0415 - heavy

    a, b = a[:, None], b[:, None]
    each = a * np.log(b) - gammaln(a) + gammaln(a + k) - (a + k) * np.log(b + x)
    total: FloatArray = each.sum(axis=1)
    return total
