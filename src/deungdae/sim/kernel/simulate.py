"""Replications of a line, from its description to their outcome."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from deungdae.core.types import FloatArray
from deungdae.sim.line import STATES, Line, Snapshot
from deungdae.sim.outcome import Outcome

from . import rows, tables
from .compiling import COMPILED, word
from .replicate import replicate
from .rows import World

PARTS = 4_000_000  # more parts at once than any line holds


def simulate(
    line: Line,
    *,
    horizon: float,
    replications: int | range = 1,
    seed: int = 1,
    start: Snapshot | None = None,
    origin: int = 0,
    method: Literal["auto", "events", "maxplus"] = "auto",
) -> Outcome:
    """Return what replications of a line give, in this process.

    horizon: s from time 0 to the end, the warm-up included. replications: how many, or their
    numbers; a replication's result hangs on its number and the seed, on nothing else. start: the
    state at time 0; else parts are as the buffers' `initial` says. origin: ns since 1970 of time
    0, for calendars.
    """
    numbers = range(replications) if isinstance(replications, int) else replications
    _check(line, horizon, numbers)
    world, pristine = tables.build(line), tables.build(line)
    results: Any = np.zeros((len(numbers), width(line)))
    todo: Any = np.asarray(numbers, np.int64)
    if not COMPILED:
        results, todo = results.tolist(), todo.tolist()
    row, resumes = 0, False
    while True:
        row = replicate(
            world, pristine, results, todo, row, resumes, word(seed), line.warm_up, horizon
        )
        if row == len(numbers):
            return _outcome(line, horizon, seed, np.asarray(todo), np.asarray(results))
        world = more_parts(world)
        resumes = True


def _check(line: Line, horizon: float, numbers: range) -> None:
    if not math.isfinite(horizon) or horizon <= 0:
        raise ValueError(f"horizon = {horizon}: must be a time above 0, in s")
    if horizon <= line.warm_up:
        raise ValueError(
            f"horizon = {horizon}: nothing would be counted after the warm-up of {line.warm_up} s"
        )
    if len(numbers) < 1:
        raise ValueError(f"replications = {numbers}: at least one")


def more_parts(world: World) -> World:
    """Return the tables with room for twice as many parts."""
    old: Any = world.parts
    world.clock[0].unused += len(old)
    more: Any = rows.table(rows.Part, len(old))
    if not COMPILED:
        return world._replace(parts=old + more)
    both: Any = np.concatenate([old, more]).view(np.recarray)
    return world._replace(parts=both)


def width(line: Line) -> int:
    """Return how many columns the results of a line have."""
    return 3 + 4 * len(line.product_names) + len(line.buffers) + 11 * len(line.stations)


def _outcome(line: Line, horizon: float, seed: int, numbers: Any, results: FloatArray) -> Outcome:
    counts, stations = len(line.product_names), len(line.stations)
    replications = len(numbers)
    products = results[:, 3 : 3 + 4 * counts].reshape(replications, counts, 4)
    products = products.astype(np.int64)
    k = 3 + 4 * counts
    level = results[:, k : k + len(line.buffers)]
    each = results[:, k + len(line.buffers) :][:, : 11 * stations].reshape(
        replications, stations, 11
    )
    made = products[:, :, 0]
    return Outcome(
        line=line.name,
        stations=tuple(line.stations),
        servers=tuple(station.servers for station in line.stations.values()),
        buffers=tuple(line.buffers),
        products=line.product_names,
        orders=tuple(order.id for order in line.orders),
        due=np.asarray([order.due for order in line.orders], np.float64),
        seed=seed,
        horizon=horizon,
        warm_up=line.warm_up,
        method="events",
        replications=numbers,
        throughput=made.sum(axis=1) / ((horizon - line.warm_up) / 3600),
        made=made,
        escaped=products[:, :, 1],
        scrapped=products[:, :, 2],
        lost=products[:, :, 3],
        done=each[:, :, 0].astype(np.int64),
        lead_time=results[:, 0],
        lead_time_90=results[:, 1],
        wip=results[:, 2],
        level=level,
        state_time=each[:, :, 3:],
        energy=_energy(line, each[:, :, 3:]),
        sole=each[:, :, 1],
        shifting=each[:, :, 2],
        finished=np.full((replications, len(line.orders)), np.inf),
    )


def _energy(line: Line, times: FloatArray) -> FloatArray:
    """Return kW.h from the times in each state."""
    power = np.zeros((len(line.stations), len(STATES)))
    for place, station in enumerate(line.stations.values()):
        idle = station.power.get("starved", 0.0)
        for k, state in enumerate(STATES):
            power[place, k] = station.power.get(state, 0.0 if state == "off" else idle)
    energy: FloatArray = (times * power).sum(axis=2) / 3600
    return energy
