"""The face of a brick, laid straight, with the light taken out."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .place import DARK, Corners, Image, Pixels, Place, shrunk, sides

_LARGEST = 50_000  # pixels of a face; more would cost time and show no more
_DEGREE = 4  # of the surface that the light is taken for
_FITTED = 2000  # pixels that suffice to fit it
_PAIRS = np.nonzero(np.add.outer(np.arange(_DEGREE + 1), np.arange(_DEGREE + 1)) <= _DEGREE)


class Face(msgspec.Struct, frozen=True, eq=False):
    """A brick's face as if it lay straight in even light. H, W are the same for all.

    layers: float[3, H, W]: logarithms of lightness, red and blue against green, each without the
    light that falls on it.
    colour: float64[3], logarithm of its red, green, blue against the background beside it.
    corners: see place.Place.
    """

    layers: NDArray[np.floating[Any]]
    colour: NDArray[np.float64]
    corners: Corners

    @property
    def shape(self) -> tuple[int, int]:
        """Return H and W."""
        return self.layers.shape[1], self.layers.shape[2]


def face(pixels: Pixels, place: Place, shape: tuple[int, int]) -> Face:
    """Return the brick's face in H x W = shape pixels, with the light taken out."""
    from scipy import ndimage  # noqa: PLC0415

    step = max(1, int(sides(place.corners).max() / max(shape)))
    left, top = np.maximum(np.floor(place.corners.min(axis=0)).astype(int) - 2 * step, 0)
    right, bottom = np.ceil(place.corners.max(axis=0)).astype(int) + 2 * step + 1
    cut = shrunk(pixels[top:bottom, left:right], step)
    x, y = spread(place.corners, shape)
    at = [(y - top + 0.5) / step - 0.5, (x - left + 0.5) / step - 0.5]
    seen = [ndimage.map_coordinates(cut[..., c], at, order=1, mode="nearest") for c in range(3)]
    log = np.log(np.stack(seen) + np.float32(DARK))
    colour = np.median(log.reshape(3, -1), axis=1).astype(np.float64)
    layers = _without_light(np.stack([log.mean(axis=0), log[0] - log[1], log[2] - log[1]]))
    return Face(layers, colour - place.background, place.corners)


def shape_of(corners: Corners) -> tuple[int, int]:
    """Return in how many pixels, height and width, a brick of that size is looked at."""
    width, height = sides(corners)
    scale = min(1.0, (_LARGEST / (width * height)) ** 0.5)
    return max(16, round(height * scale)), max(16, round(width * scale))


def spread(
    corners: Corners, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each pixel of a face lies in the image: x and y, float64[H, W]."""
    down, along = np.meshgrid(
        (np.arange(shape[0]) + 0.5) / shape[0],
        (np.arange(shape[1]) + 0.5) / shape[1],
        indexing="ij",
    )
    weights = [(1 - along) * (1 - down), along * (1 - down), along * down, (1 - along) * down]
    x = sum(w * corner[0] for w, corner in zip(weights, corners, strict=True))
    y = sum(w * corner[1] for w, corner in zip(weights, corners, strict=True))
    return np.asarray(x), np.asarray(y)


def _without_light(tones: Image) -> Image:
    """Return each tone less a smooth surface: light falls off slowly, defects do not.

    The surface is a polynomial, fitted twice, the second time without what is far from the first.
    """
    height, width = tones.shape[1:]
    y, x = _waves(height), _waves(width)
    few, thin = _surfaces(height, width)
    rest = np.empty_like(tones)
    for left, tone in zip(rest, tones, strict=True):
        seen = tone.ravel()[thin]
        good = np.ones(len(seen), bool)
        for _ in range(2):
            # einsum, since threads of a BLAS would wait for each other longer than they work
            where = few[good]
            square = np.einsum("ni,nj->ij", where, where)
            weights = np.linalg.solve(square, np.einsum("ni,n->i", where, seen[good]))
            off = np.abs(seen - np.einsum("ni,i->n", few, weights))
            good = off <= 4 * np.median(off) + 1e-6
        table = np.zeros((_DEGREE + 1, _DEGREE + 1), np.float32)
        table[_PAIRS] = weights
        left[:] = tone - y @ table @ x.T
    return rest


@cache
def _waves(length: int) -> Image:
    """Return the Legendre polynomials along a side, float32[length, degree + 1]."""
    along = np.linspace(-1, 1, length)
    return np.polynomial.legendre.legvander(along, _DEGREE).astype(np.float32)


@cache
def _surfaces(height: int, width: int) -> tuple[Image, NDArray[np.intp]]:
    """Return 15 smooth surfaces at some pixels, float32[m, 15], and those pixels, [m].

    Products of Legendre polynomials up to the fourth degree in all.
    """
    thin = np.arange(0, height * width, max(1, height * width // _FITTED))
    i, j = _PAIRS
    return _waves(height)[thin // width][:, i] * _waves(width)[thin % width][:, j], thin
