"""What a plan by attributes does: how often lots are accepted, and what reaches the customer."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from deungdae.core.types import FloatArray

Counted = Literal["parts", "faults"]


def accept(
    n: int, c: int, share: ArrayLike, *, lot: int | None = None, counted: Counted = "parts"
) -> FloatArray:
    """Return the operating characteristic: the chance that a lot is accepted.

    n inspected, up to c bad; share: [m], of bad parts (0 to 1), or of faults, per part. lot: parts
    of one lot, of which share × lot, rounded, are bad (type A, hypergeometric); None: of the
    process (type B, binomial). faults: Poisson. Raises ValueError for impossible plans.
    Source: ISO 2859-1, ch. 12.
    """
    from scipy.stats import binom, hypergeom, poisson  # noqa: PLC0415 — half a second

    shares = np.atleast_1d(np.asarray(share, np.float64))
    if n < 1 or c < 0 or (shares < 0).any() or (counted == "parts" and (shares > 1).any()):
        raise ValueError("a plan inspects 1 part or more; shares lie between 0 and 1")
    if counted == "faults":
        found = poisson.cdf(c, n * shares)
    elif lot is None:
        found = binom.cdf(c, n, shares)
    else:
        if n > lot:
            raise ValueError(f"{n} parts of a lot of {lot}: inspect every part")
        found = hypergeom.cdf(c, lot, np.rint(shares * lot).astype(int), n)
    return np.asarray(found, np.float64)


def quality(n: int, c: int, chance: float) -> float:
    """Return the share of bad parts at which a lot is accepted with a chance, e.g. .95 or .10.

    Source: the binomial distribution by the beta distribution.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 — loads only where it is needed

    return float(betaincinv(c + 1, n - c, 1 - chance))


def aoq(n: int, c: int, share: ArrayLike, lot: int) -> FloatArray:
    """Return the average outgoing quality if rejected lots are sorted and bad parts replaced.

    Source: Montgomery, Introduction to Statistical Quality Control, ch. 15.2.3.
    """
    shares = np.atleast_1d(np.asarray(share, np.float64))
    return accept(n, c, shares) * shares * (lot - n) / lot


def aoql(n: int, c: int, lot: int) -> float:
    """Return the worst average outgoing quality, whatever comes in."""
    top = quality(n, c, 1e-6)
    for _ in range(3):  # a finer grid about the best of a coarse one
        share = np.linspace(0, top, 2001)
        top = min(float(share[aoq(n, c, share, lot).argmax()]) * 1.5, 1.0)
    return float(aoq(n, c, share, lot).max())


def ati(n: int, c: int, share: ArrayLike, lot: int) -> FloatArray:
    """Return the average total inspection per lot: the sample, and all parts of rejected lots."""
    return n + (1 - accept(n, c, share)) * (lot - n)


def asn(n: int, c: int, share: ArrayLike) -> FloatArray:
    """Return the average number of parts inspected if one stops as soon as the lot is rejected.

    Without stopping it is n. After k parts one goes on while no more than c of them are bad.
    """
    going = np.ones((n, np.size(share)))
    for k in range(1, n):
        going[k] = accept(k, c, share)
    total: FloatArray = going.sum(axis=0)
    return total
