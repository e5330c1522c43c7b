"""A control chart of what is measured of each part, point by point as the parts come."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Needs, Window
from deungdae.core.types import SECOND, Finding, FloatArray, Severity, severity
from deungdae.insight.anomaly import Part, about
from deungdae.insight.training import moment, pieces
from deungdae.model.factory import Factory

from . import charts
from .attributes import COUNTED, attributes, counted_sigmas, rate
from .capability import Capability, Index, capability
from .charts import Chart, Marks, Process, Spread
from .gather import Gather, Measured
from .multivariate import Together, contributions, hotelling, learn_together
from .options import MOST, SpcOptions, faults
from .rules import RULES

_KEPT = 1000  # points that are charted; runs are shorter, and older parts no longer the process
_NAMED = 3  # points, and signals of T², that a reason names; the page shows the others
_SHARE = 0.1  # of what makes T² large: of less, a signal is not named


class _Held:
    """What a signal said last, at any time: what is known of a part beside its measurement."""

    def __init__(self) -> None:
        self._known: list[tuple[int, float | str]] = []

    def take(self, time: int, value: float | str) -> None:
        insort(self._known, (time, value), key=lambda known: known[0])
        del self._known[:-_KEPT]

    def at(self, time: int) -> float | str | None:
        place = bisect_right(self._known, time, key=lambda known: known[0])
        return self._known[place - 1][1] if place else None


class _Part(NamedTuple):
    time: int
    values: tuple[float, ...]  # of each signal
    size: float  # of the sample that is counted


class _Panel(NamedTuple):
    """One chart with where it signals: rule's name -> (meaning, bool[n])."""

    name: str
    chart: Chart
    signals: dict[str, tuple[str, Marks]]


