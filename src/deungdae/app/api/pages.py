"""The pages for people, and how a browser gets leave to act."""

from __future__ import annotations

from pathlib import Path

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from deungdae.app.auth import Caller, Role

from .context import Context, Here, Json, Who, needs, refuse
from .failure import WebError
from .schema import answer

WEB = Path(__file__).parents[1] / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# read once: what else lies in the folder is nobody's
FILES = {file.relative_to(WEB).as_posix(): file for file in WEB.rglob("*") if file.suffix in TYPES}
FRAME = FILES["index.html"]
PLACES = sorted(Path(name).parent.name for name in FILES if name.endswith("/page.js"))

router = APIRouter()


class Login(BaseModel):
    """The token of this run, or the key of a link."""

    model_config = ConfigDict(extra="forbid")
    token: str


class SessionAnswer(msgspec.Struct, frozen=True):
    """Who looks, and with which role: '' for nobody."""

    user: str = ""
    name: str = ""
    role: str = ""


def session_of(caller: Caller | None) -> SessionAnswer:
    """Return what a caller is told of itself."""
    if caller is None:
        return SessionAnswer()
    return SessionAnswer(caller.user, caller.name, caller.role.name.lower())


@router.get("/", include_in_schema=False)
async def page(here: Here, request: Request, key: str = "") -> Response:
    """Give the page; with the key of a link, a session first."""
    if not here.keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints")
    if not key:
        return _file(request, FRAME)
    response = RedirectResponse("/", 303)
    if not await _let_in(here, request, response, key):
        return RedirectResponse("/#used", 303)
    return response


@router.get("/page/{name:path}", include_in_schema=False)
async def asset(request: Request, name: str) -> Response:
    """Give a part of the pages, unless the browser has it as it is now."""
    if (file := FILES.get(name)) is None:
        raise WebError(404, f"the pages have no part {name!r}")
    return _file(request, file)


@router.get("/api/v1/session", **answer(SessionAnswer))
async def session(who: Who) -> Json:
    """Say who is logged in here."""
    return Json(session_of(who))


@router.post("/api/v1/session", **answer(SessionAnswer))
async def login(here: Here, request: Request, given: Login) -> Json:
    """Let this browser act from now on, if it knows the token or the key of a link."""
    if not here.keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints")
    response = Json(SessionAnswer())
    if not await _let_in(here, request, response, given.token):
        await refuse(here, request, tried=False)
    return response


@router.delete(
    "/api/v1/session", dependencies=[Depends(needs(Role.VIEWER))], **answer(SessionAnswer)
)
async def logout(here: Here) -> Json:
    """Log this browser out."""
    response = Json(SessionAnswer())
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


def _file(request: Request, path: Path) -> Response:
    found = path.stat()
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)


async def _frame(request: Request) -> Response:
    return _file(request, FRAME)


for _name in PLACES:
    for _path in (f"/{_name}", f"/{_name}/{{rest:path}}"):
        router.add_api_route(_path, _frame, include_in_schema=False)
