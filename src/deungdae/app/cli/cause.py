"""Why parts differ, on the command line: from a table, a designed experiment, or QIF results."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deungdae.app import causes as history
from deungdae.app import making
from deungdae.app.making import Grid
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, FloatArray
from deungdae.insight.cause import (
    Answer,
    Column,
    Limits,
    Question,
    Table,
    Verdict,
    causes,
    experiment,
    is_design,
    judge,
    order_of,
    placeholders,
    planned,
    read,
    words,
)
from deungdae.insight.trace import settings, unusual

from .making import joined
from .moments import first_of, opened, period_of
from .output import Output, Row

Making: TypeAlias = dict[str, dict[str, float]]  # settings by the number of the part

MADE = "made at"
BLOCKS = frozenset({"block", "blocks", "day", "replicate", "rep", "블록", "반복", "날짜"})


def add(verb: Any) -> None:
    """Add the options of `report cause`."""
    verb.add_argument(
        "--result", default="", metavar="C", help="cause: column with the result, or signal"
    )
    for name, of in (("lsl", "lower limit"), ("usl", "upper limit"), ("nominal", "nominal"),
                     ("aimed", "what the program aims at")):  # fmt: skip
        verb.add_argument(f"--{name}", type=float, metavar="X", help=f"cause: {of} of the result")
    verb.add_argument(
        "--factor", action="append", default=[], metavar="C", help="cause: columns; else all others"
    )
    verb.add_argument("--at", default="", metavar="A", help="cause: station whose result counts")
    verb.add_argument("--group", default="", metavar="C", help="cause: rows that belong together")
    verb.add_argument("--time", default="", metavar="C", help="cause: order of making")
    verb.add_argument("--block", default="", metavar="C", help="cause: blocks of an experiment")
    verb.add_argument(
        "--words", action="append", default=[], metavar="C", help="cause: numbers that are names"
    )
    verb.add_argument(
        "--observed", action="store_true", help="cause: no designed experiment, though it looks so"
    )


def report(options: argparse.Namespace, output: Output) -> int:
    """Print ranked causes, or the verdict on each characteristic."""
    if options.code:
        path = Path(options.code)
        if path.suffix.lower() in (".qif", ".xml"):
            options.qif = [path, *options.qif]
        else:
            return _table(options, path, output)
    if options.qif:
        return _inspections(options, output)
    if options.store is None:
        raise ValueError("report cause needs a table (CSV), --qif results, or --store with --at")
    return _history(options, output)


def _history(options: argparse.Namespace, output: Output) -> int:
    """Look for the causes of results in a history."""
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        if options.result and options.result not in {each.id for each in store.signals()}:
            raise ValueError(f"--result {options.result}: the history knows no such signal")
        table = history.table(store, start, end, options.at, options.result)
    options.result, options.time, options.observed = history.RESULT, history.TIME, True
    return _said(options, table, output)


# ---- a table


def _table(options: argparse.Namespace, path: Path, output: Output) -> int:
    table = read(making.content(path), str(path), options.words)
    if not options.result:
        raise ValueError(f"--result: which column is it? there are: {', '.join(table.names)}")
    return _said(options, table, output)


def _said(options: argparse.Namespace, table: Table, output: Output) -> int:
    """Print the verdict on a result and its causes."""
    column = table[options.result]
    told: dict[str, object] = {}
    lines: list[str] = []
    if options.lsl is not None or options.usl is not None:
        if column.levels:
            raise ValueError(f"--lsl, --usl: {options.result} holds words, not numbers")
        limits = Limits(
            nominal=options.nominal, lower=options.lsl, upper=options.usl, aimed=options.aimed
        )
        verdict = judge(_in_order(column, table, options.time), limits, ordered=bool(options.time))
        told["verdict"] = verdict
        lines += [*words.verdict(options.result, verdict), ""]
    _find(options, table, told, lines)
    told["said"] = lines
    if output.as_json:
        output.value(told)
    else:
        for line in lines:
            output.say(line)
        if "causes" in told:
            output.say("")
            output.rows(_ranked(told))
    return 0


def _find(
    options: argparse.Namespace, table: Table, told: dict[str, object], lines: list[str]
) -> None:
    """Add what an experiment or a search says."""
    block = options.block or next((n for n in table.names if n.lower() in BLOCKS), "")
    factors = tuple(options.factor) or planned(table, options.result, block)
    plain = not (options.observed or options.group or options.time)
    numeric = not table[options.result].levels
    if plain and numeric and is_design(table, options.result, factors, block):
        tried = experiment(table, options.result, factors, block)
        told["experiment"] = tried
        lines += [*words.experiment(tried), *(f"note: {note}" for note in tried.notes)]
        return
    question = Question(
        result=options.result, factors=tuple(options.factor), group=options.group,
        time=options.time,
    )  # fmt: skip
    answer = causes(table, question, np.random.default_rng(5))
    told["causes"] = answer
    lines += [*words.answer(answer), *(f"note: {note}" for note in answer.notes)]
    verdict = told.get("verdict")
    if isinstance(verdict, Verdict) and answer.causes:
        lines += words.beside(verdict, answer)


def _in_order(column: Column, table: Table, time: str) -> FloatArray:
    if not time:
        return column.value
    order = np.argsort(order_of(table[time]), kind="stable")
    return np.asarray(column.value[order])


def _ranked(told: dict[str, object]) -> list[Row]:
    answer: Any = told["causes"]
    return [
        {
            "factor": each.factor,
            "cause": "yes" if each.chosen else "",
            "from": each.lower,
            "to": each.upper,
            "effect": each.effect,
            "95 % from": each.low,
            "95 % to": each.high,
            "tells %": round(100 * each.unique, 1),
            "alone %": round(100 * each.alone, 1),
            "p": each.p,
            "chance": each.q,
            "half samples %": None if each.stability is None else round(100 * each.stability),
        }
        for each in (*answer.causes, *answer.others)
    ]


# ---- inspections


def _inspections(options: argparse.Namespace, output: Output) -> int:
    """Judge each characteristic of QIF documents; with logs, look for causes in the making."""
    told: list[Row] = []
    lines: list[str] = []
    made = _settings(options)
    grids = [making.grid(path) for path in options.qif]
    for grid in grids:
        blank = placeholders(grid.values, grid.nominal)
        lines += [
            f"{grid.document}: part {grid.serials[n]} was not measured:"
            f" {int((grid.values[n] == grid.nominal).sum())} of its values are exactly the"
            " nominals; they are not counted"
            for n in np.flatnonzero(blank)
        ]
        for at, name in enumerate(grid.names):
            if (options.result and options.result != name) or grid.is_serial(at):
                continue
            others = [each.told[name].nominal for each in grids if name in each.told]
            row, said = _characteristic(
                options, grid, at, blank, made, [x for x in others if x is not None]
            )
            told.append(row)
            lines += said
    if options.result and not told:
        raise ValueError(f"--result {options.result}: no such characteristic in these documents")
    if output.as_json:
        output.value({"characteristics": told, "said": lines})
        return 0
    output.rows([{k: v for k, v in row.items() if k not in ("evidence", "causes")} for row in told])
    output.say("")
    for line in lines:
        output.say(line)
    return 0


def _characteristic(
    options: argparse.Namespace,
    grid: Grid,
    at: int,
    blank: NDArray[np.bool_],
    made: Making,
    nominals: Sequence[float],
) -> tuple[Row, list[str]]:
    """Return the row of a characteristic, and sentences where something is the matter."""
    name = grid.names[at]
    allowed, values = grid.told[name], grid.values[:, at]
    limits = Limits(
        nominal=allowed.nominal, lower=allowed.lower, upper=allowed.upper, aimed=options.aimed
    )
    row: dict[str, object] = {"characteristic": name, "document": grid.document}
    try:
        found = judge(
            values,
            limits,
            parts=grid.serials,
            passed=grid.passed[:, at].tolist(),
            others=[x for x in grid.nominal[np.isfinite(grid.nominal)] if x != allowed.nominal],
            nominal_told=nominals,
            bonus=grid.bonus[:, at],
            placeholder=blank & ((values == allowed.nominal) | (allowed.nominal is None)),
        )
    except NotEnoughData as error:
        nothing = dict.fromkeys(("outside", "mean", "sigma", "Pp", "Ppk", "shift"))
        return {**row, "verdict": "", **nothing, "why": str(error)}, []
    row |= {
        "verdict": found.kind, "outside": found.outside, "mean": found.mean,
        "sigma": found.spread, "Pp": found.pp, "Ppk": found.ppk, "shift": found.shift,
        "why": found.said, "evidence": found.evidence,
    }  # fmt: skip
    said = [] if found.kind == "capable" else words.verdict(name, found)
    said += [f"   {line}" for part in found.special for line in _unusual(part, made)]
    if made and (found.kind != "capable" or options.result):
        answer = _in_making(name, values, grid.serials, blank, made)
        if answer is not None:
            row["causes"] = answer
            said += [f"   in its making: {line}" for line in words.answer(answer)]
    return row, said


def _unusual(part: str, made: Making) -> list[str]:
    """Return in words what was unusual in the making of a part; nothing where no log tells."""
    if part not in made:
        return []
    plain = {
        key: {name: value for name, value in each.items() if name != MADE}
        for key, each in made.items()
    }
    odd = unusual(plain.pop(part), list(plain.values()))
    return [f"part {part} in its making: {', '.join(odd) or 'nothing unusual'}"]


def _settings(options: argparse.Namespace) -> Making:
    """Return the making of each part as factors, by its number; {} without logs."""
    if not options.mtconnect:
        return {}
    return {
        part.key: settings(part.made) | {MADE: part.made.runs[0].start / SECOND}
        for part in joined(options).parts
        if part.made.runs
    }


def _in_making(
    name: str,
    values: FloatArray,
    serials: Sequence[str],
    blank: NDArray[np.bool_],
    made: Making,
) -> Answer | None:
    """Return the causes of a characteristic in the making of the parts, or None: too few."""
    rows = [n for n, serial in enumerate(serials) if serial in made and not blank[n]]
    factors = list(dict.fromkeys(key for n in rows for key in made[serials[n]]))
    columns = [Column(name, values[rows])]
    columns += [
        Column(key, np.array([_setting(made[serials[n]], key) for n in rows], float))
        for key in factors
    ]
    try:
        question = Question(result=name, time=MADE)
        return causes(Table(tuple(columns)), question, np.random.default_rng(5))
    except NotEnoughData:
        return None


def _setting(of: Mapping[str, float], key: str) -> float:
    """Return one setting of a part; a tool that was not used worked for 0 s."""
    return of.get(key, 0.0 if key.startswith("T") and key.endswith(" s") else np.nan)
