"""Images by their hash, over HTTP."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from deungdae.app.api import blobs
from deungdae.wires.blobs import Blobs

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """Give the folder of a camera."""
    found = Blobs(tmp_path / "images")
    monkeypatch.setattr(blobs, "Album", lambda _: SimpleNamespace(content=found.get))
    return found


async def test_an_image_is_given_for_ever(looker: httpx.AsyncClient, folder: Blobs) -> None:
    ref = folder.put(PNG)
    answer = await looker.get(f"/api/v1/blobs/{ref}")
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == f'"{ref}"'
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await looker.get(f"/api/v1/blobs/{ref}", headers={"If-None-Match": f'"{ref}"'})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg onload=alert()>", "application/octet-stream"),
    ],
)
async def test_its_kind_is_told_by_its_bytes(
    looker: httpx.AsyncClient, folder: Blobs, content: bytes, kind: str
) -> None:
    answer = await looker.get(f"/api/v1/blobs/{folder.put(content)}")
    assert answer.headers["content-type"] == kind


async def test_what_is_missing_damaged_or_no_name_is_told(
    looker: httpx.AsyncClient, folder: Blobs
) -> None:
    ref = folder.put(PNG)
    folder.path(ref).write_bytes(b"rotten")
    answer = await looker.get(f"/api/v1/blobs/{ref}")
    assert (answer.status_code, "damaged" in answer.json()["error"]) == (410, True)
    answer = await looker.get(f"/api/v1/blobs/sha256:{'0' * 64}")
    assert (answer.status_code, "dropped" in answer.json()["remedy"]) == (404, True)
    answer = await looker.get("/api/v1/blobs/..%2Fjournal")
    assert answer.status_code in {404, 422}
    answer = await looker.get("/api/v1/blobs/sha256:..")
    assert (answer.status_code, "no reference" in answer.json()["error"]) == (422, True)


async def test_without_a_camera_there_is_no_image(looker: httpx.AsyncClient) -> None:
    answer = await looker.get(f"/api/v1/blobs/sha256:{'0' * 64}")
    assert answer.status_code == 404
