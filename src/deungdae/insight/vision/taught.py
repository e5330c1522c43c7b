"""The inspection that knows good bricks, taught by what people say: which marks count, how much.

It needs no network and seconds instead of minutes, and sees what lies on a belt as `reference`
does. What is learnt travels as one file: arrays in NumPy's own format behind a line that names it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.inspection import Judge, Lesson, Made, Maker, Progress
from deungdae.learn.measure import auroc
from deungdae.learn.pairs import taught as pairs
from deungdae.learn.registry import Trial
from deungdae.learn.split import folds

from .face import Face
from .maps import MAPS, TINTS, Model
from .place import Pixels
from .reference import Album, Reference
from .verdict import heat_map, inspect

if TYPE_CHECKING:
    from deungdae.learn.images import Example, Judgement

MAGIC = b"deungdae face 1\n"
LARGEST = 50_000_000  # bytes of a file that is read
FOLDS = 4
WEIGHED = 8  # bad bricks from which on marks are weighed
SEEN = 0.9  # share of the images on which a brick must be seen
SHRUNK = 4  # pixels of the image along a cell of a heat map
COUNT = len(MAPS) + len(TINTS)


class Taught(msgspec.Struct, frozen=True, eq=False):
    """What good bricks look like, and what marks mean. Judges images, as learn.inspection.Judge.

    weights: float64[COUNT + 1], logistic, of the logarithms of marks and a constant; all 0: the
    largest mark alone counts, .5 where the reference draws its line.
    """

    reference: Reference
    weights: FloatArray

    def judge(self, pixels: Pixels) -> Judgement:
        """Return what it says of uint8[h, w, 3]. Raises NotEnoughData where no brick is seen."""
        from deungdae.learn.images import Judgement  # noqa: PLC0415 — as light as this file

        verdict = inspect(pixels, self.reference)
        marks = _marks(self.reference, verdict.peaks)
        height, width = pixels.shape[0] // SHRUNK, pixels.shape[1] // SHRUNK
        heat = heat_map(verdict, pixels.shape[0], pixels.shape[1])
        cells = heat[: height * SHRUNK, : width * SHRUNK]
        cells = cells.reshape(height, SHRUNK, width, SHRUNK).max(axis=(1, 3))
        score = float(_scores(marks[None], self.weights, self.reference.threshold)[0])
        return Judgement(score, _squeezed(cells, self.reference.threshold).astype(np.float32))


def train(examples: Sequence[Example], lesson: Lesson, progress: Progress | None = None) -> Made:
    """Return a taught inspection, with the score of each example from one that had not seen its
    group. Raises NotEnoughData where there are too few good bricks, or none is seen."""
    bad = np.array([bool(each.bad) for each in examples])
    known = np.array([each.bad is not None for each in examples])
    groups = np.array([each.group for each in examples])
    fold = folds(groups, FOLDS, lesson.seed, strata=bad & known)
    faces = _faces(examples)
    marks = np.full((len(examples), COUNT), np.nan)
    for number in range(FOLDS):
        if progress is not None:
            progress("looking at good parts", number / (FOLDS + 1))
        others = np.flatnonzero((fold != number) & known & ~bad)
        reference = _reference([faces[n] for n in others], lesson)
        for n in np.flatnonzero(fold == number).tolist():
            marks[n] = _seen(examples[n], reference)
    lost = np.isnan(marks).any(axis=1)
    if lost.mean() > 1 - SEEN:
        raise NotEnoughData(f"no brick is seen on {lost.sum()} of {len(examples)} images")
    whole = _reference([faces[n] for n in np.flatnonzero(known & ~bad)], lesson)
    usable = known & ~lost
    plain = np.zeros(COUNT + 1)
    score = _scores(marks, plain, whole.threshold)
    tried = []
    weights = plain
    if (bad & usable).any() and (~bad & usable).any():
        tried.append(Trial(method="marks of bricks", auroc=auroc(score[usable], bad[usable])))
    if (bad & usable).sum() >= WEIGHED:
        crossed = np.empty(len(examples))
        for number in range(FOLDS):
            there = usable & (fold != number)
            crossed[fold == number] = _scores(
                marks[fold == number], _weighed(marks[there], bad[there]), whole.threshold
            )
        reached = auroc(crossed[usable], bad[usable])
        tried.append(Trial(method="marks of bricks, weighed", auroc=reached))
        if tried[1].auroc > tried[0].auroc:
            score, weights = crossed, _weighed(marks[usable], bad[usable])
    score[lost] = 1.0  # what is not seen does not pass
    said = (f"on {lost.sum()} images no brick was seen",) if lost.any() else ()
    return Made(
        content=_written(Taught(whole, weights)),
        method=tried[-1].method if weights.any() else "marks of bricks",
        score=score,
        tried=tuple(tried),
        said=said,
    )


def makers(examples: Sequence[Example], networks: Maker) -> tuple[Maker, ...]:
    """Return the ways of learning that may suit the examples, the quickest first."""
    compares = any(each.golden is not None for each in examples)
    return (pairs.train if compares else train), networks


def load(content: bytes) -> Judge:
    """Return the model in a file: of this kind, or ONNX. Raises ValueError for neither."""
    if content.startswith(MAGIC):
        return _read(content)
    if pairs.is_comparison(content):
        return pairs.load(content)
    from deungdae.learn.images import Inspector  # noqa: PLC0415 — ONNX Runtime, for who has one

    return Inspector.load(content)


def _faces(examples: Sequence[Example]) -> list[Face | None]:
    """Return the face of each good brick, in one shape; None for what is bad or not seen."""
    album = Album()
    faces: list[Face | None] = []
    for each in examples:
        try:
            if each.bad is False:
                album.add(each.pixels)
            faces.append(album.faces[-1] if each.bad is False else None)
        except NotEnoughData:
            faces.append(None)
    return faces


def _reference(good: Sequence[Face | None], lesson: Lesson) -> Reference:
    album = Album()
    album.faces = [each for each in good if each is not None]
    return album.learn(lesson.false_reject)


def _seen(example: Example, reference: Reference) -> FloatArray:
    try:
        return _marks(reference, inspect(example.pixels, reference).peaks)
    except NotEnoughData:
        return np.full(COUNT, np.nan)


def _marks(reference: Reference, found: FloatArray) -> FloatArray:
    marks: FloatArray = (found - reference.middle) / reference.scale
    return marks


def _scores(marks: FloatArray, weights: FloatArray, threshold: float) -> FloatArray:
    if not weights.any():
        return _squeezed(marks.max(axis=1), threshold)
    linear = _features(marks) @ weights
    score: FloatArray = 1 / (1 + np.exp(-np.clip(linear, -60, 60)))
    return score


def _squeezed(score: NDArray[Any], threshold: float) -> FloatArray:
    """Return scores of 0 and more as 0 … 1; the threshold as .5."""
    above = np.maximum(score, 0.0)
    squeezed: FloatArray = above / (above + threshold)
    return squeezed


def _features(marks: FloatArray) -> FloatArray:
    logs = np.log1p(np.maximum(marks, 0.0))
    return np.column_stack([logs, np.ones(len(logs))])


def _weighed(marks: FloatArray, bad: NDArray[np.bool_]) -> FloatArray:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 — 60 MB, for who trains

    fitted = LogisticRegression(C=0.3, class_weight="balanced", max_iter=1000)
    fitted.fit(_features(marks)[:, :-1], bad)
    return np.append(fitted.coef_[0], fitted.intercept_)


def _written(taught: Taught) -> bytes:
    known = taught.reference
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        shape=known.shape,
        face_middle=known.model.middle.astype(np.float16),
        face_spread=known.model.spread.astype(np.float16),
        colour=known.model.colour,
        middle=known.middle,
        scale=known.scale,
        limits=[known.threshold, known.false_rejects, known.images, known.set_aside],
        version=known.version,
        weights=taught.weights,
    )
    return MAGIC + stream.getvalue()


def _read(content: bytes) -> Taught:
    if len(content) > LARGEST:
        raise ValueError(f"no inspection: a file of {len(content)} bytes")
    try:
        with np.load(io.BytesIO(content[len(MAGIC) :]), allow_pickle=False) as told:
            threshold, false_rejects, images, set_aside = told["limits"].tolist()
            height, width = told["shape"].tolist()
            model = Model(
                middle=told["face_middle"].astype(np.float32),
                spread=told["face_spread"].astype(np.float32),
                colour=told["colour"],
            )
            reference = Reference(
                shape=(height, width),
                model=model,
                middle=told["middle"],
                scale=told["scale"],
                threshold=threshold,
                false_rejects=false_rejects,
                images=int(images),
                set_aside=int(set_aside),
                version=str(told["version"]),
            )
            return Taught(reference, told["weights"])
    except Exception as error:  # a damaged archive raises whatever zip, NumPy and dictionaries do
        raise ValueError(f"no inspection: the file is damaged ({error})") from error
