"""A closed loop: a PID controller that asks for an output with each new measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault, NotEnoughData, Refused
from deungdae.core.ports import Needs, Window
from deungdae.core.types import SECOND, Command, Severity, Signal
from deungdae.model.factory import Factory

from .pid import Bounds, Pid, Tuning
from .tuning import Estimate, Model, Simc, identify, simc

__all__ = ["Estimate", "Loop", "Model", "Simc", "identify", "simc"]

Row: TypeAlias = tuple[int, float, int]  # time, value, status


class Loop:
    """A PID controller: it holds a measurement at its set-point by asking for an output.

    Standard form with set-point weight, derivative of the filtered measurement, limits of output
    and output rate, and back-calculation against windup. It starts, and goes on after a gap, from
    the output that the machine holds, so nothing jumps; also where its commands were not written
    for `expiry` seconds, or somebody else moved the output. With a bad or old measurement it asks
    for nothing, says why, and the machine stays where its own controller keeps it. What it asks
    for goes through the gate, as everything does.

    ```toml
    [decide.zone3]
    type = "loop"
    measurement = "kiln1.zone3.temperature"
    output = "kiln1.zone3.valve"
    set_point = 1200.0
    kp = 1.4        # % per K
    ti = 340.0
    rate = 1.0

    [[signals]]
    id = "kiln1.zone3.temperature"
    unit = "Cel"
    low = 0
    high = 1500

    [[signals]]
    id = "kiln1.zone3.valve"
    unit = "%"
    low = 0
    high = 100
    access = "rw"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        measurement: Annotated[str, Meta(description="Id of the signal to hold")]
        output: Annotated[str, Meta(description="Id of the signal to write, access rw")]
        set_point: Annotated[
            float | str,
            Meta(description="What to hold it at, in its unit, or the id of a signal that says so"),
        ]
        kp: Annotated[
            float,
            Meta(gt=0, description="Gain: output unit per unit of the measurement"),
        ]
        ti: Annotated[
            float,
            Meta(ge=0, description="Integral time; 0: no integral action", extra={"unit": "s"}),
        ]
        td: Annotated[
            float,
            Meta(ge=0, description="Derivative time; 0: no derivative", extra={"unit": "s"}),
        ] = 0.0
        action: Annotated[
            Literal["reverse", "direct"],
            Meta(
                description="reverse: more output raises the measurement, as in heating; direct: "
                "it lowers it, as in cooling"
            ),
        ] = "reverse"
        weight: Annotated[
            float,
            Meta(ge=0, le=1, description="Share of a set-point change that acts at once"),
        ] = 1.0
        filter: Annotated[
            float, Meta(ge=1, le=100, description="The derivative is filtered with td / filter")
        ] = 10.0
        low: Annotated[
            float | None, Meta(description="Lowest output; by default the signal's low")
        ] = None
        high: Annotated[
            float | None, Meta(description="Highest output; by default the signal's high")
        ] = None
        rate: (
            Annotated[float, Meta(gt=0, description="Largest change of the output per second")]
            | None
        ) = None
        resolution: Annotated[
            float, Meta(ge=0, description="A smaller change of the output is not written")
        ] = 0.0
        every: Annotated[
            float,
            Meta(ge=0, description="Period; 0: with each new measurement", extra={"unit": "s"}),
        ] = 0.0
        age: Annotated[
            float,
            Meta(
                gt=0,
                description="An older measurement is not used; after a longer gap it starts anew",
                extra={"unit": "s"},
            ),
        ] = 30.0
        expiry: Annotated[
            float, Meta(gt=0, le=3600, description="Life of a command", extra={"unit": "s"})
        ] = 10.0

    def __init__(self, name: str, options: Options, factory: Factory) -> None:
        """Raise FactoryError with everything in which the options do not fit the factory."""
        if faults := _faults(name, options, factory):
            raise FactoryError(faults)
        self.name = name
        self.options = options
        self.measurement = factory.signals[options.measurement]
        self.output = factory.signals[options.output]
        self._low, self._high = _limits(options, self.output)
        self._pid = Pid(
            _tuning(options, options.kp, options.ti, options.td),
            Bounds(low=self._low, high=self._high, rate=options.rate),
        )
        self._set_point = None if isinstance(options.set_point, str) else float(options.set_point)
        self._set_point_at = 0
        self._held: float | None = None  # what the machine reports of the output
        self._held_at = 0
        self._asked: float | None = None  # the output that was asked for last
        self._asked_range = (0.0, 0.0)  # of all that was asked for since the machine last followed
        self._asked_since = 0
        self._left = 0.0  # what the machine held then
        self._followed = False  # whether the machine was seen to hold what was asked for
        self._running = False
        self._sampled = 0  # time of the last measurement that was used
        self._count = 0

    @property
    def needs(self) -> Needs:
        """Return what it must be given."""
        ids = [self.measurement.id, self.output.id]
        if isinstance(self.options.set_point, str):
            ids.append(self.options.set_point)
        return Needs(signals=tuple(ids), every=round(self.options.every * SECOND))

    @property
    def set_point(self) -> float | None:
        """Return what the measurement is held at, or None while its signal has not told."""
        return self._set_point

    def retarget(self, set_point: float) -> None:
        """Hold the measurement at another set-point from the next measurement on.

        Raises Refused if a signal gives the set-point, or it is outside the measurement's range.
        """
        if isinstance(self.options.set_point, str):
            raise Refused("not-writable", f"{self.options.set_point} gives the set-point")
        if not isfinite(set_point):
            raise Refused("not-finite", f"{set_point} is not a finite number")
        low, high = self.measurement.low, self.measurement.high
        if (low is not None and set_point < low) or (high is not None and set_point > high):
            raise Refused("limits", f"{set_point:g} is outside {low} to {high}")
        self._set_point = set_point

    def retune(self, kp: float, ti: float, td: float = 0.0) -> None:
        """Go on with another tuning; the output does not jump. Raises Refused for a wrong one."""
        if not (kp > 0 and ti >= 0 and td >= 0 and all(map(isfinite, (kp, ti, td)))):
            raise Refused("limits", f"kp {kp:g}, ti {ti:g}, td {td:g}: above 0, from 0, from 0")
        self._pid.retune(_tuning(self.options, kp, ti, td))

    def decide(self, now: int, window: Window) -> Sequence[Command]:
        """Return the command for the newest measurement, if any.

        Raises NotEnoughData with the reason while it cannot control.
        """
        self._hear(window, now)
        fresh = self._rows(window, self.measurement.id, self._sampled, now)
        if not fresh:
            return ()
        self._compare(now)
        problem = self._problem(fresh[-1], now)
        for time, value, status in fresh:
            gap = self._control(time, value, _good(value, status) and not problem)
        if not isfinite(self._pid.output):  # a measurement of 1e308, say
            self._running, problem = False, "the measurement or set-point is beyond all bounds"
        if problem or gap:
            raise NotEnoughData(problem or gap)
        return self._ask(now, fresh[-1][1])

    def _rows(self, window: Window, id: str, after: int, now: int) -> list[Row]:
        """Return a signal's samples after a time, in order of time, none far in the future."""
        samples = window.samples.get(id)
        if samples is None:
            return []
        rows = zip(
            samples.time.tolist(), samples.value.tolist(), samples.status.tolist(), strict=True
        )
        latest = now + self.options.age * SECOND
        newest = {row[0]: row for row in rows if after < row[0] <= latest}
        return [newest[time] for time in sorted(newest)]

    def _hear(self, window: Window, now: int) -> None:
        """Take in what the machine and the set-point's signal report."""
        for time, value, status in self._rows(window, self.output.id, self._held_at, now):
            self._held, self._held_at = value if _good(value, status) else None, time
        if isinstance(self.options.set_point, str):
            rows = self._rows(window, self.options.set_point, self._set_point_at, now)
            for time, value, status in rows:
                self._set_point, self._set_point_at = value if _good(value, status) else None, time

    def _compare(self, now: int) -> None:
        """Notice when the machine does not hold what was asked for: start anew from what it holds.

        It has `expiry` to follow, and may be on its way; any other value is somebody else's.
        """
        if self._asked is None or self._held is None:
            return
        slack = max(self.options.resolution, (self._high - self._low) / 1000)
        low, high = self._asked_range
        if low - slack <= self._held <= high + slack:
            self._followed = True
            return
        under_way = min(low, self._left) - slack <= self._held <= max(high, self._left) + slack
        late = now - self._asked_since > self.options.expiry * SECOND
        if self._followed or late or not under_way:
            self._running = False

    def _problem(self, row: Row, now: int) -> str:
        """Return why the newest measurement cannot be used, or ''."""
        time, value, status = row
        seconds, age = (now - time) / SECOND, self.options.age
        if not _good(value, status):
            return f"{self.measurement.id} is not good: the output stays as it is"
        if seconds > age:
            return f"{self.measurement.id} is {seconds:g} s old, {age:g} s are allowed"
        if self._set_point is None:
            return f"the set-point {self.options.set_point} is not known or not good"
        if self._held is None:
            return f"{self.output.id} is not known or not good: what to start from is not known"
        return ""

    def _control(self, time: int, value: float, usable: bool) -> str:
        """Take one measurement into the controller. Return why it had to start anew, or ''."""
        dt, age = (time - self._sampled) / SECOND, self.options.age
        self._sampled = time
        if not usable or self._set_point is None or self._held is None:
            self._running = False
            return ""
        if self._running and dt <= age:
            self._pid.step(value, self._set_point, dt)
            return ""
        gap = f"no measurement for {dt:g} s: it starts anew; if they come so seldom, raise age"
        self._pid.start(value, self._set_point, self._held)
        was_running, self._running, self._asked = self._running, True, None
        return gap if was_running else ""

    def _ask(self, now: int, measured: float) -> tuple[Command, ...]:
        """Return the command for the controller's output, unless it changes too little."""
        value = min(max(self._pid.output, self._low), self._high)
        last = self._held if self._asked is None else self._asked
        if last is not None and abs(value - last) < self.options.resolution:
            return ()
        if self._asked is None or self._followed:
            self._asked_since, self._asked_range = now, (value, value)
            self._left = value if self._held is None else self._held
        self._asked, self._followed = value, False
        self._asked_range = (min(value, self._asked_range[0]), max(value, self._asked_range[1]))
        self._count += 1
        unit = self.measurement.unit
        return (
            Command(
                id=f"{self.name}:{now}:{self._count}",
                signal=self.output.id,
                value=value,
                origin=self.name,
                because=f"set-point {self._set_point:g} {unit}, measured {measured:g} {unit}",
                issued=now,
                expires=now + round(self.options.expiry * SECOND),
            ),
        )


def _tuning(options: Loop.Options, kp: float, ti: float, td: float) -> Tuning:
    return Tuning(
        gain=kp if options.action == "reverse" else -kp,
        integral=ti,
        derivative=td,
        weight=options.weight,
        filter=options.filter,
    )


def _limits(options: Loop.Options, output: Signal) -> tuple[float, float]:
    """Return the output's limits; NaN where neither the options nor the signal give one."""
    low = output.low if options.low is None else options.low
    high = output.high if options.high is None else options.high
    return float("nan") if low is None else low, float("nan") if high is None else high


def _good(value: float, status: int) -> bool:
    return status & 3 == Severity.GOOD and isfinite(value)


def _faults(name: str, options: Loop.Options, factory: Factory) -> list[Fault]:
    """Return everything in which the options do not fit the factory."""
    problems = _problems(options, factory.signals)
    return [factory.fault("decide", name, *told) for told in problems]


def _problems(
    options: Loop.Options, signals: Mapping[str, Signal]
) -> Iterator[tuple[str, object, str, str]]:
    """Yield key, value, problem and remedy of what is wrong."""
    for key, value in msgspec.structs.asdict(options).items():
        if isinstance(value, float) and not isfinite(value):
            yield key, value, "is not a finite number", ""
    for key in ("measurement", "output", "set_point"):
        id = getattr(options, key)
        signal = signals.get(id)
        if isinstance(id, str) and signal is None:
            remedy = strict.closest(id, signals) or "declare it under [[signals]]"
            yield key, id, "names a signal that is not declared", remedy
        elif signal is not None and signal.kind != "number":
            yield key, id, f"is a signal of kind {signal.kind}", "use a number"
    output = signals.get(options.output)
    if output is not None and output.access != "rw":
        yield "output", output.id, "can only be read", 'declare it with access = "rw"'
    low, high = _limits(options, output) if output else (0.0, 1.0)
    if not (isfinite(low) and isfinite(high) and low < high):
        remedy = "give low and high, here or at the signal"
        yield "low", low, f"is no lower limit below high = {high}", remedy
