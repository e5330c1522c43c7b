"""Bytes from a reader cut into codes: by CR, LF, ETX or EOT, or by silence."""

from __future__ import annotations

import re
from typing import NamedTuple

_END = re.compile(rb"[\r\n\x03\x04]")
_START = b"\x02"
_SEPARATORS = {0x1C, 0x1D, 0x1E, 0x1F}  # FNC1 arrives as 0x1D; ISO/IEC 15434 uses the others


class Code(NamedTuple):
    """One code that a reader sent: its text, or why its bytes are none."""

    text: str
    raw: bytes
    problem: str = ""


class Splitter:
    """Cuts a stream of bytes into codes. longest: most bytes of one code."""

    def __init__(self, encoding: str, longest: int) -> None:
        self._encoding = encoding
        self._longest = longest
        self._rest = bytearray()
        self._overlong = b""

    @property
    def pending(self) -> bool:
        """Return whether a code has begun but not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Code]:
        """Return the codes that end in data."""
        *ended, rest = _END.split(data)
        codes = []
        for part in ended:
            self._keep(part)
            codes += self.flush()
        self._keep(rest)
        return codes

    def flush(self) -> list[Code]:
        """Return what is pending as a code: it has ended, by a sign or by silence."""
        raw, overlong = bytes(self._rest), self._overlong
        self._rest.clear()
        self._overlong = b""
        if overlong:
            return [Code("", overlong, f"longer than {self._longest} bytes")]
        before, start, frame = raw.rpartition(_START)
        codes = [Code("", before, "bytes in front of STX")] if start and before.strip() else []
        return [*codes, self._code(frame)] if frame.strip() else codes

    def _keep(self, part: bytes) -> None:
        if self._overlong:
            return
        self._rest += part[: self._longest + 2]
        if len(self._rest) > self._longest + 1:  # one for STX
            self._overlong = bytes(self._rest[: self._longest])
            self._rest[:] = self._rest[:1]

    def _code(self, raw: bytes) -> Code:
        try:
            text = raw.decode(self._encoding).strip(" \t\0")
        except UnicodeDecodeError:
            return Code("", raw, f"not {self._encoding} text")
        strange = next((c for c in text if ord(c) < 0x20 and ord(c) not in _SEPARATORS), None)
        if strange is not None:
            return Code("", raw, f"control character {ord(strange):#04x} within the code")
        return Code(text, raw)
