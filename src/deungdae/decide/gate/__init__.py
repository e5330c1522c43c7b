"""The gate, the one way back to the machines: a Command becomes a Permit, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Literal

import msgspec

from deungdae.core.errors import FactoryError, Refused
from deungdae.core.types import SECOND, Command, Finding, Permit, Signal
from deungdae.model.factory import Factory

from . import options as _options
from .options import MODES, Interlock, Mode, Watchdog, Writable
from .rules import CHECKS, RULES, Case, Reading, View, Words, Written

__all__ = [
    "MODES",
    "RULES",
    "Flight",
    "Gate",
    "Interlock",
    "Kill",
    "Mode",
    "Proposal",
    "Reading",
    "State",
    "View",
    "Watchdog",
    "Words",
    "Writable",
]

JITTER = SECOND  # ns; tasks read the clock in turn, so a little back is no step of the clock
PATIENCE = 60 * SECOND  # ns after its expiry; a write of which nothing was heard then is lost


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A Command that passed every rule and waits for a person. mode: what the gate was in."""

    command: Command
    held: int
    mode: Literal["advise", "approve"]
    previous: float | None = None


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Who put the kill switch on, why and when."""

    person: str
    reason: str
    time: int


class Flight(msgspec.Struct, frozen=True):
    """A write whose outcome is not known yet."""

    command: Command
    granted: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gate remembers, as data: for the journal, and to go on after a restart.

    mode: what a person chose, None: as the factory file says. latest: the latest time that it saw.
    tripped: why a signal is held, by id. judged: when each judged command expires, by command id.
    """

    mode: Mode | None = None
    latest: int = 0
    kill: Kill | None = None
    tripped: dict[str, str] = {}
    written: dict[str, Written] = {}
    flights: dict[str, Flight] = {}
    proposals: dict[str, Proposal] = {}
    judged: dict[str, int] = {}


