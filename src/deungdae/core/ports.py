"""The five ports. A plug-in is any class that fits one; nothing is inherited.

Every plug-in has a nested `Options` (a frozen msgspec.Struct with forbid_unknown_fields) and is
built by the registry as `Class(name, options, ...)`: see each port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from .types import (
    Batch,
    Command,
    Event,
    Finding,
    FloatArray,
    IntArray,
    Permit,
    Signal,
    StatusArray,
    TimeArray,
)

Events: TypeAlias = tuple[Event, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a door is doing, in words for the person at the cabinet.

    since: when the state began. problem: what is wrong; remedy: what to do.
    signals: problem of each signal that does not work while others do, by id.
    """

    state: Literal["stopped", "connecting", "online", "degraded", "offline"]
    since: int
    problem: str = ""
    remedy: str = ""
    signals: Mapping[str, str] = {}


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a server offers, as found by browsing: enough to propose a Signal.

    address: what to put behind `<machine>:`; path: its place as people name it.
    """

    address: str
    path: str
    kind: Literal["number", "state", "text", "scan", "alarm", "image"] = "number"
    type: str = ""
    unit: str = ""
    access: Literal["r", "rw"] = "r"
    low: float | None = None
    high: float | None = None
    value: str = ""
    description: str = ""


@runtime_checkable
class Driver(Protocol):
    """A south door: one machine or server. Built as `Class(name, options, clock)`.

    Life: connect, then stream (and write beside it), then close. `connect` raises DoorError and
    may be called again; `stream` ends by raising DoorError when the link is lost, and the runtime
    then connects and streams anew, with jittered back-off. One bad signal never ends the stream:
    it yields bad status and is named in `health.signals`.

    A class may also have `check_address(address, options)`, static, which raises ValueError with a
    remedy: so `deungdae check` finds a wrong address before anything starts.
    """

    @property
    def health(self) -> Health:
        """Return how the door is doing now."""
        ...

    async def connect(self) -> None:
        """Open the link. Raises Unreachable or BadReply, with a remedy, within its time-out."""
        ...

    def browse(self) -> AsyncIterator[Node]:
        """Yield everything that the server offers. Needs a connection."""
        ...

    def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield what the given signals do, as it comes. signals: handle -> Signal.

        Values are already in the Signal's unit. The first items carry the current values.
        """
        ...

    def confirm(self, items: int) -> None:
        """Learn that the first `items` items of the current stream are durable.

        Only then may a door acknowledge to its source (MQTT QoS 1, Sparkplug, a gateway).
        """
        ...

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Write, read back, and return the value that the machine now reports, in signal.unit.

        None where the protocol cannot read back. Raises DoorError; never retries by itself.
        """
        ...

    async def close(self) -> None:
        """Close the link and free everything. May be called twice."""
        ...


class Samples(msgspec.Struct, frozen=True, eq=False):
    """The samples of one signal in time order: time int64[n], value float64[n], status uint8[n]."""

    time: TimeArray
    value: FloatArray
    status: StatusArray

    def __len__(self) -> int:
        return len(self.time)


class Rollup(msgspec.Struct, frozen=True, eq=False):
    """One signal in equal buckets; only buckets that hold samples appear.

    start int64[n] (bucket start); count int64[n] good samples; minimum, maximum, mean, last
    float64[n] over good samples (NaN where count is 0); weighted float64[n], the time-weighted
    mean of the held good value within the bucket; bad float64[n], share of samples not good, 0..1.
    """

    start: TimeArray
    count: TimeArray
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    last: FloatArray
    weighted: FloatArray
    bad: FloatArray


@runtime_checkable
class Store(Protocol):
    """The memory that thinkers see. Synchronous and safe to call from several threads."""

    def register(self, signals: Sequence[Signal]) -> IntArray:
        """Return the handle of each signal, int32[n]; the same id gets the same handle for ever."""
        ...

    def append(self, items: Sequence[Batch | Event | Finding]) -> None:
        """Make all items durable, in one commit; return when they are. Raises StoreError.

        Idempotent: samples on (signal, time), events on (id, time, kind, value, data), findings on
        (origin, asset, name, start, end). Of two samples with one (signal, time) the later
        append is what a query gives.
        """
        ...

    def query(
        self, ids: Sequence[str], start: int, end: int, *, before: bool = False
    ) -> dict[str, Samples]:
        """Return each signal's samples with start <= time < end, in time order, without duplicates.

        before: also the last sample before start, where there is one. An id that the store never
        saw has empty Samples.
        """
        ...

    def rollup(self, id: str, start: int, end: int, every: int) -> Rollup:
        """Return one signal in buckets of `every` ns that start at multiples of it since 1970."""
        ...

    def events(
        self,
        start: int,
        end: int,
        *,
        ids: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        before: bool = False,
    ) -> list[Event]:
        """Return events with start <= time < end in order of (time, arrival).

        before: also, for each id, the last event before start.
        """
        ...

    def findings(
        self,
        start: int,
        end: int,
        *,
        origin: str | None = None,
        asset: str | None = None,
        name: str | None = None,
    ) -> list[Finding]:
        """Return findings that end in [start, end), in order of end."""
        ...

    def last(self, ids: Sequence[str]) -> Batch:
        """Return the newest sample (by source time) of each id that has one, in that order."""
        ...


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a thinker must be given.

    signals: ids of numeric signals; events: ids of event signals; images: ids of image signals.
    every: call at least every so many ns, 0: whenever something new of it arrives.
    history: the window reaches back so many ns before now, 0: only what is new since last time.
    Who asks for a history keeps nothing between calls: each may run in another process.
    Who asks for images is called with one after the other, and with nothing else but models.
    models: names of trained models. findings: names of analyses, whose conclusions it is called
    with as they come.
    """

    signals: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    every: int = 0
    history: int = 0


