"""A first run over HTTP: who may search where, what is drafted, what is wrong in a draft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deungdae.app import search as searching
from deungdae.core.clock import RealClock
from deungdae.core.types import DAY

from .conftest import FACTORY, House  # type: ignore[import-not-found]


async def searched(actor: httpx.AsyncClient, **body: object) -> Any:
    given = {"range": "127.0.0.1", "types": ["modbus"], "person": "kim"} | body
    return await actor.post("api/v1/search", json=given)


async def finished(actor: httpx.AsyncClient, path: str) -> Any:
    """Return what became of something that takes a while."""
    async with asyncio.timeout(20):
        while (told := (await actor.get(path)).json())["state"] == "running":
            await asyncio.sleep(0.05)
    return told


async def test_a_search_tells_how_far_it_is_and_is_journalled(
    actor: httpx.AsyncClient, house: House, free_port: Callable[[], int]
) -> None:
    port = free_port()
    begun = (await searched(actor, ports=str(port))).raise_for_status().json()
    assert begun["total"] == 1
    told = await finished(actor, f"api/v1/search/{begun['id']}")
    assert (told["state"], told["checked"], told["found"]) == ("done", 1, [])
    now = RealClock().now()
    (entry,) = [e for e in house.journal.read(now - DAY, now + DAY) if e.kind == "search"]
    assert entry.who == "kim"
    assert entry.data == {"range": "127.0.0.1", "types": ["modbus"], "ports": str(port),
                          "addresses": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"range": "10.0.0.0/8"}, "at most 1024"),
        ({"range": "<script>"}, "is no address"),
        ({"ports": "70000"}, "is no port"),
        ({"types": []}, "types"),
        ({"types": ["gopher"]}, "types"),
    ],
)
async def test_a_wrong_question_is_told(
    actor: httpx.AsyncClient, wrong: dict[str, object], words: str
) -> None:
    told = await searched(actor, **wrong)
    assert told.status_code == 422
    assert words in told.json()["error"]


async def test_beyond_the_house_it_must_be_confirmed(
    actor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(_: searching.Door) -> None:
        return None

    monkeypatch.setattr(searching, "ask", nobody)
    told = await searched(actor, range="8.8.8.8")
    assert (told.status_code, told.json()["rule"]) == (422, "public")
    assert (await searched(actor, range="8.8.8.8", confirmed=True)).status_code == 200


async def test_only_so_many_search_at_once_and_each_can_be_stopped(
    actor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_: searching.Door) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(searching, "ask", slow)
    ids = [(await searched(actor)).json()["id"] for _ in range(3)]
    told = await searched(actor)
    assert told.status_code == 409
    assert "of kim" in told.json()["error"]
    for id in ids:
        assert (await actor.delete(f"api/v1/search/{id}")).status_code == 200
    assert (await finished(actor, f"api/v1/search/{ids[0]}"))["state"] == "cancelled"
    assert (await searched(actor)).status_code == 200
    assert (await actor.get("api/v1/search/never")).status_code == 404


async def test_who_only_looks_searches_nothing(looker: httpx.AsyncClient) -> None:
    assert (await searched(looker)).status_code in (401, 403)


async def test_a_machine_that_is_gone_is_told_when_it_is_browsed(
    actor: httpx.AsyncClient, free_port: Callable[[], int]
) -> None:
    place = {"name": "gone", "type": "modbus", "url": f"tcp://127.0.0.1:{free_port()}"}
    begun = (await actor.post("api/v1/browse", json=place)).raise_for_status().json()
    told = await finished(actor, f"api/v1/browse/{begun['id']}")
    assert told["state"] == "failed"
    assert "127.0.0.1" in told["problem"]
    assert told["remedy"]


async def drafted(actor: httpx.AsyncClient, *signals: dict[str, str], **machine: str) -> Any:
    place = {"name": "oven", "title": "2호 <b>가마</b>", "type": "modbus",
             "url": "tcp://127.0.0.1:1", "settings": "period = 2"} | machine  # fmt: skip
    return await actor.post("api/v1/drafts", json={"machine": place, "signals": list(signals)})


async def test_a_draft_is_what_would_be_written(actor: httpx.AsyncClient) -> None:
    signal = {"id": "oven.temperature", "name": "온\n도", "address": "holding/0?float32",
              "unit": "Cel", "low": "0", "high": "900"}  # fmt: skip
    told = (await drafted(actor, signal)).raise_for_status().json()
    assert told["faults"] == []
    assert told["before"]["factory.toml"] == FACTORY
    added = told["after"]["factory.toml"].removeprefix(FACTORY.rstrip())
    assert added == (
        '\n\n[equipment.oven]\nname = "2호 <b>가마</b>"\n\n[machines.oven]\ntype = "modbus"\n'
        'url = "tcp://127.0.0.1:1"\nperiod = 2\n\n[[signals]]\nid = "oven.temperature"\n'
        'name = "온 도"\nunit = "Cel"\nsource = "oven:holding/0?float32"\nlow = 0.0\nhigh = 900.0\n'
    )
    body = {"files": told["after"], "versions": told["versions"], "person": "kim"}
    assert (await actor.put("api/v1/files", json=body)).status_code == 200
    again = await drafted(actor, signal)
    assert again.status_code == 422
    assert "is there already" in again.json()["faults"][0]


async def test_what_is_wrong_in_a_draft_is_told_by_row(actor: httpx.AsyncClient) -> None:
    good = {"id": "oven.a", "address": "holding/0"}
    told = (
        await drafted(
            actor,
            good,
            {"id": "Kein Name", "address": "holding/1"},
            {"id": "oven.c", "address": "nowhere/1"},
            {"id": "oven.a", "address": "holding/3"},
            {"id": "oven.e", "address": "holding/4", "unit": "degC"},
            {"id": "kiln1.valve", "address": "holding/5"},
        )
    ).json()
    found = [(each["row"], each["field"]) for each in told["faults"]]
    assert found == [(1, "id"), (2, "source"), (3, "id"), (4, "unit"), (5, "id")]
    told = (await drafted(actor, good, {"id": "oven.b", "low": "warm"})).json()
    assert [(each["row"], each["field"]) for each in told["faults"]] == [(1, "low")]


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"type": "modbuss"}, "no such driver"),
        ({"settings": "period = often"}, "no TOML"),
        ({"settings": "perriod = 2"}, "did you mean period?"),
        ({"settings": 'url = "x"\nurl = "y"'}, "no TOML"),
        ({"name": "Oven 1"}, "small letters"),
        ({"name": "kiln"}, "is there already"),
    ],
)
async def test_a_machine_that_cannot_be_is_told(
    actor: httpx.AsyncClient, machine: dict[str, str], words: str
) -> None:
    told = await drafted(actor, **machine)
    assert told.status_code == 422
    assert words in told.text
