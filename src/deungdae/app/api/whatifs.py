"""What would be if: changes of a line tried on its twin, and a budget spent best."""

from __future__ import annotations

from collections.abc import Awaitable
from decimal import Decimal
from functools import partial
from typing import Annotated, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Role
from deungdae.core.errors import FactoryError
from deungdae.sim import distribution
from deungdae.sim.line import Line, Station
from deungdae.twin.monitor import Monitor
from deungdae.twin.optimise import Answer, Change, Plan, apply

from . import lines, questions
from .context import Context, Here, Json, needs
from .failure import WebError
from .schema import answer
from .things import stand_at

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
T = TypeVar("T")

MOST = 1e9  # s of simulated time of one question, all replications together
Begin = Literal["now", "steady"]


class LeverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be changed in `whatif`. value: what it is now, a mean for a time."""

    target: str
    kind: Literal["cycle", "capacity", "repair", "crew"]
    name: str
    asset: str
    value: float
    unit: str


class WhatIfAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What changes would do. snapshot: where it began; seconds: that the answer took."""

    begin: Begin
    snapshot: str
    seconds: float
    result: Answer


class WhatIf(BaseModel):
    """Changes of a line, and how they are tried."""

    model_config = ConfigDict(extra="forbid")
    begin: Begin = Field("now", description="from the live state, or from a line that has run in")
    snapshot: str = Field("", max_length=40, description="id of a snapshot; empty: now")
    changes: dict[str, str] = Field(
        default={}, max_length=100, description='e.g. `{"press-2.cycle": "-10%"}`'
    )
    horizon: float = Field(28_800.0, ge=60, le=90 * 86_400, description="s ahead")
    replications: int = Field(200, ge=2, le=2000)
    seed: int = Field(1, ge=0, le=2**31)


class Improve(BaseModel):
    """A budget, and what it shall be spent for."""

    model_config = ConfigDict(extra="forbid")
    budget: Annotated[Decimal, Field(ge=0, le=10**15)]
    begin: Begin = Field("now", description="from the live state, or from a line that has run in")
    horizon: float = Field(28_800.0, ge=60, le=7 * 86_400, description="s ahead")
    objective: Literal["throughput", "lead_time", "wip", "energy_per_part", "scrap", "service"] = (
        "throughput"
    )
    replications: int = Field(20, ge=10, le=100, description="of each combination at first")
    seed: int = Field(1, ge=0, le=2**31)


@router.get("/twins/{id}/levers", **answer(list[LeverAnswer], 404))
async def levers(here: Here, id: str) -> Json:
    """List what is most often changed in `whatif`; any other number of the line may be, too."""
    return Json(_levers(lines.twin(here.runtime, id)))


@router.post("/twins/{id}/whatif", **answer(WhatIfAnswer, 404))
async def what_if(here: Here, request: Request, id: str, asked: WhatIf) -> Json:
    """Say what changes would do: means, 95 % intervals, bottleneck, energy; nothing is changed."""
    _own(here, request)
    found = lines.twin(here.runtime, id)
    whole = asked.horizon + (found.line.warm_up if asked.begin == "steady" else 0)
    if whole * asked.replications > MOST:
        remedy = f"replications times horizon may be {MOST:g} s at most"
        raise WebError(422, "that would take too long", remedy)
    changes = [f"{target}={value}" for target, value in asked.changes.items()]
    _check(found.line, changes)
    stand = await stand_at(here, id, found, asked.snapshot)
    known = found.twin if found.twin.end and asked.replications >= 4 else found.line
    rest = asked.model_dump(include={"horizon", "replications", "seed"})
    start = stand.snapshot if asked.begin == "now" else None
    result, seconds = await _asked(
        here.apart.call(questions.what_if, known, changes, start, stand.time, rest)
    )
    told = WhatIfAnswer(begin=asked.begin, snapshot=str(stand.time), seconds=seconds, result=result)
    return Json(told)


@router.post("/twins/{id}/improve", **answer(Plan, 404))
async def improve(here: Here, request: Request, id: str, asked: Improve) -> Json:
    """Say how a budget is best spent on the levers of the line, and how sure that is."""
    _own(here, request)
    found = lines.twin(here.runtime, id)
    if not found.line.levers:
        raise WebError(404, "this line has no levers", "write [[levers]] into its file")
    stand = await here.mirrors.now(id, found)
    rest = asked.model_dump(include={"horizon", "objective", "replications", "seed"})
    rest["currency"] = here.runtime.factory.identity.currency
    start = stand.snapshot if asked.begin == "now" else None
    plan = await _asked(
        here.planner.call(questions.plan, found.line, asked.budget, start, stand.time, rest)
    )
    return Json(plan)


def _own(here: Context, request: Request) -> None:
    """Let only our own pages and programs ask what costs time. Raises WebError."""
    if not here.keeper.is_own_page(request.headers):
        raise WebError(403, "this request comes from another site")


def _check(line: Line, changes: list[str]) -> None:
    """Raise WebError for a change that the line does not allow."""
    try:
        apply(line, [Change.parse(each) for each in changes])
    except FactoryError as error:
        fault = error.faults[0]
        raise WebError(422, f"{fault.key}: {fault.problem}", fault.remedy) from error


async def _asked(answer: Awaitable[T]) -> T:
    """Return what the other process answers; raise WebError for what it cannot."""
    try:
        return await answer
    except ValueError as error:
        raise WebError(422, str(error)) from error


def _levers(found: Monitor) -> list[LeverAnswer]:
    line = found.line
    told = []
    for name, station in line.stations.items():
        lever = partial(LeverAnswer, name=name, asset=lines.asset(found, name), unit="s")
        told.append(lever(target=f"{name}.cycle", kind="cycle", value=_cycle(station)))
        if station.failures:
            repair = distribution.parse(station.failures[0].repair).mean
            told.append(lever(target=f"{name}.failures.repair", kind="repair", value=repair))
    for name, buffer in line.buffers.items():
        if buffer.capacity is not None:
            told.append(_whole(f"{name}.capacity", "capacity", name, buffer.capacity))
    for name, crew in line.crews.items():
        told.append(_whole(f"{name}.size", "crew", name, crew.size))
    return told


def _whole(target: str, kind: Literal["capacity", "crew"], name: str, value: int) -> LeverAnswer:
    return LeverAnswer(target=target, kind=kind, name=name, asset="", value=value, unit="1")


def _cycle(station: Station) -> float:
    """Return the mean cycle time, over products alike, s."""
    table = station.cycle.values() if isinstance(station.cycle, dict) else [station.cycle]
    means = [distribution.parse(each).mean for each in table]
    return sum(means) / len(means)
