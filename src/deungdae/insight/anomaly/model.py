"""Dynamic PCA with T² and Q as one index, and what each signal contributes to it."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray, TimeArray

from .robust import scatter

SHARE = 0.8  # of the variance that the components hold; the rest is Q's


class Model(msgspec.Struct, frozen=True, eq=False):
    """How rows of c signals with l lags lie when all is well; p = c · (l + 1).

    centre, scale, mean: [p]; root [p, p]: the index of a deviation x is |root · x|.
    """

    columns: int
    lags: int
    components: int
    centre: FloatArray
    scale: FloatArray
    mean: FloatArray
    root: FloatArray

    @staticmethod
    def learn(value: FloatArray, lags: int) -> Model:
        """Return the model of the bulk of the rows. value: [m, p], of `lagged`, complete.

        The index joins both statistics, each over its usual size: half T² / components and half
        Q / the variance that is left. Sources: Jackson and Mudholkar (1979); Ku, Storer and
        Georgakis (1995), lags; Yue and Qin (2001), the combined index.
        """
        found = scatter(value)
        variance, axes = np.linalg.eigh(found.covariance)
        variance, axes = variance[::-1], axes[:, ::-1]
        within = np.cumsum(variance) / variance.sum()
        kept = min(int(np.searchsorted(within, SHARE)) + 1, len(variance))
        left = variance[kept:].sum()
        weight = np.r_[
            0.5 / (kept * variance[:kept]), np.full(len(variance) - kept, 0.5 / max(left, 1e-12))
        ]
        return Model(
            columns=value.shape[1] // (lags + 1),
            lags=lags,
            components=kept,
            centre=found.centre,
            scale=found.scale,
            mean=found.mean,
            root=(axes * np.sqrt(weight)) @ axes.T,
        )

    def parts(self, rows: FloatArray) -> FloatArray:
        """Return each signal's share of the squared index, [n, c]; NaN where it cannot be told.

        rows: [n, p], of `lagged`. What is missing is taken as what the rest of the row makes most
        usual, so that no data is no anomaly; with less than half of it, or of what is now, nothing
        is told.
        Sources: Nelson, Taylor and MacGregor (1996), missing data; Alcala and Qin (2011),
        contributions by complete decomposition.
        """
        deviation = (rows - self.centre) / self.scale - self.mean
        known = ~np.isnan(deviation)
        now = known[:, : self.columns].mean(axis=1)
        enough = (now >= 0.5) & (known.mean(axis=1) > 0.5)
        whole = known.all(axis=1)
        for row in np.flatnonzero(enough & ~whole):
            deviation[row] = self._filled(deviation[row], known[row])
        squares = (deviation @ self.root) ** 2
        squares[~enough] = np.nan
        parts: FloatArray = squares.reshape(len(rows), self.lags + 1, self.columns).sum(axis=1)
        return parts

    def _filled(self, deviation: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
        """Return a row in which what is missing makes the index smallest."""
        missing = self.root[:, ~known]
        rest = self.root[:, known] @ deviation[known]
        filled = deviation.copy()
        filled[~known] = -np.linalg.lstsq(missing, rest, rcond=None)[0]
        return filled


def lagged(value: FloatArray, time: TimeArray, lags: int, gap: int) -> FloatArray:
    """Return each row beside those before it, [n, c · (lags + 1)]; NaN across a gap of time.

    value: [n, c]; gap: ns from one row to the next that are no neighbours any more.
    """
    rows = len(value)
    broken = np.r_[True, np.diff(time) > gap][:rows]
    run = np.arange(rows) - np.maximum.accumulate(np.where(broken, np.arange(rows), 0))
    columns = []
    for lag in range(lags + 1):
        back = value[np.maximum(np.arange(rows) - lag, 0)]
        columns.append(np.where((run >= lag)[:, None], back, np.nan))
    return np.hstack(columns)
