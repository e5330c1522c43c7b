"""A deadlock in words: who waits for whom, and what would help."""

from __future__ import annotations

from deungdae.sim.line import Line

from .memory import Memory
from .rows import NONE


class Deadlock(ValueError):
    """Stations of a line wait for each other, so that none of them can ever go on."""


class Standstill(ValueError):
    """Something takes no time, over and over, so that time never goes on."""


def standstill(line: Line, memory: Memory) -> Standstill:
    """Return what is to be raised where time does not go on."""
    world = memory.world[0]
    where = "an arrival or a vehicle"
    if world.culprit < world.servers_count:
        server = memory.table("servers")[int(world.culprit)]
        where = f"station {list(line.stations)[int(server.station)]}"
    return Standstill(
        f"line {line.name!r} stands still at {float(world.now):.0f} s: at {where}, and whatever "
        "follows, a million things took no time at all; give its cycle or arrivals a time"
    )


def deadlock(line: Line, memory: Memory, replication: int) -> Deadlock:
    """Return what is to be raised where a replication is locked."""
    world = memory.world[0]
    servers, stations = memory.table("servers"), list(line.stations)
    names = list(line.buffers)
    members = [
        n for n in range(int(world.servers_count))
        if servers[n].blocked != NONE and not servers[n].live
    ]  # fmt: skip
    waits = {}
    for n in members:
        waits[stations[servers[n].station]] = names[servers[n].blocked]
    told = ", ".join(
        f"{station} waits for room in {buffer} ({_takers(line, buffer)})"
        for station, buffer in waits.items()
    )
    helps = min(waits.values(), key=lambda name: line.buffers[name].capacity or 0)
    return Deadlock(
        f"line {line.name!r} is locked for ever after {float(world.now):.0f} s "
        f"(replication {replication}): {told}; more room in buffers.{helps} would help, or a "
        "limit to the parts that are let in"
    )


def _takers(line: Line, buffer: str) -> str:
    takers = [
        name
        for name, station in line.stations.items()
        if buffer in station.takes_from or buffer in station.needs
    ]
    return f"taken from by {', '.join(takers)}" if takers else "nobody takes from it"
