"""Joins doors, historian, thinkers and gate into one running factory. Kept small on purpose."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from deungdae.core.clock import Clock
from deungdae.core.errors import StoreError, StoreFailed
from deungdae.core.ports import Bridge, Health, Store
from deungdae.core.types import HOUR, SECOND, Batch, Event, Finding, Signal
from deungdae.model.factory import Factory, Plugin

from . import bridges
from .control import Control
from .door import Door
from .intake import Intake, Sink
from .thinking import Thinking

if TYPE_CHECKING:
    from .models import Models

log = logging.getLogger("deungdae.runtime")

ALIVE = "deungdae"  # asset of the events that say, once a minute, which doors were open
AT_ONCE = ("alarms", "reports", "stops")  # tables that are taken over while we run
TIDY = 5.0  # s between the historian's bounded turns of tidying
TAKE_OVER = 10.0  # s that a changed door may take to deliver before the old one is closed


class Runtime:
    """A running factory. `store` is the memory; `journal` remembers commands and permits.

    sink: where what comes is made durable, if not in the store. name: of this process. models: the
    trained ones, where there may be any.
    """

    def __init__(
        self,
        factory: Factory,
        store: Store,
        control: Control,
        clock: Clock,
        *,
        sink: Sink | None = None,
        name: str = "runtime",
        models: Models | None = None,
    ) -> None:
        self.factory = factory
        self.store = store
        self.control = control
        self.clock = clock
        self.live = control.live
        self.intake = Intake(sink or self._append, self.live, clock)
        self.models = models
        self.thinking = Thinking(
            store, self.live, clock, self.intake.conclude, control.submit, models
        )
        self.doors: dict[str, Door] = {}
        self.bridges: dict[str, Bridge] = {}
        self.ready = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._alive = f"{ALIVE}.{name}"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()
        self._said: dict[str, int] = {}  # hour in which we last said that an asset is on line
        self.intake.listeners.append(self.thinking.hear)
        control.doors = self.doors

    async def run(self) -> None:
        """Run the factory until cancelled; then close every door and store what is pending."""
        storing = asyncio.create_task(self.intake.run(), name="intake")
        try:
            await self._run(storing)
        finally:  # last of all: until they are closed doors bring something
            await _ended(storing)

    async def _run(self, storing: asyncio.Task[None]) -> None:
        async with self._group:
            start = self._group.create_task
            await self._wake()
            start(self.thinking.run(), name="thinking")
            start(self.control.run(), name="control")
            start(self._every(60.0, self._say_alive), name="alive")
            start(self._every(TIDY, self._tidy), name="tidy")
            for name, plugin in self.factory.room("virtual").items():
                self._open_bridge(name, plugin)
            await self._bridges_open()
            for name, plugin in self.factory.room("machines").items():
                self._open_door(name, plugin)
            self.ready.set()
            log.info("state=ready factory=%s signals=%d", self.factory.id, len(self.live.signals))
            await asyncio.shield(storing)

    async def keep(self, *events: Event) -> None:
        """Add what a person says to the history; return when it is durable. Raises StoreError."""
        await self.intake.keep(*events)

    async def reload(self, factory: Factory) -> list[str]:
        """Take a changed description over without losing a sample; return what changed, in words.

        Doors whose tables and signals stay are not touched. A changed door is opened beside the
        old one, which is closed only when the new one delivers.
        """
        async with self._reloading:  # the page and the house may come at the same time
            return await self._reload(factory)

    async def _reload(self, factory: Factory) -> list[str]:
        old, self.factory = self.factory, factory
        await self._know(factory)
        changes = [*self.control.employ(factory), *self.thinking.employ(factory)]
        before, after = old.room("machines"), factory.room("machines")
        for name in before.keys() - after.keys():
            await self._close_door(name)
            changes.append(f"machines.{name} closed")
        for name, plugin in after.items():
            known = before.get(name)
            if known is None or not _same_door(known, plugin, old, factory):
                changes.append(f"machines.{name} {'opened' if known is None else 'changed'}")
                await self._replace_door(name, plugin)
        changes += _for_next_start(old, factory)
        log.info("state=reloaded changes=%r", changes)
        return changes

    def health(self) -> dict[str, Health]:
        """Return how every door is doing, by `<room>.<name>`."""
        doors = {f"machines.{name}": door.health for name, door in self.doors.items()}
        return doors | {f"virtual.{name}": bridge.health for name, bridge in self.bridges.items()}

    async def _append(self, items: Sequence[Batch | Event | Finding]) -> None:
        await self.clock.call(self.store.append, items)

    async def _wake(self) -> None:
        """Learn the signals, recall what was known, and say how long we were away."""
        await self._know(self.factory)
        self.thinking.employ(self.factory)
        now = self.clock.now()
        ids = [signal.id for signal in self.factory.signals.values()]
        self.live.recall(await self.clock.call(self.store.last, ids))
        # without doors nothing was missed: what doors elsewhere brought is on its way
        doors = self.factory.room("machines")
        away = await self.clock.call(self._last_alive, now) if doors else None
        if away is None:
            return
        states = [s.id for s in self.factory.signals.values() if s.kind == "state"]
        data = {"until": str(now), "reason": "the platform was not running"}
        await self.intake.put(
            tuple(
                Event(id=id, time=away, kind="gap", value="away", received=now, data=data)
                for id in states
            )
        )

    def _last_alive(self, now: int) -> int | None:
        """Return the last moment at which we surely ran, or None if just now or never."""
        said = self.store.events(now, now, ids=[self._alive], before=True)
        if not said:
            return None
        heard = [r.time for r in self.live.readings().values() if r.time <= now]
        last = max([said[-1].time, *heard])
        return last if now - last > 10 * SECOND else None

    async def _say_alive(self) -> None:
        """Say that we are here, and once an hour which assets' machines are on line.

        So a machine that is quietly ready the whole day is not taken for one that is gone.
        """
        now = self.clock.now()
        on_line = (d for d in self.doors.values() if d.health.state in ("online", "degraded"))
        assets = {signal.asset for door in on_line for signal in door.signals.values()}
        due = sorted(asset for asset in assets if self._said.get(asset) != now // HOUR)
        self._said |= dict.fromkeys(due, now // HOUR)
        ids = [self._alive, *(sign_of_life(asset).id for asset in due)]
        await self.intake.put(
            tuple(Event(id=id, time=now, kind="note", value="alive", received=now) for id in ids)
        )

    async def _tidy(self) -> None:
        """Give the historian a bounded turn of work; what fails is tried again at the next."""
        tidy = getattr(self.store, "tidy", None)
        if tidy is None:
            return
        try:
            await self.clock.call(tidy, self.clock.now())
        except StoreFailed:
            raise
        except StoreError as error:
            log.error("state=untidy reason=%r", str(error))

    async def _know(self, factory: Factory) -> None:
        signals = list(factory.signals.values())
        signs = [sign_of_life(asset) for asset in sorted({signal.asset for signal in signals})]
        handles = (await self.clock.call(self.store.register, [*signals, *signs]))[: len(signals)]
        self.live.know(signals, handles)
        self.intake.know(self.live.signals)

    def _signals_of(self, machine: str) -> dict[int, Signal]:
        return {h: s for h, s in self.live.signals.items() if s.machine == machine}

    def _open_bridge(self, name: str, plugin: Plugin) -> None:
        bridge: Bridge = plugin.cls(name, plugin.options, self.clock)
        self.bridges[name] = bridge
        self._tasks[f"virtual.{name}"] = self._group.create_task(
            bridges.keep(name, bridge, self.clock), name=f"virtual.{name}"
        )

    async def _bridges_open(self) -> None:
        """Wait a little for the virtual machines, so that their doors need not try twice."""
        end = self.clock.monotonic() + TAKE_OVER
        while self.clock.monotonic() < end:
            if all(bridge.health.state != "stopped" for bridge in self.bridges.values()):
                return
            await self.clock.sleep(0.05)

    def _open_door(self, name: str, plugin: Plugin) -> Door:
        signals = self._signals_of(name)
        door = Door(plugin, signals, self.intake, self.live, self.clock)
        self.doors[name] = door
        self._tasks[f"machines.{name}"] = self._group.create_task(
            door.run(), name=f"machines.{name}"
        )
        return door

    async def _replace_door(self, name: str, plugin: Plugin) -> None:
        old = self._tasks.pop(f"machines.{name}", None)
        door = self._open_door(name, plugin)
        if old is None:
            return
        try:
            async with asyncio.timeout(TAKE_OVER):
                await door.delivering.wait()
        except TimeoutError:
            log.warning("machines.%s state=slow: the changed door brought nothing yet", name)
        await _ended(old)

    async def _close_door(self, name: str) -> None:
        del self.doors[name]
        await _ended(self._tasks.pop(f"machines.{name}"))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()
            await self.clock.sleep(seconds)


def sign_of_life(asset: str) -> Signal:
    """Return the signal by which we say once an hour that an asset's machine is on line."""
    return Signal(id=f"{asset}.alive", name="sign of life", kind="text")


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has cleaned up."""
    task.cancel()
    await asyncio.wait([task])


def _for_next_start(before: Factory, after: Factory) -> list[str]:
    """Return which changed tables a running factory cannot take over, in words."""
    old, new = before.room("virtual"), after.room("virtual")
    changed = [
        f"virtual.{name}"
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or old[name].options != new[name].options
    ]
    changed += [
        name
        for name in after.sections
        if name not in AT_ONCE and before.sections.get(name) != after.sections[name]
    ]
    return [f"{name} changed: waits for the next start" for name in changed]


def _same_door(a: Plugin, b: Plugin, before: Factory, after: Factory) -> bool:
    return (
        a.type == b.type
        and bool(a.options == b.options)
        and before.signals_of(a.name) == after.signals_of(b.name)
    )
