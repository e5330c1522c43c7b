"""What all virtual machines share: their options, and the plant behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import FactoryError, Unreachable
from deungdae.sim import line as lines
from deungdae.sim import plant
from deungdae.sim.plant import Plant

if TYPE_CHECKING:
    from deungdae.sim.works import Works


class PlantOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is simulated, and how fast it moves."""

    model: Annotated[str, Meta(description="What it simulates: a model of sim/plant")] = "kiln"
    seed: Annotated[int, Meta(ge=0, description="The same seed gives the same machine")] = 1
    parameters: Annotated[
        dict[str, float], Meta(description="Parameters of the model that differ from its own")
    ] = {}
    step: Annotated[
        float, Meta(gt=0, le=60, description="How often time moves on", extra={"unit": "s"})
    ] = 0.1
    works: Annotated[
        str,
        Meta(description="A line.toml: the machine stands in that line and does what it does"),
    ] = ""
    station: Annotated[str, Meta(description="Where in the line it stands")] = ""

    def __post_init__(self) -> None:
        plant.create(self.model, self.seed, self.parameters)
        if bool(self.works) != bool(self.station):
            raise ValueError("works and station belong together: which line, and where in it")


class MachineOptions(PlantOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every `[virtual.…]` table of a server may say."""

    host: Annotated[
        str, Meta(description="Address to listen on; beyond this computer only with `open`")
    ] = "127.0.0.1"
    open: Annotated[
        bool,
        Meta(
            description="Let other computers in, without encryption and without a login: anybody "
            "who reaches the port may read and write. Only for an isolated test network."
        ),
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.open or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host!r} is not this computer alone, and a virtual machine has neither "
                "encryption nor a login: leave host away, or say open = true in an isolated network"
            )


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach a server that listens on the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Place(NamedTuple):
    """Where in which line a machine stands."""

    works: str
    station: str


# the plants that stand in a line, and the lines that are in motion: every machine of one
# description belongs to one and the same line, whichever of them is built first
_places: WeakKeyDictionary[Plant, Place] = WeakKeyDictionary()
_in_motion: WeakValueDictionary[tuple[Path, int], Works] = WeakValueDictionary()
_before: list[Path] = []  # how a line stood when its simulated past ended; read once


def go_on(before: Path) -> None:
    """Let the next line that is set in motion go on where another ended: `sim.works.Before`."""
    _before[:] = [before]


def machine(options: PlantOptions) -> Plant:
    """Return the plant that the options name."""
    found = plant.create(options.model, options.seed, options.parameters)
    if options.works:
        _places[found] = Place(options.works, options.station)
    return found


async def live(
    clock: Clock, behind: Plant, step: float, shown: Callable[[], Awaitable[None]]
) -> None:
    """Let time pass in a plant until cancelled; `shown` is called after every step.

    Raises Unreachable where the line in which it stands cannot be read.
    """
    place = _places.get(behind)
    works = None if place is None else _works(place, clock)
    if works is not None and place is not None:
        try:
            works.join(place.station, behind)
        except ValueError as error:
            raise Unreachable(str(error), remedy=f"name a station of {place.works}") from error
    before = clock.monotonic()
    while True:
        await clock.sleep(step)
        now = clock.monotonic()
        if works is None:
            behind.step(now - before)
        else:
            works.advance(works.time_at(now))
        before = now
        await shown()


def _works(place: Place, clock: Clock) -> Works:
    """Return the line in motion, set in motion by the first machine of it."""
    # the kernel, for machines in a line alone
    from deungdae.sim.works import Before, Works  # noqa: PLC0415

    path = Path(place.works).resolve()
    found = _in_motion.get((path, id(clock)))
    if found is None:
        try:
            line = lines.read(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError, FactoryError) as error:
            remedy = "`works` names a line.toml beside the description"
            raise Unreachable(f"the line {path} cannot be read: {error}", remedy=remedy) from error
        before = None
        if _before:
            before = msgspec.json.decode(_before.pop().read_bytes(), type=Before)
        found = Works(line, origin=clock.now(), since=clock.monotonic(), before=before)
        _in_motion[path, id(clock)] = found
    return found
