"""What an agent remembers: the last observations, numbered, and the present ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from itertools import islice
from typing import NamedTuple

from .model import Item


class Observation(NamedTuple):
    """What was seen. value: as text, of a condition its level; text, severity: of a condition."""

    sequence: int
    item: Item
    time: int
    value: str
    text: str = ""
    severity: int = 0


class Buffer:
    """Holds at most `size` observations; what is older is known only as it then was."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.next = 1  # the sequence number that comes next
        self._held: deque[Observation] = deque()
        self._before: dict[str, Observation] = {}  # last of each item that is no longer held
        self._present: dict[str, Observation] = {}

    @property
    def first(self) -> int:
        """Return the oldest sequence number that is held."""
        return self._held[0].sequence if self._held else self.next

    def add(self, item: Item, time: int, value: str, text: str = "", severity: int = 0) -> None:
        """Note an observation unless it says what is known already."""
        known = self._present.get(item.id)
        if known is not None and (known.value, known.text) == (value, text):
            return
        seen = Observation(self.next, item, time, value, text, severity)
        self.next += 1
        self._present[item.id] = seen
        self._held.append(seen)
        if len(self._held) > self.size:
            old = self._held.popleft()
            self._before[old.item.id] = old

    def current(self, wanted: Container[str], at: int | None = None) -> list[Observation]:
        """Return the last observation of each wanted item, now or at a number that is held."""
        if at is None:
            return [seen for id, seen in self._present.items() if id in wanted]
        found = dict(self._before)
        for seen in islice(self._held, at - self.first + 1):
            found[seen.item.id] = seen
        return [seen for id, seen in found.items() if id in wanted]

    def sample(
        self, wanted: Container[str], start: int, count: int
    ) -> tuple[list[Observation], int]:
        """Return up to `count` wanted observations from number `start` on, and where to go on."""
        found: list[Observation] = []
        for seen in islice(self._held, max(start - self.first, 0), None):
            if seen.item.id in wanted:
                found.append(seen)
                if len(found) == count:
                    return found, seen.sequence + 1
        return found, self.next
