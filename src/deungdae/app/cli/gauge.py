"""Gauge studies and sampling plans on the command line."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from deungdae.app.capability import SEED, rows_of
from deungdae.insight import acceptance, msa
from deungdae.insight.msa import Gauge

from .output import Output

_DIGITS = 1


def add(verb: argparse.ArgumentParser) -> None:
    """Add the options of report gauge and report sampling."""
    verb.add_argument(
        "--nested", action="store_true", help="gauge: each operator has own parts (destructive)"
    )
    verb.add_argument("--lot", type=int, metavar="N", help="sampling: parts of the lot")
    verb.add_argument(
        "--aql", type=float, metavar="X", help="sampling: acceptance quality limit, %%"
    )
    verb.add_argument("--level", choices=acceptance.LEVELS, default="II", help="sampling")
    verb.add_argument(
        "--severity", choices=("normal", "tightened", "reduced"), default="normal", help="sampling"
    )
    verb.add_argument(
        "--variables", action="store_true", help="sampling: measure (Z1.9), do not count"
    )


def gauge(options: argparse.Namespace, output: Output) -> int:
    """Print the gauge R&R study of a table; 1 if the gauge is poor."""
    if len(options.csv) != 1:
        raise ValueError("report gauge needs --csv FILE with the columns part, operator, value")
    rows = rows_of(options.csv[0])
    missing = [name for name in ("part", "operator", "value") if rows and name not in rows[0]]
    if missing or not rows:
        raise ValueError(f"--csv {options.csv[0]}: needs the columns part, operator and value")
    try:
        values = [float(row["value"]) for row in rows]
    except ValueError as error:
        raise ValueError(f"--csv {options.csv[0]}: {error}") from error
    readings = msa.table(
        [row["part"] for row in rows],
        [row["operator"] for row in rows],
        values,
        "nested" if options.nested else "crossed",
    )
    both = options.lsl is not None and options.usl is not None
    tolerance = options.usl - options.lsl if both else None
    study = msa.nested if options.nested else msa.crossed
    found = study(readings, np.random.default_rng(SEED), tolerance=tolerance)
    if output.as_json:
        output.value(found)
    else:
        _print(found, output)
    return 1 if found.verdict == "poor" else 0


def _print(found: Gauge, output: Output) -> None:
    output.say(
        f"{found.parts} parts, {found.operators} operators, {found.trials} trials, {found.design}\n"
    )
    output.rows(
        [
            {
                "component": name,
                "deviation": each.deviation.value,
                "contribution %": round(each.contribution, _DIGITS),
                "study %": round(each.study.value, _DIGITS),
                "95 %": f"{each.study.low:.1f} … {each.study.high:.1f}",
                "tolerance %": None
                if each.tolerance is None
                else round(each.tolerance.value, _DIGITS),
            }
            for name, each in found.components.items()
        ]
    )
    ndc = found.ndc
    output.say(f"\ncategories {ndc.value:.1f} ({ndc.low:.1f} … {ndc.high:.1f}), {found.verdict}")
    if found.pooled:
        output.say(
            "the interaction of operators and parts shows nothing: it counts as repeatability"
        )
    for note in found.notes:
        output.say(note)


def sampling(options: argparse.Namespace, output: Output) -> int:
    """Print a sampling plan and what it does."""
    if options.lot is None or options.aql is None:
        raise ValueError("report sampling needs --lot N and --aql X")
    row: dict[str, Any]
    if options.variables:
        plan = acceptance.variables(options.lot, options.aql, options.severity, options.level)
        row = {"letter": plan.letter, "n": plan.n, "k": round(plan.k, 2), "M %": 100 * plan.most}
    else:
        code = acceptance.letter(options.lot, options.level)
        counted = acceptance.single(code, options.aql, options.severity)
        n = min(counted.n, options.lot)
        row = {
            "letter": counted.letter,
            "n": n,
            "accept": counted.accept,
            "reject": counted.reject,
        }
        if options.aql <= acceptance.PARTS and counted.accept < counted.n:
            n, c = counted.n, counted.accept
            row |= {
                "accepted 95 % at %": round(100 * acceptance.quality(n, c, 0.95), 3),
                "accepted 10 % at %": round(100 * acceptance.quality(n, c, 0.10), 2),
            }
    output.rows([{"lot": options.lot, "AQL": options.aql, "severity": options.severity} | row])
    if row["n"] == options.lot and not options.variables:
        output.say("the sample is the lot: inspect every part")
    return 0
