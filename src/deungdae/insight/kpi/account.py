"""What became of a shift: its time as a waterfall, its stops and their causes, parts against plan.

Page, command, PDF and API show the same account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from math import isfinite
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from deungdae.core.ports import Window
from deungdae.core.types import HOUR, MINUTE, SECOND, Event
from deungdae.insight.states import UNAVAILABLE, UNKNOWN
from deungdae.model.factory import Factory

from .counters import increments
from .evaluation import KpiResult, Report
from .losses import REJECTED, SLOWER, UNCOUNTED
from .reasons import StopOptions, group_of, wants
from .spec import KpiOptions
from .stops import Stop
from .timeline import Stretch

Kind: TypeAlias = Literal[
    "failure", "repair", "setup", "delay", "idle", "unknown", "uncounted", "slower", "rejected",
    "unrated",
]  # fmt: skip
Basis: TypeAlias = Literal["target", "order", "cycle", ""]
KINDS: tuple[Kind, ...] = (
    "failure", "repair", "setup", "delay", "idle", "unknown", "uncounted", "slower", "rejected",
    "unrated",
)  # fmt: skip
SHOWN = ("oee", "availability", "effectiveness", "quality_ratio")
CURVE = 120  # points of a curve
RIBBON = 480  # steps of a ribbon of states
LISTED = 30.0  # s; shorter stops are counted among the causes, but not listed one by one
AROUND = 2 * MINUTE  # within which an alarm belongs to the begin of a stop
CALM = frozenset({"", "NORMAL", "INACTIVE", "OK", "CLEARED", "UNAVAILABLE", "0", "FALSE"})


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the planned time that gave no good part. share: of the planned time, %.

    unknown: nothing is known of it, which is no loss. unrated: it ran, but no cycle or counter
    tells how well. A negative `slower` says that it ran faster than its cycle.
    """

    kind: Kind
    seconds: float
    share: float


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of a period; None where nobody counts them.

    target: good parts that are planned until the end of the shift, due: until now; basis: what
    says so: the option `target`, the orders' cycle, the option `cycle`, or '' for nothing. lacking:
    why what is not there.
    """

    made: float | None = None
    good: float | None = None
    scrap: float | None = None
    target: float | None = None
    due: float | None = None
    basis: Basis = ""
    lacking: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One stop as people see it. seconds: of planned time, within the period.

    start, end: of the whole stop; open: it lasts on. category: as in the time model of ISO 22400.
    told: (time, reason), newest of each moment. wants: somebody should say why it stood.
    """

    asset: str
    start: int
    end: int
    open: bool
    seconds: float
    state: str
    category: str
    reason: str
    group: str
    person: str
    note: str
    alarm: str
    wants: bool
    told: tuple[tuple[int, str], ...] = ()


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the Pareto. reason: what people told; '' where nobody did, then state says what was.

    count: stops with it. cumulative: share of all causes up to this one, %; None for unknown time,
    which stands last and is no cause.
    """

    reason: str
    group: str
    state: str
    category: str
    seconds: float
    count: int
    cumulative: float | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of [start, end) of one machine, or of several together (asset '').

    planned: seconds; planned = effective + all parts. rated: whether good parts are weighed with a
    cycle, so that there is an OEE. results: SHOWN by name. until: the end of the shift.
    stops: those of LISTED seconds and more, and those of which people told something.
    curve: (time, good parts so far), plan: (time, parts that should be there), ribbon: (start, end,
    category); they are of one machine.
    """

    asset: str
    start: int
    end: int
    until: int
    planned: float
    effective: float
    rated: bool
    unknown: float
    parts: tuple[Part, ...]
    results: dict[str, KpiResult]
    counts: Counts
    stops: tuple[Standing, ...]
    causes: tuple[Cause, ...]
    curve: tuple[tuple[int, float], ...] = ()
    plan: tuple[tuple[int, float], ...] = ()
    ribbon: tuple[tuple[int, int, str], ...] = ()
    notes: tuple[str, ...] = ()


