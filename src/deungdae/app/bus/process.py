"""Puts processes of a factory on the bus: with doors, with the history, or with pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from deungdae.app import wire
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.historian.journal import Journal
from deungdae.model.factory import Factory

from . import archive
from .archive import Archive
from .deeds import Desk
from .hands import Hands, Writer
from .inlet import Inlet
from .link import Link, opened
from .mirror import FarJournal, Mirror, NoLedger
from .options import BusOptions
from .outbox import Outbox
from .role import Role
from .watch import PULSE, Heard, Watched

log = logging.getLogger("deungdae.bus")

DEEDS = 100  # of people that are under way at once
SIBLING = 2.0  # s that another history process may take to make itself known
MEGABYTE = 1_000_000


@asynccontextmanager
async def connecting(factory: Factory, role: Role, clock: Clock) -> AsyncIterator[Runtime]:
    """Give a Runtime that has doors only: what they bring goes to the history over the bus."""
    options, folder = _bus(factory), factory.path.parent
    key = options.key(folder)
    async with opened(options, factory.id, folder, role.name) as link, asyncio.TaskGroup() as group:
        live = Live()
        memory = options.memory * MEGABYTE
        outbox = Outbox(link, role.name, lambda: live.signals, clock, memory)
        control = Control(factory, NoLedger(), live, clock)
        store = Archive(link, patient=True)
        runtime = Runtime(factory, store, control, clock, sink=outbox, name=role.name)
        writer = Writer(link, runtime, key, clock)
        tasks = [
            group.create_task(outbox.run(), name="outbox"),
            group.create_task(outbox.pump(runtime.intake), name="pump"),
            group.create_task(_pulse(link, role, runtime, outbox, writer), name="pulse"),
        ]
        try:
            yield runtime
        finally:
            await outbox.rest()
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def keeping(runtime: Runtime, journal: Journal) -> AsyncIterator[None]:
    """Let a Runtime that has history and gate, but no doors, work over the bus."""
    watched = Watched(runtime.live, runtime.clock)

    async def hear(message: Any) -> None:
        try:
            watched.hear(wire.load(message.data, Heard))
        except ValueError as error:
            log.warning("state=malformed subject=%s reason=%r", message.subject, str(error))

    factory = runtime.factory
    options, folder = _bus(factory), factory.path.parent
    key = options.key(folder)
    async with opened(options, factory.id, folder, "history") as link, asyncio.TaskGroup() as group:
        await _be_the_only_one(link)
        runtime.control.doors = Hands(link, runtime, key)
        runtime.control.view = watched
        await archive.serve(link, runtime.store, runtime.clock)  # type: ignore[arg-type]
        inlet = Inlet(link, runtime, options)
        desk = Desk(runtime, journal, key, lambda: inlet.problem)
        # many: the kill switch must not wait behind machines that are slow to write
        await link.answer(link.subject("deed"), desk.answer, at_once=DEEDS)
        await link.hear(link.subject("health", "*"), hear)
        taking = group.create_task(_after(runtime.ready, inlet.run), name="inlet")
        try:
            yield
        finally:
            taking.cancel()


@asynccontextmanager
async def showing(factory: Factory, clock: Clock) -> AsyncIterator[tuple[Runtime, FarJournal]]:
    """Give what pages stand on where doors and history are other processes."""
    options, folder = _bus(factory), factory.path.parent
    key = options.key(folder)
    async with opened(options, factory.id, folder, "pages") as link:
        mirror = Mirror(factory, link, key, clock)
        yield mirror, FarJournal(mirror.messenger)


def _bus(factory: Factory) -> BusOptions:
    options: BusOptions = factory.sections["bus"]
    return options


async def _be_the_only_one(link: Link) -> None:
    """Raise Unreachable where another process already answers for the history."""
    try:
        await link.ask(link.subject("deed"), b"", SIBLING)
    except Unreachable:
        return
    raise Unreachable(
        "another history process of this factory is on the bus already",
        remedy="stop it first: one process keeps the history",
    )


async def _after(ready: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    await ready.wait()
    await work()


async def _pulse(link: Link, role: Role, runtime: Runtime, outbox: Outbox, writer: Writer) -> None:
    """Say once a second how the doors are doing, and answer for each."""
    subject, lost = link.subject("health", role.name), False
    while True:
        problem = f"{role.name}: {outbox.problem}" if outbox.problem else ""
        try:
            await writer.keep()
            heard = Heard(doors=runtime.health(), lag=outbox.lag, problem=problem)
            await link.tell(subject, wire.dump(heard))
            lost = False
        except Unreachable as error:
            if not lost:
                log.warning("state=unheard reason=%r", str(error))
            lost = True
        await runtime.clock.sleep(PULSE)
