"""What a person's SQL sees: samples, events, findings and roll-ups, by id and with plain times."""
# ruff: noqa: S608 — what SQL is put together from here are numbers and our own names of tables

from __future__ import annotations

from deungdae.core.types import HOUR, MINUTE

from .snapshot import EVER, Snapshot

_HELD = "status & 3 = 0 AND isfinite(value)"


def _rollup_view(name: str, table: str, size: int, reach: int) -> str:
    """Return the view of a roll-up table. reach: how old a row may be to be held into the next."""
    return f"""CREATE TEMP VIEW {name} AS
    WITH held AS (SELECT *, {_HELD} AS holds, lag(CASE WHEN {_HELD} THEN value END) OVER before
        AS kept, lag(start) OVER before AS earlier FROM {table}
        WINDOW before AS (PARTITION BY signal ORDER BY start)),
    edged AS (SELECT *, CASE WHEN kept IS NOT NULL AND start - earlier <= {reach}
        THEN first - start ELSE 0 END AS opening,
        CASE WHEN holds THEN start + {size} - final ELSE 0 END AS closing FROM held)
    SELECT s.id, make_timestamp_ns(start) AS time, good AS count, minimum, maximum,
        total / nullif(good, 0) AS mean, last, (n - good) / n AS bad,
        (integral + coalesce(kept, 0) * opening + CASE WHEN holds THEN value ELSE 0 END * closing)
        / nullif(covered + opening + closing, 0) AS weighted
    FROM edged JOIN signals s ON s.handle = signal;"""


_VIEWS = f"""
CREATE TEMP VIEW events AS SELECT id, make_timestamp_ns(time) AS time, kind, value, status,
    make_timestamp_ns(received) AS received, data FROM events_raw;
CREATE TEMP VIEW findings AS SELECT origin, asset, name, make_timestamp_ns(start) AS start,
    make_timestamp_ns("end") AS "end", value, unit, uncertainty, severity, reason, evidence
    FROM findings_raw;
CREATE TEMP VIEW samples AS SELECT s.id, make_timestamp_ns(x.time) AS time, x.value, x.status
    FROM samples_raw x JOIN signals s ON s.handle = x.signal;
{_rollup_view("rollup_1m", "rollup_minute", MINUTE, HOUR)}
{_rollup_view("rollup_1h", "rollup_hour", HOUR, 2**62)}
"""


def make_views(state: Snapshot) -> None:
    """Make the views on the snapshot's cursor, for as long as that lives."""
    _make_samples(state)
    state.cursor.execute(_VIEWS)


def _make_samples(state: Snapshot) -> None:
    """Make the view samples_raw(signal, time, value, status): everything, without duplicates.

    Parts that may replace samples of older ones are looked up for each of those; in a plant
    whose samples come in order there are none.
    """
    state.cursor.execute(
        f"""CREATE TEMP VIEW hot_raw AS SELECT signal, time, value, status
        FROM ({state.hot()}) QUALIFY row_number()
        OVER (PARTITION BY signal, time ORDER BY number DESC, arrival DESC) = 1"""
    )
    (late,) = state.cursor.execute(
        "SELECT count(*) FROM hot_raw h JOIN latest l USING (signal) WHERE h.time <= l.time"
    ).fetchall()[0]
    selects = ["FROM hot_raw"]
    for part in (*state.of("day"), *state.of("run")):
        if part.tier == "run":
            source, test = part.table, state.test(part, [EVER])
        else:
            source = state.files([part]) if part.file and state.is_sound(part) else ""
            test = "true"
        newer = [
            run.table
            for run in state.of("run")
            if run.number > part.number
            and not run.plain
            and not set(state.shown(run)).isdisjoint(part.days)
        ]
        lookups = "".join(
            f" AND NOT EXISTS (FROM {other} o WHERE o.signal = s.signal AND o.time = s.time)"
            for other in [*newer, *(["hot_raw"] if late else [])]
        )
        if source and test:
            selects.append(
                f"SELECT signal, time, value, status FROM {source} s WHERE {test}{lookups}"
            )
    state.cursor.execute(f"CREATE TEMP VIEW samples_raw AS {' UNION ALL '.join(selects)}")
