"""What was used over a period, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from deungdae.core.types import HOUR, MINUTE, Batch

TOML = """
[[signals]]
id = "press1.energy"
unit = "kW.h"

[insight.site]
type = "energy"
asset = "works"
meters.press1 = { energy = "press1.energy", rated = 60 }
co2 = { factor = 0.5, year = 2023 }
"""


@pytest.fixture
async def metered(house: Any, actor: httpx.AsyncClient) -> Any:
    """Give the factory with a meter that told 5 kWh in each quarter of the hour before now."""
    file = house.runtime.factory.path
    file.write_text(file.read_text() + TOML)
    assert (await actor.post("/api/v1/reload")).status_code == 200
    runtime = house.runtime
    handle = runtime.live.handles["press1.energy"]
    end = runtime.clock.now() // (15 * MINUTE) * (15 * MINUTE)
    times = [end - HOUR + n * 15 * MINUTE for n in range(5)]
    values = [100.0 + 5 * n for n in range(5)]
    runtime.store.append([Batch.of([handle] * 5, times, values, received=end)])
    return end - HOUR, end


async def test_a_period_is_accounted_for(actor: httpx.AsyncClient, metered: Any) -> None:
    start, end = metered
    told = (await actor.get(f"/api/v1/energy?from={start}&to={end}")).json()
    assert (told["origin"], told["asset"], told["energy"]["value"]) == ("site", "works", 20.0)
    assert told["co2"] == 10.0
    assert told["machines"][0]["asset"] == "press1"
    assert [block["value"] for block in told["load"]] == [20.0] * 4
    assert told["peak"]["value"] == 20.0


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("from=2020-01-01&to=2020-01-02", 409, "no energy was told"),
        ("from=2020-01-01", 413, "shorter period"),
        ("from=-1h&origin=sit", 404, "did you mean site?"),
        ("from=yesterday", 422, "is no time"),
    ],
)
async def test_what_cannot_be_told_is_said(
    actor: httpx.AsyncClient, metered: Any, query: str, status: int, words: str
) -> None:
    answer = await actor.get(f"/api/v1/energy?{query}")
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


async def test_without_an_analysis_it_says_what_to_write(actor: httpx.AsyncClient) -> None:
    answer = await actor.get("/api/v1/energy?from=-1h")
    assert (answer.status_code, "[insight.energy]" in answer.json()["remedy"]) == (404, True)
