"""The demo as a newcomer sees it: how soon the picture lives, what memory plant and platform take.

From the command `deungdae demo` until its API tells an OEE, a point of a control chart, an
inspected brick and kilowatt-hours. Memory is the sum of the resident sets of every process of the
demo (pages that they share count twice), at its highest until then and after some minutes.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from measure import Row, arguments, free_port, present, report, row

PATIENCE = 120.0  # s until the picture must live


def main() -> None:
    asked = arguments(__doc__).parse_args()
    rounds, settle = (1, 20.0) if asked.quick else (3, 240.0)
    report("demo", measured(rounds, settle), as_json=asked.json)


def measured(rounds: int, settle: float) -> list[Row]:
    lives, peaks = [], []
    for turn in range(rounds):
        with demo() as (process, history):
            watch = Memory(process)
            begun = time.perf_counter()
            while wanted := missing(history):
                if time.perf_counter() - begun > PATIENCE or process.poll() is not None:
                    raise SystemExit(f"the demo never showed {', '.join(sorted(wanted))}")
                time.sleep(0.1)
            lives.append(time.perf_counter() - begun)
            peaks.append(watch.highest)
            if turn == rounds - 1:
                time.sleep(settle)
                later = watch.now()
                highest = watch.highest
            watch.end()
    return [
        row(
            "demo: OEE, control chart, inspected brick, kWh", statistics.median(lives), "s", most=20
        ),
        row("demo: plant and platform, memory when it lives", max(peaks), "MB", most=400),
        row(f"demo: the same after {settle:.0f} s", later, "MB", most=400),
        row(f"demo: the highest within {settle:.0f} s", highest, "MB"),
    ]


@contextmanager
def demo() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a fresh demo; give its process and the folder of its history."""
    with tempfile.TemporaryDirectory() as name:
        works = Path(name) / "works"
        words = ["demo", "--keep", str(works), "--port", str(free_port())]
        command = [str(Path(sys.executable).with_name("deungdae")), *words]
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process, works / "history"
        finally:
            process.terminate()
            process.wait(30)


def missing(history: Path) -> set[str]:
    """Return what the picture does not show yet."""
    try:
        found = present(history)["findings"]
    except (OSError, ValueError):
        found = []
    shown = {
        each["name"]
        for each in found
        if each["value"] is not None and (each["name"] != "energy" or each["value"] > 0)
    }
    return {"oee", "control", "inspection", "energy"} - shown


class Memory:
    """The resident memory of a process and its children, watched from a thread, MB."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = psutil.Process(process.pid)
        self.highest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def now(self) -> float:
        """Return the sum of the resident sets now."""
        total = 0.0
        for each in [self._process, *self._process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss / 1e6
        return total

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.highest = max(self.highest, self.now())


if __name__ == "__main__":
    main()
