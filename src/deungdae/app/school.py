"""Teaches a model from what a factory's own inspection saw and what people said of it."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal

import msgspec
import numpy as np

from deungdae.core.errors import BadReply, DeungdaeError, NotEnoughData, StoreError
from deungdae.core.ports import Appointed, Store
from deungdae.core.types import DAY, HOUR
from deungdae.insight.vision.labels import LABEL, labels
from deungdae.learn.compare import PASS, REJECT, UNSURE, Costs, compare, verdicts
from deungdae.learn.inspection import Lesson, is_held_out, scores, teach
from deungdae.learn.registry import Card
from deungdae.model.factory import Factory
from deungdae.wires.pixels import decoded

from .album import Album
from .offspring import end_with_parent

log = logging.getLogger("deungdae.school")

REACH = 90 * DAY  # how far back people's labels are taken from
RECENT = 7 * DAY  # and what nobody looked at
PASSES = 600  # parts that the inspection passed and nobody looked at; the newest
LEAST = 20  # parts below which there is nothing to learn from
WORDS = {"pass": PASS, "reject": REJECT}
Tell = Callable[[str, float], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An image to learn from. by: who says whether it is bad; said: what the inspection said.

    A part that the inspection passed and nobody looked at counts as good.
    """

    ref: str
    group: str
    bad: bool = False
    by: Literal["person", "inspection"]
    said: str


def gather(store: Store, origin: str, signal: str, now: int) -> list[Part]:
    """Return what the inspection `origin` of a signal's images can learn from now.

    All that people labelled, and of the others the newest that it passed. What it rejected and
    nobody looked at is left out: nobody knows what that is. Raises NotEnoughData.
    """
    said = labels(store.events(now - REACH, now + 1, ids=[f"{signal}.{LABEL}"]))
    found: dict[str, Part] = {}
    start = now
    while start > now - RECENT and len(found) < PASSES:
        end, start = start, start - HOUR
        for each in reversed(store.findings(start, end, origin=origin, name="inspection")):
            ref, verdict = each.evidence.get("image", ""), each.evidence.get("verdict", "")
            if ref and ref not in said and verdict == "pass" and len(found) < PASSES:
                serial = each.evidence.get("serial", "")
                found[ref] = Part(ref=ref, group=serial or ref, by="inspection", said=verdict)
    for ref, label in said.items():
        bad = label.verdict == "reject"
        group = label.serial or ref
        found[ref] = Part(ref=ref, group=group, bad=bad, by="person", said=label.said)
    if len(found) < LEAST:
        raise NotEnoughData(f"{len(found)} of at least {LEAST} inspected parts to learn from")
    return list(found.values())


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A training. acting: the model that judges now, which the new one is measured against."""

    lesson: Lesson
    parts: tuple[Part, ...]
    factory: Factory
    acting: Appointed | None = None
    costs: Costs = Costs()


async def attend(course: Course, tell: Tell) -> tuple[Card, bytes]:
    """Return the card, unsigned, and the file of a new model, trained in a process of its own.

    tell: called with what is being done and the share of it that is done. Cancelled, the process
    ends. Raises NotEnoughData, and DoorError where the process ended by itself.
    """
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_sit, args=(its, course), name="school", daemon=True)
    process.start()
    its.close()
    loop = asyncio.get_running_loop()
    try:
        while True:
            # a thread of its own: nobody else shall wait for this one
            told = await loop.run_in_executor(None, _next, mine)
            if isinstance(told, str):
                raise NotEnoughData(told)
            first, second = told
            if isinstance(first, Card):
                return first, second
            tell(first, second)
    finally:
        process.terminate()
        process.join(5)
        mine.close()


def _next(wire: Connection) -> Any:
    try:
        return wire.recv()
    except EOFError as error:
        remedy = "look into the log; with little memory give it fewer images or less time"
        raise BadReply("the process that trains has ended", remedy=remedy) from error


def _sit(wire: Connection, course: Course) -> None:
    """Train: the one function that the other process runs."""
    end_with_parent()
    os.nice(10)  # what runs the factory goes first
    try:
        wire.send(taught(course, lambda what, share: wire.send((what, share))))
    except DeungdaeError as error:
        wire.send(str(error))


def taught(course: Course, tell: Tell) -> tuple[Card, bytes]:
    """Return what `attend` returns, trained in this process."""
    from deungdae.learn.images import Example, Inspector  # noqa: PLC0415 — PyTorch

    lesson, acting = course.lesson, course.acting
    album = Album(course.factory)
    examples, kept = [], []
    for part in course.parts:
        try:
            pixels = decoded(album.content(part.ref))
        except (LookupError, ValueError, StoreError) as error:
            log.warning("state=left_out image=%s %s", part.ref, error)
            continue
        kept.append(part)
        examples.append(Example(pixels=pixels, bad=part.bad, group=part.group, ref=part.ref))
    card, content = teach(lesson, examples, tell)
    held = [n for n, part in enumerate(kept) if is_held_out(part.group)]
    by_people = sum(kept[n].by == "person" for n in held)
    said = f"{by_people} of {len(held)} held-out parts were looked at by people; of the others the "
    said += "inspection's own word is taken"
    card = msgspec.structs.replace(card, limits=(*card.limits, said))
    judged = [examples[n] for n in held]
    score = scores(Inspector.load(content), judged)
    if acting is not None:
        before = scores(Inspector.load(acting.content), judged)
        old = verdicts(before, acting.accept, acting.reject)
    else:
        old = np.array([WORDS.get(kept[n].said, UNSURE) for n in held], np.int8)
    try:
        compared = compare(
            verdicts(score, card.accept, card.reject),
            old,
            np.array([kept[n].bad for n in held], np.bool_),
            [kept[n].group for n in held],
            against=acting.version if acting is not None else "",
            costs=course.costs,
            random=np.random.default_rng(lesson.seed),
        )
    except NotEnoughData as error:
        return msgspec.structs.replace(card, limits=(*card.limits, str(error))), content
    return msgspec.structs.replace(card, compared=compared), content
