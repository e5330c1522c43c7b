"""A trained inspection at work: ONNX Runtime, NumPy and Pillow, on one core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .sight import LEAST, Pixels, Plane, Sight, checked

KEY = "deungdae.inspection"  # of the recipe in the metadata of the file
FORMAT = 1
LIMIT = 500_000_000  # bytes of a file that is loaded


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is needed beside the network to judge: how images come, how logits become scores.

    slope, offset: the score is 1 / (1 + exp(−(slope · logit + offset))).
    """

    sight: Sight
    method: str
    slope: float
    offset: float
    format: int = FORMAT


class Judgement(msgspec.Struct, frozen=True, eq=False):
    """What the model says of an image.

    score: 0 … 1, higher is worse; heat: float32[h', w'], 0 … 1, laid over the whole image. boxes:
    left, top, width, height of each defect in pixels, worst first; of models that tell them apart.
    """

    score: float
    heat: Plane
    boxes: tuple[tuple[int, int, int, int], ...] = ()


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rectangle of the image, in shares of its height and width, and what is borne with there.

    tolerance: 0: as learnt; 1: nothing in it counts; between: what is found counts so much less.
    """

    top: float
    left: float
    bottom: float
    right: float
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        whole = 0 <= self.top < self.bottom <= 1 and 0 <= self.left < self.right <= 1
        if not whole or not 0 <= self.tolerance <= 1:
            raise ValueError(f"a region lies in the image, with a tolerance of 0 … 1: {self}")


class Inspector:
    """Judges images one at a time."""

    def __init__(self, session: Any, recipe: Recipe) -> None:
        self._session = session
        self.recipe = recipe

    @classmethod
    def load(cls, content: bytes) -> Inspector:
        """Return the inspector in a file. Raises ValueError for what is none."""
        import onnxruntime  # noqa: PLC0415 — 40 MB, for who judges

        if not 0 < len(content) <= LIMIT:
            raise ValueError(f"no inspection: a file of {len(content)} bytes")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is raised, and need not be printed too
        options.enable_cpu_mem_arena = False  # images differ in size: an arena keeps the largest
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises classes of its own, one for each cause
            raise ValueError(f"no inspection: this is no ONNX file ({str(error)[:80]})") from error
        metadata = session.get_modelmeta().custom_metadata_map
        if KEY not in metadata:
            raise ValueError("no inspection: an ONNX file, but not one of this house")
        try:
            recipe = msgspec.json.decode(metadata[KEY], type=Recipe)
        except msgspec.MsgspecError as error:
            raise ValueError(f"no inspection: its recipe is damaged ({error})") from error
        return cls(session, _sound(session, recipe))

    def judge(self, pixels: Pixels, regions: Sequence[Region] = ()) -> Judgement:
        """Return the score and the heat of an image, uint8[h, w, 3].

        Where regions overlap, the largest tolerance holds. What lies in them alone makes no part
        bad, so the score falls as the highest heat does. Raises ValueError for what is no image.
        """
        checked(pixels)
        sight = self.recipe.sight
        shown = sight.shown(pixels)
        logit, heat = self._session.run(None, {"image": sight.tensor(shown)})
        if not (np.isfinite(logit).all() and np.isfinite(heat).all()):
            raise ValueError("no judgement: the model gave no number for this image")
        score = float(self._probability(logit.astype(np.float64))[0])
        warm = _covering(self._probability(heat[0, 0]).astype(np.float32), shown, sight)
        if regions:
            borne = warm * _weight(warm.shape, regions)
            score *= float(borne.max()) / max(float(warm.max()), 1e-9)
            warm = borne
        return Judgement(score, warm)

    def _probability(self, logit: NDArray[Any]) -> NDArray[Any]:
        linear = np.clip(self.recipe.slope * logit + self.recipe.offset, -60, 60)
        return np.asarray(1 / (1 + np.exp(-linear)))


def _sound(session: Any, recipe: Recipe) -> Recipe:
    """Return the recipe where it fits the network. Raises ValueError."""
    sight = recipe.sight
    inputs = [(each.name, len(each.shape)) for each in session.get_inputs()]
    outputs = [each.name for each in session.get_outputs()]
    if inputs != [("image", 4)] or outputs != ["logit", "heat"]:
        raise ValueError(f"no inspection: its network takes {inputs} and gives {outputs}")
    if recipe.format != FORMAT:
        raise ValueError(f"no inspection: format {recipe.format}, this is for format {FORMAT}")
    sized = sight.size == (0, 0) or min(sight.size) >= LEAST
    if sight.channels not in (1, 3) or sight.multiple < 1 or not sized:
        raise ValueError(f"no inspection: its recipe is damaged ({sight})")
    if sight.size == (0, 0) and sight.area < LEAST**2:
        raise ValueError(f"no inspection: its recipe is damaged ({sight})")
    return recipe


def _covering(heat: Plane, shown: Pixels, sight: Sight) -> Plane:
    """Return the part of a heat map that lies over the image, without what was filled up."""
    height, width = shown.shape[:2]
    filled = height + -height % sight.multiple, width + -width % sight.multiple
    rows = max(1, round(heat.shape[0] * height / filled[0]))
    columns = max(1, round(heat.shape[1] * width / filled[1]))
    return np.ascontiguousarray(heat[:rows, :columns])


def _weight(shape: tuple[int, ...], regions: Sequence[Region]) -> Plane:
    """Return how much each place of a map counts, float32[h, w], 0 … 1."""
    weight = np.ones(shape, np.float32)
    height, width = shape
    for each in regions:
        rows = slice(round(each.top * height), max(1, round(each.bottom * height)))
        columns = slice(round(each.left * width), max(1, round(each.right * width)))
        weight[rows, columns] = np.minimum(weight[rows, columns], 1 - each.tolerance)
    return weight
