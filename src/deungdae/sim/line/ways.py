"""What follows from a line: the places of its vehicles and their distances, teams of its people."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from .parts import Station

if TYPE_CHECKING:
    from . import Line


def places(line: Line) -> tuple[str, ...]:
    """Return the places that paths join, in the order in which they appear."""
    found: dict[str, None] = {}
    for path in line.paths:
        for place in path.replace(">", "-").split("-"):
            found[place] = None
    return tuple(found)


def distances(line: Line) -> list[list[float]]:
    """Return the shortest way from each place to each, m; inf where there is none.

    Source: Floyd (1962), Algorithm 97: shortest path.
    """
    known = places(line)
    metres = [[0.0 if a == b else math.inf for b in known] for a in known]
    for path, length in line.paths.items():
        both = ">" not in path
        a, b = (known.index(place) for place in path.split("-" if both else ">"))
        metres[a][b] = min(metres[a][b], length)
        if both:
            metres[b][a] = min(metres[b][a], length)
    for over in range(len(known)):
        for a in range(len(known)):
            for b in range(len(known)):
                metres[a][b] = min(metres[a][b], metres[a][over] + metres[over][b])
    return metres


def teams(line: Line, station: Station, most: int = 10_000) -> list[dict[str, int]]:
    """Return the teams that can work at a station, by group: those with the fewest skills first.

    Raises ValueError where there are more than `most` ways.
    """
    wanted = [skill for skill, count in station.operators.items() for _ in range(count)]
    able = [
        [name for name, group in line.operators.items() if skill in group.skills]
        for skill in wanted
    ]
    if math.prod(map(len, able)) > most:
        raise ValueError(f"there are more than {most} ways to choose the people of a station")
    found: dict[tuple[tuple[str, int], ...], int] = {}
    for chosen in itertools.product(*able) if wanted else ():
        team = tuple(sorted((name, chosen.count(name)) for name in set(chosen)))
        if all(count <= line.operators[name].count for name, count in team):
            found.setdefault(team, sum(len(line.operators[name].skills) for name in chosen))
    return [dict(team) for team, _ in sorted(found.items(), key=lambda item: item[1])]
