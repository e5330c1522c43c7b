"""The return of a project on the command line: what is, against what would have been without it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from deungdae.app import describe
from deungdae.app.capability import rows_of
from deungdae.app.remote import Archive
from deungdae.core.clock import from_iso
from deungdae.core.types import HOUR, SECOND, Finding, FloatArray
from deungdae.insight.vision.labels import DRAWN, LABEL, labels
from deungdae.learn.returns import Effect, Return, effect, saving, total
from deungdae.model.factory import Factory

from .moments import first_of, opened, period_of, zone_of
from .output import Output

FIGURES = ("escapes", "rejects", "unsure")
THOUSAND = 1000.0
SEED = 1


class Payback(msgspec.Struct, frozen=True):
    """Days until the savings are worth the cost, at the rate so far; None: never."""

    days: float | None
    low: float | None
    high: float | None


class _Days(NamedTuple):
    """A figure of consecutive days from `first` on, float[n] each. of: its units a day."""

    name: str
    first: date
    figure: FloatArray
    others: dict[str, FloatArray]
    of: FloatArray


def add(verb: argparse.ArgumentParser) -> None:
    """Add the options of report return, beside --csv, --column, --time and --signal."""
    verb.add_argument("--change", default="", metavar="DATE", help="return: when it began")
    verb.add_argument(
        "--figure", choices=FIGURES, help="return: of an inspection, per 1000 parts a day"
    )
    verb.add_argument(
        "--inspection", default="", metavar="NAME", help="return: else the only one there is"
    )
    verb.add_argument(
        "--with", dest="beside", action="append", default=[], metavar="C",
        help="return: what else moves the figure, and the project did not: a column or signal",
    )  # fmt: skip
    verb.add_argument(
        "--of", default="", metavar="C",
        help="return: the figure is of so many a day, e.g. produced; else it is for a day",
    )  # fmt: skip
    verb.add_argument(
        "--ramp", type=int, default=0, metavar="DAYS", help="return: first days that do not count"
    )
    verb.add_argument(
        "--each", type=money, metavar="MONEY",
        help="return: what one unit costs (an escape, a reject); negative where more is better",
    )  # fmt: skip
    verb.add_argument("--cost", type=money, metavar="MONEY", help="return: of the project")


def money(text: str) -> Decimal:
    """Return an amount of money."""
    try:
        found = Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of money") from error
    if not found.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of money")
    return found


def report(options: argparse.Namespace, output: Output) -> int:
    """Print what a change brought; 1 where it is not shown to have brought anything."""
    factory = describe.read(options.factory) if options.factory else None
    zone = zone_of(options) if factory is None else factory.zone
    begun = _change(options, zone)
    days = _days(options, factory, zone)
    start = (begun - days.first).days
    if not 0 < start < len(days.figure):
        last = days.first + timedelta(days=len(days.figure) - 1)
        raise ValueError(f"--change {begun} is not within the days known, {days.first} to {last}")
    found = effect(
        days.name, days.figure, start, covariates=days.others, ramp=options.ramp,
        random=np.random.default_rng(SEED),
    )  # fmt: skip
    currency = factory.identity.currency if factory else "KRW"
    earned = _earned(options, days, start, found, currency)
    payback = None if earned is None else _payback(earned, len(days.figure) - start)
    if output.as_json:
        output.value(
            {
                "change": str(begun), "shown": found.shown, "said": found.said, "effect": found,
                "return": earned, "payback_days": payback,
            }
        )  # fmt: skip
    else:
        _print(found, earned, payback, output)
    return 0 if found.shown else 1


def _change(options: argparse.Namespace, zone: ZoneInfo) -> date:
    if not options.change:
        raise ValueError("report return needs --change DATE, the day on which the project began")
    return _day(options.change, "--change", zone)


def _days(options: argparse.Namespace, factory: Factory | None, zone: ZoneInfo) -> _Days:
    if options.csv:
        return _of_csv(options, zone)
    if options.store is None:
        raise ValueError("report return needs --csv FILE, or --store with --signal or --figure")
    if (len(options.signal) == 1) == bool(options.figure):
        raise ValueError(f"say one --signal ID, or --figure {'|'.join(FIGURES)} of an inspection")
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        names = [*options.beside, *([options.of] if options.of else [])]
        known = {name: _daily(store, name, start, end, zone) for name in names}
        if options.signal:
            name = options.signal[0]
            return _gridded(name, _daily(store, name, start, end, zone), known, options)
        figure, count = _inspected(store, factory, options, start, end, zone)
        name = f"{options.figure} per 1000 parts"
        found = _gridded(name, figure, known, options)
        parts = [count.get(found.first + timedelta(days=n), 0) for n in range(len(found.figure))]
        return found._replace(of=np.array(parts) / THOUSAND)


def _of_csv(options: argparse.Namespace, zone: ZoneInfo) -> _Days:
    """Return the means of each day of a table's columns."""
    if len(options.csv) != 1 or len(options.column) != 1 or not options.time:
        raise ValueError("report return takes one --csv FILE, with one --column and its --time")
    rows = rows_of(options.csv[0])
    names = [*options.column, *options.beside, *([options.of] if options.of else [])]
    for name in (options.time, *names):
        if not rows or name not in rows[0]:
            raise ValueError(f"{options.csv[0]} has no column {name}: {', '.join(rows[0] or ())}")
    days = [_day(row[options.time], f"--time {options.time}", zone) for row in rows]
    tables = {name: _means(zip(days, (_value(row, name) for row in rows), strict=True))
              for name in names}  # fmt: skip
    return _gridded(options.column[0], tables[options.column[0]], tables, options)


