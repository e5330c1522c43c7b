"""A whole works in digital form: one line in motion, and at each station a machine that obeys it.

The kernel says what every station does and when a part is finished; the machines turn that into
temperatures, forces, images and kilowatt-hours. What the machines do to the parts goes back: the
share that they spoil, and the pace at which they run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from deungdae.core.types import SECOND
from deungdae.sim.kernel import Kind, Result, Simulation, Trace
from deungdae.sim.line import Line, Server, Snapshot
from deungdae.sim.plant.parts import Driven, Plant

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
    """A plant that sees every part that its station finishes: a camera, a reader of codes."""

    def show(self, serial: str, product: str, defects: tuple[str, ...]) -> None:
        """Have the part before it from now on."""
        ...


@runtime_checkable
class Metering(Protocol):
    """A plant that measures what another uses."""

    def load(self, kw: float) -> None:
        """Have so many kW drawn through it from now on."""
        ...


class Works:
    """One line and its machines. `time`: s since somebody began to look; the line ran before."""

    def __init__(self, line: Line, seed: int = 1, origin: int = 0, since: float = 0.0) -> None:
        """origin: ns since 1970 of time 0, for shifts. since: what another clock shows then, s."""
        self.line = line
        self.time = 0.0
        self._since = since
        self._random = np.random.default_rng(seed)
        begun = origin - round(WARM * SECOND)
        self._simulation = Simulation(line, seed=seed, start=under_way(line), origin=begun)
        self._simulation.advance(WARM)
        self._stations = tuple(line.stations)
        self._machines: dict[str, list[Plant]] = {}
        self._phase: dict[str, float] = {}
        self._heeded = 0.0
        self._spoilt: dict[str, Mapping[str, float]] = {}

    def join(self, station: str, machine: Plant) -> None:
        """Let a machine stand at a station. Raises ValueError for a station that there is not."""
        if station not in self.line.stations:
            known = ", ".join(self.line.stations)
            raise ValueError(f"no station is called {station!r}; known: {known}")
        self._machines.setdefault(station, []).append(machine)
        self._obey(station, machine)

    def time_at(self, moment: float) -> float:
        """Return the works' time at a moment of the clock by which it began."""
        return moment - self._since

    def advance(self, until: float) -> None:
        """Let time pass up to `until`, s; what has passed already does not pass again."""
        if until <= self.time:
            return
        trace = self._simulation.advance(WARM + until)
        self._finish(trace)
        dt, self.time = until - self.time, until
        for station, machines in self._machines.items():
            for machine in machines:
                machine.step(dt)
                self._obey(station, machine)
        if self.time - self._heeded >= HEED:
            self._heeded = self.time
            self._heed()

    def _finish(self, trace: Trace) -> None:
        """Let the machines complete their cycles, and bring parts before those that watch."""
        batch: tuple[int, int, float] | None = None  # what comes out together is one cycle
        for row in np.flatnonzero(trace.kind == Kind.DONE).tolist():
            station = self._stations[trace.station[row]]
            cycle = (int(trace.station[row]), int(trace.server[row]), float(trace.time[row]))
            for machine in self._machines.get(station, ()):
                if isinstance(machine, Driven) and cycle != batch:
                    product = self.line.product_names[trace.product[row]]
                    machine.drive("running", 1.0, product)
                    machine.drive("running", 0.0, product)
                    self._phase[station] = 0.0
                if isinstance(machine, Watching):
                    self._show(machine, trace, row)
            batch = cycle

    def _obey(self, station: str, machine: Plant) -> None:
        """Let a machine do what its station does now, and a meter measure what that uses."""
        if isinstance(machine, Metering):
            others = [m for m in self._machines[station] if m is not machine]
            machine.load(sum(_power(other) for other in others))
        elif isinstance(machine, Driven):
            servers = self.line.stations[station].servers
            state, phase, product = _doing(
                [self._simulation.server(station, number) for number in range(servers)]
            )
            # a phase that falls is a cycle, and of several servers another may finish next: so it
            # falls only where a part is done
            phase = max(phase, self._phase.get(station, 0.0))
            self._phase[station] = phase
            machine.drive(state, phase, product)

    def _show(self, machine: Watching, trace: Trace, row: int) -> None:
        """Bring a finished part before a camera or a reader."""
        product = self.line.product_names[trace.product[row]]
        serial = f"{product[:2].upper()}{int(trace.part[row]):07d}"
        bad = trace.value[row] != Result.GOOD
        machine.show(serial, product, (self._defect(),) if bad else ())

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
        for station, machines in self._machines.items():
            for machine in machines:
                if isinstance(machine, Spoiling):
                    self._spoilt[station] = machine.spoils()
                    self._simulation.spoil(station, min(sum(self._spoilt[station].values()), 1.0))
                if isinstance(machine, Paced):
                    self._simulation.pace(station, 1 / machine.pace)


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
