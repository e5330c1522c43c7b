"""Energy by machine, state, product and good part, the maximum demand, and the carbon of it."""

from .account import Account, Block, CarrierUse, MachineUse, products
from .analysis import Energy, EnergyOptions, Meter
from .carbon import KOREA, Carrier, Factor
from .pieces import Amount, Pieces, from_counter, from_power, total, within

__all__ = [
    "KOREA",
    "Account",
    "Amount",
    "Block",
    "Carrier",
    "CarrierUse",
    "Energy",
    "EnergyOptions",
    "Factor",
    "MachineUse",
    "Meter",
    "Pieces",
    "from_counter",
    "from_power",
    "products",
    "total",
    "within",
]
