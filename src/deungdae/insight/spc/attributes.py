"""Charts of what is counted: nonconforming parts (p, np) and nonconformities (c, u)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .charts import Chart

Counted = Literal["p", "np", "c", "u"]
COUNTED: tuple[Counted, ...] = ("p", "np", "c", "u")


def rate(kind: Counted, count: ArrayLike, size: ArrayLike) -> float:
    """Return what phase I shows: the share of parts (p, np), or the number per unit (c, u).

    count, size: [m], of each sample; for c: of units as large as one sample, so size 1.
    Raises NotEnoughData below two samples, and where nothing was found, or all was bad: limits
    would then be of no width.
    """
    counts, sizes = _checked(kind, count, size)
    if len(counts) < 2:
        raise NotEnoughData(f"limits need two samples or more, not {len(counts)}")
    found = float(counts.sum() / sizes.sum())
    if found == 0 or (kind in ("p", "np") and found == 1):
        what = "nothing was found" if found == 0 else "every part was bad"
        raise NotEnoughData(f"{what} in all {len(counts)} samples: they show no spread")
    return found


def attributes(kind: Counted, count: ArrayLike, size: ArrayLike, centre: float) -> Chart:
    """Return the chart: points and their limits at three sigma, which follow the samples' sizes.

    count: [m], found in each sample; size: [m], parts (p, np) or units (c, u) of each sample;
    centre: of phase I, see `rate`. Points of p and u are shares and numbers per unit, those of np
    and c are counts. Raises ValueError for impossible counts, and for np and c of unequal sizes.
    Source: Montgomery, Introduction to Statistical Quality Control, ch. 7.2 (p, np), 7.3 (c, u).
    """
    counts, sizes = _checked(kind, count, size)
    sigma = _sigma(kind, sizes, centre)
    middle = centre * (sizes[0] if kind in ("np", "c") and len(sizes) else 1)
    most = np.inf if kind in ("c", "u") else sizes if kind == "np" else 1.0
    return Chart(
        counts / sizes if kind in ("p", "u") else counts,
        float(middle),
        np.maximum(middle - 3 * sigma, 0.0),
        np.minimum(middle + 3 * sigma, most),
    )


def counted_sigmas(kind: Counted, count: ArrayLike, size: ArrayLike, centre: float) -> FloatArray:
    """Return each point's distance from the centre in its own sigmas, float64[m]: for run rules."""
    chart = attributes(kind, count, size, centre)
    _, sizes = _checked(kind, count, size)
    away: FloatArray = (chart.point - chart.centre) / _sigma(kind, sizes, centre)
    return away


def _sigma(kind: Counted, sizes: FloatArray, centre: float) -> FloatArray:
    """Return the standard deviation of each point: of the binomial, or of the Poisson."""
    each = centre * (1 - centre) if kind in ("p", "np") else centre
    sigma: FloatArray = np.sqrt(each / sizes) if kind in ("p", "u") else np.sqrt(each * sizes)
    return sigma


def _checked(kind: Counted, count: ArrayLike, size: ArrayLike) -> tuple[FloatArray, FloatArray]:
    counts = np.atleast_1d(np.asarray(count, np.float64))
    sizes = np.broadcast_to(np.asarray(size, np.float64), counts.shape)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("a count is a number from 0 up")
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError("the size of a sample is a number above 0")
    if kind in ("p", "np") and (counts > sizes).any():
        at = int(np.flatnonzero(counts > sizes)[0])
        raise ValueError(f"sample {at + 1} has more bad parts ({counts[at]:g}) than parts")
    if kind in ("np", "c") and len(sizes) and (sizes != sizes[0]).any():
        other = "p" if kind == "np" else "u"
        raise ValueError(f"an {kind} chart needs samples of one size; use {other}")
    return counts, sizes
