"""The lines that the twins of a factory mirror, as the pages draw them."""

from __future__ import annotations

import msgspec

from deungdae.model.factory import Factory
from deungdae.sim.line import OUT, SCRAP, Line, Station, read


class StationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A station. inputs, outputs: buffers; leaves: whether parts leave the line here."""

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


def of(factory: Factory) -> dict[str, Line]:
    """Return the line of every twin of a factory, by the twin's name."""
    return {
        name: read(factory.texts[plugin.options.line], plugin.options.line)
        for name, plugin in factory.room("twin").items()
        if getattr(plugin.options, "line", "")
    }


def told(factory: Factory) -> dict[str, LineAnswer]:
    """Return the line of every twin as the pages draw it, by the twin's name."""
    return {name: _told(line) for name, line in of(factory).items()}


def _told(line: Line) -> LineAnswer:
    return LineAnswer(
        name=line.name,
        stations=[_station(name, station) for name, station in line.stations.items()],
        buffers=[BufferAnswer(name, buffer.capacity) for name, buffer in line.buffers.items()],
    )


def _station(name: str, station: Station) -> StationAnswer:
    ends = [*station.goes_to, *([station.rework_to] if station.rework_to else [])]
    if station.quality is not None:
        ends.append(station.quality.to)
    return StationAnswer(
        name=name,
        asset=name,
        servers=station.servers,
        inputs=list(dict.fromkeys([*station.takes_from, *station.needs])),
        outputs=[end for end in dict.fromkeys(ends) if end not in (OUT, SCRAP)],
        leaves=OUT in ends,
    )
