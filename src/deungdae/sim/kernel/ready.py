"""Whether a server may begin with the next part."""

from __future__ import annotations

from . import at
from .at import World
from .codes import OPERATION, PARTS
from .compiling import called
from .rows import NONE, Server, Station


@called
def due_plan(w: World, server: Server) -> int:
    """Return the first maintenance that is due, or NONE."""
    for k in range(server.plan, server.plan + server.plans):
        plan = at.plan(w, k)
        if plan.due or (plan.of in (OPERATION, PARTS) and plan.left <= 0.0):
            return k
    return NONE


@called
def has_needs(w: World, station: Station) -> bool:
    """Return whether all further parts of a cycle are there."""
    for k in range(station.need, station.need + station.needs):
        need = at.need(w, k)
        if at.buffer(w, need.to).count < need.amount:
            return False
    return True
