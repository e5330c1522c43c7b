"""Whether the processes with doors are alive and up to date, as their words tell."""

from __future__ import annotations

from math import inf

import msgspec

from deungdae.app.live import Live, Reading
from deungdae.core.clock import Clock
from deungdae.core.ports import Health
from deungdae.core.types import Flag, Severity

PULSE = 1.0  # s between two words of a process with doors
SILENT = 3.0  # s without a word, or behind, after which nobody knows how its machines are


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a process with doors says once a second.

    doors: by `<room>.<name>`. lag: for how many seconds its oldest sample waits to be durable.
    problem: why, if it does not become so.
    """

    doors: dict[str, Health]
    lag: float = 0.0
    problem: str = ""


class Watched:
    """A View of a Live that tells nothing good of machines whose process is silent or behind.

    The gate judges by it. A process that died cannot say that its values are stale; and a server
    that reports changes only would not repeat them, so what is stored is not touched.
    """

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._sure: dict[str, float] = {}  # when each door's values were last surely the present

    def hear(self, heard: Heard) -> None:
        """Take note of a word of a process with doors."""
        if heard.lag < SILENT:
            self._sure |= dict.fromkeys(heard.doors, self._clock.monotonic())

    def reading(self, id: str) -> Reading | None:
        """Return the newest sample of a signal, stale where its machine is not heard of."""
        found = self._live.reading(id)
        if found is None:
            return None
        machine = self._live.signals[self._live.handles[id]].machine
        since = self._clock.monotonic() - self._sure.get(f"machines.{machine}", -inf)
        if not machine or since <= SILENT:
            return found
        return Reading(found.value, found.time, Severity.BAD | Flag.STALE)
