"""How long whoever guesses must wait: longer with each wrong try, and never for ever."""

from __future__ import annotations

import msgspec

from deungdae.core.clock import Clock

REMEMBERED = 2000  # keys; the one that failed longest ago is forgotten first
FORGIVEN = 900.0  # s without a failure after which a key starts anew


class _Tries(msgspec.Struct):
    count: int
    last: float


class Limits:
    """Counts failures by key and tells the wait that follows from them.

    free: failures without a wait; then it is 1 s, doubled each time, at most `longest` s.
    """

    def __init__(self, clock: Clock, *, free: int, longest: float) -> None:
        self._clock = clock
        self._free = free
        self._longest = longest
        self._tries: dict[str, _Tries] = {}

    def wait(self, key: str) -> float:
        """Return the seconds until the key may try again; 0: now."""
        tries = self._recent(key)
        if tries is None:
            return 0.0
        return max(0.0, tries.last + self.penalty(key) - self._clock.monotonic())

    def penalty(self, key: str) -> float:
        """Return the seconds between two tries of the key, after so many failures."""
        tries = self._recent(key)
        if tries is None or tries.count < self._free:
            return 0.0
        return float(min(self._longest, 2.0 ** min(tries.count - self._free, 16)))

    def failed(self, key: str) -> None:
        """Take note of a failure."""
        tries = self._recent(key) or _Tries(0, 0.0)
        self._tries.pop(key, None)
        while len(self._tries) >= REMEMBERED:
            del self._tries[next(iter(self._tries))]
        self._tries[key] = _Tries(tries.count + 1, self._clock.monotonic())

    def _recent(self, key: str) -> _Tries | None:
        tries = self._tries.get(key)
        if tries is None or self._clock.monotonic() - tries.last > FORGIVEN:
            return None
        return tries

    def __len__(self) -> int:
        return len(self._tries)
