"""Reports by schedule: each once, also after a restart and after a time when nobody was there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader

from deungdae.app.reports import KIND, ReportOptions, Reports, due_now
from deungdae.core.clock import RealClock, from_iso, to_iso
from deungdae.core.errors import StoreError
from deungdae.core.types import DAY, HOUR, MINUTE, Event, Signal
from deungdae.historian.journal import Entry
from deungdae.historian.store import Historian
from deungdae.model.calendar import Calendar, Shift
from deungdae.model.factory import Factory, Identity

BEGIN = from_iso("2026-03-02T00:00+09:00")  # a Monday
OPTIONS = ReportOptions(folder="reports")


class Book:
    """A journal that can fail."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fails = False

    def append(self, kind: str, data: dict[str, object], who: str = "") -> Entry:
        if self.fails:
            raise StoreError("the disk is full")
        entry = Entry(n=len(self.entries) + 1, time=0, kind=kind, who=who, data=data, previous="")
        self.entries.append(entry)
        return entry

    def read(self, start: int, end: int) -> list[Entry]:
        return self.entries


class Clock(RealClock):
    """A clock that is put."""

    def __init__(self, start: int) -> None:
        self.start = start

    def now(self) -> int:
        return self.start


class Host:
    """A factory with a history."""

    def __init__(self, folder: Path, store: Historian) -> None:
        shifts = (
            Shift(name="주간", start="08:00", end="20:00"),
            Shift(name="야간", start="20:00", end="08:00"),
        )
        self.factory = Factory(
            path=folder / "factory.toml",
            identity=Identity(id="works", name="벽돌 공장"),
            signals={"press1.state": Signal(id="press1.state", kind="state")},
            calendar=Calendar(shifts=shifts),
        )
        self.store = store
        self.clock = Clock(BEGIN)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Historian(tmp_path / "history") as store:
        store.register([Signal(id="press1.state", kind="state")])
        words = ("running", "down")
        store.append(
            [
                Event(id="press1.state", time=BEGIN + n * HOUR, kind="state", value=words[n % 2])
                for n in range(10 * 24)
            ]
        )
        yield Host(tmp_path, store)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_each_shift_has_one_report_when_it_has_ended(host: Host) -> None:
    journal = Book()
    reports = Reports(host, journal)
    host.clock.start = BEGIN + 20 * HOUR + MINUTE  # late samples may still come
    assert names(reports.write_due(OPTIONS)) == ["shift-2026-03-01-2000.pdf"]
    host.clock.start = BEGIN + 20 * HOUR + 3 * MINUTE
    (path,) = reports.write_due(OPTIONS)
    assert path.name == "shift-2026-03-02-0800.pdf"
    text = PdfReader(path).pages[0].extract_text()
    assert "3월 2일(월) 주간" in text
    assert "벽돌 공장" in text
    assert reports.write_due(OPTIONS) == []
    assert [entry.data["report"] for entry in journal.entries if entry.kind == KIND] == [
        "shift"
    ] * 2
    path.unlink()  # taken away: it was written all the same, also for another run
    assert reports.write_due(OPTIONS) == []
    assert Reports(host, journal).write_due(OPTIONS) == []


def test_after_a_time_away_what_is_missing_is_written_within_reason(host: Host) -> None:
    journal = Book()
    host.clock.start = BEGIN + 8 * DAY + 9 * HOUR  # a Tuesday
    written = names(Reports(host, journal).write_due(OPTIONS))
    assert written == [
        "week-2026-03-02.pdf",
        "shift-2026-03-07-0800.pdf",
        "shift-2026-03-07-2000.pdf",
        "shift-2026-03-08-0800.pdf",
        "shift-2026-03-08-2000.pdf",
        "shift-2026-03-09-0800.pdf",
        "shift-2026-03-09-2000.pdf",
    ]
    assert Reports(host, journal).write_due(OPTIONS) == []


def test_a_week_is_due_at_its_time(host: Host) -> None:
    def weeks(at: int) -> list[str]:
        return [
            to_iso(due.start) for due in due_now(host.factory, OPTIONS, at) if due.kind == "week"
        ]

    monday = BEGIN + 7 * DAY
    assert weeks(monday + 8 * HOUR - 1) == [to_iso(BEGIN - 7 * DAY)]
    assert weeks(monday + 8 * HOUR) == [to_iso(BEGIN)]
    none = ReportOptions(folder="reports", week="", shift=False)
    assert due_now(host.factory, none, monday + 9 * HOUR) == []


def test_of_a_time_of_which_nothing_is_known_there_is_no_report(host: Host, tmp_path: Path) -> None:
    host.clock.start = BEGIN - 9 * DAY
    assert Reports(host, Book()).write_due(OPTIONS) == []
    assert not (tmp_path / "reports").exists()


def test_what_could_not_be_noted_is_written_again_in_the_same_place(
    host: Host, tmp_path: Path
) -> None:
    journal = Book()
    reports = Reports(host, journal)
    host.clock.start = BEGIN + 8 * HOUR + 3 * MINUTE
    journal.fails = True
    with pytest.raises(StoreError):
        reports.write_due(OPTIONS)
    journal.fails = False
    assert names(reports.write_due(OPTIONS)) == ["shift-2026-03-01-2000.pdf"]
    assert names(list((tmp_path / "reports").iterdir())) == ["shift-2026-03-01-2000.pdf"]


async def test_it_goes_on_when_the_folder_cannot_be_written(host: Host, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    host.clock.start = BEGIN + 8 * HOUR + 3 * MINUTE
    reports = Reports(host, Book())

    await reports._look(OPTIONS)
    assert reports._problem
    (tmp_path / "reports").unlink()
    await reports._look(OPTIONS)
    assert not reports._problem
    assert (tmp_path / "reports" / "shift-2026-03-01-2000.pdf").is_file()


@pytest.mark.parametrize("week", ["monday 08:00", "mon 24:00", "mon 8:00"])
def test_a_wrong_time_of_the_week_is_told(week: str) -> None:
    with pytest.raises(ValueError, match="write mon 08:00"):
        ReportOptions(week=week)
