"""Learns what is usual of signals; tells when they are unlike it, which, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray, TimeArray

from .limit import Limit, limit, smoothed
from .model import Model, lagged
from .table import Table

DRIFT = 0.5  # share of the variance that is slow: more of it, and the signal drifts
_TENTHS = 10
_FOLDS = 5
_FIT = 4000  # rows that a model is learnt from at most; more tell it nothing new
_GAP = 5  # periods without a row after which two rows are no neighbours
_FORGET = 3  # times the smoothing, after which the index has forgotten what was


class Watch(msgspec.Struct, frozen=True, eq=False):
    """What is usual: everything that judging needs.

    names: signals that are watched; left: why others are not. period: ns between rows.
    low, high, middle: [c], between which 99 % of the training lie, and its median.
    stand: ns, [c], the longest that a signal kept one value. usual: the mean index.
    """

    names: tuple[str, ...]
    left: Mapping[str, str]
    period: int
    smooth: int
    model: Model
    limit: Limit
    usual: float
    low: FloatArray
    middle: FloatArray
    high: FloatArray
    stand: FloatArray

    @property
    def gap(self) -> int:
        """Return the ns after which two rows are no neighbours."""
        return _GAP * self.period


def learn(
    table: Table,
    *,
    per_day: float = 1.0,
    lags: int = 3,
    smooth: int = 10,
    keep: frozenset[str] = frozenset(),
    leave: frozenset[str] = frozenset(),
    seed: int = 0,
) -> Watch:
    """Return what is usual, learnt from a stretch of good running.

    per_day: false alarms a day; lags: rows before that each row is seen with; smooth: rows over
    which the index is averaged; keep: signals that stay though they drift; leave: signals that are
    not watched. Signals that stand still, drift or have little data are left out, and said.
    Raises NotEnoughData.
    """
    left = dict(_unfit(table, keep, leave))
    names = tuple(name for name in table.names if name not in left)
    if not names:
        raise NotEnoughData(f"no signal can be watched: {_listed(left)}")
    value = table.value[:, [table.names.index(name) for name in names]]
    period = _period(table.time)
    rows = _whole(value, table.time, lags, _GAP * period)
    while lags and len(rows[0]) < 5 * rows[0].shape[1]:
        lags -= 1
        rows = _whole(value, table.time, lags, _GAP * period)
    wide, time = rows
    if len(wide) < max(2 * wide.shape[1] + 20, _FORGET * smooth):
        raise NotEnoughData(
            f"the training has {len(wide)} complete rows; {len(names)} signals need "
            f"{max(5 * wide.shape[1], 300)}"
        )
    model = Model.learn(_thinned(wide), lags)
    index = np.sqrt(model.parts(wide).sum(axis=1))
    even = smoothed(index, time, smooth, float(np.median(index)), _GAP * period)
    found = limit(even, period, _FORGET * smooth, per_day, np.random.default_rng(seed))
    further = _further(wide, index, lags)
    usual = float(np.median(index)) * further
    found = msgspec.structs.replace(found, value=found.value * further)
    low, middle, high = np.nanquantile(value, [0.005, 0.5, 0.995], axis=0)
    stand = np.array([_stand(value[:, column], table.time) for column in range(len(names))])
    return Watch(names, left, period, smooth, model, found, usual, low, middle, high, stand)


def slow(value: FloatArray) -> float:
    """Return the share of a signal's variance that is between tenths of the stretch, 0..1.

    Near 1 the signal drifts: what it will be tomorrow, the stretch does not tell.
    """
    known = value[~np.isnan(value)]
    spread = float(known.var()) if len(known) >= _TENTHS else 0.0
    if spread == 0:
        return 0.0
    parts = np.array_split(known, _TENTHS)
    return float(np.var([part.mean() for part in parts]) / spread)


def _unfit(table: Table, keep: frozenset[str], leave: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each signal that cannot be watched, and why."""
    for column, name in enumerate(table.names):
        value = table.value[:, column]
        known = value[~np.isnan(value)]
        if name in leave:
            yield name, "left out as asked"
        elif len(known) < 0.5 * len(value) or not len(known):
            yield name, f"no data in {1 - len(known) / max(len(value), 1):.0%} of the training"
        elif np.ptp(known) <= 1e-9 * max(abs(float(known[0])), 1e-9):
            yield name, f"stands still at {known[0]:.6g} in the training"
        elif name not in keep and (share := slow(value)) > DRIFT:
            yield name, f"drifts: {share:.0%} of its variance is slow"


def _whole(value: FloatArray, time: TimeArray, lags: int, gap: int) -> tuple[FloatArray, TimeArray]:
    """Return the complete rows with their lags, and their times."""
    wide = lagged(value, time, lags, gap)
    whole = ~np.isnan(wide).any(axis=1)
    return wide[whole], time[whole]


def _thinned(rows: FloatArray) -> FloatArray:
    return rows[:: max(len(rows) // max(_FIT, 10 * rows.shape[1]), 1)]


def _further(wide: FloatArray, index: FloatArray, lags: int) -> float:
    """Return by how much rows lie further out under a model of the other blocks of time."""
    edges = np.linspace(0, len(wide), _FOLDS + 1).astype(int)
    apart = index.copy()
    for first, last in pairwise(edges.tolist()):
        others = _thinned(wide[np.r_[0:first, last : len(wide)]])
        one = (others == others[0]).all(axis=0).any()  # a signal that moves in this block alone
        if not one and len(others) > wide.shape[1] + 1:
            found = Model.learn(others, lags).parts(wide[first:last])
            apart[first:last] = np.sqrt(found.sum(axis=1))
    return max(float(np.median(apart) / np.median(index)), 1.0)


def _period(time: TimeArray) -> int:
    if len(time) < 2:
        raise NotEnoughData(f"the training has {len(time)} rows; 300 or more are needed")
    return max(int(np.median(np.diff(time))), 1)


def _listed(left: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left.items())


def _stand(value: FloatArray, time: TimeArray) -> float:
    """Return the longest that a signal kept one value, ns."""
    known = ~np.isnan(value)
    moved = time[known][np.r_[True, np.diff(value[known]) != 0]]
    return float(np.diff(np.r_[moved, time[-1]]).max())
