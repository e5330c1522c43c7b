"""What the memory holds at one moment, for reading: its parts, and which of them speaks for what.

Parts are numbered in order of arrival: of two samples on one (signal, time) the one in the part
with the higher number holds. A day file numbered n stands for everything of its day in the runs
numbered up to n.
"""
# ruff: noqa: S608 — what SQL is put together from here are numbers and our own names of tables

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import DAY, HOUR, MINUTE, Batch, IntArray, TimeArray

from .rollup import Rows

Range: TypeAlias = tuple[int, int]

DENSE = 120  # samples in an hour from which minute roll-ups are kept; below, raw is as quick
EVER: Range = (-(2**63), 2**63 - 1)


class Part(msgspec.Struct, frozen=True):
    """One piece of the memory: hot (in order of arrival), a sorted run, or the file of a day.

    days: UTC days since 1970 that it holds samples of; unknown, so empty, while hot.
    plain: no sample in it replaces one in an older part. file: of a day. rules: retention rules
    already applied to it.
    """

    number: int
    tier: Literal["hot", "run", "day", "damaged"]
    days: tuple[int, ...] = ()
    created: int = 0
    rows: int = 0
    plain: bool = True
    file: str = ""
    bytes: int = 0
    checksum: int = 0
    rules: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Return the name of a hot part's or run's table."""
        return f"{self.tier}_{self.number}"


class Snapshot:
    """The state that a cursor's transaction sees. is_sound: whether a day's file may be read."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, folder: Path, is_sound: Callable[[Part], bool]
    ) -> None:
        self.cursor = cursor
        self.parts = tuple(
            msgspec.convert(dict(zip(Part.__struct_fields__, row, strict=True)), Part)
            for row in cursor.execute("FROM parts ORDER BY number").fetchall()
        )
        self._folder = folder
        self.is_sound = is_sound
        self._stands = {part.days[0]: part.number for part in self.of("day")}

    def of(self, tier: str) -> list[Part]:
        """Return the parts of one tier, in order of number."""
        return [part for part in self.parts if part.tier == tier]

    def shown(self, run: Part) -> list[int]:
        """Return the days for which a run still speaks."""
        return [day for day in run.days if self._stands.get(day, -1) < run.number]

    # ---- samples

    def read(
        self,
        handles: IntArray,
        ranges: Sequence[Range],
        tiers: Sequence[str] = ("day", "run", "hot"),
    ) -> Batch:
        """Return samples of the handles in the ranges, by (signal, time), without duplicates.

        handles: sorted. ranges: [start, end) each, in order, apart from each other.
        """
        chosen = _signals(handles)
        selects = [
            f"SELECT signal, time, value, status FROM {source} WHERE {chosen} AND {test}"
            for source, test in self.sources(ranges, tiers)
        ]
        if not selects:
            return NOTHING
        found = batch(self.cursor.execute(" UNION ALL ".join(selects)).fetchnumpy())
        wanted = _inside(found.time, ranges)
        if handles[-1] - handles[0] + 1 != len(handles):
            wanted &= np.isin(found.signal, handles)
        return in_order(found if wanted.all() else found.take(wanted))

    def newest(self, handles: IntArray, before: int) -> Batch:
        """Return the newest sample before a moment of each handle that has one."""
        edge = before // HOUR * HOUR
        found = Batch.merge(
            [
                self._newest_of_hours(handles, (edge - DAY, edge)),
                self.read(handles, [(edge, before)], ("day", "run")),
                self.newest_hot(handles, before),
            ]
        )
        missing = np.setdiff1d(handles, found.signal[found.time >= edge - DAY])
        if len(missing):
            older = self._newest_of_hours(missing, (EVER[0], edge - DAY))
            found = Batch.merge([older, found])
        found = in_order(found.take(np.isin(found.signal, handles)))
        return found.take(tails(found.signal))

    def _newest_of_hours(self, handles: IntArray, span: Range) -> Batch:
        columns = self.cursor.execute(
            f"""SELECT signal, max(final) AS time, arg_max_null(value, start) AS value,
            arg_max_null(status, start) AS status FROM rollup_hour
            WHERE {_signals(handles)} AND start >= {span[0]} AND start < {span[1]}
            GROUP BY signal"""
        ).fetchnumpy()
        return batch(columns)

    def newest_hot(self, handles: IntArray, before: int) -> Batch:
        """Return, of what is hot, all samples at each signal's newest time before a moment."""
        columns = self.cursor.execute(
            f"""WITH hot AS ({self.hot()} WHERE {_signals(handles)} AND time < {before}),
            newest AS (SELECT signal, max(time) AS time FROM hot GROUP BY signal)
            SELECT hot.* FROM hot JOIN newest USING (signal, time) ORDER BY number, arrival"""
        ).fetchnumpy()
        return batch(columns)

    def latest(self) -> Batch:
        """Return the newest folded sample of every signal."""
        return batch(self.cursor.execute("FROM latest").fetchnumpy())

    # ---- roll-ups

    def rows(self, handle: int, span: Range, every: int) -> Rows:
        """Return one signal over a span as condensed rows, none reaching across `every`.

        Roll-ups are taken where they hold, samples elsewhere: in hours that the span cuts, that
        have hot samples, or that hold too few samples for minute roll-ups.
        """
        start, end = span
        inner = (-(-start // HOUR) * HOUR, end // HOUR * HOUR)
        handles = np.array([handle], np.int32)
        if every % MINUTE or inner[0] >= inner[1]:
            return as_rows(self.read(handles, [span]))
        hot = np.unique(self.read(handles, [inner], ("hot",)).time // HOUR * HOUR)
        hours = self._rolled("rollup_hour", handle, inner)
        usable = ~np.isin(hours.start, hot)
        if every % HOUR:
            usable &= hours.n >= DENSE
        rolled = hours.take(usable)
        if every % HOUR and len(rolled):
            minutes = self._rolled("rollup_minute", handle, inner)
            rolled = minutes.take(np.isin(minutes.start // HOUR * HOUR, rolled.start))
        raw = np.union1d(hours.start[~usable], hot).tolist()
        left = joined([(start, inner[0]), *((hour, hour + HOUR) for hour in raw), (inner[1], end)])
        return Rows.merge([rolled, as_rows(self.read(handles, left))])

    def _rolled(self, table: str, handle: int, span: Range) -> Rows:
        columns = self.cursor.execute(
            f"FROM {table} WHERE signal = {handle} AND start >= {span[0]} AND start < {span[1]}"
            " ORDER BY start"
        ).fetchnumpy()
        return Rows(**{name: np.ma.filled(column, np.nan) for name, column in columns.items()})

    # ---- SQL

    def sources(
        self, ranges: Sequence[Range], tiers: Sequence[str] = ("day", "run", "hot")
    ) -> Iterator[tuple[str, str]]:
        """Yield what SQL is to read, and the test for its rows; a few rows too many may pass.

        Later ones hold against earlier ones. Day files that are wanted whole come as one.
        """
        if not ranges:
            return
        if "day" in tiers:
            yield from self._files(ranges)
        for part in self.of("run") if "run" in tiers else ():
            if test := self.test(part, ranges):
                yield part.table, test
        for part in self.of("hot") if "hot" in tiers else ():
            yield part.table, f"time >= {ranges[0][0]} AND time < {ranges[-1][1]}"

    def _files(self, ranges: Sequence[Range]) -> Iterator[tuple[str, str]]:
        whole = []
        for part in self.of("day"):
            (day,) = part.days
            span = _hull(ranges, (day * DAY, (day + 1) * DAY))
            if span is None or not part.file or not self.is_sound(part):
                continue
            if span == (day * DAY, (day + 1) * DAY):
                whole.append(part)
            else:
                yield self.files([part]), f"time >= {span[0]} AND time < {span[1]}"
        if whole:
            yield self.files(whole), "true"

    def files(self, days: Sequence[Part]) -> str:
        """Return what SQL reads day files from."""
        names = ", ".join(quoted(self._folder / part.file) for part in days)
        return f"read_parquet([{names}])"

    def test(self, run: Part, ranges: Sequence[Range]) -> str:
        """Return the test for the rows of a run that are to be read; '': none."""
        shown = self.shown(run)
        if not shown:
            return ""
        span = _hull(ranges, (shown[0] * DAY, (shown[-1] + 1) * DAY))
        if span is None:
            return ""
        hidden = sorted(set(run.days) - set(shown))
        gaps = [
            f" AND NOT (time >= {start} AND time < {end})"
            for start, end in joined([(day * DAY, (day + 1) * DAY) for day in hidden])
            if start < span[1] and end > span[0]
        ]
        return f"time >= {span[0]} AND time < {span[1]}{''.join(gaps)}"

    def hot(self) -> str:
        """Return the SELECT of everything hot, with number and arrival to order it by."""
        everything = " UNION ALL ".join(
            f"SELECT {part.number} AS number, rowid AS arrival, * FROM {part.table}"
            for part in self.of("hot")
        )
        return f"SELECT * FROM ({everything})"


def batch(columns: dict[str, Any]) -> Batch:
    """Return rows as a batch. NaN is NULL in the tables, and comes back as a mask."""
    value = np.ma.filled(columns["value"], np.nan)
    return Batch(columns["signal"], columns["time"], value, columns["status"], received=0)


NOTHING = Batch.of((), (), (), received=0)


def in_order(found: Batch) -> Batch:
    """Return samples by (signal, time); of two on the same, the one that came later."""
    if len(found) < 2:
        return found
    signal, time = found.signal, found.time
    same = signal[1:] == signal[:-1]
    if ((signal[1:] > signal[:-1]) | (same & (time[1:] > time[:-1]))).all():
        return found
    found = found.take(np.lexsort((time, signal)))  # stable: arrival order stays among equals
    differs = (found.signal[1:] != found.signal[:-1]) | (found.time[1:] != found.time[:-1])
    return found if differs.all() else found.take(np.append(differs, True))


def tails(signal: IntArray) -> NDArray[np.bool_]:
    """Return where the last sample of each signal is, in samples by (signal, time)."""
    return np.append(signal[1:] != signal[:-1], True)[: len(signal)]


def as_rows(found: Batch) -> Rows:
    """Return samples by (signal, time) as condensed rows of one each."""
    return Rows.of(found.signal, found.time, found.value, found.status)


def joined(ranges: Sequence[Range]) -> list[Range]:
    """Return the ranges without empty ones, those that touch made one."""
    found: list[Range] = []
    for start, end in ranges:
        if start >= end:
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def quoted(path: Path) -> str:
    """Return a path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


def _signals(handles: IntArray) -> str:
    """Return the SQL test for handles; where they are many, one that lets more through."""
    if len(handles) <= 50 and handles[-1] - handles[0] + 1 != len(handles):
        return f"signal IN ({', '.join(map(str, handles))})"
    return f"signal BETWEEN {handles[0]} AND {handles[-1]}"


def _hull(ranges: Sequence[Range], within: Range) -> Range | None:
    """Return the least range that covers what the ranges have within another, if anything."""
    touched = [(low, high) for low, high in ranges if low < within[1] and high > within[0]]
    if not touched:
        return None
    return max(touched[0][0], within[0]), min(touched[-1][1], within[1])


def _inside(time: TimeArray, ranges: Sequence[Range]) -> NDArray[np.bool_]:
    edges = np.array(ranges, np.int64).ravel()
    inside: NDArray[np.bool_] = np.searchsorted(edges, time, side="right") % 2 == 1
    return inside
