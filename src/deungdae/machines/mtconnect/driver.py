"""The MTConnect driver: agents, adapters and recordings behind one face."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Permit, Signal

from .adapter import Adapter
from .agent import Agent
from .files import device_items
from .recording import Recording
from .source import Source
from .table import Table

_PORT = 7878  # of adapters
State = Literal["stopped", "connecting", "online", "degraded", "offline"]


class Mtconnect:
    """A machine tool that speaks MTConnect, through its agent or straight from its adapter.

    - `http://host:5000` or `https://…` is an agent, of version 1.3 to 2.x; put the device's name
      behind it (`http://host:5000/Mazak01`) where the agent serves several;
    - `shdr://host:7878` is an adapter, without an agent between;
    - `file:///logs/Mazak01-*.gz` plays adapter logs back, `speed` times as fast.

    An address is the data item's id or name, `device/name` where several devices share a name.
    Behind `#` stands a part of it: `#x`, `#y`, `#z` (or `#a`, `#b`, `#c`) of a position in space,
    a key of a data set, `row.column` of a table. Samples and counters are of kind `number`, states
    such as execution of kind `state`, conditions of kind `alarm`: their level is the value, native
    code, severity, qualifier and text are in the data.

    What the machine calls UNAVAILABLE is bad status, for numbers as for states. An agent keeps the
    last observations in a buffer: after an interruption the door reads on where it was, and says
    so with a gap where that is no longer possible. MTConnect can only be read.

    ```toml
    [machines.mazak]
    type = "mtconnect"
    url = "http://10.0.0.21:5000/Mazak01"

    [[signals]]
    id = "mazak1.execution"
    kind = "state"
    source = "mazak:execution"

    [[signals]]
    id = "mazak1.spindle.speed"
    unit = "/min"
    source = "mazak:Srpm"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        url: Annotated[
            str,
            Meta(description="http(s)://host:port[/device], shdr://host:port or file:///logs"),
        ]
        interval: Annotated[
            float,
            Meta(ge=0.01, le=3600, description="Least time between news", extra={"unit": "s"}),
        ] = 0.5
        heartbeat: Annotated[
            float,
            Meta(
                ge=0.1, le=600, description="Sign of life when nothing is new", extra={"unit": "s"}
            ),
        ] = 10.0
        timeout: Annotated[
            float, Meta(gt=0, le=120, description="Wait for an answer", extra={"unit": "s"})
        ] = 5.0
        streaming: Annotated[
            bool, Meta(description="Let the agent send news; false: ask it every interval")
        ] = True
        count: Annotated[
            int, Meta(ge=1, le=1_000_000, description="Most observations in one document")
        ] = 10_000
        limit: Annotated[
            int, Meta(ge=1, le=1024, description="Longest document taken", extra={"unit": "MiBy"})
        ] = 64
        path: Annotated[
            str, Meta(description="XPath of the part of an agent to read; empty: all of it")
        ] = ""
        devices: Annotated[
            str,
            Meta(description="Devices.xml that tells an adapter's data items; empty: guess them"),
        ] = ""
        device: Annotated[str, Meta(description="Which device of that file the adapter is")] = ""
        settle: Annotated[
            float,
            Meta(
                gt=0,
                le=600,
                description="Time in which an adapter tells everything once",
                extra={"unit": "s"},
            ),
        ] = 5.0
        speed: Annotated[
            float, Meta(ge=0, description="Of a recording: 1 as recorded, 0 without waiting")
        ] = 1.0
        pause: Annotated[
            float,
            Meta(ge=0, description="Longest wait in a recording's gap", extra={"unit": "s"}),
        ] = 60.0

        def __post_init__(self) -> None:
            parts = urlsplit(self.url)
            web = parts.scheme in ("http", "https") and parts.hostname
            raw = parts.scheme in ("shdr", "tcp") and parts.hostname
            if not (web or raw or (parts.scheme == "file" and parts.path)):
                raise ValueError(
                    f"url {self.url!r} is none of http://host:port, shdr://host:port, file:///path"
                )

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._source = _source(options, clock, self._log)
        self._table = Table({}, None)
        self._settled = False
        self._health = Health(state="stopped", since=clock.now())

    @staticmethod
    def check_address(text: str, options: Options | None = None) -> None:
        """Raise ValueError, with a remedy, unless the text can be an address."""
        name, mark, part = text.partition("#")
        if not name or (mark and not part):
            raise ValueError(f"{text!r} names no data item: write its id or name, e.g. execution")

    @property
    def health(self) -> Health:
        """Return how the link is doing, and each data item that is not there."""
        problems = dict(self._table.problems)
        if self._settled:
            silent = self._table.silent.items()
            problems |= {id: f"nothing was said about {address!r} yet" for id, address in silent}
        state = self._health.state
        if problems and state == "online":
            state = "degraded"
        return msgspec.structs.replace(self._health, state=state, signals=problems)

    async def connect(self) -> None:
        """Open the link and read the device model. Raises Unreachable or BadReply."""
        self._turn("connecting")
        try:
            await self._source.connect()
        except DoorError as error:
            self._turn("offline", error)
            raise
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield every data item: of an adapter or a recording, as far as it was told."""
        async for node in self._source.browse():
            yield node

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield the current values, then what is new; ends by itself only with a recording."""
        self._settled = False
        settled_at = self._clock.monotonic() + self.options.settle
        for item in self._resolve(signals):
            yield item
        try:
            async with aclosing(self._source.follow(self._wanted)) as all:
                async for news in all:
                    received = self._clock.now()
                    if news.changed:
                        for item in self._resolve(signals):
                            yield item
                    if news.gap is not None:
                        self._log.warning("gap since=%d until=%d why=%s", *news.gap)
                        yield self._table.gap(*news.gap, received)
                    for item in self._table.translate(news.readings, received):
                        yield item
                    if not self._settled and self._clock.monotonic() >= settled_at:
                        self._settled = True
                        for item in self._table.bad(self._table.silent, received):
                            yield item
        except DoorError as error:
            self._turn("offline", error)
            raise

    def _wanted(self) -> Container[str]:
        return self._table.items  # of the present table: a restart brings another

    def _resolve(self, signals: Mapping[int, Signal]) -> list[Batch | Events]:
        """Find the signals' data items; return bad status for those that are not there."""
        self._table = Table(signals, self._source.items)
        for id, problem in self._table.problems.items():
            self._log.warning("signal=%s problem=%s", id, problem)
        return self._table.bad(self._table.problems, self._clock.now())

    def confirm(self, items: int) -> None:
        """Take note of nothing: an agent keeps its buffer by itself."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Raise DoorError: MTConnect can only be read."""
        raise DoorError(
            f"{signal.id} cannot be written: MTConnect can only be read",
            remedy="write through the machine's other protocol, e.g. OPC UA",
        )

    async def close(self) -> None:
        """Close the link."""
        await self._source.close()
        self._turn("stopped")

    def _turn(self, state: State, error: DoorError | None = None) -> None:
        """Change the state, and log it once."""
        problem, remedy = (str(error), error.remedy) if error else ("", "")
        if (state, problem) == (self._health.state, self._health.problem):
            return
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s url=%s problem=%s", state, self.options.url, problem)


def _source(options: Mtconnect.Options, clock: Clock, log: logging.Logger) -> Source:
    """Return what the url leads to."""
    parts = urlsplit(options.url)
    if parts.scheme in ("http", "https"):
        return Agent(
            options.url,
            clock,
            path=options.path,
            interval=options.interval,
            heartbeat=options.heartbeat,
            timeout=options.timeout,
            count=options.count,
            limit=options.limit << 20,
            streaming=options.streaming,
        )
    shapes: dict[str, str] = {}
    if options.devices:
        items = device_items(Path(options.devices), options.device)
        shapes = {name: item.shape for name, item in items.items()}
    if parts.scheme == "file":
        return Recording(
            unquote(parts.path), clock, log, shapes=shapes, speed=options.speed, pause=options.pause
        )
    return Adapter(
        parts.hostname or "",
        parts.port or _PORT,
        clock,
        log,
        shapes=shapes,
        heartbeat=options.heartbeat,
        timeout=options.timeout,
        settle=options.settle,
    )
