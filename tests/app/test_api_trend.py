"""Trends over HTTP: what is asked in the wrong way is said, what is asked well fits a screen."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest

from deungdae.app.api import trend
from deungdae.core.types import DAY, MINUTE, SECOND, Batch

from .conftest import House  # type: ignore[import-not-found]

ID = "kiln1.temperature"


async def ask(looker: httpx.AsyncClient, **asked: Any) -> Any:
    return await looker.get("api/v1/trend", params={"id": ID, "from": "-1h", **asked})


async def past(house: House, n: int, step: int) -> int:
    """Let the kiln have told n samples in the past; return when the first was."""
    start = house.runtime.clock.now() - 20 * DAY
    handle = house.runtime.live.handles[ID]
    times = [start + k * step for k in range(n)]
    batch = Batch.of([handle] * n, times, [float(k) for k in range(n)], received=start)
    await house.runtime.intake.put(batch)
    await house.settle()
    return start


async def test_few_samples_are_told_one_by_one(house: House, looker: httpx.AsyncClient) -> None:
    start = await past(house, 50, SECOND)
    told = (await ask(looker, **{"from": start, "to": start + MINUTE})).json()
    (curve,) = told["signals"]
    assert curve["shape"] == "samples"
    assert curve["signal"]["high"] == 1500
    assert curve["time"] == [1000.0 * k for k in range(50)]
    assert curve["value"] == [float(k) for k in range(50)]
    assert curve["before"] is None


async def test_many_samples_become_buckets(house: House, looker: httpx.AsyncClient) -> None:
    start = await past(house, 600, SECOND)
    asked = {"from": start, "to": start + 10 * MINUTE, "points": 20}
    (curve,) = (await ask(looker, **asked)).json()["signals"]
    assert curve["shape"] == "buckets"
    assert curve["every"] == 30_000
    assert len(curve["time"]) <= 21
    assert sum(curve["count"]) == 600
    assert curve["minimum"][0] == 0
    assert curve["maximum"][-1] == 599
    assert curve["gaps"] == []


async def test_words_are_told_as_such(looker: httpx.AsyncClient) -> None:
    (curve,) = (await ask(looker, id="press1.state")).json()["signals"]
    assert curve["shape"] == "words"
    assert curve["words"][0] in ("running", "idle", "down", "waiting", "setup")


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"id": "kiln1.temperatur"}, 404, "kiln1.temperature"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, 422, "after"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T09:00:00+09:00"}, 422, "same moment"),
        ({"from": "1800-01-01"}, 422, "200 years"),
        ({"from": "yesterday"}, 422, "no time"),
        ({"points": 5}, 422, "10"),
        ({"points": 100_000}, 422, "4000"),
        ({"id": [f"a.{n}" for n in range(30)]}, 422, "20"),
        ({"id": []}, 422, "id"),
    ],
)
async def test_what_is_wrong_is_said(
    looker: httpx.AsyncClient, asked: dict[str, Any], status: int, words: str
) -> None:
    answer = await ask(looker, **asked)
    assert answer.status_code == status
    assert words in answer.text


async def test_a_period_without_data_is_one_gap(looker: httpx.AsyncClient) -> None:
    asked = {"from": "2001-01-01", "to": "2003-01-01"}
    told = (await ask(looker, **asked)).json()
    (curve,) = told["signals"]
    assert curve["time"] == []
    (gap,) = curve["gaps"]
    assert (gap["since"], gap["until"], gap["why"]) == (0, 730 * 86_400_000, "silent")


async def test_all_samples_are_given_as_a_file(
    house: House, looker: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = await past(house, 30, SECOND)
    asked = {"id": [ID, "press1.state"], "from": start, "to": start + MINUTE}
    text = (await looker.get("api/v1/trend/samples", params=asked)).text
    assert text.splitlines()[0] == '"id","time","value","status"'
    assert len(text.splitlines()) == 31
    answer = await looker.get("api/v1/trend/samples", params={**asked, "format": "parquet"})
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("value").to_pylist() == [float(n) for n in range(30)]
    monkeypatch.setattr(trend, "SAMPLES", 0)
    whole = await looker.get("api/v1/trend/samples", params=asked | {"to": start + DAY})
    assert whole.status_code == 413
    nothing = {**asked, "from": "2001-01-01", "to": "2001-01-02"}
    assert len((await looker.get("api/v1/trend/samples", params=nothing)).text.splitlines()) == 1


async def test_strangers_are_told_nothing(stranger: httpx.AsyncClient) -> None:
    assert (await ask(stranger)).status_code == 401
    assert (await stranger.get("api/v1/trend/samples?id=a&from=-1h")).status_code == 401
