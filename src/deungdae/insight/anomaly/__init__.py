"""Anomalies of processes and of single streams: learnt limits, alarms a day, and an explanation."""

from .analysis import Anomaly, AnomalyOptions
from .judge import Alarm, Judgement, Memory, Missing, Part, Still, judge
from .limit import Limit
from .model import Model
from .novelty import SHORT, novelty, unusual
from .save import dump, load
from .table import Table, aligned
from .watch import Watch, learn, slow
from .words import about, reasons

__all__ = [
    "SHORT",
    "Alarm",
    "Anomaly",
    "AnomalyOptions",
    "Judgement",
    "Limit",
    "Memory",
    "Missing",
    "Model",
    "Part",
    "Still",
    "Table",
    "Watch",
    "about",
    "aligned",
    "dump",
    "judge",
    "learn",
    "load",
    "novelty",
    "reasons",
    "slow",
    "unusual",
]
