"""Anomalies of processes and of single streams: learnt limits, alarms a day, and an explanation."""

from .limit import Limit
from .model import Model
from .table import Table, aligned
from .watch import Alarm, Judgement, Missing, Part, Still, Watch, dump, judge, learn, load, slow

__all__ = [
    "Alarm",
    "Judgement",
    "Limit",
    "Missing",
    "Model",
    "Part",
    "Still",
    "Table",
    "Watch",
    "aligned",
    "dump",
    "judge",
    "learn",
    "load",
    "slow",
]
