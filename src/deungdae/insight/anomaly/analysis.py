"""Watches the signals of a machine together and tells when they are unlike good running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Window
from deungdae.core.types import HOUR, SECOND, Event, Finding, TimeArray, is_good
from deungdae.insight.training import period, pieces, wrong
from deungdae.model.factory import Factory

from .judge import Judgement, Memory, judge
from .save import load
from .table import Table, aligned
from .watch import Watch, learn
from .words import reasons

_MOST = 20_000  # rows of one call: what lies further back is told as a gap
_LONGEST = 100_000  # rows of a training; of a longer one each second row is let go
_PAST = 8640  # looks before a start that are judged again: a day, of one each 10 s
_PIECE = 2000  # looks of the past that are shown at once
_HALF = 0.5  # share of a stated period that must have data


class AnomalyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is watched, what it is compared with, and how often it may be wrong."""

    signals: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Ids of the signals that belong together", min_length=1),
    ]
    model: Annotated[
        str,
        msgspec.Meta(
            description="File that `deungdae detect anomaly --save` wrote from a stretch of good "
            "running; without it a stated period, or else the first `learn` hours of running"
        ),
    ] = ""
    trained_from: Annotated[
        str,
        msgspec.Meta(
            description="Begin of a period of normal running, in the history, from which limits "
            "are learnt: ISO 8601, local where it tells no zone"
        ),
    ] = ""
    trained_until: Annotated[
        str, msgspec.Meta(description="End of that period; it may lie ahead: until then it learns")
    ] = ""
    learn: Annotated[
        float,
        msgspec.Meta(
            description="Good running from which limits are learnt", gt=0, extra={"unit": "h"}
        ),
    ] = 8.0
    alarms_per_day: Annotated[
        float,
        msgspec.Meta(description="False alarms a day that are put up with", ge=0.001, le=1000),
    ] = 1.0
    every: Annotated[
        float,
        msgspec.Meta(description="Between two looks at the signals", ge=0.01, extra={"unit": "s"}),
    ] = 10.0
    hold: Annotated[
        float,
        msgspec.Meta(
            description="For so long a value stands for a signal that tells only changes",
            gt=0,
            extra={"unit": "s"},
        ),
    ] = 600.0
    lags: Annotated[
        int, msgspec.Meta(description="Earlier looks that each is seen with", ge=0, le=10)
    ] = 3
    smooth: Annotated[
        int, msgspec.Meta(description="Looks over which the index is averaged", ge=1, le=1000)
    ] = 10
    keep: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Signals that are watched though they drift while learning"),
    ] = ()
    state: Annotated[
        str, msgspec.Meta(description="Id of the machine's state: only running counts")
    ] = ""
    running: Annotated[
        tuple[str, ...], msgspec.Meta(description="Words of that state in which it runs")
    ] = ("running", "run", "ACTIVE")


