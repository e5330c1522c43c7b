"""Sets of data: kept, found again, and made from the line, from folders and from tables."""

from .shelf import NAME, Shelf, UnknownSetError

__all__ = ["NAME", "Shelf", "UnknownSetError"]
