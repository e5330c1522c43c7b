"""What the API answers, made from a running factory: plain structs, times as ISO 8601."""

from __future__ import annotations

import os
from collections import Counter
from math import isfinite
from typing import Literal

import msgspec

from deungdae import __version__
from deungdae.app import control
from deungdae.app.control import Outcome
from deungdae.app.live import Reading
from deungdae.app.runtime import Runtime
from deungdae.core.clock import to_iso
from deungdae.core.types import Asset, Command, Event, Finding, Flag, Signal
from deungdae.decide.gate import MODES, RULES, Gate, Proposal, Writable

QUALITY = ("good", "uncertain", "bad", "bad")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error. rule: the gate's rule that forbids it; faults: all that is wrong in a file."""

    error: str
    rule: str = ""
    remedy: str = ""
    faults: list[str] = []


class FactoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who and where this factory is, and which Deungdae runs it."""

    id: str
    name: str
    timezone: str
    language: str
    currency: str
    version: str
    machines: int
    signals: int


class MachineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a door is doing. signals: what is wrong with each signal that does not work, by id."""

    room: str
    name: str
    type: str
    state: str
    since: str
    problem: str
    remedy: str
    signals: dict[str, str]


class ReadingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sample of a signal. value: null where it is no finite number."""

    value: float | None
    unit: str
    time: str
    quality: str
    flags: list[str]


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A state, scan, text, alarm, order, gap or note."""

    id: str
    time: str
    kind: str
    value: str
    quality: str
    flags: list[str]
    data: dict[str, str]


class FindingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an analysis concluded; uncertainty: half width of the 95 % interval."""

    origin: str
    asset: str
    name: str
    start: str
    end: str
    value: float | None
    unit: str
    uncertainty: float | None
    severity: int
    reason: str
    evidence: dict[str, str]


class LiveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The present. version rises with every change."""

    version: int
    readings: dict[str, ReadingAnswer]
    events: dict[str, EventAnswer]
    findings: list[FindingAnswer]


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to change a signal."""

    id: str
    signal: str
    value: float | None
    unit: str
    origin: str
    because: str
    issued: str
    expires: str


class ProposalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A command that waits for a person."""

    command: CommandAnswer
    held: str
    mode: str
    previous: float | None


class OutcomeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command. result: written, held, refused or failed."""

    command: CommandAnswer
    time: str
    result: str
    rule: str
    reason: str
    read_back: float | None


class KillAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who put the kill switch on, why and when."""

    person: str
    reason: str
    time: str


class GateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The gate. ceiling: the mode of the factory file; held: signals that a person must look at."""

    mode: Literal["none", "off", "shadow", "advise", "approve", "auto"]
    ceiling: str
    modes: list[str]
    killed: KillAnswer | None
    held: dict[str, str]
    proposals: list[ProposalAnswer]
    outcomes: list[OutcomeAnswer]
    writable: list[Writable]


class RuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule of the gate demands, for people."""

    en: str
    ko: str


class LoopAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A closed loop. source: the signal that gives the set-point, or ''."""

    name: str
    measurement: str
    output: str
    set_point: float | None
    source: str
    unit: str
    problem: str


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the house stands. doors: how many in each state; stored: items since the start."""

    state: Literal["ok", "degraded", "failing"]
    factory: str
    version: str
    pid: int
    started: str
    doors: dict[str, int]
    signals: int
    stored: int
    problems: list[str]


def factory(runtime: Runtime) -> FactoryAnswer:
    """Return who this factory is."""
    described = runtime.factory
    identity = described.identity
    return FactoryAnswer(
        id=identity.id,
        name=identity.name or identity.id,
        timezone=identity.timezone,
        language=identity.language,
        currency=identity.currency,
        version=__version__,
        machines=len(described.room("machines")),
        signals=len(described.signals),
    )


def signals(runtime: Runtime) -> list[Signal]:
    """Return every signal, in file order."""
    return list(runtime.factory.signals.values())


def assets(runtime: Runtime) -> list[Asset]:
    """Return every asset, in file order."""
    return list(runtime.factory.assets.values())


def machines(runtime: Runtime) -> list[MachineAnswer]:
    """Return how every door is doing, in file order."""
    found = []
    for key, health in runtime.health().items():
        room, _, name = key.partition(".")
        plugin = runtime.factory.room(room).get(name)
        found.append(
            MachineAnswer(
                room=room,
                name=name,
                type=plugin.type if plugin else "",
                state=health.state,
                since=to_iso(health.since),
                problem=health.problem,
                remedy=health.remedy,
                signals=dict(health.signals),
            )
        )
    return found


def live(runtime: Runtime) -> LiveAnswer:
    """Return the present."""
    known = runtime.live
    return LiveAnswer(
        version=known.version,
        readings={
            id: reading(each, runtime.factory.signals[id])
            for id, each in known.readings().items()
            if id in runtime.factory.signals
        },
        events={id: event(each) for id, each in known.events.items()},
        findings=[finding(each) for each in known.findings.values()],
    )


