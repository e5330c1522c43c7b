"""Sets of data: kept, found again, and made from the line, from folders and from tables."""

from .shelf import NAME, Shelf, UnknownSetError

SETS = "datasets"  # folder of a shelf, in the history's folder

__all__ = ["NAME", "SETS", "Shelf", "UnknownSetError"]
