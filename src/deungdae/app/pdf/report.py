"""What stands on a shift report and on a weekly report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from deungdae.core.types import HOUR, SECOND
from deungdae.insight.kpi.account import SHOWN, Account, Cause, Standing, together
from deungdae.insight.kpi.reasons import Language
from deungdae.insight.kpi.telling import day, duration, label, tell, word

from .sheet import ACCENT, HEIGHT, INK, LINE, MARGIN, SOFT, WIDTH, Sheet
from .words import STATES, WORDS

FULL = WIDTH - 2 * MARGIN
CAUSES = 7
LISTED = 18  # of the longest stops
CURVES = 4
_CAUSE = 8.4  # mm of one cause


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report shows.

    factory: its name; name: of the shift; made: when, ns; accounts: of the machines, at least one;
    names: of assets; notes: (time, person, text) of hand-overs; days: the accounts of each day.
    """

    factory: str
    name: str
    language: Language
    zone: ZoneInfo
    made: int
    accounts: list[Account]
    names: dict[str, str]
    notes: list[tuple[int, str, str]] = []
    days: list[list[Account]] = []

    def word(self, key: str) -> str:
        """Return a word in the language of the report."""
        return WORDS[self.language][key]

    def called(self, asset: str) -> str:
        """Return what people call an asset."""
        return self.names.get(asset) or asset

    @property
    def whole(self) -> Account:
        """Return the machines together."""
        return together(self.accounts) if len(self.accounts) > 1 else self.accounts[0]


def shift(paper: Paper) -> bytes:
    """Return the PDF of a shift."""
    first = paper.accounts[0]
    title = label(paper.name, first.start, first.until, paper.zone, paper.language)
    sheet = _begun(paper, paper.word("shift"), title)
    _tiles(sheet, paper, paper.whole)
    _beside(sheet, paper)
    _course(sheet, paper)
    _machines(sheet, paper)
    _stops(sheet, paper)
    _curves(sheet, paper)
    _notes(sheet, paper)
    return sheet.content()


def week(paper: Paper) -> bytes:
    """Return the PDF of a week."""
    first = paper.accounts[0]
    ends = (first.start, first.end - 1)
    title = " – ".join(day(moment, paper.zone, paper.language) for moment in ends)
    sheet = _begun(paper, paper.word("week"), title)
    _tiles(sheet, paper, paper.whole)
    _days(sheet, paper)
    _beside(sheet, paper)
    _machines(sheet, paper)
    _stops(sheet, paper)
    _notes(sheet, paper)
    return sheet.content()


def _begun(paper: Paper, kind: str, title: str) -> Sheet:
    made = f"{_local(paper.made, paper.zone):%Y-%m-%d %H:%M}"
    footer = f"{paper.factory} · {kind} · {title} · {paper.word('made')} {made} · 등대 Deungdae"
    sheet = Sheet(f"{paper.factory} {kind} {title}", footer, paper.language, paper.made)
    sheet.text(MARGIN, sheet.y + 3, f"{paper.factory} · {kind}", 9, SOFT)
    year = str(_local(paper.accounts[0].start, paper.zone).year)
    sheet.text(WIDTH - MARGIN, sheet.y + 3, year, 9, SOFT, align="right")
    sheet.text(MARGIN, sheet.y + 12, title, 19, bold=True, width=FULL)
    sheet.y += 16
    sheet.wrapped(MARGIN, tell(paper.accounts, paper.names, paper.language), 11, FULL, most=6)
    if paper.accounts[0].end < paper.accounts[0].until:
        sheet.wrapped(MARGIN, paper.word("running"), 9, FULL, SOFT)
    sheet.y += 3
    return sheet


