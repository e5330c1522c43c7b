"""What has changed since a page last heard: found once for all pages, and encoded once for most.

Nothing is kept for a page but a mark of what it knows. So a page that is slow, or comes late, hears
what it missed in one message, and costs no memory while it does not listen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from deungdae.app.alarms import Alarms
from deungdae.app.live import Reading
from deungdae.app.runtime import Runtime
from deungdae.core.types import MILLISECOND, Event, Finding
from deungdae.model.factory import Factory

from . import answers, lines
from .mirrors import Mirrors

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
Watched = frozenset[str]

encode = msgspec.json.Encoder(enc_hook=str).encode


class Mark(NamedTuple):
    """What a page knows. epoch: which description of the factory; turn: in which we looked at it.

    readings, events: the version of the present until which it heard each.
    """

    epoch: int = 0
    turn: int = -1
    readings: int = -1
    events: int = -1


class Ledger(Generic[T]):
    """Things by key, each with the turn in which it last changed."""

    def __init__(self) -> None:
        self._things: dict[Hashable, tuple[int, T]] = {}

    def note(self, things: Mapping[Any, T], turn: int) -> None:
        """Take over what differs from what was noted before."""
        for key, thing in things.items():
            known = self._things.get(key)
            if known is None or (known[1] is not thing and known[1] != thing):
                self._things[key] = (turn, thing)

    def since(self, turn: int) -> dict[Any, T]:
        """Return what changed after a turn."""
        return {key: thing for key, (changed, thing) in self._things.items() if changed > turn}


class News:
    """The news of a running factory, for any number of pages."""

    def __init__(self, runtime: Runtime, mirrors: Mirrors, alarms: Alarms) -> None:
        self._runtime = runtime
        self._mirrors = mirrors
        self._alarms = alarms
        self._factory: Factory | None = None
        self._mark = Mark()
        self._whole: dict[str, Any] = {}
        self._parts: Ledger[Any] = Ledger()
        self._machines: Ledger[answers.MachineAnswer] = Ledger()
        self._findings: Ledger[Finding] = Ledger()
        self._said: dict[Hashable, Any] = {}  # what was worked out since the last look

    def look(self, turn: int) -> None:
        """Find out what changed, once in each turn; what is told then holds until the next."""
        if turn == self._mark.turn:
            return
        runtime = self._runtime
        if self._factory is not runtime.factory:
            self._begin(runtime.factory)
        version = runtime.live.version
        self._mark = mark = Mark(self._mark.epoch, turn, version, version)
        self._said = {}
        self._parts.note(_parts(runtime, self._mirrors, self._alarms), mark.turn)
        self._machines.note({(m.room, m.name): m for m in answers.machines(runtime)}, mark.turn)
        self._findings.note(runtime.live.findings, mark.turn)

    def since(self, mark: Mark, watched: Watched | None) -> tuple[str, Mark]:
        """Return what a page does not know yet as JSON, '' where that is nothing, and its new mark.

        watched: the signals whose readings it wants, None for all.
        """
        return self._once(self._encoded, (mark, watched)), self._mark

    def _once(self, work: Callable[[K], R], given: K) -> R:
        """Return what work makes of what is given, worked out once between two looks."""
        key = (work.__name__, given)
        if key not in self._said:
            self._said[key] = work(given)
        return cast(R, self._said[key])

    def _begin(self, factory: Factory) -> None:
        """Make ready for a description of the factory that nobody was told yet."""
        runtime = self._runtime
        self._factory = factory
        self._mark = self._mark._replace(epoch=self._mark.epoch + 1)
        self._parts, self._machines, self._findings = Ledger(), Ledger(), Ledger()
        whole = {
            "factory": answers.factory(runtime),
            "signals": answers.signals(runtime),
            "assets": answers.assets(runtime),
            "rules": answers.rules(),
            "analyses": {name: each.type for name, each in factory.room("insight").items()},
            "layout": factory.layout,
            "lines": {name: lines.told(twin) for name, twin in lines.twins(runtime).items()},
        }
        self._whole = {name: msgspec.Raw(encode(part)) for name, part in whole.items()}

    def _encoded(self, given: tuple[Mark, Watched | None]) -> str:
        mark, watched = given
        message = self._once(self._rest, mark)
        readings = self._once(self._readings, (mark.epoch, mark.readings))
        # all that is known is told once, so that every page has something to show
        ids = readings if watched is None or mark.epoch != self._mark.epoch else watched
        if told := {id: _reading(readings[id]) for id in ids if id in readings}:
            message = message | {"readings": told}
        return encode(message).decode() if message else ""

    def _rest(self, mark: Mark) -> dict[str, Any]:
        """Return all but readings."""
        message: dict[str, Any] = {}
        if mark.epoch != self._mark.epoch:
            mark = Mark()
            message |= self._whole
        if machines := self._machines.since(mark.turn):
            message["machines"] = list(machines.values())
        if found := self._findings.since(mark.turn):
            message["findings"] = [answers.finding(each) for each in found.values()]
        if events := self._runtime.live.events_since(mark.events):
            message["events"] = {id: _event(each) for id, each in events.items()}
        message |= self._parts.since(mark.turn)
        return {name: msgspec.Raw(encode(part)) for name, part in message.items()}

    def _readings(self, known: tuple[int, int]) -> dict[str, Reading]:
        epoch, version = known
        return self._runtime.live.readings(version if epoch == self._mark.epoch else -1)


def _reading(known: Reading) -> tuple[float | None, float, int]:
    return answers.finite(known.value), known.time / MILLISECOND, known.status


def _event(known: Event) -> tuple[str, float, int, str, dict[str, str]]:
    return known.value, known.time / MILLISECOND, known.status, known.kind, known.data


def _parts(runtime: Runtime, mirrors: Mirrors, alarms: Alarms) -> dict[str, Any]:
    """Return what is small, and told whole when it changed."""
    thinkers = runtime.thinking.thinkers.items()
    return {
        "gate": answers.gate(runtime),
        "loops": answers.loops(runtime),
        "alarms": alarms.summary(),
        "waiting": {key: each.problem for key, each in thinkers if each.problem},
        "twins": {name: {"buffers": each} for name, each in mirrors.levels().items()},
        "history": {"stored": runtime.intake.stored, "problem": runtime.intake.problem},
    }
