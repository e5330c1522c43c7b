"""The indicators of one asset, told while its shift runs and in full when it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Window
from deungdae.core.types import DAY, HOUR, SECOND, Finding
from deungdae.model.calendar import days_between, local_midnight
from deungdae.model.factory import Factory

from .catalogue import KPIS
from .evaluation import KpiResult, Report, evaluate
from .reporting import heard_in, spell
from .spec import KpiOptions


class _Period(NamedTuple):
    """A shift, day or hour. ended: it is over, and everything is told of it."""

    start: int
    end: int
    ended: bool


class Kpi:
    """Computes the 34 key performance indicators of ISO 22400-2 of a machine or line.

    It sorts the machine's states into the standard's time model within the planned time of the
    calendar, counts parts, and tells availability, effectiveness, quality ratio, OEE and what else
    the given signals allow; of the others it says what is missing. Time without a known state is
    told beside each value and never counted as idle. While a shift runs, the indicators named in
    `live` come every minute; when it has ended, all come, with the losses, largest first.

    ```toml
    [insight.press_kpi]
    type = "kpi"
    asset = "press1"
    state = "press1.state"
    model = "plain"
    states = { "tool change" = "setup", "no material" = "idle", "jam" = "failure" }
    count = "press1.parts"
    reject = "press1.rejects"
    cycle = 12.5
    ```
    """

    Options = KpiOptions

    def __init__(self, name: str, options: KpiOptions, factory: Factory) -> None:
        """Raises FactoryError where `live` names no indicator or a number is a text signal."""
        self.name = name
        self.options = options
        self.factory = factory
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)

    @property
    def needs(self) -> Needs:
        """Return the named signals, back to the start of the period that ended last."""
        options, heard = self.options, self._heard()
        numbers = [id for id in (options.state, *heard) if id and self._is_number(id)]
        words = [id for id in heard if not self._is_number(id)]
        every = round(options.every * SECOND)
        return Needs(
            signals=tuple(dict.fromkeys([*options.numbers(), *numbers])),
            events=tuple(dict.fromkeys([*options.words(), *words])),
            every=every,
            history=self._longest() + 2 * every,
        )

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the indicators of the running period, and all of one that ended just now.

        Raises NotEnoughData where nothing at all was told by any signal.
        """
        heard = heard_in(window)
        if not len(heard):
            ids = ", ".join((*self.needs.signals, *self.needs.events))
            raise NotEnoughData(f"nothing was told yet by {ids or 'any signal: none is named'}")
        findings: list[Finding] = []
        for start, end, ended in self._periods(now):
            report = evaluate(self.options, self.factory, window, start, end, heard)
            findings += [
                self._finding(report, result)
                for result in report.results
                if ended or result.name in self.options.live
            ]
            findings.append(self._unknown(report))
            if ended and report.times.PBT:
                findings.append(self._losses(report))
        return findings

    def _periods(self, now: int) -> list[_Period]:
        """Return the running period, and the one before if it ended at most two calls ago."""
        recent = now - 2 * round(self.options.every * SECOND)
        found = []
        for start, end in self._spans(recent, now):
            if start < now < end:
                found.append(_Period(start, now, ended=False))
            elif recent <= end <= now:
                found.append(_Period(start, end, ended=True))
        return found

    def _spans(self, since: int, until: int) -> list[tuple[int, int]]:
        """Return the whole periods that touch [since, until]."""
        zone, calendar = self.factory.zone, self.factory.calendar
        if self.options.period == "hour":
            first = (since - 1) // HOUR * HOUR
            return [(start, start + HOUR) for start in range(first, until + 1, HOUR)]
        if self.options.period == "shift" and calendar.shifts:
            shifts = calendar.shifts_between(since - 1, until + 1, zone)
            return [(shift.start, shift.end) for shift in shifts]
        days = [day for day, _ in days_between(since - 1, until + 1, zone)]
        return [
            (local_midnight(day, zone), local_midnight(day + timedelta(1), zone)) for day in days
        ]

    def _longest(self) -> int:
        """Return at least the length of the longest period, clock changes included."""
        return HOUR if self.options.period == "hour" else DAY + HOUR

    def _finding(self, report: Report, result: KpiResult) -> Finding:
        evidence = {term: spell(term, value) for term, value in result.terms.items()}
        if result.low is not None and result.high is not None:
            evidence |= {"low": f"{result.low:.12g}", "high": f"{result.high:.12g}"}
        return Finding(
            origin=self.name,
            asset=report.asset,
            name=result.name,
            start=report.start,
            end=report.end,
            value=result.value,
            unit=result.unit,
            uncertainty=result.uncertainty,
            reason=result.reason,
            evidence={"formula": result.formula, **evidence, **self._sources()},
        )

    def _unknown(self, report: Report) -> Finding:
        return Finding(
            origin=self.name,
            asset=report.asset,
            name="unknown",
            start=report.start,
            end=report.end,
            value=report.times.unknown,
            unit="s",
            reason="; ".join(report.notes),
            evidence={
                "PBT": spell("PBT", report.times.PBT),
                **{state: f"{seconds:.12g} s" for state, seconds in report.unknown.items()},
            },
        )

    def _losses(self, report: Report) -> Finding:
        balance = report.balance
        return Finding(
            origin=self.name,
            asset=report.asset,
            name="losses",
            start=report.start,
            end=report.end,
            value=balance.planned - balance.productive,
            unit="s",
            reason="planned time that made no good part, by reason, largest first",
            evidence={f"{x.kind}: {x.reason}": f"{x.seconds:.12g} s" for x in balance.losses},
        )

    def _sources(self) -> dict[str, str]:
        named = ("state", "count", "good", "reject", "rework")
        return {option: id for option in named if (id := getattr(self.options, option))}

    def _heard(self) -> list[str]:
        """Return the ids of further signals by which the machine is heard: few, they are many."""
        if self.options.heard:
            return list(self.options.heard)
        own = [s.id for s in self.factory.signals.values() if s.asset == self.options.asset]
        words = [id for id in own if not self._is_number(id)]
        return words + [id for id in own if self._is_number(id)][:1]

    def _is_number(self, id: str) -> bool:
        signal = self.factory.signals.get(id)
        return signal is not None and signal.kind == "number"

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        known = [kpi.name for kpi in KPIS]
        for name in self.options.live:
            if name not in known:
                yield fault("live", name, "is no indicator", f"known: {', '.join(known)}")
        for id in self.options.numbers():
            if id in self.factory.signals and not self._is_number(id):
                kind = self.factory.signals[id].kind
                yield fault("", id, f"is a signal of kind {kind}, not a number", "")
