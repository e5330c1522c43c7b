"""Sets of data to learn from: what belongs to one, which version it is, and what it promises."""

from .card import Card, Consent, Count, Origin
from .content import Dataset, version_of
from .item import OWN, Column, Item, Label, Source, Value, contradicts, merged, settled
from .parquet import from_parquet, to_parquet

__all__ = [
    "OWN",
    "Card",
    "Column",
    "Consent",
    "Count",
    "Dataset",
    "Item",
    "Label",
    "Origin",
    "Source",
    "Value",
    "contradicts",
    "from_parquet",
    "merged",
    "settled",
    "to_parquet",
    "version_of",
]
