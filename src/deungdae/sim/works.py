"""A whole works in digital form: one line in motion, and at each station a machine that obeys it.

The kernel says what every station does and when a part is finished; the machines turn that into
temperatures, forces, images and kilowatt-hours. What the machines do to the parts goes back: the
share that they spoil, and the pace at which they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np

from deungdae.core.types import SECOND
from deungdae.sim.kernel import Simulation, Trace
from deungdae.sim.labels import Labels, Left, Scan
from deungdae.sim.line import Line, Server, Snapshot
from deungdae.sim.plant.parts import Driven, Plant, Resuming, Told

WARM = 3600.0  # s that the line runs before anybody looks
HEED = 10.0  # s between two looks at what the machines do to the line


@runtime_checkable
class Spoiling(Protocol):
    """A plant that spoils parts."""

    def spoils(self) -> Mapping[str, float]:
        """Return the probability of each kind of defect that it gives a part now."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A plant whose speed can be set."""

    @property
    def pace(self) -> float:
        """Return how fast it is set to run; 1: as the line describes it."""
        ...


@runtime_checkable
class Watching(Protocol):
    """A plant that sees every part that its station finishes: a camera."""

    def show(self, serial: str, product: str, defects: tuple[str, ...]) -> None:
        """Have the part before it from now on."""
        ...


@runtime_checkable
class Packing(Protocol):
    """A plant that puts parts onto pallets, or into boxes."""

    @property
    def pallet(self) -> str:
        """Return the one into which it has put the last part."""
        ...


@runtime_checkable
class Metering(Protocol):
    """A plant that measures what another uses."""

    def load(self, kw: float) -> None:
        """Have so many kW drawn through it from now on."""
        ...


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """How a works ended: with it another goes on. values: by `<station>/<kind of machine>`.

    spoilt: which of the parts are bad, by their places in `left`. said: what was shown last at each
    station, by name, but for its parts.
    """

    snapshot: Snapshot
    left: Left
    spoilt: list[int]
    values: dict[str, dict[str, float]]
    said: dict[str, dict[str, str]]


class Works:
    """One line and its machines. `time`: s since somebody began to look; the line ran before."""

    def __init__(
        self,
        line: Line,
        seed: int = 1,
        origin: int = 0,
        since: float = 0.0,
        *,
        before: Before | None = None,
        warm: float = WARM,
    ) -> None:
        """origin: ns since 1970 of time 0, for shifts. since: what another clock shows then, s.

        before: where another ended, it goes on; else it has run for `warm` s when somebody looks.
        """
        self.line = line
        self.time = 0.0
        self.heard: Callable[[Scan], None] | None = None  # who hears what is read, and when it is
        self._since = since
        self._random = np.random.default_rng(seed)
        self._before = before
        self._warm = warm = 0.0 if before is not None else warm
        begun = origin - round(warm * SECOND)
        start = under_way(line) if before is None else before.snapshot
        self._labels = Labels(line, begun, None if before is None else before.left)
        self._simulation = Simulation(line, seed=seed, start=start, origin=begun)
        self._said: dict[str, dict[str, str]] = {} if before is None else deepcopy(before.said)
        if before is not None:
            self._simulation.taint(before.spoilt)
        for scan in self._labels.follow(self._simulation.advance(warm)):
            self._say(scan)
        self._stations = tuple(line.stations)
        self._places: dict[str, _Place] = {}
        self._phase: dict[str, float] = {}
        self._heeded = 0.0
        self._spoilt: dict[str, Mapping[str, float]] = {}

    def join(self, station: str, machine: Plant) -> None:
        """Let a machine stand at a station. Raises ValueError for a station that there is not."""
        if station not in self.line.stations:
            known = ", ".join(self.line.stations)
            raise ValueError(f"no station is called {station!r}; known: {known}")
        place = self._places.setdefault(station, _Place())
        place.add(machine)
        if self._before is not None and isinstance(machine, Resuming):
            machine.resume(self._before.values.get(f"{station}/{type(machine).__name__}", {}))
        if isinstance(machine, Told):
            for name, text in {"station": station, **self._said.get(station, {})}.items():
                machine.tell(name, text)
        self._obey(station, place)

    def ended(self) -> Before:
        """Return how it stands now, for another to go on with."""
        values = {
            f"{station}/{type(machine).__name__}": _numbers(machine)
            for station, place in self._places.items()
            for machine in place.machines
        }
        left = self._labels.left(self._simulation.serials())
        snapshot = self._simulation.snapshot()
        return Before(
            snapshot=snapshot,
            left=left,
            spoilt=self._simulation.spoilt(),
            values=values,
            said=deepcopy(self._said),
        )

    def time_at(self, moment: float) -> float:
        """Return the works' time at a moment of the clock by which it began."""
        return moment - self._since

    def advance(self, until: float) -> Trace | None:
        """Let time pass up to `until`, s; what has passed already does not pass again.

        Returns what happened in the line; None if no time has passed.
        """
        if until <= self.time:
            return None
        trace = self._simulation.advance(self._warm + until)
        self._finish(trace)
        dt, self.time = until - self.time, until
        for station, place in self._places.items():
            for machine in place.machines:
                machine.step(dt)
            self._obey(station, place)
        if self.time - self._heeded >= HEED:
            self._heeded = self.time
            self._heed()
        return trace

    def _finish(self, trace: Trace) -> None:
        """Let the machines complete their cycles, and show what is read of parts and orders."""
        batch: tuple[str, int, float] | None = None  # what comes out together is one cycle
        for scan in self._labels.follow(trace):  # one by one: who packs a part says so
            place = self._places.get(scan.station, _NOBODY)
            done = scan.name in ("part", "lot")
            cycle = (scan.station, scan.server, scan.time)
            if done and cycle != batch:
                for driven in place.driven:
                    driven.drive("running", 1.0, scan.label.product)
                    driven.drive("running", 0.0, scan.label.product)
                self._phase[scan.station] = 0.0
            if done:
                batch = cycle
                for watching in place.watching:
                    self._show(watching, scan)
                for packing in place.packing:
                    scan.data["into"] = packing.pallet
                    scan.label.carrier = packing.pallet
            for told in place.told:
                told.tell(scan.name, scan.text)
            self._say(scan)
            if self.heard is not None:
                self.heard(scan)

    def _obey(self, station: str, place: _Place) -> None:
        """Let machines do what their station does now, and meters measure what that uses."""
        if place.driven:
            servers = self.line.stations[station].servers
            state, phase, product = _doing(
                [
                    self._simulation.server(station, number, counted=False)
                    for number in range(servers)
                ]
            )
            # a phase that falls is a cycle, and of several servers another may finish next: so it
            # falls only where a part is done
            phase = max(phase, self._phase.get(station, 0.0))
            self._phase[station] = phase
            for machine in place.driven:
                machine.drive(state, phase, product)
        for meter in place.meters:
            meter.load(sum(_power(machine) for machine in place.loads))

    def _say(self, scan: Scan) -> None:
        """Remember what is shown at a station until something else is."""
        if scan.name != "part":
            self._said.setdefault(scan.station, {})[scan.name] = scan.text

    def _show(self, machine: Watching, scan: Scan) -> None:
        """Bring a finished part before a camera."""
        bad = scan.data.get("result", "good") != "good"
        machine.show(scan.value, scan.label.product, (self._defect(),) if bad else ())

    def _defect(self) -> str:
        """Return what is wrong with a part that was spoilt: drawn as the machines spoil now."""
        kinds: dict[str, float] = {}
        for spoilt in self._spoilt.values():
            for kind, chance in spoilt.items():
                kinds[kind] = kinds.get(kind, 0.0) + chance
        if not kinds:
            return "chip"  # what any handling does
        chances = np.array(list(kinds.values()))
        return str(self._random.choice(list(kinds), p=chances / chances.sum()))

    def _heed(self) -> None:
        """Let what the machines do to parts, and how fast they are set, have its effect."""
        for station, place in self._places.items():
            for spoiling in place.spoiling:
                self._spoilt[station] = spoiling.spoils()
                self._simulation.spoil(station, min(sum(self._spoilt[station].values()), 1.0))
            for paced in place.paced:
                self._simulation.pace(station, 1 / paced.pace)


