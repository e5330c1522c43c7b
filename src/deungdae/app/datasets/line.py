"""Sets from the line: images with what was said of them, and signals as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import isnan
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from deungdae.app.remote import Archive
from deungdae.core import strict
from deungdae.core.clock import from_iso, to_iso
from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.core.types import DAY, HOUR, SECOND, Event, FloatArray, Signal, TimeArray
from deungdae.insight.trace import Genealogy, Node, life
from deungdae.insight.vision.labels import LABEL, WORDS
from deungdae.learn.dataset import (
    Column,
    Item,
    Join,
    Label,
    Pictures,
    Signals,
    Source,
    Value,
    over,
    settled,
    together,
)

from .files import Cut, Put, looked, shortened

AT_ONCE = 400  # serials whose trace is asked for in one question
SCANS = 2000  # things that a genealogy follows
_SAID = {"pass": "good", "reject": "reject"}  # what an inspection says, as people say it


class Period(NamedTuple):
    """What is cut: [start, end), and until when it must have been said; ns."""

    start: int
    end: int
    known: int


def period(since: str, until: str, known: str, now: int, zone: ZoneInfo) -> Period:
    """Return the period of a declaration. Raises ValueError naming the key."""
    moments = []
    for key, text, default in (("from", since, 0), ("to", until, now)):
        moments.append(_moment(key, text, zone) if text else default)
    start, end = moments[0], min(moments[1], now)
    if start >= end:
        raise ValueError(f"from = {since!r} is not before to = {until or 'now'!r}")
    return Period(start, end, min(_moment("known", known, zone), now) if known else end)


# ---- images


def images(
    asked: Pictures,
    when: Period,
    limit: int,
    store: Archive,
    content: Callable[[str], bytes],
    put: Put,
    zone: ZoneInfo,
) -> Cut:
    """Return the images of a period with their labels, groups and joined signals.

    content: gives the bytes of an image, as `Album.content`; put: keeps them. Raises ValueError for
    a signal that the history does not know, NotEnoughData where it holds none of the images.
    """
    _check_signals(store, asked.signals, "image")
    _check_signals(store, [join.signal for join in asked.joins], "number")
    events = [
        event
        for event in store.events(when.start, when.end, ids=asked.signals, kinds=["image"])
        if event.received < when.known
    ]
    said = _said(asked, when, store)
    if asked.only_labelled:
        events = [event for event in events if _label(said, event, asked.labels)[0]]
    dropped = max(len(events) - limit, 0)
    taken, left_out = _kept(events[dropped:], content, put)
    if not taken:
        reason = f"; {left_out[0]}" if left_out else ""
        raise NotEnoughData(
            f"no image of {', '.join(asked.signals)} from {to_iso(when.start, zone)} to"
            f" {to_iso(when.end, zone)}{reason}"
        )
    trace = _Traces(store, taken)
    groups, alone = _groups(asked.group, taken, trace, zone)
    columns, values = _joined(asked.joins, taken, trace, store, when)
    items = []
    for event, group, further in zip(taken, groups, values, strict=True):
        label, source = _label(said, event, asked.labels)
        name = event.data.get("serial") or f"{event.id} {to_iso(event.time)}"
        items.append(
            Item(ref=event.value, name=name, label=label, source=source, group=group,
                 time=event.time, labels=tuple(said.get(event.value, ())), values=further)
        )  # fmt: skip
    limits = []
    if dropped:
        limits.append(f"the newest {limit} of {limit + dropped} images: limit = {limit}")
    if alone:
        limits.append(f"of {alone} images the {asked.group} is not known: each is its own group")
    return Cut(items, columns, left_out, limits)


def _said(asked: Pictures, when: Period, store: Archive) -> dict[str, list[Label]]:
    """Return what people and inspections said of each image until it had to be known."""
    found: dict[str, list[Label]] = {}
    ids = [f"{id}.{LABEL}" for id in asked.signals]
    for event in store.events(when.start, when.end, ids=ids, kinds=["note"]):
        ref = event.data.get("ref", "")
        if ref and event.value in WORDS and event.received < when.known:
            who = event.data.get("person", "")
            label = Label(label=event.value, source="person", who=who, time=event.received)
            found.setdefault(ref, []).append(label)
    for finding in store.findings(when.start, when.known, name="inspection"):
        ref, verdict = finding.evidence.get("image", ""), finding.evidence.get("verdict", "")
        if ref and verdict in _SAID:
            label = Label(
                label=_SAID[verdict], source="inspection", who=finding.origin, time=finding.end
            )
            found.setdefault(ref, []).append(label)
    return {
        ref: sorted(labels, key=lambda each: (each.time, each.source, each.who))
        for ref, labels in found.items()
    }


def _label(said: Mapping[str, Sequence[Label]], event: Event, whose: str) -> tuple[str, Source]:
    wanted = {"people": ("person",), "inspection": ("inspection",)}.get(whose)
    labels = said.get(event.value, ())
    return settled(each for each in labels if wanted is None or each.source in wanted)


def _kept(
    events: Iterable[Event], content: Callable[[str], bytes], put: Put
) -> tuple[list[Event], list[str]]:
    """Return the events whose images could be kept, and why others could not."""
    taken, left_out = [], []
    for event in events:
        try:
            found = content(event.value)
            looked(found)
            put(found)
        except (LookupError, ValueError, StoreError) as error:
            left_out.append(f"{event.id} {to_iso(event.time)}: {error}")
        else:
            taken.append(event)
    return taken, shortened(left_out)


class _Traces:
    """The traces of the parts on images, asked for many at once."""

    def __init__(self, store: Archive, events: Sequence[Event]) -> None:
        self._genealogy = Genealogy(store.find, SCANS)
        self._moments = {
            event.data["serial"]: event.time for event in events if event.data.get("serial")
        }
        self._learnt = False

    def node(self, event: Event) -> Node | None:
        """Return the part that an image shows, or None where its serial was not read."""
        serial = event.data.get("serial", "")
        if not serial:
            return None
        if not self._learnt:
            codes = list(self._moments.items())
            for place in range(0, len(codes), AT_ONCE):
                self._genealogy.learn(dict(codes[place : place + AT_ONCE]))
            self._learnt = True
        return self._genealogy.at(serial, event.time)

    def told(self, event: Event, what: str) -> tuple[str, ...]:
        """Return the lots or orders of the part on an image."""
        node = self.node(event)
        sights = [] if node is None else self._genealogy.own(node)
        if what == "lot":
            found = [lot for sight in sights for lot in sight.lots]
        else:
            found = [sight.told("order") for sight in sights]
        return tuple(sorted({each for each in found if each}))

    def step(self, event: Event, asset: str) -> tuple[int | None, int] | None:
        """Return start and end of the part's last step at an asset before its image."""
        node = self.node(event)
        steps = [] if node is None else life(self._genealogy, node)
        ended = [each for each in steps if each.asset == asset and each.end <= event.time]
        return (ended[-1].start, ended[-1].end) if ended else None


