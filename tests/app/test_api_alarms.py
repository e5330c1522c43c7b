"""Alarms over HTTP: what is listed, what people do with them, and what a restart remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deungdae.app import describe
from deungdae.app.auth import WebOptions
from deungdae.core.errors import FactoryError
from deungdae.core.types import SECOND, Event, Finding

from .conftest import FACTORY, House

ID = "kiln1.overheat"


@pytest.fixture
def factory_text() -> str:
    return FACTORY + '[machines.lost]\ntype = "modbus"\nurl = "tcp://127.0.0.1:9"\n'


async def tell(house: House, value: str = "active", id: str = ID, **data: str) -> None:
    now = house.runtime.clock.now()
    event = Event(id=id, time=now, kind="alarm", value=value, received=now, data=data)
    await house.runtime.intake.put((event,))


async def shown(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get("/api/v1/alarms")
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["alarms"]}


async def found(client: httpx.AsyncClient, id: str, state: str = "unacknowledged") -> Any:
    """Return an alarm when it is in a state."""
    async with asyncio.timeout(10):
        while True:
            alarms = await shown(client)
            if id in alarms and alarms[id]["state"] == state:
                return alarms[id]
            await asyncio.sleep(0.05)


async def known(client: httpx.AsyncClient) -> None:
    """Return when the alarms of the history are known."""
    async with asyncio.timeout(10):
        while not (await client.get("/api/v1/alarms")).json()["known"]:
            await asyncio.sleep(0.05)


async def acknowledge(client: httpx.AsyncClient, person: str, *alarms: Any) -> Any:
    wanted = [{"id": each["id"], "seen": each["seen"]} for each in alarms]
    answer = await client.post(
        "/api/v1/alarms/acknowledge", json={"alarms": wanted, "person": person}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def client(actor: httpx.AsyncClient) -> httpx.AsyncClient:
    await known(actor)
    return actor


async def test_of_two_who_acknowledge_at_once_one_does(
    house: House, client: httpx.AsyncClient
) -> None:
    await tell(house, message="<script>alert(1)</script>", severity="900")
    alarm = await found(client, ID)
    assert alarm["text"] == "<script>alert(1)</script>"
    assert alarm["priority"] == "critical"
    both = await asyncio.gather(
        acknowledge(client, "kim", alarm), acknowledge(client, "lee", alarm)
    )
    done = (await found(client, ID, "acknowledged"))["person"]
    assert sum(len(each["done"]) for each in both) >= 1
    again = await acknowledge(client, "park", alarm)
    assert again == {"done": [], "left": {ID: f"{done} did it already"}}
    entries = [each for each in house.journal.read(0, 2**62) if each.kind == "alarm"]
    assert entries[0].data == {"what": "acknowledge", "alarms": [ID], "note": ""}


async def test_what_came_anew_after_somebody_looked_is_left(
    house: House, client: httpx.AsyncClient
) -> None:
    await tell(house)
    seen = await found(client, ID)
    await tell(house, "normal")
    await tell(house)
    told = await acknowledge(client, "kim", seen)
    assert told["left"] == {ID: "it came anew meanwhile: look again"}
    assert (await shown(client))[ID]["state"] == "unacknowledged"


async def test_what_has_returned_can_be_acknowledged_and_is_gone(
    house: House, client: httpx.AsyncClient
) -> None:
    await tell(house)
    await tell(house, "normal")
    alarm = await found(client, ID, "returned")
    assert (await acknowledge(client, "kim", alarm))["done"] == [ID]
    assert ID not in await shown(client)
    unknown = await acknowledge(client, "kim", {"id": "no.such", "seen": "1"})
    assert unknown["left"] == {"no.such": "there is no such alarm any more"}


async def test_shelving_needs_a_reason_and_an_end(house: House, client: httpx.AsyncClient) -> None:
    await tell(house)
    await found(client, ID)
    wish: dict[str, Any] = {"alarm": ID, "person": "kim", "minutes": 30, "reason": "sensor broken"}
    for change, status in (
        ({"reason": ""}, 422),
        ({"minutes": 0}, 422),
        ({"minutes": 481}, 409),
        ({"alarm": "kiln1.overhead"}, 404),
    ):
        answer = await client.post("/api/v1/alarms/shelve", json=wish | change)
        assert answer.status_code == status, answer.text
    assert "did you mean kiln1.overheat?" in answer.json()["remedy"]
    assert (await client.post("/api/v1/alarms/shelve", json=wish)).status_code == 200
    alarm = await found(client, ID, "shelved")
    assert (alarm["person"], alarm["note"]) == ("kim", "sensor broken")
    wish = {"alarm": ID, "person": "kim"}
    assert (await client.post("/api/v1/alarms/unshelve", json=wish)).status_code == 200
    await found(client, ID)


async def test_an_engineer_takes_out_of_service(house: House, client: httpx.AsyncClient) -> None:
    await tell(house)
    await found(client, ID)
    wish = {"alarm": ID, "out": True, "person": "kim", "reason": "no such sensor"}
    assert (await client.post("/api/v1/alarms/service", json=wish)).status_code == 200
    await found(client, ID, "out_of_service")


async def test_doors_and_findings_are_alarms_while_they_hold(
    house: House, client: httpx.AsyncClient
) -> None:
    door = await found(client, "machines.lost.offline")
    assert door["source"] == "door:machines.lost"
    now = house.runtime.clock.now()
    drift = Finding(
        origin="zone", asset="kiln1", name="drift", start=now - SECOND, end=now, severity=3,
        reason="too warm",
    )  # fmt: skip
    house.runtime.intake.conclude([drift])
    alarm = await found(client, "kiln1.zone.drift")
    assert (alarm["priority"], alarm["text"]) == ("high", "too warm")
    over = Finding(origin="zone", asset="kiln1", name="drift", start=now - SECOND, end=now + 1)
    house.runtime.intake.conclude([over])
    await found(client, "kiln1.zone.drift", "returned")


async def test_history_and_figures(house: House, client: httpx.AsyncClient) -> None:
    await tell(house, message="too hot")
    await acknowledge(client, "kim", await found(client, ID))
    await tell(house, "normal")
    await house.settle()
    told = (await client.get("/api/v1/alarms/history", params={"from": "-1h"})).json()
    own = [each for each in told["steps"] if each["alarm"] == ID]
    assert [each["what"] for each in own] == ["returned", "acknowledged", "told"]
    assert own[1]["person"] == "kim"
    newest = (
        await client.get(
            "/api/v1/alarms/history", params={"from": "-1h", "limit": 1, "asset": "kiln1"}
        )
    ).json()
    assert (len(newest["steps"]), newest["more"]) == (1, 2)
    figures = (await client.get("/api/v1/alarms/performance", params={"from": "-1h"})).json()
    assert {each["name"] for each in figures["figures"]} >= {"per_hour", "time_in_flood"}
    assert ID in [each["alarm"] for each in figures["actors"]]
    wrong = await client.get("/api/v1/alarms/performance", params={"from": "-0m"})
    assert wrong.status_code == 422


async def test_a_thousand_alarms_in_a_minute_are_listed_at_once(
    house: House, client: httpx.AsyncClient
) -> None:
    now = house.runtime.clock.now()
    events = tuple(
        Event(id=f"m{n}.fault", time=now, kind="alarm", value="on fire", received=now)
        for n in range(1000)
    )
    await house.runtime.intake.put(events)
    answer = (await client.get("/api/v1/alarms")).json()
    assert len(answer["alarms"]) >= 1000
    assert answer["flood"]["count"] >= 1000
    wanted = [each for each in answer["alarms"] if each["text"] == "on fire"]
    assert len((await acknowledge(client, "kim", *wanted))["done"]) == 1000


async def test_a_restart_remembers(
    tmp_path: Path,
    free_port: Callable[[], int],
    housed: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    wish = {"alarm": "kiln1.b", "person": "lee", "minutes": 60, "reason": "sensor"}
    options = WebOptions(port=free_port())
    async with housed(tmp_path, options) as house, house.client(**house.bearer) as client:
        await known(client)
        for id in ("kiln1.a", "kiln1.b", "kiln1.c"):
            await tell(house, id=id)
        await acknowledge(client, "kim", await found(client, "kiln1.a"))
        assert (await client.post("/api/v1/alarms/shelve", json=wish)).status_code == 200
        before = await shown(client)
    options = WebOptions(port=free_port())
    async with housed(tmp_path, options) as house, house.client(**house.bearer) as client:
        await known(client)
        after = await shown(client)
    names = ("kiln1.a", "kiln1.b", "kiln1.c")
    assert [after[id]["state"] for id in names] == ["acknowledged", "shelved", "unacknowledged"]
    for key in ("since", "person", "note", "done", "until"):
        assert [after[id].get(key) for id in names[:2]] == [before[id].get(key) for id in names[:2]]


async def test_what_was_agreed_holds_at_once_and_sources_that_are_gone_end(
    house: House, client: httpx.AsyncClient
) -> None:
    await tell(house)
    await found(client, ID)
    await found(client, "machines.lost.offline")
    file = house.runtime.factory.path
    rules = f'[alarms]\nrules = [{{ alarm = "{ID}", priority = "low", response = "look" }}]\n'
    file.write_text(FACTORY + rules)
    changes = (await client.post("/api/v1/reload")).json()["changes"]
    assert not any("alarms" in change for change in changes)
    await found(client, "machines.lost.offline", "returned")
    async with asyncio.timeout(10):
        while (await shown(client))[ID]["priority"] != "low":
            await asyncio.sleep(0.05)
    alarm = (await shown(client))[ID]
    assert (alarm["response"], alarm["state"]) == ("look", "unacknowledged")


def test_a_state_that_no_signal_tells_is_a_fault(tmp_path: Path) -> None:
    rule = '{ alarm = "x.*", suppressed_while = [{ signal = "press1.stat", states = ["off"] }] }'
    (tmp_path / "factory.toml").write_text(f"{FACTORY}\n[alarms]\nrules = [{rule}]\n")
    with pytest.raises(FactoryError) as caught:
        describe.read(tmp_path)
    (fault,) = caught.value.faults
    assert fault.key == "alarms.rules[0].suppressed_while"
    assert fault.remedy == "did you mean press1.state?"