def _value(row: Mapping[str, str], name: str) -> float:
    try:
        return float(row[name].replace(",", ".")) if row[name] else float("nan")
    except ValueError as error:
        raise ValueError(f"column {name}: {row[name]!r} is no number") from error


def _day(text: str, what: str, zone: ZoneInfo) -> date:
    try:
        return datetime.fromtimestamp(from_iso(text, zone) / SECOND, zone).date()
    except ValueError as error:
        raise ValueError(f"{what} {text}: no ISO 8601 time, e.g. 2026-10-01") from error


def _means(values: Iterator[tuple[date, float]]) -> dict[date, float]:
    found: dict[date, list[float]] = {}
    for day, value in values:
        if np.isfinite(value):
            found.setdefault(day, []).append(value)
    return {day: float(np.mean(each)) for day, each in found.items()}


def _daily(store: Archive, id: str, start: int, end: int, zone: ZoneInfo) -> dict[date, float]:
    """Return the mean of the good samples of each local day."""
    found = store.rollup(id, start, end, HOUR)
    summed: dict[date, float] = {}
    count: dict[date, int] = {}
    for begin, n, mean in zip(found.start, found.count, found.mean, strict=True):
        if n:
            day = datetime.fromtimestamp(int(begin) / SECOND, zone).date()
            summed[day] = summed.get(day, 0.0) + float(mean) * int(n)
            count[day] = count.get(day, 0) + int(n)
    if not summed:
        raise ValueError(f"{id}: no value in this time")
    return {day: summed[day] / count[day] for day in summed}


def _inspected(
    store: Archive,
    factory: Factory | None,
    options: argparse.Namespace,
    start: int,
    end: int,
    zone: ZoneInfo,
) -> tuple[dict[date, float], dict[date, int]]:
    """Return a figure of an inspection per 1000 parts of each day, and its parts of each day."""
    figure: dict[date, float] = {}
    count: dict[date, int] = {}
    names: set[str] = set()
    for day, begin, finish in _local_days(start, end, zone):
        told = store.findings(begin, finish, name="inspection", origin=options.inspection or None)
        if not told:
            continue
        names |= {each.origin for each in told}
        if len(names) > 1:
            raise ValueError(f"say which with --inspection: {', '.join(sorted(names))}")
        count[day] = len(told)
        # the more parts are drawn by chance, the more escapes are found: no day shall gain by it
        told = [each for each in told if DRAWN not in each.evidence] or told
        hits = _hits(store, factory, told, options.figure, begin, finish)
        figure[day] = THOUSAND * hits / len(told)
    if not figure:
        raise ValueError(f"nothing was inspected in this time {options.inspection}".rstrip())
    return figure, count


