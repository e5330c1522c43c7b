"""A line put together: stations, buffers, routes, calendars, people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from deungdae.model.calendar import Calendar
from deungdae.sim.distribution import Distribution
from deungdae.sim.line import OUT, SCRAP, Buffer, Crew, Line, Operators, Product, Station

from . import people
from .failures import Failing, maintained
from .log import Gap, Log
from .mix import Mix, mix_of, setup_of
from .queues import Queue, first_of, queues_of
from .shifts import calendar_of
from .station import Times
from .timeline import BLOCKED, OFF, STARVED
from .traces import Traces, Way, one_return
from .twin import REWORK
from .work import Work

ARRIVALS = "arrivals"
HUNGRY = 0.01  # share of its time from which the hunger of a first station tells of arrivals
ENOUGH = 50  # parts of a product that show where it goes

Shares = dict[str, dict[str, float]]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt of the stations, each by itself."""

    log: Log
    work: dict[str, Work]
    times: dict[str, Times]
    failing: Failing
    crews: dict[str, Crew]
    operators: dict[str, Operators]
    operated: tuple[str, ...]

    def station(self, name: str) -> tuple[Station, list[Gap]]:
        """Return a station that stands alone: nothing before it, nothing behind it."""
        work = self.work[name]
        crew = people.CREW if self.crews else ""
        plan, gaps = maintained(name, work, crew)
        failure = self.failing.failures.get(name)
        return Station(
            cycle=self.times[name].cycle,
            servers=max(len(work.timelines), 1),
            batch=work.batch,
            failures=() if failure is None else (failure,),
            maintenance=() if plan is None else (plan,),
            operators={people.SKILL: 1} if name in self.operated else {},
            power=self.times[name].power,
        ), gaps


def alone(parts: Parts) -> tuple[Line, Shares, list[Gap]]:
    """Return the stations side by side, where nothing tells in which order parts pass them."""
    why = "no serial was read at two stations: nothing tells the order of stations"
    gaps = [Gap(station="", what="route", why=why, bound="each station stands alone")]
    stations = {}
    for name in parts.times:
        stations[name], odd = parts.station(name)
        gaps += odd
    calendars, with_calendar, odd = _calendars(parts, stations)
    return (
        Line(stations=with_calendar, calendars=calendars, crews=parts.crews,
             operators=parts.operators, timezone=_zone(parts.log)),
        {}, [*gaps, *odd],
    )  # fmt: skip


def whole(parts: Parts, traces: Traces) -> tuple[Line, Shares, list[Gap]]:
    """Return the line that the traces show."""
    names = tuple(parts.log.stations)
    gaps: list[Gap] = []
    ways = {}
    for name, way in traces.ways.items():
        ways[name], odd = one_return(way, name)
        gaps += odd
    traces = msgspec.structs.replace(traces, ways=ways)
    queues, odd = queues_of(traces, parts.work, names)
    gaps += odd
    mix = mix_of(parts.log, traces, parts.work)
    gaps += mix.gaps
    routes, odd = _routes(traces, mix)
    gaps += odd
    stations: dict[str, Station] = {}
    shares: Shares = {}
    for name in traces.order:
        if name not in parts.times:
            continue
        station, odd = parts.station(name)
        gaps += odd
        stations[name], shares[name] = _placed(name, station, parts, traces, mix, queues)
    buffers = {queue.name: _buffer(queue) for queue in queues}
    products = {
        name: msgspec.structs.replace(product, route=routes.get(name, ()))
        for name, product in mix.products.items()
    }
    stations, buffers, products, odd = _arrivals(parts, traces, stations, buffers, products)
    gaps += odd
    gaps += _outlets(parts, traces)
    calendars, stations, odd = _calendars(parts, stations)
    gaps += odd
    line = Line(
        stations=stations, buffers=buffers, products=products, sequence=mix.sequence,
        crews=parts.crews, operators=parts.operators, calendars=calendars,
        timezone=_zone(parts.log),
    )  # fmt: skip
    return line, {name: each for name, each in shares.items() if len(each) > 1}, gaps


