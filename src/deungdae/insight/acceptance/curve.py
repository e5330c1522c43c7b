"""What a plan by attributes does: how often lots are accepted."""

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
