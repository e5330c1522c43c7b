"""Watches one stream against its own past: was there ever an hour, or a day, like this one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Window
from deungdae.core.types import DAY, HOUR, SECOND, Finding, FloatArray
from deungdae.model.factory import Factory

from .anomaly import SHORT, Table, aligned, unusual

_MOST = 10_000  # rows of a history: the work grows with their square, to some seconds


class NoveltyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stream, how far back it is compared, and how often it may be wrong."""

    signal: Annotated[str, msgspec.Meta(description="Id of the stream", min_length=1)]
    every: Annotated[
        float, msgspec.Meta(description="Between two looks", ge=1, le=7200, extra={"unit": "s"})
    ] = 300.0
    history: Annotated[
        float,
        msgspec.Meta(
            description="What it is compared with: so far back, as the history holds it",
            ge=3,
            le=400,
            extra={"unit": "d"},
        ),
    ] = 14.0
    learn: Annotated[
        float,
        msgspec.Meta(
            description="Of that the first so many days are only learnt from",
            ge=1.5,
            extra={"unit": "d"},
        ),
    ] = 3.0
    alarms_per_day: Annotated[
        float,
        msgspec.Meta(description="False alarms a day that are put up with", ge=0.001, le=10),
    ] = 0.1
    hold: Annotated[
        float,
        msgspec.Meta(
            description="For so long a value stands for a signal that tells only changes",
            gt=0,
            extra={"unit": "s"},
        ),
    ] = 900.0


class Novelty:
    """Watches one stream against its own past and tells when a stretch is unlike any before.

    For a stream with a daily course, the load of a net, the temperature of a hall, the air of a
    compressor, that has no companions to be watched with as `anomaly` does. The last 12 looks and
    the last day are compared with every such stretch of the `history`; the further from the nearest
    one, the rarer. The value is -log10 of the chance: 4 is one in ten thousand looks. Above the
    limit that `alarms_per_day` gives it warns, until the stretch is usual again. What has happened
    twice is new only once.

    It keeps nothing: at each look it reads the history anew, so that a restart changes nothing.

    ```toml
    [insight.hall_load]
    type = "novelty"
    signal = "hall1.power"
    history = 14
    ```
    """

    Options = NoveltyOptions

    def __init__(self, name: str, options: NoveltyOptions, factory: Factory) -> None:
        """Raises FactoryError where the signal is no number or the history has too many looks."""
        self.name = name
        self.options = options
        self.factory = factory
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)

    @property
    def needs(self) -> Needs:
        """Return the stream with its history, as often as asked."""
        options = self.options
        return Needs(
            signals=(options.signal,),
            every=round(options.every * SECOND),
            history=round(options.history * DAY),
        )

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return how unlike its past the stream is. Raises NotEnoughData with what is missing."""
        looks = self._looks(window)
        first = max(round(self.options.learn * DAY / self._every), 1)
        value = looks.value[:, 0]
        if len(looks) <= first:
            had, wanted = (n * self._every / DAY for n in (len(looks), first))
            raise NotEnoughData(
                f"{self.options.signal}: {had:.3g} of {wanted:.3g} days with data, that the first "
                "comparison needs"
            )
        scores = unusual(value, looks.time, first=first)
        score = scores.max(axis=0)
        begin = self._since(score)
        since = int(looks.time[-1 if begin is None else begin])
        return [
            Finding(
                origin=self.name,
                asset=self.options.signal.rpartition(".")[0] or self.options.signal,
                name="novelty",
                start=since,
                end=int(looks.time[-1]),
                value=float(score[-1]),
                severity=0 if begin is None else 2,
                reason="" if begin is None else self._reason(looks, scores[:, begin], since),
                evidence={
                    "signal": self.options.signal,
                    "limit": f"{self._limit:.3g}",
                    "alarms_per_day": f"{self.options.alarms_per_day:g}",
                    "short": f"{scores[0, -1]:.3g}",
                    "day": f"{scores[1, -1]:.3g}",
                    "from": to_iso(int(looks.time[0]), self.factory.zone),
                    "looks": str(len(looks)),
                },
            )
        ]

    def _looks(self, window: Window) -> Table:
        """Return the stream at the looks at which it is known. Raises NotEnoughData without now."""
        times = np.arange(
            window.start // self._every + 1, window.end // self._every + 1, dtype=np.int64
        ) * self._every  # fmt: skip
        ids, hold = (self.options.signal,), round(self.options.hold * SECOND)
        found = aligned(window.samples, ids, times, hold)
        known = ~np.isnan(found.value[:, 0])
        if not known.any():
            raise NotEnoughData(f"{self.options.signal}: the history has no data of it")
        if not known[-1]:
            last = to_iso(int(times[known][-1]), self.factory.zone)
            raise NotEnoughData(f"{self.options.signal}: no data since {last}")
        return found.rows(known)

    def _since(self, score: FloatArray) -> int | None:
        """Return the look at which a lasting alarm began, None where there is none.

        It begins above the limit and ends when the stream is usual again.
        """
        usual = np.flatnonzero(score == 0)
        begin = int(usual[-1]) + 1 if len(usual) else 0
        over = np.flatnonzero(score[begin:] > self._limit)
        return begin + int(over[0]) if len(over) else None

    def _reason(self, looks: Table, scores: FloatArray, since: int) -> str:
        """Return what is unlike the past, since when, and what it was at this time of other days.

        scores: of the look at which it began.
        """
        moment = to_iso(since, self.factory.zone)
        hours = f"{SHORT * self._every / HOUR:.3g}"
        told = f"the last {hours} h are unlike any before, since {moment}"
        if scores[1] > scores[0]:
            told = f"the last day is unlike any before, since {moment}"
        value, ago = looks.value[:, 0], looks.time[-1] - looks.time
        same = value[(ago > 0) & (ago % DAY < self._every)]
        if not len(same):
            return told
        signal = self.factory.signals.get(self.options.signal)
        unit = "" if signal is None or signal.unit in ("", "1") else signal.unit
        now, low, high = f"{value[-1]:.5g} {unit}".strip(), same.min(), same.max()
        usual = f"now {now}, on other days at this time {low:.5g} to {high:.5g}"
        return "; ".join([told, usual])

    @property
    def _every(self) -> int:
        return round(self.options.every * SECOND)

    @property
    def _limit(self) -> float:
        """Return the value that chance passes as often as is put up with."""
        return float(-np.log10(self.options.alarms_per_day * self._every / DAY))

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        options = self.options
        signal = self.factory.signals.get(options.signal)
        if signal is not None and signal.kind != "number":
            yield fault("signal", signal.id, f"is of kind {signal.kind}, not a number")
        looks = options.history * DAY / self._every
        if looks > _MOST:
            least = options.history * DAY / SECOND / _MOST
            remedy = f"set every to {np.ceil(least):g} or more, or a shorter history"
            problem = f"makes {looks:.0f} looks, of {_MOST} that can be compared"
            yield fault("every", options.every, problem, remedy)
        if options.learn + 1 > options.history:
            problem = "leaves less than a day of the history to compare"
            yield fault("learn", options.learn, problem)
