"""Adapter logs (`time|item|value`, plain or gzip) as columns: read twice, never held whole.

The first pass finds which signals there are, the same for all files of one machine; the second
yields their samples and events. Lines of the common shape of three fields are read as columns, all
others one by one with the parser that live adapter streams use.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from deungdae.core.types import Batch, Event, FloatArray, Severity, Signal, TimeArray
from deungdae.machines import _moment as moment

from . import shdr
from .files import device_items, opened
from .reading import UNAVAILABLE, Facts, Reading, is_unavailable, series, short

_BLOCK = 16 << 20
_PIECE = 1 << 16
_FIELDS = ["time", "item", "value"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What some lines of one file say. faults: `file:line: what is wrong` of each corrupt line."""

    file: Path
    lines: int
    batch: Batch
    events: tuple[Event, ...]
    faults: tuple[str, ...]


class Log:
    """The adapter logs of one machine.

    signals: one per data item, `<asset>.<item>`; those of kind number are sampled in `parts`, the
    others come as events. An item is a number if every known value of it in all the files is one,
    a state if every one is a word in capitals, else a text; with a device file it is what that
    says, and has its unit.
    """

    def __init__(self, paths: Sequence[Path], asset: str, devices: Path | None = None) -> None:
        self.paths = tuple(paths)
        self.asset = asset
        self._items = {} if devices is None else device_items(devices, asset)
        self._shapes = {name: item.shape for name, item in self._items.items()}
        facts: dict[str, Facts] = {}
        for path in self.paths:
            for chunk in _chunks(path, self._shapes):
                _survey(chunk, facts)
        self.signals = tuple(self._signal(name, fact) for name, fact in facts.items())
        self._kinds = dict(zip(facts, (signal.kind for signal in self.signals), strict=True))

    def parts(self, handles: Mapping[str, int], received: int) -> Iterator[Part]:
        """Yield the contents of every file in order, in parts of bounded size.

        handles: signal id -> handle, of at least every signal of kind number; received: ns.
        """
        for path in self.paths:
            for chunk in _chunks(path, self._shapes):
                yield self._part(path, chunk, handles, received)

    def _signal(self, name: str, facts: Facts) -> Signal:
        item = self._items.get(name)
        kind = facts.kind if item is None else item.kind
        unit = item.unit if item is not None and kind == "number" and item.unit else "1"
        return Signal(id=_id(self.asset, name), name=name, kind=kind, unit=unit)

    def _part(self, path: Path, chunk: _Chunk, handles: Mapping[str, int], received: int) -> Part:
        numeric = np.array([self._kinds[name] == "number" for name in chunk.names], bool)
        rows = numeric[chunk.item] if len(chunk.names) else np.zeros(0, bool)
        handle = np.array(
            [handles[_id(self.asset, name)] if yes else -1
             for name, yes in zip(chunk.names, numeric, strict=True)],
            np.int32,
        )  # fmt: skip
        value = _numbers(chunk.value.filter(pa.array(rows)))
        status = np.where(np.isfinite(value), Severity.GOOD, Severity.BAD).astype(np.uint8)
        batch = Batch(handle[chunk.item[rows]], chunk.time[rows], value, status, received)
        return Part(
            file=path,
            lines=chunk.lines,
            batch=batch,
            events=tuple(self._events(chunk, ~rows, received)),
            faults=tuple(f"{path}:{number}: {what}" for number, what in chunk.faults),
        )

    def _events(self, chunk: _Chunk, rows: NDArray[np.bool_], received: int) -> Iterator[Event]:
        ids = [_id(self.asset, name) for name in chunk.names]
        kinds = [self._kinds[name] for name in chunk.names]
        values = chunk.value.filter(pa.array(rows)).to_pylist()
        where = np.flatnonzero(rows).tolist()
        for row, item, time, value in zip(
            where, chunk.item[rows].tolist(), chunk.time[rows].tolist(), values, strict=True
        ):
            unknown = is_unavailable(value)
            said = value.upper() if kinds[item] == "alarm" else value
            yield Event(
                id=ids[item],
                time=time,
                kind=kinds[item],
                value=UNAVAILABLE if unknown else said,
                status=Severity.BAD if unknown else Severity.GOOD,
                received=received,
                data=chunk.data.get(row, {}),
            )


