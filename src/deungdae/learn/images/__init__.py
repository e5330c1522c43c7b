"""Inspection of images, learnt from the plant's own: trained with PyTorch, judged without it."""

from .example import Example
from .inspector import Inspector, Judgement, Region
from .training import Trained, Tried, train
from .weights import Weights

__all__ = [
    "Example",
    "Inspector",
    "Judgement",
    "Region",
    "Trained",
    "Tried",
    "Weights",
    "train",
]
