"""The camera door against GStreamer's RTSP server: films, logins, and all that may be missing."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import Event, Flag, Severity, Signal
from deungdae.machines.camera import Camera
from deungdae.wires.blobs import Blobs

PYTHON = "/usr/bin/python3"  # the system's, for which Debian packs GStreamer
PEER = Path(__file__).with_name("rtsp.py")
EYE = {1: Signal(id="gate.eye.picture", kind="image", source="eye:image")}
WITHIN = 15.0


@pytest.fixture
def serve(running: Any, free_port: Callable[[], int]) -> Any:
    """Return a context manager that runs the server, and gives its address."""

    @asynccontextmanager
    async def serve(*login: str, port: int = 0) -> AsyncIterator[str]:
        port = port or free_port()
        async with running(PYTHON, str(PEER), str(port), *login, port=port):
            yield f"rtsp://127.0.0.1:{port}"

    return serve


def make(url: str, folder: Path, **options: Any) -> Camera:
    given = {"url": url, "folder": str(folder / "blobs"), "period": 0.1, "silence": 5.0}
    return Camera("eye", msgspec.convert(given | options, Camera.Options), RealClock())


async def listen(driver: Camera, count: int) -> list[Event]:
    """Return the first events of a camera; it is closed afterwards."""
    found: list[Event] = []
    try:
        async with asyncio.timeout(WITHIN):
            await driver.connect()
            stream = driver.stream(EYE)
            while len(found) < count:
                found += await anext(stream)  # type: ignore[misc]
            await stream.aclose()  # type: ignore[attr-defined]
    finally:
        await driver.close()
    return found


async def endless(stream: Any) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize("film", ["h264", "jpeg"])
async def test_pictures_of_a_film_are_kept(serve: Any, tmp_path: Path, film: str) -> None:
    async with serve() as url:
        events = await listen(make(f"{url}/{film}", tmp_path), 4)
    assert [event.kind for event in events] == ["image"] * 4
    assert len({event.value for event in events}) > 1
    shelf = Blobs(tmp_path / "blobs")
    for event in events:
        assert event.status == int(Severity.GOOD) | int(Flag.RECEIVED_TIME)
        assert (event.data["media"], event.data["width"]) == ("image/jpeg", "160")
        pixels = np.asarray(Image.open(io.BytesIO(shelf.get(event.value))))
        assert pixels.shape == (120, 160, 3)
        assert pixels.max() > 200  # the ball
    assert all(a.time < b.time for a, b in pairwise(events))


async def test_of_a_fast_film_the_newest_pictures_are_taken(serve: Any, tmp_path: Path) -> None:
    async with serve() as url:
        events = await listen(make(f"{url}/jpeg", tmp_path, period=0.5), 4)
    assert (events[-1].time - events[0].time) / 1e9 >= 1.2
    clock = RealClock().now()
    assert clock - events[-1].time < 3e9  # it does not lag behind


async def test_it_logs_in(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYE_PASSWORD", "p:ss/w@rd")
    login = {"user": "deungdae", "password_env": "EYE_PASSWORD"}
    async with serve("deungdae", "p:ss/w@rd") as url:
        assert await listen(make(f"{url}/jpeg", tmp_path, **login), 1)
        monkeypatch.setenv("EYE_PASSWORD", "another-secret")
        for options in (login, {}):
            driver = make(f"{url}/jpeg", tmp_path, **options)
            with pytest.raises(BadReply, match="wants another login") as caught:
                await driver.connect()
            assert "another-secret" not in str(caught.value)
            assert caught.value.__suppress_context__  # the library's own words hold the password


async def test_it_comes_back_after_the_camera_was_off(
    serve: Any, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    driver = make(f"rtsp://127.0.0.1:{port}/jpeg", tmp_path, silence=2.0)
    async with asyncio.timeout(2 * WITHIN):
        async with serve(port=port):
            await driver.connect()
            stream = driver.stream(EYE)
            assert await anext(stream)  # type: ignore[misc]
            assert driver.health.state == "online"
        with pytest.raises(DoorError):
            await endless(stream)
        assert driver.health.state == "offline"
        with pytest.raises(Unreachable, match="cannot be reached"):
            await driver.connect()
        async with serve(port=port):
            assert await listen(driver, 1)
    assert driver.health.state == "stopped"


async def test_a_film_that_ends_says_so(serve: Any, tmp_path: Path) -> None:
    async with serve() as url:
        with pytest.raises(DoorError, match=r"ended the film|not answer in time"):
            await listen(make(f"{url}/short", tmp_path, silence=2.0), 1000)


async def test_what_is_not_there_says_so(serve: Any, tmp_path: Path) -> None:
    async with serve() as url:
        with pytest.raises(BadReply, match="no film that can be shown") as caught:
            await make(f"{url}/other", tmp_path).connect()
        assert "camera's manual" in caught.value.remedy
        with pytest.raises(BadReply, match="has no pictures"):
            await make(f"{url}/sound", tmp_path).connect()


async def test_who_is_silent_says_so(tmp_path: Path) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    driver = make(f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/", tmp_path, timeout=0.5)
    with pytest.raises(Unreachable, match="does not answer in time"):
        await driver.connect()
    await driver.close()
    server.close()


def test_nobody_without_such_a_camera_loads_the_library() -> None:
    asked = "import sys, deungdae.machines.camera; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
