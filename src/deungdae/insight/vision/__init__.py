"""Inspection of bricks by image, against what good ones look like."""

from .analysis import Vision, VisionOptions
from .reference import Album, Reference, learn
from .verdict import Verdict, heat_map, inspect

__all__ = [
    "Album",
    "Reference",
    "Verdict",
    "Vision",
    "VisionOptions",
    "heat_map",
    "inspect",
    "learn",
]
