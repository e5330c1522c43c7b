"""The pages for people, and how a browser gets leave to act."""

from __future__ import annotations

from pathlib import Path

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from deungdae.app.auth import Right, Verdict

from .context import Context, Here, Json, needs, refuse
from .failure import WebError
from .schema import answer

WEB = Path(__file__).parents[1] / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter()


class Login(BaseModel):
    """The token of this run, or the key of a link."""

    model_config = ConfigDict(extra="forbid")
    token: str


class SessionAnswer(msgspec.Struct, frozen=True):
    """What this browser may do."""

    look: bool
    act: bool


@router.get("/", include_in_schema=False)
async def page(here: Here, request: Request, key: str = "") -> Response:
    """Give the page; with the key of a link, leave to act first."""
    if not here.keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints")
    if not key:
        return _file("index.html")
    response = RedirectResponse("/", 303)
    if not await _let_in(here, request, response, key):
        return RedirectResponse("/#used", 303)
    return response


@router.get("/twin", include_in_schema=False)
async def twin() -> Response:
    """Give the page of the twin."""
    return _file("twin.html")


@router.get("/page/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Give a part of the page."""
    if name not in {file.name for file in WEB.iterdir() if file.suffix in TYPES}:
        raise WebError(404, f"the page has no part {name!r}")
    return _file(name)


@router.get("/api/v1/session", **answer(SessionAnswer))
async def session(here: Here, request: Request) -> Json:
    """Say what this browser may do."""
    cookie = request.cookies.get(here.keeper.cookie, "")
    rights = (
        here.keeper.judge(right, request.headers, cookie) is Verdict.ALLOWED
        for right in (Right.LOOK, Right.KNOW)
    )
    return Json(SessionAnswer(*rights))


@router.post("/api/v1/session", **answer(SessionAnswer))
async def login(here: Here, request: Request, given: Login) -> Json:
    """Let this browser act from now on, if it knows the token or the key of a link."""
    if not here.keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints")
    response = Json(SessionAnswer(look=True, act=True))
    if not await _let_in(here, request, response, given.token):
        await refuse(here, request, tried=False)
    return response


@router.delete(
    "/api/v1/session", dependencies=[Depends(needs(Right.LOOK))], **answer(SessionAnswer)
)
async def logout(here: Here) -> Json:
    """Let this browser only look from now on."""
    response = Json(SessionAnswer(look=here.keeper.is_local, act=False))
    response.delete_cookie(here.keeper.cookie, httponly=True, samesite="strict")
    return response


async def _let_in(here: Context, request: Request, response: Response, key: str) -> bool:
    """Give the response the session's cookie if the key is right; return whether it is."""
    address = request.client.host if request.client else ""
    opened = here.keeper.open(key)
    if opened is None:
        if here.keeper.failed(address):
            raise WebError(429, "too many wrong tokens from this address", "wait a minute")
        await here.note("login", {"address": address, "success": False})
        return False
    await here.note("login", {"address": address, "success": True})
    response.set_cookie(
        here.keeper.cookie,
        opened,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return True


def _file(name: str) -> Response:
    path = WEB / name
    headers = {"Cache-Control": "no-cache"}
    return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)
