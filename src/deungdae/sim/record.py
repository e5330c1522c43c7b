"""A trace as the records that machines of a plant would have left: states, scans, counts."""

from __future__ import annotations

import numpy as np

from deungdae.core.types import SECOND, Event, FloatArray, IntArray, TimeArray
from deungdae.sim.kernel import Kind, Result, Trace
from deungdae.sim.line import STATES, Line

RESULTS = {Result.GOOD: "good", Result.REWORK: "rework", Result.SCRAP: "scrap"}


def events(trace: Trace, line: Line, origin: int) -> list[Event]:
    """Return the events of a trace in order: states of stations, and their finished parts.

    origin: ns since 1970 of time 0. `<station>.state` has a word of STATES; of a station with
    several servers each is an asset, `<station>-1` and so on. `<station>.part` is a scan: value is
    the part's serial number, data tell its product and result.
    """
    names, products = assets(line), line.product_names
    found = []
    for time, kind, station, server, part, product, value in zip(
        *(column.tolist() for column in _columns(trace)), strict=True
    ):
        if kind == Kind.STATE:
            asset = names[station][server]
            found.append(
                Event(id=f"{asset}.state", time=origin + time, kind="state", value=STATES[value])
            )
        elif kind == Kind.DONE:
            asset = names[station][server]
            data = {"product": products[product], "result": RESULTS[Result(value)]}
            found.append(
                Event(
                    id=f"{asset}.part", time=origin + time, kind="scan", value=str(part), data=data
                )
            )
    return found


def counts(
    trace: Trace, line: Line, origin: int, before: IntArray | None = None
) -> tuple[IntArray, TimeArray, FloatArray]:
    """Return the counters `<station>.count` as columns: station, time in ns, parts so far.

    before: int32[S], what each counter stood at; None: 0.
    """
    rows = np.flatnonzero(trace.kind == Kind.DONE)
    station = trace.station[rows]
    value = np.zeros(len(rows), np.float64)
    for place in range(len(line.stations)):
        mine = station == place
        first = 0 if before is None else int(before[place])
        value[mine] = first + np.arange(1, int(mine.sum()) + 1)
    time = origin + _nanoseconds(trace.time[rows])
    return station, time, value


def assets(line: Line) -> list[list[str]]:
    """Return the asset of each server, by station."""
    return [
        [name] if station.servers == 1 else [f"{name}-{n + 1}" for n in range(station.servers)]
        for name, station in line.stations.items()
    ]


def _columns(trace: Trace) -> tuple[np.ndarray, ...]:
    wanted = (trace.kind == Kind.STATE) | (trace.kind == Kind.DONE)
    return (
        _nanoseconds(trace.time[wanted]), trace.kind[wanted], trace.station[wanted],
        trace.server[wanted], trace.part[wanted], trace.product[wanted], trace.value[wanted],
    )  # fmt: skip


def _nanoseconds(time: FloatArray) -> TimeArray:
    return np.rint(time * SECOND).astype(np.int64)
