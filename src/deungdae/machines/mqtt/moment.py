"""The times that payloads carry: ISO 8601, or a number since 1970 in s, ms, µs or ns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from deungdae.core.clock import from_iso
from deungdae.core.types import MICROSECOND, MILLISECOND, SECOND, TimeArray

_UNITS = {"s": SECOND, "ms": MILLISECOND, "us": MICROSECOND, "ns": 1}
_FIRST, _LATEST = 10**17, 2**63  # 1973-03-03 and 2262-04-11


def scaled(times: TimeArray) -> TimeArray:
    """Return ns since 1970 of numbers in s, ms, µs or ns, int64[n], told by size."""
    unit = np.where(times < 10**11, SECOND, np.where(times < 10**14, MILLISECOND, 1))
    return times * np.where((times >= 10**14) & (times < 10**17), MICROSECOND, unit)


def moment(raw: object, epoch: str = "") -> int | None:
    """Return ns since 1970, or None where `raw` is no time from 1973 to 2262.

    epoch: unit of a number; '' tells it by size (s up to 10^11, then ms, µs, ns by thousands).
    """
    try:
        if isinstance(raw, str):
            time = _text(raw, epoch)
        elif isinstance(raw, bool) or not isinstance(raw, int | float):
            return None
        else:
            time = _number(raw, epoch)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST <= time < _LATEST else None


def _text(text: str, epoch: str) -> int:
    if len(text) > 64:
        raise ValueError("too long for a time")
    if not epoch and len(text) >= 19 and text[10] in "T " and text[16] == ":":
        return _minute(text[:17], text[19:].lstrip(".0123456789")) + _seconds(text)
    try:
        return _number(float(text) if "." in text else int(text), epoch)
    except ValueError:
        return from_iso(text)


def _seconds(text: str) -> int:
    """Return the ns of `2026-11-23T04:05:06.789Z` behind its last colon."""
    whole = int(text[17:19])
    if whole > 60:
        raise ValueError("no second is called so")
    if text[19:20] != ".":
        return whole * SECOND
    digits = text[20:29]
    digits = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    return whole * SECOND + int(digits.ljust(9, "0"))


@lru_cache(maxsize=1024)
def _minute(text: str, offset: str) -> int:
    """Return the ns of a full minute: most messages share it with the one before."""
    return from_iso(f"{text}00{offset}")


def _number(number: float, epoch: str) -> int:
    if epoch:
        unit = _UNITS[epoch]
    else:
        size = abs(number)
        unit = next(
            (unit for limit, unit in ((1e11, SECOND), (1e14, MILLISECOND), (1e17, MICROSECOND))
             if size < limit),
            1,
        )  # fmt: skip
    if isinstance(number, int):
        return number * unit
    if unit == SECOND:  # a double of today's seconds carries no more than microseconds
        return round(number * 1e6) * MICROSECOND
    return round(number * unit)
