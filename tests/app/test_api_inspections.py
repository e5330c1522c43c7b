"""What inspections said, and what people say of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from deungdae.core.clock import to_iso
from deungdae.core.types import MINUTE, Finding

PATH = "/api/v1/inspections"


def inspection(time: int, number: int, verdict: str) -> Finding:
    evidence = {"image": f"sha256:{number:064x}", "serial": f"B{number}", "verdict": verdict}
    return Finding(
        origin="eye",
        asset="camera1",
        name="inspection",
        start=time,
        end=time,
        value=float(number),
        evidence=evidence if verdict else {"image": evidence["image"]},
    )


@pytest.fixture
async def time(house: Any) -> int:
    """Return when the first of four images was inspected; each is a minute after the other."""
    start: int = house.runtime.clock.now() - 10 * MINUTE
    verdicts = ("pass", "reject", "", "reject")
    found = [inspection(start + n * MINUTE, n, verdict) for n, verdict in enumerate(verdicts)]
    house.runtime.store.append(found)
    return start


async def test_inspections_are_told_newest_first(actor: httpx.AsyncClient, time: int) -> None:
    told = (await actor.get(f"{PATH}?from=-1h&limit=3")).json()
    assert (told["inspected"], told["rejected"], told["unsure"]) == (4, 2, 1)
    assert [each["value"] for each in told["inspections"]] == [3.0, 2.0, 1.0]
    assert told["inspections"][0]["signal"] == "camera1.image"


@pytest.mark.parametrize(
    ("wanted", "values"), [("reject", [3.0, 1.0]), ("unsure", [2.0]), ("open", [3.0, 2.0, 1.0])]
)
async def test_some_are_looked_for(
    actor: httpx.AsyncClient, time: int, wanted: str, values: list[float]
) -> None:
    told = (await actor.get(f"{PATH}?from=-1h&wanted={wanted}")).json()
    assert [each["value"] for each in told["inspections"]] == values


async def test_people_are_asked_of_what_was_drawn_and_of_nothing_without_an_image(
    actor: httpx.AsyncClient, house: Any, time: int
) -> None:
    chosen = inspection(time + 5 * MINUTE, 4, "pass")
    chosen.evidence["drawn"] = "1 %"
    lost = inspection(time + 6 * MINUTE, 5, "reject")
    del lost.evidence["image"]
    house.runtime.store.append([chosen, lost])
    told = (await actor.get(f"{PATH}?from=-1h&wanted=open")).json()
    assert [each["value"] for each in told["inspections"]] == [4.0, 3.0, 2.0, 1.0]
    assert told["inspections"][0]["evidence"]["drawn"] == "1 %"


async def test_a_person_says_what_it_is_and_says_it_anew(
    actor: httpx.AsyncClient, house: Any, time: int
) -> None:
    said = {"origin": "eye", "time": to_iso(time + MINUTE), "verdict": "reject", "person": "kim"}
    answer = await actor.post(f"{PATH}/label", json=said)
    assert (answer.status_code, answer.json()["label"]) == (200, "reject")
    await actor.post(f"{PATH}/label", json=said | {"verdict": "good", "person": "lee"})
    missed = said | {"time": to_iso(time), "verdict": "reject"}
    await actor.post(f"{PATH}/label", json=missed)
    told = (await actor.get(f"{PATH}?from=-1h")).json()
    assert [each["label"] for each in told["inspections"]] == ["", "", "good", "reject"]
    assert told["inspections"][2]["person"] == "lee"
    assert told["agreement"] == {
        "looked_at": 2,
        "agreed": 0,
        "escaped": 1,
        "falsely_rejected": 1,
        "kappa": None,
    }
    still_open = (await actor.get(f"{PATH}?from=-1h&wanted=open")).json()
    assert [each["value"] for each in still_open["inspections"]] == [3.0, 2.0]
    entries = [entry for entry in house.journal.read(0, 2**62) if entry.kind == "label"]
    assert [(entry.who, entry.data["value"]) for entry in entries][1] == ("lee", "good")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"origin": "ear"}, 404, "ear inspected no image"),
        ({"time": "noon"}, 422, "'noon' is no time"),
        ({"verdict": "maybe"}, 422, "verdict"),
    ],
)
async def test_what_was_not_inspected_cannot_be_labelled(
    actor: httpx.AsyncClient, time: int, change: dict[str, str], status: int, words: str
) -> None:
    said = {"origin": "eye", "time": to_iso(time), "verdict": "good", "person": "kim"} | change
    answer = await actor.post(f"{PATH}/label", json=said)
    assert (answer.status_code, words in answer.text) == (status, True)
