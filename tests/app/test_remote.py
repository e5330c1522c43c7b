"""A store that is elsewhere answers like the store itself."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.dataset
import pytest

from deungdae.app import remote, wire
from deungdae.app.remote import Remote, Running
from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.core.ports import Store
from deungdae.core.types import HOUR, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.store import Historian

START = 1_700_000_000 * SECOND
SIGNALS = [Signal(id="kiln.temperature", unit="Cel"), Signal(id="kiln.power", unit="kW")]


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[Historian]:
    """Give an open, empty history."""
    with Historian(tmp_path / "history") as store:
        yield store


@pytest.fixture
def far(historian: Historian) -> Remote:
    """Return the same history, asked from afar by one that may write."""
    return Remote(lambda method, request: remote.answer(historian, method, request, writes=True))


def fill(store: Store, n: int = 100) -> Batch:
    """Append n samples of each signal, one a second, and return them."""
    handles = store.register(SIGNALS)
    batch = Batch(
        np.tile(handles, n),
        np.repeat(START + np.arange(n) * SECOND, 2),
        np.arange(2 * n, dtype=np.float64),
        np.zeros(2 * n, np.uint8),
        START + n * SECOND,
    )
    store.append([batch])
    return batch


def test_it_fits_the_port(far: Remote) -> None:
    assert isinstance(far, Store)


def test_samples_are_the_same_near_and_far(historian: Historian, far: Remote) -> None:
    fill(far)
    ids = ["kiln.power", "kiln.temperature", "kiln.unknown", "kiln.power"]
    near, distant = (
        store.query(ids, START + SECOND, START + HOUR, before=True) for store in (historian, far)
    )
    assert list(near) == list(distant)
    for id, expected in near.items():
        assert distant[id].time.tolist() == expected.time.tolist()
        assert distant[id].value.tolist() == expected.value.tolist()
    assert far.last(["kiln.power"]).value.tolist() == [199.0]
    assert far.query([], START, START + HOUR) == {}


def test_rollups_are_the_same_near_and_far(historian: Historian, far: Remote) -> None:
    fill(far)
    for column in ("start", "count", "minimum", "weighted"):
        near, distant = (
            getattr(store.rollup("kiln.power", START, START + HOUR, HOUR), column).tolist()
            for store in (historian, far)
        )
        assert near == distant


def test_events_and_findings_travel(far: Remote) -> None:
    event = Event(id="kiln.state", time=START, kind="state", value="firing", received=START)
    finding = Finding(origin="oee", asset="kiln", name="oee", start=START, end=START + 1, value=0.5)
    far.append([event, finding])
    assert far.events(START, START + 1, ids=["kiln.state"], kinds=["state"]) == [event]
    assert far.events(START + 1, START + 2, before=True) == [event]
    assert far.findings(START, START + 2, origin="oee") == [finding]
    assert far.findings(START, START + 2, asset="press") == []


def test_signals_and_sql_travel(far: Remote) -> None:
    fill(far, 10)
    assert far.signals() == SIGNALS
    table = far.sql("SELECT id, count(*) AS n FROM samples GROUP BY id ORDER BY id -- all\n ;")
    assert table.to_pylist() == [
        {"id": "kiln.power", "n": 10},
        {"id": "kiln.temperature", "n": 10},
    ]


def test_a_table_becomes_plain_rows(historian: Historian) -> None:
    table = historian.sql(
        "SELECT make_timestamp_ns(1700000000123456789) AS time, NULL::TIMESTAMP AS never,"
        " sum(x) AS total, avg(x::DECIMAL(9, 2)) AS mean"
        " FROM (VALUES (1), (2)) AS t(x)"
    )
    assert remote.rows(table) == [
        {
            "time": "2023-11-14T22:13:20.123456789Z",
            "never": None,
            "total": 3,
            "mean": 1.5,
        }
    ]
    assert remote.rows(historian.sql("SELECT id FROM samples")) == []
    with pytest.raises(StoreError, match="unnest"):
        remote.rows(historian.sql("SELECT [make_timestamp_ns(1)] AS times"))


@pytest.mark.parametrize("name", ["samples.csv", "samples.parquet"])
def test_a_long_table_comes_in_pages(
    far: Remote, historian: Historian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fill(far, 50)
    monkeypatch.setattr(remote, "SQL_ROWS", 30)
    query = "SELECT * FROM samples ORDER BY id, time"
    assert far.sql(query).equals(historian.sql(query))
    assert far.export(query, tmp_path / name) == 100
    assert pyarrow.dataset.dataset(tmp_path / name, format=name[8:]).count_rows() == 100
    with pytest.raises(StoreError, match=r"\.parquet or \.csv"):
        far.export(query, tmp_path / "samples.xls")


def test_a_long_answer_comes_in_parts(far: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(far, 1000)
    monkeypatch.setattr(wire, "LIMIT", 2000)
    found = far.query(["kiln.power", "kiln.temperature"], START + 1, START + HOUR, before=True)
    assert [len(samples) for samples in found.values()] == [1000, 1000]
    assert (np.diff(found["kiln.power"].time) == SECOND).all()


def test_what_cannot_be_parted_is_an_error(far: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(far)
    monkeypatch.setattr(wire, "LIMIT", 100)
    with pytest.raises(StoreError, match="too much at once"):
        far.signals()


def test_errors_come_back_as_they_were(far: Remote, historian: Historian) -> None:
    with pytest.raises(ValueError, match="above 0 ns"):
        far.rollup("kiln.power", 0, 1, 0)
    with pytest.raises(StoreError, match="syntax error"):
        far.sql("DROP TABLE signals")
    historian.close()
    with pytest.raises(StoreError, match="is closed"):
        far.events(0, 1)


def test_codes_are_found_from_afar(far: Remote, historian: Historian) -> None:
    assert far.codes_since() is None
    scans = [Event(id="a.part", time=n, kind="scan", value=f"B{n}") for n in range(3)]
    historian.append(scans)
    assert far.find({"B1": None, "B2": 0}, 9) == scans[1:]
    assert far.codes("B", 2) == ["B0", "B1"]
    assert far.codes_near("B1", 1) == ["B0", "B2"]
    assert far.codes_since() == 0


def test_not_enough_data_stays_so() -> None:
    class Empty:
        def signals(self) -> list[Signal]:
            raise NotEnoughData("nothing here")

    far = Remote(lambda method, request: remote.answer(Empty(), method, request))  # type: ignore[arg-type]
    with pytest.raises(NotEnoughData, match="nothing here"):
        far.signals()


def test_nobody_writes_without_the_right(historian: Historian) -> None:
    reader = Remote(lambda method, request: remote.answer(historian, method, request))
    with pytest.raises(StoreError, match="'append' is nothing"):
        reader.append([])
    with pytest.raises(StoreError, match="'register' is nothing"):
        reader.register(SIGNALS)
    with pytest.raises(StoreError, match="'close' is nothing"):
        reader._ask("close", remote._Request())


@pytest.mark.parametrize("request_", [b"", b"\xc1", b"\x91\x01", random.Random(1).randbytes(100)])
def test_malformed_requests_get_an_error(historian: Historian, request_: bytes) -> None:
    reply = msgspec.msgpack.decode(remote.answer(historian, "query", request_), type=remote._Reply)
    assert reply.error == "ValueError"


def test_nonsense_from_the_other_end_is_an_error() -> None:
    with pytest.raises(StoreError, match="nonsense"):
        Remote(lambda method, request: b"<html>").signals()


# ---- who is running


@pytest.fixture
def instance(historian: Historian) -> Iterator[Running]:
    """Run a server that knows a token and answers as the API does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(msgspec.json.encode({"pid": os.getpid()}))

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Authorization"] != "Bearer secret":
                self.send_error(401)
                return
            self.reply(remote.answer(historian, self.path.rpartition("/")[2], request))

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield Running(url=url, pid=os.getpid(), token="secret")
        server.shutdown()
        thread.join()


