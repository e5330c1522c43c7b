"""Everything that was learnt, in one table: ours, published, baseline, interval, CPU time.

    make bench-ai [ARGS="--quick --only tiles skab"]

Each runs in a process of its own: benchmarks/ai_<name>.py. Nothing in the table comes from a random
split but the rows that say so, which are there to show what such a split pretends. A limit that is
missed is said, and is no failure; the exit code is 1 only where one could not be run. ai_tep.py is
not among them: its data must be brought.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import Row

HERE = Path(__file__).resolve().parent
ARTEFACTS = HERE.parent / "artefacts"
NAMES = tuple(
    sorted(path.stem.removeprefix("ai_") for path in HERE.glob("ai_*.py") if path.stem != "ai_tep")
)
PATIENCE = 3600.0  # s for one benchmark
HEAD = ("what", "ours", "95 % interval", "limit", "", "published", "baseline")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes instead of an hour, rougher")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                        help=", ".join(NAMES))  # fmt: skip
    asked = parser.parse_args()
    found: dict[str, list[Row]] = {}
    problems: dict[str, str] = {}
    for name in asked.only:
        print(f"{name} …", file=sys.stderr)
        before = spent()
        try:
            found[name] = run(name, quick=asked.quick)
            show(name, found[name], spent() - before)
        except (subprocess.SubprocessError, ValueError) as error:
            problems[name] = str(error)
            print(f"\n{name}: could not be run: {error}")
    ARTEFACTS.mkdir(exist_ok=True)
    kept = {"quick": asked.quick, "rows": found, "problems": problems}
    (ARTEFACTS / "bench-ai.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1))
    return 1 if problems else 0


def run(name: str, *, quick: bool) -> list[Row]:
    """Return the rows of one benchmark. Raises ValueError with its own words where it failed."""
    command = [sys.executable, str(HERE / f"ai_{name}.py"), "--json", *["--quick"] * quick]
    done = subprocess.run(
        command, cwd=HERE.parent, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        raise ValueError(done.stderr.strip()[-500:] or f"exit code {done.returncode}")
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])["rows"]
    return rows


def show(name: str, rows: list[Row], seconds: float) -> None:
    """Print the rows of one benchmark."""
    cells = [HEAD, *(tuple(line(row)) for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(HEAD))]
    print(f"\n{name} ({seconds:,.0f} s of CPU)")
    for row in cells:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def line(row: Row) -> list[str]:
    """Return the cells of a row, in the order of HEAD."""
    low, high = row.get("interval") or (None, None)
    return [
        row["what"],
        f"{row['value']:.4g} {row['unit']}".strip(),
        f"{low:.3g} – {high:.3g}" if low is not None else "",
        row["limit"] or "",
        {True: "met", False: "MISSED", None: ""}[row["ok"]],
        str(row.get("published", "")),
        str(row.get("baseline") or row["peer"]),
    ]


def spent() -> float:
    """Return the CPU seconds of all programs that have ended."""
    used: Any = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
