"""Routes that only look: what there is, what is known now, what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app import report
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.types import DAY, HOUR, Asset, Signal
from deungdae.insight.kpi import KpiResult, Report

from . import answers
from .context import Context, Here, Json, needs
from .failure import WebError
from .moments import iso, length, period
from .schema import answer

ROWS = 200_000  # samples, events or rows of one answer
IDS = 100  # signals of one answer
PERIODS = 5000  # of one report
_LENGTHS = {"hour": HOUR, "day": DAY, "all": 0}

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
T = TypeVar("T")

From = Annotated[str, Query(alias="from", description="ISO 8601, ns, or e.g. -15m; inclusive")]
To = Annotated[str, Query(alias="to", description="as `from`; exclusive; empty: now")]
Ids = Annotated[list[str], Query(max_length=IDS, description="ids of signals")]
Period = Literal["day", "hour", "all"]
Zone = Annotated[str, Query(description="IANA time zone; empty: the factory's")]
Assets = Annotated[list[str] | None, Query(max_length=IDS, description="ids of assets; else all")]
Limit = Annotated[int, Query(ge=1, le=ROWS, description="at most so many, the newest")]


class SamplesAnswer(msgspec.Struct, frozen=True):
    """Samples of one signal as columns; value is null where it is no finite number."""

    unit: str
    time: list[str | int]
    value: list[float | None]
    status: list[int]


class BucketsAnswer(msgspec.Struct, frozen=True):
    """Buckets of one signal as columns: those that hold samples. bad: share not good, 0..1."""

    unit: str
    start: list[str | int]
    count: list[int]
    minimum: list[float | None]
    maximum: list[float | None]
    mean: list[float | None]
    last: list[float | None]
    weighted: list[float | None]
    bad: list[float]


class IndicatorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator of ISO 22400-2. low, high: what it can be, whatever happened in unknown time.

    coverage: share of the planned time whose state is known, 0..1. terms: times in s.
    """

    asset: str
    start: str
    end: str
    number: int
    name: str
    title: str
    formula: str
    unit: str
    trend: str
    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
    terms: dict[str, float | None]
    reason: str


@router.get("/health", **answer(answers.HealthAnswer, 503))
async def health(here: Here) -> Json:
    """Say whether the house stands, and all that is wrong in it; 503 where nothing is kept."""
    found = answers.health(here.runtime, here.started)
    return Json(found, 503 if found.state == "failing" else 200)


@router.get("/factory", **answer(answers.FactoryAnswer))
async def factory(here: Here) -> Json:
    """Say who this factory is."""
    return Json(answers.factory(here.runtime))


@router.get("/signals", **answer(list[Signal]))
async def signals(here: Here) -> Json:
    """List every signal."""
    return Json(answers.signals(here.runtime))


@router.get("/assets", **answer(list[Asset]))
async def assets(here: Here) -> Json:
    """List every asset."""
    return Json(answers.assets(here.runtime))


@router.get("/machines", **answer(list[answers.MachineAnswer]))
async def machines(here: Here) -> Json:
    """Say how every door is doing: what is wrong, since when, what to do."""
    return Json(answers.machines(here.runtime))


@router.get("/live", **answer(answers.LiveAnswer))
async def live(here: Here) -> Json:
    """Say what is known now: newest readings, events and findings."""
    return Json(answers.live(here.runtime))


@router.get("/samples", **answer((dict[str, SamplesAnswer], dict[str, BucketsAnswer]), 404, 413))
async def samples(
    here: Here,
    ids: Ids,
    since: From,
    until: To = "",
    every: Annotated[str, Query(description="buckets of 10s, 1m …; empty: each sample")] = "",
    times: Annotated[Literal["iso", "ns"], Query(description="how times are told")] = "iso",
) -> Json:
    """Return samples of signals, or their buckets, as columns by signal."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    known = await _known(here, ids)
    size = length(every) if every else 0

    def tell(column: Any) -> Any:
        return column.tolist() if times == "ns" else iso(column)

    if not size:
        found = await _ask(here, lambda: here.store.query(ids, start, end))
        _bound(sum(len(each) for each in found.values()))
        return Json(
            {
                id: SamplesAnswer(
                    known[id].unit, tell(each.time), each.value.tolist(), each.status.tolist()
                )
                for id, each in found.items()
            }
        )
    columns = ("count", "minimum", "maximum", "mean", "last", "weighted", "bad")
    buckets = await _ask(here, lambda: {i: here.store.rollup(i, start, end, size) for i in ids})
    _bound(sum(len(each.start) for each in buckets.values()))
    return Json(
        {
            id: BucketsAnswer(
                known[id].unit,
                tell(each.start),
                *(getattr(each, column).tolist() for column in columns),
            )
            for id, each in buckets.items()
        }
    )


@router.get("/events", **answer(list[answers.EventAnswer], 422))
async def events(
    here: Here,
    since: From,
    until: To = "",
    ids: Annotated[list[str] | None, Query(max_length=IDS)] = None,
    kinds: Annotated[list[str] | None, Query(max_length=IDS)] = None,
    limit: Limit = 1000,
) -> Json:
    """Return events in order of time."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    found = await _ask(here, lambda: here.store.events(start, end, ids=ids, kinds=kinds))
    return Json([answers.event(each) for each in found[-limit:]])


