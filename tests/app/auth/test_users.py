"""Users: who there may be, what is on disk, and what a damaged file does."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from deungdae.app.auth import Role, Users, passwords
from deungdae.core.errors import Refused, StoreError

RIGHT = "a quiet kiln at night"


def again(users: Users) -> Users:
    """Return the users as the next start finds them."""
    return Users(users.path)


def test_the_first_start_makes_an_administrator(users: Users) -> None:
    password = users.first()
    assert len(password) == 19
    admin = users.check("admin", password)
    assert admin is not None
    assert (admin.rank, admin.must_change) == (Role.ADMINISTRATOR, True)
    assert users.first() == ""
    assert again(users).first() == ""
    assert again(users).check("admin", password) is not None


def test_every_first_password_is_another(users: Users) -> None:
    assert len({users.add(f"user{n}", "", Role.VIEWER) for n in range(20)}) == 20


def test_the_file_is_for_this_user_alone_and_holds_no_password(users: Users) -> None:
    password = users.first()
    assert users.path.stat().st_mode & 0o777 == 0o600
    text = users.path.read_text()
    assert password not in text
    assert "$argon2id$" in text
    assert [file.name for file in users.path.parent.iterdir()] == ["users.json"]


def test_a_file_that_others_may_read_is_closed(
    users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    users.first()
    users.path.chmod(0o644)
    again(users)
    assert users.path.stat().st_mode & 0o777 == 0o600
    assert "others could read it" in caplog.text


def test_a_chosen_password_holds_and_the_first_does_not(users: Users) -> None:
    first = users.first()
    users.choose("admin", RIGHT)
    for each in (users, again(users)):
        found = each.check("ADMIN", RIGHT)
        assert found is not None
        assert not found.must_change
        assert each.check("admin", first) is None


def test_a_password_is_the_same_however_it_is_typed(users: Users) -> None:
    users.first()
    users.choose("admin", "가마의 조용한 밤이다")
    decomposed = "\u1100\u1161\u1106\u1161\u110b\u1174" + "의 조용한 밤이다"[1:]
    assert users.check("admin", decomposed) is not None


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short", "password-short"),
        ("x" * 257, "password-long"),
        ("1234567890", "password-common"),
        ("PASSWORD1234", "password-common"),
        ("aaaaaaaaaaaaaa", "password-common"),
        ("administrator-lee", "password-name"),
        ("Administrator-Lee1", "password-name"),
        ("brickworks", "password-name"),
        ("brickworks2026", "password-name"),
        ("half of a pair \ud800", "password-letters"),
        ("with a bell \x07 in it", "password-letters"),
    ],
)
def test_what_is_no_password(users: Users, password: str, rule: str) -> None:
    first = users.add("administrator-lee", "이", Role.VIEWER)
    with pytest.raises(Refused) as refused:
        users.choose("administrator-lee", password)
    assert refused.value.rule == rule
    assert users.check("administrator-lee", first) is not None


@pytest.mark.parametrize("password", ["press2 is down again", "벽돌을 굽는 조용한 밤", "x9-!" * 60])
def test_there_are_no_rules_of_composition(password: str) -> None:
    passwords.check(password, ("admin", "brickworks"))


def test_the_password_that_one_has_is_no_new_one(users: Users) -> None:
    with pytest.raises(Refused, match="that you have"):
        users.choose("admin", users.first())


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "<script>", "../x", "-x", "a" * 65, "a\x00", "\ud800", "x/y", "a;b"]
)
def test_what_is_no_name(users: Users, name: str) -> None:
    with pytest.raises(Refused) as refused:
        users.add(name, "somebody", Role.VIEWER)
    assert refused.value.rule == "user-name"
    assert users.all() == []


@pytest.mark.parametrize("shown", ["a" * 61, "two\nlines", "turned \u202e round", "\ud800"])
def test_what_cannot_be_shown(users: Users, shown: str) -> None:
    with pytest.raises(Refused) as refused:
        users.add("kim", shown, Role.VIEWER)
    assert refused.value.rule == "user-shown"


def test_a_script_as_a_shown_name_is_a_text(users: Users) -> None:
    users.add("kim", "<script>alert(1)</script>", Role.VIEWER)
    assert again(users).all()[0].shown == "<script>alert(1)</script>"


def test_nobody_can_be_taken_for_another(users: Users) -> None:
    users.add("kim", "김반장", Role.VIEWER)
    for name, shown in (("KIM", "other"), ("ｋｉｍ", "other"), ("lee", "김반장"), ("lee", "Kim")):
        with pytest.raises(Refused):
            users.add(name, shown, Role.VIEWER)


def test_the_last_administrator_stays(users: Users) -> None:
    users.first()
    deeds: list[Any] = [
        lambda: users.remove("admin"),
        lambda: users.change("admin", role=Role.ENGINEER),
        lambda: users.change("admin", disabled=True),
    ]
    for deed in deeds:
        with pytest.raises(Refused) as refused:
            deed()
        assert refused.value.rule == "last-administrator"
    users.add("lee", "", Role.ADMINISTRATOR)
    users.remove("admin")
    assert [user.name for user in again(users).all()] == ["lee"]


def test_whoever_is_not_there_is_said(users: Users) -> None:
    for deed in (users.reset, users.remove, lambda name: users.change(name, disabled=True)):
        with pytest.raises(LookupError, match="nobody"):
            deed("nobody")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b'{"users": [{"name": "admin"}]}',
        b'{"version": 2, "users": []}',
        b'{"version": 1, "users": [], "open": true}',
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_left_alone(
    users: Users, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    users.path.write_bytes(content)
    damaged = again(users)
    assert str(users.path) in damaged.problem
    assert "move it away" in damaged.problem
    assert damaged.first() == ""
    assert damaged.check("admin", "") is None
    with pytest.raises(StoreError, match=r"users\.json"):
        damaged.add("kim", "", Role.ADMINISTRATOR)
    assert users.path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Admin"}, "no name"),
        ({"name": "a b"}, "no name"),
        ({"role": "boss"}, "boss"),
        ({"admin": True}, "admin"),
        ({"disabled": "no"}, "bool"),
    ],
)
def test_a_mistake_by_hand_is_named(users: Users, change: dict[str, Any], words: str) -> None:
    users.first()
    text = json.loads(users.path.read_text())
    text["users"][0] |= change
    users.path.write_text(json.dumps(text))
    assert words in again(users).problem


def test_two_of_one_name_by_hand_are_named(users: Users) -> None:
    users.first()
    text = json.loads(users.path.read_text())
    text["users"] *= 2
    users.path.write_text(json.dumps(text))
    assert "twice" in again(users).problem


def test_a_hash_spoilt_by_hand_fits_nothing(users: Users) -> None:
    password = users.first()
    users.path.write_text(users.path.read_text().replace("$argon2id$", "$argon2$"))
    assert again(users).check("admin", password) is None


def test_a_full_disk_changes_nothing(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    password = users.first()
    before = users.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        users.choose("admin", RIGHT)
    assert users.check("admin", password) is not None
    assert users.path.read_bytes() == before
    assert len(list(users.path.parent.iterdir())) == 1
