"""ISO 8601 texts as nanoseconds: whole columns at once, with a slow path for odd ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from deungdae.core.clock import from_iso
from deungdae.core.types import TimeArray

NEVER = int(np.iinfo(np.int64).min)  # stands for no time
# as machines write it; the years are those of int64 ns
_COMMON = re.compile(
    r"(?:(?:19[7-9]|2[01]\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\n)++", re.ASCII
)


def columns(texts: Any) -> tuple[TimeArray, dict[int, ValueError]]:
    """Return int64[n] ns of an Arrow array of texts, NEVER where it is none, and why, by row."""
    import pyarrow as pa  # noqa: PLC0415 — 35 MB, for files alone
    import pyarrow.compute as pc  # noqa: PLC0415 — as above

    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):  # with offset, or UTC without
        try:
            times: TimeArray = pc.cast(texts, kind).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            continue
        return times, {}
    return _one_by_one(texts.to_pylist())


def listed(texts: Sequence[str]) -> tuple[TimeArray, dict[int, ValueError]]:
    """Return the same of a list, as it comes from a machine that is listened to."""
    joined = "\n".join((*texts, ""))
    if _COMMON.fullmatch(joined) and joined.count("\n") == len(texts):
        try:
            times: TimeArray = np.array(joined.replace("Z", "").split(), "M8[ns]").astype(np.int64)
        except ValueError:
            pass
        else:
            return times, {}
    return _one_by_one(texts)


def _one_by_one(texts: Sequence[str]) -> tuple[TimeArray, dict[int, ValueError]]:
    times = np.full(len(texts), NEVER, np.int64)
    wrong = {}
    for row, text in enumerate(texts):
        try:
            times[row] = one(text)
        except ValueError as error:
            wrong[row] = error
    return times, wrong


@lru_cache(maxsize=1024)
def one(text: str) -> int:
    """Return ns of one text, cached: neighbours share their time. Raises ValueError."""
    moment = from_iso(text.partition("@")[0])  # behind @: how long it lasted
    if abs(moment) >= -NEVER:
        raise ValueError(f"the time {text!r} is out of range")
    return moment
