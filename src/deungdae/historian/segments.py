"""Samples on their way from hot to cold: arrival order, sorted runs, Parquet days, roll-ups.

What arrives goes into a hot part, in order of arrival. A closed hot part is folded into a run:
sorted by (signal, time), without duplicates, its hours rolled up. Old days are moved out of the
runs into one sorted Parquet file each. Each step is one commit, and the numbers of the parts say
what holds (see `snapshot`): a kill between steps neither loses nor doubles anything.
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
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import Clock
from deungdae.core.types import DAY, HOUR, MINUTE, Batch, Event, IntArray, TimeArray

from . import events, rollup
from .rollup import Rows
from .snapshot import DENSE, Part, Range, Snapshot, as_rows, batch, in_order, quoted, tails

log = logging.getLogger("deungdae.historian")

CHUNK = 120_000  # samples sorted at once: bounds the memory of the background work
QUIET = HOUR  # a day that still receives samples is left alone for so long
GRACE = 5 * MINUTE  # a hot part closes so long after the full hour, to hold the hour's stragglers
DESK = 16_384  # samples of one append that need no view of their own
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
    """The parts of one store, and the work on them. One writer and one worker at a time."""

    def __init__(
        self, folder: Path, clock: Clock, *, keep_days: int, rules: Sequence[Retention]
    ) -> None:
        self._folder = folder / "days"
        self._clock = clock
        self._keep_days = keep_days
        self._rules = tuple(rules)
        self._sound: set[str] = set()  # files whose checksum was found right
        self._replaced: list[tuple[float, Path]] = []  # (when nobody reads it any more, file)
        self._repair = threading.Lock()
        self._desk: dict[str, NDArray[Any]] = {
            "signal": np.zeros(DESK, np.int32),
            "time": np.zeros(DESK, np.int64),
            "value": np.zeros(DESK, np.float64),
            "status": np.zeros(DESK, np.uint8),
        }
        self.hot = Part(0, "hot")

    def open(self, connection: duckdb.DuckDBPyConnection, now: int) -> None:
        """Make the folder and the tables fit, clear away what a kill left half done."""
        self._folder.mkdir(exist_ok=True)
        connection.execute(SCHEMA)
        connection.execute("DROP TABLE IF EXISTS work")
        connection.register("desk", self._desk)
        found = self.snapshot(connection)
        listed = {part.file for part in found.parts}
        for path in self._folder.iterdir():
            if path.name not in listed and path.suffix != ".damaged":
                path.unlink()
        for part in found.of("day"):
            if part.file and _size(self._folder / part.file) != part.bytes:
                self._isolate(connection, part, "the file is missing or has the wrong length")
        hot = found.of("hot")
        if not hot:
            with _transaction(connection):
                hot = [self.begin(connection, now)]
        self.hot = hot[-1]

    def snapshot(self, cursor: duckdb.DuckDBPyConnection) -> Snapshot:
        """Return the state that the cursor sees now."""
        return Snapshot(cursor, self._folder, lambda part: self._is_sound(cursor, part))

    # ---- arrival

    def append(self, connection: duckdb.DuckDBPyConnection, arrived: Batch) -> None:
        """Insert into the hot part, within the caller's transaction.

        Making and dropping a view costs as much as inserting 5,000 samples, so that what fits is
        copied onto a desk that stays in view.
        """
        n = len(arrived)
        if n > DESK:
            _insert_samples(connection, self.hot.table, arrived)
            return
        for name, column in _columns(arrived).items():
            self._desk[name][:n] = column
        connection.execute(f"INSERT INTO {self.hot.table} FROM desk LIMIT {n}")

    def begin(self, connection: duckdb.DuckDBPyConnection, now: int) -> Part:
        """Return the next hot part, within the caller's transaction; then set it as `hot`."""
        (highest,) = connection.execute("SELECT coalesce(max(number), 0) FROM parts").fetchall()[0]
        part = Part(highest + 1, "hot", created=now)
        connection.execute(f"CREATE TABLE {part.table} ({_SAMPLE_COLUMNS})")
        _record(connection, part)
        return part

    def is_due(self, now: int) -> bool:
        """Return whether the hot part began in another hour: also when the clock has gone back."""
        return (now - GRACE) // HOUR != (self.hot.created - GRACE) // HOUR

    # ---- background work

    def work(self, cursor: duckdb.DuckDBPyConnection, now: int) -> Iterator[str]:
        """Do all that is due, yielding what was done after each bounded step."""
        for part in self.snapshot(cursor).of("hot"):
            if part.number < self.hot.number:
                self._fold(cursor, part, now)
                yield f"folded {part.table}"
        for day in self._old_days(cursor, now):
            yield from self._move(cursor, day, now)
        self._forget_rollups(cursor, now)
        self._sweep()

    def _fold(self, cursor: duckdb.DuckDBPyConnection, hot: Part, now: int) -> None:
        """Turn a closed hot part into a run, in one commit."""
        known = _Latest(cursor)
        run = msgspec.structs.replace(hot, tier="run", created=now)
        expired = self._expiry(cursor, now)
        days: set[int] = set()
        rows, plain = 0, True
        with _transaction(cursor):
            older = self.snapshot(cursor)
            cursor.execute(f"CREATE TABLE {run.table} ({_SAMPLE_COLUMNS})")
            for low, high in _chunks(cursor, f"SELECT signal FROM {hot.table}"):
                arrived = cursor.execute(
                    f"FROM {hot.table} WHERE signal BETWEEN {low} AND {high}"
                ).fetchnumpy()
                chunk = in_order(batch(arrived))
                _insert_samples(cursor, run.table, chunk)
                _roll(older, expired.sift(chunk))  # of expired hours the roll-ups know more
                days.update(np.unique(chunk.time // DAY).tolist())
                rows, plain = rows + len(chunk), plain and known.is_before(chunk)
                known.update(cursor, chunk)
            run = msgspec.structs.replace(run, days=tuple(sorted(days)), rows=rows, plain=plain)
            _forget(cursor, hot)
            _record(cursor, run)
        log.debug("part=%s rows=%d state=folded", run.table, rows)

    def _old_days(self, cursor: duckdb.DuckDBPyConnection, now: int) -> list[int]:
        """Return the days to be written anew: old and quiet ones in runs, those a rule is due on.

        Days that lie in the future by a wrong clock count as old: they would hold a run for ever.
        """
        state = self.snapshot(cursor)
        today = now // DAY
        found = set()
        for run in state.of("run"):
            for day in state.shown(run):
                settled = day < today - self._keep_days or day > today + 1
                if settled or self._due(day, now):
                    found.add(day)
        for part in state.of("day"):
            due = {rule.name for rule in self._due(part.days[0], now)}
            if part.rows and due - set(part.rules):
                found.add(part.days[0])
        busy = {
            day for run in state.of("run") if run.created > now - QUIET for day in state.shown(run)
        }
        return sorted(found - busy)

    def _move(self, cursor: duckdb.DuckDBPyConnection, day: int, now: int) -> Iterator[str]:
        """Write one day, less what the retention rules drop, as a sorted Parquet file."""
        state = self.snapshot(cursor)
        number = max(p.number for p in (*state.of("day"), *state.of("run")) if day in p.days)
        span = (day * DAY, (day + 1) * DAY)
        expiry = self._expiry(cursor, now)
        rows = 0
        cursor.execute("DROP TABLE IF EXISTS work")
        cursor.execute(f"CREATE TABLE work ({_SAMPLE_COLUMNS})")
        stored = " UNION ALL ".join(
            f"SELECT signal FROM {source} WHERE {test}"
            for source, test in state.sources([span], ("day", "run"))
        )
        for low, high in _chunks(cursor, stored) if stored else ():
            handles = np.arange(low, high + 1, dtype=np.int32)
            chunk = expiry.sift(state.read(handles, [span], ("day", "run")))
            _insert_samples(cursor, "work", chunk)
            rows += len(chunk)
            yield f"collected day {_name(day)}"
        rules = tuple(sorted(rule.name for rule in self._due(day, now)))
        part = Part(number, "day", (day,), created=now, rows=rows, rules=rules)
        if rows:
            part = self._write(cursor, part, day)
        self._commit_day(cursor, part, expiry.gaps(day, now))
        log.info("day=%s rows=%d file=%s state=moved", _name(day), rows, part.file or "none")
        yield f"moved day {_name(day)}"

    def _write(self, cursor: duckdb.DuckDBPyConnection, part: Part, day: int) -> Part:
        """Write the table `work` as a durable file; nobody knows of it until it is committed."""
        path = self._folder / f"{_name(day)}-{secrets.token_hex(4)}.parquet"
        temporary = path.with_suffix(".writing")
        # V2 encodes times as differences: a third of the size, and three times as fast to read
        cursor.execute(
            f"COPY work TO {quoted(temporary)}"
            " (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)"
        )
        _sync(temporary)
        checksum = _checksum(temporary)
        temporary.rename(path)
        _sync(self._folder)
        self._sound.add(path.name)
        return msgspec.structs.replace(
            part, file=path.name, bytes=path.stat().st_size, checksum=checksum
        )

    def _commit_day(
        self, cursor: duckdb.DuckDBPyConnection, part: Part, gaps: Sequence[Event]
    ) -> None:
        """Let the day file stand for its day, and drop what nobody needs any more."""
        with _transaction(cursor):
            before = self.snapshot(cursor)
            replaced = [old for old in before.of("day") if old.days == part.days]
            for old in replaced:
                _forget(cursor, old)
            _record(cursor, part)
            after = self.snapshot(cursor)
            runs = after.of("run")
            held = {day for run in runs for day in run.days if after.shown(run)}
            for run in runs:
                if not after.shown(run):
                    _forget(cursor, run)
            for empty in after.of("day"):
                if not empty.rows and empty.days[0] not in held:
                    _forget(cursor, empty)
            _sort_rollups(cursor, part.days[0])
            if gaps:
                events.add_events(cursor, gaps)
            cursor.execute("DROP TABLE work")
        leave = self._clock.monotonic() + LINGER
        self._replaced += [(leave, self._folder / old.file) for old in replaced if old.file]

    def _sweep(self) -> None:
        """Remove replaced files that nobody can be reading any more."""
        now = self._clock.monotonic()
        for leave, path in self._replaced:
            if leave <= now:
                path.unlink(missing_ok=True)
        self._replaced = [(leave, path) for leave, path in self._replaced if leave > now]

    # ---- retention

    def _handles(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, IntArray]:
        """Return, by name of rule, the handles that it is the first to match."""
        found: dict[str, list[int]] = {rule.name: [] for rule in self._rules}
        for handle, id in cursor.execute("SELECT handle, id FROM signals").fetchall():
            for rule in self._rules:
                if fnmatch.fnmatchcase(id, rule.signals):
                    found[rule.name].append(handle)
                    break
        return {name: np.array(sorted(some), np.int32) for name, some in found.items()}

    def _due(self, day: int, now: int) -> list[Retention]:
        return [rule for rule in self._rules if day < now // DAY - rule.days]

    def _expiry(self, cursor: duckdb.DuckDBPyConnection, now: int) -> _Expiry:
        edges = {rule.name: (now // DAY - rule.days) * DAY for rule in self._rules}
        return _Expiry(edges, self._handles(cursor))

    def _forget_rollups(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        """Drop the roll-ups that rules limit, and say so."""
        limited = [rule for rule in self._rules if rule.rollup_days]
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
            data = {"until": str(edge), "rule": rule.name, "rollup_hours": str(count)}
            with _transaction(cursor):
                cursor.execute(f"DELETE FROM rollup_hour WHERE {old}")
                cursor.execute(f"DELETE FROM rollup_minute WHERE {old}")
                events.add_events(cursor, [_gap("retention", first, now, data)])

    # ---- soundness

    def verify(self, cursor: duckdb.DuckDBPyConnection) -> list[str]:
        """Return every problem found by reading everything; damaged day files are put aside."""
        problems = []
        for part in self.snapshot(cursor).parts:
            if part.tier == "damaged":
                problems.append(f"{part.file}: put aside as damaged; restore it from a backup")
            elif part.tier == "day" and part.file:
                self._sound.discard(part.file)
                if not self._is_sound(cursor, part):
                    problems.append(f"{part.file}: the checksum differs; put aside as damaged")
            elif part.tier in ("hot", "run"):
                try:
                    cursor.execute(f"SELECT sum(hash(COLUMNS(*))) FROM {part.table}").fetchall()
                except duckdb.Error as error:
                    problems.append(f"{part.table}: {error}")
        return problems

    def _is_sound(self, cursor: duckdb.DuckDBPyConnection, part: Part) -> bool:
        """Return whether a day file may be read; it is checked when it is first used."""
        if part.file in self._sound:
            return True
        path = self._folder / part.file
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
        path = self._folder / part.file
        with self._repair:
            if part.file not in {day.file for day in self.snapshot(cursor).of("day")}:
                return  # somebody else was quicker, or it has been replaced
            if path.exists():
                path.rename(path.with_suffix(".damaged"))
            start = part.days[0] * DAY
            data = {"until": str(start + DAY), "file": part.file, "problem": problem}
            with _transaction(cursor):
                cursor.execute(
                    "UPDATE parts SET tier = 'damaged', bytes = 0 WHERE file = ?", [part.file]
                )
                events.add_events(cursor, [_gap("damaged", start, self._clock.now(), data)])
        log.error("file=%s state=damaged problem=%r", part.file, problem)


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
        _register(cursor, "newest", chunk.take(tails(chunk.signal)))
        cursor.execute(
            """INSERT INTO latest FROM newest ON CONFLICT (signal) DO UPDATE SET
            time = excluded.time, value = excluded.value, status = excluded.status
            WHERE excluded.time >= latest.time"""
        )
        cursor.unregister("newest")


class _Expiry:
    """What the retention rules no longer keep, counted by rule."""

    def __init__(self, edges: dict[str, int], handles: dict[str, IntArray]) -> None:
        """edges: name of rule -> time before which it drops; handles: what it drops."""
        self._edges = edges
        self._handles = handles
        self._counts = dict.fromkeys(edges, 0)

    def sift(self, found: Batch) -> Batch:
        """Return what is kept."""
        keep = np.ones(len(found), bool)
        for name, edge in self._edges.items():
            hit = (found.time < edge) & np.isin(found.signal, self._handles[name])
            self._counts[name] += int(hit.sum())
            keep &= ~hit
        return found if keep.all() else found.take(keep)

    def gaps(self, day: int, now: int) -> list[Event]:
        """Return the record of what was dropped of one day."""
        until = str((day + 1) * DAY)
        return [
            _gap("retention", day * DAY, now, {"until": until, "rule": name, "samples": str(count)})
            for name, count in self._counts.items()
            if count
        ]


def _roll(older: Snapshot, new: Batch) -> None:
    """Bring the roll-ups of every hour that new samples, in order, touch up to date."""
    if len(new) == 0:
        return
    cursor = older.cursor
    found = cursor.execute(
        f"""SELECT signal, start FROM rollup_hour
        WHERE signal BETWEEN {new.signal[0]} AND {new.signal[-1]}
        AND start BETWEEN {new.time.min() // HOUR * HOUR} AND {new.time.max()}"""
    ).fetchnumpy()
    again = np.isin(_pairs(found["signal"], found["start"]), _pairs(new.signal, new.time))
    signal, start = found["signal"][again], found["start"][again]
    pieces = [
        older.read(np.unique(signal[start == hour]), [(hour, hour + HOUR)], ("day", "run"))
        for hour in np.unique(start).tolist()
    ]
    if pieces:
        new = in_order(Batch.merge([*pieces, new]))
        _delete_hours(cursor, signal, start)
    minutes = rollup.condense(as_rows(new), MINUTE)
    hours = rollup.condense(minutes, HOUR)
    dense = hours.take(hours.n >= DENSE)
    kept = np.isin(_pairs(minutes.signal, minutes.start), _pairs(dense.signal, dense.start))
    _insert_rows(cursor, "rollup_hour", hours)
    _insert_rows(cursor, "rollup_minute", minutes.take(kept))


def _delete_hours(cursor: duckdb.DuckDBPyConnection, signal: IntArray, start: TimeArray) -> None:
    cursor.register("again", {"signal": signal, "hour": start})
    span = f"r.start >= {start.min()} AND r.start < {start.max() + HOUR}"
    for table, size in (("rollup_hour", HOUR), ("rollup_minute", MINUTE)):
        inside = "r.start = a.hour"
        if size < HOUR:
            inside = f"r.start - (r.start % {HOUR} + {HOUR}) % {HOUR} = a.hour"
        cursor.execute(
            f"DELETE FROM {table} r USING again a WHERE r.signal = a.signal AND {span} AND {inside}"
        )
    cursor.unregister("again")


def _sort_rollups(cursor: duckdb.DuckDBPyConnection, day: int) -> None:
    """Lay a day's roll-ups anew by signal, so that long ranges of one signal read little."""
    span = f"start >= {day * DAY} AND start < {(day + 1) * DAY}"
    for table in ("rollup_minute", "rollup_hour"):
        (newest,) = cursor.execute(f"SELECT coalesce(max(rowid), -1) FROM {table}").fetchall()[0]
        cursor.execute(f"INSERT INTO {table} FROM {table} WHERE {span} ORDER BY signal, start")
        cursor.execute(f"DELETE FROM {table} WHERE {span} AND rowid <= {newest}")


def _pairs(signal: IntArray, time: TimeArray) -> TimeArray:
    """Return one number for each (signal, hour of time)."""
    return (signal.astype(np.int64) << 32) + time // HOUR


def _chunks(cursor: duckdb.DuckDBPyConnection, source: str) -> list[Range]:
    """Return (first, last) handles of pieces of about CHUNK samples. source: SELECT signal …"""
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


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.begin()
    try:
        yield
    except BaseException:
        cursor.rollback()
        raise
    cursor.commit()


def _record(cursor: duckdb.DuckDBPyConnection, part: Part) -> None:
    values = [list(v) if isinstance(v, tuple) else v for v in msgspec.structs.astuple(part)]
    cursor.execute(f"INSERT INTO parts VALUES ({', '.join('?' * len(values))})", values)


def _forget(cursor: duckdb.DuckDBPyConnection, part: Part) -> None:
    cursor.execute(
        "DELETE FROM parts WHERE number = ? AND tier = ? AND file = ? AND days = ?",
        [part.number, part.tier, part.file, list(part.days)],
    )
    if part.tier != "day":
        cursor.execute(f"DROP TABLE {part.table}")


def _insert_samples(cursor: duckdb.DuckDBPyConnection, table: str, arrived: Batch) -> None:
    _register(cursor, "arrived", arrived)
    cursor.execute(f"INSERT INTO {table} FROM arrived")
    cursor.unregister("arrived")


def _insert_rows(cursor: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    cursor.register("rows", {name: getattr(rows, name) for name in rollup.COLUMNS})
    cursor.execute(f"INSERT INTO {table} FROM rows")
    cursor.unregister("rows")


def _register(cursor: duckdb.DuckDBPyConnection, name: str, samples: Batch) -> None:
    """Let SQL on this cursor read samples under a name. NaN arrives as NULL."""
    cursor.register(name, _columns(samples))


def _columns(samples: Batch) -> dict[str, NDArray[Any]]:
    """Return the columns of a table of samples by their names."""
    return {
        "signal": samples.signal,
        "time": samples.time,
        "value": samples.value,
        "status": samples.status,
    }


def _gap(what: str, start: int, now: int, data: dict[str, str]) -> Event:
    id = f"historian.{what}"
    return Event(id=id, time=start, kind="gap", value=what, received=now, data=data)


def _name(day: int) -> str:
    """Return a UTC day as ISO 8601, or its number where the library's calendar has ended."""
    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day{day}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _checksum(path: Path) -> int:
    """Return the CRC-32 of a file."""
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total = zlib.crc32(block, total)
    return total


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
