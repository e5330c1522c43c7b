"""Noise that looks like burnt clay, and stamps along a path."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.float32]  # [height, width]
Mask: TypeAlias = NDArray[np.bool_]  # [height, width]


def clouds(random: np.random.Generator, height: int, width: int, cell: float) -> Image:
    """Return smooth noise with features of `cell` pixels: [height, width], mean 0, spread 1.

    Value noise: a coarse grid of normal numbers, interpolated with a smooth step.
    """
    (top, down), (left, right) = _place(random, height, cell), _place(random, width, cell)
    grid = random.standard_normal((top[-1] + 2, left[-1] + 2), dtype=np.float32) * np.float32(1.4)
    rows = grid[top] + down[:, None] * (grid[top + 1] - grid[top])
    return rows[:, left] + right * (rows[:, left + 1] - rows[:, left])


def grain(random: np.random.Generator, height: int, width: int) -> Image:
    """Return noise of two pixels: [height, width], mean 0, spread about 1."""
    noise = random.standard_normal((height + 1, width + 1), dtype=np.float32)
    mean: Image = (noise[:-1, :-1] + noise[1:, :-1] + noise[:-1, 1:] + noise[1:, 1:]) * np.float32(
        0.5
    )
    return mean


def blurred(image: Image, sigma: float) -> Image:
    """Return the image [height, width] or [height, width, 3] blurred by a Gaussian of sigma px."""
    if sigma <= 0:
        return image
    radius = max(round(2.5 * sigma), 1)
    away = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padding = [(0, 0)] * image.ndim
        padding[axis] = (radius, radius)
        padded = np.pad(image, padding, mode="edge")
        n = image.shape[axis]
        image = np.zeros_like(image)
        for shift, weight in enumerate(weights):
            part = padded[shift : shift + n] if axis == 0 else padded[:, shift : shift + n]
            image += np.float32(weight) * part
    return image


def stamped(stamps: NDArray[np.float64], shape: tuple[int, int]) -> Image:
    """Return how much of each pixel round stamps cover: [height, width], 0..1.

    stamps: x, y, radius [3, n], pixels; shape: height and width.
    """
    (x, y, radius), (height, width) = stamps, shape
    cover = np.zeros((height, width), dtype=np.float32)
    reach = int(np.ceil(radius.max())) + 1 if len(radius) else 0
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            r, c = row + down, column + right
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            away = np.hypot(c + 0.5 - x, r + 0.5 - y)
            value = np.clip(radius + 0.5 - away, 0, 1)[inside].astype(np.float32)
            np.maximum.at(cover, (r[inside], c[inside]), value)
    return cover


def _place(
    random: np.random.Generator, length: int, cell: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the grid point before each pixel, and how far the pixel lies behind it: [length]."""
    where = np.arange(length) / cell + random.random()
    before = where.astype(np.intp)
    share = (where - before).astype(np.float32)
    return before, share * share * (3 - 2 * share)