def read_log(paths: Sequence[Path], asset: str, devices: Path | None = None) -> Log:
    """Return the adapter logs of one machine, surveyed; see Log.

    paths: in the order of their time. asset: its id in the house. devices: the agent's
    Devices.xml; of several devices the one whose name, id or uuid is `asset`.
    Raises FactoryError for a file that cannot be read at all; a corrupt line is only reported.

        log = read_log(paths, "Mazak01")
        handles = dict(zip((s.id for s in log.signals), store.register(log.signals)))
        for part in log.parts(handles, clock.now()):
            store.append([part.batch, *part.events])
    """
    return Log(paths, asset, devices)


class _Chunk(msgspec.Struct, frozen=True, eq=False):
    """Some lines of a file as columns of n readings.

    item int32[n]: place in `names`; time int64[n]; value: Arrow strings[n];
    data: row -> further parts; faults: (number of the line, what is wrong).
    """

    names: list[str]
    item: NDArray[np.int32]
    time: TimeArray
    value: Any
    data: dict[int, dict[str, str]]
    lines: int
    faults: list[tuple[int, str]]


def _survey(chunk: _Chunk, facts: dict[str, Facts]) -> None:
    for name in chunk.names:
        facts.setdefault(name, Facts())
    known = ~_unavailable(chunk.value)
    for name in _names(chunk, known):
        facts[name].known = True
    for name in _names(chunk, known & ~_matches(chunk.value, Facts.NUMBER)):
        facts[name].number = False
    for name in _names(chunk, known & ~_matches(chunk.value, Facts.WORD)):
        facts[name].word = False
    for row, data in chunk.data.items():
        if "level" in data:
            facts[chunk.names[chunk.item[row]]].condition = True


def _names(chunk: _Chunk, rows: NDArray[np.bool_]) -> list[str]:
    """Return the items that the chosen rows are about."""
    return [chunk.names[place] for place in np.unique(chunk.item[rows])]


def _chunks(path: Path, shapes: Mapping[str, str]) -> Iterator[_Chunk]:
    """Yield a file's lines in chunks of about 16 MiB; the last tells of a broken file."""
    skipper = shdr.Skipper()
    first = 1
    for block, problem in _blocks(path):
        chunk = _columns(block, first, skipper, shapes)
        first += chunk.lines
        if problem:
            chunk.faults.append((first, problem))
        yield chunk


def _blocks(path: Path) -> Iterator[tuple[bytes, str]]:
    """Yield a file's whole lines, and what broke the reading, if anything did."""
    held = bytearray()
    with opened(path) as file:
        while True:
            try:
                piece = file.read(_PIECE)  # small: what a break loses is at most this much
            except (OSError, EOFError, zlib.error) as error:
                yield bytes(held), f"the file breaks off here: {error}"
                return
            if not piece:
                break
            held += piece
            if len(held) < _BLOCK:
                continue
            cut = held.rfind(b"\n") + 1
            if not cut:
                yield b"", f"a line is longer than {_BLOCK >> 20} MiB; the rest is left out"
                return
            yield bytes(held[:cut]), ""
            del held[:cut]
    if held:
        yield bytes(held), ""


def _columns(block: bytes, first: int, skipper: shdr.Skipper, shapes: Mapping[str, str]) -> _Chunk:
    """Return whole lines as columns. first: number of the first line in its file."""
    others: list[tuple[int, str]] = []
    table = _table(block, others)
    faults: list[tuple[int, str]] = []
    readings = _one_by_one(others, skipper, shapes, faults)
    time, wrong = moment.columns(table["time"].combine_chunks())
    if wrong:
        faults += _without_time(table, wrong, [number for number, _ in others], skipper)
    names: dict[str, int] = {}
    item = _items(table["item"].combine_chunks(), names)
    good = (item >= 0) & (time != moment.NEVER)
    kept = int(good.sum())
    more_items = [names.setdefault(short(reading.item), len(names)) for reading, _ in readings]
    more_times = [time for _, time in readings]
    more_values = pa.array([reading.value for reading, _ in readings], pa.string())
    value = table["value"].combine_chunks().filter(pa.array(good))
    return _Chunk(
        names=list(names),
        item=np.concatenate([item[good], np.asarray(more_items, np.int32)]),
        time=np.concatenate([time[good], np.asarray(more_times, np.int64)]),
        value=pa.concat_arrays([value, more_values]),
        data={
            kept + place: reading.data
            for place, (reading, _) in enumerate(readings)
            if reading.data is not None
        },
        lines=len(table) + len(others),
        faults=sorted((first + number - 1, problem) for number, problem in faults),
    )


