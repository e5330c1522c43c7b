"""Measurement system analysis: how much of what varies is the measuring, and is it true."""

from .bias import Bias, Linearity, bias, linearity
from .gauge import Component, Gauge, Ranges, crossed, nested, ranges, table

__all__ = [
    "Bias",
    "Component",
    "Gauge",
    "Linearity",
    "Ranges",
    "bias",
    "crossed",
    "linearity",
    "nested",
    "ranges",
    "table",
]
