"""The journal: the chain holds across months and restarts, and shows what was done to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.errors import StoreError
from deungdae.historian import journal as module
from deungdae.historian.journal import BEGINNING, Journal, Wanted


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self, iso: str) -> None:
        self.time = from_iso(iso)

    def now(self) -> int:
        self.time += 1_000
        return self.time

    def set(self, iso: str) -> None:
        self.time = from_iso(iso)


@pytest.fixture
def clock() -> Hands:
    return Hands("2026-10-30T12:00:00Z")


def filled(path: Path, clock: Hands) -> Journal:
    journal = Journal(path, clock)
    for n in range(5):
        journal.append("command", {"signal": "kiln.setpoint", "value": 900.5 + n}, who="loop")
    clock.set("2026-11-02T00:00:00Z")
    for _ in range(5):
        journal.append("refusal", {"rule": "limits", "reason": "över 1000 °C"}, who="gate")
    return journal


def test_chain_goes_on_across_months_and_restarts(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock) as journal:
        head = journal.head()
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == ["2026-10.jsonl", "2026-11.jsonl"]
    with Journal(tmp_path, clock) as journal:
        assert journal.head() == head
        entry = journal.append("login", {"from": "panel"}, who="kim")
        assert (entry.n, entry.previous) == (11, head)
        assert journal.verify() is None
        everything = journal.read(0, 2**63 - 1)
        assert [e.n for e in everything] == list(range(1, 12))
        assert everything[0].previous == BEGINNING
        assert everything[-1] == entry
        november = journal.read(from_iso("2026-11-01T00:00:00Z"), 2**63 - 1)
        assert [e.n for e in november] == list(range(6, 12))
        assert november[0].data == {"rule": "limits", "reason": "över 1000 °C"}


def test_clock_that_goes_back_never_writes_to_an_older_file(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock) as journal:
        clock.set("2026-10-31T00:00:00Z")
        journal.append("mode", {"mode": "off"})
        assert journal.verify() is None
        assert len(journal.read(clock.time, clock.time + 1)) == 1


def damage_value(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b"902.5", b"903.5")


def damage_order(lines: list[bytes]) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def damage_gone(lines: list[bytes]) -> None:
    del lines[2]


def damage_rehashed(lines: list[bytes]) -> None:
    """A forger who also makes the entry's own hash right is told by the next entry."""
    entry = module.msgspec.json.decode(lines[2], type=module.Entry)
    forged = module.msgspec.structs.replace(entry, data={"value": 1})
    lines[2] = module.msgspec.json.encode(module._sealed(forged)) + b"\n"


def damage_garbage(lines: list[bytes]) -> None:
    lines[2] = b"\xff\x00 not json\n"


@pytest.mark.parametrize(
    ("damage", "line", "word"),
    [
        (damage_value, 3, "hash"),
        (damage_order, 3, "entry 4 stands where entry 3"),
        (damage_gone, 3, "entry 4 stands where entry 3"),
        (damage_rehashed, 4, "follow"),
        (damage_garbage, 3, "no journal entry"),
    ],
)
def test_any_change_is_found_where_it_was_made(tmp_path, clock, damage, line, word) -> None:
    filled(tmp_path, clock).close()
    path = tmp_path / "2026-10.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damage(lines)
    path.write_bytes(b"".join(lines))
    with Journal(tmp_path, clock) as journal:
        broken = journal.verify()
        assert broken is not None
        assert (broken.file, broken.line) == ("2026-10.jsonl", line)
        assert word in str(broken)


def test_entries_removed_while_open_are_missed(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock) as journal:
        (tmp_path / "2026-11.jsonl").unlink()
        assert "entries 6 to 10 are gone" in str(journal.verify())


@pytest.mark.parametrize("cut", [1, 2, 40, 10_000])
def test_torn_last_line_is_kept_aside_and_noted(tmp_path: Path, clock: Hands, cut: int) -> None:
    filled(tmp_path, clock).close()
    path = tmp_path / "2026-11.jsonl"
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    torn = last[: max(1, len(last) - cut)]
    path.write_bytes(whole[: -len(last)] + torn)
    with Journal(tmp_path, clock) as journal:
        assert journal.verify() is None
        note = journal.read(0, 2**63 - 1)[-1]
        assert (note.n, note.kind) == (10, "note")
        assert (tmp_path / str(note.data["kept"])).read_bytes() == torn
    with Journal(tmp_path, clock) as journal:
        assert journal.append("mode", {}).n == 11
        assert journal.verify() is None


def test_file_with_only_a_torn_line_continues_the_month_before(tmp_path, clock) -> None:
    with filled(tmp_path, clock) as journal:
        head = journal.head()
    (tmp_path / "2026-12.jsonl").write_bytes(b'{"n":11,"ti')
    clock.set("2026-12-01T00:00:00Z")
    with Journal(tmp_path, clock) as journal:
        assert journal.verify() is None
        assert journal.read(0, 2**63 - 1)[-1].previous == head


