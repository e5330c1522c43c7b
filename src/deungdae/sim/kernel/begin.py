"""What a server begins with: which parts, whether there are enough, and what comes first."""

from __future__ import annotations

import math

from . import at
from .at import World
from .codes import (
    ANY,
    OLDEST,
    ORDER,
    PLAN,
    PREPARE,
    PREPARES,
    PRODUCT,
    RUNNING,
    SETUP,
    STARVED,
)  # fmt: skip
from .compiling import called, inlined, rare
from .events import set_due, set_idle, show
from .flow import admit, born, discard, free_up, take
from .people import call, join, wait_for_people
from .ready import due_plan, has_needs
from .rows import NONE, Buffer, Server, Station
from .stream import draw, uniform
from .work import proceed, split, start_cycle


@inlined
def begin(w: World, n: int, server: Server, s: int, station: Station, now: float) -> None:
    """Let an idle server begin, or starve."""
    if not station.plain:
        begin_other(w, n, server, s, station, now)
        return
    b = NONE
    if station.inputs:
        for k in range(station.input, station.input + station.inputs):
            place = at.input(w, k).to
            if at.buffer(w, place).count:
                b = place
                break
        if b == NONE:
            set_idle(w, n)
            show(w, n, server, STARVED, now)
            return
        server.part = take(w, b, NONE, now)
    else:
        server.part = born(w, menu(w, station), now)
    station.free -= 1
    start_cycle(w, server, station)
    proceed(w, n, server, now)
    show(w, n, server, RUNNING, now)
    if b != NONE:
        free_up(w, b, now)


@rare
def begin_other(w: World, n: int, server: Server, s: int, station: Station, now: float) -> None:
    """Let an idle server be maintained, or begin with all that it needs, or starve."""
    plan = due_plan(w, server)
    if plan != NONE:
        server.why = PLAN
        server.cause = plan
        call(w, n, server, at.plan(w, plan).crew, now)
        return
    for k in range(station.input, station.input + station.inputs):
        if available(w, s, station, ANY) == 0:
            draw_in(w, at.input(w, k).to, now)
    if not has_needs(w, station) or not gather(w, server, s, station, now):
        set_idle(w, n)
        show(w, n, server, STARVED, now)
        return
    station.free -= 1
    consume(w, server, station, now)
    prepare(w, server, station)
    if station.teams and not join(w, server):
        wait_for_people(w, n, server, now)
    else:
        proceed(w, n, server, now)
        show(w, n, server, SETUP if server.task == PREPARES else RUNNING, now)
    for k in range(station.input, station.input + station.inputs):
        free_up(w, at.input(w, k).to, now)
    for k in range(station.need, station.need + station.needs):
        free_up(w, at.need(w, k).to, now)


@called
def draw_in(w: World, b: int, now: float) -> None:
    """Let a buffer without places pass on what waits for it: a server is there now."""
    buffer = at.buffer(w, b)
    if buffer.capacity == 0 and buffer.count == 0 and buffer.blocked != NONE:
        admit(w, b, now)


@called
def consume(w: World, server: Server, station: Station, now: float) -> None:
    """Put the further parts of a cycle into the first of its parts."""
    main = at.part(w, server.part)
    for k in range(station.need, station.need + station.needs):
        need = at.need(w, k)
        for _ in range(need.amount):
            p = take(w, need.to, NONE, now)
            if at.part(w, p).spoilt:
                main.spoilt = 1
            discard(w, p, now)


@called
def prepare(w: World, server: Server, station: Station) -> None:
    """Give a server its next task: the cycle, or before it a setup."""
    if station.setups != NONE:
        family = at.product(w, at.part(w, server.part).product).family
        was = server.family
        server.family = family
        if was not in (NONE, family):
            setup = at.setup(w, station.setups + was * w.families + family)
            server.task = PREPARES
            server.left = draw(w, setup.spread, station.stream + PREPARE)
            server.cold = station.warm_up
            return
    start_cycle(w, server, station)


@called
def menu(w: World, station: Station) -> int:
    """Return the product that a station without input begins."""
    if station.menus == 1:
        return at.branch(w, station.menu).goal
    if station.in_turn:
        product = at.branch(w, station.menu + station.turn).goal
        station.turn = (station.turn + 1) % station.menus
        return product
    return split(w, station.menu, station.menus, uniform(w, station.stream + PRODUCT))


@called
def gather(w: World, server: Server, s: int, station: Station, now: float) -> bool:
    """Return whether there are parts enough for a cycle; then they are in the server."""
    if not station.inputs:
        return create(w, server, station, now)
    product, count = select(w, s, station, now)
    last = NONE
    for _ in range(count):
        b = pick(w, s, station, product)
        before = eligible(w, s, station, at.buffer(w, b), product)
        p = take(w, b, before if before >= 0 else NONE, now)
        if last == NONE:
            server.part = p
        else:
            at.part(w, last).next = p
        last = p
    return count > 0


