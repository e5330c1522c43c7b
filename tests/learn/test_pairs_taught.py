"""The comparison as an inspection of the house: learnt, held out, kept, and judged beside a golden
image."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.insight.vision.taught import load
from deungdae.learn.images import Example
from deungdae.learn.inspection import Lesson, Made, beside, scores, teach
from deungdae.learn.measure import auroc
from deungdae.learn.pairs.taught import Comparison, train

LESSON = Lesson(name="print", dataset="labels@1", seconds=60.0, false_reject=0.1)
Pixels = NDArray[np.uint8]


def label(bars: int) -> Pixels:
    """Return a right label: dark bars on light paper, as many as its product has."""
    pixels = np.full((96, 128, 3), 225, np.uint8)
    for left in range(12, 116, 104 // bars):
        pixels[16:80, left : left + 8] = 30
    return pixels


def examples(good: int, bad: int, seed: int = 0) -> list[Example]:
    """Return labels of three products, each a little off. On every one lies a speck of lint, which
    is no defect; on a bad one there is a blot between two bars also, or a gap in one."""
    random = np.random.default_rng(seed)
    found = []
    for n in range(good + bad):
        bars = (4, 6, 8)[n % 3]
        golden = label(bars)
        seen, mask = golden.copy(), np.zeros(golden.shape[:2], bool)
        x, y = random.integers(4, 120), random.integers(20, 64)
        seen[85:88, x : x + 3] = 30
        if n >= good:
            left = 12 + random.integers(1, 3) * (104 // bars)
            mask[y : y + 9, slice(left - 3, left) if n % 2 else slice(left, left + 8)] = True
            seen[mask] = 30 if n % 2 else 225
        off = n % 5 - 2
        found.append(
            Example(
                pixels=np.roll(seen, off, 1), bad=n >= good, group=f"L{n}", ref=str(n),
                mask=np.roll(mask, off, 1), golden=golden,
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def given() -> list[Example]:
    return examples(48, 48)


@pytest.fixture(scope="module")
def made(given: list[Example]) -> Made:
    return train(given, LESSON)


def test_labels_of_groups_not_seen_are_told_apart(made: Made, given: list[Example]) -> None:
    bad = np.array([each.bad for each in given])
    assert auroc(made.score, bad) > 0.97
    (trial,) = made.tried
    assert (trial.method, trial.auroc) == ("beside the golden image", auroc(made.score, bad))


def test_what_is_a_defect_is_learnt_from_verdicts_alone_too(given: list[Example]) -> None:
    bare = [msgspec.structs.replace(each, mask=None) for each in given]
    bad = np.array([each.bad for each in given])
    assert auroc(train(bare, LESSON).score, bad) > 0.97


def test_a_model_that_is_taught_and_read_again_finds_defects_beside_the_golden_image(
    given: list[Example],
) -> None:
    card, content = teach(LESSON, given, makers=(train,), load=load)
    assert card.metrics["auroc"].value > 0.97
    assert card.limits[0].startswith("At most 5.0% of the bad parts are accepted")
    judge = load(content)
    assert isinstance(judge, Comparison)
    good, bad = examples(1, 1, seed=5)
    assert beside(judge, good.golden).judge(good.pixels).score < card.accept
    found = beside(judge, bad.golden).judge(bad.pixels)
    assert found.score > card.reject
    assert found.heat.shape == (24, 32)
    assert float(found.heat.max()) == pytest.approx(found.score)
    assert bad.mask is not None
    rows, columns = np.nonzero(bad.mask)
    left, top, width, height = found.boxes[0]
    assert left <= columns.min() <= columns.max() < left + width
    assert top <= rows.min() <= rows.max() < top + height
    y, x = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert bad.mask[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].any()


def test_the_same_examples_teach_the_same(made: Made, given: list[Example]) -> None:
    again = train(given, LESSON)
    assert again.content == made.content
    assert np.array_equal(again.score, made.score)


def test_what_differs_nowhere_is_good(made: Made) -> None:
    found = load(made.content)
    (each,) = examples(1, 0)
    assert each.golden is not None
    judged = beside(found, each.golden).judge(each.golden)
    assert (judged.score, judged.boxes, judged.heat.max()) == (0.0, (), 0.0)


def test_without_a_golden_image_nothing_is_judged_and_nothing_passes(
    made: Made, given: list[Example]
) -> None:
    judge = load(made.content)
    with pytest.raises(NotEnoughData, match="none is said"):
        judge.judge(given[0].pixels)
    bare = [msgspec.structs.replace(each, golden=None) for each in given[:3]]
    assert scores(judge, bare).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(NotEnoughData, match="3 of 3 images have no golden image"):
        train(bare, LESSON)


def test_images_that_cannot_be_compared_do_not_pass(made: Made, given: list[Example]) -> None:
    odd = [msgspec.structs.replace(each, golden=255 - each.pixels) for each in given[:5]]
    there = train([*odd, *given[5:]], LESSON)
    assert there.score[:5].tolist() == [1.0] * 5
    assert there.said == ("5 images could not be compared",)
    small = msgspec.structs.replace(given[0], pixels=given[0].pixels[:64])
    with pytest.raises(ValueError, match="128×96 pixels and the other 128×64"):
        beside(load(made.content), small.golden).judge(small.pixels)


def test_too_little_teaches_nothing(given: list[Example]) -> None:
    with pytest.raises(NotEnoughData, match="9 of at least 10 bad parts"):
        train(given[:57], LESSON)
    good = [msgspec.structs.replace(each, bad=None) for each in given]
    with pytest.raises(NotEnoughData, match="0 of at least 10 bad parts"):
        train(good, LESSON)
    sure = [
        msgspec.structs.replace(each, pixels=each.golden) if not each.bad else each
        for each in given
        if each.golden is not None
    ]
    bare = [msgspec.structs.replace(each, mask=None) for each in sure]
    with pytest.raises(NotEnoughData, match="show good parts that differ, too"):
        train(bare, LESSON)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_damaged_file_is_refused(made: Made, part: float) -> None:
    with pytest.raises(ValueError, match=r"no model of a comparison|no inspection"):
        load(made.content[: int(len(made.content) * part)])
