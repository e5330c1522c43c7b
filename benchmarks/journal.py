"""How long an entry takes to be durable: in the journal's file, and as an event in the historian.

One entry at a time, as a command waits for it, in one folder on one disk; the two take turns.
Latencies are wall time: the disk decides them, so trust the ratio.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deungdae.core.types import Event
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

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
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = measure(Path(folder), 200 if options.quick else 2000)
    rows = [
        {"what": f"{who}: {name}", "value": float(np.percentile(times, share)), "unit": "ms",
         "limit": None, "ok": True}
        for who, times in found.items()
        for name, share in (("half within", 50), ("99 of 100 within", 99))
    ]  # fmt: skip
    ratio = rows[0]["value"] / rows[2]["value"]
    rows.append({"what": "half within: ratio", "value": ratio, "unit": "1", "limit": 1.0,
                 "ok": ratio <= 1.0})  # fmt: skip
    if options.json:
        print(json.dumps({"name": "journal", "rows": rows}))
        return
    for row in rows:
        print(f"{row['what']:45} {row['value']:10.3f} {row['unit']}")


if __name__ == "__main__":
    main()