def _tiles(sheet: Sheet, paper: Paper, whole: Account) -> None:
    shown = [(name, whole.results[name]) for name in SHOWN if name in whole.results]
    step = FULL / max(len(shown), 1)
    for n, (name, result) in enumerate(shown):
        x, y = MARGIN + n * step, sheet.y
        sheet.text(x, y + 4, paper.word(name), 8.5, SOFT)
        figure = "–" if result.value is None else f"{result.value:.1f} %"
        sheet.text(x, y + 12, figure, 20 if n == 0 else 15, bold=True)
        width = step - 8
        sheet.pdf.set_fill_color(*LINE)
        sheet.pdf.rect(x, y + 14.5, width, 1.2, style="F")
        if result.value is None:
            continue
        if result.low is not None and result.high is not None and result.high - result.low >= 0.1:
            low, high = max(result.low, 0.0), min(result.high, 100.0)
            sheet.hatch(x + width * low / 100, y + 14.5, width * (high - low) / 100, 1.2)
            sheet.text(x, y + 19.5, f"{paper.word('range')} {low:.1f}–{high:.1f} %", 7.5, SOFT)
        sheet.pdf.set_fill_color(*ACCENT)
        sheet.pdf.rect(x + width * min(max(result.value, 0), 100) / 100 - 0.5, y + 13.8, 1, 2.6,
                       style="F")  # fmt: skip
    sheet.y += 24


def _beside(sheet: Sheet, paper: Paper) -> None:
    """Draw the waterfall, and the causes beside it."""
    sheet.room(78)
    top = sheet.y
    _fall(sheet, paper, MARGIN, FULL * 0.58)
    below = sheet.y
    sheet.y = top
    _causes(sheet, paper, MARGIN + FULL * 0.64, FULL * 0.36)
    sheet.y = max(below, sheet.y) + 3


def _fall(sheet: Sheet, paper: Paper, x: float, width: float) -> None:
    whole = paper.whole
    sheet.heading(x, paper.word("fall"))
    if not whole.planned:
        return
    rows = [("planned", paper.word("planned"), 0.0, whole.planned, whole.planned)]
    rest = whole.planned
    for part in whole.parts:
        rows.append((part.kind, word(part.kind, paper.language), rest - part.seconds, rest,
                     part.seconds))  # fmt: skip
        rest -= part.seconds
    if whole.rated:
        name = paper.word("effective")
        rows.append(("effective", name, 0.0, whole.effective, whole.effective))
    left, right = x + 30, x + width - 34
    scale = (right - left) / max(whole.planned, whole.effective)
    for kind, name, start, end, seconds in rows:
        a, b = sorted((left + max(start, 0) * scale, left + max(end, 0) * scale))
        sheet.text(x, sheet.y + 4.2, name, 8.5, width=29)
        sheet.bar(a, sheet.y + 1, b - a, 4.4, kind)
        sheet.text(right + 21, sheet.y + 4.2, duration(seconds, paper.language), 8.5, bold=True,
                   align="right", width=21)  # fmt: skip
        share = f"{100 * seconds / whole.planned:.1f} %"
        sheet.text(right + 34, sheet.y + 4.2, share, 8, SOFT, align="right")
        sheet.y += 6.4
    if any(kind == "unknown" for kind, *_ in rows):
        sheet.y += 1
        sheet.wrapped(x, paper.word("hatched"), 7.5, width, SOFT)


def _causes(sheet: Sheet, paper: Paper, x: float, width: float) -> None:
    sheet.heading(x, paper.word("causes"))
    known = [cause for cause in paper.whole.causes if cause.cumulative is not None]
    rows = [(_cause(paper, each), each.category or "told", each.seconds, each.count,
             each.cumulative) for each in known[:CAUSES]]  # fmt: skip
    if known[CAUSES:]:
        rest = known[CAUSES:]
        rows.append((paper.word("others"), "told", sum(each.seconds for each in rest),
                     sum(each.count for each in rest), 100.0))  # fmt: skip
    unknown = [cause for cause in paper.whole.causes if cause.cumulative is None]
    most = max((seconds for _, _, seconds, *_ in rows), default=1.0)
    rows += [(_cause(paper, each), "unknown", each.seconds, each.count, None)
             for each in unknown[:2]]  # fmt: skip
    if not rows:
        sheet.text(x, sheet.y + 4, paper.word("no_stops"), 8.5, SOFT)
    points = []
    top = sheet.y
    for n, (_, kind, seconds, _, cumulative) in enumerate(rows):
        y = top + n * _CAUSE
        sheet.bar(x, y + 4, min(width * seconds / most, width), 2.4, kind)
        if cumulative is not None:
            points.append((x + width * cumulative / 100, y + 5.2))
    if len(points) > 1:
        sheet.line(points, SOFT, 0.25)
    for across, down in points:
        sheet.pdf.set_fill_color(*INK)
        sheet.pdf.ellipse(across - 0.6, down - 0.6, 1.2, 1.2, style="F")
    for name, _, seconds, count, _ in rows:
        figure = f"{duration(seconds, paper.language)} ({count}{paper.word('times')})"
        wide = sheet.text(x + width, sheet.y + 3, figure, 8, bold=True, align="right", halo=True)
        sheet.text(x, sheet.y + 3, name, 8.5, width=width - wide - 2)
        sheet.y += _CAUSE


