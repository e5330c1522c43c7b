"""Floods: times in which more alarms are told than a person can take in.

Source: ANSI/ISA-18.2-2016 and IEC 62682, clause 16 (monitoring and assessment), after EEMUA 191: a
flood begins with more than 10 alarms within 10 minutes for one operator position, and ends when
there are fewer than 5.
"""

from __future__ import annotations

from collections import deque

import msgspec

from deungdae.core.types import MINUTE

WINDOW = 10 * MINUTE
MOST = 10
CALM = 5


class Flood(msgspec.Struct, frozen=True):
    """More is told than a person can take in. since: ns; count: told within the last WINDOW."""

    since: int
    count: int


class Floods:
    """Knows from when alarms were told whether there is a flood. spells: those that are over."""

    def __init__(self) -> None:
        self.spells: list[tuple[int, int]] = []
        self._recent: deque[int] = deque()
        self._since = 0

    @property
    def flood(self) -> Flood | None:
        """Return the flood that goes on, if any."""
        return Flood(self._since, len(self._recent)) if self._since else None

    def add(self, now: int) -> None:
        """Learn that an alarm was told. now: never before an earlier one."""
        self.advance(now)
        self._recent.append(now)
        if len(self._recent) > MOST and not self._since:
            self._since = now

    def advance(self, now: int) -> bool:
        """Let time pass; return whether a flood ended."""
        ended = False
        while self._recent and self._recent[0] <= now - WINDOW:
            left = self._recent.popleft() + WINDOW
            if self._since and len(self._recent) < CALM:
                self.spells.append((self._since, left))
                self._since, ended = 0, True
        return ended
