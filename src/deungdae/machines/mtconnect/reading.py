"""What an agent, an adapter or a log says about one data item at one moment."""

from __future__ import annotations

from typing import NamedTuple

UNAVAILABLE = "UNAVAILABLE"
LEVELS = ("NORMAL", "WARNING", "FAULT", UNAVAILABLE)


class Reading(NamedTuple):
    """item: id or name of the data item; time: as the source wrote it, '' for none.

    value: as text; of a condition its level, one of LEVELS. data: further parts: of a condition
    level, nativeCode, nativeSeverity, qualifier, text; of a time series sampleCount, sampleRate; of
    a message nativeCode; of a data set its entries.
    """

    item: str
    time: str
    value: str
    data: dict[str, str] | None = None


def is_unavailable(value: str) -> bool:
    """Return whether the source says that it does not know; adapters write any case."""
    return value.upper() == UNAVAILABLE
