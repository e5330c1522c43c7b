"""How good an alarm system is: what it told, against what a person can take in.

Source of the figures: ANSI/ISA-18.2-2016 and IEC 62682, clause 16 (monitoring and assessment), for
one operator position over at least 30 days: about 6 alarms an hour are very likely acceptable and
about 12 the most that can be managed; under 1 % of the hours with more than 30; under 1 % of the
10-minute periods with more than 10, and of the time in flood; at most 5 % of all from the ten most
frequent; none that chatter; fewer than 5 stale ones on any day; 80 % low, 15 % medium, 5 % high.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from deungdae.core.types import HOUR, MINUTE, Event

from .board import CHATTER, Board, Step, is_stale, replay
from .flood import MOST, WINDOW, Floods
from .options import PRIORITIES, AlarmOptions, Priority

MANY = 30  # alarms of an hour
TOP = 10
BINS = 300  # of the rate over time, at most


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the alarm system. good: very likely acceptable; most: manageable at most."""

    name: str
    value: float
    unit: str
    good: float
    most: float

    @property
    def verdict(self) -> Literal["good", "manageable", "too_much"]:
        """Return how it stands against the standard."""
        if self.value <= self.good:
            return "good"
        return "manageable" if self.value <= self.most else "too_much"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm by what it cost. share: of all that were told, %. chatters: came in bursts."""

    alarm: str
    priority: Priority
    text: str
    count: int
    share: float
    chatters: bool


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """How the alarm system did over [start, end). rate: told in each bin of `every` ns."""

    start: int
    end: int
    told: int
    figures: list[Figure]
    actors: list[Actor]
    stale: list[str]
    priorities: dict[str, float]
    floods: list[tuple[int, int]]
    every: int
    rate: list[int]


def performance(
    options: AlarmOptions, events: Iterable[Event], start: int, end: int
) -> Performance:
    """Return how the alarm system did over [start, end).

    events: of kind alarm, note and state, from before start on, so that what held then is known.
    Raises ValueError where end is not after start.
    """
    if end <= start:
        raise ValueError("the end must be after the start")
    board, steps = replay(options, (e for e in events if (e.received or e.time) < end), end)
    told = [step for step in steps if step.what == "told" and start <= step.time < end]
    times = [step.time for step in told]
    spells = _floods(times, end)
    stale = _stale(board, options, end)
    actors = _actors(told)
    every = _bin(end - start)
    return Performance(
        start=start,
        end=end,
        told=len(told),
        figures=_figures(times, spells, actors, len(stale), start, end),
        actors=actors[:TOP],
        stale=stale,
        priorities=_priorities(told),
        floods=spells,
        every=every,
        rate=_counts(times, start, end, every),
    )


def _figures(
    times: Sequence[int],
    spells: Sequence[tuple[int, int]],
    actors: Sequence[Actor],
    stale: int,
    start: int,
    end: int,
) -> list[Figure]:
    length = end - start
    tens, hours = _counts(times, start, end, WINDOW), _counts(times, start, end, HOUR)
    top = sum(actor.count for actor in actors[:TOP])
    rows: list[tuple[str, float, str, float, float]] = [
        ("per_hour", len(times) * HOUR / length, "/h", 6, 12),
        ("per_ten_minutes", len(times) * WINDOW / length, "1", 1, 2),
        ("most_in_ten_minutes", max(tens), "1", MOST, MOST),
        ("hours_with_many", _share(hours, lambda n: n > MANY), "%", 1, 1),
        ("tens_with_many", _share(tens, lambda n: n > MOST), "%", 1, 1),
        ("time_in_flood", 100 * sum(b - a for a, b in spells) / length, "%", 1, 1),
        ("top_ten", 100 * top / max(len(times), 1), "%", 5, 5),
        ("chattering", sum(actor.chatters for actor in actors), "1", 0, 0),
        ("stale", stale, "1", 4, 4),
    ]
    return [
        Figure(name=name, value=value, unit=unit, good=good, most=most)
        for name, value, unit, good, most in rows
    ]


def _floods(times: Sequence[int], end: int) -> list[tuple[int, int]]:
    floods = Floods()
    for time in times:
        floods.add(time)
    floods.advance(end)
    going = floods.flood
    return [*floods.spells, *([(going.since, end)] if going else [])]


def _actors(told: Sequence[Step]) -> list[Actor]:
    """Return every alarm that was told, the most frequent first."""
    of: dict[str, list[Step]] = {}
    for step in told:
        of.setdefault(step.alarm, []).append(step)
    actors = [
        Actor(
            alarm=alarm,
            priority=steps[-1].priority,
            text=steps[-1].text,
            count=len(steps),
            share=100 * len(steps) / len(told),
            chatters=_chatters([step.time for step in steps]),
        )
        for alarm, steps in of.items()
    ]
    return sorted(actors, key=lambda actor: (-actor.count, actor.alarm))


def _chatters(times: Sequence[int]) -> bool:
    later = times[CHATTER - 1 :]
    return any(b - a <= MINUTE for a, b in zip(times, later, strict=False))


def _stale(board: Board, options: AlarmOptions, now: int) -> list[str]:
    return sorted(alarm.id for alarm in board.alarms.values() if is_stale(alarm, options, now))


def _priorities(told: Sequence[Step]) -> dict[str, float]:
    """Return the share of each priority among what was told, %."""
    found = Counter(step.priority for step in told)
    return {each: 100 * found[each] / max(len(told), 1) for each in PRIORITIES}


def _counts(times: Sequence[int], start: int, end: int, every: int) -> list[int]:
    """Return how many fall into each bin of `every` ns; the last may be shorter."""
    counts = [0] * max(1, -(-(end - start) // every))
    for time in times:
        counts[(time - start) // every] += 1
    return counts


def _share(counts: Sequence[int], test: Callable[[int], bool]) -> float:
    return 100 * sum(map(test, counts)) / len(counts)


def _bin(length: int) -> int:
    """Return the shortest bin of ten minutes, an hour, six or a day that gives few enough."""
    for every in (WINDOW, HOUR, 6 * HOUR):
        if length <= every * BINS:
            return every
    return 24 * HOUR
