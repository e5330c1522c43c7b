"""A file of an image as pixels, or what is wrong with it and what would be right."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Pixels: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF")
MOST = 64_000_000  # pixels of the largest industrial cameras; 190 MB once decoded
_TWELVE_BITS = 1 << 12
_MILLIONS = MOST // 1_000_000
_SMALLER = "cut out or shrink what is to be looked at"
_RIGHT = "save it as PNG or JPEG with 8 bits a colour"


def decoded(content: bytes) -> Pixels:
    """Return the pixels of an image as a person sees it, uint8[height, width, 3], red first.

    Grey, palettes, CMYK and 16 bits become red, green and blue of 8 bits; a camera that was turned
    is turned back as its EXIF orientation says; what is transparent becomes black. Raises
    ValueError, with a remedy, for what is broken, moves, has more than 64 million pixels (found
    before they are decoded), or is not one of FORMATS.
    """
    if not content:
        raise ValueError("the file is empty: was it still being written?")
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 — 10 MB, for those with images alone

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check(image)
            image.verify()  # the checksums of a PNG, which decoding does not look at
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return np.asarray(_plain(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise ValueError(f"this is no image of a known kind: {_RIGHT}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"it has far more than {_MILLIONS} million pixels: {_SMALLER}") from error
    except _Wrong:
        raise
    except Exception as error:  # of a broken file Pillow raises whatever its reader stumbles over
        raise ValueError(f"the image is broken ({error}): take it anew, or {_RIGHT}") from error


class _Wrong(ValueError):
    """An image that is whole, and still not one to look at."""


def _check(image: Image.Image) -> None:
    """Raise unless it is one picture of a size that can be held."""
    width, height = image.size
    if width * height > MOST:
        raise _Wrong(f"{width}×{height} are more than {_MILLIONS} million pixels: {_SMALLER}")
    # a telephone hides a second view behind its JPEG
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise _Wrong("it holds more than one picture: save the one that is meant")


def _plain(image: Image.Image) -> Image.Image:
    """Return an image in red, green and blue of 8 bits."""
    from PIL import Image  # noqa: PLC0415

    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "black"), seen).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Pixels:
    """Return grey levels of 16 bits as levels of 8. Raises _Wrong for those that are not 16."""
    levels = np.asarray(grey, np.float64)
    low, high = float(levels.min()), float(levels.max())
    if not (low >= 0 and high < 1 << 16 and grey.dtype.kind in "iu"):
        raise _Wrong(f"its grey levels, {low:g} to {high:g}, are not of 16 bits: {_RIGHT}")
    if high < _TWELVE_BITS:
        raise _Wrong(
            f"its 16 bits are hardly used, no level is above {high:g} of 65535: "
            "have the camera fill them (a 12-bit level times 16), give it light, or use 8 bits"
        )
    return (np.asarray(grey, np.uint16) >> 8).astype(np.uint8)
