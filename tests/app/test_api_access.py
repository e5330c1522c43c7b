"""Logging in over HTTP, the users, and which role every route needs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from tests.app.conftest import PASSWORD

from deungdae.app.auth import Role, WebOptions

ROLES = [role.word for role in Role]
FREE = {("GET", "/api/v1/session"), ("POST", "/api/v1/session"), ("DELETE", "/api/v1/session")}

# what is posted and changes nothing of the factory
QUESTION = re.compile(r"/(tables|session/password|snapshots|[^/]*(whatif|improve)[^/]*)(/|$)")
# the role that each route needs, where it is not to look; a new route must be put here on purpose
NEEDED = {
    "operator": {
        ("GET", "/api/v1/journal"),
        ("POST", "/api/v1/gate/kill"),
        ("POST", "/api/v1/proposals/{id}/approve"),
        ("POST", "/api/v1/proposals/{id}/decline"),
    },
    "engineer": {
        ("POST", "/api/v1/commands"),
        ("POST", "/api/v1/gate/clear"),
        ("POST", "/api/v1/gate/mode"),
        ("POST", "/api/v1/gate/release"),
        ("POST", "/api/v1/loops/{name}"),
        ("POST", "/api/v1/query"),
        ("POST", "/api/v1/reload"),
        ("PATCH", "/api/v1/twins/{id}/features/{feature}/desired"),
        ("POST", "/api/v1/virtual/{name}/faults"),
        ("DELETE", "/api/v1/virtual/{name}/faults"),
    },
    "administrator": {
        ("POST", "/api/v1/link"),
        ("GET", "/api/v1/users"),
        ("POST", "/api/v1/users"),
        ("PATCH", "/api/v1/users/{name}"),
        ("POST", "/api/v1/users/{name}/password"),
        ("DELETE", "/api/v1/users/{name}"),
    },
}


@pytest.fixture
async def all_roles(house: Any) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Give a client of each role, and of nobody as ''."""
    async with AsyncExitStack() as stack:
        clients = {role: await stack.enter_async_context(house.login(role, role)) for role in ROLES}
        clients[""] = await stack.enter_async_context(house.client(**{"x-deungdae": "1"}))
        yield clients


async def test_every_route_needs_a_login_and_its_role(
    all_roles: dict[str, httpx.AsyncClient], actor: httpx.AsyncClient
) -> None:
    assert (await all_roles[""].get("/api/v1/openapi.json")).status_code == 401
    described = (await actor.get("/api/v1/openapi.json")).json()
    routes = {
        (method.upper(), path)
        for path, each in described["paths"].items()
        for method in each
        if method in ("get", "post", "put", "patch", "delete")
    }
    found: dict[str, set[tuple[str, str]]] = {role: set() for role in ROLES}
    for method, path in sorted(routes - FREE):
        least = ""
        for role in ["", *ROLES]:
            # a body that no route understands: who may ask gets 422, and nothing is done
            answer = await all_roles[role].request(
                method, path.replace("{", "~").replace("}", "~"), content=b"{"
            )
            role_missing = answer.status_code == 403 and answer.json()["rule"] == "role"
            refused = answer.status_code == 401 or role_missing
            if not refused and not least:
                least = role or "nobody"
            assert refused is (not least), (method, path, role, answer.text)
        assert least != "nobody", (method, path)
        if least:
            found[least].add((method, path))
    for role, wanted in NEEDED.items():
        assert wanted <= found[role], (role, wanted - found[role])
    posted = {path for method, path in found["viewer"] if method != "GET"}
    assert {path for path in posted if not QUESTION.search(path)} == set()


async def test_whatever_a_router_forgets_needs_a_login(stranger: httpx.AsyncClient) -> None:
    for path in ("/api/v1/no-such-route", "/api/v2/anything", "/api/v1/store/signals"):
        assert (await stranger.post(path)).status_code in (401, 404)
    assert (await stranger.get("/api/v1/live")).json()["rule"] == "login"


async def test_the_first_password_is_for_one_login(house: Any) -> None:
    async with house.client(**{"x-deungdae": "1"}) as client:
        given = {"user": "admin", "password": house.welcome.password}
        answer = await client.post("/api/v1/session", json=given)
        assert (answer.status_code, answer.json()["must_change"]) == (200, True)
        refused = await client.get("/api/v1/live")
        assert (refused.status_code, refused.json()["rule"]) == (403, "must-change")
        for new, rule in (
            ("short", "password-short"),
            ("brickworks1", "password-name"),
            (house.welcome.password, "password-same"),
        ):
            given = {"old": house.welcome.password, "new": new}
            answer = await client.post("/api/v1/session/password", json=given)
            assert (answer.status_code, answer.json()["rule"]) == (409, rule)
        given = {"old": house.welcome.password, "new": PASSWORD}
        answer = await client.post("/api/v1/session/password", json=given)
        assert (answer.status_code, answer.json()["must_change"]) == (200, False)
        assert (await client.get("/api/v1/live")).status_code == 200
        given = {"user": "admin", "password": house.welcome.password}
        assert (await client.post("/api/v1/session", json=given)).status_code == 401


