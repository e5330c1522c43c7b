"""The shape of signals over a period, whatever its length: samples where they fit, else buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Rollup, Samples, Store
from deungdae.core.types import (
    DAY,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    Event,
    FloatArray,
    Signal,
    StatusArray,
    TimeArray,
    severity,
)
from deungdae.historian import rollup

Why: TypeAlias = Literal["bad", "silent", "away", "lost"]

FEW = 100_000  # samples that are read whatever the buckets: then gaps are known exactly
READ = 2_000_000  # samples that are read for one curve; of more, minutes are shown
PEEK = MINUTE  # how far beyond the end the next sample is looked for
PATIENCE = 10  # times the usual time between two samples: a longer silence is a gap

_STEPS = (
    *(n * MILLISECOND for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
)


_EMPTY = np.zeros(0)
_NEVER = np.zeros(0, np.int64)
NONE = Rollup(_NEVER, _NEVER, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY)


class Gap(msgspec.Struct, frozen=True):
    """Nothing good is known over [start, end), ns. why: the source said that it is bad, nothing
    came, the platform was away, or samples were lost on the way."""

    start: int
    end: int
    why: Why


class Curve(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One numeric signal over a period.

    samples: where they fit, with the nearest one on either side of the period; else None. buckets:
    then, of `every` ns each, which start at multiples of it; those at the edges are whole.
    before: the last sample before the period, at most one.
    """

    every: int = 0
    samples: Samples | None = None
    buckets: Rollup = NONE
    before: Samples
    gaps: tuple[Gap, ...]


