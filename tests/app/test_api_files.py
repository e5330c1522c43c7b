"""The factory's files over HTTP: checked, saved once, taken over at once, put back."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

import httpx
import pytest

from deungdae.core.clock import RealClock
from deungdae.core.types import DAY

from .conftest import FACTORY, House  # type: ignore[import-not-found]


async def read(actor: httpx.AsyncClient) -> tuple[str, str]:
    """Return text and version of factory.toml."""
    (file,) = (await actor.get("api/v1/files")).raise_for_status().json()["files"]
    return file["text"], file["version"]


async def save(actor: httpx.AsyncClient, text: str, version: str, who: str = "kim") -> Any:
    body = {"files": {"factory.toml": text}, "versions": {"factory.toml": version}, "person": who}
    return await actor.put("api/v1/files", json=body)


async def test_files_are_told_with_their_faults(actor: httpx.AsyncClient, house: House) -> None:
    found = (await actor.get("api/v1/files")).json()
    assert found["faults"] == []
    assert found["files"][0]["text"] == FACTORY
    file = house.runtime.factory.path
    file.write_text(FACTORY.replace("period", "perriod", 1))
    (fault,) = (await actor.get("api/v1/files")).json()["faults"]
    assert fault == {
        "file": "factory.toml",
        "line": 9,
        "key": "machines.kiln.perriod",
        "value": "0.05",
        "problem": "is not a known key",
        "remedy": "did you mean period?",
    }


async def test_drafts_are_checked_without_a_trace(actor: httpx.AsyncClient, house: House) -> None:
    drafts = {"files": {"factory.toml": "[factory"}}
    (fault,) = (await actor.post("api/v1/files/check", json=drafts)).json()
    assert fault["problem"].startswith("is no TOML")
    assert house.runtime.factory.path.read_text() == FACTORY


async def test_a_saved_file_is_taken_over_and_journalled(
    actor: httpx.AsyncClient, house: House
) -> None:
    text, version = await read(actor)
    door = house.runtime.doors["press"]
    told = await save(actor, text.replace("period = 0.05", "period = 0.04", 1), version)
    assert told.status_code == 200
    assert "machines.kiln changed" in told.json()["changes"]
    assert house.runtime.doors["press"] is door
    now = RealClock().now()
    (entry,) = [e for e in house.journal.read(now - DAY, now + DAY) if e.kind == "files"]
    assert entry.who == "kim"
    assert "-period = 0.05\n+period = 0.04\n" in entry.data["diff"]


async def test_an_invalid_file_is_not_saved(actor: httpx.AsyncClient, house: House) -> None:
    _, version = await read(actor)
    told = await save(actor, "[factory]", version)
    assert told.status_code == 422
    assert "factory.id" in told.json()["faults"][0]
    assert house.runtime.factory.path.read_text() == FACTORY


async def test_who_saves_second_is_told_what_the_first_changed(actor: httpx.AsyncClient) -> None:
    text, version = await read(actor)
    first = text.replace('name = "벽돌 공장"', 'name = "첫 공장"')
    assert (await save(actor, first, version)).status_code == 200
    second = text.replace('name = "벽돌 공장"', 'name = "둘째 공장"')
    told = await save(actor, second, version, "lee")
    assert told.status_code == 409
    conflict = told.json()
    assert conflict["rule"] == "conflict"
    assert conflict["person"] == "kim"
    assert conflict["file"]["text"] == first
    assert '-name = "둘째 공장"\n+name = "첫 공장"' in conflict["diff"]
    assert (await save(actor, second, conflict["file"]["version"], "lee")).status_code == 200


async def test_two_who_save_at_once_do_not_both_win(actor: httpx.AsyncClient) -> None:
    text, version = await read(actor)
    texts = [text.replace("벽돌", f"공장 {n}") for n in range(4)]
    told = await asyncio.gather(*(save(actor, each, version) for each in texts))
    assert sorted(each.status_code for each in told) == [200, 409, 409, 409]


async def test_what_was_before_is_put_back(actor: httpx.AsyncClient) -> None:
    text, version = await read(actor)
    await save(actor, text.replace("벽돌", "돌"), version)
    (first,) = (await actor.get("api/v1/files/versions")).json()
    assert first["files"] == ["factory.toml"]
    assert first["person"] == "kim"
    told = (await actor.get(f"api/v1/files/versions/{first['id']}")).json()
    assert told["before"] == {"factory.toml": text}
    assert "돌 공장" in told["after"]["factory.toml"]
    changed, version = await read(actor)
    assert changed != text
    body = {"versions": {"factory.toml": version}, "person": "park"}
    put = await actor.post(f"api/v1/files/versions/{first['id']}/restore", json=body)
    assert put.status_code == 200
    assert (await read(actor))[0] == text
    assert len((await actor.get("api/v1/files/versions")).json()) == 2
    assert (await actor.get("api/v1/files/versions/never")).status_code == 404


async def test_the_description_comes_as_an_archive(actor: httpx.AsyncClient) -> None:
    told = await actor.get("api/v1/files/export")
    with zipfile.ZipFile(io.BytesIO(told.content)) as archive:
        assert archive.namelist() == ["factory.toml"]
        assert archive.read("factory.toml").decode() == FACTORY


@pytest.mark.parametrize("path", ["files", "files/export", "files/versions"])
async def test_who_only_looks_does_not_see_files(looker: httpx.AsyncClient, path: str) -> None:
    assert (await looker.get(f"api/v1/{path}")).status_code in (401, 403)


async def test_places_are_written_into_the_file(actor: httpx.AsyncClient, house: House) -> None:
    version = (await actor.get("api/v1/layout")).json()["version"]
    body = {"positions": {"kiln1": [120, 40.04], "press1": [-3.25, 0]}, "version": version,
            "person": "kim"}  # fmt: skip
    told = (await actor.put("api/v1/layout", json=body)).raise_for_status().json()
    assert told["positions"] == {"kiln1": [120.0, 40.0], "press1": [-3.2, 0.0]}
    text = house.runtime.factory.path.read_text()
    assert text == FACTORY + "\n[layout]\nkiln1 = [120, 40]\npress1 = [-3.2, 0]\n"
    assert (await actor.put("api/v1/layout", json=body)).status_code == 409
    body |= {"positions": {}, "version": told["version"]}
    assert (await actor.put("api/v1/layout", json=body)).json()["positions"] == {}
    assert "layout" not in house.runtime.factory.path.read_text()


async def test_a_place_for_nothing_is_refused(actor: httpx.AsyncClient) -> None:
    version = (await actor.get("api/v1/layout")).json()["version"]
    body = {"positions": {"kiln9": [1, 2]}, "version": version, "person": "kim"}
    told = await actor.put("api/v1/layout", json=body)
    assert told.status_code == 422
    assert "kiln9: is no asset" in told.json()["faults"][0]


async def test_a_file_that_cannot_be_written_is_told(
    actor: httpx.AsyncClient, house: House
) -> None:
    text, version = await read(actor)
    house.runtime.factory.path.chmod(0o444)
    told = await save(actor, text + "\n", version)
    assert told.status_code == 503
    assert told.json()["error"] == "factory.toml is read-only"
