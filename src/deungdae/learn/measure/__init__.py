"""How good a judge of parts is, with the interval of every figure.

Scores say how bad a part looks: higher is worse. `bad` is what is true. `groups` names what was
drawn as one, mostly a part: several images of one part are no several proofs.
"""

from __future__ import annotations

from .agreement import Appraisal, Grade, appraise, kappa
from .calibration import Bin, Isotonic, Platt, Reliability, isotonic, platt, reliability
from .conformal import Conformal, Decided, Decision
from .figures import (
    Rates,
    Threshold,
    auroc,
    average_precision,
    balanced_accuracy,
    escape_rate,
    f1,
    false_reject_rate,
    parts,
    precision,
    rates,
    threshold,
)
from .interval import Interval, bootstrap, exact, rate, wilson

__all__ = [
    "Appraisal",
    "Bin",
    "Conformal",
    "Decided",
    "Decision",
    "Grade",
    "Interval",
    "Isotonic",
    "Platt",
    "Rates",
    "Reliability",
    "Threshold",
    "appraise",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "bootstrap",
    "escape_rate",
    "exact",
    "f1",
    "false_reject_rate",
    "isotonic",
    "kappa",
    "parts",
    "platt",
    "precision",
    "rate",
    "rates",
    "reliability",
    "threshold",
    "wilson",
]
