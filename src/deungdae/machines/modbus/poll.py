"""The polling of one stream: which block is read when, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events
from deungdae.core.types import Batch, Signal

from .blocks import Block, Entry, Limits, Moment, merge
from .schedule import Schedule
from .station import Station
from .wire import Exceptional, Reply, is_hole

Told: TypeAlias = tuple[Batch, Events]

_FIRST_REST = 1.0  # s that a silent unit is left in peace; doubles up to `retry`
_BUSY = (4, 5, 6)  # exceptions that may be gone at the next poll
_ASLEEP = (10, 11)  # exceptions by which a gateway says that the unit does not answer
_NOTHING: Told = (Batch.of((), (), (), received=0), ())


class Silence(NamedTuple):
    """A unit that does not answer is asked again at `until`, after a rest of so many seconds."""

    until: float
    rest: float
    error: DoorError


class Poll:
    """Reads every entry at its period.

    retry: time until what was refused is tried again, s; heartbeat: longest time that a dead-band
    hides a value, s. report: told the problem of signals, '' when they work again.
    """

    def __init__(
        self,
        station: Station,
        clock: Clock,
        entries: Iterable[Entry],
        *,
        limits: Limits,
        retry: float,
        heartbeat: float,
        report: Callable[[Sequence[Signal], str], None],
    ) -> None:
        self._station = station
        self._clock = clock
        self._limits = limits
        self._retry = retry
        self._heartbeat = heartbeat
        self._report = report
        self._entries = tuple(entries)
        self._units = {entry.point.unit for entry in self._entries}
        self._schedule = Schedule(merge(self._entries, limits), clock.monotonic())
        self._silent: dict[int, Silence] = {}
        self._failed: set[int] = set()
        self._answered = False
        self._last: DoorError | None = None

    @property
    def behind(self) -> float:
        """Return how many seconds the latest block is read later than its period allows."""
        return max((block.behind for block in self._schedule.blocks), default=0.0)

    async def next(self) -> Sequence[Told]:
        """Return what the blocks that are due now give; wait until one is.

        Raises Unreachable or BadReply when the link is lost or nothing answers any more.
        """
        delay = self._schedule.delay(self._clock.monotonic())
        if delay:
            await self._station.wait(delay)
        chosen = self._schedule.take(self._clock.monotonic(), self._station.outstanding)
        told = await _all([self._read(block) for block in chosen])
        self._judge()
        return told

    async def _read(self, block: Block) -> Told:
        now = self._clock.monotonic()
        block.behind = max(now - block.due - block.period, 0.0)
        silence = self._silent.get(block.unit)
        if silence is not None and silence.until > now:
            return self._lose(block, silence.error, silence.until)
        try:
            reply = await self._station.read(block.unit, block.table, block.first, block.count)
        except Exceptional as error:
            if error.code in _ASLEEP:
                return self._sleep(block, error)
            self._heard(block.unit)
            return self._refuse(block, error)
        except (Unreachable, BadReply) as error:
            if self._station.lost:
                raise
            if isinstance(error, Unreachable):
                return self._sleep(block, error)
            return self._refuse(block, error)
        self._heard(block.unit)
        return self._accept(block, reply)

    def _accept(self, block: Block, reply: Reply) -> Told:
        now = self._clock.monotonic()
        if self._failed and not self._failed.isdisjoint(block.handles):
            self._failed.difference_update(block.handles)
            self._report(block.signals, "")
        if block.refused:
            self._rejoin(block, now)
        else:
            self._schedule.put(block, max(block.due + block.period, now))
        middle = (reply.sent + reply.received) // 2
        return block.read(reply.body, Moment(middle, reply.received, now, self._heartbeat))

    def _refuse(self, block: Block, error: BadReply) -> Told:
        now = self._clock.monotonic()
        self._last = error
        if is_hole(error) and len(block.entries) > 1:
            for half in block.halves():
                self._schedule.put(half, now)
            return _NOTHING
        block.refused = True
        busy = isinstance(error, Exceptional) and error.code in _BUSY
        wait = block.period if busy else max(self._retry, block.period)
        return self._lose(block, error, now + wait)

    def _sleep(self, block: Block, error: DoorError) -> Told:
        """Leave a unit that does not answer in peace, so that others are not held up."""
        self._last = error
        before = self._silent.get(block.unit)
        rest = min(2 * before.rest if before else _FIRST_REST, self._retry)
        silence = Silence(self._clock.monotonic() + rest, rest, error)
        self._silent[block.unit] = silence
        return self._lose(block, error, silence.until)

    def _lose(self, block: Block, error: DoorError, due: float) -> Told:
        self._failed.update(block.handles)
        self._report(block.signals, str(error))
        self._schedule.put(block, due)
        return block.lost(self._clock.now())

    def _rejoin(self, block: Block, now: float) -> None:
        """Merge what is given again, and what its refusal had split, with the other blocks."""
        block.refused = False
        blocks = [block, *self._schedule.clear()]
        for refused in [each for each in blocks if each.refused]:
            self._schedule.put(refused, refused.due)
        given = [entry for each in blocks if not each.refused for entry in each.entries]
        for merged in merge(given, self._limits):
            self._schedule.put(merged, now)

    def _heard(self, unit: int) -> None:
        self._answered = True
        self._silent.pop(unit, None)

    def _judge(self) -> None:
        """Raise the last error if nothing answers any more."""
        if self._last is None:
            return
        mute = self._units <= self._silent.keys()
        useless = not self._answered and len(self._failed) == len(self._entries)
        if mute or useless:
            raise self._last


async def _all(reads: Sequence[Coroutine[Any, Any, Told]]) -> Sequence[Told]:
    """Return what all reads give; one alone needs no task of its own."""
    if len(reads) == 1:
        return [await reads[0]]
    done = await asyncio.gather(*reads, return_exceptions=True)
    told = []
    for result in done:
        if isinstance(result, BaseException):
            raise result
        told.append(result)
    return told
