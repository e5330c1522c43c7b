"""How fast the historian makes samples durable, and answers over a long history.

    python benchmarks/historian.py [--quick] [--json] [--stored N] [--keep FOLDER]

Peers in the same run: a bare log with fdatasync, which nothing durable can beat, and SQLite with
an index on (signal, time), WAL and synchronous FULL.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from deungdae.core.clock import RealClock
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Signal
from deungdae.historian.store import Historian, HistorianOptions
from measure import Row, arguments, report, row

BATCH = 10_000
TAGS = 5_000
FAST = 30  # tags at 1 Hz; the others share what is left
START = 20_000 * DAY
DAYS = 30


class Hands(RealClock):
    """A clock that stands where the history being made has got to."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        return self.time


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--stored", type=int, help="points in the long history")
    parser.add_argument("--keep", type=Path, help="make or reuse the long history here")
    asked = parser.parse_args()
    stored = asked.stored or (2_000_000 if asked.quick else 100_000_000)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        rows = durable(Path(folder), rounds=3 if asked.quick else 7)
        rows += long_history(asked.keep or Path(folder) / "long", stored)
    report("historian", rows, as_json=asked.json)


# ---- durable at each commit of 10,000 points


def durable(folder: Path, rounds: int) -> list[Row]:
    writers: dict[str, Callable[[Path], Iterator[None]]] = {
        "log + fdatasync": write_log,
        "historian": write_historian,
        "SQLite": write_sqlite,
    }
    speed: dict[str, list[float]] = {name: [] for name in writers}
    cost: dict[str, list[float]] = {name: [] for name in writers}
    for turn in range(rounds):
        for name, writer in writers.items():
            place = folder / f"{name.split()[0]}{turn}"
            place.mkdir()
            points, wall, cpu = timed(writer(place), seconds=1.0)
            speed[name].append(points / wall)
            cost[name].append(cpu / points * 1e6)
    median = {name: statistics.median(values) for name, values in speed.items()}
    spent = {name: statistics.median(values) for name, values in cost.items()}
    sqlite, floor = (median["historian"] / median[name] for name in ("SQLite", "log + fdatasync"))
    return [
        row(
            f"durable at each commit of {BATCH:,} points",
            median["historian"],
            "points/s",
            least=1_000_000,
            peer=f"{sqlite:.0f} × SQLite's, {floor:.2f} × a bare log's",
        ),
        row("  processor", spent["historian"], "µs/point",
            peer=f"SQLite {spent['SQLite'] / spent['historian']:.0f} ×"),
        row("log + fdatasync, durable (floor)", median["log + fdatasync"], "points/s"),
        row("SQLite with index, durable", median["SQLite"], "points/s"),
        row("SQLite, processor", spent["SQLite"], "µs/point"),
    ]  # fmt: skip


def timed(writer: Iterator[None], seconds: float) -> tuple[int, float, float]:
    """Return points, wall and processor seconds of a writer that yields after each batch."""
    next(writer)
    points, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        next(writer)
        points += BATCH
    result = points, time.perf_counter() - wall, time.process_time() - cpu
    writer.close()
    return result


