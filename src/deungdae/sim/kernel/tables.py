"""From a line to the tables of the engine."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from deungdae.core.types import SECOND
from deungdae.sim import distribution
from deungdae.sim.distribution import Distribution
from deungdae.sim.line import (
    OUT,
    SCRAP,
    STATES,
    Line,
    Server,
    Snapshot,
    Station,
    distances,
    places,
    teams,
)  # fmt: skip

from . import codes, stream
from .memory import Memory
from .rows import AHEAD, NONE
from .stages import Stages

ANY_NUMBER = 1 << 60
LEAVES = 32  # more slots than these are worth a tree
SPARE = 64  # parts for which there is room from the first
NEVER = 1e300  # s

Row = dict[str, Any]


class Tables:
    """The rows of each table, as they come to be."""

    def __init__(self, line: Line, start: Snapshot | None, origin: int, until: float) -> None:
        self.line = line
        self.start = start
        self.origin = origin
        self.until = until
        self.stages = Stages(line)
        self.rows: dict[str, list[Row]] = {}
        self.buffer = {name: place for place, name in enumerate(line.buffers)}
        self.buffer |= {OUT: codes.OUT, SCRAP: codes.SCRAP}
        self.product = {name: place for place, name in enumerate(line.product_names)}
        self.crew = {name: place for place, name in enumerate(line.crews)} | {"": NONE}
        self.families = families(line)
        self.later: list[tuple[Row, str, Row]] = []  # slots, which come after those of servers
        self._spans: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def add(self, table: str, **values: Any) -> int:
        """Add a row to a table; return its place."""
        rows = self.rows.setdefault(table, [])
        rows.append(values)
        return len(rows) - 1

    def count(self, table: str) -> int:
        """Return how many rows a table has so far."""
        return len(self.rows.get(table, ()))

    def slot(self, row: Row, kind: int, index: int, *, key: str = "slot", **values: Any) -> None:
        """Give a row a slot of the event list, after those of the servers."""
        self.later.append((row, key, {"kind": kind, "index": index, "due": math.inf, **values}))

    def family(self, product: str) -> str:
        """Return the family of a product."""
        return family_of(self.line, product)

    def spread(self, given: Distribution | str | float) -> int:
        """Add a spread."""
        if not isinstance(given, Distribution):
            given = distribution.parse(given)
        if given.kind == "empirical":
            first = self.count("numbers")
            for value in given.parameters:
                self.add("numbers", value=value)
            return self.add(
                "spreads", kind=stream.EMPIRICAL, first=first, count=len(given.parameters)
            )
        return self.add("spreads", **_spread(given.kind, *given.parameters))

    def streams(self, *names: str) -> int:
        """Add streams, each known by its name alone; return the place of the first."""
        first = self.count("streams")
        for name in names:
            digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
            self.add("streams", key=int.from_bytes(digest, "little"))
        return first

    def branches(self, goals: dict[str, float], known: dict[str, int]) -> int:
        """Add the ways of a table of shares; return the place of the first."""
        first = self.count("branches")
        upto = np.cumsum(list(goals.values())) / sum(goals.values())
        for goal, share in zip(goals, upto, strict=True):
            self.add("branches", goal=known[goal], upto=float(share))
        return first

    def links(self, table: str, names: Iterable[str], amounts: Iterable[int] = ()) -> int:
        """Add buffers to a list of them; return the place of the first."""
        first = self.count(table)
        for name, amount in itertools.zip_longest(names, amounts, fillvalue=1):
            self.add(table, to=self.buffer[str(name)], amount=amount)
        return first

    def calendar(self, name: str, asset: str, row: Row, kind: int, index: int) -> bool:
        """Add a calendar to a row; return whether it is closed at time 0."""
        if not name:
            return False
        spans = self._planned(name, asset)
        closed = not spans or spans[0][0] > 0
        toggles = [t for span in spans for t in span if 0 < t < self.until]
        first = self.count("toggles")
        for time in toggles:
            self.add("toggles", time=time)
        shift: Row = {"kind": kind, "index": index, "toggle": first, "end": first + len(toggles)}
        place = self.add("shifts", **shift)
        self.slot(
            self.rows["shifts"][place], codes.CALENDAR, place,
            due=toggles[0] if toggles else math.inf,
        )  # fmt: skip
        return closed

    def _planned(self, name: str, asset: str) -> list[tuple[float, float]]:
        calendar = self.line.calendars[name]
        mine = asset if any(stop.assets for stop in calendar.stops) else ""
        if (name, mine) not in self._spans:
            end = self.origin + math.ceil(self.until) * SECOND
            zone = ZoneInfo(self.line.timezone)
            self._spans[name, mine] = [
                ((span.start - self.origin) / SECOND, (span.end - self.origin) / SECOND)
                for span in calendar.planned(self.origin, end, zone, mine)
            ]
        return self._spans[name, mine]


def family_of(line: Line, product: str) -> str:
    """Return the family of a product; one without is its own."""
    given = line.products.get(product)
    return (given.family if given else "") or product


def families(line: Line) -> list[str]:
    """Return all families of products."""
    return list(dict.fromkeys(family_of(line, product) for product in line.product_names))


def _spread(kind: str, a: float, b: float = 0.0, c: float = 0.0) -> Row:
    match kind:
        case "constant":
            return {"kind": stream.CONSTANT, "a": a}
        case "uniform":
            return {"kind": stream.UNIFORM, "a": a, "b": b - a}
        case "triangular":
            width = c - a
            return {
                "kind": stream.TRIANGULAR, "a": a, "b": c, "c": (b - a) / width if width else 0.0,
                "d": width * (b - a), "e": width * (c - b),
            }  # fmt: skip
        case "exponential":
            return {"kind": stream.EXPONENTIAL, "a": a}
        case "normal":
            return {"kind": stream.NORMAL, "a": a, "b": b}
        case "lognormal":
            square = math.log1p((b / a) ** 2)
            return {"kind": stream.LOGNORMAL, "a": math.log(a) - square / 2, "b": math.sqrt(square)}
        case "gamma":
            return {"kind": stream.GAMMA, "a": a, "b": b}
        case "erlang":
            return {"kind": stream.GAMMA, "a": a, "b": b / a}
        case "weibull":
            return {"kind": stream.WEIBULL, "a": 1 / a, "b": b}
        case _:  # geometric
            return {"kind": stream.GEOMETRIC, "a": math.log1p(-a) if a < 1 else -math.inf, "b": b}


def build(
    line: Line, *, start: Snapshot | None = None, origin: int = 0, until: float = math.inf
) -> Memory:
    """Return the tables of a line at time 0. Its calendars are known up to `until`, s."""
    tables = Tables(line, start, origin, until)
    _stages(tables)
    for name, station in line.stations.items():
        _station(tables, name, station)
    _buffers(tables)
    _products(tables)
    _people(tables)
    _vehicles(tables)
    _orders(tables)
    _heaps(tables)
    for name, station in line.stations.items():
        _seats(tables, name, station)
    return _memory(tables)


def _stages(tables: Tables) -> None:
    for product in tables.stages.products:
        tables.add("stages", product=tables.product[product])
    for station in tables.line.stations:
        for k in range(len(tables.stages)):
            tables.add("routes", **tables.stages.route(station, k, tables.buffer))


def _station(tables: Tables, name: str, station: Station) -> None:
    s = tables.count("stations")
    place = tables.add("stations", **_work(tables, name, station), **_input(tables, name, station))
    row = tables.rows["stations"][place]
    row |= _quality(tables, station) | _teams(tables, station)
    row["closed"] = int(tables.calendar(station.calendar, name, row, codes.OF_STATION, s))
    row["timer"] = NONE
    if station.batch_least:
        tables.slot(row, codes.RIPE, s, key="timer")
    row["plain"] = int(_is_plain(tables, station, row))
    row["simple"] = int(_is_simple(tables, station))
    for number in range(station.servers):
        _server(tables, name, number, station)


def _work(tables: Tables, name: str, station: Station) -> Row:
    products = tables.line.product_names
    by_product = isinstance(station.cycle, dict)
    cycle = tables.count("spreads")
    if isinstance(station.cycle, dict):
        for product in products:
            tables.spread(station.cycle.get(product, 0.0))
    else:
        tables.spread(station.cycle)
    goals = station.goes_to
    return {
        "first": tables.count("servers"), "count": station.servers, "cycle": cycle,
        "by_product": int(by_product),
        "stream": tables.streams(*(f"{name}/{purpose}" for purpose in codes.PURPOSES)),
        "goal": tables.buffer[next(iter(goals))] if len(goals) == 1 else codes.SPLIT,
        "branch": tables.branches(goals, tables.buffer), "branches": len(goals),
        "free": station.servers,
        "sheds": int(station.scrap + station.rework > 0),
        "scrap": station.scrap, "rework": station.rework,
        "rework_to": tables.buffer.get(station.rework_to, NONE), "pace": 1.0,
        "yields": station.yields, "setups": _setups(tables, station),
    }  # fmt: skip


def _setups(tables: Tables, station: Station) -> int:
    given = station.setup
    if not isinstance(given, dict) and distribution.parse(given).mean == 0:
        return NONE
    first = tables.count("setups")
    for was in tables.families:
        for comes in tables.families:
            spread = given.get(f"{was}>{comes}", 0.0) if isinstance(given, dict) else given
            tables.add("setups", spread=tables.spread(0.0 if was == comes else spread))
    return first


def _input(tables: Tables, name: str, station: Station) -> Row:
    line = tables.line
    menu = tables.stages.menu(name)
    turns = [product for product in line.sequence if product in menu]
    shares = menu
    first = tables.count("branches")
    if turns:
        for product in turns:
            tables.add("branches", goal=tables.product[product], upto=1.0)
    elif shares:
        tables.branches(shares, tables.product)
    routes = tables.rows["routes"]
    here = tables.count("stations") * len(tables.stages)
    mine = routes[here : here + len(tables.stages)]
    return {
        "input": tables.links("inputs", station.takes_from), "inputs": len(station.takes_from),
        "need": tables.links("needs", station.needs, station.needs.values()),
        "needs": len(station.needs),
        "filters": int(not all(route["allowed"] for route in mine)),
        "pick": ("order", "longest", "oldest").index(station.pick),
        "batch": station.batch, "least": station.batch_least, "wait": station.batch_wait,
        "mixes": int(not isinstance(station.cycle, dict) and station.setup == 0.0),
        "menu": first, "menus": len(turns) or len(shares), "in_turn": int(bool(turns)),
        "to_order": int(any(order.product in menu for order in line.orders)),
    }  # fmt: skip


def _quality(tables: Tables, station: Station) -> Row:
    given = station.quality
    if given is None:
        return {"sorted_to": codes.SCRAP}
    return {
        "quality": 1, "inspects": int(given.inspects), "defects": given.defects,
        "worsens": given.wear, "warm_up": given.warm_up, "escapes": given.escapes,
        "alarms": given.false_alarms, "sorted_to": tables.buffer[given.to],
    }  # fmt: skip


def _teams(tables: Tables, station: Station) -> Row:
    groups = list(tables.line.operators)
    width = max(1, len(groups))
    first = tables.count("members") // width
    found = teams(tables.line, station)
    for team in found:
        for group in groups:
            tables.add("members", need=team.get(group, 0))
    return {"team": first, "teams": len(found)}


def _is_plain(tables: Tables, station: Station, row: Row) -> bool:
    buffers = [tables.line.buffers[name] for name in station.takes_from]
    return (
        station.batch == 1
        and station.pick == "order"
        and row["setups"] == NONE
        and all(buffer.capacity != 0 for buffer in buffers)
        and not (station.needs or station.maintenance or station.operators)
        and not (row["filters"] or row["to_order"])
        and row["inputs"] + row["menus"] > 0
    )


def _is_simple(tables: Tables, station: Station) -> bool:
    return (
        station.batch == station.yields == 1
        and not (station.makes or station.quality or station.operators or station.maintenance)
        and not tables.stages.routed
    )


def _server(tables: Tables, name: str, number: int, station: Station) -> None:
    n = tables.count("servers")
    failures = sorted(enumerate(station.failures), key=lambda pair: pair[1].of == "time")
    row: Row = {
        "station": tables.count("stations") - 1, "mode": tables.count("modes"),
        "modes": sum(failure.of == "operation" for failure in station.failures),
        "timed": sum(failure.of == "time" for failure in station.failures),
        "plan": tables.count("plans"), "plans": len(station.maintenance), "state": codes.STARVED,
        "family": NONE,
    }  # fmt: skip
    for key in ("task", "halt", "part", "ends", "blocked", "next", "cause", "next_call",
                "next_wait", "team"):  # fmt: skip
        row[key] = NONE
    if tables.start is not None and name in tables.start.family:
        row["family"] = tables.families.index(tables.start.family[name])
    tables.add("servers", **row)
    for place, failure in failures:
        _mode(tables, n, f"{name}/{number}/failure/{place}", failure.every, failure.repair,
              tables.crew[failure.crew], timed=failure.of == "time")  # fmt: skip
    for place, plan in enumerate(station.maintenance):
        of = ("operation", "time", "parts").index(plan.of)
        m = tables.add(
            "plans", left=plan.every, every=plan.every, of=of, length=tables.spread(plan.length),
            stream=tables.streams(f"{name}/{number}/maintenance/{place}"),
            crew=tables.crew[plan.crew], renews=int(plan.renews), server=n, slot=NONE,
        )  # fmt: skip
        if of == codes.TIME:
            tables.slot(tables.rows["plans"][m], codes.PLANNED, m, due=plan.every)


def _mode(
    tables: Tables, n: int, name: str, every: str | float, repair: str | float, crew: int, *,
    timed: bool,
) -> int:  # fmt: skip
    m = tables.add(
        "modes", every=tables.spread(every), repair=tables.spread(repair),
        stream=tables.streams(f"{name}/every", f"{name}/repair"), crew=crew, server=n, slot=NONE,
    )  # fmt: skip
    if timed:
        tables.slot(tables.rows["modes"][m], codes.FAILS, m)
    return m


def _buffers(tables: Tables) -> None:
    line = tables.line
    for b, (name, buffer) in enumerate(line.buffers.items()):
        first = tables.count("takers")
        for s, station in enumerate(line.stations.values()):
            if name in station.takes_from or name in station.needs:
                tables.add("takers", to=s)
        delayed = distribution.parse(buffer.delay).mean > 0
        feeder = tables.count("feeders")
        for s in _feeders(tables, b):
            tables.add("feeders", to=s)
        row: Row = {
            "feeder": feeder,
            "feeders": tables.count("feeders") - feeder,
            "arrivals": int(any(product.into == name for product in line.products.values())),
            "capacity": ANY_NUMBER if buffer.capacity is None else buffer.capacity,
            "head": NONE, "tail": NONE, "blocked": NONE, "last": NONE, "moving": NONE,
            "mover": NONE, "taker": first, "takers": tables.count("takers") - first,
            "order": ("fifo", "lifo", "due").index(buffer.order),
            "delay": tables.spread(buffer.delay) if delayed else NONE,
            "stream": tables.streams(f"{name}/delay"), "slot": NONE, "ride": NONE,
            "simple": int(not delayed and buffer.ride is None and buffer.capacity != 0),
        }  # fmt: skip
        place = tables.add("buffers", **row)
        if delayed:
            tables.slot(tables.rows["buffers"][place], codes.CONVEYOR, b)


def _feeders(tables: Tables, b: int) -> list[int]:
    """Return the stations that may send parts to a buffer."""
    width = len(tables.stages)
    name = list(tables.line.buffers)[b]
    found = []
    for s, station in enumerate(tables.line.stations.values()):
        goals = {*station.goes_to, station.rework_to, station.quality.to if station.quality else ""}
        routes = tables.rows["routes"][s * width : (s + 1) * width]
        if name in goals or any(route["goal"] == b for route in routes):
            found.append(s)
    return found


def _may_lock(tables: Tables) -> bool:
    """Return whether blocked servers can ever wait for each other.

    They cannot where every station takes whatever comes, part by part, and no way through buffers
    that can be full leads back to where it began.
    """
    line = tables.line
    if any(station.needs or station.batch > 1 for station in line.stations.values()):
        return True
    if any(row["filters"] or row["to_order"] for row in tables.rows["stations"]):
        return True
    ahead: dict[int, set[int]] = {s: set() for s in range(len(line.stations))}
    for b, buffer in enumerate(line.buffers.values()):
        row = tables.rows["buffers"][b]
        limited = buffer.capacity is not None or (buffer.ride and buffer.ride.places is not None)
        takers = tables.rows.get("takers", [])[row["taker"] : row["taker"] + row["takers"]]
        if limited and not takers:
            return True
        for s in _feeders(tables, b) if limited else ():
            ahead[s] |= {link["to"] for link in takers}
    try:
        TopologicalSorter(ahead).prepare()
    except CycleError:
        return True
    return False


def _products(tables: Tables) -> None:
    for p, name in enumerate(tables.line.product_names):
        given = tables.line.products.get(name)
        row: Row = {
            "family": tables.families.index(tables.family(name)),
            "stage": tables.stages.first(name), "slot": NONE,
        }  # fmt: skip
        place = tables.add("products", **row)
        if given is not None and given.arrival is not None:
            row = tables.rows["products"][place]
            row["stage"] = tables.stages.at_buffer(name, given.into)
            row["every"] = tables.spread(given.arrival)
            row["into"] = tables.buffer[given.into]
            row["stream"] = tables.streams(f"{name}/arrival")
            tables.slot(row, codes.ARRIVAL, p)


def _people(tables: Tables) -> None:
    for c, (name, crew) in enumerate(tables.line.crews.items()):
        place = tables.add("crews", size=crew.size, first=NONE, last=NONE)
        row = tables.rows["crews"][place]
        row["closed"] = int(tables.calendar(crew.calendar, name, row, codes.OF_CREW, c))
    for g, (name, group) in enumerate(tables.line.operators.items()):
        place = tables.add("groups", size=group.count)
        row = tables.rows["groups"][place]
        row["closed"] = int(tables.calendar(group.calendar, name, row, codes.OF_GROUP, g))


def _vehicles(tables: Tables) -> None:
    line = tables.line
    known = places(line)
    for row in distances(line):
        for metres in row:
            tables.add("ways", metres=metres)
    fleets = list(line.vehicles)
    for given in line.vehicles.values():
        tables.add(
            "fleets", first=tables.count("vehicles"), count=given.count, speed=given.speed,
            load=given.load, unload=given.unload,
        )  # fmt: skip
        for _ in range(given.count):
            v = tables.add(
                "vehicles", place=known.index(given.home or known[0]), ride=NONE, head=NONE
            )
            tables.slot(tables.rows["vehicles"][v], codes.VEHICLE, v)
    for b, buffer in enumerate(line.buffers.values()):
        ride = buffer.ride
        if ride is not None:
            tables.rows["buffers"][b]["ride"] = tables.add(
                "rides", buffer=b, fleet=fleets.index(ride.vehicles), start=known.index(ride.start),
                end=known.index(ride.end), lot=ride.lot, head=NONE, tail=NONE,
                places=ANY_NUMBER if ride.places is None else ride.places,
            )  # fmt: skip


def _orders(tables: Tables) -> None:
    order_of = due_order(tables.line)
    for place in order_of:
        order = tables.line.orders[place]
        tables.add(
            "orders", product=tables.product[order.product], quantity=order.quantity,
            release=order.release, due=order.due, finished=math.inf,
        )  # fmt: skip
    later = [order.release for order in tables.line.orders if order.release > 0]
    if later:
        tables.slot({}, codes.RELEASE, 0, due=min(later))


def due_order(line: Line) -> list[int]:
    """Return the places of the orders by their due dates: the rows of the engine's table."""
    return sorted(range(len(line.orders)), key=lambda place: line.orders[place].due)


