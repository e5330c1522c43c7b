"""What a node did while the link was down, from the server's history where it keeps one.

Source: OPC 10000-11 §6.5.3 (ReadRaw), OPC 10000-4 §5.11.3 (HistoryRead).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from asyncua import ua

from deungdae.core.errors import BadReply

from . import wire
from .link import Link, chunks

_HISTORY_READ = 4  # bit of AccessLevel, OPC 10000-3 §8.57
_NODES, _VALUES = 100, 1000  # asked for in one request: a page of at most some megabytes


async def offered(link: Link, rows: Mapping[int, ua.NodeId]) -> dict[int, ua.NodeId]:
    """Return those of the rows whose node has a history that we may read."""
    levels = await link.read([(node, ua.AttributeIds.UserAccessLevel) for node in rows.values()])
    return {
        row: node
        for (row, node), level in zip(rows.items(), levels, strict=True)
        if level.Value is not None and (level.Value.Value or 0) & _HISTORY_READ
    }


async def missed(
    link: Link, rows: Mapping[int, ua.NodeId], start: int, end: int
) -> AsyncIterator[tuple[int, wire.Page]]:
    """Yield (row, page) with what each node's history holds in [start, end], ns since 1970.

    A page with a bad code says why a history cannot be read; nothing follows it.
    """
    for chunk in chunks(list(rows.items()), min(link.limits.history, _NODES)):
        open_ = {row: (node, b"") for row, node in chunk}
        while open_:
            pages = wire.history(await link.request(_request(open_.values(), start, end)))
            if len(pages) != len(open_):
                raise BadReply(f"the server sent {len(pages)} of {len(open_)} histories")
            for row, page in zip(tuple(open_), pages, strict=True):
                yield row, page
                node, _ = open_.pop(row)
                if page.continuation:
                    open_[row] = node, page.continuation
                elif len(page.values) >= _VALUES and (last := int(page.values.time[-1])) > start:
                    # some servers cut a page off and do not say so: asyncua 2.1
                    async for rest in missed(link, {row: node}, last, end):
                        yield rest


def _request(
    asked: Iterable[tuple[ua.NodeId, bytes]], start: int, end: int
) -> ua.HistoryReadRequest:
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = _moment(start)
    details.EndTime = _moment(end)
    details.NumValuesPerNode = ua.UInt32(_VALUES)
    details.ReturnBounds = False
    request = ua.HistoryReadRequest()
    request.Parameters.HistoryReadDetails = details
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.Parameters.ReleaseContinuationPoints = False
    for node, continuation in asked:
        wanted = ua.HistoryReadValueId()
        wanted.NodeId = node
        wanted.ContinuationPoint = continuation or None
        request.Parameters.NodesToRead.append(wanted)
    return request


def _moment(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time // 1000)
