"""Alarms after ISA-18.2 and IEC 62682: their states, their floods, and how good they are."""

from .board import DEEDS, Alarm, Board, Deed, State, Step, is_chattering, is_stale, replay
from .flood import Flood
from .options import PRIORITIES, AlarmOptions, Priority, Rule, While
from .said import ALARMING, Said, is_condition, of_finding, of_severity, said, told
from .statistics import Actor, Figure, Performance, performance

__all__ = [
    "ALARMING",
    "DEEDS",
    "PRIORITIES",
    "Actor",
    "Alarm",
    "AlarmOptions",
    "Board",
    "Deed",
    "Figure",
    "Flood",
    "Performance",
    "Priority",
    "Rule",
    "Said",
    "State",
    "Step",
    "While",
    "is_chattering",
    "is_condition",
    "is_stale",
    "of_finding",
    "of_severity",
    "performance",
    "replay",
    "said",
    "told",
]
