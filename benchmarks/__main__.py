"""All benchmarks, one after the other, and one table of what they are to hold.

    python -m benchmarks [--quick] [--only NAME …] [--all]

Each runs in a process of its own. The table has the results that have a limit or a peer; --all
shows every figure, and artefacts/bench.json holds them all. A limit that is missed is said, and is
no failure of the benchmark: the exit code is 1 only where one could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .measure import Row, line, load

HERE = Path(__file__).resolve().parent
ARTEFACTS = HERE.parent / "artefacts"
NAMES = ("historian", "sparkplug", "mqtt", "opcua", "loop", "footprint",
         "modbus", "mtconnect", "journal", "units", "twin", "validation")  # fmt: skip
PATIENCE = 1200.0  # s for one benchmark


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes, rougher")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                        help=", ".join(NAMES))  # fmt: skip
    parser.add_argument("--all", action="store_true", help="show every figure")
    asked = parser.parse_args()
    began = time.monotonic()
    found: list[dict[str, Any]] = []
    for name in asked.only:
        print(f"{name} …", file=sys.stderr)
        found.append(run(name, quick=asked.quick))
    show(found, everything=asked.all)
    keep(found, quick=asked.quick, seconds=time.monotonic() - began)
    return 1 if any(each["problem"] for each in found) else 0


def run(name: str, *, quick: bool) -> dict[str, Any]:
    """Return the rows of one benchmark, or its problem; with the load that others made."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *["--quick"] * quick]
    before, began = load(), time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        rows = json.loads(done.stdout.splitlines()[-1])["rows"] if done.returncode == 0 else []
        problem = "" if done.returncode == 0 else done.stderr.strip() or f"rc {done.returncode}"
    except subprocess.TimeoutExpired:
        rows, problem = [], f"not done within {PATIENCE:g} s"
    seconds = round(time.monotonic() - began, 1)
    return {"name": name, "rows": rows, "problem": problem, "seconds": seconds,
            "load": f"{before} → {load()}"}  # fmt: skip


def show(found: list[dict[str, Any]], *, everything: bool) -> None:
    """Print the table, and in one line what it comes to."""
    heads = f"{'what':<62} {'measured':>11} {'unit':<11} {'limit':<11} {'met':<6} beside a peer"
    print(f"{heads}\n{'─' * len(heads)}")
    for each in found:
        print(f"{each['name']}  ({each['seconds']:.0f} s, load average {each['load']})")
        if each["problem"]:
            print(f"  could not be run: {each['problem']}")
        for one in each["rows"]:
            if everything or one["limit"] or one["peer"]:
                print(f"  {line(one)}")
    limited: list[Row] = [one for each in found for one in each["rows"] if one["limit"]]
    missed = [one["what"].strip() for one in limited if not one["ok"]]
    print(f"\n{len(limited) - len(missed)} of {len(limited)} limits met")
    for what in missed:
        print(f"  MISSED: {what}")


def keep(found: list[dict[str, Any]], *, quick: bool, seconds: float) -> None:
    """Write everything to artefacts/bench.json."""
    ARTEFACTS.mkdir(exist_ok=True)
    told = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "seconds": round(seconds),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "benchmarks": found,
    }
    text = json.dumps(told, ensure_ascii=False, indent=1)
    (ARTEFACTS / "bench.json").write_text(text + "\n", encoding="utf-8")


def processor() -> str:
    """Return the name of the processor as the kernel knows it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    named = [each.partition(":")[2].strip() for each in lines if each.startswith("model name")]
    return named[0] if named else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
