"""Why parts differ: ranked causes with effects and intervals, or that the specification is wrong."""

from __future__ import annotations

from . import words
from .causes import Answer, Cause, Level, Question, Rivals, Together, causes
from .design import Effect, Experiment, experiment, is_design, planned
from .table import Column, Table, read
from .verdict import Limits, Verdict, judge, placeholders

__all__ = [
    "Answer", "Cause", "Column", "Effect", "Experiment", "Level", "Limits", "Question", "Rivals",
    "Table", "Together", "Verdict", "causes", "experiment", "is_design", "judge", "placeholders",
    "planned", "read", "words",
]  # fmt: skip
