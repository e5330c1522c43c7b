"""`deungdae user`: on the files of a factory that stands, and through the API of one that runs."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from deungdae.app.auth import Users
from deungdae.app.cli import main
from deungdae.historian.journal import Journal

PASSWORD = "a quiet kiln at night"
FACTORY = '[factory]\nid = "brickworks"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a factory that never ran."""
    (tmp_path / "factory.toml").write_text(FACTORY)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """Return the exit code of a command and what it prints as JSON."""
    code = main(["user", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_users_of_a_factory_that_stands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(folder)
    assert told(capsys, "list", place) == (0, [])
    code, first = told(capsys, "add", place, "Lee", "--shown", "이과장", "--role", "administrator")
    assert (code, first["user"], len(first["password"])) == (0, "lee", 19)
    assert told(capsys, "add", place, "kim")[0] == 0
    assert told(capsys, "role", place, "kim", "operator")[0] == 0
    assert told(capsys, "disable", place, "kim") == (0, {"user": "kim", "disabled": True})
    code, rows = told(capsys, "list", place)
    assert [(each["name"], each["role"], each["disabled"]) for each in rows] == [
        ("kim", "operator", True),
        ("lee", "administrator", False),
    ]
    assert "argon2" not in json.dumps(rows)
    assert told(capsys, "disable", place, "kim", "--enable")[1]["disabled"] is False
    code, fresh = told(capsys, "password", place, "kim")
    users = Users(folder / "history" / "users.json")
    assert users.check("kim", fresh["password"]) is not None
    assert told(capsys, "remove", place, "kim") == (0, {"user": "kim", "removed": True})
    with Journal(folder / "history" / "journal") as journal:
        deeds = [each.data["action"] for each in journal.read(0, 2**62) if each.kind == "user"]
    assert deeds == ["add", "add", "change", "change", "change", "reset", "remove"]


def test_a_password_comes_by_standard_input_and_never_as_an_argument(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capsys, "add", str(folder), "kim", "--role", "administrator")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert told(capsys, "password", str(folder), "kim", "--choose")[0] == 0
    users = Users(folder / "history" / "users.json")
    user = users.check("kim", PASSWORD)
    assert user is not None
    assert not user.must_change
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert told(capsys, "password", str(folder), "kim", "--choose")[0] == 1


def test_what_cannot_be_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "add", str(folder), "lee", "--role", "administrator")
    for words, problem in (
        (("remove", str(folder), "lee"), "last administrator"),
        (("role", str(folder), "nobody", "viewer"), "no user"),
        (("add", str(folder), "<script>"), "letters, digits"),
        (("link", str(folder)), "does not run"),
    ):
        code, answer = told(capsys, *words)
        assert (code, problem in answer["error"]) == (1, True), answer


def test_a_damaged_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "history").mkdir()
    (folder / "history" / "users.json").write_text("{")
    code, answer = told(capsys, "list", str(folder))
    assert code == 2
    assert "users.json" in answer["error"]
    assert "move it away" in answer["error"]


async def test_users_of_a_factory_that_runs(
    house: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(house.runtime.factory.path)

    async def run(*words: str) -> tuple[int, Any]:
        return await asyncio.to_thread(told, capsys, *words)

    code, _ = await run("add", place, "kim", "--shown", "김반장", "--role", "operator")
    assert code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert (await run("password", place, "kim", "--choose"))[0] == 0
    async with house.client(**{"x-deungdae": "1"}) as client:
        login = {"user": "kim", "password": PASSWORD}
        assert (await client.post("/api/v1/session", json=login)).status_code == 200
        assert (await run("role", place, "kim", "viewer"))[0] == 0  # ends the session
        assert (await client.get("/api/v1/live")).status_code == 401
    _, rows = await run("list", place)
    assert [(each["name"], each["role"]) for each in rows] == [
        ("admin", "administrator"),
        ("kim", "viewer"),
    ]
    assert (await run("disable", place, "admin"))[0] == 1
    assert (await run("remove", place, "kim"))[1] == {"user": "kim", "removed": True}
    _, link = await run("link", place)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link["link"])).headers["location"] == "/"
