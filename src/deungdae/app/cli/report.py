"""The verb report: states and KPIs over any period of a history."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from deungdae.app import report

from .moments import add_period, add_store, open_store, period_of, zone_of
from .output import Output


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("report", help="states, kpi: over any period of a history")
    verb.add_argument("what", choices=("states", "kpi"), metavar="states|kpi")
    verb.add_argument("--asset", action="append", default=[], metavar="A", help="else all")
    verb.add_argument("--by", choices=("day", "hour", "all"), default=None)
    verb.add_argument("--factory", metavar="F", help="factory.toml: shifts, counters, cycle times")
    add_store(verb)
    add_period(verb)
    verb.set_defaults(run=_report)


def _report(options: argparse.Namespace, output: Output) -> int:
    start, end = period_of(options)
    store = open_store(options.store)
    make = report.states if options.what == "states" else report.kpi
    rows: list[Any] = make(
        store,
        start,
        end,
        by=options.by or ("day" if options.what == "states" else "all"),
        zone=zone_of(options),
        assets=options.asset,
        **({"factory": options.factory} if options.what == "kpi" else {}),
    )
    output.rows([msgspec.to_builtins(row) for row in rows])
    return 0