class Spc:
    """Draws a control chart of a measured quantity and tells when the process has changed.

    The first `learn` points are phase I: they give the centre and the limits, which then stay.
    With `trained_from` that is the first since then, and after a restart all parts since are read
    from the history: limits, sums and runs are as if there had been none. Without it a restart
    begins anew; `from` in the evidence tells since when it counts. Limits that are known to be good
    may be written into the file, `centre` and `sigma`: then a slow change cannot become the new
    normal. Each new point is told with its
    limits; one that breaks a rule is a warning that names the rule. With specification limits,
    capability is told too, with 95 % intervals.

    Every new time of the signal is one part; a value that is sent again with its old time is not.
    A temperature that is measured each second is charted with `every`: what follows sooner is left
    out, or limits of independent parts would cry wolf.

    With `split` or `within` no subgroup reaches from one lot or shift into the next: what is left
    over of it is dropped. Cavities take turns: with `apart` each has subgroups of its own.

    Counts have charts of their own: `signal` tells how many were bad or how many faults there were,
    `size` or `size_signal` of how many; limits follow the size, and of what is known `centre` alone
    is written: the share, or the faults per unit.

    Several measurements of one part that move together are charted as one with `t2` and `together`:
    a part that is strange only in how they go together is found, and the reason names the signals
    that make it so. Limits of phase I and of new points differ, for the first are its own judges.

    ```toml
    [insight.brick_length]
    type = "spc"
    signal = "press1.length"
    chart = "xbar_r"
    subgroup = 5
    lsl = 228.0
    usl = 232.0
    ```
    """

    Options = SpcOptions

    def __init__(self, name: str, options: SpcOptions, factory: Factory) -> None:
        """Raises FactoryError where options contradict each other or the signal is no number."""
        self.name = name
        self.options = options
        self.factory = factory
        wrong = list(faults(options, name, factory))
        if wrong:
            raise FactoryError(wrong)
        self._ids = (options.signal, *options.together)
        self._gather = Gather(self._ids, round(options.near * SECOND))
        self._begin = moment(options.trained_from, factory.zone)
        self._learnt: tuple[int, int] | None = None  # times of the first and last of phase I
        self._process: Process | Together | None = None
        if options.centre is not None and (options.sigma is not None or self._counts):
            self._process = Process(options.centre, options.sigma or 0.0)
        self._first = 0  # points of phase I that are still charted
        self._disturbed = 0  # points of phase I at which a rule fired
        self._time: list[int] = []
        self._value: list[float] = []  # of each part one value of each signal
        self._size: list[float] = []  # of each sample that is counted
        self._passed = 0  # samples that were no measurement, or came too late
        self._left_over = 0  # parts of subgroups that did not become complete
        self._newest: int | None = None  # time of a part, also of one that was left over
        self._open: dict[object, list[_Part]] = {}  # subgroups that are not complete, by key
        self._keys, self._sizes = _Held(), _Held()

    @property
    def needs(self) -> Needs:
        """Return the signals, of whose new samples parts are made, and what tells more of them."""
        more = [id for id in (self.options.split, self.options.size_signal) if id]
        events = tuple(id for id in more if self._is_told(id))
        return Needs(signals=(*self._ids, *(id for id in more if id not in events)), events=events)

    def _is_told(self, id: str) -> bool:
        """Return whether a signal is one of events: a lot, a code, a state."""
        signal = self.factory.signals.get(id)
        return signal is not None and signal.kind != "number"

    @property
    def _counts(self) -> bool:
        return self.options.chart in COUNTED

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the newest point of each chart, and capability, if a point has become complete.

        Raises NotEnoughData until phase I is complete.
        """
        judged = len(self._groups())
        self._hold(window)
        self._take(self._gather.take(window.samples))
        groups = self._groups()
        if self._process is None:
            self._process = self._learn()
            groups, judged = self._groups(), self.options.learn
        elif not len(groups):
            raise NotEnoughData(self._lack(1, 0))
        elif len(groups) == judged:
            if missing := self._gather.missing:
                raise NotEnoughData(f"{', '.join(missing)}: nothing came with the last parts")
            return []
        found = [self._finding(now, p, judged) for p in self._panels(groups, self._process)]
        found += self._capability(now, groups)
        self._drop(max(len(groups) - _KEPT, 0))
        return found

    def recall(self, now: int) -> Iterator[tuple[int, int]]:
        """Yield the past from the stated time on."""
        return pieces(now if self._begin is None else self._begin, now)

    def _hold(self, window: Window) -> None:
        """Keep what is said of keys and sizes."""
        for id, held in ((self.options.split, self._keys), (self.options.size_signal, self._sizes)):
            for event in window.events.get(id, ()):
                held.take(event.time, event.value)
            if id in window.samples:
                samples = window.samples[id]
                for time, value, status in zip(
                    samples.time.tolist(),
                    samples.value.tolist(),
                    samples.status.tolist(),
                    strict=True,
                ):
                    if severity(status) != Severity.BAD:
                        held.take(time, value)

    def _take(self, measured: Iterable[Measured]) -> None:
        """Keep the new parts; what was known before is no part."""
        seen = {*self._time, *(part.time for own in self._open.values() for part in own)}
        for time, values, fit in measured:
            if time in seen or time == self._newest or self._is_soon(time):
                continue
            if self._begin is not None and time < self._begin:
                continue
            late = self._newest is not None and time < self._newest
            size = self._size_at(time, values[0])
            if late or not fit or size is None:
                self._passed += 1
                continue
            self._newest = time
            self._add(_Part(time, values, size))

    def _size_at(self, time: int, count: float) -> float | None:
        """Return the size of the sample that is counted, None where the count is impossible."""
        options = self.options
        if not self._counts:
            return 1.0
        size = self._sizes.at(time) if options.size_signal else options.size or 1.0
        if not isinstance(size, float) or not 0 < size < MOST or not count >= 0:
            return None
        return None if options.chart in ("p", "np") and count > size else size

    def _add(self, part: _Part) -> None:
        """Put a part into the open subgroup that it belongs to, and take that if it is complete."""
        options = self.options
        key = self._keys.at(part.time) if options.split else None
        if not options.apart and key not in self._open:
            self._left_over += sum(len(left) for left in self._open.values())
            self._open.clear()
        own = self._open.setdefault(key, [])
        if own and options.within and part.time - own[0].time >= options.within * SECOND:
            self._left_over += len(own)
            own.clear()
        own.append(part)
        if len(own) < options.subgroup:
            return
        self._time += [each.time for each in own]
        self._value += [value for each in own for value in each.values]
        self._size += [each.size for each in own]
        own.clear()

    def _is_soon(self, time: int) -> bool:
        """Return whether a sample follows the last part too soon to be one."""
        return self._newest is not None and 0 <= time - self._newest < self.options.every * SECOND

    def _groups(self) -> FloatArray:
        """Return the complete subgroups, [m, n]; of several signals [m, n, p]."""
        several = self._ids[1:] and (len(self._ids),)
        return np.asarray(self._value, np.float64).reshape(-1, self.options.subgroup, *several)

    def _drop(self, points: int) -> None:
        """Let go of the oldest points."""
        gone = points * self.options.subgroup
        del self._time[:gone], self._value[: gone * len(self._ids)], self._size[:gone]
        self._first = max(self._first - points, 0)

    def _learn(self) -> Process | Together:
        """Return what phase I shows. Raises NotEnoughData until it is complete and varies."""
        wanted = self.options.learn
        missing = self._lack(wanted, len(self._groups()))
        while len(self._groups()) >= wanted:
            first = self._groups()[:wanted]
            self._first = wanted
            try:
                process = self._shown(first)
            except NotEnoughData as error:
                missing = f"{', '.join(self._ids)}: {error}"
                self._drop(1)  # so that phase I begins one point later
            else:
                marks = [m for p in self._panels(first, process) for _, m in p.signals.values()]
                self._learnt = self._ended(0), self._ended(wanted - 1)
                self._disturbed = max((int(fired.sum()) for fired in marks), default=0)
                return process
        raise NotEnoughData(missing)

    def _shown(self, first: FloatArray) -> Process | Together:
        """Return the process that the points of phase I show. Raises NotEnoughData."""
        if self.options.chart == "t2":
            return learn_together(first)
        if self.options.chart in COUNTED:
            share = rate(self.options.chart, first[:, 0], self._size[: len(first)])
            return Process(share, 0.0)
        return charts.learn(first, self._spread())

    def _lack(self, wanted: int, had: int) -> str:
        n = self.options.subgroup
        parts = f" of {n} parts" if n > 1 else ""
        begun = sum(len(own) for own in self._open.values())
        missing = wanted * n - len(self._time) - begun
        return (
            f"{', '.join(self._ids)}: {had} of {wanted} points{parts} that the limits need; "
            f"{missing} parts are missing"
        )

    def _spread(self) -> Spread:
        return "range" if self.options.chart in ("individuals", "xbar_r") else "deviation"

    def _panels(self, groups: FloatArray, process: Process | Together) -> Iterator[_Panel]:
        """Yield the charts with their signals; point i of each belongs to the i-th last group."""
        options = self.options
        if isinstance(process, Together):
            chart = self._squares(groups, process)
            yield _Panel("control", chart, _beyond(chart))
            return
        if options.chart in COUNTED:
            counts, sizes = groups[:, 0], self._size[: len(groups)]
            chart = attributes(options.chart, counts, sizes, process.centre)
            z = counted_sigmas(options.chart, counts, sizes, process.centre)
            yield _Panel("control", chart, self._fired(z))
            return
        if options.chart == "ewma":
            chart = charts.ewma(groups, process, options.weight, options.width)
            yield _Panel("control", chart, _beyond(chart))
            return
        if options.chart == "cusum":
            upper, lower = charts.cusum(groups, process, options.slack, options.decision)
            yield _Panel("control", _larger(upper, lower), _beyond(upper, lower))
            return
        fired = self._fired(charts.standardised(groups, process))
        yield _Panel("control", charts.means(groups, process), fired)
        spread = {
            "individuals": charts.moving_ranges,
            "xbar_r": charts.ranges,
            "xbar_s": charts.deviations,
        }[options.chart](groups, process)
        if len(spread.point):
            yield _Panel("spread", spread, _beyond(spread))

    def _squares(self, groups: FloatArray, known: Together) -> Chart:
        """Return the chart of T²: points of phase I have limits of their own."""
        one = hotelling(groups[: self._first], known, 1)
        two = hotelling(groups[self._first :], known, 2)
        return Chart(
            np.r_[one.point, two.point],
            two.centre,
            np.r_[one.lower, two.lower],
            np.r_[one.upper, two.upper],
        )

    def _fired(self, z: FloatArray) -> dict[str, tuple[str, Marks]]:
        return {
            str(name): (RULES[name].meaning, RULES[name].fires(z)) for name in self.options.rules
        }

    def _finding(self, now: int, panel: _Panel, judged: int) -> Finding:
        """Return the newest point of a chart. judged: points of the process told of before."""
        chart, last = panel.chart, len(self._groups()) - 1
        shift = last + 1 - len(chart.point)  # moving ranges begin at the second part
        first = max(judged - shift, 0)
        told = self._told(panel, first, shift)
        parts = self._outstanding(chart, first)
        said = [*told, *(about(part, self._unit(part.name)) for part in parts[:_NAMED])]
        doubt = f"phase I itself broke a rule at {self._disturbed} points: look why, learn anew"
        plain = self.options.chart in ("cusum", "p", "u", "t2")
        return Finding(
            origin=self.name,
            asset=self._asset,
            name=panel.name,
            start=min(self._ended(0), now),
            end=min(self._ended(last), now),
            value=float(chart.point[-1]),
            unit="1" if plain else self._unit(self.options.signal),
            severity=2 if told else 1 if self._disturbed else 0,
            reason="; ".join([*said, doubt] if self._disturbed else said),
            evidence=self._evidence(chart, told)
            | {f"share {part.name}": f"{part.share:.3f}" for part in parts},
        )

    def _unit(self, id: str) -> str:
        signal = self.factory.signals.get(id)
        return "1" if signal is None else signal.unit

    def _outstanding(self, chart: Chart, first: int) -> list[Part]:
        """Return which signals make the newest T² from `first` on that is too large so."""
        known, fired = self._process, np.flatnonzero(chart.outside()[first:])
        if not isinstance(known, Together) or not len(fired):
            return []
        group = self._groups()[first + fired[-1]][None]
        shares = contributions(group, known)[0]
        shares /= shares.sum() or 1.0  # none, where rounding hides what each adds
        half = 3 * np.sqrt(np.diag(known.covariance) / known.size)
        return [
            Part(
                name=self._ids[at],
                share=float(shares[at]),
                now=float(group[0, :, at].mean()),
                low=float(known.centre[at] - half[at]),
                high=float(known.centre[at] + half[at]),
                middle=float(known.centre[at]),
            )
            for at in np.argsort(-shares).tolist()
            if shares[at] >= _SHARE
        ]

    def _told(self, panel: _Panel, first: int, shift: int) -> list[str]:
        """Return which rules fired at points from `first` on, in words."""
        told = []
        for name, (meaning, marks) in panel.signals.items():
            places = [first + int(place) for place in np.flatnonzero(marks[first:])]
            moments = [to_iso(self._ended(at + shift), self.factory.zone) for at in places]
            if moments:
                more = f" and {len(moments) - _NAMED} more" if len(moments) > _NAMED else ""
                told.append(f"{name}: {meaning}, at {', '.join(moments[-_NAMED:])}{more}")
        return told

    def _evidence(self, chart: Chart, told: Sequence[str]) -> dict[str, str]:
        options, process = self.options, self._process
        assert process is not None, "a point without limits"
        evidence = {
            "signal": options.signal,
            "chart": options.chart,
            "cl": f"{chart.centre:.12g}",
            "lcl": f"{chart.lower[-1]:.12g}",
            "ucl": f"{chart.upper[-1]:.12g}",
            "points": str(len(chart.point)),
            "from": to_iso(self._ended(0), self.factory.zone),
            "limits": f"learnt from {options.learn} points" if options.centre is None else "given",
        }
        if self._learnt:
            for name, time in zip(("trained_from", "trained_until"), self._learnt, strict=True):
                evidence[name] = to_iso(time, self.factory.zone)
        if self._counts:
            evidence["size"] = f"{self._size[len(self._groups()) - 1]:.12g}"
        else:
            evidence["subgroup"] = str(options.subgroup)
        if isinstance(process, Together):
            evidence["signals"] = ", ".join(self._ids)
        else:
            evidence |= _of_sigma(process, counts=self._counts)
        if told:
            evidence["rules"] = ", ".join(text.partition(":")[0] for text in told)
        if self._gather.lost:
            evidence["incomplete"] = f"{self._gather.lost} parts without one of the measurements"
        if self._passed:
            evidence["passed over"] = f"{self._passed} samples: bad, stale, out of range or late"
        if self._left_over:
            evidence["left over"] = f"{self._left_over} parts of subgroups that were cut short"
        return evidence

    def _capability(self, now: int, groups: FloatArray) -> Iterator[Finding]:
        """Yield the indices of the latest parts, or why there are none."""
        options = self.options
        if options.lsl is None and options.usl is None:
            return
        study = groups[-max(options.study // options.subgroup, 2) :]
        first = len(groups) - len(study)
        whole = Finding(
            origin=self.name,
            asset=self._asset,
            name="capability",
            start=min(self._ended(first), now),
            end=min(self._ended(len(groups) - 1), now),
        )
        try:
            found = capability(study, options.lsl, options.usl, self._spread())
        except NotEnoughData as error:
            yield msgspec.structs.replace(whole, name="cpk", reason=str(error))
            return
        for name in ("cp", "cpk", "pp", "ppk"):
            index: Index | None = getattr(found, name)
            if index is not None:
                yield msgspec.structs.replace(
                    whole,
                    name=name,
                    value=index.value,
                    uncertainty=max(index.high - index.value, index.value - index.low),
                    evidence=_study(found, index, options),
                )

    @property
    def _asset(self) -> str:
        return self.options.signal.rpartition(".")[0] or self.options.signal

    def _ended(self, point: int) -> int:
        """Return the time of the last part of a point."""
        return self._time[(point + 1) * self.options.subgroup - 1]


def _of_sigma(process: Process, *, counts: bool) -> dict[str, str]:
    """Return what is known of single parts, in words; counts have no sigma of their own."""
    told = {"centre": f"{process.centre:.12g}"}
    if not counts:
        told["sigma"] = f"{process.sigma:.12g}"
    if process.error:
        told["uncertainty of sigma"] = f"{1.96 * process.error * process.sigma:.3g}"
    return told


def _beyond(*sides: Chart) -> dict[str, tuple[str, Marks]]:
    marks = np.logical_or.reduce([chart.outside() for chart in sides])
    return {"beyond_limits": ("a point beyond its limits", marks)}


def _larger(upper: Chart, lower: Chart) -> Chart:
    """Return both sums as one chart: at each point the one that is further from 0."""
    point = np.where(upper.point >= -lower.point, upper.point, lower.point)
    return Chart(point, 0.0, lower.lower, upper.upper)


def _study(found: Capability, index: Index, options: SpcOptions) -> dict[str, str]:
    limits = {"lsl": options.lsl, "usl": options.usl}
    return {
        "low": f"{index.low:.12g}",
        "high": f"{index.high:.12g}",
        "parts": str(found.n),
        "mean": f"{found.mean:.12g}",
        "sigma within subgroups": f"{found.within:.12g}",
        "sigma of all": f"{found.overall:.12g}",
        **{name: f"{limit:.12g}" for name, limit in limits.items() if limit is not None},
    }
