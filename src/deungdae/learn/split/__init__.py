"""What may teach and what may test: whole groups, by time, never across; and what a leak costs."""

from __future__ import annotations

from .duplicates import DISTANCE, alike, hashes, near_duplicates, thumbnail
from .groups import by_time, folds, joined
from .leak import Leak, Shortcut, audit

__all__ = [
    "DISTANCE",
    "Leak",
    "Shortcut",
    "alike",
    "audit",
    "by_time",
    "folds",
    "hashes",
    "joined",
    "near_duplicates",
    "thumbnail",
]
