"""A part beside its golden image: what is there and should not be, and what is missing.

For things of two tones, as copper on a board, print on a label, or holes in a sheet.
"""

from __future__ import annotations

from .comparer import Comparer, Mark
from .places import Place, check, places
from .train import Pair, Trained, train

__all__ = ["Comparer", "Mark", "Pair", "Place", "Trained", "check", "places", "train"]
