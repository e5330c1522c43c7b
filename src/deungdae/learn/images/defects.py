"""Defects that are made: what a fault could look like, drawn onto good images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor

Random = np.random.Generator


def made(image: Tensor, other: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Return a good image with a defect drawn on it, and where it is.

    image, other: [1, c, s, s], 0 … 1, of good parts; result: the same shape, and [1, 1, s, s],
    0 or 1. A hole or stain, a crack or scratch, a stretch of other texture, a patch from another
    image.
    """
    kinds: tuple[Callable[[Tensor, Tensor, Random], tuple[Tensor, Tensor]], ...]
    kinds = (_spot, _spot, _crack, _crack, _texture, _texture, _texture, _patch)
    drawn, mask = kinds[random.integers(len(kinds))](image, other, random)
    return drawn.clamp(0, 1), (mask > 0.5).float()


def pasted(image: Tensor, defect: Tensor, mask: Tensor, random: Random) -> Tensor:
    """Return a good image with a real defect on it, in the light of its new place.

    image, defect: [1, c, s, s], 0 … 1; mask: [1, 1, s, s], where the defect is.
    """
    size = int(random.choice([3, 5, 9]))
    soft = F.avg_pool2d(F.max_pool2d(mask, size, 1, size // 2), size, 1, size // 2)
    rough = F.max_pool2d(mask, 8)
    around = F.interpolate(F.max_pool2d(rough, 5, 1, 2), size=mask.shape[2:]) - mask
    around = around.clamp_min(0)
    if float(around.sum()) < 50:
        around = torch.ones_like(mask)
    there = float((defect * around).mean() / around.mean())
    here = float((image * around).mean() / around.mean())
    share = defect / max(there, 0.02)
    if random.random() < 0.5:  # the defect as it is, or what it does to the texture under it
        return (image * (1 - soft) + soft * share * here).clamp(0, 1)
    return (image * (1 - soft) + soft * (image * share).clamp(0, 1)).clamp(0, 1)


def relit(image: Tensor, random: Random) -> Tensor:
    """Return an image in another light: exposure, gamma, an uneven lamp, noise, focus."""
    gamma, gain = np.exp(random.normal(0, (0.25, 0.3)))
    image = image.clamp(1e-3, 1) ** float(gamma) * float(gain)
    if random.random() < 0.7:
        image = image * (1 + 0.15 * _clouds(image.shape[2], 3, random)).clamp(0.4, 1.8)
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(0, 0.03), image.shape)
        image = image + torch.from_numpy(noise.astype(np.float32))
    if random.random() < 0.15:
        image = F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    return image.clamp(0, 1)


def _spot(image: Tensor, _other: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    size = image.shape[2]
    mask = _blob(size, max(2.0, size / 64), size / 9, random)
    middle = image.mean((2, 3), keepdim=True)
    depth = random.uniform(0.15, 0.6) * _sign(0.8, random)
    inside = 1 + depth + 0.25 * abs(depth) * _clouds(size, int(random.integers(16, 64)), random)
    flat = middle + (image - middle) * float(random.uniform(0.2, 1))
    return image * (1 - mask) + mask * flat * inside.clamp_min(0.05) * _tint(image, random), mask


def _crack(image: Tensor, _other: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    mask = _line(image.shape[2], random)
    depth = random.uniform(0.2, 0.75) * _sign(0.85, random)
    return image * (1 + depth * mask), mask


def _texture(image: Tensor, other: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    size = image.shape[2]
    mask = _stretch(size, random)
    tall = 32 if random.random() < 0.5 else 8
    smooth = F.interpolate(F.avg_pool2d(image, (tall, 8)), size=(size, size), mode="bilinear")
    kind = random.random()
    if kind < 0.35:
        inside = smooth + (image - smooth) * float(random.uniform(0, 0.6))
    elif kind < 0.6:
        inside = smooth + (image - smooth) * float(random.uniform(1.5, 3))
    else:
        inside = other * (float(image.mean()) / (float(other.mean()) + 1e-3))
    gain = 1 + random.normal() * 0.18
    drawn = image * (1 - mask) + mask * inside * gain
    changed = float(((drawn - image).abs() * mask).sum()) / (float(mask.sum()) + 1)
    if changed < 0.25 * (float(image.std()) + 0.01):  # nobody could see it
        drawn = image * (1 - mask) + mask * inside * (0.7 if random.random() < 0.5 else 1.35)
    return drawn, mask


def _patch(image: Tensor, other: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    size = image.shape[2]
    mask = _blob(size, max(3.0, size / 32), size / 5, random)
    turned = torch.flip(other, [2]) if random.random() < 0.5 else other.transpose(2, 3)
    gain = float(image.mean() / (turned.mean() + 1e-3)) * float(np.exp(random.normal() * 0.3))
    return image * (1 - mask) + mask * turned * gain, mask


def _sign(below: float, random: Random) -> float:
    return -1.0 if random.random() < below else 1.0


def _tint(image: Tensor, random: Random) -> Tensor:
    """Return gains of the channels: a defect may have a colour of its own."""
    channels = image.shape[1]
    spread = 0.0 if channels == 1 else 0.15
    gains = np.exp(random.normal(0, spread, (1, channels, 1, 1)))
    return torch.from_numpy(gains.astype(np.float32))


def _clouds(size: int, cells: int, random: Random) -> Tensor:
    """Return smooth noise of spread 1, [1, 1, size, size]."""
    rough = torch.from_numpy(random.normal(size=(1, 1, cells, cells)).astype(np.float32))
    return F.interpolate(rough, size=(size, size), mode="bilinear")


def _soft(distance: np.ndarray[tuple[int, ...], np.dtype[np.float32]], edge: float) -> Tensor:
    """Return 1 inside, where the distance is below 0, 0 outside, with an edge of so many px."""
    mask = 1 / (1 + np.exp(np.clip(distance / edge, -30, 30)))
    return torch.from_numpy(mask.astype(np.float32))[None, None]


def _blob(size: int, least: float, most: float, random: Random) -> Tensor:
    """Return a compact shape of uneven outline, [1, 1, size, size]; least, most: its radius, px."""
    radius = float(np.exp(random.uniform(np.log(least), np.log(most))))
    turn, stretch = random.uniform(0, np.pi), float(np.exp(random.normal() * 0.4))
    y, x = np.mgrid[:size, :size].astype(np.float32) - random.uniform(0, size, (2, 1, 1))
    along = (np.cos(turn) * x + np.sin(turn) * y) / stretch
    across = (-np.sin(turn) * x + np.cos(turn) * y) * stretch
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for wave in range(1, 6):
        phase = random.uniform(0, 2 * np.pi)
        outline += random.normal() * 0.22 / wave**0.7 * np.cos(wave * angle + phase)
    edge = random.uniform(0.5, max(1, radius / 7))
    return _soft(np.hypot(along, across) - radius * outline, edge)


def _stretch(size: int, random: Random) -> Tensor:
    """Return a large part of the image: beyond a wavy border, a band, a blob, or clouds."""
    kind = random.random()
    if kind >= 0.8:
        clouds = _clouds(size, int(random.integers(3, 6)), random)
        level = torch.quantile(clouds.flatten()[::7], float(random.uniform(0.6, 0.85)))
        return torch.sigmoid((clouds - level) * float(random.uniform(10, 60)))
    if kind >= 0.5:
        return _blob(size, size / 10, size / 2.8, random)
    turn = random.uniform(0, np.pi)
    if random.random() < 0.7:  # along the image, as tools and belts go
        turn = float(random.choice([0, np.pi / 2])) + random.normal() * 0.15
    y, x = np.mgrid[:size, :size].astype(np.float32) - size / 2
    across, along = np.cos(turn) * y + np.sin(turn) * x, np.cos(turn) * x - np.sin(turn) * y
    for wave in range(1, 5):
        phase = random.uniform(0, 2 * np.pi)
        height = random.normal() * size / 43 / wave
        across += height * np.sin(2 * np.pi * wave * along / size + phase)
    across -= random.uniform(-0.35, 0.35) * size
    if random.random() < 0.4:
        across = np.minimum(across, random.uniform(0.1, 0.5) * size - across)
    return _soft(-across, random.uniform(0.5, 4))


def _line(size: int, random: Random) -> Tensor:
    """Return a thin line that wanders, [1, 1, size, size]."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 — 10 MB, for those with images alone

    length = np.exp(random.uniform(np.log(size / 10), np.log(size * 0.85)))
    turns = np.full(max(6, int(length / 5)), random.uniform(0, 2 * np.pi))
    if random.random() < 0.5:
        turns[:] = np.pi / 2 * random.choice([1, 3]) + random.normal() * 0.2
    turns += np.cumsum(random.normal(0, 0.18, len(turns)))
    steps = 10 * np.column_stack([np.cos(turns), np.sin(turns)])  # drawn at twice the size
    path = 2 * random.uniform(0, size, 2) + np.cumsum(steps, axis=0)
    width = max(1, round(float(np.exp(random.uniform(np.log(1.5), np.log(7))))))
    image = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(image).line([(x, y) for x, y in path.tolist()], 255, width, joint="curve")
    drawn = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32)
    return torch.from_numpy(drawn / 255)[None, None]
