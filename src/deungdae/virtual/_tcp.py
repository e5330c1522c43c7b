"""The TCP port of a virtual machine: it takes nobody while the machine is made to drop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, TypeAlias

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health

from ._faults import Faults

Meet: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
State: TypeAlias = Literal["online", "offline", "stopped"]
_MOST = 64  # connections at once
_GONE = (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)  # of a peer: no fault of ours


class Port:
    """A port that listens within `async with`; `meet` is called for each connection.

    Raises Unreachable on entering when the port cannot be had. Leaving ends every connection.
    """

    def __init__(
        self, name: str, address: tuple[str, int], meet: Meet, clock: Clock, faults: Faults
    ) -> None:
        self._name = name
        self._address = address
        self._meet = meet
        self._clock = clock
        self._faults = faults
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self._server: asyncio.Server | None = None
        self._meetings: set[asyncio.Task[None]] = set()
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it listens."""
        return self._health

    async def __aenter__(self) -> Port:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()
        self._turn("stopped")

    async def heed(self) -> None:
        """Close while the fault `drop` is on, and listen again after it: call it at every step."""
        if self._faults.dropped and self._server is not None:
            await self._close()
            self._turn("offline", "it was made to drop", "wait, or clear the fault")
        elif not self._faults.dropped and self._server is None:
            await self._open()

    async def _open(self) -> None:
        where = "{}:{}".format(*self._address)
        try:
            self._server = await asyncio.start_server(self._met, *self._address)
        except OSError as error:
            remedy = "is it in use? choose another port, above 1023"
            self._turn("offline", f"cannot listen on {where}", remedy)
            raise Unreachable(f"{self._name} cannot listen on {where}", remedy=remedy) from error
        self._turn("online")

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for meeting in self._meetings:
            meeting.cancel()
        await asyncio.gather(*self._meetings, return_exceptions=True)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        meeting = asyncio.current_task()
        if meeting is None or self._server is None or len(self._meetings) >= _MOST:
            writer.transport.abort()  # also who came in while the port was being closed
            return
        self._meetings.add(meeting)
        try:
            await self._meet(reader, writer)
        except _GONE as error:
            self._log.debug("gone peer=%s reason=%s", writer.get_extra_info("peername"), error)
        except asyncio.CancelledError:
            # only we cancel a meeting, and asyncio would log it as a failure if it went on
            writer.transport.abort()  # nothing more may be said, not even what was under way
        finally:
            self._meetings.discard(meeting)
            writer.close()

    def _turn(self, state: State, problem: str = "", remedy: str = "") -> None:
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s port=%d problem=%s", state, self._address[1], problem or "none")
