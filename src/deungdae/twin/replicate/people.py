"""Crews and operators, from who worked while somebody waited for one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from deungdae.sim.line import Crew, Operators

from .log import Gap
from .timeline import DOWN, MAINTENANCE, RUNNING, SETUP, WAITING, Timeline
from .work import Work

CREW = "crew"
SKILL = "operator"


def crew_of(work: Mapping[str, Work]) -> tuple[dict[str, Crew], list[Gap]]:
    """Return the crew that failed machines waited for, none where none ever did."""
    size, waits, stations = _taken(work, (DOWN, MAINTENANCE))
    if not waits:
        return {}, []
    why = f"{waits} waits of {', '.join(stations)} show a crew of {size}"
    gap = Gap(station="", what="crews", why=why, bound="one crew for all is assumed")
    return {CREW: Crew(size=size)}, [gap]


def operators_of(
    work: Mapping[str, Work],
) -> tuple[dict[str, Operators], tuple[str, ...], list[Gap]]:
    """Return the operators that working machines waited for, and the stations that need one."""
    size, waits, stations = _taken(work, (RUNNING, SETUP))
    if not waits:
        return {}, (), []
    why = f"{waits} waits of {', '.join(stations)} show {size} people"
    gap = Gap(station="", what="operators", why=why, bound="one for each station is assumed")
    return {"operators": Operators(count=size, skills=(SKILL,))}, stations, [gap]


def _taken(work: Mapping[str, Work], busy: tuple[int, ...]) -> tuple[int, int, tuple[str, ...]]:
    """Return how many were busy when somebody waited for it, how often, and who ever waited."""
    waited: dict[str, list[float]] = {}
    lines: list[Timeline] = []
    for name, each in work.items():
        for line in each.timelines.values():
            lines.append(line)
            start, end, _ = line.spells(WAITING)
            after = line.code_at(end) if len(end) else np.empty(0, np.int8)
            mine = start[np.isin(after, busy) & (start > 0)]
            if len(mine):
                waited.setdefault(name, []).extend(mine.tolist())
    moments = np.asarray([moment for each in waited.values() for moment in each])
    if not len(moments):
        return 0, 0, ()
    own = [line for name in waited for line in work[name].timelines.values()]
    among = own if RUNNING in busy else lines
    counts = sum(np.isin(line.code_at(moments), busy).astype(int) for line in among)
    size, _ = Counter(np.atleast_1d(counts).tolist()).most_common(1)[0]
    return max(int(size), 1), len(moments), tuple(waited)
