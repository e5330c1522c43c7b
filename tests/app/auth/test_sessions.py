"""Sessions: how long they hold, and that a restart ends none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deungdae.app.auth import Sessions, WebOptions
from deungdae.app.auth.sessions import MOST

OPTIONS = WebOptions(session_hours=12, idle_minutes=60)
HOUR = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


@pytest.fixture
def sessions(path: Path, clock: Any) -> Sessions:
    return Sessions(path, OPTIONS, clock)


def test_a_session_survives_a_restart(sessions: Sessions, path: Path, clock: Any) -> None:
    token = sessions.begin("kim", "password")
    device = sessions.device("kim")
    sessions.save()
    assert path.stat().st_mode & 0o777 == 0o600
    assert token not in path.read_text()
    later = Sessions(path, OPTIONS, clock)
    found = later.find(token)
    assert found is not None
    assert found.user == "kim"
    assert later.knows(device, "KIM")


def test_every_token_is_another(sessions: Sessions) -> None:
    tokens = {sessions.begin("kim", "password") for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == 43 for token in tokens)  # 256 bits


def test_an_unused_session_ends(sessions: Sessions, clock: Any) -> None:
    token = sessions.begin("kim", "password")
    clock.seconds += HOUR - 1
    assert sessions.find(token) is not None
    clock.seconds += HOUR - 1
    assert sessions.find(token) is not None  # it was used meanwhile
    clock.seconds += HOUR
    assert sessions.find(token) is None


def test_a_used_session_ends_too(sessions: Sessions, clock: Any) -> None:
    token = sessions.begin("kim", "password")
    for _ in range(23):
        clock.seconds += HOUR / 2
        assert sessions.find(token) is not None
    clock.seconds += HOUR / 2
    assert sessions.find(token) is None


def test_a_clock_that_is_put_back_lengthens_none(sessions: Sessions, clock: Any) -> None:
    token = sessions.begin("kim", "password")
    clock.seconds -= 24 * HOUR
    assert sessions.find(token) is None


def test_sessions_end_by_token_and_by_user(sessions: Sessions) -> None:
    one, two, other = (sessions.begin(user, "password") for user in ("kim", "kim", "lee"))
    sessions.end(one)
    assert sessions.find(one) is None
    assert sessions.find(two) is not None
    mine = sessions.begin("kim", "password")
    sessions.end_of("kim", but=mine)
    assert sessions.find(two) is None
    assert sessions.find(mine) is not None
    assert sessions.find(other) is not None


@pytest.mark.parametrize("token", ["", "guess", "\ud800", "x" * 10_000_000])
def test_what_is_no_token(sessions: Sessions, token: str) -> None:
    sessions.begin("kim", "password")
    assert sessions.find(token) is None


def test_what_is_remembered_is_bounded(sessions: Sessions, clock: Any) -> None:
    first = sessions.begin("kim", "password")
    for n in range(MOST):
        clock.seconds += 0.001
        sessions.begin(f"user{n}", "password")
    assert len(sessions._sessions) == MOST
    assert sessions.find(first) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"secret": "x", "sessions": {}}'])
def test_a_damaged_file_ends_all_sessions(
    path: Path, clock: Any, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    sessions = Sessions(path, OPTIONS, clock)
    assert "all must log in anew" in caplog.text
    token = sessions.begin("kim", "password")
    sessions.save()
    assert Sessions(path, OPTIONS, clock).find(token) is not None


def test_a_full_disk_keeps_nobody_out(
    sessions: Sessions, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir()
    token = sessions.begin("kim", "password")
    sessions.save()
    assert "a restart ends sessions" in caplog.text
    assert sessions.find(token) is not None
    path.rmdir()
    sessions.save()
    assert path.is_file()
