"""Dashboards of one's own, over HTTP and on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from deungdae.app.dashboards import ChangedMeanwhile, Dashboard, Dashboards, Tile

PATH = "/api/v1/dashboards"
WALL: dict[str, Any] = {
    "title": "<b>벽</b>",
    "tiles": [{"kind": "value", "signals": ["kiln1.temperature"]}],
    "person": "kim",
}


async def test_a_dashboard_is_kept_and_found_again(actor: httpx.AsyncClient, house: Any) -> None:
    kept = (await actor.put(f"{PATH}/wall", json=WALL)).json()
    assert (kept["name"], kept["dashboard"]["person"]) == ("wall", "kim")
    again = (await actor.get(f"{PATH}/wall")).json()
    assert again == kept
    assert (await actor.get(PATH)).json() == [
        {"name": "wall", "title": "<b>벽</b>", "person": "kim", "tiles": 1}
    ]
    entries = [entry for entry in house.journal.read(0, 2**62) if entry.kind == "dashboard"]
    assert (entries[0].who, entries[0].data["name"]) == ("kim", "wall")
    removal = {"version": kept["version"]}
    gone = await actor.request("DELETE", f"{PATH}/wall", json=removal)
    assert gone.status_code == 200
    assert (await actor.get(f"{PATH}/wall")).status_code == 404


async def test_two_people_at_one_dashboard(actor: httpx.AsyncClient) -> None:
    first = (await actor.put(f"{PATH}/wall", json=WALL)).json()
    theirs = WALL | {"title": "theirs", "version": first["version"], "person": "lee"}
    assert (await actor.put(f"{PATH}/wall", json=theirs)).status_code == 200
    mine = WALL | {"title": "mine", "version": first["version"]}
    answer = await actor.put(f"{PATH}/wall", json=mine)
    assert (answer.status_code, "by lee" in answer.json()["error"]) == (409, True)
    assert (await actor.get(f"{PATH}/wall")).json()["dashboard"]["title"] == "theirs"
    new = await actor.put(f"{PATH}/wall", json=WALL | {"version": ""})
    assert new.status_code == 409


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("../secret", {}, ""),
        ("Wall", {}, "is no name of a dashboard"),
        ("wall", {"title": ""}, "length >= 1"),
        ("wall", {"tiles": [{"kind": "bomb"}]}, "bomb"),
        ("wall", {"tiles": [{"kind": "text", "colour": "red"}]}, "colour"),
        ("wall", {"tiles": [{"kind": "clock"}] * 61}, "length <= 60"),
    ],
)
async def test_what_cannot_be_is_refused(
    actor: httpx.AsyncClient, house: Any, name: str, change: dict[str, Any], words: str
) -> None:
    answer = await actor.put(f"{PATH}/{name}", json=WALL | change)
    assert answer.status_code in (404, 405, 422)
    assert words in answer.text
    assert (await actor.get(PATH)).json() == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    boards = Dashboards(tmp_path / "factory.toml")
    assert boards.list() == []
    boards.save("wall", Dashboard(title="a", tiles=(Tile(kind="clock"),)), "")
    file = tmp_path / "dashboards" / "wall.json"
    file.write_text('{"title": "a", "tiles": [{"kind": ')
    with pytest.raises(ValueError, match=r"dashboards/wall\.json is damaged"):
        boards.get("wall")
    with pytest.raises(ChangedMeanwhile, match="is not there"):
        boards.remove("other", "1")
