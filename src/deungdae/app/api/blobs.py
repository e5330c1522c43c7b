"""Images by what they are: `sha256:…`, as events and findings name them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from deungdae.app.album import Album
from deungdae.app.auth import Role
from deungdae.core.errors import StoreError

from .context import Here, needs
from .failure import WebError
from .schema import binary

router = APIRouter(prefix="/api/v1", dependencies=[Depends(needs(Role.VIEWER))])

# told by the first bytes: what a camera calls its images is not to be believed
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"BM", "image/bmp"),
    (b"GIF8", "image/gif"),
)
_FOR_EVER = "private, max-age=31536000, immutable"  # the name is the content

Ref = Annotated[str, Path(description="`sha256:` and 64 digits in 0-9, a-f", max_length=100)]


@router.get(
    "/blobs/{ref}", response_class=Response, **binary([kind for _, kind in _KINDS], 404, 410)
)
async def blob(here: Here, request: Request, ref: Ref) -> Response:
    """Give an image; it never changes, so it may be kept for ever."""
    headers = {"ETag": f'"{ref}"', "Cache-Control": _FOR_EVER}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = await here.runtime.clock.call(_find, Album(here.runtime.factory), ref)
    return Response(content, media_type=_kind(content), headers=headers)


def _find(album: Album, ref: str) -> bytes:
    """Return the content of a reference. Raises WebError."""
    try:
        return album.content(ref)
    except LookupError as error:
        remedy = "the oldest are dropped when the folder of a camera is full"
        raise WebError(404, str(error), remedy) from error
    except ValueError as error:
        raise WebError(422, str(error)) from error
    except StoreError as error:
        raise WebError(410, str(error), "the image is lost; its finding stays") from error


def _kind(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next(
        (kind for start, kind in _KINDS if content.startswith(start)), "application/octet-stream"
    )
