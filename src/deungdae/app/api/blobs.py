"""Images by what they are: `sha256:…`, as events and findings name them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Path as Named
from fastapi.responses import Response

from deungdae.app.auth import Right
from deungdae.core.errors import StoreError
from deungdae.model.factory import Factory
from deungdae.wires.blobs import Blobs

from .context import Here, WebError, needs
from .schema import binary

router = APIRouter(prefix="/api/v1", dependencies=[Depends(needs(Right.LOOK))])

# told by the first bytes: what a camera calls its images is not to be believed
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"BM", "image/bmp"),
    (b"GIF8", "image/gif"),
)
_FOR_EVER = "private, max-age=31536000, immutable"  # the name is the content

Ref = Annotated[str, Named(description="`sha256:` and 64 digits in 0-9, a-f", max_length=100)]


@router.get(
    "/blobs/{ref}", response_class=Response, **binary([kind for _, kind in _KINDS], 404, 410)
)
async def blob(here: Here, request: Request, ref: Ref) -> Response:
    """Give an image; it never changes, so it may be kept for ever."""
    headers = {"ETag": f'"{ref}"', "Cache-Control": _FOR_EVER}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = await here.runtime.clock.call(_find, folders(here.runtime.factory), ref)
    return Response(content, media_type=_kind(content), headers=headers)


def folders(factory: Factory) -> list[Path]:
    """Return where the images of a factory's cameras lie."""
    options = [plugin.options for plugin in factory.room("machines").values()]
    named = [each.folder for each in options if getattr(each, "folder", "")]
    return [Path(folder) for folder in dict.fromkeys(named)]


def _find(places: list[Path], ref: str) -> bytes:
    """Return the content of a reference. Raises WebError."""
    for folder in places:
        try:
            return Blobs(folder).get(ref)
        except LookupError:
            continue
        except ValueError as error:
            raise WebError(422, str(error)) from error
        except StoreError as error:
            raise WebError(410, str(error), "the image is lost; its finding stays") from error
    raise WebError(
        404,
        f"there is no image {ref}",
        "the oldest are dropped when the folder of a camera is full" if places else "no camera",
    )


def _kind(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next(
        (kind for start, kind in _KINDS if content.startswith(start)), "application/octet-stream"
    )
