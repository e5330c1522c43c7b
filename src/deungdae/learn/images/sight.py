"""How pixels come before a model: their size and channels, the same in training and at work."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.float32]

LEAST = 16  # px that an image must have in each direction


class Sight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is shown of an image.

    channels: 1 for grey, 3 for colour; area: px, larger images are shrunk to it; size: height and
    width to which every image is brought, (0, 0) where its own are kept; multiple: of px that
    height and width are filled up to, with what lies at the edge.
    """

    channels: int
    area: int = 0
    size: tuple[int, int] = (0, 0)
    multiple: int = 1

    def shown(self, pixels: Pixels) -> Pixels:
        """Return the image in the model's size and channels: uint8[h', w', channels]."""
        height, width = self.shape(*pixels.shape[:2])
        seen = resized(pixels, height, width)
        return seen if self.channels == seen.shape[2] else grey(seen)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width in which an image of this size is shown."""
        if self.size != (0, 0):
            return self.size
        share = min(1.0, (self.area / (height * width)) ** 0.5)
        return max(LEAST, round(height * share)), max(LEAST, round(width * share))

    def tensor(self, shown: Pixels) -> Plane:
        """Return what the model takes: float32[1, channels, H, W], 0 … 1, filled at the edge."""
        height, width = shown.shape[:2]
        fill = ((0, -height % self.multiple), (0, -width % self.multiple), (0, 0))
        filled = np.pad(shown, fill, mode="edge")
        return np.ascontiguousarray(filled.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def checked(pixels: Pixels) -> None:
    """Raise ValueError where this is no uint8[h, w, 3] of 16 px at least."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"an image is uint8[h, w, 3], not {pixels.dtype}{list(pixels.shape)}")
    if min(pixels.shape[:2]) < LEAST:
        raise ValueError(f"{pixels.shape[1]} x {pixels.shape[0]} px: {LEAST} are needed each way")


def is_grey(pixels: Pixels) -> bool:
    """Return whether an image has no colour but what compression leaves."""
    wide = pixels[::4, ::4].astype(np.int16)
    return bool(np.ptp(wide, axis=2).mean() < 2)


def grey(pixels: Pixels) -> Pixels:
    """Return the lightness of an image, uint8[h, w, 1]. Source: ITU-R BT.601."""
    from PIL import Image  # noqa: PLC0415 — 10 MB, for those with images alone

    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return an image of another size, each pixel the mean of what it covers."""
    from PIL import Image  # noqa: PLC0415 — 10 MB, for those with images alone

    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def stretched(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return a mask of another size; what is small in it is not lost."""
    from PIL import Image  # noqa: PLC0415 — 10 MB, for those with images alone

    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX)) > 0