def _placed(
    name: str,
    station: Station,
    parts: Parts,
    traces: Traces,
    mix: Mix,
    queues: Sequence[Queue],
) -> tuple[Station, dict[str, float]]:
    """Return a station with its buffers, shares and setup, and parts by where they went."""
    way = traces.ways[name]
    main = [queue for queue in queues if name in queue.takers and not queue.rework]
    back = [queue for queue in queues if name in queue.takers and queue.rework]
    rule = first_of(main[0], back[0]) if len(main) == 1 and len(back) == 1 else "rework"
    inputs = [*back, *main] if rule == "rework" else [*main, *back]
    to = _targets(name, way, queues)
    counts = {place: float(count) for place, count in to.items()}
    returns = [queue.name for queue in queues if name in queue.feeders and queue.rework]
    rework = float(sum(way.rework.values())) if returns else 0.0
    if way.scrap:
        counts[SCRAP] = float(way.scrap)
    if rework:
        counts[REWORK] = rework
    total = max(way.total, 1)
    seen = dict.fromkeys(parts.log.stations[name].parts.product)
    families = {product: each.family for product, each in mix.products.items()}
    dedicated = 0 < len(seen) < len(mix.products)
    return msgspec.structs.replace(
        station,
        inputs=tuple(queue.name for queue in inputs),
        pick="oldest" if rule == "oldest" else "order",
        to=_shared(to),
        scrap=way.scrap / total,
        rework=rework / total,
        rework_to=returns[0] if returns else "",
        products=tuple(product for product in seen if product) if dedicated else (),
        setup=setup_of(parts.work[name], parts.log.stations[name].parts.product, families)
        if mix.products else 0.0,
    ), counts  # fmt: skip


def _targets(name: str, way: Way, queues: Sequence[Queue]) -> dict[str, int]:
    """Return good parts by the buffer that they went to."""
    found: dict[str, int] = {}
    for to, count in way.good.items():
        place = OUT
        for queue in queues:
            if not queue.rework and to in queue.takers and name in queue.feeders:
                place = queue.name
        found[place] = found.get(place, 0) + count
    return found or {OUT: 1}


def _shared(to: Mapping[str, int]) -> str | dict[str, float]:
    if len(to) == 1:
        return next(iter(to))
    total = sum(to.values())
    shares = {place: count / total for place, count in to.items()}
    last = list(shares)[-1]
    shares[last] = 1 - math.fsum(value for place, value in shares.items() if place != last)
    return shares


def _buffer(queue: Queue) -> Buffer:
    capacity = queue.capacity
    if capacity is None and not queue.rework:
        capacity = max(queue.most, 1)
    return Buffer(
        capacity=capacity, delay=0.0 if queue.delay is None else str(queue.delay.distribution)
    )


def _routes(traces: Traces, mix: Mix) -> tuple[dict[str, tuple[str, ...]], list[Gap]]:
    """Return a route for each product, where products go different ways."""
    if not mix.products or not _ways_differ(traces):
        return {}, []
    routes: dict[str, tuple[str, ...]] = {}
    for product in mix.products:
        route, sure = _route(traces, product)
        if not sure:
            why = f"parts of {product} take different ways, and others than other products"
            bound = "all products are sent by the same shares"
            return {}, [Gap(station="", what="route", why=why, bound=bound)]
        routes[product] = route
    return routes, []


def _ways_differ(traces: Traces) -> bool:
    for way in traces.ways.values():
        shares = []
        for counts in way.by_product.values():
            total = sum(counts.values())
            if total >= ENOUGH:
                shares.append({to: count / total for to, count in counts.items()})
        for one in shares[1:]:
            places = {*one, *shares[0]}
            if sum(abs(one.get(to, 0) - shares[0].get(to, 0)) for to in places) > 0.1:
                return True
    return False


