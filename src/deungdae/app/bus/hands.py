"""Carries a Permit from the gate's process to the one that has the machine: sealed, once, at once.

By request and reply and never through JetStream: what is not written now is not written later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from deungdae.app.control import WRITE, Hand
from deungdae.app.runtime import Runtime
from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Refused
from deungdae.core.types import Permit
from deungdae.decide.gate.seal import seal, unseal

from .link import Link

log = logging.getLogger("deungdae.bus")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a permit. rule: of a refusal; error: what the door said; '' for neither."""

    read_back: float | None = None
    rule: str = ""
    error: str = ""
    remedy: str = ""


class Hands(Mapping[str, Hand]):
    """A hand for every machine that a signal comes from, wherever its door is."""

    def __init__(self, link: Link, runtime: Runtime, key: bytes) -> None:
        self._link = link
        self._runtime = runtime
        self._key = key

    def __getitem__(self, machine: str) -> Hand:
        if machine not in self._machines():
            raise KeyError(machine)
        return _Hand(self._link, machine, self._key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._machines())

    def __len__(self) -> int:
        return len(self._machines())

    def _machines(self) -> set[str]:
        signals = self._runtime.factory.signals.values()
        return {signal.machine for signal in signals if signal.machine}


class _Hand:
    """What reaches one machine over the bus."""

    def __init__(self, link: Link, machine: str, key: bytes) -> None:
        self._link = link
        self._machine = machine
        self._key = key

    async def write(self, permit: Permit, signal: Any) -> float | None:
        """Return what the machine reports. Raises DoorError or Refused."""
        subject = self._link.subject("write", self._machine)
        answer = await self._link.ask(subject, seal(permit, self._key), WRITE)
        try:
            written = msgspec.msgpack.decode(answer, type=Written)
        except msgspec.MsgspecError as error:
            raise DoorError(f"{signal.id}: {subject} answered with nonsense: {error}") from error
        if written.rule:
            raise Refused(written.rule, written.error)
        if written.error:
            raise DoorError(written.error, remedy=written.remedy)
        return written.read_back


class Writer:
    """The end with the doors: writes each sealed permit for one of its machines, once."""

    def __init__(self, link: Link, runtime: Runtime, key: bytes, clock: Clock) -> None:
        self._link = link
        self._runtime = runtime
        self._key = key
        self._clock = clock
        self._written: dict[str, int] = {}  # when each written command expires, by its id
        self._serving: dict[str, Any] = {}

    async def keep(self) -> None:
        """Answer for the machines that there are now, and for no others."""
        doors = self._runtime.doors.keys()
        for machine in doors - self._serving.keys():
            subject = self._link.subject("write", machine)
            self._serving[machine] = await self._link.answer(subject, self._answer)
        for machine in self._serving.keys() - doors:
            await self._serving.pop(machine).unsubscribe()

    async def _answer(self, subject: str, data: bytes) -> bytes:
        machine = subject.rpartition(".")[2]
        try:
            permit = self._take(machine, data)
            async with asyncio.timeout(WRITE):
                signal = self._runtime.factory.signals[permit.command.signal]
                read_back = await self._runtime.doors[machine].write(permit, signal)
            written = Written(read_back=read_back)
        except Refused as error:
            log.warning(
                "state=refused machine=%s rule=%s reason=%r", machine, error.rule, error.reason
            )
            written = Written(rule=error.rule, error=error.reason)
        except DoorError as error:
            written = Written(error=str(error) or repr(error), remedy=error.remedy)
        except TimeoutError:
            written = Written(error=f"{machine} did not answer within {WRITE:g} s")
        return msgspec.msgpack.encode(written)

    def _take(self, machine: str, data: bytes) -> Permit:
        """Return a permit that may be written now. Raises Refused."""
        now = self._clock.now()
        permit = unseal(data, self._key, now)
        command = permit.command
        self._written = {id: end for id, end in self._written.items() if end > now}
        if command.id in self._written:
            raise Refused("duplicate", f"command {command.id} was written before")
        signal = self._runtime.factory.signals.get(command.signal)
        if signal is None or signal.machine != machine or machine not in self._runtime.doors:
            raise Refused("unknown-signal", f"{command.signal} is no signal of {machine} here")
        self._written[command.id] = command.expires
        return permit
