"""What is learnt from good bricks: how they look, and how far one of them comes from that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

from .face import Face, face, shape_of
from .maps import MAPS, TINTS, Model, maps, model, tints
from .place import Pixels, find

LEAST = 10  # images; of fewer the middle of a pixel is mostly noise
_BAD = 0.1  # share of the images that may be bad
_SURE_REACH = 0.85  # share of the images that lie within the reach: the bad ones do not
_REACH = 0.95  # the same without the bad ones
_SLIGHT = 0.1  # of the middle: what is nothing, whatever good bricks do
_TINT = 0.008  # what a camera tells of a colour at best in another light, logarithm
_APART = 4.0  # ranges between the quartiles beyond the middle: no good brick scores that


class Reference(msgspec.Struct, frozen=True, eq=False):
    """What good bricks look like, and how far from it one of them comes.

    middle, scale: float64[9], of the peaks of MAPS and of TINTS on good bricks that the model had
    not seen. threshold: of the score, at which a share `false_rejects` of them is rejected.
    images: learnt from; set_aside: of them, found bad. version: hash of what was learnt.
    """

    shape: tuple[int, int]
    model: Model
    middle: NDArray[np.float64]
    scale: NDArray[np.float64]
    threshold: float
    false_rejects: float
    images: int
    set_aside: int
    version: str


class Album:
    """Good faces as they come, in the shape of the first: enough to learn from."""

    def __init__(self) -> None:
        self.faces: list[Face] = []

    def add(self, pixels: Pixels) -> None:
        """Look at one more image. Raises NotEnoughData where no brick is seen."""
        place = find(pixels)
        shape = self.faces[0].shape if self.faces else shape_of(place.corners)
        seen = face(pixels, place, shape)
        # half the memory: they wait in hundreds
        thin = seen.layers.astype(np.float16)
        self.faces.append(msgspec.structs.replace(seen, layers=thin))

    def learn(self, false_rejects: float) -> Reference:
        """Return what the images show. Each half of them is judged by the model of the other half.

        The threshold is the conformal quantile of those scores; the worst of them, up to a tenth,
        are set aside where no good brick can score so high. Raises NotEnoughData below 10 images.
        Source of the quantile: Vovk, Gammerman and Shafer (2005); Papadopoulos et al. (2002).
        """
        if len(self.faces) < LEAST:
            raise NotEnoughData(f"{len(self.faces)} of at least {LEAST} images of good bricks")
        peaks = np.empty((len(self.faces), len(MAPS) + len(TINTS)))
        for half in (0, 1):
            other = model(self.faces[1 - half :: 2])
            peaks[half::2] = [_peaks(seen, other) for seen in self.faces[half::2]]
        middle, scale = _usual(peaks, _SURE_REACH)
        if not (scale > 0).all():
            raise NotEnoughData("the images show nothing of one product on a belt")
        good = _plausible(((peaks - middle) / scale).max(axis=1))
        middle, scale = _usual(peaks[good], _REACH)
        scores = np.sort(((peaks[good] - middle) / scale).max(axis=1))
        rank = min(ceil((len(scores) + 1) * (1 - false_rejects)), len(scores))
        whole = model(self.faces)
        return Reference(
            shape=self.faces[0].shape,
            model=whole,
            middle=middle,
            scale=scale,
            threshold=float(scores[rank - 1]),
            false_rejects=false_rejects,
            images=len(peaks),
            set_aside=len(peaks) - len(scores),
            version=_version(whole, middle, scale),
        )


def learn(images: Sequence[Pixels], false_rejects: float = 0.02) -> Reference:
    """Return what good bricks look like: see Album.learn. Images without a brick are left out."""
    album = Album()
    for pixels in images:
        try:
            album.add(pixels)
        except NotEnoughData:
            continue
    return album.learn(false_rejects)


def _peaks(seen: Face, good: Model) -> NDArray[np.float64]:
    return np.concatenate([maps(seen, good).max(axis=(1, 2)), tints(seen, good)])


def _usual(
    peaks: NDArray[np.float64], share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of each peak, and how far beyond it that share of the images reaches."""
    middle = np.median(peaks, axis=0)
    least = np.concatenate([_SLIGHT * middle[: len(MAPS)], np.full(len(TINTS), _TINT)])
    return middle, np.maximum(np.quantile(peaks, share, axis=0) - middle, least)


def _plausible(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which scores a good brick may have: all but the worst, a tenth at most."""
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    limit = np.sort(scores)[len(scores) - int(_BAD * len(scores)) - 1]
    plausible: NDArray[np.bool_] = scores <= max(middle + _APART * (high - low), limit)
    return plausible


def _version(learnt: Model, middle: NDArray[np.float64], scale: NDArray[np.float64]) -> str:
    """Return a short hash of what was learnt."""
    digest = hashlib.sha256()
    for part in (learnt.middle, learnt.spread, learnt.colour, middle, scale):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
