"""Writes the reports of shifts and weeks into a folder, each once, whenever it is due."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from deungdae.core.clock import Clock, to_iso
from deungdae.core.errors import DeungdaeError, NotEnoughData
from deungdae.core.ports import Store
from deungdae.core.types import DAY, MINUTE, SECOND
from deungdae.historian.journal import Entry
from deungdae.insight.kpi.reasons import Language
from deungdae.insight.kpi.shifts import Turn, shifts_of
from deungdae.model.calendar import WEEK as WEEKDAYS
from deungdae.model.calendar import local_midnight
from deungdae.model.factory import Factory

from . import papers
from .accounts import accounts

log = logging.getLogger("deungdae.reports")

LOOK = 30.0  # s between two looks at what is due
BACK = 3 * DAY  # so old reports are still written when nobody was there to write them
WEEK_BACK = 7 * DAY
KIND = "report"  # of the journal's entries
_DUE = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):([0-5]\d)$")


class ReportOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[reports]` table: PDF reports that are written into a folder by themselves.

    A shift's report comes when the shift has ended, a week's on the day and at the time given, over
    the seven days before. Each is written once, also if the platform did not run at that moment:
    then when it runs again, up to three days later (a week's: seven). Nothing is sent by e-mail.

    ```toml
    [reports]
    folder = "reports"
    week = "mon 08:00"
    ```
    """

    folder: Annotated[
        str, msgspec.Meta(description="Where to write, from the factory file's folder; '': nothing")
    ] = ""
    shift: Annotated[bool, msgspec.Meta(description="Whether shifts have reports")] = True
    week: Annotated[
        str, msgspec.Meta(description="Day and local time of the weekly report; '': none")
    ] = "mon 08:00"
    wait: Annotated[
        float,
        msgspec.Meta(
            description="After a shift's end, so that late samples are in its report",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 120.0
    language: Annotated[
        Literal["", "ko", "en"], msgspec.Meta(description="Of the reports; '': the factory's")
    ] = ""

    def __post_init__(self) -> None:
        if self.week and not _DUE.match(self.week):
            raise ValueError(f"week = {self.week!r} is not understood: write mon 08:00")


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A report that is to be written: over [start, end)."""

    kind: Literal["shift", "week"]
    name: str
    start: int
    end: int

    @property
    def key(self) -> tuple[str, str]:
        """Return by what it is known whether it was written."""
        return self.kind, to_iso(self.start)


class Book(Protocol):
    """The journal, as far as it is needed."""

    def append(self, kind: str, data: dict[str, object], who: str = "") -> Entry: ...

    def read(self, start: int, end: int) -> list[Entry]: ...


class Host(Protocol):
    """The running factory, as far as it is needed."""

    factory: Factory
    store: Store
    clock: Clock


class Reports:
    """Looks every half minute which reports are due, and writes them."""

    def __init__(self, host: Host, journal: Book) -> None:
        self.host = host
        self.journal = journal
        self._done: set[tuple[str, str]] | None = None  # None: the journal was not asked yet
        self._problem = ""

    async def run(self) -> None:
        """Write what is due until cancelled. What fails is tried again, and told once."""
        while True:
            options = self.host.factory.sections.get("reports")
            if isinstance(options, ReportOptions) and options.folder:
                await self._look(options)
            await self.host.clock.sleep(LOOK)

    async def _look(self, options: ReportOptions) -> None:
        try:
            await self.host.clock.call(self.write_due, options)
        except (OSError, DeungdaeError) as error:
            if self._problem != str(error):
                log.error("state=failed reason=%r", str(error))
            self._problem = str(error)
            return
        if self._problem:
            log.info("state=written")
        self._problem = ""

    def write_due(self, options: ReportOptions) -> list[Path]:
        """Write what is due and was not written, and note each in the journal; return the files."""
        now, factory = self.host.clock.now(), self.host.factory
        if self._done is None:
            entries = self.journal.read(now - WEEK_BACK - 8 * DAY, now + DAY)
            self._done = {
                (str(entry.data.get("report")), str(entry.data.get("start")))
                for entry in entries
                if entry.kind == KIND
            }
        written = []
        for due in due_now(factory, options, now):
            if due.key in self._done:
                continue
            content = self._drawn(due, factory, options, now)
            if content is not None:
                written.append(self._keep(due, content, factory.path.parent / options.folder))
            self._done.add(due.key)
        return written

    def _drawn(self, due: Due, factory: Factory, options: ReportOptions, now: int) -> bytes | None:
        """Return the report; None where nothing at all is known of its time."""
        language: Language = options.language or factory.identity.language
        store = self.host.store
        try:
            if not papers.heard(accounts(store, factory, due.start, due.end, now=now)):
                return None
            if due.kind == "week":
                return papers.week_report(store, factory, due.end, now, language)
            turn = Turn(name=due.name, start=due.start, end=due.end, planned=0.0)
            return papers.shift_report(store, factory, turn, now, language)
        except NotEnoughData as error:
            log.warning("state=nothing report=%s reason=%r", due.kind, str(error))
            return None

    def _keep(self, due: Due, content: bytes, folder: Path) -> Path:
        """Put the file in place whole; only what stands there is noted as written."""
        zone = self.host.factory.zone
        begun = (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=due.start // SECOND)
        ).astimezone(zone)
        form = "%Y-%m-%d" if due.kind == "week" else "%Y-%m-%d-%H%M"
        path = folder / f"{due.kind}-{begun.strftime(form)}.pdf"
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        kind, start = due.key
        data: dict[str, object] = {"report": kind, "start": start, "end": to_iso(due.end),
                                   "file": str(path)}  # fmt: skip
        self.journal.append(KIND, data, "reports")
        log.info("state=written report=%s file=%s", kind, path)
        return path


def due_now(factory: Factory, options: ReportOptions, now: int) -> list[Due]:
    """Return the reports whose time has come and is not too long ago, in order of their start."""
    found = []
    if options.shift:
        wait = round(options.wait * SECOND)
        for turn in shifts_of(factory, now - BACK, now):
            if now - BACK < turn.end <= now - wait:
                found.append(Due(kind="shift", name=turn.name, start=turn.start, end=turn.end))
    for moment in _weekly(factory, options, now):
        days = papers.week_before(factory, moment)
        found.append(Due(kind="week", name="", start=days[0][0], end=days[-1][1]))
    return sorted(found, key=lambda due: (due.start, due.kind))


def _weekly(factory: Factory, options: ReportOptions, now: int) -> Iterator[int]:
    """Yield the moments of the last week at which a weekly report was due."""
    match = _DUE.match(options.week)
    if match is None:
        return
    weekday, minutes = WEEKDAYS.index(match[1]), int(match[2]) * 60 + int(match[3])
    today = _day(now, factory)
    for back in range(8):
        day = today - timedelta(back)
        moment = local_midnight(day, factory.zone) + minutes * MINUTE
        if day.weekday() == weekday and now - WEEK_BACK < moment <= now:
            yield moment


def _day(moment: int, factory: Factory) -> date:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // SECOND)
    return utc.astimezone(factory.zone).date()
