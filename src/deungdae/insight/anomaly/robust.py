"""Where most rows lie and how they scatter, whatever the others are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deungdae.core.types import FloatArray

TRIMMED = 0.25  # share of rows that may be anything
_RIDGE = 0.01  # of each variance: columns that follow from others, or stand still in most rows
_ROUNDS = 50


class Scatter(NamedTuple):
    """centre and scale float64[p], in the rows' units; mean[p], covariance[p, p] of what is scaled.

    A row x is scaled to (x - centre) / scale.
    """

    centre: FloatArray
    scale: FloatArray
    mean: FloatArray
    covariance: FloatArray


def scatter(x: FloatArray) -> Scatter:
    """Return location and scatter of the bulk of the rows: a deterministic MCD.

    x: [n, p], n > p, finite, no column constant. Begins with the covariance of wrapped columns and
    concentrates on the three quarters of the rows that lie closest, then takes all that fit those.
    Sources: Rousseeuw and Van Driessen (1999), C-steps; Hubert, Rousseeuw and Verdonck (2012),
    deterministic starts; Raymaekers and Rousseeuw (2021), wrapping.
    """
    from scipy.special import chdtri  # noqa: PLC0415 — loaded when something is learnt

    centre, scale = bulk(x)
    z = (x - centre) / scale
    rows, columns = z.shape
    mean, covariance = _moments(_wrapped(z))
    kept, before = max(int(np.ceil((1 - TRIMMED) * rows)), columns + 1), None
    for _ in range(_ROUNDS):
        near = np.sort(np.argpartition(_distance(z - mean, covariance), kept - 1)[:kept])
        if before is not None and np.array_equal(near, before):
            break
        before = near
        mean, covariance = _moments(z[near])
    distance = _distance(z - mean, covariance)
    fits = distance * chdtri(columns, 0.5) / np.median(distance) < chdtri(columns, 0.025)
    within = np.maximum(z[fits].std(axis=0), 0.1)  # without those far away the scale is another
    mean, covariance = _moments(z[fits] / within)
    return Scatter(centre, scale * within, mean, covariance)


def bulk(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return median and scale of each column, both [p].

    The scale is that of the median deviation, or the standard deviation of a column which stands
    still most of the time, or whose other rows are far away.
    """
    centre = np.median(x, axis=0)
    middle = 1.4826 * np.median(np.abs(x - centre), axis=0)
    spread = x.std(axis=0)
    return centre, np.where(middle > 0.1 * spread, middle, spread)


def _moments(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance, drawn a little towards independent columns."""
    columns = z.shape[1]
    covariance = np.cov(z, rowvar=False).reshape(columns, columns)
    return z.mean(axis=0), (1 - _RIDGE) * covariance + _RIDGE * np.eye(columns)


def _distance(z: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the squared Mahalanobis distance of each row from 0."""
    distance: FloatArray = np.einsum("ij,ij->i", z, np.linalg.solve(covariance, z.T).T)
    return distance


def _wrapped(z: FloatArray) -> FloatArray:
    """Return values whose far ones are drawn back to 0: the further, the nearer."""
    far = 1.540793 * np.tanh(0.8622731 * (4.0 - np.abs(z))) * np.sign(z)
    wrapped: FloatArray = np.where(np.abs(z) < 1.5, z, np.where(np.abs(z) < 4.0, far, 0.0))
    return wrapped
