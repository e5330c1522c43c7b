"""What a line is made of, as `line.toml` says it. Times in s, lengths in m, powers in kW."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deungdae.sim import distribution
from deungdae.sim.distribution import Distribution

STATES = (
    "running",
    "starved",
    "blocked",
    "setup",
    "down",
    "maintenance",
    "waiting",  # for an operator or a crew
    "off",  # by its calendar
)
OUT = "out"  # where good parts leave the line
SCRAP = "scrap"  # where bad parts leave it

Spread = str | float  # a distribution as people write it
Share = Annotated[float, Meta(ge=0, le=1)]


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which a station fails."""

    every: Annotated[Spread, Meta(description="Time to failure", extra={"unit": "s"})]
    repair: Annotated[Spread, Meta(description="Time to repair", extra={"unit": "s"})]
    of: Annotated[
        Literal["operation", "time"],
        Meta(description="What wears: `operation`, only while it runs; `time`, always"),
    ] = "operation"
    crew: Annotated[str, Meta(description="Crew that repairs; empty: somebody is always there")] = (
        ""
    )

    def __post_init__(self) -> None:
        _spreads(every=self.every, repair=self.repair)
        if distribution.parse(self.every).mean <= 0:
            raise ValueError(f"every = {self.every!r}: a time to failure must be above 0")


class Maintenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work on a station that is planned by its use."""

    every: Annotated[
        float, Meta(gt=0, description="Interval: s, or parts where `of` says so", extra={})
    ]
    length: Annotated[Spread, Meta(description="How long it takes", extra={"unit": "s"})]
    of: Annotated[
        Literal["operation", "time", "parts"],
        Meta(description="What is counted: running time, all time, or parts"),
    ] = "operation"
    crew: Annotated[str, Meta(description="Crew that does it")] = ""
    renews: Annotated[
        bool, Meta(description="Whether the station is as new: its time to failure begins again")
    ] = True

    def __post_init__(self) -> None:
        _spreads(length=self.length)


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many parts of a station are bad, and what it finds."""

    defects: Annotated[Share, Meta(description="Share of parts that it spoils")] = 0.0
    wear: Annotated[
        float, Meta(ge=0, description="How much that share grows with each part since maintenance")
    ] = 0.0
    warm_up: Annotated[
        int, Meta(ge=0, description="So many parts after each setup or repair are spoilt as well")
    ] = 0
    inspects: Annotated[bool, Meta(description="Whether it inspects: sorts out what is bad")] = (
        False
    )
    escapes: Annotated[Share, Meta(description="Share of bad parts that it lets pass")] = 0.0
    false_alarms: Annotated[Share, Meta(description="Share of good parts that it sorts out")] = 0.0
    to: Annotated[
        str, Meta(description="Where what it sorts out goes: `scrap`, or a buffer for rework")
    ] = SCRAP


