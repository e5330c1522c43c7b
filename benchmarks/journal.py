"""How long an entry takes to be durable: in the journal's file, and as an event in the historian.

One entry at a time, as a command waits for it, in one folder on one disk; the two take turns.
Latencies are wall time: the disk decides them, so trust the ratio.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deungdae.core.types import Event
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from measure import arguments, report, row

DATA: dict[str, object] = {
    "id": "zone-1",
    "signal": "kiln1.valve",
    "value": 55.25,
    "origin": "zone",
    "because": "holds kiln1.temperature at 1150 Cel",
}


def timed(work: Callable[[], object]) -> float:
    """Return how long the work takes, ms."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


def measure(folder: Path, count: int) -> dict[str, list[float]]:
    """Return the latencies of both."""
    found: dict[str, list[float]] = {"journal": [], "historian": []}
    words = {key: str(value) for key, value in DATA.items()}
    with Journal(folder / "journal") as journal, Historian(folder / "history") as store:
        for n in range(count):
            now = time.time_ns()
            event = Event(id="gate.permit", time=now + n, kind="note", value="permit", data=words)
            found["journal"].append(timed(lambda: journal.append("permit", DATA, "zone")))
            found["historian"].append(timed(lambda event=event: store.append([event])))
    return found


def main() -> None:
    asked = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = measure(Path(folder), 200 if asked.quick else 2000)
    rows = [
        row(f"{who}: {name}", float(np.percentile(times, share)), "ms")
        for who, times in found.items()
        for name, share in (("half within", 50), ("99 of 100 within", 99))
    ]
    ratio = rows[0]["value"] / rows[2]["value"]
    rows.append(row("an entry durable: ratio to the historian", ratio, "1", most=1.0))
    report("journal", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
