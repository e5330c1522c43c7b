"""The verb detect: what is unlike good running, in a file or in a history."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from deungdae.core.clock import from_iso, to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND

from . import bearing
from .moments import add_period, add_store, first_of, opened, period_of, zone_of
from .output import Output

if TYPE_CHECKING:  # loaded when asked for: `--version` stays quick
    from zoneinfo import ZoneInfo

    from deungdae.insight.anomaly import Judgement, Table, Watch

_ROWS = 2_000_000  # of a history that are looked at together


def add(verbs: Any) -> None:
    """Add the verb with its kinds."""
    verb = verbs.add_parser("detect", help="anomaly, novelty, bearing: what is not as it should be")
    kinds = verb.add_subparsers(metavar="anomaly|novelty|bearing", required=True)
    _add_unlike(kinds.add_parser("anomaly", help="signals together"), "anomaly")
    _add_unlike(kinds.add_parser("novelty", help="one stream against its past"), "novelty")
    bearing.add(kinds)


def _add_unlike(verb: argparse.ArgumentParser, what: str) -> None:
    verb.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="CSV or Parquet; else --store"
    )
    verb.add_argument("--time", default="", metavar="COLUMN", help="of FILE; else the first")
    verb.add_argument(
        "--signals", nargs="+", default=[], metavar="ID", help="columns or signals; FILE: else all"
    )
    verb.add_argument("--leave", nargs="+", default=[], metavar="ID", help="do not watch these")
    verb.add_argument("--keep", nargs="+", default=[], metavar="ID", help="though they drift")
    verb.add_argument("--train-from", default="", metavar="TIME", help="good running; else first")
    verb.add_argument("--train-to", default="", metavar="TIME", help="exclusive")
    verb.add_argument("--train-rows", type=int, metavar="N", help="else a third of the rows")
    verb.add_argument("--model", type=Path, metavar="FILE", help="that --save wrote: no training")
    verb.add_argument("--save", type=Path, metavar="FILE", help="write what is usual there")
    verb.add_argument(
        "--alarms-per-day", type=float, default=1.0, metavar="N", help="false ones (1)"
    )
    verb.add_argument("--every", type=float, default=10.0, metavar="S", help="of a history (10 s)")
    verb.add_argument("--hold", type=float, default=600.0, metavar="S", help="of a value (600 s)")
    verb.add_argument("--lags", type=int, default=3, metavar="N", help="earlier rows (3)")
    verb.add_argument("--smooth", type=int, default=10, metavar="ROWS", help="of the index (10)")
    add_store(verb, required=False)
    add_period(verb)
    verb.add_argument("--json", action="store_true", help="print JSON with stable keys")
    verb.set_defaults(run=_detect, what=what)


def _detect(options: argparse.Namespace, output: Output) -> int:
    _check(options)
    zone = zone_of(options)
    table = _from_file(options, zone, output) if options.file else _from_store(options)
    return (_novelty if options.what == "novelty" else _anomaly)(options, table, zone, output)


def _check(options: argparse.Namespace) -> None:
    """Raise ValueError for what contradicts itself."""
    if (options.file is None) == (options.store is None):
        raise ValueError("detect needs either a FILE or --store S")
    if options.store is not None and not options.signals:
        raise ValueError("--store needs --signals: which belong together?")
    ranges = {"--alarms-per-day": (options.alarms_per_day, 0.001), "--every": (options.every, 0.01),
              "--smooth": (options.smooth, 1), "--lags": (options.lags, 0)}  # fmt: skip
    for name, (value, least) in ranges.items():
        if not value >= least:
            raise ValueError(f"{name} {value:g} is below {least:g}")


def _anomaly(options: argparse.Namespace, table: Table, zone: ZoneInfo, output: Output) -> int:
    from deungdae.insight import anomaly  # noqa: PLC0415 — `--version` stays quick

    if options.model:
        watch = anomaly.load(options.model.read_text(encoding="utf-8"))
        rest = table
    else:
        trained = _training(options, table, zone)
        watch = anomaly.learn(
            table.rows(trained),
            per_day=options.alarms_per_day,
            lags=options.lags,
            smooth=options.smooth,
            keep=frozenset(options.keep),
            leave=frozenset(options.leave),
        )
        rest = table.rows(slice(int(np.flatnonzero(trained)[-1]) + 1, None))
    if options.save:
        options.save.write_text(anomaly.dump(watch), encoding="utf-8")
    judged = anomaly.judge(watch, rest)
    if output.as_json:
        output.value(_document(watch, judged, zone))
    else:
        _print(watch, judged, zone, output)
    return 0


def _training(options: argparse.Namespace, table: Table, zone: ZoneInfo) -> Any:
    """Return which rows are learnt from: bool[n]. Raises NotEnoughData, ValueError."""
    chosen = np.ones(len(table), bool)
    for name, text in (("--train-from", options.train_from), ("--train-to", options.train_to)):
        if not text:
            continue
        try:
            moment = from_iso(text, zone)
        except ValueError as error:
            raise ValueError(f"{name} {text}: no ISO 8601 time, e.g. 2016-10-01") from error
        chosen &= (table.time >= moment) if name == "--train-from" else (table.time < moment)
    if not options.train_to:
        count = options.train_rows or len(table) // 3
        chosen &= np.cumsum(chosen) <= count
    if not chosen.any():
        raise NotEnoughData("no row lies within the training")
    return chosen


def _document(watch: Watch, judged: Judgement, zone: ZoneInfo) -> dict[str, object]:
    """Return everything for programs."""
    told = ~np.isnan(judged.ratio)
    return {
        "signals": watch.names,
        "left": watch.left,
        "limit": msgspec.to_builtins(watch.limit),
        "rows": len(judged.time),
        "judged": int(told.sum()),
        "alarms": [_times(msgspec.to_builtins(each), zone) for each in judged.alarms],
        "missing": [_times(msgspec.to_builtins(each), zone) for each in judged.missing],
        "still": [_times(msgspec.to_builtins(each), zone) for each in judged.still],
    }


def _times(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a row with its times as text."""
    moments = {"start", "end", "since"} & row.keys()
    return row | {key: None if row[key] is None else to_iso(row[key], zone) for key in moments}


