"""The camera door without a socket: streams cut into pictures, pictures examined, options."""

from __future__ import annotations

import io
from contextlib import suppress
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deungdae.core.errors import BadReply
from deungdae.machines.camera import Camera, multipart, picture


def jpeg(width: int = 32, height: int = 24, format: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


ONE, TWO = jpeg(), jpeg(16, 16)


def sent(mark: str, pictures: list[bytes], *, length: bool, end: bytes) -> bytes:
    stream = b""
    for content in pictures:
        lines = [mark, "Content-Type: image/jpeg"]
        if length:
            lines.append(f"content-length:{len(content)}")
        stream += end.join(line.encode() for line in lines) + end + end + content + end
    return stream


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("named", "mark"),
    [
        ("frame", "--frame"),  # as RFC 2046 has it
        ("--frame", "--frame"),  # the dashes counted in: many cameras
        ("--frame", "----frame"),  # the same, with the dashes of RFC 2046 as well
        ("frame", "frame"),  # none at all
        ("ipcamera--x", "--ipcamera--x"),
    ],
)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_a_stream_is_cut_into_its_pictures(
    named: str, mark: str, length: bool, end: bytes, cuts: list[int]
) -> None:
    stream = sent(mark, [ONE, TWO, ONE], length=length, end=end) + mark.encode()
    splitter = multipart.Splitter(named, 1 << 20)
    found = []
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for a, b in pairwise(places):
        found += splitter.feed(stream[a:b])
    assert [part.body for part in found] == [ONE, TWO, ONE]
    assert found[0].headers["content-type"] == "image/jpeg"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_stream_or_a_bad_reply(data: bytes) -> None:
    splitter = multipart.Splitter("x", 100)
    with suppress(BadReply):
        for part in splitter.feed(data):
            assert len(part.body) <= 400


def test_what_grows_too_long_is_a_bad_reply() -> None:
    head = b"--x\r\nContent-Length: 3000000\r\n\r\n"
    with pytest.raises(BadReply, match="3000000 bytes"):
        multipart.Splitter("x", 1 << 20).feed(head)
    splitter = multipart.Splitter("x", 1 << 20)
    splitter.feed(b"--x\r\n\r\n" + b"y" * 1_000_000)
    with pytest.raises(BadReply, match="longer than 1 MiB"):
        splitter.feed(b"y" * 100_000)
    with pytest.raises(BadReply, match="without the head"):
        multipart.Splitter("boundary", 1 << 20).feed(b"z" * 9000)


@pytest.mark.parametrize(
    ("kind", "mark"),
    [
        ("multipart/x-mixed-replace; boundary=--myboundary", "--myboundary"),
        ('Multipart/X-Mixed-Replace;boundary="b c"', "b c"),
        ("multipart/x-mixed-replace; charset=x; boundary=a; y=z", "a"),
        ("multipart/x-mixed-replace", ""),
        ("image/jpeg", ""),
        ("", ""),
    ],
)
def test_the_boundary_of_a_content_type(kind: str, mark: str) -> None:
    assert multipart.boundary(kind) == mark


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_whole_picture_is_known_by_its_size(format: str) -> None:
    assert picture.examine(jpeg(format=format)) == (f"image/{format.lower()}", 32, 24)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_picture_that_breaks_off_is_found(format: str) -> None:
    content = jpeg(format=format)
    for length in (0, 10, len(content) // 2, len(content) - 10):
        with pytest.raises(ValueError, match="no whole picture"):
            picture.examine(content[:length])


@given(place=st.integers(8, len(jpeg(format="PNG")) - 13), bit=st.integers(0, 7))
def test_one_wrong_bit_of_a_png_is_found(place: int, bit: int) -> None:
    content = bytearray(jpeg(format="PNG"))
    content[place] ^= 1 << bit
    with pytest.raises(ValueError, match="no whole picture"):
        picture.examine(bytes(content))


@given(st.binary(max_size=300), st.sampled_from([b"", ONE[:200], b"\x89PNG\r\n\x1a\n", b"GIF89a"]))
def test_any_bytes_are_a_picture_or_say_why_not(data: bytes, before: bytes) -> None:
    with pytest.raises(ValueError, match="no whole picture"):
        picture.examine(before + data)


def test_a_picture_that_would_fill_the_memory_is_refused() -> None:
    bomb = io.BytesIO()
    Image.new("1", (9000, 8000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 20_000
    with pytest.raises(ValueError, match="9000×8000 pixels"):
        picture.examine(bomb.getvalue())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "rtmp://10.0.0.1/live"}, "is none of"),
        ({"url": "rtsp://me:secret@10.0.0.1/"}, "take the login out"),
        ({"url": "http:///image"}, "is none of"),
        ({"url": "http://h:99999/"}, "Port out of range"),
        ({"url": "http://me:secret@10.0.0.1/"}, "take the login out"),
        ({"url": "http://h/", "user": "me"}, "needs either"),
        ({"url": "http://h/", "user": "me", "password_env": "A", "password_file": "b"}, "either"),
    ],
)
def test_options_that_cannot_be(options: dict[str, str], problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert(options, Camera.Options)


def test_the_one_address_is_image() -> None:
    Camera.check_address("image")
    with pytest.raises(ValueError, match="write image"):
        Camera.check_address("picture")
