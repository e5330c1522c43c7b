"""Puts the routes together, and serves them inside the loop of the running factory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from deungdae import __version__
from deungdae.app import remote
from deungdae.app.auth import Doorkeeper, WebOptions
from deungdae.app.runtime import Runtime
from deungdae.core.errors import Unreachable
from deungdae.historian.journal import Journal

from . import (
    blobs,
    deeds,
    errors,
    faults,
    knows,
    live,
    looks,
    pages,
    schema,
    shifts,
    tables,
    trend,
    twins,
    whatifs,
)
from .context import Context
from .shield import Shield

log = logging.getLogger("deungdae.api")

GRACE = 2  # s that requests under way have when we stop


def create(
    runtime: Runtime, options: WebOptions, token: str, journal: Journal | None = None
) -> FastAPI:
    """Return the API and the pages of a running factory.

    token: what lets a program act. journal: where logins go; None where another process keeps it.
    """
    app = FastAPI(
        title="Deungdae",
        version=__version__,
        description=(
            "A factory's present, its memory, and the gate. Times are ISO 8601. Errors are"
            " `{error, rule?, remedy?}`. What reveals or changes more than the pages show needs"
            " `Authorization: Bearer …`."
        ),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(runtime, Doorkeeper(token, options, runtime.clock), journal)
    for part in (looks, knows, deeds, blobs, faults, tables, trend, twins, whatifs, live, pages):
        app.include_router(part.router)
    errors.handle(app)
    app.add_middleware(Shield, largest=knows.LARGEST | tables.LARGEST)
    app.openapi = lambda: schema.describe(app)  # type: ignore[method-assign]
    return app


async def serve(
    runtime: Runtime,
    options: WebOptions,
    history: Path | None = None,
    announce: Callable[[str], None] = lambda _: None,
    journal: Journal | None = None,
) -> None:
    """Serve until cancelled.

    history: the folder where others find out how to reach us. announce: told the link to the page.
    Raises Unreachable where the address cannot be had.
    """
    token = secrets.token_urlsafe(32)
    app = create(runtime, options, token, journal)
    listener = _listen(options)
    server = _Server(_configuration(app, options))
    context: Context = app.state.context
    serving = asyncio.create_task(server.serve([listener]), name="http")
    following = asyncio.create_task(context.mirrors.run(), name="mirrors")
    try:
        if history is not None:
            remote.announce(history, _whereabouts(options, token))
        log.info("state=serving url=%s", options.url)
        announce(context.keeper.link())
        await asyncio.shield(serving)
    finally:
        if history is not None:
            remote.withdraw(history)
        following.cancel()
        context.close()
        server.should_exit = True
        await serving
        listener.close()


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
