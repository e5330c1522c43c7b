"""A reader of codes at a line, seeded and in SI time."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np

from .parts import NotNegative, Quantity, known, length, settable

_KEPT = 10_000  # codes that nobody has taken


class ReaderParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed reader. Times in s."""

    every: NotNegative = 10.0  # between parts, while no line brings them; 0: none comes


class Reader:
    """Reads the code of every part that comes before it."""

    quantities = (
        Quantity(name="count", low=0, description="parts that came in all"),
        Quantity(name="code", kind="text", description="the last code"),
    )

    def __init__(self, parameters: ReaderParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._next = parameters.every
        self._brought = False  # a line brings parts
        self._new: deque[str] = deque(maxlen=_KEPT)
        self._code = ""
        self._count = 0

    def step(self, dt: float) -> None:
        self._next -= length(dt)
        while not self._brought and self._p.every and self._next <= 0:
            self._next += self._p.every
            self._read(f"PA{self._count + 1:07d}")

    def tell(self, name: str, text: str) -> None:
        """Read the part that the line brings; at a line nothing comes by itself."""
        self._brought = True
        if name == "part":
            self._read(text)

    def take(self) -> tuple[str, ...]:
        found = tuple(self._new)
        self._new.clear()
        return found

    def get(self, name: str) -> float | str:
        values: dict[str, float | str] = {
            "count": float(self._count),
            "code": self._code,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)

    def _read(self, code: str) -> None:
        self._count += 1
        self._code = code
        self._new.append(code)
