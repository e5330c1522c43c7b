"""What an inspection says of one brick, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .face import face
from .maps import MAPS, maps, tints
from .place import Corners, Image, Pixels, find
from .reference import Reference

_RIM = 0.03  # of a face's height: what reaches so far lies at its edge
_LONG = 9.0  # length² / area of a mark from which on it is a line
_LARGE = 0.006  # share of a face from which on a spot is a stain
_GRID = 48  # cells of a heat map in a finding, along the face
_BOXES = 8  # that are told; a brick in pieces would have hundreds


class Verdict(msgspec.Struct, frozen=True, eq=False):
    """What an inspection says of one brick.

    score: how far it is from good ones, in the reach of those; reject: above the threshold.
    kinds: what the defect looks like, likeliest first, a guess. boxes: (left, top, width, height)
    of each place above the threshold in the image, worst first. heat: float32[H, W], score of each
    pixel of the face; see heat_map. corners: see place.Place.
    peaks: float64[9], of MAPS and of TINTS, as reference.Reference has their middle and scale.
    """

    score: float
    threshold: float
    kinds: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    heat: Image
    corners: Corners
    peaks: NDArray[np.float64]

    @property
    def reject(self) -> bool:
        """Return whether the brick is to be rejected."""
        return self.score > self.threshold


class _Spot(NamedTuple):
    """Pixels of a face that touch, all above the threshold: their box, number, highest score."""

    where: tuple[slice, ...]
    area: int
    score: float


def inspect(pixels: Pixels, reference: Reference) -> Verdict:
    """Return what the reference says of the brick in uint8[h, w, 3].

    Raises NotEnoughData where no brick is seen.
    """
    seen = face(pixels, find(pixels), reference.shape)
    found = maps(seen, reference.model)
    count = len(MAPS)
    middle, scale = reference.middle, reference.scale
    heat = ((found.T - middle[:count]) / scale[:count]).T.max(axis=0).astype(np.float32)
    tinted = tints(seen, reference.model)
    tint = float(((tinted - middle[count:]) / scale[count:]).max())
    spots = _spots(heat, reference.threshold)
    kinds = [_kind(spot, heat.shape) for spot in spots]
    if tint > reference.threshold:
        kinds.insert(0 if not spots or tint > spots[0].score else 1, "colour")
    return Verdict(
        score=max(float(heat.max()), tint),
        threshold=reference.threshold,
        kinds=tuple(dict.fromkeys(kinds)),
        boxes=tuple(_box(spot, seen.corners, heat.shape) for spot in spots[:_BOXES]),
        heat=heat,
        corners=seen.corners,
        peaks=np.concatenate([found.max(axis=(1, 2)), tinted]),
    )


def heat_map(verdict: Verdict, height: int, width: int) -> Image:
    """Return the score of each pixel of the image, float32[height, width]; 0 beside the brick."""
    from scipy import ndimage  # noqa: PLC0415

    h, w = verdict.heat.shape
    origin = verdict.corners[0]
    along = (verdict.corners[1] - origin + verdict.corners[2] - verdict.corners[3]) / 2
    down = (verdict.corners[3] - origin + verdict.corners[2] - verdict.corners[1]) / 2
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    share = np.linalg.solve(np.stack([along, down], axis=1), np.stack([x, y]) - origin[:, None])
    at = [share[1] * h - 0.5, share[0] * w - 0.5]
    seen = ndimage.map_coordinates(np.maximum(verdict.heat, 0), at, order=1, cval=0.0)
    return np.asarray(seen, np.float32).reshape(height, width)


def cells_text(heat: Image, threshold: float) -> str:
    """Return a heat map, float32[H, W], as text small enough for a finding's evidence.

    `48x24 ` and one hexadecimal digit for each cell, row by row: the highest score in the cell, 8
    or more above the threshold. With `corners_text` a page draws it over the image.
    """
    height, width = heat.shape
    columns, rows = min(width, _GRID), min(height, max(1, _GRID * height // width))
    tops = np.linspace(0, height, rows, endpoint=False).astype(int)
    lefts = np.linspace(0, width, columns, endpoint=False).astype(int)
    cells = np.maximum.reduceat(np.maximum.reduceat(heat, tops), lefts, axis=1)
    digits = np.clip(8 * cells / max(threshold, 1e-12), 0, 15).astype(int)
    return f"{columns}x{rows} " + "".join(f"{digit:x}" for digit in digits.ravel().tolist())


def corners_text(corners: Corners) -> str:
    """Return the corners of what was looked at in the image, `x y; …`, clockwise from top left."""
    return "; ".join(f"{x:.1f} {y:.1f}" for x, y in corners.tolist())


def boxes_text(boxes: Sequence[tuple[int, int, int, int]]) -> str:
    """Return places in the image, `left top width height; …`."""
    return "; ".join(" ".join(str(number) for number in box) for box in boxes)


def _spots(heat: Image, threshold: float) -> list[_Spot]:
    """Return the spots of a face, worst first."""
    from scipy import ndimage  # noqa: PLC0415

    labels, _ = ndimage.label(heat > threshold, structure=np.ones((3, 3)))
    found = []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[where] == number
        found.append(_Spot(where, int(inside.sum()), float(heat[where][inside].max())))
    return sorted(found, key=lambda spot: -spot.score)


def _kind(spot: _Spot, shape: tuple[int, ...]) -> str:
    """Return what a spot looks like, by where it lies, how long it is and how large."""
    height, width = shape[:2]
    rim = _RIM * height
    rows, columns = spot.where
    area = spot.area
    long = max(rows.stop - rows.start, columns.stop - columns.start)
    at_edge = (
        rows.start < rim
        or columns.start < rim
        or rows.stop > height - rim
        or columns.stop > width - rim
    )
    if long > 8 and long**2 > _LONG * area:
        return "crack"
    if at_edge:
        return "chip"
    return "stain" if area > _LARGE * height * width else "blowhole"


def _box(spot: _Spot, corners: Corners, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the upright box in the image around a box of the face."""
    rows, columns = spot.where
    along = np.asarray([columns.start, columns.stop, columns.stop, columns.start]) / shape[1]
    down = np.asarray([rows.start, rows.start, rows.stop, rows.stop]) / shape[0]
    weights = np.stack(
        [(1 - along) * (1 - down), along * (1 - down), along * down, (1 - along) * down]
    )
    points = weights.T @ corners
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    return left, top, right - left, bottom - top
