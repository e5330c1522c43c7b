"""The errors of the house, one tree.

DeungdaeError
├── FactoryError    the description is wrong; found before anything starts; holds every Fault
├── DoorError       the outside did not do its part; the door retries with jittered back-off
│   ├── Unreachable     nothing answered: wrong address, no network, refused, time-out
│   └── BadReply        something answered, but not what the protocol demands
├── StoreError      the historian cannot keep its promise: no further acknowledgement
│   └── StoreFailed     what is on disk is not known: only opening it anew can tell
├── Refused         the gate (or a right) said no; names the rule
└── NotEnoughData   the data do not carry the answer; says what is missing
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class DeungdaeError(Exception):
    """Any error that this house raises on purpose."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a file that a person wrote: where, what, and what would be right."""

    file: str
    key: str
    value: object = None
    problem: str
    remedy: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        shown = "" if self.value is None else f" = {_shorten(self.value)}"
        remedy = f"\n    remedy: {self.remedy}" if self.remedy else ""
        return f"{place}: {self.key}{shown}: {self.problem}{remedy}"


class FactoryError(DeungdaeError):
    """The description of a factory is wrong; `faults` holds everything found, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class DoorError(DeungdaeError):
    """A machine, server or file outside did not do its part.

    remedy: what the person at the cabinet can do about it.
    """

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


class Unreachable(DoorError):
    """Nothing answered at the address."""


class BadReply(DoorError):
    """The answer is not what the protocol demands."""


class StoreError(DeungdaeError):
    """The historian could not make data durable; nothing more may be acknowledged."""


class StoreFailed(StoreError):
    """A commit failed: nothing is accepted until the store is opened anew. End, and start again."""


class Refused(DeungdaeError):
    """A rule forbids it. rule: the rule's stable name; the message says why in words."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason


class NotEnoughData(DeungdaeError):
    """The data do not carry the answer; the message says what is missing."""


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
