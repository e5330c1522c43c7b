"""From a line to the tables of the engine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from deungdae.sim import distribution
from deungdae.sim.line import Line, Snapshot, Station, check, distances, places, teams

from . import codes
from .builder import Row, Tables
from .memory import Memory
from .rows import AHEAD, NONE
from .seats import add_seats

ANY_NUMBER = 1 << 60
LEAVES = 32  # more slots than these are worth a tree
SPARE = 64  # parts for which there is room from the first


def build(
    line: Line, *, start: Snapshot | None = None, origin: int = 0, until: float = math.inf
) -> Memory:
    """Return the tables of a line at time 0. Its calendars are known up to `until`, s.

    Raises FactoryError for a line that cannot work: the engine relies on what was checked.
    """
    check(line)
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
        add_seats(tables, name, station)
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
        tables.mode(n, f"{name}/{number}/failure/{place}", failure.every, failure.repair,
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


def _memory(tables: Tables) -> Memory:
    line = tables.line
    servers = tables.count("servers")
    tables.rows["slots"] = [
        {"kind": codes.SERVER, "index": n, "due": math.inf} for n in range(servers)
    ]
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
        "families": len(tables.families), "places": len(places(line)),
        "may_lock": int(_may_lock(tables)),
    }  # fmt: skip
    return Memory(header, tables.rows, initial + 2 * (each + SPARE))
