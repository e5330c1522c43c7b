"""What one server did when, as arrays: states, and clocks that run only in some of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timezone
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import SECOND, FloatArray, TimeArray
from deungdae.insight import states
from deungdae.insight.kpi.categories import Category, categorise, words
from deungdae.insight.states import Told
from deungdae.sim.line import STATES

RUNNING, STARVED, BLOCKED, SETUP, DOWN, MAINTENANCE, WAITING, OFF = range(len(STATES))
IDLE = 8  # not working, and nobody said why
UNKNOWN = 9

_FOREIGN: dict[Category, int] = {
    "production": RUNNING,
    "setup": SETUP,
    "delay": DOWN,  # an unplanned stop, whoever caused it
    "failure": DOWN,
    "repair": DOWN,
    "idle": IDLE,
    "maintenance": MAINTENANCE,
    "planned": OFF,
    "unknown": UNKNOWN,
}
_PLAIN = words("mtconnect", {}) | words("packml", {}) | words("plain", {})

Bools = NDArray[np.bool_]


class Timeline(msgspec.Struct, frozen=True, eq=False):
    """States of one server over [0, seconds). edges: float64[m + 1] s, from 0; code: int8[m].

    Successive codes differ. unheard: words that nobody explained -> how often they were told.
    """

    edges: FloatArray
    code: NDArray[np.int8]
    unheard: dict[str, int] = {}

    @property
    def seconds(self) -> float:
        """Return the length of the period."""
        return float(self.edges[-1])

    @property
    def lengths(self) -> FloatArray:
        """Return how long each spell was: float64[m] s."""
        return np.diff(self.edges)

    def time_in(self, *codes: int) -> float:
        """Return the s in the given states."""
        return float(self.lengths[np.isin(self.code, codes)].sum())

    def clock(self, at: FloatArray, *codes: int) -> FloatArray:
        """Return how many s of the given states lie before each moment: float64[n]."""
        counts = np.where(np.isin(self.code, codes), self.lengths, 0.0)
        told: FloatArray = np.interp(at, self.edges, np.concatenate([[0.0], np.cumsum(counts)]))
        return told

    def code_at(self, at: FloatArray) -> NDArray[np.int8]:
        """Return the state just after each moment: int8[n]."""
        place = np.searchsorted(self.edges, at, "right") - 1
        return self.code[np.clip(place, 0, len(self.code) - 1)]

    def spells(self, *codes: int) -> tuple[FloatArray, FloatArray, Bools]:
        """Return start, end and whether it was seen whole, of each spell of the given states.

        Successive spells of these states count as one.
        """
        inside = np.isin(self.code, codes)
        edge = np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8))
        first, last = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
        known = self.code != UNKNOWN
        before = np.concatenate([[False], known])[first]
        after = np.concatenate([known, [False]])[last]
        return self.edges[first], self.edges[last], before & after

    def next_in(self, after: FloatArray, *codes: int) -> FloatArray:
        """Return the first moment at or after each at which it is in one of the states, or nan."""
        start, end, _ = self.spells(*codes)
        place = np.searchsorted(end, after, "right")
        found = np.concatenate([start, [np.nan]])[place]
        result: FloatArray = np.maximum(found, after)
        return result


def timeline(
    told: Told,
    start: int,
    end: int,
    *,
    heard: TimeArray,
    gaps: Iterable[tuple[int, int]] = (),
    zone: timezone | ZoneInfo,
) -> Timeline:
    """Return the timeline of told states; what is unknown, the rules of insight.states say."""
    meaning = {word: code_of(word) for word in set(told.state)}
    codes = np.asarray([meaning[word] for word in told.state], np.int16)
    unheard = {
        word: sum(each == word for each in told.state)
        for word in sorted(meaning)
        if meaning[word] < 0
    }
    codes[codes < 0] = UNKNOWN
    off = np.asarray(codes == OFF)
    lost = unknown(told.time, off, start, end, heard=heard, gaps=tuple(gaps), zone=zone)
    moments = np.unique(
        np.concatenate([[start], told.time, np.asarray(lost, np.int64).ravel()]).astype(np.int64)
    )
    moments = moments[(moments >= start) & (moments < end)]
    place = np.searchsorted(told.time, moments, "right") - 1
    found = np.where(place < 0, UNKNOWN, np.append(codes, UNKNOWN)[place])
    for since, until in lost:
        found[(moments >= since) & (moments < until)] = UNKNOWN
    keep = np.concatenate([[True], np.diff(found) != 0])
    edges = np.append((moments[keep] - start) / SECOND, (end - start) / SECOND)
    return Timeline(edges, found[keep].astype(np.int8), unheard)


def unknown(
    time: TimeArray,
    off: Bools,
    start: int,
    end: int,
    *,
    heard: TimeArray,
    gaps: tuple[tuple[int, int], ...],
    zone: timezone | ZoneInfo,
) -> list[tuple[int, int]]:
    """Return the stretches of [start, end) in which nothing is known.

    time, off: when a state was told, and whether it was OFF: then silence is what was to be
    expected, and it is off until it says something else.
    """
    # the rules look at times, and at what excuses silence: few of the states matter to them
    turns = np.flatnonzero(np.diff(off, prepend=~off[:1]))
    marks = [time[turns], *(time[(time >= a) & (time < b)] for a, b in gaps)]
    times = np.unique(np.concatenate(marks))
    resting = off[np.searchsorted(time, times)]
    thin = Told(times, [_word(each) for each in resting.tolist()])
    last = [end] if len(off) and off[-1] else []
    found = states.spells(
        thin, start, end, heard=np.concatenate([heard, time, np.asarray(last, np.int64)]),
        gaps=gaps, zone=zone, unavailable=frozenset({_word(True)}),
    )  # fmt: skip
    return [(each.start, each.end) for each in found if each.state == states.UNKNOWN]


def _word(off: bool) -> str:
    return "off" if off else "told"


def code_of(word: str) -> int:
    """Return the code of a state's word: ours, or one that the time model of ISO 22400 knows.

    -1 for a word that nobody explained.
    """
    if word in STATES:
        return STATES.index(word)
    if word == "idle":
        return IDLE
    category = categorise(_PLAIN, word)
    return -1 if category is None else _FOREIGN[category]
