"""The alarms of a running factory: heard from all that tells some, and kept in the history."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from deungdae.core.errors import StoreError
from deungdae.core.ports import Events, Health, Store
from deungdae.core.types import DAY, Batch, Event
from deungdae.insight.alarms import (
    DEEDS,
    PRIORITIES,
    Alarm,
    AlarmOptions,
    Board,
    is_condition,
    of_finding,
    replay,
    said,
    told,
)
from deungdae.model.factory import Factory

from .intake import AHEAD
from .runtime import Runtime

log = logging.getLogger("deungdae.alarms")

REACH = 14 * DAY  # how far back is read how alarms stand
LOOK = 1.0  # s between looks at doors, findings and the gate
RETRY = 5.0  # s until a history that cannot be read is asked again
DOOR = 500  # severity, as of OPC UA, of a door that is offline
HELD = 700  # and of a signal that the gate holds
OFFLINE, HOLD = "offline", "held"  # last part of the ids of those alarms


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What every page shows. waiting: unacknowledged ones by priority, of which `highest` is one.

    version: rises with every change.
    """

    version: int
    waiting: dict[str, int]
    highest: str
    flood: bool


class Alarms:
    """Follows all alarms. keeps: whether what we find ourselves goes into the history."""

    def __init__(self, runtime: Runtime, *, keeps: bool) -> None:
        self.board = Board(options(runtime.factory))
        self.known = False  # whether the history was read
        self._runtime = runtime
        self._keeps = keeps
        self._early: list[Event] | None = None  # what comes while the history is read
        self._seen = -1  # version of the present
        self._told: Summary | None = None
        runtime.intake.listeners.append(self.hear)

    def hear(self, item: Batch | Events) -> None:
        """Take in what came."""
        if isinstance(item, tuple):
            if self._early is not None:
                self._early.extend(item)
            for event in item:
                self.board.take(event)

    def summary(self) -> Summary:
        """Return what every page shows of the alarms."""
        version = self.board.version
        if self._told is None or self._told.version != version:
            states = ("unacknowledged", "returned")
            waiting = [a.priority for a in self.board.alarms.values() if a.state in states]
            self._told = Summary(
                version=version,
                waiting={each: waiting.count(each) for each in PRIORITIES},
                highest=max(waiting, key=PRIORITIES.index, default=""),
                flood=self.board.flood is not None,
            )
        return self._told

    async def run(self) -> None:
        """Follow until cancelled; also changed options."""
        while True:
            pause = LOOK
            try:
                wanted = options(self._runtime.factory)
                if not self.known or wanted != self.board.options:
                    await self._begin(wanted)
                await self.look()
            except StoreError as error:
                log.warning("state=unknown reason=%r", str(error))
                pause = RETRY
            await self._runtime.clock.sleep(pause)

    async def look(self) -> None:
        """Let time pass, and compare with what doors, findings and the gate say now."""
        runtime = self._runtime
        now = runtime.clock.now()
        # on a bus nothing is put in here: events are only shown
        news = runtime.live.events_since(self._seen)
        self._seen = runtime.live.version
        if not self._keeps:
            self.hear(tuple(news.values()))
        self.board.advance(now)
        found = tuple(self._changes(now))
        if not found:
            return
        if self._keeps:
            await runtime.intake.put(found)
        else:
            self.hear(found)

    async def _begin(self, wanted: AlarmOptions) -> None:
        """Read how alarms stand, and take in what came meanwhile."""
        runtime = self._runtime
        self._early = []
        try:
            await runtime.intake.flush()
            now = runtime.clock.now()
            events = await runtime.clock.call(records, runtime.store, wanted, now - REACH, now)
            came = [*runtime.live.events.values(), *self._early]
        finally:
            self._early = None
        # the newest may be on its way to the disk just now, and so be told twice
        whole = {(e.id, e.time, e.value, *e.data.items()): e for e in [*events, *came]}
        board, _ = await runtime.clock.call(replay, wanted, whole.values(), now)
        board.version += self.board.version + 1
        self.board, self.known = board, True
        log.info("state=known alarms=%d", len(board.shown()))

    def _changes(self, now: int) -> Iterator[Event]:
        """Yield what must be told: alarms of our own that came or went."""
        wanted = dict(self._wanted(now))
        for id, event in wanted.items():
            known = self.board.alarms.get(id)
            if (event.value == "active") != (known is not None and known.condition):
                yield event
        for alarm in list(self.board.alarms.values()):
            if alarm.condition and alarm.id not in wanted and self._is_gone(alarm):
                yield told(alarm.id, now, active=False, source=alarm.source)

    def _wanted(self, now: int) -> Iterator[tuple[str, Event]]:
        """Yield what is known of each alarm of our own, by its id."""
        runtime = self._runtime
        for door, health in runtime.health().items():
            if (event := _of_door(door, health, now)) is not None:
                yield event.id, event
        gate = runtime.control.gate
        held = gate.held if gate is not None else {}
        for signal, reason in held.items():
            id = f"{signal}.{HOLD}"
            yield id, told(id, now, active=True, severity=HELD, message=reason, source="gate")
        for finding in runtime.live.findings.values():
            # what the gate holds is told above, where it is also known when it is over
            if is_condition(finding) and (gate is None or finding.origin != gate.name):
                event = of_finding(finding, now)
                yield event.id, event

    def _is_gone(self, alarm: Alarm) -> bool:
        """Return whether what told an alarm of our own is no more."""
        source, _, name = alarm.source.partition(":")
        factory = self._runtime.factory
        if source == "gate":
            return True  # else it would be wanted
        if source == "door":
            room, _, name = name.partition(".")
            return name not in factory.room(room)
        rooms = ("insight", "decide", "twin")
        return source == "finding" and not any(name in factory.room(room) for room in rooms)


def options(factory: Factory) -> AlarmOptions:
    """Return what was agreed about the alarms of a factory."""
    return factory.sections.get("alarms") or AlarmOptions()


def records(store: Store, wanted: AlarmOptions, start: int, end: int) -> list[Event]:
    """Return what the history says of alarms: what was told, what people did, and states.

    Also the last before start of each alarm and state. Raises StoreError.
    """
    states = sorted(Board(wanted).watched)
    alarms = store.events(start, end + AHEAD, kinds=["alarm"], before=True)
    found = {known.alarm for event in alarms if (known := said(event)) is not None}
    deeds = [f"{alarm}.{deed}" for alarm in sorted(found) for deed in DEEDS]
    done = store.events(start, end + AHEAD, ids=deeds, kinds=["note"]) if deeds else []
    held = store.events(start, end + AHEAD, ids=states, before=True) if states else []
    return [*alarms, *done, *held]


def _of_door(door: str, health: Health, now: int) -> Event | None:
    """Return what a door says of itself, or None while it does not know yet."""
    if health.state not in ("online", "degraded", "offline"):
        return None
    return told(
        f"{door}.{OFFLINE}",
        now,
        active=health.state == "offline",
        severity=DOOR,
        message=health.problem,
        source=f"door:{door}",
    )
