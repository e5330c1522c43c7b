"""MTConnect logs, QIF results and G-code of parts, read from files and joined by serial."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import from_iso
from deungdae.core.errors import BadReply, NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.insight.trace import Fit, Made, Told, fit, is_told_by, keys, made
from deungdae.wires import gcode, qif

_NONE_MADE = Made((), ())


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A measured characteristic of a part; document: the file it stands in."""

    document: str
    measured: qif.Measurement


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """All that files say of one part. key: its number; serials: as they write it."""

    key: str
    serials: tuple[str, ...]
    made: Made
    results: tuple[Result, ...]


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Parts by number. doubts: what could not be joined, and why."""

    parts: tuple[Part, ...]
    programs: tuple[tuple[str, gcode.Program], ...]
    doubts: tuple[str, ...]

    def part(self, code: str) -> Part:
        """Return a part by its number or by a serial. Raises NotEnoughData with those known."""
        for part in self.parts:
            if code == part.key or code in part.serials or _bare(code) == _bare(part.key):
                return part
        known = ", ".join(part.key for part in self.parts[:30])
        raise NotEnoughData(f"no file names the part {code}; there are: {known or 'none'}")

    def fits(self, part: Part) -> list[list[tuple[str, Fit]]]:
        """Return for each run of a part how it fits each program."""
        return [
            [(name, fit(run, program)) for name, program in self.programs] for run in part.made.runs
        ]


def read(logs: Sequence[Path], results: Sequence[Path], programs: Sequence[Path]) -> Joined:
    """Return what files say of parts. logs: one file for each part, its name tells which.

    Raises ValueError for a file that is not there, BadReply naming one that cannot be read.
    """
    doubts: list[str] = []
    runs: dict[str, tuple[str, Made]] = {}
    named = keys([_stem(path) for path in logs])
    for path in logs:
        key = named[_stem(path)]
        if key in runs:
            doubts.append(f"{path.name}: part {key} has a log already; this one is left out")
            continue
        runs[key] = (_stem(path), _made(path))
    found: dict[str, tuple[list[str], list[Result]]] = {}
    for path in results:
        _results(path, found, doubts)
    order = sorted(runs.keys() | found.keys(), key=lambda key: (len(key), key))
    parts = []
    for key in order:
        name, making = runs.get(key, ("", _NONE_MADE))
        serials, own = found.get(key, ([], []))
        parts.append(
            Part(
                key=key, serials=tuple(dict.fromkeys([*filter(None, [name]), *serials])),
                made=making, results=tuple(own),
            )
        )  # fmt: skip
    for kind, have in (("log", set(runs)), ("results", set(found))):
        missing = [key for key in order if key not in have]
        if have and missing:
            doubts.append(f"without {kind}: parts {', '.join(missing)}")
    plans = tuple((path.name, _program(path)) for path in programs)
    return Joined(parts=tuple(parts), programs=plans, doubts=tuple(doubts))


class Grid(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One inspection document as a table of n parts and m characteristics.

    serials: numbers of the parts; told: of each characteristic what the first part says of it.
    values, bonus: float64[n, m]; passed: bool[n, m]; nominal: float64[m]; NaN where there is none.
    """

    document: str
    names: list[str]
    serials: list[str]
    told: dict[str, qif.Measurement]
    values: FloatArray
    bonus: FloatArray
    passed: NDArray[np.bool_]
    nominal: FloatArray

    def is_serial(self, at: int) -> bool:
        """Return whether a characteristic is only the number of the part."""
        return [f"{value:g}" for value in self.values[:, at]] == self.serials


def grid(path: Path) -> Grid:
    """Return what a QIF document measured; a name that it uses again gets a number behind it."""
    measured = _told_apart(measurements(path))
    told = {each.characteristic: each for each in reversed(measured)}
    names = list(dict.fromkeys(each.characteristic for each in measured))
    parts = {each.result: each.part for each in measured}
    numbers = keys([part for part in parts.values() if part])
    rows = {result: row for row, result in enumerate(parts)}
    columns = {name: column for column, name in enumerate(names)}
    values = np.full((len(rows), len(names)), np.nan)
    bonus, passed = np.zeros_like(values), np.zeros(values.shape, bool)
    for each in measured:
        cell = rows[each.result], columns[each.characteristic]
        values[cell] = np.nan if each.value is None else each.value
        bonus[cell] = each.bonus
        passed[cell] = each.status.upper() == "PASS"
    nominal = [told[name].nominal for name in names]
    return Grid(
        document=path.name,
        names=names,
        serials=[numbers.get(part, "") or f"without serial ({id})" for id, part in parts.items()],
        told=told,
        values=values,
        bonus=bonus,
        passed=passed,
        nominal=np.array([np.nan if each is None else each for each in nominal], float),
    )


