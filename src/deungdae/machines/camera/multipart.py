"""The endless answer of a camera that streams, cut into its pictures, as cameras really send it."""

from __future__ import annotations

import re
from typing import NamedTuple

from deungdae.core.errors import BadReply

_LONGEST_HEAD = 8192
_GAP = re.compile(rb"\r?\n\r?\n")


class Part(NamedTuple):
    """One part. headers: by name in lower case."""

    headers: dict[str, str]
    body: bytes


def boundary(content_type: str) -> str:
    """Return the boundary that a content type names, '' if it is not multipart."""
    kind, _, parameters = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        return ""
    match = re.search(r'boundary="?([^";]+)"?', parameters, re.IGNORECASE)
    return match.group(1).strip() if match else ""


class Splitter:
    """Takes bytes as they come and gives whole parts; holds at most `limit` bytes of one.

    Cameras disagree on whether the dashes before a boundary belong to it (RFC 2046 §5.1.1 says no),
    so they are taken as they first come. Without a Content-Length a part ends at the next boundary.
    """

    def __init__(self, boundary: str, limit: int) -> None:
        self._bare = (boundary.lstrip("-") or boundary).encode()
        self._mark = b""  # with its dashes, once they are known
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Part]:
        """Return the parts that are now whole. Raises BadReply if one grows too long."""
        self._held += data
        found = []
        while (part := self._next()) is not None:
            if part.body:
                found.append(part)
        if len(self._held) > self._limit + _LONGEST_HEAD:
            raise BadReply(
                f"a picture of the stream is longer than {self._limit >> 20} MiB",
                remedy="have the camera send smaller pictures, or raise `limit`",
            )
        return found

    def _next(self) -> Part | None:
        start = self._start()
        if start is None:
            return None
        gap = _GAP.search(self._held, start)
        if gap is None:
            self._check_head(len(self._held) - start)
            return None
        self._check_head(gap.start() - start)
        headers = _headers(bytes(self._held[start : gap.start()]))
        length = headers.get("content-length", "")
        if length.isdecimal():
            end = gap.end() + int(length)
            if int(length) > self._limit:
                raise BadReply(
                    f"a picture of the stream has {length} bytes, above {self._limit >> 20} MiB",
                    remedy="have the camera send smaller pictures, or raise `limit`",
                )
            if len(self._held) < end:
                return None
            body = bytes(self._held[gap.end() : end])
        else:
            end = self._held.find(self._mark, gap.end())
            if end < 0:
                return None
            body = _without_end(bytes(self._held[gap.end() : end]))
        del self._held[:end]
        return Part(headers, body)

    def _start(self) -> int | None:
        """Return where the next part begins: behind its boundary."""
        if not self._mark:
            place = self._held.find(self._bare)
            if place < 0:
                self._check_head(len(self._held))
                return None
            before = bytes(self._held[:place])
            dashes = len(before) - len(before.rstrip(b"-"))
            self._mark = b"-" * dashes + self._bare
        place = self._held.find(self._mark)
        return None if place < 0 else place + len(self._mark)

    def _check_head(self, length: int) -> None:
        if length > _LONGEST_HEAD:
            raise BadReply(
                f"the stream has {_LONGEST_HEAD} bytes without the head of a picture",
                remedy="is the address that of an MJPEG stream?",
            )


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _without_end(body: bytes) -> bytes:
    """Return a part without the line end that belongs to the boundary behind it."""
    return body.removesuffix(b"\r\n") if body.endswith(b"\r\n") else body.removesuffix(b"\n")