def _print(watch: Watch, judged: Judgement, zone: ZoneInfo, output: Output) -> None:
    from deungdae.insight.anomaly import reasons  # noqa: PLC0415 — `--version` stays quick

    limit = watch.limit
    output.say(f"watched: {', '.join(watch.names)}")
    for name, why in watch.left.items():
        output.say(f"left out: {name}: {why}")
    sure = "seen in the training" if limit.known else "drawn on from the tail of the training"
    output.say(
        f"limit for {limit.per_day:g} false alarms a day, {sure}: {limit.low:.2g} to "
        f"{limit.high:.2g} a day at 95 %, from {limit.days:.3g} days"
    )
    if limit.aside:
        output.say(f"set aside: {limit.aside:.1%} of the training, unlike the rest")
    told = int(np.count_nonzero(~np.isnan(judged.ratio)))
    output.say(f"judged: {told} of {len(judged.time)} rows\n")
    for alarm in judged.alarms:
        first, *rest = reasons([alarm], [], [], zone, {})
        output.say(f"{first} (up to {alarm.peak:.3g} times the limit)")
        for text in rest:
            output.say(f"    {text}")
    for text in reasons([], judged.missing, judged.still, zone, {}):
        output.say(text)
    if not judged.alarms:
        output.say("no alarm")


def _novelty(options: argparse.Namespace, table: Table, zone: ZoneInfo, output: Output) -> int:
    """Tell when a stream was unlike anything before."""
    from deungdae.insight.anomaly import novelty  # noqa: PLC0415 — `--version` stays quick

    rows = []
    for column, name in enumerate(table.names):
        known = ~np.isnan(table.value[:, column])
        time, value = table.time[known], table.value[known, column]
        first = options.train_rows or int(0.15 * len(value))
        score = novelty(value, time, first=first)
        rows += [
            {"time": to_iso(int(time[at]), zone), "signal": name, "value": float(value[at]),
             "score": round(float(score[at]), 3)}
            for at in np.flatnonzero(score[first:]) + first
        ]  # fmt: skip
    output.rows(sorted(rows, key=lambda row: str(row["time"])), empty="nothing new")
    return 0


