"""Shift and weekly reports as PDF: the figures and drawings of the page, on paper."""

from .report import Paper, shift, week

__all__ = ["Paper", "shift", "week"]
