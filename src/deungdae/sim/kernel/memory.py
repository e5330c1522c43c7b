"""Where the tables of a world lie: one block of memory that is put back as it was at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .compiling import COMPILED
from .rows import GROWING, TABLES, World, shape

Given = Mapping[str, Sequence[Mapping[str, Any]]]


class Memory:
    """The tables of a line, built once; `world` and `pristine` are what the engine works on.

    Compiled, both are a block of bytes, whose first record is the World; interpreted, objects.
    Parts and notes lie outside, since they may have to grow.
    """

    def __init__(self, header: Mapping[str, Any], given: Given, parts: int) -> None:
        self.block: Any
        self.pristine: Any
        self.world: Any
        if COMPILED:
            self._lay_out(header, given)
        else:
            self.block, self.pristine = _objects(header, given), _objects(header, given)
            self.world = [self.block]
        self._grown: dict[str, Any] = {}
        self.grow("parts", parts)

    def table(self, name: str) -> Any:
        """Return the rows of a table."""
        if name in self._grown:
            return self._grown[name]
        return self._views[name] if COMPILED else getattr(self.block, name)

    def column(self, name: str, field: str, count: int) -> Any:
        """Return the first values of one field of a table as an array."""
        table = self.table(name)
        if not isinstance(table, list):
            return table[field][:count].copy()
        return np.array([getattr(row, field) for row in table[:count]])

    def grow(self, name: str, count: int) -> None:
        """Give a table so many rows more."""
        row = GROWING[name]
        if not COMPILED and name != "notes":  # of which there are too many for an object each
            more = [_object(row, {}) for _ in range(count)]
            self._grown[name] = [*self._grown.get(name, []), *more]
        else:
            new = np.zeros(count, shape(row)).view(np.recarray)
            old = self._grown.get(name)
            self._grown[name] = new if old is None else np.concatenate([old, new]).view(np.recarray)
        for world in self.worlds():
            table = self._grown[name]
            setattr(world, name, table.ctypes.data if COMPILED else table)
            setattr(world, f"{name}_count", len(table))

    def worlds(self) -> tuple[Any, Any]:
        """Return the world, and the one from which it is put back."""
        if not COMPILED:
            return self.block, self.pristine
        size = shape(World).itemsize
        return self.world[0], self.pristine[:size].view(shape(World)).view(np.recarray)[0]

    def _lay_out(self, header: Mapping[str, Any], given: Given) -> None:
        places, size = {}, _aligned(shape(World).itemsize)
        for name, row in TABLES.items():
            places[name] = size
            size += _aligned(shape(row).itemsize * max(1, len(given.get(name, ()))))
        self.block = np.zeros(size, np.uint8)
        self.world = self._view(0, 1, World)
        self._views = {}
        for name, value in header.items():
            self.world[name][0] = value
        for name, row in TABLES.items():
            rows = given.get(name, ())
            view = self._view(places[name], len(rows), row)
            for place, values in enumerate(rows):
                for field, value in values.items():
                    view[field][place] = value
            self._views[name] = view
            self.world[name][0] = self.block.ctypes.data + places[name]
            self.world[f"{name}_count"][0] = len(rows)
        self.pristine = self.block.copy()

    def _view(self, place: int, count: int, row: type) -> Any:
        record = shape(row)
        end = place + count * record.itemsize
        return self.block[place:end].view(record).view(np.recarray)


def _aligned(size: int) -> int:
    return (size + 63) // 64 * 64


def _objects(header: Mapping[str, Any], given: Given) -> Any:
    tables: dict[str, Any] = {}
    for name, row in TABLES.items():
        tables[name] = [_object(row, values) for values in given.get(name, ())]
        tables[f"{name}_count"] = len(tables[name])
    return _object(World, {**header, **tables})


def _object(row: type, values: Mapping[str, Any]) -> Any:
    made = row()
    for name, (kind, *_) in (shape(row).fields or {}).items():
        empty = [0.0] * kind.shape[0] if kind.shape else kind.type(0).item()
        setattr(made, name, values.get(name, empty))
    return made
