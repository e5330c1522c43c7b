"""What people do on the pages of one process, done at the gate of another.

A deed travels sealed and expires in seconds: whoever can reach the bus cannot act in a person's
name. Each answer brings a Snapshot of the gate's process, so pages show at once what came of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from deungdae.app.control import Outcome, loops
from deungdae.app.runtime import Runtime
from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Refused, StoreError
from deungdae.core.types import SECOND, Event, Finding
from deungdae.decide.gate import Mode, State
from deungdae.decide.gate.seal import open_stamped, stamp
from deungdae.historian.journal import Entry, Journal

from .link import Link

LIFE = 10 * SECOND  # ns that a deed may take to arrive, clocks included
PATIENCE = 20.0  # s for an answer: a write with its read-back lies in between
PURPOSE = b"deungdae deed 1"
T = TypeVar("T")


class Deed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked for; each kind uses its own fields. id: of a signal, proposal or loop.

    made: when it was asked for, ns; nonce: no other deed has it.
    """

    what: str
    made: int
    nonce: str
    person: str = ""
    reason: str = ""
    id: str = ""
    value: float = 0.0
    mode: Mode = "off"
    start: int = 0
    end: int = 0
    data: dict[str, Any] = {}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What pages show of the process with the gate. waiting, set_points: by thinker, by loop."""

    gate: State | None
    outcomes: dict[str, Outcome]
    findings: list[Finding]
    waiting: dict[str, str]
    set_points: dict[str, float | None]
    stored: int
    problem: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a deed. error: name of the error, '' for none; rule: of a refusal."""

    snapshot: Snapshot
    error: str = ""
    reason: str = ""
    rule: str = ""
    body: bytes = b""


