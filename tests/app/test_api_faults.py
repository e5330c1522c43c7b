"""Faults of virtual machines by command, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

PATH = "/api/v1/virtual/meter/faults"


@pytest.fixture
def factory_text(factory_text: str, free_port: Callable[[], int]) -> str:
    """Give a factory with a virtual machine."""
    virtual = f"""
[virtual.meter]
type = "modbus"
model = "kiln"
port = {free_port()}
"""
    return factory_text + virtual


async def test_a_fault_begins_and_ends(actor: httpx.AsyncClient, house: Any) -> None:
    (before,) = (await actor.get("/api/v1/virtual")).json()
    assert before == {"name": "meter", "type": "modbus", "state": "online", "faults": []}
    fault = {"kind": "freeze", "quantity": "temperature", "seconds": 0}
    answer = await actor.post(PATH, json={"person": "Kim", **fault})
    assert answer.status_code == 200, answer.text
    assert answer.json()["faults"] == [{**fault, "amount": 5.0}]
    await actor.post(PATH, json={"person": "Kim", "kind": "slow", "amount": 0.1})
    answer = await actor.delete(PATH, params={"person": "Lee", "kind": "freeze"})
    assert [each["kind"] for each in answer.json()["faults"]] == ["slow"]
    assert (await actor.delete(PATH, params={"person": "Lee"})).json()["faults"] == []
    told = [each for each in house.journal.read(0, 2**63 - 1) if "fault" in each.kind]
    assert [(each.kind, each.who) for each in told] == [
        ("virtual-fault", "Kim"),
        ("virtual-fault", "Kim"),
        ("virtual-fault-cleared", "Lee"),
        ("virtual-fault-cleared", "Lee"),
    ]
    assert told[0].data["machine"] == "meter"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "freeze", "quantity": "colour"}, "colour"),
        ({"kind": "slow", "amount": -1}, "slow"),
        ({"kind": "drop", "quantity": "temperature"}, "drop"),
        ({"kind": "explode"}, "kind"),
    ],
)
async def test_an_absurd_fault_is_refused(
    actor: httpx.AsyncClient, given: dict[str, object], said: str
) -> None:
    answer = await actor.post(PATH, json={"person": "Kim", **given})
    assert (answer.status_code, said in answer.json()["error"]) == (422, True)


async def test_faults_need_the_role_and_a_machine(
    looker: httpx.AsyncClient, actor: httpx.AsyncClient
) -> None:
    assert (await looker.post(PATH, json={"person": "Kim", "kind": "drop"})).status_code == 403
    assert (await looker.delete(PATH, params={"person": "Kim"})).status_code == 403
    wrong = await actor.post("/api/v1/virtual/metre/faults", json={"person": "Kim", "kind": "drop"})
    assert (wrong.status_code, "meter" in wrong.json()["remedy"]) == (404, True)