@called
def create(w: World, server: Server, station: Station, now: float) -> bool:
    """Return whether new parts may be begun; then they are in the server."""
    o, count = NONE, station.batch
    if station.to_order:
        o = wanted(w, station)
        if o == NONE:
            return False
        order = at.order(w, o)
        product = order.product
        left = order.quantity - order.begun  # of what comes of the parts that are begun
        count = min(count, (left + station.yields - 1) // station.yields)
        order.begun += count * station.yields
    elif station.menus == 0:
        return False
    else:
        product = menu(w, station)
    for _ in range(count):
        p = born(w, product, now)
        part = at.part(w, p)
        part.order = o
        if o != NONE:
            part.due = at.order(w, o).due
        part.next = server.part
        server.part = p
    return True


@called
def wanted(w: World, station: Station) -> int:
    """Return the most urgent order that still wants parts and that a station can begin."""
    for o in range(w.orders_count):
        order = at.order(w, o)
        if order.release <= w.now and order.begun < order.quantity:
            for k in range(station.menu, station.menu + station.menus):
                if at.branch(w, k).goal == order.product:
                    return o
    return NONE


@called
def select(w: World, s: int, station: Station, now: float) -> tuple[int, int]:
    """Return which product a station can take now, and how many parts: 0, not yet."""
    b = pick(w, s, station, ANY)
    if b == NONE:
        return ANY, 0
    if station.batch == 1:
        return ANY, 1
    product = ANY
    if not station.mixes:
        product = first_product(w, s, station, at.buffer(w, b))
    count = available(w, s, station, product)
    if count < station.batch and not station.mixes:
        other = full(w, s, station)
        if other != NONE:
            product = other
            count = station.batch
    if count >= station.batch:
        station.ripe = 0
        if station.timer != NONE:
            set_idle(w, station.timer)
        return product, station.batch
    return product, ripen(w, station, count, now)


@called
def first_product(w: World, s: int, station: Station, buffer: Buffer) -> int:
    """Return the product of the first part in a buffer that a station may take."""
    before = eligible(w, s, station, buffer, ANY)
    p = at.part(w, before).next if before >= 0 else buffer.head
    return at.part(w, p).product


@called
def full(w: World, s: int, station: Station) -> int:
    """Return the first product of which there is a full batch, or NONE."""
    for product in range(w.products_count):
        if available(w, s, station, product) >= station.batch:
            return product
    return NONE


@called
def ripen(w: World, station: Station, count: int, now: float) -> int:
    """Return how many parts a station begins with that has no full batch: 0, it waits."""
    if station.least == 0 or count < station.least:
        return 0
    if station.ripe or station.wait == 0.0:
        station.ripe = 0
        set_idle(w, station.timer)
        return count
    if at.slot(w, station.timer).due == math.inf:
        set_due(w, station.timer, now + station.wait)
    return 0


@called
def available(w: World, s: int, station: Station, product: int) -> int:
    """Return how many parts a station may take from all its buffers."""
    count = 0
    for k in range(station.input, station.input + station.inputs):
        count += takeable(w, s, station, at.input(w, k).to, product)
    return count


@called
def takeable(w: World, s: int, station: Station, b: int, product: int) -> int:
    """Return how many parts a station may take from a buffer."""
    buffer = at.buffer(w, b)
    if buffer.count == 0 or (product == ANY and not station.filters):
        return buffer.count
    count = 0
    for stage in range(w.stages_count):
        wanted = product in (ANY, at.stage(w, stage).product)
        if wanted and at.route(w, s * w.stages_count + stage).allowed:
            count += at.tally(w, b * w.stages_count + stage).count
    return count


@called
def pick(w: World, s: int, station: Station, product: int) -> int:
    """Return the buffer from which a station takes its next part, or NONE.

    What was handed over through a buffer without places comes before all that can wait.
    """
    best, most = NONE, -math.inf
    for k in range(station.input, station.input + station.inputs):
        b = at.input(w, k).to
        count = takeable(w, s, station, b, product)
        if count == 0:
            continue
        if at.buffer(w, b).capacity == 0:
            return b
        worth = float(count)
        if station.pick == ORDER:
            worth = float(-k)
        if station.pick == OLDEST:
            buffer = at.buffer(w, b)
            before = eligible(w, s, station, buffer, product)
            p = at.part(w, before).next if before >= 0 else buffer.head
            worth = -at.part(w, p).birth
        if worth > most:
            best, most = b, worth
    return best


@called
def eligible(w: World, s: int, station: Station, buffer: Buffer, product: int) -> int:
    """Return the part before the first that a station may take; NONE where that is the first."""
    before = NONE
    if product == ANY and not station.filters:
        return before
    p = buffer.head
    while p != NONE:
        part = at.part(w, p)
        wanted = product in (ANY, part.product)
        if wanted and at.route(w, s * w.stages_count + part.stage).allowed:
            return before
        before = p
        p = part.next
    return before