def account(
    report: Report,
    spec: KpiOptions,
    factory: Factory,
    window: Window,
    *,
    until: int,
    now: int,
    options: StopOptions,
    alarms: Sequence[Event] = (),
    orders: Sequence[Event] = (),
) -> Account:
    """Return the account of a report.

    window: that of the report. until: when the shift ends. alarms: of the asset, around its stops.
    orders: `<asset>.order`, from the last one before start on; their `cycle` is the plan's.
    """
    groups = options.listed(factory.identity.language)
    standing = [(stop, seconds) for stop in report.standing if (seconds := _seconds(stop, report))]
    plan, basis = _plan(spec, factory, orders, report.start, until)
    return Account(
        asset=report.asset,
        start=report.start,
        end=report.end,
        until=until,
        planned=report.balance.planned,
        effective=report.balance.productive if report.balance.rated else 0.0,
        rated=report.balance.rated,
        unknown=report.times.unknown,
        parts=_parts(report),
        results={result.name: result for result in report.results if result.name in SHOWN},
        counts=_counts(report, plan, basis),
        stops=tuple(
            _standing(stop, seconds, report, now, groups, options, _alarm(stop, alarms, factory))
            for stop, seconds in standing
            if seconds >= LISTED or stop.told
        ),
        causes=_causes(_caused([stop for stop, _ in standing], report, groups)),
        curve=_curve(spec, window, report.start, report.end),
        plan=plan,
        ribbon=_ribbon(report.line, report.start, report.end),
        notes=report.notes,
    )


def together(accounts: Sequence[Account]) -> Account:
    """Return several machines as one, in machine hours: every second of each counts the same.

    Its OEE is that of the rated machines, each weighed with its known planned time. Parts of
    different machines are the same parts, so that they are not added up.
    """
    planned = sum(each.planned for each in accounts)
    seconds = dict.fromkeys(KINDS, 0.0)
    for each in accounts:
        for part in each.parts:
            seconds[part.kind] += part.seconds
    return Account(
        asset="",
        start=min(each.start for each in accounts),
        end=max(each.end for each in accounts),
        until=max(each.until for each in accounts),
        planned=planned,
        effective=sum(each.effective for each in accounts),
        rated=any(each.rated for each in accounts),
        unknown=sum(each.unknown for each in accounts),
        parts=_shared(seconds, planned),
        results=_weighed(accounts),
        counts=Counts(lacking="parts of different machines are not added up"),
        stops=tuple(sorted((stop for each in accounts for stop in each.stops), key=_when)),
        causes=_causes(_summed(cause for each in accounts for cause in each.causes)),
        notes=tuple(dict.fromkeys(note for each in accounts for note in each.notes)),
    )


def _when(stop: Standing) -> tuple[int, str]:
    return stop.start, stop.asset


def _parts(report: Report) -> tuple[Part, ...]:
    seconds = dict.fromkeys(KINDS, 0.0)
    for part in report.line:
        if part.busy and part.category != "production":
            seconds[_kind(part.category)] += part.length / SECOND
    named: dict[str, Kind] = {UNCOUNTED: "uncounted", SLOWER: "slower", REJECTED: "rejected"}
    if report.balance.rated:
        for loss in report.balance.losses:
            if loss.reason in named and loss.kind != "availability":
                seconds[named[loss.reason]] += loss.seconds
    else:
        seconds["unrated"] = report.times.APT
    return _shared(seconds, report.balance.planned)


def _kind(category: str) -> Kind:
    return next((kind for kind in KINDS if kind == category), "unknown")


def _shared(seconds: Mapping[Kind, float], planned: float) -> tuple[Part, ...]:
    return tuple(
        Part(kind=kind, seconds=length, share=100 * length / planned)
        for kind, length in seconds.items()
        if length and planned
    )


def _seconds(stop: Stop, report: Report) -> float:
    inside = stop.within(report.start, report.end)
    return sum(piece.length for piece in inside if piece.busy) / SECOND


def _standing(
    stop: Stop, seconds: float, report: Report, now: int, groups: Mapping[str, tuple[str, ...]],
    options: StopOptions, alarm: str,
) -> Standing:  # fmt: skip
    told = [event for event in stop.told if event.value]
    piece = stop.longest
    return Standing(
        asset=report.asset,
        start=stop.start,
        end=stop.end,
        open=stop.end >= report.end and report.end >= now - MINUTE,
        seconds=seconds,
        state=piece.state,
        category=piece.category,
        reason=", ".join(stop.reasons),
        group=group_of(stop.reasons[0], groups) if stop.reasons else "",
        person=told[-1].data.get("person", "") if told else "",
        note=told[-1].data.get("note", "") if told else "",
        alarm=alarm,
        wants=wants(stop, options),
        told=tuple((event.time, event.value) for event in told),
    )


