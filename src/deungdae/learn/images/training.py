"""From examples to an inspection: the simplest models first, then networks, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.measure import Platt, auroc, platt
from deungdae.learn.split.groups import folds

from .example import Example, examined
from .inspector import Recipe
from .sight import Sight, is_grey, stretched

if TYPE_CHECKING:
    from torch import nn

    from .crops import Shown

FOLDS = 4  # networks, each of which has not seen a part of the groups
AREA = 160_000  # px of an image as networks see it
CROP = 5e-3, 17e-3  # s of one core that learning from a crop takes: any, and for 256 x 256 px
LEAST, MOST = 30, 1200  # steps of a network: with fewer none is tried, more do not help

Progress = Callable[[str, float], None]
Bools = NDArray[np.bool_]


class Tried(msgspec.Struct, frozen=True):
    """A method that was tried, and its AUROC on groups that it had not seen."""

    method: str
    auroc: float


class Trained(msgspec.Struct, frozen=True, eq=False):
    """An inspection.

    content: ONNX, for Inspector.load; score: float64[n], what each example gets from a model that
    had not seen its group; said: what was odd, and what cannot be promised.
    """

    content: bytes
    method: str
    score: FloatArray
    tried: tuple[Tried, ...]
    said: tuple[str, ...] = ()


class _Candidate(msgspec.Struct, frozen=True, eq=False):
    """A method: its network, how it sees, and its logits on examples and on their twins."""

    method: str
    network: nn.Module
    sight: Sight
    logit: FloatArray
    twin: FloatArray


class _School(msgspec.Struct, frozen=True, eq=False):
    """All that methods learn from.

    fold: int64[n]; twins: of good examples, with made defects, where real ones are missing, by
    number.
    """

    examples: Sequence[Example]
    fold: NDArray[np.int64]
    twins: dict[int, Example]
    grey: bool
    seed: int

    def __len__(self) -> int:
        return len(self.examples)

    def taught(self, fold: int | None = None) -> list[int]:
        """Return which examples may teach the model of a fold, or that of all."""
        return [
            number
            for number, each in enumerate(self.examples)
            if each.bad is not None and self.fold[number] != fold
        ]


def train(
    examples: Sequence[Example],
    *,
    seconds: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Return the best inspection that can be learnt in about so many seconds of two cores.

    The same examples, seconds and seed give the same file again on the same processor: how much is
    done follows from the seconds, and no clock is read. progress: told what is being done and the
    share of all that is done. Raises NotEnoughData, and ValueError for what is no image.
    """
    said = examined(examples)
    tell = progress or (lambda _what, _share: None)
    with _one_thread(seed):
        return _trained(examples, seconds, seed, tell, said)


def _trained(
    examples: Sequence[Example], seconds: float, seed: int, tell: Progress, said: tuple[str, ...]
) -> Trained:
    school = _school(examples, seed)
    tried = [*_simple(school, tell)]
    network = _networks(school, seconds, tell)
    if network is None:
        said += (f"{seconds:g} s are too short for a network: only simple methods were tried",)
    else:
        tried.append(network)
    figures = [auroc(*_judged(school, each)) for each in tried]
    best = tried[int(np.argmax(figures))]
    curve = _curve(school, best)
    from .export import exported  # noqa: PLC0415 — PyTorch, for who trains

    tell("writing the model", 0.99)
    content = exported(
        best.network,
        Recipe(sight=best.sight, method=best.method, slope=curve.slope, offset=curve.offset),
    )
    shown = tuple(Tried(each.method, figure) for each, figure in zip(tried, figures, strict=True))
    tell("done", 1.0)
    return Trained(content, best.method, curve.probability(best.logit), shown, said)