def _groups(
    kind: str, events: Sequence[Event], trace: _Traces, zone: ZoneInfo
) -> tuple[list[str], int]:
    """Return the group of each image, and of how many it is not known: each of them is alone."""
    if kind == "day":
        return [to_iso(event.time, zone)[:10] for event in events], 0
    if kind == "image":
        return [event.value for event in events], 0
    serials = [(event.data["serial"],) if event.data.get("serial") else () for event in events]
    named = serials if kind == "serial" else [trace.told(event, kind) for event in events]
    root = together(names for names in named if names)
    found = [
        root[names[0]] if names else (serial or (event.value,))[0]
        for names, serial, event in zip(named, serials, events, strict=True)
    ]
    return found, sum(not names for names in named)


def _joined(
    joins: Sequence[Join], events: Sequence[Event], trace: _Traces, store: Archive, when: Period
) -> tuple[list[Column], list[tuple[Value, ...]]]:
    """Return a column for each signal that is joined, and its value for each image."""
    units = {signal.id: signal for signal in store.signals()}
    columns, values = [], []
    for join in joins:
        start, end = _stretches(join, events, trace)
        samples = store.query([join.signal], int(start.min()), int(end.max()), before=True)
        found = over(samples[join.signal], start, end, join.what)
        place = f"at {join.step}, " if join.step else ""
        columns.append(
            Column(
                name=join.column,
                unit=units[join.signal].unit,
                description=f"{join.what} of {join.signal} {place}window {join.window:g} s",
            )
        )
        values.append(plain(np.where(end > start, found, np.nan)))
    return columns, list(zip(*values, strict=True)) if values else [()] * len(events)


