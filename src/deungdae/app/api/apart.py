"""Heavy questions, answered in a process of their own that ends when nobody asks any more.

What simulates loads a compiler: 125 MB that the running factory shall not carry.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from deungdae.app.offspring import end_with_parent

from .failure import WebError

IDLE = 60.0  # s without a question after which the process ends
WAITING = 8  # questions that may wait for their turn

T = TypeVar("T")


class Apart:
    """One process for one question at a time. patience: s that an answer may take."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._pool: ProcessPoolExecutor | None = None
        self._asked = 0
        self._turn = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def call(self, work: Callable[..., T], *args: object) -> T:
        """Return work(*args). Raises WebError where too many ask, or it takes too long."""
        if self._asked >= WAITING:
            raise WebError(429, f"{WAITING} questions wait already", "ask again in a moment")
        self._asked += 1
        try:
            async with self._turn:
                return await self._call(work, *args)
        finally:
            self._asked -= 1
            self._end_later()

    async def _call(self, work: Callable[..., T], *args: object) -> T:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent)
        answer = asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        answer.add_done_callback(_retrieve)
        try:
            # also for who has left: half an answer would block the next question
            return await asyncio.wait_for(asyncio.shield(answer), self.patience)
        except TimeoutError as error:
            self.close()
            remedy = "ask for fewer replications, or a shorter time"
            raise WebError(503, f"no answer within {self.patience:g} s", remedy) from error
        except BrokenProcessPool as error:
            self.close()
            raise WebError(503, "the process that simulates has ended", "ask again") from error

    def _end_later(self) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(IDLE, self._end_idle)

    def _end_idle(self) -> None:
        if not self._asked:
            self.close()

    def close(self) -> None:
        """End the process, also one that hangs; the next question starts another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list(pool._processes.values()):  # the pool itself would wait for ever
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)


def _retrieve(answer: asyncio.Future[T]) -> None:
    """Take note of how an answer ended for which nobody waits any more."""
    if not answer.cancelled():
        answer.exception()
