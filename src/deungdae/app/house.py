"""Puts one process together: history, journal, control, runtime and pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from deungdae.core.clock import Clock, RealClock
from deungdae.core.errors import FactoryError
from deungdae.core.types import DAY
from deungdae.decide.gate import State
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model.factory import Factory

from . import api, describe
from .control import Control
from .live import Live
from .runtime import Runtime

log = logging.getLogger("deungdae.house")

WATCH = 2.0  # s between looks at the factory file
REMEMBER = 400 * DAY  # how far back the journal is searched for what the gate remembered


class House:
    """One running process of a factory."""

    def __init__(self, factory: Factory, clock: Clock | None = None) -> None:
        self.factory = factory
        self.clock = clock or RealClock()
        self.announce: Callable[[str], None] = lambda _: None
        self._changed = asyncio.Event()
        self._seen = _stamps(factory.path)

    def look(self) -> None:
        """Load the description anew now."""
        self._seen = {}
        self._changed.set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._opened() as (runtime, journal), asyncio.TaskGroup() as group:
            group.create_task(runtime.run(), name="runtime")
            await runtime.ready.wait()
            options = self.factory.sections["app"]
            group.create_task(
                api.serve(runtime, options, self._folder, self.announce, journal), name="api"
            )
            group.create_task(self._watch(runtime), name="watch")

    @property
    def _folder(self) -> Path:
        """Return the folder of the history."""
        return self.factory.path.parent / str(self.factory.sections["historian"].path)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Runtime, Journal]]:
        async with AsyncExitStack() as stack:
            options = self.factory.sections["historian"]
            store = stack.enter_context(Historian(self._folder, options, self.clock))
            journal = stack.enter_context(Journal(self._folder / "journal", self.clock))
            control = Control(self.factory, journal, Live(), self.clock)
            restore(control, journal, self.clock.now())
            yield Runtime(self.factory, store, control, self.clock), journal

    async def _watch(self, runtime: Runtime) -> None:
        """Load the description anew when its files change; an invalid one changes nothing."""
        while True:
            try:
                async with asyncio.timeout(WATCH):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            stamps = _stamps(self.factory.path)
            if stamps != self._seen:
                self._seen = stamps
                await self._reload(runtime)

    async def _reload(self, runtime: Runtime) -> None:
        try:
            factory = await self.clock.call(describe.read, self.factory.path)
        except FactoryError as error:
            log.error("state=kept the changed description is invalid:\n%s", error)
            return
        await runtime.reload(factory)
        self.factory = factory


def restore(control: Control, journal: Journal, now: int) -> None:
    """Let the gate remember what a person last did to it: kill switch, mode, held signals."""
    entries = [entry for entry in journal.read(now - REMEMBER, now + DAY) if "gate" in entry.data]
    if entries:
        control.restore(msgspec.convert(entries[-1].data["gate"], State))


def _stamps(path: Path) -> dict[str, float]:
    """Return when each file of the description was last changed."""
    files = [path, *path.parent.glob("*.csv")]
    return {str(file): file.stat().st_mtime for file in files if file.exists()}
