"""The camera driver: each picture is kept by its hash, and an event says which."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

import msgspec
import numpy as np

from deungdae.core.clock import Clock, from_iso
from deungdae.core.errors import DoorError, StoreError
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Event, Flag, Permit, Severity, Signal
from deungdae.wires.blobs import Blobs

from . import picture
from .film import Film
from .options import Options as CameraOptions
from .source import Shot, Source

State: TypeAlias = Literal["stopped", "connecting", "online", "offline"]
_ALIKE = 5  # pictures in a row that are the same to the bit, as no living camera's are
_SHARE = 0.01  # of the folder's limit that may be written between two looks at how full it is
_FURTHEST = int(np.iinfo(np.int64).max)
_BAD = int(Severity.BAD)
_RECEIVED = int(Flag.RECEIVED_TIME)


class Kept(NamedTuple):
    """What became of a picture: where it is kept and what it is, or why it is not."""

    ref: str = ""
    data: Mapping[str, str] = {}
    problem: str = ""


class Camera:
    """A camera on the network: an industrial one, or an ordinary IP camera, over HTTP or RTSP.

    The url is that of a snapshot (JPEG or PNG), asked for every `period`, or of an MJPEG stream;
    the answer tells which. A camera that numbers its pictures in a header `X-Frame` is asked for
    the one after the last (`?after=N&wait=S`), so that none is taken twice and a missing number is
    told as a gap; `X-Serial` says what it shows and `X-Captured` when (ISO 8601); the simulated
    camera does all this. Without it, a picture's time is when it arrived.

    Of a film over RTSP (H.264, H.265, MJPEG; `pip install 'deungdae[camera]'`) the newest picture
    is taken every `period` and kept as a JPEG; its time is when it arrived.

    Each picture is written into `folder` under its SHA-256, durably, and then becomes an event of
    kind `image`: its value is the reference `sha256:…`, its data are `media`, `width`, `height`,
    `bytes`, and `frame` and `serial` where known. A picture that is broken becomes an event of bad
    status with a `reason`. When the folder holds more than `keep`, the oldest go, with a gap.

    The one address is `image`. A password never stands in the file: name the environment variable
    or the file that holds it.

    ```toml
    [machines.eye]
    type = "camera"
    url = "http://10.0.0.30/snapshot.jpg"
    period = 2.0
    user = "deungdae"
    password_env = "EYE_PASSWORD"

    [[signals]]
    id = "inspection.eye.picture"
    kind = "image"
    source = "eye:image"
    ```
    """

    Options = CameraOptions

    def __init__(self, name: str, options: CameraOptions, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._source = (Film if options.url.startswith("rtsp:") else Source)(options, clock)
        self._blobs = Blobs(Path(options.folder))
        self._written = float("inf")  # bytes since the folder was last looked at: not yet
        self._last: tuple[int, int] | None = None  # number and time of the last numbered picture
        self._ref = ""
        self._alike = 0  # pictures in a row that are the same
        self._broken = 0  # pictures in a row that could not be kept
        self._reason = ""  # of the last of them
        self._problems: dict[str, str] = {}
        self._health = Health(state="stopped", since=clock.now())

    @staticmethod
    def check_address(text: str, options: CameraOptions | None = None) -> None:
        """Raise ValueError, with a remedy, unless the text is the address of pictures."""
        if text != "image":
            raise ValueError(f"{text!r} is no address of a camera: write image")

    @property
    def health(self) -> Health:
        """Return how the camera is doing, and what is wrong with its pictures."""
        problem, remedy = self._health.problem, self._health.remedy
        if self._broken:
            problem = f"{self._broken} pictures in a row were lost: {self._reason}"
            remedy = "check the camera's cable and its picture settings, and the disk"
        elif self._alike >= _ALIKE:
            problem = f"the last {self._alike} pictures are the same to the bit"
            remedy = "is the camera frozen? restart it"
        worse = self._health.state == "online" and (problem or self._problems)
        return msgspec.structs.replace(
            self._health,
            state="degraded" if worse else self._health.state,
            problem=problem,
            remedy=remedy,
            signals=dict(self._problems),
        )

    async def connect(self) -> None:
        """Find out that the camera answers with pictures. Raises Unreachable or BadReply."""
        self._turn("connecting")
        try:
            await self._source.connect()
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield the one thing that a camera offers."""
        yield Node(address="image", path="image", kind="image", description="every picture")

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield an event for each picture and signal. Raises Unreachable or BadReply."""
        wanted, refused = self._sort(signals)
        if refused:
            yield refused
        try:
            async with aclosing(self._source.shots()) as shots:
                async for shot in shots:
                    if self._last is None or shot.number != self._last[0]:
                        yield await self._events(shot, wanted)
        except DoorError as error:
            self._turn("offline", error)
            raise

    def confirm(self, items: int) -> None:
        """Do nothing: cameras wait for no acknowledgement."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Refuse: a camera takes no values."""
        raise DoorError(f"{signal.id}: a camera cannot be written", remedy="use access = 'r'")

    async def close(self) -> None:
        """Close the link."""
        await self._source.close()
        self._turn("stopped")

    def _sort(self, signals: Mapping[int, Signal]) -> tuple[list[str], Events]:
        """Return who wants pictures, and what to tell of those that are wrong."""
        wanted: list[str] = []
        refused: list[Event] = []
        self._problems.clear()
        for signal in signals.values():
            try:
                self.check_address(signal.address)
                if signal.kind != "image":
                    raise ValueError(f"{signal.source!r} gives pictures: set kind = 'image'")
            except ValueError as error:
                now = self._clock.now()
                self._problems[signal.id] = str(error)
                refused.append(
                    Event(id=signal.id, time=now, kind="note", value="", status=_BAD | _RECEIVED,
                          received=now, data={"reason": str(error)})
                )  # fmt: skip
            else:
                wanted.append(signal.id)
        return wanted, tuple(refused)

    async def _events(self, shot: Shot, wanted: list[str]) -> Events:
        """Return what a picture means to each signal: gaps before it, and the picture."""
        kept = await self._clock.call(self._keep, shot.content)
        time, status = _time(shot)
        self._judge(kept)
        told = {"frame": str(shot.number)} if shot.number is not None else {}
        if serial := unquote(shot.headers.get("x-serial", "")):
            told["serial"] = serial
        data = {**kept.data, **told}
        if kept.problem:
            data, status = {"reason": kept.problem, **told}, status | _BAD
        gaps = [*self._missed(shot, time), *await self._tidied()]
        events = [
            Event(id=id, time=since, kind="gap", value=value, status=_BAD | _RECEIVED,
                  received=shot.received, data=parts)
            for since, value, parts in gaps
            for id in wanted
        ]  # fmt: skip
        events += [
            Event(id=id, time=time, kind="image", value=kept.ref, status=status,
                  received=shot.received, data=data)
            for id in wanted
        ]  # fmt: skip
        return tuple(events)

    def _keep(self, content: bytes) -> Kept:
        """Return where a picture now lies, durably. Blocks."""
        try:
            found = picture.examine(content)
            ref = self._blobs.put(content)
        except (ValueError, StoreError) as error:
            return Kept(problem=str(error))
        self._written += len(content)
        data = {
            "media": found.media, "width": str(found.width), "height": str(found.height),
            "bytes": str(len(content)),
        }  # fmt: skip
        return Kept(ref, data)

    def _judge(self, kept: Kept) -> None:
        """Take note of pictures that are lost, and of those that never change."""
        if kept.problem and not self._broken:
            self._log.warning("lost picture reason=%s", kept.problem)
        elif self._broken and not kept.problem:
            self._log.info("pictures are whole again after=%d", self._broken)
        self._broken = self._broken + 1 if kept.problem else 0
        self._reason = kept.problem
        self._alike = self._alike + 1 if kept.ref and kept.ref == self._ref else 1
        self._ref = kept.ref

    def _missed(self, shot: Shot, time: int) -> list[tuple[int, str, dict[str, str]]]:
        """Return the gap that a camera's numbers show before a picture."""
        last, self._last = self._last, None if shot.number is None else (shot.number, time)
        if last is None or shot.number is None or shot.number <= last[0] + 1:
            return []
        lost = shot.number - last[0] - 1
        data = {"until": str(time), "lost": str(lost)}
        return [(last[1], f"{lost} pictures were not heard", data)]

    async def _tidied(self) -> list[tuple[int, str, dict[str, str]]]:
        """Return the gap that dropping the oldest leaves where the folder is full."""
        most = round(self.options.keep * 1e9)
        if self._written < most * _SHARE:
            return []
        self._written = 0.0
        try:
            gone = await self._clock.call(self._blobs.tidy, most)
        except OSError as error:
            self._log.warning("cannot tidy folder=%s reason=%s", self.options.folder, error)
            return []
        if not gone.files:
            return []
        self._log.warning("dropped pictures=%d bytes=%d reason=full", gone.files, gone.size)
        data = {"until": str(gone.newest), "lost": str(gone.files), "folder": self.options.folder}
        value = f"{gone.files} pictures dropped: {self.options.folder} was full"
        return [(gone.oldest, value, data)]

    def _turn(self, state: State, error: DoorError | None = None) -> None:
        if state == self._health.state:
            return
        self._health = Health(
            state=state,
            since=self._clock.now(),
            problem=str(error or ""),
            remedy=error.remedy if error else "",
        )
        self._log.info("state=%s url=%s problem=%s", state, self.options.url, error or "none")


def _time(shot: Shot) -> tuple[int, int]:
    """Return when a picture was taken, and the status that says whether the camera told it."""
    time = None
    try:
        if text := shot.headers.get("x-captured"):
            time = from_iso(text)
        elif text := shot.headers.get("x-timestamp"):  # s since 1970, as mjpg-streamer has it
            time = round(float(text) * 1e6) * 1000
    except (ValueError, OverflowError):
        time = None  # what cannot be understood is no time
    if time is None or abs(time) > _FURTHEST:
        return shot.received, _RECEIVED
    return time, 0
