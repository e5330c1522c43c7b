"""The methods that are tried, each judged on groups that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deungdae.core.types import FloatArray
from deungdae.learn.measure import auroc

from . import baselines
from .crops import LARGEST, Shown, square
from .defects import made
from .example import Example
from .lesson import BATCH, learnt
from .network import FIGURES, FILL, Network, Panel
from .school import Crew, Progress, School, seen
from .sight import Pixels, Plane, Sight, stretched

AREA = 120_000  # px of an image as networks see it
CROP = 1.5e-3, 2.5e-3  # s of one core that learning from a crop takes: any, and for the largest
LEAST, MOST = 40, 3000  # steps of a network: with fewer none is tried, more do not help
ROUNDS = 2  # networks of each fold
LONG = 1200.0  # s of one core from which on there is time for them
PENALTY = 1.0  # of the logistic curve through the figures of heat maps


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A method: its network, how it sees, its logits on examples and on their twins, and the AUROC
    of these. All logits are of models that had not seen the group of the example."""

    method: str
    network: nn.Module
    sight: Sight
    logit: FloatArray
    twin: FloatArray
    auroc: float


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: more wait for each other in each of many small steps, the longer
    the busier the computer is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


def twins(school: School) -> dict[int, Example]:
    """Return each good example with a made defect on it, by its number."""
    random = np.random.default_rng(school.seed)
    good = [number for number, each in enumerate(school.examples) if each.bad is False]
    found = {}
    for number in good:
        pixels = school.examples[number].pixels
        other = school.examples[good[random.integers(len(good))]].pixels
        size = min(*pixels.shape[:2], *other.shape[:2], 256)
        top, left = (int(random.integers(each - size + 1)) for each in pixels.shape[:2])
        place = slice(top, top + size), slice(left, left + size)
        drawn, _ = made(_tensor(pixels[place]), _tensor(other[:size, :size]), random)
        twin = pixels.copy()
        twin[place] = (drawn[0].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        found[number] = msgspec.structs.replace(school.examples[number], pixels=twin, bad=True)
    return found


def simple(school: School, tell: Progress) -> Iterator[Candidate]:
    """Yield the simple methods."""
    channels = 1 if school.grey else 3
    small, fine = (Sight(channels, size=size) for size in (baselines.SMALL, baselines.FINE))
    bad = np.array([bool(each.bad) for each in school.examples])
    planes = _Planes.of(school, small)
    yield _crossed(school, "always good", planes, lambda _numbers: baselines.Always())
    tell("principal components", 0.01)
    yield _crossed(
        school,
        "pca",
        planes,
        lambda numbers: baselines.Reconstruction(planes.stacked(school.good(numbers))),
    )
    tell("nearest neighbour", 0.03)
    planes = _Planes.of(school, fine)
    yield _crossed(
        school,
        "nearest neighbour",
        planes,
        lambda numbers: baselines.Neighbour(planes.stacked(school.good(numbers)), school.seed),
    )
    if not school.twins:
        tell("ridge", 0.06)
        yield _crossed(
            school,
            "ridge",
            planes,
            lambda numbers: baselines.Ridge(planes.stacked(numbers), bad[list(numbers)]),
        )


class _Planes(msgspec.Struct, frozen=True, eq=False):
    """The examples and their twins, by number, as a method sees them."""

    sight: Sight
    examples: Sequence[Tensor]
    twins: dict[int, Tensor]

    @staticmethod
    def of(school: School, sight: Sight) -> _Planes:
        """Return them, in memory."""
        return _Planes(
            sight,
            [torch.from_numpy(seen(each, sight)) for each in school.examples],
            {number: torch.from_numpy(seen(each, sight)) for number, each in school.twins.items()},
        )

    def stacked(self, numbers: Sequence[int]) -> Tensor:
        """Return some of the examples as one tensor, [n, c, h, w]."""
        return torch.cat([self.examples[number] for number in numbers])


def _crossed(
    school: School, method: str, planes: _Planes, fit: Callable[[Sequence[int]], nn.Module]
) -> Candidate:
    """Return a method fitted on all, with the logits of models that left the fold out."""
    count = len(school.examples)
    logit, twin = np.zeros(count), np.zeros(count)
    for fold in range(school.folds):
        network = fit(school.taught(fold)).eval()
        with torch.inference_mode():
            for number in school.tested(fold):
                logit[number] = float(network(planes.examples[number])[0][0])
                if number in school.twins:
                    twin[number] = float(network(planes.twins[number])[0][0])
    fitted = fit(school.taught()).eval()
    return Candidate(method, fitted, planes.sight, logit, twin, auroc(*school.judged(logit, twin)))


def networks(
    school: School,
    seconds: float,
    crew: Crew | None,
    tell: Progress,
    used: Callable[[], float] | None,
) -> tuple[Candidate | None, tuple[str, ...]]:
    """Return one network for each fold, which judge together, and what is odd about them.

    They judge as the mean of several, and are to be tested so: with time enough two of each fold
    are taught, and what neither has seen gets the mean of both. The first of each go to work. None
    where time is too short.
    """
    sight = Sight(1 if school.grey else 3, area=AREA, multiple=FILL)
    size = square([sight.shape(*each.pixels.shape[:2]) for each in school.examples])
    cores = 1 if crew is None else min(school.folds, crew.count)
    rounds = ROUNDS if seconds * cores >= LONG else 1
    nets = rounds * school.folds
    step = BATCH * (CROP[0] + CROP[1] * (size / LARGEST) ** 2)
    steps = int(min(MOST, 0.9 * seconds * cores / nets / step))
    if steps < LEAST or (used is not None and used() >= 1):
        return None, (f"{seconds:g} s are too short for networks: none was tried",)
    shown = [_shown(each, sight) for each in school.examples]
    studies = [_study(school, number, shown, sight, size, steps) for number in range(nets)]
    count = len(school.examples)
    told, twin, members, least = np.zeros((count, FIGURES)), np.zeros((count, FIGURES)), [], steps
    for number, (member, done, found, of_twins) in enumerate(_studied(studies, crew, tell, used)):
        least = min(least, done)
        tested = school.tested(number % school.folds)
        told[tested] += found / rounds
        twin[[one for one in tested if one in school.twins]] += of_twins / rounds
        members.append(member)
    odd = (
        f"the computer was busy: networks learnt in {least} steps, not in {steps}; with more time "
        "they may get better, and another training gives others",
    )
    return _together(school, sight, members[: school.folds], told, twin), odd * (least < steps)


def _together(
    school: School, sight: Sight, members: list[Network], told: FloatArray, twin: FloatArray
) -> Candidate:
    """Return networks as one method; told, twin: figures of heat maps, float64[n, 10], of what
    the networks had not seen. The curve through them has not seen it either."""
    logit, twin_logit = ranked(school, told, twin)
    figure = auroc(*school.judged(logit, twin_logit))
    panel = Panel(members, *curve(*school.judged(told, twin)))
    return Candidate("networks", panel, sight, logit, twin_logit, figure)


def ranked(school: School, told: FloatArray, twin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the logits of the examples and of their twins, from figures of what no model had seen,
    float64[n, k], by curves that had not seen them either."""
    rows, bad = school.judged(told, twin)
    of = school.known_folds()
    logit, twin_logit = np.zeros(len(told)), np.zeros(len(told))
    for fold in range(school.folds):
        weight, level = curve(rows[of != fold], bad[of != fold])
        tested = school.tested(fold)
        logit[tested] = told[tested] @ weight + level
        twin_logit[tested] = twin[tested] @ weight + level
    return logit, twin_logit


class _Study(msgspec.Struct, eq=False):
    """The work for one network, for another process maybe: what it learns from and is tested on."""

    taught: list[Shown]
    tested: list[Plane]
    twins: list[Plane]
    size: int
    steps: int
    seed: int


def _study(
    school: School, number: int, shown: Sequence[Shown], sight: Sight, size: int, steps: int
) -> _Study:
    fold = number % school.folds
    tested = school.tested(fold)
    return _Study(
        taught=[shown[one] for one in school.taught(fold)],
        tested=[sight.tensor(shown[one].pixels) for one in tested],
        twins=[seen(school.twins[one], sight) for one in tested if one in school.twins],
        size=size,
        steps=steps,
        seed=school.seed * 100 + number,
    )


_Done = tuple[Network, int, FloatArray, FloatArray]


def _studied(
    studies: list[_Study], crew: Crew | None, tell: Progress, used: Callable[[], float] | None
) -> Iterator[_Done]:
    """Yield of each study the network, its steps, and the figures of what it was tested on."""
    if crew is not None and crew.count > 1:
        for done, result in enumerate(crew.map(_work, studies), 1):
            tell(f"network {done} of {len(studies)}", 0.1 + 0.88 * done / len(studies))
            yield result
        return
    begun = used() if used else 0.0
    for number, study in enumerate(studies):
        first, last = (begun + (1 - begun) * one / len(studies) for one in (number, number + 1))
        clock = partial(_spent, used, first, last) if used else _never
        yield _work(study, partial(_progress, tell, number, len(studies)), clock)


def _spent(used: Callable[[], float], first: float, last: float) -> float:
    """Return the share of one study's time that is used up; it may have begun late or early."""
    return (used() - first) / (last - first)


def _never() -> float:
    return 0.0


def _progress(tell: Progress, number: int, count: int, done: float) -> None:
    tell(f"network {number + 1} of {count}", 0.1 + 0.88 * (number + done) / count)


def _work(
    study: _Study,
    told: Callable[[float], None] = lambda _done: None,
    used: Callable[[], float] = _never,
) -> _Done:
    """Do a study: the one function that other processes run."""
    with one_thread():
        network, steps = learnt(study.taught, study.size, study.steps, study.seed, told, used)
        return network, steps, _figures(network, study.tested), _figures(network, study.twins)


def _figures(network: Network, images: Sequence[Plane]) -> FloatArray:
    """Return the figures of the heat map of each image, float64[n, 10]."""
    panel = Panel([network], [0.0] * FIGURES, 0.0).eval()
    with torch.inference_mode():
        told = [panel.told(torch.from_numpy(each))[0][0].tolist() for each in images]
    return np.array(told, np.float64).reshape(-1, FIGURES)


def curve(told: FloatArray, bad: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Return the weights of the figures and the level of the logistic curve through them."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 — heavy, loads when named

    if bad.all() or not bad.any():  # nothing to tell apart: the highest place
        return [1.0] + [0.0] * (told.shape[1] - 1), 0.0
    middle, spread = told.mean(0), told.std(0) + 1e-6
    fitted = LogisticRegression(C=1 / PENALTY, class_weight="balanced", max_iter=1000)
    fitted.fit((told - middle) / spread, bad)
    weight = fitted.coef_[0] / spread
    return weight.tolist(), float(fitted.intercept_[0] - weight @ middle)


def _shown(example: Example, sight: Sight) -> Shown:
    pixels = sight.shown(example.pixels)
    mask = example.mask
    if mask is not None and mask.shape != pixels.shape[:2]:
        mask = stretched(mask, *pixels.shape[:2])
    return Shown(pixels, bool(example.bad), example.group, mask)


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
