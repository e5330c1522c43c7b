"""Routes about shifts: when they are, how good they were, why machines stood, what is handed over."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app.auth import Role
from deungdae.core.clock import to_iso
from deungdae.core.types import DAY
from deungdae.insight.kpi.shifts import shifts_of

from .context import Here, Json, needs
from .failure import WebError
from .moments import period
from .schema import answer

MOST = 400 * DAY  # of shifts in one answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)

From = Annotated[str, Query(alias="from", description="ISO 8601, ns, or e.g. -8h; inclusive")]
To = Annotated[str, Query(alias="to", description="as `from`; exclusive; empty: now")]


class ShiftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A shift of the calendar, or a local day where there are no shifts: then its name is ''.

    planned: seconds of it that the calendar plans for work.
    """

    name: str
    start: str
    end: str
    planned: float


@router.get("/shifts", **answer(list[ShiftAnswer], 413))
async def shifts(here: Here, since: From, until: To = "") -> Json:
    """List the shifts that touch a period, whole; days where the calendar has no shifts."""
    factory = here.runtime.factory
    start, end = period(since, until, factory, here.runtime.clock.now())
    if end - start > MOST:
        raise WebError(413, "more than 400 days", "ask for a shorter time")
    return Json(
        [
            ShiftAnswer(
                name=each.name,
                start=to_iso(each.start, factory.zone),
                end=to_iso(each.end, factory.zone),
                planned=each.planned,
            )
            for each in shifts_of(factory, start, end)
        ]
    )
