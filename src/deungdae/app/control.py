"""The way back to the machines: judged by the gate, in the journal, then written and read back."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Refused, StoreError
from deungdae.core.types import MINUTE, Command, Finding, Permit
from deungdae.decide.gate import Gate, Mode, Proposal, State, View
from deungdae.model.factory import Factory, Plugin

from .live import Live
from .thinking import Thinker

log = logging.getLogger("deungdae.control")

WAITING = 1000  # commands; of more the newest are refused: machines are better left alone
WRITE = 10.0  # s that a driver may take to write and read back
BEAT = 0.2  # s between looks for heartbeats that are due


class Ledger(Protocol):
    """Where commands, permits and refusals are written down, durably, before anything moves."""

    def append(self, kind: str, data: dict[str, object], who: str = "") -> object:
        """Return when the entry is durable. Raises StoreError."""
        ...


class Hand(Protocol):
    """What carries a permit to its machine: a door, or the bus to the process that has it."""

    async def write(self, permit: Permit, signal: Any) -> float | None:
        """Write, and return what the machine reports, if it can."""
        ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command. result: written, held, refused or failed."""

    command: Command
    time: int
    result: str
    rule: str = ""
    reason: str = ""
    read_back: float | None = None


class Control:
    """The gate with its surroundings. Without a gate in the factory file nothing is written."""

    def __init__(
        self,
        factory: Factory,
        journal: Ledger,
        live: Live,
        clock: Clock,
        findings: Callable[[Sequence[Finding]], None] = lambda _: None,
    ) -> None:
        self.live = live
        self.view: View = live  # what the gate judges by
        self.doors: Mapping[str, Hand] = {}
        self.findings = findings
        self.outcomes: dict[str, Outcome] = {}  # the last of each signal
        self.gate: Gate | None = None
        self._journal = journal
        self._clock = clock
        self._waiting: asyncio.Queue[Command] = asyncio.Queue(WAITING)
        self._repeated: dict[tuple[str, str, str], int] = {}
        self._plugin: Plugin | None = None
        self._remembered: State | None = None  # of a gate that is gone, until there is one again
        self._asked = itertools.count(1)
        self.employ(factory)

    def employ(self, factory: Factory) -> list[str]:
        """Take over a factory's gate; what the old one remembered holds on. Return what changed."""
        found = [p for p in factory.room("decide").values() if p.type == "gate"]
        plugin = found[0] if found else None
        before, self._plugin = self._plugin, plugin
        if self.gate is not None:
            self._remembered = self.gate.state()
        self.gate = Gate(plugin.name, plugin.options, factory) if plugin else None
        if self._remembered is not None:
            self.restore(self._remembered)
        if before is not None and plugin is not None and before.options == plugin.options:
            return []
        return [] if before is plugin else [f"decide.gate {'changed' if plugin else 'removed'}"]

    def restore(self, state: State) -> None:
        """Go on from what the journal says that the gate remembered."""
        self._remembered = state
        if self.gate is not None:
            self.gate.restore(state)

    def submit(self, commands: Sequence[Command]) -> None:
        """Queue commands of policies; each is judged in turn."""
        for command in commands:
            try:
                self._waiting.put_nowait(command)
            except asyncio.QueueFull:
                log.error("state=overrun refused=%s signal=%s", command.id, command.signal)

    async def run(self) -> None:
        """Carry out what is queued, and keep the machines' watchdogs content, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            while True:
                command = await self._waiting.get()
                # each machine at its own pace: a slow one must not hold up the others
                group.create_task(self.ask(command))

    async def ask(self, command: Command) -> Outcome:
        """Return what becomes of one command. Where the journal fails nothing is written."""
        if self.gate is None:
            reason = "the factory file has no [decide.gate]"
            return await self._refused(command, Refused("not-writable", reason))
        try:
            verdict = self.gate.judge(command, self._clock.now(), self.view)
        except Refused as error:
            return await self._refused(command, error)
        if isinstance(verdict, Proposal):
            await self._tell(self._note("held", command, mode=verdict.mode))
            return self._outcome(command, "held", reason=f"a person must act: {verdict.mode}")
        return await self._carry_out(verdict)

    async def approve(self, id: str, person: str) -> Outcome:
        """Return what becomes of a proposal that a person approves. Raises Refused."""
        return await self._carry_out(self._gate().approve(id, person, self._clock.now(), self.view))

    async def decline(self, id: str, person: str) -> None:
        """Drop a proposal that a person does not want. Raises Refused."""
        proposal = self._gate().decline(id, person)
        await self._note("declined", proposal.command, person=person)

    async def kill(self, person: str, reason: str) -> None:
        """Put the kill switch on: at once, and then in the journal."""
        self._gate().kill(person, reason, self._clock.now())
        log.warning("state=killed person=%r reason=%r", person, reason)
        await self._remember("kill", person, reason)

    async def release(self, person: str) -> None:
        """Take the kill switch off. Raises Refused."""
        gate = self._gate()
        killed = gate.killed
        gate.release(person, self._clock.now())
        try:
            await self._remember("release", person, "")
        except StoreError:
            if killed is not None:  # a release that nobody can read of does not hold
                gate.kill(killed.person, killed.reason, killed.time)
            raise
        log.warning("state=released person=%r", person)

    async def switch(self, mode: Mode, person: str, reason: str = "") -> None:
        """Go into another mode. Raises Refused."""
        before = self._gate().mode
        self._gate().switch(mode, person)
        await self._remember("mode", person, mode, before=before, reason=reason)

    async def clear(self, signal: str, person: str) -> None:
        """Let commands to a held signal through again. Raises Refused."""
        self._gate().clear(signal, person)
        await self._remember("clear", person, signal)

    def command(self, signal: str, value: float, person: str, because: str) -> Command:
        """Return a command of a person, which expires in a minute."""
        now = self._clock.now()
        return Command(
            id=f"{person}:{now}:{next(self._asked)}",
            signal=signal,
            value=value,
            origin=f"person:{person}",
            because=because,
            issued=now,
            expires=now + MINUTE,
        )

    def _gate(self) -> Gate:
        if self.gate is None:
            raise Refused("not-writable", "the factory file has no [decide.gate]")
        return self.gate

    async def _carry_out(self, permit: Permit) -> Outcome:
        """Write what is permitted: in the journal first, then judged once more, then sent."""
        command = permit.command
        try:
            await self._note("permit", command, mode=permit.mode, approver=permit.approver)
            gate = self._gate()  # perhaps another by now: it then knows no such permit and refuses
            gate.recheck(permit, self._clock.now())
        except Refused as error:
            return await self._refused(command, error)
        except StoreError as error:
            if self.gate is not None:
                self.gate.lost(permit, self._clock.now())
            log.error("state=unwritten command=%s reason=%r", command.id, str(error))
            return self._outcome(command, "failed", reason=f"nothing was written: {error}")
        signal = gate.signals[command.signal]
        door = self.doors.get(signal.machine)
        try:
            if door is None:
                raise DoorError(f"no [machines.{signal.machine}] is running")
            async with asyncio.timeout(WRITE):
                read_back = await door.write(permit, signal)
        except (DoorError, Refused, TimeoutError) as error:
            reason = str(error) or f"the machine did not answer within {WRITE:g} s"
            return await self._lost(gate, permit, reason)
        except Exception as error:
            log.exception("state=failed command=%s", command.id)
            return await self._lost(gate, permit, f"the driver failed: {error!r}")
        finding = gate.confirm(permit, read_back, self._clock.now())
        await self._tell(self._note("written", command, read_back=read_back))
        if finding is None:
            return self._outcome(command, "written", read_back=read_back)
        await self._tell(self._remember("hold", command.origin, finding.reason))
        self.findings([finding])
        return self._outcome(command, "failed", reason=finding.reason, read_back=read_back)

    async def _lost(self, gate: Gate, permit: Permit, reason: str) -> Outcome:
        """Take note that nobody knows whether the machine took the value."""
        gate.lost(permit, self._clock.now())
        await self._tell(self._note("lost", permit.command, reason=reason))
        return self._outcome(permit.command, "failed", reason=reason)

    async def _refused(self, command: Command, error: Refused) -> Outcome:
        """Write a refusal down; of the same one in a row only one a minute."""
        key = (command.origin, command.signal, error.rule)
        now = self._clock.now()
        if now - self._repeated.get(key, now - MINUTE) >= MINUTE:
            self._repeated[key] = now
            await self._tell(self._note("refusal", command, rule=error.rule, reason=error.reason))
        return self._outcome(command, "refused", rule=error.rule, reason=error.reason)

    def _outcome(self, command: Command, result: str, **parts: Any) -> Outcome:
        outcome = Outcome(command=command, time=self._clock.now(), result=result, **parts)
        self.outcomes[command.signal] = outcome
        return outcome

    async def _tell(self, entry: Awaitable[None]) -> None:
        """Write down what has happened already; where the journal cannot, the log says so."""
        try:
            await entry
        except StoreError as error:
            log.critical("state=unjournalled reason=%r", str(error))

    async def _note(self, kind: str, command: Command, **parts: object) -> None:
        data = msgspec.to_builtins(command) | parts
        await self._clock.call(self._journal.append, kind, data, command.origin)

    async def _remember(self, kind: str, person: str, what: str, **parts: str) -> None:
        state = msgspec.to_builtins(self._gate().state())
        data = {"what": what, **parts, "gate": state}
        await self._clock.call(self._journal.append, kind, data, person)

    async def _beat(self) -> None:
        while True:
            if self.gate is not None:
                self.submit(self.gate.heartbeats(self._clock.now()))
            await self._clock.sleep(BEAT)


def loops(thinkers: Mapping[str, Thinker]) -> dict[str, Any]:
    """Return the control loops among the thinkers, by name: what can be given a set-point."""
    return {
        thinker.plugin.name: thinker.work
        for thinker in thinkers.values()
        if hasattr(thinker.work, "retarget")
    }
