"""What a broker offers: topics and payloads heard for a while, proposed as signals."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

import msgspec

from deungdae.core.ports import Node
from deungdae.wires.mqtt.codec import Message

from .address import Path, spell
from .moment import moment

_TOPICS = 50_000
_DEPTH = 8
_TIMES = ("time", "timestamp", "ts", "t", "datetime", "date")


class Survey:
    """Remembers the last payload of every topic, and makes Nodes of them."""

    def __init__(self, payload: str, delimiter: str, columns: Sequence[str]) -> None:
        self._payload = payload
        self._delimiter = delimiter
        self._columns = columns
        self._last: dict[bytes, bytes] = {}

    def add(self, messages: Sequence[Message]) -> None:
        """Note what was heard; of more topics than memory should hold, the first."""
        for message in messages:
            if not message.refused and (message.topic in self._last or len(self._last) < _TOPICS):
                self._last[message.topic] = message.payload

    def nodes(self) -> Iterator[Node]:
        """Yield a Node for every number and text, in order of topic."""
        for topic, payload in sorted(self._last.items()):
            name = topic.decode("utf-8", "replace")
            for path, time, value in self._values(payload):
                suffix = f"?{path}" if path or time else ""
                suffix += f"&time={time}" if time else ""
                yield _node(name, path, name + suffix, value)

    def _values(self, payload: bytes) -> Iterator[tuple[str, str, object]]:
        """Yield path, path of the time, and value."""
        if self._payload == "csv":
            yield from self._columns_of(payload)
            return
        try:
            content = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            content = payload.decode("utf-8", "replace").strip()
            if not content.isprintable() or content[:1] in ("{", "["):
                return
        for path, time, value in _leaves(content, (), ""):
            yield spell(path), time, value

    def _columns_of(self, payload: bytes) -> Iterator[tuple[str, str, object]]:
        lines = payload.decode("utf-8", "replace").splitlines()
        row = next(iter(csv.reader(lines[:1], delimiter=self._delimiter)), [])
        times = [place for place, value in enumerate(row) if _is_time(self._name(place), value)]
        time = self._name(times[0]) if times else ""
        for place, value in enumerate(row):
            if place not in times:
                yield self._name(place), time, value

    def _name(self, place: int) -> str:
        return self._columns[place] if place < len(self._columns) else str(place)


def _leaves(content: object, path: Path, time: str) -> Iterator[tuple[Path, str, object]]:
    if isinstance(content, dict) and len(path) < _DEPTH:
        times = [key for key, value in content.items() if _is_time(key, value)]
        if times:
            time = spell((*path, times[0]))
        for key, value in content.items():
            if key not in times:
                yield from _leaves(value, (*path, key), time)
    elif isinstance(content, list) and len(path) < _DEPTH:
        for place, value in enumerate(content):
            yield from _leaves(value, (*path, place), time)
    elif isinstance(content, bool | int | float | str):
        yield path, time, content


def _is_time(key: str, value: object) -> bool:
    """Return whether a part is a time: called like one, and readable as one after 1990."""
    when = moment(value) if key.lower() in _TIMES else None
    return when is not None and when > 631_152_000_000_000_000


def _node(topic: str, path: str, address: str, value: object) -> Node:
    number = isinstance(value, bool | int | float)
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            pass
        else:
            number = True
    return Node(
        address=address,
        path=f"{topic}/{path}".rstrip("/"),
        kind="number" if number else "text",
        type=type(value).__name__,
        value=str(value)[:200],
    )
