"""What reading units costs: our UCUM reader beside Pint, as CPU to load and memory.

`--peer PYTHON` names an interpreter that has pint, numpy and msgspec installed; without it only our
half is printed. Each figure is the median over processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

from measure import arguments, report, row

SOURCE = Path(__file__).resolve().parent.parent / "src"
MEASURE = """
import resource, sys, time
import numpy, msgspec
sys.path.insert(0, {source!r})
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
before, begun = memory(), time.process_time()
{load}
loaded, held = time.process_time() - begun, memory() - before
print(loaded * 1e3, held)
"""
OURS = "from deungdae.core.units import conversion; conversion('[degF]', 'Cel')"
PINT = "import pint; pint.UnitRegistry().Quantity(1.0, 'degF').to('degC')"
WORDS = (("CPU to import and convert once", "ms"), ("memory that stays", "MB"))


def measure(python: str, load: str, rounds: int) -> list[float]:
    """Return the median of each figure."""
    script = MEASURE.format(source=str(SOURCE), load=load)
    runs = [
        subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(rounds)
    ]
    return [
        median(column) for column in zip(*(map(float, run.split()) for run in runs), strict=True)
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--peer", default="", metavar="PYTHON", help="interpreter that has pint")
    asked = parser.parse_args()
    rounds = 3 if asked.quick else 9
    columns = {"core.units": measure(sys.executable, OURS, rounds)}
    if asked.peer:
        columns["pint"] = measure(asked.peer, PINT, rounds)
    rows = [
        row(f"{who}: {what}", value, unit)
        for who, figures in columns.items()
        for (what, unit), value in zip(WORDS, figures, strict=True)
    ]
    report("units", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
