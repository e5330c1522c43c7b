"""Inspection of images, learnt from the plant's own: trained with PyTorch, judged without it."""

from .example import Example
from .inspector import Inspector, Judgement, Region
from .training import Trained, Tried, train

__all__ = ["Example", "Inspector", "Judgement", "Region", "Trained", "Tried", "train"]