def _one_by_one(
    lines: list[tuple[int, str]],
    skipper: shdr.Skipper,
    shapes: Mapping[str, str],
    faults: list[tuple[int, str]],
) -> list[tuple[Reading, int]]:
    """Return what numbered lines say, with the time in ns; what is wrong goes to `faults`."""
    found: list[tuple[Reading, int]] = []
    for number, line in lines:
        if skipper.skips(line):
            continue
        try:
            for reading in shdr.parse(line, shapes):
                found.extend(_placed(reading, moment.one(reading.time)))
        except ValueError as error:
            faults.append((number, _fault(line, error)))
    return found


def _without_time(
    table: Any, wrong: Mapping[int, ValueError], others: list[int], skipper: shdr.Skipper
) -> list[tuple[int, str]]:
    """Return number and fault of the rows whose time cannot be read. others: no rows of it."""
    numbers = np.setdiff1d(np.arange(1, len(table) + len(others) + 1), others)
    faults = []
    for row, line in zip(wrong, table.take(list(wrong)).to_pylist(), strict=True):
        # an empty line comes as a row of empty fields
        if any(line.values()) and not skipper.skips("|".join(line.values())):
            faults.append((int(numbers[row]), _fault(line["time"], wrong[row])))
    return faults


def _placed(reading: Reading, time: int) -> list[tuple[Reading, int]]:
    """Return a reading with its time, a time series as many."""
    if reading.data is None or "sampleCount" not in reading.data:
        return [(reading, time)]
    return [
        (Reading(reading.item, reading.time, text), time - before)
        for before, text in series(reading)
    ]


def _table(block: bytes, others: list[tuple[int, str]]) -> Any:
    """Return time, item and value of the lines that have three fields; all others in `others`."""

    def put_aside(row: Any) -> str:
        others.append((row.number, row.text))
        return "skip"

    if not block:
        return pa.table({name: pa.array([], pa.string()) for name in _FIELDS})
    if not _is_text(block):
        block = block.decode(errors="replace").encode()
    table = csv.read_csv(
        pa.py_buffer(block),
        csv.ReadOptions(column_names=_FIELDS, use_threads=False, block_size=len(block) + 1),
        csv.ParseOptions(
            delimiter="|",
            quote_char=False,
            ignore_empty_lines=False,  # so that the number of a line is right
            invalid_row_handler=put_aside,
        ),
        csv.ConvertOptions(column_types=dict.fromkeys(_FIELDS, pa.string())),
    )
    return table.set_column(2, "value", pc.ascii_trim_whitespace(table["value"]))


def _is_text(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _items(column: Any, names: dict[str, int]) -> NDArray[np.int32]:
    """Return the place in `names` of each row's item, -1 for none: assets, an empty name."""
    coded = pc.dictionary_encode(column)
    places = []
    for written in coded.dictionary.to_pylist():
        name = short(written.strip())
        known = bool(name) and not name.startswith("@")
        places.append(names.setdefault(name, len(names)) if known else -1)
    items: NDArray[np.int32] = np.asarray(places, np.int32)[coded.indices.to_numpy()]
    return items


def _fault(line: str, problem: ValueError) -> str:
    shown = line if len(line) <= 80 else line[:79] + "…"
    return f"{problem} ({shown!r})"


def _unavailable(values: Any) -> NDArray[np.bool_]:
    return _mask(pc.equal(pc.ascii_upper(values), UNAVAILABLE))


def _matches(values: Any, pattern: str) -> NDArray[np.bool_]:
    return _mask(pc.match_substring_regex(values, pattern))


def _mask(values: Any) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return mask


def _numbers(values: Any) -> FloatArray:
    """Return float64[n], NaN where the text is no number."""
    known = pc.if_else(pc.match_substring_regex(values, Facts.NUMBER), values, pa.scalar(None))
    numbers: FloatArray = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _id(asset: str, item: str) -> str:
    return f"{asset}.{item.replace('.', '_')}"  # the last dot of an id ends the asset
