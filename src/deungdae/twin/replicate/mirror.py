"""The line as it stands now: what its newest states and scans say of machines and buffers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from deungdae.core.types import SECOND, Event
from deungdae.sim.line import OUT, SCRAP, STATES, Line, Server, Snapshot

from .log import assets_of
from .timeline import IDLE, code_of

TELLING = ("state", "part", "lot", "loaded")  # what of an asset tells where parts are
HOLDING = frozenset({"running", "blocked", "down", "setup", "maintenance", "waiting"})


class Mirror:
    """Follows a line event by event; `snapshot` is where a simulation may begin.

    stations: assets of its stations, where they are not the usual ones (see assets_of). Events must
    come in order of their time; one older than the newest of its machine is passed over. Scans are
    those of docs/explanation/traceability.md; of `<asset>.lot` as many parts come as its station
    yields. Where one asset stands for all machines of a station, `<asset>.loaded` tells what goes
    in: carriers are its servers, and parts that name one have come out of it.
    """

    def __init__(
        self, line: Line, stations: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        self.line = line
        self._machine_of = {
            asset: (name, server)
            for name, assets in assets_of(line, stations or {}).items()
            for server, asset in enumerate(assets)
        }
        self._machines = {
            name: [_Machine() for _ in range(station.servers)]
            for name, station in line.stations.items()
        }
        self._alone = {  # stations of several machines for which one asset speaks
            name
            for name, assets in assets_of(line, stations or {}).items()
            if len(assets) < line.stations[name].servers
        }
        self._inside: dict[str, dict[str, _Load]] = {name: {} for name in self._alone}
        self._takers: dict[str, list[str]] = {name: [] for name in line.buffers}
        for name, station in line.stations.items():
            for buffer in station.takes_from:
                self._takers[buffer].append(name)
        self._waiting: dict[str, dict[str, str]] = {name: {} for name in line.buffers}
        self._place: dict[str, str] = {}  # serial -> buffer in which it was put last
        self._product: dict[str, str] = {}  # serial -> product, as a scan has named it, if any has
        self._family: dict[str, str] = {}
        self.time = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Take in states and scans of finished parts; everything else is passed over."""
        for event in events:
            if event.asset not in self._machine_of:
                continue
            name, server = self._machine_of[event.asset]
            machine = self._machines[name][server]
            if event.kind == "state" and event.time >= machine.since:
                machine.tell(event)
            elif event.kind == "scan" and event.id.endswith(".loaded"):
                self._load(name, event)
            elif (
                event.kind == "scan"
                and event.id.endswith((".part", ".lot"))
                and event.time >= machine.since_part
            ):
                self._finished(name, machine, event)
            self.time = max(self.time, event.time)

    def snapshot(self, now: int) -> Snapshot:
        """Return the line at a moment, ns: parts in buffers, what each machine does, since when."""
        waiting = self._free()
        stations = {}
        for name, machines in self._machines.items():
            if self._inside.get(name):
                stations[name] = self._loads(name, now)
                continue
            stations[name] = tuple(
                self._server(name, machine, waiting, now) for machine in machines
            )
        for name, parts in waiting.items():  # of a batch, what has no room is still in its machine
            del parts[self.line.buffers[name].capacity or len(parts) :]
        return Snapshot(
            buffers={name: tuple(parts) for name, parts in waiting.items() if parts},
            stations=stations,
            family=dict(self._family),
        )

    def _free(self) -> dict[str, list[str]]:
        """Return the products in each buffer, without what blocked machines still hold."""
        held = {
            machine.serial
            for machines in self._machines.values()
            for machine in machines
            if machine.state == "blocked"
        }
        return {
            name: [product for serial, product in parts.items() if serial not in held]
            for name, parts in self._waiting.items()
        }

    def _loads(self, name: str, now: int) -> tuple[Server, ...]:
        """Return the machines of a station for which one asset speaks: those with carriers first.

        A station that stands as a whole stands with all its carriers.
        """
        state = self._machines[name][0].state
        state = state if state in HOLDING else "running"
        servers = [
            Server(
                state=state, product=load.product, elapsed=(now - load.since) / SECOND,
                parts=load.parts,
            )
            for load in self._inside[name].values()
        ]  # fmt: skip
        count = self.line.stations[name].servers
        return (*servers[:count], *(Server() for _ in range(count - len(servers))))

    def _load(self, name: str, event: Event) -> None:
        """Let a carrier go in, with the parts that wait longest."""
        if name not in self._inside:
            return
        parts = count = self._parts_of(name, event)
        product = event.data.get("product", "")
        if product not in self.line.product_names:
            product = self.line.product_names[0]
        for buffer in self.line.stations[name].takes_from:
            waiting = self._waiting[buffer]
            for serial in list(waiting)[:count]:
                del waiting[serial]
                self._place.pop(serial, None)
                count -= 1
        inside = self._inside[name]
        inside[event.value] = _Load(event.time, product, parts)
        while len(inside) > self.line.stations[name].servers:  # one of which nobody told the end
            del inside[next(iter(inside))]

    def _unload(self, name: str, carrier: str, load: _Load) -> None:
        """Take one part out of a carrier; with the last the carrier is out."""
        if load.parts > 1:
            self._inside[name][carrier] = load._replace(parts=load.parts - 1)
        else:
            del self._inside[name][carrier]

    def _parts_of(self, name: str, event: Event) -> int:
        told = event.data.get("parts", "")
        known = told.isascii() and told.isdigit() and int(told) > 0
        return int(told) if known else self.line.stations[name].batch

    def _server(
        self, name: str, machine: _Machine, waiting: dict[str, list[str]], now: int
    ) -> Server:
        state, batch = machine.state, self.line.stations[name].batch
        product = ""
        if state == "blocked":
            product = machine.product  # the part that it finished is still in it
        elif state in HOLDING:
            product = self._taken(name, waiting)
            for _ in range(batch - 1):
                self._taken(name, waiting)
        since = machine.running(now) if state == "running" else (now - machine.since) / SECOND
        parts = batch if product else 1
        return Server(state=state, product=product, elapsed=max(since, 0.0), parts=parts)

    def _taken(self, name: str, waiting: dict[str, list[str]]) -> str:
        """Return the product of the part in work, and take it out of the buffer it came from."""
        station = self.line.stations[name]
        for buffer in station.takes_from:
            if waiting[buffer]:
                return waiting[buffer].pop(0)
        if station.takes_from:
            return ""
        return next(iter(station.products or self.line.product_names))

    def _finished(self, name: str, machine: _Machine, event: Event) -> None:
        """Move a part that a machine has finished to the buffer behind it."""
        serial = event.value or f"{name}@{event.time}"
        product = event.data.get("product", "") or self._product.get(serial, "")
        carrier = event.data.get("carrier", "")
        load = self._inside.get(name, {}).get(carrier)
        if load is not None:
            product = product or load.product
            self._unload(name, carrier, load)
        if product not in self.line.product_names:  # a line of one product need not name it
            product = self.line.product_names[0]
        machine.finished(event.time, serial, product)
        if product in self.line.products:
            self._family[name] = self.line.products[product].family or product
        before = self._place.pop(serial, None)
        if before is None and name not in self._alone:
            before = self._fullest(name)
            if before is not None:  # a part without a serial: the one in front is the one
                self._waiting[before].pop(next(iter(self._waiting[before])), None)
        elif before is not None:
            self._waiting[before].pop(serial, None)
        target = self._target(name, product, event.data.get("result", "good"))
        if target in self._waiting:
            several = event.id.endswith(".lot")
            count = self.line.stations[name].yields if several else 1
            if event.data.get("product"):
                self._product[serial] = product
            for each in [serial] if count == 1 else [f"{serial}/{n}" for n in range(count)]:
                self._waiting[target][each] = product
                self._place[each] = target
        else:
            self._product.pop(serial, None)  # it has left the line

    def _fullest(self, name: str) -> str | None:
        filled = [each for each in self.line.stations[name].takes_from if self._waiting[each]]
        return filled[0] if filled else None

    def _target(self, name: str, product: str, result: str) -> str:
        station = self.line.stations[name]
        if result == "scrap":
            return SCRAP
        if result == "rework" and station.rework_to:
            return station.rework_to
        route = self.line.products[product].route if product in self.line.products else ()
        if name in route:
            after = route[route.index(name) + 1 :]
            behind = {buffer for buffer, takers in self._takers.items() if after and
                      after[0] in takers}  # fmt: skip
            for place in station.goes_to:
                if place in behind:
                    return place
            return next(iter(behind), OUT)
        shares = station.goes_to
        return max(shares, key=lambda place: shares[place])


