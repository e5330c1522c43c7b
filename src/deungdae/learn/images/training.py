"""From examples to an inspection: the simplest models first, then networks, within a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.measure import Platt, platt

from .example import Example, examined
from .inspector import Recipe
from .school import Crew, Progress, enrolled
from .weights import Weights

SHARE = 0.5  # of the seconds, which a network that learnt elsewhere may take
REAL = 2  # groups with defects from which on real defects decide which method is best


class Tried(msgspec.Struct, frozen=True):
    """A method that was tried, and its AUROC on groups that it had not seen."""

    method: str
    auroc: float


class Trained(msgspec.Struct, frozen=True, eq=False):
    """An inspection.

    content: ONNX, for Inspector.load; score: float64[n], what each example gets from a model that
    had not seen its group; fold: int64[n], by which of these models; said: what was odd, and what
    cannot be promised.
    """

    content: bytes
    method: str
    score: FloatArray
    fold: NDArray[np.int64]
    tried: tuple[Tried, ...]
    said: tuple[str, ...] = ()


def train(
    examples: Sequence[Example],
    *,
    seconds: float,
    seed: int = 0,
    progress: Progress | None = None,
    used: Callable[[], float] | None = None,
    crew: Crew | None = None,
    weights: Weights | None = None,
) -> Trained:
    """Return the best inspection that can be learnt in about so many seconds.

    The same examples, seconds, seed and number of processes give the same file again on the same
    processor: how much is done follows from them, and no clock is read. progress: told what is
    being done and the share of all that is done. used: gives the share of the seconds that is used
    up, by the caller's clock; where it runs ahead, since the computer is busy, networks learn less,
    and that is said. crew: processes that train side by side, which see no clock; without them this
    one does all, on one core. weights: of a network that learnt elsewhere, which is then one of the
    methods, "backbone". Raises NotEnoughData, and ValueError for what is no image or no weights.
    """
    said = examined(examples)
    _need_packages()
    from .backbone import backbone, cost  # noqa: PLC0415 — PyTorch
    from .borrowed import read  # noqa: PLC0415 — PyTorch
    from .candidates import networks, one_thread, simple, twins  # noqa: PLC0415 — PyTorch
    from .export import exported  # noqa: PLC0415 — PyTorch

    eye = read(weights) if weights is not None else None
    tell = progress or (lambda _what, _share: None)
    with one_thread():
        cores = 1 if crew is None else crew.count
        school = enrolled(examples, seconds * cores, seed)
        if len({each.group for each in examples if each.bad}) < REAL:
            school = msgspec.structs.replace(school, twins=twins(school))
        tried = [*simple(school, tell)]
        if eye is not None:
            needed = cost(school, eye)
            if needed <= SHARE * seconds:
                tried.append(backbone(school, eye, tell))
                seconds = round(seconds - needed, 1)
            else:
                said += (
                    f"{seconds:g} s are too short for weights from elsewhere: "
                    f"{math.ceil(needed / SHARE)} s are needed",
                )
        network, odd = networks(school, seconds, crew, tell, used)
        said += odd
        tried += [network] if network else []
        best = max(tried, key=lambda each: each.auroc)  # of equals the simplest
        curve = platt(*school.judged(best.logit, best.twin))
        if curve.slope <= 0:  # worse than chance: scores rise all the same
            curve = Platt(1e-3, 0.0)
        recipe = Recipe(best.sight, best.method, curve.slope, curve.offset)
        tell("writing the model", 0.99)
        content = exported(best.network, recipe)
    tell("done", 1.0)
    shown = tuple(Tried(each.method, each.auroc) for each in tried)
    return Trained(content, best.method, curve.probability(best.logit), school.fold, shown, said)


def kind(weights: Weights) -> str:
    """Return which network weights are of.

    Raises ValueError where it is none that is known, NotEnoughData without PyTorch.
    """
    _need_packages()
    from .borrowed import read  # noqa: PLC0415 — PyTorch

    return read(weights).kind


def _need_packages() -> None:
    """Raise NotEnoughData where the packages for training are not installed."""
    try:
        import onnx  # noqa: F401, PLC0415 — for who trains
        import torch  # noqa: F401, PLC0415 — 200 MB, for who trains
    except ImportError as error:
        raise NotEnoughData(
            "training needs PyTorch, judging does not: pip install 'deungdae[train]'"
        ) from error
