"""How good the alarms of a history are: `deungdae report alarms`."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from deungdae.app import describe
from deungdae.app.alarms import REACH, records
from deungdae.app.alarms import options as agreed
from deungdae.core.clock import to_iso
from deungdae.core.types import DAY
from deungdae.insight.alarms import AlarmOptions, Performance, performance

from .moments import first_of, opened, period_of, zone_of
from .output import Output

MONTH = 30 * DAY  # what the standard looks at; the last one, where no period is asked for


def report(options: argparse.Namespace, output: Output) -> int:
    """Print the figures of ISA-18.2 and IEC 62682, and the most frequent alarms."""
    wanted = agreed(describe.read(options.factory)) if options.factory else AlarmOptions()
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        if not options.since:
            start = max(start, end - MONTH)
        found = performance(wanted, records(store, wanted, start - REACH, end), start, end)
    if output.as_json:
        output.value(_whole(found, options))
        return 0
    output.say(f"{found.told} alarms; ANSI/ISA-18.2-2016 and IEC 62682, clause 16, say:")
    output.rows(_figures(found))
    output.say("\nthe most frequent:")
    output.rows([msgspec.to_builtins(actor) for actor in found.actors], empty="none")
    return 0


def _figures(found: Performance) -> list[dict[str, Any]]:
    return [{**msgspec.to_builtins(figure), "verdict": figure.verdict} for figure in found.figures]


def _whole(found: Performance, options: argparse.Namespace) -> dict[str, Any]:
    zone = zone_of(options)
    parts = {
        "start": to_iso(found.start, zone),
        "end": to_iso(found.end, zone),
        "figures": _figures(found),
        "floods": [[to_iso(start, zone), to_iso(end, zone)] for start, end in found.floods],
    }
    return {**msgspec.to_builtins(found), **parts}
