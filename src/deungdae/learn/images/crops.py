"""What a network is shown while it learns: crops of the examples, always seen anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from numpy.typing import NDArray
from torch import Tensor

from .defects import Random, made, pasted, relit
from .sight import Pixels

LARGEST = 96  # px of a crop
SEEN = 12  # px of a defect from which on it makes a crop bad
REAL, PASTED, MADE = 0.4, 0.3, 0.2  # shares: of crops from bad images; of the others, drawn on
FAR = 0.35  # share of the crops that are seen at half the size
DOUBTED = 0.5  # share of the crops of a good image that show what the network took for a defect


class Shown(msgspec.Struct, frozen=True, eq=False):
    """An example as the network sees it: pixels uint8[h, w, c], mask of its defect or None."""

    pixels: Pixels
    bad: bool
    group: str
    mask: NDArray[np.bool_] | None


class Crop(msgspec.Struct, frozen=True, eq=False):
    """image: [1, c, s, s]; mask: [1, 1, s, s]; bad: 0 … 1; told: whether the mask is known;
    source: number of the good example of which it is an unchanged part, else −1."""

    image: Tensor
    mask: Tensor
    bad: float
    told: bool = True
    source: int = -1


class Crops:
    """Draws crops: random place, size, turn and light, half of them with defects.

    Each group is drawn as often as any other, bad ones as the good; a good image that the network
    takes for bad is drawn more often, and most where it does so. hard: float64[n], how wrong the
    network is about each.
    """

    def __init__(self, shown: Sequence[Shown], size: int, random: Random) -> None:
        self.size = size
        self._random = random
        self._images = [torch.tensor(each.pixels.transpose(2, 0, 1)[None]) for each in shown]
        self._halves = [halved(each.float()).round().byte() for each in self._images]
        masks = [each.mask if each.mask is not None and each.mask.any() else None for each in shown]
        self._masks = [None if mask is None else _plane(mask) for mask in masks]
        self._places = [None if mask is None else np.argwhere(mask) for mask in masks]
        self._good, self._bad = (_by_group(shown, bad) for bad in (False, True))
        self._masked = [
            members
            for members in ([one for one in of if masks[one] is not None] for of in self._bad)
            if members
        ]
        self.hard = np.ones(len(shown))
        self._doubted: dict[int, NDArray[np.int64]] = {}

    def good(self) -> list[tuple[int, Tensor]]:
        """Return the good examples with their numbers, [1, c, h, w], 0 … 1."""
        return [(one, self._images[one].float() / 255) for group in self._good for one in group]

    def doubt(self, one: int, places: NDArray[np.int64], wrong: float) -> None:
        """Show these places of a good example more often, int64[k, 2], px; wrong: how far it is
        taken for bad."""
        self._doubted[one], self.hard[one] = places, wrong

    def batch(self, count: int) -> list[Crop]:
        """Return so many crops."""
        return [self._one() for _ in range(count)]

    def _one(self) -> Crop:
        random = self._random
        if self._bad and random.random() < REAL:
            image, mask, told = self._defect(self._drawn(self._bad))
            seen = float(mask.sum())
            bad = float(seen > SEEN) if not 0 < seen <= SEEN else 0.5
            return Crop(relit(image, random), mask, bad if told else 1.0, told)
        source = self._drawn_good()
        image, mask = self._anywhere(source)
        kind = random.random() if self._masked else random.uniform(PASTED / 2, 1)
        if kind < PASTED and self._masked:
            defect, mask, _ = self._defect(self._drawn(self._masked))
            if float(mask.sum()) > SEEN:
                return Crop(relit(pasted(image, defect, mask, random), random), mask, 1.0)
        if kind < PASTED + MADE:
            other, _ = self._anywhere(self._drawn(self._good))
            image, mask = made(image, other, random)
            bad = 1.0 if float(mask.sum()) > SEEN else 0.5
            return Crop(relit(image, random), mask, bad)
        return Crop(relit(image, random), torch.zeros_like(mask), 0.0, source=source)

    def _drawn(self, groups: list[list[int]]) -> int:
        members = groups[self._random.integers(len(groups))]
        return members[self._random.integers(len(members))]

    def _drawn_good(self) -> int:
        first, second = self._drawn(self._good), self._drawn(self._good)
        if self._random.random() < 0.5 and self.hard[second] > self.hard[first]:
            return second
        return first

    def _defect(self, one: int) -> tuple[Tensor, Tensor, bool]:
        """Return a crop of a bad image, mostly with the defect, its mask, and if that is known."""
        random = self._random
        height, width = self._images[one].shape[2:]
        places = self._places[one]
        if places is None:  # where it is nobody knows: as much of the image as may be
            zoom = min(2.0, max(height, width) / self.size)
            image, mask = self._crop(one, (height / 2, width / 2), zoom)
            return image, mask, False
        if random.random() < 0.8:
            place = places[random.integers(len(places))] + random.uniform(-0.4, 0.4, 2) * self.size
            return *self._crop(one, (float(place[0]), float(place[1])), self._zoom()), True
        return *self._anywhere(one), True

    def _anywhere(self, one: int) -> tuple[Tensor, Tensor]:
        height, width = self._images[one].shape[2:]
        place = self._random.uniform(0, 1, 2) * (height, width)
        doubted = self._doubted.get(one)
        if doubted is not None and self._random.random() < DOUBTED:
            place = doubted[self._random.integers(len(doubted))]
            place = place + self._random.uniform(-0.4, 0.4, 2) * self.size
        return self._crop(one, (float(place[0]), float(place[1])), self._zoom())

    def _zoom(self) -> float:
        far = 2.0 if self._random.random() < FAR else 1.0
        return far * float(np.exp(self._random.uniform(-0.35, 0.35)))

    def _crop(self, one: int, place: tuple[float, float], zoom: float) -> tuple[Tensor, Tensor]:
        """Return a square of the image about a place, moved so that it lies in it, and its mask.

        zoom: px of the image on one of the crop. Turned a little, and mirrored at times; what lies
        outside is the image mirrored.
        """
        random = self._random
        image, mask = self._images[one], self._masks[one]
        size = np.array(image.shape[2:])
        if zoom > 1.4:  # of a smaller image nothing is skipped
            image = self._halves[one]
        half = np.minimum(self.size * zoom, size) / 2
        middle = np.clip(place, half, size - half)
        turn, stretch = random.normal(0, 0.08, 2)
        mirror = random.choice([-1.0, 1.0], 2)
        cosine, sine = np.cos(turn), np.sin(turn)
        bent = np.array([[cosine * np.exp(stretch), -sine], [sine, cosine / np.exp(stretch)]])
        span = self.size * zoom / size[::-1, None]  # of x, then y
        frame = np.empty((2, 3), np.float32)
        frame[:, :2] = bent * mirror * span
        frame[:, 2] = (middle / size * 2 - 1)[::-1]
        shape = [1, 1, self.size, self.size]
        grid = F.affine_grid(torch.from_numpy(frame)[None], shape, align_corners=False)
        cut = _cut(image.float() / 255, grid)
        return cut, torch.zeros(shape) if mask is None else _cut(mask, grid)


def square(sizes: Sequence[tuple[int, int]]) -> int:
    """Return the side of the crops for images of these heights and widths, px."""
    longest = float(np.median([max(size) for size in sizes]))
    return int(min(LARGEST, max(32, np.ceil(longest / 32) * 32)))


def halved(image: Tensor) -> Tensor:
    """Return images of half the height and width, [n, c, h, w], each place the mean of four."""
    return F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def _cut(image: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(
        image, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _plane(mask: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(mask.astype(np.float32))[None, None]


def _by_group(shown: Sequence[Shown], bad: bool) -> list[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(shown):
        if each.bad is bad:
            found[each.group].append(number)
    return [found[group] for group in sorted(found)]