async def test_the_cookie(house: Any) -> None:
    async with house.login("kim", "viewer") as client:
        answer = await client.post("/api/v1/session", json={"user": "kim", "password": PASSWORD})
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
            assert "Domain" not in cookie
        assert answer.headers["cache-control"] == "no-store"
        told = (await client.get("/api/v1/session")).json()
        assert (told["user"], told["role"], told["language"]) == ("kim", "viewer", "ko")


async def test_a_login_from_another_site_is_refused(stranger: httpx.AsyncClient) -> None:
    given = {"user": "admin", "password": "x"}
    for headers in (
        {},
        {"x-deungdae": "1", "origin": "http://evil.example"},
        {"x-deungdae": "1", "sec-fetch-site": "same-site"},
    ):
        answer = await stranger.post("/api/v1/session", json=given, headers=headers)
        assert (answer.status_code, answer.json()["rule"]) == (403, "site")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"user": "admin", "password": "' + b"x" * 10_000_000 + b'"}', 413),
        (b'{"user": "admin", "password": "' + b"x" * 2000 + b'"}', 422),
        (b'{"user": "admin", "password": "\xff\xfe"}', 400),
        (b'{"user": "\\ud800", "password": "\\ud800"}', 422),
        (b'{"user": "<script>alert(1)</script>", "password": "x"}', 401),
        (b'{"user": 1}', 422),
        (b"[]", 422),
        (b"", 422),
        (b"{}", 401),
    ],
)
async def test_a_strange_login(house: Any, content: bytes, status: int) -> None:
    async with house.client(**{"x-deungdae": "1", "content-type": "application/json"}) as client:
        answer = await client.post("/api/v1/session", content=content)
        assert answer.status_code == status, answer.text
        assert b"xxxx" not in answer.content
    noted = [each.data for each in house.journal.read(0, 2**62) if each.kind == "login"]
    assert "script" not in json.dumps(noted)


