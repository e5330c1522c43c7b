"""Quality and capability on the command line: of a factory, of results, tables and signals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from deungdae.app import capability as capable
from deungdae.app import describe
from deungdae.app.capability import Capable
from deungdae.app.quality import Inspected, Quality, quality
from deungdae.core.clock import to_iso
from deungdae.insight.spc import Asked, Index
from deungdae.insight.spc.constants import LARGEST

from .moments import first_of, opened, period_of, zone_of
from .output import Output

METHODS = ("normal", "auto", "percentile", "clements")


def add(verb: argparse.ArgumentParser) -> None:
    """Add the options of report capability, beside --qif, --lsl and --usl, which causes have."""
    verb.add_argument(
        "--csv", action="append", type=Path, default=[], metavar="FILE",
        help="capability: a table: value, characteristic, lsl, usl; or each column one",
    )  # fmt: skip
    verb.add_argument("--column", action="append", default=[], metavar="C", help="of --csv")
    verb.add_argument("--signal", action="append", default=[], metavar="ID", help="of --store")
    verb.add_argument(
        "--method", choices=METHODS, default="normal", help="capability: as if normal, or by shape"
    )
    verb.add_argument("--machine", action="store_true", help="capability: Cm, Cmk of a short run")
    verb.add_argument(
        "--subgroup", type=int, default=0, metavar="N", help="capability: parts made together (1)"
    )


def report(options: argparse.Namespace, output: Output) -> int:
    """Print what was inspected, charted and measured against limits, and how good it was."""
    factory = describe.read(options.factory) if options.factory else None
    zone = zone_of(options) if factory is None else factory.zone
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        found = quality(store, factory, start, end)
    if output.as_json:
        output.value(
            {
                "start": to_iso(start, zone),
                "end": to_iso(end, zone),
                "inspections": found.inspections,
                "charts": found.charts,
                "capability": [_row(each) for each in found.capability],
            }
        )
        return 0
    output.say(f"{to_iso(start, zone)} to {to_iso(end, zone)}\n")
    _print_quality(found, output)
    return 0


def _print_quality(found: Quality, output: Output) -> None:
    output.say("inspections")
    output.rows([_inspection(each) for each in found.inspections], empty="none")
    output.say("\ncharts")
    output.rows(
        [
            {
                "analysis": each.origin,
                "signal": each.signal,
                "chart": each.chart,
                "points": each.points,
                "out": each.out,
                "rules": ", ".join(f"{rule} {n}" for rule, n in each.rules.items()),
            }
            for each in found.charts
        ],
        empty="none",
    )
    output.say("\ncapability")
    _print(found.capability, output)


def _inspection(each: Inspected) -> dict[str, object]:
    rate = each.reject_rate
    return {
        "inspection": each.origin,
        "inspected": each.inspected,
        "rejected": each.rejected,
        "unsure": each.unsure,
        "rejected %": round(100 * rate.value, 2),
        "95 %": f"{100 * rate.low:.2f} … {100 * rate.high:.2f}",
        "looked at": each.looked_at,
        "escaped": each.escaped,
        "falsely rejected": each.falsely_rejected,
    }


def capability(options: argparse.Namespace, output: Output) -> int:
    """Print the capability of each characteristic; 1 if there is none that has one."""
    asked = Asked(lsl=options.lsl, usl=options.usl, method=options.method, machine=options.machine)
    measured = [each for path in options.qif for each in capable.from_qif(path)]
    measured += [each for path in options.csv for each in capable.from_csv(path, options.column)]
    if options.store is not None:
        measured += _of_store(options)
    elif options.signal:
        raise ValueError("--signal needs --store, the history that it is in")
    if not (options.qif or options.csv or options.store):
        raise ValueError(
            "report capability needs --qif, --csv, or --store with --signal or --factory"
        )
    if options.subgroup:
        if not 1 <= options.subgroup <= LARGEST:
            raise ValueError(f"--subgroup {options.subgroup}: 1 to {LARGEST} parts")
        measured = [msgspec.structs.replace(each, subgroup=options.subgroup) for each in measured]
    found = capable.studies(measured, asked)
    if output.as_json:
        output.value([_row(each) for each in found])
    else:
        _print(found, output)
    return 0 if any(each.study for each in found) else 1


def _of_store(options: argparse.Namespace) -> list[capable.Measured]:
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        if options.signal:
            return capable.from_store(store, options.signal, start, end)
        if options.factory is None:
            raise ValueError("--store needs --signal ID, or --factory F with its spc analyses")
        return capable.from_factory(store, describe.read(options.factory), start, end)


def _row(each: Capable) -> dict[str, Any]:
    """Return everything of one characteristic under stable names."""
    one, found = each.measured, each.study
    row: dict[str, Any] = {
        "characteristic": one.name,
        "source": one.source,
        "unit": one.unit,
        "nominal": one.nominal,
        "lsl": one.lsl,
        "usl": one.usl,
        "bonus": one.bonus,
        "n": len(one.value),
        "skipped": one.skipped,
        "reason": each.reason,
    }
    if found is None:
        return row
    return row | {
        "kind": "two-sided" if None not in (found.lsl, found.usl) else "one-sided",
        "lsl": found.lsl,
        "usl": found.usl,
        "mean": found.mean,
        "deviation": found.deviation,
        "within": found.within,
        "min": found.low,
        "max": found.high,
        "out": found.out,
        "ppm": found.ppm,
        **{name: getattr(found, name) for name in _INDICES},
        "method": found.method,
        "shape": found.shape,
        "normality": found.normality,
        "otherwise": found.otherwise,
        "notes": found.notes,
    }


_NAMED = 3  # characteristics that a note names
_INDICES = ("cp", "cpk", "pp", "ppk", "cm", "cmk")


def _print(found: list[Capable], output: Output) -> None:
    shown = [each for each in found if each.study is not None]
    names = ("cm", "cmk") if any(e.study.cmk for e in shown if e.study) else _INDICES[:4]
    output.rows([_line(each, names) for each in shown], empty="nothing to reckon with")
    names_of: dict[str, list[str]] = {}
    for each in found:
        for note in (each.reason,) if each.study is None else each.study.notes:
            names_of.setdefault(note, []).append(each.measured.name)
    for note, about in names_of.items():
        more = f" and {len(about) - _NAMED} more" if len(about) > _NAMED else ""
        output.say(f"{', '.join(about[:_NAMED])}{more}: {note}")


def _line(each: Capable, names: tuple[str, ...]) -> dict[str, object]:
    one, found = each.measured, each.study
    assert found is not None, "only what has a study is printed"
    last: Index | None = getattr(found, names[-1])
    return {
        "characteristic": one.name,
        "n": found.n,
        "lsl": found.lsl,
        "usl": found.usl,
        "mean": found.mean,
        "s": found.deviation,
        **{name: _value(getattr(found, name)) for name in names},
        "95 %": "" if last is None else f"{last.low:.2f} … {last.high:.2f}",
        "ppm": None if found.ppm is None else round(found.ppm, 3),
        "out": found.out,
    }


def _value(index: Index | None) -> float | None:
    return None if index is None else round(index.value, 3)