def _cause(paper: Paper, cause: Cause) -> str:
    if cause.category == "unknown":
        said = f": {cause.reason}" if cause.reason else ""
        return paper.word("unknown") + said
    untold = f" {paper.word('untold')}" if cause.category in ("failure", "repair", "delay") else ""
    return cause.reason or _state(paper, cause.state, cause.category) + untold


def _state(paper: Paper, state: str, category: str) -> str:
    if paper.language == "ko" and state.lower() in STATES:
        return STATES[state.lower()]
    if paper.language == "en" and state.lower() in STATES:
        return state.lower()
    return word(category, paper.language) or state


def _course(sheet: Sheet, paper: Paper) -> None:
    """Draw the states of each machine through the time."""
    rows = paper.accounts
    step = 5.2 if len(rows) <= 16 else 3.2
    sheet.room(18 + min(len(rows), 30) * step)
    sheet.heading(MARGIN, paper.word("course"))
    left = MARGIN + 30
    start, until = rows[0].start, rows[0].until
    scale = (MARGIN + FULL - left) / (until - start)
    seen: list[str] = []
    for each in rows:
        sheet.room(step + 8)
        sheet.text(MARGIN, sheet.y + step - 1.6, paper.called(each.asset), 8, width=29)
        for since, end, kind in each.ribbon:
            sheet.bar(left + (since - start) * scale, sheet.y + 0.4, (end - since) * scale,
                      step - 0.8, kind)  # fmt: skip
            if kind not in seen:
                seen.append(kind)
        sheet.y += step
    for moment in _ticks(start, until, paper.zone):
        x = left + (moment - start) * scale
        sheet.line([(x, sheet.y), (x, sheet.y + 1)], SOFT)
        sheet.text(x, sheet.y + 4, f"{_local(moment, paper.zone):%H:%M}", 7.5, SOFT, align="middle")
    sheet.y += 6
    x = left
    for kind in seen:
        key = "planned_stop" if kind == "planned" else kind
        name = word(kind, paper.language) or WORDS[paper.language].get(key, kind)
        sheet.bar(x, sheet.y + 0.6, 4, 2.4, kind)
        x += 5.5 + sheet.text(x + 5.5, sheet.y + 3, name, 7.5, SOFT) + 5
    sheet.y += 7


