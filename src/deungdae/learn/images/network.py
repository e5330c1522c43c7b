"""The network that finds defects: a small U-shaped one, from pixels to heat and a verdict."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor, nn

MULTIPLE = 32  # px: the coarsest step of the network
STEP = 4  # px of the image on one of the heat map
WIDTHS = 16, 32, 64, 96, 128  # channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size
SPREAD = 8  # px: light is taken to be even over so many


class Network(nn.Module):  # type: ignore[misc]
    """Takes [n, channels, h, w], 0 … 1, h and w in steps of 32; gives logits: [n] of the image,
    [n, 1, h / 4, w / 4] of its places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, coarse = WIDTHS
        self.stem = nn.Sequential(_layer(2 * channels, half, 5, 2), _layer(half, half))
        self.down = nn.ModuleList(
            nn.Sequential(_layer(fine, rough, 3, 2), _Residual(rough))
            for fine, rough in pairwise(WIDTHS)
        )
        self.side = nn.ModuleList(
            nn.Conv2d(width, quarter, 1) for width in (quarter, eighth, sixteenth, coarse)
        )
        self.up = nn.ModuleList(_layer(quarter, quarter) for _ in range(3))
        self.drop = nn.Dropout2d(0.1)
        self.heat = nn.Conv2d(quarter, 1, 1)
        self.verdict = nn.Linear(2 * coarse + 2, 1)
        nn.init.constant_(self.heat.bias, -3.0)  # most places are good

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the images and of their places."""
        levels = [self.stem(even(image))]
        for step in self.down:
            levels.append(step(levels[-1]))
        fine = self.side[-1](self.drop(levels[-1]))
        for up, side, level in zip(self.up, self.side[-2::-1], levels[-2:0:-1], strict=True):
            fine = up(F.interpolate(fine, size=level.shape[2:]) + side(level))
        heat = self.heat(self.drop(fine))
        smooth = F.avg_pool2d(heat, 3, 1, 1, count_include_pad=False)
        coarse = levels[-1]
        told = torch.cat(
            [
                coarse.mean((2, 3)),
                coarse.amax((2, 3)),
                smooth.amax((2, 3)),
                torch.logsumexp(heat.flatten(2), 2) - 8.0,
            ],
            1,
        )
        return self.verdict(told)[:, 0], heat


class Panel(nn.Module):  # type: ignore[misc]
    """Several networks that judge together: the mean of what they say.

    weight: of the highest heat beside the verdict of the image in its logit.
    """

    def __init__(self, members: list[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the images and of their places."""
        said = [member(image) for member in self.members]
        logit = torch.stack([each for each, _ in said]).mean(0)
        return logit, torch.stack([heat for _, heat in said]).mean(0)


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
    return torch.cat([whole, ((image - rough) / near).clamp(-6, 6)], 1)


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
