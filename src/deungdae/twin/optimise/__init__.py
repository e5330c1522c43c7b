"""What if, and what would be best: changes of a line, compared and chosen."""

from .change import Change, apply
from .improve import Candidate, Plan, improve
from .measures import MEASURES
from .select import Selection, select
from .whatif import Answer, Bottleneck, Comparison, whatif

__all__ = [
    "MEASURES",
    "Answer",
    "Bottleneck",
    "Candidate",
    "Change",
    "Comparison",
    "Plan",
    "Selection",
    "apply",
    "improve",
    "select",
    "whatif",
]