class _Load(NamedTuple):
    """A carrier in a machine."""

    since: int
    product: str
    parts: int


class _Machine:
    """One server: the state it told last, and the part it finished last."""

    def __init__(self) -> None:
        self.state = "starved"
        self.since = 0
        self.since_part = 0
        self.product = ""
        self.serial = ""
        self._ran = 0  # ns of running since the last part, before `since`

    def tell(self, event: Event) -> None:
        """Take a state. A word that is not known changes nothing."""
        code = code_of(event.value)
        if code < 0 or code > IDLE:
            return
        word = "starved" if code == IDLE else STATES[code]
        if word == self.state:
            return
        if self.state == "running":
            self._ran += event.time - max(self.since, self.since_part)
        self.state, self.since = word, event.time

    def finished(self, time: int, serial: str, product: str) -> None:
        """Take a scan: the cycle of the next part begins anew."""
        self.since_part, self.serial, self.product, self._ran = time, serial, product, 0

    def running(self, now: int) -> float:
        """Return the s that the cycle has run, stops not counted."""
        return (self._ran + now - max(self.since, self.since_part)) / SECOND


def mirror(
    line: Line,
    events: Iterable[Event],
    now: int,
    stations: Mapping[str, str | Sequence[str]] | None = None,
) -> Snapshot:
    """Return the line as it stands at `now`, from the events of the last hours."""
    follower = Mirror(line, stations)
    follower.feed(event for event in sorted(events, key=lambda e: e.time) if event.time <= now)
    return follower.snapshot(now)