@contextmanager
def _one_thread(seed: int) -> Iterator[None]:
    """Let PyTorch use one thread, and chances from this seed alone.

    More threads wait for each other in each of many small steps, the longer the busier the computer
    is. Raises NotEnoughData where PyTorch is missing.
    """
    try:
        import onnx  # noqa: F401, PLC0415 — for who trains
        import torch  # noqa: PLC0415 — 200 MB, for who trains
    except ImportError as error:
        raise NotEnoughData(
            "training needs PyTorch, judging does not: pip install 'deungdae[train]'"
        ) from error
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def _school(examples: Sequence[Example], seed: int) -> _School:
    """Return the examples dealt out to folds by their groups, with twins where needed."""
    groups = [each.group for each in examples]
    kind = [{None: 0, False: 1, True: 2}[each.bad] for each in examples]
    good = {each.group for each in examples if each.bad is False}
    fold = folds(groups, min(FOLDS, len(good)), seed, kind)
    grey = all(is_grey(each.pixels) for each in examples)
    school = _School(examples, fold, {}, grey, seed)
    for one in range(int(fold.max()) + 1):
        if all(examples[number].bad for number in school.taught(one)):
            raise NotEnoughData("the good images are of too few groups: take some of other parts")
    if len({each.group for each in examples if each.bad}) >= 2:
        return school
    return msgspec.structs.replace(school, twins=_twins(examples, seed))


