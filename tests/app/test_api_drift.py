"""How a trained inspection fares, over HTTP: its card and the history, no training."""

from __future__ import annotations

import asyncio
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from deungdae.core.types import HOUR, MINUTE, SECOND, Event, Finding
from deungdae.learn.drift import Window, look
from deungdae.learn.registry import Card, Move
from deungdae.wires.blobs import Blobs

from .conftest import House
from .test_api_models import CAMERA, FACTORY

PATH = "/api/v1/models/eye/drift"
FIRST, NOW = 100, 60
DARK = 40  # of NOW: from this one on the lamp is dim


@pytest.fixture
def factory_text() -> str:
    return FACTORY.replace("[decide.gate]", f"{CAMERA}\n[decide.gate]", 1)


def image(random: np.random.Generator, light: int) -> np.ndarray:
    grain = random.normal(light, 20 + random.normal(0, 2), (24, 24, 3)) + random.normal(0, 3)
    return np.clip(grain, 0, 255).astype(np.uint8)


@pytest.fixture
async def version(house: House) -> str:
    """Give the version of a model that advised on a line whose lamp grew dim an hour ago."""
    random, runtime = np.random.default_rng(1), house.runtime
    models, now = runtime.models, runtime.clock.now()
    assert models is not None
    looks = [look(image(random, 150)) for _ in range(200)]
    table = {key: [each[key] for each in looks] for key in looks[0]}
    window = Window.of({**table, "score": random.normal(0.1, 0.03, 200)})
    card = Card(
        name="eye", content="", method="marks", dataset="d@1", images=200, groups=200, bad=9,
        held_out=50, trained=now - 3 * HOUR, seed=1, seconds=9.0, accept=0.4, reject=0.6,
        escape=0.05, false_reject=0.05, window=window,
    )  # fmt: skip
    card = await asyncio.to_thread(models.add, card, b"a model")
    move = Move(version=card.version, stage="advise", person="kim", time=now - 3 * HOUR)
    await asyncio.to_thread(models.move, "eye", move)
    blobs = Blobs(runtime.factory.path.parent / "images")
    items: list[Event | Finding] = []
    for n in range(FIRST + NOW):
        late = n - FIRST
        time = now - 2 * HOUR + n * SECOND if late < 0 else now - 30 * MINUTE + late * SECOND
        file = io.BytesIO()
        Image.fromarray(image(random, 60 if late >= DARK else 150)).save(file, "PNG")
        ref = await asyncio.to_thread(blobs.put, file.getvalue()) if late >= 0 else f"gone{n}"
        evidence = {"image": ref, "serial": f"B{n}", "verdict": "pass",
                    "model": f"eye {card.version}", "stage": "advise"}  # fmt: skip
        value = float(random.normal(0.1, 0.03))
        items.append(
            Finding(origin="eye", asset="camera1", name="inspection", start=time, end=time,
                    value=value, evidence=evidence)
        )  # fmt: skip
    await asyncio.to_thread(runtime.store.append, items)
    return card.version


async def test_a_dim_lamp_is_told_with_its_time_and_remedy(
    looker: httpx.AsyncClient, version: str
) -> None:
    answered = await looker.get(PATH)
    assert answered.status_code == 200, answered.text
    told = answered.json()
    assert (told["version"], told["judged"], told["looked"]) == (version, NOW, NOW)
    (notice,) = (each for each in told["notices"] if "darker" in each["problem"])
    assert "clean the lamp" in notice["remedy"]
    assert notice["about"] == "images"
    states = {each["about"]: each["state"] for each in told["questions"]}
    assert states == {"images": "changed", "scores": "same", "errors": "unknown"}
    assert told["start"] < notice["since"] < told["end"]
    (light,) = (each for each in told["changes"] if each["name"] == "brightness")
    assert light["drifted"]
    assert [each["verdict"] for each in told["shares"]] == ["reject", "unsure"]
    assert told["betting"] < 100
    assert told["errors"]["bad_accepted"] is None
    assert (told["missing"], told["reason"]) == ([], "")


async def test_too_few_parts_and_no_model_are_said(looker: httpx.AsyncClient, version: str) -> None:
    told = (await looker.get(PATH, params={"from": "-1s"})).json()
    assert (told["judged"], told["notices"], told["errors"]) == (0, [], None)
    assert told["questions"] == []
    assert "judged 0 parts in this time: 30 are needed" in told["reason"]
    assert (await looker.get("/api/v1/models/ear/drift")).status_code == 404
    assert (await looker.get(PATH, params={"version": "0" * 12})).status_code == 404


async def test_before_anything_is_learnt(looker: httpx.AsyncClient, house: House) -> None:
    answered = await looker.get(PATH)
    assert (answered.status_code, answered.json()["remedy"]) == (404, "train it first")


async def test_strangers_are_told_nothing(stranger: httpx.AsyncClient, house: House) -> None:
    assert (await stranger.get(PATH)).status_code == 401
