"""Whether the kernel runs compiled or interpreted, and what differs between the two.

`DEUNGDAE_KERNEL=python` in the environment, or no Numba, means interpreted: the same source, the
same results bit for bit, some hundred times slower, without Numba's 125 MB of memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

COMPILED = os.environ.get("DEUNGDAE_KERNEL") != "python" and find_spec("numba") is not None
_MASK = 0xFFFFFFFFFFFFFFFF

if TYPE_CHECKING or not COMPILED:

    def inlined(function: F) -> F:
        """Compile a function into each of its callers."""
        return function

    def called(function: F) -> F:
        """Compile a function that stays one of its own."""
        return function

    def rare(function: F) -> F:
        """Compile a function that is seldom called: it stays out of the way of the others."""
        return function

    def entry(function: F) -> F:
        """Compile a function that Python calls, and keep it on disk."""
        return function

    def fingerprint(*constants: object) -> str:
        """Return a hash of all functions that are compiled, and of the constants that they use."""
        return "interpreted"

    def rows_of(table: str, row: type, shape: np.dtype[Any]) -> Any:
        """Return a compiled function (w, n) that gives row n of a table of the world w."""

    def first_of(row: type, shape: np.dtype[Any]) -> Any:
        """Return a compiled function that gives the one row of an array."""

    def word(number: int) -> int:
        """Return a number as a word of 64 bits."""
        return number & _MASK

    def plus(a: int, b: int) -> int:
        """Return the sum of two words, modulo 2^64."""
        return (a + b) & _MASK

    def times(a: int, b: int) -> int:
        """Return the product of two words, modulo 2^64."""
        return (a * b) & _MASK

    def mix(z: int) -> int:
        """Return a word in which each bit depends on all bits of another.

        Source: Stafford's variant 13 of the finaliser of MurmurHash3, as in SplitMix64.
        """
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def odd(z: int) -> int:
        """Return an odd word whose bits change often, to be the stride of a stream.

        Source: Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators.
        """
        z = mix(z) | 1
        changes = z ^ (z >> 1)
        return z ^ 0xAAAAAAAAAAAAAAAA if changes.bit_count() < 24 else z

    def restore(to: Any, world: Any) -> None:
        """Put everything in a world back as in another."""
        for name, value in world.__dict__.items():
            if not isinstance(value, list):
                setattr(to, name, value)
            elif name not in ("parts", "notes"):
                for each, row in zip(getattr(to, name), value, strict=True):
                    for field, number in row.__dict__.items():
                        setattr(each, field, number.copy() if isinstance(number, list) else number)

    def unit(z: int) -> float:
        """Return the upper 52 bits of a word as a number between 0 and 1, neither of both."""
        return (float(z >> 12) + 0.5) * 2.220446049250313e-16

else:
    from .compiler import (
        called,
        entry,
        fingerprint,
        first_of,
        inlined,
        mix,
        odd,
        plus,
        rare,
        restore,
        rows_of,
        times,
        unit,
        word,
    )

__all__ = [
    "COMPILED", "called", "entry", "fingerprint", "first_of", "inlined", "mix", "odd", "plus",
    "rare", "restore", "rows_of", "times", "unit", "word",
]  # fmt: skip