def _alarm(stop: Stop, alarms: Sequence[Event], factory: Factory) -> str:
    """Return what the alarm said that was raised about when the stop began: the nearest."""
    near = [
        event
        for event in alarms
        if event.value.upper() not in CALM and abs(event.time - stop.start) <= AROUND
    ]
    if not near:
        return ""
    event = min(near, key=lambda each: abs(each.time - stop.start))
    said = next((event.data[key] for key in ("message", "text") if event.data.get(key)), "")
    signal = factory.signals.get(event.id)
    plain = event.value.upper() in ("1", "TRUE", "ACTIVE", "ALARM", "FAULT", "WARNING", "TRIGGERED")
    named = signal.name if signal is not None and plain else ""
    return said or event.data.get("nativeCode", "") or named or event.value


def _caused(
    standing: Sequence[Stop], report: Report, groups: Mapping[str, tuple[str, ...]]
) -> list[Cause]:
    """Return one cause for each reason or state of each stop."""
    found: list[Cause] = []
    for stop in standing:
        seconds: dict[tuple[str, str, str], float] = {}
        for piece in stop.within(report.start, report.end):
            if piece.busy:
                state = "" if piece.reason and piece.category != "unknown" else _said(piece.state)
                key = (piece.reason, state, piece.category if state else "")
                seconds[key] = seconds.get(key, 0.0) + piece.length / SECOND
        found += [
            Cause(reason=reason, group=group_of(reason, groups), state=state, category=category,
                  seconds=length, count=1, cumulative=None)
            for (reason, state, category), length in seconds.items()
        ]  # fmt: skip
    return _summed(found)


def _said(state: str) -> str:
    """Return the state; that a source knows nothing is the same as that we do."""
    return UNKNOWN if state == UNAVAILABLE else state


def _summed(causes: Iterable[Cause]) -> list[Cause]:
    """Return the causes with those of the same words as one."""
    found: dict[tuple[str, str, str], Cause] = {}
    for cause in causes:
        key = (cause.reason, cause.state, cause.category)
        known = found.get(key)
        seconds, count = (known.seconds, known.count) if known else (0.0, 0)
        found[key] = msgspec.structs.replace(
            cause, seconds=seconds + cause.seconds, count=count + cause.count
        )
    return list(found.values())


