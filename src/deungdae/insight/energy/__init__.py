"""Electric energy by machine, state and good part, and the maximum demand of the site."""

from .analysis import Energy, EnergyOptions, Meter
from .pieces import Amount, Pieces, from_counter, from_power, total, within

__all__ = [
    "Amount",
    "Energy",
    "EnergyOptions",
    "Meter",
    "Pieces",
    "from_counter",
    "from_power",
    "total",
    "within",
]
