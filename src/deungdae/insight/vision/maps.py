"""What a face shows that good ones do not: one map for each way to be unlike them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from .face import Face
from .place import Image

_SPOT, _HOLE, _PATCH = 0.7, 1.1, 1.5  # sigma of what is looked for, in pixels of a face
_AROUND = 8.0  # sigma of the surroundings that a hole is darker than
_RUST = {
    _HOLE: 3.0,
    _PATCH: 2.0,
}  # what red counts against dark: rust is both, a hole is dark alone
_FLAKE = 2.0  # sigma of what is paler or yellower
_COARSE, _NEAR = 3.0, 4.0  # sigma of the unevenness that is too coarse, and of its neighbourhood
_MARKED = 3.0  # spreads from which on a pixel is part of a mark
_FAR = 8.0  # spreads; further off is not more of a defect
_DARKEST = 2.5  # spreads; a single pore is not more of a line
_LINE, _STEP, _TURNS = 11, 2.0, 12  # points of a line, pixels between them, directions
MAPS = ("hole", "pit", "light spot", "dark mark", "rough", "pale", "line")
TINTS = ("red tint", "blue tint")


class Model(msgspec.Struct, frozen=True, eq=False):
    """What good faces look like: middle and spread of each layer and pixel, float32[3, H, W].

    colour: float64[3], see Face.
    """

    middle: Image
    spread: Image
    colour: NDArray[np.float64]


def model(faces: Sequence[Face]) -> Model:
    """Return the model of faces of one shape.

    Medians, so that in any one place many of them may be bad.
    """
    middle, spread = [], []
    for layer in range(len(faces[0].layers)):
        seen = np.stack([face.layers[layer] for face in faces]).astype(np.float32)
        middle.append(np.median(seen, axis=0))
        np.abs(np.subtract(seen, middle[-1], out=seen), out=seen)
        spread.append(_tolerant(1.4826 * np.median(seen, axis=0)))
    colours = np.stack([face.colour for face in faces])
    return Model(np.stack(middle), np.stack(spread), np.median(colours, axis=0))


def maps(face: Face, model: Model) -> Image:
    """Return how far the face is from the model in each way of MAPS: float32[7, H, W].

    A face whose noise is stronger everywhere, as in dim light, is measured by its own. The
    outermost pixels say nothing: what lies beside the brick shines into them.
    """
    bare = face.layers - model.middle
    off = bare / model.spread
    slow = _blurred(np.clip(off[0], -_FAR / 2, _FAR / 2), off.shape[1] / 16)
    detail = np.clip(_by_own(off[0] - slow), -_FAR, _FAR)
    spot, patch = _blurred(detail, _SPOT), _blurred(detail, _PATCH)
    deep, red = (bare[layer] - _blurred(bare[layer], _AROUND) for layer in (0, 1))
    hole, pit = (
        -_blurred(deep, sigma) - rust * np.maximum(_blurred(red, sigma), 0)
        for sigma, rust in _RUST.items()
    )
    uneven = patch - _blurred(detail, _COARSE)
    yellow = _blurred(_by_own(off[2], least=1.0), _FLAKE)
    found = np.stack(
        [
            hole,
            pit,
            spot,
            _marks(_by_own(-spot)),
            np.sqrt(_blurred(uneven**2, _NEAR)),
            _by_own(yellow, least=0.0),
            _lines(_by_own(-_blurred(deep, _SPOT), least=0.0)),
        ]
    )
    inner = np.zeros_like(found)
    inner[:, 1:-1, 1:-1] = found[:, 1:-1, 1:-1]
    return inner


def tints(face: Face, model: Model) -> NDArray[np.float64]:
    """Return how far red and blue are from the model, each against green: float64[2], >= 0.

    How light a face is says little: light falls on it otherwise than on the background.
    """
    off = face.colour - model.colour
    apart: NDArray[np.float64] = np.abs(np.asarray([off[0] - off[1], off[2] - off[1]]))
    return apart


def _tolerant(spread: Image) -> Image:
    """Return the spread of each pixel with that of its neighbours: no two bricks lie the same."""
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those with a camera alone

    steady = np.maximum(spread, np.median(spread) + np.float32(1e-4))
    around = ndimage.maximum_filter(ndimage.median_filter(steady, 3), 3)
    tolerant: Image = np.maximum(_blurred(steady, 2.0), around)
    return tolerant


def _marks(dark: Image) -> Image:
    """Return for each pixel how much mark it is part of: the sum over pixels that touch."""
    from scipy import ndimage  # noqa: PLC0415

    over = np.maximum(dark - _MARKED, 0)
    labels, count = ndimage.label(over > 0, structure=np.ones((3, 3)))
    sums = np.zeros(count + 1, np.float32)
    sums[1:] = ndimage.sum_labels(over, labels, np.arange(1, count + 1))
    marks: Image = sums[labels]
    return marks


def _lines(dark: Image) -> Image:
    """Return how dark the darkest straight line through each pixel is, 20 pixels long."""
    dark = np.clip(dark, -_DARKEST, _DARKEST)
    dark[:2], dark[-2:], dark[:, :2], dark[:, -2:] = 0, 0, 0, 0  # the edges are lines
    along = _STEP * (np.arange(_LINE) - _LINE // 2)
    reach = int(_STEP * (_LINE // 2)) + 1
    height, width = dark.shape
    room = np.pad(dark, reach)
    darkest = np.full_like(dark, -np.inf)
    for angle in np.arange(_TURNS) * np.pi / _TURNS:
        total = np.zeros_like(dark)
        for y, x in np.rint(np.outer(along, [np.sin(angle), np.cos(angle)])).astype(int) + reach:
            total += room[y : y + height, x : x + width]
        np.maximum(darkest, total, out=darkest)
    lines: Image = darkest / np.float32(_LINE)
    return lines


def _by_own(image: Image, least: float = 0.5) -> Image:
    """Return an image in spreads of its own, but in no smaller ones than `least`."""
    spread = 1.4826 * float(np.median(np.abs(image)))
    scaled: Image = image / np.float32(max(spread, least, 1e-6))
    return scaled


def _blurred(image: Image, sigma: float) -> Image:
    from scipy import ndimage  # noqa: PLC0415

    blurred: Image = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
    return blurred
