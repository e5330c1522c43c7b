"""The lines that the twins of a factory mirror, as the pages draw them."""

from __future__ import annotations

import msgspec

from deungdae.app.runtime import Runtime
from deungdae.core import strict
from deungdae.sim.line import OUT, SCRAP, Snapshot, Station
from deungdae.twin.monitor import Monitor

from .failure import WebError


class StationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A station. asset: what tells its state. leaves: whether parts leave the line here."""

    name: str
    asset: str
    servers: int
    inputs: list[str]
    outputs: list[str]
    leaves: bool


class BufferAnswer(msgspec.Struct, frozen=True):
    """A place where parts wait. capacity: null for any number."""

    name: str
    capacity: int | None


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is described: what stands where."""

    name: str
    stations: list[StationAnswer]
    buffers: list[BufferAnswer]


def twins(runtime: Runtime) -> dict[str, Monitor]:
    """Return the twins that this process runs, by name."""
    thinkers = runtime.thinking.thinkers.values()
    return {
        thinker.plugin.name: thinker.work
        for thinker in thinkers
        if thinker.plugin.room == "twin" and isinstance(thinker.work, Monitor)
    }


def twin(runtime: Runtime, name: str) -> Monitor:
    """Return a twin by its name. Raises WebError."""
    found = twins(runtime)
    if name not in found:
        remedy = strict.closest(name, found) or "GET /api/v1/twins lists them"
        raise WebError(404, f"no twin is called {name!r}", remedy)
    return found[name]


def asset(found: Monitor, station: str) -> str:
    """Return the id of what stands for a station: of many machines alike, what contains them."""
    if station in found.factory.assets:
        return station
    return found.assets[station][0]


def silent(found: Monitor) -> set[str]:
    """Return the buffers of which nobody knows what waits: not all their neighbours tell parts."""
    signals = found.factory.signals
    return {
        place
        for name, station in found.line.stations.items()
        if not any(
            f"{each}.{what}" in signals for each in found.assets[name] for what in ("part", "lot")
        )
        for place in (*_inputs(station), *_outputs(station))
    }


def levels(found: Monitor, snapshot: Snapshot) -> dict[str, int | None]:
    """Return how many parts wait in each buffer; None where nobody knows."""
    unknown = silent(found)
    return {
        name: None if name in unknown else len(snapshot.buffers.get(name, ()))
        for name in found.line.buffers
    }


def told(found: Monitor) -> LineAnswer:
    """Return the line of a twin as the pages draw it."""
    line = found.line
    return LineAnswer(
        name=line.name,
        stations=[
            _station(name, station, asset(found, name)) for name, station in line.stations.items()
        ],
        buffers=[BufferAnswer(name, buffer.capacity) for name, buffer in line.buffers.items()],
    )


def _station(name: str, station: Station, asset: str) -> StationAnswer:
    outputs = _outputs(station)
    return StationAnswer(
        name=name,
        asset=asset,
        servers=station.servers,
        inputs=_inputs(station),
        outputs=[place for place in outputs if place not in (OUT, SCRAP)],
        leaves=OUT in outputs,
    )


def _inputs(station: Station) -> list[str]:
    return list(dict.fromkeys([*station.takes_from, *station.needs]))


def _outputs(station: Station) -> list[str]:
    places = [*station.goes_to, *([station.rework_to] if station.rework_to else [])]
    if station.quality is not None and station.quality.inspects:
        places.append(station.quality.to)
    return list(dict.fromkeys(places))
