"""Learning from pairs of images in which people marked the defects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

from .comparer import FORM, Comparer, Knowledge, Mark, Shares, sides
from .forest import onnx_of
from .places import LOOKS, Place, places
from .tones import Pixels

LEAST = 10  # marks; of fewer nothing is learnt
_INSIDE = 0.4  # share of a place that lies in the box of its mark
_TREES: dict[str, Any] = {
    "objective": "multiclass",  # of two kinds, too: else one share stood for both
    "n_estimators": 150, "learning_rate": 0.05, "num_leaves": 8, "min_child_samples": 8,
    "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.5, "reg_lambda": 1.0,
}  # fmt: skip


class Pair(msgspec.Struct, frozen=True, eq=False):
    """A golden image, that of a part, and what people marked in it.

    Both uint8[h, w] or uint8[h, w, 3]; boxes: left, top, right, bottom; kinds: one for each box;
    group: what came from one board, one sheet, one day.
    """

    golden: Pixels
    seen: Pixels
    boxes: tuple[tuple[float, float, float, float], ...]
    kinds: tuple[str, ...]
    group: str


class Trained(msgspec.Struct, frozen=True, eq=False):
    """content: for `Comparer.load`. found: the defects of each pair, by models that had not seen
    any pair of its group: what the model can do on parts to come. missed: marks that lie where no
    place differs, which no model could find."""

    content: bytes
    found: tuple[tuple[Mark, ...], ...]
    missed: int


class Marked(msgspec.Struct, frozen=True, eq=False):
    """A pair as it is learnt from. meant: of each place the mark that it belongs to, or -1."""

    pair: Pair
    places: list[Place]
    meant: list[int]


def train(pairs: Sequence[Pair], *, seed: int = 0) -> Trained:
    """Return a model of all pairs, and what such models find in groups they have not seen.

    Raises NotEnoughData for fewer than 10 marks or 2 groups, ValueError where `onnx` is missing or
    a pair cannot be compared.
    """
    groups = sorted({pair.group for pair in pairs})
    marks = sum(len(pair.boxes) for pair in pairs)
    if marks < LEAST or len(groups) < 2:
        raise NotEnoughData(
            f"{marks} marked defects in {len(groups)} groups: at least {LEAST} in 2 are needed"
        )
    kinds = tuple(sorted({kind for pair in pairs for kind in pair.kinds}))
    lessons = [marked(pair, places(pair.golden, pair.seen)) for pair in pairs]
    found: dict[str, Comparer] = {}
    for group in groups:
        found[group], _ = learnt(
            [each for each in lessons if each.pair.group != group], kinds, seed
        )
    _, content = learnt(lessons, kinds, seed)
    return Trained(
        content(),
        tuple(
            tuple(found[each.pair.group].named(each.places, each.pair.seen.shape))
            for each in lessons
        ),
        marks - sum(meant >= 0 for each in lessons for meant in each.meant),
    )


def marked(pair: Pair, found: list[Place]) -> Marked:
    """Return a pair with the place that each of its marks means: the largest that lies in it."""
    meant = [-1] * len(found)
    for mark, box in enumerate(pair.boxes):
        inside = [_inside(place, box) for place in found]
        if max(inside, default=0.0) > 0:
            meant[int(np.argmax(inside))] = mark
    return Marked(pair, found, meant)


def _inside(place: Place, box: tuple[float, float, float, float]) -> float:
    """Return how much of a place lies in a box, 0 where most of it does not."""
    left, top, right, bottom = place.box
    across = min(right, box[2]) - max(left, box[0])
    down = min(bottom, box[3]) - max(top, box[1])
    share = max(across, 0) * max(down, 0) / ((right - left) * (bottom - top))
    return place.looks[LOOKS.index("area")] * share if share >= _INSIDE else 0.0


def learnt(
    lessons: Sequence[Marked], kinds: tuple[str, ...], seed: int
) -> tuple[Comparer, Callable[[], bytes]]:
    """Return what some lessons teach, the margins of boxes and trees that name the kinds, and what
    writes it to a file. Raises NotEnoughData; the writing raises ValueError without `onnx`."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415 — 100 MB, for who trains

    looks = np.asarray([p.looks for each in lessons for p in each.places], np.float32)
    kind = [
        0 if meant < 0 else 1 + kinds.index(each.pair.kinds[meant])
        for each in lessons
        for meant in each.meant
    ]
    if len(set(kind)) < 2:
        raise NotEnoughData(
            "all that differs is of one kind: mark defects of two kinds or more, or "
            "show good parts that differ, too"
        )
    model = LGBMClassifier(**_TREES, num_class=len(set(kind)), random_state=seed, n_jobs=1,
                           verbose=-1, deterministic=True, force_row_wise=True)  # fmt: skip
    model.fit(looks, np.asarray(kind))
    knowledge = Knowledge(FORM, kinds, _margin(lessons))
    told = msgspec.json.encode(knowledge).decode()
    classes = [int(each) for each in model.classes_]
    return (
        Comparer(knowledge, _shares(model, len(kinds))),
        lambda: onnx_of(model.booster_, classes, len(kinds), len(LOOKS), told),
    )


def _margin(lessons: Sequence[Marked]) -> tuple[float, float, float]:
    """Return how far people draw a box around what they mark: least absolute deviations.

    By weighted least squares, anew with each other. Source: Schlossmacher (1973).
    """
    side, gap = [], []
    for each in lessons:
        for place, meant in zip(each.places, each.meant, strict=True):
            if meant >= 0:
                box = each.pair.boxes[meant]
                for low, high in ((0, 2), (1, 3)):
                    side += 2 * [place.box[high] - place.box[low]]
                    gap += [place.box[low] - box[low], box[high] - place.box[high]]
    basis, wanted = sides(np.asarray(side)), np.asarray(gap, float)
    weight = np.ones(len(wanted))
    margin = np.zeros(3)
    for _ in range(30):
        root = np.sqrt(weight)[:, None]
        margin = np.linalg.lstsq(basis * root, wanted * root[:, 0], rcond=None)[0]
        weight = 1 / np.maximum(np.abs(wanted - basis @ margin), 0.5)
    first, second, third = (float(each) for each in margin)
    return first, second, third


def _shares(model: Any, kinds: int) -> Shares:
    """Return what a model gives each kind, as its file will."""

    def shares(looks: NDArray[np.float32]) -> NDArray[np.float64]:
        all_of_them = np.zeros((len(looks), 1 + kinds))
        all_of_them[:, model.classes_] = model.booster_.predict(looks)
        return all_of_them

    return shares