def _ticks(start: int, end: int, zone: ZoneInfo) -> list[int]:
    """Return full hours, at most a dozen."""
    step = next(h for h in (1, 2, 3, 6, 12, 24, 48, 168) if (end - start) / (h * HOUR) <= 13) * HOUR
    offset = _local(start, zone).utcoffset() or timedelta()
    ahead = int(offset.total_seconds()) * SECOND
    first = -(-(start + ahead) // step) * step - ahead
    return list(range(first, end + 1, step))


def _machines(sheet: Sheet, paper: Paper) -> None:
    sheet.room(16 + 6 * min(len(paper.accounts), 12))
    sheet.heading(MARGIN, paper.word("machines"))
    rights = (0.0, 74.0, 97.0, 116.0, 132.0, 148.0, 164.0, 182.0)
    keys = ("machine", "oee", "availability", "good", "scrap", "due", "attained", "unknown")
    columns = list(zip(keys, rights, strict=True))
    _head(sheet, paper, columns)
    for each in paper.accounts:
        sheet.room(6)
        counts = each.counts
        attained = (
            100 * counts.good / counts.due if counts.good is not None and counts.due else None
        )
        cells = [
            _share(each.results["oee"].value if "oee" in each.results else None),
            _share(each.results["availability"].value if "availability" in each.results else None),
            _count(counts.good), _count(counts.scrap), _count(counts.due), _share(attained),
            _share(100 * each.unknown / each.planned if each.planned and each.unknown else None),
        ]  # fmt: skip
        sheet.text(MARGIN, sheet.y + 4, paper.called(each.asset), 8.5, width=48)
        for (_, right), cell in zip(columns[1:], cells, strict=True):
            sheet.text(MARGIN + right, sheet.y + 4, cell, 8.5, align="right")
        sheet.y += 5.6
    sheet.y += 4


def _head(sheet: Sheet, paper: Paper, columns: Sequence[tuple[str, float]]) -> None:
    for n, (key, x) in enumerate(columns):
        sheet.text(MARGIN + x, sheet.y + 3, paper.word(key), 7.5, SOFT,
                   align="right" if n else "left")  # fmt: skip
    sheet.line([(MARGIN, sheet.y + 4.6), (MARGIN + FULL, sheet.y + 4.6)], LINE)
    sheet.y += 5.2


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _stops(sheet: Sheet, paper: Paper) -> None:
    stops = sorted((stop for each in paper.accounts for stop in each.stops), key=_longest)
    sheet.room(36)
    sheet.heading(MARGIN, paper.word("stops"))
    wanting = sum(stop.wants for stop in stops)
    if wanting:
        sheet.text(WIDTH - MARGIN, sheet.y - 3, paper.word("wanting").format(wanting), 8, SOFT,
                   align="right")  # fmt: skip
    if not stops:
        sheet.wrapped(MARGIN, paper.word("no_stops"), 8.5, FULL, SOFT)
    for stop in stops[:LISTED]:
        sheet.room(6)
        y = sheet.y + 4
        start = f"{_local(stop.start, paper.zone):%m-%d %H:%M}"
        sheet.text(MARGIN, y, start, 8.5, SOFT)
        sheet.text(MARGIN + 44, y, duration(stop.seconds, paper.language), 8.5, bold=True,
                   align="right")  # fmt: skip
        sheet.text(MARGIN + 48, y, paper.called(stop.asset), 8.5, width=34)
        state = paper.word("unknown") if stop.category == "unknown" else _state(
            paper, stop.state, stop.category)  # fmt: skip
        sheet.text(MARGIN + 84, y, state, 8.5, width=24)
        given = " — ".join(part for part in (stop.reason, stop.note) if part)
        told = " · ".join(
            part for part in (given or paper.word("none_given") * stop.wants, stop.alarm) if part
        )
        sheet.text(MARGIN + 110, y, told, 8.5, INK if given else SOFT, width=FULL - 110)
        sheet.y += 5.6
    sheet.y += 4


def _longest(stop: Standing) -> tuple[bool, bool, float]:
    """Order by length; waiting of which nobody said why comes later, time without data last."""
    untold = stop.category == "idle" and not stop.reason
    return stop.category == "unknown", untold, -stop.seconds


def _curves(sheet: Sheet, paper: Paper) -> None:
    counted = [each for each in paper.accounts if each.curve][:CURVES]
    width, height = FULL / 2 - 4, 34.0
    for n, each in enumerate(counted):
        if n % 2 == 0:
            sheet.room(height + 14)
            if n == 0:
                sheet.heading(MARGIN, paper.word("curve"))
        x = MARGIN + (n % 2) * (width + 8)
        _curve(sheet, paper, each, x, width, height)
        if n % 2 or each is counted[-1]:
            sheet.y += height + 10


def _curve(
    sheet: Sheet, paper: Paper, each: Account, x: float, width: float, height: float
) -> None:
    top, bottom = sheet.y + 6, sheet.y + height
    counts = each.counts
    due = f" / {counts.due:,.0f}" if counts.due else ""
    sheet.text(x, sheet.y + 3.5, paper.called(each.asset), 8.5, bold=True, width=width * 0.5)
    sheet.text(x + width, sheet.y + 3.5, f"{_count(counts.good)}{due}", 8.5, align="right")
    most = max([value for _, value in (*each.curve, *each.plan)] + [1.0])

    def place(point: tuple[int, float]) -> tuple[float, float]:
        along = (point[0] - each.start) / (each.until - each.start)
        return x + along * width, bottom - point[1] / most * (bottom - top)

    for since, end, kind in each.ribbon:
        if kind == "unknown":
            a, b = place((since, 0.0))[0], place((end, 0.0))[0]
            sheet.hatch(a, top, b - a, bottom - top)
    sheet.line([(x, bottom), (x + width, bottom)], LINE, 0.3)
    if len(each.plan) > 1:
        sheet.line([place(point) for point in each.plan], INK, 0.3, dashed=True)
        sheet.text(x, bottom + 4, paper.word(f"basis_{counts.basis}"), 7, SOFT)
    if len(each.curve) > 1:
        sheet.line([place(point) for point in each.curve], ACCENT, 0.6)


def _days(sheet: Sheet, paper: Paper) -> None:
    """Draw a bar for each day of a week: the OEE, or where none is known the availability."""
    wholes = [together(each) if len(each) > 1 else each[0] for each in paper.days if each]
    if not wholes:
        return
    name = "oee" if any(_result(each, "oee") is not None for each in wholes) else "availability"
    sheet.room(52)
    sheet.heading(MARGIN, paper.word("days" if name == "oee" else "days_a"))
    top, height, step = sheet.y + 4, 30.0, FULL / len(wholes)
    for n, each in enumerate(wholes):
        x, value = MARGIN + n * step, _result(each, name)
        unknown = 100 * each.unknown / each.planned if each.planned else 0.0
        if value is None:
            sheet.hatch(x + 3, top, step - 6, height)
        else:
            tall = height * min(max(value, 0), 100) / 100
            sheet.bar(x + 3, top + height - tall, step - 6, tall, "effective")
            figure = f"{value:.1f} %"
            sheet.text(x + step / 2, top + height - tall - 1.2, figure, 8.5, bold=True,
                       align="middle")  # fmt: skip
        told = day(each.start, paper.zone, paper.language)
        sheet.text(x + step / 2, top + height + 4, told, 7.5, SOFT, align="middle")
        if unknown >= 0.1:
            told = f"{paper.word('unknown')} {unknown:.0f} %"
            sheet.text(x + step / 2, top + height + 7.6, told, 6.5, SOFT, align="middle")
    sheet.line([(MARGIN, top + height), (MARGIN + FULL, top + height)], SOFT, 0.2)
    sheet.y = top + height + 12


def _result(account: Account, name: str) -> float | None:
    found = account.results.get(name)
    return None if found is None else found.value


def _notes(sheet: Sheet, paper: Paper) -> None:
    sheet.room(18)
    sheet.heading(MARGIN, paper.word("notes"))
    if not paper.notes:
        sheet.wrapped(MARGIN, paper.word("no_notes"), 8.5, FULL, SOFT)
    for time, person, text in paper.notes:
        sheet.room(14)
        head = f"{_local(time, paper.zone):%m-%d %H:%M} · {person}"
        sheet.text(MARGIN, sheet.y + 3.5, head, 7.5, SOFT)
        sheet.y += 4.5
        left = int((HEIGHT - MARGIN - 4 - sheet.y) / (9 * 0.53))
        sheet.wrapped(MARGIN, text, 9, FULL, most=max(left, 1))
        sheet.y += 2


def _local(moment: int, zone: ZoneInfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // SECOND)).astimezone(zone)