def test_a_running_instance_is_found_and_asked(
    instance: Running, historian: Historian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fill(historian)
    remote.announce(historian.path, instance)
    assert (historian.path / remote.RUNNING).stat().st_mode & 0o777 == 0o600
    found = remote.find(historian.path)
    assert found is not None
    assert found.signals() == SIGNALS
    remote.withdraw(historian.path)
    assert remote.find(historian.path) is None


def test_a_wrong_token_is_told(instance: Running) -> None:
    with pytest.raises(StoreError, match="refuses"):
        Remote.at(instance.url, "guess").signals()


def test_whoever_is_gone_is_not_found(historian: Historian, instance: Running) -> None:
    remote.announce(historian.path, msgspec.structs.replace(instance, pid=2**22 + 1))
    assert remote.find(historian.path) is None
    # the process lives, but what answers at the address is another
    remote.announce(historian.path, msgspec.structs.replace(instance, pid=os.getppid()))
    assert remote.find(historian.path) is None
    remote.announce(historian.path, msgspec.structs.replace(instance, url="http://127.0.0.1:9"))
    assert remote.find(historian.path) is None
    (historian.path / remote.RUNNING).write_text("{")
    assert remote.find(historian.path) is None


def test_no_answer_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="does not answer"):
        Remote.at("http://127.0.0.1:9", "secret").signals()
