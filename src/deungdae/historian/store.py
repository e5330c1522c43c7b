"""The memory of the factory: one face over samples, events and findings, durable on return."""
# ruff: noqa: S608 — what SQL is put together from here are numbers and our own names of tables

from __future__ import annotations

import ctypes
import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import duckdb
import msgspec
import numpy as np

from deungdae.core.clock import Clock, RealClock
from deungdae.core.errors import StoreError, StoreFailed
from deungdae.core.ports import Rollup, Samples
from deungdae.core.types import DAY, Batch, Event, Finding, IntArray, Signal

from . import events as records
from . import rollup
from .codes import Codes
from .hold import Hold
from .segments import Retention, Segments
from .snapshot import NOTHING, Snapshot, as_rows, in_order, joined
from .views import make_views

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("deungdae.historian")

MEGABYTE = 1_000_000
FARTHEST = 2**63 - 2 * DAY  # times beyond ±this are kept at the edge: sums must not overflow

STEPS = 20  # of the index of codes that one question waits for

_NEVER = np.iinfo(np.int64).min
_SIGNALS = "CREATE TABLE IF NOT EXISTS signals (handle INTEGER, id VARCHAR, spec VARCHAR)"


class HistorianOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The historian keeps every sample, event and finding, and answers for them.

    ```toml
    [historian]
    path = "history"
    parquet_after = 7
    disk_cap = 200_000

    [[historian.retention]]
    signals = "*.vibration"
    days = 90
    ```
    """

    path: Annotated[
        str, msgspec.Meta(description="folder of the history, beside the factory file")
    ] = "history"
    memory: Annotated[
        int,
        msgspec.Meta(ge=32, description="memory for caches and sorting", extra={"unit": "MB"}),
    ] = 64
    threads: Annotated[
        int, msgspec.Meta(ge=1, le=64, description="processor cores that one query may use")
    ] = 1
    hot_rows: Annotated[
        int,
        msgspec.Meta(
            ge=1000, description="samples kept in order of arrival before they are sorted"
        ),
    ] = 2_000_000
    parquet_after: Annotated[
        int,
        msgspec.Meta(
            ge=1, description="whole days after which a day becomes a file", extra={"unit": "d"}
        ),
    ] = 2
    disk_cap: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="the history may take so much; beyond, nothing is accepted; 0: no cap",
            extra={"unit": "MB"},
        ),
    ] = 0
    disk_reserve: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="nothing is accepted while the disk has less free than this",
            extra={"unit": "MB"},
        ),
    ] = 256
    retention: Annotated[
        tuple[Retention, ...],
        msgspec.Meta(description="what is dropped when; what no rule names is kept"),
    ] = ()


class Historian:
    """A Store on one folder. Open as long as it lives; one process at a time."""

    def __init__(
        self, path: Path, options: HistorianOptions | None = None, clock: Clock | None = None
    ) -> None:
        """Open or make the history at a folder.

        Raises StoreError where another process holds it, or where it cannot be read.
        """
        self.path = path
        self.options = options or HistorianOptions()
        self._clock = clock or RealClock()
        self._failure = ""
        self._closed = False
        self._writing = threading.Lock()  # one append, registration or rotation at a time
        self._tidying = threading.Lock()
        self._work: Iterator[str] | None = None
        self._hot_rows = 0
        self._free = self._kept = 0  # bytes: unused in the database file, in day files
        self._connections: list[duckdb.DuckDBPyConnection] = []
        self._codes: Codes | None = None  # opened when first asked
        self._indexing = threading.Lock()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._hold = Hold(path / "history.lock", f"the history at {path}")
        except OSError as error:
            raise StoreError(f"the history cannot be kept at {path}: {error}") from error
        try:
            self._open()
        except BaseException as error:
            self._let_go()
            if isinstance(error, duckdb.Error):
                raise StoreError(
                    f"the history at {path} cannot be opened: {error}; restore it from a backup"
                ) from error
            raise

    def _open(self) -> None:
        options = self.options
        self._root = duckdb.connect(  # only ever makes cursors: those may be used side by side
            str(self.path / "history.duckdb"),
            config={
                "memory_limit": f"{options.memory}MB",
                "threads": options.threads,
                "checkpoint_threshold": "4MB",
                "temp_directory": str(self.path / "temporary"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._connections.append(self._root)
        # from here on no SQL, ours or a user's, reaches anything outside our own folder
        folder = str(self.path.resolve()).replace("'", "''")
        self._root.execute(f"SET allowed_directories = ['{folder}']")
        self._root.execute("SET enable_external_access = false")
        self._root.execute("SET lock_configuration = true")
        self._connection = self._root.cursor()  # for what arrives
        self._worker = self._root.cursor()  # for the background work
        self._connections += [self._connection, self._worker]
        self._connection.execute(_SIGNALS)
        self._connection.execute(records.SCHEMA)
        self._segments = Segments(
            self.path.resolve(),
            self._clock,
            keep_days=options.parquet_after,
            rules=options.retention,
        )
        self._segments.open(self._connection, self._clock.now())
        rows = self._connection.execute("FROM signals ORDER BY handle").fetchall()
        self._signals = [msgspec.json.decode(spec, type=Signal) for _, _, spec in rows]
        self._handles = {id: handle for handle, id, _ in rows}
        self._last = _Last()
        self._last.grow(len(rows))
        self._recall()
        self._measure()

    def _recall(self) -> None:
        """Find the newest sample of every signal again, without reading everything."""
        with self._reading() as state:
            table = self._segments.hot.table
            (self._hot_rows,) = state.cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
            self._last.update(state.latest())
            if self._signals:
                handles = np.arange(len(self._signals), dtype=np.int32)
                self._last.update(state.newest_hot(handles, FARTHEST + 1))

    def close(self) -> None:
        """Close; what was appended is durable already. May be called twice."""
        with self._tidying, self._writing:
            if self._closed:
                return
            self._closed = True
            self._failure = f"the history at {self.path} is closed"
            self._work = None
            self._let_go()

    def _let_go(self) -> None:
        if self._codes is not None:
            self._codes.close()
        for connection in reversed(self._connections):
            connection.close()
        self._hold.release()

    def __enter__(self) -> Historian:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- the Store port

    def register(self, signals: Sequence[Signal]) -> IntArray:
        """Return the handle of each signal, int32[n]; durable on return. Raises StoreError."""
        with self._writing:
            known = len(self._signals)
            handles, changed = dict(self._handles), {}
            for signal in signals:
                handle = handles.setdefault(signal.id, len(handles))
                if handle >= known or self._signals[handle] != signal:
                    changed[handle] = signal
            if changed:
                with self._committing() as connection:
                    for handle in changed:
                        connection.execute("DELETE FROM signals WHERE handle = ?", [handle])
                    columns = [
                        list(changed),
                        [signal.id for signal in changed.values()],
                        [msgspec.json.encode(signal).decode() for signal in changed.values()],
                    ]
                    connection.execute(
                        "INSERT INTO signals SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]),"
                        " unnest(?::VARCHAR[])",
                        columns,
                    )
                self._last.grow(len(handles))
                everything = {**dict(enumerate(self._signals)), **changed}
                self._signals = [everything[handle] for handle in range(len(handles))]
                self._handles = handles
            return np.array([handles[signal.id] for signal in signals], np.int32)

    def append(self, items: Sequence[Batch | Event | Finding]) -> None:
        """Make all items durable in one commit; return when they are. Raises StoreError.

        After a commit that failed nothing is accepted until the history is opened anew: what the
        disk then holds is not known. A full disk is noticed before, and passes when space is freed.
        """
        batches = [item for item in items if isinstance(item, Batch) and len(item)]
        events = [item for item in items if isinstance(item, Event)]
        findings = [item for item in items if isinstance(item, Finding)]
        if not (batches or events or findings):
            return
        batch = _checked(Batch.merge(batches), len(self._signals)) if batches else None
        with self._writing:
            self._refuse_when_full()
            if self._hot_rows >= self.options.hot_rows:
                self._rotate(self._clock.now())
            with self._committing() as connection:
                if batch is not None:
                    self._segments.append(connection, batch)
                if events:
                    records.add_events(connection, events)
                if findings:
                    records.add_findings(connection, findings)
            if batch is not None:
                self._hot_rows += len(batch)
                self._last.update(batch)

    def query(
        self, ids: Sequence[str], start: int, end: int, *, before: bool = False
    ) -> dict[str, Samples]:
        """Return each signal's samples with start <= time < end, as the Store port says."""
        known = sorted({self._handles[id] for id in ids if id in self._handles})
        start, end = _span(start, end)
        found = NOTHING
        if known:
            handles = np.array(known, np.int32)
            with self._reading() as state:
                found = state.read(handles, joined([(start, end)]))
                if before:
                    found = in_order(Batch.merge([state.newest(handles, start), found]))
        return {id: _of_one(found, self._handles.get(id, -1)) for id in ids}

    def rollup(self, id: str, start: int, end: int, every: int) -> Rollup:
        """Return one signal in buckets of `every` ns that start at multiples of it since 1970.

        A good value is held until the next sample of any status, the newest one to the end of its
        bucket; what was held into the bucket counts. A bucket that start or end cuts counts only
        its part inside. A good sample that is not finite counts as not good.
        """
        if every <= 0:
            raise ValueError(f"every must be above 0 ns, not {every}")
        handle = self._handles.get(id)
        start, end = _span(start, end)
        rows, earlier = as_rows(NOTHING), NOTHING
        if handle is not None and start < end:
            with self._reading() as state:
                rows = state.rows(handle, (start, end), every)
                if len(rows):
                    earlier = state.newest(np.array([handle], np.int32), start)
        before = Samples(earlier.time, earlier.value, earlier.status)
        return rollup.answer(rows, start, end, every, before)

    def events(
        self,
        start: int,
        end: int,
        *,
        ids: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        before: bool = False,
    ) -> list[Event]:
        """Return events with start <= time < end in order of (time, arrival)."""
        with self._reading() as state:
            return records.read_events(state.cursor, *_span(start, end), ids, kinds, before=before)

    def findings(
        self,
        start: int,
        end: int,
        *,
        origin: str | None = None,
        asset: str | None = None,
        name: str | None = None,
    ) -> list[Finding]:
        """Return findings that end in [start, end), in order of end."""
        equal = {"origin": origin, "asset": asset, "name": name}
        with self._reading() as state:
            return records.read_findings(state.cursor, *_span(start, end), equal)

    def last(self, ids: Sequence[str]) -> Batch:
        """Return the newest sample (by source time) of each id that has one, in that order."""
        handles = [self._handles[id] for id in ids if id in self._handles]
        return self._last.of(np.array(handles, np.int32))

    # ---- beyond the port

    def signals(self) -> list[Signal]:
        """Return every signal that was ever registered, as last registered, in handle order."""
        return list(self._signals)

    def find(self, codes: Mapping[str, int | None], most: int) -> list[Event]:
        """Return scans and images that name any of the codes, in order of (time, arrival).

        A code is named as what was read, or in the data: see historian.codes. Of each code at most
        so many before the moment that stands with it, the newest, and as many from it on, the
        oldest; None: the newest of all. Raises StoreError.
        """
        with self._codes_now() as (index, cursor):
            return records.events_at(cursor, index.rows(codes, most))

    def codes(self, prefix: str, most: int) -> list[str]:
        """Return at most so many codes that begin with a text, in order of letters."""
        with self._codes_now() as (index, _):
            return index.like(prefix, most)

    def codes_near(self, code: str, most: int) -> list[str]:
        """Return at most so many codes on either side of one, in order of letters."""
        with self._codes_now() as (index, _):
            return index.near(code, most)

    def codes_since(self) -> int | None:
        """Return the time of the oldest scan of a code, or None where there is none."""
        with self._codes_now() as (index, _):
            return index.since()

    def sql(self, query: str) -> pa.Table:
        """Return what one SELECT gives. Raises StoreError where it is anything else, or fails.

        Views: samples(id, time, value, status), events, findings, and the roll-ups of folded
        hours: rollup_1h, and rollup_1m where a signal has 120 samples an hour or more.
        """
        with self._selecting(query) as reader:
            return reader.read_all()

    def export(self, query: str, target: Path) -> int:
        """Write what one SELECT gives to a .parquet or .csv file; return the number of rows."""
        if target.suffix not in (".parquet", ".csv"):
            raise StoreError(f"cannot export to {target}: name it .parquet or .csv")
        rows = 0
        with self._selecting(query) as reader, _writer(target, reader.schema) as writer:
            for piece in reader:
                writer.write_batch(piece)
                rows += len(piece)
        return rows

    def tidy(self, now: int, budget: float = 0.5) -> bool:
        """Do background work for about `budget` s; return whether there is more to do.

        Sorts what arrived, makes roll-ups, moves old days to files, applies retention. One step
        is bounded by `hot_rows` samples, or by writing the file of one day. Appends and queries go
        on meanwhile. Raises StoreError; the work is then tried again at the next call.
        """
        with self._tidying:
            self._refuse_when_failed()
            deadline = self._clock.monotonic() + budget
            try:
                if self._hot_rows and self._segments.is_due(now):
                    with self._writing:
                        self._rotate(now)
                if self._work is None:
                    self._work = self._segments.work(self._worker, now)
                for step in self._work:
                    log.debug("step=%r", step)
                    _give_back_memory()
                    if self._clock.monotonic() >= deadline:
                        return True
            except duckdb.Error as error:
                self._work = None
                if isinstance(error, duckdb.FatalException):
                    self._fail(error)
                raise StoreError(f"the history at {self.path} cannot be tidied: {error}") from error
            self._work = None
            if self._follow_codes(deadline):
                return True
            self._measure()
            if self._over_cap():
                self._reclaim()
            return False

    def verify(self) -> list[str]:
        """Return every problem that reading everything finds; damaged files are put aside."""
        with self._tidying, self._reading() as state:
            return self._segments.verify(state.cursor)

    def size(self) -> int:
        """Return the bytes on disk that hold data."""
        files = (self.path / "history.duckdb", self.path / "history.duckdb.wal")
        return sum(f.stat().st_size for f in files if f.exists()) - self._free + self._kept

    # ---- inside

    @contextmanager
    def _codes_now(self) -> Iterator[tuple[Codes, duckdb.DuckDBPyConnection]]:
        """Give the index of codes, up to date, and what reads the events that it names."""
        try:
            with self._reading() as state:
                index = self._index()
                for n, _ in enumerate(index.follow(state.cursor)):
                    if n >= STEPS:
                        raise StoreError(
                            f"the index of codes at {self.path} is still being made:"
                            " ask again in some minutes"
                        )
                yield index, state.cursor
        except sqlite3.Error as error:
            raise StoreError(
                f"the index of codes at {self.path} cannot be read: {error}; remove its file"
                " codes.sqlite while nothing runs: it is made anew"
            ) from error

    def _follow_codes(self, deadline: float) -> bool:
        """Take new scans into the index of codes; return whether there are more."""
        try:
            with self._reading() as state:
                for _ in self._index().follow(state.cursor):
                    if self._clock.monotonic() >= deadline:
                        return True
        except sqlite3.Error as error:
            log.warning("path=%s index=codes problem=%r", self.path, str(error))  # find() raises
        return False

    def _index(self) -> Codes:
        with self._indexing:
            if self._codes is None:
                self._codes = Codes(self.path / "codes.sqlite")
            return self._codes

    def _measure(self) -> None:
        with self._reading() as state:
            self._kept = sum(part.bytes for part in state.parts)
            row = state.cursor.execute(
                "SELECT free_blocks * block_size FROM pragma_database_size()"
            ).fetchall()
            self._free = int(row[0][0])

    def _over_cap(self) -> bool:
        return 0 < self.options.disk_cap * MEGABYTE < self.size()

    def _reclaim(self) -> None:
        """Make what was dropped free space: a checkpoint, which else only appends bring about."""
        with self._writing:
            try:
                self._worker.execute("CHECKPOINT")
            except duckdb.TransactionException as error:
                log.debug("state=waiting problem=%r", str(error))  # readers: the next call tries
        self._measure()

    def _rotate(self, now: int) -> None:
        """Begin a new hot part; the caller holds `_writing`."""
        with self._committing() as connection:
            part = self._segments.begin(connection, now)
        self._segments.hot = part
        self._hot_rows = 0

    def _refuse_when_failed(self) -> None:
        if self._failure:
            raise StoreFailed(self._failure)

    def _refuse_when_full(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < self.options.disk_reserve * MEGABYTE:
            raise StoreError(
                f"the disk that holds {self.path} has {free // MEGABYTE} MB free, less than"
                f" disk_reserve = {self.options.disk_reserve}: free some space"
            )
        if self._over_cap():
            raise StoreError(
                f"the history at {self.path} has reached disk_cap = {self.options.disk_cap} MB:"
                " raise it, or let a retention rule drop more"
            )

    @contextmanager
    def _committing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run one write transaction; the caller holds `_writing`."""
        self._refuse_when_failed()
        connection = self._connection
        try:
            connection.begin()
            yield connection
        except BaseException as error:
            self._undo(error)
            if isinstance(error, duckdb.Error):
                raise StoreError(f"nothing was stored at {self.path}: {error}") from error
            raise
        try:
            connection.commit()
        except duckdb.Error as error:
            self._fail(error)
            raise StoreFailed(self._failure) from error

    def _undo(self, error: BaseException) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error as worse:
            self._fail(worse)
        if isinstance(error, duckdb.FatalException):
            self._fail(error)

    def _fail(self, error: duckdb.Error) -> None:
        self._failure = (
            f"the history at {self.path} could not be made durable and accepts nothing until it"
            f" is opened anew: {error}; check the disk"
        )
        log.critical("path=%s state=failed problem=%r", self.path, str(error))

    @contextmanager
    def _reading(self) -> Iterator[Snapshot]:
        """Give one unchanging state to read from."""
        if self._closed:
            raise StoreError(self._failure)
        try:
            cursor = self._root.cursor()
            try:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                yield self._segments.snapshot(cursor)
            finally:
                cursor.close()
        except duckdb.Error as error:
            raise StoreError(f"the history at {self.path} cannot be read: {error}") from error

    @contextmanager
    def _selecting(self, query: str) -> Iterator[pa.RecordBatchReader]:
        with self._reading() as state:
            statements = state.cursor.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise StoreError("only one SELECT at a time can be asked: the history is read only")
            make_views(state)
            yield state.cursor.sql(query).to_arrow_reader(100_000)


class _Last:
    """The newest sample of every signal, by handle, in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = 0
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0, np.float64)
        self._status = np.zeros(0, np.uint8)

    def grow(self, n: int) -> None:
        """Make room for n signals."""
        with self._lock:
            more = n - len(self._time)
            self._time = np.append(self._time, np.full(more, _NEVER))
            self._value = np.append(self._value, np.zeros(more))
            self._status = np.append(self._status, np.zeros(more, np.uint8))

    def update(self, batch: Batch) -> None:
        """Learn of samples; on equal times the later in the batch holds."""
        with self._lock:
            np.maximum.at(self._time, batch.signal, batch.time)
            newest = batch.time == self._time[batch.signal]
            handles = batch.signal[newest]
            self._value[handles] = batch.value[newest]  # of equal handles the last one stays
            self._status[handles] = batch.status[newest]
            self._received = max(self._received, batch.received)

    def of(self, handles: IntArray) -> Batch:
        """Return the newest sample of each handle that has one."""
        with self._lock:
            handles = handles[self._time[handles] != _NEVER]
            return Batch(
                handles,
                self._time[handles],
                self._value[handles],
                self._status[handles],
                self._received,
            )


