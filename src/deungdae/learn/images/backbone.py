"""Places of an image against those of good ones, as a network sees them that learnt elsewhere.

Source: PatchCore, Roth et al. (2022): places of two middle stages, and of the good ones a few that
lie far apart. Where defects are known, a logistic curve through the figures of the heat map.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from numpy.typing import NDArray
from torch import Tensor, nn

from deungdae.core.types import FloatArray
from deungdae.learn.measure import auroc

from .candidates import Candidate, curve, ranked
from .example import Example
from .network import MULTIPLE, figures
from .resnet import STEPS, ResNet
from .school import Progress, School, seen
from .sight import Sight
from .weights import METHOD

SIGHT = Sight(3, area=40_000, multiple=MULTIPLE)  # with resnet18 a verdict takes 35 ms of one core
POOL = 20_000  # places of good images, of which those are chosen that are known
KNOWN = 1000  # of them: with more each image takes longer
DIRECTIONS = 64  # in which they are looked at while they are chosen
ALIKE = 1e-3  # of squared distances, which are 2 or so between any two places
FIGURES = 5
PRODUCT, CHOICE = 3e-11, 4e-10  # s of one core: for a product in a network, and in a choice


class Memory(nn.Module):  # type: ignore[misc]
    """How far each place of an image is from the most similar one of good images.

    known: [k, c], places of good images; unit: [c], in which their features are measured.
    """

    def __init__(self, eye: ResNet, known: Tensor, unit: Tensor) -> None:
        super().__init__()
        self.eye = eye
        self.register_buffer("unit", unit[:, None, None])
        self.register_buffer("known", known / unit)
        self.register_buffer("square", (self.known * self.known).sum(1))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logarithms of the distances, [n, 1, h / 8, w / 8]."""
        found = features(self.eye, image) / self.unit
        place = _places(found)
        square = (place * place).sum(1, keepdim=True) + self.square
        nearest = (square - 2 * place @ self.known.T).amin(1).clamp_min(0)
        return torch.log(nearest + ALIKE).reshape(-1, 1, *found.shape[2:])


