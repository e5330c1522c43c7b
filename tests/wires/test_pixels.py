"""Images as they come from cameras, telephones and drawing programs, and those that are broken."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from deungdae.wires.pixels import MOST, decoded

RED, GREEN, BLUE = (200, 30, 20), (20, 180, 40), (10, 40, 190)


def painted(height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """Return an image that is red above, and below green at the left and blue at the right."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2] = RED
    pixels[height // 2 :, : width // 2] = GREEN
    pixels[height // 2 :, width // 2 :] = BLUE
    return pixels


def saved(image: Image.Image, format: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **more)
    return file.getvalue()


WHOLE = Image.fromarray(painted())
FILES = {
    format: saved(WHOLE, format, **more)
    for format, more in {
        "PNG": {}, "JPEG": {"quality": 95, "subsampling": 0}, "BMP": {}, "TIFF": {},
        "GIF": {},
    }.items()
}  # fmt: skip


def far(found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> int:
    """Return the median distance of two images, in grey levels."""
    assert found.shape == wanted.shape
    return int(np.median(np.abs(found.astype(int) - wanted)))


# ---- what can be read


@pytest.mark.parametrize("format", FILES)
def test_the_usual_files_are_read(format: str) -> None:
    found = decoded(FILES[format])
    assert found.dtype == np.uint8
    assert far(found, painted()) <= 2


def test_grey_becomes_three_equal_colours() -> None:
    for mode in ("L", "1"):
        found = decoded(saved(WHOLE.convert(mode)))
        assert found.shape == (32, 48, 3)
        assert (found == found[..., :1]).all()


def test_a_palette_becomes_its_colours() -> None:
    assert far(decoded(saved(WHOLE.quantize(8))), painted()) <= 2


def test_cmyk_becomes_what_a_person_sees() -> None:
    for format in ("JPEG", "TIFF"):
        assert far(decoded(saved(WHOLE.convert("CMYK"), format)), painted()) <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_becomes_black(mode: str) -> None:
    image = WHOLE.convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.uint8([[0], [255]]), 16, axis=0).repeat(48, 1)))
    found = decoded(saved(image.convert(mode), "TIFF" if mode == "PA" else "PNG"))
    assert found.shape == (32, 48, 3)
    if mode != "PA":  # Pillow keeps no transparency of a palette in a TIFF
        assert (found[:16] == 0).all()
        assert (found[17:] > 0).any()


def test_a_transparent_colour_of_a_palette_becomes_black() -> None:
    image = WHOLE.quantize(8)
    index = image.getpixel((0, 0))
    found = decoded(saved(image, transparency=index))
    assert (found[0, 0] == 0).all()
    assert (found[-1, 0] > 0).any()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(format: str) -> None:
    grey = np.linspace(0, 65535, 32 * 48).reshape(32, 48).astype(np.uint16)
    found = decoded(saved(Image.fromarray(grey), format))
    assert np.array_equal(found[..., 0], grey >> 8)


def chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(width: int, height: int, data: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG by its own rules (RFC 2083), also one that no program would write."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_sixteen_bits_of_three_colours_become_eight() -> None:
    lines = b"\0" + struct.pack(">6H", 65535, 32768, 0, 256, 512, 65280)
    found = decoded(png(2, 1, zlib.compress(lines), depth=16))
    assert found.tolist() == [[[255, 128, 0], [1, 2, 255]]]


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda seen: seen),
        (2, lambda seen: seen[:, ::-1]),
        (3, lambda seen: seen[::-1, ::-1]),
        (4, lambda seen: seen[::-1]),
        (5, lambda seen: seen.transpose(1, 0, 2)),
        (6, lambda seen: np.rot90(seen, 1)),
        (7, lambda seen: np.rot90(seen.transpose(1, 0, 2), 2)),
        (8, lambda seen: np.rot90(seen, -1)),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_a_turned_camera_is_turned_back(format: str, orientation: int, undo: Any) -> None:
    """What each number means: Exif 3.0, 4.6.5.1, tag 274."""
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(painted())))
    assert far(decoded(saved(stored, format, exif=exif)), painted()) <= 2


# ---- what cannot


def test_an_empty_file_says_so() -> None:
    with pytest.raises(ValueError, match="the file is empty: was it still being written"):
        decoded(b"")


@pytest.mark.parametrize("content", [b"hello", b"<html>", b"\0" * 400, b"%PDF-1.7\n"])
def test_what_is_no_image_says_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="no image of a known kind: save it as PNG or JPEG"):
        decoded(content)


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_breaks_off_says_so(format: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), format)
    with pytest.raises(ValueError, match=r"broken|known kind"):
        decoded(content[: int(share * len(content))])


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF"])
def test_more_than_one_picture_says_so(format: str) -> None:
    more = [Image.fromarray(painted()[::-1]), WHOLE]
    content = saved(WHOLE, format, save_all=True, append_images=more)
    with pytest.raises(ValueError, match="more than one picture: save the one that is meant"):
        decoded(content)


def test_the_first_of_two_views_of_a_telephone_is_read() -> None:
    assert far(decoded(saved(WHOLE, "MPO", save_all=True, append_images=[WHOLE])), painted()) <= 4


@pytest.mark.parametrize("size", [(20_000, 10_000), (10_000, 8_000), (60_000, 60_000)])
def test_what_is_too_large_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = zlib.compressobj(1)
    data = line.compress(bytes(1 + 3 * size[0])) + line.flush()  # one line of so many
    with pytest.raises(ValueError, match="more than 64 million pixels: cut out or shrink"):
        decoded(png(*size, data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB
    assert size[0] * size[1] > MOST


def test_200_megapixels_of_a_jpeg_are_refused() -> None:
    """The size stands in the frame header, ITU-T T.81 B.2.2: nothing of it need be there."""
    content = bytearray(FILES["JPEG"])
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", 10_000, 20_000)
    with pytest.raises(ValueError, match=r"20000×10000|far more"):
        decoded(bytes(content))


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        (np.full((8, 8), 900, np.uint16), "hardly used, no level is above 900"),
        (np.full((8, 8), 0.5, np.float32), "not of 16 bits"),
        (np.full((8, 8), 70_000, np.int32), "not of 16 bits"),
        (np.full((8, 8), -3, np.int32), "not of 16 bits"),
    ],
)
def test_levels_that_would_be_lost_are_told(levels: NDArray[Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decoded(saved(Image.fromarray(levels), "TIFF"))


def test_one_wrong_byte_of_a_png_is_found() -> None:
    content = bytearray(FILES["PNG"])
    content[-20] ^= 1
    with pytest.raises(ValueError, match="broken"):
        decoded(bytes(content))


@settings(deadline=None, max_examples=300)
@given(
    content=st.sampled_from(sorted(FILES.values())),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    end=st.floats(0, 1),
)
def test_any_bytes_are_an_image_or_a_value_error(
    content: bytes, changes: list[tuple[float, int]], end: float
) -> None:
    spoilt = bytearray(content)
    for place, value in changes:
        spoilt[int(place * (len(spoilt) - 1))] = value
    with suppress(ValueError):
        found = decoded(bytes(spoilt[: max(1, int(end * len(spoilt)))]))
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3
        assert found.size <= 3 * MOST