class Station(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where something is done to parts."""

    cycle: Annotated[
        Spread | dict[str, Spread],
        Meta(description="Time of one cycle; or a table of it by product", extra={"unit": "s"}),
    ]
    servers: Annotated[int, Meta(ge=1, le=1000, description="Machines alike, side by side")] = 1
    inputs: Annotated[
        str | tuple[str, ...],
        Meta(description="Buffers it takes from, the first first; none: it never starves"),
    ] = msgspec.field(name="from", default=())
    to: Annotated[
        str | dict[str, Share],
        Meta(description="Where parts go: a buffer, `out`, or a table of shares of those"),
    ] = OUT
    products: Annotated[
        tuple[str, ...], Meta(description="What it takes or makes; empty: everything")
    ] = ()
    pick: Annotated[
        Literal["order", "longest", "oldest"],
        Meta(description="Which of its buffers comes first: as written, longest, oldest part"),
    ] = "order"
    setup: Annotated[
        Spread | dict[str, Spread],
        Meta(
            description="Time to change the product family; or a table `a>b`", extra={"unit": "s"}
        ),
    ] = 0.0
    batch: Annotated[int, Meta(ge=1, description="Parts that are worked on together")] = 1
    batch_least: Annotated[
        int, Meta(ge=0, description="Begins with so many after `batch_wait`; 0: only when full")
    ] = 0
    batch_wait: Annotated[
        float, Meta(ge=0, description="Wait for a full batch at most", extra={"unit": "s"})
    ] = 0.0
    needs: Annotated[
        dict[str, Annotated[int, Meta(ge=1)]],
        Meta(description="Assembly: further parts of each cycle, by buffer"),
    ] = {}
    yields: Annotated[int, Meta(ge=1, description="Disassembly: parts out of each part")] = 1
    makes: Annotated[
        str, Meta(description="Product that parts are afterwards; empty: as before")
    ] = ""
    scrap: Annotated[Share, Meta(description="Share of its parts that is scrapped")] = 0.0
    rework: Annotated[Share, Meta(description="Share of its parts that goes to `rework_to`")] = 0.0
    rework_to: Annotated[str, Meta(description="Buffer of parts to be worked on again")] = ""
    quality: Annotated[Quality | None, Meta(description="Quality by a model, not by shares")] = None
    failures: Annotated[tuple[Failure, ...], Meta(description="Ways in which it fails")] = ()
    maintenance: Annotated[tuple[Maintenance, ...], Meta(description="Planned by its use")] = ()
    operators: Annotated[
        dict[str, Annotated[int, Meta(ge=1)]],
        Meta(description="People that a cycle or setup takes, by skill"),
    ] = {}
    calendar: Annotated[str, Meta(description="When it works; empty: always")] = ""
    power: Annotated[
        dict[str, Annotated[float, Meta(ge=0)]],
        Meta(
            description="Electric power by state; a state left out: as starved; off: 0",
            extra={"unit": "kW"},
        ),
    ] = {}

    def __post_init__(self) -> None:
        for key, value in (("cycle", self.cycle), ("setup", self.setup)):
            each = value if isinstance(value, dict) else {"": value}
            _spreads(**{f"{key}.{name}".rstrip("."): spread for name, spread in each.items()})
        for state in self.power:
            if state not in STATES:
                raise ValueError(f"power: {state!r} is no state; known: {', '.join(STATES)}")
        if isinstance(self.to, dict) and abs(sum(self.to.values()) - 1) > 1e-9:
            raise ValueError(f"to = {self.to}: the shares must add up to 1")
        if self.scrap + self.rework > 1:
            raise ValueError(f"scrap + rework = {self.scrap + self.rework}: more than all parts")
        if self.rework and not self.rework_to:
            raise ValueError("rework needs rework_to: the buffer where those parts wait")
        if self.batch_least > self.batch:
            raise ValueError(f"batch_least = {self.batch_least} is more than batch = {self.batch}")

    @property
    def takes_from(self) -> tuple[str, ...]:
        """Return the buffers that it takes from, the first first."""
        return (self.inputs,) if isinstance(self.inputs, str) else self.inputs

    @property
    def goes_to(self) -> dict[str, float]:
        """Return the share of parts that goes to each place."""
        return {self.to: 1.0} if isinstance(self.to, str) else dict(self.to)

    def cycle_of(self, product: str) -> Distribution:
        """Return the cycle time of a product. Raises KeyError where a table leaves it out."""
        return distribution.parse(
            self.cycle[product] if isinstance(self.cycle, dict) else self.cycle
        )


class Ride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How parts come into a buffer by vehicle."""

    vehicles: Annotated[str, Meta(description="Which vehicles")]
    start: Annotated[str, Meta(description="Where they load: a place of [paths]")]
    end: Annotated[str, Meta(description="Where they unload")]
    lot: Annotated[int, Meta(ge=1, description="Parts of one ride")] = 1
    places: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Parts that can wait where it starts; left out: any number"),
    ] = None


class Buffer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where parts wait."""

    capacity: Annotated[int | None, Meta(description="Parts that fit; left out: any number")] = None
    initial: Annotated[
        int | dict[str, Annotated[int, Meta(ge=0)]],
        Meta(description="Parts at the start; or a table of them by product"),
    ] = 0
    order: Annotated[
        Literal["fifo", "lifo", "due"], Meta(description="Who is next: first, last, most urgent")
    ] = "fifo"
    delay: Annotated[
        Spread, Meta(description="Time to get in: a conveyor", extra={"unit": "s"})
    ] = 0.0
    ride: Annotated[Ride | None, Meta(description="Brought by vehicles")] = None

    def __post_init__(self) -> None:
        _spreads(delay=self.delay)
        if self.capacity is not None and self.capacity < 0:
            raise ValueError(f"capacity = {self.capacity} is below 0")


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that the line makes."""

    family: Annotated[str, Meta(description="Products of one family need no setup between")] = ""
    share: Annotated[
        float, Meta(ge=0, description="Share in what a station without input begins")
    ] = 1.0
    arrival: Annotated[
        Spread | None, Meta(description="Time between arrivals at `into`", extra={"unit": "s"})
    ] = None
    into: Annotated[str, Meta(description="Buffer at which it arrives")] = ""
    route: Annotated[
        tuple[str, ...],
        Meta(description="Stations in their order; empty: wherever stations send it"),
    ] = ()

    def __post_init__(self) -> None:
        if self.arrival is not None:
            _spreads(arrival=self.arrival)
            if distribution.parse(self.arrival).mean <= 0:
                raise ValueError(f"arrival = {self.arrival!r}: must be above 0 in the mean")
        if (self.arrival is not None) != bool(self.into):
            raise ValueError("arrival and into belong together: how often, and where")


