"""A declared line, filled with what the records tell, and where they contradict it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from deungdae.sim.line import OUT, SCRAP, Line, Station

from .assemble import Parts, Shares
from .log import Gap
from .queues import queues_of
from .traces import Traces, contradictions
from .twin import REWORK


def onto(declared: Line, parts: Parts, traced: Traces | None) -> tuple[Line, Shares, list[Gap]]:
    """Return the declared line with learnt times and shares, and every contradiction.

    Kept as declared: ways, buffers, servers, people, calendars, assembly, quality models. Learnt:
    cycle times, failures, scrap and rework where they are plain shares, power where it was told.
    """
    gaps: list[Gap] = []
    stations = {}
    shares: Shares = {}
    for name, station in declared.stations.items():
        if name not in parts.times:
            why = "it is declared, and no record tells of its work"
            gaps.append(Gap(station=name, what="cycle", why=why, bound="as declared"))
            stations[name] = station
            continue
        stations[name], counts = _learnt(declared, name, station, parts, traced)
        if len(counts) > 1:
            shares[name] = counts
    for name in parts.log.stations.keys() - declared.stations.keys():
        why = "it is in the records, and the declared line does not have it"
        gaps.append(Gap(station=name, what="route", why=why, bound="left out"))
    if traced is not None:
        known = {name: way for name, way in traced.ways.items() if name in declared.stations}
        gaps += contradictions(known, _ways(declared))
        gaps += _full(declared, parts, traced)
    return msgspec.structs.replace(declared, stations=stations), shares, gaps


def _learnt(
    declared: Line, name: str, station: Station, parts: Parts, traced: Traces | None
) -> tuple[Station, dict[str, float]]:
    alone, _ = parts.station(name)
    cycle = alone.cycle
    if isinstance(cycle, dict):
        made = station.products or declared.product_names
        if not set(made) <= cycle.keys():  # a product that was not made keeps its declared time
            before = station.cycle if isinstance(station.cycle, dict) else {}
            rest = {each: before.get(each, next(iter(cycle.values()))) for each in made}
            cycle = {each: cycle.get(each, rest[each]) for each in made}
        else:
            cycle = {each: cycle[each] for each in made}
    crew = station.failures[0].crew if station.failures else ""
    failures = tuple(
        msgspec.structs.replace(each, crew=crew if crew in declared.crews else "")
        for each in alone.failures
    )
    changed = msgspec.structs.replace(
        station, cycle=cycle, failures=failures, power=alone.power or station.power
    )
    way = None if traced is None else traced.ways.get(name)
    if way is None or not way.total or station.quality is not None:
        return changed, {}
    counts = {OUT if isinstance(station.to, dict) else station.to: float(sum(way.good.values()))}
    rework = float(sum(way.rework.values())) if station.rework_to else 0.0
    if isinstance(station.to, dict):
        return changed, {}
    if way.scrap:
        counts[SCRAP] = float(way.scrap)
    if rework:
        counts[REWORK] = rework
    return msgspec.structs.replace(
        changed, scrap=way.scrap / way.total, rework=rework / way.total
    ), counts


def _ways(declared: Line) -> dict[str, set[str]]:
    """Return the stations to which parts of each station may go; '' is out of the line."""
    takers: dict[str, set[str]] = {}
    for name, station in declared.stations.items():
        for buffer in (*station.takes_from, *station.needs):
            takers.setdefault(buffer, set()).add(name)
    ways: dict[str, set[str]] = {}
    for name, station in declared.stations.items():
        places = [*station.goes_to, *([station.rework_to] if station.rework_to else [])]
        if station.quality is not None and station.quality.to != SCRAP:
            places.append(station.quality.to)
        ways[name] = {
            to for place in places for to in ({""} if place == OUT else takers.get(place, set()))
        }
    for product in declared.products.values():
        for a, b in zip(product.route, product.route[1:], strict=False):
            ways[a].add(b)
        if product.route:
            ways[product.route[-1]].add("")
    return ways


def _full(declared: Line, parts: Parts, traced: Traces) -> Iterator[Gap]:
    """Yield the declared buffers that held more than fits, or that were full with less."""
    queues, _ = queues_of(traced, parts.work, tuple(parts.log.stations))
    for queue in queues:
        for name, buffer in declared.buffers.items():
            feeds = [s for s in queue.feeders if s in declared.stations
                     and name in declared.stations[s].goes_to]  # fmt: skip
            takes = [s for s in queue.takers if s in declared.stations
                     and name in declared.stations[s].takes_from]  # fmt: skip
            if not feeds or not takes or buffer.capacity is None:
                continue
            seen = queue.most if queue.capacity is None else queue.capacity
            if seen > buffer.capacity or (queue.capacity or np.inf) < buffer.capacity:
                why = f"declared to hold {buffer.capacity}; the records show {seen}"
                yield Gap(station=feeds[0], what=f"capacity of {name}", why=why,
                          bound="as declared")  # fmt: skip