def _told_apart(measured: Sequence[qif.Measurement]) -> list[qif.Measurement]:
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for each in measured:
        key = each.result, each.characteristic
        seen[key] += 1
        again = f"{each.characteristic} #{seen[key]}"
        found.append(msgspec.structs.replace(each, characteristic=again) if seen[key] > 1 else each)
    return found


def content(path: Path) -> bytes:
    """Return a file's bytes. Raises ValueError naming one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error


def measurements(path: Path) -> list[qif.Measurement]:
    """Return what a QIF file measured. Raises BadReply naming the file."""
    try:
        return qif.measurements(content(path))
    except BadReply as error:
        raise BadReply(f"{path}: {error}", remedy=error.remedy) from error


def _results(
    path: Path, found: dict[str, tuple[list[str], list[Result]]], doubts: list[str]
) -> None:
    """Add the results of one document to those of each part."""
    told = measurements(path)
    named = keys([each.part for each in told])
    nameless = {each.result for each in told if not each.part}
    if nameless:
        free = len(named) + len(nameless)
        doubts.append(
            f"{path.name}: {len(nameless)} of {free} inspections name no serial; they are left out"
        )
    by_serial: dict[str, set[str]] = {}
    for each in told:
        if not each.part:
            continue
        by_serial.setdefault(each.part, set()).add(each.result)
        serials, own = found.setdefault(named[each.part], ([], []))
        serials.append(each.part)
        own.append(Result(document=path.name, measured=each))
    doubts += [
        f"{path.name}: serial {serial} stands on {len(ids)} inspections; all are shown"
        for serial, ids in by_serial.items()
        if len(ids) > 1
    ]


def _made(path: Path) -> Made:
    """Return what a log tells: an adapter's, or a streams document as an agent sends it."""
    document = _document(path)
    lines, faults = _adapter(path) if document is None else (_streams(path, document), [])
    found = made(lines)
    said = (f"{len(faults)} lines of the log cannot be read, first {faults[0]}",) if faults else ()
    return msgspec.structs.replace(found, doubts=(*found.doubts, *said))


def _document(path: Path) -> bytes | None:
    """Return the XML that a file holds, or None where it is none."""
    raw = content(path)
    if raw[:2] == b"\x1f\x8b":
        with gzip.open(path) as file:
            try:
                begin = file.read(64)
                return begin + file.read() if begin.lstrip().startswith(b"<") else None
            except (OSError, EOFError, zlib.error):
                return None  # the reader of logs says where it breaks off
    return raw if raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else None


def _adapter(path: Path) -> tuple[list[Told], list[str]]:
    from deungdae.machines.mtconnect.log import read_log  # noqa: PLC0415 — pyarrow takes 0.2 s

    log = read_log([path], "m")
    names = {signal.id: signal.name for signal in log.signals}
    handles = {id: number for number, id in enumerate(names)}
    by_handle = list(names.values())
    lines: list[Told] = []
    faults: list[str] = []
    for part in log.parts(handles, 0):
        batch = part.batch
        lines += [
            Told(time, by_handle[handle], repr(value))
            for handle, time, value in zip(
                batch.signal.tolist(), batch.time.tolist(), batch.value.tolist(), strict=True
            )
        ]
        lines += [Told(event.time, names[event.id], event.value) for event in part.events]
        faults += part.faults
    return lines, faults


def _streams(path: Path, xml: bytes) -> list[Told]:
    """Return the observations of a streams document by the names of their data items, else type."""
    from lxml import etree  # noqa: PLC0415 — only documents need it

    from deungdae.machines.mtconnect import document  # noqa: PLC0415

    try:
        root = document.parse(xml, "MTConnectStreams")
    except BadReply as error:
        raise BadReply(f"{path}: {error}", remedy=error.remedy) from error
    found = []
    for group in root.iter("{*}Samples", "{*}Events"):
        for node in group:
            name = node.get("name", "")
            item = name if is_told_by(name) else etree.QName(node).localname
            with suppress(ValueError):  # without a time it tells nothing of the order of things
                found.append(Told(from_iso(node.get("timestamp", "")), item, node.text or ""))
    return found


def _program(path: Path) -> gcode.Program:
    try:
        return gcode.read(content(path))
    except BadReply as error:
        raise BadReply(f"{path}: {error}", remedy=error.remedy) from error


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _bare(code: str) -> str:
    return code.lstrip("0") or code
