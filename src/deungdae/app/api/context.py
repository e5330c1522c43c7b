"""What every route may use, and how it gets it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from deungdae.app.alarms import Alarms
from deungdae.app.auth import Caller, Doorkeeper, Role, Verdict
from deungdae.app.remote import Archive
from deungdae.app.runtime import Runtime
from deungdae.core.errors import DoorError, StoreError
from deungdae.core.types import Event
from deungdae.historian.journal import Journal

from .apart import Apart
from .failure import WebError
from .jobs import Jobs
from .mirrors import Mirrors
from .news import News

log = logging.getLogger("deungdae.api")


class Context:
    """The running factory with its doorkeeper. journal: None where another process keeps it."""

    def __init__(self, runtime: Runtime, keeper: Doorkeeper, journal: Journal | None) -> None:
        self.runtime = runtime
        self.keeper = keeper
        self.journal = journal
        self.started = runtime.clock.now()
        self.watchers: set[object] = set()  # the pages that are open
        self.mirrors = Mirrors(runtime)
        self.alarms = Alarms(runtime, keeps=isinstance(journal, Journal))
        self.news = News(runtime, self.mirrors, self.alarms)
        self.apart = Apart(180.0)  # the first question of all waits for the compiler
        self.planner = Apart(600.0)
        self.jobs = Jobs()

    @property
    def store(self) -> Archive:
        """Return the history: wherever it is, it can be asked for its signals and in SQL."""
        return cast(Archive, self.runtime.store)

    def close(self) -> None:
        """End what takes a while, and the processes that answer heavy questions."""
        self.jobs.close()
        self.apart.close()
        self.planner.close()

    async def note(self, kind: str, data: dict[str, object], who: str = "") -> None:
        """Write into the journal, if this process keeps it; return when it is durable."""
        if self.journal is not None:
            await self.runtime.clock.call(self.journal.append, kind, data, who)

    async def keep(self, *events: Event) -> None:
        """Add what a person says to the history; return when it is durable. Raises WebError."""
        try:
            await self.runtime.keep(*events)
        except (StoreError, DoorError) as error:
            raise WebError(503, str(error), "try it again in a moment") from error


encode = msgspec.json.Encoder(enc_hook=str).encode


class Json(JSONResponse):
    """JSON of structs and plain values. NaN and infinities become null."""

    def render(self, content: Any) -> bytes:
        return encode(content)


async def _context(connection: HTTPConnection) -> Context:
    return connection.app.state.context  # type: ignore[no-any-return]


Here = Annotated[Context, Depends(_context)]


def needs(role: Role) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets only those through who have the role, or one above it."""

    async def check(request: Request) -> None:
        await admit(request, role)

    return check


FREE = ("/api/v1/session", "/api/v1/session/password")  # they judge for themselves


async def guard(connection: HTTPConnection) -> None:
    """Let nobody ask the API who is not logged in, whatever a route says itself."""
    path = connection.scope["path"]
    if path.startswith("/api/") and path not in FREE and not path.startswith(f"{FREE[0]}/oidc"):
        await admit(connection, Role.VIEWER)


async def admit(connection: HTTPConnection, role: Role, *, changing: bool = False) -> None:
    """Return if a request may do what the role may. Raises WebError; failures are journalled.

    changing: it chooses another password, which those may, too, who must.
    """
    context = await _context(connection)
    method = connection.scope.get("method", "GET")
    cookie = cookie_of(connection)
    verdict = context.keeper.judge(role, method, connection.headers, cookie)
    if verdict is Verdict.UNKNOWN:
        await _refuse(context, connection)
    if verdict is Verdict.MUST_CHANGE and not changing:
        raise WebError(
            403,
            "choose a password of your own first",
            "POST /api/v1/session/password",
            "must-change",
        )
    if verdict is Verdict.TOO_LITTLE:
        raise WebError(403, f"this needs the role {role.word}", "ask an administrator", "role")
    if verdict is Verdict.FORBIDDEN:
        raise WebError(
            403,
            "this request comes from another site",
            "use the page or the token directly",
            "site",
        )


def cookie_of(connection: HTTPConnection) -> str:
    """Return the session's token that a browser sends, or ''."""
    return connection.cookies.get(connection.app.state.context.keeper.cookie, "")


def address_of(connection: HTTPConnection) -> str:
    """Return from where a request comes."""
    return connection.client.host if connection.client else ""


async def _caller(connection: HTTPConnection) -> Caller | None:
    context = await _context(connection)
    return context.keeper.caller(connection.headers, cookie_of(connection))


Who = Annotated[Caller | None, Depends(_caller)]


def person(who: Who, told: str | None) -> str:
    """Return who acts, for the journal: the session's user, or whom a program says it acts for.

    Raises WebError where a program does not say.
    """
    name = (who.name if who else "") or told
    if not name:
        raise WebError(422, "it is not said who acts", "give `person`, the name of a person")
    return name


async def _refuse(context: Context, connection: HTTPConnection) -> None:
    """Raise WebError for a request of which it is not known who sends it, TooMany for a guess."""
    address = address_of(connection)
    if "authorization" in connection.headers:
        context.keeper.failed(address)
        await context.note("login", {"address": address, "success": False, "way": "token"})
    raise WebError(
        401,
        "this needs a login",
        "log in, or send 'Authorization: Bearer …' with the token from running.json in the"
        " history's folder",
        "login",
    )
