"""Signals side by side: one row a moment, one column a signal, and what is missing said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Samples
from deungdae.core.types import Flag, FloatArray, StatusArray, TimeArray, is_good

_UNFIT = Flag.STALE | Flag.OUT_OF_RANGE
_MOST = 1e100  # no measured value; squares of larger ones overflow


class Table(msgspec.Struct, frozen=True, eq=False):
    """time int64[n], rising; value float64[n, c], NaN where there is no data.

    Made by `Table.of` or `aligned`, so that NaN means nothing else.
    """

    names: tuple[str, ...]
    time: TimeArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    @staticmethod
    def of(names: Sequence[str], time: TimeArray, value: FloatArray) -> Table:
        """Return rows in order of time; of two rows of one time the later given one counts.

        What is no number is no data. Raises ValueError where the shapes do not fit.
        """
        if value.shape != (len(time), len(names)):
            raise ValueError(f"{value.shape} values, not {len(time)} rows of {len(names)} signals")
        order = np.argsort(time, kind="stable")
        moments = time[order]
        last = np.r_[moments[1:] != moments[:-1], np.ones(min(len(time), 1), bool)]
        rows = value[order][last]
        return Table(tuple(names), moments[last], np.where(np.abs(rows) < _MOST, rows, np.nan))

    def rows(self, chosen: slice | NDArray[np.bool_]) -> Table:
        """Return some of the rows."""
        return Table(self.names, self.time[chosen], self.value[chosen])


def aligned(
    samples: Mapping[str, Samples], ids: Sequence[str], times: TimeArray, hold: int
) -> Table:
    """Return what each signal was at each of the times: its last value, if no older than `hold`.

    A sample that is not good ends the value before it. hold: ns.
    """
    value = np.full((len(times), len(ids)), np.nan)
    for column, id in enumerate(ids):
        held = samples.get(id)
        if held is None or not len(held):
            continue
        at = np.searchsorted(held.time, times, side="right") - 1
        seen = np.maximum(at, 0)
        known = (at >= 0) & (times - held.time[seen] <= hold) & _fit(held.status, held.value)[seen]
        value[known, column] = held.value[seen][known]
    return Table(tuple(ids), times, value)


def _fit(status: StatusArray, value: FloatArray) -> NDArray[np.bool_]:
    fit: NDArray[np.bool_] = is_good(status) & (status & _UNFIT == 0) & (np.abs(value) < _MOST)
    return fit
