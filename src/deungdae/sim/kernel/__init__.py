"""The compiled discrete-event engine: replications of a line, or one that is stepped."""

from __future__ import annotations

from .simulate import simulate

__all__ = ["simulate"]