def _heaps(tables: Tables) -> None:
    for b, (name, buffer) in enumerate(tables.line.buffers.items()):
        for product, count in _initial(tables, name, buffer.initial):
            stage = tables.stages.at_buffer(product, name)
            tables.add("heaps", buffer=b, stage=stage, count=count)


def _initial(tables: Tables, name: str, initial: int | dict[str, int]) -> Iterable[tuple[str, int]]:
    if tables.start is not None:
        return [(product, 1) for product in tables.start.buffers.get(name, ())]
    if isinstance(initial, dict):
        return initial.items()
    return [(tables.line.product_names[0], initial)]


def _seats(tables: Tables, name: str, station: Station) -> None:
    given: Sequence[Server] = ()
    if tables.start is not None:
        given = tables.start.stations.get(name, ())
    first = tables.rows["stations"][list(tables.line.stations).index(name)]["first"]
    for number in range(station.servers):
        server = given[number] if number < len(given) else Server()
        tables.add("seats", **_seat(tables, name, station, first + number, server))


def _seat(tables: Tables, name: str, station: Station, n: int, given: Server) -> Row:
    row: Row = {
        "state": STATES.index(given.state), "stage": NONE, "parts": given.parts, "cause": NONE,
        "elapsed": given.elapsed, "left": -1.0 if given.remaining is None else given.remaining,
        "work": -1.0 if given.work is None else given.work,
    }  # fmt: skip
    server = tables.rows["servers"][n]
    if given.product:
        row["stage"] = tables.stages.at_station(given.product, name)
        if given.state == "running":
            row["spread"] = tables.spread(station.cycle_of(given.product))
        elif given.state == "setup":
            family = tables.families.index(tables.family(given.product))
            row["spread"] = _setup_into(tables, n, family)
            server["family"] = family
        elif given.state == "blocked":
            row["stage"], row["goal"] = tables.stages.finished(given.product, name, tables.buffer)
    if given.state == "down" or (given.state == "waiting" and not station.operators):
        row["cause"] = server["mode"]
        if not station.failures:
            row["cause"] = _dummy_mode(tables, n)
        row["spread"] = tables.rows["modes"][row["cause"]]["repair"]
    elif given.state == "maintenance":
        row["cause"] = server["plan"] if station.maintenance else _dummy_plan(tables, n)
        row["spread"] = tables.rows["plans"][row["cause"]]["length"]
    return row


