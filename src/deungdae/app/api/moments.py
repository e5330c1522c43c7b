"""Times and lengths of time as they stand in URLs."""

from __future__ import annotations

import re

import numpy as np

from deungdae.core.clock import from_iso
from deungdae.core.types import DAY, HOUR, MILLISECOND, MINUTE, SECOND, TimeArray
from deungdae.model.factory import Factory

from .failure import WebError

FURTHEST = 9_000_000_000_000_000_000  # ns, the year 2255: within what the history reckons with
_LENGTHS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def moment(text: str, factory: Factory, now: int) -> int:
    """Return ns of an ISO 8601 time, a number of ns, or `-15m`: so long before now.

    A time without offset is the factory's. Raises WebError.
    """
    try:
        if text.startswith("-"):
            found = now - length(text[1:])
        elif text.isascii() and text.isdigit():
            found = int(text)
        else:
            # in a URL the + of an offset stands for a space
            found = from_iso(text.replace(" ", "+") if "T" in text else text, factory.zone)
    except (ValueError, OverflowError) as error:
        raise WebError(422, f"{text!r} is no time", "2026-11-23T04:20:00Z, ns, or -15m") from error
    if abs(found) > FURTHEST:
        raise WebError(422, f"{text!r} is too far away", "the years 1690 to 2250 can be asked for")
    return found


def period(start: str, end: str, factory: Factory, now: int) -> tuple[int, int]:
    """Return a period in ns; an empty end is now. Raises WebError."""
    since = moment(start, factory, now)
    until = moment(end, factory, now) if end else now
    if since > until:
        raise WebError(422, f"from = {start} is after to = {end or 'now'}", "give from before to")
    return since, until


def length(text: str) -> int:
    """Return ns of `10s`, `1m`, `500ms`, `1h`, `1d` or a number of ns. Raises WebError."""
    match = re.fullmatch(r"([0-9]{1,18})(ms|s|m|h|d)?", text)
    found = int(match[1]) * _LENGTHS.get(match[2] or "", 1) if match else 0
    if not MILLISECOND <= found <= 400 * DAY:
        raise WebError(422, f"{text!r} is no length of time", "1ms to 400d, e.g. 10s, 1m, 1h")
    return found


def iso(times: TimeArray) -> list[str]:
    """Return ISO 8601 of many times, in UTC."""
    texts: list[str] = np.datetime_as_string(times.view("datetime64[ns]"), timezone="UTC").tolist()
    return texts
