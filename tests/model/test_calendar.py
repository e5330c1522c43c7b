"""Shifts and stops in local time, over days on which the clocks are changed."""

from __future__ import annotations

import itertools
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.types import HOUR, MINUTE
from deungdae.model.calendar import Calendar, Shift, Span, Stop, days_between, join, subtract

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")
WEEK = Calendar(
    shifts=(
        Shift(name="day", days="mon-fri", start="06:00", end="14:00"),
        Shift(name="night", days="mon,tue,wed,thu,fri", start="22:00", end="06:00"),
    ),
    stops=(
        Stop(name="break", days="daily", start="10:00", end="10:30"),
        Stop(name="repair", since="2026-03-03T08:00", until="2026-03-03T12:00", assets=("press1",)),
    ),
    holidays=(date(2026, 3, 4),),
)


def at(text: str, zone: ZoneInfo = SEOUL) -> int:
    return from_iso(text, zone)


def test_shifts_that_touch_a_day_are_whole_and_in_order() -> None:
    spans = WEEK.shifts_between(at("2026-03-03"), at("2026-03-04"), SEOUL)
    assert spans == [
        Span(at("2026-03-02T22:00"), at("2026-03-03T06:00"), "night"),
        Span(at("2026-03-03T06:00"), at("2026-03-03T14:00"), "day"),
        Span(at("2026-03-03T22:00"), at("2026-03-04T06:00"), "night"),
    ]


def test_no_shift_starts_on_a_holiday_or_weekend() -> None:
    assert WEEK.shifts_between(at("2026-03-04T06:00"), at("2026-03-05T06:00"), SEOUL) == []
    assert WEEK.shifts_between(at("2026-03-07T06:00"), at("2026-03-09T06:00"), SEOUL) == []


def test_planned_time_is_shifts_less_stops_of_the_asset() -> None:
    day = at("2026-03-03T06:00"), at("2026-03-03T14:00")
    everyone = sum(span.end - span.start for span in WEEK.planned(*day, SEOUL, "kiln1"))
    press = sum(span.end - span.start for span in WEEK.planned(*day, SEOUL, "press1"))
    assert everyone == 8 * HOUR - 30 * MINUTE
    assert press == 4 * HOUR  # the break lies within the repair


def test_without_shifts_everything_is_planned() -> None:
    assert Calendar().planned(5, 50, SEOUL) == [Span(5, 50)]


def test_a_night_shift_is_an_hour_shorter_when_clocks_go_forward() -> None:
    # Europe/Berlin: 2026-03-29 02:00 -> 03:00, 2026-10-25 03:00 -> 02:00
    nights = Calendar(shifts=(Shift(name="n", start="22:00", end="06:00"),))
    spring = nights.shifts_between(at("2026-03-28T23:00", BERLIN), at("2026-03-29", BERLIN), BERLIN)
    autumn = nights.shifts_between(at("2026-10-24T23:00", BERLIN), at("2026-10-25", BERLIN), BERLIN)
    assert [span.end - span.start for span in spring] == [7 * HOUR]
    assert [span.end - span.start for span in autumn] == [9 * HOUR]


def test_local_days_of_a_period() -> None:
    days = days_between(at("2026-03-29", BERLIN), at("2026-03-30T12:00", BERLIN), BERLIN)
    assert [(day.isoformat(), (span.end - span.start) // HOUR) for day, span in days] == [
        ("2026-03-29", 23),
        ("2026-03-30", 12),
    ]


@pytest.mark.parametrize(
    "table",
    [{"days": "mon-fry"}, {"start": "6:00"}, {"end": "24:30"}, {"start": "25:00"}],
)
def test_what_is_no_shift_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"not understood|no time of day"):
        Shift(**{"name": "x", "start": "06:00", "end": "14:00", **table})


def test_what_is_no_stop_is_refused() -> None:
    with pytest.raises(ValueError, match="either"):
        Stop(name="x", start="06:00")
    with pytest.raises(ValueError, match="not before"):
        Stop(name="x", since="2026-03-03", until="2026-03-02")


SPANS = st.lists(st.builds(Span, st.integers(0, 100), st.integers(0, 100)), max_size=8)


@given(SPANS, SPANS)
def test_union_and_difference_agree_with_counting(spans: list[Span], holes: list[Span]) -> None:
    def covered(some: list[Span]) -> set[int]:
        return {t for span in some for t in range(span.start, span.end)}

    joined = join(spans)
    left = subtract(joined, holes)
    assert covered(joined) == covered(spans)
    assert covered(left) == covered(spans) - covered(holes)
    for some in (joined, left):
        assert all(a.end <= b.start for a, b in itertools.pairwise(some))
