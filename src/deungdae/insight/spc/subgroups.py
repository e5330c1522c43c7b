"""Rational subgroups: parts that had no reason to differ, so that reasons show between them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray, TimeArray


def subgroups(
    time: TimeArray,
    value: FloatArray,
    size: int,
    *,
    within: int = 0,
    key: Sequence[Hashable] | None = None,
    apart: bool = False,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return subgroups [m, size] of consecutive parts, and the place of each one's last part.

    within: ns; all parts of a subgroup come within so long of its first, 0: no matter. key: one of
    each part, e.g. its lot or cavity: a subgroup holds parts of one key. apart: parts of other keys
    may come between (cavities, which take turns); else a new key begins a new subgroup (lots).
    Parts of a subgroup that does not become complete are in none.
    """
    keys: Sequence[Hashable] = [0] * len(value) if key is None else key
    open_: dict[Hashable, list[int]] = {}
    done: list[list[int]] = []
    for place, of in enumerate(keys):
        if not apart and of not in open_:
            open_.clear()
        begun = open_.setdefault(of, [])
        if begun and within and time[place] - time[begun[0]] >= within:
            begun.clear()
        begun.append(place)
        if len(begun) == size:
            done.append(begun.copy())
            begun.clear()
    places = np.asarray(done, np.int64).reshape(-1, size)
    return value[places], places[:, -1]
