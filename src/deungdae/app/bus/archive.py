"""The store of the history process, asked over the bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import numpy as np

from deungdae.app import remote
from deungdae.app.remote import Remote
from deungdae.core.clock import Clock
from deungdae.core.errors import StoreError, Unreachable
from deungdae.core.types import Batch, Event, Finding, IntArray, Signal

from .link import Link

log = logging.getLogger("deungdae.bus")

PATIENCE = 120.0  # s for an answer; a SELECT over years takes its time
WAIT = 1.0  # s between tries while the history is away
SIGNALS = 1000  # of one question: it must fit into one message


class Archive(Remote):
    """A Store over the bus. To be called from threads only, never from the loop.

    patient: wait for a history that is away, instead of raising StoreError.
    """

    def __init__(self, link: Link, *, patient: bool = False) -> None:
        super().__init__(self._over_the_bus)
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._patient = patient

    def register(self, signals: Sequence[Signal]) -> IntArray:
        """Return the handle of each signal, as the Store port says."""
        groups = [signals[i : i + SIGNALS] for i in range(0, len(signals), SIGNALS)]
        return np.concatenate([np.zeros(0, np.int32), *map(super().register, groups)])

    def append(self, items: Sequence[Batch | Event | Finding]) -> None:
        """Raise StoreError: what is to be kept comes from doors, or is imported beside the history.

        Who can reach the bus could otherwise write history at will.
        """
        raise StoreError(
            f"{len(items)} items cannot be kept through the pages of a process of their own:"
            " stop the history process and import into its folder"
        )

    def _over_the_bus(self, method: str, request: bytes) -> bytes:
        asking = self._answered(method, request)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    async def _answered(self, method: str, request: bytes) -> bytes:
        subject, waiting = self._link.subject("store", method), False
        while True:
            try:
                reply = await self._link.ask(subject, request, PATIENCE)
            except Unreachable as error:
                if not self._patient:
                    raise StoreError(f"the history does not answer: {error}") from error
                if not waiting:
                    log.warning("state=waiting for the history: %s", error)
                waiting = True
                await asyncio.sleep(WAIT)
            else:
                if waiting:
                    log.info("state=answered by the history")
                return reply


async def serve(link: Link, store: remote.Archive, clock: Clock) -> None:
    """Answer for the store until the link is closed; over the bus nobody can append."""

    async def answer(subject: str, data: bytes) -> bytes:
        return await clock.call(_reply, store, subject.rpartition(".")[2], data)

    await link.answer(link.subject("store", "*"), answer)


def _reply(store: remote.Archive, method: str, data: bytes) -> bytes:
    return remote.answer(store, method, data, writes=method == "register")
