"""Shifts and planned stops: when the factory means to work, in its own local time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from deungdae.core.clock import from_iso
from deungdae.core.types import SECOND

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK_TIME = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)$")


class Span(NamedTuple):
    """A named stretch of time [start, end), ns since 1970 UTC."""

    start: int
    end: int
    name: str = ""


def _days(text: str) -> frozenset[int]:
    """Return the weekdays (Monday 0) of `mon-fri`, `sat`, `mon,wed,fri` or `daily`."""
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.replace(" ", "").lower().split(","):
        first, _, last = part.partition("-")
        if first not in WEEK or (last and last not in WEEK):
            raise ValueError(
                f"days = {text!r} is not understood: write mon-fri, sat or mon,wed,fri"
            )
        a, b = WEEK.index(first), WEEK.index(last or first)
        days |= {(a + i) % 7 for i in range((b - a) % 7 + 1)}
    return frozenset(days)


def _minutes(text: str) -> int:
    match = _CLOCK_TIME.match(text)
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise ValueError(f"{text!r} is no time of day: write 06:00, or 24:00 for midnight")
    return int(match[1]) * 60 + int(match[2])


class Shift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shift that comes back every week; it belongs to the day on which it starts."""

    name: Annotated[str, msgspec.Meta(description="Name on pages and reports")]
    days: Annotated[str, msgspec.Meta(description="`mon-fri`, `sat`, `mon,wed` or `daily`")] = (
        "daily"
    )
    start: Annotated[str, msgspec.Meta(description="Local time of day, `06:00`")]
    end: Annotated[
        str, msgspec.Meta(description="Local time of day; at or before start means the next day")
    ]

    def __post_init__(self) -> None:
        _days(self.days), _minutes(self.start), _minutes(self.end)


class Stop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time within shifts that is not planned for work: a break, cleaning, planned maintenance.

    Either weekly (days, start, end) or once (since, until).
    """

    name: Annotated[str, msgspec.Meta(description="Why: `lunch`, `cleaning`")]
    days: Annotated[str, msgspec.Meta(description="`mon-fri`, `sat`, `mon,wed` or `daily`")] = (
        "daily"
    )
    start: Annotated[str, msgspec.Meta(description="Local time of day, `12:00`")] = ""
    end: Annotated[str, msgspec.Meta(description="Local time of day")] = ""
    since: Annotated[str, msgspec.Meta(description="Once: ISO 8601 local date and time")] = ""
    until: Annotated[str, msgspec.Meta(description="Once: ISO 8601 local date and time")] = ""
    assets: Annotated[
        tuple[str, ...], msgspec.Meta(description="Only these assets; empty: the whole factory")
    ] = ()

    def __post_init__(self) -> None:
        weekly, once = bool(self.start and self.end), bool(self.since and self.until)
        if weekly == once:
            raise ValueError("a stop needs either start and end, or since and until")
        if weekly:
            _days(self.days), _minutes(self.start), _minutes(self.end)
        elif from_iso(self.since) >= from_iso(self.until):
            raise ValueError(f"since {self.since} is not before until {self.until}")


class Calendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[calendar]` table. Without shifts every moment is planned, day and night."""

    shifts: Annotated[tuple[Shift, ...], msgspec.Meta(description="Weekly shifts")] = ()
    stops: Annotated[tuple[Stop, ...], msgspec.Meta(description="Planned stops within shifts")] = ()
    holidays: Annotated[
        tuple[date, ...], msgspec.Meta(description="Days on which no shift starts")
    ] = ()

    def shifts_between(self, start: int, end: int, zone: ZoneInfo) -> list[Span]:
        """Return the shifts that touch [start, end), whole, in order of their start."""
        spans = []
        for day in _local_days(start, end, zone):
            if day in self.holidays:
                continue
            for shift in self.shifts:
                if day.weekday() in _days(shift.days):
                    spans.append(_weekly(day, shift.start, shift.end, shift.name, zone))
        return sorted(span for span in spans if span.start < end and span.end > start)

    def planned(self, start: int, end: int, zone: ZoneInfo, asset: str = "") -> list[Span]:
        """Return when work is planned for the asset in [start, end): disjoint spans, in order."""
        work = self.shifts_between(start, end, zone) if self.shifts else [Span(start, end)]
        return subtract(join(_clip(work, start, end)), self.stops_between(start, end, zone, asset))

    def stops_between(self, start: int, end: int, zone: ZoneInfo, asset: str = "") -> list[Span]:
        """Return the planned stops of the asset that touch [start, end), in order."""
        spans = []
        for stop in self.stops:
            if stop.assets and asset not in stop.assets:
                continue
            if stop.since:
                spans.append(
                    Span(from_iso(stop.since, zone), from_iso(stop.until, zone), stop.name)
                )
                continue
            for day in _local_days(start, end, zone):
                if day.weekday() in _days(stop.days):
                    spans.append(_weekly(day, stop.start, stop.end, stop.name, zone))
        return sorted(span for span in spans if span.start < end and span.end > start)


def join(spans: list[Span]) -> list[Span]:
    """Return the union of the spans: disjoint, in order, each with its first part's name."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = joined[-1]._replace(end=max(joined[-1].end, span.end))
        elif span.end > span.start:
            joined.append(span)
    return joined


def subtract(spans: list[Span], holes: list[Span]) -> list[Span]:
    """Return what of the disjoint spans lies in no hole."""
    left: list[Span] = []
    for span in spans:
        start = span.start
        for hole in join(holes):
            if hole.end <= start or hole.start >= span.end:
                continue
            if hole.start > start:
                left.append(span._replace(start=start, end=hole.start))
            start = max(start, hole.end)
        if start < span.end:
            left.append(span._replace(start=start))
    return left


def local_midnight(day: date, zone: ZoneInfo) -> int:
    """Return the moment at which a local day begins."""
    return _moment(day, 0, zone)


def days_between(start: int, end: int, zone: ZoneInfo) -> list[tuple[date, Span]]:
    """Return each local day that touches [start, end) with its part of it."""
    days = []
    for day in _local_days(start, end, zone)[1:]:
        span = Span(local_midnight(day, zone), local_midnight(day + timedelta(1), zone))
        clipped = _clip([span], start, end)
        if clipped:
            days.append((day, clipped[0]))
    return days


def _clip(spans: list[Span], start: int, end: int) -> list[Span]:
    clipped = (s._replace(start=max(s.start, start), end=min(s.end, end)) for s in spans)
    return [span for span in clipped if span.start < span.end]


def _local_days(start: int, end: int, zone: ZoneInfo) -> list[date]:
    """Return the local days from the one before start (its shifts may reach over) to end."""
    first = _day(start, zone) - timedelta(1)
    count = (_day(end, zone) - first).days + 1
    return [first + timedelta(i) for i in range(count)]


def _day(moment: int, zone: ZoneInfo) -> date:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // SECOND)
    return utc.astimezone(zone).date()


def _weekly(day: date, start: str, end: str, name: str, zone: ZoneInfo) -> Span:
    a, b = _minutes(start), _minutes(end)
    last = day if b > a else day + timedelta(1)
    return Span(_moment(day, a, zone), _moment(last, b, zone), name)


def _moment(day: date, minutes: int, zone: ZoneInfo) -> int:
    """Return a local time as ns UTC; in the hour that a clock change skips, an hour later."""
    day += timedelta(minutes // 1440)
    local = datetime.combine(day, time(minutes // 60 % 24, minutes % 60), zone)
    return int(local.timestamp()) * SECOND
