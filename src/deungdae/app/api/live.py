"""The websocket `/live`: everything once, then only what changes.

Each client is told at its own pace: while it has not taken one message there is no next one, and
what changed meanwhile comes in one. So a slow client costs nothing but its own delay.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from deungdae.app.auth import Role
from deungdae.app.live import Reading
from deungdae.app.runtime import Runtime
from deungdae.core.types import MILLISECOND, Event

from . import answers, lines
from .context import Context, admit, encode
from .failure import WebError
from .mirrors import Mirrors

PACE = 0.25  # s between two messages to one client
BEAT = 5.0  # s after which a client hears from us even when nothing changed
PATIENCE = 30.0  # s that a client may take for one message
CLIENTS = 32

router = APIRouter()


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Send everything, then changes, until the client goes."""
    here: Context = socket.app.state.context
    try:
        await admit(socket, Role.VIEWER)
    except WebError as error:
        await socket.close(1008, error.error)
        return
    if not here.keeper.is_own_page(socket.headers):
        await socket.close(1008, "this request comes from another site")
        return
    if len(here.watchers) >= CLIENTS:
        await socket.close(1013, f"{CLIENTS} pages are open already")
        return
    await socket.accept()
    here.watchers.add(socket)
    telling = asyncio.create_task(_tell(socket, News(here.runtime, here.mirrors)))
    leaving = asyncio.create_task(_until_gone(socket))
    try:
        done, _ = await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        here.watchers.discard(socket)
        telling.cancel()
        leaving.cancel()


async def _tell(socket: WebSocket, news: News) -> None:
    """Tell a client the news until it goes, or takes too long over one message."""
    quiet = 0.0
    while True:
        message = news.next()
        quiet += PACE
        if len(message) > 1 or quiet >= BEAT:
            quiet = 0.0
            try:
                async with asyncio.timeout(PATIENCE):
                    await socket.send_text(encode(message).decode())
            except (TimeoutError, WebSocketDisconnect):
                return
        await asyncio.sleep(PACE)


async def _until_gone(socket: WebSocket) -> None:
    """Return when the client has gone; what it says is nothing to us."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()


class News:
    """What one client has not been told yet."""

    def __init__(self, runtime: Runtime, mirrors: Mirrors) -> None:
        self._runtime = runtime
        self._mirrors = mirrors
        self._factory: object = None
        self._version = -1
        self._told: dict[str, bytes] = {}

    def next(self) -> dict[str, Any]:
        """Return what changed since the last call; the first time, and after a reload, all."""
        runtime = self._runtime
        message: dict[str, Any] = {"now": runtime.clock.now() // MILLISECOND}
        if self._factory is not runtime.factory:
            self._factory, self._version, self._told = runtime.factory, -1, {}
            message["factory"] = answers.factory(runtime)
            message["signals"] = answers.signals(runtime)
            message["assets"] = answers.assets(runtime)
            message["rules"] = answers.rules()
            message["analyses"] = {n: p.type for n, p in runtime.factory.room("insight").items()}
            message["lines"] = {n: lines.told(twin) for n, twin in lines.twins(runtime).items()}
        since, self._version = self._version, runtime.live.version
        readings, events = runtime.live.readings(since), runtime.live.events_since(since)
        if readings:
            message["readings"] = {id: _reading(each) for id, each in readings.items()}
        if events:
            message["events"] = {id: _event(each) for id, each in events.items()}
        for name, part in _parts(runtime, self._mirrors).items():
            encoded = encode(part)
            if self._told.get(name) != encoded:
                self._told[name] = encoded
                message[name] = part
        return message


def _reading(known: Reading) -> tuple[float | None, float, int]:
    return answers.finite(known.value), known.time / MILLISECOND, known.status


def _event(known: Event) -> tuple[str, float, int, str, dict[str, str]]:
    return known.value, known.time / MILLISECOND, known.status, known.kind, known.data


def _parts(runtime: Runtime, mirrors: Mirrors) -> dict[str, Any]:
    """Return what is small, and told whole when it changed."""
    thinkers = runtime.thinking.thinkers.items()
    return {
        "machines": answers.machines(runtime),
        "gate": answers.gate(runtime),
        "findings": [answers.finding(each) for each in runtime.live.findings.values()],
        "loops": answers.loops(runtime),
        "waiting": {key: each.problem for key, each in thinkers if each.problem},
        "twins": {name: {"buffers": each} for name, each in mirrors.levels().items()},
        "history": {"stored": runtime.intake.stored, "problem": runtime.intake.problem},
    }
