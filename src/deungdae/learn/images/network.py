"""The network that finds defects: a small U-shaped one, from pixels to heat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor, nn

MULTIPLE = 32  # px: the coarsest step of the network
FILL = 64  # px: and the half of an image still fits it
STEP = 8  # px of the image on one of the heat map
WIDTHS = 16, 32, 48, 80, 80  # channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size
SPREAD = 8  # px: light is taken to be even over so many
FIGURES = 10  # of the heat maps of an image and of its half, from which the verdict comes
SHARES = 20, 5  # of a heat map, one in so many of its places


class Network(nn.Module):  # type: ignore[misc]
    """Takes what `even` gives, height and width in steps of 32 px; gives logits of the places,
    [n, 1, h / 8, w / 8]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, coarse = WIDTHS
        self.stem = nn.Sequential(_layer(2 * channels, half, 5, 2), _layer(half, quarter, 3, 2))
        self.fine = _layer(quarter, quarter)
        self.down = nn.ModuleList(
            nn.Sequential(_layer(taken, given, 3, 2), _Residual(given))
            for taken, given in pairwise((quarter, eighth, sixteenth, coarse))
        )
        self.side = nn.ModuleList(
            [
                nn.Conv2d(quarter, eighth, 1),
                nn.Conv2d(sixteenth, sixteenth, 1),
                nn.Conv2d(coarse, sixteenth, 1),
            ]
        )
        self.up = _layer(sixteenth, eighth, 1)
        self.last = _layer(eighth, eighth)
        self.drop = nn.Dropout2d(0.1)
        self.heat = nn.Conv2d(eighth, 1, 1)
        nn.init.constant_(self.heat.bias, -2.0)  # most places are good

    def forward(self, lit: Tensor) -> Tensor:
        """Return the logits of the places."""
        quarter = self.stem(lit)
        quarter = quarter + self.fine(quarter)
        eighth = self.down[0](quarter)
        sixteenth = self.down[1](eighth)
        coarse = self.down[2](sixteenth)
        rough = self.side[2](self.drop(coarse))
        rough = F.interpolate(rough, size=sixteenth.shape[2:]) + self.side[1](sixteenth)
        rough = F.interpolate(self.up(rough), size=eighth.shape[2:])
        joined = rough + eighth + F.max_pool2d(self.side[0](quarter), 2)
        heat: Tensor = self.heat(self.drop(self.last(F.relu(joined))))
        return heat


class Panel(nn.Module):  # type: ignore[misc]
    """Networks that judge together, each the image and its half: a verdict from figures of their
    heat, and the mean heat.

    weight, level: how the figures become the logit of an image.
    """

    def __init__(self, members: Sequence[Network], weight: Sequence[float], level: float) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32))
        self.level = level

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of images, [n, channels, h, w], 0 … 1, and of their places."""
        told, near, far = self.told(image)
        rough = F.interpolate(far, scale_factor=2.0)
        return told @ self.weight + self.level, torch.maximum(near, rough)

    def told(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the figures of images, [n, 10], and their heat, near and far."""
        both = [even(image), even(F.avg_pool2d(image, 2))]
        heats = [[member(lit) for lit in both] for member in self.members]
        told = [torch.cat([figures(heat) for heat in each], 1) for each in heats]
        near, far = (torch.stack(each).mean(0) for each in zip(*heats, strict=True))
        return torch.stack(told).mean(0), near, far


def figures(heat: Tensor) -> Tensor:
    """Return what is told of each heat map: its highest place, its highest stretch, and the means
    of its ten highest places and of its highest twentieth and fifth: [n, 5]."""
    flat = heat.flatten(1)
    stretch = F.avg_pool2d(heat, 3, 1, 1, count_include_pad=False).amax((2, 3))
    means = [flat.topk(10, 1)[0].mean(1, keepdim=True)]
    means += [flat.topk(flat.shape[1] // part + 1, 1)[0].mean(1, keepdim=True) for part in SHARES]
    return torch.cat([flat.amax(1, keepdim=True), stretch, *means], 1)


def even(image: Tensor) -> Tensor:
    """Return images twice, without their light: against the whole image, and against what is near.

    image: [n, c, h, w], 0 … 1; result: [n, 2c, h, w], each of mean 0 and spread 1 or so.
    """
    middle = image.mean((2, 3), keepdim=True)
    spread = (image * image).mean((2, 3), keepdim=True) - middle * middle
    whole = (image - middle) / (spread.clamp_min(0).sqrt() + 0.02)
    rough = F.avg_pool2d(image, SPREAD)
    square = F.avg_pool2d(image * image, SPREAD)
    rough = F.avg_pool2d(rough, 9, 1, 4, count_include_pad=False)
    square = F.avg_pool2d(square, 9, 1, 4, count_include_pad=False)
    near = (square - rough * rough).clamp_min(0).sqrt() + 0.01
    size = image.shape[2:]
    rough = F.interpolate(rough, size=size, mode="bilinear")
    near = F.interpolate(near, size=size, mode="bilinear")
    return torch.cat([whole.clamp(-6, 6), ((image - rough) / near).clamp(-6, 6)], 1)


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _layer(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, image: Tensor) -> Tensor:
        return F.relu(image + self.second(self.first(image)))


def _layer(taken: int, given: int, size: int = 3, step: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(taken, given, size, step, size // 2, bias=False),
        nn.BatchNorm2d(given),
        nn.ReLU(inplace=True),
    )