def _stretches(join: Join, events: Sequence[Event], trace: _Traces) -> tuple[TimeArray, TimeArray]:
    """Return over what a signal is taken for each image; empty where the part has no such step."""
    window = round(join.window * SECOND)
    found = []
    for event in events:
        step = trace.step(event, join.step) if join.step else (event.time - window, event.time)
        start, end = step or (event.time, event.time)
        found.append((end - window if start is None else start, end))
    both = np.asarray(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


# ---- rows


def rows(asked: Signals, when: Period, limit: int, store: Archive, zone: ZoneInfo) -> Cut:
    """Return signals of a period as rows at equal steps, with what events said as columns.

    A number is the mean over its row, weighted by time; an event's value is what held when the row
    began. Raises ValueError for a signal that the history does not know, NotEnoughData.
    """
    known = _check_signals(store, asked.signals, "number")
    events = dict.fromkeys(filter(None, (*asked.events, asked.label, _event_of(asked.group))))
    for id in events:
        _check_event(store, known, id, when)
    every = round(asked.every * SECOND)
    first, last = -(-when.start // every), when.end // every
    newest = store.last(asked.signals).time
    if len(newest):  # what comes behind the last sample nobody knows
        last = min(last, int(newest.max()) // every + 1)
    start = max(first, last - limit)
    rollups = {id: store.rollup(id, start * every, last * every, every) for id in asked.signals}
    held = [rollup.start for rollup in rollups.values() if len(rollup.start)]
    if not held:
        raise NotEnoughData(
            f"{', '.join(asked.signals)}: no whole row with samples from"
            f" {to_iso(when.start, zone)} to {to_iso(when.end, zone)}"
        )
    times = np.arange(min(int(each[0]) for each in held), last * every, every, dtype=np.int64)
    numbers = [_filled(rollups[id].start, rollups[id].weighted, rollups[id].last,
                       rollups[id].bad, times) for id in asked.signals]  # fmt: skip
    told = {id: _held(store, id, times, when) for id in events}
    labels = told.get(asked.label, [""] * len(times))
    columns = [_column(known[id], asked) for id in asked.signals]
    columns += [Column(name=id, kind="text", description="what held when the row began")
                for id in asked.events]  # fmt: skip
    texts = [[value or None for value in told[id]] for id in asked.events]
    table = zip(*(plain(each) for each in numbers), *texts, strict=True)
    groups = told[asked.group] if asked.group in told else [_time_group(asked.group, time, zone)
                                                            for time in times.tolist()]  # fmt: skip
    items = []
    for time, group, label, values in zip(times.tolist(), groups, labels, table, strict=True):
        said = (Label(label=label, source="signal", who=asked.label),) if label else ()
        items.append(
            Item(name=to_iso(time), label=label, source="signal" if label else "",
                 group=group or "none", time=time, labels=said, values=values)
        )  # fmt: skip
    cut = start > first and int(times[0]) == start * every
    limits = [f"the newest {limit} rows only: limit = {limit}"] if cut else []
    return Cut(items, columns, [], limits)


def _column(signal: Signal, asked: Signals) -> Column:
    words = f"mean over {asked.every:g} s"
    return Column(name=signal.id, unit=signal.unit, description=_words(signal.name, words))


def _words(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _filled(
    start: TimeArray, mean: FloatArray, last: FloatArray, bad: FloatArray, times: TimeArray
) -> FloatArray:
    """Return a signal at each row: its mean, or what the row before left where nothing came.

    A source that records only changes is silent while nothing changes; one that said it was bad
    leaves nothing.
    """
    if not len(start):
        return np.full(len(times), np.nan)
    place = np.searchsorted(start, times, "right") - 1
    at = np.maximum(place, 0)
    here = start[at] == times
    held = np.where(bad[at] > 0, np.nan, last[at])
    return np.where(place < 0, np.nan, np.where(here, mean[at], held))


def _held(store: Archive, id: str, times: TimeArray, when: Period) -> list[str]:
    """Return what an event said when each row began, '' where nothing was said yet."""
    events = store.events(int(times[0]), when.end, ids=[id], before=True)
    said = [event for event in events if event.kind != "gap" and event.received < when.known]
    if not said:
        return [""] * len(times)
    moments = np.asarray([event.time for event in said], np.int64)
    place = np.searchsorted(moments, times, "right") - 1
    return ["" if n < 0 else said[n].value for n in place.tolist()]


_SPANS = {"hour": HOUR, "day": DAY, "week": 7 * DAY}


def _event_of(group: str) -> str:
    return "" if group in _SPANS else group


def _time_group(group: str, time: int, zone: ZoneInfo) -> str:
    local = to_iso(time, zone)
    if group == "week":
        year, week, _ = date.fromisoformat(local[:10]).isocalendar()
        return f"{year}-W{week:02d}"
    return local[:13] if group == "hour" else local[:10]


def plain(values: FloatArray) -> list[float | None]:
    """Return numbers, None where they are not known.

    To 12 digits: the last bits of a sum differ from processor to processor, and versions must not.
    """
    return [None if isnan(value) else float(f"{value:.12g}") for value in values.tolist()]


def _check_signals(store: Archive, ids: Sequence[str], kind: str) -> dict[str, Signal]:
    """Return the signals of the history. Raises ValueError for one that is not, or not so."""
    known = {signal.id: signal for signal in store.signals()}
    for id in ids:
        if id not in known:
            remedy = strict.closest(id, known) or "deungdae query lists what there is"
            raise ValueError(f"{id}: not in this history; {remedy}")
        if known[id].kind != kind:
            raise ValueError(f"{id} is of kind {known[id].kind}, not {kind}")
    return known


def _check_event(store: Archive, known: Mapping[str, Signal], id: str, when: Period) -> None:
    """Raise ValueError where nothing can be said of what an event held: orders are not declared."""
    if id not in known and not store.events(when.start, when.end, ids=[id]):
        remedy = strict.closest(id, known) or "deungdae query lists what there is"
        raise ValueError(f"{id}: not in this history; {remedy}")
    if id in known and known[id].kind in ("number", "image"):
        raise ValueError(f"{id} is of kind {known[id].kind}: name a state, text, scan or order")


def _moment(key: str, text: str, zone: ZoneInfo) -> int:
    try:
        return from_iso(text, zone)
    except ValueError as error:
        raise ValueError(f"{key} = {text!r} is no ISO 8601 time, e.g. 2026-10-01") from error
