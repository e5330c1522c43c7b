"""Whether the kernel runs compiled or interpreted, and the words of 64 bits that differ in it.

`DEUNGDAE_KERNEL=python` in the environment, or no Numba, means interpreted: the same source, the
same results bit for bit, some hundred times slower, without Numba's 125 MB of memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

if os.environ.get("DEUNGDAE_KERNEL") == "python":
    numba = None
else:
    try:
        import numba
    except ImportError:  # the kernel then runs interpreted
        numba = None

COMPILED = numba is not None
_MASK = 0xFFFFFFFFFFFFFFFF


def inlined(function: F) -> F:
    """Compile a function into each of its callers."""
    if numba is None:
        return function
    return numba.njit(forceinline=True, nogil=True, _nrt=False)(function)  # type: ignore[no-any-return]


def called(function: F) -> F:
    """Compile a function that stays one of its own."""
    if numba is None:
        return function
    return numba.njit(nogil=True, _nrt=False)(function)  # type: ignore[no-any-return]


def entry(function: F) -> F:
    """Compile a function that Python calls, and keep it on disk."""
    if numba is None:
        return function
    return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]


if TYPE_CHECKING or not COMPILED:

    def word(number: int) -> int:
        """Return a number as a word of 64 bits."""
        return number & _MASK

    def plus(a: int, b: int) -> int:
        """Return the sum of two words, modulo 2^64."""
        return (a + b) & _MASK

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

    def restore(to: list[Any], rows: list[Any]) -> None:
        """Copy all rows of a table into another."""
        for each, row in zip(to, rows, strict=True):
            values = each.__dict__
            for name, value in row.__dict__.items():
                values[name] = value.copy() if isinstance(value, list) else value

    def unit(z: int) -> float:
        """Return the upper 52 bits of a word as a number between 0 and 1, neither of both."""
        return (float(z >> 12) + 0.5) * 2.220446049250313e-16

else:

    @inlined
    def word(number):
        return np.uint64(number)

    @inlined
    def plus(a, b):
        return a + b

    @inlined
    def mix(z):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    @inlined
    def odd(z):
        z = mix(z) | np.uint64(1)
        rest = z ^ (z >> np.uint64(1))
        changes = 0
        while rest:
            rest &= rest - np.uint64(1)
            changes += 1
        return z ^ np.uint64(0xAAAAAAAAAAAAAAAA) if changes < 24 else z

    @called
    def restore(to, rows):
        for k in range(len(rows)):
            to[k] = rows[k]

    @inlined
    def unit(z):
        return (float(z >> np.uint64(12)) + 0.5) * 2.220446049250313e-16
