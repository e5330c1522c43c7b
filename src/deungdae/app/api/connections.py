"""Routes about connections: what comes through each door, and how long it was open in a day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from fastapi import APIRouter, Depends

from deungdae.app.auth import Role
from deungdae.app.runtime import ALIVE, Runtime, sign_of_life
from deungdae.core.clock import to_iso
from deungdae.core.ports import Rollup
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Flag, Severity

from .context import Context, Here, Json, needs
from .schema import answer

STEP = 15 * MINUTE
STEPS = DAY // STEP
ASKED = 3  # signals of one machine that tell whether it was there

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)


class ConnectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What comes through a door. address: as the factory file says it.

    signals: how many it shall bring; heard: from how many something good ever came. last: when the
    newest came, by its source; null: never. items: that came since the start, null where another
    process keeps the door.
    """

    room: str
    name: str
    type: str
    address: str
    signals: int
    heard: int
    last: str | None
    items: int | None


class DayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The last 24 h in equal steps. step: s. machines: one letter a step by machine.

    o open, p partly, x lost, - nothing is known.
    """

    start: str
    step: int
    machines: dict[str, str]


@router.get("/connections", **answer(list[ConnectionAnswer]))
async def connections(here: Here) -> Json:
    """Say what comes through each door."""
    return Json(_connections(here.runtime))


@router.get("/connections/day", **answer(DayAnswer))
async def day(here: Here) -> Json:
    """Say of the last 24 h when each machine was connected, as far as the history tells."""
    end = (here.runtime.clock.now() // STEP + 1) * STEP
    told = await here.runtime.clock.call(_day, here, end - DAY, end)
    return Json(DayAnswer(start=to_iso(end - DAY), step=STEP // SECOND, machines=told))


def _connections(runtime: Runtime) -> list[ConnectionAnswer]:
    readings, events = runtime.live.readings(), runtime.live.events
    found = []
    for key in runtime.health():
        room, _, name = key.partition(".")
        plugin = runtime.factory.room(room).get(name)
        own = runtime.factory.signals_of(name) if room == "machines" else []
        ids = [signal.id for signal in own]
        newest = [each for id in ids if (each := readings.get(id) or events.get(id)) is not None]
        times = [each.time for each in newest if _came(each.status)]
        door = getattr(runtime, "doors", {}).get(name) if room == "machines" else None
        found.append(
            ConnectionAnswer(
                room=room,
                name=name,
                type=plugin.type if plugin else "",
                address=_address(plugin.options) if plugin else "",
                signals=len(own),
                heard=len(times),
                last=to_iso(max(times)) if times else None,
                items=door.items if door else None,
            )
        )
    return found


def _came(status: int) -> bool:
    """Return whether something good ever came: what is stale was good once."""
    return status & 3 != Severity.BAD or bool(status & Flag.STALE)


def _address(options: object) -> str:
    """Return the address of a door as its table says it."""
    if url := getattr(options, "url", ""):
        return str(url)
    port = getattr(options, "port", None)
    return f"{getattr(options, 'host', '')}:{port}" if port else ""


def _day(here: Context, start: int, end: int) -> dict[str, str]:
    runtime, store = here.runtime, here.store
    said = [each.time for each in store.events(start, end, ids=[f"{ALIVE}.runtime"])]
    told = {}
    for name in runtime.factory.room("machines"):
        own = runtime.factory.signals_of(name)
        asked = [signal.id for signal in own if signal.kind == "number"][:ASKED]
        assets = list(dict.fromkeys(signal.asset for signal in own))[:ASKED]
        signs = [sign_of_life(asset).id for asset in assets]
        signed = [each.time for each in store.events(start, end, ids=signs)] if signs else []
        rolled = [store.rollup(id, start, end, STEP) for id in asked]
        told[name] = availability(rolled, signed, said, start)
    return told


def availability(
    rolled: Sequence[Rollup], signed: Sequence[int], ran: Sequence[int], start: int
) -> str:
    """Return one letter for each step of a day: o open, p partly, x lost, - nothing is known.

    rolled: some signals of a machine in steps. signed: when it was said to be on line, once in each
    hour. ran: when Deungdae said that it ran; without any nothing is known of that.
    """
    good, bad = np.zeros(STEPS, np.bool_), np.zeros(STEPS, np.bool_)
    for each in rolled:
        place = (each.start - start) // STEP
        within = (place >= 0) & (place < STEPS)
        good[place[within & (each.count > 0)]] = True
        bad[place[within & (each.bad > 0)]] = True
    hours = {(moment - start) // HOUR for moment in signed}
    up = {(moment - start) // STEP for moment in ran}
    letters, known = [], "-"
    for step in range(STEPS):
        if up and step not in up and not good[step]:
            known = "-"  # nobody was there to see it
        elif good[step]:
            known = "o"
        elif bad[step]:
            known = "x"
        elif not rolled:
            known = "o" if step * STEP // HOUR in hours else "-"
        # else as it was: who tells only changes, or is gone, is silent
        letters.append("p" if good[step] and bad[step] else known)
        if good[step] and bad[step]:
            known = "o"
    return "".join(letters)
