"""Replications: begin one, count it, and do the next, without Python in between."""

from __future__ import annotations

import math

from . import active
from .compiling import called, entry, restore
from .engine import CLASSES, DONE, ask, born, enter, go_on, set_due, settle
from .rows import NONE, Floats, Ints, World
from .stream import draw, start


@called
def reset(w: World, pristine: World, seed: int, replication: int) -> None:
    """Put every table as it was built, and every stream at its beginning."""
    restore(w.clock, pristine.clock)
    restore(w.stations, pristine.stations)
    restore(w.servers, pristine.servers)
    restore(w.buffers, pristine.buffers)
    restore(w.products, pristine.products)
    clock = w.clock[0]
    clock.seed = seed
    clock.replication = replication
    clock.unused = len(w.parts)
    for k in range(len(w.streams)):
        start(w.streams[k], seed, replication)
    for k in range(len(w.due)):
        set_due(w, k, math.inf)
    for k in range(len(w.classes)):
        w.classes[k] = 0


@called
def open_line(w: World) -> None:
    """Let a line begin: parts in its buffers, clocks of failures and arrivals set."""
    clock = w.clock[0]
    for server in w.servers:
        for m in range(server.mode, server.mode + server.modes):
            mode = w.modes[m]
            mode.left = draw(w.spreads[mode.every], w.numbers, w.streams[mode.stream])
    for k in range(len(w.products)):
        product = w.products[k]
        if product.slot != NONE:
            pause = draw(w.spreads[product.every], w.numbers, w.streams[product.stream])
            set_due(w, product.slot, pause)
    for b in range(len(w.buffers)):
        for _ in range(w.buffers[b].initial):
            enter(w, b, born(w, 0, 0.0), 0.0)
    for s in range(len(w.stations)):
        ask(w, len(w.stations) - 1 - s)
    settle(w, 0.0)


@called
def count_anew(w: World) -> None:
    """Forget what was counted: the warm-up is over."""
    clock = w.clock[0]
    now = clock.now
    clock.counted = now
    clock.lead = 0.0
    clock.good = 0
    clock.wip_area = 0.0
    clock.wip_since = now
    for station in w.stations:
        station.done = 0
    for server in w.servers:
        server.since = now
        for k in range(8):
            server.times[k] = 0.0
    for buffer in w.buffers:
        buffer.area = 0.0
        buffer.since = now
    for product in w.products:
        product.made = product.escaped = product.scrapped = product.lost = 0
    for k in range(len(w.classes)):
        w.classes[k] = 0


@called
def collect(w: World, row: Floats) -> None:
    """Write what a replication gave into a row, in the order of outcome's `columns`."""
    clock = w.clock[0]
    now = clock.now
    counted = now - clock.counted
    active.close(w, now)
    row[0] = clock.lead / clock.good if clock.good else math.nan
    row[1] = quantile(w.classes, clock.good, 0.9)
    row[2] = (clock.wip_area + clock.wip * (now - clock.wip_since)) / counted
    k = 3
    for product in w.products:
        row[k], row[k + 1] = product.made, product.escaped
        row[k + 2], row[k + 3] = product.scrapped, product.lost
        k += 4
    for buffer in w.buffers:
        row[k] = (buffer.area + buffer.level * (now - buffer.since)) / counted
        k += 1
    for station in w.stations:
        for each in range(11):
            row[k + each] = 0.0
        row[k] = station.done
        for n in range(station.first, station.first + station.count):
            server = w.servers[n]
            row[k + 1] += server.sole / counted
            row[k + 2] += server.shifting / counted
            for state in range(8):
                row[k + 3 + state] += server.times[state]
            row[k + 3 + server.state] += now - server.since
        k += 11


@called
def quantile(classes: Ints, count: int, share: float) -> float:
    """Return the lead time that a share of the parts did not exceed, from their classes."""
    if count == 0:
        return math.nan
    wanted = share * count
    below = 0
    k = 0
    while below + classes[k] < wanted:
        below += classes[k]
        k += 1
    if k == 0:
        return 0.0
    return 1e-3 * 2.0 ** ((k - 1 + (wanted - below) / classes[k]) / CLASSES)


@entry
def replicate(
    w: World,
    pristine: World,
    results: Floats,
    numbers: Ints,
    first: int,
    resumes: bool,
    seed: int,
    warm_up: float,
    horizon: float,
) -> int:
    """Run replications from row `first` of the results on; return the row that could not end.

    numbers: of the replications, by row. resumes: the first row goes on where it stopped. Where
    all ended, the number of rows is returned; else the clock's status says why not.
    """
    clock = w.clock[0]
    for row in range(first, len(numbers)):
        if not resumes:
            reset(w, pristine, seed, numbers[row])
            open_line(w)
        resumes = False
        if not clock.warm:
            clock.status = go_on(w, warm_up)
            if clock.status != DONE:
                return row
            count_anew(w)
            clock.warm = 1
        clock.status = go_on(w, horizon)
        if clock.status != DONE:
            return row
        collect(w, results[row])
    return len(numbers)


@entry
def begin(w: World, pristine: World, seed: int, replication: int) -> None:
    """Put a line at the beginning of one replication."""
    reset(w, pristine, seed, replication)
    open_line(w)


@entry
def advance(w: World, until: float) -> int:
    """Let everything happen up to a moment; return why it ended."""
    return go_on(w, until)
