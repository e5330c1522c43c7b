"""How long whoever guesses must wait."""

from __future__ import annotations

from typing import Any

from deungdae.app.auth.limits import FORGIVEN, REMEMBERED, Limits


def test_the_wait_grows_and_is_forgiven(clock: Any) -> None:
    limits = Limits(clock, free=3, longest=10)
    waits = []
    for _ in range(9):
        limits.failed("key")
        waits.append(limits.wait("key"))
    assert waits == [0, 0, 1, 2, 4, 8, 10, 10, 10]
    clock.seconds += 4
    assert limits.wait("key") == 6
    clock.seconds += FORGIVEN
    assert limits.wait("key") == 0
    assert limits.wait("other") == 0


def test_what_is_remembered_is_bounded(clock: Any) -> None:
    limits = Limits(clock, free=1, longest=10)
    for n in range(2 * REMEMBERED):
        limits.failed(f"key {n}")
    assert len(limits) == REMEMBERED
    assert limits.wait(f"key {2 * REMEMBERED - 1}") == 1
