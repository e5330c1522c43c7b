"""Options that say which part of which store: the same words in every command."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from deungdae.app import remote
from deungdae.app.remote import Archive
from deungdae.core.clock import from_iso
from deungdae.core.errors import StoreError
from deungdae.historian.store import Historian


def add_store(verb: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add --store."""
    verb.add_argument(
        "--store", type=Path, required=required, metavar="S", help="folder of the history"
    )


def add_period(verb: argparse.ArgumentParser) -> None:
    """Add --from, --to and --tz."""
    verb.add_argument(
        "--from", dest="since", default="", metavar="TIME", help="ISO 8601; inclusive"
    )
    verb.add_argument("--to", dest="until", default="", metavar="TIME", help="exclusive; else now")
    verb.add_argument("--tz", default="UTC", metavar="ZONE", help="IANA time zone (UTC)")


def zone_of(options: argparse.Namespace) -> ZoneInfo:
    """Return the time zone. Raises ValueError."""
    try:
        return ZoneInfo(options.tz)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"--tz {options.tz}: no such time zone, e.g. Asia/Seoul") from error


def period_of(options: argparse.Namespace, first: int = 0) -> tuple[int, int]:
    """Return the period in ns, from `first` where none is given, up to now at most.

    Raises ValueError naming the option.
    """
    zone, now = zone_of(options), time.time_ns()
    ends = []
    for name, text, default in (("--from", options.since, first), ("--to", options.until, now)):
        try:
            ends.append(from_iso(text, zone) if text else default)
        except ValueError as error:
            raise ValueError(f"{name} {text}: no ISO 8601 time, e.g. 2016-10-01") from error
    start, end = ends[0], min(ends[1], now)
    if start >= end:
        raise ValueError(f"--from {options.since} is not before --to {options.until or 'now'}")
    return start, end


def first_of(store: Archive) -> int:
    """Return the time of the oldest sample or event in ns, or 0 where there is none."""
    oldest = "SELECT epoch_ns(min(time)) AS t FROM "
    found = store.sql(f"{oldest} samples UNION ALL {oldest} events").column("t").to_pylist()
    return min((moment for moment in found if moment is not None), default=0)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Give the history at a folder: opened here, or through the factory that is running on it."""
    if not path.is_dir():
        raise ValueError(f"--store {path}: there is no such folder")
    running = remote.find(path)
    if running is not None:
        yield running
        return
    if not (path / "history.duckdb").exists():
        raise StoreError(f"--store {path}: this folder holds no history")
    with Historian(path) as store:
        yield store
