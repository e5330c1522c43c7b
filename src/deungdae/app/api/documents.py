"""Routes about the documents of machines: listed, opened safely, added."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from deungdae.app.auth import Role
from deungdae.app.documents import LARGEST as BYTES
from deungdae.app.documents import TYPES, Document, Documents
from deungdae.core import strict
from deungdae.core.clock import to_iso

from .context import Context, Here, Json, Who, needs, person
from .failure import WebError
from .schema import answer, binary

LARGEST = {"/api/v1/documents/": BYTES + 1024}  # bytes of a request, by its path
INLINE = ("application/pdf", "image/")  # what a browser shows by itself, without a script of ours
# nothing that a document holds may run or load anything, wherever it is opened
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
_VIEWER = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"

router = APIRouter(prefix="/api/v1/documents", default_response_class=Json)
look = Depends(needs(Role.VIEWER))
act = Depends(needs(Role.ENGINEER))
T = TypeVar("T")

Asset = Annotated[str, Path(max_length=200, description="id of the asset")]
Name = Annotated[str, Path(max_length=200, description="name of the file")]


class DocumentAnswer(msgspec.Struct, frozen=True):
    """A document. size: bytes; kind: its media type, by its ending."""

    name: str
    size: int
    time: str
    kind: str


class KeptAnswer(msgspec.Struct, frozen=True):
    """What was kept."""

    name: str
    replaced: bool


@router.get("/{asset}", dependencies=[look], **answer(list[DocumentAnswer], 404))
async def documents(here: Here, asset: Asset) -> Json:
    """List the documents of an asset: the files in `files/<asset>/` beside the factory file."""
    found = await _call(here, asset, lambda folder: folder.all())
    return Json([DocumentAnswer(d.name, d.size, to_iso(d.time), d.kind) for d in found])


@router.get(
    "/{asset}/{name}",
    dependencies=[look],
    response_class=Response,
    **binary(sorted(set(TYPES.values())), 404),
)
async def document(here: Here, asset: Asset, name: Name) -> Response:
    """Give a document: images and PDF to be looked at, all else to be saved."""
    found, content = await _call(here, asset, lambda folder: folder.read(name))
    return Response(content, media_type=found.kind, headers=_headers(found))


@router.put("/{asset}/{name}", dependencies=[act], **answer(KeptAnswer, 404, 409, 413))
async def keep(
    here: Here,
    who: Who,
    request: Request,
    asset: Asset,
    name: Name,
    replace: bool = False,
    by: Annotated[str, Query(alias="person", max_length=200, description="who acts")] = "",
) -> Json:
    """Keep the body as a document: PDF, images and text of at most 20 MB."""
    actor = person(who, by)
    content = await request.body()
    try:
        replaced = await _call(
            here, asset, lambda folder: folder.keep(name, content, replace=replace)
        )
    except FileExistsError as error:
        raise WebError(409, str(error), "another name, or replace=true", "exists") from error
    digest = hashlib.sha256(content).hexdigest()
    told = {"asset": asset, "name": name, "sha256": digest, "replaced": replaced}
    await here.note("document", told, actor)
    return Json(KeptAnswer(name, replaced))


async def _call(here: Context, asset: str, work: Callable[[Documents], T]) -> T:
    """Do something with the documents of an asset. Raises WebError."""
    factory = here.runtime.factory
    if asset not in factory.assets:
        raise WebError(404, f"no asset is called {asset!r}", strict.closest(asset, factory.assets))
    try:
        return await here.runtime.clock.call(lambda: work(Documents(factory.path, asset)))
    except LookupError as error:
        raise WebError(404, str(error)) from error
    except ValueError as error:
        raise WebError(422, str(error), f"one of {', '.join(TYPES)}, at most 20 MB") from error


def _headers(found: Document) -> dict[str, str]:
    shown = found.kind.startswith(INLINE)
    return {
        "Content-Disposition": f"{'inline' if shown else 'attachment'};"
        f" filename*=UTF-8''{quote(found.name, safe='')}",
        "Content-Security-Policy": _VIEWER if found.kind == INLINE[0] else _SANDBOX,
        "Cache-Control": "private, no-cache",
    }
