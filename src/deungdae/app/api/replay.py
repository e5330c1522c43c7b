"""A line as it was: states and buffers of a past period, for a page to play."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query

from deungdae.app.auth import Role
from deungdae.core.clock import to_iso
from deungdae.core.types import HOUR, MILLISECOND, Event
from deungdae.twin.monitor import Monitor
from deungdae.twin.replicate.replay import levels

from . import lines
from .context import Context, Here, Json, needs
from .failure import WebError
from .looks import From, To
from .mirrors import REACH, reach
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)

LONGEST = 26 * HOUR  # a day, also one on which clocks are put back, and a little
MOST = 60_000  # changes of state in one answer: what is told beyond is thinned
LOOKS = 300  # moments at which buffers are counted


class StatesAnswer(msgspec.Struct, frozen=True):
    """What a machine did: since when (ms since 1970), in what state, with what status.

    The first may be before the period: it held when the period began. '' with a bad status: nobody
    knows. A gap is told in the same way.
    """

    time: list[int]
    state: list[str]
    status: list[int]


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A period of a line. states: by asset; times, levels: parts waiting in each buffer, null
    where not all its neighbours tell parts. first, last: of what is recorded in it, null: nothing.

    thinned: states that lasted less than so many ms are left out; 0: all are told.
    """

    twin: str
    start: str
    end: str
    first: str | None
    last: str | None
    states: dict[str, StatesAnswer]
    times: list[int]
    levels: dict[str, list[int] | None]
    thinned: int


@router.get("/replay", **answer(ReplayAnswer, 404, 413))
async def replay(
    here: Here,
    since: From,
    until: To = "",
    twin: Annotated[str, Query(description="name of the twin; empty: the first")] = "",
) -> Json:
    """Return what each machine of a line did over a period, and what waited between them."""
    now = here.runtime.clock.now()
    start, end = period(since, until, here.runtime.factory, now)
    end = min(end, now)
    if end - start > LONGEST:
        problem = f"more than {LONGEST // HOUR} hours at once"
        raise WebError(413, problem, "ask for a shorter period")
    if end <= start:
        raise WebError(422, "the period has not begun yet", "ask for one that is over")
    name = twin or next(iter(lines.twins(here.runtime)), "")
    found = lines.twin(here.runtime, name)
    return Json(await here.runtime.clock.call(_told, here, name, found, start, end))


def _told(here: Context, name: str, found: Monitor, start: int, end: int) -> ReplayAnswer:
    assets = {lines.asset(found, station) for station in found.assets}
    machines = {each for own in found.assets.values() for each in own}
    store = here.runtime.store
    told = store.events(
        start, end, ids=[f"{each}.state" for each in assets], kinds=("state", "gap"), before=True
    )
    inside = [event for event in told if event.time >= start]
    states, thinned = _states(told)
    # what is in machines went in long ago; what waits between them came a little while ago
    ids = [f"{each}.{what}" for each in machines for what in ("state", "part", "lot", "loaded")]
    loads = [id for id in ids if id.endswith(".loaded")]
    older = store.events(start - reach(found.line), start - REACH, ids=loads, kinds=("scan",))
    newer = store.events(start - REACH, end, ids=ids, kinds=("state", "scan"), before=True)
    newer.sort(key=lambda event: event.time)
    moments = np.linspace(start, end, LOOKS, endpoint=False).astype(np.int64).tolist()
    counted = levels(found.line, [*older, *newer], moments, found.assets)
    silent = lines.silent(found)
    return ReplayAnswer(
        twin=name,
        start=to_iso(start),
        end=to_iso(end),
        first=to_iso(min(event.time for event in inside)) if inside else None,
        last=to_iso(max(event.time for event in inside)) if inside else None,
        states=states,
        times=[moment // MILLISECOND for moment in moments],
        levels={name: None if name in silent else row for name, row in counted.items()},
        thinned=thinned,
    )


def _states(told: list[Event]) -> tuple[dict[str, StatesAnswer], int]:
    """Return the states by asset, without the shortest where there are too many; and how short."""
    rows: dict[str, list[tuple[int, str, int]]] = {}
    for event in sorted(told, key=lambda event: event.time):
        own = rows.setdefault(event.asset, [])
        if event.kind == "gap":
            own.append((event.time, "", 2))
            continue
        if not own or own[-1][1:] != (event.value, event.status):
            own.append((event.time, event.value, event.status))
    least = 0
    while sum(map(len, rows.values())) > MOST:
        least = max(2 * least, 1000 * MILLISECOND)
        rows = {asset: _longer(own, least) for asset, own in rows.items()}
    answers = {
        asset: StatesAnswer(
            [time // MILLISECOND for time, _, _ in own],
            [word for _, word, _ in own],
            [status for _, _, status in own],
        )
        for asset, own in rows.items()
    }
    return answers, least // MILLISECOND


def _longer(own: list[tuple[int, str, int]], least: int) -> list[tuple[int, str, int]]:
    """Return the states that lasted long enough, and the last."""
    following = [*own[1:], None]
    return [
        state
        for state, after in zip(own, following, strict=True)
        if after is None or after[0] - state[0] >= least
    ]
