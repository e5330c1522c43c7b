"""Whether the bytes that a camera sent are a whole picture, and of what size."""

from __future__ import annotations

import io
from typing import NamedTuple

MOST = 64_000_000  # pixels, of the largest industrial cameras; 200 MB once decoded


class Picture(NamedTuple):
    """What a picture is: its media type, and its size in pixels."""

    media: str
    width: int
    height: int


def examine(content: bytes) -> Picture:
    """Return what the bytes show, by decoding all of them. Raises ValueError if they are broken.

    JPEG and PNG. A PNG with any bit wrong is found; of a JPEG what is cut off or not understood.
    """
    from PIL import Image  # noqa: PLC0415  (only where there is a camera)

    formats = ("JPEG", "PNG")
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            width, height = image.size
            if width * height > MOST:
                raise ValueError(f"{width}×{height} pixels are more than {MOST}")
            image.verify()  # the checksums of a PNG, which decoding does not look at
        with Image.open(io.BytesIO(content), formats=formats) as image:
            image.load()
            return Picture(f"image/{str(image.format).lower()}", width, height)
    except Exception as error:
        raise ValueError(f"{len(content)} bytes that are no whole picture: {error}") from error
