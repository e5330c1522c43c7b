"""A clock that stands, and the keeper of a door that nobody has come through yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from deungdae.app.auth import Doorkeeper, Role, Sessions, Users, WebOptions
from deungdae.core.clock import RealClock
from deungdae.core.types import SECOND


class StandingClock(RealClock):
    """A clock that a test moves on. waits: every sleep that was asked for, s."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def now(self) -> int:
        return 1_800_000_000 * SECOND + int(self.seconds * SECOND)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def users(tmp_path: Path, clock: StandingClock) -> Users:
    """Give users of whom there is none yet."""
    return Users(tmp_path / "users.json", clock, ("brickworks",))


@pytest.fixture
def keeper(tmp_path: Path, clock: StandingClock, users: Users) -> Doorkeeper:
    """Give a keeper on loopback, with the users admin and kim, an operator."""
    users.add("admin", "admin", Role.ADMINISTRATOR)
    users.add("kim", "김반장", Role.OPERATOR)
    users.choose("kim", "a quiet kiln at night")
    options = WebOptions()
    sessions = Sessions(tmp_path / "sessions.json", options, clock)
    return Doorkeeper("secret", options, users, sessions, clock)
