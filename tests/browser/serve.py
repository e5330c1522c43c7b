"""A small factory with its page, as a process of its own: `serve.py FOLDER PORT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from deungdae.app.api import Welcome, serve
from deungdae.app.auth import WebOptions
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model import factory as model


async def run(folder: Path, port: int) -> None:
    """Run the factory of a folder until killed; print the link to its page."""
    factory, clock = model.read(folder), RealClock()
    history = folder / "history"
    with Historian(history) as store, Journal(history / "journal") as journal:
        runtime = Runtime(factory, store, Control(factory, journal, Live(), clock), clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run())
            await runtime.ready.wait()
            options = WebOptions(port=port)
            group.create_task(serve(runtime, options, history, _say, journal))


def _say(welcome: Welcome) -> None:
    print(welcome.link, flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
