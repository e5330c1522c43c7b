"""What a device may hold, found by reading ranges and seeing what is not refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from deungdae.core.ports import Node

from .address import BITS, Defaults, Order, Span, Table, spell
from .blocks import MOST_BITS
from .decode import arrangement
from .wire import Exceptional, Misfit, is_hole

Words: TypeAlias = NDArray[np.uint16]
Read: TypeAlias = Callable[[int, Table, int, int], Awaitable[bytes]]
_PLAUSIBLE = (1e-3, 1e7)


async def browse(read: Read, span: Span, most: int, defaults: Defaults) -> AsyncIterator[Node]:
    """Yield a node for each value that can be read in a span.

    read: gives a reply's body for (unit, table, first, count); most: registers per read.
    """
    words = await _explore(read, span, MOST_BITS if span.table in BITS else most)
    for first, run in _runs(words):
        kinds = {} if span.table in BITS else _floats(run)
        taken = -1
        for place, word in enumerate(run):
            if place <= taken:
                continue
            address = spell(span.unit, span.table, first + place, defaults)
            if place in kinds:
                taken = place + 1
                yield _float_node(address, run[place : place + 2], kinds[place], defaults)
            else:
                yield _plain_node(address, span.table, int(word))


async def _explore(read: Read, span: Span, most: int) -> dict[int, int]:
    """Return each register or bit that the device gives, by its number, in order."""
    found: dict[int, int] = {}
    open_ranges = [
        (first, min(first + most, span.last + 1))
        for first in reversed(range(span.first, span.last + 1, most))
    ]
    while open_ranges:
        first, end = open_ranges.pop()
        try:
            body = await read(span.unit, span.table, first, end - first)
        except (Exceptional, Misfit) as error:
            if not is_hole(error):
                break
            if end - first > 1:
                middle = (first + end) // 2
                open_ranges += [(middle, end), (first, middle)]
            continue
        found.update(zip(range(first, end), _numbers(span.table, body), strict=False))
    return found


def _numbers(table: Table, body: bytes) -> list[int]:
    raw = np.frombuffer(body, np.uint8, offset=1)
    if table in BITS:
        return [int(bit) for bit in np.unpackbits(raw, bitorder="little")]
    return [int(word) for word in raw.view(">u2")]


def _runs(words: dict[int, int]) -> list[tuple[int, Words]]:
    """Return the unbroken runs as (first number, words)."""
    runs: list[tuple[int, list[int]]] = []
    for number, word in words.items():
        if runs and runs[-1][0] + len(runs[-1][1]) == number:
            runs[-1][1].append(word)
        else:
            runs.append((number, [word]))
    return [(first, np.array(run, np.uint16)) for first, run in runs]


def _floats(run: Words) -> dict[int, Order]:
    """Return where a run looks like float32, and in which order; at most one layout per run."""
    best: dict[int, Order] = {}
    orders: tuple[Order, ...] = ("ABCD", "CDAB")
    for order in orders:
        for parity in (0, 1):
            pairs = run[parity : len(run) - (len(run) - parity) % 2].reshape(-1, 2)
            size = np.abs(_as_floats(pairs, order))
            low, high = _PLAUSIBLE
            places = np.flatnonzero((size >= low) & (size <= high))
            if len(places) > len(best):
                best = {parity + 2 * int(place): order for place in places}
    return best


def _as_floats(pairs: Words, order: Order) -> NDArray[np.float64]:
    raw = pairs.astype(">u2").reshape(-1, 2).view(np.uint8).reshape(-1, 4)
    with np.errstate(invalid="ignore"):
        return raw[:, arrangement(order, 4)].copy().view(">f4").ravel().astype(np.float64)


def _float_node(address: str, pair: Words, order: Order, defaults: Defaults) -> Node:
    value = float(_as_floats(pair.reshape(1, 2), order)[0])
    return Node(
        address=f"{address}?float32" + ("" if order == defaults.order else f",{order}"),
        path=address,
        type="float32",
        value=f"{value:.7g}",
        description="looks like a float32; compare with the register list",
    )


def _plain_node(address: str, table: Table, word: int) -> Node:
    if table in BITS:
        return Node(address=address, path=address, kind="state", type="bool", value=str(word))
    return Node(address=address, path=address, type="uint16", value=str(word))
