"""What every Store must do, whatever it keeps its samples in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deungdae.core.errors import StoreError
from deungdae.core.ports import Store
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.store import Historian, HistorianOptions

T0 = 20_000 * DAY
Opener = Callable[[], Store]


def historian(folder: Path) -> Historian:
    return Historian(folder, HistorianOptions(disk_reserve=0))


@pytest.fixture(params=[historian])
def reopened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Return a function that opens the store, closing it before where it is open."""
    opened: list[Historian] = []

    def again() -> Store:
        for one in opened:
            one.close()
        opened.append(request.param(tmp_path / "store"))
        return opened[-1]

    yield again
    for one in opened:
        one.close()


@pytest.fixture
def store(reopened: Opener) -> Store:
    return reopened()


def signals(*ids: str) -> list[Signal]:
    return [Signal(id=id) for id in ids]


def samples(*rows: tuple[int, int, float], received: int = T0) -> Batch:
    return Batch.of(*zip(*rows, strict=True), received=received)


def state(time: int, value: str, **more: object) -> Event:
    return Event(id="saw.state", time=time, kind="state", value=value, **more)  # type: ignore[arg-type]


def oee(start: int, value: float, **more: object) -> Finding:
    return Finding(
        **{
            "origin": "kpi",
            "asset": "saw",
            "name": "oee",
            "start": start,
            "end": start + HOUR,
            "value": value,
            **more,
        }
    )  # type: ignore[arg-type]


def test_is_a_store(store: Store) -> None:
    assert isinstance(store, Store)


def test_handles_stay_for_ever(reopened: Opener) -> None:
    store = reopened()
    first = store.register(signals("a.x", "a.y", "b.x"))
    assert first.dtype == np.int32
    assert len(set(first.tolist())) == 3
    store = reopened()
    again = store.register(signals("b.x", "new.x", "a.x"))
    assert again[[0, 2]].tolist() == first[[2, 0]].tolist()
    assert again[1] not in first
    assert store.register([]).tolist() == []


def test_what_is_appended_is_there_after_opening_anew(reopened: Opener) -> None:
    store = reopened()
    x, y = store.register(signals("a.x", "a.y")).tolist()
    status = [0, 0x22, 0x40]
    batch = Batch.of([x, y, x], [T0, T0 + 1, T0 + 2], [1.5, -2.0, 3e300], status, received=T0 + 9)
    events = [state(T0, "running", status=4, received=T0 + 1, data={"programme": "O1234 ü"})]
    findings = [
        oee(T0, 0.7, uncertainty=0.02, evidence={"signals": "a.x"}, reason="ok", severity=2)
    ]
    store.append([batch, *events, *findings])
    for open_now in (lambda: store, reopened):
        opened = open_now()
        found = opened.query(["a.x", "a.y", "never.seen"], T0, T0 + 10)
        assert list(found) == ["a.x", "a.y", "never.seen"]
        assert found["a.x"].time.tolist() == [T0, T0 + 2]
        assert found["a.x"].value.tolist() == [1.5, 3e300]
        assert found["a.x"].status.tolist() == [0, 0x40]
        assert found["a.y"].status.tolist() == [0x22]
        assert len(found["never.seen"]) == 0
        assert opened.events(T0, T0 + 1) == events
        assert opened.findings(T0, T0 + DAY) == findings


def test_empty_questions_and_batches(store: Store) -> None:
    store.append([])
    store.append([Batch.of((), (), (), received=T0)])
    store.register(signals("a.x"))
    assert store.query([], T0, T0 + DAY) == {}
    assert len(store.query(["a.x"], T0, T0)["a.x"]) == 0
    assert len(store.query(["a.x"], T0, T0 - 5, before=True)["a.x"]) == 0
    assert len(store.rollup("a.x", T0, T0 + DAY, MINUTE).start) == 0
    assert len(store.rollup("never.seen", T0, T0 + DAY, MINUTE).start) == 0
    assert store.events(T0, T0 + DAY) == []
    assert store.findings(T0, T0 + DAY) == []
    assert len(store.last(["a.x", "never.seen"])) == 0


