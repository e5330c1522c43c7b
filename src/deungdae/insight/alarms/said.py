"""What an event says of alarms, whichever machine, finding or door it comes from."""

from __future__ import annotations

import msgspec

from deungdae.core.types import Event, Finding, Severity

from .options import Priority

OVER = frozenset(("NORMAL", "INACTIVE", "CLEARED", "CLEAR", "OFF", "OK", "FALSE", "0", ""))
UNKNOWN = "UNAVAILABLE"
NAMELESS = "nameless"  # an alarm that came without an id
_LEVELS: dict[str, Priority] = {"WARNING": "medium", "FAULT": "high"}
_FLAT = ("WARNING", "FAULT", "ACTIVE", "ON", "TRUE", "1", "ALARM")  # no texts for people
ALARMING = 2  # severity of findings that are alarms
LONGEST = 500  # characters of a text


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A source says that a condition holds, or no longer does.

    alarm: its id. base: id of the event that told it; where `whole`, it is about every condition
    of that id. time: of the source, ns.
    """

    alarm: str
    base: str
    time: int
    active: bool
    whole: bool = False
    priority: Priority = "medium"
    text: str = ""
    code: str = ""


def said(event: Event) -> Said | None:
    """Return what an event of kind alarm says, or None where its source knows nothing.

    data, as far as given: condition or nativeCode tells conditions of one id apart; severity is
    1 to 1000, after OPC 10000-5 §6.4.2; message or text is for people. A value in OVER says that
    the condition is gone, any other that it holds.
    """
    value, data = event.value.strip(), event.data
    word = value.upper()
    if word == UNKNOWN or event.status & 3 >= Severity.BAD:
        return None
    code = data.get("condition") or data.get("nativeCode") or ""
    text = data.get("message") or data.get("text") or ("" if word in _FLAT else value)
    over = word in OVER
    id = event.id or NAMELESS
    return Said(
        alarm=f"{id}:{code}" if code else id,
        base=id,
        # a source whose clock was ahead and is put right must be heard at once
        time=min(event.time, event.received) if event.received else event.time,
        active=not over,
        whole=over and not code,
        priority=_priority(word, data),
        text=("" if over else text)[:LONGEST],
        code=data.get("nativeCode") or data.get("condition") or "",
    )


def _priority(word: str, data: dict[str, str]) -> Priority:
    try:
        return of_severity(int(data["severity"]))
    except (KeyError, ValueError):
        return _LEVELS.get(word, "medium")


def of_severity(severity: int) -> Priority:
    """Return the priority of a severity of OPC UA, 1 to 1000.

    Source: OPC 10000-5 §6.4.2: low to 333, medium to 666, high above; the top fifth is urgent.
    """
    if severity > 800:
        return "critical"
    return "high" if severity > 666 else "medium" if severity > 333 else "low"


def is_condition(finding: Finding) -> bool:
    """Return whether a finding tells of something that lasts, so that it can be an alarm.

    One that is about a moment judges one part or one photograph: nobody can put that right.
    """
    return finding.end > finding.start


def of_finding(finding: Finding, now: int) -> Event:
    """Return what a finding says, as an event that lives on in the history."""
    active = finding.severity >= ALARMING
    return told(
        f"{finding.asset}.{finding.origin}.{finding.name}",
        now,
        active=active,
        severity=500 if finding.severity == ALARMING else 700,
        message=finding.reason,
        source=f"finding:{finding.origin}",
    )


def told(
    alarm: str, now: int, *, active: bool, severity: int = 500, message: str = "", source: str
) -> Event:
    """Return the event by which we ourselves tell an alarm, or that it is over."""
    data = {"severity": str(severity), "message": message[:LONGEST], "source": source}
    if not active:
        data = {"source": source}
    value = "active" if active else "normal"
    return Event(id=alarm, time=now, kind="alarm", value=value, received=now, data=data)
