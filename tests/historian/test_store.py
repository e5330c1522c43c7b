"""The historian beyond the port: sorting, moving, retention, soundness, SQL."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deungdae.core.clock import RealClock
from deungdae.core.errors import StoreError
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Signal
from deungdae.historian import segments
from deungdae.historian import store as module
from deungdae.historian.segments import Retention
from deungdae.historian.store import Historian, HistorianOptions

from .reference import Reference, same_rollup, same_samples

T0 = 20_000 * DAY


class Hands(RealClock):
    """A clock whose hands the test moves."""

    def __init__(self, time: int = 20_000 * DAY) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


SMALL = HistorianOptions(disk_reserve=0, hot_rows=1000)
IDS = ["m.a", "m.b", "m.c"]

times = st.one_of(
    st.integers(0, 3 * 60).map(lambda k: T0 + k * MINUTE),
    st.integers(0, 40).map(lambda k: T0 + k * 7 * HOUR + 123),
    st.integers(0, 5000).map(lambda k: T0 + HOUR + k * SECOND),
)
sample = st.tuples(
    st.integers(0, 2),
    times,
    st.one_of(st.integers(-9, 9).map(float), st.just(np.nan)),
    st.sampled_from([0, 0, 0, 1, 2, 0x20]),
)
dense = st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 40)).map(
    lambda g: [
        (g[0], T0 + g[1] * 20 * MINUTE + k * g[2] * SECOND, float(k % 7), 0) for k in range(300)
    ]
)
action = st.one_of(
    st.lists(sample, min_size=1, max_size=40),
    dense,
    st.sampled_from(["tidy", "day", "reopen"]),
)
question = st.tuples(
    st.integers(0, 100).map(lambda k: T0 + k * 31 * MINUTE),
    st.sampled_from([0, 1, HOUR, 5 * HOUR + 7, 2 * DAY, 12 * DAY]),
    st.sampled_from([SECOND, MINUTE, 7 * MINUTE, 43 * MINUTE, HOUR, 6 * HOUR, DAY, 90 * SECOND]),
)


def tidy(store: Historian, clock: Hands, after: int) -> None:
    clock.time += after
    while store.tidy(clock.time):
        pass


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(action, min_size=1, max_size=8), st.lists(question, min_size=1, max_size=6))
def test_answers_are_those_of_the_reference(actions, questions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reference, clock = Reference(), Hands(T0 + 40 * 7 * HOUR)
        store = Historian(Path(folder), SMALL, clock)
        store.register([Signal(id=id) for id in IDS])
        for act in actions:
            if act == "reopen":
                store.close()
                store = Historian(Path(folder), SMALL, clock)
            elif isinstance(act, str):
                tidy(store, clock, 2 * HOUR if act == "tidy" else 2 * DAY)
            else:
                batch = Batch.of(*zip(*act, strict=True), received=clock.time)
                store.append([batch])
                reference.append([batch])
        for start, length, every in questions:
            end = start + length
            for before in (False, True):
                got = store.query(IDS, start, end, before=before)
                for handle, id in enumerate(IDS):
                    same_samples(got[id], reference.query(handle, start, end, before))
            for handle, id in enumerate(IDS):
                same_rollup(
                    store.rollup(id, start, end, every),
                    reference.rollup(handle, start, end, every),
                )
        last = store.last(IDS)
        wanted = [(h, *reference.of(h)[-1]) for h in range(3) if reference.of(h)]
        assert last.signal.tolist() == [row[0] for row in wanted]
        np.testing.assert_array_equal(last.value, [row[2] for row in wanted])
        everything = [s for handle in range(3) for s in reference.of(handle)]
        row = store.sql(
            "SELECT count(*) AS n, coalesce(sum(status), 0) AS states,"
            " coalesce(sum(value), 0) AS total FROM samples"
        ).to_pylist()[0]
        assert row["n"] == len(everything)
        assert row["states"] == sum(s[2] for s in everything)
        assert row["total"] == sum(s[1] for s in everything if not np.isnan(s[1]))
        store.close()


@pytest.fixture
def clock() -> Hands:
    return Hands()


def plant(folder: Path, clock: Hands, days: int = 4, **options: object) -> Historian:
    """Return a store with days of two signals, a sample a minute, tidied as they came."""
    store = Historian(folder, HistorianOptions(disk_reserve=0, **options), clock)  # type: ignore[arg-type]
    store.register([Signal(id="saw.load"), Signal(id="mill.load")])
    for half in range(days * 2):
        begin = T0 + half * DAY // 2
        clock.time = begin + DAY // 2
        store.append([minutes(begin, DAY // 2)])
        tidy(store, clock, 10 * MINUTE)
    return store


def minutes(begin: int, length: int, value: float | None = None) -> Batch:
    times = np.repeat(np.arange(begin, begin + length, MINUTE), 2)
    signal = np.tile(np.array([0, 1], np.int32), len(times) // 2)
    values = times // MINUTE % 1000 / 4 + signal if value is None else np.full(len(times), value)
    return Batch(
        signal, times, values.astype(float), np.zeros(len(times), np.uint8), received=begin
    )


def tiers(store: Historian) -> list[tuple[str, int]]:
    with store._reading() as state:
        return sorted((part.tier, len(part.days)) for part in state.parts if part.rows)


def count(store: Historian) -> int:
    return store.sql("SELECT count(*) AS n FROM samples")["n"][0].as_py()


def test_samples_go_from_hot_to_runs_to_files(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        assert {tier for tier, _ in tiers(store)} == {"day", "run"}
        tidy(store, clock, 10 * DAY)
        assert tiers(store) == [("day", 1)] * 4
        assert count(store) == 4 * 2880
        assert store.verify() == []
        names = sorted(path.name[:10] for path in (tmp_path / "days").iterdir())
        assert names == ["2024-10-04", "2024-10-05", "2024-10-06", "2024-10-07"]


def test_late_samples_rewrite_the_file_of_their_day(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        tidy(store, clock, 10 * DAY)
        store.append([minutes(T0 + HOUR, HOUR, value=-1.0)])
        for _ in range(3):
            found = store.query(["saw.load"], T0, T0 + DAY)["saw.load"]
            assert len(found) == 1440
            assert (found.value == -1).sum() == 60
            assert store.rollup("saw.load", T0, T0 + DAY, HOUR).mean[1] == -1.0
            assert store.rollup("saw.load", T0, T0 + DAY, MINUTE).mean[59:61].tolist()[1] == -1.0
            assert count(store) == 4 * 2880
            tidy(store, clock, 2 * HOUR)
        assert tiers(store) == [("day", 1)] * 4


def test_what_is_read_stays_the_same_while_it_is_tidied(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        wanted = store.query(["saw.load"], T0, T0 + 9 * DAY)["saw.load"].value.tolist()
        hours = store.rollup("mill.load", T0, T0 + 9 * DAY, 2 * HOUR).weighted.tolist()
        done = threading.Event()
        problems: list[str] = []

        def ask() -> None:
            while not done.is_set():
                try:
                    found = store.query(["saw.load"], T0, T0 + 9 * DAY)["saw.load"]
                    assert found.value.tolist() == wanted
                    found = store.rollup("mill.load", T0, T0 + 9 * DAY, 2 * HOUR)
                    np.testing.assert_allclose(found.weighted, hours)
                except (AssertionError, StoreError) as error:
                    problems.append(str(error))
                    return

        readers = [threading.Thread(target=ask) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(4):
            store.append([minutes(T0 + HOUR, HOUR)])  # the same again: late, but no news
            tidy(store, clock, 2 * DAY)
        done.set()
        for reader in readers:
            reader.join()
        assert problems == []


def test_tidy_stops_when_its_time_is_up(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        clock.time += 10 * DAY
        calls = 1
        while store.tidy(clock.time, budget=0):
            calls += 1
            assert count(store) == 4 * 2880
        assert calls > 4
        assert tiers(store) == [("day", 1)] * 4


def test_retention_drops_by_rule_and_says_so(tmp_path: Path, clock: Hands) -> None:
    rules = (Retention(signals="saw.*", days=3), Retention(signals="*", days=30, rollup_days=60))
    with plant(tmp_path, clock, retention=rules) as store:
        tidy(store, clock, 2 * DAY)  # now day 6: days 0, 1 and 2 of the saw are too old
        assert len(store.query(["saw.load"], T0, T0 + 3 * DAY)["saw.load"]) == 0
        assert len(store.query(["saw.load"], T0, T0 + 9 * DAY)["saw.load"]) == 1440
        assert len(store.query(["mill.load"], T0, T0 + 9 * DAY)["mill.load"]) == 4 * 1440
        assert store.rollup("saw.load", T0, T0 + DAY, HOUR).count.tolist() == [60] * 24
        gaps = store.events(T0, T0 + 9 * DAY, kinds=["gap"])
        assert [(g.id, g.time, g.data["rule"], g.data["samples"]) for g in gaps] == [
            ("historian.retention", T0 + day * DAY, "saw.* 3 d", "1440") for day in range(3)
        ]
        before = store.events(T0, T0 + 9 * DAY)
        tidy(store, clock, HOUR)
        assert store.events(T0, T0 + 9 * DAY) == before
        # a straggler of a dropped day does not spoil what the roll-ups still know
        hour = store.rollup("saw.load", T0, T0 + DAY, HOUR)
        store.append([Batch.of([0], [T0 + HOUR + 7], [1e9], received=0)])
        tidy(store, clock, 3 * HOUR)
        assert (
            store.rollup("saw.load", T0, T0 + DAY, HOUR).maximum.tolist() == hour.maximum.tolist()
        )
        tidy(store, clock, 80 * DAY)
        assert count(store) == 0
        assert tiers(store) == []
        assert len(store.rollup("mill.load", T0, T0 + DAY, HOUR).start) == 0
        assert len(store.rollup("saw.load", T0, T0 + DAY, HOUR).start) == 24
        dropped = [g.data for g in store.events(T0, T0 + 9 * DAY, kinds=["gap"])]
        assert [g["rollup_hours"] for g in dropped if "rollup_hours" in g] == ["96"]
        assert sum(int(g.get("samples", 0)) for g in dropped) == 2 * 4 * 1440 + 1


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
@pytest.mark.parametrize("reopen", [True, False])
def test_damaged_file_is_put_aside(tmp_path, clock, damage: str, reopen: bool) -> None:
    store = plant(tmp_path, clock)
    tidy(store, clock, 10 * DAY)
    if reopen:
        store.close()
    path = min((tmp_path / "days").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[:-100])
    if reopen:
        store = Historian(tmp_path, HistorianOptions(disk_reserve=0), clock)
    else:
        assert len(store.verify()) == 1  # in use it had been found right: reading on would do
    with store:
        found = store.query(["saw.load"], T0, T0 + 9 * DAY)["saw.load"]
        assert found.time.min() == T0 + DAY
        assert len(found) == 3 * 1440
        assert count(store) == 3 * 2880
        (gap,) = store.events(T0, T0 + 9 * DAY, kinds=["gap"])
        assert (gap.id, gap.time, gap.data["until"]) == ("historian.damaged", T0, str(T0 + DAY))
        assert [p.suffix for p in sorted((tmp_path / "days").iterdir())].count(".damaged") == (
            damage != "gone"
        )
        assert "put aside" in store.verify()[0]
        store.append([minutes(T0 + HOUR, HOUR)])  # restored from elsewhere
        tidy(store, clock, 3 * HOUR)
        assert len(store.query(["saw.load"], T0, T0 + DAY)["saw.load"]) == 60


def test_sql_reads_everything(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        store.append([Batch.of([0, 0], [clock.time] * 2, [1.0, np.nan], [0, 2], received=0)])
        rows = store.sql(
            "SELECT id, count(*) AS n, min(time) AS first FROM samples GROUP BY id ORDER BY id"
        ).to_pylist()
        assert [(row["id"], row["n"]) for row in rows] == [("mill.load", 5760), ("saw.load", 5761)]
        assert rows[0]["first"].isoformat() == "2024-10-04T00:00:00"
        hours = store.sql("SELECT * FROM rollup_1h WHERE id = 'saw.load' ORDER BY time").to_pylist()
        wanted = store.rollup("saw.load", T0, T0 + 4 * DAY, HOUR)
        np.testing.assert_allclose([row["weighted"] for row in hours], wanted.weighted)
        assert [row["count"] for row in hours] == wanted.count.tolist()
        for view in ("events", "findings", "rollup_1m"):
            assert store.sql(f"SELECT * FROM {view}").num_rows == 0


def test_sql_that_fails_late_says_so(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path, clock) as store:
        query = "SELECT if(value > 249, error('too much'), value) FROM samples"
        with pytest.raises(StoreError, match="too much"):
            store.sql(query)
        with pytest.raises(StoreError, match="too much"):
            store.export(query, tmp_path / "out.csv")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM events_raw",
        "WITH gone AS (DELETE FROM signals RETURNING *) SELECT * FROM gone",
        "SELECT 1; DROP TABLE signals",
        "DROP TABLE signals",
        "COPY signals TO '/tmp/stolen.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "ATTACH '/tmp/other.duckdb'",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CALL force_checkpoint()",
        "INSTALL httpfs",
        "CREATE TABLE mine (x INTEGER)",
        "UPDATE signals SET id = 'x'",
        "EXPLAIN ANALYZE DELETE FROM signals",
        "SELEC nonsense",
        "",
    ],
)
def test_sql_only_reads_and_only_its_own(tmp_path: Path, clock: Hands, query: str) -> None:
    with Historian(tmp_path, SMALL, clock) as store:
        store.register([Signal(id="a.x")])
        with pytest.raises(StoreError):
            store.sql(query)
        assert store.sql("SELECT count(*) AS n FROM signals")["n"].to_pylist() == [1]


def test_export_writes_files(tmp_path: Path, clock: Hands) -> None:
    with plant(tmp_path / "s", clock, days=1) as store:
        query = "SELECT * FROM samples WHERE id = 'saw.load' ORDER BY time"
        for suffix in ("csv", "parquet"):
            target = tmp_path / f"out.{suffix}"
            assert store.export(query, target) == 1440
            (n,) = duckdb.sql(f"SELECT count(*) FROM '{target}'").fetchall()[0]
            assert n == 1440
        with pytest.raises(StoreError, match=r"\.parquet or \.csv"):
            store.export(query, tmp_path / "out.xls")


def test_signals_come_back_as_last_registered(tmp_path: Path, clock: Hands) -> None:
    first, second = Signal(id="a.x", unit="Cel", low=0.0), Signal(id="a.y", kind="state")
    with Historian(tmp_path, SMALL, clock) as store:
        store.register([first, second])
        assert store.signals() == [first, second]
        changed = Signal(id="a.x", unit="K")
        assert store.register([changed]).tolist() == [0]
    with Historian(tmp_path, SMALL, clock) as store:
        assert store.signals() == [changed, second]


def test_second_process_is_told_who_holds_it(tmp_path: Path, clock: Hands) -> None:
    with Historian(tmp_path, SMALL, clock):
        done = run_child(tmp_path, "open_store()")
        assert "held by a running instance (process" in done.stderr
        assert "StoreError" in done.stderr
        with pytest.raises(StoreError, match="held by a running instance"):
            Historian(tmp_path, SMALL, clock)
    Historian(tmp_path, SMALL, clock).close()


def test_damaged_database_says_what_to_do(tmp_path: Path, clock: Hands) -> None:
    Historian(tmp_path, SMALL, clock).close()
    (tmp_path / "history.duckdb").write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="restore it from a backup"):
            Historian(tmp_path, SMALL, clock)


def test_closed_store_refuses(tmp_path: Path, clock: Hands) -> None:
    store = plant(tmp_path, clock, days=1)
    store.close()
    store.close()
    for use in (
        lambda: store.append([minutes(T0, HOUR)]),
        lambda: store.query(["saw.load"], T0, T0 + 1),
        lambda: store.register([Signal(id="new.x")]),
        lambda: store.tidy(clock.time),
    ):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_disk_cap_refuses_until_space_is_freed(tmp_path: Path, clock: Hands) -> None:
    rules = (Retention(signals="*", days=1),)
    with plant(tmp_path, clock, days=1, disk_cap=3, retention=rules) as store:
        generator = np.random.default_rng(1)
        accepted: list[int] = []

        def fill() -> None:
            for k in range(1000):
                times = T0 + k * SECOND + 1 + np.arange(2000)
                noise = generator.normal(size=2000)
                signal, status = np.zeros(2000, np.int32), np.zeros(2000, np.uint8)
                store.append([Batch(signal, times, noise, status, received=0)])
                accepted.append(2000)

        with pytest.raises(StoreError, match="disk_cap = 3"):
            fill()
        assert 20_000 < sum(accepted) < 1_000_000
        assert count(store) == sum(accepted) + 2880
        tidy(store, clock, 5 * DAY)  # sorts what arrived last
        tidy(store, clock, 2 * HOUR)  # and drops it, as it has been quiet since
        store.append([minutes(clock.time, HOUR)])


def test_full_disk_refuses_until_space_is_freed(tmp_path, clock, monkeypatch) -> None:
    with plant(tmp_path, clock, days=1) as store:
        usage = module.shutil.disk_usage(tmp_path)
        monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=-1))
        with pytest.raises(StoreError, match="free some space"):
            store.append([minutes(T0 + 9 * DAY, HOUR)])
        monkeypatch.undo()
        store.append([minutes(T0 + 9 * DAY, HOUR)])
        assert count(store) == 2880 + 120


class Failing:
    """A connection whose commits fail, as they do when the disk's fsync does."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def commit(self) -> None:
        self._connection.rollback()
        raise duckdb.FatalException("FATAL Error: fsync failed!")


