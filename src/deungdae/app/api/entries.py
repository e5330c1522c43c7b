"""Routes of the journal, for people: page by page, searched, and its chain verified."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app.auth import Role
from deungdae.core.clock import to_iso
from deungdae.historian.journal import Entry, Journal, Wanted

from .context import Context, Here, Json, needs
from .failure import WebError
from .knows import EntryAnswer
from .looks import From, To
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1/journal",
    default_response_class=Json,
    dependencies=[Depends(needs(Role.OPERATOR))],
)

ROWS = 1000  # entries of one answer


class PageAnswer(msgspec.Struct, frozen=True):
    """Entries, the newest first. rest: ask with before=rest for older ones; 0: there are none."""

    entries: list[EntryAnswer]
    rest: int


class ChainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the chain holds. problem: where it does not, and why; head: hash of the last."""

    whole: bool
    problem: str
    head: str
    seconds: float


@router.get("/page", **answer(PageAnswer, 404))
async def page(
    here: Here,
    since: From,
    until: To = "",
    kinds: Annotated[list[str] | None, Query(max_length=100)] = None,
    who: Annotated[str, Query(max_length=200, description="exactly this person or part")] = "",
    text: Annotated[str, Query(max_length=200, description="somewhere in an entry")] = "",
    before: Annotated[int, Query(ge=0, description="only entries with a smaller number")] = 0,
    limit: Annotated[int, Query(ge=1, le=ROWS)] = 100,
) -> Json:
    """Return a page of the journal, the newest entries first."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    wanted = Wanted(
        start=start, end=end, before=before, kinds=tuple(kinds or ()), who=who, text=text
    )
    found = await here.runtime.clock.call(_journal(here).newest, wanted, limit)
    return Json(PageAnswer([told(each) for each in found.entries], found.rest))


@router.post("/verify", **answer(ChainAnswer, 404))
async def verify(here: Here) -> Json:
    """Reckon every hash of the journal anew, and say whether the chain holds."""
    journal = _journal(here)
    if not isinstance(journal, Journal):
        raise WebError(
            404, "the journal is kept by another process", "there: deungdae verify --store DIR"
        )
    begun = time.perf_counter()
    broken = await here.runtime.clock.call(journal.verify)
    return Json(
        ChainAnswer(
            whole=broken is None,
            problem=str(broken or ""),
            head=journal.head(),
            seconds=time.perf_counter() - begun,
        )
    )


def told(entry: Entry) -> EntryAnswer:
    """Return an entry as it is told."""
    parts = msgspec.structs.asdict(entry)
    return EntryAnswer(**parts | {"time": to_iso(entry.time)})


def _journal(here: Context) -> Journal:
    if here.journal is None:
        raise WebError(404, "this process keeps no journal", "ask the one that writes to machines")
    return here.journal
