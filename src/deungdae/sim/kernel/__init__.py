"""The compiled discrete-event engine: replications of a line, or one that is stepped."""

from __future__ import annotations

from .simulate import NotEnoughRoom, simulate
from .simulation import Kind, Result, Simulation, Trace
from .stuck import Deadlock, Standstill

__all__ = [
    "Deadlock", "Kind", "NotEnoughRoom", "Result", "Simulation", "Standstill", "Trace", "simulate",
]  # fmt: skip
