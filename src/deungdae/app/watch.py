"""Finds what a trained inspection did lately, and at which images it looked, to tell its drift."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.core.ports import Store
from deungdae.core.types import DAY
from deungdae.insight.vision.labels import LABEL, labels
from deungdae.insight.vision.watch import (
    FIRST,
    Notice,
    Seen,
    Watched,
    compare,
    seen,
    spread,
    watch,
)
from deungdae.learn.drift import Change, look
from deungdae.learn.inspection import LOOKS, SCORE, Judge
from deungdae.learn.registry import Card
from deungdae.wires.pixels import decoded

log = logging.getLogger("deungdae.watch")

SAMPLE = 200  # images that are compared, at most
REACH = 7  # days after its training in which a model's first parts are looked for
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def watched(
    store: Store,
    content: Callable[[str], bytes],
    card: Card,
    signal: str,
    start: int,
    end: int,
    *,
    sample: int = SAMPLE,
) -> Watched:
    """Return how a model fared in [start, end), ns, on the images of a signal.

    content: the bytes of an image by its reference, as app.album has them.
    Raises NotEnoughData, StoreError.
    """
    begin = max(start, min(card.trained, end))  # before it was made it said nothing
    found = store.findings(begin, end, origin=card.name, name="inspection")
    first = _first(store, card, end)
    born = first[-1].time if len(first) == FIRST else start - 1
    now = [each for each in seen(found, card.version) if each.time > born]
    said = labels(store.events(begin, end, ids=[f"{signal}.{LABEL}"]))
    looks = {}
    for each in spread(now, sample):
        try:
            looks[each.ref] = look(decoded(content(each.ref)))
        except (LookupError, ValueError, StoreError) as error:
            log.info("state=left_out image=%s %s", each.ref, error)
    return watch(card, first, now, looks, said)


def of_folder(
    card: Card, judge: Judge, folder: Path
) -> tuple[int, tuple[Change, ...], list[Notice]]:
    """Return how many images of a folder a model was asked of, how they differ from what it learnt
    from, and what is to be told of it. Raises NotEnoughData."""
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in ENDINGS)
    rows, names = [], []
    for file in files:
        try:
            pixels = decoded(file.read_bytes())
            rows.append({**look(pixels), SCORE: _score(judge, pixels)})
        except (OSError, ValueError) as error:
            log.warning("state=left_out image=%s %s", file, error)
            continue
        names.append(str(file))
    table = {name: np.array([row[name] for row in rows]) for name in (*LOOKS, SCORE)}
    return len(rows), *compare(card.window, table, names)


def _score(judge: Judge, pixels: np.ndarray) -> float:
    try:
        return judge.judge(pixels).score
    except NotEnoughData:
        return float("nan")


def _first(store: Store, card: Card, end: int) -> list[Seen]:
    """Return the first parts that a model judged since it was made, FIRST at most."""
    found: list[Seen] = []
    for day in range(REACH):
        begin = card.trained + day * DAY
        if begin >= end or len(found) >= FIRST:
            break
        told = store.findings(begin, min(begin + DAY, end), origin=card.name, name="inspection")
        found += seen(told, card.version)
    return found[:FIRST]
