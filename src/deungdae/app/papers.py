"""Shift and weekly reports of a store as PDF, for the page, the command and the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from deungdae.core.ports import Store
from deungdae.core.types import DAY, HOUR
from deungdae.insight.kpi.account import Account
from deungdae.insight.kpi.reasons import Language
from deungdae.insight.kpi.shifts import Turn
from deungdae.model.calendar import days_between, local_midnight
from deungdae.model.factory import Factory

from .accounts import accounts, of_periods

if TYPE_CHECKING:
    from .pdf import Paper

WEEK = 7  # days


def shift_report(
    store: Store, factory: Factory, turn: Turn, now: int, language: Language,
    assets: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """Return the report of a shift, so far where it still runs. Raises NotEnoughData."""
    found = accounts(
        store, factory, turn.start, min(turn.end, now), now=now, until=turn.end, assets=assets
    )
    from .pdf import shift  # noqa: PLC0415 — what draws takes half a second to load

    return shift(_paper(store, factory, turn.name, found, now, language))


def week_report(
    store: Store, factory: Factory, until: int, now: int, language: Language,
    assets: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """Return the report of the seven local days before the day of `until`. Raises NotEnoughData."""
    days = week_before(factory, until)
    whole, *each = of_periods(
        store, factory, [(days[0][0], days[-1][1]), *days], now=now, assets=assets
    )
    from .pdf import week  # noqa: PLC0415

    return week(_paper(store, factory, "", whole, now, language, each))


def week_before(factory: Factory, until: int) -> list[tuple[int, int]]:
    """Return the seven whole local days that end at or before a moment."""
    last = days_between(until, until + 1, factory.zone)[0][0]
    edges = [local_midnight(last - timedelta(back), factory.zone) for back in range(WEEK, -1, -1)]
    return list(pairwise(edges))


def heard(found: Sequence[Account]) -> bool:
    """Return whether anything is known of any machine in its planned time."""
    return any(each.unknown < each.planned for each in found)


def _paper(
    store: Store, factory: Factory, name: str, found: list[Account], now: int,
    language: Language, days: list[list[Account]] | None = None,
) -> Paper:  # fmt: skip
    from .pdf import Paper  # noqa: PLC0415

    return Paper(
        factory=factory.identity.name or factory.id,
        name=name,
        language=language,
        zone=factory.zone,
        made=now,
        accounts=found,
        names={asset.id: asset.name for asset in factory.assets.values()},
        notes=_notes(store, factory, found[0].start, found[0].until),
        days=days or [],
    )


def _notes(store: Store, factory: Factory, start: int, end: int) -> list[tuple[int, str, str]]:
    """Return what was handed over in a shift, or just after it."""
    ids = [f"{asset}.handover" for asset in (factory.id, *factory.assets)]
    late = HOUR if end - start <= DAY else 0
    told = store.events(start, end + late, ids=ids, kinds=["note"])
    return [(event.time, event.data.get("person", ""), event.value) for event in told]
