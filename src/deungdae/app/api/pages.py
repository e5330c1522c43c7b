"""The pages for people, and how a browser gets leave to act."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from .context import Here, Json
from .failure import WebError
from .schema import describe
from .session import enter, let_in

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
FIRST = "plant"
_IMPORT = re.compile(r'^(?:import|export) .*from "(\..+?)";$', re.MULTILINE)
PLACES = sorted(Path(name).parent.name for name in FILES if name.endswith("/page.js"))

router = APIRouter()


@router.get("/", include_in_schema=False)
async def page(here: Here, request: Request, key: str = "") -> Response:
    """Give the page; with the key of a link, a session first."""
    if not here.keeper.is_addressed(request.headers.get("host", "")):
        raise WebError(403, "this name is not ours", "use the address that deungdae prints")
    if not key:
        return await _frame(request)
    response = RedirectResponse("/", 303)
    opened = await enter(here, request, key)
    if opened is None:
        return RedirectResponse("/#used", 303)
    let_in(here, response, opened)
    return response


@router.get("/page/{name:path}", include_in_schema=False)
async def asset(request: Request, name: str) -> Response:
    """Give a part of the pages, unless the browser has it as it is now."""
    if (file := FILES.get(name)) is None:
        raise WebError(404, f"the pages have no part {name!r}")
    return _file(request, file)


def _file(request: Request, path: Path, more: str = "") -> Response:
    found = path.stat()
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag} | ({"Link": more} if more else {})
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)


@router.get("/api/v1/openapi.json", include_in_schema=False)
async def description(request: Request) -> Json:
    """Describe the API to those who are logged in."""
    return Json(describe(request.app))


async def _frame(request: Request) -> Response:
    name = request.url.path.split("/")[1]
    return _file(request, FRAME, LINKS[name if name in PLACES else FIRST])


def _links(place: str) -> str:
    """Return the header that names every module of a page, so that none waits for another."""
    found = ["shell.js", f"{place}/page.js", f"{place}/words.js"]
    for name in found:  # which grows meanwhile
        for path in _IMPORT.findall(FILES[name].read_text(encoding="utf-8")):
            module = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if module in FILES and module not in found:
                found.append(module)
    return ", ".join(f"</page/{name}>; rel=modulepreload" for name in found)


LINKS = {place: _links(place) for place in PLACES}

for _name in PLACES:
    for _path in (f"/{_name}", f"/{_name}/{{rest:path}}"):
        router.add_api_route(_path, _frame, include_in_schema=False)
