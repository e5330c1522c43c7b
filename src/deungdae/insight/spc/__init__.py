"""Statistical process control: charts, run rules, capability, and the analysis that uses them."""

from .analysis import Spc, SpcOptions
from .capability import Capability, Index, capability
from .charts import Chart, Process, learn, standardised
from .constants import Constants, constants
from .rules import RULES, Rule

__all__ = [
    "RULES",
    "Capability",
    "Chart",
    "Constants",
    "Index",
    "Process",
    "Rule",
    "Spc",
    "SpcOptions",
    "capability",
    "constants",
    "learn",
    "standardised",
]
