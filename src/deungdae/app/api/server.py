"""Puts the routes together, and serves them inside the loop of the running factory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvicorn
from fastapi import Depends, FastAPI

from deungdae import __version__
from deungdae.app import remote
from deungdae.app.auth import Doorkeeper, WebOptions
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.historian.journal import Journal

from . import (
    about,
    alarms,
    blobs,
    connections,
    dashboards,
    datasets,
    deeds,
    documents,
    drift,
    energy,
    entries,
    errors,
    faults,
    files,
    inspections,
    knows,
    live,
    looks,
    machine,
    models,
    pages,
    replay,
    schema,
    search,
    session,
    shifts,
    tables,
    trace,
    trend,
    twins,
    users,
    whatifs,
)
from .context import Context, guard
from .shield import Shield

log = logging.getLogger("deungdae.api")

REMEMBER = 30.0  # s between two looks at who used their login
GRACE = 2  # s that requests under way have when we stop


class Welcome(msgspec.Struct, frozen=True):
    """How people come in. link: works once. password: of `admin`, where it was just made.

    problem: why nobody can log in with a password.
    """

    link: str
    password: str
    problem: str


def create(runtime: Runtime, keeper: Doorkeeper, journal: Journal | None = None) -> FastAPI:
    """Return the API and the pages of a running factory.

    keeper: of its door. journal: where logins go; None where another process keeps it.
    """
    app = FastAPI(
        title="Deungdae",
        version=__version__,
        description=(
            "A factory's present, its memory, and the gate. Times are ISO 8601. Errors are"
            " `{error, rule?, remedy?}`. Everything needs a login: `POST /api/v1/session` and its"
            " cookie, or `Authorization: Bearer …` with the token of `running.json`."
        ),
        openapi_url=None,  # pages.py gives it, to those who are logged in
        dependencies=[Depends(guard)],
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(runtime, keeper, journal)
    for part in (
        session,
        users,
        alarms,
        entries,
        looks,
        knows,
        deeds,
        blobs,
        faults,
        about,
        connections,
        files,
        search,
        inspections,
        models,
        drift,
        datasets,
        energy,
        machine,
        replay,
        documents,
        dashboards,
        shifts,
        tables,
        trace,
        trend,
        twins,
        whatifs,
        live,
        pages,
    ):
        app.include_router(part.router)
    errors.handle(app)
    app.add_middleware(
        Shield,
        largest=knows.LARGEST | tables.LARGEST | files.LARGEST | search.LARGEST | documents.LARGEST,
    )
    app.openapi = lambda: schema.describe(app)  # type: ignore[method-assign]
    return app


async def serve(
    runtime: Runtime,
    options: WebOptions,
    history: Path,
    announce: Callable[[Welcome], None] = lambda _: None,
    journal: Journal | None = None,
) -> None:
    """Serve until cancelled.

    history: the folder of the users and sessions, where others find out how to reach us. announce:
    told how people come in.
    Raises Unreachable where the address cannot be had.
    """
    # people live in real time, at whatever speed a demo runs
    keeper = Doorkeeper.of(history, options, RealClock(), (runtime.factory.identity.id,))
    app = create(runtime, keeper, journal)
    listener = _listen(options)
    server = _Server(_configuration(app, options))
    context: Context = app.state.context
    password = await runtime.clock.call(keeper.users.first)
    if keeper.users.problem:
        log.error("state=closed %s", keeper.users.problem)
    serving = asyncio.create_task(server.serve([listener]), name="http")
    beside = [
        asyncio.create_task(context.mirrors.run(), name="mirrors"),
        asyncio.create_task(context.alarms.run(), name="alarms"),
        asyncio.create_task(_remember(keeper), name="sessions"),
    ]
    try:
        remote.announce(history, _whereabouts(options, keeper.token))
        log.info("state=serving url=%s", options.url)
        announce(Welcome(keeper.link(), password, keeper.users.problem))
        await asyncio.shield(serving)
    finally:
        remote.withdraw(history)
        for task in beside:
            task.cancel()
        context.close()
        server.should_exit = True
        await serving
        keeper.sessions.save()
        listener.close()


async def _remember(keeper: Doorkeeper) -> None:
    """Keep on disk who is logged in, so that a restart ends no session."""
    while True:
        await asyncio.sleep(REMEMBER)
        await asyncio.to_thread(keeper.sessions.save)


def _whereabouts(options: WebOptions, token: str) -> remote.Running:
    certificate = options.tls_certificate and str(Path(options.tls_certificate).resolve())
    return remote.Running(url=options.url, pid=os.getpid(), token=token, certificate=certificate)


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the factory."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configuration(app: FastAPI, options: WebOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=options.tls_certificate or None,
        ssl_keyfile=options.tls_key or None,
        ws_max_size=live.LARGEST,
        ws_per_message_deflate=False,
        limit_concurrency=256,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        proxy_headers=False,
    )


def _listen(options: WebOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=128)
    except OSError as error:
        raise Unreachable(
            f"the pages cannot be served at {options.host} port {options.port}: {error.strerror}",
            remedy="stop what listens there, or give another [app] port",
        ) from error
