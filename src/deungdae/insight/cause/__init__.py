"""Why parts differ: ranked causes with effects and intervals, or that the print is wrong."""

from __future__ import annotations

from . import words
from .design import Effect, Experiment, experiment, is_design, planned
from .search import Answer, Influence, Level, Question, Rivals, Together, causes, order_of
from .table import Column, Table, read
from .verdict import Limits, Verdict, judge, placeholders

__all__ = [
    "Answer",
    "Column",
    "Effect",
    "Experiment",
    "Influence",
    "Level",
    "Limits",
    "Question",
    "Rivals",
    "Table",
    "Together",
    "Verdict",
    "causes",
    "experiment",
    "is_design",
    "judge",
    "order_of",
    "placeholders",
    "planned",
    "read",
    "words",
]  # fmt: skip
