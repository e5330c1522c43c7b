"""All alarms of a factory, each in one of the states of ISA-18.2.

Source of states and transitions: ANSI/ISA-18.2-2016 and IEC 62682, the alarm state transition
diagram: normal, unacknowledged, acknowledged, returned to normal but unacknowledged, and the three
kinds of suppression: shelved by a person, by design, out of service. Where the standard leaves it
to the alarm philosophy, ours is: nothing active is ever lost. An alarm that is still active when
its suppression ends is told anew; one that went away meanwhile is normal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from deungdae.core.types import MINUTE, SECOND, Event

from .flood import Flood, Floods
from .options import PRIORITIES, AlarmOptions, Priority, Rule
from .said import Said, said

State: TypeAlias = Literal[
    "normal",
    "unacknowledged",
    "acknowledged",
    "returned",
    "shelved",
    "suppressed",
    "out_of_service",
]
Deed: TypeAlias = Literal["acknowledge", "shelve", "unshelve", "service"]
DEEDS: tuple[Deed, ...] = ("acknowledge", "shelve", "unshelve", "service")

CHATTER = 3  # times within a minute (ISA-18.2: chattering alarms)
KEPT = 10_000  # alarms; of more, those that are long normal are forgotten


class Alarm(msgspec.Struct, kw_only=True):
    """One alarm. Times are ns, 0: never.

    condition: what its source says; active: the same after the delays. heard: the newest word of
    its source; turned: when that last changed. since: when it began, by the source's time; told:
    when people were last told; returned: when it was over. due: when active follows condition.
    until: end of the shelving. person, note, done: of the last thing that a person did. count: how
    often it came; recent: when it last did.
    """

    id: str
    base: str
    rule: Rule
    priority: Priority
    text: str = ""
    code: str = ""
    source: str = ""
    condition: bool = False
    active: bool = False
    acknowledged: bool = True
    heard: int = 0
    turned: int = 0
    since: int = 0
    told: int = 0
    returned: int = 0
    due: int = 0
    until: int = 0
    suppressed: str = ""
    out: bool = False
    person: str = ""
    note: str = ""
    done: int = 0
    count: int = 0
    recent: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=CHATTER))

    @property
    def asset(self) -> str:
        """Return the id of the asset that it is about."""
        return self.base.rpartition(".")[0]

    @property
    def state(self) -> State:
        """Return where it stands in the diagram of ISA-18.2."""
        if self.is_out:
            return "out_of_service"
        if self.suppressed:
            return "suppressed"
        if self.until:
            return "shelved"
        if self.active:
            return "acknowledged" if self.acknowledged else "unacknowledged"
        return "normal" if self.acknowledged else "returned"

    @property
    def is_out(self) -> bool:
        """Return whether it is out of service."""
        return self.out or self.rule.out_of_service

    @property
    def is_quiet(self) -> bool:
        """Return whether it is kept from people: by one, by design, or out of service."""
        return self.is_out or bool(self.suppressed) or self.until > 0


class Step(msgspec.Struct, frozen=True):
    """Something that became of an alarm. what: a transition, in the past tense."""

    time: int
    alarm: str
    what: str
    priority: Priority
    text: str = ""
    person: str = ""
    note: str = ""


class Board:
    """All alarms, from what is heard in order of its coming. Pure: the same events, the same board.

    steps: what became of alarms, for who reads a history; None where nobody asks.
    """

    def __init__(self, options: AlarmOptions, steps: list[Step] | None = None) -> None:
        self.options = options
        self.alarms: dict[str, Alarm] = {}
        self.now = 0
        self.version = 0  # rises with every change
        self._steps = steps
        self._of: dict[str, dict[str, Alarm]] = {}  # by the id of the event that tells them
        self._timed: dict[str, Alarm] = {}  # those for which something is due
        self._floods = Floods()
        self._watched = {w.signal for rule in options.rules for w in rule.suppressed_while}
        self._states: dict[str, str] = {}

    @property
    def watched(self) -> frozenset[str]:
        """Return the ids of the states by which alarms are suppressed."""
        return frozenset(self._watched)

    @property
    def flood(self) -> Flood | None:
        """Return the flood that goes on, if any."""
        return self._floods.flood

    def take(self, event: Event) -> None:
        """Take in an event; what is about no alarm changes nothing."""
        if event.kind == "alarm":
            found = said(event)
            if found is not None:
                self.advance(event.received or event.time)
                self._say(found, event.data.get("source", ""))
        elif event.kind == "note":
            alarm, _, deed = event.id.rpartition(".")
            if deed in DEEDS and alarm:
                self.advance(event.received or event.time)
                self._do(alarm, deed, event)
        elif event.id in self._watched:
            self.advance(event.received or event.time)
            self._turn(event.id, event.value)

    def advance(self, now: int) -> None:
        """Let time pass: what is due happens at its own moment, in order."""
        if now <= self.now:
            return
        for moment, alarm in self._due(now):
            self.now = max(self.now, moment)
            self._calm()
            if alarm.until and alarm.until <= moment:
                self._unshelve(alarm)
            if alarm.due and alarm.due <= moment:
                alarm.due = 0
                self._settle(alarm)
            self._mind(alarm)
        self.now = now
        self._calm()

    def shown(self) -> list[Alarm]:
        """Return the alarms that are not normal: active ones first, by priority and age."""
        found = [alarm for alarm in self.alarms.values() if alarm.state != "normal"]
        return sorted(found, key=_order)

    def _due(self, now: int) -> list[tuple[int, Alarm]]:
        """Return what is due until now, in order."""
        found = [
            (moment, alarm)
            for alarm in self._timed.values()
            for moment in (alarm.due, alarm.until)
            if 0 < moment <= now
        ]
        return sorted(found, key=lambda each: (each[0], each[1].id))

    def _mind(self, alarm: Alarm) -> None:
        """Remember whether something is due for an alarm."""
        if alarm.due or alarm.until:
            self._timed[alarm.id] = alarm
        else:
            self._timed.pop(alarm.id, None)

    def _say(self, found: Said, source: str) -> None:
        if found.whole:
            for alarm in list(self._of.get(found.base, {}).values()):
                self._hear(alarm, found)
            return
        known = self.alarms.get(found.alarm)
        if known is not None:
            self._hear(known, found)
        elif found.active:
            self._hear(self._new(found, source), found)

    def _new(self, found: Said, source: str) -> Alarm:
        if len(self.alarms) >= KEPT:
            self._forget()
        rule = self.options.rule(found.alarm)
        alarm = Alarm(
            id=found.alarm, base=found.base, rule=rule, priority=found.priority, source=source
        )
        alarm.suppressed = self._suppression(rule)
        self.alarms[alarm.id] = alarm
        self._of.setdefault(alarm.base, {})[alarm.id] = alarm
        return alarm

    def _forget(self) -> None:
        """Forget the older half of the alarms that are over; none that is active or shelved."""
        over = [a for a in self.alarms.values() if a.state == "normal" and not a.due]
        for alarm in sorted(over, key=lambda alarm: alarm.returned)[: KEPT // 2]:
            del self.alarms[alarm.id]
            del self._of[alarm.base][alarm.id]

    def _hear(self, alarm: Alarm, found: Said) -> None:
        """Take in what the source says of an alarm, unless it said something newer already."""
        if found.time < alarm.heard:
            return
        alarm.heard = found.time
        if found.active:
            self._describe(alarm, found)
        if found.active == alarm.condition:
            return
        alarm.condition, alarm.turned = found.active, found.time
        delay = alarm.rule.on_delay if found.active else alarm.rule.off_delay
        if alarm.condition == alarm.active:
            alarm.due = 0
        elif delay:
            alarm.due = self.now + round(delay * SECOND)
        else:
            self._settle(alarm)
        self._mind(alarm)

    def _describe(self, alarm: Alarm, found: Said) -> None:
        """Take over text and priority; an active alarm that becomes more urgent is told anew."""
        before = alarm.priority
        alarm.priority = alarm.rule.priority or found.priority
        alarm.text, alarm.code = found.text or alarm.text, found.code
        if alarm.active and PRIORITIES.index(alarm.priority) > PRIORITIES.index(before):
            self._tell(alarm)

    def _settle(self, alarm: Alarm) -> None:
        """Let an alarm follow its condition."""
        alarm.active = alarm.condition
        if alarm.active:
            alarm.since, alarm.count = alarm.turned, alarm.count + 1
            alarm.recent.append(self.now)
            quiet_until = alarm.told + round(alarm.rule.dead_time * SECOND)
            if alarm.told and self.now < quiet_until and not alarm.is_quiet:
                self._step(alarm, "repeated")
            else:
                self._tell(alarm)
        else:
            alarm.returned = alarm.turned
            if alarm.is_quiet:
                alarm.acknowledged = True
            self._step(alarm, "returned")

    def _tell(self, alarm: Alarm) -> None:
        """Tell people of an alarm, unless it is kept quiet."""
        if alarm.is_quiet:
            self._step(alarm, "kept_quiet")
            return
        alarm.acknowledged = False
        alarm.told = self.now
        alarm.person = alarm.note = ""
        self._floods.add(self.now)
        self._step(alarm, "told")

    def _calm(self) -> None:
        if self._floods.advance(self.now):
            self.version += 1

    def _do(self, id: str, deed: str, event: Event) -> None:
        """Carry out what a person did; what no longer fits changes nothing."""
        alarm = self.alarms.get(id)
        if alarm is None:
            return
        data = event.data
        if deed == "acknowledge":
            # what came anew after the person looked was not seen
            if alarm.acknowledged or alarm.told > _whole(data.get("seen"), alarm.told):
                return
            alarm.acknowledged = True
            self._sign(alarm, event, "acknowledged")
        elif deed == "shelve":
            until = _whole(data.get("until"), 0)
            if until <= self.now:
                return
            alarm.until, alarm.acknowledged = until, True
            self._sign(alarm, event, "shelved")
        elif deed == "unshelve":
            if alarm.until:
                self._sign(alarm, event, "unshelved")
                self._unshelve(alarm)
        elif (event.value == "out") != alarm.out:
            alarm.out = event.value == "out"
            self._sign(alarm, event, "out_of_service" if alarm.out else "in_service")
            self._hush(alarm)
        self._mind(alarm)

    def _sign(self, alarm: Alarm, event: Event, what: str) -> None:
        alarm.person, alarm.note = event.data.get("person", ""), event.data.get("note", "")
        alarm.done = event.time
        self._step(alarm, what)

    def _unshelve(self, alarm: Alarm) -> None:
        alarm.until = 0
        self._step(alarm, "shelving_ended")
        self._hush(alarm)

    def _turn(self, signal: str, state: str) -> None:
        """Take in a state by which alarms may be suppressed."""
        self._states[signal] = state
        for alarm in self.alarms.values():
            if not any(each.signal == signal for each in alarm.rule.suppressed_while):
                continue
            reason = self._suppression(alarm.rule)
            if reason != alarm.suppressed:
                alarm.suppressed = reason
                self._step(alarm, "suppressed" if reason else "suppression_ended")
                self._hush(alarm)

    def _suppression(self, rule: Rule) -> str:
        """Return by which state an alarm of a rule is suppressed now, or ''."""
        for each in rule.suppressed_while:
            state = self._states.get(each.signal, "")
            if state in each.states:
                return f"{each.signal}={state}"
        return ""

    def _hush(self, alarm: Alarm) -> None:
        """Begin or end keeping an alarm quiet: it is told anew if it is active when that ends."""
        if alarm.is_quiet or not alarm.active:
            alarm.acknowledged = True
        else:
            self._tell(alarm)

    def _step(self, alarm: Alarm, what: str) -> None:
        self.version += 1
        if self._steps is not None:
            self._steps.append(
                Step(self.now, alarm.id, what, alarm.priority, alarm.text, alarm.person, alarm.note)
            )


def is_chattering(alarm: Alarm) -> bool:
    """Return whether an alarm came CHATTER times within one minute, the last time it came so."""
    recent = alarm.recent
    return len(recent) == CHATTER and recent[-1] - recent[0] <= MINUTE


def is_stale(alarm: Alarm, options: AlarmOptions, now: int) -> bool:
    """Return whether an alarm has been active for too long to mean anything."""
    return alarm.active and now - alarm.since > options.stale * SECOND


def replay(options: AlarmOptions, events: Iterable[Event], now: int) -> tuple[Board, list[Step]]:
    """Return the board that was, at `now`, and every step to it.

    events: of kind alarm, note and state, in any order: they count in that of their coming.
    """
    steps: list[Step] = []
    board = Board(options, steps)
    for event in sorted(events, key=lambda event: event.received or event.time):
        board.take(event)
    board.advance(now)
    return board, steps


def _order(alarm: Alarm) -> tuple[bool, bool, int, int]:
    rank = PRIORITIES.index(alarm.priority)
    return alarm.is_quiet, not alarm.active, -rank, -alarm.since


def _whole(text: str | None, otherwise: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return otherwise
