"""Compile the kernel for this computer, once: `python -m deungdae.sim.kernel`.

Without it, the first simulation takes half a minute longer.
"""

from __future__ import annotations

from deungdae.sim import line

from . import simulate

_LINE = """
[stations.first]
cycle = 1
to = "between"

[stations.second]
from = "between"
cycle = 1

[buffers.between]
capacity = 1
"""

if __name__ == "__main__":
    for method in ("events", "maxplus"):
        simulate(line.read(_LINE), horizon=10.0, method=method)
