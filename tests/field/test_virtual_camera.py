"""The simulated camera over HTTP: by plain requests, and by our own door, with every fault."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from deungdae.core.clock import RealClock, from_iso
from deungdae.core.errors import DoorError, Unreachable
from deungdae.core.types import SECOND, Event, Severity, Signal
from deungdae.machines.camera import Camera as Door
from deungdae.sim.plant import Quantity
from deungdae.sim.plant.parts import Frame
from deungdae.virtual import camera
from deungdae.virtual._faults import Fault
from deungdae.virtual.camera import Camera
from deungdae.wires.blobs import Blobs

CLOCK = RealClock()
WITHIN = 10.0
EYE = {1: Signal(id="inspection.eye.picture", kind="image", source="eye:image")}


class Line:
    """A plant whose pictures are taken by command."""

    quantities = (Quantity(name="light", unit="%"),)

    def __init__(self) -> None:
        self.shown: Frame | None = None
        self.count = 0

    def step(self, dt: float) -> None:
        self.passed = dt

    def get(self, name: str) -> float | str:
        if name != "light":
            raise ValueError(f"no quantity is called {name!r}")
        return 80.0

    def set(self, name: str, value: float) -> None:
        self.get(name)

    def frame(self) -> Frame | None:
        return self.shown

    def take(self, serial: str = "", skip: int = 0) -> Frame:
        self.count += 1 + skip
        pixels = np.full((24, 32, 3), self.count % 256, np.uint8)
        self.shown = Frame(self.count, serial or f"벽돌 {self.count}", pixels)
        return self.shown


@pytest.fixture
async def eye(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Camera]:
    monkeypatch.setattr(camera, "machine", lambda options: Line())
    options = Camera.Options(model="press", port=free_port(), step=0.01, format="png")
    bridge = Camera("eye", options, CLOCK)
    task = asyncio.create_task(bridge.serve())
    await until(lambda: bridge.health.state == "online")
    yield bridge
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert bridge.health.state == "stopped"


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():
            await asyncio.sleep(0.01)


def url(bridge: Camera, path: str = "/image") -> str:
    return f"http://127.0.0.1:{bridge.options.port}{path}"


def line(bridge: Camera) -> Line:
    assert isinstance(bridge.plant, Line)
    return bridge.plant


async def shown(bridge: Camera, serial: str = "") -> Frame:
    """Take a picture, and wait until the camera has it."""
    frame = line(bridge).take(serial)
    await until(lambda: bridge._shot is not None and bridge._shot.number == frame.number)
    return frame


async def ask(bridge: Camera, target: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        return await client.get(url(bridge, target), headers=headers)


def door(bridge: Camera, tmp_path: Path, path: str = "/image", **options: Any) -> Door:
    quick = {"period": 0.05, "timeout": 2.0, "silence": 1.0, "folder": str(tmp_path / "blobs")}
    return Door("eye", Door.Options(url=url(bridge, path), **(quick | options)), CLOCK)


@asynccontextmanager
async def listening(driver: Door) -> AsyncIterator[Callable[[int], Any]]:
    await driver.connect()
    stream = driver.stream(EYE)

    async def take(count: int) -> list[Event]:
        events: list[Event] = []
        async with asyncio.timeout(WITHIN):
            while len(events) < count:
                events += await anext(stream)  # type: ignore[arg-type]
        return events

    try:
        yield take
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()


async def test_the_latest_picture(eye: Camera) -> None:
    assert (await ask(eye, "/image")).status_code == 204
    frame = await shown(eye)
    before = CLOCK.now()
    reply = await ask(eye, "/image")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-frame"] == "1"
    assert reply.headers["x-serial"] == "%EB%B2%BD%EB%8F%8C 1"
    assert abs(from_iso(reply.headers["x-captured"]) - before) < 5 * SECOND
    with Image.open(io.BytesIO(reply.content)) as image:
        assert np.array_equal(np.asarray(image), frame.pixels)
    jpeg = await ask(eye, "/image", Accept="image/jpeg")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert jpeg.content.startswith(b"\xff\xd8\xff")
    again = await ask(eye, "/image", **{"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert jpeg.headers["etag"] != reply.headers["etag"]


async def test_the_next_picture_is_waited_for(eye: Camera) -> None:
    await shown(eye)
    asked = asyncio.create_task(ask(eye, "/image?after=1&wait=5"))
    await asyncio.sleep(0.05)
    assert not asked.done()
    await shown(eye, "B-2")
    reply = await asked
    assert (reply.headers["x-frame"], reply.headers["x-serial"]) == ("2", "B-2")
    assert (await ask(eye, "/image?after=2&wait=0.05")).status_code == 204
    assert (await ask(eye, "/image?after=two")).status_code == 400


async def test_the_status_and_what_is_not_there(eye: Camera) -> None:
    await shown(eye)
    eye.faults.put(Fault(kind="jump", amount=60))
    status = (await ask(eye, "/status")).json()
    assert (status["frame"], status["width"], status["height"]) == (1, 32, 24)
    assert status["quantities"] == {"light": 80.0}
    assert status["faults"][0]["kind"] == "jump"
    assert (await ask(eye, "/other")).status_code == 404
    async with httpx.AsyncClient(timeout=WITHIN) as client:
        assert (await client.post(url(eye))).status_code == 405


@pytest.mark.parametrize("path", ["/image", "", "/stream"])
async def test_our_door_takes_each_picture_once(eye: Camera, tmp_path: Path, path: str) -> None:
    frame = await shown(eye)
    async with listening(door(eye, tmp_path, path)) as take:
        events = await take(1)
        for _ in range(3):
            await shown(eye)
            events += await take(1)
    assert [event.data["frame"] for event in events] == ["1", "2", "3", "4"]
    first = events[0]
    assert (first.id, first.kind, first.status) == ("inspection.eye.picture", "image", 0)
    assert first.data["serial"] == "벽돌 1"
    assert (first.data["width"], first.data["height"]) == ("32", "24")
    assert abs(first.time - first.received) < 5 * SECOND
    content = Blobs(tmp_path / "blobs").get(first.value)
    assert len(content) == int(first.data["bytes"])
    assert first.data["media"] == ("image/jpeg" if path == "/stream" else "image/png")
    with Image.open(io.BytesIO(content)) as image:
        assert np.abs(np.asarray(image).astype(int) - frame.pixels).max() <= 2


async def test_a_number_that_is_missing_is_a_gap(eye: Camera, tmp_path: Path) -> None:
    await shown(eye)
    async with listening(door(eye, tmp_path)) as take:
        (first,) = await take(1)
        line(eye).take(skip=3)
        gap, picture = await take(2)
        assert (gap.kind, gap.data["lost"]) == ("gap", "3")
        assert gap.time == first.time
        assert gap.data["until"] == str(picture.time)
        assert picture.data["frame"] == "5"


async def test_dropped_it_is_gone_and_what_was_missed_is_told(eye: Camera, tmp_path: Path) -> None:
    await shown(eye)
    driver = door(eye, tmp_path)
    async with listening(driver) as take:
        await take(1)
        eye.faults.put(Fault(kind="drop", seconds=0))
        with pytest.raises(DoorError):
            await take(1)
        assert driver.health.state == "offline"
        with pytest.raises(Unreachable):
            await driver.connect()
    await shown(eye)
    await shown(eye)
    eye.faults.clear()
    await until(lambda: eye.health.state == "online")
    async with listening(driver) as take:
        gap, picture = await take(2)
        assert (gap.data["lost"], picture.data["frame"]) == ("1", "3")


async def test_pictures_that_break_off_are_bad_and_the_next_is_good(
    eye: Camera, tmp_path: Path
) -> None:
    await shown(eye)
    driver = door(eye, tmp_path)
    async with listening(driver) as take:
        await take(1)
        eye.faults.put(Fault(kind="rubbish"))
        await shown(eye)
        (broken,) = await take(1)
        assert (broken.kind, broken.value, broken.status & 3) == ("image", "", Severity.BAD)
        assert "no whole picture" in broken.data["reason"]
        assert broken.data["frame"] == "2"
        assert driver.health.state == "degraded"
        assert "no whole picture" in driver.health.problem
        eye.faults.clear()
        await shown(eye)
        (whole,) = await take(1)
        assert whole.status == 0
        assert driver.health.state == "online"


async def test_a_frozen_camera_is_noticed(eye: Camera, tmp_path: Path) -> None:
    await shown(eye)
    driver = door(eye, tmp_path)
    eye.faults.put(Fault(kind="freeze", quantity="light"))  # which no picture shows
    async with listening(driver) as take:
        await take(1)
        await shown(eye)
        events = await take(1)
        eye.faults.put(Fault(kind="freeze"))
        for _ in range(4):
            await shown(eye)
            events += await take(1)
        assert len({event.value for event in events}) == 1
        assert [event.data["frame"] for event in events] == ["2", "3", "4", "5", "6"]
        assert driver.health.state == "degraded"
        assert "the same to the bit" in driver.health.problem
        eye.faults.clear()
        await shown(eye)
        await take(1)
        assert driver.health.state == "online"


async def test_slow_and_jump_show(eye: Camera, tmp_path: Path) -> None:
    eye.faults.put(Fault(kind="slow", amount=0.3))
    eye.faults.put(Fault(kind="jump", amount=-3600))
    await shown(eye)
    before = CLOCK.monotonic()
    async with listening(door(eye, tmp_path)) as take:
        (late,) = await take(1)
    assert CLOCK.monotonic() - before > 0.5  # once on connecting, once for the picture
    assert late.received - late.time > 3500 * SECOND
    eye.faults.put(Fault(kind="slow", amount=5))
    driver = door(eye, tmp_path, timeout=0.2)
    with pytest.raises(Unreachable, match="in time"):
        await driver.connect()
    await driver.close()
