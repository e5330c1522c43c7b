"""Samples on their way from hot to cold: arrival order, sorted runs, Parquet days, roll-ups.

What arrives goes into a hot part, in order of arrival. A closed hot part is folded into a run:
sorted by (signal, time), without duplicates, its hours rolled up. Old days are moved out of the
runs into one sorted Parquet file each.

Parts are numbered in order of arrival, which settles everything: of two samples on one (signal,
time) the part with the higher number wins, and a day file numbered n stands for everything of its
day in parts numbered up to n. So each step is one commit, and a kill between steps neither loses
nor doubles anything.
"""
# ruff: noqa: S608 — what SQL is put together from here are numbers and our own names of tables

from __future__ import annotations

import fnmatch
import logging
import os
import secrets
import threading
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import Clock
from deungdae.core.types import DAY, HOUR, MINUTE, Batch, Event, IntArray, TimeArray

from . import events, rollup
from .rollup import Rows

log = logging.getLogger("deungdae.historian")

Range = tuple[int, int]

CHUNK = 120_000  # samples sorted at once: bounds the memory of the background work
DENSE = 120  # samples in an hour from which minute roll-ups are kept; below, raw is as quick
QUIET = HOUR  # a day that still receives samples is left alone for so long
GRACE = 5 * MINUTE  # a hot part closes so long after the full hour, to hold the hour's stragglers
LINGER = 60.0  # seconds that a replaced file stays for those who still read it

_ROW_TYPES = {
    "signal": "INTEGER",
    "status": "UTINYINT",
    **dict.fromkeys(("start", "n", "good", "first", "final", "covered"), "BIGINT"),
}
_ROW_COLUMNS = ", ".join(f'"{name}" {_ROW_TYPES.get(name, "DOUBLE")}' for name in rollup.COLUMNS)
_SAMPLE_COLUMNS = "signal INTEGER, time BIGINT, value DOUBLE, status UTINYINT"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS parts (
    number BIGINT, tier VARCHAR, days INTEGER[], created BIGINT, rows BIGINT, plain BOOLEAN,
    file VARCHAR, bytes BIGINT, checksum BIGINT, rules VARCHAR[]);
CREATE TABLE IF NOT EXISTS latest (
    signal INTEGER PRIMARY KEY, time BIGINT, value DOUBLE, status UTINYINT);
