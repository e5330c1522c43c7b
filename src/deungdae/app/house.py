"""Puts one process together: history, journal, control, runtime and pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import msgspec

from deungdae.core.clock import Clock, RealClock
from deungdae.core.errors import FactoryError
from deungdae.core.types import DAY
from deungdae.decide.gate import State
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model.factory import Factory

from . import api, describe
from .bus import role
from .bus.role import Role
from .control import Control, Ledger
from .live import Live
from .models import FOLDER, Models
from .reports import Reports
from .runtime import Runtime

log = logging.getLogger("deungdae.house")

WATCH = 2.0  # s between looks at the factory file
REMEMBER = 400 * DAY  # how far back the journal is searched for what the gate remembered


class House:
    """One running process of a factory: all of it, or its part on the bus."""

    def __init__(
        self, factory: Factory, clock: Clock | None = None, part: Role | None = None
    ) -> None:
        """Raise FactoryError where the factory has no such part."""
        self.factory = factory
        self.clock = clock or RealClock()
        self.role = part or Role()
        if self.role.kind != "all":
            role.check(factory)
        self._part = self.role.part(factory)
        self.announce: Callable[[api.Welcome], None] = lambda _: None
        self._changed = asyncio.Event()
        self._seen = _stamps(factory)

    def look(self) -> None:
        """Load the description anew now."""
        self._seen = {}
        self._changed.set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._opened() as (runtime, journal), asyncio.TaskGroup() as group:
            group.create_task(runtime.run(), name="runtime")
            await runtime.ready.wait()
            if journal is not None and self.role.kind in ("all", "history"):
                reports = Reports(runtime, cast(Journal, journal))
                group.create_task(reports.run(), name="reports")
            if self.role.kind in ("all", "pages"):
                group.create_task(self._serve(runtime, journal), name="api")
            group.create_task(self._watch(runtime), name="watch")

    @property
    def _folder(self) -> Path:
        """Return the folder of the history."""
        return self.factory.path.parent / str(self.factory.sections["historian"].path)

    async def _serve(self, runtime: Runtime, journal: Ledger | None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)  # pages may have no history beside them
        options = self.factory.sections["app"]
        await api.serve(
            runtime, options, self._folder, self.announce, cast(Journal | None, journal)
        )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Runtime, Ledger | None]]:
        """Give the runtime of this process, and the journal, here or elsewhere."""
        if self.role.kind == "all":
            with ExitStack() as stack:
                yield self._keep(stack)
            return
        from .bus import process  # noqa: PLC0415 — NATS, 17 MB, for those on the bus alone

        if self.role.kind == "connect":
            async with process.connecting(self._part, self.role, self.clock) as runtime:
                yield runtime, None
        elif self.role.kind == "pages":
            async with process.showing(self._part, self.clock) as (mirror, far):
                yield mirror, far
        else:
            with ExitStack() as stack:
                runtime, journal = self._keep(stack)
                async with process.keeping(runtime, journal):
                    yield runtime, journal

    def _keep(self, stack: ExitStack) -> tuple[Runtime, Journal]:
        """Open history and journal, and let the gate remember."""
        options = self.factory.sections["historian"]
        store = stack.enter_context(Historian(self._folder, options, self.clock))
        journal = stack.enter_context(Journal(self._folder / "journal", self.clock))
        control = Control(self._part, journal, Live(), self.clock)
        restore(control, journal, self.clock.now())
        models = Models(self._folder / FOLDER)
        runtime = Runtime(self._part, store, control, self.clock, models=models)
        control.findings = runtime.intake.conclude
        return runtime, journal

    async def _watch(self, runtime: Runtime) -> None:
        """Load the description anew when its files change; an invalid one changes nothing."""
        while True:
            try:
                async with asyncio.timeout(WATCH):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            stamps = _stamps(self.factory)
            if stamps != self._seen:
                self._seen = stamps
                await self._reload(runtime)

    async def _reload(self, runtime: Runtime) -> None:
        try:
            factory = await self.clock.call(describe.read, self.factory.path)
            part = self.role.part(factory)
        except FactoryError as error:
            log.error("state=kept the changed description is invalid:\n%s", error)
            return
        await runtime.reload(part)
        self.factory = factory


def restore(control: Control, journal: Journal, now: int) -> None:
    """Let the gate remember what a person last did to it: kill switch, mode, held signals."""
    entries = [entry for entry in journal.read(now - REMEMBER, now + DAY) if "gate" in entry.data]
    if entries:
        control.restore(msgspec.convert(entries[-1].data["gate"], State))


def _stamps(factory: Factory) -> dict[str, float]:
    """Return when each file of the description was last changed."""
    stamps = {}
    folder = factory.path.parent
    named = [folder / name for name in factory.texts]
    for file in (factory.path, *folder.glob("*.csv"), *named):
        with contextlib.suppress(FileNotFoundError):  # an editor puts the new one in place just now
            stamps[str(file)] = file.stat().st_mtime
    return stamps
