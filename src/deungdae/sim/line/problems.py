"""What is wrong with a line although each of its tables is well formed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from deungdae.core import strict
from deungdae.core.strict import Key, Problem
from deungdae.sim import distribution

from .parts import OUT, SCRAP, Buffer, Product, Station
from .ways import distances, places, teams

if TYPE_CHECKING:
    from . import Line


def problems_of(line: Line) -> Iterator[Problem]:
    """Yield every name that a table uses and no table declares; else, what cannot work."""
    unknown = list(_unknown(line))
    yield from unknown
    if unknown:
        return
    for name, station in line.stations.items():
        yield from _input(line, name, station)
        yield from _setup(line, name, station)
        yield from _people(line, name, station)
    for name, buffer in line.buffers.items():
        yield from _buffer(line, name, buffer)
    for name, product in line.products.items():
        yield from _route(line, name, product)


def _unknown(line: Line) -> Iterator[Problem]:
    try:
        ZoneInfo(line.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # also of what is no name at all
        yield Problem(("timezone",), line.timezone, "is no IANA time zone", "e.g. Asia/Seoul")
    for name, station in line.stations.items():
        yield from _station(line, name, station)
    yield from _unknown_buffers(line)
    yield from _unknown_people(line)
    for name, product in line.products.items():
        yield from _known(("products", name, "route"), product.route, line.stations)
        if product.into:
            yield from _known(("products", name, "into"), [product.into], line.buffers)
    for number, order in enumerate(line.orders):
        yield from _known(("orders", number, "product"), [order.product], line.product_names)
    yield from _known(("sequence",), line.sequence, line.product_names)
    if not line.stations:
        yield Problem(("stations",), None, "there is none", "write [stations.press] with a cycle")


def _unknown_buffers(line: Line) -> Iterator[Problem]:
    for name, buffer in line.buffers.items():
        if isinstance(buffer.initial, dict):
            yield from _known(("buffers", name, "initial"), buffer.initial, line.product_names)
        if buffer.ride is not None:
            key = ("buffers", name, "ride")
            yield from _known((*key, "vehicles"), [buffer.ride.vehicles], line.vehicles)
            yield from _known((*key, "start"), [buffer.ride.start], places(line))
            yield from _known((*key, "end"), [buffer.ride.end], places(line))
    for path in line.paths:
        if len(path.replace(">", "-").split("-")) != 2:
            yield Problem(("paths", path), None, "joins no two places", "write a-b, or a>b")


def _unknown_people(line: Line) -> Iterator[Problem]:
    for kind in ("crews", "operators"):
        for name, people in getattr(line, kind).items():
            if people.calendar:
                yield from _known((kind, name, "calendar"), [people.calendar], line.calendars)
    for name, vehicles in line.vehicles.items():
        if vehicles.home:
            yield from _known(("vehicles", name, "home"), [vehicles.home], places(line))


def _station(line: Line, name: str, station: Station) -> Iterator[Problem]:
    key = ("stations", name)
    ends = (*line.buffers, OUT, SCRAP)
    yield from _known((*key, "from"), station.takes_from, line.buffers)
    yield from _known((*key, "to"), station.goes_to, ends)
    yield from _known((*key, "needs"), station.needs, line.buffers)
    yield from _known((*key, "products"), station.products, line.product_names)
    if station.makes:
        yield from _known((*key, "makes"), [station.makes], line.product_names)
    if station.rework_to:
        yield from _known((*key, "rework_to"), [station.rework_to], line.buffers)
    if station.quality is not None:
        yield from _known((*key, "quality", "to"), [station.quality.to], (*line.buffers, SCRAP))
    if station.calendar:
        yield from _known((*key, "calendar"), [station.calendar], line.calendars)
    if isinstance(station.cycle, dict):
        yield from _known((*key, "cycle"), station.cycle, line.product_names)
        for product in station.products or line.product_names:
            if product not in station.cycle:
                yield Problem((*key, "cycle", product), None, "is missing", "say how long it takes")
    crews = [each.crew for each in station.failures] + [each.crew for each in station.maintenance]
    for crew in filter(None, crews):
        yield from _known((*key, "crew"), [crew], line.crews)
        if crew in line.crews and line.crews[crew].size == 0:
            yield Problem((*key, "crew"), crew, "is a crew of nobody: what fails stays so for ever")
    skills = {skill for group in line.operators.values() for skill in group.skills}
    yield from _known((*key, "operators"), station.operators, skills)
    for skill, count in station.operators.items():
        most = sum(group.count for group in line.operators.values() if skill in group.skills)
        if skill in skills and count > most:
            yield Problem((*key, "operators", skill), count, f"only {most} people can do that")


def _input(line: Line, name: str, station: Station) -> Iterator[Problem]:
    """Yield why a station can never begin, or never come to an end of it."""
    key = ("stations", name)
    for need, amount in station.needs.items():
        if need in station.takes_from:
            yield Problem(
                (*key, "needs", need), amount, "is in `from` as well",
                "let it be in one of them, or put what is needed into another buffer",
            )  # fmt: skip
        capacity = line.buffers[need].capacity
        if capacity is not None and capacity < amount:
            yield Problem(
                (*key, "needs", need), amount, f"buffers.{need} holds {capacity}: never enough",
                f"set its capacity to {amount} or more",
            )  # fmt: skip
    if not station.takes_from:
        yield from _source(line, name, station)
        return
    capacities = [line.buffers[each].capacity for each in station.takes_from]
    holds = math.inf if None in capacities else sum(each or 0 for each in capacities)
    least = station.batch_least or station.batch
    if station.batch > 1 and (0 in capacities or holds < least):
        yield Problem(
            (*key, "batch"), station.batch, f"its buffers hold {holds:g}: never a batch",
            f"let them hold {least} or more, each of them some",
        )  # fmt: skip


def _source(line: Line, name: str, station: Station) -> Iterator[Problem]:
    key = ("stations", name)
    begins = [
        product for product in line.product_names
        if (not station.products or product in station.products) and _begins(line, product, name)
    ]  # fmt: skip
    other = any(product.route or product.into for product in line.products.values())
    if not begins and not other:  # a station beside the ways of all parts only stands idle
        yield Problem(
            (*key, "from"), None, "takes from nowhere, and there is no product that it can begin",
            "say from which buffer it takes, or leave `arrival` out of a product",
        )  # fmt: skip
    for product in begins:
        if not station.needs and station.cycle_of(product).mean == 0:
            yield Problem(
                (*key, "cycle"), 0, "takes no time and never starves: it would never stop",
                "say how long it takes",
            )  # fmt: skip


def _begins(line: Line, product: str, station: str) -> bool:
    given = line.products.get(product)
    if given is None:
        return True
    here = not given.route or given.route[0] == station
    return here and given.arrival is None and given.share > 0


def _setup(line: Line, name: str, station: Station) -> Iterator[Problem]:
    if not isinstance(station.setup, dict):
        return
    key = ("stations", name, "setup")
    families = {
        (line.products[product].family if product in line.products else "") or product
        for product in station.products or line.product_names
    }
    pairs = {f"{a}>{b}" for a in families for b in families if a != b}
    for pair in station.setup:
        if pair not in pairs:
            remedy = strict.closest(pair, pairs) or f"known: {', '.join(sorted(pairs)) or 'none'}"
            yield Problem((*key, pair), None, "is no change of family here", remedy)
    for pair in sorted(pairs - set(station.setup)):
        yield Problem((*key, pair), None, "is missing", "say how long it takes; 0 for not at all")


def _people(line: Line, name: str, station: Station) -> Iterator[Problem]:
    if not station.operators:
        return
    try:
        if not teams(line, station):
            yield Problem(
                ("stations", name, "operators"), None, "there are not so many people at once",
                "one person does one thing at a time: raise the count of a group",
            )  # fmt: skip
    except ValueError as error:
        yield Problem(
            ("stations", name, "operators"), None, str(error), "join groups that are alike"
        )


def _buffer(line: Line, name: str, buffer: Buffer) -> Iterator[Problem]:
    key = ("buffers", name)
    given = buffer.initial
    initial = sum(given.values()) if isinstance(given, dict) else given
    if initial < 0:
        yield Problem((*key, "initial"), initial, "is below 0")
    takers = [station for station in line.stations.values()
              if name in station.takes_from or name in station.needs]  # fmt: skip
    if not takers and buffer.capacity is not None and _is_fed(line, name):
        yield Problem(
            key, None, "nobody takes from it: it fills up, and then all before it stops for ever",
            "name it in the `from` of a station",
        )  # fmt: skip
    delayed = distribution.parse(buffer.delay).mean > 0
    if buffer.capacity == 0:
        if delayed or buffer.ride is not None:
            yield Problem((*key, "capacity"), 0, "has no place for what is on its way")
        if any(name in station.needs for station in takers):
            yield Problem((*key, "capacity"), 0, "has no place for what an assembly needs")
    if buffer.ride is None:
        return
    if delayed:
        yield Problem((*key, "delay"), buffer.delay, "goes not together with a ride")
    lot = buffer.ride.lot
    if buffer.capacity is not None and lot > buffer.capacity:
        yield Problem((*key, "ride", "lot"), lot, f"is more than its capacity, {buffer.capacity}")
    if buffer.ride.places is not None and lot > buffer.ride.places:
        yield Problem((*key, "ride", "lot"), lot, f"is more than can wait, {buffer.ride.places}")
    yield from _ways(line, key, buffer)


def _is_fed(line: Line, name: str) -> bool:
    return any(product.into == name for product in line.products.values()) or any(
        name in (*station.goes_to, station.rework_to) for station in line.stations.values()
    )


def _ways(line: Line, key: Key, buffer: Buffer) -> Iterator[Problem]:
    assert buffer.ride is not None
    known, metres = places(line), distances(line)
    start, end = known.index(buffer.ride.start), known.index(buffer.ride.end)
    home = known.index(line.vehicles[buffer.ride.vehicles].home or known[0])
    for a, b in ((home, start), (start, end), (end, start)):
        if math.isinf(metres[a][b]):
            yield Problem(
                (*key, "ride"), None, f"there is no way from {known[a]} to {known[b]}",
                f"write {known[a]}-{known[b]} in [paths]",
            )  # fmt: skip


def _route(line: Line, name: str, product: Product) -> Iterator[Problem]:
    key = ("products", name, "route")
    for station in product.route:
        only = line.stations[station].products
        if only and name not in only:
            yield Problem(key, station, f"does not take {name}", "add it to its `products`")
    for before, after in pairwise(product.route):
        if not _inputs(line.stations[after]):
            yield Problem(
                key, after, f"takes from nowhere: nothing comes to it from {before}",
                "say from which buffer it takes",
            )  # fmt: skip
    if (
        product.route
        and product.into
        and product.into not in _inputs(line.stations[product.route[0]])
    ):
        yield Problem(
            ("products", name, "into"), product.into,
            f"{product.route[0]}, the first on its route, does not take from there",
        )  # fmt: skip


def _inputs(station: Station) -> tuple[str, ...]:
    return (*station.takes_from, *station.needs)


def _known(
    key: tuple[str | int, ...], names: Iterable[str], declared: Iterable[str] | Mapping[str, object]
) -> Iterator[Problem]:
    known = list(declared)
    for name in names:
        if name not in known:
            remedy = strict.closest(name, known) or f"known: {', '.join(known) or 'none'}"
            yield Problem(key, name, "is not declared", remedy)
