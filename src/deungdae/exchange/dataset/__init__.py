"""Sets of data as packages that others can read without us: Croissant, Parquet, images."""

from .croissant import About, Field
from .package import LARGEST, MOST, WHOLE, Package, named, pack, unpack

__all__ = ["LARGEST", "MOST", "WHOLE", "About", "Field", "Package", "named", "pack", "unpack"]