def test_altered_end_is_not_continued(tmp_path: Path, clock: Hands) -> None:
    filled(tmp_path, clock).close()
    path = tmp_path / "2026-11.jsonl"
    path.write_bytes(path.read_bytes().replace(b"limits", b"nobody"))
    with pytest.raises(StoreError, match="altered"):
        Journal(tmp_path, clock)
    with pytest.raises(StoreError, match="altered"):  # and the folder was let go of
        Journal(tmp_path, clock)


def test_failed_sync_stops_acknowledging(tmp_path, clock, monkeypatch) -> None:
    with filled(tmp_path, clock) as journal:

        def fail(_: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(module.os, "fdatasync", fail)
        with pytest.raises(StoreError, match="opened anew"):
            journal.append("command", {})
        monkeypatch.undo()
        with pytest.raises(StoreError, match="opened anew"):
            journal.append("command", {})
    with Journal(tmp_path, clock) as journal:
        assert journal.append("command", {}).n in (11, 12)
        assert journal.verify() is None


def test_one_sync_an_entry(tmp_path, clock, monkeypatch) -> None:
    with filled(tmp_path, clock) as journal:
        synced = []
        monkeypatch.setattr(module.os, "fdatasync", synced.append)
        journal.append("command", {})
        assert len(synced) == 1


def test_second_holder_is_told_who_has_it(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock):
        script = (
            "import sys; from pathlib import Path; from deungdae.historian.journal import Journal;"
            f"Journal(Path({str(tmp_path)!r}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert "held by a running instance (process" in done.stderr


def test_closed_journal_refuses(tmp_path: Path, clock: Hands) -> None:
    journal = filled(tmp_path, clock)
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.append("command", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers(0, 20), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(st.tuples(st.text(), st.dictionaries(st.text(), json_values, max_size=4)), max_size=6)
)
def test_whatever_is_written_reads_back_and_verifies(tmp_path_factory, entries) -> None:
    clock = Hands("2026-10-30T12:00:00Z")
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder, clock) as journal:
        written = [journal.append(kind, data) for kind, data in entries]
        assert journal.verify() is None
    with Journal(folder, clock) as journal:
        assert journal.verify() is None
        assert journal.read(0, 2**63 - 1) == written
        lines = [line for p in folder.glob("*.jsonl") for line in p.read_bytes().splitlines()]
        assert [json.loads(line)["n"] for line in lines] == list(range(1, len(entries) + 1))


def wanted(**parts: object) -> Wanted:
    whole: dict[str, object] = {"start": 0, "end": 2**63 - 1}
    return Wanted(**(whole | parts))  # type: ignore[arg-type]


def test_the_newest_come_page_by_page_across_months(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock) as journal:
        numbers, before = [], 0
        while True:
            page = journal.newest(wanted(before=before), 3)
            numbers.append([entry.n for entry in page.entries])
            before = page.rest
            if not before:
                break
    assert numbers == [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1]]


def test_the_newest_are_searched_by_kind_person_time_and_words(
    tmp_path: Path, clock: Hands
) -> None:
    november = from_iso("2026-11-01")
    with filled(tmp_path, clock) as journal:
        for parts, expected in (
            ({"kinds": ("command",)}, [5, 4, 3, 2, 1]),
            ({"who": "gate"}, [10, 9, 8, 7, 6]),
            ({"text": "ÖVER 1000"}, [10, 9, 8, 7, 6]),
            ({"text": "901.5"}, [2]),
            ({"start": november}, [10, 9, 8, 7, 6]),
            ({"end": november}, [5, 4, 3, 2, 1]),
            ({"who": "nobody"}, []),
        ):
            page = journal.newest(wanted(**parts), 100)
            assert [entry.n for entry in page.entries] == expected, parts
            assert page.rest == 0


def test_a_page_looks_at_so_many_and_says_where_to_go_on(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED", 4)
    with filled(tmp_path, clock) as journal:
        page = journal.newest(wanted(kinds=("command",)), 100)
        assert (page.entries, page.rest) == ([], 7)


def test_what_is_no_entry_is_told(tmp_path: Path, clock: Hands) -> None:
    with filled(tmp_path, clock) as journal:
        (tmp_path / "2026-10.jsonl").write_text("{}\n")
        with pytest.raises(StoreError, match=r"2026-10\.jsonl"):
            journal.newest(wanted(), 100)


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(1, 64))
def test_lines_are_read_backwards_whatever_their_length(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "2026-01.jsonl"
    lines = [str(n).encode() + b"x" * length for n, length in enumerate(lengths)]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        assert list(module._lines_backwards(path)) == lines[::-1]
