"""What each server is at when a line begins: from a snapshot, or idle."""

from __future__ import annotations

from collections.abc import Sequence

from deungdae.sim.line import STATES, Server, Station

from . import codes
from .builder import Row, Tables
from .rows import NONE

NEVER = 1e300  # s


def add_seats(tables: Tables, name: str, station: Station) -> None:
    """Add the seats of a station's servers."""
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
    return tables.mode(n, f"{n}/unknown", NEVER, 0.0, NONE, timed=False)


def _dummy_plan(tables: Tables, n: int) -> int:
    return tables.add(
        "plans", left=NEVER, every=NEVER, of=codes.OPERATION, length=tables.spread(0.0),
        stream=tables.streams(f"{n}/unplanned"), crew=NONE, server=n, slot=NONE,
    )  # fmt: skip