class Gate:
    """The gate between those who decide and the machines: nothing is written that it did not pass.

    Only signals that are listed may be written, each within its limits, step, rate and distance in
    time, only while its present value is good and fresh and its interlocks hold, and only by a
    command that has not expired. Every refusal names its rule. Begin with `mode = "shadow"`, read
    for some weeks what would have been written, then go up one mode at a time.

    ```toml
    [decide.gate]
    type = "gate"
    mode = "auto"

    [[decide.gate.writable]]
    signal = "kiln1.zone3.valve"
    low = 20.0
    high = 80.0
    step = 2.0
    rate = 0.5
    interlocks = [{ signal = "kiln1.zone3.temperature", low = 600.0, high = 1250.0 }]

    [[decide.gate.watchdog]]
    signal = "kiln1.heartbeat"

    [[signals]]
    id = "kiln1.zone3.valve"
    unit = "%"
    low = 0
    high = 100
    access = "rw"

    [[signals]]
    id = "kiln1.zone3.temperature"
    unit = "Cel"

    [[signals]]
    id = "kiln1.heartbeat"
    access = "rw"
    ```
    """

    Options = _options.Options

    def __init__(self, name: str, options: _options.Options, factory: Factory) -> None:
        """Raise FactoryError with everything in which the options do not fit the factory."""
        if found := _options.faults(name, options, factory):
            raise FactoryError(found)
        self.name = name
        self.options = options
        self.signals: Mapping[str, Signal] = factory.signals
        self._rules = {rule.signal: rule for rule in options.writable}
        self._watchdogs = {watchdog.signal: watchdog for watchdog in options.watchdog}
        self._chosen: Mode | None = None
        self._latest = 0
        self._kill: Kill | None = None
        self._tripped: dict[str, str] = {}
        self._written: dict[str, Written] = {}
        self._flights: dict[str, Flight] = {}
        self._proposals: dict[str, Proposal] = {}  # by signal
        self._judged: dict[str, int] = {}
        self._beats: dict[str, Command] = {}  # the newest beat of each watchdog
        self._alive: dict[str, int] = {}  # when each watchdog was last taken by its machine

    @property
    def mode(self) -> Mode:
        """Return the mode that the gate is in."""
        return min(self._chosen or self.options.mode, self.options.mode, key=MODES.index)

    @property
    def killed(self) -> Kill | None:
        """Return who put the kill switch on, or None."""
        return self._kill

    @property
    def held(self) -> Mapping[str, str]:
        """Return why each signal is held that waits for a person to look, by id."""
        return dict(self._tripped)

    @property
    def watches(self) -> tuple[str, ...]:
        """Return the ids of all signals that it must be able to see."""
        locks = [lock.signal for rule in self._rules.values() for lock in rule.interlocks]
        return tuple(dict.fromkeys([*self._rules, *locks]))

    def judge(self, command: Command, now: int, view: View) -> Permit | Proposal:
        """Return a Permit, or a Proposal where a person must act. Raises Refused with the rule.

        A Permit must be followed by `recheck` just before the write, then `confirm` or `lost`.
        """
        now = self._enter(now)
        self._check_command(command, now)
        if command.signal in self._watchdogs:
            return self._judge_beat(command, now)
        self._check_once(command)
        mode = self._mode_for(command.signal)
        if mode == "off":
            raise Refused("mode-off", f"the gate's mode for {command.signal} is off")
        case = self._check_case(command, now, view)
        if mode == "shadow":
            raise Refused("mode-shadow", _would(case))
        previous = None if case.reading is None else case.reading.value
        if mode == "auto":
            return self._grant(command, now, previous, "auto")
        self._check_waiting(command, now)
        proposal = Proposal(command=command, held=now, mode=mode, previous=previous)
        self._proposals[command.signal] = proposal
        return proposal

    def _check_waiting(self, command: Command, now: int) -> None:
        """Raise Refused while a person still considers an earlier proposal for the signal.

        A loop asks faster than anybody reads: what is being read must not change under the hand.
        """
        earlier = self._proposals.get(command.signal)
        if earlier and earlier.command.expires > now and earlier.mode == "approve":
            value = earlier.command.value
            raise Refused("waiting", f"{command.signal}: {value:g} already waits for a person")

    def proposals(self, now: int) -> list[Proposal]:
        """Return the proposals that still wait for a person, oldest first."""
        now = max(now, self._latest)
        waiting = [p for p in self._proposals.values() if p.command.expires > now]
        return sorted(waiting, key=lambda proposal: proposal.held)

    def approve(self, id: str, person: str, now: int, view: View) -> Permit:
        """Return the Permit of a proposal that a person approves, judged anew. Raises Refused.

        A proposal that is refused now, e.g. for an open interlock, waits on until it expires.
        """
        _check_person(person)
        now = self._enter(now)
        command = self._proposal(id).command
        self._check_command(command, now)
        self._check_writes(command.signal)
        case = self._check_case(command, now, view)
        del self._proposals[command.signal]
        previous = None if case.reading is None else case.reading.value
        return self._grant(command, now, previous, "approve", person)

    def decline(self, id: str, person: str) -> Proposal:
        """Return the proposal that a person declines; it no longer waits. Raises Refused."""
        _check_person(person)
        return self._proposals.pop(self._proposal(id).command.signal)

    def recheck(self, permit: Permit, now: int) -> None:
        """Raise Refused if a permit must not be written any more: expired, killed, mode lowered.

        To be called last of all before the wire: making the permit durable took time. A permit
        that is refused here was not written, and its signal is free again.
        """
        command = permit.command
        if not self._is_under_way(permit):
            raise Refused("no-permit", f"no write of command {command.id} is under way")
        try:
            self._check_command(command, self._check_time(now))
            self._check_writes(command.signal)
        except Refused:
            del self._flights[command.signal]
            raise

    def confirm(self, permit: Permit, read_back: float | None, now: int) -> Finding | None:
        """Return None if the machine took the value, else the finding; the signal is then held.

        read_back: what the machine reports, or None where its protocol cannot. A held signal is
        refused by rule `read-back-mismatch` until a person calls `clear`. What comes after the
        write counts as lost changes nothing.
        """
        command = permit.command
        if not self._settle(permit, now):
            return None
        if command.signal in self._watchdogs:
            self._alive[command.signal] = max(now, self._latest)
            return None
        slack = self._rules[command.signal].slack
        # written so that NaN does not pass
        if read_back is None or abs(read_back - command.value) <= slack:
            return None
        reason = f"wrote {command.value:g}, read back {read_back:g}, {slack:g} is allowed"
        self._tripped[command.signal] = reason
        signal = self.signals[command.signal]
        return Finding(
            origin=self.name,
            asset=signal.asset,
            name="read-back",
            start=permit.granted,
            end=max(now, permit.granted),
            value=read_back if isfinite(read_back) else None,
            unit=signal.unit,
            severity=3,
            reason=reason,
            evidence={"signal": signal.id, "command": command.id},
        )

    def lost(self, permit: Permit, now: int) -> None:
        """Learn that a write failed, so that nobody knows whether the machine took it."""
        self._settle(permit, now)

    def clear(self, signal: str, person: str) -> None:
        """Let commands to a held signal through again: a person has looked. Raises Refused."""
        _check_person(person)
        self._tripped.pop(signal, None)

    def kill(self, person: str, reason: str, now: int) -> None:
        """Put the kill switch on: everything is refused, heartbeats too, and proposals are gone."""
        self._kill = Kill(person=person, reason=reason, time=now)
        self._proposals.clear()

    def release(self, person: str, now: int) -> None:
        """Take the kill switch off, and `now` for the right time. Raises Refused.

        What waits for a person was asked for before: it is gone.
        """
        _check_person(person)
        self._kill = None
        self._latest = now
        self._proposals.clear()

    def switch(self, mode: Mode, person: str) -> None:
        """Go into another mode, at most the one of the factory file. Raises Refused."""
        _check_person(person)
        if MODES.index(mode) > MODES.index(self.options.mode):
            raise Refused("mode-ceiling", f"the factory file allows {self.options.mode} at most")
        self._chosen = None if mode == self.options.mode else mode

    def heartbeats(self, now: int) -> list[Command]:
        """Return the beats that are due; each must be judged and written as any command.

        None while nothing may be written: the machines then fall back to their own control.
        """
        if self._kill or MODES.index(self.mode) < MODES.index("approve"):
            return []
        due = [w for w in self._watchdogs.values() if self._is_due(w, now)]
        for watchdog in due:
            self._beats[watchdog.signal] = self._beat(watchdog, now)
        return [self._beats[watchdog.signal] for watchdog in due]

    def state(self) -> State:
        """Return all that the gate remembers."""
        return State(
            mode=self._chosen,
            latest=self._latest,
            kill=self._kill,
            tripped=dict(self._tripped),
            written=dict(self._written),
            flights=dict(self._flights),
            proposals=dict(self._proposals),
            judged=dict(self._judged),
        )

    def restore(self, state: State) -> None:
        """Go on from what a gate remembered; never in a mode above the factory file's.

        Writes that were under way count as lost. Machines must take a heartbeat anew.
        """
        self._chosen = state.mode
        self._latest = state.latest
        self._kill = state.kill
        self._tripped = dict(state.tripped)
        lost = {id: _landed(flight, state.latest) for id, flight in state.flights.items()}
        self._written = {**state.written, **lost}
        self._flights = {}
        self._proposals = {
            id: proposal for id, proposal in state.proposals.items() if id in self._rules
        }
        self._judged = dict(state.judged)

    def _enter(self, now: int) -> int:
        """Return the time to judge by; what was under way too long now counts as lost."""
        now = self._check_time(now)
        for id, flight in list(self._flights.items()):
            if flight.command.expires + PATIENCE <= now:
                self._written[id] = _landed(self._flights.pop(id), now)
        return now

    def _check_time(self, now: int) -> int:
        """Return the time to judge by, which never goes back.

        Raises Refused if the clock did, or the kill switch is on.
        """
        if self._kill:
            raise Refused("kill-switch", f"{self._kill.person}: {self._kill.reason}")
        if now < self._latest - JITTER:
            seconds = (self._latest - now) / SECOND
            raise Refused(
                "clock", f"the clock went back by {seconds:g} s; wait, or release the gate"
            )
        self._latest = max(now, self._latest)
        return self._latest

    def _check_command(self, command: Command, now: int) -> None:
        """Raise Refused if the command itself is wrong, whatever the machine does."""
        if not isfinite(command.value):
            raise Refused("not-finite", f"{command.value} is not a finite number")
        signal = self.signals.get(command.signal)
        if signal is None:
            raise Refused("unknown-signal", f"no signal is called {command.signal}")
        if signal.access != "rw":
            raise Refused("read-only", f"{signal.id} can only be read")
        if signal.id not in self._rules and signal.id not in self._watchdogs:
            raise Refused("not-writable", f"{signal.id} is not listed in [[decide.gate.writable]]")
        if command.issued > now + JITTER:
            seconds = (command.issued - now) / SECOND
            raise Refused("clock", f"the command was issued {seconds:g} s in the future")
        if command.expires <= now:
            seconds = (now - command.expires) / SECOND
            raise Refused("expired", f"the command expired {seconds:g} s ago")
        life, longest = (command.expires - command.issued) / SECOND, self.options.max_expiry
        if life > longest:
            raise Refused("expiry", f"a life of {life:g} s is longer than {longest:g} s")

    def _check_once(self, command: Command) -> None:
        """Raise Refused if the command was judged before."""
        if command.id in self._judged:
            raise Refused("duplicate", f"command {command.id} was judged before")
        self._judged[command.id] = command.expires
        # what has expired is refused for that: forget it, now and then
        if len(self._judged) & 0xFF == 0:
            self._judged = {id: end for id, end in self._judged.items() if end > self._latest}

    def _check_case(self, command: Command, now: int, view: View) -> Case:
        """Return the command with what it was judged by. Raises Refused."""
        signal = self.signals[command.signal]
        case = Case(
            command=command,
            now=now,
            rule=self._rules[signal.id],
            signal=signal,
            view=view,
            written=self._written.get(signal.id),
            under_way=signal.id in self._flights,
            tripped=self._tripped.get(signal.id, ""),
            watchdog=self._silence(signal.machine, now),
        )
        for rule, check in CHECKS.items():
            if reason := check(case):
                raise Refused(rule, f"{signal.id}: {reason}")
        return case

    def _mode_for(self, signal: str) -> Mode:
        rule = self._rules.get(signal)
        return self.mode if rule is None else min(self.mode, rule.mode, key=MODES.index)

    def _check_writes(self, signal: str) -> None:
        """Raise Refused in the modes in which nothing is written."""
        mode = self._mode_for(signal)
        if MODES.index(mode) < MODES.index("approve"):
            raise Refused(f"mode-{mode}", f"the gate's mode for {signal} is {mode}")

    def _grant(
        self,
        command: Command,
        now: int,
        previous: float | None,
        mode: Literal["approve", "auto"],
        person: str = "",
    ) -> Permit:
        self._flights[command.signal] = Flight(command, now)
        return Permit(
            command=command,
            granted=now,
            mode=mode,
            approver=person,
            rules=tuple(CHECKS) if command.signal in self._rules else ("limits",),
            previous=previous,
        )

    def _proposal(self, id: str) -> Proposal:
        for proposal in self._proposals.values():
            if proposal.command.id == id:
                return proposal
        raise Refused("no-proposal", f"no proposal {id} waits")

    def _is_under_way(self, permit: Permit) -> bool:
        flight = Flight(permit.command, permit.granted)
        return self._flights.get(permit.command.signal) == flight

    def _settle(self, permit: Permit, now: int) -> bool:
        """Note that the outcome of a write is known; return whether it was under way."""
        if not self._is_under_way(permit):
            return False
        id = permit.command.signal
        self._written[id] = _landed(self._flights.pop(id), max(now, self._latest))
        return True

    def _judge_beat(self, command: Command, now: int) -> Permit:
        """Return the Permit of a beat that `heartbeats` gave. Raises Refused.

        In mode `approve` too: a beat moves nothing, and nobody can approve one each second.
        """
        if command != self._beats.get(command.signal):
            raise Refused("not-writable", f"{command.signal} takes the gate's own beats only")
        self._check_once(command)
        self._check_writes(command.signal)
        if command.signal in self._flights:
            raise Refused("under-way", f"{command.signal}: another write to it is not finished")
        return self._grant(command, now, None, "auto")

    def _is_due(self, watchdog: Watchdog, now: int) -> bool:
        last = self._beats.get(watchdog.signal)
        if last is None:
            return True
        if watchdog.signal in self._flights:
            return False
        return now - last.issued >= watchdog.period * SECOND or now < last.issued - JITTER

    def _beat(self, watchdog: Watchdog, now: int) -> Command:
        last = self._beats.get(watchdog.signal)
        value = 0 if last is None else (int(last.value) + 1) % (watchdog.high + 1)
        return Command(
            id=f"{self.name}:{watchdog.signal}:{now}",
            signal=watchdog.signal,
            value=float(value),
            origin=self.name,
            because="heartbeat",
            issued=now,
            expires=now + round(min(watchdog.timeout, self.options.max_expiry) * SECOND),
        )

    def _silence(self, machine: str, now: int) -> str:
        """Return which watchdog of a machine was not taken in time, or ''."""
        for watchdog in self._watchdogs.values():
            if self.signals[watchdog.signal].machine != machine:
                continue
            taken = self._alive.get(watchdog.signal)
            if taken is None:
                return f"{watchdog.signal} has not been taken yet"
            if now - taken > watchdog.timeout * SECOND:
                return f"{watchdog.signal} was last taken {(now - taken) / SECOND:g} s ago"
        return ""


def _landed(flight: Flight, now: int) -> Written:
    return Written(flight.command.value, flight.granted, now)


def _would(case: Case) -> str:
    reading = case.reading
    present = "" if reading is None else f" from {reading.value:g}"
    unit = case.signal.unit
    return f"{case.signal.id} would have been written{present} to {case.command.value:g} {unit}"


def _check_person(person: str) -> None:
    if not person.strip():
        raise Refused("no-person", "this is a person's decision: name one")
