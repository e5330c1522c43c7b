"""What field tests of virtual machines use: a whole factory over real wires, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app import describe
from deungdae.app.control import Control
from deungdae.app.live import Live, Reading
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.ports import Health, Samples
from deungdae.core.types import Event
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian

WITHIN = 20.0


class House:
    """A factory that runs: its doors, its virtual machines and its history."""

    def __init__(self, runtime: Runtime, store: Historian) -> None:
        self.runtime = runtime
        self.store = store
        self.clock = runtime.clock

    def virtual(self, name: str) -> Any:
        """Return the virtual machine of that table."""
        return self.runtime.bridges[name]

    def health(self, name: str) -> Health:
        """Return how the door of that table is doing."""
        return self.runtime.doors[name].health

    def reading(self, id: str) -> Reading | None:
        """Return the newest value of a signal."""
        return self.runtime.live.reading(id)

    def samples(self, id: str, since: int = 0) -> Samples:
        """Return the history of a signal from a moment on."""
        return self.store.query([id], since, 2**62)[id]

    def events(self, id: str, since: int = 0) -> list[Event]:
        """Return the events of a signal from a moment on."""
        return self.store.events(since, 2**62, ids=[id])

    async def until(self, done: Callable[[], bool], within: float = WITHIN) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(within):
            while not done():
                await asyncio.sleep(0.02)

    async def good(self, id: str, since: int | None = None) -> None:
        """Wait for a good value of a signal that is younger than a moment; None: than now."""
        began = self.clock.now() if since is None else since

        def come() -> bool:
            samples = self.samples(id, began)
            return bool(np.any(samples.status & 3 == 0))

        await self.until(come)


@pytest.fixture
def house(tmp_path: Path) -> Callable[[str], AbstractAsyncContextManager[House]]:
    """Return a context manager that runs a factory.toml until it is left."""

    @asynccontextmanager
    async def run(text: str) -> AsyncIterator[House]:
        (tmp_path / "factory.toml").write_text(text)
        factory, clock = describe.read(tmp_path), RealClock()
        folder = tmp_path / "history"
        with Historian(folder, clock=clock) as store, Journal(folder / "journal", clock) as journal:
            runtime = Runtime(factory, store, Control(factory, journal, Live(), clock), clock)
            task = asyncio.create_task(runtime.run())
            try:
                async with asyncio.timeout(WITHIN):
                    await runtime.ready.wait()
                yield House(runtime, store)
                assert not task.done(), "the factory ended by itself"
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    return run