class Desk:
    """The end with the gate: does what sealed deeds ask for."""

    def __init__(
        self,
        runtime: Runtime,
        journal: Journal,
        key: bytes,
        problem: Callable[[], str] = lambda: "",
    ) -> None:
        """problem: gives why no data arrive, or ''."""
        self._problem = problem
        self._runtime = runtime
        self._journal = journal
        self._key = key
        self._seen: dict[str, int] = {}  # until when each nonce is remembered
        self._work: Mapping[str, Callable[[Deed], Awaitable[object]]] = {
            "look": self._look,
            "command": self._command,
            "approve": self._approve,
            "decline": self._decline,
            "kill": self._kill,
            "release": self._release,
            "switch": self._switch,
            "clear": self._clear,
            "retarget": self._retarget,
            "note": self._note,
            "keep": self._keep,
            "read": self._read,
        }

    async def answer(self, _: str, data: bytes) -> bytes:
        """Return the reply to one deed."""
        try:
            deed = self._opened(data)
            body = msgspec.msgpack.encode(await self._work[deed.what](deed))
            reply = Reply(snapshot=self._snapshot(), body=body)
        except Refused as error:
            reply = Reply(
                snapshot=self._snapshot(), error="Refused", reason=error.reason, rule=error.rule
            )
        except (StoreError, DoorError) as error:
            reply = Reply(snapshot=self._snapshot(), error="StoreError", reason=str(error))
        return msgspec.msgpack.encode(reply)

    def _opened(self, data: bytes) -> Deed:
        """Return a deed that is sealed, fresh and new. Raises Refused."""
        body = open_stamped(data, self._key, PURPOSE)
        try:
            deed = msgspec.msgpack.decode(body, type=Deed)
        except msgspec.MsgspecError as error:
            raise Refused("seal", f"what was sealed is no deed: {error}") from error
        if deed.what not in self._work:
            raise Refused("seal", f"{deed.what!r} is no deed: do both sides run one version?")
        now = self._runtime.clock.now()
        if deed.what in ("kill", "look"):
            return deed  # looking changes nothing, and stopping must work with any clock
        if abs(now - deed.made) > LIFE:
            seconds = (now - deed.made) / SECOND
            raise Refused("clock", f"asked for {seconds:g} s ago: set the clocks of both processes")
        self._seen = {nonce: until for nonce, until in self._seen.items() if until >= now}
        if deed.nonce in self._seen:
            raise Refused("duplicate", "this was asked for before")
        self._seen[deed.nonce] = deed.made + LIFE
        return deed

    def _snapshot(self) -> Snapshot:
        runtime = self._runtime
        gate, thinkers = runtime.control.gate, runtime.thinking.thinkers
        return Snapshot(
            gate=gate.state() if gate else None,
            outcomes=dict(runtime.control.outcomes),
            findings=list(runtime.live.findings.values()),
            waiting={key: each.problem for key, each in thinkers.items()},
            set_points={name: loop.set_point for name, loop in loops(thinkers).items()},
            stored=runtime.intake.stored,
            problem=runtime.intake.problem or self._problem(),
        )

    async def _look(self, _: Deed) -> None:
        pass

    async def _command(self, deed: Deed) -> Outcome:
        control = self._runtime.control
        command = control.command(deed.id, deed.value, deed.person, deed.reason)
        return await control.ask(command)

    async def _approve(self, deed: Deed) -> Outcome:
        return await self._runtime.control.approve(deed.id, deed.person)

    async def _decline(self, deed: Deed) -> None:
        await self._runtime.control.decline(deed.id, deed.person)

    async def _kill(self, deed: Deed) -> None:
        await self._runtime.control.kill(deed.person, deed.reason)

    async def _release(self, deed: Deed) -> None:
        await self._runtime.control.release(deed.person)

    async def _switch(self, deed: Deed) -> None:
        await self._runtime.control.switch(deed.mode, deed.person, deed.reason)

    async def _clear(self, deed: Deed) -> None:
        await self._runtime.control.clear(deed.id, deed.person)

    async def _retarget(self, deed: Deed) -> None:
        found = loops(self._runtime.thinking.thinkers)
        if deed.id not in found:
            raise Refused("unknown-signal", f"no loop is called {deed.id!r}")
        found[deed.id].retarget(deed.value)

    async def _note(self, deed: Deed) -> None:
        await self._runtime.clock.call(self._journal.append, deed.id, deed.data, deed.person)

    async def _keep(self, deed: Deed) -> None:
        try:
            events = msgspec.convert(deed.data["events"], tuple[Event, ...])
        except (msgspec.ValidationError, KeyError) as error:
            raise Refused("seal", f"what is to be kept is no event: {error}") from error
        await self._runtime.keep(*events)

    async def _read(self, deed: Deed) -> list[Entry]:
        return await self._runtime.clock.call(self._journal.read, deed.start, deed.end)


class Messenger:
    """The end with the pages: carries deeds, and tells `news` what the gate's process shows."""

    def __init__(
        self, link: Link, key: bytes, clock: Clock, news: Callable[[Snapshot], None]
    ) -> None:
        self._link = link
        self._key = key
        self._clock = clock
        self._news = news

    async def do(self, what: str, kind: type[T], patience: float = PATIENCE, **parts: Any) -> T:
        """Return what came of a deed. Raises Refused, StoreError, or Unreachable."""
        deed = Deed(what=what, made=self._clock.now(), nonce=secrets.token_hex(8), **parts)
        data = stamp(msgspec.msgpack.encode(deed), self._key, PURPOSE)
        answer = await self._link.ask(self._link.subject("deed"), data, patience)
        try:
            reply = msgspec.msgpack.decode(answer, type=Reply)
            self._news(reply.snapshot)
            if reply.error == "Refused":
                raise Refused(reply.rule, reply.reason)
            if reply.error:
                raise StoreError(reply.reason)
            return msgspec.msgpack.decode(reply.body, type=kind)
        except msgspec.MsgspecError as error:
            raise StoreError(f"the history answered {what!r} with nonsense: {error}") from error
