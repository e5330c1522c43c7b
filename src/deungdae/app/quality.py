"""The quality of a period: what inspections said and people of it, and what charts showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Store
from deungdae.core.types import Finding
from deungdae.insight.spc import Asked
from deungdae.insight.vision.labels import LABEL, agreement, labels
from deungdae.learn.measure import Interval, wilson
from deungdae.model.factory import Factory

from .capability import Capable, from_factory, studies

_CHARTS = ("control", "spread")


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """What one inspection did.

    passed, rejected, unsure: its verdicts. reject_rate: rejected of all, with its 95 % interval.
    looked_at: parts that people looked at, of which they agreed with it; escaped: passed, but bad
    in a person's eyes; falsely_rejected: rejected, but good. People look at rejected parts first:
    these are counts, not rates.
    """

    origin: str
    asset: str
    inspected: int
    passed: int
    rejected: int
    unsure: int
    reject_rate: Interval
    looked_at: int
    agreed: int
    escaped: int
    falsely_rejected: int


class Charted(msgspec.Struct, frozen=True, kw_only=True):
    """What one chart showed: points that were told, those that broke a rule, and which rules."""

    origin: str
    asset: str
    signal: str
    chart: str
    points: int
    out: int
    rules: dict[str, int]
    last: float | None
    unit: str


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of a factory over [start, end), ns."""

    start: int
    end: int
    inspections: list[Inspected]
    charts: list[Charted]
    capability: list[Capable]


def quality(store: Store, factory: Factory | None, start: int, end: int) -> Quality:
    """Return the quality of a period. Without a factory there is no capability: no limits.

    Raises NotEnoughData where nothing was inspected, charted or measured against limits.
    """
    found = Quality(
        start=start,
        end=end,
        inspections=_inspections(store, factory, start, end),
        charts=_charts(store, start, end),
        capability=[]
        if factory is None
        else studies(from_factory(store, factory, start, end), Asked()),
    )
    if not (found.inspections or found.charts or found.capability):
        raise NotEnoughData("nothing was inspected, charted or measured against limits")
    return found


def _inspections(store: Store, factory: Factory | None, start: int, end: int) -> list[Inspected]:
    by_origin = _by_origin(store.findings(start, end, name="inspection"))
    return [
        _inspected(store, _signal(factory, same[0]), same, start, end)
        for same in by_origin.values()
    ]


def _inspected(store: Store, signal: str, same: list[Finding], start: int, end: int) -> Inspected:
    said = labels(store.events(start, end, ids=[f"{signal}.{LABEL}"]))
    people = agreement(same, said)
    count = Counter(each.evidence.get("verdict", "unsure") for each in same)
    return Inspected(
        origin=same[0].origin,
        asset=same[0].asset,
        inspected=len(same),
        passed=count["pass"],
        rejected=count["reject"],
        unsure=len(same) - count["pass"] - count["reject"],
        reject_rate=wilson(count["reject"], len(same)),
        looked_at=people.looked_at,
        agreed=people.agreed,
        escaped=people.escaped,
        falsely_rejected=people.falsely_rejected,
    )


def _signal(factory: Factory | None, finding: Finding) -> str:
    """Return the signal whose images an inspection saw, wherever its analysis is still known."""
    plugin = None if factory is None else factory.room("insight").get(finding.origin)
    return str(getattr(plugin.options, "signal", "")) if plugin else f"{finding.asset}.image"


def _charts(store: Store, start: int, end: int) -> list[Charted]:
    found = []
    for chart in _CHARTS:
        for origin, same in _by_origin(store.findings(start, end, name=chart)).items():
            told = [each for each in same if "cl" in each.evidence]
            if not told:
                continue  # another analysis has a conclusion of this name
            rules = Counter(
                rule for each in told for rule in each.evidence.get("rules", "").split(", ") if rule
            )
            found.append(
                Charted(
                    origin=origin,
                    asset=told[-1].asset,
                    signal=told[-1].evidence.get("signal", ""),
                    chart=chart,
                    points=len(told),
                    out=sum(each.severity >= 2 for each in told),
                    rules=dict(rules),
                    last=told[-1].value,
                    unit=told[-1].unit,
                )
            )
    return sorted(found, key=lambda each: each.origin)


def _by_origin(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for each in findings:
        found.setdefault(each.origin, []).append(each)
    return found
