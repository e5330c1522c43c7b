"""A camera that saw bricks, good and bad, of which people said most: `eye.py FOLDER PORT`."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from deungdae.app.api import Welcome, serve
from deungdae.app.auth import WebOptions
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.models import Models
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.types import MINUTE, SECOND, Event, Finding
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.insight.vision.labels import event
from deungdae.model import factory as model
from deungdae.sim.scene import Defect, brick
from deungdae.wires.blobs import Blobs

KINDS = ("colour", "crack")  # easily told, so that a training takes seconds
GOOD, LOOKED, BAD = 75, 50, 34
OPEN = 2  # bad ones of which nobody has said anything yet


async def run(folder: Path, port: int) -> None:
    """Run the factory until killed; print the link to its page when all is told."""
    factory, clock = model.read(folder), RealClock()
    history = folder / "history"
    with Historian(history) as store, Journal(history / "journal") as journal:
        control = Control(factory, journal, Live(), clock)
        runtime = Runtime(factory, store, control, clock, models=Models(history / "models"))
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run())
            await runtime.ready.wait()
            store.append(seen(Blobs(folder / "images"), clock.now()))
            group.create_task(serve(runtime, WebOptions(port=port), history, _say, journal))


def seen(images: Blobs, now: int) -> list[Event | Finding]:
    """Return what the camera saw, what was judged, and what people said of it.

    Every third bad brick had passed; of the two that came last nobody has said anything.
    """
    random = np.random.default_rng(1)
    found: list[Event | Finding] = []
    for n in range(GOOD + BAD):
        bad = n >= GOOD
        flaws = [Defect(kind=KINDS[n % len(KINDS)], severity=1.0)] if bad else []
        file = io.BytesIO()
        Image.fromarray(brick(random, defects=flaws, size=(120, 160)).pixels).save(file, "PNG")
        time, serial = now - MINUTE + n * SECOND // 2, f"B{n}"
        taken = Event(
            id="camera1.image", time=time, kind="image", value=images.put(file.getvalue()),
            received=time, data={"serial": serial},
        )  # fmt: skip
        judged = inspection(taken, "reject" if bad and n % 3 else "pass")
        found += [taken, judged]
        if n < LOOKED or GOOD <= n < GOOD + BAD - OPEN:
            said = "reject" if bad else "good"
            found.append(event("camera1.image", judged, said, "kim", time + SECOND))
    return found


def inspection(taken: Event, verdict: str) -> Finding:
    """Return what was said of an image."""
    return Finding(
        origin="eye",
        asset="camera1",
        name="inspection",
        start=taken.time,
        end=taken.time,
        value=1.0 if verdict == "pass" else 2.5,
        severity=0 if verdict == "pass" else 2,
        evidence={
            "image": taken.value,
            "serial": taken.data["serial"],
            "verdict": verdict,
            "threshold": "1.97",
        },
    )


def _say(welcome: Welcome) -> None:
    print(welcome.link, flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
