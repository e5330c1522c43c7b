"""Acceptance sampling: how many parts of a lot to inspect, and when to accept it."""

from .curve import accept, quality
from .plans import AQLS, LEVELS, PARTS, Level, Plan, Severity, letter, single
from .switching import Lot, State, after
from .variables import Variables, design, estimate, judge, probability, variables

__all__ = [
    "AQLS",
    "LEVELS",
    "PARTS",
    "Level",
    "Lot",
    "Plan",
    "Severity",
    "State",
    "Variables",
    "accept",
    "after",
    "design",
    "estimate",
    "judge",
    "letter",
    "probability",
    "quality",
    "single",
    "variables",
]
