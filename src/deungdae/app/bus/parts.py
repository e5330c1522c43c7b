"""What travels from doors to the history: samples and events with the ids of their signals.

Handles belong to a store, so between processes signals travel by their ids: a part lists those
that it is about, and its Batches hold positions in that list.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from deungdae.app import wire
from deungdae.core.ports import Events
from deungdae.core.types import Batch, Event, Finding, Signal

log = logging.getLogger("deungdae.bus")

Item: TypeAlias = Batch | Event | Finding
_NAME = re.compile(r"[a-z0-9_-]{1,200}")
ROW = 64  # bytes that a sample takes at most, as a rule: its columns and its signal's id


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One message of data. number: 1, 2, 3 … of one run of one process, which is a session."""

    sender: str
    session: str
    number: int
    ids: list[str]
    nouns: bytes

    @property
    def key(self) -> tuple[str, str, int]:
        """Return what tells this part from every other."""
        return self.sender, self.session, self.number


class Content(msgspec.Struct, frozen=True):
    """The content of a part: ids of signals, and nouns whose handles are positions among them."""

    ids: list[str]
    nouns: bytes


def split(items: Sequence[Item], signals: Mapping[int, Signal], limit: int) -> Iterator[Content]:
    """Yield the items in order, in contents of at most `limit` bytes. signals: by handle.

    An event that is too large by itself becomes a gap of its id, so that its loss can be seen.
    """
    pieces: list[Item] = []
    rows = max(limit // ROW, 1)
    for item in items:
        if isinstance(item, Batch) and len(item) > rows:
            pieces += [item.take(np.s_[i : i + rows]) for i in range(0, len(item), rows)]  # type: ignore[arg-type]
        else:
            pieces.append(item)
    for group in _packed(pieces, limit):
        yield from _fitting(group, signals, limit)


def read(data: bytes) -> Part:
    """Return a part from its bytes. Raises ValueError."""
    part = wire.load(data, Part)
    if not _NAME.fullmatch(part.sender):
        raise ValueError(f"{part.sender!r} is no name of a sender")
    return part


def unknown(part: Part, handles: Mapping[str, int]) -> list[str]:
    """Return the ids of a part that are not known here."""
    return [id for id in part.ids if id not in handles]


def items(part: Part, handles: Mapping[str, int]) -> list[Batch | Events]:
    """Return what a part holds, with the handles of here; samples of unknown ids are left out.

    Raises ValueError for what is malformed.
    """
    table = np.asarray([handles.get(id, -1) for id in part.ids], np.int32)
    found: list[Batch | Events] = []
    events: list[Event] = []
    for noun in wire.decode(part.nouns):
        if isinstance(noun, Batch):
            if len(noun) and not 0 <= noun.signal.min() <= noun.signal.max() < len(table):
                raise ValueError(f"a sample of a signal beyond the {len(table)} that are named")
            signal = table[noun.signal]
            batch = Batch(signal, noun.time, noun.value, noun.status, noun.received)
            found.append(batch if (signal >= 0).all() else batch.take(signal >= 0))
        elif isinstance(noun, Event):
            events.append(noun)
        else:
            raise ValueError(f"doors send no {type(noun).__name__}")
    return [*found, tuple(events)] if events else found


def _packed(items: Sequence[Item], limit: int) -> Iterator[list[Item]]:
    """Yield the items in order, in groups that fit into a message by estimate."""
    group: list[Item] = []
    size = 0
    for item in items:
        weight = _weight(item)
        if group and size + weight > limit:
            yield group
            group, size = [], 0
        group.append(item)
        size += weight
    if group:
        yield group


def _weight(item: Item) -> int:
    """Return about how many bytes an item takes."""
    if isinstance(item, Batch):
        return ROW * len(item)
    if isinstance(item, Event):
        return 2 * ROW + len(item.value) + sum(len(k) + len(v) for k, v in item.data.items())
    return 4 * ROW


def _fitting(items: Sequence[Item], signals: Mapping[int, Signal], limit: int) -> Iterator[Content]:
    content = _content(items, signals)
    if len(content.nouns) + sum(len(id) + 5 for id in content.ids) <= limit:
        yield content
        return
    for half in _halves(items):
        yield from _fitting(half, signals, limit)


def _halves(items: Sequence[Item]) -> list[Sequence[Item]]:
    if len(items) > 1:
        middle = len(items) // 2
        return [items[:middle], items[middle:]]
    (item,) = items
    if isinstance(item, Batch) and len(item) > 1:
        rows = np.arange(len(item))
        middle = len(item) // 2
        return [[item.take(rows[:middle])], [item.take(rows[middle:])]]
    if isinstance(item, Event) and item.kind != "gap":
        reason = f"a {item.kind} of {len(item.value)} characters is too large for the bus"
        log.error("lost=1 id=%s reason=%r", item.id, reason)
        data = {"until": str(item.time), "reason": reason}
        return [[msgspec.structs.replace(item, kind="gap", value="too large", data=data)]]
    raise ValueError(f"{type(item).__name__} does not fit into one message of the bus")


def _content(items: Sequence[Item], signals: Mapping[int, Signal]) -> Content:
    """Return the items in wire form, however long."""
    batches = [item.signal for item in items if isinstance(item, Batch)]
    used = np.unique(np.concatenate(batches)) if batches else np.zeros(0, np.int32)
    nouns = [
        Batch(
            np.searchsorted(used, item.signal).astype(np.int32),
            item.time,
            item.value,
            item.status,
            item.received,
        )
        if isinstance(item, Batch)
        else item
        for item in items
    ]
    return Content([signals[handle].id for handle in used.tolist()], wire.encode(nouns))
