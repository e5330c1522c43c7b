"""The verb report: states, KPIs, losses, shifts, alarms, quality, the trace of a code, causes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from deungdae.app import describe, report
from deungdae.core.clock import to_iso
from deungdae.insight import kpi

from . import alarms, cause, gauge, making, quality, returns, shift, trace
from .moments import add_period, add_store, first_of, opened, period_of, zone_of
from .output import Output


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "report",
        help="states, kpi, losses, shift, week, alarms; quality, capability; trace: of a code; "
        "cause: why parts differ; return: of a project",
    )
    whats = (
        *("states", "kpi", "losses", "shift", "week", "alarms"),
        *("quality", "capability", "gauge", "sampling", "trace", "cause", "return"),
    )
    verb.add_argument("what", choices=whats, metavar="|".join(whats))
    verb.add_argument(
        "code", nargs="?", default="", metavar="CODE", help="with trace; cause: a file"
    )
    verb.add_argument("--recall", action="store_true", help="with trace: all that it went into")
    verb.add_argument("--asset", action="append", default=[], metavar="A", help="else all")
    verb.add_argument(
        "--by", choices=("day", "hour", "all"), help="states: day; kpi: all, one period"
    )
    verb.add_argument(
        "--factory", type=Path, metavar="F", help="shifts, counters, cycle times, [alarms]"
    )
    verb.add_argument("--pdf", type=Path, metavar="FILE", help="shift, week: write it there")
    verb.add_argument("--language", choices=("ko", "en"), help="of it; else the factory's")
    cause.add(verb)
    making.add_files(verb)
    quality.add(verb)
    gauge.add(verb)
    returns.add(verb)
    add_store(verb, required=False)
    add_period(verb)
    verb.set_defaults(run=_report)


def _report(options: argparse.Namespace, output: Output) -> int:
    if options.what == "cause":
        return cause.report(options, output)
    if bool(options.code) != (options.what == "trace"):
        raise ValueError("report trace CODE needs a code, the others take none")
    if options.what == "trace" and making.is_asked(options):
        return making.report(options, output)
    of_files = {
        "capability": quality.capability,
        "gauge": gauge.gauge,
        "sampling": gauge.sampling,
        "return": returns.report,
    }
    if options.what in of_files:
        return of_files[options.what](options, output)
    if options.store is None:
        raise ValueError(f"report {options.what} needs --store S, the folder of the history")
    if options.what == "quality":
        return quality.report(options, output)
    if options.what == "trace":
        return trace.report(options, output)
    if options.what in ("losses", "shift", "week"):
        return shift.report(options, output)
    if options.what == "alarms":
        return alarms.report(options, output)
    return _states(options, output) if options.what == "states" else _kpis(options, output)


def _states(options: argparse.Namespace, output: Output) -> int:
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        rows = report.states(
            store,
            start,
            end,
            by=options.by or "day",
            zone=zone_of(options),
            assets=options.asset,
        )
    output.rows([msgspec.to_builtins(row) for row in rows])
    return 0


def _kpis(options: argparse.Namespace, output: Output) -> int:
    zone = zone_of(options)
    factory = describe.read(options.factory) if options.factory else None
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        reports = report.kpis(
            store,
            start,
            end,
            by=options.by or "all",
            zone=zone,
            assets=options.asset,
            factory=factory,
        )
    if output.as_json:
        rows = [row for found in reports for row in kpi.rows(found)]
        output.value([row | _period(row, zone) for row in rows])
        return 0
    for found in reports:
        _print(found, output, zone)
    return 0


def _period(row: dict[str, Any], zone: Any) -> dict[str, object]:
    return {"start": to_iso(row["start"], zone), "end": to_iso(row["end"], zone)}


def _print(found: kpi.Report, output: Output, zone: Any) -> None:
    """Print what could be computed, where the time went, and what could not, and why."""
    known = [result for result in found.results if result.value is not None]
    missing = [result for result in found.results if result.value is None]
    output.say(f"{found.asset}  {to_iso(found.start, zone)} to {to_iso(found.end, zone)}\n")
    if known:
        output.rows([_row(result) for result in known])
    if found.balance.losses:
        output.say("\nwhere the planned time went")
        output.rows(
            [
                {
                    "loss": loss.reason,
                    "kind": loss.kind,
                    "hours": round(loss.seconds / 3600, 2),
                    "%": round(loss.share, 1),
                    "together %": round(loss.cumulative, 1),
                }
                for loss in found.balance.losses
            ]
        )
    output.say("\nwhat cannot be given, and why")
    output.rows([{"no": r.number, "indicator": r.title, "why": r.reason} for r in missing])
    for note in found.notes:
        output.say(f"note: {note}")
    output.say("")


def _row(result: kpi.KpiResult) -> dict[str, object]:
    bounds = None if result.low is None else f"{result.low:.4g} … {result.high:.4g}"
    return {
        "no": result.number,
        "indicator": result.title,
        "value": result.value,
        "unit": result.unit,
        "can be": bounds,
        "known": None if result.coverage is None else f"{result.coverage:.0%}",
        "from": kpi.explain(result),
    }
