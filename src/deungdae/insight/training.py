"""The stretch of good running that an analysis learns from, as the factory file states it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from deungdae.core.clock import from_iso
from deungdae.core.types import DAY


class Wrong(NamedTuple):
    """What is wrong with an option that states a time."""

    option: str
    value: str
    problem: str
    remedy: str = ""


def moment(text: str, zone: ZoneInfo) -> int | None:
    """Return ns since 1970 of a stated time, local where it tells no zone; None of no time."""
    try:
        return from_iso(text, zone)
    except ValueError:
        return None


def period(trained_from: str, trained_until: str, zone: ZoneInfo) -> tuple[int, int] | None:
    """Return begin and end of a stated period, ns; None where there is none, or no such."""
    start, end = moment(trained_from, zone), moment(trained_until, zone)
    return None if start is None or end is None or end <= start else (start, end)


def wrong(zone: ZoneInfo, **given: str) -> Iterator[Wrong]:
    """Yield what is wrong with `trained_from` and, where there is one, `trained_until`."""
    times = {option: moment(text, zone) for option, text in given.items() if text}
    for option, time in times.items():
        if time is None:
            yield Wrong(
                option,
                given[option],
                problem="is no date and time",
                remedy="write it like 2026-03-02T06:00+09:00",
            )
    if times and len(times) < len(given):
        option = next(option for option in given if option not in times)
        yield Wrong(option, "", problem="trained_from and trained_until belong together")
    elif len(times) == 2 and None not in times.values() and period(**given, zone=zone) is None:
        yield Wrong("trained_until", given["trained_until"], problem="is not after trained_from")


def pieces(start: int, end: int, length: int = DAY) -> Iterator[tuple[int, int]]:
    """Yield a stretch of time, ns, in pieces that a memory holds."""
    for begin in range(start, end, length):
        yield begin, min(begin + length, end)
