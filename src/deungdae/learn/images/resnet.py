"""The networks that others give away weights of: the first stages of a ResNet.

Written out rather than taken from torchvision: that would be one package more to install, of the
very version that fits PyTorch, for so few lines. Names are torchvision's, so that its weights fit.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor, nn

WIDTHS = 64, 128, 256  # channels of the stages that are used
STEPS = 4, 8, 16  # px of the image on a place of each
KINDS = {  # blocks of each stage; layers of a block; channels of its inner layers on those above
    "resnet18": ((2, 2, 2), 2, 1),
    "resnet34": ((3, 4, 6), 2, 1),
    "resnet50": ((3, 4, 6), 3, 1),
    "wide_resnet50_2": ((3, 4, 6), 3, 2),
}
GROWTH = 4  # channels that a block of three layers gives, on those of its stage


class ResNet(nn.Module):  # type: ignore[misc]
    """A ResNet without its last stage and its classes.

    Sources: He et al. (2016), with the stride in the middle layer as torchvision has it; Zagoruyko
    and Komodakis (2016) for the wide one.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        blocks, layers, wide = KINDS[kind]
        self.kind = kind
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        taken = 64
        for number, (count, width) in enumerate(zip(blocks, WIDTHS, strict=True), 1):
            stage = nn.Sequential()
            for block in range(count):
                step = 2 if block == 0 and number > 1 else 1
                stage.append(
                    _Two(taken, width, step) if layers == 2 else _Three(taken, width, wide, step)
                )
                taken = width if layers == 2 else width * GROWTH
            self.add_module(f"layer{number}", stage)
        self.channels = taken // 2, taken  # of what it gives

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the second and the third stage, at 1/8 and 1/16 of the size, of [n, 3, h, w] of
        mean 0 and spread 1."""
        image = F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        second = self.layer2(self.layer1(image))
        return second, self.layer3(second)

    def work(self) -> float:
        """Return how many products it takes for each pixel of an image."""
        stages = zip((self.conv1, self.layer1, self.layer2, self.layer3), (2, *STEPS), strict=True)
        return sum(_size(stage) / step**2 for stage, step in stages)


class _Two(nn.Module):  # type: ignore[misc]
    """Two layers, beside what goes past them."""

    def __init__(self, taken: int, width: int, step: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(taken, width, 3, step), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _past(taken, width, step)

    def forward(self, image: Tensor) -> Tensor:
        found = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(found)) + self.downsample(image))


class _Three(nn.Module):  # type: ignore[misc]
    """Three layers, of which the middle one looks about, beside what goes past them."""

    def __init__(self, taken: int, width: int, wide: int, step: int) -> None:
        super().__init__()
        inner, given = width * wide, width * GROWTH
        self.conv1, self.bn1 = _conv(taken, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = _conv(inner, inner, 3, step), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = _conv(inner, given, 1), nn.BatchNorm2d(given)
        self.downsample = _past(taken, given, step)

    def forward(self, image: Tensor) -> Tensor:
        found = F.relu(self.bn1(self.conv1(image)))
        found = F.relu(self.bn2(self.conv2(found)))
        return F.relu(self.bn3(self.conv3(found)) + self.downsample(image))


def _conv(taken: int, given: int, size: int, step: int = 1) -> nn.Conv2d:
    return nn.Conv2d(taken, given, size, step, size // 2, bias=False)


def _past(taken: int, given: int, step: int) -> nn.Sequential:
    """Return what goes past a block: as it is where it has the same shape."""
    if step == 1 and taken == given:
        return nn.Sequential()
    return nn.Sequential(_conv(taken, given, 1, step), nn.BatchNorm2d(given))


def _size(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