def batches() -> Iterator[Batch]:
    """Yield batches of 500 tags that all tick at once, as a plant at 1 Hz does."""
    generator = np.random.default_rng(1)
    signal = np.tile(np.arange(500, dtype=np.int32), BATCH // 500)
    status = np.zeros(BATCH, np.uint8)
    value = generator.normal(20, 3, BATCH).round(2)
    ticks = np.repeat(np.arange(BATCH // 500, dtype=np.int64) * SECOND, 500)
    begin = START
    while True:
        yield Batch(signal, ticks + begin, value, status, received=begin)
        begin += BATCH // 500 * SECOND


def write_historian(place: Path) -> Iterator[None]:
    with Historian(place) as store:
        store.register([Signal(id=f"plant.t{k}") for k in range(500)])
        for batch in batches():
            store.append([batch])
            yield


def write_log(place: Path) -> Iterator[None]:
    with (place / "log").open("wb", buffering=0) as file:
        for batch in batches():
            for column in (batch.signal, batch.time, batch.value, batch.status):
                file.write(column.data)
            os.fdatasync(file.fileno())
            yield


def write_sqlite(place: Path) -> Iterator[None]:
    base = sqlite3.connect(place / "db")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute(
        "CREATE TABLE samples (signal INTEGER, time INTEGER, value REAL, status INTEGER,"
        " PRIMARY KEY (signal, time)) WITHOUT ROWID"
    )
    for batch in batches():
        columns = (batch.signal, batch.time, batch.value, batch.status)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        base.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)", rows)
        base.commit()
        yield


# ---- queries over a long history


def long_history(place: Path, points: int) -> list[Row]:
    began = time.perf_counter()
    clock = Hands()
    with Historian(place, HistorianOptions(disk_reserve=0), clock) as store:
        ids = [f"plant.t{k}" for k in range(TAGS)]
        made = not store.signals()
        if made:
            store.register([Signal(id=id) for id in ids])
            fill(store, clock, points)
        seconds = time.perf_counter() - began
        rows = [row("points stored", points, "points")]
        if made:
            rows.append(row("… appended, sorted, rolled up, moved in", seconds, "s"))
        rows.append(row("… bytes on disk", store.size() / points, "bytes/point"))
        end = START + DAYS * DAY
        pixels = DAYS * DAY // 1000 // MINUTE * MINUTE
        for name, tag in (("1 Hz", 7), ("slow", 4321)):
            for what, day in (("a file", 5), ("sorted", DAYS - 2), ("the newest", DAYS - 1)):
                low = START + day * DAY
                rows.append(
                    row(
                        f"one tag's day ({name}, {what})",
                        median_ms(lambda: store.query([ids[tag]], low, low + DAY)),  # noqa: B023
                        "ms",
                        most=50,
                    )
                )
            rows.append(
                row(
                    f"30 days of one tag at 1,000 pixels ({name})",
                    median_ms(lambda: store.rollup(ids[tag], START, end, pixels)),  # noqa: B023
                    "ms",
                    most=100,
                )
            )
        rows.append(
            row("last value of 5,000 tags", median_ms(lambda: store.last(ids)), "ms", most=5)
        )
    return rows


def fill(store: Historian, clock: Hands, points: int) -> None:
    """Append 30 days as they would arrive, tidying as a running factory does."""
    generator = np.random.default_rng(2)
    fast_every = max(SECOND, FAST * DAYS * DAY * 4 // (points * 3))
    slow_every = (TAGS - FAST) * DAYS * DAY // max(points - FAST * DAYS * DAY // fast_every, 1)
    for hour in range(DAYS * 24):
        begin, end = START + hour * HOUR, START + (hour + 1) * HOUR
        fast = np.arange(-(-begin // fast_every) * fast_every, end, fast_every)
        first = begin + (np.arange(FAST, TAGS) * slow_every // TAGS - begin) % slow_every
        count = max(1, -(-HOUR // slow_every))
        slow = (first[None, :] + np.arange(count)[:, None] * slow_every).ravel()
        signal = np.concatenate(
            [np.tile(np.arange(FAST), len(fast)), np.tile(np.arange(FAST, TAGS), count)]
        )
        when = np.concatenate([np.repeat(fast, FAST), slow])
        order = np.argsort(when, kind="stable")[: np.count_nonzero(when < end)]
        n = len(order)
        batch = Batch(
            signal[order].astype(np.int32),
            when[order],
            generator.normal(20, 3, n).round(2),
            np.zeros(n, np.uint8),
            received=end,
        )
        for low in range(0, n, 50_000):
            store.append([batch.take(np.arange(low, min(low + 50_000, n)))])
        clock.time = end + 6 * MINUTE
        while store.tidy(clock.time):
            pass


def median_ms(ask: Callable[[], object], times: int = 15) -> float:
    """Return processor time: one query runs on one core, and others may share that core."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        ask()
        spent.append((time.process_time() - began) * 1e3)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
