"""A stream of adapter lines as readings, whatever pieces it comes in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from deungdae.core.errors import BadReply
from deungdae.core.ports import Node

from . import shdr
from .reading import Facts, Reading

_LONGEST = 1 << 20


class Reader:
    """Cuts bytes into lines and reads them; a line that cannot be read is counted and logged."""

    def __init__(self, shapes: Mapping[str, str], log: logging.Logger) -> None:
        self.corrupt = 0
        self._shapes = shapes
        self._log = log
        self._skipper = shdr.Skipper()
        self._rest = b""

    def feed(self, data: bytes) -> list[Reading]:
        """Return what the lines that are now whole say. Raises BadReply for an endless line."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise BadReply(
                f"a line is longer than {_LONGEST >> 20} MiB",
                remedy="check that the port is that of an MTConnect adapter",
            )
        found: list[Reading] = []
        for raw in whole:
            line = raw.decode(errors="replace")
            if not self._skipper.skips(line):
                found.extend(self._parse(line))
        return found

    def _parse(self, line: str) -> list[Reading]:
        try:
            return shdr.parse(line, self._shapes)
        except ValueError as error:
            self.corrupt += 1
            if self.corrupt == 1:
                self._log.warning("corrupt line=%r problem=%s", line[:80], error)
            return []


def nodes(readings: Sequence[Reading]) -> Iterator[Node]:
    """Yield each data item that the readings are about, its kind told from its values."""
    said: dict[str, list[Reading]] = {}
    for reading in readings:
        said.setdefault(reading.item, []).append(reading)
    for item, of_item in said.items():
        facts = Facts()
        for reading in of_item:
            facts.add(reading)
        place = item.replace(":", "/")
        yield Node(address=place, path=place, kind=facts.kind, value=of_item[-1].value)
