"""The light that falls on a brick, and what the camera makes of it."""

from __future__ import annotations

from math import cos, radians, sin
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from .texture import Image, blurred

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_GAMMA = (255 * np.linspace(0, 1, 4096) ** (1 / 2.2)).astype(np.float32)


class Light(msgspec.Struct, frozen=True, kw_only=True):
    """Lamp and lens. The defaults are a good, even light."""

    gain: Annotated[float, msgspec.Meta(ge=0, le=4)] = 1.0  # 1: as it was set up
    gradient: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.08  # from dark to bright side
    direction: float = 135.0  # that it grows brighter in, deg; 0: right, 90: down
    temperature: Annotated[float, msgspec.Meta(ge=2000, le=12_000)] = 5500.0  # 5500: white, K
    shadow: Share = 0.0  # how dark a shadow is that falls across
    shadow_at: Share = 0.3  # where, from left to right
    vignette: Share = 0.10  # loss in the corners
    noise: Annotated[float, msgspec.Meta(ge=0, le=50)] = 2.0  # of the sensor, grey levels
    blur: Annotated[float, msgspec.Meta(ge=0, le=6)] = 0.5  # pixels


def wandering(random: np.random.Generator) -> Light:
    """Return a light as it may be on some day: dimmer or brighter, warmer, aslant, shaded."""
    return Light(
        gain=float(np.clip(random.normal(1.0, 0.15), 0.5, 1.5)),
        gradient=float(random.uniform(0, 0.35)),
        direction=float(random.uniform(0, 360)),
        temperature=float(np.clip(random.normal(5500, 700), 3500, 8000)),
        shadow=float(random.uniform(0.2, 0.5)) if random.random() < 0.25 else 0.0,
        shadow_at=float(random.random()),
        vignette=float(random.uniform(0.05, 0.25)),
        noise=float(random.uniform(1.5, 5.0)),
        blur=float(random.uniform(0.3, 1.1)),
    )


def exposed(
    colour: NDArray[np.float32], light: Light, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return what the camera sees of reflectances: [height, width, 3], 0..1 to uint8.

    Grey levels grow with the light to the power 1/2.2, as in most cameras' images.
    """
    height, width = colour.shape[:2]
    seen = colour * (_field(light, height, width)[:, :, None] * _tint(light.temperature))
    np.clip(blurred(seen, light.blur), 0, 1, out=seen)
    levels = _GAMMA[(seen * (len(_GAMMA) - 1)).astype(np.intp)]
    noise = random.standard_normal((height, width, 3), dtype=np.float32)
    levels += np.float32(light.noise) * noise
    pixels: NDArray[np.uint8] = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    return pixels


def _field(light: Light, height: int, width: int) -> Image:
    """Return how much light falls on each pixel: [height, width]."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = radians(light.direction)
    field = 1 + light.gradient / 2 * (x * cos(angle) + y * sin(angle))
    field = light.gain * field * (1 - light.vignette / 2 * (x * x + y * y))
    if light.shadow:
        away = x + 0.35 * y - (2 * light.shadow_at - 1)
        field = field * (1 - light.shadow / (1 + np.exp(np.clip(away * 12, -30, 30))))
    return field.astype(np.float32)


def _tint(kelvin: float) -> NDArray[np.float32]:
    """Return the gains of red, green and blue: a straight line in mireds through white at 5500 K.

    Near white the locus of black bodies is almost straight in them, and no more is asked here.
    """
    shift = (1e6 / kelvin - 1e6 / 5500) / 100
    return np.array([1 + 0.22 * shift, 1.0, 1 - 0.30 * shift], dtype=np.float32).clip(0.3, 2)
