"""Condition of rotating machines: bearing faults, ISO zones, remaining life with an interval."""

from .analysis import Condition, ConditionOptions
from .bearing import CATALOGUE, PLACES, Geometry, Multiples, from_geometry
from .block import Block, doubt_of_rate, evenly, recorded, resampled
from .diagnosis import (
    Diagnosis,
    Healthy,
    Look,
    Strike,
    diagnose,
    in_words,
    learn,
    look,
    looks,
    together,
    turns_needed,
)
from .life import Life, remaining
from .severity import LIMITS, Indicators, indicators, velocity, zone

__all__ = [
    "CATALOGUE",
    "LIMITS",
    "PLACES",
    "Block",
    "Condition",
    "ConditionOptions",
    "Diagnosis",
    "Geometry",
    "Healthy",
    "Indicators",
    "Life",
    "Look",
    "Multiples",
    "Strike",
    "diagnose",
    "doubt_of_rate",
    "evenly",
    "from_geometry",
    "in_words",
    "indicators",
    "learn",
    "look",
    "looks",
    "recorded",
    "remaining",
    "resampled",
    "together",
    "turns_needed",
    "velocity",
    "zone",
]
