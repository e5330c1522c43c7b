"""Takes out of an image's file what is no pixel: EXIF, places, comments, names of cameras.

Sources: ISO/IEC 10918-1 (JPEG) annex B; W3C, Portable Network Graphics (3rd edition) §5.
"""

from __future__ import annotations

_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})  # all that pixels need
_ADOBE = 0xEE  # says how colours are stored
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def strip(content: bytes) -> bytes:
    """Return a PNG or JPEG with its pixels untouched and nothing else, as short as it can be.

    What a file has behind its end goes too. Raises ValueError for other kinds of file, and where
    the file is not whole.
    """
    try:
        if content.startswith(_PNG):
            return _png(content)
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg(content)
    except IndexError as error:
        raise ValueError("the file is cut off") from error
    raise ValueError("only PNG and JPEG can be stripped as they are")


def _png(content: bytes) -> bytes:
    kept = [_PNG]
    place = len(_PNG)
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, end = content[place + 4 : place + 8], place + length + 12
        if end > len(content):
            raise ValueError("the file is cut off")
        if kind in _KEPT:
            kept.append(content[place:end])
        if kind == b"IEND":
            return b"".join(kept)
        place = end
    raise ValueError("the file is cut off")


def _jpeg(content: bytes) -> bytes:
    kept = [content[:2]]
    place = 2
    while True:
        if content[place] != 0xFF:
            raise ValueError("this is no JPEG: a marker is missing")
        while content[place + 1] == 0xFF:  # fill bytes
            place += 1
        marker = content[place + 1]
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        if marker in _BARE:
            kept.append(content[place : place + 2])
            place += 2
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if end > len(content) or end < place + 4:
            raise ValueError("the file is cut off")
        scan = _scan_end(content, end) if marker == 0xDA else end
        if not _is_told(marker, content[place + 4 : end]):
            kept.append(content[place:scan])
        place = scan


def _is_told(marker: int, body: bytes) -> bool:
    """Return whether a segment tells something that no pixel needs."""
    if marker == 0xE0:
        return not body.startswith(b"JFIF\0") or body[12:14] != b"\0\0"  # with a thumbnail
    return marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != _ADOBE)


def _scan_end(content: bytes, place: int) -> int:
    """Return where the marker behind the pixels of a scan stands."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0:
            raise ValueError("the file is cut off")
        behind = content[place + 1]
        if behind != 0x00 and not 0xD0 <= behind <= 0xD7:
            return place
        place += 2
