"""Which shifts there are: those of the calendar, or local days where it has none."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from deungdae.core.types import SECOND
from deungdae.model.calendar import days_between, local_midnight
from deungdae.model.factory import Factory


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A shift, or a day: [start, end). name: '' for a day. planned: seconds meant for work."""

    name: str
    start: int
    end: int
    planned: float


def shifts_of(factory: Factory, start: int, end: int) -> list[Turn]:
    """Return the shifts that touch [start, end), whole, in order; without shifts local days."""
    calendar, zone = factory.calendar, factory.zone
    if calendar.shifts:
        spans = [(s.name, s.start, s.end) for s in calendar.shifts_between(start, end, zone)]
    else:
        spans = [
            ("", local_midnight(day, zone), local_midnight(day + timedelta(1), zone))
            for day, _ in days_between(start, end, zone)
        ]
    return [
        Turn(name=name, start=since, end=until, planned=_planned(factory, since, until))
        for name, since, until in spans
    ]


def _planned(factory: Factory, start: int, end: int) -> float:
    spans = factory.calendar.planned(start, end, factory.zone)
    return sum(span.end - span.start for span in spans) / SECOND
