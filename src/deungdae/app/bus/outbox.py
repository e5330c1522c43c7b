"""What doors brought and the history has not yet made durable: the sink of a process with doors.

Everything is published to JetStream at once, so it is safe there while the history is away; but
only the history's word that it is durable lets it be forgotten here, and confirmed to its source.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from nats.js.errors import NotFoundError

from deungdae.app import wire
from deungdae.app.intake import GROUP, Intake
from deungdae.core.clock import Clock
from deungdae.core.errors import StoreError
from deungdae.core.types import Batch, Event, Finding, Signal

from . import parts
from .link import AWAY, Link

log = logging.getLogger("deungdae.bus")

LOOK = 5.0  # s without a word from the history, after which we look where the oldest part is
RETRY = 1.0  # s between tries to publish
PUBLISH = 5.0  # s that JetStream may take
GRACE = 3.0  # s that what is pending has when we stop
PACE = 0.02  # of the time that the oldest part waits: the longer, the larger the groups


class Durable(msgspec.Struct, frozen=True, array_like=True):
    """The history's word: these parts of a session are durable."""

    session: str
    numbers: list[int]


class _Waiting:
    """A part that is not known to be durable. sequence: its place in the stream, 0 while unsent."""

    def __init__(self, data: bytes, since: float) -> None:
        self.data = data
        self.since = since
        self.looked = since
        self.sequence = 0


class Outbox:
    """A Sink towards the history. signals: gives what the handles stand for; memory: bytes."""

    def __init__(
        self,
        link: Link,
        name: str,
        signals: Callable[[], Mapping[int, Signal]],
        clock: Clock,
        memory: int,
    ) -> None:
        self.problem = ""
        self.session = secrets.token_hex(8)
        self._signals = signals
        self._known: dict[int, Signal] = {}
        self._link = link
        self._name = name
        self._clock = clock
        self._memory = memory
        self._number = 0
        self._waiting: dict[int, _Waiting] = {}  # in order of numbers
        self._bytes = 0
        self._ends: dict[int, asyncio.Future[None]] = {}  # of each call, by its last number
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._sent = asyncio.Event()  # while all that waits is in the stream
        self._sent.set()

    async def __call__(self, items: Sequence[Batch | Event | Finding]) -> None:
        """Return when the history has made the items, and all before them, durable.

        Raises StoreError only in a task that is being cancelled, after GRACE.
        """
        self._known |= self._signals()  # what is pending may be of signals that are gone by now
        for content in parts.split(items, self._known, self._link.limit - 256):
            self._add(content)
        if not self._waiting:
            return
        end = self._ends.setdefault(self._number, asyncio.get_running_loop().create_future())
        task = asyncio.current_task()
        stopping = task is not None and task.cancelling() > 0
        try:
            async with asyncio.timeout(GRACE if stopping else None):
                await asyncio.shield(end)
        except TimeoutError as error:
            held = sum(1 for each in self._waiting.values() if each.sequence)
            raise StoreError(
                f"the history did not confirm {len(self._waiting)} messages;"
                f" NATS holds {held} of them and brings them when it is back"
            ) from error

    async def run(self) -> None:
        """Publish in order what comes, and look after what nobody confirms, until cancelled."""
        subject = self._link.subject("durable", self._name)
        await self._link.hear(subject, self._confirmed)
        while True:
            try:
                async with asyncio.timeout(RETRY):
                    await self._filled.wait()
            except TimeoutError:
                await self._look()
            self._filled.clear()
            await self._publish()  # also without news: what did not go before

    async def rest(self) -> None:
        """Return when everything is published, or after GRACE: what JetStream has will arrive."""
        try:
            async with asyncio.timeout(GRACE):
                await self._sent.wait()
        except TimeoutError:
            lost = sum(1 for each in self._waiting.values() if not each.sequence)
            log.error("state=stopped lost=%d messages: NATS was away", lost)

    async def pump(self, intake: Intake) -> None:
        """Go on publishing what comes while earlier groups wait to be durable.

        The longer they wait, the rarer and larger the next groups: their number stays small.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                await self._clock.sleep(max(GROUP, PACE * self.lag))
                await self._room.wait()
                group.create_task(intake.flush())

    def _add(self, content: parts.Content) -> None:
        self._number += 1
        part = parts.Part(self._name, self.session, self._number, content.ids, content.nouns)
        data = wire.dump(part)
        self._waiting[self._number] = _Waiting(data, self._clock.monotonic())
        self._bytes += len(data)
        if self._bytes > self._memory:
            self._room.clear()
        self._sent.clear()
        self._filled.set()

    @property
    def lag(self) -> float:
        """Return for how many seconds the oldest part waits."""
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else self._clock.monotonic() - oldest.since

    async def _publish(self) -> None:
        """Publish what is not in the stream, in order, until one does not go."""
        unsent = [each for each in self._waiting.values() if not each.sequence]
        if unsent and not self._link.is_up:
            self._turn("not sent: the bus is away")
            return
        for waiting in unsent:
            try:
                kept = await self._link.jetstream.publish(
                    self._link.subject("data", self._name),
                    waiting.data,
                    timeout=PUBLISH,
                    stream=self._link.stream,
                )
            except AWAY as error:
                self._turn(f"not sent: {str(error) or repr(error)}")
                await self._clock.sleep(RETRY)
                self._filled.set()
                return
            waiting.sequence = kept.seq
            waiting.looked = self._clock.monotonic()
            if self.problem.startswith("not sent"):
                self._turn("")
        self._sent.set()

    async def _look(self) -> None:
        """Send again what is in the stream no more and nobody confirmed.

        Then either the bus lost it, or the word that it is durable; the store takes it twice.
        """
        oldest = next(iter(self._waiting.values()), None)
        now = self._clock.monotonic()
        if oldest is None or not oldest.sequence or now - oldest.looked < LOOK:
            return
        oldest.looked = now
        self._turn(f"the history has confirmed nothing for {LOOK:g} s and longer")
        try:
            for waiting in list(self._waiting.values()):
                if await self._holds(waiting):
                    return
                waiting.sequence = 0
                self._filled.set()
        except AWAY as error:
            self._turn(f"not sent: {str(error) or repr(error)}")

    async def _holds(self, waiting: _Waiting) -> bool:
        """Return whether the stream still has a part."""
        try:
            found = await self._link.jetstream.get_msg(self._link.stream, waiting.sequence)
        except NotFoundError:
            return False
        return bool(found.data == waiting.data)

    async def _confirmed(self, message: Any) -> None:
        """Forget what is durable, and let go whoever waited for all of it."""
        try:
            durable = wire.load(message.data, Durable)
        except ValueError as error:
            log.warning("state=malformed subject=%s reason=%r", message.subject, str(error))
            return
        if durable.session != self.session:
            return
        for number in durable.numbers:
            waiting = self._waiting.pop(number, None)
            self._bytes -= len(waiting.data) if waiting else 0
        if self._bytes <= self._memory:
            self._room.set()
        self._turn("")
        oldest = next(iter(self._waiting), self._number + 1)
        # in order: a source learns how many of its first items are durable
        for last in [number for number in self._ends if number < oldest]:
            self._ends.pop(last).set_result(None)

    def _turn(self, problem: str) -> None:
        if problem != self.problem:
            if problem:
                log.warning("state=waiting waiting=%d reason=%r", len(self._waiting), problem)
            else:
                log.info("state=confirmed")
        self.problem = problem
