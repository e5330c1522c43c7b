"""Sets of data to learn from: what belongs to one, which version it is, and what it promises."""

from .anonymous import anonymous
from .card import FORMAT, Card, Consent, Count, Origin
from .columns import typed
from .content import Dataset, version_of
from .declaration import Declaration, Folder, Join, Pictures, Signals, Table
from .item import (
    Column,
    Item,
    Label,
    Source,
    Value,
    contradicts,
    merged,
    settled,
    together,
)
from .over import over
from .parquet import DESCRIBED, FILES, from_parquet, own_columns, to_parquet
from .strip import strip

__all__ = [
    "DESCRIBED",
    "FILES",
    "FORMAT",
    "Card",
    "Column",
    "Consent",
    "Count",
    "Dataset",
    "Declaration",
    "Folder",
    "Item",
    "Join",
    "Label",
    "Origin",
    "Pictures",
    "Signals",
    "Source",
    "Table",
    "Value",
    "anonymous",
    "contradicts",
    "from_parquet",
    "merged",
    "over",
    "own_columns",
    "settled",
    "strip",
    "to_parquet",
    "together",
    "typed",
    "version_of",
]
