"""Statistical process control: charts, run rules, capability, and the analysis that uses them."""

from .analysis import Spc
from .attributes import COUNTED, Counted, attributes, counted_sigmas, rate
from .capability import Capability, Index, capability
from .charts import Chart, Process, learn, standardised, standardised_ranges
from .constants import Constants, constants
from .multivariate import Together, contributions, hotelling, learn_together, squared
from .options import SpcOptions
from .phases import Removal, Screened, screen
from .rules import RANGE_RULES, RULES, Rule
from .study import Asked, Figures, Method, Normality, Study, study
from .subgroups import subgroups

__all__ = [
    "COUNTED",
    "RANGE_RULES",
    "RULES",
    "Asked",
    "Capability",
    "Chart",
    "Constants",
    "Counted",
    "Figures",
    "Index",
    "Method",
    "Normality",
    "Process",
    "Removal",
    "Rule",
    "Screened",
    "Spc",
    "SpcOptions",
    "Study",
    "Together",
    "attributes",
    "capability",
    "constants",
    "contributions",
    "counted_sigmas",
    "hotelling",
    "learn",
    "learn_together",
    "rate",
    "screen",
    "squared",
    "standardised",
    "standardised_ranges",
    "study",
    "subgroups",
]
