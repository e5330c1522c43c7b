"""How a line went through a period: what waited in each buffer, moment by moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deungdae.core.types import Event
from deungdae.sim.line import Line

from .mirror import Mirror


def levels(
    line: Line,
    events: Iterable[Event],
    moments: Sequence[int],
    stations: Mapping[str, str | Sequence[str]] | None = None,
) -> dict[str, list[int]]:
    """Return how many parts waited in each buffer at each moment.

    events: in order of time, from so long before the first moment that nothing older waits.
    moments: ns, rising. stations: as Mirror takes it.
    """
    follower = Mirror(line, stations)
    waiting = iter([*events, None])
    event = next(waiting)
    found: dict[str, list[int]] = {name: [] for name in line.buffers}
    for moment in moments:
        due = []
        while event is not None and event.time <= moment:
            due.append(event)
            event = next(waiting)
        follower.feed(due)
        stand = follower.snapshot(moment)
        for name, told in found.items():
            told.append(len(stand.buffers.get(name, ())))
    return found
