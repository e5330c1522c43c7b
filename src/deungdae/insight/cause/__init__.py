"""Why parts differ: ranked causes with effects and intervals, or that the specification is wrong."""

from __future__ import annotations

from .causes import Answer, Cause, Level, Question, Rivals, Together, causes
from .table import Column, Table, read

__all__ = [
    "Answer", "Cause", "Column", "Level", "Question", "Rivals", "Table", "Together", "causes",
    "read",
]  # fmt: skip
