"""Bricks judged by a model that was taught in better light: `watched.py FOLDER PORT`."""

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
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Event, Finding
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.insight.vision.labels import event
from deungdae.learn.compare import Contest, Tally
from deungdae.learn.drift import Window, look
from deungdae.learn.measure import Interval
from deungdae.learn.registry import Card, Move, Promised, Stage
from deungdae.model import factory as model
from deungdae.sim.scene import brick
from deungdae.wires.blobs import Blobs

LIMITS = {"accept": 0.4, "reject": 0.6}
FIRST, NOW = 100, 60  # parts: the model's first ones, and those of the last minutes
DARK = 30  # of NOW: from this one on the lamp is dim
REJECTED, DRAWN = 10, 4  # every so many


async def run(folder: Path, port: int) -> None:
    """Run the factory until killed; print the link to its page when all is told."""
    factory, clock = model.read(folder), RealClock()
    history = folder / "history"
    models, images = Models(history / "models"), Blobs(folder / "images")
    bricks = seen()
    acting = taught(models, bricks, clock.now())
    with Historian(history) as store, Journal(history / "journal") as journal:
        control = Control(factory, journal, Live(), clock)
        runtime = Runtime(factory, store, control, clock, models=models)
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run())
            await runtime.ready.wait()
            store.append(judged(acting, bricks, images, clock.now()))
            group.create_task(serve(runtime, WebOptions(port=port), history, _say, journal))


def seen() -> list[np.ndarray]:
    """Return images of good bricks."""
    random = np.random.default_rng(1)
    return [brick(random, size=(60, 80)).pixels for _ in range(FIRST)]


def taught(models: Models, bricks: list[np.ndarray], now: int) -> Card:
    """Keep a model that advises, a newer one that watches, one that knows no bad brick, and for
    another inspection one that has judged nothing yet; return the first."""
    looks = [look(each) for each in bricks]
    scores = np.random.default_rng(2).normal(0.1, 0.03, FIRST)
    window = Window.of(
        {**{key: [each[key] for each in looks] for key in looks[0]}, "score": scores}
    )
    bare = card("eye", now - 5 * DAY, bad=0, held_bad=0)
    first = card("eye", now - 4 * DAY, window=window, metrics=metrics(0.05))
    one = models.add(first, b"first")
    against = Contest(
        against=one.version,
        new=tally(asked=7), old=tally(asked=3),
        saved=Interval(-0.01, -0.02, 0.0), verdict="worse",
    )  # fmt: skip
    other = card("eye", now - HOUR, held_bad=3, metrics=metrics(0.4), compared=against)
    for each, content, stage in ((bare, b"bare", "shadow"), (one, b"first", "advise"),
                                 (other, b"other", "shadow")):  # fmt: skip
        move(models, models.add(each, content), stage)
    move(models, models.add(card("ear", now - HOUR), b"ear"), "advise")
    return one


def card(name: str, trained: int, **changes: object) -> Card:
    """Return the card of a model."""
    known: dict[str, object] = {
        "content": "", "method": "marks of bricks", "dataset": f"{name}@1", "images": 120,
        "groups": 120, "bad": 30, "held_out": 40, "held_bad": 10, "seed": 1, "seconds": 60.0,
        "escape": 0.05, "false_reject": 0.05, "limits": ("on 2 images no brick was seen",),
        "promised": Promised(escape=None, false_reject=0.083),
        **LIMITS,
    }  # fmt: skip
    return Card(name=name, trained=trained, **(known | changes))  # type: ignore[arg-type]


def metrics(escape: float) -> dict[str, Interval]:
    """Return figures of a model."""
    return {
        "auroc": Interval(0.97, 0.9, 0.99),
        "escape": Interval(escape, escape / 2, min(1.0, 2 * escape)),
        "false_reject": Interval(0.02, 0.0, 0.07),
        "automatic": Interval(0.9, 0.8, 0.95),
    }


def tally(asked: int) -> Tally:
    """Return what a model did with the same parts."""
    return Tally(good=30, bad=3, escaped=1, falsely_rejected=0, asked=asked, cost=0.1)


def move(models: Models, card: Card, stage: str) -> None:
    """Set a version to a stage."""
    step: Stage = "advise" if stage == "advise" else "shadow"
    models.move(card.name, Move(version=card.version, stage=step, person="kim", time=card.trained))


def judged(card: Card, bricks: list[np.ndarray], images: Blobs, now: int) -> list[Event | Finding]:
    """Return what the model said of the bricks, and what people said of those drawn by chance.

    Nobody has looked at the newest of the drawn, which passed.
    """
    random = np.random.default_rng(3)
    found: list[Event | Finding] = []
    for n in range(FIRST + NOW):
        late = n - FIRST
        time = now - 4 * DAY + (n + 1) * SECOND if late < 0 else now - MINUTE + late * SECOND
        bad = n % REJECTED == 5
        evidence = {
            "image": kept(images, bricks[late], late >= DARK) if late >= 0 else f"gone{n}",
            "serial": f"B{n}",
            "verdict": "reject" if bad else "pass",
            "model": f"eye {card.version}", "stage": "advise", "accept": "0.4", "threshold": "0.6",
        }  # fmt: skip
        drawn = late >= 0 and n % DRAWN == 0
        if drawn:
            evidence["drawn"] = "25 %"
        finding = Finding(
            origin="eye", asset="camera1", name="inspection", start=time, end=time,
            value=0.9 if bad else float(random.normal(0.1, 0.03)), severity=2 if bad else 0,
            evidence=evidence,
        )  # fmt: skip
        found.append(finding)
        if (drawn and late < NOW - DRAWN) or (bad and late >= 0):
            said = "reject" if bad else "good"
            found.append(event("camera1.image", finding, said, "kim", time + SECOND))
    return found


def kept(images: Blobs, pixels: np.ndarray, dark: bool) -> str:
    """Return the reference of an image that is kept, as a dim lamp shows it."""
    file = io.BytesIO()
    Image.fromarray((pixels * (0.4 if dark else 1.0)).astype(np.uint8)).save(file, "PNG")
    return images.put(file.getvalue())


def _say(welcome: Welcome) -> None:
    print(welcome.link, flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
