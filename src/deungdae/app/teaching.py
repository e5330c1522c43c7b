"""Teaches an inspection from what it saw on its own line, and what people said of that."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deungdae.app.datasets import Shelf
from deungdae.app.datasets.make import Line, from_line
from deungdae.core.clock import to_iso
from deungdae.core.errors import BadReply, DeungdaeError, NotEnoughData, StoreError
from deungdae.core.ports import Appointed
from deungdae.core.types import DAY
from deungdae.learn.compare import PASS, REJECT, UNSURE, Costs, compare, verdicts
from deungdae.learn.dataset import Dataset, Declaration, Item, Pictures
from deungdae.learn.inspection import Lesson, is_held_out, networks, scores, teach
from deungdae.learn.registry import Card
from deungdae.wires.pixels import decoded

from .offspring import end_with_parent

log = logging.getLogger("deungdae.teaching")

REACH = 90 * DAY  # how far back people's labels are taken from
RECENT = 7 * DAY  # and images of which nobody but the inspection said anything
NEWEST = 600  # of those; more cost time and teach little
SAID = {"good": PASS, "reject": REJECT}
Tell = Callable[[str, float], None]


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A training. shelf: folder of the sets, of which each has its name@version.

    acting: the model that judges now, which the new one is measured against; None: what judged
    when the images were taken is. golden: file of the image of a right part, for an inspection that
    compares with one.
    """

    lesson: Lesson
    shelf: Path
    sets: tuple[str, ...]
    acting: Appointed | None = None
    costs: Costs = Costs()
    golden: bytes = b""


def cut(shelf: Shelf, line: Line, name: str, signal: str, who: str) -> tuple[str, ...]:
    """Cut what an inspection of a signal's images can learn from now; return the sets' names.

    All that people labelled, and the newest images beside. Raises NotEnoughData, StoreError.
    """
    now = shelf.clock.now()
    declared = [
        Declaration(
            name=f"{name}-labelled",
            pictures=Pictures(
                signals=(signal,), since=to_iso(now - REACH), labels="people", only_labelled=True
            ),
        ),
        Declaration(
            name=f"{name}-recent",
            pictures=Pictures(signals=(signal,), since=to_iso(now - RECENT), labels="both"),
            limit=NEWEST,
        ),
    ]
    found = []
    for each in declared:
        try:
            found.append(from_line(shelf, each, line, who).card.id)
        except NotEnoughData:
            if each is declared[-1]:  # while nobody has labelled anything, the newest will do
                raise
    return tuple(found)


def tidy(shelf: Shelf, name: str, cards: Sequence[Card], who: str) -> None:
    """Drop the sets of newest images that no model learnt from: each is as large as the next."""
    kept = {each for card in cards for each in card.dataset.split(", ")}
    for each in shelf.cards(f"{name}-recent"):
        if each.id not in kept:
            shelf.drop(each, who)


def is_bad(item: Item) -> bool | None:
    """Return whether a part is bad, as far as somebody knows.

    What a person says holds; of what nobody looked at, what passed counts as good, and of what was
    rejected nobody knows.
    """
    if item.source == "inspection" and item.label != "good":
        return None
    return None if not item.label else item.label != "good"


async def attend(course: Course, tell: Tell) -> tuple[Card, bytes]:
    """Return the card, unsigned, and the file of a new model, trained in a process of its own.

    tell: called with what is being done and the share of it that is done. Cancelled, the process
    ends. Raises NotEnoughData, and DoorError where the process ended by itself.
    """
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_sit, args=(its, course), name="teaching", daemon=True)
    process.start()
    its.close()
    loop = asyncio.get_running_loop()
    try:
        while True:
            first, second = await loop.run_in_executor(None, _next, mine)
            if isinstance(first, Card):
                return first, second
            if second is None:
                raise NotEnoughData(first)
            tell(first, second)
    finally:
        process.terminate()
        process.join(5)
        mine.close()


def taught(course: Course, tell: Tell) -> tuple[Card, bytes]:
    """Return what `attend` returns, trained in this process."""
    from deungdae.insight.vision import taught as bricks  # noqa: PLC0415 — as late as what it needs
    from deungdae.learn.images import Example  # noqa: PLC0415 — as above

    lesson, acting = course.lesson, course.acting
    golden = decoded(course.golden) if course.golden else None
    items, examples = [], []
    shelf = Shelf(course.shelf)
    for item in _items(shelf.get(each) for each in course.sets):
        try:
            pixels = decoded(shelf.content(item.ref))
        except (LookupError, ValueError, StoreError) as error:
            log.warning("state=left_out image=%s %s", item.name, error)
            continue
        items.append(item)
        examples.append(
            Example(
                pixels=pixels, bad=is_bad(item), group=item.group, ref=item.name, time=item.time,
                golden=golden,
            )
        )  # fmt: skip
    begun = time.monotonic()
    on_time = partial(networks, used=lambda: (time.monotonic() - begun) / lesson.seconds)
    makers = bricks.makers(examples, on_time)
    card, content = teach(lesson, examples, tell, makers=makers, load=bricks.load)
    held = [
        n for n, each in enumerate(examples) if each.bad is not None and is_held_out(each.group)
    ]
    by_people = [n for n in held if items[n].source == "person"]
    said = (
        f"{len(by_people)} of {len(held)} held-out parts were looked at by people; of the others "
        "the inspection's own word is taken"
    )
    card = msgspec.structs.replace(card, limits=(*card.limits, said))
    # what judged without a model said so itself of what nobody looked at: of that it is no judge
    fair = held if acting is not None else by_people
    judged = [examples[n] for n in fair]
    score = scores(bricks.load(content), judged)
    if acting is not None:
        before = scores(bricks.load(acting.content), judged)
        old = verdicts(before, acting.accept, acting.reject)
    else:
        old = np.array([_said_then(items[n], lesson.name) for n in fair], np.int8)
    try:
        compared = compare(
            verdicts(score, card.accept, card.reject),
            old,
            np.array([bool(each.bad) for each in judged], np.bool_),
            [each.group for each in judged],
            against=acting.version if acting is not None else "",
            costs=course.costs,
            random=np.random.default_rng(lesson.seed),
        )
    except NotEnoughData as error:
        said = f"not compared with what judges now: {error}"
        return msgspec.structs.replace(card, limits=(*card.limits, said)), content
    return msgspec.structs.replace(card, compared=compared), content


def _items(sets: Iterable[Dataset]) -> list[Item]:
    """Return each image of the sets once; what the first set says of it holds."""
    found: dict[str, Item] = {}
    for each in sets:
        for item in each.items:
            found.setdefault(item.ref, item)
    return list(found.values())


def _said_then(item: Item, origin: str) -> int:
    """Return what the inspection said when it saw the part."""
    own = [each.label for each in item.labels if each.source == "inspection" and each.who == origin]
    return SAID.get(own[-1], UNSURE) if own else UNSURE


def _next(wire: Connection) -> Any:
    try:
        return wire.recv()
    except EOFError as error:
        remedy = "look into the log; with little memory give it less time"
        raise BadReply("the process that trains has ended", remedy=remedy) from error


def _sit(wire: Connection, course: Course) -> None:
    """Train: the one function that the other process runs."""
    end_with_parent()
    os.nice(10)  # what runs the factory goes first
    try:
        wire.send(taught(course, lambda what, share: wire.send((what, share))))
    except DeungdaeError as error:
        wire.send((str(error), None))
