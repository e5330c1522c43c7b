"""Key performance indicators of ISO 22400-2 from states, counters and the shift calendar."""

from .analysis import Kpi
from .catalogue import KPIS, Definition
from .evaluation import KpiResult, Report, evaluate
from .losses import Balance, Loss
from .reporting import compute, default_spec, explain, losses, rows
from .spec import KpiOptions

__all__ = [
    "KPIS",
    "Balance",
    "Definition",
    "Kpi",
    "KpiOptions",
    "KpiResult",
    "Loss",
    "Report",
    "compute",
    "default_spec",
    "evaluate",
    "explain",
    "losses",
    "rows",
]