def test_failed_commit_stops_acknowledging_until_opened_anew(tmp_path, clock) -> None:
    with plant(tmp_path, clock, days=1) as store:
        working = store._connection
        store._connection = Failing(working)  # type: ignore[assignment]
        with pytest.raises(StoreError, match="opened anew"):
            store.append([minutes(T0 + 9 * DAY, HOUR)])
        store._connection = working
        with pytest.raises(StoreError, match="opened anew"):
            store.append([minutes(T0 + 9 * DAY, HOUR)])
        with pytest.raises(StoreError, match="opened anew"):
            store.tidy(clock.time)
    with Historian(tmp_path, SMALL, clock) as store:
        store.append([minutes(T0 + 9 * DAY, HOUR)])
        assert count(store) == 2880 + 120


def test_failed_statement_stores_nothing_and_goes_on(tmp_path, clock, monkeypatch) -> None:
    with plant(tmp_path, clock, days=1) as store:

        def fail(*_: object) -> None:
            raise duckdb.OutOfMemoryException("no memory")

        monkeypatch.setattr(module.records, "add_events", fail)
        event = segments._gap("test", T0, T0, {})
        with pytest.raises(StoreError, match="nothing was stored"):
            store.append([minutes(T0 + 9 * DAY, HOUR), event])
        monkeypatch.undo()
        assert count(store) == 2880
        store.append([minutes(T0 + 9 * DAY, HOUR), event])
        assert count(store) == 2880 + 120


