"""Capability of what was measured: from inspection results, tables, and the history's signals."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from deungdae.core.errors import BadReply, NotEnoughData
from deungdae.core.ports import Samples, Store
from deungdae.core.types import DAY, SECOND, FloatArray, Severity, severity
from deungdae.insight.spc import Asked, SpcOptions, Study, study
from deungdae.model.factory import Factory
from deungdae.wires import qif

SEED = 5  # of the bootstraps, so that a report is the same each time
MOST = 100_000_000  # bytes of one file
PARTS = 5_000  # of one characteristic, the newest; a process of longer ago is another one


class Measured(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The parts of one characteristic, in order. value: float64[n].

    source: file, signal or analysis. bonus: what the mean part's size adds to usl, where a position
    is toleranced at maximum material; usl is without it. out: parts out of specification, each
    with its own bonus. skipped: parts without a value. subgroup: parts made together.
    """

    name: str
    source: str
    unit: str
    nominal: float | None
    lsl: float | None
    usl: float | None
    value: FloatArray
    bonus: float = 0.0
    out: int = 0
    skipped: int = 0
    subgroup: int = 1


class Capable(msgspec.Struct, frozen=True, kw_only=True):
    """A characteristic with its study, or why there is none."""

    measured: Measured
    study: Study | None
    reason: str = ""


def studies(each: Iterable[Measured], asked: Asked) -> list[Capable]:
    """Return the study of each. Its own limits hold where it has some, else those asked for."""
    found = []
    for one in each:
        lsl = asked.lsl if one.lsl is None and one.usl is None else one.lsl
        usl = asked.usl if one.lsl is None and one.usl is None else one.usl
        held = msgspec.structs.replace(asked, lsl=lsl, usl=None if usl is None else usl + one.bonus)
        n = one.subgroup
        groups = one.value[len(one.value) % n :].reshape(-1, n)
        try:
            done = study(groups, held, np.random.default_rng(SEED))
        except (NotEnoughData, ValueError) as error:
            found.append(Capable(measured=one, study=None, reason=str(error)))
            continue
        notes = done.notes
        if one.bonus:
            notes += (f"the size of the feature adds {one.bonus:.4g} to the tolerance on average",)
            done = msgspec.structs.replace(done, out=one.out)
        if one.skipped:
            notes += (f"{one.skipped} parts without a value",)
        found.append(Capable(measured=one, study=msgspec.structs.replace(done, notes=notes)))
    return found


def from_qif(path: Path) -> list[Measured]:
    """Return the characteristics of a QIF document, or of each that lies in a folder.

    Each document is a lot of its own. Raises BadReply, ValueError.
    """
    if not path.exists():
        raise ValueError(f"--qif {path}: there is no such file or folder")
    files = [path] if path.is_file() else _documents(path)
    if not files:
        raise ValueError(f"--qif {path}: no file in it ends with .qif or .xml")
    found = []
    for file in files:
        try:
            parts = qif.measurements(_content(file))
        except BadReply as error:
            raise BadReply(f"{file}: {error}", remedy=error.remedy) from error
        found += list(_by_characteristic(parts, file.name))
    return found


