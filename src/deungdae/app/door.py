"""One south door kept open: connect, stream, and after a loss again, with jittered back-off."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping

import numpy as np

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Driver, Events, Health
from deungdae.core.types import Batch, Event, Flag, Permit, Signal
from deungdae.model.factory import Plugin

from .bridges import stop_if_told
from .intake import Intake
from .live import STALE, Live

FIRST_WAIT = 0.5  # s before the second try; doubles up to LONGEST_WAIT
LONGEST_WAIT = 30.0
STEADY = 30.0  # s a link must hold before its next loss counts as the first


class Door:
    """A driver with its signals. A failing door degrades its own health, never the house."""

    def __init__(
        self,
        plugin: Plugin,
        signals: Mapping[int, Signal],
        intake: Intake,
        live: Live,
        clock: Clock,
    ) -> None:
        self.plugin = plugin
        self.signals = signals
        self.driver: Driver | None = None  # made with the first attempt that can
        self.items = 0  # samples and events that came through
        self.delivering = asyncio.Event()  # set once this door has brought its first item
        self._intake = intake
        self._live = live
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{plugin.name}")
        self._random = random.Random(plugin.name)  # noqa: S311 — spreads retries, guards nothing
        self._failure: Health | None = None
        self._opened = clock.now()
        self._streams = 0  # how many there were

    @property
    def health(self) -> Health:
        """Return how the door is doing; what made the last attempt fail stands until one works."""
        if self._failure is not None:
            return self._failure
        return self.driver.health if self.driver else Health(state="stopped", since=self._opened)

    async def run(self) -> None:
        """Keep the door open until cancelled."""
        wait = FIRST_WAIT
        try:
            while True:
                begun = self._clock.monotonic()
                await self._attempt()
                stop_if_told()
                if self._clock.monotonic() - begun > STEADY:
                    wait = FIRST_WAIT
                await self._clock.sleep(wait * self._random.uniform(0.5, 1.5))
                wait = min(2 * wait, LONGEST_WAIT)
        finally:
            if self.driver is not None:
                await self.driver.close()

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Write through the driver and return what it reads back. Raises DoorError.

        What has expired on its way is never written: this is the last place before the wire.
        """
        if permit.command.expires <= self._clock.now():
            raise DoorError(f"command {permit.command.id} has expired", remedy="ask again")
        if self.driver is None:
            raise DoorError(f"{signal.machine} has not been opened yet")
        return await self.driver.write(permit, signal)

    async def _attempt(self) -> None:
        """Connect and stream until the link is lost."""
        try:
            if self.driver is None:
                self.driver = self.plugin.cls(self.plugin.name, self.plugin.options, self._clock)
            await self.driver.connect()
            self._failure = None
            await self._stream(self.driver)
        except DoorError as error:
            self._failed(str(error), error.remedy)
        except Exception as error:  # noqa: BLE001 — a plug-in's fault must not stop the others
            self._log.exception("state=failed")
            self._failed(f"the driver failed: {error!r}", "report it with the log")
        await self._mark_stale()

    async def _stream(self, driver: Driver) -> None:
        count = 0
        self._streams += 1
        stream = driver.stream(self.signals)
        try:
            async for item in stream:
                stop_if_told()
                count += 1
                self.items += len(item)
                await self._intake.put(item, self._confirmation(driver, self._streams, count))
                self.delivering.set()
        finally:  # whatever the stream holds is freed before the driver is closed
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def _confirmation(self, driver: Driver, stream: int, count: int) -> Callable[[], None]:
        """Return what to call when an item is durable: only for the stream that brought it.

        After a loss the driver counts anew; a late word of the old stream would acknowledge items
        of the new one that are not durable yet.
        """

        def confirm() -> None:
            if stream != self._streams:
                return
            try:
                driver.confirm(count)
            except Exception:  # noqa: BLE001 — a plug-in's fault must not stop the others
                self._log.exception("state=failed")

        return confirm

    def _failed(self, problem: str, remedy: str) -> None:
        if self._failure is None or self._failure.problem != problem:
            since = self._clock.now()
            self._failure = Health(state="offline", since=since, problem=problem, remedy=remedy)

    async def _mark_stale(self) -> None:
        """Say of each signal that its last value is no longer known to hold."""
        for item in stale(self._live, self.signals, self._clock.now()):
            await self._intake.put(item)


def stale(live: Live, signals: Mapping[int, Signal], now: int) -> list[Batch | Events]:
    """Return the last values of the signals, marked stale at `now`; those already so are left.

    Where a source's clock is ahead of ours the mark follows its last word all the same.
    """
    batch, events = live.last_of(signals)
    fresh = batch.take(batch.status & np.uint8(Flag.STALE) == 0)
    items: list[Batch | Events] = []
    if len(fresh):
        times = np.maximum(fresh.time + 1, now)
        status = np.full(len(fresh), STALE, np.uint8)
        items.append(Batch(fresh.signal, times, fresh.value, status, now))
    gone = tuple(
        Event(
            id=event.id,
            time=max(event.time + 1, now),
            kind="state",
            value="UNAVAILABLE",
            status=STALE,
            received=now,
        )
        for event in events
        if event.kind == "state" and not event.status & Flag.STALE
    )
    return [*items, gone] if gone else items
