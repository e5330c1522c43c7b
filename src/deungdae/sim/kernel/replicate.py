"""Replications: begin one, count it, and do the next, without Python in between."""

from __future__ import annotations

import math
from typing import Any

from . import at, codes
from .active import close
from .codes import CLASSES, DONE
from .compiling import called, entry, fingerprint, restore
from .engine import go_on
from .opening import open_line
from .rows import TABLES, World, shape

LOG_2 = math.log(2.0)


@called
def count_anew(w: World) -> None:
    """Forget what was counted: the warm-up is over."""
    now = w.now
    w.warm = 1
    w.counted = now
    w.lead = 0.0
    w.good = 0
    w.wip_area = -w.wip * now
    for s in range(w.stations_count):
        at.station(w, s).done = 0
    for n in range(w.servers_count):
        server = at.server(w, n)
        server.since = now
        server.sole = 0.0
        server.shifting = 0.0
        for k in range(8):
            server.times[k] = 0.0
    for b in range(w.buffers_count):
        buffer = at.buffer(w, b)
        buffer.area = -buffer.level * now
    for p in range(w.products_count):
        product = at.product(w, p)
        product.made = 0
        product.escaped = 0
        product.scrapped = 0
        product.lost = 0
    for k in range(w.bins_count):
        at.bin(w, k).count = 0


@called
def collect(w: World, row: Any) -> None:
    """Write what a replication gave into a row, in the order that `simulate` reads."""
    counted = w.now - w.counted
    close(w, w.now)
    row[0] = w.lead / w.good if w.good else math.nan
    row[1] = quantile(w, 0.9)
    row[2] = (w.wip_area + w.wip * w.now) / counted
    k = 3
    for p in range(w.products_count):
        product = at.product(w, p)
        row[k] = product.made
        row[k + 1] = product.escaped
        row[k + 2] = product.scrapped
        row[k + 3] = product.lost
        k += 4
    for b in range(w.buffers_count):
        buffer = at.buffer(w, b)
        row[k] = (buffer.area + buffer.level * w.now) / counted
        k += 1
    for o in range(w.orders_count):
        row[k] = at.order(w, o).finished
        k += 1
    for s in range(w.stations_count):
        collect_station(w, s, row, k, counted)
        k += 11


@called
def collect_station(w: World, s: int, row: Any, k: int, counted: float) -> None:
    """Write what a station did: parts, shares as the bottleneck, time in each state."""
    station = at.station(w, s)
    for each in range(11):
        row[k + each] = 0.0
    row[k] = station.done
    for n in range(station.first, station.first + station.count):
        server = at.server(w, n)
        row[k + 1] += server.sole / counted
        row[k + 2] += server.shifting / counted
        server.times[server.state] += w.now - server.since
        server.since = w.now
        for state in range(8):
            row[k + 3 + state] += server.times[state]


@called
def quantile(w: World, share: float) -> float:
    """Return the lead time that a share of the good parts did not exceed, from its classes."""
    if w.good == 0:
        return math.nan
    wanted = share * w.good
    below = 0
    k = 0
    while below + at.bin(w, k).count < wanted:
        below += at.bin(w, k).count
        k += 1
    if k == 0:
        return 0.0
    inside = (wanted - below) / at.bin(w, k).count
    return 1e-3 * math.exp((k - 1 + inside) / CLASSES * LOG_2)


def _compiled(version: str) -> Any:
    """Return `run`, whose compiled code is kept on disk under this version."""

    @entry
    def run(
        world: Any, block: Any, pristine: Any, results: Any, numbers: Any, first: int,
        resumes: bool, seed: int, warm_up: float, horizon: float,
    ) -> int:  # fmt: skip
        """Run replications from row `first` of the results on; return the row that could not end.

        numbers: of the replications, by row. resumes: the first row goes on where it stopped. Rows
        without columns are not collected. Where all ended, the number of rows is returned; else the
        world's status says why not. This is the only way in from Python: all is compiled once.
        """
        assert version
        w = at.world(world)
        for row in range(first, len(numbers)):
            if not resumes:
                restore(block, pristine)
                open_line(w, seed, numbers[row])
            resumes = False
            if not w.warm and warm_up > 0.0:
                w.status = go_on(w, warm_up)
                if w.status != DONE:
                    return row
                count_anew(w)
            w.status = go_on(w, horizon)
            if w.status != DONE:
                return row
            if len(results[row]):
                collect(w, results[row])
        return len(numbers)

    return run


_words = {name: value for name, value in vars(codes).items() if name.isupper()}
run = _compiled(fingerprint(_words, [shape(row) for row in (*TABLES.values(), World)]))