class Backbone(nn.Module):  # type: ignore[misc]
    """A memory, and what its distances mean.

    weight, level: how figures of a map become the logit of an image; middle, spread: of the
    furthest place of a good image.
    """

    def __init__(
        self, memory: Memory, weight: Sequence[float], level: float, middle: float, spread: float
    ) -> None:
        super().__init__()
        self.memory = memory
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32))
        self.level, self.middle, self.spread = level, middle, spread

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of images, [n, 3, h, w], 0 … 1, and of their places."""
        far = self.memory(image)
        return figures(far) @ self.weight + self.level, (far - self.middle) / self.spread


def features(eye: ResNet, image: Tensor) -> Tensor:
    """Return what a network sees at each place of images and about it, [n, c, h / 8, w / 8].

    Images are shown to it with mean 0 and spread 1, as it learnt: exposure is evened out.
    """
    middle = image.mean((1, 2, 3), keepdim=True)
    spread = (image * image).mean((1, 2, 3), keepdim=True) - middle * middle
    second, third = (
        F.avg_pool2d(each, 3, 1, 1, count_include_pad=False)
        for each in eye((image - middle) / (spread.clamp_min(0).sqrt() + 0.02))
    )
    return torch.cat([second, F.interpolate(third, scale_factor=2.0, mode="bilinear")], 1)


def cost(school: School, eye: ResNet) -> float:
    """Return how long `backbone` takes on one core, s: reckoned, so that it is always the same."""
    good = _area([school.examples[number] for number in school.good(school.taught())])
    area = good + _area(school.examples) + _area(school.twins.values())
    product = area * (eye.work() + KNOWN * sum(eye.channels) / STEPS[1] ** 2)
    pool = min(POOL, good // STEPS[1] ** 2)
    choice = (school.folds + 1) * pool * min(KNOWN, pool) * DIRECTIONS
    return product * PRODUCT + choice * CHOICE


def backbone(school: School, eye: ResNet, tell: Progress) -> Candidate:
    """Return the method with a memory of all good examples; its logits are of memories without
    the fold of the example."""
    places, source = _pool(school, eye, tell)

    def memory(numbers: Sequence[int]) -> Memory:
        return _memory(eye, places[np.isin(source, school.good(numbers))], school.seed)

    count = len(school.examples)
    told, twin = np.zeros((count, FIGURES)), np.zeros((count, FIGURES))
    for fold in range(school.folds):
        without = memory(school.taught(fold))
        for number in school.tested(fold):
            told[number] = _told(without, seen(school.examples[number], SIGHT))
            if number in school.twins:
                twin[number] = _told(without, seen(school.twins[number], SIGHT))
        tell("weights from elsewhere", 0.08 + 0.02 * (fold + 1) / school.folds)
    highest = told[school.good(range(count)), 0]
    middle, spread = float(highest.mean()), float(highest.std()) + 1e-3
    if school.twins:  # no defect is known: the furthest place tells
        logit, twin_logit = ((each[:, 0] - middle) / spread for each in (told, twin))
        weight, level = [1 / spread] + [0.0] * (FIGURES - 1), -middle / spread
    else:
        logit, twin_logit = ranked(school, told, twin)
        weight, level = curve(*school.judged(told, twin))
    whole = Backbone(memory(school.taught()), weight, level, middle, spread).eval()
    figure = auroc(*school.judged(logit, twin_logit))
    return Candidate(METHOD, whole, SIGHT, logit, twin_logit, figure)


def _area(examples: Iterable[Example]) -> int:
    """Return how many px of these examples are looked at."""
    sizes = [SIGHT.shape(*each.pixels.shape[:2]) for each in examples]
    fill = SIGHT.multiple
    return sum((height + -height % fill) * (width + -width % fill) for height, width in sizes)


def _pool(school: School, eye: ResNet, tell: Progress) -> tuple[Tensor, NDArray[np.int64]]:
    """Return places of the good examples, [n, c], drawn by chance, and whose each is, int64[n]."""
    random = np.random.default_rng(school.seed)
    good = school.good(school.taught())
    share = max(1, POOL // len(good))
    places, source = [], []
    for done, number in enumerate(good):
        tell("weights from elsewhere", 0.06 + 0.02 * done / len(good))
        with torch.inference_mode():
            found = _places(features(eye, torch.from_numpy(seen(school.examples[number], SIGHT))))
        drawn = np.sort(random.permutation(len(found))[:share])
        places.append(found[torch.from_numpy(drawn)])
        source.append(np.full(len(drawn), number))
    return torch.cat(places), np.concatenate(source)


def _memory(eye: ResNet, places: Tensor, seed: int) -> Memory:
    """Return a memory of few of these places. Both stages count alike in it."""
    near, far = (each.var(0, correction=0).sum().sqrt() for each in places.split(eye.channels, 1))
    unit = torch.cat([torch.full((count,), float(size) + 1e-6)
                      for count, size in zip(eye.channels, (near, far), strict=True)])  # fmt: skip
    chosen = _far_apart((places / unit).numpy(), seed)
    memory = Memory(eye, places[torch.from_numpy(chosen)], unit)
    memory.eval()
    return memory


def _far_apart(places: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Return which places to know, int64[k], each the furthest from those before it.

    Distances are those in some directions by chance: in the mean they are as in all.
    """
    random = np.random.default_rng(seed)
    directions = random.normal(0, DIRECTIONS**-0.5, (places.shape[1], DIRECTIONS))
    seen_so = places @ directions.astype(np.float32)
    square = (seen_so * seen_so).sum(1)
    least = np.full(len(places), np.inf, np.float32)
    chosen = [0]
    while len(chosen) < min(KNOWN, len(places)):
        last = chosen[-1]
        np.minimum(least, square + square[last] - 2 * seen_so @ seen_so[last], out=least)
        chosen.append(int(least.argmax()))
    return np.array(chosen)


def _places(found: Tensor) -> Tensor:
    return found.permute(0, 2, 3, 1).flatten(0, 2)


def _told(memory: Memory, image: NDArray[np.float32]) -> FloatArray:
    """Return the figures of an image's map, float64[5]."""
    with torch.inference_mode():
        return np.array(figures(memory(torch.from_numpy(image)))[0].tolist())
