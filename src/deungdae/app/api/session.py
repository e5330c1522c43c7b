"""Logging in and out: with a password, the token of this run, or a link that works once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import HEADER, PROGRAM, Caller, Role, User
from deungdae.core.errors import BadReply, DoorError, Refused, StoreError

from .context import Context, Here, Json, Who, address_of, admit, cookie_of, log
from .failure import WebError
from .schema import answer

AWAY = 600  # s that somebody may take at a provider of accounts
YEAR = 365 * 86400  # s that a browser remembers that somebody logged in with it

if TYPE_CHECKING:
    from deungdae.app.auth.oidc import Provider

router = APIRouter(prefix="/api/v1", default_response_class=Json)

Secret = Annotated[str, Field(max_length=1000)]


class Login(BaseModel):
    """Name and password of a user; or the token of this run, or the key of a link."""

    model_config = ConfigDict(extra="forbid")
    user: Annotated[str, Field(max_length=200)] = ""
    password: Secret = ""
    token: Annotated[str, Field(max_length=200)] = ""


class NewPassword(BaseModel):
    """The password that one has, and the one to have from now on."""

    model_config = ConfigDict(extra="forbid")
    old: Secret
    new: Secret


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks, and with which role: '' for nobody.

    must_change: nothing but another password is taken. oidc: where else one can log in, or ''.
    language: of the factory.
    """

    user: str = ""
    name: str = ""
    role: str = ""
    must_change: bool = False
    oidc: str = ""
    language: str


def told(here: Context, caller: Caller | None) -> Json:
    """Return the answer that tells a caller of itself."""
    oidc = here.keeper.options.oidc
    label = (oidc.label or "OpenID Connect") if oidc else ""
    language = here.runtime.factory.identity.language
    if caller is None:
        return Json(SessionAnswer(oidc=label, language=language))
    return Json(
        SessionAnswer(
            user=caller.user,
            name=caller.name,
            role=caller.role.word,
            must_change=caller.must_change,
            oidc=label,
            language=language,
        )
    )


async def _ours(request: Request, here: Here) -> None:
    """Raise WebError for a request that comes from another site's page."""
    keeper = here.keeper
    if not keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints", "site")
    foreign = not keeper.is_own_page(request.headers)
    if foreign or (request.method != "GET" and HEADER not in request.headers):
        raise WebError(
            403, "this request comes from another site", f"send the header {HEADER}: 1", "site"
        )


@router.get("/session", dependencies=[Depends(_ours)], **answer(SessionAnswer))
async def session(here: Here, who: Who) -> Json:
    """Say who is logged in here."""
    return told(here, who)


@router.post("/session", dependencies=[Depends(_ours)], **answer(SessionAnswer))
async def login(here: Here, request: Request, given: Login) -> Json:
    """Log in. The answer sets the session's cookie."""
    if given.token:
        opened = await enter(here, request, given.token)
        if opened is None:
            raise WebError(401, "this token or link is not valid, or used", _ANEW, "wrong")
        return _opened(here, opened)
    keeper = here.keeper
    address = address_of(request)
    device = request.cookies.get(keeper.device_cookie, "")
    user = await keeper.enter(given.user, given.password, address, device)
    if user is None:
        known = keeper.users.find(given.user)
        await noted(here, "", address, "password", tried=known.name if known else "")
        raise WebError(
            401, "name and password do not fit", "an administrator can give a new one", "wrong"
        )
    await noted(here, user.shown, address, "password")
    return _opened(here, await _begun(here, user, "password"), user)


@router.delete("/session", dependencies=[Depends(_ours)], **answer(SessionAnswer))
async def logout(here: Here, request: Request, who: Who) -> Json:
    """Log this browser out."""
    here.keeper.sessions.end(cookie_of(request))
    await here.runtime.clock.call(here.keeper.sessions.save)
    if who is not None and who.user:
        await _kept(here, "logout", {"user": who.user, "address": address_of(request)}, who.name)
    response = told(here, None)
    _give(here, response, here.keeper.cookie, "", 0)
    return response


async def _changing(request: Request) -> None:
    await admit(request, Role.VIEWER, changing=True)


@router.post(
    "/session/password",
    dependencies=[Depends(_ours), Depends(_changing)],
    **answer(SessionAnswer, 409),
)
async def password(here: Here, request: Request, who: Who, given: NewPassword) -> Json:
    """Choose another password; every other session of this user ends."""
    keeper = here.keeper
    user = keeper.users.find(who.user) if who is not None and who is not PROGRAM else None
    if user is None:
        raise WebError(409, "who is logged in has no password here", "", "no-password")
    device = request.cookies.get(keeper.device_cookie, "")
    if await keeper.enter(user.name, given.old, address_of(request), device) is None:
        raise WebError(409, "this is not the password that you have", "", "password-wrong")
    await here.runtime.clock.call(keeper.users.choose, user.name, given.new)
    keeper.sessions.end_of(user.name)
    data: dict[str, object] = {"user": user.name, "action": "password"}
    await _kept(here, "user", data, user.shown)
    return _opened(here, await _begun(here, user, "password"), keeper.users.find(user.name))


