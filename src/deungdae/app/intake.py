"""Where what doors bring becomes durable: checked, merged, stored, and then confirmed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from deungdae.core.clock import Clock
from deungdae.core.errors import StoreError, StoreFailed
from deungdae.core.ports import Events
from deungdae.core.types import HOUR, Batch, Event, Finding, Flag, Severity, Signal

from .live import Live

log = logging.getLogger("deungdae.intake")

GROUP = 0.1  # s; within a commit of what arrived meanwhile the promise of 250 ms holds
PENDING = 2_000_000  # rows; beyond, doors wait: their sources or the network hold the data
AHEAD = HOUR  # a source's clock may be so far ahead before its time is not believed
EARLIEST = 631_152_000_000_000_000  # 1990-01-01: no plant clock that works is before
RETRY = 2.0  # s between tries while the store refuses
KEEP = 5.0  # s that the store may take for what a person says
_MORE = re.compile(r"([^;]+)((?:;[a-z_]{1,20}=[^;]*)+)")  # of a scan: `<code>;<name>=<text>;…`


class Sink(Protocol):
    """Where a group of items goes to become durable: the historian, or the bus towards it."""

    async def __call__(self, items: Sequence[Batch | Event | Finding]) -> None:
        """Return when the items are durable. Raises StoreError."""
        ...


class Intake:
    """One queue for all doors and thinkers, one commit for all that waits in it."""

    def __init__(self, sink: Sink, live: Live, clock: Clock) -> None:
        self.problem = ""
        self.stored = 0
        self.listeners: list[Callable[[Batch | Events], None]] = []
        self._sink = sink
        self._live = live
        self._clock = clock
        self._low = np.zeros(0)
        self._high = np.zeros(0)
        self._words: dict[str, dict[str, str]] = {}
        self._pending: list[Batch | Event | Finding] = []
        self._marks: list[Callable[[], None]] = []
        self._rows = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def know(self, signals: dict[int, Signal]) -> None:
        """Learn the physical range of each signal, by handle, and the words of its states."""
        # never smaller: a door that is about to close may still bring signals that are gone
        size = max(max(signals, default=-1) + 1, len(self._low))
        low, high = np.full(size, -np.inf), np.full(size, np.inf)
        for handle, signal in signals.items():
            low[handle] = -np.inf if signal.low is None else signal.low
            high[handle] = np.inf if signal.high is None else signal.high
        self._low, self._high = low, high
        self._words = {signal.id: signal.words for signal in signals.values() if signal.states}

    async def put(self, item: Batch | Events, durable: Callable[[], None] | None = None) -> None:
        """Take an item over; waits while too much is pending. durable: called when it is stored."""
        await self._room.wait()
        checked = self.check(item)
        self._live.take(checked)
        for listener in self.listeners:
            listener(checked)
        self._add(checked if isinstance(checked, tuple) else (checked,), durable)

    async def keep(self, *events: Event) -> None:
        """Take over what a person says; return when it is durable.

        Raises StoreError where that takes too long: then it is tried on, but not promised.
        """
        kept = asyncio.Event()
        await self.put(events, kept.set)
        try:
            async with asyncio.timeout(KEEP):
                await kept.wait()
        except TimeoutError as error:
            problem = self.problem or "it takes too long"
            raise StoreError(f"the history cannot keep this yet: {problem}") from error

    def conclude(self, findings: Sequence[Finding]) -> None:
        """Take findings over. Thinkers are few and slow: they never wait."""
        for finding in findings:
            self._live.conclude(finding)
        self._add(findings, None)

    def _add(
        self, items: Sequence[Batch | Event | Finding], durable: Callable[[], None] | None
    ) -> None:
        self._pending.extend(items)
        if durable is not None:
            self._marks.append(durable)
        self._rows += sum(len(item) if isinstance(item, Batch) else 1 for item in items)
        if self._rows >= PENDING:
            self._room.clear()
        self._filled.set()

    async def run(self) -> None:
        """Store what comes, until cancelled; what is pending then is still stored.

        Raises StoreFailed where only opening the store anew can help: the process must end.
        """
        try:
            while True:
                await self._filled.wait()
                await self._clock.sleep(GROUP)
                await self.flush()
        except asyncio.CancelledError:
            await self.flush(once=True)
            raise

    async def flush(self, *, once: bool = False) -> None:
        """Make all that is pending durable. While the store refuses: try again, or give up once."""
        items, marks, rows = self._pending, self._marks, self._rows
        self._pending, self._marks, self._rows = [], [], 0
        self._filled.clear()
        if not items:
            return
        merged = _merge(items)
        try:
            while not await self._stored(merged):
                if once:
                    log.error("lost=%d reason=%r", rows, self.problem)
                    return
                await self._clock.sleep(RETRY)
        except asyncio.CancelledError:  # whether they are durable is not known: pending as before
            self._pending, self._marks = [*items, *self._pending], [*marks, *self._marks]
            self._rows += rows
            raise
        self.stored += rows
        for durable in marks:
            durable()
        if self._rows < PENDING:
            self._room.set()

    async def _stored(self, items: Sequence[Batch | Event | Finding]) -> bool:
        try:
            await self._sink(items)
        except StoreFailed:
            raise
        except StoreError as error:
            if self.problem != str(error):
                log.error("state=refused reason=%r", str(error))
            self.problem = str(error)
            self._room.clear()  # nobody may go on filling memory while nothing can be stored
            return False
        if self.problem:
            log.info("state=accepted")
            self.problem = ""
        return True

    def check(self, item: Batch | Events) -> Batch | Events:
        """Return the item with implausible times and values marked; nothing is taken away."""
        if isinstance(item, tuple):
            return tuple(self._check_event(event) for event in item)
        time, status = item.time, item.status
        wrong = (time > item.received + AHEAD) | (time < EARLIEST)
        odd = ~np.isfinite(item.value) & (status & 3 != Severity.BAD)
        low, high = self._low[item.signal], self._high[item.signal]
        outside = (item.value < low) | (item.value > high)
        if not (wrong.any() or odd.any() or outside.any()):
            return item
        time = np.where(wrong, item.received, time)
        status = status.copy()
        status[wrong] |= np.uint8(Flag.CLOCK_SUSPECT)
        status[outside] |= np.uint8(Flag.OUT_OF_RANGE)
        status[(wrong | outside) & (status & 3 == Severity.GOOD)] |= np.uint8(Severity.UNCERTAIN)
        status[odd] = status[odd] & np.uint8(0xFC) | np.uint8(Severity.BAD)
        return Batch(item.signal, time, item.value, status, item.received)

    def _check_event(self, event: Event) -> Event:
        received = event.received or self._clock.now()
        time, value, status, data = event.time, event.value, event.status, event.data
        if not EARLIEST <= time <= received + AHEAD:
            data = {**data, "source_time": str(time)}
            time, status = received, status | Flag.CLOCK_SUSPECT
        words = self._words.get(event.id)
        if words is not None and event.kind == "state":
            if value not in words and value not in words.values() and not status & 3:
                status |= Severity.UNCERTAIN
            value = words.get(value, value)
        if event.kind == "scan":
            value, data = said(value, data)
        changes = {"time": time, "value": value, "status": status, "data": data}
        return msgspec.structs.replace(event, received=received, **changes)


def said(value: str, data: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the code that a scan's text begins with, and what else the text says.

    Many controllers and cameras tell all in one text, `ST0000042;lot=M-000007;result=good`; it is
    put together again from what is returned. Any other text is a code as it is.
    """
    match = _MORE.fullmatch(value)
    if match is None:
        return value, data
    pairs = (part.partition("=") for part in match[2][1:].split(";"))
    return match[1].strip(), {name: text.strip() for name, _, text in pairs} | data


def _merge(items: Sequence[Batch | Event | Finding]) -> list[Batch | Event | Finding]:
    """Return all batches as one, and the rest in its order behind it."""
    batches = [item for item in items if isinstance(item, Batch)]
    others: list[Batch | Event | Finding] = [item for item in items if not isinstance(item, Batch)]
    return [Batch.merge(batches), *others] if batches else others
