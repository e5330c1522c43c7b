"""What people decide holds for what they saw: what has changed since is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from .conftest import House


async def proposal(actor: httpx.AsyncClient) -> Any:
    """Return what waits for a person, when something does."""
    await actor.post("/api/v1/gate/mode", json={"person": "kim", "mode": "approve"})
    async with asyncio.timeout(10):
        while not (waiting := (await actor.get("/api/v1/gate")).json()["proposals"]):
            await asyncio.sleep(0.05)
    return waiting[0]["command"]


async def test_nothing_is_approved_blindly(actor: httpx.AsyncClient) -> None:
    command = await proposal(actor)
    path = f"/api/v1/proposals/{command['id']}/approve"
    seen = {"person": "kim", "value": command["value"], "expires": command["expires"]}
    for change in ({"value": command["value"] + 1}, {"expires": "2026-01-01T00:00:00Z"}):
        answer = await actor.post(path, json=seen | change)
        assert (answer.status_code, answer.json()["rule"]) == (409, "changed"), answer.text
    answer = await actor.post(path, json=seen)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] == "written"
    again = await actor.post(path, json=seen)
    assert (again.status_code, again.json()["rule"]) == (409, "no-proposal")


async def test_a_mode_that_somebody_else_changed_is_not_changed_again(
    actor: httpx.AsyncClient, house: House
) -> None:
    wish = {"person": "kim", "mode": "shadow", "reason": "trial", "seen": "auto"}
    assert (await actor.post("/api/v1/gate/mode", json=wish)).json()["mode"] == "shadow"
    answer = await actor.post("/api/v1/gate/mode", json=wish | {"mode": "off"})
    assert (answer.status_code, answer.json()["rule"]) == (409, "changed")
    assert "shadow by now" in answer.json()["error"]
    (entry,) = (each for each in house.journal.read(0, 2**62) if each.kind == "mode")
    assert (entry.data["before"], entry.data["what"]) == ("auto", "shadow")
    assert entry.data["reason"] == "trial"


async def test_a_set_point_that_somebody_else_changed_is_not_changed_again(
    actor: httpx.AsyncClient,
) -> None:
    wish = {"set_point": 1160.0, "seen": 1150.0, "person": "kim", "reason": "order 7"}
    assert (await actor.post("/api/v1/loops/zone", json=wish)).status_code == 200
    answer = await actor.post("/api/v1/loops/zone", json=wish | {"set_point": 1170.0})
    assert (answer.status_code, answer.json()["rule"]) == (409, "changed")
