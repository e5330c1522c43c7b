"""The comparison with a golden image as a way of learning an inspection.

The file is the comparison's own and holds no golden image: that is the product's, and may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.learn.inspection import Lesson, Made, Progress
from deungdae.learn.measure import auroc
from deungdae.learn.registry import Trial
from deungdae.learn.split import folds

from .comparer import FORM, Comparer, boxed
from .places import Place, places
from .tones import Mask, Pixels
from .train import Pair, learnt, marked

if TYPE_CHECKING:
    from deungdae.learn.images import Example, Judgement

FOLDS = 4
LEAST = 10  # bad parts below which nothing is learnt
COMPARED = 0.9  # share of the images that can be compared with a golden one
SHRUNK = 4  # pixels of the image along a cell of a heat map
BOXES = 8  # that are told; a wrong part would have hundreds
METHOD = "beside the golden image"
KIND = "defect"


class Comparison:
    """A trained comparison at work. Judges images, as learn.inspection.Compares.

    The score of a part is that of the place that most surely is a defect; 0 where nothing differs.
    """

    def __init__(self, comparer: Comparer, golden: Pixels | None = None) -> None:
        self.comparer = comparer
        self._golden = golden

    def beside(self, golden: Pixels) -> Comparison:
        """Return what judges parts beside this image of a right one."""
        return Comparison(self.comparer, golden)

    def judge(self, pixels: Pixels) -> Judgement:
        """Return what it says of uint8[h, w, 3].

        Raises NotEnoughData without a golden image and where all differs from it, ValueError where
        it is of another size.
        """
        from deungdae.learn.images import Judgement  # noqa: PLC0415 — as light as this file

        if self._golden is None:
            raise NotEnoughData("this model compares with a golden image, and none is said")
        found = places(self._golden, pixels)
        doubts = self.comparer.doubts(found)
        height, width = (-(-side // SHRUNK) for side in pixels.shape[:2])
        heat = np.zeros((height, width), np.float32)
        for place, doubt in zip(found, doubts.tolist(), strict=True):
            left, top, right, bottom = (each // SHRUNK for each in place.box)
            cells = heat[top : bottom + 1, left : right + 1]
            np.maximum(cells, doubt, out=cells)
        worst = [n for n in np.argsort(-doubts, kind="stable") if doubts[n] >= doubts.max() / 2]
        margin = self.comparer.knowledge.margin
        return Judgement(
            float(doubts.max(initial=0.0)),
            heat,
            tuple(_box(found[n], margin, pixels.shape) for n in worst[:BOXES]),
        )


def train(examples: Sequence[Example], lesson: Lesson, progress: Progress | None = None) -> Made:
    """Return a comparison, with the score of each example from one that had not seen its group.

    Which places of a bad part are its defects its mask says; without one, all that differ are.
    Raises NotEnoughData where images have no golden one, or too few are known to be bad.
    """
    tell = progress or (lambda what, share: None)
    tell(METHOD, 0.0)
    found = [_found(each) for each in examples]
    lost = np.array([each is None for each in found])
    if lost.mean() > 1 - COMPARED:
        raise NotEnoughData(
            f"{lost.sum()} of {len(examples)} images have no golden image, or one that is no match"
        )
    known = np.array([each.bad is not None for each in examples]) & ~lost
    bad = np.array([bool(each.bad) for each in examples])
    if (bad & known).sum() < LEAST:
        raise NotEnoughData(f"{(bad & known).sum()} of at least {LEAST} bad parts to compare")
    groups = np.array([each.group for each in examples])
    fold = folds(groups, FOLDS, lesson.seed, strata=bad & known)
    lessons = {
        n: marked(_pair(examples[n], found[n] or []), found[n] or [])
        for n in np.flatnonzero(known).tolist()
    }
    score = np.ones(len(examples))  # what cannot be compared does not pass
    for number in range(FOLDS):
        tell(METHOD, (number + 1) / (FOLDS + 2))
        others = [each for n, each in lessons.items() if fold[n] != number]
        comparer, _ = learnt(others, (KIND,), lesson.seed)
        for n in np.flatnonzero((fold == number) & ~lost).tolist():
            score[n] = comparer.doubts(found[n] or []).max(initial=0.0)
    _, content = learnt(list(lessons.values()), (KIND,), lesson.seed)
    tried: tuple[Trial, ...] = ()
    if (known & ~bad).any():
        tried = (Trial(method=METHOD, auroc=auroc(score[known], bad[known])),)
    said = (f"{lost.sum()} images could not be compared",) if lost.any() else ()
    return Made(content=content(), method=METHOD, score=score, tried=tried, said=said)


def is_comparison(content: bytes) -> bool:
    """Return whether a file looks like a trained comparison."""
    return FORM.encode() in content


def load(content: bytes) -> Comparison:
    """Return the comparison in a file. Raises ValueError."""
    return Comparison(Comparer.load(content))


def _found(example: Example) -> list[Place] | None:
    """Return where an example differs, None where it cannot be compared."""
    try:
        return None if example.golden is None else places(example.golden, example.pixels)
    except (NotEnoughData, ValueError):  # all of it differs, or it is of another size
        return None


def _pair(example: Example, found: Sequence[Place]) -> Pair:
    """Return an example as a pair, with a box for each of its defects."""
    boxes: list[tuple[int, int, int, int]] = []
    if example.bad:
        boxes = _shown(example.mask) if example.mask is not None else []
        boxes = boxes or [place.box for place in found]
    nothing = np.zeros((0, 0), np.uint8)  # no lesson looks at the images again
    return Pair(nothing, nothing, tuple(boxes), (KIND,) * len(boxes), example.group)


def _shown(mask: Mask) -> list[tuple[int, int, int, int]]:
    """Return the boxes of what a mask shows."""
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those who compare images alone

    where = ndimage.find_objects(ndimage.label(mask, np.ones((3, 3), bool))[0])
    return [(x.start, y.start, x.stop, y.stop) for y, x in where]


def _box(
    place: Place, margin: tuple[float, float, float], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return left, top, width and height of what people would mark."""
    left, top, right, bottom = (round(each) for each in boxed(place.box, margin, shape))
    return left, top, right - left, bottom - top