class _Place:
    """The machines at a station, by what can be done with them: found once, it takes long."""

    def __init__(self) -> None:
        self.machines: list[Plant] = []
        self.driven: list[Driven] = []
        self.watching: list[Watching] = []
        self.told: list[Told] = []
        self.meters: list[Metering] = []
        self.loads: list[Plant] = []  # what meters measure
        self.packing: list[Packing] = []
        self.spoiling: list[Spoiling] = []
        self.paced: list[Paced] = []

    def add(self, machine: Plant) -> None:
        self.machines.append(machine)
        if isinstance(machine, Metering):
            self.meters.append(machine)
        else:
            self.loads.append(machine)
        if isinstance(machine, Driven):
            self.driven.append(machine)
        if isinstance(machine, Watching):
            self.watching.append(machine)
        if isinstance(machine, Told):
            self.told.append(machine)
        if isinstance(machine, Packing):
            self.packing.append(machine)
        if isinstance(machine, Spoiling):
            self.spoiling.append(machine)
        if isinstance(machine, Paced):
            self.paced.append(machine)


_NOBODY = _Place()


def _numbers(machine: Plant) -> dict[str, float]:
    """Return everything that a machine tells as a number."""
    told = {quantity.name: machine.get(quantity.name) for quantity in machine.quantities}
    return {name: float(value) for name, value in told.items() if not isinstance(value, str)}


def under_way(line: Line) -> Snapshot:
    """Return the line in full work: buffers half full, servers part of the way, evenly spread."""
    products = line.product_names
    share = np.array([line.products[name].share if line.products else 1.0 for name in products])
    stations = {}
    for name, station in line.stations.items():
        product = next(p for p in products if not station.products or p in station.products)
        mean = station.cycle_of(product).mean
        parts = [(number + 0.5) / station.servers for number in range(station.servers)]
        stations[name] = tuple(
            Server(
                state="running",
                product=product,
                elapsed=(1 - part) * mean,
                remaining=part * mean,
                parts=station.batch,
            )
            for part in parts
        )
    buffers = {
        name: _mixed(products, share, (buffer.capacity or 0) // 2)
        for name, buffer in line.buffers.items()
    }
    return Snapshot(buffers=buffers, stations=stations)


def _mixed(products: Sequence[str], share: np.ndarray, count: int) -> tuple[str, ...]:
    """Return so many products by their shares, each in one run."""
    counts = np.diff(np.round(np.cumsum([0.0, *share / share.sum() * count])).astype(int))
    return tuple(name for name, n in zip(products, counts, strict=True) for _ in range(n))


def _doing(servers: Sequence[Server]) -> tuple[str, float, str]:
    """Return state, phase and product of a machine that is all servers of a station.

    It runs if any of them does; its phase is that of the one that will be finished first.
    """
    running = [server for server in servers if server.state == "running"]
    if not running:
        return servers[0].state, 0.0, servers[0].product
    first = min(running, key=lambda server: server.remaining or 0.0)
    whole = first.elapsed + (first.remaining or 0.0)
    return "running", min(first.elapsed / whole, 1.0) if whole else 0.0, first.product


def _power(machine: Plant) -> float:
    names = {quantity.name for quantity in machine.quantities}
    return float(machine.get("power")) if "power" in names else 0.0