@router.get("/findings", **answer(list[answers.FindingAnswer], 422))
async def findings(
    here: Here,
    since: From,
    until: To = "",
    origin: str | None = None,
    asset: str | None = None,
    name: str | None = None,
    limit: Limit = 1000,
) -> Json:
    """Return findings in order of their end."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    found = await _ask(
        here, lambda: here.store.findings(start, end, origin=origin, asset=asset, name=name)
    )
    return Json([answers.finding(each) for each in found[-limit:]])


@router.get("/report/states", **answer(list[report.StateRow], 404, 413))
async def report_states(
    here: Here,
    since: From,
    until: To = "",
    by: Period = "day",
    tz: Zone = "",
    assets: Assets = None,
) -> Json:
    """Return the seconds that each asset spent in each state."""
    start, end = _spell(here, since, until, by)
    zone = _zone(tz) if tz else here.runtime.factory.zone
    rows = await _ask(
        here,
        lambda: report.states(here.store, start, end, by=by, zone=zone, assets=assets or ()),
    )
    _bound(len(rows))
    return Json(rows)


@router.get("/report/kpi", **answer(list[IndicatorAnswer], 404, 413))
async def report_kpi(
    here: Here,
    since: From,
    until: To = "",
    by: Period = "all",
    tz: Zone = "",
    assets: Assets = None,
) -> Json:
    """Return every ISO 22400-2 indicator of each asset: its value, or why there is none."""
    start, end = _spell(here, since, until, by)
    zone = _zone(tz) if tz else here.runtime.factory.zone
    factory = here.runtime.factory
    reports = await _ask(
        here,
        lambda: report.kpis(
            here.store, start, end, by=by, zone=zone, assets=assets or (), factory=factory
        ),
    )
    told = [(found, result) for found in reports for result in found.results]
    _bound(len(told))
    return Json([indicator(found, result) for found, result in told])


@router.get("/gate", **answer(answers.GateAnswer))
async def gate(here: Here) -> Json:
    """Say how the gate stands, what waits for a person and what it last did."""
    return Json(answers.gate(here.runtime))


@router.get("/gate/rules", **answer(dict[str, answers.RuleAnswer]))
async def rules() -> Json:
    """Say what each rule of the gate demands."""
    return Json(answers.rules())


@router.get("/loops", **answer(list[answers.LoopAnswer]))
async def loops(here: Here) -> Json:
    """List the closed loops: what each holds, at what, and why it cannot."""
    return Json(answers.loops(here.runtime))


async def _ask(here: Context, work: Callable[[], T]) -> T:
    """Return what the store answers, without stopping the loop."""
    return await here.runtime.clock.call(work)


async def _known(here: Context, ids: list[str]) -> dict[str, Signal]:
    """Return every signal of the history by id. Raises WebError for a wanted one that it lacks."""
    known = {each.id: each for each in await _ask(here, here.store.signals)}
    for id in ids:
        if id not in known:
            raise WebError(404, f"no signal is called {id!r}", strict.closest(id, known))
    return known


def _spell(here: Context, since: str, until: str, by: Period) -> tuple[int, int]:
    """Return the time of a report. Raises WebError where it is empty or has too many periods."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    if start == end:
        raise WebError(422, "from and to are the same moment", "give from before to")
    size = _LENGTHS[by]
    if size and (end - start) // size > PERIODS:
        raise WebError(413, f"more than {PERIODS} periods", "ask for a shorter time, or by=all")
    return start, end


def indicator(found: Report, result: KpiResult) -> IndicatorAnswer:
    """Return an indicator of a report as it is told."""
    parts = msgspec.structs.asdict(result)
    return IndicatorAnswer(
        asset=found.asset, start=to_iso(found.start), end=to_iso(found.end), **parts
    )


def _bound(rows: int) -> None:
    if rows > ROWS:
        raise WebError(
            413,
            f"the answer would have {rows} rows, more than {ROWS}",
            "ask for a shorter time, fewer signals, or buckets with every=1m",
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WebError(422, f"{name!r} is no IANA time zone", "e.g. Asia/Seoul") from error
