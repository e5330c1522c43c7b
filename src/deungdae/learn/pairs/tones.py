"""Images as two tones, and a golden image laid over one of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Mask: TypeAlias = NDArray[np.bool_]

_REACH = 8  # pixels that the whole image may be off
_LOCAL = 4  # pixels that a part of it may be off beyond that
_BLOCK = 16  # pixels of a part; 5 x 5 parts around each say how far it is off
_CLEARLY = 4.0  # pixels that must agree better before a part is taken to be off by 1


def two_tones(pixels: Pixels) -> Mask:
    """Return what is dark, bool[h, w], of uint8[h, w] or uint8[h, w, 3].

    Parted where two groups of grey levels part best; of a single level, at half the light.
    Source: Otsu (1979).
    """
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2).astype(np.uint8)
    count = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    if np.count_nonzero(count) < 2:
        return np.full(grey.shape, grey.flat[0] < 128)
    below = np.cumsum(count)[:-1]
    mass = np.cumsum(count * np.arange(256))
    above = grey.size - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass[:-1] / below - (mass[-1] - mass[:-1]) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between))
    dark: Mask = grey <= (best[0] + best[-1]) // 2  # the middle of the gap
    return dark


def laid_over(golden: Mask, seen: Mask) -> Mask:
    """Return the golden image moved to where its parts lie in what is seen, bool[h, w].

    First as a whole, then each part by the few pixels by which it fits better than its
    neighbourhood: what is printed or etched in several steps is not off by the same everywhere.
    """
    h, w = seen.shape
    down, right = _offset(golden, seen)
    rows, columns = -(-h // _BLOCK), -(-w // _BLOCK)
    wide = ((0, rows * _BLOCK - h), (0, columns * _BLOCK - w))
    ground = np.pad(seen, wide)
    margin = _REACH + _LOCAL
    room = np.pad(np.pad(golden, margin, mode="edge"), wide)
    best = np.full((rows, columns), np.inf, np.float32)
    off = np.zeros((2, rows, columns), np.int64)
    for y in range(-_LOCAL, _LOCAL + 1):
        for x in range(-_LOCAL, _LOCAL + 1):
            top, left = margin + down + y, margin + right + x
            unlike = ground ^ room[top : top + rows * _BLOCK, left : left + columns * _BLOCK]
            cost = _around(_counted(unlike)) + np.float32(_CLEARLY * (y * y + x * x))
            better = cost < best
            best[better] = cost[better]
            off[:, better] = [[y], [x]]
    lower, further = (_each_pixel(_calm(part))[:h, :w] for part in off)
    moved: Mask = golden[
        np.clip(np.arange(h)[:, None] + down + lower, 0, h - 1),
        np.clip(np.arange(w)[None, :] + right + further, 0, w - 1),
    ]
    return moved


def _offset(golden: Mask, seen: Mask) -> tuple[int, int]:
    """Return by how many rows and columns the golden image is off as a whole."""
    a, b = 2.0 * seen - 1, 2.0 * golden - 1
    alike = np.fft.irfft2(np.conj(np.fft.rfft2(a)) * np.fft.rfft2(b), a.shape)
    near = np.r_[0 : _REACH + 1, -_REACH:0]
    row, column = divmod(int(alike[np.ix_(near, near)].argmax()), len(near))
    return int(near[row]), int(near[column])


def _counted(unlike: Mask) -> NDArray[np.float32]:
    """Return how many pixels of each part are set. Eight columns at once, in the bytes of a word:
    a part has so few rows that no byte overflows."""
    h, w = unlike.shape
    words = np.ascontiguousarray(unlike).view(np.uint64).reshape(h // _BLOCK, _BLOCK, w // 8)
    columns = words.sum(axis=1).view(np.uint8).reshape(h // _BLOCK, w // _BLOCK, _BLOCK)
    total: NDArray[np.float32] = columns.sum(axis=2, dtype=np.float32)
    return total


def _around(count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums over 5 x 5 parts."""
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those who compare images alone

    total: NDArray[np.float32] = 25 * ndimage.uniform_filter(count, 5, mode="nearest")
    return total


def _calm(off: NDArray[np.int64]) -> NDArray[Any]:
    """Return offsets without those of single parts."""
    from scipy import ndimage  # noqa: PLC0415

    return np.asarray(ndimage.median_filter(off, 3))


def _each_pixel(parts: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(np.repeat(parts, _BLOCK, axis=0), _BLOCK, axis=1)