def _setup_into(tables: Tables, n: int, family: int) -> int:
    """Return the spread of a setup that is under way; where it began is not known: the longest."""
    server = tables.rows["servers"][n]
    base = tables.rows["stations"][server["station"]]["setups"]
    if base == NONE:
        return tables.spread(0.0)
    size = len(tables.families)
    choices: list[int] = [
        tables.rows["setups"][base + was * size + family]["spread"] for was in range(size)
    ]
    return max(choices, key=lambda place: tables.rows["spreads"][place].get("a", 0.0))


def _dummy_mode(tables: Tables, n: int) -> int:
    """Add the mode of a server that is down although none is known: it never comes back."""
    return _mode(tables, n, f"{n}/unknown", NEVER, 0.0, NONE, timed=False)


def _dummy_plan(tables: Tables, n: int) -> int:
    return tables.add(
        "plans", left=NEVER, every=NEVER, of=codes.OPERATION, length=tables.spread(0.0),
        stream=tables.streams(f"{n}/unplanned"), crew=NONE, server=n, slot=NONE,
    )  # fmt: skip


def _memory(tables: Tables) -> Memory:
    line = tables.line
    servers = tables.count("servers")
    tables.rows["slots"] = [
        {"kind": codes.SERVER, "index": n, "due": math.inf} for n in range(servers)
    ]
    releases = NONE
    for row, key, slot in tables.later:
        row[key] = tables.add("slots", **slot)
    if tables.count("slots") % 2:  # the search for the next goes by twos
        tables.add("slots", kind=codes.SERVER, due=math.inf)
    slots = tables.count("slots")
    stages = len(tables.stages)
    tables.rows |= {
        "tallies": [{} for _ in range(len(line.buffers) * stages)],
        "nodes": [{} for _ in range(slots)],
        "periods": [{} for _ in range(servers + 2)],
        "bins": [{} for _ in range(codes.BINS)],
        "stocks": [{"used": AHEAD} for _ in line.stations],
        "agenda": [{} for _ in range(len(line.stations) + 1)],
    }
    each = sum(
        station.servers * (station.batch * station.yields + sum(station.needs.values()) + 2)
        for station in line.stations.values()
    )
    lots = sum(buffer.ride.lot for buffer in line.buffers.values() if buffer.ride)
    initial = sum(heap["count"] for heap in tables.rows.get("heaps", ()))
    initial += sum(seat["parts"] for seat in tables.rows["seats"])
    header = {
        "tree": slots if slots > LEAVES else 0, "free": NONE, "reserve": each + SPARE,
        "margin": 16 * (each + lots + SPARE), "oldest": NONE, "bottleneck": NONE,
        "tallied": int(stages > 1), "watched": int(stages > 1),
        "waits": NONE, "last_wait": NONE, "suspect": NONE,
        "families": len(tables.families), "places": len(places(line)), "releases": releases,
        "may_lock": int(_may_lock(tables)),
    }  # fmt: skip
    return Memory(header, tables.rows, initial + 2 * (each + SPARE))