def bucket(span: int, points: int) -> int:
    """Return the least length in ns that people can read by which a span makes so few buckets."""
    least = -(-span // points)
    return next((step for step in _STEPS if step >= least), -(-least // DAY) * DAY)


def curve(
    store: Store, signal: Signal, start: int, end: int, *, points: int, now: int, state: str = ""
) -> Curve:
    """Return the shape of a numeric signal over [start, end) in at most `points` buckets, + 1.

    now: silence after it is no gap. state: the signal that tells the state of the same asset; where
    the platform was away, that is written there. Any 30 days are answered from roll-ups.
    """
    every = bucket(end - start, points)
    if end - start < 8 * DAY:
        many = amount(store, signal.id, start, end)
        if many <= (READ if every % MINUTE else FEW):
            return _read(store, signal, start, end, points=points, now=now, state=state)
        every = max(every, MINUTE)
    # whole hours are rolled up: what they hold is not read sample by sample; and whole buckets,
    # so that the first and the last are shown with all that they hold
    whole = _widened(start, end, max(every, HOUR))
    found = _within(store.rollup(signal.id, *whole, every), start - every, end)
    before = store.query([signal.id], start, start, before=True)[signal.id]
    usual = every / max(float(np.median(_counts(found))), 1.0) if len(found.start) else HOUR
    times = np.concatenate([before.time, found.start])
    good = np.concatenate([_usable(before), found.count > 0])
    lengths = np.concatenate([np.zeros(len(before), np.int64), np.full(len(found.start), every)])
    holes = _holes(times, good, lengths, (start, min(end, now)), _limit(signal, usual))
    gaps = (*recorded(store, signal, start, end, state), *holes)
    return Curve(every=every, buckets=found, before=before, gaps=gaps)


def amount(store: Store, id: str, start: int, end: int) -> float:
    """Return about how many samples a signal has over [start, end), from whole hours."""
    low, high = _widened(start, end, HOUR)
    if low == high:
        return 0.0
    told = store.rollup(id, low, high, HOUR)
    return float(_counts(told).sum()) * min(1.0, (end - start) / (high - low))


def events(store: Store, signal: Signal, start: int, end: int) -> list[Event]:
    """Return what a signal of words told over a period, from the last word before it."""
    return store.events(start, end, ids=[signal.id], kinds=[signal.kind], before=True)


def thinned(found: Sequence[Event], start: int, end: int, points: int) -> list[Event]:
    """Return at most `points` + 1 of the words of a period: of each part of it the longest held."""
    if len(found) <= points:
        return list(found)
    times = np.asarray([event.time for event in found], np.int64)
    lengths = np.append(times[1:], end) - times
    parts = np.maximum(times - start, -1) // -(-(end - start) // points)
    order = np.lexsort((-lengths, parts))
    first = np.append(True, parts[order][1:] != parts[order][:-1])
    return [found[at] for at in sorted(order[first].tolist())]


def _read(
    store: Store, signal: Signal, start: int, end: int, *, points: int, now: int, state: str
) -> Curve:
    """Return a curve for which samples are read: as they are where they fit, else in buckets."""
    every = bucket(end - start, points)
    low, high = _widened(start, end, every)
    found = store.query([signal.id], low, max(high, end + PEEK), before=True)[signal.id]
    inside = (found.time >= start) & (found.time < end)
    first = int(np.searchsorted(found.time, start))
    last = int(np.searchsorted(found.time, end))
    before = _cut(found, slice(max(first - 1, 0), first))
    shown = _cut(found, slice(max(first - 1, 0), last + 1))
    limit = _limit(signal, _usual(store, signal, found, start))
    zero = np.zeros(len(shown), np.int64)
    holes = _holes(shown.time, _usable(shown), zero, (start, min(end, now)), limit)
    gaps = (*recorded(store, signal, start, end, state), *holes)
    if inside.sum() <= points:
        return Curve(samples=shown, before=before, gaps=gaps)
    some = _cut(found, slice(*np.searchsorted(found.time, [low, high])))
    handles = np.zeros(len(some), np.int32)
    rows = rollup.Rows.of(handles, some.time, some.value, some.status)
    earlier = _cut(found, slice(0, 0))
    buckets = rollup.answer(rows, low, high, every, earlier)
    return Curve(every=every, buckets=buckets, before=before, gaps=gaps)


# ---- gaps


def _holes(
    times: TimeArray, good: NDArray[np.bool_], lengths: TimeArray, span: tuple[int, int], limit: int
) -> list[Gap]:
    """Return where nothing good is known within a span.

    times, good, lengths: of samples (length 0) or buckets, in order. limit: ns; a longer silence
    between two of them, or after the last, is a gap.
    """
    start, end = span
    found: list[Gap] = []
    starts = np.append(times, max(end, int(times[-1]) if len(times) else end))
    if len(times) == 0 or times[0] > start:
        first = int(starts[0])
        if len(times) == 0 or first - start > limit:
            found.append(Gap(start, min(first, end), "silent"))
    ends = times + lengths
    quiet = starts[1:] - ends > limit
    for at in np.flatnonzero(quiet | ~good).tolist():
        why: Why = "silent" if good[at] else "bad"
        since = int(ends[at] if good[at] else times[at])
        until = int(starts[at + 1])
        if found and why == found[-1].why == "bad" and found[-1].end == since:
            since = found.pop().start
        found.append(Gap(since, until, why))
    return [
        Gap(max(gap.start, start), min(gap.end, end), gap.why)
        for gap in found
        if gap.start < end and gap.end > start and gap.end > gap.start
    ]


def recorded(store: Store, signal: Signal, start: int, end: int, state: str = "") -> list[Gap]:
    """Return the gaps that were written down: of the signal, and of us for its whole asset."""
    ids = [signal.id, *([state] if state else [])]
    found = []
    for event in store.events(start, end, ids=ids, kinds=["gap"], before=True):
        until = event.data.get("until", "")
        away = event.value == "away"
        if not until.isdigit() or not (away or event.id == signal.id):
            continue
        since, last = max(event.time, start), min(int(until), end)
        if since < last:
            found.append(Gap(since, last, "away" if away else "lost"))
    return found


def _limit(signal: Signal, usual: float) -> int:
    """Return the ns of silence that are a gap: what we write holds until it is written anew."""
    if signal.access == "rw":
        return 2**62
    return max(MINUTE, round(PATIENCE * usual))


def _usual(store: Store, signal: Signal, found: Samples, start: int) -> float:
    """Return the usual ns between two samples: here, else over the half day before."""
    if len(found) > 10:
        return float(np.quantile(np.diff(found.time), 0.9))
    edge = start // HOUR * HOUR
    counts = _counts(store.rollup(signal.id, edge - 12 * HOUR, edge + HOUR, HOUR))
    return HOUR / float(np.median(counts)) if len(counts) else 0.0


# ---- columns


def _usable(samples: Samples) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = (severity(samples.status) < 2) & np.isfinite(samples.value)
    return usable


def _counts(buckets: Rollup) -> FloatArray:
    """Return how many samples of any status are in each bucket; at least 1 where none is good."""
    share = np.where(buckets.bad < 1, 1 - buckets.bad, 1.0)
    counts: FloatArray = np.maximum(buckets.count / share, 1.0)
    return counts


def _within(found: Rollup, after: int, before: int) -> Rollup:
    """Return the buckets that start in (after, before)."""
    low = int(np.searchsorted(found.start, after, "right"))
    high = int(np.searchsorted(found.start, before))
    return Rollup(*(getattr(found, name)[low:high] for name in Rollup.__struct_fields__))


def _cut(samples: Samples, part: slice) -> Samples:
    time: TimeArray = samples.time[part]
    status: StatusArray = samples.status[part]
    return Samples(time, samples.value[part], status)


def _widened(start: int, end: int, size: int) -> tuple[int, int]:
    return start // size * size, -(-end // size) * size