def _causes(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return the causes, longest first, with their cumulative share; unknown time behind them."""
    order = sorted(causes, key=lambda cause: (-cause.seconds, cause.reason, cause.state))
    known = [cause for cause in order if cause.category != "unknown"]
    total = sum(cause.seconds for cause in known)
    shares = accumulate(cause.seconds for cause in known)
    told = [
        msgspec.structs.replace(cause, cumulative=100 * so_far / total)
        for cause, so_far in zip(known, shares, strict=True)
    ]
    nothing = [cause for cause in order if cause.category == "unknown"]
    return (*told, *(msgspec.structs.replace(cause, cumulative=None) for cause in nothing))


def _counts(report: Report, plan: Sequence[tuple[int, float]], basis: Basis) -> Counts:
    counted = report.counted
    lacking = ""
    if "GQ" not in counted:
        quality = next(result for result in report.results if result.name == "quality_ratio")
        lacking = quality.reason
    return Counts(
        made=counted.get("PQ"),
        good=counted.get("GQ"),
        scrap=_scrap(report),
        target=plan[-1][1] if plan else None,
        due=_at(plan, report.end) if plan else None,
        basis=basis,
        lacking=lacking,
    )


def _scrap(report: Report) -> float | None:
    counted = report.counted
    if "SQ" in counted:
        return counted["SQ"]
    return counted["PQ"] - counted["GQ"] if {"PQ", "GQ"} <= counted.keys() else None


def _plan(
    spec: KpiOptions, factory: Factory, orders: Sequence[Event], start: int, end: int
) -> tuple[tuple[tuple[int, float], ...], Basis]:
    """Return the good parts that should be there, flat where no work is planned; and what says so.

    target: parts of a planned hour; else as many as the cycle of the order allows, or the machine's
    own, which is the most there is.
    """
    own = spec.target or (3600 / spec.cycle if spec.cycle else 0.0)
    rates = [(start, own)]
    if not spec.target:
        rates += [(max(event.time, start), rate) for event in orders if (rate := _rate(event))]
    if not any(rate for _, rate in rates):
        return (), ""
    points, made = [(start, 0.0)], 0.0
    for since, until, _ in factory.calendar.planned(start, end, factory.zone, spec.asset):
        edges = sorted({since, until, *(time for time, _ in rates if since < time < until)})
        points.append((since, made))
        for a, b in pairwise(edges):
            made += next(rate for time, rate in reversed(rates) if time <= a) * (b - a) / HOUR
            points.append((b, made))
    points.append((end, made))
    basis: Basis = "target" if spec.target else "order" if len(rates) > 1 else "cycle"
    return tuple(dict.fromkeys(points)), basis


def _rate(order: Event) -> float:
    """Return the parts an hour that an order plans, 0 where it does not say."""
    try:
        cycle = float(order.data.get("cycle", "0"))
    except ValueError:
        return 0.0
    return 3600 / cycle if isfinite(cycle) and cycle > 0 else 0.0


def _at(points: Sequence[tuple[int, float]], moment: int) -> float:
    times, values = zip(*points, strict=True)
    return float(np.interp(moment, np.asarray(times, np.float64), values))


def _curve(spec: KpiOptions, window: Window, start: int, end: int) -> tuple[tuple[int, float], ...]:
    """Return the good parts so far, at most CURVE points; all parts where nobody tells the good."""
    signs = {spec.good: 1.0} if spec.good else {spec.count: 1.0, spec.reject: -1.0, spec.rework: -1}
    times, amounts = [], []
    for id, sign in signs.items():
        samples = window.samples.get(id)
        rises = increments(samples, start, end, spec.wrap) if samples is not None else None
        if rises is not None:
            times.append(rises.time)
            amounts.append(sign * rises.amount)
    if not times:
        return ()
    time = np.concatenate(times)
    order = np.argsort(time, kind="stable")
    time, total = time[order], np.cumsum(np.concatenate(amounts)[order])
    edges = np.linspace(start, end, CURVE)[1:]
    place = np.searchsorted(time, edges, "right") - 1
    points = [(start, 0.0)]
    for edge, at in zip(edges.tolist(), place.tolist(), strict=True):
        points.append((int(edge), float(total[at]) if at >= 0 else 0.0))
    return tuple(points)


def _ribbon(line: Sequence[Stretch], start: int, end: int) -> tuple[tuple[int, int, str], ...]:
    """Return the states for a picture: in each step what lasted longest, equal ones as one.

    What was outside of the plan is `planned`, like the breaks that the machine itself tells.
    """
    step = max((end - start) // RIBBON, 1)
    found: list[tuple[int, int, str]] = []
    lengths: dict[str, int] = {}
    edge = start + step
    for part in line:
        name = part.category if part.busy or part.category == "unknown" else "planned"
        since = part.start
        while since < part.end:
            until = min(part.end, edge)
            lengths[name] = lengths.get(name, 0) + until - since
            since = until
            if until in (edge, end):
                longest = max(lengths, key=lambda each: lengths[each])
                if found and found[-1][2] == longest:
                    found[-1] = (found[-1][0], until, longest)
                else:
                    found.append((found[-1][1] if found else start, until, longest))
                lengths = {}
                edge = until + step
    return tuple(found)


def _weighed(accounts: Sequence[Account]) -> dict[str, KpiResult]:
    """Return the indicators of several machines, each weighed with what it is a share of."""
    found: dict[str, KpiResult] = {}
    for name in SHOWN:
        given = [
            (each, result)
            for each in accounts
            if (result := each.results.get(name)) is not None and result.value is not None
        ]
        if not given:
            reasons = [each.results[name] for each in accounts if name in each.results]
            if reasons:
                found[name] = reasons[0]
            continue
        value = _mean([(result.value, _weight(name, each)) for each, result in given])
        low = _mean([(result.low, each.planned) for each, result in given])
        high = _mean([(result.high, each.planned) for each, result in given])
        if value is not None:
            found[name] = msgspec.structs.replace(
                given[0][1],
                value=value,
                low=min(low, value) if low is not None else None,
                high=max(high, value) if high is not None else None,
                terms={},
                reason="",
            )
    return found


def _weight(name: str, each: Account) -> float:
    if name in ("oee", "availability"):
        return each.planned - each.unknown
    terms = each.results["effectiveness"].terms if "effectiveness" in each.results else {}
    counted = terms.get("APT counted", 0.0)
    return counted if name == "effectiveness" else terms.get("PRI", 0.0) * terms.get("PQ known", 0)


def _mean(pairs: Sequence[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None and isfinite(value)]
    total = sum(weight for _, weight in known)
    if len(known) < len(pairs) or not total:
        return None
    return sum(value * weight for value, weight in known) / total
