"""The compiled discrete-event engine: replications of a line, or one that is stepped."""

from __future__ import annotations

from .simulate import NotEnoughRoom, simulate
from .simulation import Kind, Result, Simulation, Trace
from .stuck import Deadlock

__all__ = ["Deadlock", "Kind", "NotEnoughRoom", "Result", "Simulation", "Trace", "simulate"]
