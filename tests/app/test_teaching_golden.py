"""What people said of parts on the line teaches a comparison with the golden image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deungdae.app.datasets import Shelf
from deungdae.app.teaching import Course, taught
from deungdae.core.ports import Appointed
from deungdae.insight.vision.taught import load
from deungdae.learn.dataset import Dataset, Item
from deungdae.learn.inspection import Lesson, beside

PARTS = 80  # every other one rejected


def sheet() -> NDArray[np.uint8]:
    pixels = np.full((72, 96, 3), 225, np.uint8)
    for left in range(6, 90, 28):
        pixels[8:64, left : left + 6] = 30
    return pixels


def file(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def seen(random: np.random.Generator, bad: bool) -> NDArray[np.uint8]:
    """Return a sheet with dust on it, which does no harm, and where it is bad with a gap."""
    pixels = sheet()
    x, y = random.integers(4, 88), random.integers(12, 50)
    pixels[66:69, x : x + 3] = 30
    if bad:
        pixels[y : y + 7, 34:40] = 225
    return pixels


@pytest.fixture
def course(tmp_path: Path) -> Course:
    shelf, random = Shelf(tmp_path), np.random.default_rng(2)
    items = [
        Item(ref=shelf.put(file(seen(random, bool(n % 2)))), name=f"P{n}", group=f"P{n}",
             label="reject" if n % 2 else "good", source="person", time=1 + n)
        for n in range(PARTS)
    ]  # fmt: skip
    kept = shelf.keep(Dataset.of("print-labelled", items), "kim", "built")
    lesson = Lesson(name="print", dataset=kept.card.id, seconds=60.0, false_reject=0.1)
    return Course(lesson=lesson, shelf=tmp_path, sets=(kept.card.id,), golden=file(sheet()))


def test_verdicts_teach_it_and_the_next_is_compared_with_it(course: Course) -> None:
    told: list[str] = []
    card, content = taught(course, lambda what, share: told.append(what))
    assert card.method == "beside the golden image"
    assert set(told) == {"beside the golden image"}  # nothing slower was needed
    assert card.metrics["auroc"].value > 0.95
    random = np.random.default_rng(9)
    judge = beside(load(content), sheet())
    good, bad = (judge.judge(seen(random, each)).score for each in (False, True))
    assert good < bad
    acting = Appointed("print", "a1", "advise", card.accept, card.reject, content)
    again, _ = taught(
        Course(lesson=course.lesson, shelf=course.shelf, sets=course.sets, acting=acting,
               golden=course.golden),
        lambda what, share: None,
    )  # fmt: skip
    assert again.compared is not None
    assert (again.compared.against, again.compared.verdict) == ("a1", "not worse")