def _documents(folder: Path) -> list[Path]:
    """Return the QIF files of a folder; where none is called so, the XML files."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    own = [each for each in files if each.suffix.lower() == ".qif"]
    return own or [each for each in files if each.suffix.lower() == ".xml"]


def _by_characteristic(parts: Sequence[qif.Measurement], source: str) -> Iterator[Measured]:
    groups: dict[tuple[object, ...], list[qif.Measurement]] = {}
    for part in parts:
        key = (part.characteristic, part.nominal, part.lower, part.upper, part.unit)
        groups.setdefault(key, []).append(part)
    for same in groups.values():
        first = same[0]
        known = [part for part in same if part.value is not None]
        yield Measured(
            name=first.characteristic,
            source=source,
            unit=first.unit,
            nominal=first.nominal,
            lsl=first.lower,
            usl=first.upper,
            value=np.asarray([part.value for part in known], np.float64),
            bonus=float(np.mean([part.bonus for part in known])) if known else 0.0,
            out=sum(_is_out(part) for part in known),
            skipped=len(same) - len(known),
        )


def _is_out(part: qif.Measurement) -> bool:
    value = nan if part.value is None else part.value
    return (part.lower is not None and value < part.lower) or (
        part.upper is not None and value > part.upper + part.bonus
    )


def from_csv(path: Path, columns: Sequence[str] = ()) -> list[Measured]:
    """Return the characteristics of a table with a header.

    Long: a column `value`, with `characteristic` (or `name`, `feature`), `lsl`, `usl` (or `lower`,
    `upper`), `nominal` and `unit` where there are some. Else wide: each column of numbers is a
    characteristic, or those that are named. Raises ValueError.
    """
    rows = rows_of(path)
    heads = list(rows[0]) if rows else []
    missing = [name for name in columns if name not in heads]
    if missing:
        raise ValueError(f"--column {missing[0]}: {path} has {', '.join(heads)}")
    if not columns and "value" in {head.lower() for head in heads}:
        return list(_long(rows, path.name))
    return list(_wide(rows, columns or heads, path.name, asked=bool(columns)))


class _Head(NamedTuple):
    """What the rows of one characteristic share."""

    name: str
    unit: str
    nominal: float | None
    lsl: float | None
    usl: float | None


def _long(rows: Sequence[Mapping[str, str]], source: str) -> Iterator[Measured]:
    groups: dict[_Head, list[float | None]] = {}
    for row in rows:
        cells = {key.lower(): value for key, value in row.items()}
        names = (cells.get(key) for key in ("characteristic", "name", "feature"))
        head = _Head(
            next((name for name in names if name), source),
            cells.get("unit", ""),
            _number(cells.get("nominal", "")),
            _number(cells.get("lsl") or cells.get("lower", "")),
            _number(cells.get("usl") or cells.get("upper", "")),
        )
        groups.setdefault(head, []).append(_number(cells["value"]))
    for head, values in groups.items():
        known = [value for value in values if value is not None]
        yield Measured(
            name=head.name,
            source=source,
            unit=head.unit,
            nominal=head.nominal,
            lsl=head.lsl,
            usl=head.usl,
            value=np.asarray(known, np.float64),
            skipped=len(values) - len(known),
        )


def _wide(
    rows: Sequence[Mapping[str, str]], heads: Sequence[str], source: str, *, asked: bool
) -> Iterator[Measured]:
    for head in heads:
        cells = [row[head] for row in rows]
        values = [_number(cell) for cell in cells]
        known = [value for value in values if value is not None]
        words = sum(value is None and bool(cell) for value, cell in zip(values, cells, strict=True))
        if not asked and (not known or words > len(known)):
            continue  # a column of words: a serial, a time
        yield Measured(
            name=head,
            source=source,
            unit="",
            nominal=None,
            lsl=None,
            usl=None,
            value=np.asarray(known, np.float64),
            skipped=len(values) - len(known),
        )


def from_store(store: Store, ids: Sequence[str], start: int, end: int) -> list[Measured]:
    """Return the newest good samples of signals of a history, one each part."""
    return [
        Measured(
            name=name,
            source=name,
            unit="",
            nominal=None,
            lsl=None,
            usl=None,
            value=_newest(store, name, start, end),
        )
        for name in ids
    ]


def from_factory(store: Store, factory: Factory, start: int, end: int) -> list[Measured]:
    """Return what every `spc` analysis of a factory with specification limits charts."""
    found = []
    for name, plugin in factory.room("insight").items():
        options = plugin.options
        if not isinstance(options, SpcOptions) or (options.lsl is None and options.usl is None):
            continue
        signal = factory.signals.get(options.signal)
        found.append(
            Measured(
                name=name,
                source=options.signal,
                unit="" if signal is None else signal.unit,
                nominal=None,
                lsl=options.lsl,
                usl=options.usl,
                value=_newest(store, options.signal, start, end, options.every),
                subgroup=options.subgroup,
            )
        )
    return found


def _newest(store: Store, id: str, start: int, end: int, every: float = 0.0) -> FloatArray:
    """Return the newest good values of a signal; every: seconds that parts lie apart at least.

    A history may hold a hundred millions of them: the days are asked for from the newest back.
    """
    span = DAY
    while True:
        begun = max(start, end - span)
        values = _good(store.query([id], begun, end)[id], every)
        if len(values) >= PARTS or begun == start:
            return values[-PARTS:]
        span *= 4


def _good(samples: Samples, every: float) -> FloatArray:
    keep = (severity(samples.status) != Severity.BAD) & np.isfinite(samples.value)
    time, value = samples.time[keep], samples.value[keep]
    if every and len(time):
        chosen = [0]
        for place, moment in enumerate(time.tolist()):
            if moment - time[chosen[-1]] >= every * SECOND:
                chosen.append(place)
        value = value[chosen]
    return np.asarray(value, np.float64)


def _content(path: Path) -> bytes:
    if path.stat().st_size > MOST:
        raise ValueError(f"{path}: larger than {MOST // 1_000_000} MB; give a part of it")
    return path.read_bytes()


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table with a header, cut at comma, semicolon or tab.

    Raises ValueError.
    """
    if not path.is_file():
        raise ValueError(f"--csv {path}: there is no such file")
    try:
        lines = _content(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--csv {path}: this is no text in UTF-8") from error
    if not lines:
        raise ValueError(f"--csv {path}: the file is empty")
    delimiter = max(",;\t", key=lines[0].count)
    try:
        rows = list(csv.DictReader(lines, delimiter=delimiter, restval=""))
    except csv.Error as error:
        raise ValueError(f"--csv {path}: {error}") from error
    return [
        {key.strip(): (value or "").strip() for key, value in row.items() if key is not None}
        for row in rows
    ]


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ".")) if text else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None
