"""An inspection beside a golden image, taught over HTTP by what people said of its parts."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deungdae.core.types import MINUTE, SECOND, Event, Finding
from deungdae.insight.vision.labels import event
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

[insight.print]
type = "golden"
signal = "camera1.image"
"""
PARTS = 60  # every other one is bad, and people said so


def sheet(random: np.random.Generator | None = None, *, bad: bool = False) -> bytes:
    """Return a right sheet, or one with dust on it, and where it is bad with a gap."""
    pixels: NDArray[np.uint8] = np.full((72, 96, 3), 225, np.uint8)
    for left in range(6, 90, 28):
        pixels[8:64, left : left + 6] = 30
    if random is not None:
        x, y = random.integers(4, 88), random.integers(12, 50)
        pixels[66:69, x : x + 3] = 30
        if bad:
            pixels[y : y + 7, 34:40] = 225
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(params=["", "golden"])
def golden(request: pytest.FixtureRequest) -> str:
    """Give the folder that the table names."""
    return str(request.param)


@pytest.fixture
def factory_text(golden: str, tmp_path: Path) -> str:
    if golden:
        (tmp_path / golden).mkdir()
        (tmp_path / golden / "right.png").write_bytes(sheet())
    return FACTORY.replace("[decide.gate]", f'{CAMERA}golden = "{golden}"\n\n[decide.gate]', 1)


@pytest.fixture
async def line(house: House) -> House:
    random = np.random.default_rng(1)
    blobs = Blobs(house.runtime.factory.path.parent / "images")
    now = house.runtime.clock.now()
    items: list[Event | Finding] = []
    for n in range(PARTS):
        content = sheet(random, bad=n % 2 == 1)
        ref, time = await asyncio.to_thread(blobs.put, content), now - MINUTE - n * SECOND
        data = {"serial": f"B{n}"}
        items.append(
            Event(id="camera1.image", time=time, kind="image", value=ref, received=time, data=data)
        )
        evidence = {"image": ref, "serial": f"B{n}", "verdict": "reject"}
        finding = Finding(origin="print", asset="camera1", name="inspection", start=time, end=time,
                          value=3.0, evidence=evidence)  # fmt: skip
        said = "reject" if n % 2 else "good"
        items += [finding, event("camera1.image", finding, said, "kim", time + SECOND)]
    await asyncio.to_thread(house.runtime.store.append, items)
    return house


async def trained(actor: httpx.AsyncClient) -> dict[str, Any]:
    asked = {"seconds": 30, "person": "kim", "false_reject": 0.1}
    begun = await actor.post(f"{PATH}/print/train", json=asked)
    assert begun.status_code == 200, begun.text
    while True:
        (told,) = (await actor.get(PATH)).json()
        if told["training"]["state"] != "running":
            return dict(told)
        await asyncio.sleep(0.3)


async def test_it_learns_where_the_golden_image_is_known(
    actor: httpx.AsyncClient, line: House, golden: str
) -> None:
    told = await trained(actor)
    if not golden:
        assert told["training"]["state"] == "failed"
        assert "nobody has said which image is the golden one" in told["training"]["problem"]
        return
    assert told["training"]["state"] == "done", told["training"]
    (version,) = told["versions"]
    assert version["method"] == "beside the golden image"
    assert told["shadow"] == version["version"]
    # rejecting whatever differed, as the analysis did, costs more
    assert version["compared"]["verdict"] == "better"
    assert version["compared"]["old"]["falsely_rejected"] > 0