def _checked(batch: Batch, known: int) -> Batch:
    """Return the batch in the types of the tables, times within what the tables can reckon with."""
    signal = np.asarray(batch.signal, np.int32)
    time = np.asarray(batch.time, np.int64)
    value = np.asarray(batch.value, np.float64)
    status = np.asarray(batch.status, np.uint8)
    if not len(signal) == len(time) == len(value) == len(status):
        raise StoreError("a batch has columns of different lengths")
    if signal.min() < 0 or signal.max() >= known:
        raise StoreError(
            f"a batch has the handle {signal.min() if signal.min() < 0 else signal.max()},"
            f" but only 0 to {known - 1} were registered: register its signal first"
        )
    if time.min() < -FARTHEST or time.max() > FARTHEST:
        time = np.clip(time, -FARTHEST, FARTHEST)
    return Batch(signal, time, value, status, batch.received)


def _give_back_memory() -> None:
    """Hand what the last step freed back to the system; glibc would keep tens of MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _span(start: int, end: int) -> tuple[int, int]:
    return max(start, -FARTHEST), min(end, FARTHEST + 1)


def _of_one(batch: Batch, handle: int) -> Samples:
    low, high = np.searchsorted(batch.signal, [handle, handle + 1])
    return Samples(batch.time[low:high], batch.value[low:high], batch.status[low:high])


def _writer(target: Path, schema: pa.Schema) -> pa.parquet.ParquetWriter | pa.csv.CSVWriter:
    # Arrow costs 80 MB of memory: loaded only by those who export
    if target.suffix == ".csv":
        from pyarrow.csv import CSVWriter  # noqa: PLC0415

        return CSVWriter(target, schema)
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    return ParquetWriter(target, schema, compression="zstd")