def _local_days(start: int, end: int, zone: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    day = datetime.fromtimestamp(start / SECOND, zone).date()
    while (begin := _midnight(day, zone)) < end:
        after = day + timedelta(days=1)
        yield day, max(begin, start), min(_midnight(after, zone), end)
        day = after


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * SECOND


def _hits(
    store: Archive,
    factory: Factory | None,
    told: Sequence[Finding],
    figure: str,
    begin: int,
    finish: int,
) -> int:
    """Return how many parts of a day escaped (people say so), were rejected, or were unsure."""
    said = [each.evidence.get("verdict", "unsure") for each in told]
    if figure != "escapes":
        return said.count("reject" if figure == "rejects" else "unsure")
    plugin = factory.room("insight").get(told[0].origin) if factory else None
    signal = getattr(plugin.options, "signal", "") if plugin else f"{told[0].asset}.image"
    known = labels(store.events(begin, finish, ids=[f"{signal}.{LABEL}"]))
    bad = {ref for ref, each in known.items() if each.verdict == "reject"}
    passed = (each.evidence.get("image", "") for each, word in zip(told, said, strict=True)
              if word == "pass")  # fmt: skip
    return sum(ref in bad for ref in passed)


def _gridded(
    name: str,
    figure: Mapping[date, float],
    known: Mapping[str, Mapping[date, float]],
    options: argparse.Namespace,
) -> _Days:
    """Return tables of days as arrays of consecutive days, NaN where a day is missing."""
    if not figure:
        raise ValueError(f"{name} has no value on any day")
    first = min(figure)
    days = [first + timedelta(days=n) for n in range((max(figure) - first).days + 1)]

    def array(table: Mapping[date, float]) -> FloatArray:
        return np.array([table.get(day, np.nan) for day in days])

    values = array(figure)
    of = array(known[options.of]) if options.of else np.isfinite(values).astype(np.float64)
    return _Days(name, first, values, {key: array(known[key]) for key in options.beside}, of)


def _earned(
    options: argparse.Namespace, days: _Days, start: int, found: Effect, currency: str
) -> Return | None:
    if options.each is None:
        if options.cost is not None:
            raise ValueError("--cost needs --each, what one unit of the figure costs")
        return None
    counted = days.of[start:][np.isfinite(days.figure[start:])]
    saved = saving(found, float(np.nansum(counted)), options.each)
    year = (days.first + timedelta(days=len(days.figure) - 1)).year
    return total([saved], options.cost or Decimal(0), currency=currency, year=year)


def _payback(earned: Return, days: int) -> Payback:
    (saved,) = earned.savings

    def until(value: Decimal) -> float | None:
        return round(float(earned.cost / value) * days, 1) if value > 0 else None

    return Payback(until(saved.value), until(saved.high), until(saved.low))


def _print(found: Effect, earned: Return | None, payback: Payback | None, output: Output) -> None:
    output.say(found.said)
    output.say(f"from {found.before} days before and {found.after} after")
    if found.placebo is None:
        output.say("placebo: the time before is too short to look whether it misleads")
    else:
        ends = f"{found.placebo.low:+.3g} to {found.placebo.high:+.3g}"
        said = "as it must be" if found.placebo.holds(0.0) else "though nothing began there"
        output.say(f"placebo: {found.placebo.value:+.3g} ({ends}), {said}")
    if earned is None or payback is None:
        return
    (saved,) = earned.savings
    word = "" if saved.shown else "; not shown"
    output.say(f"saved so far: {saved.value:,} {earned.currency} ({earned.year}), "
               f"{saved.low:,} to {saved.high:,}{word}")  # fmt: skip
    if earned.cost:
        output.say(earned.said)
        output.say(_paid(payback, shown=saved.shown))


def _paid(payback: Payback, *, shown: bool) -> str:
    if payback.days is None or not shown:
        return "payback: not shown"
    late = "perhaps never" if payback.high is None else f"{payback.high:,.0f} days at the latest"
    return f"payback after {payback.days:,.0f} days, {payback.low:,.0f} at the soonest, {late}"