class Crew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who repair and maintain."""

    size: Annotated[int, Meta(ge=0, description="How many")] = 1
    calendar: Annotated[str, Meta(description="When they work; empty: always")] = ""


class Operators(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who work at stations."""

    count: Annotated[int, Meta(ge=0, description="How many")] = 1
    skills: Annotated[tuple[str, ...], Meta(description="What they can do")]
    calendar: Annotated[str, Meta(description="When they work; empty: always")] = ""


class Vehicles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vehicles alike."""

    count: Annotated[int, Meta(ge=1, description="How many")] = 1
    speed: Annotated[float, Meta(gt=0, description="Speed", extra={"unit": "m/s"})] = 1.0
    load: Annotated[float, Meta(ge=0, description="Time to load", extra={"unit": "s"})] = 0.0
    unload: Annotated[float, Meta(ge=0, description="Time to unload", extra={"unit": "s"})] = 0.0
    home: Annotated[
        str, Meta(description="Where they are at the start; else at the first place")
    ] = ""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many parts of a product, wanted by a time."""

    id: Annotated[str, Meta(description="Name of the order", min_length=1)]
    product: Annotated[str, Meta(description="What is wanted")]
    quantity: Annotated[int, Meta(ge=1, description="How many good parts")]
    release: Annotated[float, Meta(ge=0, description="Not begun before", extra={"unit": "s"})] = 0.0
    due: Annotated[float, Meta(ge=0, description="Wanted by", extra={"unit": "s"})]


class Lever(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that may be changed to make the line better, within bounds, for money.

    A time is changed by a factor: `low = 0.8, high = 1.0, step = 0.05` of `press.cycle`. Everything
    else takes the values from low to high. Or `options` says what may be written instead.
    """

    target: Annotated[
        str, Meta(description="`<name>.<field>`, as in `twin whatif --set`; or `sequence`")
    ]
    low: Annotated[float | None, Meta(description="Least value; times: least factor")] = None
    high: Annotated[float | None, Meta(description="Largest value; times: largest factor")] = None
    step: Annotated[float, Meta(gt=0, description="Step between values")] = 1.0
    options: Annotated[
        tuple[str, ...], Meta(description="Instead of bounds: what may stand there")
    ] = ()
    cost: Annotated[
        Decimal, Meta(description="Money for each step away from what is; or for an option")
    ] = Decimal(0)
    currency: Annotated[str, Meta(description="ISO 4217 code", pattern="^[A-Z]{3}$")] = "KRW"

    def __post_init__(self) -> None:
        if bool(self.options) == (self.low is not None or self.high is not None):
            raise ValueError(f"{self.target}: needs either low and high, or options")
        if not self.options:
            if self.low is None or self.high is None:
                raise ValueError(f"{self.target}: needs both low and high")
            if not 0 <= self.low <= self.high:
                raise ValueError(f"{self.target}: low = {self.low}, high = {self.high}: no range")
        if self.cost < 0:
            raise ValueError(f"{self.target}: cost = {self.cost} is below 0")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What one server of a station does at a moment.

    product: of the part in it, or ''. elapsed: s since the state began (in `running`: since the
    cycle began, stops not counted). remaining: s until it ends, where known; else it is drawn,
    given what has elapsed. work: s that are left of the cycle where the state interrupts one; not
    known: a whole cycle. parts: how many are in it.
    """

    state: str = "starved"
    product: str = ""
    elapsed: float = 0.0
    remaining: float | None = None
    work: float | None = None
    parts: int = 1


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A line at a moment: where a simulation begins. What it leaves out is empty and starved.

    buffers: parts by product, the first in line first where their order is known (a sequence of
    products). family: the product family for which a station is set up, by station.
    """

    buffers: dict[str, tuple[str, ...]] = {}
    stations: dict[str, tuple[Server, ...]] = {}
    family: dict[str, str] = {}


def _spreads(**written: Spread) -> None:
    """Raise ValueError, with the key, for the first that is no distribution."""
    for key, value in written.items():
        try:
            distribution.parse(value)
        except ValueError as error:
            raise ValueError(f"{key} = {error}") from error
