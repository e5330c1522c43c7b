"""A simulated machine tool behind an MTConnect agent."""

from .agent import Mtconnect

__all__ = ["Mtconnect"]
