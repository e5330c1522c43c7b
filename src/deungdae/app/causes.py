"""From a history to a table of parts: result, way, and what the machines did while they had it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Samples
from deungdae.core.types import DAY, HOUR, SECOND, Event, is_good
from deungdae.insight.cause import Column, Table
from deungdae.insight.trace import NAMED, Genealogy, Step, begun, life, read

from .remote import Archive

MOST = 5000  # parts, the newest
BEFORE = 14 * DAY  # that the way of a part may have begun before the period
TIME, RESULT = "time", "result"
_SPLIT = re.compile(r"[-_ ]?\d+$")


def table(store: Archive, start: int, end: int, at: str = "", result: str = "") -> Table:
    """Return one row for each part with a result in [start, end).

    at: the station whose result counts, else the worst of all. result: id of a numeric signal, of
    which the mean while the part was at its station counts, instead of good and bad.
    Columns: `result`, `time`, and for each kind of station (press-1 and press-2 are one) which it
    was, how many seconds it took and waited, and the mean of each of its numeric signals meanwhile.
    Raises NotEnoughData where no scan tells a result.
    """
    events = store.events(start - BEFORE, end, kinds=["scan"])
    genealogy = Genealogy(_Memory(events), most=1_000_000)
    results = _results(events, start, at, told=not result)
    if not results:
        where = f" at {at}" if at else ""
        raise NotEnoughData(
            f"no scan{where} in this period tells a result: good, rework or scrap (data key"
            " `result`); name a period with --from, or a signal with --result"
        )
    codes = list(results)[-MOST:]
    genealogy.learn(dict.fromkeys(codes))
    times = _times(events)
    ways = {code: _way(genealogy, code, times, results[code][1]) for code in codes}
    signals = _signals(store, {step.asset for way in ways.values() for step in way})
    samples = store.query([id for ids in signals.values() for id in ids], start - BEFORE, end)
    rows: list[dict[str, float | str]] = []
    for code in codes:
        worst, moment = results[code]
        row: dict[str, float | str] = {TIME: moment / SECOND}
        row[RESULT] = worst if not result else np.nan
        for step in ways[code]:
            row |= _told(step, signals.get(step.asset, ()), samples, result)
        rows.append(row)
    return Table(tuple(_column(name, rows) for name in dict.fromkeys(k for r in rows for k in r)))


class _Memory:
    """Events by the codes that they name."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._by_code: dict[str, list[Event]] = {}
        for event in events:
            texts = [event.value, *(event.data.get(key, "") for key in NAMED)]
            for code in {part.strip() for text in texts for part in text.split(",")} - {""}:
                self._by_code.setdefault(code, []).append(event)

    def __call__(self, codes: Mapping[str, int | None], most: int) -> list[Event]:
        found = {id(event): event for code in codes for event in self._by_code.get(code, [])}
        return list(found.values())


def _results(
    events: Sequence[Event], start: int, at: str, *, told: bool
) -> dict[str, tuple[str, int]]:
    """Return of each part its result and when it was told, in order of time."""
    found: dict[str, tuple[str, int]] = {}
    for event in events:
        sight = read(event)
        if sight is None or (at and sight.asset != at) or sight.time < start:
            continue
        verdict = sight.told("result")
        if not verdict and told:
            continue
        before = found.pop(sight.code, ("", 0))[0]
        bad = "bad" in (before, "good" if verdict in ("", "good") else "bad")
        found[sight.code] = ("bad" if bad else "good", sight.time)
    return found


def _times(events: Sequence[Event]) -> dict[str, list[int]]:
    """Return when each scan id was seen, rising."""
    found: dict[str, list[int]] = {}
    for event in events:
        found.setdefault(event.id, []).append(event.time)
    return found


def _way(genealogy: Genealogy, code: str, times: Mapping[str, list[int]], until: int) -> list[Step]:
    """Return the steps of a part up to its result, each with its beginning where that is known."""
    found: list[Step] = []
    earlier = 0
    for told in life(genealogy, genealogy.at(code, until)):
        seen = times[told.id]
        place = bisect_left(seen, told.end)
        step = begun(told, earlier, seen[place - 1] if place else None)
        if step.end <= until:
            found.append(step)
        earlier = step.end
    return found


def _signals(store: Archive, assets: set[str]) -> dict[str, list[str]]:
    """Return the numeric signals of each station."""
    found: dict[str, list[str]] = {}
    for signal in store.signals():
        if signal.kind == "number" and signal.asset in assets:
            found.setdefault(signal.asset, []).append(signal.id)
    return found


def _told(
    step: Step, signals: Sequence[str], samples: Mapping[str, Samples], result: str
) -> dict[str, float | str]:
    """Return what one step adds to the row of a part."""
    kind = _SPLIT.sub("", step.asset) or step.asset
    row: dict[str, float | str] = {kind: step.asset}
    if step.product:
        row["product"] = step.product
    if step.order:
        row["order"] = step.order
    if step.wait is not None:
        row[f"{kind} waited s"] = step.wait / SECOND
    row[f"{kind} hour"] = float(step.end % DAY // HOUR)
    if step.start is None:
        return row
    row[f"{kind} s"] = (step.end - step.start) / SECOND
    for id in signals:
        mean = _mean(samples[id], step.start, step.end)
        if mean is not None:
            row[RESULT if id == result else f"{kind}.{id.rpartition('.')[2]}"] = mean
    return row


def _mean(samples: Samples, start: int, end: int) -> float | None:
    """Return the mean of good samples in (start, end], else the last before, or None."""
    first, last = np.searchsorted(samples.time, [start, end], side="right")
    good = is_good(samples.status[first:last])
    if good.any():
        return float(samples.value[first:last][good].mean())
    if first and is_good(samples.status[first - 1 : first])[0]:
        return float(samples.value[first - 1])
    return None


def _column(name: str, rows: Sequence[Mapping[str, float | str]]) -> Column:
    values = [row.get(name) for row in rows]
    if any(isinstance(value, str) for value in values):
        return Column.of_words(name, [v if isinstance(v, str) else None for v in values])
    return Column(name, np.array([v if isinstance(v, float) else np.nan for v in values]))
