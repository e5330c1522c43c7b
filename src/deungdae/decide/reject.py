"""Sorting out: what a trained inspection rejects is told to the machine that takes it off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Annotated

import msgspec
from msgspec import Meta

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.ports import Needs, Window
from deungdae.core.types import SECOND, Command, Finding, Severity
from deungdae.model.factory import Factory

LATE = 2.0  # s that a machine has to hold what was asked, before it is asked again


class Reject:
    """Sorts out the parts that an inspection rejects: it sets a signal, and sets it back.

    It acts only on verdicts of a trained model that somebody let decide; of a model that watches or
    advises, and of an inspection without a model, nothing moves. Each part moves the signal once,
    and only while its verdict is fresh: what comes late, or after a restart, is not made up for.
    After `hold` seconds without another bad part, or when it finds the signal set and knows of no
    bad part, it asks for `rest` again. Which part stands before the ejector when the signal comes
    is for the machine's own controller to follow. What it asks for goes through the gate, as
    everything does: list the signal there.

    ```toml
    [insight.inspection]
    type = "vision"
    signal = "camera1.image"

    [decide.sorting]
    type = "reject"
    inspection = "inspection"
    signal = "sorter1.reject"
    hold = 2

    [decide.gate]
    type = "gate"
    mode = "auto"

    [[decide.gate.writable]]
    signal = "sorter1.reject"
    low = 0
    high = 1
    step = 1

    [[signals]]
    id = "camera1.image"
    kind = "image"

    [[signals]]
    id = "sorter1.reject"
    low = 0
    high = 1
    access = "rw"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        inspection: Annotated[str, Meta(description="Name of the [insight] table that inspects")]
        signal: Annotated[str, Meta(description="Id of the signal to write, access rw")]
        value: Annotated[float, Meta(description="What sorts a part out, in the signal's unit")] = (
            1.0
        )
        rest: Annotated[float, Meta(description="What lets parts pass, in the signal's unit")] = 0.0
        hold: Annotated[
            float,
            Meta(ge=0.2, le=600, description="How long it is set", extra={"unit": "s"}),
        ] = 2.0
        expiry: Annotated[
            float,
            Meta(
                gt=0,
                le=60,
                description="Life of a verdict, and of the command that follows from it",
                extra={"unit": "s"},
            ),
        ] = 3.0

    def __init__(self, name: str, options: Options, factory: Factory) -> None:
        """Raise FactoryError with everything in which the options do not fit the factory."""
        if faults := list(_faults(name, options, factory)):
            raise FactoryError(faults)
        self.name = name
        self.options = options
        self._heard = 0  # end of the newest verdict that was heard
        self._until = 0  # when the signal may rest again
        self._held: float | None = None  # what the machine reports
        self._held_at = 0
        self._asked_at = 0  # when it was last asked to rest
        self._count = 0

    @property
    def needs(self) -> Needs:
        """Return the verdicts, and the signal that it sets."""
        period = min(self.options.hold / 4, 0.5)
        return Needs(
            signals=(self.options.signal,),
            findings=(self.options.inspection,),
            every=round(period * SECOND),
        )

    def decide(self, now: int, window: Window) -> Sequence[Command]:
        """Return the command to sort a part out, or to let parts pass again."""
        self._hear(window)
        bad = [each for each in window.findings if self._acts_on(each, now)]
        self._heard = max([self._heard, *(each.end for each in window.findings if each.end <= now)])
        if bad:
            self._until = now + round(self.options.hold * SECOND)
            return (self._command(now, self.options.value, _because(bad[-1])),)
        if not self._must_rest(now):
            return ()
        self._asked_at = now
        return (self._command(now, self.options.rest, "no bad part any more"),)

    def _acts_on(self, finding: Finding, now: int) -> bool:
        """Return whether a part is to be sorted out: judged just now, by a model that decides."""
        evidence = finding.evidence
        return (
            finding.origin == self.options.inspection
            and evidence.get("verdict") == "reject"
            and evidence.get("stage") == "decide"
            and self._heard < finding.end <= now
            and now - finding.end < self.options.expiry * SECOND
        )

    def _hear(self, window: Window) -> None:
        """Take in what the machine reports of the signal."""
        samples = window.samples.get(self.options.signal)
        if samples is None:
            return
        for time, value, status in zip(
            samples.time.tolist(), samples.value.tolist(), samples.status.tolist(), strict=True
        ):
            if time >= self._held_at:
                good = status & 3 == Severity.GOOD and isfinite(value)
                self._held, self._held_at = value if good else None, time

    def _must_rest(self, now: int) -> bool:
        if self._held is None or now < self._until:
            return False
        middle = abs(self.options.value - self.options.rest) / 2
        return (
            abs(self._held - self.options.rest) > middle and now - self._asked_at >= LATE * SECOND
        )

    def _command(self, now: int, value: float, because: str) -> Command:
        self._count += 1
        return Command(
            id=f"{self.name}:{now}:{self._count}",
            signal=self.options.signal,
            value=value,
            origin=self.name,
            because=because,
            issued=now,
            expires=now + round(self.options.expiry * SECOND),
        )


def _because(finding: Finding) -> str:
    evidence = finding.evidence
    part = evidence.get("serial") or "a part without a code"
    return f"{part} rejected by model {evidence.get('model', '?')}, score {finding.value or 0:.3f}"


def _faults(name: str, options: Reject.Options, factory: Factory) -> Iterator[Fault]:
    for told in _problems(options, factory):
        yield factory.fault("decide", name, *told)


def _problems(options: Reject.Options, factory: Factory) -> Iterator[tuple[str, object, str, str]]:
    """Yield key, value, problem and remedy of what is wrong."""
    analyses = factory.room("insight")
    if options.inspection not in analyses:
        remedy = strict.closest(options.inspection, analyses) or "name an [insight] table"
        yield "inspection", options.inspection, "names no analysis", remedy
    signal = factory.signals.get(options.signal)
    if signal is None:
        remedy = strict.closest(options.signal, factory.signals)
        remedy = remedy or "declare it under [[signals]]"
        yield "signal", options.signal, "names a signal that is not declared", remedy
        return
    if signal.kind != "number":
        yield "signal", signal.id, f"is a signal of kind {signal.kind}", "name one of numbers"
    if signal.access != "rw":
        yield "signal", signal.id, "can only be read", 'declare it with access = "rw"'
    for key in ("value", "rest"):
        wanted = getattr(options, key)
        low = float("-inf") if signal.low is None else signal.low
        high = float("inf") if signal.high is None else signal.high
        if not (isfinite(wanted) and low <= wanted <= high):
            yield key, wanted, f"is outside the signal's range, {low:g} to {high:g}", ""
    if options.value == options.rest:
        yield "value", options.value, "is the same as rest", "sorting out must change something"
