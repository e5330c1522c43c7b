"""What is known now: the newest sample of each signal, the newest event, each door's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from deungdae.core.ports import Events
from deungdae.core.types import Batch, Event, Finding, Flag, IntArray, Severity, Signal

STALE = Severity.BAD | Flag.STALE


class Reading(msgspec.Struct, frozen=True):
    """The newest sample of one signal."""

    value: float
    time: int
    status: int

    @property
    def good(self) -> bool:
        """Return whether the status is good."""
        return self.status & 3 == Severity.GOOD


class Live:
    """The present of a factory: kept by the intake, read by the gate, the API and the pages.

    What is newer is told by the source's time, but no later than when it came: a source whose clock
    was ahead and is put right shows its present at once, not when its old future has passed.
    """

    def __init__(self) -> None:
        self.signals: dict[int, Signal] = {}
        self.handles: dict[str, int] = {}
        self.events: dict[str, Event] = {}
        self.findings: dict[tuple[str, str, str], Finding] = {}
        self.version = 0  # rises with every change; each signal and event knows its own
        self._event_versions: dict[str, int] = {}
        self._value = np.zeros(0)
        self._time = np.zeros(0, np.int64)
        self._rank = np.zeros(0, np.int64)  # the time by which a sample counts as newer
        self._status = np.zeros(0, np.uint8)
        self._changed = np.zeros(0, np.int64)
        self._recalled = np.zeros(0, np.bool_)  # known from before we ran, not heard of since

    def know(self, signals: Sequence[Signal], handles: IntArray) -> None:
        """Learn the signals of the factory and their handles; forgets none of their values."""
        self.signals = dict(zip(handles.tolist(), signals, strict=True))
        self.handles = {signal.id: handle for handle, signal in self.signals.items()}
        missing = int(handles.max(initial=-1)) + 1 - len(self._value)
        if missing > 0:
            self._value = np.append(self._value, np.zeros(missing))
            self._time = np.append(self._time, np.zeros(missing, np.int64))
            self._rank = np.append(self._rank, np.full(missing, np.iinfo(np.int64).min))
            self._status = np.append(self._status, np.full(missing, Severity.BAD, np.uint8))
            self._changed = np.append(self._changed, np.full(missing, -1, np.int64))
            self._recalled = np.append(self._recalled, np.zeros(missing, np.bool_))

    def recall(self, batch: Batch) -> None:
        """Take over what the historian knew last: shown as stale until it is heard anew."""
        self.take(batch)
        self._recalled[batch.signal] = True

    def take(self, item: Batch | Events) -> None:
        """Take over what is newer than what is known."""
        self.version += 1
        if isinstance(item, Batch):
            # of several rows of one signal the last assignment stands: it must be the newest
            if (item.time[1:] < item.time[:-1]).any():
                item = item.take(np.argsort(item.time, kind="stable"))
            rank = np.minimum(item.time, item.received) if item.received else item.time
            newer = rank >= self._rank[item.signal]
            handles = item.signal[newer]
            self._rank[handles] = rank[newer]
            self._value[handles] = item.value[newer]
            self._time[handles] = item.time[newer]
            self._status[handles] = item.status[newer]
            self._changed[handles] = self.version
            self._recalled[handles] = False
            return
        for event in item:
            known = self.events.get(event.id)
            if event.kind != "gap" and (known is None or _rank(event) >= _rank(known)):
                self.events[event.id] = event
                self._event_versions[event.id] = self.version

    def conclude(self, finding: Finding) -> None:
        """Take over what an analysis concluded."""
        self.findings[finding.origin, finding.asset, finding.name] = finding

    def reading(self, id: str) -> Reading | None:
        """Return the newest sample of a signal, or None where there is none yet."""
        handle = self.handles.get(id)
        if handle is None or self._changed[handle] < 0:
            return None
        status = STALE if self._recalled[handle] else int(self._status[handle])
        return Reading(float(self._value[handle]), int(self._time[handle]), status)

    def readings(self, since: int = -1) -> dict[str, Reading]:
        """Return the newest sample of every signal that changed after version `since`."""
        found = np.flatnonzero(self._changed > since)
        status = np.where(self._recalled[found], STALE, self._status[found])
        return {
            self.signals[handle].id: Reading(value, time, flags)
            for handle, value, time, flags in zip(
                found.tolist(),
                self._value[found].tolist(),
                self._time[found].tolist(),
                status.tolist(),
                strict=True,
            )
            if handle in self.signals
        }

    def events_since(self, since: int) -> dict[str, Event]:
        """Return the newest event of every id that changed after version `since`."""
        return {
            id: self.events[id] for id, version in self._event_versions.items() if version > since
        }

    def last_of(self, signals: Mapping[int, Signal]) -> tuple[Batch, Events]:
        """Return the newest samples and events of the given signals, whatever their status."""
        handles = np.asarray([h for h in signals if self._changed[h] >= 0], np.int32)
        ids = {signal.id for signal in signals.values()}
        batch = Batch(handles, self._time[handles], self._value[handles], self._status[handles], 0)
        return batch, tuple(event for id, event in self.events.items() if id in ids)


def _rank(event: Event) -> int:
    return min(event.time, event.received) if event.received else event.time
