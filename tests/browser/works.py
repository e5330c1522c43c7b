"""A brickworks whose machines tell what is written here, with its pages: `works.py FOLDER PORT`."""

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
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.types import HOUR, MINUTE, SECOND, Batch, Event, Finding
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model import factory as model
from deungdae.wires.blobs import Blobs

HEAT = {"heat": "3x2 00f08a", "corners": "4 4; 60 4; 60 36; 4 36"}  # of a small face
DENSITY = (2251.0, 2243.0, 2257.0, 2249.0, 2296.0, 2252.0, 2246.0, 2255.0)  # one beyond 2280


async def run(folder: Path, port: int) -> None:
    """Run the works until killed; print the link to its page when all is told."""
    factory, clock = model.read(folder), RealClock()
    history = folder / "history"
    with Historian(history) as store, Journal(history / "journal") as journal:
        runtime = Runtime(factory, store, Control(factory, journal, Live(), clock), clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run())
            await runtime.ready.wait()
            await tell(runtime, Blobs(folder / "images"))
            group.create_task(serve(runtime, WebOptions(port=port), history, _say, journal))


async def tell(runtime: Runtime, images: Blobs) -> None:
    """Let the machines tell their present and a little of their past."""
    now = runtime.clock.now()
    await runtime.intake.put(
        (
            state("press1", "running", now - 5 * MINUTE),
            state("press2", "down", now - 3 * MINUTE),
            state("kiln1", "starved", now - MINUTE),
            alarm("press2.hydraulics", now - 3 * MINUTE),
            *(part("press1", n, now - 3 * MINUTE + n * MINUTE) for n in range(3)),
        )
    )
    await runtime.intake.put(journey(now - 10 * SECOND))
    for n, density in enumerate(DENSITY):
        time = now - (len(DENSITY) - n) * SECOND
        await runtime.intake.put(samples(runtime, time, {"press1.density": density}))
    for time, energy in ((now - 30 * MINUTE, 10.0), (now, 25.0)):
        told = {"press1.energy": energy, "press2.energy": 2 * energy, "press1.power": 31.5}
        await runtime.intake.put(samples(runtime, time, told | {"press1.count": 481.0}))
    await runtime.intake.put(fired(runtime, now))
    reject = {"verdict": "reject", "kinds": "crack", "boxes": "10 10 20 12", **HEAT}
    found = [
        inspection(images, now - (3 - n) * SECOND, n, reject if n == 1 else {"verdict": "pass"})
        for n in range(3)
    ]
    shifts = [score(now - (4 - n) * 8 * HOUR, made) for n, made in enumerate((95, 102, 140))]
    runtime.intake.conclude([*found, *shifts])


def state(asset: str, word: str, time: int) -> Event:
    """Return the state of a machine since a time."""
    return Event(id=f"{asset}.state", time=time, kind="state", value=word, received=time)


def alarm(id: str, time: int) -> Event:
    """Return an alarm that holds since a time."""
    return Event(id=id, time=time, kind="alarm", value="1", received=time)


def part(asset: str, number: int, time: int) -> Event:
    """Return a finished part."""
    data = {"product": "part", "result": "good"}
    return Event(
        id=f"{asset}.part", time=time, kind="scan", value=f"B{number}", data=data, received=time
    )


def journey(since: int) -> tuple[Event, ...]:
    """Return a batch that becomes bricks, which ride a wagon, pass the camera and are packed.

    Not under `.part`: the twin would take them for its own.
    """

    def scan(id: str, code: str, seconds: int, **data: str) -> Event:
        time = since + seconds * SECOND
        return Event(id=id, time=time, kind="scan", value=code, data=data, received=time)

    bricks = [f"T-{n}" for n in range(1, 16)]
    pressed = {"lot": "M-7", "product": "straight", "result": "good", "order": "O-12"}
    return (
        scan("press2.lot", "M-7", 0, product="mass"),
        *(scan("press1.made", each, 5, **pressed, start=str(since + SECOND)) for each in bricks),
        scan("press1.made", "<img src=x onerror=alert(1)>", 5, lot="M-7"),
        *(scan("kiln1.made", each, 6, into="W-3") for each in bricks),
        scan("kiln1.wagon", "W-3", 7),
        scan("camera1.seen", "T-1", 8, result="scrap"),
        *(scan("camera1.seen", each, 8, result="good", into="P-4") for each in bricks[1:10]),
        scan("kiln1.pallet", "P-4", 9, to="한일제철"),
    )


def samples(runtime: Runtime, time: int, values: dict[str, float]) -> Batch:
    """Return one sample of each signal."""
    handles = [runtime.live.handles[id] for id in values]
    return Batch.of(handles, [time] * len(values), values.values(), received=time)


def fired(runtime: Runtime, now: int) -> Batch:
    """Return two days of a kiln's temperature, without 40 minutes, and bad for a minute."""
    ago = np.arange(48 * HOUR, 0, -30 * SECOND)
    ago = ago[(ago > 80 * MINUTE) | (ago <= 40 * MINUTE)]
    value = 1200 + 20 * np.sin(ago / HOUR)
    status = np.where((ago > 20 * MINUTE) & (ago <= 21 * MINUTE), 2, 0).astype(np.uint8)
    handle = np.full(len(ago), runtime.live.handles["kiln1.temperature"], np.int32)
    return Batch(handle, now - ago, value, status, now)


def inspection(images: Blobs, time: int, number: int, evidence: dict[str, str]) -> Finding:
    """Return what was found on an image of one colour."""
    content = io.BytesIO()
    Image.new("RGB", (64, 40), (150 + 20 * number, 110, 80)).save(content, "PNG")
    ref = images.put(content.getvalue())
    return Finding(
        origin="eye",
        asset="camera1",
        name="inspection",
        start=time,
        end=time,
        value=0.9 if "boxes" in evidence else 0.1,
        evidence={"serial": f"A-{number}", "image": ref, "threshold": "0.5", **evidence},
    )


def score(start: int, made: int) -> Finding:
    """Return the score of a forecast of a shift."""
    return Finding(
        origin="works",
        asset="line1",
        name="score",
        start=start,
        end=start + 8 * HOUR,
        value=4.0,
        evidence={"made": str(made), "expected": "100", "low": "90", "high": "110"},
    )


def _say(welcome: Welcome) -> None:
    print(welcome.link, flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
