"""What inspections have learnt, over HTTP: trained from the line, let judge, gone back from."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from deungdae.app import teaching
from deungdae.app.datasets import Shelf
from deungdae.core.types import MINUTE, SECOND, Event, Finding
from deungdae.insight.vision.labels import event
from deungdae.learn.inspection import is_held_out
from deungdae.sim.scene import KINDS, Defect, brick
from deungdae.wires.blobs import Blobs

from .conftest import FACTORY, House

PATH = "/api/v1/models"
CAMERA = """
[machines.camera]
type = "camera"
url = "http://127.0.0.1:9"
folder = "images"

[[signals]]
id = "camera1.image"
kind = "image"
source = "camera:image"

[insight.eye]
type = "vision"
signal = "camera1.image"
"""
GOOD, LOOKED, BAD = 30, 24, 22
MISSED = 2  # the inspection had let every second bad one pass


@pytest.fixture
def factory_text() -> str:
    return FACTORY.replace("[decide.gate]", f"{CAMERA}\n[decide.gate]", 1)


@pytest.fixture
async def line(house: House) -> House:
    """Give a line that inspected bricks; people looked at all bad ones, and at most good ones."""
    random = np.random.default_rng(1)
    blobs = Blobs(house.runtime.factory.path.parent / "images")
    now = house.runtime.clock.now()
    items: list[Event | Finding] = []
    for n in range(GOOD + BAD):
        flaws = [Defect(kind=KINDS[n % len(KINDS)], severity=1.0)] if n >= GOOD else []
        file = io.BytesIO()
        Image.fromarray(brick(random, defects=flaws, size=(90, 120)).pixels).save(file, "PNG")
        ref, time = await asyncio.to_thread(blobs.put, file.getvalue()), now - MINUTE - n * SECOND
        data = {"serial": f"B{n}"}
        items.append(
            Event(id="camera1.image", time=time, kind="image", value=ref, received=time, data=data)
        )
        verdict = "reject" if n >= GOOD and n % MISSED else "pass"
        evidence = {"image": ref, "serial": f"B{n}", "verdict": verdict}
        finding = Finding(origin="eye", asset="camera1", name="inspection", start=time, end=time,
                          value=1.0, evidence=evidence)  # fmt: skip
        items.append(finding)
        if n >= GOOD or n < LOOKED:
            said = "reject" if n >= GOOD else "good"
            items.append(event("camera1.image", finding, said, "kim", time + SECOND))
    await asyncio.to_thread(house.runtime.store.append, items)
    return house


async def trained(actor: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    """Return what the API tells of the model when a training has ended."""
    begun = await actor.post(f"{PATH}/eye/train", json={"seconds": 10, "person": "kim", **asked})
    assert begun.status_code == 200, begun.text
    while True:
        (told,) = (await actor.get(PATH)).json()
        if told["training"]["state"] != "running":
            return dict(told)
        await asyncio.sleep(0.3)


async def test_before_anything_is_learnt(actor: httpx.AsyncClient, house: House) -> None:
    (told,) = (await actor.get(PATH)).json()
    assert (told["name"], told["signal"], told["acting"]) == ("eye", "camera1.image", "")
    assert (told["versions"], told["training"]) == ([], None)
    told = await trained(actor)
    assert told["training"]["state"] == "failed"
    assert "not enough data: no image of camera1.image" in told["training"]["problem"]
    assert (await actor.post(f"{PATH}/ear/train", json={"person": "kim"})).status_code == 404


async def test_from_labels_to_judging_and_back(actor: httpx.AsyncClient, line: House) -> None:
    told = await trained(actor)
    assert told["training"]["state"] == "done", told["training"]
    assert (told["good"], told["bad"], told["shadow"]) == (LOOKED, BAD, told["training"]["version"])
    (first,) = told["versions"]
    kept = sum(is_held_out(f"B{n}") for n in range(GOOD + BAD))
    assert (first["held_out"], first["images"]) == (kept, GOOD + BAD - kept)
    assert (first["escape"], first["false_reject"]) == (0.05, 0.02)
    assert first["promised"]["escape"] is None  # so few bad parts carry no promise
    assert 0.02 < first["promised"]["false_reject"] < 0.1  # what so few good ones carry
    assert first["held_bad"] == sum(is_held_out(f"B{n}") for n in range(GOOD, GOOD + BAD))
    assert first["metrics"]["auroc"]["value"] > 0.8
    # against what was said then, on what people looked at
    held = [n for n in range(GOOD + BAD) if is_held_out(f"B{n}") and (n >= GOOD or n < LOOKED)]
    old = first["compared"]["old"]
    assert (first["compared"]["against"], old["good"] + old["bad"]) == ("", len(held))
    assert old["escaped"] == sum(n >= GOOD and n % MISSED == 0 for n in held) > 0
    assert "looked at by people" in " ".join(first["limits"])

    shelf = Shelf(line.history / "datasets")
    for each in first["dataset"].split(", "):
        assert shelf.verify(each) == []
        used = [entry.data["model"] for entry in shelf.log(each.partition("@")[0])
                if entry.kind == "use"]  # fmt: skip
        assert used == [first["version"]]

    wish = {"version": first["version"], "stage": "decide", "person": "kim"}
    refused = await actor.post(f"{PATH}/eye/stage", json=wish)
    assert (refused.status_code, refused.json()["rule"]) == (409, "stage")
    for stage in ("advise", "decide"):
        told = (await actor.post(f"{PATH}/eye/stage", json=wish | {"stage": stage})).json()
        assert (told["acting"], told["stage"]) == (first["version"], stage)
    (acting,) = line.runtime.models.appointed("eye")  # type: ignore[union-attr]
    assert (acting.version, acting.stage) == (first["version"], "decide")

    told = await trained(actor)  # nothing new to learn: what judges goes on judging
    assert told["training"]["version"] == told["acting"] == first["version"]

    told = await trained(actor, false_reject=0.2)
    learnt = {one for each in told["versions"] for one in each["dataset"].split(", ")}
    assert {card.id for card in shelf.cards("eye-recent")} <= learnt
    second = next(each for each in told["versions"] if each["version"] != first["version"])
    assert second["compared"]["against"] == first["version"]
    assert second["compared"]["new"]["bad"] == first["compared"]["new"]["bad"]  # the same ones
    if second["compared"]["verdict"] != "worse":
        up = {"version": second["version"], "stage": "advise", "person": "kim"}
        told = (await actor.post(f"{PATH}/eye/stage", json=up)).json()
        assert (told["acting"], told["before"]) == (second["version"], first["version"])
        back = up | {"version": first["version"]}
        told = (await actor.post(f"{PATH}/eye/stage", json=back)).json()
        assert told["acting"] == first["version"]
    out = (await actor.post(f"{PATH}/eye/stage", json=wish | {"version": "", "stage": ""})).json()
    assert (out["acting"], out["before"]) == ("", first["version"])
    kinds = [e["data"]["stage"] for e in (await actor.get("/api/v1/journal?from=-5m")).json()
             if e["kind"] == "model"]  # fmt: skip
    assert kinds.count("shadow") == 2
    assert "decide" in kinds

    path = line.history / "models" / "eye" / first["version"] / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    refused = await actor.post(f"{PATH}/eye/stage", json=wish | {"stage": "advise"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "tampered")
    (told,) = (await actor.get(PATH)).json()
    assert "changed after it was trained" in told["problem"]


async def test_a_training_can_be_stopped_and_only_one_runs(
    actor: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    monkeypatch.setattr(teaching, "cut", lambda *_: ("eye-recent@1",))

    async def forever(course: Any, tell: Any) -> Any:
        tell("good bricks", 0.25)
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(teaching, "attend", forever)
    await actor.post(f"{PATH}/eye/train", json={"person": "kim"})
    await begun.wait()
    (told,) = (await actor.get(PATH)).json()
    assert (told["training"]["what"], told["training"]["share"]) == ("good bricks", 0.25)
    again = await actor.post(f"{PATH}/eye/train", json={"person": "kim"})
    assert (again.status_code, again.json()["rule"]) == (409, "busy")
    assert (await actor.delete(f"{PATH}/eye/train")).status_code == 200
    while (await actor.get(PATH)).json()[0]["training"]["state"] == "running":
        await asyncio.sleep(0.01)
    (told,) = (await actor.get(PATH)).json()
    assert (told["training"]["state"], told["versions"]) == ("cancelled", [])


async def test_who_looks_may_not_train_or_appoint(looker: httpx.AsyncClient, house: House) -> None:
    assert (await looker.get(PATH)).status_code == 200
    assert (await looker.post(f"{PATH}/eye/train", json={})).status_code == 403
    wish = {"version": "0" * 12, "stage": "advise"}
    assert (await looker.post(f"{PATH}/eye/stage", json=wish)).status_code == 403


async def test_a_version_that_is_not_there(actor: httpx.AsyncClient, house: House) -> None:
    wish = {"version": "0" * 12, "stage": "advise", "person": "kim"}
    assert (await actor.post(f"{PATH}/eye/stage", json=wish)).status_code == 404
    for wrong in ({"version": "../x"}, {"stage": "rule"}):
        assert (await actor.post(f"{PATH}/eye/stage", json=wish | wrong)).status_code == 422
