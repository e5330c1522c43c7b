"""How long a connection was open: from what it brought, and from when somebody was there to see."""

from __future__ import annotations

import httpx
import numpy as np

from deungdae.app.api.connections import STEP, STEPS, availability
from deungdae.core.ports import Rollup
from deungdae.core.types import DAY, HOUR

T0 = 20_000 * DAY


def rolled(*buckets: tuple[int, int, float]) -> Rollup:
    """Return buckets of (step, good samples, share that is bad)."""
    start = np.asarray([T0 + step * STEP for step, _, _ in buckets], np.int64)
    none = np.full(len(buckets), np.nan)
    return Rollup(
        start,
        np.asarray([count for _, count, _ in buckets], np.int64),
        none, none, none, none, none,
        np.asarray([bad for _, _, bad in buckets], np.float64),
    )  # fmt: skip


ALL = [T0 + step * STEP for step in range(STEPS)]


def test_what_tells_only_changes_stays_as_it_was() -> None:
    told = availability([rolled((2, 5, 0.0), (6, 0, 1.0), (9, 3, 0.1))], [], ALL, T0)
    assert told[:12] == "--ooooxxxpoo"
    assert len(told) == STEPS


def test_while_nobody_was_there_nothing_is_known() -> None:
    ran = [moment for step, moment in enumerate(ALL) if not 4 <= step < 8]
    told = availability([rolled((2, 5, 0.0), (9, 5, 0.0))], [], ran, T0)
    assert told[:11] == "--oo-----oo"


def test_who_has_no_numbers_is_known_by_its_sign_of_life() -> None:
    told = availability([], [T0 + HOUR + 1], ALL, T0)
    assert told[:9] == "----oooo-"


def test_a_better_signal_speaks_for_the_machine() -> None:
    told = availability([rolled((1, 0, 1.0)), rolled((1, 9, 0.0))], [], ALL, T0)
    assert told[:3] == "-po"


async def test_every_door_says_what_came(actor: httpx.AsyncClient) -> None:
    kiln, press = (await actor.get("api/v1/connections")).raise_for_status().json()
    assert (kiln["name"], kiln["type"], kiln["signals"], kiln["heard"]) == (
        "kiln",
        "simulated",
        2,
        2,
    )
    assert kiln["items"] > 0
    assert kiln["last"].startswith("20")
    assert (press["signals"], press["heard"]) == (3, 2)
    day = (await actor.get("api/v1/connections/day")).raise_for_status().json()
    assert day["step"] == 900
    assert set(day["machines"]) == {"kiln", "press"}
    assert day["machines"]["kiln"].endswith("o")
