"""A twin in the shadow of its line: forecasts, scores, drift, and whether it may be believed."""

from .drift import Drift, drift
from .monitor import Course, Monitor, MonitorOptions, Period
from .score import Belief, Score, believable, crps, interval, score

__all__ = [
    "Belief",
    "Course",
    "Drift",
    "Monitor",
    "MonitorOptions",
    "Period",
    "Score",
    "believable",
    "crps",
    "drift",
    "interval",
    "score",
]
