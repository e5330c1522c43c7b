"""The whole of a line from its log."""

from __future__ import annotations

import msgspec

from deungdae.core.errors import NotEnoughData
from deungdae.sim.line import Line

from . import assemble, people
from .declared import onto
from .failures import failing
from .gather import gathered
from .log import Gap, Log
from .station import times_of
from .timeline import UNKNOWN
from .traces import OUTSIDE, Traces, traces
from .twin import Beliefs, Observed, Twin
from .work import Work, work_of


def learn(log: Log, *, name: str = "line", declared: Line | None = None, now: int = 0) -> Twin:
    """Return the twin of a line from its records.

    declared: the line as somebody described it. Its structure is then kept (ways, buffers, servers,
    people, calendars), its times and shares are learnt, and what contradicts it is named.
    now: ns, when this is learnt. Raises NotEnoughData where no station told of any work.
    """
    if declared is None:
        log = gathered(log)
    gaps: list[Gap] = list(log.faults)
    work: dict[str, Work] = {}
    for station in log.stations:
        work[station], odd = work_of(log, station)
        gaps += odd
    times = {station: times_of(log, station, each) for station, each in work.items()}
    gaps += [gap for each in times.values() for gap in each.gaps]
    silent = [station for station, each in times.items() if not each.cycles]
    if len(silent) == len(times):
        raise NotEnoughData("no station told of any part that it finished: nothing can be learnt")
    gaps += [
        Gap(station=station, what="cycle", why="it finished no part that could be timed",
            bound="it is left out")
        for station in silent
    ]  # fmt: skip
    crews, odd = people.crew_of(work)
    operators, operated, more = people.operators_of(work)
    fails = failing(work, people.CREW if crews else "")
    gaps += [*odd, *more, *fails.gaps]
    parts = assemble.Parts(
        log=log, work=work, failing=fails, crews=crews, operators=operators, operated=operated,
        times={station: each for station, each in times.items() if each.cycles},
    )  # fmt: skip
    traced = traces(log)
    if declared is not None:
        line, shares, odd = onto(declared, parts, traced)
    elif traced is None:
        line, shares, odd = assemble.alone(parts)
    else:
        gaps += traced.gaps
        line, shares, odd = assemble.whole(parts, traced)
    gaps += odd
    fits = {
        f"{station}.cycle{'.' if product else ''}{product}": fitted
        for station, each in parts.times.items()
        for product, fitted in each.cycles.items()
    }
    return Twin(
        line=msgspec.structs.replace(line, name=name),
        fits=fits | fails.fits,
        gaps=tuple(gaps),
        beliefs=Beliefs(
            cycles={station: each.error for station, each in parts.times.items()},
            failing=fails.failing,
            repairing=fails.repairing,
            shares=shares,
        ),
        observed=observed(log, work, traced),
        start=log.start,
        end=log.end,
        learnt_at=now,
    )


def observed(log: Log, work: dict[str, Work], traced: Traces | None) -> Observed:
    """Return what the line made in the log, as its last stations tell."""
    if traced is None:
        return Observed(good=0, hours=0.0)
    last = [name for name, way in traced.ways.items() if "" in way.good]
    if not last:
        return Observed(good=0, hours=0.0)
    scans = traced.scans
    names = tuple(log.stations)
    good = sum(
        int(((scans.station == names.index(name)) & (scans.result == 0)
             & (scans.next_station == OUTSIDE)).sum())
        for name in last
    )  # fmt: skip
    lines = [line for name in last for line in work[name].timelines.values()]
    dark = sum(line.time_in(UNKNOWN) for line in lines) / max(len(lines), 1)
    return Observed(good=good, hours=(log.seconds - dark) / 3600)
