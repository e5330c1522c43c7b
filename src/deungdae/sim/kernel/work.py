"""What a server does: it begins, goes on, stops, and is finished."""

from __future__ import annotations

from . import at
from .at import World
from .codes import (
    BAD,
    BLOCKED,
    BY_STATION,
    CYCLE,
    DEFECT,
    FAILURE,
    FATE,
    FINISHED,
    GOOD,
    HOLDS,
    INSPECTION,
    OFF,
    OPERATION,
    PARTS,
    PREPARES,
    REWORK,
    RUNNING,
    SCRAP,
    SETUP,
    SPLIT,
    TIME,
    WAY,
    WORKS,
)  # fmt: skip
from .compiling import called, inlined, rare
from .events import note, set_due, set_idle, show
from .flow import ask, born, deliver
from .people import call, join, part_from, send, wait_for_people
from .rows import AHEAD, NONE, Mode, Part, Route, Server, Station
from .stream import draw, draw_ahead, uniform


@inlined
def proceed(w: World, n: int, server: Server, now: float) -> None:
    """Let a server go on with its task, until it is done or a mode of failure comes first."""
    ends, span = NONE, server.left
    if server.task == WORKS:
        for m in range(server.mode, server.mode + server.modes):
            left = at.mode(w, m).left
            if left < span:
                span = left
                ends = m
    server.ends = ends
    server.span = span
    server.begun = now
    server.moves = 1
    set_due(w, n, now + span)


@inlined
def wear(w: World, server: Server, span: float) -> None:
    """Count work that was done."""
    server.left -= span
    if server.task != WORKS:
        return
    server.work += span
    for m in range(server.mode, server.mode + server.modes):
        at.mode(w, m).left -= span
    for k in range(server.plan, server.plan + server.plans):
        plan = at.plan(w, k)
        if plan.of == OPERATION:
            plan.left -= span


@called
def suspend(w: World, n: int, server: Server, now: float) -> None:
    """Stop a server's stretch of work, if one is under way; what is left of it is kept."""
    if server.moves:
        server.moves = 0
        wear(w, server, min(now - server.begun, server.span))
        set_idle(w, n)


@rare
def fail(w: World, n: int, server: Server, m: int, now: float) -> None:
    """Let a server break down."""
    server.why = FAILURE
    server.cause = m
    call(w, n, server, at.mode(w, m).crew, now)


@called
def pending(w: World, server: Server) -> int:
    """Return the mode that failed while the server stood."""
    for m in range(server.mode + server.modes, server.mode + server.modes + server.timed):
        mode = at.mode(w, m)
        if mode.pending:
            mode.pending = 0
            server.pending -= 1
            return m
    return NONE


@rare
def resume(w: World, n: int, server: Server, now: float) -> None:
    """Let a server that does not halt go on with what it was at."""
    station = at.station(w, server.station)
    if server.pending:
        fail(w, n, server, pending(w, server), now)
    elif station.closed:
        set_idle(w, n)
        show(w, n, server, OFF, now)
    elif server.task == HOLDS:
        set_idle(w, n)
        show(w, n, server, BLOCKED, now)
    elif server.task == NONE:
        set_idle(w, n)
        ask(w, server.station)
    elif station.teams and server.team == NONE and not join(w, server):
        wait_for_people(w, n, server, now)
    else:
        proceed(w, n, server, now)
        show(w, n, server, SETUP if server.task == PREPARES else RUNNING, now)


@called
def stop(w: World, n: int, server: Server, now: float) -> None:
    """Let a server's planned time be over: its people go, its work is kept."""
    if server.team != NONE:
        part_from(w, server)
    if server.halt == NONE:
        suspend(w, n, server, now)
        set_idle(w, n)
        show(w, n, server, OFF, now)


@rare
def mend(w: World, n: int, server: Server, now: float) -> None:
    """Let a server go on after its repair or maintenance."""
    if server.why == FAILURE:
        mode = at.mode(w, server.cause)
        renew(w, mode, now)
        server.cold = at.station(w, server.station).warm_up
        crew = mode.crew
    else:
        crew = maintained(w, server, now)
    server.halt = NONE
    if crew != NONE:
        at.crew(w, crew).busy -= 1
        send(w, crew, now)
    resume(w, n, server, now)


@called
def renew(w: World, mode: Mode, now: float) -> None:
    """Begin the time to the next failure."""
    mode.left = draw(w, mode.every, mode.stream)
    if mode.slot != NONE:
        set_due(w, mode.slot, now + mode.left)


@called
def maintained(w: World, server: Server, now: float) -> int:
    """Begin the interval to the next maintenance; return the crew that did this one."""
    plan = at.plan(w, server.cause)
    plan.due = 0
    plan.left = plan.every
    if plan.of == TIME:
        set_due(w, plan.slot, now + plan.every)
    server.worn = 0
    if plan.renews:
        server.pending = 0
        for m in range(server.mode, server.mode + server.modes + server.timed):
            mode = at.mode(w, m)
            mode.pending = 0
            renew(w, mode, now)
    return plan.crew


