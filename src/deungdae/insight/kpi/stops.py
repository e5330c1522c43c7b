"""When a machine stood, in one piece each, and the reasons that people told for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from deungdae.core.types import Event

from .categories import Category
from .timeline import Stretch


class Piece(msgspec.Struct, frozen=True):
    """A part of a stop with one state and one reason ('' for none). busy: it is part of PBT."""

    start: int
    end: int
    state: str
    category: Category
    busy: bool
    reason: str

    @property
    def length(self) -> int:
        """Return the length in ns."""
        return self.end - self.start


class Stop(msgspec.Struct, frozen=True):
    """A machine did not produce over [start, end), or nothing is known of it then.

    told: the newest word of people for each moment within it, in order; '' takes one back.
    """

    pieces: tuple[Piece, ...]
    told: tuple[Event, ...] = ()

    @property
    def start(self) -> int:
        """Return when it began, also where that was before the period that was asked for."""
        return self.pieces[0].start

    @property
    def end(self) -> int:
        """Return when it ended, or the end of the period."""
        return self.pieces[-1].end

    @property
    def busy(self) -> int:
        """Return the ns of it that lie in PBT."""
        return sum(piece.length for piece in self.pieces if piece.busy)

    @property
    def longest(self) -> Piece:
        """Return the piece of the state in which it mostly was, within PBT where it can be."""
        counting = [piece for piece in self.pieces if piece.busy] or list(self.pieces)
        lengths: dict[str, int] = {}
        for piece in counting:
            lengths[piece.state] = lengths.get(piece.state, 0) + piece.length
        return max(counting, key=lambda piece: lengths[piece.state])

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reasons told for it, in order of time, each once."""
        return tuple(dict.fromkeys(piece.reason for piece in self.pieces if piece.reason))

    def within(self, start: int, end: int) -> tuple[Piece, ...]:
        """Return the parts of the pieces that lie in [start, end)."""
        if start <= self.start and self.end <= end:
            return self.pieces
        cut = (
            msgspec.structs.replace(piece, start=max(piece.start, start), end=min(piece.end, end))
            for piece in self.pieces
            if piece.start < end and piece.end > start
        )
        return tuple(piece for piece in cut if piece.length > 0)


def person_reason(asset: str) -> str:
    """Return the id of the events by which people tell why an asset stood; see newest."""
    return f"{asset}.reason"


def newest(events: Iterable[Event]) -> list[Event]:
    """Return of each moment what was told last, in order of time; events in order of arrival."""
    last: dict[int, Event] = {}
    for event in events:
        if event.kind != "gap":
            last[event.time] = event
    return [last[time] for time in sorted(last)]


def find(line: Sequence[Stretch], reasons: Sequence[Event]) -> list[Stop]:
    """Return every stop of a line of stretches, in order. reasons: see newest.

    A stop lasts from the end of production to its begin; unknown time is one by itself. A reason
    that was told within a stop holds for it from its begin, until the next one.
    """
    return [_explained(run, reasons) for run in _runs(line)]


def merged(reasons: Mapping[str, Sequence[Event]], ids: Sequence[str]) -> list[Event]:
    """Return the newest words of several ids; for one moment those of the last id hold."""
    found: dict[int, Event] = {}
    for id in dict.fromkeys(ids):
        found |= {event.time: event for event in newest(reasons.get(id, ()))}
    return [found[time] for time in sorted(found)]


def _runs(line: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    """Yield stretches that belong to one stop; those that lie outside of PBT alone are none."""
    run: list[Stretch] = []
    for part in line:
        unknown = part.category == "unknown"
        if run and (part.category == "production" or unknown != (run[-1].category == "unknown")):
            yield run
            run = []
        if part.category != "production":
            run.append(part)
    if run:
        yield run


def _explained(run: Sequence[Stretch], reasons: Sequence[Event]) -> Stop:
    first, last = run[0].start, run[-1].end
    told = [event for event in reasons if first <= event.time < last]
    valid = [event for event in told if event.value]
    edges = [first, *(event.time for event in valid[1:]), last]
    names = [event.value for event in valid] or [""]
    pieces = [
        Piece(max(part.start, since), min(part.end, until), part.state, part.category,
              part.busy, name)
        for part in run
        for (since, until), name in zip(pairwise(edges), names, strict=True)
        if max(part.start, since) < min(part.end, until)
    ]  # fmt: skip
    return Stop(tuple(pieces), tuple(told))
