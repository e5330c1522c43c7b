"""Weekly calendars, from when stations were off."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np

from deungdae.core.types import SECOND, FloatArray
from deungdae.model.calendar import WEEK, Calendar, Shift

from .log import Gap, Log
from .timeline import OFF, Timeline

LEAST = 0.002  # share of off time from which there is a calendar to be learnt
WEEKLY = 6.5 * 86_400  # s of log from which a week counts as seen


def calendar_of(log: Log, name: str, lines: list[Timeline]) -> tuple[Calendar | None, list[Gap]]:
    """Return when a station works in a week, None where it was never off."""
    off = sum(line.time_in(OFF) for line in lines)
    total = sum(line.seconds for line in lines)
    if off < LEAST * total:
        return None, []
    spans = _working(lines)
    whole = [(a, b) for a, b in spans if a > 0 and b < log.seconds]
    gaps = []
    if log.seconds < WEEKLY:
        why = f"the log covers {log.seconds / 86_400:.2g} days, not a week"
        gaps.append(Gap(station=name, what="calendar", why=why, bound="other days as those seen"))
    weekly = [piece for a, b in whole for piece in _pieces(log.start, a, b, log.zone)]
    if not weekly:
        why = "no working time was seen from beginning to end"
        gaps.append(Gap(station=name, what="calendar", why=why, bound="it works always"))
        return None, gaps
    days: dict[tuple[str, str], set[int]] = {}
    for day, start, end in weekly:
        days.setdefault((start, end), set()).add(day)
    if log.seconds < WEEKLY:
        (usual, _), *_ = Counter((start, end) for _, start, end in weekly).most_common(1)
        seen = {day for day, _, _ in weekly} | _watched(log)
        days.setdefault(usual, set()).update(set(range(7)) - seen)
    shifts = tuple(
        Shift(name=f"{start}-{end}", days=_days(on), start=start, end=end)
        for (start, end), on in sorted(days.items())
    )
    return Calendar(shifts=shifts), gaps


def _working(lines: list[Timeline]) -> list[tuple[float, float]]:
    """Return when servers were not off; an end that a last cycle delayed is taken off again."""
    starts: list[FloatArray] = []
    ends: list[FloatArray] = []
    for line in lines:
        off_from, off_to, _ = line.spells(OFF)
        starts.append(np.concatenate([[0.0], off_to]))
        ends.append(np.concatenate([off_from, [line.seconds]]))
    start, end = np.concatenate(starts), np.concatenate(ends)
    spans: dict[int, float] = {}
    for a, b in zip(start.tolist(), end.tolist(), strict=True):
        if b - a > 60:
            minute = round(a / 60) * 60
            spans[minute] = min(spans.get(minute, np.inf), b)
    return sorted((float(a), b) for a, b in spans.items())


def _pieces(
    origin: int, a: float, b: float, zone: timezone | ZoneInfo
) -> list[tuple[int, str, str]]:
    """Return (weekday, start, end) of a working time, cut at midnights, in local minutes."""
    first, last = _local(origin, a, zone), _local(origin, b + 0.5, zone)
    if (last - first).total_seconds() <= 0:
        return []
    if b - a <= 86_400:
        return [(first.weekday(), f"{first:%H:%M}", f"{last:%H:%M}")]
    pieces = []
    while first < last:
        midnight = (first + timedelta(1)).replace(hour=0, minute=0, second=0, microsecond=0)
        until = f"{last:%H:%M}" if last <= midnight and last < midnight else "24:00"
        pieces.append((first.weekday(), f"{first:%H:%M}", until))
        first = midnight
    return pieces


def _local(origin: int, seconds: float, zone: timezone | ZoneInfo) -> datetime:
    moment = origin // SECOND + seconds + origin % SECOND / SECOND
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)).astimezone(zone)


def _watched(log: Log) -> set[int]:
    """Return the weekdays of which the log has at least most."""
    days = int(log.seconds // 86_400)
    return {_local(log.start, day * 86_400 + 43_200, log.zone).weekday() for day in range(days)}


def _days(on: set[int]) -> str:
    return "daily" if len(on) == 7 else ",".join(WEEK[day] for day in sorted(on))
