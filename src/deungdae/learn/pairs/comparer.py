"""What a trained comparison says of a part beside its golden image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from .places import LOOKS, Place, places
from .tones import Pixels

FORM = "deungdae.pairs.1"  # of the model's file; another one is not understood
_SMALL = 20  # pixels; the margins of larger places grow otherwise

Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom, in pixels
Shares: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]


class Mark(NamedTuple):
    """A defect. box: left, top, right, bottom, in pixels of the image; score: 0..1, how sure."""

    box: Box
    kind: str
    score: float


class Knowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in a model's file beside its trees.

    kinds: of defects, in the order of the trees' classes from 1 on; 0 is no defect. margin: of a
    box around a place whose side is s pixels: margin · (1, min(s, 20), s).
    """

    form: str
    kinds: tuple[str, ...]
    margin: tuple[float, float, float]
    looks: tuple[str, ...] = LOOKS


class Comparer:
    """Finds and names what differs between a part and its golden image.

    Needs ONNX Runtime, NumPy and SciPy alone. Looking at 640 x 640 pixels takes some 30 ms of one
    core.
    """

    def __init__(self, knowledge: Knowledge, shares: Shares) -> None:
        self.knowledge = knowledge
        self._shares = shares

    @classmethod
    def load(cls, content: bytes) -> Comparer:
        """Return what `train` made. Raises ValueError for anything else."""
        import onnxruntime  # noqa: PLC0415 — 40 MB, for those who judge alone

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
            text = session.get_modelmeta().custom_metadata_map["deungdae"]
            knowledge = msgspec.json.decode(text, type=Knowledge)
        except Exception as error:  # the runtime has a class of its own for every way to be wrong
            raise ValueError(f"this is no model of a comparison: {error}") from error
        if (knowledge.form, knowledge.looks) != (FORM, LOOKS):
            raise ValueError(
                f"this model has the form {knowledge.form}, and {FORM} is understood: train it anew"
            )
        return cls(knowledge, lambda looks: session.run(["shares"], {"looks": looks})[0])

    def compare(self, golden: Pixels, seen: Pixels) -> list[Mark]:
        """Return the defects of a part, surest first.

        golden, seen: uint8[h, w] or uint8[h, w, 3]. Raises ValueError where they differ in size,
        NotEnoughData where they differ all over.
        """
        return self.named(places(golden, seen), seen.shape)

    def doubts(self, found: Sequence[Place]) -> NDArray[np.float64]:
        """Return how sure each place is a defect of some kind: float64[n], 0..1."""
        if not found:
            return np.zeros(0)
        shares = self._shares(np.asarray([each.looks for each in found], np.float32))
        return 1 - np.asarray(shares[:, 0], np.float64)

    def named(self, found: Sequence[Place], shape: tuple[int, ...]) -> list[Mark]:
        """Return those of the places that are defects, surest first. shape: of the image."""
        if not found:
            return []
        shares = np.asarray(self._shares(np.asarray([each.looks for each in found], np.float32)))
        marks = [
            Mark(
                boxed(place.box, self.knowledge.margin, shape),
                self.knowledge.kinds[int(each.argmax()) - 1],
                float(each.max()),
            )
            for place, each in zip(found, shares, strict=True)
            if each.argmax()
        ]
        return sorted(marks, key=lambda mark: -mark.score)


def boxed(
    box: tuple[int, int, int, int], margin: tuple[float, float, float], shape: tuple[int, ...]
) -> Box:
    """Return the box that a person would draw around a place, within the image."""
    left, top, right, bottom = box
    across, down = (
        float(np.dot(margin, sides(np.asarray([side]))[0])) for side in (right - left, bottom - top)
    )
    return (
        max(left - across, 0.0),
        max(top - down, 0.0),
        min(right + across, float(shape[1])),
        min(bottom + down, float(shape[0])),
    )


def sides(side: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return what a margin grows with: float64[n, 3]."""
    return np.stack([np.ones(len(side)), np.minimum(side, _SMALL), side], axis=1).astype(float)
