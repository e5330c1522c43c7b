"""What goes wrong with a brick, drawn into it, with the pixels that it is seen at."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from .texture import Image, Mask, clouds, stamped

_FRESH = np.array([0.64, 0.47, 0.29], dtype=np.float32)  # reflectance of a fresh break
_NOTHING = np.array([0.050, 0.050, 0.052], dtype=np.float32)  # seen where brick is missing


class Canvas:
    """A brick while it is drawn. All arrays are [height, width] or [height, width, 3].

    colour: reflectance, 0..1, red, green, blue; inside: how far from the edge a pixel lies, px,
    negative outside; u, v: place on the brick, -1..1 along its length and width.
    """

    def __init__(
        self, colour: NDArray[np.float32], inside: Image, u: Image, v: Image, scale: float
    ) -> None:
        self.colour = colour
        self.inside = inside
        self.u, self.v = u, v
        self.scale = scale  # pixels a mm
        self.body: Mask = inside > 0

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width."""
        height, width = self.inside.shape
        return height, width

    def at(self, u: float, v: float) -> tuple[float, float]:
        """Return the pixel (x, y) of a place on the brick."""
        row, column = np.unravel_index(
            np.argmin((self.u - u) ** 2 + (self.v - v) ** 2), self.inside.shape
        )
        return float(column) + 0.5, float(row) + 0.5

    def blend(self, colour: NDArray[np.float32] | float, share: Image) -> None:
        """Paint over: share 0..1 of the new colour, in each pixel of the brick."""
        share = share * self.body
        self.colour += share[:, :, None] * (colour - self.colour)


