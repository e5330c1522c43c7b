"""The indicators of any period from a store, without a factory file if need be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from deungdae.core.ports import Store, Window
from deungdae.core.types import DAY, HOUR, Event, Signal, TimeArray
from deungdae.insight.states import days
from deungdae.model.factory import Factory

from .catalogue import SECONDS
from .categories import Model
from .evaluation import KpiResult, Report, evaluate
from .spec import KpiOptions
from .stops import person_reason

_LATER = 400 * DAY
_TELLING = ("state", "text", "scan", "alarm", "order", "note")
_STATES: dict[str, Model] = {
    "execution": "mtconnect",
    "statecurrent": "packml",
    "packmlstate": "packml",
    "state": "plain",
    "machinestate": "plain",
    "status": "plain",
    "running": "plain",
}
_COUNTERS = {
    "count": ("partcount", "partcountact", "partcountall", "partscount", "producedcount", "count"),
    "good": ("goodcount", "partcountgood", "goodparts"),
    "reject": ("rejectcount", "partcountbad", "scrapcount", "badcount", "rejects"),
    "rework": ("reworkcount",),
}


def compute(spec: KpiOptions, store: Store, factory: Factory, start: int, end: int) -> Report:
    """Return the report of spec's asset over [start, end), start < end; give now as `end` at most.

    Counters are read from a day before start, so that a bad sample there does not hide the base.
    """
    (scene,) = gather([spec], store, factory, start, end)
    return evaluate(spec, factory, scene.window, start, end, scene.heard)


class Scene(msgspec.Struct, frozen=True, eq=False):
    """What evaluate needs of one asset: its window, and when anything was heard of it."""

    window: Window
    heard: TimeArray


def gather(
    specs: Sequence[KpiOptions], store: Store, factory: Factory, start: int, end: int
) -> list[Scene]:
    """Return what evaluate needs of [start, end) for each spec, asked of the store together.

    The words of people on stops are in the windows, too, and do not show that a machine was heard.
    """
    asked = {id for spec in specs for id in (*spec.numbers(), spec.state) if id}
    samples = store.query(sorted(asked), start - DAY, end, before=True)
    words = [list(dict.fromkeys([*spec.words(), person_reason(spec.asset)])) for spec in specs]
    ids = sorted({id for each in words for id in each})
    events: dict[str, list[Event]] = {id: [] for id in ids}
    for kinds in (_TELLING, ("gap",)):  # apart: the last event before start is asked of each
        for event in store.events(start - DAY, end, ids=ids, kinds=kinds, before=True):
            events[event.id].append(event)
    alive: dict[str, list[int]] = {spec.asset: [] for spec in specs}
    for sign in store.events(start - DAY, end, ids=[f"{asset}.alive" for asset in alive]):
        alive[sign.asset].append(sign.time)
    return [
        Scene(
            window := Window(
                start - DAY,
                end,
                {id: samples[id] for id in (*spec.numbers(), spec.state) if id},
                {id: tuple(events[id]) for id in own},
            ),
            _heard(spec, store, factory, window, alive[spec.asset], start, end),
        )
        for spec, own in zip(specs, words, strict=True)
    ]


def _heard(
    spec: KpiOptions, store: Store, factory: Factory, window: Window, alive: Sequence[int],
    start: int, end: int,
) -> TimeArray:  # fmt: skip
    """Return when anything was heard of the asset: to the hour for signals that only show that.

    Later words count too: they tell that a source was only unavailable before. Where the window
    and our own signs of life show that it was heard on every day, nothing more is looked for.
    """
    near = np.append(heard_in(window, spec.asset), np.asarray(alive, np.int64))
    edges = np.asarray(days(start - DAY, end, factory.zone), np.int64)
    if np.diff(np.searchsorted(np.sort(near), edges)).all():
        return near
    own = (id for id, signal in factory.signals.items() if signal.asset == spec.asset)
    known = {*window.samples, *window.events}
    others = [id for id in (spec.heard or own) if id not in known]
    words = [id for id in window.events if id != person_reason(spec.asset)]
    told = store.events(start - DAY, end + _LATER, ids=[*others, *words, f"{spec.asset}.alive"])
    return np.concatenate(
        [
            near,
            np.asarray([event.time for event in told], np.int64),
            *(store.rollup(id, start - DAY, end, HOUR).start for id in others),
        ]
    )


def heard_in(window: Window, asset: str = "") -> TimeArray:
    """Return the times of all samples and events of a window, but for what people told of asset."""
    others = [told for id, told in window.events.items() if id != person_reason(asset)]
    told = [event.time for events in others for event in events]
    times = [samples.time for samples in window.samples.values()]
    return np.concatenate([np.asarray(told, np.int64), *times])


def rows(report: Report) -> list[dict[str, object]]:
    """Return one row per indicator, in the order of ISO 22400-2, with stable keys.

    value, low, high in `unit`; coverage 0..1; terms: name -> number, times in s; those that have
    no value have null there and a reason.
    """
    return [
        {"asset": report.asset, "start": report.start, "end": report.end}
        | msgspec.structs.asdict(result)
        for result in report.results
    ]


def losses(report: Report) -> list[dict[str, object]]:
    """Return one row per loss, largest first; see losses.Loss."""
    return [{"asset": report.asset} | msgspec.structs.asdict(x) for x in report.balance.losses]


def explain(result: KpiResult) -> str:
    """Return in one line what an indicator was computed from, or why it has no value."""
    terms = ", ".join(f"{term} = {spell(term, value)}" for term, value in result.terms.items())
    known = f"{result.formula}: {terms}" if terms else ""
    return "; ".join(part for part in (known, result.reason) if part)


def spell(term: str, value: float) -> str:
    """Return a term as text, with its unit where that is a second."""
    return f"{value:.12g} s" if term in SECONDS else f"{value:.12g}"


def default_spec(asset: str, signals: Sequence[Signal]) -> KpiOptions:
    """Return what the names of an asset's signals suggest to compute its indicators from.

    signals: of any assets, events among them. Only well-known names of MTConnect, PackML and plain
    ones are taken, and an only state signal whatever its name; alarms (MTConnect conditions) tell
    failures; every signal is `heard`. No coverage is too little, since a report tells it.
    """
    own = [signal for signal in signals if signal.asset == asset]
    told = [signal for signal in own if signal.kind == "state"]
    state = _first(own, tuple(_STATES), lambda s: s.kind != "alarm")
    if state is None and len(told) == 1:
        (state,) = told
    found = {
        option: signal.id
        for option, names in _COUNTERS.items()
        if (signal := _first(own, names, lambda s: s.kind == "number")) is not None
    }
    energy = [s.id for s in own if s.kind == "number" and s.unit in ("kW.h", "W.h", "MW.h")]
    spec = KpiOptions(
        asset=asset,
        state=state.id if state else "",
        model=_STATES.get(_plain(state.short), "plain") if state else "plain",
        failures=tuple(signal.id for signal in own if signal.kind == "alarm"),
        energy=energy[0] if len(energy) == 1 else "",
        heard=tuple(signal.id for signal in own),
        coverage=0.0,
    )
    return msgspec.structs.replace(spec, **found)


def _first(
    signals: Sequence[Signal], names: Sequence[str], fits: Callable[[Signal], bool]
) -> Signal | None:
    """Return the fitting signal whose name comes first in `names`."""
    named = {_plain(signal.short): signal for signal in reversed(signals) if fits(signal)}
    return next((named[name] for name in names if name in named), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
