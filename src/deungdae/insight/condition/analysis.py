"""The condition of one machine's bearing, block by block, as its vibration comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Samples, Window
from deungdae.core.types import HOUR, SECOND, Finding, Flag, FloatArray, Severity, TimeArray
from deungdae.core.units import UnknownUnitError, conversion
from deungdae.insight.training import period, pieces, wrong
from deungdae.model.factory import Factory

from . import block as blocks
from . import diagnosis, severity
from .bearing import CATALOGUE, WORDS, Geometry, Multiples, from_geometry
from .block import Block
from .diagnosis import Diagnosis, Healthy, Look
from .life import Growth, Life, remaining
from .severity import LIMITS, MEANING, Mounting, Zone

_TREND = 1000  # points of velocity that are kept; then every second one is let go
_LOUD = {"A": 0, "B": 0, "C": 2, "D": 3}  # severity of a zone
_MOST = 1e100
_SLOWEST = 30.0  # s that are kept of a waveform, at most


class ConditionOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shakes, how fast it turns, which bearing it has, and when to say so."""

    signal: Annotated[
        str,
        msgspec.Meta(description="Id of the vibration: acceleration or rms velocity", min_length=1),
    ]
    kind: Annotated[
        Literal["waveform", "rms"],
        msgspec.Meta(
            description="`waveform`: acceleration, thousands of samples a second; `rms`: velocity "
            "in mm/s from a transmitter, a sample now and then"
        ),
    ] = "waveform"
    speed: Annotated[
        float | str | None,
        msgspec.Meta(
            description="Of the shaft: a constant in turns a minute, or the id of its signal"
        ),
    ] = None
    bearing: Annotated[
        str, msgspec.Meta(description=f"Of the catalogue: {', '.join(sorted(CATALOGUE))}")
    ] = ""
    geometry: Annotated[
        Geometry | None,
        msgspec.Meta(description="Of another bearing: balls, ball and pitch in mm, angle in deg"),
    ] = None
    multiples: Annotated[
        Multiples | None,
        msgspec.Meta(
            description="As its maker states them: inner (BPFI), outer (BPFO), ball (2 BSF), cage "
            "(FTF), strikes in a turn"
        ),
    ] = None
    group: Annotated[
        Literal[1, 2],
        msgspec.Meta(description="ISO 10816-3: 1 above 300 kW, 2 from 15 to 300 kW"),
    ] = 2
    mounting: Annotated[Mounting, msgspec.Meta(description="Of the machine on its foundation")] = (
        "rigid"
    )
    limits: Annotated[
        tuple[float, float, float] | None,
        msgspec.Meta(
            description="Own ends of zones A, B and C instead of the standard's",
            extra={"unit": "mm/s"},
        ),
    ] = None
    every: Annotated[
        float,
        msgspec.Meta(description="Between two blocks that are judged", ge=1, extra={"unit": "s"}),
    ] = 60.0
    seconds: (
        Annotated[
            float,
            msgspec.Meta(
                description="Length of a block; without it as long as the bearing's lines need",
                gt=0,
                le=_SLOWEST,
                extra={"unit": "s"},
            ),
        ]
        | None
    ) = None
    learn: Annotated[
        int, msgspec.Meta(description="First blocks, taken as healthy running", ge=2, le=1000)
    ] = 20
    trained_from: Annotated[
        str,
        msgspec.Meta(
            description="Begin of a period of healthy running, in the history, whose first `learn` "
            "blocks are learnt from: ISO 8601, local where it tells no zone"
        ),
    ] = ""
    trained_until: Annotated[str, msgspec.Meta(description="End of that period")] = ""
    hold: Annotated[
        int, msgspec.Meta(description="Blocks in a row that must agree before it warns", ge=1)
    ] = 3
    growth: Annotated[
        Growth, msgspec.Meta(description="Law by which velocity grows, for the remaining life")
    ] = "auto"


class _Known(NamedTuple):
    """What has been seen of the shaft's speed: ns, turns/s."""

    time: TimeArray
    speed: FloatArray


