"""multipart/x-mixed-replace, the endless answer of a streaming agent, cut into its documents."""

from __future__ import annotations

import re

from deungdae.core.errors import BadReply

_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)\s*$")
_LONGEST_HEAD = 8192


def boundary(content_type: str) -> str | None:
    """Return the boundary that a content type names, None if it is not multipart."""
    kind, _, parameters = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        return None
    match = re.search(r'boundary="?([^";]+)"?', parameters, re.IGNORECASE)
    return match.group(1).strip() if match else None


class Splitter:
    """Takes bytes as they come and gives whole documents; holds at most `limit` bytes of one."""

    def __init__(self, boundary: str, limit: int) -> None:
        self._mark = b"--" + boundary.encode()
        self._limit = limit
        self._held = bytearray()
        self._length: int | None = None  # of the part whose head was read

    def feed(self, data: bytes) -> list[bytes]:
        """Return the documents that are now whole. Raises BadReply if one grows too long."""
        self._held += data
        found = []
        while (part := self._next()) is not None:
            if part.strip():
                found.append(part)
        if len(self._held) > self._limit:
            raise BadReply(
                f"a document of the stream is longer than {self._limit >> 20} MiB",
                remedy="lower `count`, or raise `limit`",
            )
        return found

    def _next(self) -> bytes | None:
        if self._length is None and not self._read_head():
            return None
        length = self._length
        if length is None or len(self._held) < length:
            return None
        part = bytes(self._held[:length])
        del self._held[:length]
        self._length = None
        return part

    def _read_head(self) -> bool:
        """Read up to the empty line behind a boundary; return whether it was whole."""
        start = self._held.find(self._mark)
        if start < 0:
            del self._held[: max(len(self._held) - len(self._mark), 0)]
            return False
        head, end = self._head(start)
        if end < 0:
            if len(self._held) - start > _LONGEST_HEAD:
                raise BadReply(f"a part of the stream has a head above {_LONGEST_HEAD} bytes")
            return False
        if match := _LENGTH.search(head):
            del self._held[:end]
            self._length = int(match.group(1))
            if self._length > self._limit:
                raise BadReply(
                    f"a document of the stream has {self._length} bytes, above the limit",
                    remedy="lower `count`, or raise `limit`",
                )
            return True
        # without a length the part ends before the next boundary
        until = self._held.find(self._mark, end)
        if until < 0:
            return False
        del self._held[:end]
        self._length = until - end
        return True

    def _head(self, start: int) -> tuple[bytes, int]:
        """Return a part's head and where its body begins, -1 if that has not come yet."""
        ends = [
            (place, place + len(gap))
            for gap in (b"\r\n\r\n", b"\n\n")
            if (place := self._held.find(gap, start)) >= 0
        ]
        if not ends:
            return b"", -1
        place, end = min(ends)
        return bytes(self._held[start:place]).replace(b"\r", b""), end