def _from_store(options: argparse.Namespace) -> Table:
    """Return the signals of a history side by side. Raises NotEnoughData."""
    from deungdae.insight.anomaly import aligned  # noqa: PLC0415 — `--version` stays quick

    every, hold = round(options.every * SECOND), round(options.hold * SECOND)
    with opened(options.store) as store:
        start, end = period_of(options, first_of(store))
        rows = (end - start) // every
        if rows > _ROWS:
            raise ValueError(
                f"{rows} rows of {options.every:g} s are more than {_ROWS}: give --from and --to, "
                "or a larger --every"
            )
        samples = store.query(options.signals, start, end, before=True)
    lacking = [id for id in options.signals if not len(samples[id])]
    if lacking:
        raise NotEnoughData(f"the history has no sample of {', '.join(lacking)} in this period")
    times = (start // every + 1 + np.arange(rows, dtype=np.int64)) * every
    return aligned(samples, options.signals, times, hold)


def _from_file(options: argparse.Namespace, zone: ZoneInfo, output: Output) -> Table:
    """Return the columns of a file of rows. Raises ValueError, FileNotFoundError."""
    from deungdae.insight.anomaly import Table  # noqa: PLC0415 — `--version` stays quick

    data = _read(options.file)
    name = options.time or data.column_names[0]
    wanted = options.signals or [each for each in data.column_names if each != name]
    for each in (name, *wanted):
        if each not in data.column_names:
            has = ", ".join(data.column_names)
            raise ValueError(f"{options.file}: there is no column {each}; it has {has}")
    columns, names = [], []
    for each in wanted:
        numbers = _numbers(data.column(each))
        if numbers is None:
            output.note(f"{options.file}: {each} holds no numbers and is passed over")
            continue
        columns.append(numbers)
        names.append(each)
    if not names:
        raise ValueError(f"{options.file}: no column holds numbers")
    return Table.of(names, _moments(data.column(name), zone, options.file), np.stack(columns, 1))


def _read(file: Path) -> Any:
    """Return an Arrow table of a CSV or Parquet file. Raises ValueError, FileNotFoundError."""
    import pyarrow  # noqa: PLC0415 — `--version` stays quick
    from pyarrow import csv, parquet  # noqa: PLC0415 — `--version` stays quick

    if not file.is_file():
        raise FileNotFoundError(f"{file}: there is no such file")
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return parquet.read_table(file)
        with file.open(encoding="utf-8", errors="replace") as lines:
            head = lines.readline()
        mark = max(",;\t", key=head.count)
        return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=mark))
    except pyarrow.ArrowException as error:
        raise ValueError(f"{file}: this is no table: {error}") from error


def _numbers(column: Any) -> Any:
    """Return a column as float64[n], NaN where it is empty, or None where it holds no numbers."""
    import pyarrow  # noqa: PLC0415 — `--version` stays quick

    kind = column.type
    if not (pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind)):
        return None
    return np.asarray(column.cast(pyarrow.float64()).to_numpy(), np.float64)


def _moments(column: Any, zone: ZoneInfo, file: Path) -> Any:
    """Return a column of times as int64[n], ns. Numbers are seconds since 1970."""
    import pyarrow  # noqa: PLC0415 — `--version` stays quick

    if column.null_count:
        raise ValueError(f"{file}: {column.null_count} rows have no time")
    numbers = _numbers(column)
    if numbers is not None:
        return np.round(numbers * SECOND).astype(np.int64)
    if pyarrow.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(pyarrow.timestamp("ns", "UTC")).cast(pyarrow.int64()).to_numpy()
    try:
        return np.array([from_iso(str(each), zone) for each in _texts(column)], np.int64)
    except ValueError as error:
        raise ValueError(f"{file}: the column of times is not ISO 8601: {error}") from error


def _texts(column: Any) -> Sequence[str]:
    return [str(each).replace(" ", "T") for each in column.to_pylist()]
