"""What a face shows that good ones do not: one map for each way to be unlike them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from .face import Face
from .place import Image

_SPOT, _PATCH, _BLOT = 0.7, 1.5, 5.0  # sigma of what is looked for, in pixels of a face
_NEAR = 2.0  # sigma of the neighbourhood whose roughness is looked at
_MARKED = 3.0  # spreads from which on a pixel is part of a mark
_FAR = 8.0  # spreads; further off is not more of a defect
MAPS = ("dark spot", "dark patch", "light spot", "dark mark", "rough", "dark blot", "hue")
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
    off = (face.layers - model.middle) / model.spread
    slow = _blurred(np.clip(off[0], -_FAR / 2, _FAR / 2), off.shape[1] / 16)
    detail = np.clip(_by_own(off[0] - slow), -_FAR, _FAR)
    light, red, blue = (_by_own(layer, least=1.0) for layer in off)
    spot = _blurred(detail, _SPOT)
    found = np.stack(
        [
            -spot,
            -_blurred(detail, _PATCH),
            spot,
            _marks(_by_own(-spot)),
            np.sqrt(_blurred(detail**2, _NEAR)),
            -_blurred(np.clip(light, -_FAR, _FAR), _BLOT),
            np.hypot(_blurred(red, _BLOT), _blurred(blue, _BLOT)),
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


def _by_own(image: Image, least: float = 0.5) -> Image:
    """Return an image in spreads of its own, but in no smaller ones than `least`."""
    spread = 1.4826 * float(np.median(np.abs(image)))
    scaled: Image = image / np.float32(max(spread, least))
    return scaled


def _blurred(image: Image, sigma: float) -> Image:
    from scipy import ndimage  # noqa: PLC0415

    blurred: Image = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
    return blurred