@router.get("/session/oidc", include_in_schema=False)
async def elsewhere(here: Here, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Send a browser to where the house keeps its accounts."""
    provider = _provider(here)
    try:
        started = await provider.start(to)
    except DoorError as error:
        log.warning("state=oidc-failed problem=%s", error)
        return RedirectResponse("/#failed", 303)
    response = RedirectResponse(started.url, 303)
    # not strict: it must come back with a request that the provider's page sends
    response.set_cookie(
        _state_cookie(here),
        started.state,
        max_age=AWAY,
        httponly=True,
        samesite="lax",
        secure=bool(here.keeper.options.tls_certificate),
    )
    return response


@router.get("/session/oidc/callback", include_in_schema=False)
async def back(
    here: Here, request: Request, state: str = "", code: str = "", error: str = ""
) -> Response:
    """Take somebody back from there."""
    provider = _provider(here)
    address = address_of(request)
    response = RedirectResponse("/", 303)
    try:
        if error:
            raise BadReply(f"the provider of accounts says {error[:100]!r}")
        brought = request.cookies.get(_state_cookie(here), "")
        person, to = await provider.finish(state, brought, code)
    except (DoorError, Refused) as problem:
        log.warning("state=oidc-failed problem=%s", problem)
        await noted(here, "", address, "oidc")
        is_barred = isinstance(problem, Refused) and problem.rule == "oidc-role"
        response.headers["location"] = "/#refused" if is_barred else "/#failed"
    else:
        let_in(here, response, here.keeper.welcome(person))
        await here.runtime.clock.call(here.keeper.sessions.save)
        await noted(here, person.name, address, "oidc", tried=f"oidc:{person.subject}")
        response.headers["location"] = quote(to, safe="/?&=%#")
    response.delete_cookie(_state_cookie(here), httponly=True, samesite="lax")
    return response


def _provider(here: Context) -> Provider:
    if here.keeper.provider is None:
        raise WebError(404, "no provider of accounts is set up", "see [app.oidc]")
    return here.keeper.provider


def _state_cookie(here: Context) -> str:
    return f"deungdae_{here.keeper.options.port}_oidc"


async def enter(here: Context, request: Request, key: str) -> str | None:
    """Return a new session for the token of this run or the key of a link, or None."""
    address = address_of(request)
    opened = here.keeper.open(key, address)
    leader = here.keeper.users.administrator()
    await noted(here, leader.shown if opened and leader else "", address, "link")
    if opened:
        await here.runtime.clock.call(here.keeper.sessions.save)
    return opened


def let_in(here: Context, response: Response, opened: str, user: User | None = None) -> None:
    """Give the response the session's cookie; user: of whom the browser is known from now on."""
    _give(here, response, here.keeper.cookie, opened)
    if user is not None:
        device = here.keeper.sessions.device(user.name)
        _give(here, response, here.keeper.device_cookie, device, YEAR)


async def noted(here: Context, who: str, address: str, way: str, *, tried: str = "") -> None:
    """Write a login, or where `who` is '' a failed one, into the journal."""
    data: dict[str, object] = {"address": address, "success": bool(who), "way": way}
    if tried:
        data["user"] = tried
    await _kept(here, "login", data, who)


async def _kept(here: Context, kind: str, data: dict[str, object], who: str) -> None:
    """Write into the journal. A full disk must not keep anybody from the kill switch."""
    try:
        await here.note(kind, data, who)
    except StoreError as error:
        log.error("state=unjournalled kind=%s who=%s: %s", kind, who, error)


async def _begun(here: Context, user: User, way: str) -> str:
    opened = here.keeper.sessions.begin(user.name, way)
    await here.runtime.clock.call(here.keeper.sessions.save)
    return opened


def _opened(here: Context, opened: str, user: User | None = None) -> Json:
    response = told(here, here.keeper.caller({}, opened))
    let_in(here, response, opened, user)
    return response


def _give(
    here: Context, response: Response, name: str, content: str, age: int | None = None
) -> None:
    """Let a browser keep something for us; age: s, None: until it is closed."""
    safe = bool(here.keeper.options.tls_certificate)
    response.set_cookie(
        name, content, max_age=age, httponly=True, samesite="strict", secure=safe, path="/"
    )


_ANEW = "`deungdae user link` prints a new one"
