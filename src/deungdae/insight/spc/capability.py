"""How well a process fits its specification: Cp, Cpk, Pp and Ppk with their 95 % intervals."""

from __future__ import annotations

from math import isfinite, sqrt

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .charts import Process, Spread, learn

LEAST = 30  # parts; below, the interval of an index reaches from poor to excellent


class Index(msgspec.Struct, frozen=True):
    """An index with its 95 % interval."""

    value: float
    low: float
    high: float


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """The indices of n parts; within: sigma of subgroups, overall: standard deviation of all.

    cp, pp: None without both limits.
    """

    n: int
    mean: float
    within: float
    overall: float
    cp: Index | None
    cpk: Index
    pp: Index | None
    ppk: Index


def capability(
    groups: FloatArray, lsl: float | None, usl: float | None, spread: Spread = "range"
) -> Capability:
    """Return the indices of parts in subgroups [m, n] against lsl < usl, either may be None.

    Cp, Cpk: by the spread within subgroups; Pp, Ppk: by that of all parts. Raises NotEnoughData
    below 30 parts or without spread, ValueError without a limit.
    Sources: Montgomery, ch. 8.3 (definitions, and Cp, Pp by the chi-square distribution of s²);
    Bissell (1990) (Cpk, Ppk); Patnaik (1950) (degrees of freedom of a sigma from subgroups).
    """
    if lsl is None and usl is None:
        raise ValueError("capability needs a specification limit")
    if groups.size < LEAST:
        raise NotEnoughData(f"capability needs {LEAST} parts; there are {groups.size}")
    process = learn(groups, spread)
    overall = float(groups.std(ddof=1))
    freedom = sigma_freedom(process)
    n = groups.size
    found = Capability(
        n=n,
        mean=process.centre,
        within=process.sigma,
        overall=overall,
        cp=width(lsl, usl, process.sigma, freedom),
        cpk=nearest(lsl, usl, process.centre, process.sigma, freedom, n),
        pp=width(lsl, usl, overall, n - 1),
        ppk=nearest(lsl, usl, process.centre, overall, n - 1, n),
    )
    if not all(isfinite(index.value) for index in (found.cpk, found.ppk)):
        raise NotEnoughData("the spread is too small beside the limits to reckon with")
    return found


def sigma_freedom(process: Process) -> float:
    """Return the degrees of freedom of a sigma that was learnt. Source: Patnaik (1950)."""
    return 1 / (2 * sqrt(1 + 2 * process.error**2) - 2)


def width(lsl: float | None, usl: float | None, sigma: float, freedom: float) -> Index | None:
    """Return the width of the specification in six sigma; sigma has so many degrees of freedom."""
    from scipy.special import chdtri  # noqa: PLC0415 — costs 20 MB, and only who has limits needs it

    if lsl is None or usl is None:
        return None
    value = float((usl - lsl) / (6 * np.float64(sigma)))
    low, high = (sqrt(float(chdtri(freedom, tail)) / freedom) for tail in (0.975, 0.025))
    return Index(value, value * low, value * high)


def nearest(
    lsl: float | None, usl: float | None, mean: float, sigma: float, freedom: float, n: int
) -> Index:
    """Return the distance of the mean to the nearer limit in three sigma."""
    room = [usl - mean] if usl is not None else []
    room += [mean - lsl] if lsl is not None else []
    value = float(min(room) / (3 * np.float64(sigma)))
    half = 1.959964 * sqrt(1 / (9 * n) + value**2 / (2 * freedom))
    return Index(value, value - half, value + half)
