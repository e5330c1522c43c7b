"""From what a meter told to the energy within any spans of time, and what it can at most have been.

Between two readings of a counter the energy of the whole stretch is known, but not when in it: a
span that cuts the stretch gets its share by time, and may have had none or all of it. Power holds
until the next sample, so every part of a stretch is known. Where nothing was told there is no
energy in the value, and as much as the machine can draw at most (`rated`) in the upper bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Samples
from deungdae.core.types import HOUR, Flag, FloatArray, Severity, TimeArray, severity
from deungdae.insight.kpi.counters import increments

_MOST = 1e12  # kW; what is told beyond is no power


class Amount(msgspec.Struct, frozen=True):
    """Energy in kW.h: as metered, at least, at most (inf where nothing bounds it).

    unknown: ns of which not everything was told; silent: nothing was told at all.
    """

    value: float
    low: float
    high: float
    unknown: int
    silent: bool

    def per(self, divisor: float) -> Amount:
        """Return it per hour, part or whatever else, divisor > 0."""
        return msgspec.structs.replace(
            self, value=self.value / divisor, low=self.low / divisor, high=self.high / divisor
        )


class Pieces(msgspec.Struct, frozen=True, eq=False):
    """Stretches of time [start, end), disjoint, in order, without holes: int64[n].

    energy, low, high float64[n]: kW.h in the stretch, see Amount. even: bool[n], whether a part of
    the stretch holds its share, else it may hold none or all; known: bool[n], whether it was told.
    """

    start: TimeArray
    end: TimeArray
    energy: FloatArray
    low: FloatArray
    high: FloatArray
    even: NDArray[np.bool_]
    known: NDArray[np.bool_]


def from_counter(
    samples: Samples, start: int, end: int, *, gain: float = 1, wrap: float = 0, rated: float = 0
) -> Pieces:
    """Return the energy from start or earlier to end, from the readings of a counter.

    gain: kW.h per unit of the counter. wrap, and what a fall means: see kpi.counters.increments.
    Before a reset more may have been counted than was seen. rated: kW at most, 0: not known.
    """
    first = int(samples.time[0]) if len(samples) else start
    found = increments(samples, min(first, start), end + 1, wrap)  # one at `end` closes the last
    if found is None or not len(found.time):
        return _silence(start, end, rated)
    value = samples.value[np.searchsorted(samples.time, [found.since, found.time])]
    reset = (value[1] < value[0]) & (found.amount == value[1])
    energy = found.amount * gain
    told = Pieces(
        start=found.since,
        end=found.time,
        energy=energy,
        low=energy,
        high=energy + np.where(reset, _at_most(found.time - found.since, rated), 0.0),
        even=np.zeros(len(energy), bool),
        known=np.ones(len(energy), bool),
    )
    return _framed(told, start, end, rated)


def from_power(
    samples: Samples, start: int, end: int, *, gain: float = 1, rated: float = 0
) -> Pieces:
    """Return the energy from start or earlier to end, from a power that holds until the next.

    gain: kW per unit of the signal. What is bad, stale or no number holds as unknown.
    """
    inside = samples.time < end
    edges = np.append(samples.time[inside], end)
    value, status = samples.value[inside] * gain, samples.status[inside]
    known = (severity(status) != Severity.BAD) & (status & Flag.STALE == 0)
    known &= np.abs(value) < _MOST
    energy = np.where(known, value, 0.0) * np.diff(edges) / HOUR
    told = Pieces(
        start=edges[:-1],
        end=edges[1:],
        energy=energy,
        low=energy,
        high=np.where(known, energy, _at_most(np.diff(edges), rated)),
        even=np.ones(len(energy), bool),
        known=known,
    )
    return _framed(told, start, end, rated)


def within(pieces: Pieces, spans: Sequence[tuple[int, int]]) -> Amount:
    """Return the energy within spans [start, end): disjoint, in order, where pieces are."""
    if not spans:
        return Amount(0.0, 0.0, 0.0, 0, silent=False)
    first = int(np.searchsorted(pieces.end, spans[0][0], "right"))
    behind = int(np.searchsorted(pieces.start, spans[-1][1], "left"))
    touched = slice(first, behind)
    start, end = pieces.start[touched], pieces.end[touched]
    inside = _covered(end, spans) - _covered(start, spans)
    share = inside / (end - start)
    even, some, whole = pieces.even[touched], inside > 0, inside == end - start
    low = pieces.low[touched] * np.where(even, share, whole)
    # nothing of an endless piece is nothing, not 0 times infinity
    high = pieces.high[touched][some] * np.where(even, share, 1.0)[some]
    return Amount(
        value=float((pieces.energy[touched] * share).sum()),
        low=float(low.sum()),
        high=float(high.sum()),
        unknown=int(inside[~pieces.known[touched]].sum()),
        silent=not bool((inside > 0)[pieces.known[touched]].any()),
    )


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum; unknown is the longest of theirs."""
    parts = list(amounts)
    return Amount(
        value=sum(part.value for part in parts),
        low=sum(part.low for part in parts),
        high=sum(part.high for part in parts),
        unknown=max((part.unknown for part in parts), default=0),
        silent=all(part.silent for part in parts),
    )


def _covered(moments: TimeArray, spans: Sequence[tuple[int, int]]) -> TimeArray:
    """Return how much of the spans lies before each moment: ns, int64[n]."""
    starts = np.asarray([start for start, _ in spans], np.int64)
    ends = np.asarray([end for _, end in spans], np.int64)
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    at = np.searchsorted(starts, moments, "right")
    surplus = np.where(at > 0, np.maximum(ends[at - 1] - moments, 0), 0)
    covered: TimeArray = before[at] - surplus
    return covered


def _framed(told: Pieces, start: int, end: int, rated: float) -> Pieces:
    """Return the pieces with what is unknown before the first and after the last of them."""
    if not len(told.start):
        return _silence(start, end, rated)
    parts = [told]
    if start < told.start[0]:
        parts.insert(0, _silence(start, int(told.start[0]), rated))
    if told.end[-1] < end:
        parts.append(_silence(int(told.end[-1]), end, rated))
    return Pieces(
        *(
            np.concatenate([getattr(part, field) for part in parts])
            for field in Pieces.__struct_fields__
        )
    )


def _silence(start: int, end: int, rated: float) -> Pieces:
    """Return one piece of which nothing is known."""
    length, nothing = np.asarray([end - start]), np.zeros(1)
    return Pieces(
        start=np.asarray([start]),
        end=np.asarray([end]),
        energy=nothing,
        low=nothing,
        high=_at_most(length, rated),
        even=np.ones(1, bool),
        known=np.zeros(1, bool),
    )


def _at_most(length: TimeArray, rated: float) -> FloatArray:
    """Return the most energy that stretches of so many ns can hold, float64[n]."""
    if rated > 0:
        return np.asarray(length * (rated / HOUR), np.float64)
    return np.full(len(length), np.inf)
