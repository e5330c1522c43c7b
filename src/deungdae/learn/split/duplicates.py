"""Images that show the same thing: found by what they look like, whoever named them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

DISTANCE = 6  # bits of 64; magnetic tiles: 25 of 226,921 pairs of other groups, all one tile
SIDE = 32  # pixels of a thumbnail; the hash keeps its lowest 8 × 8 waves


def thumbnail(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.float32]:
    """Return the image as grey, side × side, mean 0 and deviation 1: float32[side, side].

    pixels: uint8[h, w] or [h, w, 3]. An even image gives zeros. Light that is brighter or darker
    as a whole changes nothing.
    """
    from PIL import Image  # noqa: PLC0415 — loads only where there are images

    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(f"pixels {pixels.shape} are no image: [h, w] or [h, w, 3] is needed")
    grey = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    small = np.asarray(grey.resize((side, side), Image.Resampling.BOX), np.float32)
    spread = float(small.std())
    normal: NDArray[np.float32] = (small - small.mean()) / (spread or 1.0)
    return normal


def hashes(thumbnails: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the perceptual hash of each thumbnail, [n, side, side]: uint64[n].

    64 bits that stay nearly the same under other light and small shifts. A bit says whether a low
    wave is above the median of all; waves along one side only are left out, so a light that falls
    off to one side changes little. Source: Zauner (2010), pHash.
    Parts before a fixed camera look alike in light and outline: take the mean thumbnail off first,
    and the hash tells them apart.
    """
    from scipy.fft import dctn  # noqa: PLC0415 — loads only where it is needed

    waves = dctn(thumbnails, axes=(1, 2), norm="ortho")[:, 1:9, 1:9].reshape(len(thumbnails), 64)
    bits = waves > np.median(waves, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def alike(hash: ArrayLike, distance: int = DISTANCE) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of items, first < second, whose hashes differ in `distance` bits at most."""
    codes = np.asarray(hash, np.uint64)
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    step = max(1, 4_000_000 // max(1, len(codes)))  # 32 MB at a time
    for begin in range(0, len(codes), step):
        block = codes[begin : begin + step]
        differ = np.bitwise_count(block[:, None] ^ codes[None, begin:])
        first, second = np.nonzero(np.triu(differ <= distance, 1))
        firsts.append(first + begin)
        seconds.append(second + begin)
    return np.concatenate(firsts), np.concatenate(seconds)


def near_duplicates(hash: ArrayLike, distance: int = DISTANCE) -> NDArray[np.int64]:
    """Return the cluster of each item: int64[n], from 0. hash: uint64[n].

    Items are in one cluster that differ in `distance` bits at most, directly or over others.
    Time grows with n²: about a second for 20,000.
    """
    from scipy.sparse import coo_matrix  # noqa: PLC0415 — loads only where it is needed
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    n = len(np.asarray(hash))
    first, second = alike(hash, distance)
    links = coo_matrix((np.ones(len(first)), (first, second)), (n, n))
    _, cluster = connected_components(links, directed=False)
    found: NDArray[np.int64] = cluster.astype(np.int64)
    return found