def _twins(examples: Sequence[Example], seed: int) -> dict[int, Example]:
    """Return each good example with a made defect on it, by its number."""
    import torch  # noqa: PLC0415 — 200 MB, for who trains

    from .defects import made  # noqa: PLC0415 — PyTorch, for who trains

    random = np.random.default_rng(seed)
    good = [number for number, each in enumerate(examples) if each.bad is False]
    found = {}
    for number in good:
        pixels = examples[number].pixels
        other = examples[good[random.integers(len(good))]].pixels
        size = min(*pixels.shape[:2], *other.shape[:2], 256)
        top, left = (int(random.integers(each - size + 1)) for each in pixels.shape[:2])
        place = slice(top, top + size), slice(left, left + size)
        here, there = (
            torch.from_numpy(each.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            for each in (pixels[place], other[:size, :size])
        )
        drawn, _ = made(here, there, random)
        twin = pixels.copy()
        twin[place] = (drawn[0].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        found[number] = msgspec.structs.replace(examples[number], pixels=twin, bad=True)
    return found


def _simple(school: _School, tell: Progress) -> Iterator[_Candidate]:
    """Yield the simple methods, each judged on groups that it had not seen."""
    from . import baselines  # noqa: PLC0415 — PyTorch, for who trains

    channels = 1 if school.grey else 3
    small, fine = (Sight(channels, size=size) for size in (baselines.SMALL, baselines.FINE))

    def goods(sight: Sight, numbers: Sequence[int]) -> nn.Module:
        return baselines.stacked([_seen(each, sight) for each in _good(school, numbers)])

    yield _crossed(school, "always good", small, lambda _numbers: baselines.Always())
    tell("principal components", 0.01)
    yield _crossed(
        school, "pca", small, lambda numbers: baselines.Reconstruction(goods(small, numbers))
    )
    tell("nearest neighbour", 0.03)
    yield _crossed(
        school,
        "nearest neighbour",
        fine,
        lambda numbers: baselines.Neighbour(goods(fine, numbers), school.seed),
    )
    if not school.twins:
        tell("ridge", 0.06)
        yield _crossed(
            school,
            "ridge",
            fine,
            lambda numbers: baselines.Ridge(
                baselines.stacked([_seen(school.examples[each], fine) for each in numbers]),
                np.array([bool(school.examples[each].bad) for each in numbers]),
            ),
        )


def _crossed(
    school: _School, method: str, sight: Sight, fit: Callable[[Sequence[int]], nn.Module]
) -> _Candidate:
    """Return a method fitted on all, with the logits of models that left the fold out."""
    logit, twin = np.zeros(len(school)), np.zeros(len(school))
    for fold in range(int(school.fold.max()) + 1):
        network = fit(school.taught(fold)).eval()
        _judge(school, fold, network, sight, logit, twin)
    return _Candidate(method, fit(school.taught()), sight, logit, twin)


def _networks(school: _School, seconds: float, tell: Progress) -> _Candidate | None:
    """Return one network for each fold, which judge together; None where time is too short."""
    from .crops import square  # noqa: PLC0415 — PyTorch, for who trains
    from .lesson import BATCH, learnt  # noqa: PLC0415 — PyTorch, for who trains
    from .network import MULTIPLE, Panel  # noqa: PLC0415 — PyTorch, for who trains

    sight = Sight(1 if school.grey else 3, area=AREA, multiple=MULTIPLE)
    size = square([sight.shape(*each.pixels.shape[:2]) for each in school.examples])
    count = int(school.fold.max()) + 1
    step = BATCH * (CROP[0] + CROP[1] * (size / 256) ** 2)
    steps = int(min(MOST, 0.9 * seconds / count / step))
    if steps < LEAST:
        return None
    shown = [_shown(each, sight) for each in school.examples]
    logit, twin = np.zeros(len(school)), np.zeros(len(school))
    members = []
    for fold in range(count):
        network = learnt(
            [shown[number] for number in school.taught(fold)],
            size,
            steps,
            school.seed * 100 + fold,
            partial(_lesson, tell, fold, count),
        )
        _judge(school, fold, network, sight, logit, twin)
        members.append(network)
    return _Candidate("networks", Panel(members), sight, logit, twin)


def _lesson(tell: Progress, fold: int, count: int, done: float) -> None:
    tell(f"network {fold + 1} of {count}", 0.1 + 0.88 * (fold + done) / count)


def _judge(
    school: _School,
    fold: int,
    network: nn.Module,
    sight: Sight,
    logit: FloatArray,
    twin: FloatArray,
) -> None:
    """Write the logits of a fold's examples, and of their twins, as its network gives them."""
    import torch  # noqa: PLC0415 — 200 MB, for who trains

    with torch.inference_mode():
        for number in np.flatnonzero(school.fold == fold).tolist():
            seen = torch.from_numpy(_seen(school.examples[number], sight))
            logit[number] = float(network(seen)[0][0])
            if number in school.twins:
                seen = torch.from_numpy(_seen(school.twins[number], sight))
                twin[number] = float(network(seen)[0][0])


def _judged(school: _School, candidate: _Candidate) -> tuple[FloatArray, Bools]:
    """Return the logits that tell how good a method is, and which of them are of bad images."""
    known = np.array([each.bad is not None for each in school.examples])
    bad = np.array([bool(each.bad) for each in school.examples])[known]
    twins = np.array(sorted(school.twins), np.int64)
    return (
        np.concatenate([candidate.logit[known], candidate.twin[twins]]),
        np.concatenate([bad, np.ones(len(twins), np.bool_)]),
    )


def _curve(school: _School, candidate: _Candidate) -> Platt:
    """Return how logits become scores; they rise, even for a method that is worse than chance."""
    curve = platt(*_judged(school, candidate))
    return curve if curve.slope > 0 else Platt(1e-3, 0.0)


def _good(school: _School, numbers: Sequence[int]) -> list[Example]:
    return [school.examples[number] for number in numbers if not school.examples[number].bad]


def _shown(example: Example, sight: Sight) -> Shown:
    from .crops import Shown  # noqa: PLC0415 — PyTorch, for who trains

    pixels = sight.shown(example.pixels)
    mask = example.mask
    if mask is not None and mask.shape != pixels.shape[:2]:
        mask = stretched(mask, *pixels.shape[:2])
    return Shown(pixels, bool(example.bad), example.group, mask)


def _seen(example: Example, sight: Sight) -> NDArray[np.float32]:
    return sight.tensor(sight.shown(example.pixels))
