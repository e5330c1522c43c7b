"""Machines that stand side by side and do the same, gathered to one station."""

from __future__ import annotations

import re

import msgspec

from .log import Gap, Log, side_by_side
from .station import times_of
from .traces import Traces, traces
from .work import work_of

ALIKE = 0.03  # relative difference of cycle times up to which machines are alike

_NUMBERED = re.compile(r"^(.*?)[-_. ]?\d+$")


def gathered(log: Log) -> Log:
    """Return the log with machines side by side as one station.

    They are: machines of one name with numbers (`press-1`, `press-2`) whose parts come from the
    same stations and go to the same ones, and whose cycles last equally long.
    """
    stems: dict[str, list[str]] = {}
    for name in log.stations:
        if match := _NUMBERED.match(name):
            stems.setdefault(match[1], []).append(name)
    groups = {stem: names for stem, names in stems.items() if len(names) > 1}
    traced = traces(log) if groups else None
    if traced is None:
        return log
    stations = dict(log.stations)
    faults = list(log.faults)
    for stem, names in groups.items():
        for alike in _side_by_side(log, traced, names):
            called = stem if len(alike) == len(names) and stem not in stations else alike[0]
            merged = side_by_side([log.stations[name] for name in alike])
            stations = {
                called if name == alike[0] else name: merged if name == alike[0] else each
                for name, each in stations.items() if name not in alike[1:]
            }  # fmt: skip
            why = f"{', '.join(alike)} do the same work on the same parts"
            faults.append(Gap(station=called, what="machines", why=why, bound="one station"))
    return msgspec.structs.replace(log, stations=stations, faults=tuple(faults))


def _side_by_side(log: Log, traced: Traces, names: list[str]) -> list[list[str]]:
    """Return the groups of two or more that stand side by side."""
    feeders: dict[str, set[str]] = {name: set() for name in traced.ways}
    for name, way in traced.ways.items():
        for to in (*way.good, *way.rework):
            if to:
                feeders[to].add(name)
    found: list[list[str]] = []
    for name in names:
        for group in found:
            if _same(log, traced, feeders, group[0], name):
                group.append(name)
                break
        else:
            found.append([name])
    return [group for group in found if len(group) > 1]


def _same(log: Log, traced: Traces, feeders: dict[str, set[str]], a: str, b: str) -> bool:
    ways = traced.ways
    if feeders[a] != feeders[b] or set(ways[a].good) != set(ways[b].good):
        return False
    if set(ways[a].rework) != set(ways[b].rework) or not (ways[a].total and ways[b].total):
        return False
    if not feeders[a] and not ({a, b} <= set(traced.sources)):
        return False
    means = []
    for name in (a, b):
        cycles = times_of(log, name, work_of(log, name)[0]).cycles.values()
        parts = sum(each.n for each in cycles)
        if not parts:
            return False
        means.append(sum(each.mean * each.n for each in cycles) / parts)
    return abs(means[0] - means[1]) < ALIKE * max(means)
