"""A factory that asks people: its gate waits for them, its alarms are told by a file.

`ask.py FOLDER PORT`; each line of FOLDER/alarms.jsonl is told as it is written.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from deungdae.app import describe
from deungdae.app.api import Welcome, serve
from deungdae.app.auth import WebOptions
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.types import Event
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian


class Word(msgspec.Struct):
    """What a source says of one of its alarms."""

    id: str
    value: str = "active"
    data: dict[str, str] = {}


async def run(folder: Path, port: int) -> None:
    """Run the factory of a folder until killed; print the link to its page."""
    factory, clock = describe.read(folder), RealClock()
    history = folder / "history"
    with Historian(history) as store, Journal(history / "journal") as journal:
        runtime = Runtime(factory, store, Control(factory, journal, Live(), clock), clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run())
            await runtime.ready.wait()
            group.create_task(tell(runtime, folder / "alarms.jsonl"))
            group.create_task(serve(runtime, WebOptions(port=port), history, _say, journal))


async def tell(runtime: Runtime, file: Path) -> None:
    """Tell the alarms that are written into a file, as they are."""
    place = 0
    while True:
        lines = file.read_bytes()[place:] if file.exists() else b""
        whole = lines[: lines.rfind(b"\n") + 1]
        place += len(whole)
        words = [msgspec.json.decode(line, type=Word) for line in whole.splitlines()]
        now = runtime.clock.now()
        if words:
            events = (
                Event(id=w.id, time=now, kind="alarm", value=w.value, data=w.data, received=now)
                for w in words
            )
            await runtime.intake.put(tuple(events))
        await asyncio.sleep(0.05)


def _say(welcome: Welcome) -> None:
    print(welcome.link, flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
