"""A twin in the shadow of its line: each shift a forecast before, a score after."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Needs, Window
from deungdae.core.types import DAY, HOUR, SECOND, Event, Finding, FloatArray
from deungdae.model.calendar import days_between
from deungdae.model.factory import Factory
from deungdae.sim import line as lines
from deungdae.sim.line import OUT, Snapshot
from deungdae.sim.outcome import Outcome
from deungdae.twin.replicate import TELLING, Mirror, Twin, decode, forecasts, log_from
from deungdae.twin.replicate.fit import deviation_of
from deungdae.twin.replicate.log import assets_of
from deungdae.twin.replicate.work import work_of

from .drift import LIMIT, SLACK, Drift, drift
from .score import Belief, Score, believable, interval, score

QUARTERS = 4  # parts of a shift of which the parts in the line are forecast
DRAWS = 10  # of a twin's parameters, over which the courses of a forecast are dealt out
LOOKS = 8  # moments of each quarter at which the parts in the line are counted


class Period(msgspec.Struct, frozen=True, order=True):
    """A shift: [start, end), ns."""

    start: int
    end: int


class Course(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A forecast. made: float64[m], good parts of the shift in each of m courses.

    wip: parts in the line, mean over each quarter of the shift, of all courses.
    """

    period: Period
    made: FloatArray
    wip: tuple[float, ...]


class _Look(NamedTuple):
    """What a look at the records shows. stands, paths: by start of the shift, see _follow."""

    running: list[Period]
    ended: list[Period]
    stands: dict[int, Snapshot]
    paths: dict[int, list[float]]
    scores: list[Score]
    drifts: dict[str, Drift]
    belief: Belief


class MonitorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the monitor."""

    line: Annotated[
        str, Meta(description="File of the twin (twin.json) or of its line (line.toml)")
    ]
    asset: Annotated[str, Meta(description="What the findings are about")] = "line"
    stations: Annotated[
        dict[str, str | tuple[str, ...]],
        Meta(
            description="Assets of stations that are not called as they are; of several machines "
            "side by side a list, else `<name>-1` and so on"
        ),
    ] = {}
    hours: Annotated[
        float,
        Meta(gt=0, le=24, description="Length of a shift, without a calendar", extra={"unit": "h"}),
    ] = 8.0
    shifts: Annotated[int, Meta(ge=2, le=500, description="Shifts that must be scored")] = 20
    replications: Annotated[int, Meta(ge=20, description="Courses of a forecast")] = 200
    seed: Annotated[int, Meta(ge=0, description="Of the forecasts")] = 1
    every: Annotated[
        float, Meta(ge=10, description="Time between two looks", extra={"unit": "s"})
    ] = 900.0
    oldest: Annotated[
        float, Meta(gt=0, description="Age from which a twin is to be learnt anew",
                    extra={"unit": "d"})
    ] = 90.0  # fmt: skip
    slack: Annotated[
        float, Meta(gt=0, description="CUSUM: half the shift that matters, in deviations")
    ] = SLACK
    limit: Annotated[float, Meta(gt=0, description="CUSUM: sum from which an alarm is told")] = (
        LIMIT
    )


class Monitor:
    """Compares a twin with its line, shift by shift, and tells whether it may be believed.

    Before each shift it starts the twin from the live state of the line and forecasts how many good
    parts will be made; after it, it scores the forecast (CRPS, whether the 90 % interval held, the
    parts in the line along the shift). Over the last `shifts` scored shifts the interval must have
    held in 85 to 95 %. The cycles of each station are watched for drift by a two-sided CUSUM.
    A forecast is computed from the twin, the records before the shift and the seed, and from
    nothing else: it is the same whenever it is computed. Only shifts after those that the twin was
    learnt from are scored.

    ```toml
    [twin.monitor]
    type = "monitor"
    line = "twin.json"
    asset = "line1"
    shifts = 20
    ```
    """

    Options = MonitorOptions
    files = ("line",)

    def __init__(self, name: str, options: MonitorOptions, factory: Factory) -> None:
        """Raises FactoryError where the text of the line is none, or names unknown stations."""
        self.name = name
        self.options = options
        self.factory = factory
        self.twin = self._twin()
        self.line = self.twin.line
        unknown = [each for each in options.stations if each not in self.line.stations]
        if unknown:
            known = ", ".join(self.line.stations)
            raise self._fault("stations", unknown[0], "is no station of the line", known)
        self.assets = assets_of(self.line, options.stations)
        self._courses: dict[int, Course] = {}  # only saves computing the same twice

    @property
    def needs(self) -> Needs:
        """Return the states and scans of all stations, over the shifts that are scored."""
        events = [f"{asset}.{what}" for asset in self._machines() for what in TELLING]
        declared = tuple(id for id in events if id in self.factory.signals)
        return Needs(
            events=declared or tuple(events),
            every=round(self.options.every * SECOND),
            history=self._reach(),
        )

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the forecast of the running shift, the score of the last, drift and belief.

        Raises NotEnoughData where nothing was told of any station yet.
        """
        look = self._look(now, window)
        findings = [
            self._told_forecast(self.course(each, look.stands[each.start], path=True))
            for each in look.running
        ]
        # also of earlier shifts: records may be older than the twin, and what is told twice is one
        findings += [
            self._told_score(score, period, look.stands, look.paths)
            for score, period in zip(look.scores, look.ended, strict=True)
        ]
        findings += [self._told_drift(name, each, now) for name, each in look.drifts.items()]
        findings.append(self._told_belief(look.belief, look.scores, now))
        return findings

    def history(self, now: int, window: Window) -> tuple[list[Score], Belief, dict[str, Drift]]:
        """Return the score of each shift that ended, belief in the twin, and drift by station.

        Raises NotEnoughData where nothing was told of any station.
        """
        look = self._look(now, window)
        return look.scores, look.belief, look.drifts

    def _look(self, now: int, window: Window) -> _Look:
        events = sorted(
            (event for each in window.events.values() for event in each if event.time < now),
            key=lambda event: event.time,
        )
        if not any(event.kind == "state" for event in events):
            raise NotEnoughData(f"no state was told yet of {', '.join(self._machines())}")
        # what was in the machines when records began is not known until it has come out
        first = max(self.twin.end, events[0].time + self._longest)
        periods = [each for each in self.periods(first, now) if each.start >= first]
        stands, paths = self._follow(events, periods, now)
        ended = [each for each in periods if each.end <= now][-self.options.shifts :]
        scores = [self._score(each, stands[each.start], events) for each in ended]
        drifts = self._drifts(window, now)
        belief = believable(
            scores, shifts=self.options.shifts, age=(now - self.twin.end) / SECOND,
            oldest=self.options.oldest * DAY / SECOND if self.twin.end else np.inf,
            drifting=[station for station, each in drifts.items() if each.direction],
        )  # fmt: skip
        running = [each for each in periods if each.start <= now < each.end]
        return _Look(running, ended, stands, paths, scores, drifts, belief)

    def periods(self, start: int, end: int) -> list[Period]:
        """Return the shifts that touch [start, end): of the calendar, or equal parts of days."""
        calendar, zone = self.factory.calendar, self.factory.zone
        if calendar.shifts:
            return [Period(s.start, s.end) for s in calendar.shifts_between(start, end, zone)]
        length = round(self.options.hours * HOUR)
        found = []
        whole_days = days_between(start - DAY, end + DAY, zone)
        for _, day in whole_days[1:-1]:
            edges = [*range(day.start, day.end, length), day.end]
            found += [Period(a, b) for a, b in pairwise(edges)]
        return [each for each in found if each.start < end and each.end > start]

    def course(self, period: Period, stand: Snapshot, *, path: bool = False) -> Course:
        """Return the forecast of a shift from where the line stood at its start."""
        known = self._courses.get(period.start)
        if known is not None and (known.wip or not path):
            return known
        seconds = (period.end - period.start) / SECOND
        outcome = self._forecast(period, stand, seconds)
        wip: tuple[float, ...] = ()
        if path:
            areas = [0.0]
            for quarter in range(1, QUARTERS):
                part = seconds * quarter / QUARTERS
                # the same courses, cut short: what happens does not hang on where they end
                areas.append(float(self._forecast(period, stand, part).wip.mean()) * part)
            areas.append(float(outcome.wip.mean()) * seconds)
            wip = tuple((np.diff(areas) / (seconds / QUARTERS)).tolist())
        made = outcome.made.sum(axis=1).astype(np.float64)
        found = Course(period=period, made=made, wip=wip)
        self._courses[period.start] = found
        while len(self._courses) > 2 * self.options.shifts:
            del self._courses[min(self._courses)]
        return found

    def _forecast(self, period: Period, stand: Snapshot, seconds: float) -> Outcome:
        from deungdae.sim.kernel import simulate  # noqa: PLC0415 - compiles; only who forecasts

        return forecasts(
            self.twin, seconds, run=simulate, replications=self.options.replications,
            seed=self.options.seed, start=stand, origin=period.start, draws=DRAWS,
        )  # fmt: skip

    def _score(self, period: Period, stand: Snapshot, events: Sequence[Event]) -> Score:
        made = sum(1 for event in events if self._leaves(event, period))
        return score(period.start, period.end, self.course(period, stand).made, made)

    def _leaves(self, event: Event, period: Period) -> bool:
        """Return whether a scan is that of a good part that leaves the line within the shift."""
        if event.kind != "scan" or not period.start <= event.time < period.end:
            return False
        if event.data.get("result", "good") != "good":
            return False
        return event.asset in self._exits(event.data.get("product", ""))

    def _exits(self, product: str) -> set[str]:
        route = self.line.products[product].route if product in self.line.products else ()
        if route:
            return set(self.assets[route[-1]])
        return {
            asset
            for name, station in self.line.stations.items()
            if OUT in station.goes_to
            for asset in self.assets[name]
        }

    def _machines(self) -> list[str]:
        return [asset for assets in self.assets.values() for asset in assets]

    def _follow(
        self, events: Iterable[Event], periods: Sequence[Period], now: int
    ) -> tuple[dict[int, Snapshot], dict[int, list[float]]]:
        """Return how the line stood at the start of each shift, and its parts in each quarter."""
        follower = Mirror(self.line, self.assets)
        stops = sorted({
            *(each.start for each in periods),
            *(moment for each in periods[-2:] for moment in _looks(each)),
        })  # fmt: skip
        stands: dict[int, Snapshot] = {}
        counted: dict[int, int] = {}
        waiting = iter([*events, None])
        event = next(waiting)
        for stop in stops:
            if stop > now:
                break
            while event is not None and event.time <= stop:
                follower.feed([event])
                event = next(waiting)
            stands[stop] = follower.snapshot(stop)
            counted[stop] = _in_line(stands[stop])
        paths = {
            each.start: _quarters(_looks(each), counted)
            for each in periods[-2:] if each.end <= now
        }  # fmt: skip
        return stands, paths

    def _drifts(self, window: Window, now: int) -> dict[str, Drift]:
        """Return what the cycles since the twin was learnt say, by station."""
        start = max(window.start, self.twin.end)
        if start >= now:
            return {}
        events = [event for each in window.events.values() for event in each]
        log = log_from(events, self.assets, start, now, zone=self.factory.zone)
        found = {}
        for name, station in self.line.stations.items():
            if len(self.assets[name]) < station.servers:
                continue  # whose cycle it was is not told
            work, _ = work_of(log, name)
            usable = np.isfinite(work.cycle) & (work.cycle > 0)
            if usable.sum() < 2:
                continue
            products = log.stations[name].parts.product
            known = self.line.product_names
            spreads = {}
            for product in set(products):
                spread = station.cycle_of(product if product in known else known[0])
                spreads[product] = (spread.mean, deviation_of(spread))
            rows = np.flatnonzero(usable)
            expected = np.asarray([spreads[products[row]] for row in rows.tolist()])
            told = drift(
                work.cycle[rows], expected[:, 0], expected[:, 1],
                slack=self.options.slack, limit=self.options.limit,
            )  # fmt: skip
            times = log.stations[name].parts.time[rows]
            found[name] = msgspec.structs.replace(
                told,
                since=int(times[min(told.since, len(times) - 1)]),
                alarm=int(times[min(told.alarm, len(times) - 1)]),
            )
        return found

    def _told_forecast(self, course: Course) -> Finding:
        low, high = interval(course.made)
        return Finding(
            origin=self.name, asset=self.options.asset, name="forecast",
            start=course.period.start, end=course.period.end,
            value=float(course.made.mean()), uncertainty=1.96 * float(course.made.std(ddof=1)),
            reason=f"{low:.0f} to {high:.0f} good parts are expected, at 90 %",
            evidence={
                "low": f"{low:.6g}", "high": f"{high:.6g}",
                "made": json.dumps([round(each) for each in np.sort(course.made).tolist()]),
                "wip": json.dumps([round(each, 3) for each in course.wip]),
                "twin": self.twin.revision, "seed": str(self.options.seed),
            },
        )  # fmt: skip

    def _told_score(
        self,
        scored: Score,
        period: Period,
        stands: Mapping[int, Snapshot],
        paths: Mapping[int, Sequence[float]],
    ) -> Finding:
        course = self.course(period, stands[period.start], path=period.start in paths)
        seen = paths.get(period.start, [])
        wip = {}
        if seen and course.wip:
            off = np.asarray(seen) - np.asarray(course.wip)
            wip = {
                "wip": json.dumps([round(each, 3) for each in seen]),
                "wip forecast": json.dumps([round(each, 3) for each in course.wip]),
                "wip error": f"{float(np.sqrt((off**2).mean())):.4g}",
            }
        inside = "inside" if scored.inside else "outside"
        return Finding(
            origin=self.name, asset=self.options.asset, name="score",
            start=period.start, end=period.end, value=scored.crps,
            severity=0 if scored.inside else 1,
            reason=f"{scored.made} made, {inside} {scored.low:.0f} to {scored.high:.0f}",
            evidence={
                "made": str(scored.made), "expected": f"{scored.expected:.6g}",
                "low": f"{scored.low:.6g}", "high": f"{scored.high:.6g}",
                "rank": f"{scored.rank:.4g}", "twin": self.twin.revision, **wip,
            },
        )  # fmt: skip

    def _told_drift(self, station: str, told: Drift, now: int) -> Finding:
        if told.direction:
            since = to_iso(told.since, self.factory.zone)
            reason = (
                f"{station}: cycles are {told.direction} since {since}, by {told.size:+.1%} "
                f"({told.size_low:+.1%} to {told.size_high:+.1%})"
            )
        else:
            reason = f"no drift in {told.n} cycles"
        return Finding(
            origin=self.name, asset=self.assets[station][0], name="drift",
            start=told.since if told.direction else now, end=now,
            value=told.size if told.direction else 0.0,
            uncertainty=(told.size_high - told.size_low) / 2 if told.direction else None,
            severity=2 if told.direction else 0, reason=reason,
            evidence={
                "cycles": str(told.n), "sum longer": f"{told.high:.4g}",
                "sum shorter": f"{told.low:.4g}", "limit": f"{self.options.limit:g}",
                "twin": self.twin.revision,
            },
        )  # fmt: skip

    def _told_belief(self, belief: Belief, scores: Sequence[Score], now: int) -> Finding:
        sum_crps = sum(each.crps for each in scores)
        return Finding(
            origin=self.name, asset=self.options.asset, name="believable",
            start=scores[0].start if scores else now, end=now,
            value=1.0 if belief.yes else 0.0, severity=0 if belief.yes else 1,
            reason="; ".join(belief.reasons),
            evidence={
                "shifts": str(belief.n), "coverage": f"{belief.coverage:.4g}",
                "coverage low": f"{belief.low:.4g}", "coverage high": f"{belief.high:.4g}",
                "mean crps": f"{sum_crps / len(scores):.4g}" if scores else "",
                "learnt at": to_iso(self.twin.learnt_at, UTC) if self.twin.learnt_at else "",
                "twin": self.twin.revision,
            },
        )  # fmt: skip

    @property
    def _longest(self) -> int:
        """Return the longest mean cycle of the line, ns."""
        cycles = [
            station.cycle_of(product).mean
            for station in self.line.stations.values()
            for product in station.products or self.line.product_names
        ]
        return round(max(cycles) * SECOND)

    def _reach(self) -> int:
        """Return a time that holds the scored shifts, and a day before to find where all stood."""
        length = round(self.options.hours * HOUR)
        per_week = (7 * DAY) // length
        if self.factory.calendar.shifts:
            sample = self.factory.calendar.shifts_between(0, 14 * DAY, self.factory.zone)
            per_week = max(len(sample) // 2, 1)
        weeks = (self.options.shifts + 2) / per_week
        return round(weeks * 7 * DAY) + DAY

    def _twin(self) -> Twin:
        text = self.factory.texts.get(self.options.line, "")
        if not text:
            raise self._fault("line", self.options.line, "is not there", "deungdae twin build")
        if not text.lstrip().startswith("{"):
            return Twin(line=lines.read(text, self.options.line))
        try:
            return decode(text)
        except NotEnoughData as error:
            raise self._fault("line", self.options.line, str(error), "") from error

    def _fault(self, key: str, value: str, problem: str, remedy: str) -> FactoryError:
        fault = self.factory.fault("twin", self.name, key, value, problem, remedy)
        return FactoryError([fault])


def _looks(period: Period) -> list[int]:
    """Return the moments at which the parts in the line are counted."""
    count = QUARTERS * LOOKS
    step = (period.end - period.start) / count
    return [period.start + round((each + 0.5) * step) for each in range(count)]


def _quarters(looks: Sequence[int], counted: Mapping[int, int]) -> list[float]:
    values = np.asarray([counted[moment] for moment in looks], np.float64)
    means: list[float] = values.reshape(QUARTERS, LOOKS).mean(axis=1).tolist()
    return means


def _in_line(stand: Snapshot) -> int:
    """Return how many parts are in buffers and machines."""
    servers = (server for each in stand.stations.values() for server in each)
    inside = sum(server.parts for server in servers if server.product)
    return inside + sum(len(parts) for parts in stand.buffers.values())
