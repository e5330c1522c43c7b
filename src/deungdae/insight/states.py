"""How long an asset was in each state: the rule by which held states become durations.

Machines tell their state when it changes, and some repeat it. The rule, for one asset:

1. A state holds from the source time at which it was told until the next one. The order in which
   it came, the file it came in, and how often it was repeated do not matter. Of several states
   told for the same moment the one that came last holds.
2. Before the first state that was ever told, time is unknown.
3. A calendar day on which nothing at all was heard of the asset (no sample, no event) is unknown.
   The one exception: where the source's last word was that it is unavailable (`UNAVAILABLE`), and
   something was heard later, the silent days between are what the source said. So days on which
   recording was off stay unavailable, but a machine that fell silent while ready is not ready for
   ever, and after the last day with data nothing is known.
4. A recorded gap (samples were lost from .. until) is unknown, but only up to the last state told
   for a time within it: after an interruption doors read the current state with its source time.

`UNAVAILABLE` is a state, told by the source. `unknown` is ours: we have no data. Neither is idle.

The seconds of every day and state that these rules give for three machines of the NIST test bed in
October 2016 equal the published reference, for which rules 1 and 2 and the exception decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import SECOND, Event, TimeArray

UNKNOWN = "unknown"
UNAVAILABLE = "UNAVAILABLE"


class Spell(msgspec.Struct, frozen=True):
    """An asset was in `state` over [start, end); ns."""

    start: int
    end: int
    state: str


class Told(msgspec.Struct, frozen=True, eq=False):
    """States in order of their time: time int64[n], strictly rising; state: n names."""

    time: TimeArray
    state: Sequence[str]


def told(events: Iterable[Event]) -> Told:
    """Return the states that events tell, of one signal, given in order of arrival."""
    last = {event.time: event.value for event in events}
    times = sorted(last)
    return Told(np.asarray(times, np.int64), [last[time] for time in times])


def spells(
    states: Told,
    start: int,
    end: int,
    *,
    heard: TimeArray,
    gaps: Sequence[tuple[int, int]] = (),
    zone: timezone | ZoneInfo = UTC,
    unavailable: frozenset[str] = frozenset({UNAVAILABLE}),
) -> list[Spell]:
    """Return what the asset did over [start, end), without holes; unknown time as UNKNOWN.

    states: with the last one before start. heard: int64[m], any order, times at which anything
    was heard of the asset, of [start, end) and after it; one per hour is enough. gaps: (from,
    until) of lost samples. zone: whose calendar days count. unavailable: states by which a source
    says that it knows nothing. Give the present as `end` where the period lasts longer.
    """
    if start >= end:
        return []
    heard = np.concatenate([np.asarray(heard, np.int64), states.time])
    midnights = np.asarray(_midnights(start, end, zone), np.int64)
    edges = [start, *midnights, *states.time, *(moment for gap in gaps for moment in gap)]
    moments = np.unique([moment for moment in edges if start <= moment < end])
    place = np.searchsorted(states.time, moments, "right") - 1
    lost = _silent(moments, heard, midnights) & ~(
        np.asarray([at >= 0 and states.state[at] in unavailable for at in place], bool)
        & (moments < heard.max(initial=start))
    )
    lost |= _within(moments, states.time, gaps)
    names = [
        UNKNOWN if gone or at < 0 else states.state[at]
        for at, gone in zip(place, lost, strict=True)
    ]
    return _merged(moments, names, end)


def durations(spells: Sequence[Spell], edges: Sequence[int]) -> list[dict[str, int]]:
    """Return the ns of each state in each period [edges[i], edges[i + 1]); edges rise."""
    periods: list[dict[str, int]] = [{} for _ in edges[1:]]
    bounds = np.asarray(edges, np.int64)
    for spell in spells:
        first = max(int(np.searchsorted(bounds, spell.start, "right")) - 1, 0)
        for place in range(first, len(periods)):
            length = min(spell.end, edges[place + 1]) - max(spell.start, edges[place])
            if length <= 0:
                break
            periods[place][spell.state] = periods[place].get(spell.state, 0) + length
    return periods


def days(start: int, end: int, zone: timezone | ZoneInfo = UTC) -> list[int]:
    """Return start, each local midnight between, and end: the edges of the days of a period."""
    return [
        start,
        *(moment for moment in _midnights(start, end, zone) if start < moment < end),
        end,
    ]


def _midnights(start: int, end: int, zone: timezone | ZoneInfo) -> list[int]:
    """Return the local midnights from the last at or before start to the first at or after end."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    day = (epoch + timedelta(seconds=start // SECOND)).astimezone(zone).date()
    found: list[int] = []
    while not found or found[-1] < end:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        found.append(round((midnight - epoch).total_seconds()) * SECOND)
        day += timedelta(days=1)
    return found


def _silent(moments: TimeArray, heard: TimeArray, midnights: TimeArray) -> NDArray[np.bool_]:
    """Return whether nothing was heard on the calendar day of each moment: bool[n]."""
    days_heard = np.unique(np.searchsorted(midnights, heard, "right"))
    return ~np.isin(np.searchsorted(midnights, moments, "right"), days_heard)


def _within(
    moments: TimeArray, times: TimeArray, gaps: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return whether each moment lies in a gap, before the last state told within it: bool[n]."""
    inside = np.zeros(len(moments), bool)
    for since, until in gaps:
        told = times[(times >= since) & (times < until)]
        inside |= (moments >= since) & (moments < (told[-1] if len(told) else until))
    return inside


def _merged(moments: TimeArray, names: Sequence[str], end: int) -> list[Spell]:
    found: list[Spell] = []
    ends = [*moments[1:].tolist(), end]
    for start, until, name in zip(moments.tolist(), ends, names, strict=True):
        if found and found[-1].state == name:
            found[-1] = Spell(found[-1].start, until, name)
        else:
            found.append(Spell(start, until, name))
    return found
