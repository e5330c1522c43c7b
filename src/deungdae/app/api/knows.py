"""Routes that reveal more than the pages do, for those with the token: SQL, journal, store."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app import remote, wire
from deungdae.app.auth import Role
from deungdae.core.clock import to_iso
from deungdae.core.errors import StoreError

from .context import Here, Json, needs
from .failure import WebError
from .looks import From, To
from .moments import period
from .schema import answer

router = APIRouter(prefix="/api/v1", default_response_class=Json)
know = Depends(needs(Role.OPERATOR))
act = Depends(needs(Role.ENGINEER))

ROWS = 100_000  # of one answer in JSON


class Question(BaseModel):
    """One SELECT."""

    model_config = ConfigDict(extra="forbid")
    sql: str = Field(min_length=1, max_length=100_000, description="one SELECT")
    limit: int = Field(1000, ge=1, le=ROWS, description="at most so many rows")


class TableAnswer(msgspec.Struct, frozen=True):
    """Rows by column name. truncated: there are more than `limit`."""

    columns: list[str]
    rows: list[dict[str, Any]]
    truncated: bool


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal; its hash covers it and the hash of the entry before."""

    n: int
    time: str
    kind: str
    who: str
    data: dict[str, Any]
    previous: str
    hash: str


@router.post("/query", dependencies=[act], **answer(TableAnswer, 400))
async def query(here: Here, question: Question) -> Json:
    """Ask the history in SQL: samples, events, findings, rollup_1m, rollup_1h, signals."""
    sql = remote.bounded(question.sql, question.limit + 1)
    try:
        table = await here.runtime.clock.call(here.store.sql, sql)
    except StoreError as error:
        raise WebError(400, str(error), "one SELECT over samples, events, findings …") from error
    rows = await here.runtime.clock.call(remote.rows, table)
    truncated = len(rows) > question.limit
    return Json(TableAnswer(table.column_names, rows[: question.limit], truncated))


@router.get("/journal", dependencies=[know], **answer(list[EntryAnswer], 404))
async def journal(
    here: Here,
    since: From,
    until: To = "",
    kinds: Annotated[list[str] | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="at most so many, the newest")] = 1000,
) -> Json:
    """Return what was commanded, permitted, written and refused, and who logged in."""
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    if here.journal is None:
        raise WebError(404, "this process keeps no journal", "ask the one that writes to machines")
    found = await here.runtime.clock.call(here.journal.read, start, end)
    wanted = [each for each in found if not kinds or each.kind in kinds]
    return Json(
        [
            EntryAnswer(
                n=each.n,
                time=to_iso(each.time),
                kind=each.kind,
                who=each.who,
                data=each.data,
                previous=each.previous,
                hash=each.hash,
            )
            for each in wanted[-limit:]
        ]
    )


@router.post(
    "/store/{method}", dependencies=[act], response_class=Response, include_in_schema=False
)
async def store(here: Here, request: Request, method: str) -> Response:
    """Answer one call of a Remote, in its own bytes."""
    data = await request.body()
    reply = await here.runtime.clock.call(_answer, here.store, method, data)
    return Response(reply, media_type="application/msgpack")


def _answer(archive: remote.Archive, method: str, data: bytes) -> bytes:
    return remote.answer(archive, method, data, writes=True)


LARGEST = {f"{router.prefix}/store/": wire.LIMIT + 1024}  # bytes of a request, by its path