class Picture(msgspec.Struct, frozen=True, eq=False):
    """An image that a camera took. ref: `sha256:…`; pixels: uint8[height, width, 3]."""

    time: int
    ref: str
    serial: str
    pixels: NDArray[np.uint8]


class Appointed(msgspec.Struct, frozen=True, eq=False):
    """A trained model as it stands now. stage: `shadow`, `advise` or `decide`; content: its file.

    A score below `accept` is good, one above `reject` is bad, between them a person is asked.
    """

    name: str
    version: str
    stage: str
    accept: float
    reject: float
    content: bytes


class Window(msgspec.Struct, frozen=True, eq=False):
    """What a thinker gets: everything it needs over [start, end).

    With history, samples and events also hold the last one before start, so that the state at
    start is known. images: those that could be read, in time order. models: by name, the one that
    acts first.
    """

    start: int
    end: int
    samples: Mapping[str, Samples] = {}
    events: Mapping[str, Events] = {}
    images: Mapping[str, tuple[Picture, ...]] = {}
    models: Mapping[str, tuple[Appointed, ...]] = {}
    findings: tuple[Finding, ...] = ()


@runtime_checkable
class Analyser(Protocol):
    """A thinker that concludes. Built as `Class(name, options, factory)`. Pure."""

    @property
    def needs(self) -> Needs:
        """Return what it must be given."""
        ...

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return what can be concluded. Raises NotEnoughData with what is missing."""
        ...


@runtime_checkable
class Recalling(Protocol):
    """A thinker that learns from the past before it thinks; of the past nothing is told anew."""

    def recall(self, now: int) -> Iterable[tuple[int, int]]:
        """Return stretches of the past, ns; each is asked for when those before were shown."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A thinker that goes on from its own last conclusions."""

    def remember(self, findings: Sequence[Finding]) -> None:
        """Take what it concluded before it was started, oldest first."""
        ...


@runtime_checkable
class Policy(Protocol):
    """A thinker that asks for changes. Built as `Class(name, options, factory)`. Pure."""

    @property
    def needs(self) -> Needs:
        """Return what it must be given."""
        ...

    def decide(self, now: int, window: Window) -> Sequence[Command]:
        """Return the commands that it asks for now, best first. The gate judges each."""
        ...


@runtime_checkable
class Bridge(Protocol):
    """A north door or a virtual machine: something that serves others."""

    @property
    def health(self) -> Health:
        """Return how the door is doing now."""
        ...

    async def serve(self) -> None:
        """Serve until cancelled."""
        ...
