"""What pages stand on in a process of their own: a Runtime that shows what others do.

It has the same face as a running factory, but opens no door, calls no thinker and permits
nothing: values are heard on the bus, deeds go to the process with the gate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from deungdae.app import wire
from deungdae.app.control import Control, Outcome, loops
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.app.thinking import Thinking
from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Refused, StoreError
from deungdae.core.ports import Health
from deungdae.core.types import Batch, Command, Event
from deungdae.decide.gate import Mode
from deungdae.historian.journal import Entry, Page, Wanted
from deungdae.model.factory import Factory

from . import parts
from .archive import Archive
from .deeds import Messenger, Snapshot
from .link import Link
from .watch import SILENT, Heard

log = logging.getLogger("deungdae.bus")

LOOK = 1.0  # s between looks at the gate's process
PATIENCE = 5.0  # s for such a look
RETRY = 2.0  # s between tries to recall what is known


class Mirror(Runtime):
    """The Runtime of a process with pages only."""

    def __init__(self, factory: Factory, link: Link, key: bytes, clock: Clock) -> None:
        self.messenger = Messenger(link, key, clock, self._show)
        control = _Control(factory, clock, self.messenger)
        super().__init__(factory, Archive(link), control, clock, name="pages")
        # with a present of its own, where nothing happens: no thinker is ever called
        self.thinking = Thinking(self.store, Live(), clock, lambda _: None, lambda _: None)
        self._link = link
        self._heard: dict[str, tuple[float, Heard]] = {}
        self._since = clock.now()
        self._handles: dict[str, int] = {}
        self._recalling = asyncio.Event()
        self._problem = ""

    async def run(self) -> None:
        """Show the factory until cancelled."""
        self._know_signals()
        self._employ()
        await self._link.hear(self._link.subject("data", "*"), self._take)
        await self._link.hear(self._link.subject("health", "*"), self._hear)
        self._link.reconnected.append(self._recalling.set)
        self._recalling.set()
        async with self._group as group:
            group.create_task(self._recall())
            self.ready.set()
            log.info("state=ready factory=%s pages", self.factory.id)
            await self._look()

    async def keep(self, *events: Event) -> None:
        """Let the process with the history keep it. Raises StoreError, DoorError."""
        told = [msgspec.to_builtins(event) for event in events]
        try:
            await self.messenger.do("keep", object, data={"events": told})
        except Refused as error:
            raise StoreError(error.reason) from error
        self.live.take(events)

    async def reload(self, factory: Factory) -> list[str]:
        """Show a changed description; the other processes read their own files."""
        self.factory = factory
        self._know_signals()
        changes = self.control.employ(factory)
        self._employ()
        self._recalling.set()
        return [*changes, "pages: the description; the other processes read their own files"]

    def health(self) -> dict[str, Health]:
        """Return how every door is doing, by `<room>.<name>`, as its process says."""
        told: dict[str, Health] = {}
        for heard in self._present():
            told |= heard.doors
        silent = Health(
            state="offline",
            since=self._since,
            problem="no process with this door is heard",
            remedy="start: deungdae run F --as connect",
        )
        rooms = ("machines", "virtual")
        doors = [f"{room}.{name}" for room in rooms for name in self.factory.room(room)]
        return {door: told.get(door, silent) for door in doors}

    def _present(self) -> list[Heard]:
        """Return the last word of each process with doors that is heard."""
        now = self.clock.monotonic()
        return [heard for at, heard in self._heard.values() if now - at <= SILENT]

    def _know_signals(self) -> None:
        """Give every signal a handle of our own, which it keeps."""
        for id in self.factory.signals:
            self._handles.setdefault(id, len(self._handles))
        signals = list(self.factory.signals.values())
        handles = [self._handles[signal.id] for signal in signals]
        self.live.know(signals, np.asarray(handles, np.int32))

    def _employ(self) -> None:
        """Have the thinkers' faces: what they need and are set to, but never call them."""
        self.thinking.employ(self.factory)
        for thinker in self.thinking.thinkers.values():
            if hasattr(thinker.work, "retarget") and not isinstance(thinker.work, _Loop):
                thinker.work = _Loop(thinker.work, self._retarget)

    async def _take(self, message: Any) -> None:
        """Show what doors send to the history."""
        try:
            part = parts.read(message.data)
            for item in parts.items(part, self.live.handles):
                self.live.take(item)
        except ValueError as error:
            log.warning("state=malformed subject=%s reason=%r", message.subject, str(error))

    async def _hear(self, message: Any) -> None:
        """Take note of how a process says that its doors are doing."""
        try:
            heard = wire.load(message.data, Heard)
        except ValueError as error:
            log.warning("state=malformed subject=%s reason=%r", message.subject, str(error))
        else:
            self._heard[message.subject] = (self.clock.monotonic(), heard)

    async def _recall(self) -> None:
        """Ask the history for what was last known: at the start, and after a loss of the bus."""
        while True:
            await self._recalling.wait()
            self._recalling.clear()
            try:
                batch, events = await self.clock.call(self._last)
            except StoreError:  # the look at the gate's process says so
                await self.clock.sleep(RETRY)
                self._recalling.set()
            else:
                self.live.take(batch)
                self.live.take(tuple(events))

    def _last(self) -> tuple[Batch, list[Any]]:
        """Return the newest samples, with our handles, and the newest events of all signals."""
        store, signals = self.store, list(self.factory.signals.values())
        stored = [signal.id for signal in store.signals()]  # type: ignore[attr-defined]
        known = [signal.id for signal in signals if signal.id in set(stored)]
        last = store.last(known)
        handles = [self._handles.get(stored[handle], -1) for handle in last.signal.tolist()]
        ours = Batch(
            np.asarray(handles, np.int32), last.time, last.value, last.status, last.received
        )
        others = [signal.id for signal in signals if signal.kind != "number"]
        now = self.clock.now()
        return ours, store.events(now, now, ids=others, before=True) if others else []

    async def _look(self) -> None:
        """Keep up with the gate's process."""
        while True:
            try:
                await self.messenger.do("look", object, PATIENCE)
                self._turn("")
            except (DoorError, StoreError, Refused) as error:
                self._turn(str(error))
            self.intake.problem = self._problem or self.intake.problem
            await self.clock.sleep(LOOK)

    def _turn(self, problem: str) -> None:
        if problem != self._problem:
            if problem:
                log.warning("state=waiting reason=%r", problem)
            else:
                log.info("state=heard the history answers")
        self._problem = problem

    def _show(self, snapshot: Snapshot) -> None:
        """Take over what the gate's process says of itself."""
        if self.control.gate is not None and snapshot.gate is not None:
            self.control.gate.restore(snapshot.gate)
        self.control.outcomes = snapshot.outcomes
        for finding in snapshot.findings:
            self.live.conclude(finding)
        for key, thinker in self.thinking.thinkers.items():
            thinker.problem = snapshot.waiting.get(key, "")
        for name, loop in loops(self.thinking.thinkers).items():
            loop.set_point = snapshot.set_points.get(name)
        waiting = [heard.problem for heard in self._present() if heard.problem]
        self.intake.stored = snapshot.stored
        self.intake.problem = snapshot.problem or "; ".join(waiting)

    def _retarget(self, name: str, set_point: float) -> None:
        self._group.create_task(self._carry_target(name, set_point))

    async def _carry_target(self, name: str, set_point: float) -> None:
        try:
            await self.messenger.do("retarget", object, id=name, value=set_point)
        except (DoorError, StoreError, Refused) as error:
            log.error("state=failed loop=%s set_point=%g reason=%r", name, set_point, str(error))


