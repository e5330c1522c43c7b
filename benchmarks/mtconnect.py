"""CPU of an MTConnect observation: adapter logs and stream documents, beside plain readers.

The data are those of the NIST test bed. The peers, in the same run: a reader that splits each line
and keeps Python values, and xml.etree with one Python value per observation. Both stop short of
what is measured for us (columns, kinds, units, status). Figures are medians; trust the ratios.
"""

from __future__ import annotations

import gzip
import statistics
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from deungdae.core.types import Batch, Signal
from deungdae.machines.mtconnect import document
from deungdae.machines.mtconnect.log import read_log
from deungdae.machines.mtconnect.table import Table
from measure import DATA, Row, arguments, need, report, row

NIST = DATA / "nist-smstestbed"
DOCUMENTS = (
    "raw/qdr_input/qdr_input001.xml.gz",
    "tdp/mtc/MTConnect/Cover-Hurco04-01of20.xml.gz",
)


def main() -> None:
    asked = arguments(__doc__).parse_args()
    rounds = 3 if asked.quick else 7
    rows = logs(["Mazak01"] if asked.quick else ["Mazak01", "Mazak03", "GFAgie01"], rounds)
    report("mtconnect", rows + documents(rounds), as_json=asked.json)


def logs(machines: list[str], rounds: int) -> list[Row]:
    """Compare reading whole logs: ours to batches and events, theirs to lists of values."""
    rows = []
    for machine in machines:
        folder = NIST / "raw" / machine
        need(folder)
        paths = sorted(folder.glob("*.gz"))
        count = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in paths)
        ours = cpu(lambda paths=paths, machine=machine: import_log(paths, machine), rounds)
        theirs = cpu(lambda paths=paths: split_lines(paths), rounds)
        rows += compared(f"log {machine}, per observation", ours, theirs, count)
    return rows


def documents(rounds: int) -> list[Row]:
    """Compare reading a stream document, all of its data items collected."""
    rows = []
    for name in DOCUMENTS:
        content = gzip.decompress((NIST / name).read_bytes())
        table = table_of(content)
        ours = cpu(lambda content=content, table=table: translate(content, table), rounds)
        theirs = cpu(lambda content=content: walk(content), rounds)
        count = content.count(b" dataItemId=")
        rows += compared(f"document {Path(name).name[:12]}, per observation", ours, theirs, count)
    return rows


def compared(what: str, ours: float, theirs: float, count: int) -> list[Row]:
    return [
        row(what, ours / count * 1e6, "µs", peer=f"the plain reader {theirs / ours:.1f} ×"),
        row(f"  the plain reader, {count:,} observations", theirs / count * 1e6, "µs"),
    ]


def cpu(work: Callable[[], object], rounds: int) -> float:
    """Return the median of the CPU seconds that the work takes, after one round to warm up."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def import_log(paths: list[Path], machine: str) -> int:
    log = read_log(paths, machine)
    handles = {signal.id: place for place, signal in enumerate(log.signals)}
    return sum(len(part.batch) + len(part.events) for part in log.parts(handles, received=0))


def split_lines(paths: list[Path]) -> dict[str, list[tuple[datetime, float | str]]]:
    found: dict[str, list[tuple[datetime, float | str]]] = {}
    for path in paths:
        with gzip.open(path, "rt") as file:
            for line in file:
                stamp, item, value = line.rstrip("\n").split("|", 2)
                moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
                found.setdefault(item, []).append((moment, plain(value)))
    return found


def table_of(content: bytes) -> Table:
    """Return a table that collects everything: numbers where the first value is one."""
    root = document.parse(content, "MTConnectStreams")
    ids = {node.get("dataItemId", "") for node in root.iter("{*}*")}
    values: dict[str, str] = {}
    for reading in document.readings(root, ids):
        if reading.value != "UNAVAILABLE":
            values.setdefault(reading.item, reading.value)
    kinds = {item: isinstance(plain(value), float) for item, value in values.items()}
    signals = {
        handle: Signal(id=f"m.{item}", source=f"a:{item}", kind="number" if number else "state")
        for handle, (item, number) in enumerate(kinds.items())
    }
    return Table(signals, None)


def translate(content: bytes, table: Table) -> int:
    root = document.parse(content, "MTConnectStreams")
    items = table.translate(document.readings(root, table.items), received=0)
    return sum(len(item) if isinstance(item, Batch) else 1 for item in items)


def walk(content: bytes) -> dict[str, list[tuple[datetime, float | str]]]:
    found: dict[str, list[tuple[datetime, float | str]]] = {}
    for node in ElementTree.fromstring(content).iter():
        if item := node.get("dataItemId"):
            moment = datetime.fromisoformat(node.attrib["timestamp"].replace("Z", "+00:00"))
            found.setdefault(item, []).append((moment, plain(node.text or "")))
    return found


def plain(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


if __name__ == "__main__":
    main()
