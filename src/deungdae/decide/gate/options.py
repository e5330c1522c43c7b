"""What the factory file says of the gate: which signals may be written, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from deungdae.core import strict
from deungdae.core.errors import Fault
from deungdae.model.factory import Factory

Mode: TypeAlias = Literal["off", "shadow", "advise", "approve", "auto"]
MODES: tuple[Mode, ...] = ("off", "shadow", "advise", "approve", "auto")

_DAY = 86_400.0
Age: TypeAlias = Annotated[
    float,
    Meta(
        ge=0,
        le=_DAY,
        description="Oldest value that counts as present; 0: any, as long as the machine is "
        "connected, for servers that report changes only",
        extra={"unit": "s"},
    ),
]


class Interlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal that must be good, fresh and within its range for a write to pass."""

    signal: Annotated[str, Meta(description="Id of the signal")]
    low: Annotated[float | None, Meta(description="Lowest value, in the signal's unit")] = None
    high: Annotated[float | None, Meta(description="Highest value, in the signal's unit")] = None
    age: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=_DAY,
                description="As for the written signal, whose age is the default",
                extra={"unit": "s"},
            ),
        ]
        | None
    ) = None


class Writable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[decide.gate.writable]]` entry: one signal that may be written, and within what."""

    signal: Annotated[str, Meta(description="Id of a signal with access rw")]
    low: Annotated[float, Meta(description="Lowest value, in the signal's unit")]
    high: Annotated[float, Meta(description="Highest value, in the signal's unit")]
    step: Annotated[float, Meta(gt=0, description="Largest change by one write, in its unit")]
    rate: (
        Annotated[
            float,
            Meta(gt=0, description="Largest change per second since the last write, in its unit"),
        ]
        | None
    ) = None
    interval: Annotated[
        float, Meta(ge=0, le=_DAY, description="Least time between writes", extra={"unit": "s"})
    ] = 0.5
    age: Age = 30.0
    tolerance: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="How far the value read back may lie from the written one; by default "
                "a thousandth of high - low",
            ),
        ]
        | None
    ) = None
    mode: Annotated[Mode, Meta(description="Lowers the gate's mode for this signal")] = "auto"
    interlocks: Annotated[
        tuple[Interlock, ...], Meta(description="What else must hold for a write to pass")
    ] = ()

    @property
    def slack(self) -> float:
        """Return how far a value read back may lie from the written one."""
        return (self.high - self.low) / 1000 if self.tolerance is None else self.tolerance


class Watchdog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[decide.gate.watchdog]]` entry: a counter that we keep moving in a machine.

    The controller falls back to its own control when the counter stands still. No signal of that
    machine is written unless the counter was taken within `timeout`.
    """

    signal: Annotated[str, Meta(description="Id of the counter, a signal with access rw")]
    period: Annotated[
        float, Meta(gt=0, le=3600, description="Time between two beats", extra={"unit": "s"})
    ] = 1.0
    timeout: Annotated[
        float, Meta(gt=0, le=_DAY, description="The machine counts as lost", extra={"unit": "s"})
    ] = 5.0
    high: Annotated[int, Meta(ge=1, description="The counter runs from 0 to here and again")] = 1


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[decide.gate]` table."""

    mode: Annotated[
        Mode,
        Meta(
            description="off: all is refused; shadow: all is judged, nothing written; advise: "
            "people see what is proposed and act themselves; approve: a person permits each "
            "write; auto: what passes the rules is written"
        ),
    ] = "off"
    max_expiry: Annotated[
        float,
        Meta(gt=0, le=3600, description="Longest life of a command", extra={"unit": "s"}),
    ] = 300.0
    writable: Annotated[
        tuple[Writable, ...], Meta(description="The signals that may be written, and no others")
    ] = ()
    watchdog: Annotated[
        tuple[Watchdog, ...], Meta(description="The heartbeats that machines wait for")
    ] = ()


def faults(name: str, options: Options, factory: Factory) -> list[Fault]:
    """Return everything in which the options do not fit the factory."""
    return [factory.fault("decide", name, *told) for told in _problems(options, factory)]


Problem: TypeAlias = tuple[str, object, str, str]


def _problems(options: Options, factory: Factory) -> Iterator[Problem]:
    seen: set[str] = set()
    entries = [(f"writable[{i}]", entry.signal) for i, entry in enumerate(options.writable)]
    entries += [(f"watchdog[{i}]", entry.signal) for i, entry in enumerate(options.watchdog)]
    for key, id in entries:
        if id in seen:
            yield f"{key}.signal", id, "is listed twice", "keep one entry for each signal"
        seen.add(id)
        yield from _signal_problems(f"{key}.signal", id, factory)
        if id in factory.signals and factory.signals[id].access != "rw":
            yield f"{key}.signal", id, "can only be read", 'declare it with access = "rw"'
    for i, rule in enumerate(options.writable):
        yield from _range_problems(f"writable[{i}]", rule, factory)
        for j, lock in enumerate(rule.interlocks):
            key = f"writable[{i}].interlocks[{j}]"
            yield from _signal_problems(f"{key}.signal", lock.signal, factory)
            yield from _number_problems(key, lock, ("low", "high", "age"))
    for i, watchdog in enumerate(options.watchdog):
        if watchdog.timeout <= watchdog.period:
            yield (
                f"watchdog[{i}].timeout",
                watchdog.timeout,
                "is not above the period",
                "a few periods are usual",
            )


def _signal_problems(key: str, id: str, factory: Factory) -> Iterator[Problem]:
    signal = factory.signals.get(id)
    if signal is None:
        remedy = strict.closest(id, factory.signals) or "declare it under [[signals]]"
        yield key, id, "names a signal that is not declared", remedy
    elif signal.kind != "number":
        yield key, id, f"is a signal of kind {signal.kind}", "only numbers can be compared"


def _number_problems(key: str, entry: msgspec.Struct, names: Sequence[str]) -> Iterator[Problem]:
    for name in names:
        value = getattr(entry, name)
        if value is not None and not isfinite(value):
            yield f"{key}.{name}", value, "is not a finite number", ""


def _range_problems(key: str, rule: Writable, factory: Factory) -> Iterator[Problem]:
    if not (isfinite(rule.low) and isfinite(rule.high) and rule.low < rule.high):
        yield f"{key}.low", rule.low, f"is not below high = {rule.high}", "give both, finite"
        return
    yield from _number_problems(key, rule, ("step", "rate", "interval", "age", "tolerance"))
    signal = factory.signals.get(rule.signal)
    if signal is None:
        return
    if signal.low is not None and rule.low < signal.low:
        yield f"{key}.low", rule.low, f"is below the signal's own low = {signal.low}", ""
    if signal.high is not None and rule.high > signal.high:
        yield f"{key}.high", rule.high, f"is above the signal's own high = {signal.high}", ""
