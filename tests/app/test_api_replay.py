"""A line as it was, over HTTP: states, buffers, where the records end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from deungdae.core.clock import from_iso, to_iso
from deungdae.core.types import HOUR, MILLISECOND, MINUTE, SECOND, Event

LINE = """
[stations.press1]
cycle = 10
to = "green"
[stations.kiln1]
cycle = 12
from = "green"
[buffers.green]
capacity = 6
"""


@pytest.fixture
def factory_text(factory_text: str, tmp_path: Path) -> str:
    """Give a factory with a twin."""
    (tmp_path / "line.toml").write_text(LINE)
    twin = '[twin.works]\ntype = "monitor"\nline = "line.toml"\nasset = "line1"\nevery = 86400\n'
    parts = '[[signals]]\nid = "press1.part"\nkind = "scan"\n'
    parts += '[[signals]]\nid = "kiln1.part"\nkind = "scan"\n'
    return factory_text.partition("[decide.zone]")[0] + parts + twin


def state(asset: str, time: int, word: str, status: int = 0) -> Event:
    return Event(id=f"{asset}.state", time=time, kind="state", value=word, status=status)


@pytest.fixture
async def told(house: Any) -> int:
    """Let the line have worked from three hours ago on for an hour; give when it began."""
    begun = int(house.runtime.clock.now()) - 3 * HOUR
    gap = {"until": str(begun + 55 * MINUTE), "reason": "the platform was not running"}
    await house.runtime.intake.put(
        (
            state("press1", begun, "running"),
            state("kiln1", begun, "starved"),
            Event(id="press1.part", time=begun + MINUTE, kind="scan", value="B1"),
            Event(id="press1.part", time=begun + 2 * MINUTE, kind="scan", value="B2"),
            state("kiln1", begun + 10 * MINUTE, "down"),
            state("kiln1", begun + 30 * MINUTE, "running"),
            Event(id="kiln1.part", time=begun + 40 * MINUTE, kind="scan", value="B1"),
            state("press1", begun + 50 * MINUTE, "", status=2),
            Event(id="kiln1.state", time=begun + 50 * MINUTE, kind="gap", value="away", data=gap),
        )
    )
    await house.settle()
    return begun


async def replay(looker: httpx.AsyncClient, start: int, end: int, **more: str) -> httpx.Response:
    span = {"from": to_iso(start), "to": to_iso(end)}
    return await looker.get("/api/v1/replay", params=span | more)


async def test_states_and_buffers_of_a_past_hour(looker: httpx.AsyncClient, told: int) -> None:
    found = (await replay(looker, told, told + HOUR)).json()
    kiln, press = found["states"]["kiln1"], found["states"]["press1"]
    assert kiln["state"] == ["starved", "down", "running", ""]
    assert kiln["time"][1] == (told + 10 * MINUTE) // MILLISECOND
    assert (kiln["status"][-1], press["status"][-1]) == (2, 2)  # nobody knows
    assert from_iso(found["first"]) == told
    levels = dict(zip(found["times"], found["levels"]["green"], strict=True))

    def level(minutes: float) -> int:
        moment = (told + round(minutes * MINUTE)) // MILLISECOND
        return levels[max(time for time in levels if time <= moment)]

    assert [level(each) for each in (0.9, 1.5, 5, 29, 31, 49)] == [0, 1, 2, 1, 1, 0]


async def test_what_held_when_the_period_began_is_told(
    looker: httpx.AsyncClient, told: int
) -> None:
    found = (await replay(looker, told + 12 * MINUTE, told + 20 * MINUTE)).json()
    assert found["states"]["kiln1"]["state"] == ["down"]
    assert found["first"] is None


async def test_a_period_without_records_says_so(looker: httpx.AsyncClient, told: int) -> None:
    found = (await replay(looker, told - 2 * HOUR, told - HOUR)).json()
    assert (found["first"], found["last"], found["states"]) == (None, None, {})
    assert set(found["levels"]["green"]) == {0}


async def test_what_cannot_be_played(looker: httpx.AsyncClient, told: int) -> None:
    assert (await replay(looker, told - 30 * HOUR, told)).status_code == 413
    assert (await replay(looker, told + 9 * HOUR, told + 10 * HOUR)).status_code == 422
    assert (await replay(looker, told, told + HOUR, twin="other")).status_code == 404
    whole = (await replay(looker, told, told + 20 * HOUR)).json()
    assert from_iso(whole["end"]) <= told + 3 * HOUR + MINUTE  # the future is not played


async def test_too_many_changes_are_thinned_and_told(
    looker: httpx.AsyncClient, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deungdae.app.api.replay.MOST", 4)
    found = (await replay(looker, told, told + HOUR)).json()
    assert found["thinned"] >= SECOND // MILLISECOND
    assert sum(len(row["time"]) for row in found["states"].values()) <= 4
