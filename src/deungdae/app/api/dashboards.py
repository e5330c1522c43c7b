"""Routes of the dashboards that people put together for themselves."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Role
from deungdae.app.dashboards import ChangedMeanwhile, Dashboard, Dashboards, Kept

from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed, DoneAnswer
from .failure import WebError
from .schema import answer

router = APIRouter(prefix="/api/v1/dashboards", default_response_class=Json)
look = Depends(needs(Role.VIEWER))
act = Depends(needs(Role.OPERATOR))


class Listed(msgspec.Struct, frozen=True):
    """A dashboard in the list."""

    name: str
    title: str
    person: str
    tiles: int


class Saving(Deed):
    """A dashboard to keep. version: of the one it replaces, '' for a new one."""

    title: str
    tiles: list[dict[str, Any]]
    version: str = Field("", max_length=64)


class Removing(BaseModel):
    """The version of the dashboard that is to be removed."""

    model_config = ConfigDict(extra="forbid")
    version: str = Field(max_length=64)


@router.get("", dependencies=[look], **answer(list[Listed]))
async def every(here: Here) -> Json:
    """Return the dashboards by title."""
    found = await _ask(here, lambda all: all.list())
    return Json(
        [
            Listed(
                each.name, each.dashboard.title, each.dashboard.person, len(each.dashboard.tiles)
            )
            for each in found
        ]
    )


@router.get("/{name}", dependencies=[look], **answer(Kept, 404))
async def one(here: Here, name: str) -> Json:
    """Return a dashboard."""
    found = await _ask(here, lambda all: all.get(name))
    if found is None:
        raise WebError(404, f"no dashboard is called {name!r}")
    return Json(found)


@router.put("/{name}", dependencies=[act], **answer(Kept, 409))
async def save(here: Here, who: Who, name: str, saving: Saving) -> Json:
    """Keep a dashboard."""
    by = person(who, saving.person)
    told = {"title": saving.title, "tiles": saving.tiles, "person": by}
    try:
        dashboard = msgspec.convert(told, Dashboard)
    except msgspec.ValidationError as error:
        raise WebError(422, f"the dashboard cannot be: {error}") from error
    kept = await _ask(here, lambda all: all.save(name, dashboard, saving.version))
    await here.note("dashboard", {"name": name, "title": dashboard.title}, by)
    return Json(kept)


@router.delete("/{name}", dependencies=[act], **answer(DoneAnswer, 409))
async def remove(here: Here, who: Who, name: str, removing: Removing) -> Json:
    """Remove a dashboard."""
    await _ask(here, lambda all: all.remove(name, removing.version))
    await here.note("dashboard", {"name": name, "removed": True}, who.name if who else "")
    return Json(DoneAnswer([f"{name} is removed"]))


async def _ask(here: Context, question: Any) -> Any:
    """Return what the dashboards answer. Raises WebError."""
    try:
        return await here.runtime.clock.call(question, Dashboards(here.runtime.factory.path))
    except ChangedMeanwhile as error:
        raise WebError(409, str(error), "look at it anew, then save") from error
    except ValueError as error:
        raise WebError(422, str(error)) from error
