"""An index of the codes that scans name: which events tell of a serial, a lot, a wagon.

It is derived from the events and follows them: who appends does not wait for it, and who asks
brings it up to date first. Lost, damaged, or of another history, it is made anew. SQLite keeps it,
since a tree of single keys is what DuckDB's columns are not good at: see decision 0013.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec

log = logging.getLogger("deungdae.historian")

NAMED = ("serial", "sscc", "lot", "from", "into", "carrier", "order")  # as insight.trace reads
LONGEST = 256  # characters of a code
_LISTS = 1000  # codes of one event, at most
_STEP = 10_000  # scans of one transaction
_STRIDE = 500_000  # events that one step looks through
_AHEAD = "\U0010ffff"  # behind every text that begins alike

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mentions (
    code TEXT, time INTEGER, row INTEGER, PRIMARY KEY (code, time, row)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reached (row INTEGER, id TEXT, time INTEGER, since INTEGER);
"""
_data = msgspec.json.Decoder(dict[str, str])


class Codes:
    """The index in one file beside the history."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._index = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            log.warning("path=%s state=damaged problem=%r: it is made anew", self._path, str(error))
            self._remove()
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        index = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        try:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = NORMAL")  # it can be made anew
            if index.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                index.execute("DROP TABLE IF EXISTS mentions")
                index.execute("DROP TABLE IF EXISTS reached")
                index.execute(f"PRAGMA user_version = {_VERSION}")
            index.executescript(_SCHEMA)
        except BaseException:
            index.close()
            raise
        return index

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self._path}{end}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            self._index.close()

    def follow(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[int]:
        """Take in the events that came since last time, step by step; yield how many at a time."""
        while True:
            with self._lock:
                done = self._step(cursor)
            if not done:
                return
            yield done

    def _step(self, cursor: duckdb.DuckDBPyConnection) -> int:
        begun = self._reached(cursor)
        newest = "SELECT coalesce(max(rowid), -1) FROM events_raw WHERE rowid >= ?"
        (last,) = cursor.execute(newest, [begun]).fetchall()[0]
        end = min(begun + _STRIDE, last)
        if end <= begun:
            return 0
        rows = cursor.execute(
            "SELECT rowid, time, value, data FROM events_raw WHERE rowid > ? AND rowid <= ?"
            " AND kind IN ('scan', 'image') ORDER BY rowid LIMIT ?",
            [begun, end, _STEP],
        ).fetchall()
        if len(rows) == _STEP:
            end = rows[-1][0]
        self._take(rows, (end, *_row(cursor, end)))
        return int(end - begun)

    def _take(self, rows: Sequence[tuple[Any, ...]], reached: tuple[Any, ...]) -> None:
        mentions = sorted(
            {(code, time, row) for row, time, value, data in rows for code in _named(value, data)}
        )
        index = self._index
        times = [time for _, time, _ in mentions]
        times += [
            time for (time,) in index.execute("SELECT since FROM reached") if time is not None
        ]
        index.execute("BEGIN IMMEDIATE")
        try:
            index.executemany("INSERT OR IGNORE INTO mentions VALUES (?, ?, ?)", mentions)
            index.execute("DELETE FROM reached")
            now = (*reached, min(times, default=None))
            index.execute("INSERT INTO reached VALUES (?, ?, ?, ?)", now)
            index.execute("COMMIT")
        except BaseException:
            index.execute("ROLLBACK")
            raise

    def _reached(self, cursor: duckdb.DuckDBPyConnection) -> int:
        """Return the last row that is taken in; none where the history is another one."""
        found = self._index.execute("SELECT row, id, time FROM reached").fetchall()
        if not found:
            return -1
        row, id, time = found[0]
        if _row(cursor, row) == (id, time):
            return int(row)
        log.warning("path=%s state=astray: the index of codes is made anew", self._path)
        self._index.executescript("DELETE FROM mentions; DELETE FROM reached;")
        return -1

    def rows(self, codes: Mapping[str, int | None], most: int) -> list[int]:
        """Return the rows of the events that name any of the codes, each once, rising.

        Of each code at most so many before the moment that stands with it and from it on; None:
        the newest of all.
        """
        found: set[int] = set()
        with self._lock:
            for code, time in codes.items():
                found.update(row for (row,) in self._around(code, time, most))
        return sorted(found)

    def _around(self, code: str, time: int | None, most: int) -> Iterator[Any]:
        newest = "SELECT row FROM mentions WHERE code = ? {} ORDER BY time DESC, row DESC LIMIT ?"
        if time is None:
            yield from self._index.execute(newest.format(""), [code, most])
            return
        yield from self._index.execute(newest.format("AND time < ?"), [code, time, most])
        yield from self._index.execute(
            "SELECT row FROM mentions WHERE code = ? AND time >= ? ORDER BY time, row LIMIT ?",
            [code, time, most],
        )

    def like(self, prefix: str, most: int) -> list[str]:
        """Return at most so many codes that begin with a text, in order."""
        with self._lock:
            return list(self._distinct(prefix, prefix + _AHEAD, most))

    def near(self, code: str, most: int) -> list[str]:
        """Return the codes nearest to one in order of letters, on both sides, without it."""
        with self._lock:
            found = list(self._distinct(code + "\0", _AHEAD, most))
            for _ in range(most):
                below = "SELECT max(code) FROM mentions WHERE code < ?"
                (lower,) = self._index.execute(below, [code]).fetchone()
                if lower is None:
                    break
                found.append(lower)
                code = lower
        return sorted(found)

    def _distinct(self, first: str, end: str, most: int) -> Iterator[str]:
        """Yield codes in [first, end): one look each, however many events name it."""
        least = "SELECT min(code) FROM mentions WHERE code >= ? AND code < ?"
        for _ in range(most):
            (code,) = self._index.execute(least, [first, end]).fetchone()
            if code is None:
                return
            yield code
            first = code + "\0"

    def since(self) -> int | None:
        """Return the time of the oldest event that names a code, or None where there is none."""
        with self._lock:
            found = self._index.execute("SELECT since FROM reached").fetchone()
        return None if found is None else found[0]


def _row(cursor: duckdb.DuckDBPyConnection, row: int) -> tuple[Any, ...]:
    """Return id and time of an event, or nothing where there is none."""
    asked = "SELECT id, time FROM events_raw WHERE rowid = ?"
    return next(iter(cursor.execute(asked, [row]).fetchall()), ())


def _named(value: str, data: str) -> set[str]:
    """Return the codes that a scan names: what it read, and what its data say."""
    told = _data.decode(data)
    texts = [value]
    for key in NAMED:
        if key in told:
            texts += told[key].split(",", _LISTS)[:_LISTS]
    codes = (text.strip() for text in texts)
    return {code for code in codes if 0 < len(code) <= LONGEST and not code.startswith("sha256:")}
