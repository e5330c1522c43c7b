"""What an agent, an adapter or a log says about one data item at one moment."""

from __future__ import annotations

import re

import msgspec

from deungdae.core.types import SECOND

from .model import Kind

UNAVAILABLE = "UNAVAILABLE"
LEVELS = ("NORMAL", "WARNING", "FAULT", UNAVAILABLE)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """item: id or name of the data item; time: as the source wrote it, '' for none.

    value: as text; of a condition its level, one of LEVELS. data: further parts: of a condition
    level, nativeCode, nativeSeverity, qualifier, text; of a time series sampleCount, sampleRate; of
    a message nativeCode; of a data set its entries.
    """

    item: str
    time: str
    value: str
    data: dict[str, str] | None = None


def series(reading: Reading, rate: float = 0.0) -> list[tuple[int, str]]:
    """Return the values of a time series, each with how long before the reading's time it was, ns.

    rate: values per second, where the reading does not say it; without one only the last value can
    be placed. The reading's time is that of the last value.
    Source: MTConnect 2.1, Observation Information Model, Representations, TimeSeries.
    """
    values = reading.value.split() or [""]
    said = (reading.data or {}).get("sampleRate", "")
    if re.fullmatch(r"\d+\.?\d*", said) and float(said) > 0:
        rate = float(said)
    if not rate:
        return [(0, values[-1])]
    last = len(values) - 1
    return [(round((last - place) / rate * SECOND), text) for place, text in enumerate(values)]


def is_unavailable(value: str) -> bool:
    """Return whether the source says that it does not know; adapters write any case."""
    return value.upper() == UNAVAILABLE


class Facts:
    """What all values of an item seen so far have in common, and so of which kind it is.

    Where no device model tells: conditions are alarms; if every known value is a number the item
    is one, if every one is a word in capitals a state, as controlled vocabularies are, else a text.
    """

    NUMBER = r"^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|NaN|inf|Infinity)$"
    WORD = r"^[A-Z][A-Z0-9_]*$"

    def __init__(self) -> None:
        self.known = False
        self.condition = False
        self.number = True
        self.word = True

    def add(self, reading: Reading) -> None:
        """Take note of one more value."""
        self.condition |= reading.data is not None and "level" in reading.data
        if not is_unavailable(reading.value):
            self.known = True
            self.number &= bool(re.match(self.NUMBER, reading.value))
            self.word &= bool(re.match(self.WORD, reading.value))

    @property
    def kind(self) -> Kind:
        """Return the kind; an item that was never available is taken for a state."""
        if self.condition:
            return "alarm"
        if not self.known or self.word:
            return "state"
        return "number" if self.number else "text"


def short(item: str) -> str:
    """Return an item without the device that adapters may write before it, `device:item`."""
    return item.rpartition(":")[2]
