"""The websocket `/live`: everything once, then only what changes.

All pages wake at the same moments, so that what changed is looked for once and encoded once. Each
is told at its own pace: while it has not taken one message there is no next one, and what changed
meanwhile comes in one. So a slow client costs nothing but its own delay.

A page may say `{"watch": ["press-1.count", …]}`: it then hears the readings of these signals only,
and `{"watch": null}` that it wants to hear all again.
"""

from __future__ import annotations

import asyncio
from math import floor
from typing import Annotated

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from deungdae.app.auth import Role
from deungdae.app.auth.keeper import TooMany
from deungdae.core.types import MILLISECOND

from .context import Context, admit
from .failure import WebError
from .news import Mark, Watched

PACE = 0.2  # s between two messages to one client
BEAT = 5.0  # s after which a client hears from us even when nothing changed
PATIENCE = 30.0  # s that a client may take for one message
LEAVE = 1.0  # s between two looks at whether a page may still hear
CLIENTS = 100
WATCHED = 2000  # signals that a page may ask for one by one
LARGEST = 128 * 1024  # bytes that a client may say at once

router = APIRouter()


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What a page wants to hear: the readings of these signals, or of all."""

    watch: Annotated[list[str], msgspec.Meta(max_length=WATCHED)] | None


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Send everything, then changes, until the client goes."""
    here: Context = socket.app.state.context
    refusal = await _refusal(socket)
    if refusal and refusal != "site":  # browsers tell pages why only of what was accepted
        await socket.accept()
    if refusal:
        await socket.close(1008, refusal)
        return
    if len(here.watchers) >= CLIENTS:
        await socket.close(1013, f"{CLIENTS} pages are open already")
        return
    await socket.accept()
    listener = Listener(socket, here)
    here.watchers.add(listener)
    telling = asyncio.create_task(listener.tell())
    hearing = asyncio.create_task(listener.hear())
    leave = asyncio.create_task(_until_refused(socket))
    try:
        done, _ = await asyncio.wait({telling, hearing, leave}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        here.watchers.discard(listener)
        telling.cancel()
        hearing.cancel()
        leave.cancel()
    if hearing in done and (problem := hearing.result()):
        await socket.close(1003, problem)
    elif leave in done:
        await socket.close(1008, leave.result())


async def _until_refused(socket: WebSocket) -> str:
    """Return why a page may hear no more; a page that is open uses its login."""
    while True:
        await asyncio.sleep(LEAVE)
        if refusal := await _refusal(socket):
            return refusal


async def _refusal(socket: WebSocket) -> str:
    """Return the rule by which a page may not hear, or ''."""
    try:
        await admit(socket, Role.VIEWER)
    except WebError as error:
        return error.rule
    except TooMany:
        return "too-many"
    return ""


class Listener:
    """An open page: what it knows, and what it wants to hear."""

    def __init__(self, socket: WebSocket, here: Context) -> None:
        self._socket = socket
        self._clock = here.runtime.clock
        self._news = here.news
        self._mark = Mark()
        self._watched: Watched | None = None

    async def tell(self) -> None:
        """Tell the news until the page goes, or takes too long over one message."""
        loop = asyncio.get_running_loop()
        quiet = 0.0
        while True:
            turn = floor(loop.time() / PACE)
            self._news.look(turn)
            told, self._mark = self._news.since(self._mark, self._watched)
            if told or quiet >= BEAT:
                quiet = 0.0
                if not await self._sent(told or "{}"):
                    return
            await asyncio.sleep((turn + 1) * PACE - loop.time())
            quiet += PACE

    async def _sent(self, told: str) -> bool:
        """Send a message, with the time; return whether the page took it."""
        now = self._clock.now() // MILLISECOND
        text = f'{{"now":{now}{"," if len(told) > 2 else ""}{told[1:]}'
        try:
            async with asyncio.timeout(PATIENCE):
                await self._socket.send_text(text)
        except (TimeoutError, WebSocketDisconnect):
            return False
        return True

    async def hear(self) -> str:
        """Take the page's wishes; return '' when it goes, or why it is not understood."""
        try:
            while True:
                wish = msgspec.json.decode(await self._socket.receive_text(), type=Wish)
                self._watched = None if wish.watch is None else frozenset(wish.watch)
                self._mark = self._mark._replace(readings=-1)  # some may not be known to it
        except WebSocketDisconnect:
            return ""
        except (msgspec.DecodeError, KeyError) as error:  # KeyError: bytes instead of text
            return f'say {{"watch": [ids]}}: {error}'[:120]
