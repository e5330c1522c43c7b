"""The camera door against cameras that others might have built: snapshots, streams, logins, TLS."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import ssl
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from PIL import Image

from deungdae.core import registry
from deungdae.core.clock import RealClock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.types import Event, Flag, Severity, Signal
from deungdae.machines.camera import Camera
from deungdae.wires.blobs import Blobs

CLOCK = RealClock()
WITHIN = 10.0
EYE = {1: Signal(id="gate.eye.picture", kind="image", source="eye:image")}


def picture(seed: int, format: str = "JPEG", size: int = 24) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


ONE, TWO, THREE = (picture(seed) for seed in range(3))


class IpCamera(BaseHTTPRequestHandler):
    """An ordinary camera: a snapshot, without any header of ours. `server.says` is its answer."""

    def do_GET(self) -> None:
        status, headers, content = self.server.says(self)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(says: Callable[[Any], Any], context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), IpCamera)
    server.says = says  # type: ignore[attr-defined]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}/snapshot.jpg?channel=1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def streaming(kind: str, *pieces: bytes, hold: bool = True) -> AsyncIterator[str]:
    """A camera that sends the pieces, and then holds the line or ends it."""
    meetings: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        meetings.add(asyncio.current_task())  # type: ignore[arg-type]
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.02)
        if hold:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mjpg/video.mjpg"
    finally:
        server.close()
        await asyncio.gather(*meetings, return_exceptions=True)


def make(url: str, tmp_path: Path, **options: Any) -> Camera:
    quick = {"period": 0.05, "timeout": 2.0, "silence": 1.0, "folder": str(tmp_path / "blobs")}
    return Camera("eye", Camera.Options(url=url, **(quick | options)), CLOCK)


async def listen(driver: Camera, count: int, signals: dict[int, Signal] = EYE) -> list[Event]:
    """Return the first events of a connection."""
    await driver.connect()
    stream = driver.stream(signals)
    events: list[Event] = []
    try:
        async with asyncio.timeout(WITHIN):
            while len(events) < count:
                events += await anext(stream)  # type: ignore[arg-type]
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()
    return events


def jpeg(content: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "image/jpeg"}, content


def test_it_is_a_plug_in() -> None:
    assert registry.load("machines", "camera") is Camera


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
async def test_a_snapshot_is_asked_for_every_period(tmp_path: Path, format: str) -> None:
    asked: list[str] = []

    def says(request: Any) -> Any:
        asked.append(request.path)
        media = f"image/{format.lower()}"
        return 200, {"Content-Type": media}, picture(len(asked), format)

    with serving(says) as url:
        before, driver = CLOCK.monotonic(), make(url, tmp_path)
        events = await listen(driver, 4)
    assert CLOCK.monotonic() - before >= 3 * 0.05
    assert set(asked) == {"/snapshot.jpg?channel=1"}
    assert len({event.value for event in events}) == 4
    for event in events:
        assert (event.kind, event.status) == ("image", Flag.RECEIVED_TIME)
        assert event.time == event.received
        assert event.data.keys() == {"media", "width", "height", "bytes"}
        assert event.data["media"] == f"image/{format.lower()}"
        assert Blobs(tmp_path / "blobs").get(event.value)


async def test_the_picture_lies_there_before_it_is_told(tmp_path: Path) -> None:
    with serving(lambda request: jpeg(ONE)) as url:
        driver = make(url, tmp_path)
        (event,) = await listen(driver, 1)
    assert event.value == f"sha256:{hashlib.sha256(ONE).hexdigest()}"
    assert Blobs(tmp_path / "blobs").get(event.value) == ONE


@pytest.mark.parametrize(
    ("name", "text", "time"),
    [
        ("X-Timestamp", "1456789012.25", 1_456_789_012_250_000_000),
        ("X-Captured", "2016-02-29T23:36:52.25Z", 1_456_789_012_250_000_000),
        ("X-Captured", "9999-12-31T00:00:00Z", None),
        ("X-Timestamp", "soon", None),
        ("X-Timestamp", "1e300", None),
        ("X-Timestamp", "1e400", None),
        ("X-Timestamp", "nan", None),
    ],
)
async def test_a_time_that_the_camera_tells_is_taken(
    tmp_path: Path, name: str, text: str, time: int | None
) -> None:
    with serving(lambda request: (200, {"Content-Type": "image/jpeg", name: text}, ONE)) as url:
        (event,) = await listen(make(url, tmp_path), 1)
    if time is None:
        assert (event.time, event.status) == (event.received, Flag.RECEIVED_TIME)
    else:
        assert (event.time, event.status) == (time, 0)


@pytest.mark.parametrize(
    ("kind", "mark", "length"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"--frame", True),
        ("multipart/x-mixed-replace; boundary=--myboundary", b"--myboundary", True),
        ("multipart/x-mixed-replace;boundary=--myboundary", b"--myboundary", False),
        ('multipart/x-mixed-replace; boundary="b-7"', b"--b-7", False),
    ],
)
async def test_a_stream_as_cameras_send_it(
    tmp_path: Path, kind: str, mark: bytes, length: bool
) -> None:
    def part(content: bytes) -> bytes:
        size = b"Content-Length: %d\r\n" % len(content) if length else b""
        return mark + b"\r\nContent-Type: image/jpeg\r\n" + size + b"\r\n" + content + b"\r\n"

    async with streaming(
        kind, part(ONE), part(TWO)[:100], part(TWO)[100:], part(THREE), mark
    ) as url:
        events = await listen(make(url, tmp_path, period=0.001), 3)
    blobs = Blobs(tmp_path / "blobs")
    assert [blobs.get(event.value) for event in events] == [ONE, TWO, THREE]


async def test_of_a_fast_stream_only_what_is_wanted_is_taken(tmp_path: Path) -> None:
    part = b"--x\r\nContent-Length: %d\r\n\r\n" % len(ONE) + ONE + b"\r\n"
    async with streaming("multipart/x-mixed-replace;boundary=x", *[part] * 30, hold=False) as url:
        driver = make(url, tmp_path, period=60)
        with pytest.raises(Unreachable, match="ended the stream"):
            await listen(driver, 2)  # of 30 within a minute, one


async def test_a_stream_that_falls_silent_is_lost(tmp_path: Path) -> None:
    part = b"--x\r\nContent-Length: %d\r\n\r\n" % len(ONE) + ONE + b"\r\n"
    async with streaming("multipart/x-mixed-replace;boundary=x", part) as url:
        with pytest.raises(Unreachable, match="in time"):
            await listen(make(url, tmp_path, silence=0.1), 2)


async def test_broken_pictures_are_bad_and_do_not_end_it(tmp_path: Path) -> None:
    contents = iter([ONE, ONE[: len(ONE) // 2], b"", b"<html>no</html>", TWO])

    def says(request: Any) -> Any:
        return jpeg(next(contents, TWO))

    with serving(says) as url:
        driver = make(url, tmp_path)
        events = await listen(driver, 4)
    assert [event.status & 3 for event in events] == [Severity.BAD] * 3 + [Severity.GOOD]
    assert all("no whole picture" in event.data["reason"] for event in events[:3])
    assert [event.value for event in events[:3]] == [""] * 3


async def test_a_folder_that_cannot_be_written_is_told_and_does_not_end_it(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file, where a folder should be")
    with serving(lambda request: jpeg(ONE)) as url:
        driver = make(url, tmp_path)
        await driver.connect()
        stream = driver.stream(EYE)
        (event,) = await anext(stream)  # type: ignore[misc]
        assert event.status & 3 == Severity.BAD
        assert "cannot be written" in event.data["reason"]
        assert driver.health.state == "degraded"
        assert "cannot be written" in driver.health.problem
        (tmp_path / "blobs").unlink()
        (event,) = await anext(stream)  # type: ignore[misc]
        assert event.status & 3 == Severity.GOOD
        assert driver.health.state == "online"
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()


async def test_the_oldest_pictures_go_and_leave_a_gap(tmp_path: Path) -> None:
    counter = iter(range(1000))

    def says(request: Any) -> Any:
        return jpeg(picture(next(counter)))

    with serving(says) as url:
        driver = make(url, tmp_path, keep=10_000 / 1e9, period=0.01)
        events = await listen(driver, 30)
    assert Blobs(tmp_path / "blobs").size() <= 10_000
    gaps = [event for event in events if event.kind == "gap"]
    pictures = [event for event in events if event.kind == "image"]
    assert gaps
    assert all(int(gap.data["until"]) >= gap.time for gap in gaps)
    lost = sum(int(gap.data["lost"]) for gap in gaps)
    kept = sum(Blobs(tmp_path / "blobs").path(event.value).exists() for event in pictures)
    assert lost + kept == len(pictures)


@pytest.mark.parametrize(
    ("status", "headers", "content", "problem"),
    [
        (404, {}, b"", "HTTP 404"),
        (302, {"Location": "/login"}, b"", "HTTP 302"),
        (503, {}, b"busy", "HTTP 503"),
        (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"", "another login"),
        (200, {"Content-Type": "text/html"}, b"<html>", "no picture but text/html"),
        (200, {}, b"?", "of no named kind"),
    ],
)
async def test_what_is_no_camera_says_so(
    tmp_path: Path, status: int, headers: dict[str, str], content: bytes, problem: str
) -> None:
    with serving(lambda request: (status, headers, content)) as url:
        driver = make(url, tmp_path)
        with pytest.raises(BadReply, match=problem) as caught:
            await driver.connect()
        assert caught.value.remedy
        assert driver.health.state == "offline"
        await driver.close()


async def test_what_is_no_http_says_so(tmp_path: Path) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp ready\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    driver = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", tmp_path)
    with pytest.raises(DoorError):
        await driver.connect()
    await driver.close()
    server.close()


async def test_nobody_there_says_so(tmp_path: Path, free_port: Callable[[], int]) -> None:
    driver = make(f"http://127.0.0.1:{free_port()}/", tmp_path)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await driver.connect()
    await driver.close()


async def test_a_picture_that_is_too_long_is_a_bad_reply(tmp_path: Path) -> None:
    long = b"x" * (1 << 20) + b"y"
    with (
        serving(lambda request: jpeg(long)) as url,
        pytest.raises(BadReply, match="longer than 1 MiB"),
    ):
        await listen(make(url, tmp_path, limit=1), 1)


def digest(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def with_digest(request: Any) -> Any:
    """RFC 7616 with MD5 and qop=auth, as IP cameras do it: user deungdae, password p:ss wörd."""
    said = request.headers.get("Authorization", "")
    found = dict(re.findall(r'(\w+)="?([^",]+)"?', said))
    if said.startswith("Digest") and found.get("nonce") == "n0nce":
        secret = digest("deungdae:eye:p:ss wörd")
        asked = digest(f"GET:{request.path}")
        parts = f"{secret}:n0nce:{found['nc']}:{found['cnonce']}:auth:{asked}"
        if found["response"] == digest(parts):
            return jpeg(ONE)
    challenge = 'Digest realm="eye", nonce="n0nce", qop="auth", algorithm=MD5'
    return 401, {"WWW-Authenticate": challenge, "Content-Length": "0"}, b""


def with_basic(request: Any) -> Any:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic" and b64decode(text).decode() == "deungdae:p:ss wörd":
        return jpeg(ONE)
    return 401, {"WWW-Authenticate": 'Basic realm="eye"', "Content-Length": "0"}, b""


@pytest.mark.parametrize("login", ["digest", "basic"])
@pytest.mark.parametrize("place", ["environment", "file"])
async def test_it_logs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, place: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text("p:ss wörd\n", encoding="utf-8")
    monkeypatch.setenv("EYE_PASSWORD", "p:ss wörd")
    where = {
        "environment": {"password_env": "EYE_PASSWORD"},
        "file": {"password_file": str(secret)},
    }
    with serving(with_digest if login == "digest" else with_basic) as url:
        driver = make(url, tmp_path, user="deungdae", login=login, **where[place])
        (event,) = await listen(driver, 1)
        assert event.data["bytes"] == str(len(ONE))
        monkeypatch.setenv("EYE_PASSWORD", "wrong")
        secret.write_text("wrong", encoding="utf-8")
        with pytest.raises(BadReply, match="another login"):
            await driver.connect()
        await driver.close()


@pytest.mark.parametrize("where", ["password_env", "password_file"])
async def test_a_password_that_is_not_there_says_so(tmp_path: Path, where: str) -> None:
    driver = make("http://127.0.0.1:9/", tmp_path, user="deungdae", **{where: "NOT_THERE"})
    with pytest.raises(Unreachable, match="NOT_THERE"):
        await driver.connect()


async def test_the_certificate_is_looked_at(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(lambda request: jpeg(ONE), context) as url:
        (event,) = await listen(make(url, tmp_path, ca=str(tmp_path / "ca.pem")), 1)
        assert event.data["bytes"] == str(len(ONE))
        stranger = make(url, tmp_path)
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await stranger.connect()
        await stranger.close()
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Unreachable, match="cannot be used"):
        await make(url, tmp_path, ca=str(tmp_path / "ca.pem")).connect()


async def test_signals_that_are_wrong_are_told(tmp_path: Path) -> None:
    signals = {
        1: EYE[1],
        2: Signal(id="gate.eye.number", source="eye:image"),
        3: Signal(id="gate.eye.other", kind="image", source="eye:other"),
    }
    with serving(lambda request: jpeg(ONE)) as url:
        driver = make(url, tmp_path)
        events = await listen(driver, 3, signals)
        assert [(event.id, event.kind) for event in events] == [
            ("gate.eye.number", "note"),
            ("gate.eye.other", "note"),
            ("gate.eye.picture", "image"),
        ]
        assert "kind = 'image'" in driver.health.signals["gate.eye.number"]
        assert "write image" in driver.health.signals["gate.eye.other"]


async def test_it_offers_pictures_and_takes_nothing(tmp_path: Path) -> None:
    driver = make("http://127.0.0.1:9/", tmp_path)
    assert [(node.address, node.kind) async for node in driver.browse()] == [("image", "image")]
    with pytest.raises(DoorError, match="cannot be written"):
        await driver.write(None, EYE[1])  # type: ignore[arg-type]
    driver.confirm(1)
    await driver.close()
    await driver.close()
