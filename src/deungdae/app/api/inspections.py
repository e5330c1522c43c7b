"""What inspections said of parts, and what people say of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app.auth import Role
from deungdae.core.clock import from_iso
from deungdae.core.types import Event, Finding
from deungdae.insight.vision.labels import DRAWN, LABEL, Agreement, Label, agreement, event, labels

from . import answers
from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed
from .failure import WebError
from .looks import From, To
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)

MOST = (
    200_000  # inspections of a period that are looked through: two weeks of a part in six seconds
)


class InspectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One inspected image. label: what a person says of it, '' for nobody yet."""

    origin: str
    signal: str
    asset: str
    time: str
    value: float | None
    severity: int
    reason: str
    evidence: dict[str, str]
    label: str
    person: str


class InspectionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Inspections of a period, newest first, as many as asked for, and counts of all of them."""

    inspected: int
    rejected: int
    unsure: int
    agreement: Agreement
    inspections: list[InspectionAnswer]


class Verdict(Deed):
    """A person's verdict on an inspected image. origin, time: of the inspection."""

    origin: str
    time: str
    verdict: Literal["good", "reject"]


Wanted = Literal["all", "reject", "unsure", "open"]


@router.get("/inspections", **answer(InspectionsAnswer, 413))
async def inspections(
    here: Here,
    since: From,
    until: To = "",
    wanted: Annotated[
        Wanted,
        Query(description="open: rejected, unsure or drawn by chance, and nobody has looked yet"),
    ] = "all",
    limit: Annotated[int, Query(ge=1, le=1000)] = 60,
) -> Json:
    """Return what was inspected, with what people say of it."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    found, said = await here.runtime.clock.call(_find, here, start, end)
    if len(found) > MOST:
        raise WebError(413, f"more than {MOST} inspections in this period", "ask for a shorter one")
    chosen = [each for each in found if _is_wanted(each, wanted, said)]
    return Json(
        InspectionsAnswer(
            inspected=len(found),
            rejected=sum(_verdict(each) == "reject" for each in found),
            unsure=sum(_verdict(each) == "unsure" for each in found),
            agreement=agreement(found, said),
            inspections=[_told(here, each, said) for each in chosen[: -limit - 1 : -1]],
        )
    )


@router.post(
    "/inspections/label",
    dependencies=[Depends(needs(Role.OPERATOR))],
    **answer(InspectionAnswer, 404),
)
async def label(here: Here, who: Who, said: Verdict) -> Json:
    """Keep what a person says of an inspected image; what is said later holds."""
    name = person(who, said.person)
    try:
        time = from_iso(said.time, here.runtime.factory.zone)
    except ValueError as error:
        raise WebError(422, f"{said.time!r} is no time", "give that of the inspection") from error
    found, _ = await here.runtime.clock.call(_find, here, time, time + 1)
    known = next((each for each in found if each.origin == said.origin), None)
    if known is None or not known.evidence.get("image"):
        raise WebError(404, f"{said.origin} inspected no image at {said.time}")
    now = here.runtime.clock.now()
    kept = event(_signal(here, known), known, said.verdict, name, now)
    await here.keep(kept)
    await here.note("label", {"id": kept.id, "value": kept.value, **kept.data}, name)
    return Json(_told(here, known, labels([kept])))


def _find(here: Context, start: int, end: int) -> tuple[list[Finding], dict[str, Label]]:
    """Return the inspections of a period in order, and the labels of their images."""
    found = here.store.findings(start, end, name="inspection")
    ids = sorted({f"{_signal(here, each)}.{LABEL}" for each in found})
    said: list[Event] = here.store.events(start, end, ids=ids) if ids else []
    return found, labels(said)


def _signal(here: Context, finding: Finding) -> str:
    """Return the signal whose images an inspection saw, wherever its analysis is still known."""
    plugin = here.runtime.factory.room("insight").get(finding.origin)
    return str(getattr(plugin.options, "signal", "")) if plugin else f"{finding.asset}.image"


def _verdict(finding: Finding) -> str:
    return finding.evidence.get("verdict", "unsure")


def _is_wanted(finding: Finding, wanted: Wanted, said: dict[str, Label]) -> bool:
    verdict, image = _verdict(finding), finding.evidence.get("image", "")
    if wanted == "open":  # of what has no image nobody can say anything
        doubtful = verdict != "pass" or DRAWN in finding.evidence
        return doubtful and image != "" and image not in said
    return wanted in ("all", verdict)


def _told(here: Context, finding: Finding, said: dict[str, Label]) -> InspectionAnswer:
    label = said.get(finding.evidence.get("image", ""))
    shown = answers.finding(finding)
    return InspectionAnswer(
        origin=shown.origin,
        signal=_signal(here, finding),
        asset=shown.asset,
        time=shown.end,
        value=shown.value,
        severity=shown.severity,
        reason=shown.reason,
        evidence=shown.evidence,
        label=label.verdict if label else "",
        person=label.person if label else "",
    )
