"""Images as two tones, and a golden image laid over one of them."""

from __future__ import annotations

from typing import TypeAlias

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
    grey = pixels if pixels.ndim == 2 else _grey(pixels)
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
    down, right = _offset(golden, seen)
    wide = tuple((0, -side % _BLOCK) for side in seen.shape)
    ground = np.pad(seen, wide)
    margin = _REACH + _LOCAL
    room = np.pad(np.pad(golden, margin, mode="edge"), wide)
    start = margin + down, margin + right
    lower, further = _local_offsets(room, ground, start)
    rows, columns = (first + np.arange(n) for first, n in zip(start, ground.shape, strict=True))
    at = np.add.outer(rows * room.shape[1], columns)
    parts = at.reshape(len(lower), _BLOCK, -1, _BLOCK)
    parts += (lower * room.shape[1] + further)[:, None, :, None]
    moved: Mask = room.ravel()[at[: seen.shape[0], : seen.shape[1]]]
    return moved


def _grey(pixels: Pixels) -> Pixels:
    """Return the mean of the three colours, rounded down."""
    total = pixels[..., 0].astype(np.uint16)
    total += pixels[..., 1]
    total += pixels[..., 2]
    grey: Pixels = (total // 3).astype(np.uint8)
    return grey


def _offset(golden: Mask, seen: Mask) -> tuple[int, int]:
    """Return by how many rows and columns the golden image is off as a whole.

    What goes out at one side comes in at the other.
    """
    near = np.r_[0 : _REACH + 1, -_REACH:0]
    ground = _words(seen)
    h = len(seen)
    unlike = np.empty((len(near), len(near)), np.int64)
    for column, right in enumerate(near):
        words = _words(np.roll(golden, -right, axis=1))
        words = np.concatenate([words[-_REACH:], words, words[:_REACH]])
        for row, down in enumerate(_REACH + near):
            unlike[row, column] = np.bitwise_count(ground ^ words[down : down + h]).sum()
    row, column = divmod(int(unlike.argmin()), len(near))
    return int(near[row]), int(near[column])


def _local_offsets(
    room: Mask, ground: Mask, start: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return by how many rows and columns each part is off beyond `start`, where the image lies in
    the room around the golden one."""
    h, w = ground.shape
    seen = _words(ground)
    shifts = range(-_LOCAL, _LOCAL + 1)
    cost = np.empty((len(shifts), len(shifts), h // _BLOCK, w // _BLOCK), np.float32)
    for column, x in enumerate(shifts):
        left = start[1] + x
        words = _words(room[:, left : left + w])
        for row, y in enumerate(shifts):
            top = start[0] + y
            cost[row, column] = _counted(seen ^ words[top : top + h], w // _BLOCK)
    cost = _around(cost)
    away = np.square(shifts)
    cost += np.float32(_CLEARLY) * np.add.outer(away, away)[..., None, None]
    best = cost.reshape(-1, *cost.shape[2:]).argmin(axis=0)
    lower, further = (_calm(part - _LOCAL) for part in np.divmod(best, len(shifts)))
    return lower, further


def _words(mask: Mask) -> NDArray[np.uint64]:
    """Return the pixels of each row as bits, 64 in a word, the last one filled up with zeros."""
    bits = np.packbits(mask, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)


def _counted(unlike: NDArray[np.uint64], columns: int) -> NDArray[np.uint16]:
    """Return how many bits of each part are set: 16 of a row are two bytes."""
    pieces = np.bitwise_count(unlike.view(np.uint16))[:, :columns]
    total: NDArray[np.uint16] = pieces.reshape(-1, _BLOCK, columns).sum(axis=1, dtype=np.uint16)
    return total


def _around(count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums over 5 x 5 parts, the last two axes."""
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those who compare images alone

    total: NDArray[np.float32] = 25 * ndimage.uniform_filter(count, (1, 1, 5, 5), mode="nearest")
    return total


def _calm(off: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return offsets without those of single parts."""
    from scipy import ndimage  # noqa: PLC0415

    return np.asarray(ndimage.median_filter(off, 3))
