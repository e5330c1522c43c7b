"""From what was observed of one asset over a period to its indicators and losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, sqrt
from typing import Literal

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.ports import Window
from deungdae.core.types import DAY, SECOND, TimeArray
from deungdae.insight import states
from deungdae.insight.states import Spell, Told
from deungdae.model.factory import Factory

from . import timeline
from .catalogue import KPIS, Definition
from .categories import Category, categorise, words
from .losses import Balance, balance
from .quantities import Ledger, Quantities
from .spec import KpiOptions
from .stops import Stop, find, merged, person_reason
from .timeline import FAILED, Stretch, Times

BACK = 32 * DAY  # how far a stop that reaches into the period is followed back
_COUNTED = ("PQ", "GQ", "SQ", "RQ")


class KpiResult(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator of one asset: a value with what it was computed from, or why there is none.

    number, name, title, formula, unit, trend: see catalogue.Definition.
    value: over the known time. low, high: what it can at most be, whatever the machine did in the
    unknown time; of Cm to Cpk the 95 % interval; None where there is no such statement.
    terms: those of the formula; times in s. coverage: known share of PBT, 0..1, for `timed` ones.
    reason: why there is no value, or what to know about it.
    """

    number: int
    name: str
    title: str
    formula: str
    unit: str
    trend: Literal["up", "down"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    terms: dict[str, float] = {}
    reason: str = ""

    @property
    def uncertainty(self) -> float | None:
        """Return the larger distance from value to low and high."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return max(self.value - self.low, self.high - self.value)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All 34 indicators of an asset over [start, end), its losses, and what to know about them.

    unknown: seconds of planned time without a known state, by its name. line: all stretches.
    standing: every stop that touches it, whole. counted: parts by PQ, GQ, SQ, RQ, as far as known.
    """

    asset: str
    start: int
    end: int
    times: Times
    results: tuple[KpiResult, ...]
    balance: Balance
    unknown: dict[str, float]
    notes: tuple[str, ...]
    line: tuple[Stretch, ...] = ()
    standing: tuple[Stop, ...] = ()
    counted: dict[str, float] = {}


def evaluate(
    spec: KpiOptions, factory: Factory, window: Window, start: int, end: int, heard: TimeArray
) -> Report:
    """Return the report over [start, end), start < end.

    window: holds the samples and events of spec's signals over the period, with the last ones
    before it. heard: see states.spells. Pure.
    """
    meaning = words(spec.model, spec.states)
    told = _told_states(spec, window)
    scene = (spec, factory, window, told, meaning, heard)
    spells, line = _stretches(*scene, start, end)
    earlier = [] if line[0].category == "production" else _since(*scene, start)
    reasons = merged(window.events, (spec.reason, person_reason(spec.asset)))
    standing = [stop for stop in find([*earlier, *line], reasons) if stop.end > start]
    times = timeline.times(line)
    can_tell = _can_tell(spec, meaning, spells)
    ledger = Ledger()
    _enter_times(ledger, spec, times, start, end, factory)
    _enter_setup(ledger, can_tell, times)
    _enter_failures(ledger, spec, can_tell, times, timeline.failures([*earlier, *line], start))
    _enter_maintenance(ledger, can_tell, times)
    Quantities(spec, factory, window, start, end).enter(ledger, line, times.PBT)
    return Report(
        asset=spec.asset,
        start=start,
        end=end,
        times=times,
        results=tuple(_result(kpi, ledger, times) for kpi in KPIS),
        balance=balance(standing, start, end, times, ledger.values),
        unknown=_unknown(line),
        notes=tuple(_notes(factory, times, meaning, line)),
        line=tuple(line),
        standing=tuple(standing),
        counted={name: ledger.values[name] for name in _COUNTED if name in ledger.values},
    )


def _told_states(spec: KpiOptions, window: Window) -> Told:
    samples = window.samples.get(spec.state)
    if samples is not None and len(samples):
        return timeline.told_by_samples(samples)
    return timeline.told_by_events(window.events.get(spec.state, ()))


def _stretches(
    spec: KpiOptions, factory: Factory, window: Window, told: Told,
    meaning: Mapping[str, Category], heard: TimeArray, start: int, end: int,
) -> tuple[list[Spell], list[Stretch]]:  # fmt: skip
    """Return the spells of [start, end), and what they mean within the calendar's plan."""
    lost = timeline.gaps(window.events.get(spec.state, ()))
    found = states.spells(told, start, end, heard=heard, gaps=lost, zone=factory.zone)
    planned = factory.calendar.planned(start, end, factory.zone, spec.asset)
    alarms = {id: window.events.get(id, ()) for id in spec.failures}
    return found, timeline.stretches(found, meaning, planned, timeline.faults(alarms, start, end))


def _since(
    spec: KpiOptions, factory: Factory, window: Window, told: Told,
    meaning: Mapping[str, Category], heard: TimeArray, start: int,
) -> list[Stretch]:  # fmt: skip
    """Return the stretches before start, as far back as states are known, at most BACK.

    So a stop is one, whichever shift looks, and a failure that a break parts is one. Whether the
    machine was heard is asked of a day before start only: earlier days pass for heard.
    """
    if not len(told.time) or told.time[0] >= start:
        return []
    first = max(int(told.time[0]), start - BACK)
    heard = np.append(heard, np.arange(first, start - DAY, DAY // 2, dtype=np.int64))
    return _stretches(spec, factory, window, told, meaning, heard, first, start)[1]


def _enter_times(
    ledger: Ledger, spec: KpiOptions, times: Times, start: int, end: int, factory: Factory
) -> None:
    """Enter PBT (its known part), the parts of it, and the unknown time."""
    terms = ("PBT", "APT", "AUPT", "ADET", "ADOT", "AUBT", "AOET")
    if not spec.state:
        reason = "needs the state of the machine: name its signal under `state`"
        ledger.lack(reason, *terms)
    elif times.PBT == 0:
        period = f"{to_iso(start, factory.zone)} and {to_iso(end, factory.zone)}"
        ledger.lack(f"no time was planned between {period}", *terms)
    elif times.coverage == 0:
        ledger.lack("the state is unknown for all of the planned time", *terms)
    elif 100 * times.coverage < spec.coverage:
        share = f"{100 * times.coverage:.2f} % of the planned time"
        ledger.lack(
            f"the state is known for only {share}, less than coverage = {spec.coverage:g}", *terms
        )
    else:
        used = times.APT + times.AUST
        ledger.put("PBT", times.PBT - times.unknown)
        ledger.put("APT", times.APT)
        ledger.put("AUPT", used)
        ledger.put("ADET", times.ADET)
        ledger.put("ADOT", times.ADOT)
        ledger.put("AUBT", used + times.ADET)
        ledger.put("AOET", used + times.ADET + times.ADOT)


def _enter_setup(ledger: Ledger, told: frozenset[Category], times: Times) -> None:
    if "PBT" in ledger.missing:
        ledger.lack(ledger.missing["PBT"], "AUST")
    elif "setup" in told:
        ledger.put("AUST", times.AUST)
    else:
        ledger.lack("the states do not tell setup: name its state under `states`", "AUST")
        ledger.remark("setup is not told and lies within the other times", "AUPT", "AUBT")


def _enter_failures(
    ledger: Ledger,
    spec: KpiOptions,
    told: frozenset[Category],
    times: Times,
    found: timeline.Failures,
) -> None:
    if "PBT" in ledger.missing:
        ledger.lack(ledger.missing["PBT"], "FE", "TBF", "TTF", "TTR")
        return
    if not spec.failures and not told & FAILED:
        ledger.lack(
            "the states do not tell failures: name their states under `states`, or conditions and "
            "alarms under `failures`", "FE", "TBF", "TTF", "TTR",
        )  # fmt: skip
        return
    ledger.put("FE", found.FE)
    ledger.put("TTR", found.TTR)
    ledger.put("TTF", times.APT + times.AUST)
    ledger.put("TBF", times.APT + times.AUST + found.TTR)
    if spec.failures:
        ledger.remark("failures are stops while one of `failures` told a fault", "FE")


def _enter_maintenance(ledger: Ledger, told: frozenset[Category], times: Times) -> None:
    if {"repair", "maintenance"} <= told:
        ledger.put("CMT", times.CMT)
        ledger.put("PMT", times.PMT)
    else:
        ledger.lack(
            "the states do not tell repair from preventive maintenance: name theirs under `states`",
            "CMT", "PMT",
        )  # fmt: skip


def _can_tell(
    spec: KpiOptions, meaning: Mapping[str, Category], spells: list[Spell]
) -> frozenset[Category]:
    """Return what the states can tell: a model's own words, and what was named or seen.

    The plain model knows words for everything; only what was named or seen counts there.
    """
    named = frozenset(spec.states.values())
    if spec.model != "plain":
        return named | frozenset(meaning.values())
    return named | {what for s in spells if (what := categorise(meaning, s.state)) is not None}


def _notes(
    factory: Factory, times: Times, meaning: Mapping[str, Category], line: list[Stretch]
) -> Iterator[str]:
    """Yield what to know of all times: the calendar, and states that nobody gave a meaning."""
    if not factory.calendar.shifts:
        yield "no shifts are declared: all time but planned stops is PBT"
    if times.outside:
        yield f"{times.outside:.0f} s of production lie outside planned time"
    unnamed: dict[str, int] = {}
    for part in line:
        if part.category == "unknown" and categorise(meaning, part.state) is None:
            unnamed[part.state] = unnamed.get(part.state, 0) + part.length
    for state, length in sorted(unnamed.items()):
        seconds = f"{length / SECOND:.0f} s"
        yield f"nobody said what state {state!r} means: its {seconds} are unknown; see `states`"


def _unknown(line: list[Stretch]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in line:
        if part.busy and part.category == "unknown":
            found[part.state] = found.get(part.state, 0.0) + part.length / SECOND
    return found


def _result(kpi: Definition, ledger: Ledger, times: Times) -> KpiResult:
    result = KpiResult(
        number=kpi.number,
        name=kpi.name,
        title=kpi.title,
        formula=kpi.formula,
        unit=kpi.unit,
        trend=kpi.trend,
    )
    lacking = list(dict.fromkeys(ledger.missing[t] for t in kpi.terms if t not in ledger.values))
    if lacking:
        return msgspec.structs.replace(result, reason="; ".join(lacking))
    terms = {term: ledger.values[term] for term in kpi.terms}
    if kpi.timed:
        terms["unknown"] = times.unknown
        result = msgspec.structs.replace(result, coverage=times.coverage)
    try:
        value = kpi.calculate(ledger.values)
    except ZeroDivisionError:
        nothing = ", ".join(term for term, amount in terms.items() if amount == 0)
        return msgspec.structs.replace(
            result, terms=terms, reason=f"is not defined where these are 0: {nothing}"
        )
    if not all(isfinite(amount) for amount in (value, *terms.values())):
        return msgspec.structs.replace(result, reason="the samples are too large to reckon with")
    low, high = _bounds(kpi, ledger.values, times.unknown, value)
    return msgspec.structs.replace(
        result, value=value, low=low, high=high, terms=terms, reason=_remark(kpi, ledger, times)
    )


def _remark(kpi: Definition, ledger: Ledger, times: Times) -> str:
    remarks = [text for term in kpi.terms for text in ledger.remarks.get(term, ())]
    if times.unknown and kpi.timed:
        remarks.append(f"over the known {100 * times.coverage:.1f} % of the planned time")
    if times.unknown and "FE" in kpi.terms:
        remarks.append(f"failures in {times.unknown:.0f} s of unknown time are not counted")
    return "; ".join(dict.fromkeys(remarks))


def _bounds(
    kpi: Definition, values: Mapping[str, float], unknown: float, value: float
) -> tuple[float | None, float | None]:
    if kpi.name in ("cm", "cmk", "cp", "cpk"):
        n = values["n of study" if kpi.name in ("cm", "cmk") else "n"]
        half = _interval(kpi.name, value, n)
        return value - half, value + half
    if not kpi.timed or (kpi.name == "throughput_rate" and unknown and "PRI" not in values):
        return None, None
    found = [value]
    for case in _cases(values, unknown) if unknown else ():
        try:
            found.append(kpi.calculate(case))
        except ZeroDivisionError:
            continue  # not defined in that case, so no bound
    return min(found), max(found)


def _interval(name: str, value: float, n: float) -> float:
    """Return half the 95 % interval of a capability index of n samples. Source: Bissell (1990)."""
    of_place = 0.0 if name in ("cm", "cp") else 1 / (9 * n)
    return 1.96 * sqrt(of_place + value**2 / (2 * (n - 1)))


def _cases(values: Mapping[str, float], unknown: float) -> Iterator[dict[str, float]]:
    """Yield the terms if all unknown time had been one thing.

    The formulas of times are quotients of sums, so that their extremes over every mixture lie
    among these cases. Production comes with no part, and with as many as planned.
    """
    nested = {
        "APT": ("APT", "APT counted", "AUPT", "AUBT", "AOET", "PBT"),
        "AUST": ("AUST", "AUPT", "AUBT", "AOET", "PBT"),
        "ADET": ("ADET", "AUBT", "AOET", "PBT"),
        "ADOT": ("ADOT", "AOET", "PBT"),
    }
    for terms in nested.values():
        case = dict(values)
        case.update({term: values[term] + unknown for term in terms if term in values})
        yield case
        if "APT" in terms and "PQ known" in values and "PRI" in values:
            made = unknown / values["PRI"]
            full = {**case, "PQ known": values["PQ known"] + made}
            yield full
            if "GQ" in values and "PQ" in values:
                yield {**full, "PQ": values["PQ"] + made, "GQ": values["GQ"] + made}
