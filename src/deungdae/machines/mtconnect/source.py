"""What the driver wants of an agent, an adapter or a recording."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Iterable, Sequence
from typing import NamedTuple, Protocol

from deungdae.core.ports import Node

from .model import Item
from .reading import Reading


class Gap(NamedTuple):
    """Observations that were lost, between two times at the source, ns."""

    since: int
    until: int
    why: str


class News(NamedTuple):
    """What came at once. changed: the source restarted, and `items` may be others now."""

    readings: Iterable[Reading] = ()
    gap: Gap | None = None
    changed: bool = False


class Source(Protocol):
    """Where observations come from. Each of its methods may raise DoorError."""

    @property
    def items(self) -> Sequence[Item] | None:
        """Return the data items, once connected; None where the source cannot tell."""
        ...

    async def connect(self) -> None: ...

    def browse(self) -> AsyncIterator[Node]:
        """Yield what there is."""
        ...

    def follow(self, wanted: Callable[[], Container[str]]) -> AsyncGenerator[News, None]:
        """Yield the current values, then news as they come; now and then, empty news.

        wanted: gives the data items to tell of; others may be left out.
        """
        ...

    async def close(self) -> None: ...
