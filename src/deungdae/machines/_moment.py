"""ISO 8601 texts as nanoseconds: whole columns at once, with a slow path for odd ones."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deungdae.core.clock import from_iso
from deungdae.core.types import TimeArray

NEVER = int(np.iinfo(np.int64).min)  # stands for no time


def columns(texts: Any) -> tuple[TimeArray, dict[int, ValueError]]:
    """Return int64[n] ns of an Arrow array of texts, NEVER where it is none, and why, by row."""
    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):  # with offset, or UTC without
        try:
            times: TimeArray = pc.cast(texts, kind).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            continue
        return times, {}
    times = np.full(len(texts), NEVER, np.int64)
    wrong = {}
    for row, text in enumerate(texts.to_pylist()):
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
