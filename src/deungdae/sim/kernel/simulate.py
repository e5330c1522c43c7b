"""Replications of a line, from its description to their outcome."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from deungdae.core.types import FloatArray
from deungdae.sim import distribution
from deungdae.sim.line import STATES, Line, Snapshot
from deungdae.sim.outcome import Outcome

from . import codes, maxplus, tables
from .compiling import COMPILED, word
from .memory import Memory
from .replicate import run
from .stuck import deadlock, standstill

PARTS = 4_000_000  # more parts at once than any line holds
EVENTS = 1e12  # more than a computer works off in a day


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
    warm_up = 0.0 if start is not None else line.warm_up
    horizon = float(horizon)  # the engine is compiled for one kind of number
    _check(line, horizon, warm_up, numbers)
    todo = np.asarray(numbers, np.int64)
    if _recursion_fits(line, start, method):
        results = maxplus.results(line, todo, seed, (warm_up, horizon))
        return _outcome(line, horizon, warm_up, seed, todo, results, "maxplus")
    memory = tables.build(line, start=start, origin=origin, until=horizon)
    results = _by_events(line, memory, todo, seed, (warm_up, horizon))
    return _outcome(line, horizon, warm_up, seed, todo, results, "events")


def _recursion_fits(line: Line, start: Snapshot | None, method: str) -> bool:
    """Return whether the max-plus recursion is taken. Only the line decides, for its parts agree.

    Raises ValueError where it is asked for and does not fit.
    """
    if method == "events":
        return False
    obstacle = maxplus.fits(line, start)
    if obstacle and method == "maxplus":
        raise ValueError(f"line {line.name!r} is no tandem for method 'maxplus': {obstacle}")
    return not obstacle


def _by_events(
    line: Line, memory: Memory, numbers: Any, seed: int, window: tuple[float, float]
) -> FloatArray:
    """Return the results of replications, event by event."""
    results: Any = np.zeros((len(numbers), _width(line)))
    todo: Any = numbers
    if not COMPILED:
        results, todo = results.tolist(), todo.tolist()
    row, resumes = 0, False
    while row < len(numbers):
        row = run(
            memory.world, memory.block, memory.pristine, results, todo, row, resumes,
            word(seed), *window,
        )  # fmt: skip
        if row < len(numbers):
            resumes = True
            more(line, memory, todo[row])
    return np.asarray(results)


def more(line: Line, memory: Memory, replication: int) -> None:
    """Give a replication what it stopped for, or raise Deadlock or NotEnoughRoom."""
    world = memory.world[0]
    if world.status == codes.LOCKED:
        raise deadlock(line, memory, replication)
    if world.status == codes.STANDS:
        raise standstill(line, memory)
    if world.status == codes.MORE_NOTES:
        memory.grow("notes", int(world.notes_count))
        return
    count = int(world.parts_count)
    if count > PARTS:
        levels = memory.column("buffers", "level", len(line.buffers)).tolist()
        name, level = max(zip(line.buffers, levels, strict=True), key=lambda pair: pair[1])
        raise NotEnoughRoom(
            f"after {float(world.now):.0f} s there are {int(world.wip)} parts in line "
            f"{line.name!r}, {level} of them in buffers.{name}: more arrive than leave; give it a "
            "capacity, let less arrive, or take a shorter horizon"
        )
    memory.grow("parts", count)
    world.unused += count


class NotEnoughRoom(ValueError):
    """A line fills up without end."""


def _check(line: Line, horizon: float, warm_up: float, numbers: range) -> None:
    if not math.isfinite(horizon) or horizon <= 0:
        raise ValueError(f"horizon = {horizon}: must be a time above 0, in s")
    if horizon <= warm_up:
        raise ValueError(
            f"horizon = {horizon}: nothing would be counted after the warm-up of {warm_up} s"
        )
    if (events := _events(line, horizon)) > EVENTS:
        raise ValueError(
            f"horizon = {horizon}: that would be {events:.1e} events in each replication; "
            "take a shorter horizon, or longer cycles"
        )
    if len(numbers) < 1:
        raise ValueError(f"replications = {numbers}: at least one")


def _events(line: Line, horizon: float) -> float:
    """Return about how many events the busiest station or arrival gives, at least."""
    paces = [
        distribution.parse(product.arrival).mean
        for product in line.products.values()
        if product.arrival is not None
    ]
    for station in line.stations.values():
        if not isinstance(station.cycle, dict):
            paces.append(distribution.parse(station.cycle).mean / station.servers)
    return max((horizon / pace for pace in paces if pace > 0), default=0.0)


def _width(line: Line) -> int:
    products, stations = len(line.product_names), len(line.stations)
    return 3 + 4 * products + len(line.buffers) + len(line.orders) + 11 * stations


def _outcome(
    line: Line, horizon: float, warm_up: float, seed: int, numbers: Any, results: FloatArray,
    method: str,
) -> Outcome:  # fmt: skip
    counts, stations = len(line.product_names), len(line.stations)
    replications = len(numbers)
    products = results[:, 3 : 3 + 4 * counts].reshape(replications, counts, 4)
    whole = products.astype(np.int64)
    k = 3 + 4 * counts
    level = results[:, k : k + len(line.buffers)]
    k += len(line.buffers)
    finished = np.full((replications, len(line.orders)), np.inf)
    finished[:, tables.due_order(line)] = results[:, k : k + len(line.orders)]
    each = results[:, k + len(line.orders) :].reshape(replications, stations, 11)
    made = whole[:, :, 0]
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
        warm_up=warm_up,
        method=method,
        replications=numbers,
        throughput=made.sum(axis=1) / ((horizon - warm_up) / 3600),
        made=made,
        escaped=whole[:, :, 1],
        scrapped=whole[:, :, 2],
        lost=whole[:, :, 3],
        done=each[:, :, 0].astype(np.int64),
        lead_time=results[:, 0],
        lead_time_90=results[:, 1],
        wip=results[:, 2],
        level=level,
        state_time=each[:, :, 3:],
        energy=_energy(line, each[:, :, 3:]),
        sole=each[:, :, 1],
        shifting=each[:, :, 2],
        finished=finished,
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
