"""A simulated camera over HTTP: single pictures, the next picture, and a stream of them."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from deungdae.core.clock import Clock, to_iso
from deungdae.core.ports import Health
from deungdae.sim.plant.parts import Frame, Seeing

from ._faults import Faults
from ._http import Answer, Http, Request
from ._machine import MachineOptions, live, machine
from ._tcp import Port

Format: TypeAlias = Literal["jpeg", "png"]
_BOUNDARY = "deungdae"
_LONGEST = 60.0  # s that a request may wait for the next picture
_AGAIN = 1.0  # s after which a stream repeats a picture, so that its end is noticed


class Shot(NamedTuple):
    """One picture as it is sent. time: when it was taken, by the camera's clock, ns."""

    number: int
    serial: str
    time: int
    pixels: NDArray[np.uint8]


class Camera:
    """A simulated camera at an HTTP port.

    - `GET /image`, or `/`: the latest picture, as PNG or JPEG by `Accept`, else in the option's
      `format`. Headers tell its number (`X-Frame`), what it shows (`X-Serial`, percent-encoded),
      when it was taken (`X-Captured`, ISO 8601) and an `ETag`. Before the first picture: 204.
    - `GET /image?after=N&wait=S`: the first picture with another number than N, as soon as there
      is one; 204 if there is none within S seconds, at most 60.
    - `GET /stream`: every picture as it comes (multipart/x-mixed-replace, JPEG: MJPEG), the last
      one again each second.
    - `GET /status`: what it simulates, its quantities and faults, in JSON.

    The model must be one that sees. Made to send rubbish, pictures break off in the middle; frozen,
    each new picture shows what the last one did; with a jump, `X-Captured` is wrong.

    ```toml
    [virtual.inspection]
    type = "camera"
    model = "camera"
    port = 8090
    ```
    """

    class Options(MachineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        model: Annotated[str, Meta(description="What it simulates: a model that sees")]
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 8090
        format: Annotated[Format, Meta(description="Of pictures, unless the client asks")] = "jpeg"
        quality: Annotated[
            int, Meta(ge=1, le=95, description="Of JPEG pictures", extra={"unit": "%"})
        ] = 90

        def __post_init__(self) -> None:
            super().__post_init__()
            if not isinstance(machine(self), Seeing):
                raise ValueError(f"model {self.model!r} has no camera: choose one that has")

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self._clock = clock
        self._shot: Shot | None = None
        self._written: dict[Format, tuple[int, bytes]] = {}  # the picture's number and bytes
        http = Http(self._answer, clock, self.faults)
        self._port = Port(name, (options.host, options.port), http.meet, clock, self.faults)

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._port.health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        self._look()
        async with self._port:
            await live(self._clock, self.plant, self.options.step, self._shown)

    async def _shown(self) -> None:
        self._look()
        await self._port.heed()

    def _look(self) -> None:
        """Take over a new picture of the plant."""
        frame = self.plant.frame() if isinstance(self.plant, Seeing) else None
        if frame is None or (self._shot is not None and frame.number == self._shot.number):
            return
        self._shot = Shot(
            frame.number, frame.serial, self._clock.now() + self.faults.shift, self._seen(frame)
        )

    def _seen(self, frame: Frame) -> NDArray[np.uint8]:
        """Return what the picture shows: what the last one did, of a camera that is frozen."""
        frozen = any(fault.kind == "freeze" and not fault.quantity for fault in self.faults.on)
        return self._shot.pixels if frozen and self._shot is not None else frame.pixels

    async def _answer(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD"):
            return Answer(b"a camera can only be read: use GET\n", status=405)
        if request.path in ("/", "/image"):
            return await self._image(request)
        if request.path == "/stream":
            kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
            return Answer(self._stream(), kind)
        if request.path == "/status":
            return Answer(msgspec.json.encode(self._status()) + b"\n", "application/json")
        return Answer(b"there is /image, /stream and /status\n", status=404)

    async def _image(self, request: Request) -> Answer:
        try:
            after = int(request.query["after"]) if "after" in request.query else None
            wait = min(max(float(request.query.get("wait", "0")), 0.0), _LONGEST)
        except ValueError:
            return Answer(b"after and wait must be numbers\n", status=400)
        shot = await self._next(after, wait)
        if shot is None:
            return Answer(status=204)
        format = self._wanted(request.headers.get("accept", ""))
        content = await self._encoded(shot, format)
        headers = _told(shot) | {"ETag": f'"{sha256(content).hexdigest()[:32]}"', "Vary": "Accept"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Answer(type=f"image/{format}", status=304, headers=headers)
        return Answer(content, f"image/{format}", headers=headers)

    async def _next(self, after: int | None, wait: float) -> Shot | None:
        """Return the first picture with another number than `after`, None if there is none."""
        until = self._clock.monotonic() + wait
        while self._shot is None or self._shot.number == after:
            if self._clock.monotonic() >= until:
                return None
            await self._clock.sleep(self.options.step)
        return self._shot

    def _wanted(self, accept: str) -> Format:
        png, jpeg = "image/png" in accept, "image/jpeg" in accept
        if png == jpeg:
            return self.options.format
        return "png" if png else "jpeg"

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        last: int | None = None
        while True:
            shot = await self._next(last, _AGAIN) or self._shot
            if shot is None:
                continue
            last = shot.number
            content = await self._encoded(shot, "jpeg")
            lines = [f"--{_BOUNDARY}", "Content-Type: image/jpeg"]
            told = _told(shot) | {"Content-Length": str(len(content))}
            lines += [f"{name}: {value}" for name, value in told.items()]
            yield "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"

    async def _encoded(self, shot: Shot, format: Format) -> bytes:
        """Return a picture in a format, half of it where the camera sends rubbish."""
        number, content = self._written.get(format, (None, b""))
        if number != shot.number:
            content = await self._clock.call(_encode, shot.pixels, format, self.options.quality)
            self._written[format] = shot.number, content
        return content[: len(content) // 2] if self.faults.spoilt("") else content

    def _status(self) -> dict[str, object]:
        shot = self._shot
        height, width = (0, 0) if shot is None else shot.pixels.shape[:2]
        return {
            "name": self.name,
            "model": self.options.model,
            "frame": None if shot is None else shot.number,
            "serial": None if shot is None else shot.serial,
            "captured": None if shot is None else to_iso(shot.time),
            "width": width,
            "height": height,
            "quantities": {
                quantity.name: self.faults.shown(quantity.name, self.plant.get(quantity.name))
                for quantity in self.plant.quantities
            },
            "faults": self.faults.on,
        }


def _told(shot: Shot) -> dict[str, str]:
    return {
        "X-Frame": str(shot.number),
        "X-Serial": quote(shot.serial, safe=" "),
        "X-Captured": to_iso(shot.time),
    }


def _encode(pixels: NDArray[np.uint8], format: Format, quality: int) -> bytes:
    """Return a picture as a file. pixels: uint8[height, width, 3]."""
    from PIL import Image  # noqa: PLC0415  (only a camera needs it)

    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "png":
        image.save(file, "PNG", compress_level=1)  # noise is not worth the time
    else:
        image.save(file, "JPEG", quality=quality)
    return file.getvalue()