def test_arrow_is_loaded_only_when_asked_for(tmp_path: Path) -> None:
    done = run_child(
        tmp_path,
        """
store = open_store()
store.register([Signal(id="a.x")])
store.append([Batch.of([0], [5], [1.0], received=5)])
store.query(["a.x"], 0, 10, before=True); store.rollup("a.x", 0, 10, 5); store.last(["a.x"])
while store.tidy(10 * DAY): pass
print(sorted({"pyarrow", "pandas", "polars"} & set(sys.modules)))
""",
    )
    assert done.stdout.strip() == "[]"


CHILD = """
import os, sys
from pathlib import Path
import numpy as np
from deungdae.core.clock import RealClock
from deungdae.core.types import *
from deungdae.historian import segments
from deungdae.historian.store import Historian, HistorianOptions
def open_store(**options):
    return Historian(Path(sys.argv[1]), HistorianOptions(disk_reserve=0, **options))
"""


def run_child(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD + script, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


WRITER = """
store = open_store(hot_rows=1000)
handles = store.register([Signal(id=f"m.t{k}") for k in range(10)])
n = int(store.sql("SELECT count(*) AS n FROM samples")["n"][0].as_py()) // 10
print("start", n, flush=True)
import threading
def tidier():
    now = 20_000 * DAY
    while True:
        now += 3 * HOUR
        store.tidy(now, budget=0)
threading.Thread(target=tidier, daemon=True).start()
while True:
    times = np.full(10, 20_000 * DAY + n * 60 * SECOND)
    event = Event(id="m.n", time=int(times[0]), kind="text", value=str(n))
    batch = Batch(handles, times, np.full(10, float(n)), np.zeros(10, np.uint8), received=0)
    store.append([batch, batch, event])
    n += 1
    print(n, flush=True)
"""


def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    generator = np.random.default_rng(9)
    acknowledged = 0
    for _ in range(6):
        command = [sys.executable, "-c", CHILD + WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert int(child.stdout.readline().split()[1]) >= acknowledged
            for _ in range(int(generator.integers(20, 150))):
                acknowledged = int(child.stdout.readline())
            child.kill()
            rest = child.stdout.read().split()
            # the pipe may end in the middle of a number
            acknowledged = max([acknowledged, *map(int, rest[:-1])])
        with Historian(tmp_path, SMALL) as store:
            found = store.query(["m.t3"], 0, 2**62)["m.t3"]
            assert found.value.tolist() == list(range(len(found)))
            assert acknowledged <= len(found)
            assert count(store) == 10 * len(found)
            values = [event.value for event in store.events(0, 2**62)]
            assert values == [str(n) for n in range(len(found))]
            assert store.last(["m.t3"]).value.tolist() == [len(found) - 1]
            assert store.verify() == []


@pytest.mark.parametrize(
    ("where", "when"),
    [
        ("_fold", "after"),
        ("_roll", "after"),
        ("_write", "before"),
        ("_checksum", "before"),
        ("_sync", "after"),
        ("_commit_day", "before"),
        ("_sort_rollups", "before"),
        ("_commit_day", "after"),
    ],
)
def test_killed_while_tidying_nothing_is_lost_or_doubled(tmp_path, clock, where, when) -> None:
    with plant(tmp_path, clock, days=3) as store:
        store.append([minutes(T0 + HOUR, HOUR, value=-1.0), minutes(T0 + 5 * DAY, HOUR)])
        wanted = store.query(["saw.load"], 0, 2**62)["saw.load"].value.tolist()
        rows = count(store)
        hours = store.rollup("mill.load", T0, T0 + 9 * DAY, HOUR)
    done = run_child(
        tmp_path,
        f"""
owner = segments.Segments if hasattr(segments.Segments, "{where}") else segments
original = getattr(owner, "{where}")
def deadly(*given):
    result = original(*given) if "{when}" == "after" else None
    os._exit(77)
setattr(owner, "{where}", deadly)
store = open_store()
while store.tidy({T0 + 20 * DAY}): pass
""",
    )
    assert done.returncode == 77, done.stderr
    with Historian(tmp_path, SMALL, clock) as store:
        for _ in range(2):
            assert store.query(["saw.load"], 0, 2**62)["saw.load"].value.tolist() == wanted
            assert count(store) == rows
            again = store.rollup("mill.load", T0, T0 + 9 * DAY, HOUR)
            np.testing.assert_allclose(again.weighted, hours.weighted)
            tidy(store, clock, 20 * DAY)
        assert [tier for tier, _ in tiers(store)] == ["day"] * 4
    Historian(tmp_path, SMALL, clock).close()  # clears away what only late readers may need
    assert len(list((tmp_path / "days").iterdir())) == 4