def reading(sample: Reading, signal: Signal) -> ReadingAnswer:
    """Return a newest sample with its unit."""
    return ReadingAnswer(
        value=finite(sample.value),
        unit=signal.unit,
        time=to_iso(sample.time),
        quality=QUALITY[sample.status & 3],
        flags=flags(sample.status),
    )


def event(known: Event) -> EventAnswer:
    """Return an event."""
    return EventAnswer(
        id=known.id,
        time=to_iso(known.time),
        kind=known.kind,
        value=known.value,
        quality=QUALITY[known.status & 3],
        flags=flags(known.status),
        data=known.data,
    )


def finding(known: Finding) -> FindingAnswer:
    """Return a finding."""
    return FindingAnswer(
        origin=known.origin,
        asset=known.asset,
        name=known.name,
        start=to_iso(known.start),
        end=to_iso(known.end),
        value=finite(known.value),
        unit=known.unit,
        uncertainty=finite(known.uncertainty),
        severity=known.severity,
        reason=known.reason,
        evidence=known.evidence,
    )


def gate(runtime: Runtime) -> GateAnswer:
    """Return how the gate stands and what it last did."""
    found = runtime.control.gate
    latest = sorted(runtime.control.outcomes.values(), key=lambda each: each.time, reverse=True)
    outcomes = [outcome(runtime, each) for each in latest]
    if found is None:
        return GateAnswer(
            mode="none",
            ceiling="none",
            modes=[],
            killed=None,
            held={},
            proposals=[],
            outcomes=outcomes,
            writable=[],
        )
    waiting = found.proposals(runtime.clock.now())
    return GateAnswer(
        mode=found.mode,
        ceiling=found.options.mode,
        modes=list(MODES[: MODES.index(found.options.mode) + 1]),
        killed=_kill(found),
        held=dict(found.held),
        proposals=[_proposal(runtime, each) for each in waiting],
        outcomes=outcomes,
        writable=list(found.options.writable),
    )


def rules() -> dict[str, RuleAnswer]:
    """Return what each rule of the gate demands."""
    return {name: RuleAnswer(en=words.en, ko=words.ko) for name, words in RULES.items()}


def outcome(runtime: Runtime, known: Outcome) -> OutcomeAnswer:
    """Return what became of a command."""
    return OutcomeAnswer(
        command=command(runtime, known.command),
        time=to_iso(known.time),
        result=known.result,
        rule=known.rule,
        reason=known.reason,
        read_back=finite(known.read_back),
    )


def command(runtime: Runtime, known: Command) -> CommandAnswer:
    """Return a command."""
    signal = runtime.factory.signals.get(known.signal)
    return CommandAnswer(
        id=known.id,
        signal=known.signal,
        value=finite(known.value),
        unit=signal.unit if signal else "",
        origin=known.origin,
        because=known.because,
        issued=to_iso(known.issued),
        expires=to_iso(known.expires),
    )


def loops(runtime: Runtime) -> list[LoopAnswer]:
    """Return every closed loop, in file order."""
    found = []
    for name, work in control.loops(runtime.thinking.thinkers).items():
        wanted = work.options.set_point
        found.append(
            LoopAnswer(
                name=name,
                measurement=work.measurement.id,
                output=work.output.id,
                set_point=finite(work.set_point),
                source=wanted if isinstance(wanted, str) else "",
                unit=work.measurement.unit,
                problem=runtime.thinking.thinkers[f"decide.{name}"].problem,
            )
        )
    return found


def health(runtime: Runtime, started: int) -> HealthAnswer:
    """Return whether the house stands, and everything that is wrong in it."""
    doors = runtime.health()
    problems = [f"{key}: {each.problem}" for key, each in doors.items() if each.problem]
    problems += [
        f"{key}: {id}: {problem}"
        for key, each in doors.items()
        for id, problem in each.signals.items()
    ]
    thinkers = runtime.thinking.thinkers.items()
    problems += [f"{key}: {each.problem}" for key, each in thinkers if each.problem]
    storing = runtime.intake.problem
    broken = any(each.state in ("offline", "degraded") for each in doors.values())
    return HealthAnswer(
        state="failing" if storing else "degraded" if broken else "ok",
        factory=runtime.factory.id,
        version=__version__,
        pid=os.getpid(),
        started=to_iso(started),
        doors=dict(Counter(each.state for each in doors.values())),
        signals=len(runtime.factory.signals),
        stored=runtime.intake.stored,
        problems=[f"history: {storing}", *problems] if storing else problems,
    )


def finite(value: float | None) -> float | None:
    """Return the value, or None where JSON cannot carry it."""
    return value if value is not None and isfinite(value) else None


def flags(status: int) -> list[str]:
    """Return in words why a status is not plain good."""
    return [str(flag.name).lower() for flag in Flag(status & 0xFC)]


def _kill(found: Gate) -> KillAnswer | None:
    kill = found.killed
    if kill is None:
        return None
    return KillAnswer(person=kill.person, reason=kill.reason, time=to_iso(kill.time))


def _proposal(runtime: Runtime, known: Proposal) -> ProposalAnswer:
    return ProposalAnswer(
        command=command(runtime, known.command),
        held=to_iso(known.held),
        mode=known.mode,
        previous=finite(known.previous),
    )
