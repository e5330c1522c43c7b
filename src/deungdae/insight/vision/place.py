"""Where a brick lies in an image."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

Pixels: TypeAlias = NDArray[np.uint8]
Image: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Corners: TypeAlias = NDArray[np.float64]

DARK = 0.5  # grey level added before the logarithm, for pixels that are black
_SEARCHED = 320  # pixels of the longer side in which the brick is looked for
_LEAST = 32  # pixels of the shorter side
_CONTRAST = 0.1  # logarithm, by which a brick differs from the background at least
_SMALLEST = 0.02  # share of the image that a brick covers at least


class Place(NamedTuple):
    """Where a brick lies.

    corners: float64[4, 2], (x, y) in the image: left top, right top, right bottom, left bottom.
    background: float64[3], logarithm of the background's colour where the brick lies.
    """

    corners: Corners
    background: NDArray[np.float64]


def find(pixels: Pixels) -> Place:
    """Return where the brick lies in uint8[h, w, 3]: the largest thing unlike the background.

    The background is what the border of the image shows. Raises NotEnoughData where there is none.
    """
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those with a camera alone

    if min(pixels.shape[:2]) < _LEAST:
        raise NotEnoughData(f"an image of less than {_LEAST} pixels shows no brick")
    step = max(1, -(-max(pixels.shape[:2]) // _SEARCHED))
    log = np.log(shrunk(pixels, step) + DARK)
    background = _background(log)
    unlike = _unlike(log - background)
    labels, count = ndimage.label(ndimage.binary_opening(unlike, iterations=1))
    sizes = np.bincount(labels.ravel(), minlength=2)[1:]
    if not count or sizes.max() < _SMALLEST * labels.size:
        raise NotEnoughData("no brick is seen in the image")
    number = int(sizes.argmax()) + 1
    box = ndimage.find_objects(labels, max_label=number)[number - 1]
    mask = np.pad(ndimage.binary_fill_holes(labels[box] == number), 1)
    rim = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    rim += np.asarray([box[0].start - 1, box[1].start - 1])
    corners = _corners(rim[:, ::-1].astype(np.float64))
    if not _sound(corners, mask.sum(), labels.shape):
        raise NotEnoughData("what is seen in the image has no four sides")
    column, row = corners.mean(axis=0).astype(int)
    middle = background[row, column].astype(np.float64)
    return Place((corners + 0.5) * step - 0.5, middle)


def shrunk(pixels: Pixels, step: int) -> Image:
    """Return the means of step x step pixels, float32[h // step, w // step, 3]."""
    if step == 1:
        return pixels.astype(np.float32)
    h, w = pixels.shape[0] // step * step, pixels.shape[1] // step * step
    total = np.zeros((h // step, w // step, 3), np.uint16 if step <= 16 else np.uint32)
    for row in range(step):
        for column in range(step):
            total += pixels[row:h:step, column:w:step]
    return total.astype(np.float32) / np.float32(step * step)


def sides(corners: Corners) -> NDArray[np.float64]:
    """Return width and height in pixels, float64[2]: the means of opposite sides."""
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    return np.asarray([(edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2])


def _background(log: Image) -> Image:
    """Return the background's logarithm everywhere, from a plane through the image's border."""
    h, w, _ = log.shape
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None, :, None]
    rim = max(2, round(0.05 * min(h, w)))
    border = np.ones((h, w), bool)
    border[rim:-rim, rim:-rim] = False
    rows, columns = np.nonzero(border)
    seen = log[border]
    where = np.stack([np.ones_like(seen[:, 0]), x[0, columns, 0], y[rows, 0, 0]], axis=1)
    keep = np.ones(len(seen), bool)
    for _ in range(3):  # what lies on the border but is no background is left out
        few = where[keep]
        plane = np.linalg.solve(few.T @ few, few.T @ seen[keep])
        off = np.abs(seen - where @ plane).sum(axis=1)
        keep = off <= 3 * np.median(off) + 1e-6
    everywhere: Image = plane[0] + x * plane[1] + y * plane[2]
    return everywhere


def _unlike(off: Image) -> Mask:
    """Return which pixels are the brick's, by how far off the background they are, in logarithms.

    Those that are nearer to the colour of most of what differs than to the background: a shadow
    beside the brick differs too, but the other way.
    """
    distance = np.sqrt((off**2).sum(axis=2))
    differs: Mask = distance > max(_otsu(distance), _CONTRAST)
    if not differs.any():
        return differs
    middle = np.median(off[differs], axis=0)
    nearer: Mask = (off @ middle > 0.5 * float(middle @ middle)) & (distance > _CONTRAST)
    return nearer


def _otsu(values: Image) -> float:
    """Return the value that parts two groups best. Source: Otsu (1979)."""
    top = max(float(values.max()), 1e-3)
    count, edges = np.histogram(values[::2, ::2], 128, (0.0, top))
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(count)
    above = below[-1] - below
    mass = np.cumsum(count * middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return float(edges[1 + int(np.nan_to_num(between).argmax())])


def _corners(rim: NDArray[np.float64]) -> Corners:
    """Return the corners of the quadrangle that the points of a rim lie on."""
    angle = _angle(rim)
    along = np.asarray([np.cos(angle), np.sin(angle)])
    axes = np.stack([along, [-along[1], along[0]]])
    u, v = axes @ rim.T
    left, right = np.quantile(u, [0.01, 0.99])
    top, bottom = np.quantile(v, [0.01, 0.99])
    reach = 0.1 * min(right - left, bottom - top)
    inner_u = np.abs(u - (left + right) / 2) < 0.4 * (right - left)
    inner_v = np.abs(v - (top + bottom) / 2) < 0.4 * (bottom - top)
    lines = {
        "top": _line(u, v, inner_u & (np.abs(v - top) < reach), top),
        "bottom": _line(u, v, inner_u & (np.abs(v - bottom) < reach), bottom),
        "left": _line(v, u, inner_v & (np.abs(u - left) < reach), left),
        "right": _line(v, u, inner_v & (np.abs(u - right) < reach), right),
    }
    corners = []
    for level, side in (("top", "left"), ("top", "right"), ("bottom", "right"), ("bottom", "left")):
        (a, b), (c, d) = lines[level], lines[side]  # v = a + b u and u = c + d v
        v_at = (a + b * c) / (1 - b * d)
        corners.append(np.asarray([c + d * v_at, v_at]) @ axes)
    return np.stack(corners)


def _sound(corners: Corners, area: float, shape: tuple[int, ...]) -> bool:
    """Return whether corners lie about the image and hold what is seen, and little else."""
    size = np.asarray([shape[1], shape[0]])
    inside = bool(((corners > -0.1 * size) & (corners < 1.1 * size)).all())
    width, height = sides(corners)
    return inside and 0.5 * width * height < area < 2 * width * height


def _angle(rim: NDArray[np.float64]) -> float:
    """Return the angle, within an eighth turn, at which the bounding rectangle is smallest."""
    rim = rim[:: max(1, len(rim) // 300)]
    best, reach, count = 0.0, np.pi / 4, 61
    for _ in range(2):
        angles = np.linspace(best - reach, best + reach, count)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        u = cos * rim[:, 0] + sin * rim[:, 1]
        v = cos * rim[:, 1] - sin * rim[:, 0]
        best = float(angles[(_extent(u) * _extent(v)).argmin()])
        reach /= 20
    return best


def _extent(points: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.quantile(points, [0.01, 0.99], axis=1)
    extent: NDArray[np.float64] = high - low
    return extent


def _line(
    x: NDArray[np.float64], y: NDArray[np.float64], near: NDArray[np.bool_], otherwise: float
) -> tuple[float, float]:
    """Return (a, b) of y = a + b x through most of the near points; notches do not count."""
    x, y = x[near], y[near]
    for _ in range(4):
        if len(x) < 8:
            return otherwise, 0.0
        basis = np.stack([np.ones_like(x), x], axis=1)
        a, b = np.linalg.lstsq(basis, y, rcond=None)[0]
        off = np.abs(y - a - b * x)
        keep = off <= max(0.75, 2.5 * float(np.median(off)))
        x, y = x[keep], y[keep]
    return float(a), float(b)
