"""The scanner driver: every code that a reader sends becomes an event."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import re
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Event, Flag, Permit, Severity, Signal

from . import codes
from .frames import Code, Splitter
from .lines import Feed, Line, open_port

Kind: TypeAlias = Literal["state", "text", "scan", "alarm", "image", "gap", "note"]
State: TypeAlias = Literal["stopped", "connecting", "online", "offline"]
_GOOD = int(Flag.RECEIVED_TIME)
_UNCERTAIN = int(Severity.UNCERTAIN | Flag.RECEIVED_TIME)
_BAD = int(Severity.BAD | Flag.RECEIVED_TIME)


_REMEMBERED = 100
_GARBAGE = "check the reader's suffix (CR), its encoding, the cable and the baud rate"


class Arrival(msgspec.Struct, frozen=True):
    """A code, when its end arrived, ns, and the address of the reader that connected to us."""

    code: Code
    time: int
    reader: str


class Want(NamedTuple):
    """Which codes a signal gets, and as what: those that begin with prefix."""

    id: str
    kind: Kind
    prefix: str


class Scanner:
    """A barcode or RFID reader: fixed, hand-held with a base, or behind a serial server.

    `tcp://host:port` connects to the reader; `listen://127.0.0.1:9004` waits for readers that
    connect to us; `serial:///dev/ttyUSB0?baud=9600` reads a serial line (also `bits=8`,
    `parity=N`, `stop=1`). A code ends with CR, LF or ETX (a leading STX is dropped), or, for
    readers that send no end, after `silence`.

    Each code becomes an event of kind `scan`: its value is the text as read, its data what the
    text says: `format` (`gs1`, `gs1-link` or `gtin`), `gtin`, `lot`, `serial`, `sscc`, `expiry`,
    `best_before`, `produced`, `count` … and `ai<number>` for the rest. Codes that are not GS1 are
    kept as they are. A GS1 code that is wrong, e.g. in its check digit, is kept with status
    uncertain and a `reason`. Bytes that are no text become an event of kind `note`. `reader` tells
    the address of a reader that connected to us.

    The address is `scan` for every code, or `scan?prefix=LOT-` for those that begin so. The same
    code read again within `repeat` counts once.

    ```toml
    [machines.gate]
    type = "scanner"
    url = "tcp://10.0.0.20:9004"

    [[signals]]
    id = "packing.gate.label"
    kind = "scan"
    source = "gate:scan"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        url: Annotated[
            str, Meta(description="tcp://host:port, listen://host:port or serial:///dev/…?baud=…")
        ]
        peers: Annotated[
            tuple[str, ...],
            Meta(
                description="Networks that may connect to listen://, e.g. 10.0.0.0/24; without "
                "any, only this computer may"
            ),
        ] = ()
        encoding: Annotated[
            Literal["utf-8", "ascii", "latin-1", "cp949", "shift_jis"],
            Meta(description="How the reader writes text"),
        ] = "utf-8"
        longest: Annotated[
            int, Meta(ge=8, le=65_536, description="Most bytes of one code", extra={"unit": "By"})
        ] = 4096
        silence: Annotated[
            float,
            Meta(
                ge=0,
                le=10,
                description="A pause that ends a code, for readers that send no end; 0: none",
                extra={"unit": "s"},
            ),
        ] = 0.0
        repeat: Annotated[
            float,
            Meta(ge=0, description="The same code within this time is one", extra={"unit": "s"}),
        ] = 0.5
        guess: Annotated[
            bool, Meta(description="Read as GS1 also what only looks like it (01, 02, 00, GTIN)")
        ] = True
        timeout: Annotated[
            float, Meta(gt=0, le=60, description="Wait for the connection", extra={"unit": "s"})
        ] = 5.0
        readers: Annotated[
            int, Meta(ge=1, le=64, description="Most readers connected to listen:// at once")
        ] = 8
        queue: Annotated[
            int, Meta(ge=1, description="Most codes held for the factory; more become a gap")
        ] = 1000

        def __post_init__(self) -> None:
            where = _target(self.url)
            for network in self.peers:
                _check_network(network)
            if where.scheme == "listen" and not self.peers and not _loopback(where.host):
                raise ValueError(
                    f"url {self.url!r} listens to the network: name who may connect in peers, "
                    'e.g. peers = ["10.0.0.20/32"]'
                )

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._inbox: asyncio.Queue[Arrival | DoorError] = asyncio.Queue(options.queue)
        self._seen: dict[tuple[Feed, str], float] = {}
        self._gap: tuple[int, int] | None = None  # time of the first code dropped, how many
        self._dropped = 0
        self._garbage = 0
        self._problems: dict[str, str] = {}
        self._feeds: set[Feed] = set()
        self._server: asyncio.Server | None = None
        self._line: Line | None = None
        self._health = Health(state="stopped", since=clock.now())

    @staticmethod
    def check_address(text: str, options: Options | None = None) -> None:
        """Raise ValueError, with a remedy, unless the text is an address of a scanner."""
        _prefix(text)

    @property
    def health(self) -> Health:
        """Return how the reader is doing, and what it sent in vain."""
        counts = (
            (self._garbage, "unreadable in a row"),
            (self._dropped, "dropped: the queue was full"),
        )
        said = ", ".join(f"{count} codes {what}" for count, what in counts if count)
        worse = self._health.state == "online" and (said or self._problems)
        return msgspec.structs.replace(
            self._health,
            state="degraded" if worse else self._health.state,
            problem=self._health.problem or said,
            remedy=self._health.remedy or (_GARBAGE if self._garbage else ""),
            signals=dict(self._problems),
        )

    async def connect(self) -> None:
        """Open the line, or begin to listen. Raises Unreachable."""
        await self.close()
        self._turn("connecting")
        where = _target(self.options.url)
        ways = {"tcp": self._call, "listen": self._listen, "serial": self._open_line}
        try:
            async with asyncio.timeout(self.options.timeout):
                await ways[where.scheme](where)
        except (OSError, TimeoutError, ValueError) as error:
            problem = Unreachable(
                f"{self.options.url}: {error or 'no answer in time'}",
                remedy="is the reader on, the address right, and the port free?",
            )
            self._turn("offline", problem)
            raise problem from error
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield the one thing that a reader offers."""
        yield Node(address="scan", path="scan", kind="scan", description="every code it reads")

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield an event for each code and signal. Raises Unreachable when the reader is gone."""
        wants, refused = self._sort(signals)
        if refused:
            yield refused
        while True:
            arrival = await self._inbox.get()
            if isinstance(arrival, DoorError):
                self._turn("offline", arrival)
                raise arrival
            if events := self._events(arrival, wants) + self._lost(wants):
                yield events

    def confirm(self, items: int) -> None:
        """Do nothing: readers wait for no acknowledgement."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Refuse: a reader takes no values."""
        raise DoorError(f"{signal.id}: a reader cannot be written", remedy="use access = 'r'")

    async def close(self) -> None:
        """Close the line, the server and every connection."""
        if self._line is not None:
            await self._line.close()
        if self._server is not None:
            self._server.close()
        for feed in self._feeds:
            feed.close()
        self._line, self._server = None, None
        self._feeds.clear()
        self._seen.clear()
        self._inbox = asyncio.Queue(self.options.queue)
        self._turn("stopped")

    async def _call(self, where: Target) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(self._feed, where.host, where.port)

    async def _listen(self, where: Target) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._feed, where.host, where.port)

    async def _open_line(self, where: Target) -> None:
        port = await self._clock.call(open_port, where.path, where.query)
        feed = self._feed()
        self._feeds.add(feed)
        self._line = Line(port, feed)

    def _feed(self) -> Feed:
        return Feed(
            Splitter(self.options.encoding, self.options.longest),
            self.options.silence,
            arrived=self._arrived,
            ended=self._ended,
            admits=self._admits,
        )

    def _admits(self, feed: Feed) -> bool:
        if self._server is not None:
            known = _loopback(feed.peer) or any(
                ipaddress.ip_address(feed.peer) in ipaddress.ip_network(network)
                for network in self.options.peers
            )
            if not known or len(self._feeds) >= self.options.readers:
                reason = "too many readers" if known else "not in peers"
                self._log.warning("refused reader=%s reason=%s", feed.peer, reason)
                return False
            self._log.info("connected reader=%s", feed.peer)
        self._feeds.add(feed)
        return True

    def _ended(self, feed: Feed, reason: str) -> None:
        self._feeds.discard(feed)
        if self._server is None:
            error = Unreachable(
                f"{self.options.url}: {reason}", remedy="is the reader on and its cable in?"
            )
            self._put(error)
        else:
            self._log.info("gone reader=%s reason=%s", feed.peer, reason)

    def _arrived(self, feed: Feed, code: Code) -> None:
        if not code.problem and self._repeated((feed, code.text)):
            return
        self._garbage = self._garbage + 1 if code.problem else 0
        reader = feed.peer if self._server is not None else ""
        self._put(Arrival(code, self._clock.now(), reader))

    def _put(self, item: Arrival | DoorError) -> None:
        if isinstance(item, DoorError) and self._inbox.full():
            self._drop(self._inbox.get_nowait())  # the end of the line must be told
        if self._inbox.full():
            self._drop(item)
        else:
            self._inbox.put_nowait(item)

    def _drop(self, item: Arrival | DoorError) -> None:
        if isinstance(item, Arrival):
            first, count = (self._gap[0], self._gap[1]) if self._gap else (item.time, 0)
            self._gap = min(first, item.time), count + 1
            self._dropped += 1

    def _repeated(self, sight: tuple[Feed, str]) -> bool:
        """Return whether a reader read the same a moment ago; a code that stays counts once."""
        now, within = self._clock.monotonic(), self.options.repeat
        repeated = now - self._seen.get(sight, -math.inf) < within
        self._seen[sight] = now
        if len(self._seen) > _REMEMBERED:
            self._seen = {key: at for key, at in self._seen.items() if now - at < within}
        return repeated

    def _sort(self, signals: Mapping[int, Signal]) -> tuple[list[Want], Events]:
        """Return what each signal wants, and what to tell of those that are wrong."""
        wants: list[Want] = []
        refused: list[Event] = []
        self._problems.clear()
        for signal in signals.values():
            try:
                wants.append(_want(signal))
            except ValueError as error:
                self._problems[signal.id] = str(error)
                data = {"reason": str(error)}
                refused.append(_event(signal.id, "note", self._clock.now(), _BAD, data=data))
        return wants, tuple(refused)

    def _events(self, arrival: Arrival, wants: list[Want]) -> Events:
        """Return what a code means to each signal that wants it."""
        code, time = arrival.code, arrival.time
        reader = {"reader": arrival.reader} if arrival.reader else {}
        if code.problem:
            data = {"reason": code.problem, "bytes": code.raw[:64].hex(), **reader}
            return tuple(
                _event(want.id, "note", time, _BAD, value="unreadable code", data=data)
                for want in wants
                if not want.prefix
            )
        meaning = codes.read(code.text, guess=self.options.guess)
        status = _UNCERTAIN if meaning.doubt else _GOOD
        data = {**meaning.data, **reader}
        if meaning.doubt:
            data["reason"] = meaning.doubt
        return tuple(
            _event(want.id, want.kind, time, status, value=code.text, data=data)
            for want in wants
            if code.text.startswith(want.prefix)
        )

    def _lost(self, wants: list[Want]) -> Events:
        """Return that codes were lost, once the queue has room again."""
        if self._gap is None:
            return ()
        (first, count), self._gap = self._gap, None
        data = {"until": str(self._clock.now()), "lost": str(count)}
        value = f"{count} codes lost"
        return tuple(_event(w.id, "gap", first, _BAD, value=value, data=data) for w in wants)

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


def _event(
    id: str,
    kind: Kind,
    time: int,
    status: int,
    *,
    value: str = "",
    data: dict[str, str] | None = None,
) -> Event:
    return Event(
        id=id, time=time, kind=kind, value=value, status=status, received=time, data=data or {}
    )


def _want(signal: Signal) -> Want:
    """Return which codes a signal wants. Raises ValueError."""
    if signal.kind == "number":
        raise ValueError(f"{signal.source!r} gives codes, not numbers: set kind = 'scan'")
    return Want(signal.id, signal.kind, _prefix(signal.address))


def _prefix(address: str) -> str:
    found = re.fullmatch(r"scan(?:\?prefix=(.+))?", address)
    if found is None:
        raise ValueError(f"{address!r} is no address of a scanner: write scan, or scan?prefix=LOT-")
    return found[1] or ""


class Target(NamedTuple):
    """The parts of the option `url`."""

    scheme: str
    host: str
    port: int
    path: str
    query: dict[str, str]


def _target(url: str) -> Target:
    """Return the parts of the option `url`. Raises ValueError with a remedy."""
    wrong = (
        f"url {url!r}: write tcp://host:port, listen://127.0.0.1:port or "
        "serial:///dev/ttyUSB0?baud=9600"
    )
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(wrong) from error
    network = parts.scheme in ("tcp", "listen") and parts.hostname and port is not None
    if not network and not (parts.scheme == "serial" and parts.path):
        raise ValueError(wrong)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return Target(parts.scheme, parts.hostname or "", port or 0, parts.path, query)


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"peers: {error}: write e.g. 10.0.0.20/32 or 10.0.0.0/24") from error


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