def crack(canvas: Canvas, severity: float, random: np.random.Generator) -> Mask:
    """Draw a crack that runs in from the edge, with a branch where it is severe."""
    side = random.integers(4)
    along = random.uniform(-0.7, 0.7)
    u, v = ((along, -1.0), (1.0, along), (along, 1.0), (-1.0, along))[side]
    x, y = canvas.at(u, v)
    middle = canvas.at(*random.uniform(-0.35, 0.35, 2))
    angle = float(np.arctan2(middle[1] - y, middle[0] - x))
    long = (25 + 110 * severity) * canvas.scale
    thick = (0.35 + 0.9 * severity) * max(canvas.scale, 0.6)
    path = _path(x, y, angle, long, thick, random)
    if severity > 0.45:
        start = path[:, len(path[0]) // 2]
        turn = angle + random.choice([-1, 1]) * random.uniform(0.5, 1.0)
        branch = _path(start[0], start[1], turn, long * 0.4, start[2] * 0.8, random)
        path = np.concatenate([path, branch], axis=1)
    cover = stamped(path, canvas.shape) * canvas.body
    lit = np.roll(cover, (1, 1), (0, 1)) * (1 - cover)  # the far lip catches the light
    canvas.colour *= (1 + 0.10 * lit)[:, :, None]
    canvas.colour *= (1 - (0.62 + 0.25 * severity) * cover)[:, :, None]
    return half(cover)


def chip(canvas: Canvas, severity: float, random: np.random.Generator) -> Mask:
    """Break a piece off a corner or an edge; the break is lighter, rough, and lies in shade."""
    if random.random() < 0.65:
        u, v = random.choice([-1.0, 1.0], 2)
        size = 9 + 30 * severity
    else:
        along, end = random.uniform(-0.7, 0.7), random.choice([-1.0, 1.0])
        u, v = (along, end) if random.random() < 0.7 else (end, along)
        size = 7 + 20 * severity
    x, y = canvas.at(u, v)
    height, width = canvas.shape
    right = (np.arange(width, dtype=np.float32) + 0.5 - x)[None, :]
    down = (np.arange(height, dtype=np.float32) + 0.5 - y)[:, None]
    turn = random.uniform(0, pi)
    stretch = random.uniform(0.7, 1.3)
    across = (right * cos(turn) + down * sin(turn)) * np.float32(stretch)
    along_ = down * cos(turn) - right * sin(turn)
    ragged = 1 + 0.15 * clouds(random, height, width, 0.45 * size * canvas.scale + 2)
    deep = size * canvas.scale * ragged - np.hypot(across, along_)  # px inside the break
    cover = np.clip(deep + 0.5, 0, 1) * canvas.body
    slope = np.clip(deep / (size * canvas.scale), 0, 1)  # falls away towards the edge
    facets = clouds(random, height, width, 5 * canvas.scale + 2)
    facets += 0.5 * clouds(random, height, width, 1.5 * canvas.scale + 1)
    shade = np.clip(1.10 - 0.60 * slope + 0.09 * facets, 0.3, 1.3)
    canvas.blend(_FRESH * shade[:, :, None], cover)
    gone = np.clip((slope - 0.70 + 0.04 * facets) * 8, 0, 1)  # so far out nothing is left
    canvas.blend(_NOTHING, gone * cover)
    rim = np.clip(1.2 - np.abs(deep - 0.6), 0, 1) * canvas.body
    canvas.colour *= (1 - 0.30 * rim)[:, :, None]
    return half(cover)


def blowhole(canvas: Canvas, severity: float, random: np.random.Generator) -> Mask:
    """Draw open bubbles: dark, with a shaded and a lit wall."""
    count = 1 + int(random.integers(0, 2 + round(5 * severity)))
    u, v = random.uniform(-0.85, 0.85, (2, count))
    radius = (0.9 + 2.6 * severity) * random.uniform(0.6, 1.3, count) * canvas.scale
    places = np.array([canvas.at(float(a), float(b)) for a, b in zip(u, v, strict=True)])
    x, y = places[:, 0], places[:, 1]
    radius = np.maximum(radius, 0.8)
    cover = stamped(np.stack([x, y, radius]), canvas.shape) * canvas.body
    away = 0.45 * radius
    deep = np.stack([x - away / 2, y - away / 2, 0.85 * radius])
    dark = stamped(deep, canvas.shape) * cover
    far = np.stack([x + away, y + away, 0.9 * radius])
    lip = stamped(far, canvas.shape) * canvas.body * (1 - cover)
    canvas.colour *= (1 - 0.45 * cover - 0.38 * dark)[:, :, None]
    canvas.colour *= (1 + 0.16 * lip)[:, :, None]
    return half(cover)


def stain(canvas: Canvas, severity: float, random: np.random.Generator) -> Mask:
    """Draw a blot of iron or slag that has soaked in: ragged, soft, brown to black."""
    height, width = canvas.shape
    x, y = canvas.at(*random.uniform(-0.75, 0.75, 2))
    size = (8 + 22 * severity) * canvas.scale
    right = (np.arange(width, dtype=np.float32) + 0.5 - x)[None, :]
    down = (np.arange(height, dtype=np.float32) + 0.5 - y)[:, None]
    stretch = random.uniform(0.6, 1.6)
    away = np.hypot(right * np.float32(stretch), down / np.float32(stretch)) / size
    ragged = 0.28 * clouds(random, height, width, size / 1.5)
    ragged += 0.16 * clouds(random, height, width, size / 5 + 1)
    share = 1 / (1 + np.exp(np.clip(9 * (away + ragged - 0.85), -30, 30)))
    black = random.random() < 0.4
    colour = np.array([0.05, 0.04, 0.04] if black else [0.22, 0.10, 0.05], dtype=np.float32)
    share = (share * (0.55 + 0.35 * severity)).astype(np.float32) * canvas.body
    canvas.blend(colour, share)
    return half(share / np.float32(0.4))


def colour(canvas: Canvas, severity: float, random: np.random.Generator) -> Mask:
    """Fire the whole brick too little: pale and pinkish, with a darker heart where it is severe."""
    height, width = canvas.shape
    pale = canvas.colour * np.array([1.10, 0.92, 0.86], dtype=np.float32) + np.array(
        [0.10, 0.03, 0.03], dtype=np.float32
    )
    patches = np.clip(0.85 + 0.15 * clouds(random, height, width, 60), 0.4, 1)
    canvas.blend(pale, (0.35 + 0.65 * severity) * patches)
    return canvas.body


def half(cover: Image) -> Mask:
    """Return the pixels that are covered by half or more."""
    mask: Mask = cover >= 0.5
    return mask


def _path(
    x: float, y: float, angle: float, long: float, thick: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return points [3: x, y, radius; n] of a line that wanders and thins out."""
    n = max(int(long / 0.5), 8)
    turns = np.cumsum(random.standard_normal(n)) * 0.05
    jagged = np.repeat(random.normal(0, 0.45, n // 6 + 1), 6)[:n]
    heading = angle + 0.6 * (turns - turns[0]) + jagged
    xs = x + np.cumsum(0.5 * np.cos(heading))
    ys = y + np.cumsum(0.5 * np.sin(heading))
    thins = np.linspace(1, 0.25, n) * (1 + 0.25 * np.sin(np.cumsum(random.normal(0, 0.3, n))))
    return np.stack([xs, ys, np.maximum(thick * thins, 0.35)])


FLAWS: dict[str, Callable[[Canvas, float, np.random.Generator], Mask]] = {
    "crack": crack,
    "chip": chip,
    "blowhole": blowhole,
    "stain": stain,
    "colour": colour,
}
