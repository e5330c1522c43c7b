"""The making of one part on the command line: operations, program and measurements from files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from deungdae.app import making
from deungdae.app.making import Joined, Part, Result
from deungdae.core.clock import to_iso
from deungdae.core.types import SECOND
from deungdae.insight.trace import Run

from .moments import zone_of
from .output import Output, Row


def add_files(verb: Any) -> None:
    """Add --mtconnect, --qif and --program."""
    verb.add_argument(
        "--mtconnect", nargs="+", type=Path, default=[], metavar="LOG",
        help="with trace, cause: machine logs, one of each part",
    )  # fmt: skip
    verb.add_argument(
        "--qif", nargs="+", type=Path, default=[], metavar="QIF", help="with trace, cause: results"
    )
    verb.add_argument(
        "--program", nargs="+", type=Path, default=[], metavar="NC", help="with trace: G-code"
    )


def is_asked(options: argparse.Namespace) -> bool:
    """Return whether the command names files of parts."""
    return bool(options.mtconnect or options.qif or options.program)


def joined(options: argparse.Namespace) -> Joined:
    """Return what the named files say."""
    return making.read(options.mtconnect, options.qif, options.program)


def report(options: argparse.Namespace, output: Output) -> int:
    """Print how a part was made and what was measured of it."""
    found = joined(options)
    part = found.part(options.code)
    zone = zone_of(options)
    operations = _operations(part, zone)
    results = [_measured(each) for each in part.results]
    doubts = [*part.made.doubts, *_unjoined(found, part), *found.doubts]
    if output.as_json:
        output.value(
            {
                "part": part.key,
                "serials": part.serials,
                "runs": [_run(number, run, found, part, zone)
                         for number, run in enumerate(part.made.runs)],
                "operations": operations,
                "results": results,
                "not joined": doubts,
            }
        )  # fmt: skip
        return 0
    output.say(f"part {part.key}: {', '.join(part.serials)}\n")
    output.rows(
        [_run(number, run, found, part, zone) for number, run in enumerate(part.made.runs)],
        empty="no log of its making",
    )
    if operations:
        output.say("")
        output.rows(operations)
    output.say("")
    output.rows(results, empty="no results of this part")
    for doubt in doubts:
        output.say(f"note: {doubt}")
    return 0


def _run(number: int, run: Run, found: Joined, part: Part, zone: ZoneInfo) -> Row:
    fits = found.fits(part)[number]
    follows = [name for name, fit in fits if fit.fits]
    return {
        "run": number + 1,
        "begun": to_iso(run.start, zone),
        "seconds": round((run.end - run.start) / SECOND, 1),
        "finished": "yes" if run.whole else "no",
        "called": run.program,
        "blocks": run.blocks,
        "count": run.count,
        "stops": run.stops,
        "stood s": round(run.stood, 1),
        "program": ", ".join(follows) or "; ".join(f"not {name}: {fit.why}" for name, fit in fits),
    }


def _operations(part: Part, zone: ZoneInfo) -> list[Row]:
    return [
        {
            "run": number + 1,
            "tool": "not told" if work.tool is None else f"T{work.tool}",
            "begun": to_iso(work.start, zone),
            "seconds": round(work.seconds, 1),
            "blocks": "" if work.first is None else f"{work.first}–{work.last}",
            "rev/min": work.speed,
            "stops": work.stops,
            "stood s": round(work.stood, 1),
            "overrides, lowest %": ", ".join(
                f"{kind.removesuffix('_override')} {low:g}"
                for kind, (low, _) in work.overrides.items()
            ),
        }
        for number, run in enumerate(part.made.runs)
        for work in run.work
    ]


def _measured(result: Result) -> Row:
    each = result.measured
    upper = None if each.upper is None else each.upper + each.bonus
    inside: str = ""
    if each.value is not None and (each.lower is not None or upper is not None):
        fits = (each.lower is None or each.value >= each.lower - 1e-9) and (
            upper is None or each.value <= upper + 1e-9
        )
        inside = "in" if fits else "OUT"
    return {
        "characteristic": each.characteristic,
        "value": each.value,
        "nominal": each.nominal,
        "lower": each.lower,
        "upper": upper,
        "unit": each.unit,
        "is": inside,
        "told": each.status,
        "document": result.document,
    }


def _unjoined(found: Joined, part: Part) -> list[str]:
    """Return what these files leave open about a part."""
    said = []
    fits = found.fits(part)
    for number, run in enumerate(part.made.runs):
        if found.programs and not any(fit.fits for _, fit in fits[number]):
            said.append(f"run {number + 1} ({run.blocks} blocks): its program is not among these")
        if any(work.tool is None for work in run.work):
            planned = [
                f"T{operation.tool}"
                for (name, program), (_, fit) in zip(found.programs, fits[number], strict=True)
                if fit.fits
                for operation in program.operations
            ]
            more = f"; its program says {', '.join(planned)}" if planned else ""
            said.append(f"run {number + 1}: the log names no tool{more}")
    if part.made.runs and part.results:
        said.append(
            "which operation cut which characteristic: these logs hold no positions" + _where(found)
        )
    return said


def _where(found: Joined) -> str:
    boxes = [
        f"{name} T{each.tool} cuts x {each.low[0]:.1f} to {each.high[0]:.1f}, y {each.low[1]:.1f}"
        f" to {each.high[1]:.1f} mm, {len(each.holes)} holes"
        for name, program in found.programs
        for each in program.operations
        if each.low is not None and each.high is not None
    ]
    return "; " + "; ".join(boxes) if boxes else ""