def test_later_append_holds(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    store.append([samples((x, T0, 1.0), (x, T0 + 1, 2.0), (x, T0, 3.0))])
    store.append([samples((x, T0 + 1, 4.0)), samples((x, T0 + 1, 5.0))])
    found = store.query(["a.x"], T0, T0 + 2)["a.x"]
    assert found.value.tolist() == [3.0, 5.0]
    assert store.last(["a.x"]).value.tolist() == [5.0]


def test_late_samples_stand_at_their_own_time(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    for offset in (50, 10, 30, 20, 40):
        store.append([samples((x, T0 + offset, float(offset)))])
    assert store.query(["a.x"], T0, T0 + 99)["a.x"].value.tolist() == [10, 20, 30, 40, 50]
    assert store.last(["a.x"]).time.tolist() == [T0 + 50]


def test_range_is_half_open_and_before_adds_one(store: Store) -> None:
    x, y = store.register(signals("a.x", "a.y")).tolist()
    store.append([samples((x, T0, 0.0), (x, T0 + 1, 1.0), (x, T0 + 2, 2.0), (y, T0 - DAY, 9.0))])
    found = store.query(["a.x", "a.y"], T0 + 1, T0 + 2, before=True)
    assert found["a.x"].value.tolist() == [0.0, 1.0]
    assert found["a.y"].value.tolist() == [9.0]
    assert len(store.query(["a.y"], T0, T0 + 2)["a.y"]) == 0


def test_not_a_number_is_told_by_its_status(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    values, status = [np.nan, np.inf, 1.0], [2, 2, 0]
    store.append([Batch.of([x] * 3, [T0, T0 + 1, T0 + 2], values, status, received=T0)])
    found = store.query(["a.x"], T0, T0 + 9)["a.x"]
    np.testing.assert_array_equal(found.value, values)
    assert found.status.tolist() == status


def test_last_comes_in_the_order_asked(store: Store) -> None:
    x, y, z = store.register(signals("a.x", "a.y", "a.z")).tolist()
    store.append([samples((x, T0, 1.0), (z, T0 + 5, 2.0), (x, T0 - 5, 7.0))])
    last = store.last(["a.z", "a.y", "never.seen", "a.x"])
    assert last.signal.tolist() == [z, x]
    assert last.value.tolist() == [2.0, 1.0]
    assert y not in last.signal


def test_last_survives_opening_anew(reopened: Opener) -> None:
    store = reopened()
    (x,) = store.register(signals("a.x")).tolist()
    store.append([samples((x, T0 + 9, 1.0), (x, T0, 2.0))])
    store.append([samples((x, T0 + 9, 3.0))])
    last = reopened().last(["a.x"])
    assert (last.time.tolist(), last.value.tolist()) == ([T0 + 9], [3.0])


def test_unknown_handle_is_refused_and_nothing_stays(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    for bad in (x + 1, -1):
        with pytest.raises(StoreError, match="register"):
            store.append([samples((x, T0, 1.0), (bad, T0, 1.0))])
    assert len(store.query(["a.x"], T0, T0 + 1)["a.x"]) == 0


def test_events_are_idempotent_and_ordered(store: Store) -> None:
    first = [state(T0 + 5, "b"), state(T0 + 5, "a"), state(T0, "a")]
    store.append(first)
    store.append([state(T0 + 5, "a"), state(T0 + 5, "a", data={"part": "7"}), state(T0, "a")])
    store.append([state(T0 + 7, "c"), state(T0 + 7, "c")])
    found = store.events(T0, T0 + 9)
    assert [(e.time - T0, e.value, e.data) for e in found] == [
        (0, "a", {}),
        (5, "b", {}),
        (5, "a", {}),
        (5, "a", {"part": "7"}),
        (7, "c", {}),
    ]


def test_events_by_id_kind_and_before(store: Store) -> None:
    alarm = Event(id="saw.door", time=T0 + 1, kind="alarm", value="open")
    old = [state(T0 - 9, "idle"), state(T0 - 8, "running")]
    store.append([alarm, *old, state(T0 + 2, "idle"), state(T0 + 9, "late")])
    assert store.events(T0, T0 + 9, kinds=["alarm"]) == [alarm]
    assert [e.value for e in store.events(T0, T0 + 9, ids=["saw.state"])] == ["idle"]
    assert store.events(T0, T0 + 9, ids=[]) == []
    with_before = store.events(T0, T0 + 9, before=True)
    assert [e.value for e in with_before] == ["running", "open", "idle"]
    assert [e.value for e in store.events(T0, T0 + 1, kinds=["alarm"], before=True)] == []


def test_findings_are_idempotent_and_filtered(store: Store) -> None:
    store.append([oee(T0, 0.5), oee(T0 + HOUR, 0.6)])
    store.append([oee(T0, 0.7), oee(T0, 0.1, asset="mill"), oee(T0, 0.2, origin="other")])
    store.append([oee(T0, None, name="why", reason="no counts")])  # type: ignore[arg-type]
    mine = store.findings(T0, T0 + DAY, origin="kpi", asset="saw", name="oee")
    assert [f.value for f in mine] == [0.7, 0.6]
    assert len(store.findings(T0, T0 + DAY)) == 5
    assert store.findings(T0, T0 + HOUR) == []  # they end later
    assert [f.value for f in store.findings(T0, T0 + DAY, name="why")] == [None]


def test_rollup_of_known_numbers(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    times = [T0 - 30 * SECOND, T0 + 15 * SECOND, T0 + 45 * SECOND, T0 + 2 * MINUTE]
    store.append([Batch.of([x] * 4, times, [8.0, 4.0, 0.0, 5.0], [0, 0, 2, 0], received=T0)])
    found = store.rollup("a.x", T0, T0 + 3 * MINUTE, MINUTE)
    assert found.start.tolist() == [T0, T0 + 2 * MINUTE]
    assert found.count.tolist() == [1, 1]
    assert found.minimum.tolist() == found.maximum.tolist() == found.mean.tolist() == [4.0, 5.0]
    assert found.last.tolist() == [4.0, 5.0]
    assert found.bad.tolist() == [0.5, 0.0]
    # 8 is held for 15 s, then 4 for 30 s; after the bad sample nothing is known
    np.testing.assert_allclose(found.weighted, [(8 * 15 + 4 * 30) / 45, 5.0])


def test_rollup_of_a_bucket_without_good_samples(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    store.append([Batch.of([x], [T0], [1.0], [2], received=T0)])
    found = store.rollup("a.x", T0, T0 + MINUTE, MINUTE)
    assert (found.count.tolist(), found.bad.tolist()) == ([0], [1.0])
    for column in (found.minimum, found.maximum, found.mean, found.last, found.weighted):
        assert np.isnan(column).all()


def test_rollup_needs_a_size(store: Store) -> None:
    with pytest.raises(ValueError, match="above 0"):
        store.rollup("a.x", T0, T0 + 1, 0)


@pytest.mark.parametrize("time", [-(2**63), -(2**62), -1, 0, 2**62, 2**63 - 1])
def test_times_far_off_are_kept(store: Store, time: int) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    store.append([samples((x, T0, 1.0))])
    store.append([samples((x, time, 2.0))])
    found = store.query(["a.x"], -(2**63), 2**63 - 1)["a.x"]
    assert sorted(found.value.tolist()) == [1.0, 2.0]
    assert (found.time[1:] > found.time[:-1]).all()
    assert store.rollup("a.x", -(2**63), 2**63 - 1, HOUR).count.tolist() == [1, 1]


def test_five_thousand_signals(reopened: Opener) -> None:
    store = reopened()
    ids = [f"plant.t{n}" for n in range(5000)]
    handles = store.register(signals(*ids))
    times = np.full(5000, T0, np.int64)
    status = np.zeros(5000, np.uint8)
    for second in range(3):
        value = np.arange(5000) + second / 4
        store.append([Batch(handles, times + second * SECOND, value, status, received=T0)])
    for open_now in (lambda: store, reopened):
        opened = open_now()
        assert opened.last(ids).value.tolist() == (np.arange(5000) + 0.5).tolist()
        found = opened.query(ids, T0 + SECOND, T0 + DAY, before=True)
        assert all(len(one) == 3 for one in found.values())
        assert found["plant.t4321"].value.tolist() == [4321.0, 4321.25, 4321.5]


def test_questions_are_answered_while_it_writes(store: Store) -> None:
    (x,) = store.register(signals("a.x")).tolist()
    done = threading.Event()
    problems: list[str] = []

    def ask() -> None:
        seen = 0
        while not done.is_set():
            found = store.query(["a.x"], T0, T0 + DAY)["a.x"]
            whole = found.value.tolist() == list(range(len(found)))
            if len(found) < seen or not whole or len(found) % 50:
                problems.append(f"{seen} then {len(found)}")
            seen = len(found)

    readers = [threading.Thread(target=ask) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(0, 2000, 50):
        store.append([samples(*((x, T0 + k, float(k)) for k in range(n, n + 50)))])
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(store.query(["a.x"], T0, T0 + DAY)["a.x"]) == 2000
