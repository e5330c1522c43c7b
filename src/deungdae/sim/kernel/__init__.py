"""The compiled discrete-event engine: replications of a line, or one that is stepped."""

from __future__ import annotations

from .simulate import simulate
from .simulation import Kind, Result, Simulation, Trace

__all__ = ["Kind", "Result", "Simulation", "Trace", "simulate"]
