"""Who comes in, and who may do what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deungdae.app.auth import Doorkeeper, Role, Sessions, Users, Verdict, WebOptions
from deungdae.app.auth.keeper import FREE, KEYS, LAPSE, NAME, TooMany

HERE = {"host": "127.0.0.1:8080"}
OURS = HERE | {"x-deungdae": "1", "origin": "http://127.0.0.1:8080"}
TOKEN = HERE | {"authorization": "Bearer secret"}
FROM = "10.0.0.1"
RIGHT = "a quiet kiln at night"


@pytest.mark.parametrize("role", list(Role))
def test_everything_needs_a_login(keeper: Doorkeeper, role: Role) -> None:
    assert keeper.judge(role, "GET", HERE, "") is Verdict.UNKNOWN
    assert keeper.judge(role, "GET", HERE, "guess") is Verdict.UNKNOWN
    for guess in ("secreT", "ünïcode", "\ud800", ""):
        wrong = HERE | {"authorization": f"Bearer {guess}"}
        assert keeper.judge(role, "GET", wrong, "") is Verdict.UNKNOWN
    assert keeper.judge(role, "POST", TOKEN, "") is Verdict.ALLOWED


def test_a_role_may_what_those_below_it_may(keeper: Doorkeeper) -> None:
    session = keeper.sessions.begin("kim", "password")
    verdicts = [keeper.judge(role, "GET", HERE, session) for role in Role]
    assert verdicts == [Verdict.ALLOWED] * 2 + [Verdict.TOO_LITTLE] * 2


def test_another_role_holds_at_once(keeper: Doorkeeper) -> None:
    session = keeper.sessions.begin("kim", "password")
    keeper.users.change("kim", role=Role.ENGINEER)
    assert keeper.judge(Role.ENGINEER, "GET", HERE, session) is Verdict.ALLOWED
    keeper.users.change("kim", disabled=True)
    assert keeper.judge(Role.VIEWER, "GET", HERE, session) is Verdict.UNKNOWN
    keeper.users.remove("kim")
    assert keeper.judge(Role.VIEWER, "GET", HERE, session) is Verdict.UNKNOWN


def test_who_must_change_the_password_may_nothing_else(keeper: Doorkeeper) -> None:
    session = keeper.sessions.begin("admin", "password")
    assert keeper.judge(Role.VIEWER, "GET", HERE, session) is Verdict.MUST_CHANGE
    by_link = keeper.sessions.begin("admin", "link")
    assert keeper.judge(Role.ADMINISTRATOR, "GET", HERE, by_link) is Verdict.ALLOWED


def test_on_a_wall_screen_anybody_may_look_and_only_look(
    keeper: Doorkeeper, tmp_path: Path, clock: Any, users: Users
) -> None:
    options = WebOptions(open=True)
    sessions = Sessions(tmp_path / "sessions.json", options, clock)
    wall = Doorkeeper("secret", options, users, sessions, clock)
    assert wall.judge(Role.VIEWER, "GET", HERE, "") is Verdict.ALLOWED
    assert wall.judge(Role.OPERATOR, "GET", HERE, "") is Verdict.UNKNOWN
    assert wall.judge(Role.OPERATOR, "POST", OURS, "") is Verdict.UNKNOWN


def test_a_link_works_once(keeper: Doorkeeper) -> None:
    link = keeper.link()
    assert link.startswith("http://127.0.0.1:8080/?key=")
    key = link.partition("=")[2]
    session = keeper.open(key, FROM)
    assert session is not None
    assert keeper.open(key, FROM) is None
    assert keeper.open("", FROM) is None
    assert keeper.judge(Role.ADMINISTRATOR, "GET", HERE, session) is Verdict.ALLOWED


def test_a_link_lapses_and_newer_ones_drive_out_the_oldest(keeper: Doorkeeper, clock: Any) -> None:
    keys = [keeper.link().partition("=")[2] for _ in range(KEYS + 1)]
    assert keeper.open(keys[0], FROM) is None
    assert keeper.open(keys[1], FROM) is not None
    clock.seconds += LAPSE
    assert keeper.open(keys[2], FROM) is None


def test_a_page_acts_only_with_our_header_and_from_our_own_site(keeper: Doorkeeper) -> None:
    session = keeper.open("secret", FROM) or ""
    assert keeper.judge(Role.ENGINEER, "POST", HERE, session) is Verdict.FORBIDDEN
    assert keeper.judge(Role.ENGINEER, "POST", OURS, session) is Verdict.ALLOWED
    for foreign in (
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine: it gets our cookie
    ):
        for method in ("GET", "POST"):
            verdict = keeper.judge(Role.VIEWER, method, OURS | foreign, session)
            assert (foreign, verdict) == (foreign, Verdict.FORBIDDEN)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "", "[::", "127.0.0.1.nip.io"]
)
def test_a_foreign_name_that_points_here_is_refused(keeper: Doorkeeper, host: str) -> None:
    assert keeper.judge(Role.VIEWER, "GET", TOKEN | {"host": host}, "") is Verdict.FORBIDDEN


@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_our_own_names_are_accepted(keeper: Doorkeeper, host: str) -> None:
    assert keeper.judge(Role.VIEWER, "GET", TOKEN | {"host": host}, "") is Verdict.ALLOWED


async def test_name_and_password(keeper: Doorkeeper) -> None:
    for name in ("kim", "KIM", " Kim "):
        found = await keeper.enter(name, RIGHT, FROM, "")
        assert found is not None
        assert found.name == "kim"
    for name, password in (
        ("kim", "a quiet kiln at nigh"),
        ("kim", ""),
        ("nobody", RIGHT),
        ("\ud800", "\ud800"),
    ):
        assert await keeper.enter(name, password, "10.0.0.9", "") is None
    keeper.users.change("kim", disabled=True)
    assert await keeper.enter("kim", RIGHT, FROM, "") is None


async def test_an_address_that_guesses_waits_longer_each_time(
    keeper: Doorkeeper, clock: Any
) -> None:
    for n in range(FREE):
        assert await keeper.enter(f"name{n}", "guess", FROM, "") is None
    waits = []
    for n in range(8):
        with pytest.raises(TooMany) as refused:
            await keeper.enter(f"other{n}", "guess", FROM, "")
        waits.append(refused.value.wait)
        clock.seconds += refused.value.wait
        assert await keeper.enter(f"other{n}", "guess", FROM, "") is None
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_others_guesses_keep_nobody_out(keeper: Doorkeeper, clock: Any) -> None:
    for n in range(100):  # from as many addresses, all at the name of kim
        assert await keeper.enter("kim", "guess", f"10.0.1.{n}", "") is None
    clock.waits.clear()
    assert await keeper.enter("kim", RIGHT, "10.0.2.1", "") is not None
    assert clock.waits == [NAME]  # held back a little, at a browser that kim never used
    clock.waits.clear()
    known = keeper.sessions.device("kim")
    assert await keeper.enter("kim", RIGHT, "10.0.1.1", known) is not None
    assert clock.waits == []
    # who is in, has the token or a link does not notice
    session = keeper.sessions.begin("kim", "password")
    assert keeper.judge(Role.OPERATOR, "POST", OURS, session) is Verdict.ALLOWED
    assert keeper.open("secret", "10.0.1.1") is not None


async def test_a_known_browser_has_a_count_of_its_own(keeper: Doorkeeper) -> None:
    known = keeper.sessions.device("kim")
    for _ in range(FREE):
        assert await keeper.enter("kim", "guess", FROM, known) is None
    with pytest.raises(TooMany):
        await keeper.enter("kim", RIGHT, FROM, known)
    assert await keeper.enter("kim", RIGHT, FROM, "") is not None
    forged = known.partition(".")[0] + "." + "0" * 64
    assert not keeper.sessions.knows(forged, "kim")
    assert not keeper.sessions.knows(known, "admin")


def test_wrong_tokens_are_limited_by_address(keeper: Doorkeeper, clock: Any) -> None:
    for _ in range(FREE):
        keeper.failed(FROM)
    with pytest.raises(TooMany):
        keeper.failed(FROM)
    keeper.failed("10.0.0.2")
    clock.seconds += 1
    keeper.failed(FROM)
