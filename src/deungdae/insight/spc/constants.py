"""The constants of control charts, computed from the distribution of normal samples."""

from __future__ import annotations

from functools import cache
from math import erf, exp, lgamma, pi, sqrt

import msgspec
import numpy as np

LARGEST = 25  # parts of a subgroup; above, the range wastes most of what the parts tell


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of subgroups of n parts, as tables print them.

    d2, d3: mean and standard deviation of the range of n standard normal values; c4: mean of their
    standard deviation. A2, A3: limits of a chart of means from the mean range, or deviation;
    D3, D4 and B3, B4: limits of the chart of ranges, or deviations, in means of it.
    Source: Montgomery, Introduction to Statistical Quality Control, app. VI; ISO 7870-2:2023.
    """

    n: int
    d2: float
    d3: float
    c4: float

    @property
    def A2(self) -> float:  # noqa: N802 — the name that every table has
        """Return 3 / (d2 √n)."""
        return 3 / (self.d2 * sqrt(self.n))

    @property
    def A3(self) -> float:  # noqa: N802
        """Return 3 / (c4 √n)."""
        return 3 / (self.c4 * sqrt(self.n))

    @property
    def D3(self) -> float:  # noqa: N802
        """Return max(0, 1 - 3 d3 / d2)."""
        return max(0.0, 1 - 3 * self.d3 / self.d2)

    @property
    def D4(self) -> float:  # noqa: N802
        """Return 1 + 3 d3 / d2."""
        return 1 + 3 * self.d3 / self.d2

    @property
    def c5(self) -> float:
        """Return √(1 - c4²), the standard deviation of the standard deviation."""
        return sqrt(1 - self.c4**2)

    @property
    def B3(self) -> float:  # noqa: N802
        """Return max(0, 1 - 3 c5 / c4)."""
        return max(0.0, 1 - 3 * self.c5 / self.c4)

    @property
    def B4(self) -> float:  # noqa: N802
        """Return 1 + 3 c5 / c4."""
        return 1 + 3 * self.c5 / self.c4


@cache
def constants(n: int) -> Constants:
    """Return the constants of subgroups of n parts. Raises ValueError unless 2 <= n <= 25.

    Source of the integrals: Tippett (1925); of c4: Helmert's distribution of s.
    """
    if not 2 <= n <= LARGEST:
        raise ValueError(f"a subgroup has 2 to {LARGEST} parts, not {n}")
    mean, square = _range_moments(n)
    c4 = sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))
    return Constants(n=n, d2=mean, d3=sqrt(square - mean**2), c4=c4)


def _range_moments(n: int) -> tuple[float, float]:
    """Return the mean and the mean square of the range of n standard normal values.

    P(R > r) = 1 - n ∫ φ(x) [Φ(x + r) - Φ(x)]^(n-1) dx; E R = ∫ P(R > r) dr, E R² = 2 ∫ r P dr.
    The trapezoid rule is exact to rounding for the inner integral: smooth, and 0 at both ends.
    """
    node, weight = np.polynomial.legendre.leggauss(64)
    r, weight = 7 * (node + 1), 7 * weight  # 0..14: beyond, a range is less likely than 1e-20
    x = np.arange(-9.0, 9.0, 0.1)
    density = np.exp(-(x**2) / 2) / sqrt(2 * pi)
    normal = np.vectorize(lambda z: (1 + erf(z / sqrt(2))) / 2, otypes=[np.float64])
    between = normal(x[:, None] + r) - normal(x)[:, None]
    exceeded = 1 - n * 0.1 * (density[:, None] * between ** (n - 1)).sum(axis=0)
    return float((weight * exceeded).sum()), float((2 * weight * r * exceeded).sum())