def _route(traces: Traces, product: str) -> tuple[tuple[str, ...], bool]:
    """Return the stations that nearly all parts of a product pass, and whether they do."""
    starts = [name for name in traces.sources if product in traces.ways[name].by_product]
    if len(starts) != 1:
        return (), False
    route = [starts[0]]
    while True:
        counts = traces.ways[route[-1]].by_product.get(product, {})
        total = sum(counts.values())
        if not total:
            return tuple(route), True
        to = max(counts, key=lambda place: counts[place])
        if counts[to] < 0.98 * total or to in route:
            return (), False
        if not to:
            return tuple(route), True
        route.append(to)


def _arrivals(
    parts: Parts,
    traces: Traces,
    stations: dict[str, Station],
    buffers: dict[str, Buffer],
    products: dict[str, Product],
) -> tuple[dict[str, Station], dict[str, Buffer], dict[str, Product], list[Gap]]:
    """Let parts arrive at a first station that was hungry: then not it, but others set the pace."""
    gaps = []
    first = [name for name in traces.sources if name in stations and not stations[name].inputs]
    for name in first:
        work = parts.work[name]
        if not work.known:
            continue
        hungry = work.time_in(STARVED) / work.known
        if hungry < HUNGRY:
            continue
        rate = len(parts.log.stations[name].parts) / (work.known / len(work.timelines))
        why = f"it waited for parts in {hungry:.1%} of its time: they come from outside"
        bound = f"{rate * 3600:.4g} an hour, at random, are assumed"
        if len(first) > 1:  # a product arrives at one place alone
            bound = "it is modelled as never hungry: several stations begin parts"
        gaps.append(Gap(station=name, what="arrivals", why=why, bound=bound))
        if len(first) > 1:
            continue
        queue = f"{ARRIVALS}-{name}"
        buffers = {queue: Buffer(), **buffers}
        stations = {**stations, name: msgspec.structs.replace(stations[name], inputs=(queue,))}
        named = products or {"part": Product()}
        total = sum(each.share for each in named.values())
        products = {
            product: msgspec.structs.replace(
                each, into=queue,
                arrival=str(Distribution("exponential", (total / each.share / rate,))),
            )
            if each.share > 0 and not each.into else each
            for product, each in named.items()
        }  # fmt: skip
    return stations, buffers, products, gaps


def _outlets(parts: Parts, traces: Traces) -> list[Gap]:
    gaps = []
    for name, way in traces.ways.items():
        work = parts.work[name]
        if set(way.good) == {""} and work.known and work.time_in(BLOCKED) > 0.01 * work.known:
            why = f"it was blocked in {work.time_in(BLOCKED) / work.known:.1%} of its time"
            bound = "what takes the parts away is not in the log: the twin is never blocked there"
            gaps.append(Gap(station=name, what="outlet", why=why, bound=bound))
    return gaps


def _calendars(
    parts: Parts, stations: dict[str, Station]
) -> tuple[dict[str, Calendar], dict[str, Station], list[Gap]]:
    """Return calendars, each for the stations that begin work at the same moments."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in stations:
        begins = sorted(
            {round(float(end)) for line in parts.work[name].timelines.values()
             for end in line.spells(OFF)[1]}
        )  # fmt: skip
        groups.setdefault(tuple(begins), []).append(name)
    calendars: dict[str, Calendar] = {}
    gaps: list[Gap] = []
    for names in groups.values():
        lines = [line for name in names for line in parts.work[name].timelines.values()]
        if not lines:
            continue
        calendar, odd = calendar_of(parts.log, names[0], lines)
        gaps += odd
        if calendar is not None:
            key = f"calendar-{len(calendars) + 1}"
            calendars[key] = calendar
            for name in names:
                stations[name] = msgspec.structs.replace(stations[name], calendar=key)
    return calendars, stations, gaps


def _zone(log: Log) -> str:
    return getattr(log.zone, "key", "UTC")