CREATE TABLE IF NOT EXISTS rollup_minute ({_ROW_COLUMNS});
CREATE TABLE IF NOT EXISTS rollup_hour ({_ROW_COLUMNS});
"""


class Part(msgspec.Struct, frozen=True):
    """One piece of the memory.

    days: UTC days since 1970 that it holds samples of; unknown, so empty, while hot.
    plain: no sample in it replaces one in an older part. file: of a day, in the folder `days`.
    rules: retention rules already applied to it.
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
        return f"{self.tier}_{self.number}"


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[historian.retention]]` line. Of several that match a signal, the first holds."""

    signals: Annotated[
        str, msgspec.Meta(description="ids of signals; * stands for any text, ? for one character")
    ]
    days: Annotated[
        int,
        msgspec.Meta(ge=1, description="samples older than this are dropped", extra={"unit": "d"}),
    ]
    rollup_days: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="roll-ups older than this are dropped; 0: never",
            extra={"unit": "d"},
        ),
    ] = 0

    @property
    def name(self) -> str:
        """Return the rule in words, as gap records name it."""
        return f"{self.signals} {self.days} d"


class Segments:
    """All parts of one store. Cursors are passed in; each call sees its transaction's state."""

    def __init__(
        self, folder: Path, clock: Clock, *, keep_days: int, rules: Sequence[Retention]
    ) -> None:
        self.folder = folder / "days"
        self.keep_days = keep_days
        self.rules = tuple(rules)
        self._clock = clock
        self._sound: set[str] = set()
        self._replaced: list[tuple[float, Path]] = []
        self._repair = threading.Lock()
        self.hot = Part(0, "hot")

    def open(self, connection: duckdb.DuckDBPyConnection, now: int) -> None:
        """Make the folder and the tables fit, clear away what a kill left half done."""
        self.folder.mkdir(exist_ok=True)
        connection.execute(SCHEMA)
        connection.execute("DROP TABLE IF EXISTS work")
        found = self.parts(connection)
        listed = {part.file for part in found}
        for path in self.folder.iterdir():
            if path.name not in listed and path.suffix != ".damaged":
                path.unlink()
        for part in found:
            if part.tier == "day" and part.file and _size(self.folder / part.file) != part.bytes:
                self._isolate(connection, part, "the file is missing or has the wrong length")
        hot = [part for part in found if part.tier == "hot"]
        if hot:
            self.hot = hot[-1]
        else:
            self.rotate(connection, now)

    def parts(self, cursor: duckdb.DuckDBPyConnection) -> list[Part]:
        """Return all parts, in order of number."""
        rows = cursor.execute("FROM parts ORDER BY number").fetchall()
        return [
            msgspec.convert(dict(zip(Part.__struct_fields__, row, strict=True)), Part)
            for row in rows
        ]

    # ---- arrival

    def append(self, connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
        """Insert into the hot part, within the caller's transaction."""
        _insert_samples(connection, self.hot.table, batch)

    def rotate(self, connection: duckdb.DuckDBPyConnection, now: int) -> None:
        """Close the hot part and begin the next; nobody else may write meanwhile."""
        (highest,) = connection.execute("SELECT coalesce(max(number), 0) FROM parts").fetchall()[0]
        part = Part(highest + 1, "hot", created=now)
        connection.begin()
        connection.execute(f"CREATE TABLE {part.table} ({_SAMPLE_COLUMNS})")
        _record(connection, part)
        connection.commit()
        self.hot = part

    def is_due(self, now: int) -> bool:
        """Return whether the hot part has lived through the end of an hour."""
        return (now - GRACE) // HOUR > (self.hot.created - GRACE) // HOUR

    # ---- reading

    def read(
        self,
        cursor: duckdb.DuckDBPyConnection,
        parts: Sequence[Part],
        handles: IntArray,
        ranges: Sequence[Range],
    ) -> Batch:
        """Return samples of the handles in the ranges, by (signal, time), without duplicates.

        handles: sorted. ranges: [start, end) each, in order, apart from each other.
        """
        stands = _replacing(parts)
        chosen, inner = _signals(handles), []
        for part in parts:
            test = _visible(part, stands, ranges)
            if test and self._is_sound(cursor, part):
                inner.append(
                    f"SELECT signal, time, value, status FROM {self.source(part)}"
                    f" WHERE {chosen} AND {test}"
                )
        if not inner:
            return Batch.of((), (), (), received=0)
        batch = _batch(cursor.execute(" UNION ALL ".join(inner)).fetchnumpy())
        wanted = _inside(batch.time, ranges)
        if handles[-1] - handles[0] + 1 != len(handles):
            wanted &= np.isin(batch.signal, handles)
        return in_order(batch if wanted.all() else batch.take(wanted))

    def newest(
        self,
        cursor: duckdb.DuckDBPyConnection,
        parts: Sequence[Part],
        handles: IntArray,
        before: int,
    ) -> Batch:
        """Return the newest sample before a moment of each handle that has one."""
        edge, chosen = before // HOUR * HOUR, _signals(handles)
        sorted_parts = [part for part in parts if part.tier != "hot"]
        whole = cursor.execute(
            f"""SELECT signal, final AS time, value, status FROM rollup_hour
            WHERE {chosen} AND start < {edge} QUALIFY
            start = max(start) OVER (PARTITION BY signal)"""
        ).fetchnumpy()
        partial = self.read(cursor, sorted_parts, handles, [(edge, before)])
        found = Batch.merge(
            [_batch(whole), partial, self.newest_hot(cursor, parts, handles, before)]
        )
        found = in_order(found.take(np.isin(found.signal, handles)))
        return found.take(_tails(found.signal))

    def newest_hot(
        self,
        cursor: duckdb.DuckDBPyConnection,
        parts: Sequence[Part],
        handles: IntArray,
        before: int,
    ) -> Batch:
        """Return, of what is hot, all samples at each signal's newest time before a moment."""
        hot = " UNION ALL ".join(
            f"SELECT {part.number} AS number, rowid AS arrival, * FROM {part.table}"
            f" WHERE {_signals(handles)} AND time < {before}"
            for part in parts
            if part.tier == "hot"
        )
        columns = cursor.execute(
            f"""WITH hot AS ({hot}), newest AS (SELECT signal, max(time) AS time FROM hot
            GROUP BY signal) SELECT hot.* FROM hot JOIN newest USING (signal, time)
            ORDER BY number, arrival"""
        ).fetchnumpy()
        return _batch(columns)

    def latest(self, cursor: duckdb.DuckDBPyConnection) -> Batch:
        """Return the newest folded sample of every signal."""
        return _batch(cursor.execute("FROM latest").fetchnumpy())

    def make_view(self, cursor: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Make the view samples_raw(signal, time, value, status): everything, without duplicates.

        Parts that may replace samples of older ones are looked up for each of those; in a plant
        whose samples come in order there are none.
        """
        hot = " UNION ALL ".join(
            f"SELECT {part.number} AS number, rowid AS arrival, * FROM {part.table}"
            for part in parts
            if part.tier == "hot"
        )
        cursor.execute(
            f"""CREATE TEMP VIEW hot_raw AS SELECT signal, time, value, status FROM ({hot}) QUALIFY
            row_number() OVER (PARTITION BY signal, time ORDER BY number DESC, arrival DESC) = 1"""
        )
        (late,) = cursor.execute(
            "SELECT count(*) FROM hot_raw h JOIN latest l USING (signal) WHERE h.time <= l.time"
        ).fetchall()[0]
        stands = _replacing(parts)
        inner = ["FROM hot_raw"]
        for part in parts:
            test = _visible(part, stands, [(-(2**63), 2**63 - 1)])
            if part.tier == "hot" or not test or not self._is_sound(cursor, part):
                continue
            newer = [
                self.source(other)
                for other in parts
                if other.tier == "run"
                and other.number > part.number
                and not other.plain
                and not set(other.days).isdisjoint(part.days)
            ]
            replaced = "".join(
                f" AND NOT EXISTS (FROM {other} o WHERE o.signal = s.signal AND o.time = s.time)"
                for other in [*newer, *(["hot_raw"] if late else [])]
            )
            inner.append(
                f"SELECT signal, time, value, status FROM {self.source(part)} s"
                f" WHERE {test}{replaced}"
            )
        cursor.execute(f"CREATE TEMP VIEW samples_raw AS {' UNION ALL '.join(inner)}")

    def rows(
        self,
        cursor: duckdb.DuckDBPyConnection,
        parts: Sequence[Part],
        handle: int,
        span: Range,
        every: int,
    ) -> Rows:
        """Return one signal over a span as condensed rows, none reaching across `every`.

        Roll-ups are taken where they hold, samples elsewhere: in hours that the span cuts, that
        have hot samples, or that hold too few samples for minute roll-ups.
        """
        start, end = span
        inner = (-(-start // HOUR) * HOUR, end // HOUR * HOUR)
        handles = np.array([handle], np.int32)
        if every % MINUTE or inner[0] >= inner[1]:
            return _as_rows(self.read(cursor, parts, handles, [span]))
        hot = self.read(cursor, [part for part in parts if part.tier == "hot"], handles, [span])
        dirty = np.unique(hot.time // HOUR * HOUR)
        hours = _rolled(cursor, "rollup_hour", handle, inner)
        usable = ~np.isin(hours.start, dirty)
        if every % HOUR:
            usable &= hours.n >= DENSE
            minutes = _rolled(cursor, "rollup_minute", handle, inner)
            rolled = minutes.take(np.isin(minutes.start // HOUR * HOUR, hours.start[usable]))
        else:
            rolled = hours.take(usable)
        raw = np.union1d(hours.start[~usable], dirty[(dirty >= inner[0]) & (dirty < inner[1])])
        left = _joined([(start, inner[0]), *((h, h + HOUR) for h in raw.tolist()), (inner[1], end)])
        return Rows.merge([rolled, _as_rows(self.read(cursor, parts, handles, left))])

    def source(self, part: Part) -> str:
        """Return what SQL reads the part from."""
        if part.tier == "day":
            return f"read_parquet('{_quoted(self.folder / part.file)}')"
        return part.table

    # ---- background work

    def work(self, cursor: duckdb.DuckDBPyConnection, now: int) -> Iterator[str]:
        """Do all that is due, yielding what was done after each bounded step."""
        while closed := [
            part
            for part in self.parts(cursor)
            if part.tier == "hot" and part.number < self.hot.number
        ]:
            self._fold(cursor, closed[0], now)
            yield f"folded {closed[0].table}"
        for day in self._old_days(cursor, now):
            yield from self._move(cursor, day, now)
        self._forget_rollups(cursor, now)
        self._sweep()

    def _fold(self, cursor: duckdb.DuckDBPyConnection, hot: Part, now: int) -> None:
        """Turn a closed hot part into a run, in one commit."""
        older = [part for part in self.parts(cursor) if part.number < hot.number]
        known = _Latest(cursor)
        run = msgspec.structs.replace(hot, tier="run", created=now)
        days: set[int] = set()
        rows, plain = 0, True
        cursor.begin()
        try:
            cursor.execute(f"CREATE TABLE {run.table} ({_SAMPLE_COLUMNS})")
            for low, high in _chunks(cursor, f"SELECT signal FROM {hot.table}"):
                chunk = _batch(
                    cursor.execute(
                        f"FROM {hot.table} WHERE signal BETWEEN {low} AND {high}"
                    ).fetchnumpy()
                )
                chunk = in_order(chunk)
                _insert_samples(cursor, run.table, chunk)
                self._roll(cursor, older, chunk, now)
                days.update(np.unique(chunk.time // DAY).tolist())
                rows, plain = rows + len(chunk), plain and known.is_before(chunk)
                known.update(cursor, chunk)
            cursor.execute(f"DELETE FROM parts WHERE number = {hot.number}")
            cursor.execute(f"DROP TABLE {hot.table}")
            if rows:
                run = msgspec.structs.replace(run, days=tuple(sorted(days)), rows=rows, plain=plain)
                _record(cursor, run)
            else:
                cursor.execute(f"DROP TABLE {run.table}")
            cursor.commit()
        except BaseException:
            cursor.rollback()
            raise

    def _roll(
        self, cursor: duckdb.DuckDBPyConnection, older: Sequence[Part], new: Batch, now: int
    ) -> None:
        """Bring the roll-ups of every hour that the new samples touch up to date."""
        new = new.take(~self._expired(cursor, new, now))
        if len(new) == 0:
            return
        mine = _pairs(new.signal, new.time)
        found = cursor.execute(
            f"""SELECT signal, start FROM rollup_hour WHERE
            signal BETWEEN {new.signal[0]} AND {new.signal[-1]} AND start BETWEEN
            {new.time.min() // HOUR * HOUR} AND {new.time.max()}"""
        ).fetchnumpy()
        again = np.isin(_pairs(found["signal"], found["start"]), mine)
        signal, start = found["signal"][again], found["start"][again]
        pieces = [
            self.read(cursor, older, np.unique(signal[start == hour]), [(hour, hour + HOUR)])
            for hour in np.unique(start).tolist()
        ]
        full = in_order(Batch.merge([*pieces, new])) if pieces else new
        if len(start):
            for table, size in (("rollup_hour", HOUR), ("rollup_minute", MINUTE)):
                cursor.register("again", {"signal": signal, "hour": start})
                cursor.execute(
                    f"""DELETE FROM {table} r USING again a WHERE r.signal = a.signal
                    AND r.start BETWEEN {start.min()} AND {start.max() + HOUR - size}
                    AND r.start - (r.start % {HOUR} + {HOUR}) % {HOUR} = a.hour"""
                )
                cursor.unregister("again")
        minutes = rollup.condense(_as_rows(full), MINUTE)
        hours = rollup.condense(minutes, HOUR)
        dense = hours.take(hours.n >= DENSE)
        kept = np.isin(_pairs(minutes.signal, minutes.start), _pairs(dense.signal, dense.start))
        _insert_rows(cursor, "rollup_hour", hours)
        _insert_rows(cursor, "rollup_minute", minutes.take(kept))

    def _old_days(self, cursor: duckdb.DuckDBPyConnection, now: int) -> list[int]:
        """Return the days to be written anew: old and quiet ones in runs, those a rule is due on.

        Days that lie in the future by a wrong clock count as old: they would hold a run for ever.
        """
        parts = self.parts(cursor)
        stands = _replacing(parts)
        today = now // DAY
        found = set()
        for part in parts:
            for day in part.days:
                if part.tier == "damaged" or stands.get(day, -1) > part.number:
                    continue
                in_run = part.tier == "run" and stands.get(day, -1) < part.number
                settled = day < today - self.keep_days or day > today + 1
                if in_run and settled:
                    found.add(day)
                due = {rule.name for rule in self._due(day, now)}
                if (in_run or part.rows) and due - set(part.rules):
                    found.add(day)
        busy = {
            day
            for part in parts
            if part.tier == "run" and part.created > now - QUIET
            for day in part.days
        }
        return sorted(found - busy)

    def _move(self, cursor: duckdb.DuckDBPyConnection, day: int, now: int) -> Iterator[str]:
        """Write one day, less what the retention rules drop, as a sorted Parquet file."""
        parts = [
            part for part in self.parts(cursor) if part.tier in ("run", "day") and day in part.days
        ]
        number = max(part.number for part in parts)
        span = (day * DAY, (day + 1) * DAY)
        dropped = _Dropped(self._due(day, now), self._handles(cursor))
        rows = 0
        cursor.execute("DROP TABLE IF EXISTS work")
        cursor.execute(f"CREATE TABLE work ({_SAMPLE_COLUMNS})")
        for low, high in _chunks(cursor, self._union(cursor, parts, span)):
            chunk = self.read(cursor, parts, np.arange(low, high + 1, dtype=np.int32), [span])
            chunk = dropped.sift(chunk)
            _insert_samples(cursor, "work", chunk)
            rows += len(chunk)
            yield f"collected day {_name(day)}"
        part = Part(
            number, "day", (day,), created=now, rows=rows, rules=tuple(sorted(dropped.counts))
        )
        if rows:
            part = self._write(cursor, part, day)
        self._commit_day(cursor, part, dropped.gaps(day, now))
        log.info("day=%s rows=%d file=%s state=moved", _name(day), rows, part.file or "none")
        yield f"moved day {_name(day)}"

    def _write(self, cursor: duckdb.DuckDBPyConnection, part: Part, day: int) -> Part:
        """Write the table `work` as a durable file; nobody knows of it until it is committed."""
        path = self.folder / f"{_name(day)}-{secrets.token_hex(4)}.parquet"
        temporary = path.with_suffix(".writing")
        cursor.execute(
            f"COPY work TO '{_quoted(temporary)}'"
            " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        )
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        checksum = _checksum(temporary)
        temporary.rename(path)
        _sync_folder(self.folder)
        self._sound.add(path.name)
        return msgspec.structs.replace(
            part, file=path.name, bytes=path.stat().st_size, checksum=checksum
        )

    def _commit_day(
        self, cursor: duckdb.DuckDBPyConnection, part: Part, gaps: Sequence[Event]
    ) -> None:
        """Let the day file stand for its day, and drop what nobody needs any more."""
        (day,) = part.days
        cursor.begin()
        try:
            before = self.parts(cursor)
            files = [old for old in before if old.tier == "day" and old.days == part.days]
            for old in files:
                cursor.execute("DELETE FROM parts WHERE tier = 'day' AND file = ?", [old.file])
            _record(cursor, part)
            stands = _replacing(self.parts(cursor))
            for run in before:
                if run.tier == "run" and all(stands.get(d, -1) >= run.number for d in run.days):
                    cursor.execute(f"DROP TABLE {run.table}")
                    cursor.execute(
                        f"DELETE FROM parts WHERE tier = 'run' AND number = {run.number}"
                    )
            _sort_minutes(cursor, day)
            if gaps:
                events.add_events(cursor, gaps)
            cursor.execute("DROP TABLE work")
            self._drop_empty_days(cursor)
            cursor.commit()
        except BaseException:
            cursor.rollback()
            raise
        leave = self._clock.monotonic() + LINGER
        self._replaced += [(leave, self.folder / old.file) for old in files if old.file]

    def _drop_empty_days(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Forget days of which everything was dropped, once no run holds samples of them."""
        parts = self.parts(cursor)
        in_runs = {day for part in parts if part.tier == "run" for day in part.days}
        for part in parts:
            if part.tier == "day" and not part.rows and part.days[0] not in in_runs:
                cursor.execute(
                    "DELETE FROM parts WHERE tier = 'day' AND days = ?", [list(part.days)]
                )

    def _union(self, cursor: duckdb.DuckDBPyConnection, parts: Sequence[Part], span: Range) -> str:
        stands = _replacing(parts)
        inner = [
            f"SELECT signal FROM {self.source(part)} WHERE {test}"
            for part in parts
            if (test := _visible(part, stands, [span])) and self._is_sound(cursor, part)
        ]
        return " UNION ALL ".join(inner)

    # ---- retention

    def _handles(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, IntArray]:
        """Return, by name of rule, the handles that it is the first to match."""
        found: dict[str, list[int]] = {rule.name: [] for rule in self.rules}
        for handle, id in cursor.execute("SELECT handle, id FROM signals").fetchall():
            for rule in self.rules:
                if fnmatch.fnmatchcase(id, rule.signals):
                    found[rule.name].append(handle)
                    break
        return {name: np.array(sorted(some), np.int32) for name, some in found.items()}

    def _due(self, day: int, now: int) -> list[Retention]:
        return [rule for rule in self.rules if now - (day + 1) * DAY >= rule.days * DAY]

    def _expired(
        self, cursor: duckdb.DuckDBPyConnection, batch: Batch, now: int
    ) -> NDArray[np.bool_]:
        """Return which samples a rule would drop: the roll-ups know more than they could tell."""
        expired = np.zeros(len(batch), bool)
        if not self.rules:
            return expired
        handles = self._handles(cursor)
        for rule in self.rules:
            old = batch.time < (now // DAY - rule.days) * DAY
            expired |= old & np.isin(batch.signal, handles[rule.name])
        return expired

    def _forget_rollups(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Drop the roll-ups that rules limit, and say so."""
        limited = [rule for rule in self.rules if rule.rollup_days]
        handles = self._handles(cursor) if limited else {}
        for rule in limited:
            edge = (now // DAY - rule.rollup_days) * DAY
            if len(handles[rule.name]) == 0:
                continue
            old = f"signal IN ({', '.join(map(str, handles[rule.name]))}) AND start < {edge}"
            count, first = cursor.execute(
                f"SELECT count(*), min(start) FROM rollup_hour WHERE {old}"
            ).fetchall()[0]
            if not count:
                continue
            cursor.begin()
            cursor.execute(f"DELETE FROM rollup_hour WHERE {old}")
            cursor.execute(f"DELETE FROM rollup_minute WHERE {old}")
            data = {"until": str(edge), "rule": rule.name, "rollup_hours": str(count)}
            events.add_events(cursor, [_gap("retention", first, now, data)])
            cursor.commit()

    # ---- soundness

    def verify(self, cursor: duckdb.DuckDBPyConnection) -> list[str]:
        """Return every problem found by reading everything; damaged day files are put aside."""
        problems = []
        for part in self.parts(cursor):
            if part.tier == "damaged":
                problems.append(
                    f"{part.file}: damaged, put aside earlier; restore it from a backup"
                )
            elif part.tier == "day" and part.file:
                self._sound.discard(part.file)
                if not self._is_sound(cursor, part):
                    problems.append(f"{part.file}: the checksum differs; put aside as .damaged")
            elif part.tier in ("hot", "run"):
                try:
                    cursor.execute(f"SELECT sum(hash(COLUMNS(*))) FROM {part.table}").fetchall()
                except duckdb.Error as error:
                    problems.append(f"{part.table}: {error}")
        return problems

    def bytes(self, cursor: duckdb.DuckDBPyConnection) -> int:
        """Return how much the day files hold."""
        return sum(part.bytes for part in self.parts(cursor) if part.tier == "day")

    def _is_sound(self, cursor: duckdb.DuckDBPyConnection, part: Part) -> bool:
        """Return whether a part may be read. A file is checked when it is first used."""
        if part.tier == "damaged" or (part.tier == "day" and not part.file):
            return False
        if part.tier != "day" or part.file in self._sound:
            return True
        path = self.folder / part.file
        if _size(path) == part.bytes and _checksum(path) == part.checksum:
            self._sound.add(part.file)
            return True
        repairing = cursor.cursor()
        try:
            self._isolate(repairing, part, "the checksum differs")
        finally:
            repairing.close()
        return False

    def _isolate(self, cursor: duckdb.DuckDBPyConnection, part: Part, problem: str) -> None:
        """Put a damaged day file aside and record the gap."""
        path = self.folder / part.file
        with self._repair:
            if not any(p.file == part.file and p.tier == "day" for p in self.parts(cursor)):
                return
            if path.exists():
                path.rename(path.with_suffix(".damaged"))
            start = part.days[0] * DAY
            data = {"until": str(start + DAY), "file": part.file, "problem": problem}
            cursor.begin()
            cursor.execute(
                "UPDATE parts SET tier = 'damaged', bytes = 0 WHERE file = ?", [part.file]
            )
            events.add_events(cursor, [_gap("damaged", start, self._clock.now(), data)])
            cursor.commit()
        log.error("file=%s state=damaged problem=%r", part.file, problem)

    def _sweep(self) -> None:
        """Remove replaced files that nobody can be reading any more."""
        now = self._clock.monotonic()
        for leave, path in self._replaced:
            if leave <= now:
                path.unlink(missing_ok=True)
        self._replaced = [(leave, path) for leave, path in self._replaced if leave > now]


class _Latest:
    """The newest folded sample of every signal, as the table `latest` holds it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        rows = cursor.execute("SELECT signal, time FROM latest").fetchnumpy()
        self._time = dict(zip(rows["signal"].tolist(), rows["time"].tolist(), strict=True))

    def is_before(self, chunk: Batch) -> bool:
        """Return whether everything in a sorted chunk is newer than what is known."""
        heads = np.flatnonzero(np.append(True, chunk.signal[1:] != chunk.signal[:-1]))
        firsts = zip(chunk.signal[heads].tolist(), chunk.time[heads].tolist(), strict=True)
        return all(time > self._time.get(signal, time - 1) for signal, time in firsts)

    def update(self, cursor: duckdb.DuckDBPyConnection, chunk: Batch) -> None:
        tails = chunk.take(_tails(chunk.signal))
        cursor.register(
            "tails",
            {
                "signal": tails.signal,
                "time": tails.time,
                "value": tails.value,
                "status": tails.status,
            },
        )
        cursor.execute(
            """INSERT INTO latest SELECT * FROM tails ON CONFLICT (signal) DO UPDATE SET
            time = excluded.time, value = excluded.value, status = excluded.status
            WHERE excluded.time >= latest.time"""
        )
        cursor.unregister("tails")


class _Dropped:
    """What the rules that are due on a day drop of it, counted."""

    def __init__(self, due: Sequence[Retention], handles: dict[str, IntArray]) -> None:
        self._handles = {rule.name: handles[rule.name] for rule in due}
        self.counts = dict.fromkeys(self._handles, 0)

    def sift(self, batch: Batch) -> Batch:
        keep = np.ones(len(batch), bool)
        for name, handles in self._handles.items():
            hit = np.isin(batch.signal, handles)
            self.counts[name] += int(hit.sum())
            keep &= ~hit
        return batch.take(keep)

    def gaps(self, day: int, now: int) -> list[Event]:
        return [
            _gap(
                "retention",
                day * DAY,
                now,
                {"until": str((day + 1) * DAY), "rule": name, "samples": str(count)},
            )
            for name, count in self.counts.items()
            if count
        ]


def in_order(batch: Batch) -> Batch:
    """Return samples by (signal, time); of two on the same, the one that came later."""
    if len(batch) < 2:
        return batch
    signal, time = batch.signal, batch.time
    same = signal[1:] == signal[:-1]
    if ((signal[1:] > signal[:-1]) | (same & (time[1:] > time[:-1]))).all():
        return batch
    batch = batch.take(np.lexsort((time, signal)))  # stable: arrival order stays among equals
    differs = (batch.signal[1:] != batch.signal[:-1]) | (batch.time[1:] != batch.time[:-1])
    return batch if differs.all() else batch.take(np.append(differs, True))


def _tails(signal: IntArray) -> NDArray[np.bool_]:
    return np.append(signal[1:] != signal[:-1], True)[: len(signal)]


def _as_rows(batch: Batch) -> Rows:
    return Rows.of(batch.signal, batch.time, batch.value, batch.status)


def _batch(columns: dict[str, Any]) -> Batch:
    """Return rows as a batch. NaN is NULL in the tables, and comes back as a mask."""
    value = np.ma.filled(columns["value"], np.nan)
    return Batch(columns["signal"], columns["time"], value, columns["status"], received=0)


def _signals(handles: IntArray) -> str:
    """Return the SQL test for handles; where they are many, one that lets more through."""
    if len(handles) <= 50 and handles[-1] - handles[0] + 1 != len(handles):
        return f"signal IN ({', '.join(map(str, handles))})"
    return f"signal BETWEEN {handles[0]} AND {handles[-1]}"


def _replacing(parts: Sequence[Part]) -> dict[int, int]:
    """Return the number of the day file that stands for each day."""
    return {part.days[0]: part.number for part in parts if part.tier == "day"}


def _visible(part: Part, stands: dict[int, int], ranges: Sequence[Range]) -> str:
    """Return the SQL test for the rows of a part to be read, a few too many; "": none."""
    if part.tier == "damaged" or not ranges:
        return ""
    low, high = ranges[0][0], ranges[-1][1]
    hidden: list[Range] = []
    if part.tier != "hot":
        hides = part.tier == "run"
        shown = [day for day in part.days if not (hides and stands.get(day, -1) >= part.number)]
        if not shown:
            return ""
        low, high = max(low, shown[0] * DAY), min(high, (shown[-1] + 1) * DAY)
        hidden = _joined(
            [(day * DAY, (day + 1) * DAY) for day in sorted(set(part.days) - set(shown))]
        )
    touched = [(start, end) for start, end in ranges if start < high and end > low]
    if not touched:
        return ""
    low, high = max(low, touched[0][0]), min(high, touched[-1][1])
    gaps = "".join(
        f" AND NOT (time >= {start} AND time < {end})"
        for start, end in hidden
        if start < high and end > low
    )
    return f"time >= {low} AND time < {high}{gaps}"


def _joined(ranges: Sequence[Range]) -> list[Range]:
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


def _inside(time: TimeArray, ranges: Sequence[Range]) -> NDArray[np.bool_]:
    edges = np.array(ranges, np.int64).ravel()
    inside: NDArray[np.bool_] = np.searchsorted(edges, time, side="right") % 2 == 1
    return inside


def _pairs(signal: IntArray, time: TimeArray) -> TimeArray:
    """Return one number for each (signal, hour of time)."""
    return (signal.astype(np.int64) << 32) + time // HOUR


def _chunks(cursor: duckdb.DuckDBPyConnection, source: str) -> list[Range]:
    """Return (first, last) handles of pieces of about CHUNK samples. source: SELECT signal …"""
    if not source:
        return []
    counts = cursor.execute(
        f"SELECT signal, count(*) FROM ({source}) GROUP BY signal ORDER BY signal"
    ).fetchall()
    found: list[Range] = []
    size = CHUNK
    for signal, count in counts:
        if size + count > CHUNK:
            found.append((signal, signal))
            size = 0
        found[-1] = (found[-1][0], signal)
        size += count
    return found


def _rolled(cursor: duckdb.DuckDBPyConnection, table: str, handle: int, span: Range) -> Rows:
    columns = cursor.execute(
        f"FROM {table} WHERE signal = {handle} AND start >= {span[0]} AND start < {span[1]}"
        " ORDER BY start"
    ).fetchnumpy()
    return Rows(**{name: np.ma.filled(column, np.nan) for name, column in columns.items()})


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, columns: dict[str, Any]) -> None:
    cursor.register("arriving", columns)
    cursor.execute(f"INSERT INTO {table} FROM arriving")
    cursor.unregister("arriving")


def _insert_samples(cursor: duckdb.DuckDBPyConnection, table: str, batch: Batch) -> None:
    columns = {
        "signal": batch.signal,
        "time": batch.time,
        "value": batch.value,
        "status": batch.status,
    }
    _insert(cursor, table, columns)


def _insert_rows(cursor: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    _insert(cursor, table, {name: getattr(rows, name) for name in rollup.COLUMNS})


def _record(cursor: duckdb.DuckDBPyConnection, part: Part) -> None:
    values = [list(v) if isinstance(v, tuple) else v for v in msgspec.structs.astuple(part)]
    cursor.execute(f"INSERT INTO parts VALUES ({', '.join('?' * len(values))})", values)


def _sort_minutes(cursor: duckdb.DuckDBPyConnection, day: int) -> None:
    """Lay a day's minute roll-ups anew by signal, so that long ranges of one read little."""
    span = f"start >= {day * DAY} AND start < {(day + 1) * DAY}"
    (newest,) = cursor.execute("SELECT coalesce(max(rowid), -1) FROM rollup_minute").fetchall()[0]
    cursor.execute(
        f"INSERT INTO rollup_minute FROM rollup_minute WHERE {span} ORDER BY signal, start"
    )
    cursor.execute(f"DELETE FROM rollup_minute WHERE {span} AND rowid <= {newest}")


def _gap(what: str, start: int, now: int, data: dict[str, str]) -> Event:
    id = f"historian.{what}"
    return Event(id=id, time=start, kind="gap", value=what, received=now, data=data)


def _name(day: int) -> str:
    """Return a UTC day as ISO 8601, also where the calendar of the library ends."""
    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day{day}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _checksum(path: Path) -> int:
    """Return the CRC-32 of a file."""
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total = zlib.crc32(block, total)
    return total


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