@inlined
def start_cycle(w: World, server: Server, station: Station) -> None:
    """Give a server its next cycle."""
    server.task = WORKS
    server.work = 0.0
    if station.by_product:
        place = station.cycle + at.part(w, server.part).product
        span = draw(w, place, station.stream + CYCLE)
    else:
        stock = at.stock(w, server.station)
        if stock.used == AHEAD:
            draw_ahead(w, stock, station.cycle, station.stream + CYCLE)
        span = stock.values[stock.used]
        stock.used += 1
    server.left = station.pace * span


@called
def split(w: World, first: int, count: int, u: float) -> int:
    """Return the goal of the branch in whose share u lies."""
    k = first
    while k < first + count - 1 and u >= at.branch(w, k).upto:
        k += 1
    return at.branch(w, k).goal


@inlined
def way(w: World, station: Station) -> int:
    """Return where a station sends a good part."""
    if station.goal != SPLIT:
        return station.goal
    return split(w, station.branch, station.branches, uniform(w, station.stream + WAY))


@inlined
def fate(w: World, station: Station) -> int:
    """Return the result of a part by the shares of rework and scrap."""
    if not station.sheds:
        return GOOD
    u = uniform(w, station.stream + FATE)
    if u < station.scrap:
        return BAD
    return REWORK if u < station.scrap + station.rework else GOOD


@inlined
def finish(w: World, n: int, server: Server, now: float) -> None:
    """Let a server's task be over."""
    station = at.station(w, server.station)
    server.moves = 0
    if server.task == PREPARES:
        start_cycle(w, server, station)
        proceed(w, n, server, now)
        show(w, n, server, RUNNING, now)
        return
    server.task = HOLDS
    if station.simple:
        station.done += 1
        result = fate(w, station)
        goal = way(w, station) if result == GOOD else SCRAP
        if result == REWORK:
            goal = station.rework_to
        at.part(w, server.part).goal = goal
        if w.tracing:
            note(w, FINISHED, server.station, n, server.part, result)
    else:
        finish_all(w, n, server, station, now)
    deliver(w, n, now)


@rare
def finish_all(w: World, n: int, server: Server, station: Station, now: float) -> None:
    """Say of each part in a server what it is now and where it goes."""
    if server.team != NONE:
        part_from(w, server)
    p = server.part
    while p != NONE:
        part = at.part(w, p)
        following = part.next
        route = at.route(w, server.station * w.stages_count + part.stage)
        result, goal = judge(w, server, station, part, route)
        part.goal = goal
        if result == GOOD:
            part.stage = route.after
            part.product = at.stage(w, part.stage).product
            last = multiply(w, station, p, part, now)
            at.part(w, last).next = following
        station.done += 1
        count_part(w, server)
        if w.tracing:
            note(w, FINISHED, server.station, n, p, result)
        p = following


@called
def count_part(w: World, server: Server) -> None:
    """Count a part for the maintenance that hangs on them."""
    for k in range(server.plan, server.plan + server.plans):
        plan = at.plan(w, k)
        if plan.of == PARTS:
            plan.left -= 1.0


@called
def judge(w: World, server: Server, station: Station, part: Part, route: Route) -> tuple[int, int]:
    """Return the result of a part and its goal; spoil it, or find that it is spoilt."""
    if station.quality:
        spoil(w, server, station, part)
    result = fate(w, station)
    if result == BAD:
        return BAD, SCRAP
    if result == REWORK:
        part.stage = route.again
        part.spoilt = 0
        return REWORK, station.rework_to
    if station.inspects and sorts_out(w, station, part):
        if station.sorted_to < 0:
            return BAD, SCRAP
        part.stage = route.sorted
        part.spoilt = 0
        return REWORK, station.sorted_to
    goal = route.goal
    if goal == BY_STATION:
        goal = way(w, station)
    return BAD if goal == SCRAP else GOOD, goal


@called
def spoil(w: World, server: Server, station: Station, part: Part) -> None:
    """Let a part be spoilt by chance, more so the longer ago maintenance is, or by a cold start."""
    u = uniform(w, station.stream + DEFECT)
    if u < station.defects + station.worsens * server.worn or server.cold:
        part.spoilt = 1
    server.worn += 1
    if server.cold:
        server.cold -= 1


@called
def sorts_out(w: World, station: Station, part: Part) -> bool:
    """Return whether an inspection takes a part for bad."""
    u = uniform(w, station.stream + INSPECTION)
    if part.spoilt:
        return u >= station.escapes
    return u < station.alarms


@called
def multiply(w: World, station: Station, p: int, part: Part, now: float) -> int:
    """Make several parts of one; return the last."""
    last = p
    for _ in range(station.yields - 1):
        k = born(w, part.product, now)
        more = at.part(w, k)
        more.birth = part.birth
        more.stage = part.stage
        more.goal = part.goal
        more.order = part.order
        more.due = part.due
        more.spoilt = part.spoilt
        at.part(w, last).next = k
        last = k
    return last
