"""Hotelling's T²: several quantities of one part on one chart, and which of them stand out."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .charts import Chart

Scatter = Literal["sample", "differences"]


class Together(msgspec.Struct, frozen=True, eq=False):
    """How p quantities vary together while nothing disturbs them.

    centre: float64[p]; covariance: float64[p, p], of single parts; samples: m, of phase I;
    size: n, parts of each.
    """

    centre: FloatArray
    covariance: FloatArray
    samples: int
    size: int


def learn_together(parts: FloatArray, scatter: Scatter = "sample") -> Together:
    """Return how the quantities of phase I vary together.

    parts: [m, n, p], n parts of each of m subgroups, or [m, p], single parts. Of subgroups the
    covariance is the mean of those within. Of single parts it is that of all of them, or with
    `differences` of parts in succession, which a shift in the middle of phase I does not widen
    (Holmes and Mergen 1993; Sullivan and Woodall 1996).
    Raises NotEnoughData with fewer parts than it needs, or where a quantity follows from others.
    """
    groups = parts[:, None, :] if parts.ndim == 2 else parts
    m, n, p = groups.shape
    if m < fewest(p, n):
        raise NotEnoughData(f"T² of {p} quantities needs more than {m} samples of {n}")
    centre = groups.mean(axis=(0, 1))
    if n > 1:
        within = groups - groups.mean(axis=1, keepdims=True)
        covariance = np.einsum("mnp,mnq->pq", within, within) / (m * (n - 1))
    elif scatter == "differences":
        steps = np.diff(groups[:, 0], axis=0)
        covariance = steps.T @ steps / (2 * (m - 1))
    else:
        covariance = np.cov(groups[:, 0], rowvar=False).reshape(p, p)
    if not np.isfinite(covariance).all() or _condition(covariance) > 1e10:
        raise NotEnoughData("one of the quantities does not vary, or follows from the others")
    return Together(centre, covariance, m, n)


def fewest(p: int, n: int) -> int:
    """Return how many subgroups of n parts phase I of p quantities needs at least."""
    return max(p // (n - 1) + 1 if n > 1 else p + 2, 3)


def hotelling(
    parts: FloatArray, known: Together, phase: Literal[1, 2] = 2, alpha: float = 0.0027
) -> Chart:
    """Return the chart of T²; it has no lower limit, and its centre is the median of T².

    parts: as for `learn_together`, n as there. phase 1: of the very samples that were learnt from;
    phase 2: of new ones. alpha: share of false alarms, 0.0027 as on a chart with three sigma.
    Source: Tracy, Young and Mason (1992) for single parts; Alt (1985), Montgomery, ch. 11.3 for
    subgroups.
    """
    point = squared(parts, known)
    limit, middle = (_limit(known, phase, share) for share in (alpha, 0.5))
    m = len(point)
    return Chart(point, middle, np.zeros(m), np.full(m, limit))


def squared(parts: FloatArray, known: Together) -> FloatArray:
    """Return T² of each sample, float64[m]."""
    away = _means(parts) - known.centre
    scaled = np.linalg.solve(known.covariance, away.T).T
    found: FloatArray = known.size * (away * scaled).sum(axis=1)
    return found


def contributions(parts: FloatArray, known: Together) -> FloatArray:
    """Return by how much T² of each sample falls without one quantity: float64[m, p].

    The largest one points at the quantity that stands out, alone or against the others.
    Source: Runger, Alt and Montgomery (1996); Montgomery, ch. 11.3.
    """
    whole = squared(parts, known)
    p = len(known.centre)
    if p == 1:
        return whole[:, None]
    means = _means(parts)
    found = np.empty((len(means), p))
    for leave in range(p):
        rest = [at for at in range(p) if at != leave]
        fewer = Together(
            known.centre[rest], known.covariance[np.ix_(rest, rest)], known.samples, known.size
        )
        found[:, leave] = whole - squared(means[:, rest], fewer)
    return np.maximum(found, 0.0)


def _means(parts: FloatArray) -> FloatArray:
    means: FloatArray = parts if parts.ndim == 2 else parts.mean(axis=1)
    return means


def _limit(known: Together, phase: Literal[1, 2], alpha: float) -> float:
    from scipy.stats import beta, f  # noqa: PLC0415 — half a second, only who has T² waits

    m, n, p = known.samples, known.size, len(known.centre)
    if n > 1:
        freedom = m * n - m - p + 1
        factor = p * (m - 1 if phase == 1 else m + 1) * (n - 1) / freedom
        return float(factor * f.isf(alpha, p, freedom))
    if phase == 1:
        return float((m - 1) ** 2 / m * beta.isf(alpha, p / 2, (m - p - 1) / 2))
    return float(p * (m + 1) * (m - 1) / (m * (m - p)) * f.isf(alpha, p, m - p))


def _condition(covariance: FloatArray) -> float:
    """Return how far the correlations are from being singular, whatever the units."""
    deviation = np.sqrt(np.diag(covariance))
    if not (deviation > 0).all():
        return np.inf
    return float(np.linalg.cond(covariance / np.outer(deviation, deviation)))