class _Loop:
    """A loop of another process: set here as there, shown as there."""

    def __init__(self, work: Any, retarget: Any) -> None:
        self._work = work
        self._retarget = retarget
        self.set_point: float | None = work.set_point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def retarget(self, set_point: float) -> None:
        """Ask for another set-point. Raises Refused as the loop does."""
        self._work.retarget(set_point)
        self.set_point = set_point
        self._retarget(self._work.name, set_point)


class _Control(Control):
    """The gate of another process: looks the same, and passes every deed on."""

    def __init__(self, factory: Factory, clock: Clock, messenger: Messenger) -> None:
        self._messenger = messenger
        super().__init__(factory, NoLedger(), Live(), clock)

    async def ask(self, command: Command) -> Outcome:
        """Return what becomes of a person's command, made anew by the gate's own clock."""
        person = command.origin.removeprefix("person:")
        return await self._messenger.do(
            "command",
            Outcome,
            person=person,
            id=command.signal,
            value=command.value,
            reason=command.because,
        )

    async def approve(self, id: str, person: str) -> Outcome:
        """Return what becomes of a proposal that a person approves. Raises Refused."""
        return await self._messenger.do("approve", Outcome, id=id, person=person)

    async def decline(self, id: str, person: str) -> None:
        """Drop a proposal that a person does not want. Raises Refused."""
        await self._messenger.do("decline", object, id=id, person=person)

    async def kill(self, person: str, reason: str) -> None:
        """Put the kill switch on."""
        await self._messenger.do("kill", object, person=person, reason=reason)

    async def release(self, person: str) -> None:
        """Take the kill switch off. Raises Refused."""
        await self._messenger.do("release", object, person=person)

    async def switch(self, mode: Mode, person: str, reason: str = "") -> None:
        """Go into another mode. Raises Refused."""
        await self._messenger.do("switch", object, mode=mode, person=person, reason=reason)

    async def clear(self, signal: str, person: str) -> None:
        """Let commands to a held signal through again. Raises Refused."""
        await self._messenger.do("clear", object, id=signal, person=person)


class NoLedger:
    """Stands where a process keeps no journal: nothing that needs one is done there."""

    def append(self, kind: str, data: Mapping[str, object], who: str = "") -> object:
        """Raise StoreError."""
        raise StoreError(f"this process keeps no journal for a {kind} of {who or 'nobody'}")


class FarJournal:
    """The journal of another process. To be called from threads only, never from the loop."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        self._loop = asyncio.get_running_loop()

    def append(self, kind: str, data: dict[str, object], who: str = "") -> None:
        """Return when the entry is durable. Raises StoreError."""
        self._do("note", object, id=kind, data=data, person=who)

    def read(self, start: int, end: int) -> list[Entry]:
        """Return the entries with start <= time < end, in order of writing. Raises StoreError."""
        found: list[Entry] = self._do("read", list[Entry], start=start, end=end)
        return found

    def newest(self, wanted: Wanted, limit: int) -> Page:
        """Return the newest entries that are wanted, at most `limit`. Raises StoreError."""
        found = [entry for entry in self.read(wanted.start, wanted.end) if wanted.fits(entry)]
        return Page(found[::-1][:limit], found[-limit].n if len(found) > limit else 0)

    def _do(self, what: str, kind: Any, **fields: Any) -> Any:
        doing = self._messenger.do(what, kind, **fields)
        try:
            return asyncio.run_coroutine_threadsafe(doing, self._loop).result()
        except DoorError as error:
            raise StoreError(f"the journal does not answer: {error}") from error