class Anomaly:
    """Watches the signals of a machine together and tells when they are unlike good running.

    It learns how the signals lie and move together while all is well (dynamic PCA, T² and Q as one
    index, robust against a quarter of bad rows) and sets the limit so that chance passes it no more
    than `alarms_per_day`. Then it tells the index over its limit, above 1 a warning, with the
    signals that make it so, above or below what is usual, and since when. Signals that drift or
    stand still while it learns are left out, and said. No data is no anomaly, and never normal
    either: a gap is told as such.

    State hours that are known to be good, `trained_from` and `trained_until`: it learns from them
    in the history, and the same again after each restart, when it also sees again what it judged
    before (8640 looks, a day at most), so that a lasting alarm keeps its begin. A `model` from
    `deungdae detect anomaly --store S --signals … --train-from … --train-to … --save pump.json`
    does too. With neither it learns from the first `learn` hours of running after its start, and
    anew after a restart; the evidence tells from when to when.

    ```toml
    [insight.pump]
    type = "anomaly"
    signals = ["pump1.current", "pump1.pressure", "pump1.flow", "pump1.vibration"]
    state = "pump1.state"
    alarms_per_day = 0.5
    ```
    """

    Options = AnomalyOptions
    files = ("model",)

    def __init__(self, name: str, options: AnomalyOptions, factory: Factory) -> None:
        """Raises FactoryError where a signal is no number or the model does not fit."""
        self.name = name
        self.options = options
        self.factory = factory
        self._watch: Watch | None = None
        self._period = period(options.trained_from, options.trained_until, factory.zone)
        self._lack = ""  # why the stated period is not enough
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)
        self._training: list[Table] = []
        self._looks = 0  # in the stated period, while it ran
        self._learnt: tuple[int, int] | None = None  # begin and end of the training
        self._memory: Memory | None = None
        self._last = 0  # time of the last look
        self._runs = True

    @property
    def needs(self) -> Needs:
        """Return the signals and the state, looked at as often as asked."""
        options = self.options
        return Needs(
            signals=options.signals,
            events=(options.state,) if options.state else (),
            every=round(options.every * SECOND),
        )

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return how unlike good running the newest rows are. Raises NotEnoughData, learning."""
        times = self._times(window)
        runs = self._running(times, window.events.get(self.options.state, ()))
        rows = aligned(
            window.samples, self.options.signals, times[runs], round(self.options.hold * SECOND)
        )
        if self._watch is None:
            self._watch = self._learn(rows)
            rows = rows.rows(rows.time > self._period[1] if self._period else slice(0))
            if not len(rows):
                return []
        if not len(rows):
            stands = "the machine does not run" if len(times) else "no look is due yet"
            raise NotEnoughData(f"nothing is judged: {stands}")
        return [self._finding(now, self._watch, self._judged(self._watch, rows))]

    def recall(self, now: int) -> Iterator[tuple[int, int]]:
        """Yield the stated period and, once it is over, what was judged last before now."""
        every = round(self.options.every * SECOND)
        begin = now - _PAST * every
        if self._period:
            start, end = self._period
            yield from pieces(start, min(end, now), _PIECE * every)
            begin = max(begin, end)
        if self._period or self._watch:
            yield from pieces(begin, now, _PIECE * every)

    def _judged(self, watch: Watch, rows: Table) -> Judgement:
        """Judge look by look: so what comes out does not depend on how many come at once."""
        looks = []
        for at in range(len(rows)):
            looks.append(judge(watch, rows.rows(slice(at, at + 1)), self._memory))
            self._memory = looks[-1].memory
        return msgspec.structs.replace(
            looks[-1],
            time=rows.time,
            ratio=np.concatenate([each.ratio for each in looks]),
            alarm=np.concatenate([each.alarm for each in looks]),
            alarms=tuple({a.start: a for each in looks for a in each.alarms}.values()),
            missing=tuple({(m.name, m.start): m for each in looks for m in each.missing}.values()),
        )

    def _times(self, window: Window) -> TimeArray:
        """Return the looks that are due, multiples of `every`."""
        every = round(self.options.every * SECOND)
        first = max(window.start, self._last) // every + 1
        last = window.end // every
        first = max(first, last - _MOST + 1)
        times = np.arange(first, last + 1, dtype=np.int64) * every
        self._last = int(times[-1]) if len(times) else self._last
        return times

    def _running(self, times: TimeArray, events: Sequence[Event]) -> NDArray[np.bool_]:
        """Return at which of the times the machine ran."""
        if not self.options.state:
            return np.ones(len(times), bool)
        words = self._words()
        told = sorted(events, key=lambda event: event.time)
        runs = [self._runs and bool(self._training or self._watch)]
        runs += [
            bool(is_good(np.uint8(event.status)))  # type: ignore[arg-type]
            and words.get(event.value, event.value).casefold() in self._names
            for event in told
        ]
        moments = np.array([event.time for event in told], np.int64)
        found: NDArray[np.bool_] = np.array(runs)[np.searchsorted(moments, times, side="right")]
        self._runs = runs[-1]
        return found

    def _words(self) -> dict[str, str]:
        signal = self.factory.signals.get(self.options.state)
        return {} if signal is None else signal.words

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(word.casefold() for word in self.options.running)

    def _learn(self, rows: Table) -> Watch:
        """Return what is usual, when enough was seen. Raises NotEnoughData until then."""
        options = self.options
        if self._period:
            return self._learn_stated(rows, *self._period)
        told = rows.rows(np.asarray(~np.isnan(rows.value).all(axis=1)))
        if len(told):
            self._training.append(told)
        wanted = max(round(options.learn * HOUR / (options.every * SECOND)), 1)
        had = sum(len(part) for part in self._training)
        if had < wanted:
            hours = had * options.every * SECOND / HOUR
            raise NotEnoughData(
                f"learning: {hours:.3g} of {options.learn:g} hours of good running are there"
            )
        table = self._trained()
        try:
            return self._usual(table)
        except NotEnoughData:
            self._training = [table.rows(slice(len(table) // 2, None))]  # go on with newer rows
            raise

    def _learn_stated(self, rows: Table, start: int, end: int) -> Watch:
        """Return what is usual in the stated period. Raises NotEnoughData where it is too short."""
        if self._lack:
            raise NotEnoughData(self._lack)
        within = rows.rows((rows.time > start) & (rows.time <= end))
        self._looks += len(within)
        self._training.append(within.rows(np.asarray(~np.isnan(within.value).all(axis=1))))
        begin, until = to_iso(start, self.factory.zone), to_iso(end, self.factory.zone)
        if self._last + round(self.options.every * SECOND) <= end:
            raise NotEnoughData(f"learning until {until}")
        table = self._trained()
        hours = [n * self.options.every * SECOND / HOUR for n in (len(table), self._looks)]
        try:
            if not len(table) or len(table) < _HALF * self._looks:
                raise NotEnoughData(
                    f"{hours[0]:.3g} of {hours[1]:.3g} hours of running have data, half of them "
                    "are needed"
                )
            return self._usual(table)
        except NotEnoughData as error:
            self._lack = f"from {begin} to {until} there is too little to learn from: {error}"
            self._training = []
            raise NotEnoughData(self._lack) from error

    def _trained(self) -> Table:
        """Return the rows that were seen for training."""
        return Table(
            self.options.signals,
            np.concatenate([part.time for part in self._training]),
            np.vstack([part.value for part in self._training]),
        )

    def _usual(self, table: Table) -> Watch:
        """Return what is usual in the training, and let go of it. Raises NotEnoughData."""
        options = self.options
        found = learn(
            table.rows(slice(None, None, max(len(table) // _LONGEST, 1))),
            per_day=options.alarms_per_day,
            lags=options.lags,
            smooth=options.smooth,
            keep=frozenset(options.keep),
        )
        self._training = []
        self._learnt = int(table.time[0]), int(table.time[-1])
        return found

    def _finding(self, now: int, watch: Watch, judged: Judgement) -> Finding:
        told = np.flatnonzero(~np.isnan(judged.ratio))
        lasting = [alarm for alarm in judged.alarms if alarm.end is None]
        units = {id: signal.unit for id, signal in self.factory.signals.items()}
        said = reasons(judged.alarms, judged.missing, judged.still, self.factory.zone, units)
        if not len(told):
            said.append("too little data to judge: this is neither normal nor an anomaly")
        start = lasting[0].start if lasting else int(judged.time[0])
        return Finding(
            origin=self.name,
            asset=self._asset,
            name="anomaly",
            start=min(start, now),
            end=now,
            value=float(judged.ratio[told[-1]]) if len(told) else None,
            severity=2 if judged.alarms else 1 if said else 0,
            reason="; ".join(said),
            evidence=self._evidence(watch, judged),
        )

    def _evidence(self, watch: Watch, judged: Judgement) -> dict[str, str]:
        limit = watch.limit
        evidence = {
            "signals": ", ".join(watch.names),
            "limit": f"{limit.value:.6g}",
            "alarms_per_day": f"{limit.per_day:g}",
            "alarms_per_day_low": f"{limit.low:.3g}",
            "alarms_per_day_high": f"{limit.high:.3g}",
            "training_days": f"{limit.days:.3g}",
            "components": str(watch.model.components),
            "lags": str(watch.model.lags),
        }
        if self._learnt:
            for name, time in zip(("trained_from", "trained_until"), self._learnt, strict=True):
                evidence[name] = to_iso(time, self.factory.zone)
        if limit.aside:
            evidence["set_aside"] = f"{limit.aside:.3f}"
        for alarm in judged.alarms[-1:]:
            evidence |= {f"share {part.name}": f"{part.share:.3f}" for part in alarm.parts}
        return evidence | {f"left {name}": why for name, why in watch.left.items()}

    @property
    def _asset(self) -> str:
        assets = [id.rpartition(".")[0] or id for id in self.options.signals]
        return max(sorted(set(assets)), key=assets.count)

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        options = self.options
        given = {"trained_from": options.trained_from, "trained_until": options.trained_until}
        for each in wrong(self.factory.zone, **given):
            yield fault(*each)
        if self._period and options.model:
            problem = "limits come from the model or from a period, not from both"
            yield fault("trained_from", options.trained_from, problem, "remove one")
        for id in options.signals:
            signal = self.factory.signals.get(id)
            if signal is not None and signal.kind != "number":
                yield fault("signals", id, f"is of kind {signal.kind}, not a number")
        text = self.factory.texts.get(options.model, "") if options.model else ""
        if not text:
            return
        try:
            self._watch = load(text)
        except ValueError as error:
            yield fault("model", options.model, f"cannot be used: {error}")
            return
        strange = [name for name in self._watch.names if name not in options.signals]
        if strange:
            yield fault(
                "signals",
                ", ".join(options.signals),
                f"the model needs {', '.join(strange)} too",
                "name all signals of the model",
            )
        if abs(self._watch.period - options.every * SECOND) > 0.1 * self._watch.period:
            wanted = self._watch.period / SECOND
            yield fault("every", options.every, f"the model has a row each {wanted:g} s")
