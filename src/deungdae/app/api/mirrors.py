"""The present of every twin: followed event by event, with what is desired of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

import msgspec

from deungdae.app.intake import AHEAD
from deungdae.app.runtime import Runtime
from deungdae.core.errors import StoreError
from deungdae.core.ports import Events
from deungdae.core.types import HOUR, SECOND, Batch, Event
from deungdae.sim.line import Line, Snapshot
from deungdae.twin.monitor import Monitor
from deungdae.twin.replicate import TELLING, Mirror

from .lines import asset, levels, twins

log = logging.getLogger("deungdae.api")

REACH = 8 * HOUR  # of records, at least, from which is told how a line stands
LONGEST = REACH  # that something may be desired
LOOK = 1.0  # s between two looks at which twins there are
DESIRED = "desired"  # last part of the id of the events that tell what is desired


class Desire(msgspec.Struct, frozen=True, kw_only=True):
    """What a property shall be, until when; who asked, why, and what became of it."""

    value: float
    person: str
    reason: str
    asked: int
    expires: int
    command: str
    result: str


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """A twin at a moment. revision: ns of the newest record that it knows.

    desired: by asset and property.
    """

    revision: int
    time: int
    snapshot: Snapshot
    desired: Mapping[tuple[str, str], Desire]


class Follower:
    """A twin that is followed. Records must come in order."""

    def __init__(self, twin: Monitor) -> None:
        self.twin = twin
        machines = {each for assets in twin.assets.values() for each in assets}
        shown = {asset(twin, station) for station in twin.assets}
        self.ids = frozenset(
            f"{each}.{what}" for each in machines | shown for what in (*TELLING, DESIRED)
        )
        self._mirror = Mirror(twin.line, twin.assets)
        self._desired: dict[tuple[str, str], Desire] = {}
        self._revision = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Take in what is about this twin."""
        own = [event for event in events if event.id in self.ids]
        self._mirror.feed(event for event in own if event.kind != "note")
        for event in own:
            self._revision = max(self._revision, event.time)
            if event.kind == "note":
                self._desire(event)

    def stand(self, now: int) -> Stand:
        """Return the twin at a moment, no earlier than what it was fed."""
        return Stand(
            revision=self._revision,
            time=now,
            snapshot=self._mirror.snapshot(now),
            desired={key: each for key, each in self._desired.items() if each.expires > now},
        )

    def _desire(self, event: Event) -> None:
        key = (event.asset, event.value)
        if event.data:
            self._desired[key] = msgspec.convert(event.data, Desire, strict=False)
        else:
            self._desired.pop(key, None)


class Mirrors:
    """Follows all twins of a running factory, from its records and then from what comes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._followers: dict[str, Follower] = {}
        self._early: list[Event] | None = None  # what comes while records are read
        self._beginning = asyncio.Lock()
        runtime.intake.listeners.append(self.hear)

    def hear(self, item: Batch | Events) -> None:
        """Take in what came."""
        if isinstance(item, tuple):
            for follower in self._followers.values():
                follower.feed(item)
            if self._early is not None:
                self._early.extend(item)

    async def now(self, name: str, twin: Monitor) -> Stand:
        """Return how a twin stands now."""
        async with self._beginning:
            follower = self._followers.get(name)
            if follower is None or follower.twin is not twin:
                follower = self._followers[name] = await self._begin(twin)
        return follower.stand(self._runtime.clock.now())

    async def at(self, twin: Monitor, moment: int) -> Stand:
        """Return how a twin stood at a moment, ns. Raises StoreError."""
        return await self._runtime.clock.call(self._past, twin, moment)

    def levels(self) -> dict[str, dict[str, int | None]]:
        """Return how many parts wait in each buffer of the twins that are followed already."""
        now = self._runtime.clock.now()
        return {
            name: levels(each.twin, each.stand(now).snapshot)
            for name, each in self._followers.items()
        }

    async def run(self) -> None:
        """Follow the twins that there are, also after a reload, until cancelled."""
        while True:
            await self._follow()
            await self._runtime.clock.sleep(LOOK)

    async def _follow(self) -> None:
        found = twins(self._runtime)
        for name in self._followers.keys() - found.keys():
            del self._followers[name]
        for name, twin in found.items():
            try:
                await self.now(name, twin)
            except StoreError as error:
                log.warning("twin=%s state=not_followed reason=%r", name, str(error))

    async def _begin(self, twin: Monitor) -> Follower:
        """Return a follower that knows what is recorded and what came while that was read."""
        runtime = self._runtime
        begun = Follower(twin)
        self._early = []
        try:
            await runtime.intake.flush()
            now = runtime.clock.now()
            recorded = await runtime.clock.call(self._records, begun, now, now + AHEAD)
            # the newest may be on its way to the disk just now
            came = [*runtime.live.events.values(), *self._early]
        finally:
            self._early = None
        whole = {(event.id, event.time, event.value): event for event in [*recorded, *came]}
        begun.feed(sorted(whole.values(), key=lambda event: event.time))
        return begun

    def _past(self, twin: Monitor, moment: int) -> Stand:
        begun = Follower(twin)
        begun.feed(self._records(begun, moment, moment + 1))
        return begun.stand(moment)

    def _records(self, follower: Follower, moment: int, end: int) -> list[Event]:
        """Return the records up to `end` that tell how a line stands at a moment."""
        kinds = ("state", "scan", "note")
        store, ids = self._runtime.store, sorted(follower.ids)
        since = moment - REACH
        loads = [id for id in ids if id.endswith(".loaded")]  # what went in may be in for longer
        before = store.events(moment - reach(follower.twin.line), since, ids=loads, kinds=kinds)
        return [*before, *store.events(since, end, ids=ids, kinds=kinds, before=True)]


def reach(line: Line) -> int:
    """Return how far back records tell how a line stands, ns: until what is in it went in."""
    longest = max(
        station.cycle_of(product).mean
        for station in line.stations.values()
        for product in line.product_names
        if not station.products or product in station.products
    )
    return max(REACH, round(1.25 * longest * SECOND))
