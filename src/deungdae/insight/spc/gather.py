"""Brings together what several signals say of one part, though they come one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from deungdae.core.ports import Samples
from deungdae.core.types import Flag, Severity, severity

from .options import MOST

_UNFIT = Flag.STALE | Flag.OUT_OF_RANGE
_KEPT = 1000  # measurements that wait for the others of their part
_PATIENT = 3  # parts after which a signal that did not come with them is missed


class Measured(NamedTuple):
    """What is known of one part: one value of each signal; fit: whether all are measurements."""

    time: int
    values: tuple[float, ...]
    fit: bool


class Gather:
    """Gives the parts of the first signal, each with the others' first sample that is near it.

    near: ns. Which samples make a part depends on their times alone, not on when they came.
    """

    def __init__(self, ids: Sequence[str], near: int) -> None:
        self.lost = 0  # parts of which a measurement did not come
        self._near = near
        self._waiting: dict[str, deque[Measured]] = {id: deque() for id in ids}
        self._newest = dict.fromkeys(ids, 0)

    def take(self, samples: Mapping[str, Samples]) -> Iterator[Measured]:
        """Yield the parts that are complete now; of a single signal every sample is one."""
        given = {id: samples[id] for id in self._waiting if id in samples}
        if len(self._waiting) == 1:
            for column in given.values():
                yield from _rows(column)
            return
        for id, column in given.items():
            for row in _rows(column):
                if row.time > self._newest[id]:
                    self._newest[id] = row.time
                    self._waiting[id].append(row)
        yield from self._complete()
        for rows in self._waiting.values():
            while len(rows) > _KEPT:
                rows.popleft()
                self.lost += 1

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the signals that did not come with the last parts, though others did."""
        if max(len(rows) for rows in self._waiting.values()) < _PATIENT:
            return ()
        return tuple(id for id, rows in self._waiting.items() if not rows)

    def _complete(self) -> Iterator[Measured]:
        first, *others = self._waiting.values()
        while first:
            time = first[0].time
            for rows in others:
                while rows and rows[0].time < time - self._near:
                    rows.popleft()
            if any(rows and rows[0].time > time + self._near for rows in others):
                first.popleft()
                self.lost += 1
            elif all(others):
                own = [rows.popleft() for rows in (first, *others)]
                values = tuple(row.values[0] for row in own)
                yield Measured(time, values, all(row.fit for row in own))
            else:
                return


def _rows(samples: Samples) -> Iterator[Measured]:
    for time, value, status in zip(
        samples.time.tolist(), samples.value.tolist(), samples.status.tolist(), strict=True
    ):
        fit = severity(status) != Severity.BAD and not status & _UNFIT and abs(value) < MOST
        yield Measured(time, (value,), fit)
