"""The index of codes: what it finds is what reading every event would find."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import StoreError
from deungdae.core.types import SECOND, Event
from deungdae.historian import codes as module
from deungdae.historian import store as face
from deungdae.historian.store import Historian, HistorianOptions
from deungdae.insight import trace

FREE = HistorianOptions(disk_reserve=0)


def scan(code: str, time: int, **data: str) -> Event:
    return Event(id="a.part", time=time * SECOND, kind="scan", value=code, data=data)


def whose(event: Event) -> set[str]:
    """Return the codes that an event names, as the documents say."""
    if event.kind not in ("scan", "image"):
        return set()
    keys = ("serial", "sscc", "lot", "from", "into", "carrier", "order")
    texts = [event.value, *(part for key in keys for part in event.data.get(key, "").split(","))]
    return {text.strip() for text in texts} - {""}


few = st.sampled_from(["A", "B", "C", "ㄱ-1", "a b"])
events = st.builds(
    lambda code, time, data, kind: Event(
        id="a.part", time=time * SECOND, kind=kind, value=code, data=data
    ),
    few,
    st.integers(0, 20),
    st.dictionaries(st.sampled_from(["lot", "from", "into", "note"]), few | st.just("A, B")),
    st.sampled_from(["scan", "scan", "image", "text"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(events, max_size=8), max_size=4), few, st.none() | st.integers(0, 20))
def test_it_finds_what_reading_everything_finds(parts, code, moment) -> None:
    with tempfile.TemporaryDirectory() as folder, Historian(Path(folder), FREE) as store:
        for part in parts:
            store.append(part)
            store.find({"A": None}, 1)  # so that the index follows in several steps
        time = None if moment is None else moment * SECOND
        found = store.find({code: time}, 3)
        named = [e for e in store.events(-SECOND, 100 * SECOND) if code in whose(e)]
    if time is None:
        expected = named[-3:]
    else:
        late = [e for e in named if e.time >= time]
        expected = [e for e in named if e.time < time][-3:] + late[:3]
    assert found == expected


def test_each_event_comes_once_and_in_order(tmp_path: Path) -> None:
    with Historian(tmp_path, FREE) as store:
        store.append([scan("B", 2, lot="L"), scan("A", 1, lot="L"), scan("C", 3)])
        assert [e.value for e in store.find({"L": None, "A": None, "B": None}, 9)] == ["A", "B"]
        assert store.find({}, 9) == []
        assert store.find({"nothing": None}, 9) == []


def test_codes_by_prefix_and_by_nearness(tmp_path: Path) -> None:
    with Historian(tmp_path, FREE) as store:
        assert store.codes_since() is None
        store.append([scan(code, 5) for code in ("AB-1", "AB-2", "AC-1", "B", "가-7")])
        assert store.codes("AB", 9) == ["AB-1", "AB-2"]
        assert store.codes("가", 9) == ["가-7"]
        assert store.codes("", 2) == ["AB-1", "AB-2"]
        assert store.codes_near("AB-3", 1) == ["AB-2", "AC-1"]
        assert store.codes_near("AB-2", 1) == ["AB-1", "AC-1"]  # never itself
        assert store.codes_since() == 5 * SECOND


def test_what_comes_late_is_found_and_dates_the_beginning(tmp_path: Path) -> None:
    with Historian(tmp_path, FREE) as store:
        store.append([scan("A", 50)])
        assert len(store.find({"A": None}, 9)) == 1
        store.append([scan("A", 7)])
        assert [e.time for e in store.find({"A": None}, 9)] == [7 * SECOND, 50 * SECOND]
        assert store.codes_since() == 7 * SECOND


def test_an_older_history_is_indexed_while_nothing_else_is_done(tmp_path: Path) -> None:
    with Historian(tmp_path, FREE) as store:
        store.append([scan("A", 1)])
    assert not (tmp_path / "codes.sqlite").exists()
    with Historian(tmp_path, FREE) as store:
        assert store.tidy(9 * SECOND, budget=60) is False
        with sqlite3.connect(tmp_path / "codes.sqlite") as index:
            assert index.execute("SELECT code FROM mentions").fetchall() == [("A",)]


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    with Historian(tmp_path, FREE) as store:
        store.append([scan("A", 1)])
        store.find({"A": None}, 1)
    (tmp_path / "codes.sqlite").write_bytes(b"rubbish" * 1000)
    with Historian(tmp_path, FREE) as store:
        assert [e.value for e in store.find({"A": None}, 9)] == ["A"]


def test_the_index_of_another_history_is_made_anew(tmp_path: Path) -> None:
    """As after a backup was put back: the index beside it knows of events that are not there."""
    for folder, codes in (("one", "ABC"), ("other", "XY")):
        with Historian(tmp_path / folder, FREE) as store:
            store.append([scan(code, n) for n, code in enumerate(codes)])
            store.find({"A": None}, 1)
    (tmp_path / "one" / "codes.sqlite").replace(tmp_path / "other" / "codes.sqlite")
    with Historian(tmp_path / "other", FREE) as store:
        assert store.find({"A": None}, 9) == []
        assert store.codes("", 9) == ["X", "Y"]


def test_a_question_does_not_wait_for_a_long_index(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(face, "STEPS", 1)
    monkeypatch.setattr(module, "_STEP", 2)
    with Historian(tmp_path, FREE) as store:
        store.append([scan(f"A{n}", n) for n in range(9)])
        with pytest.raises(StoreError, match="still being made"):
            store.find({"A1": None}, 1)
        while store.tidy(9 * SECOND, budget=0):
            pass
        assert len(store.find({"A1": None}, 1)) == 1


def test_what_no_code_can_be_is_left_out(tmp_path: Path) -> None:
    ref = f"sha256:{'0' * 64}"
    with Historian(tmp_path, FREE) as store:
        image = Event(id="c.image", time=1, kind="image", value=ref, data={"serial": "A"})
        store.append([scan("x" * 300, 1), scan("  ", 2), scan("nul\0inside", 3), image])
        assert store.codes("", 9) == ["A", "nul\0inside"]
        assert [e.time for e in store.find({"nul\0inside": None}, 9)] == [3 * SECOND]


def test_the_index_and_the_genealogy_read_the_same_keys() -> None:
    assert module.NAMED == trace.NAMED