class Condition:
    """Judges a rotating machine by its vibration: ISO zone, bearing faults, remaining life.

    Of a `waveform` (acceleration, evenly sampled, some thousand times a second, all the time or a
    few seconds now and then) the newest block of each period is judged: velocity from 10 to 1000 Hz
    against the zones of ISO 10816-3, and the envelope spectrum for strikes at the inner race, the
    outer race and the balls. It needs no faults to learn from: races are judged from the first
    block on; `learn` blocks say what healthy running is, against which levels are then compared:
    the first ones of the stated period, `trained_from` to `trained_until`, read from the history
    again after a restart, or else the first after its start, anew after each. Of an `rms` signal
    there are zone and trend alone. Zones, faults and the trend of the last 30 days go on after a
    restart.

    Zones C and D, and a fault, warn when `hold` blocks in a row agree. When velocity shows a rising
    trend, the time until zone D is told with its 90 % interval.

    ```toml
    [insight.fan_bearing]
    type = "condition"
    signal = "fan.acceleration"
    speed = "fan.speed"
    bearing = "6205"
    ```
    """

    Options = ConditionOptions

    def __init__(self, name: str, options: ConditionOptions, factory: Factory) -> None:
        """Raises FactoryError where options contradict each other or a unit does not fit."""
        self.name = name
        self.options = options
        self.factory = factory
        self._period = period(options.trained_from, options.trained_until, factory.zone)
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)
        self._gain = self._scale(options.signal, self._unit)
        self._multiples = _multiples(options)
        self._limits = options.limits or LIMITS[options.group, options.mounting]
        self._time = np.empty(0, np.int64)  # the waveform that may still be judged
        self._value = np.empty(0)
        self._judged = 0  # time of the newest sample that was judged
        self._speed: _Known | None = None
        self._first: list[Look] = []
        self._healthy: Healthy | None = None
        self._ends: list[int] = []  # of the blocks that are learnt from
        self._unfit = ""  # why the first blocks are not taken as healthy
        self._zones: deque[Zone] = deque(maxlen=options.hold)
        self._places: deque[str] = deque(maxlen=options.hold)
        self._trend: list[tuple[int, float]] = []

    @property
    def needs(self) -> Needs:
        """Return the vibration and the speed, once in a period, with what is new."""
        speed = self.options.speed
        ids = (self.options.signal, speed) if isinstance(speed, str) else (self.options.signal,)
        return Needs(signals=ids, every=round(self.options.every * SECOND))

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return what the newest block shows. Raises NotEnoughData with what is missing."""
        if isinstance(self.options.speed, str):
            self._hear(window.samples.get(self.options.speed))
        time, value = self._fresh(window.samples.get(self.options.signal), now)
        if self.options.kind == "rms":
            return list(self._slow(time, value))
        self._time = np.concatenate([self._time, time])
        self._value = np.concatenate([self._value, value])
        kept = int(np.searchsorted(self._time, self._time[-1] - round(_SLOWEST * SECOND)))
        self._time, self._value = self._time[kept:], self._value[kept:]
        return list(self._fast())

    def recall(self, now: int) -> Iterator[tuple[int, int]]:
        """Yield the stated period, as long as healthy running is not known."""
        start, end = self._period or (now, now)
        for piece in pieces(start, min(end, now), round(self.options.every * SECOND)):
            if self._healthy is None and not self._unfit:
                yield piece

    def remember(self, findings: Sequence[Finding]) -> None:
        """Go on with zones, places and trend where its own findings, in order of end, ended."""
        self._zones.clear()
        self._places.clear()
        self._trend.clear()
        places = {word: place for place, word in WORDS.items()}
        for finding in findings:
            if finding.evidence.get("signal") != self.options.signal:
                continue
            self._judged = max(self._judged, finding.end)
            if finding.name == "vibration" and finding.value is not None:
                self._follow(finding.value, finding.end)
            elif finding.name == "bearing" and finding.evidence.get("place") in places:
                self._places.append(places[finding.evidence["place"]])

    def _fresh(self, samples: Samples | None, now: int) -> tuple[TimeArray, FloatArray]:
        """Return the good samples that are newer than those before. Raises NotEnoughData."""
        signal = self.options.signal
        if samples is None or not len(samples):
            raise NotEnoughData(f"{signal}: no samples came")
        status = samples.status
        good = (status & 3) != Severity.BAD
        good &= (status & np.uint8(Flag.STALE)) == 0
        good &= np.abs(samples.value) < _MOST
        good &= (samples.time > self._judged) & (samples.time <= now)
        if not good.any():
            raise NotEnoughData(f"{signal}: no good samples came")
        self._judged = int(samples.time[good][-1])
        return samples.time[good], samples.value[good] * self._gain

    # ---- a waveform

    def _fast(self) -> Iterator[Finding]:
        block, start, end = self._block()
        yield self._shaking(block, start, end)
        if self._multiples is not None:
            yield self._bearing(diagnosis.look(block, self._multiples), start, end)
        yield from self._life(start, end)

    def _shaking(self, block: Block, start: int, end: int) -> Finding:
        try:
            found = severity.indicators(block)
        except NotEnoughData as error:
            return self._vibration(start, end, reason=str(error))
        about = {
            "acceleration, m/s2 rms": f"{found.acceleration:.4g}",
            "kurtosis": f"{found.kurtosis:.3g}",
            "crest": f"{found.crest:.3g}",
        }
        return self._zone(found.velocity, start, end, about | _doubts(block.doubts))

    def _block(self) -> tuple[Block, int, int]:
        """Return the newest block with its begin and end. Raises NotEnoughData."""
        first, rate, doubts = blocks.evenly(self._time)
        time, value = self._time[first:], self._value[first:]
        turning = self._turning(time)
        length = self.options.seconds or self._length(turning)
        n = round(length * rate)
        if len(value) < n:
            raise NotEnoughData(
                f"{self.options.signal}: {len(value) / rate:.2g} s without a gap; a block has "
                f"{length:.2g} s"
            )
        block = blocks.recorded(value[-n:], rate, turning[-n:])
        self._time, self._value = self._time[:0], self._value[:0]
        return (
            msgspec.structs.replace(block, doubts=doubts + block.doubts),
            int(time[-n]),
            int(time[-1]),
        )

    def _length(self, turning: FloatArray) -> float:
        if self._multiples is None:
            return 1.0
        speed = float(turning.mean())
        if not speed > 0:
            raise NotEnoughData("the shaft stands still")
        return min(max(1.0, 1.1 * diagnosis.turns_needed(self._multiples) / speed), _SLOWEST)

    def _turning(self, time: TimeArray) -> FloatArray:
        """Return the shaft's speed at each time, turns/s. Raises NotEnoughData if unknown."""
        speed = self.options.speed
        if isinstance(speed, float | int):
            return np.full(len(time), speed / 60)
        if self._speed is None:
            if speed is None:  # nothing depends on it without a bearing
                return np.full(len(time), 25.0)
            raise NotEnoughData(f"{speed}: the shaft's speed is not known")
        known = self._speed
        after = (known.time - time[0]).astype(np.float64)
        return np.asarray(np.interp((time - time[0]).astype(np.float64), after, known.speed))

    def _hear(self, samples: Samples | None) -> None:
        """Keep what is new of the speed, and the last that was known."""
        if samples is None or not len(samples) or not isinstance(self.options.speed, str):
            return
        good = ((samples.status & 3) != Severity.BAD) & np.isfinite(samples.value)
        good &= np.abs(samples.value) < _MOST
        if not good.any():
            self._speed = None
            return
        gain = self._scale(self.options.speed, "/min") / 60
        self._speed = _Known(samples.time[good], samples.value[good] * gain)

    def _bearing(self, seen: Look, start: int, end: int) -> Finding:
        """Return the finding about the bearing, and learn from the first blocks."""
        self._study(seen, end)
        healthy = self._healthy
        if healthy is not None and abs(healthy.rate - seen.rate) > 0.01 * seen.rate:
            healthy = None  # the sensor was exchanged: levels cannot be compared
        found = diagnosis.diagnose(seen, healthy)
        self._places.append(found.place)
        shown = found.place != "none"
        lasting = shown and self._places.count(found.place) == self.options.hold
        return Finding(
            origin=self.name,
            asset=self._asset,
            name="bearing",
            start=start,
            end=end,
            value=found.ratio,
            severity=2 if lasting else 1 if shown else 0,
            reason=diagnosis.in_words(found) if shown else "",
            evidence=self._evidence(found),
        )

    def _study(self, seen: Look, end: int) -> None:
        """Take the first blocks as healthy running, unless they show a fault."""
        if self._healthy is not None or self._unfit:
            return
        first, last = self._period or (end, end)
        if end > last:
            begin, until = to_iso(first, self.factory.zone), to_iso(last, self.factory.zone)
            n, wanted = len(self._first), self.options.learn
            self._unfit = f"from {begin} to {until} there are {n} of {wanted} healthy blocks"
        if not first <= end <= last:
            return
        self._first.append(seen)
        self._ends.append(end)
        if len(self._first) < self.options.learn:
            return
        try:
            self._healthy = diagnosis.learn(self._first)
        except NotEnoughData as error:
            self._unfit = str(error)
        self._first = []

    def _evidence(self, found: Diagnosis) -> dict[str, str]:
        told = {"signal": self.options.signal, "place": found.word, "by": found.by}
        for place, strike in found.strikes.items():
            told[place] = (
                f"depth {strike.depth:.2f} of {found.limits[place]:.2f}, {strike.frequency:.1f} Hz "
                f"({strike.slip:+.1%}), {strike.harmonics} harmonics, "
                f"{strike.sidebands} sidebands, "
                f"{strike.peak:.0f} times the floor, {strike.low:.0f}-{strike.high:.0f} Hz"
            )
        if found.risen is not None:
            told["level against healthy running"] = f"{found.risen:+.1f} dB"
        if found.chance is not None:
            told["chance when healthy"] = f"{found.chance:.2g}"
        told["healthy running"] = self._learnt
        if self._healthy is not None:
            for name, at in (("trained_from", 0), ("trained_until", -1)):
                told[name] = to_iso(self._ends[at], self.factory.zone)
        return told | _doubts(found.doubts)

    @property
    def _learnt(self) -> str:
        if self._healthy is not None:
            return f"learnt from {self._healthy.blocks} blocks"
        return self._unfit or f"{len(self._first)} of {self.options.learn} blocks learnt"

    # ---- an rms velocity

    def _slow(self, time: TimeArray, value: FloatArray) -> Iterator[Finding]:
        """Yield zone and remaining life from a transmitter's values of one period."""
        start, end = int(time[0]), int(time[-1])
        if not (value >= 0).all():
            raise NotEnoughData(f"{self.options.signal}: an rms value cannot be below zero")
        yield self._zone(float(np.median(value)), start, end, {"samples": str(len(value))})
        yield from self._life(start, end)

    # ---- zone and trend

    def _zone(self, velocity: float, start: int, end: int, about: dict[str, str]) -> Finding:
        zone = self._follow(velocity, end)
        lasting = len(self._zones) == self.options.hold
        least = min(self._zones) if lasting else "A"
        return self._vibration(
            start,
            end,
            value=velocity,
            severity=_LOUD[least],
            reason=f"zone {zone}: {MEANING[zone]}" if zone > "B" else "",
            evidence={
                "signal": self.options.signal,
                "zone": zone,
                "limits": ", ".join(f"{limit:g}" for limit in self._limits),
                "from": "own limits" if self.options.limits else self._standard,
                **about,
            },
        )

    def _follow(self, velocity: float, end: int) -> Zone:
        """Return the zone of a velocity, and keep both."""
        zones: tuple[Zone, ...] = ("A", "B", "C", "D")
        zone = zones[sum(velocity > limit for limit in self._limits)]
        self._zones.append(zone)
        self._trend.append((end, velocity))
        if len(self._trend) > _TREND:
            self._trend = self._trend[1::2]
        return zone

    def _vibration(self, start: int, end: int, **told: Any) -> Finding:
        return Finding(
            origin=self.name,
            asset=self._asset,
            name="vibration",
            start=start,
            end=end,
            unit="mm/s",
            **told,
        )

    @property
    def _standard(self) -> str:
        return f"ISO 10816-3, group {self.options.group}, {self.options.mounting}"

    def _life(self, start: int, end: int) -> Iterator[Finding]:
        """Yield the time until zone D, once there is a trend."""
        if not self._trend or self._trend[-1][1] > self._limits[2]:
            return  # it is there
        first = self._trend[0][0]
        hours = np.asarray([(time - first) / HOUR for time, _ in self._trend])
        try:
            life = remaining(
                hours,
                np.asarray([velocity for _, velocity in self._trend]),
                self._limits[2],
                growth=self.options.growth,
            )
        except NotEnoughData:
            return  # most machines never show a trend: no finding says so best
        if not np.isfinite(life.value):
            return
        yield self._remaining(life, first, start, end)

    def _remaining(self, life: Life, first: int, start: int, end: int) -> Finding:
        known = bool(np.isfinite(life.high))
        half = max(life.high - life.value, life.value - life.low) if known else None
        return Finding(
            origin=self.name,
            asset=self._asset,
            name="remaining_life",
            start=min(first + round(life.since * HOUR), start),
            end=end,
            value=life.value,
            unit="h",
            uncertainty=half,
            severity=1,
            reason=f"velocity rises: until {self._limits[2]:g} mm/s, zone D",
            evidence={
                "low": f"{life.low:.4g}",
                "high": f"{life.high:.4g}",
                "interval": "90 %",
                "growth": life.growth,
                "points": str(len(self._trend)),
            },
        )

    # ---- what the factory file says

    @property
    def _asset(self) -> str:
        return self.options.signal.rpartition(".")[0] or self.options.signal

    @property
    def _unit(self) -> str:
        return "m/s2" if self.options.kind == "waveform" else "mm/s"

    def _scale(self, id: str, unit: str) -> float:
        """Return what a signal's values are to be multiplied with; a bare number has the unit."""
        signal = self.factory.signals.get(id)
        if signal is None or signal.unit == "1":
            return 1.0
        return conversion(signal.unit, unit)[0]

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        options = self.options
        wanted = {"signal": (options.signal, self._unit)}
        if isinstance(options.speed, str):
            wanted["speed"] = (options.speed, "/min")
        for key, (id, unit) in wanted.items():
            signal = self.factory.signals.get(id)
            if signal is not None and signal.kind != "number":
                yield fault(key, id, f"is of kind {signal.kind}, not a number")
            try:
                self._scale(id, unit)
            except UnknownUnitError as error:
                yield fault(key, id, str(error), f"give the signal a unit like {unit}")
        yield from self._faults_of_training()
        given = [options.bearing, options.geometry, options.multiples]
        if sum(bool(each) for each in given) > 1:
            yield fault(
                "bearing",
                options.bearing,
                "is stated twice",
                "state bearing, geometry or multiples",
            )
        if options.bearing and options.bearing not in CATALOGUE:
            yield fault(
                "bearing",
                options.bearing,
                "is not in the catalogue",
                f"use {' or '.join(sorted(CATALOGUE))}, or state geometry or multiples",
            )
        elif options.geometry is not None and options.geometry.ball >= options.geometry.pitch:
            yield fault("geometry", options.geometry.ball, "is not smaller than the pitch diameter")
        if isinstance(options.speed, float | int) and not 0 < options.speed < np.inf:
            yield fault("speed", options.speed, "is no speed of a turning shaft")
        if any(given) and options.kind == "waveform" and options.speed is None:
            yield fault("speed", None, "a bearing's strikes follow the shaft", "state its speed")
        if any(given) and options.kind == "rms":
            yield fault(
                "bearing", options.bearing, "an rms value shows no strikes", "remove the bearing"
            )
        if (
            options.limits is not None
            and not 0 < options.limits[0] < options.limits[1] < (options.limits[2])
        ):
            yield fault("limits", options.limits, "do not rise from zero")

    def _faults_of_training(self) -> Iterator[Fault]:
        options = self.options
        fault = partial(self.factory.fault, "insight", self.name)
        stated = {"trained_from": options.trained_from, "trained_until": options.trained_until}
        for each in wrong(self.factory.zone, **stated):
            yield fault(*each)
        if self._period and not (options.bearing or options.geometry or options.multiples):
            problem = "without a bearing nothing is learnt"
            yield fault("trained_from", options.trained_from, problem, "remove it")


def _multiples(options: ConditionOptions) -> Multiples | None:
    """Return what the options say of the bearing, or None."""
    if options.geometry is not None:
        return from_geometry(options.geometry)
    return options.multiples or CATALOGUE.get(options.bearing)


def _doubts(doubts: Sequence[str]) -> dict[str, str]:
    return {"doubts": "; ".join(doubts)} if doubts else {}
