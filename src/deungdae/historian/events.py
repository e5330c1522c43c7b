"""Events and findings as rows: written idempotently, read back as they were."""
# ruff: noqa: S608 — what SQL is put together from here are names of columns

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import msgspec

from deungdae.core.types import Event, Finding

SCHEMA = """
CREATE TABLE IF NOT EXISTS events_raw (
    id VARCHAR, time BIGINT, kind VARCHAR, value VARCHAR,
    status UTINYINT, received BIGINT, data VARCHAR);
CREATE TABLE IF NOT EXISTS findings_raw (
    origin VARCHAR, asset VARCHAR, name VARCHAR, start BIGINT, "end" BIGINT, value DOUBLE,
    unit VARCHAR, uncertainty DOUBLE, severity INTEGER, reason VARCHAR, evidence VARCHAR);
"""

_EVENT = {
    "id": "VARCHAR",
    "time": "BIGINT",
    "kind": "VARCHAR",
    "value": "VARCHAR",
    "status": "UTINYINT",
    "received": "BIGINT",
    "data": "VARCHAR",
}
_FINDING = {
    "origin": "VARCHAR",
    "asset": "VARCHAR",
    "name": "VARCHAR",
    "start": "BIGINT",
    "end": "BIGINT",
    "value": "DOUBLE",
    "unit": "VARCHAR",
    "uncertainty": "DOUBLE",
    "severity": "INTEGER",
    "reason": "VARCHAR",
    "evidence": "VARCHAR",
}
_text = msgspec.json.Encoder(order="deterministic")


def add_events(connection: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> None:
    """Insert what is not there yet: (id, time, kind, value, data) says which are the same."""
    new: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for event in events:
        data = _text.encode(event.data).decode()
        row = (event.id, event.time, event.kind, event.value, event.status, event.received, data)
        new.setdefault((*row[:4], data), row)
    times = [row[1] for row in new.values()]
    connection.execute(
        f"""INSERT INTO events_raw
        SELECT n.* FROM ({_unnest(_EVENT)}) n WHERE NOT EXISTS (
            FROM events_raw e WHERE e.time BETWEEN $low AND $high AND e.id = n.id
            AND e.time = n.time AND e.kind = n.kind AND e.value = n.value AND e.data = n.data)""",
        {**_columns(_EVENT, list(new.values())), "low": min(times), "high": max(times)},
    )


def add_findings(connection: duckdb.DuckDBPyConnection, findings: Sequence[Finding]) -> None:
    """Insert; of two on the same (origin, asset, name, start, end) the later stays."""
    new: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for finding in findings:
        key = (finding.origin, finding.asset, finding.name, finding.start, finding.end)
        new[key] = (
            *key,
            finding.value,
            finding.unit,
            finding.uncertainty,
            finding.severity,
            finding.reason,
            _text.encode(finding.evidence).decode(),
        )
    columns = _columns(_FINDING, list(new.values()))
    keys = dict(list(_FINDING.items())[:5])
    ends = [key[4] for key in new]
    connection.execute(
        f"""DELETE FROM findings_raw f USING ({_unnest(keys)}) n
        WHERE f."end" BETWEEN $low AND $high AND f.origin = n.origin AND f.asset = n.asset
        AND f.name = n.name AND f.start = n.start AND f."end" = n."end" """,
        {
            **{name: columns[name] for name in list(_FINDING)[:5]},
            "low": min(ends),
            "high": max(ends),
        },
    )
    connection.execute(f"INSERT INTO findings_raw {_unnest(_FINDING)}", columns)


def read_events(
    cursor: duckdb.DuckDBPyConnection,
    start: int,
    end: int,
    ids: Sequence[str] | None,
    kinds: Sequence[str] | None,
    *,
    before: bool,
) -> list[Event]:
    """Return events as the Store port says."""
    asked = "*, rowid AS arrival FROM events_raw"
    wanted = "($ids IS NULL OR id IN (SELECT unnest($ids::VARCHAR[])))"
    wanted += " AND ($kinds IS NULL OR kind IN (SELECT unnest($kinds::VARCHAR[])))"
    earlier = f"""UNION ALL (SELECT {asked} WHERE {wanted} AND time < $start
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY time DESC, rowid DESC) = 1)"""
    rows = cursor.execute(
        f"""SELECT * EXCLUDE (arrival) FROM (
            SELECT {asked} WHERE {wanted} AND time >= $start AND time < $end
            {earlier if before else ""}) ORDER BY time, arrival""",
        {
            "ids": None if ids is None else list(ids),
            "kinds": None if kinds is None else list(kinds),
            "start": start,
            "end": end,
        },
    ).fetchall()
    return [_event(row) for row in rows]


def events_at(cursor: duckdb.DuckDBPyConnection, rows: Sequence[int]) -> list[Event]:
    """Return the events in these rows, in order of (time, arrival). rows: rising."""
    if not rows:
        return []
    found = cursor.execute(
        """SELECT * FROM events_raw WHERE rowid BETWEEN $low AND $high
        AND rowid IN (SELECT unnest($rows::BIGINT[])) ORDER BY time, rowid""",
        {"rows": list(rows), "low": rows[0], "high": rows[-1]},
    ).fetchall()
    return [_event(row) for row in found]


def read_findings(
    cursor: duckdb.DuckDBPyConnection, start: int, end: int, equal: Mapping[str, str | None]
) -> list[Finding]:
    """Return findings that end in [start, end), in order of end. equal: column -> wanted value."""
    given = {name: value for name, value in equal.items() if value is not None}
    tests = "".join(f" AND {name} = ${name}" for name in given)
    rows = cursor.execute(
        f"""SELECT * FROM findings_raw WHERE "end" >= $low AND "end" < $high{tests}
        ORDER BY "end", rowid""",
        {"low": start, "high": end, **given},
    ).fetchall()
    return [_finding(row) for row in rows]


def _event(row: tuple[Any, ...]) -> Event:
    fields = dict(zip(_EVENT, row, strict=True))
    return Event(**{**fields, "data": msgspec.json.decode(fields["data"])})


def _finding(row: tuple[Any, ...]) -> Finding:
    fields = dict(zip(_FINDING, row, strict=True))
    return Finding(**{**fields, "evidence": msgspec.json.decode(fields["evidence"])})


def _unnest(types: Mapping[str, str]) -> str:
    """Return the SELECT that makes rows of list parameters: far faster than a row at a time."""
    return "SELECT " + ", ".join(
        f'unnest(${name}::{type}[]) AS "{name}"' for name, type in types.items()
    )


def _columns(types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(types)}
