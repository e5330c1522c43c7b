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
_REACH = 0.85  # share of the images that lie within the reach: the bad ones do not
_SLIGHT = 0.1  # spreads that are nothing, whatever good bricks do
_TINT = 0.004  # what a camera tells of a colour at best in another light, logarithm
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
        middle = np.median(peaks, axis=0)
        reach = np.quantile(peaks, _REACH, axis=0) - middle
        least = np.asarray([_SLIGHT] * len(MAPS) + [_TINT] * len(TINTS))
        scale = np.maximum.reduce([reach, 0.2 * middle, least])
        scores = np.sort(((peaks - middle) / scale).max(axis=1))
        good = _plausible(scores)
        rank = min(ceil((len(good) + 1) * (1 - false_rejects)), len(good))
        whole = model(self.faces)
        return Reference(
            shape=self.faces[0].shape,
            model=whole,
            middle=middle,
            scale=scale,
            threshold=float(good[rank - 1]),
            false_rejects=false_rejects,
            images=len(scores),
            set_aside=len(scores) - len(good),
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


def _plausible(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sorted scores without the worst that no good brick has, a tenth at most."""
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    most = len(scores) - int(_BAD * len(scores))
    count = int((scores <= middle + _APART * (high - low)).sum())
    return scores[: max(count, most)]


def _version(learnt: Model, middle: NDArray[np.float64], scale: NDArray[np.float64]) -> str:
    """Return a short hash of what was learnt."""
    digest = hashlib.sha256()
    for part in (learnt.middle, learnt.spread, learnt.colour, middle, scale):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
