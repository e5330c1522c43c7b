"""What the factory file says of alarms: how urgent each is, what to do, when to keep it quiet."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Priority: TypeAlias = Literal["low", "medium", "high", "critical"]
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "critical")  # rising

_DAY = 86_400.0


class While(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state of a machine in which an alarm means nothing."""

    signal: Annotated[str, Meta(description="Id of a signal of kind state")]
    states: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Words of that signal, e.g. off, setup")
    ]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An `[[alarms.rules]]` entry: what was agreed about some alarms."""

    alarm: Annotated[
        str, Meta(min_length=1, description="Id of the alarm; * stands for any text, e.g. kiln.*")
    ]
    priority: Annotated[Priority | None, Meta(description="Instead of what its source says")] = None
    consequence: Annotated[str, Meta(description="What happens if nobody acts")] = ""
    response: Annotated[str, Meta(description="What the operator does")] = ""
    on_delay: Annotated[
        float,
        Meta(ge=0, le=_DAY, description="It must hold so long to be told", extra={"unit": "s"}),
    ] = 0.0
    off_delay: Annotated[
        float,
        Meta(ge=0, le=_DAY, description="It must be gone so long to be over", extra={"unit": "s"}),
    ] = 0.0
    dead_time: Annotated[
        float,
        Meta(
            ge=0,
            le=_DAY,
            description="So long after it was told it is not told anew, though it is shown",
            extra={"unit": "s"},
        ),
    ] = 0.0
    suppressed_while: Annotated[
        tuple[While, ...], Meta(description="States in which it is kept quiet by design")
    ] = ()
    out_of_service: Annotated[
        bool, Meta(description="It is not told at all, until this line is taken away")
    ] = False
    max_shelve: (
        Annotated[
            float,
            Meta(gt=0, le=30 * _DAY, description="Longest shelving", extra={"unit": "s"}),
        ]
        | None
    ) = None


class AlarmOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[alarms]` table: what was agreed about the alarms of this factory.

    Alarms come from machines, from findings of severity 2 and more, from doors that are offline and
    from signals that the gate holds. Of several rules that fit an alarm the first one holds.

    ```toml
    [alarms]
    max_shelve = 28800

    [[alarms.rules]]
    alarm = "kiln.overheat*"
    priority = "critical"
    consequence = "The wagon on fire is scrap, the arch may come down"
    response = "Close valve 2, then call the kiln master"

    [[alarms.rules]]
    alarm = "press-1.*"
    on_delay = 5
    off_delay = 30
    suppressed_while = [{ signal = "press-1.state", states = ["off", "setup"] }]
    ```
    """

    max_shelve: Annotated[
        float,
        Meta(gt=0, le=30 * _DAY, description="Longest shelving", extra={"unit": "s"}),
    ] = 28_800.0
    stale: Annotated[
        float,
        Meta(gt=0, description="An alarm that is active so long is stale", extra={"unit": "s"}),
    ] = _DAY
    rules: Annotated[tuple[Rule, ...], Meta(description="What was agreed, most special first")] = ()

    def rule(self, alarm: str) -> Rule:
        """Return what was agreed about an alarm: of the rules that fit it the first."""
        for rule in self.rules:
            if rule.alarm == alarm or fnmatchcase(alarm, rule.alarm):
                return rule
        return NOTHING_AGREED


NOTHING_AGREED = Rule(alarm="*")
