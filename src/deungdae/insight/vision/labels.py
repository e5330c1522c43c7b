"""What people say of inspected parts, beside what the inspection said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import Event, Finding
from deungdae.learn.measure import Interval, kappa

LABEL = "label"  # last part of the id of a person's verdict: `<image signal>.label`
DRAWN = "drawn"  # in a finding's evidence: chosen by chance for people to look at, and the share
WORDS = ("good", "reject")
SAME = {"pass": "good", "reject": "reject"}  # what an inspection says, in people's words
LEAST = 30  # parts from which on the agreement beyond chance is told
MOST = 2000  # newest parts of which it is told; more would only cost time


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of an image. time: when it was said to the inspection, ns.

    serial: of the part; said: what the inspection had said of it.
    """

    ref: str
    verdict: str
    person: str
    time: int
    serial: str = ""
    said: str = ""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How an inspection and people agree on the parts that people looked at.

    escaped: passed, but bad in a person's eyes; falsely_rejected: rejected, but good. Only what
    people looked at is known, and they look at rejected ones first: these are no rates.
    kappa: agreement beyond chance on the parts that the inspection decided; None for fewer than 30.
    """

    looked_at: int = 0
    agreed: int = 0
    escaped: int = 0
    falsely_rejected: int = 0
    kappa: Interval | None = None


def event(signal: str, finding: Finding, verdict: str, person: str, now: int) -> Event:
    """Return a person's verdict on what an inspection of a signal's image said."""
    evidence = finding.evidence
    return Event(
        id=f"{signal}.{LABEL}",
        time=finding.end,
        kind="note",
        value=verdict,
        received=now,
        data={
            "ref": evidence.get("image", ""),
            "serial": evidence.get("serial", ""),
            "verdict": evidence.get("verdict", ""),
            "person": person,
        },
    )


def labels(events: Iterable[Event]) -> dict[str, Label]:
    """Return the newest label of each image, by its reference. events: in order of arrival."""
    return {
        each.data["ref"]: Label(
            ref=each.data["ref"],
            verdict=each.value,
            person=each.data.get("person", ""),
            time=each.received,
            serial=each.data.get("serial", ""),
            said=each.data.get("verdict", ""),
        )
        for each in sorted(events, key=lambda each: each.received)
        if each.kind == "note" and each.value in WORDS and each.data.get("ref")
    }


def agreement(findings: Iterable[Finding], known: Mapping[str, Label]) -> Agreement:
    """Return how inspections and the labels of their images agree."""
    pairs = [
        (each.evidence.get("verdict"), known[each.evidence.get("image", "")].verdict)
        for each in findings
        if each.evidence.get("image", "") in known
    ]
    return Agreement(
        looked_at=len(pairs),
        agreed=sum(said in (("pass", "good"), ("reject", "reject")) for said in pairs),
        escaped=pairs.count(("pass", "reject")),
        falsely_rejected=pairs.count(("reject", "good")),
        kappa=_beyond_chance([pair for pair in pairs if pair[0] in SAME][-MOST:]),
    )


def _beyond_chance(pairs: Sequence[tuple[str | None, str]]) -> Interval | None:
    """Return Cohen's kappa, or None where too few are known or all are of one kind."""
    if len(pairs) < LEAST:
        return None
    ratings = [(SAME[said or ""], seen) for said, seen in pairs]
    try:
        return kappa(ratings, random=np.random.default_rng(0), rounds=400)
    except NotEnoughData:
        return None
