"""How good a judge of parts is, with the interval of every figure.

Scores say how bad a part looks: higher is worse. `bad` is what is true. `groups` names what was
drawn as one, mostly a part: several images of one part are no several proofs.
"""

from __future__ import annotations

from .agreement import kappa
from .calibration import Bin, Platt, Reliability, platt, reliability
from .conformal import Conformal, Decided, Decision
from .figures import Threshold, auroc, parts, threshold
from .interval import Interval, bootstrap, exact, rate, wilson

__all__ = [
    "Bin",
    "Conformal",
    "Decided",
    "Decision",
    "Interval",
    "Platt",
    "Reliability",
    "Threshold",
    "auroc",
    "bootstrap",
    "exact",
    "kappa",
    "parts",
    "platt",
    "rate",
    "reliability",
    "threshold",
    "wilson",
]
