"""A period as stretches of one state each, sorted into the time model of ISO 22400."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from deungdae.core.clock import from_iso
from deungdae.core.ports import Samples
from deungdae.core.types import SECOND, Event, Flag, Severity, severity
from deungdae.insight.states import UNAVAILABLE, Spell, Told, told
from deungdae.model.calendar import Span

from .categories import TERM, Category, categorise

FAILED: frozenset[Category] = frozenset({"failure", "repair"})
_APART: frozenset[Category] = frozenset({"unknown", "planned", "maintenance"})


class Stretch(msgspec.Struct, frozen=True):
    """The machine was in `state` over [start, end). planned: the calendar planned work then."""

    start: int
    end: int
    state: str
    category: Category
    planned: bool

    @property
    def length(self) -> int:
        """Return the length in ns."""
        return self.end - self.start

    @property
    def busy(self) -> bool:
        """Return whether it is part of PBT: planned by the calendar and by the machine's word."""
        return self.planned and self.category not in ("planned", "maintenance")


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds of a period by the terms of ISO 22400.

    PBT holds the unknown seconds; APT + AUST + ADET + ADOT + unknown = PBT. stops: planned stops
    that the machine itself told. outside: production in time that was not planned.
    """

    PBT: float
    APT: float
    AUST: float
    ADET: float
    ADOT: float
    unknown: float
    stops: float
    outside: float
    CMT: float
    PMT: float

    @property
    def coverage(self) -> float:
        """Return the known share of PBT, 0..1; 0 where there is no PBT."""
        return (self.PBT - self.unknown) / self.PBT if self.PBT else 0.0


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """FE: failure events that began within planned time; TTR: seconds of PBT under a failure."""

    FE: int
    TTR: float


def told_by_events(events: Iterable[Event]) -> Told:
    """Return the states that events tell; what a source does not stand behind is UNAVAILABLE."""
    return told(
        msgspec.structs.replace(event, value=UNAVAILABLE) if _doubtful(event.status) else event
        for event in events
        if event.kind != "gap"
    )


def told_by_samples(samples: Samples) -> Told:
    """Return the states that a numeric signal tells, as whole numbers where they are."""
    doubtful = (severity(samples.status) == Severity.BAD) | (samples.status & Flag.STALE != 0)
    value = np.where(doubtful | ~np.isfinite(samples.value), np.nan, samples.value)
    changed = np.ones(len(value), bool)
    changed[1:] = (value[1:] != value[:-1]) & ~(np.isnan(value[1:]) & np.isnan(value[:-1]))
    names = [UNAVAILABLE if np.isnan(v) else f"{v:.12g}" for v in value[changed].tolist()]
    return Told(samples.time[changed], names)


def gaps(events: Iterable[Event]) -> list[tuple[int, int]]:
    """Return (since, until) of the recorded gaps; until they were noticed where no end is told."""
    return [
        (event.time, _moment(event.data.get("until", ""), event.received))
        for event in events
        if event.kind == "gap"
    ]


def faults(alarms: Mapping[str, Sequence[Event]], start: int, end: int) -> list[Span]:
    """Return when any of the alarm signals told a failure, over [start, end), disjoint.

    A signal tells one by FAULT, TRIGGERED or ALARM, for each native code by itself where there are
    any, until another word comes for that code or a word without code.
    """
    words = {"FAULT", "TRIGGERED", "ALARM"}
    active: set[tuple[str, str]] = set()
    found: list[Span] = []
    since = 0
    for event in sorted((e for es in alarms.values() for e in es), key=lambda event: event.time):
        if event.kind == "gap" or event.time >= end:
            continue
        before, code = bool(active), event.data.get("nativeCode", "")
        if not code:
            active = {key for key in active if key[0] != event.id}
        active.discard((event.id, code))
        if event.value.upper() in words:
            active.add((event.id, code))
        if active and not before:
            since = event.time
        elif before and not active:
            found.append(Span(since, event.time))
    if active:
        found.append(Span(since, end))
    return [Span(max(a, start), b) for a, b, _ in found if b > max(a, start)]


def stretches(
    spells: Sequence[Spell],
    meaning: Mapping[str, Category],
    planned: Sequence[Span],
    faults: Sequence[Span] = (),
) -> list[Stretch]:
    """Return the spells cut at planned spans and faults, each with what it means.

    planned, faults: disjoint, in order. Delays and idle time under a fault are failures.
    A state that nobody gave a meaning is unknown, under its own name.
    """
    cuts = sorted({moment for span in (*planned, *faults) for moment in (span.start, span.end)})
    found: list[Stretch] = []
    for spell in spells:
        inner = cuts[bisect_right(cuts, spell.start) : bisect_left(cuts, spell.end)]
        edges = [spell.start, *inner, spell.end]
        category = categorise(meaning, spell.state) or "unknown"
        for start, end in pairwise(edges):
            failed = category in ("delay", "idle") and _inside(faults, start)
            what: Category = "failure" if failed else category
            found.append(Stretch(start, end, spell.state, what, _inside(planned, start)))
    return found


def times(line: Sequence[Stretch]) -> Times:
    """Return the seconds of each term."""
    terms = dict.fromkeys(("APT", "AUST", "ADET", "ADOT", "unknown"), 0)
    stops = outside = corrective = preventive = 0
    for part in line:
        corrective += part.length if part.category == "repair" else 0
        preventive += part.length if part.category == "maintenance" else 0
        if part.busy:
            terms[TERM.get(part.category, "unknown")] += part.length
        elif part.planned:
            stops += part.length
        elif part.category == "production":
            outside += part.length
    seconds = {name: length / SECOND for name, length in terms.items()}
    return Times(
        PBT=sum(terms.values()) / SECOND,
        stops=stops / SECOND,
        outside=outside / SECOND,
        CMT=corrective / SECOND,
        PMT=preventive / SECOND,
        **seconds,
    )


def failures(line: Sequence[Stretch], start: int) -> Failures:
    """Return the failure events that begin at or after start, and the time to restore.

    line: from before start, where that is known: a failure that was there then is not counted.
    Planned stops and unknown time neither end nor begin a failure; without a known state before it
    a failure did not begin in the period.
    """
    events = restoring = 0
    before: bool | None = None  # whether the machine had failed when last known
    for part in line:
        if part.category in _APART:
            continue
        failed = part.category in FAILED
        if failed and part.planned:
            restoring += max(0, part.end - max(part.start, start))
        if failed and before is False and part.planned and part.start >= start:
            events += 1
        before = failed
    return Failures(FE=events, TTR=restoring / SECOND)


def _inside(spans: Sequence[Span], moment: int) -> bool:
    place = bisect_right(spans, moment, key=lambda span: span.start) - 1
    return place >= 0 and moment < spans[place].end


def _doubtful(status: int) -> bool:
    return (status & 3) == Severity.BAD or bool(status & Flag.STALE)


def _moment(text: str, otherwise: int) -> int:
    """Return a moment that an event tells in ns or as ISO 8601; if it tells none, `otherwise`."""
    try:
        return int(text) if re.fullmatch(r"-?[0-9]+", text) else from_iso(text)
    except ValueError:
        return otherwise
