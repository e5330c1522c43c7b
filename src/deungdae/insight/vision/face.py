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
_FITTED = 2500  # pixels that suffice to fit it


class Face(msgspec.Struct, frozen=True, eq=False):
    """A brick's face as if it lay straight in even light. H, W are the same for all.

    layers: float[3, H, W]: logarithms of lightness, red and blue against green, each without the
    light that falls on it.
    colour: float64[3], logarithm of its red, green, blue against the background beside it.
    corners: see Place.
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
    basis, few, thin = _surfaces(tones.shape[1], tones.shape[2])
    flat = tones.reshape(len(tones), -1)
    weights = np.empty((len(flat), len(basis)), np.float32)
    for place, tone in enumerate(flat[:, thin]):
        good = np.ones(len(tone), bool)
        for _ in range(2):
            where = few[good]
            weights[place] = np.linalg.solve(where.T @ where, where.T @ tone[good])
            off = np.abs(tone - few @ weights[place])
            good = off <= 4 * np.median(off) + 1e-6
    rest: Image = (flat - weights @ basis).reshape(tones.shape)
    return rest


@cache
def _surfaces(height: int, width: int) -> tuple[Image, Image, NDArray[np.intp]]:
    """Return 15 smooth surfaces, float32[15, pixels], and at which pixels they are fitted.

    Products of Legendre polynomials up to the fourth degree in all.
    """
    legendre = np.polynomial.legendre.legvander
    y = legendre(np.linspace(-1, 1, height), _DEGREE)
    x = legendre(np.linspace(-1, 1, width), _DEGREE)
    pairs = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    surfaces = np.stack([np.outer(y[:, i], x[:, j]).ravel() for i, j in pairs]).astype(np.float32)
    thin = np.arange(0, height * width, max(1, height * width // _FITTED))
    return surfaces, np.ascontiguousarray(surfaces[:, thin].T), thin
