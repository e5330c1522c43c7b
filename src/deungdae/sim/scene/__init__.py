"""Images of bricks as an inspection camera sees them, with the pixels of every defect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, radians, sin
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from .flaws import FLAWS, Canvas
from .light import Light, exposed, wandering
from .texture import Image, Mask, clouds, grain

__all__ = ["KINDS", "PRODUCTS", "Defect", "Light", "Scene", "brick", "wandering"]

KINDS = tuple(FLAWS)
PRODUCTS: Mapping[str, tuple[float, float, float]] = {  # length, width, width at the far end, mm
    "straight": (230.0, 114.0, 114.0),
    "arch": (230.0, 114.0, 90.0),
}
_SHARE = 0.80  # of the image's width, that a brick takes
_CLAY = np.array([0.56, 0.41, 0.24], dtype=np.float32)  # reflectance of burnt fireclay
_BELT = np.array([0.055, 0.058, 0.062], dtype=np.float32)


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """One defect. severity: 0, hardly to be seen, to 1, nobody would miss it."""

    kind: str
    severity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5


class Scene(msgspec.Struct, frozen=True, eq=False):
    """An image. pixels: uint8[height, width, 3]; masks: by kind, bool[height, width]."""

    pixels: NDArray[np.uint8]
    masks: dict[str, Mask]
    defects: tuple[Defect, ...]


def brick(
    generator: np.random.Generator,
    product: str = "straight",
    defects: Sequence[Defect | str] = (),
    light: Light = Light(),  # noqa: B008 - it is frozen
    size: tuple[int, int] = (240, 320),
) -> Scene:
    """Return a brick from above on a dark belt, with the defects that are asked for.

    product: one of PRODUCTS, any other looks straight; defects: a kind alone gets a severity of
    its own; size: height and width in pixels. A mask holds the pixels that its defect covers by
    half or more, before the lens blurs them; for `colour` the whole brick. Raises ValueError for
    an unknown kind.
    """
    flaws = tuple(_defect(each, generator) for each in defects)
    height, width = size
    canvas = _canvas(generator, product, height, width)
    masks: dict[str, Mask] = {}
    for flaw in sorted(flaws, key=lambda flaw: flaw.kind != "colour"):  # it lies under the others
        mask = FLAWS[flaw.kind](canvas, flaw.severity, generator) & canvas.body
        masks[flaw.kind] = masks[flaw.kind] | mask if flaw.kind in masks else mask
    pixels = exposed(_laid(canvas, generator), light, generator)
    return Scene(pixels, masks, flaws)


def _defect(asked: Defect | str, random: np.random.Generator) -> Defect:
    found = asked if isinstance(asked, Defect) else Defect(kind=asked, severity=random.beta(2, 2))
    if found.kind not in FLAWS:
        raise ValueError(f"no defect is called {found.kind!r}; known: {', '.join(KINDS)}")
    return found


def _canvas(random: np.random.Generator, product: str, height: int, width: int) -> Canvas:
    """Return a faultless brick, a little off the middle and not quite straight."""
    long, near, far = PRODUCTS.get(product, PRODUCTS["straight"])
    scale = _SHARE * min(width / 230.0, height / 150.0)  # pixels a mm
    turn = radians(random.normal(0, 1.2))
    x = (_pixels(random, width) / scale)[None, :]  # mm from the middle of the brick
    y = (_pixels(random, height) / scale)[:, None]
    along: Image = x * np.float32(cos(turn)) + y * np.float32(sin(turn))
    across: Image = y * np.float32(cos(turn)) - x * np.float32(sin(turn))
    half: Image = (near + far) / 4 + np.float32((far - near) / 2 / long) * along
    ends = long / 2 - np.abs(along)
    sides = half - np.abs(across)
    corner = np.hypot(np.minimum(ends - 3, 0), np.minimum(sides - 3, 0))  # rounded by 3 mm
    inside: Image = np.where((ends < 3) & (sides < 3), 3 - corner, np.minimum(ends, sides))
    inside = (inside * scale).astype(np.float32)
    inside += 0.22 * clouds(random, height, width, 14)
    inside += 0.16 * clouds(random, height, width, 3)
    colour = _clay(random, height, width, scale)
    worn = np.exp(-np.maximum(inside, 0) / (1.6 * scale))  # the edges are rounded and rubbed
    lit = np.where(np.abs(ends) < np.abs(sides), -np.sign(along), -np.sign(across))
    colour *= (1 + worn * (0.16 * lit - 0.10))[:, :, None]
    return Canvas(colour, inside, along / np.float32(long / 2), across / half, scale)


def _pixels(random: np.random.Generator, length: int) -> NDArray[np.float32]:
    """Return how far the middle of each pixel is from where the brick lies."""
    middle = length / 2 + random.normal(0, 0.012 * length)
    return (np.arange(length) + 0.5 - middle).astype(np.float32)


def _clay(
    random: np.random.Generator, height: int, width: int, scale: float
) -> NDArray[np.float32]:
    """Return the reflectance of burnt clay: grog in a matrix, fire marks, pores, iron spots."""
    shade = random.normal(1.0, 0.03) + 0.035 * clouds(random, height, width, 45 * scale)
    shade = shade + 0.025 * clouds(random, height, width, 9 * scale + 1)
    grog = clouds(random, height, width, 2.6 * scale + 0.6)
    shade = shade + 0.075 * np.clip(grog - 0.6, 0, 1.5) - 0.06 * np.clip(-grog - 0.9, 0, 1.5)
    shade = shade + 0.035 * grain(random, height, width)
    pores = grain(random, height, width) > 2.75
    iron = clouds(random, height, width, 1.2 * scale + 0.8) > 3.1
    colour: NDArray[np.float32] = _CLAY * shade.astype(np.float32)[:, :, None]
    colour[:, :, 2] *= 1 + 0.025 * clouds(random, height, width, 30 * scale)
    colour[pores] *= 0.55
    colour[iron] *= np.array([0.5, 0.38, 0.34], dtype=np.float32)
    return colour


def _laid(canvas: Canvas, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the brick on its belt, with the shadow that it throws there."""
    height, width = canvas.shape
    belt = 1 + 0.10 * grain(random, height, width) + 0.10 * clouds(random, height, width, 40)
    belt = belt + 0.05 * np.sin(np.arange(height, dtype=np.float32) / 3.0)[:, None]
    away = np.roll(canvas.inside, (2, 3), (0, 1))  # the lamp stands at the upper left
    dim = 1 - 0.65 * np.exp(np.minimum(away, 0) / (3.0 * canvas.scale))
    cover = np.clip(canvas.inside + 0.5, 0, 1)[:, :, None]
    ground: NDArray[np.float32] = _BELT * (belt * dim).astype(np.float32)[:, :, None]
    ground += cover * (canvas.colour - ground)
    return ground
