"""Verbs about what the historian holds: import, query, export, verify."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deungdae.app import remote
from deungdae.app.remote import Archive
from deungdae.core.clock import to_iso
from deungdae.core.errors import StoreError
from deungdae.core.types import SECOND, Severity
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

from .moments import add_period, add_store, opened, period_of, zone_of
from .output import Output, Row

FORMATS = ("mtconnect-log",)
UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND}


def add(verbs: Any) -> None:
    """Add the verbs."""
    load = verbs.add_parser("import", help="read logs of machines into a history")
    load.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    load.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, plain or gzip")
    load.add_argument("--asset", required=True, metavar="A", help="id of the machine")
    load.add_argument("--devices", type=Path, metavar="XML",
                      help="the agent's device file: gives units and kinds")  # fmt: skip
    add_store(load)
    load.set_defaults(run=_import)

    query = verbs.add_parser("query", help="ask a history, also while a factory runs on it")
    query.add_argument("sql", nargs="?", metavar="SQL", help="one SELECT over samples, events, …")
    query.add_argument("--signal", action="append", default=[], metavar="ID")
    query.add_argument("--every", default="", metavar="1m", help="means of 10s, 1m, 1h, 1d")
    add_store(query)
    add_period(query)
    query.set_defaults(run=_query)

    export = verbs.add_parser("export", help="write samples of a period to .csv or .parquet")
    export.add_argument("target", type=Path, metavar="FILE")
    export.add_argument("--signal", action="append", default=[], metavar="ID", help="else all")
    add_store(export)
    add_period(export)
    export.set_defaults(run=_export)

    verify = verbs.add_parser("verify", help="read all of a history and its journal for damage")
    add_store(verify)
    verify.set_defaults(run=_verify)


def _import(options: argparse.Namespace, output: Output) -> int:
    missing = [str(path) for path in options.paths if not path.is_file()]
    if missing:
        raise ValueError(f"no such file: {', '.join(missing)}")
    from deungdae.machines.mtconnect.log import read_log  # noqa: PLC0415 — 0.1 s, only here

    recording = read_log(options.paths, options.asset, options.devices)
    samples = events = lines = 0
    faults: list[str] = []
    with Historian(options.store) as store:
        handles = store.register(recording.signals)
        by_id = {s.id: int(h) for s, h in zip(recording.signals, handles, strict=True)}
        for part in recording.parts(by_id, time.time_ns()):
            store.append([part.batch, *part.events])
            samples += len(part.batch)
            events += len(part.events)
            lines += part.lines
            faults += part.faults
        while store.tidy(time.time_ns()):
            pass
    for fault in faults:
        output.note(fault)
    counts = {"asset": options.asset, "files": len(options.paths), "lines": lines,
              "signals": len(recording.signals), "samples": samples, "events": events,
              "faulty_lines": len(faults)}  # fmt: skip
    if output.as_json:
        output.value(counts)
    output.say(
        f"{options.asset}: {len(options.paths)} files, {lines:,} lines: {samples:,} samples and"
        f" {events:,} events of {len(recording.signals)} signals; {len(faults)} faulty lines"
    )
    return 0


def _query(options: argparse.Namespace, output: Output) -> int:
    with opened(options.store) as store:
        if options.sql:
            output.rows(remote.rows(store.sql(options.sql)), empty="no rows")
        elif not options.signal:
            rows = [{"id": s.id, "unit": s.unit, "kind": s.kind} for s in store.signals()]
            output.rows(rows, empty="no signals")
        else:
            output.rows(_samples(store, options), empty="no samples in this period")
    return 0


def _samples(store: Archive, options: argparse.Namespace) -> list[Row]:
    """Return the rows that tell of the wanted signals: buckets, or samples and events."""
    start, end = period_of(options)
    zone = zone_of(options)
    _check_known(store, options.signal)
    if options.every:
        every = _duration(options.every)
        return [
            {"id": id, "time": to_iso(at, zone), "count": n, "min": low, "max": high, "mean": mean}
            for id in options.signal
            for at, n, low, high, mean in _buckets(store.rollup(id, start, end, every))
        ]
    rows: list[Row] = [
        {"id": id, "time": to_iso(at, zone), "value": value, "status": _word(status)}
        for id, samples in store.query(options.signal, start, end).items()
        for at, value, status in zip(samples.time.tolist(), samples.value.tolist(),
                                     samples.status.tolist(), strict=True)
    ]  # fmt: skip
    rows += [
        {"id": e.id, "time": to_iso(e.time, zone), "value": e.value, "status": _word(e.status)}
        for e in store.events(start, end, ids=options.signal)
    ]
    return rows


def _word(status: int) -> str:
    return Severity(status & 3).name.lower()


def _check_known(store: Archive, wanted: Sequence[str]) -> None:
    unknown = set(wanted) - {signal.id for signal in store.signals()}
    if unknown:
        raise ValueError(f"--signal {', '.join(sorted(unknown))}: not in this history")


def _buckets(rollup: Any) -> Any:
    columns = (rollup.start, rollup.count, rollup.minimum, rollup.maximum, rollup.mean)
    return zip(*(column.tolist() for column in columns), strict=True)


def _duration(text: str) -> int:
    unit = UNITS.get(text[-1:])
    if unit is None or not text[:-1].isdigit() or int(text[:-1]) == 0:
        raise ValueError(f"--every {text}: write a whole number and s, m, h or d, e.g. 10m")
    return int(text[:-1]) * unit


def _export(options: argparse.Namespace, output: Output) -> int:
    start, end = period_of(options)
    with opened(options.store) as store:
        _check_known(store, options.signal)
        wanted = options.signal or [signal.id for signal in store.signals()]
        quoted = ", ".join("'" + id.replace("'", "''") + "'" for id in wanted)
        period = f"time >= make_timestamp_ns({start}) AND time < make_timestamp_ns({end})"
        sql = f"SELECT * FROM samples WHERE id IN ({quoted}) AND {period} ORDER BY id, time"  # noqa: S608
        rows = store.export(sql, options.target)
    if output.as_json:
        output.value({"file": str(options.target), "rows": rows})
    output.say(f"wrote {rows:,} samples to {options.target}")
    return 0


def _verify(options: argparse.Namespace, output: Output) -> int:
    with opened(options.store) as store:
        if not isinstance(store, Historian):
            raise StoreError(
                f"--store {options.store}: a factory runs on it; stop it to read it all"
            )
        problems = store.verify() + _journal_problems(options.store / "journal")
    output.rows([{"problem": problem} for problem in problems], empty="no damage found")
    return 1 if problems else 0


def _journal_problems(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    try:
        with Journal(folder) as journal:
            broken = journal.verify()
    except StoreError as error:
        return [f"journal: {error}"]
    return [] if broken is None else [f"journal: {broken}"]
