"""Which block is read next: of those that are due, the one that is late soonest."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .blocks import Block

_HOUR = 3600.0


class Schedule:
    """Blocks and when they are due, s on the monotonic clock."""

    def __init__(self, blocks: Iterable[Block], now: float) -> None:
        self._later: list[tuple[float, int, Block]] = []
        self._ready: list[tuple[float, int, Block]] = []
        self._count = 0
        for block in blocks:
            self.put(block, now)

    def put(self, block: Block, due: float) -> None:
        """Have a block read at `due`."""
        block.due = due
        self._count += 1
        heapq.heappush(self._later, (due, self._count, block))

    def delay(self, now: float) -> float:
        """Return how long there is nothing to do, s."""
        if self._ready:
            return 0.0
        return max(self._later[0][0] - now, 0.0) if self._later else _HOUR

    def take(self, now: float, most: int) -> list[Block]:
        """Return, and forget, up to `most` blocks that are due."""
        while self._later and self._later[0][0] <= now:
            _, count, block = heapq.heappop(self._later)
            heapq.heappush(self._ready, (block.due + block.period, count, block))
        return [heapq.heappop(self._ready)[2] for _ in range(min(most, len(self._ready)))]

    @property
    def blocks(self) -> list[Block]:
        """Return all blocks but those that were taken."""
        return [block for _, _, block in (*self._later, *self._ready)]

    def clear(self) -> list[Block]:
        """Return, and forget, all blocks."""
        blocks = self.blocks
        self._later.clear()
        self._ready.clear()
        return blocks