async def test_guesses_are_slowed_down_and_journalled(house: Any) -> None:
    async with house.client(**{"x-deungdae": "1"}) as client:
        given = {"user": "admin", "password": "guess"}
        answers = [await client.post("/api/v1/session", json=given) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert answers[-1].json()["rule"] == "too-many"
    assert int(answers[-1].headers["retry-after"]) >= 1
    noted = [each for each in house.journal.read(0, 2**62) if each.kind == "login"]
    assert [(each.data["success"], each.data["user"]) for each in noted] == [(False, "admin")] * 5
    # with the token and with a link one still comes in
    async with house.client(**{"x-deungdae": "1"}) as client:
        token = {"token": house.running.token}
        assert (await client.post("/api/v1/session", json=token)).status_code == 200


async def test_logging_out_ends_the_session_at_the_server(house: Any) -> None:
    async with house.login("kim", "viewer") as client:
        kept = dict(client.cookies)
        assert (await client.delete("/api/v1/session")).json()["role"] == ""
        async with house.client() as thief:
            thief.cookies.update(kept)
            assert (await thief.get("/api/v1/live")).status_code == 401
    kinds = [(each.kind, each.who) for each in house.journal.read(0, 2**62)]
    assert ("login", "kim") in kinds
    assert ("logout", "kim") in kinds


async def test_another_password_ends_all_other_sessions(house: Any) -> None:
    async with house.login("kim", "viewer") as one, house.client(**{"x-deungdae": "1"}) as two:
        login = {"user": "kim", "password": PASSWORD}
        assert (await two.post("/api/v1/session", json=login)).status_code == 200
        wrong = {"old": "guess", "new": "another quiet night"}
        answer = await two.post("/api/v1/session/password", json=wrong)
        assert (answer.status_code, answer.json()["rule"]) == (409, "password-wrong")
        change = {"old": PASSWORD, "new": "another quiet night"}
        assert (await two.post("/api/v1/session/password", json=change)).status_code == 200
        assert (await two.get("/api/v1/live")).status_code == 200
        assert (await one.get("/api/v1/live")).status_code == 401


async def test_users_are_looked_after(house: Any) -> None:
    async with house.login("lee", "administrator") as lee:
        new = {"name": "Kim", "shown": "<b>김반장</b>", "role": "operator"}
        first = (await lee.post("/api/v1/users", json=new)).json()
        assert (first["user"]["name"], first["user"]["must_change"]) == ("kim", True)
        assert "argon2" not in json.dumps(first)
        again = await lee.post("/api/v1/users", json=new)
        assert (again.status_code, again.json()["rule"]) == (409, "user-exists")
        names = [each["name"] for each in (await lee.get("/api/v1/users")).json()]
        assert names == ["admin", "kim", "lee"]
        changed = await lee.patch("/api/v1/users/kim", json={"role": "engineer"})
        assert changed.json()["role"] == "engineer"
        assert (await lee.patch("/api/v1/users/nobody", json={})).status_code == 404
        chosen = {"password": "chosen by somebody else"}
        assert (await lee.post("/api/v1/users/kim/password", json=chosen)).status_code == 403
        fresh = (await lee.post("/api/v1/users/kim/password", json={})).json()
        assert fresh["password"] != first["password"]
        assert (await lee.delete("/api/v1/users/kim")).status_code == 200
        assert (await lee.delete("/api/v1/users/admin")).status_code == 200
        last = await lee.delete("/api/v1/users/lee")
        assert (last.status_code, last.json()["rule"]) == (409, "last-administrator")
    noted = [each for each in house.journal.read(0, 2**62) if each.kind == "user"]
    deeds = [each.data["action"] for each in noted if each.who == "lee"]
    assert deeds == ["password", "add", "change", "reset", "remove", "remove"]
    assert first["password"] not in json.dumps([each.data for each in noted])


@pytest.mark.parametrize(
    "deed", [{"role": "operator"}, {"disabled": True}, {"reset": True}, {"remove": True}]
)
async def test_what_changes_a_user_ends_their_sessions(
    house: Any, actor: httpx.AsyncClient, deed: dict[str, Any]
) -> None:
    url = house.url.replace("http", "ws") + "/live"
    async with house.login("kim", "engineer") as kim:
        cookie = "; ".join(f"{name}={value}" for name, value in kim.cookies.items())
        async with websockets.connect(url, additional_headers={"cookie": cookie}) as socket:
            await socket.recv()
            if "reset" in deed:
                await actor.post("/api/v1/users/kim/password", json={"person": "lee"})
            elif "remove" in deed:
                await actor.delete("/api/v1/users/kim?person=lee")
            else:
                await actor.patch("/api/v1/users/kim", json={"person": "lee", **deed})
            assert (await kim.get("/api/v1/live")).status_code == 401
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(_until_closed(socket), 10)
            assert (socket.close_code, socket.close_reason) == (1008, "login")


async def _until_closed(socket: Any) -> None:
    while True:
        await socket.recv()


async def test_a_stranger_hears_why_nothing_is_told(house: Any) -> None:
    url = house.url.replace("http", "ws") + "/live"
    async with websockets.connect(url) as socket:
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (1008, "login")


async def test_a_program_says_for_whom_it_acts(actor: httpx.AsyncClient) -> None:
    answer = await actor.post("/api/v1/users", json={"name": "kim"})
    assert (answer.status_code, "person" in answer.json()["remedy"]) == (422, True)


async def test_a_session_survives_a_restart(
    tmp_path: Path, free_port: Callable[[], int], housed: Any
) -> None:
    options = WebOptions(port=free_port())
    async with housed(tmp_path, options) as house, house.login("kim", "viewer") as client:
        kept = dict(client.cookies)
    async with housed(tmp_path, options) as house, house.client() as client:
        assert house.welcome.password == ""
        client.cookies.update(kept)
        assert (await client.get("/api/v1/live")).status_code == 200


async def test_with_damaged_users_nobody_comes_in_but_the_house_runs(
    tmp_path: Path, free_port: Callable[[], int], housed: Any
) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "users.json").write_text('{"users": [')
    async with housed(tmp_path, WebOptions(port=free_port())) as house:
        assert "users.json" in house.welcome.problem
        assert house.welcome.password == ""
        async with house.client(**{"x-deungdae": "1"}) as client:
            login = {"user": "admin", "password": "x"}
            answer = await client.post("/api/v1/session", json=login)
            assert (answer.status_code, "users.json" in answer.json()["error"]) == (503, True)
            path = house.welcome.link.removeprefix(house.url)
            assert (await client.get(path)).headers["location"] == "/#used"
            assert (await client.get("/api/v1/live")).status_code == 401
        async with house.client(**house.bearer) as program:
            deed = {"person": "kim", "reason": "smoke"}
            assert (await program.post("/api/v1/gate/kill", json=deed)).status_code == 200


async def test_a_screen_on_the_wall(
    tmp_path: Path, free_port: Callable[[], int], housed: Any
) -> None:
    options = WebOptions(port=free_port(), open=True)
    async with housed(tmp_path, options) as house, house.client(**{"x-deungdae": "1"}) as wall:
        assert (await wall.get("/api/v1/live")).status_code == 200
        told = (await wall.get("/api/v1/session")).json()
        assert (told["user"], told["role"]) == ("", "viewer")
        deed = {"person": "kim", "reason": "smoke"}
        assert (await wall.post("/api/v1/gate/kill", json=deed)).status_code == 401


async def test_a_journal_that_cannot_be_written_keeps_nobody_out(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deungdae.core.errors import StoreError

    def full(*_: object) -> None:
        raise StoreError("no space left")

    async with house.login("kim", "operator") as client:
        monkeypatch.setattr(house.journal, "append", full)
        login = {"user": "kim", "password": PASSWORD}
        assert (await client.post("/api/v1/session", json=login)).status_code == 200
