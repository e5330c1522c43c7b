"""Plans by variables, sigma unknown: ANSI/ASQ Z1.9-2003 (like ISO 3951), and plans of one's own.

M, the largest estimated share of bad parts, is table B-3 (normal, tightened) and B-4 (reduced) of
Z1.9, as the R package AQLSchemes holds them; k of form 1 follows from M by the beta distribution,
within .01 of the entries of table B-1 that were compared (see the tests). ISO 3951-1 has letters
and sizes of its own: `design` finds the plan that matches two points of any curve.
"""

from __future__ import annotations

from bisect import bisect_left
from math import sqrt
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .plans import Severity

Level = Literal["S-3", "S-4", "I", "II", "III"]
AQLS = (0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
LETTERS = "BCDEFGHIJKLMNP"
_LOTS = (8, 15, 25, 50, 90, 150, 280, 400, 500, 1200, 3200, 10_000, 35_000, 150_000, 500_000)
_CODES: dict[Level, str] = {
    "S-3": "BBBBBBBCCDEFGHHH",
    "S-4": "BBBBBCDEEFGHIJKK",
    "I": "BBBCDEFGGHIJKLMN",
    "II": "BBCDEFGHIJKLMNPP",
    "III": "CDEFGHIJJKLMNPPP",
}
# n and M in %, by AQL from the strictest on, of the letters B to P; tightened inspection takes the
# column before, so that there is one more
_FULL_N = (
    (10, 10, 10, 10, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200),
    *[(7, 7, 7, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200)] * 3,
    *[(5, 5, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200)] * 2,
    *[(4, 4, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200)] * 2,
    *[(3, 4, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200)] * 4,
)
_FULL_M = (
    (*[0.077] * 5, 0.186, 0.228, 0.250, 0.253, 0.243, 0.225, 0.218, 0.202, 0.204),
    (*[0.005] * 4, 0.179, 0.311, 0.356, 0.378, 0.373, 0.355, 0.326, 0.315, 0.292, 0.294),
    (*[0.087] * 4, 0.349, 0.491, 0.531, 0.551, 0.534, 0.503, 0.461, 0.444, 0.412, 0.414),
    (*[0.421] * 4, 0.714, 0.839, 0.864, 0.874, 0.833, 0.778, 0.711, 0.684, 0.636, 0.637),
    (*[0.041] * 3, 1.05, 1.27, 1.33, 1.33, 1.32, 1.24, 1.16, 1.06, 1.02, 0.946, 0.945),
    (*[1.34] * 3, 2.13, 2.14, 2.09, 2.03, 2.00, 1.87, 1.73, 1.59, 1.52, 1.42, 1.42),
    (*[1.49] * 2, 3.33, 3.54, 3.27, 3.06, 2.93, 2.86, 2.66, 2.47, 2.27, 2.18, 2.05, 2.04),
    (*[5.46] * 2, 5.82, 5.34, 4.72, 4.32, 4.10, 3.97, 3.70, 3.44, 3.17, 3.06, 2.88, 2.86),
    (7.59, 10.88, 9.80, 8.40, 7.26, 6.55, 6.18, 5.98, 5.58, 5.21, 4.83, 4.67, 4.42, 4.39),
    (18.86, 16.41, 14.37, 12.19, 10.53, 9.48, 8.95, 8.65, 8.11, 7.61, 7.10, 6.88, 6.56, 6.52),
    (26.94, 22.84, 20.19, 17.34, 15.17, 13.74, 13.01, 12.60, 11.89, 11.23, 10.58, 10.29, 9.86,
     9.80),
    (33.69, 29.43, 26.55, 23.30, 20.73, 18.97, 18.07, 17.55, 16.67, 15.87, 15.07, 14.71, 14.18,
     14.11),
)  # fmt: skip
_REDUCED_N = (
    *[(*[7] * 7, 10, 15, 20, 25, 30, 50, 75)] * 2,
    *[(*[5] * 6, 7, 10, 15, 20, 25, 30, 50, 75)] * 2,
    *[(*[4] * 5, 5, 7, 10, 15, 20, 25, 30, 50, 75)] * 2,
    *[(*[3] * 4, 4, 5, 7, 10, 15, 20, 25, 30, 50, 75)] * 5,
)
_REDUCED_M = (
    (*[0.087] * 7, 0.349, 0.491, 0.531, 0.551, 0.567, 0.503, 0.461),
    (*[0.421] * 7, 0.714, 0.839, 0.864, 0.874, 0.885, 0.778, 0.711),
    (*[0.041] * 6, 1.05, 1.27, 1.33, 1.33, 1.32, 1.32, 1.16, 1.06),
    (*[1.34] * 6, 2.13, 2.14, 2.09, 2.03, 2.00, 1.98, 1.73, 1.59),
    (*[1.49] * 5, 3.33, 3.54, 3.27, 3.06, 2.93, 2.86, 2.82, 2.47, 2.27),
    (*[5.46] * 5, 5.82, 5.34, 4.72, 4.32, 4.10, 3.97, 3.91, 3.44, 3.17),
    (*[7.59] * 4, 10.88, 9.80, 8.40, 7.26, 6.55, 6.18, 5.98, 5.87, 5.21, 4.83),
    (*[18.86] * 4, 16.41, 14.37, 12.19, 10.53, 9.48, 8.95, 8.65, 8.48, 7.61, 7.10),
    (*[26.94] * 4, 22.84, 20.19, 17.34, 15.17, 13.74, 13.01, 12.60, 12.37, 11.23, 10.58),
    (*[33.69] * 4, 29.43, 26.55, 23.30, 20.73, 18.97, 18.07, 17.55, 17.25, 15.87, 15.07),
    (*[40.47] * 4, 36.79, 33.94, 30.50, 27.65, 25.63, 24.58, 23.97, 23.61, 21.99, 21.05),
)


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """Measure n parts; with one limit accept if (limit - mean) / s is k or more.

    most: the largest estimated share of bad parts, 0 to 1; with two limits both together.
    """

    n: int
    k: float
    most: float
    letter: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample says. quality: distance of the mean to the nearer limit in s; bad: estimated
    share of bad parts, 0 to 1."""

    accepted: bool
    quality: float
    bad: float


def variables(
    lot: int, aql: float, severity: Severity = "normal", level: Level = "II"
) -> Variables:
    """Return the plan of ANSI/ASQ Z1.9, sigma unknown. Raises ValueError for another AQL."""
    if aql not in AQLS:
        raise ValueError(f"AQL {aql:g} is in no table of Z1.9")
    if lot < 2:
        raise ValueError(f"a lot has 2 parts or more, not {lot}")
    code = _CODES[level][bisect_left(_LOTS, lot)]
    row, column = LETTERS.index(code), AQLS.index(aql)
    if severity == "reduced":
        n, most = _REDUCED_N[column][row], _REDUCED_M[column][row]
    else:
        place = column + (severity == "normal")
        n, most = _FULL_N[place][row], _FULL_M[place][row]
    return Variables(n=n, k=_k(n, most / 100), most=most / 100, letter=code)


def estimate(quality: float, n: int) -> float:
    """Return the estimated share of bad parts beyond a limit that lies so many s from the mean.

    It has no bias and the least variance. Source: Lieberman and Resnikoff (1955); Z1.9, table B-5.
    """
    from scipy.special import betainc  # noqa: PLC0415 — loads only where it is needed

    x = min(max(0.5 - quality * sqrt(n) / (2 * (n - 1)), 0.0), 1.0)
    return float(betainc(n / 2 - 1, n / 2 - 1, x))


def _k(n: int, most: float) -> float:
    from scipy.special import betaincinv  # noqa: PLC0415 — as above

    return float((1 - 2 * betaincinv(n / 2 - 1, n / 2 - 1, most)) * (n - 1) / sqrt(n))


def judge(
    parts: FloatArray, plan: Variables, lsl: float | None = None, usl: float | None = None
) -> Verdict:
    """Return whether a sample speaks for its lot, by form 2 (M), which for one limit is form 1 (k).

    Raises ValueError without a limit or with another number of parts, NotEnoughData without spread.
    """
    if len(parts) != plan.n:
        raise ValueError(f"the plan asks for {plan.n} parts, not {len(parts)}")
    mean, s = float(parts.mean()), float(parts.std(ddof=1))
    if s == 0:
        raise NotEnoughData("all parts measure the same: the gauge is too coarse for this plan")
    away = [(usl - mean) / s] if usl is not None else []
    away += [(mean - lsl) / s] if lsl is not None else []
    if not away:
        raise ValueError("a plan by variables needs a limit")
    bad = sum(estimate(each, plan.n) for each in away)
    return Verdict(accepted=bad <= plan.most, quality=min(away), bad=bad)


def probability(n: int, k: float, share: ArrayLike) -> FloatArray:
    """Return the chance that a lot is accepted, by its share of parts beyond one limit: [m].

    Exact for a normal quantity. Source: the noncentral t distribution; Owen (1963).
    """
    from scipy.special import ndtri  # noqa: PLC0415 — as above
    from scipy.stats import nct  # noqa: PLC0415 — as above

    away = -ndtri(np.atleast_1d(np.asarray(share, np.float64)))
    return np.asarray(nct.sf(k * sqrt(n), n - 1, sqrt(n) * away), np.float64)


def design(good: float, bad: float, producer: float = 0.05, consumer: float = 0.10) -> Variables:
    """Return the smallest plan that accepts lots of share `good` with 1 - producer, of share `bad`
    with `consumer` at most.

    Raises ValueError where no plan of up to 2000 parts does. Exact, by the noncentral t.
    """
    from scipy.special import ndtri  # noqa: PLC0415 — as above
    from scipy.stats import nct  # noqa: PLC0415 — as above

    if not 0 < good < bad < 1:
        raise ValueError("0 < good < bad < 1 must hold")

    def k_of(n: int) -> tuple[float, float]:
        """Return the smallest k that refuses bad lots, and the largest that accepts good ones."""
        least, most = (
            nct.isf(chance, n - 1, sqrt(n) * -ndtri(share)) / sqrt(n)
            for chance, share in ((consumer, bad), (1 - producer, good))
        )
        return float(least), float(most)

    low, high = 2, 2000
    least, most = k_of(high)
    if least > most:
        raise ValueError("no plan of up to 2000 parts tells such lots apart")
    while low < high:
        middle = (low + high) // 2
        least, most = k_of(middle)
        low, high = (low, middle) if least <= most else (middle + 1, high)
    least, most = k_of(low)
    k = (least + most) / 2
    return Variables(n=low, k=k, most=estimate(k, low))
