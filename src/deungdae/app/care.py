"""What the data know of a machine's maintenance: nothing that they do not tell."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Samples
from deungdae.core.types import DAY, HOUR, SECOND, Signal
from deungdae.insight import kpi
from deungdae.insight.kpi.categories import Category, categorise, words
from deungdae.insight.kpi.counters import increments
from deungdae.insight.states import UNKNOWN, Spell
from deungdae.model.factory import Factory

from . import report
from .remote import Archive

DAYS = 90  # how far back is looked
FAILED: tuple[Category, ...] = ("failure", "repair")
LISTED = 10  # failures


class Failure(msgspec.Struct, frozen=True):
    """The machine had failed over [start, end), ns. state: the word by which it said so."""

    start: int
    end: int
    state: str


class Care(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's maintenance over [start, end), ns, as its states tell it.

    known: share of the time whose state is known, 0..1. maintained: when the last maintenance
    ended, None where there was none. running: s of production since then, or in all; made: parts
    since then, None where nobody counts. between: mean s of production from failure to failure,
    restoring: mean s of a failure; None where there was none. failures: the newest ones.
    """

    start: int
    end: int
    known: float
    maintained: int | None
    running: float
    made: float | None
    count: int
    between: float | None
    restoring: float | None
    failures: tuple[Failure, ...]


def care(store: Archive, factory: Factory, asset: str, now: int) -> Care:
    """Return what is known of the last DAYS days. Raises NotEnoughData without a state signal."""
    signals = store.signals()
    spec = declared(factory, asset, signals)
    signal = report.state_signals(signals, [asset])[asset]
    meaning = words(spec.model, spec.states)
    spells = report.spells(store, signals, signal, now - DAYS * DAY, now, factory.zone)
    first = next((spell.start for spell in spells if spell.state != UNKNOWN), now)
    spells = [spell for spell in spells if spell.end > first]
    if not spells:
        raise NotEnoughData(f"no state of {asset} in {DAYS} days")
    kinds = [categorise(meaning, spell.state) or "unknown" for spell in spells]
    failures = _failures(spells, kinds)
    maintained = max(
        (s.end for s, kind in zip(spells, kinds, strict=True) if kind == "maintenance"),
        default=None,
    )
    whole = _length(spells, kinds, ("production",), first)
    since = first if maintained is None else maintained
    restoring = sum(each.end - each.start for each in failures) / SECOND
    return Care(
        start=first,
        end=now,
        known=1 - _length(spells, kinds, ("unknown",), first) * SECOND / max(now - first, 1),
        maintained=maintained,
        running=_length(spells, kinds, ("production",), since),
        made=_made(store, spec.count, since, now),
        count=len(failures),
        between=whole / len(failures) if failures else None,
        restoring=restoring / len(failures) if failures else None,
        failures=tuple(failures[-LISTED:]),
    )


def declared(factory: Factory, asset: str, signals: Sequence[Signal]) -> kpi.KpiOptions:
    """Return what the factory file says of an asset's states, else what its signals suggest."""
    for plugin in factory.room("insight").values():
        options = plugin.options
        if isinstance(options, kpi.KpiOptions) and options.asset == asset:
            return options
    return kpi.default_spec(asset, signals)


def _failures(spells: Sequence[Spell], kinds: Sequence[Category]) -> list[Failure]:
    """Return the failures; what follows one without production between them belongs to it."""
    found: list[Failure] = []
    joined = False
    for spell, kind in zip(spells, kinds, strict=True):
        if kind in FAILED and joined:
            found[-1] = Failure(found[-1].start, spell.end, found[-1].state)
        elif kind in FAILED:
            found.append(Failure(spell.start, spell.end, spell.state))
        joined = kind in FAILED
    return found


def _length(
    spells: Sequence[Spell], kinds: Sequence[Category], wanted: Sequence[Category], since: int
) -> float:
    """Return the s of some categories after a moment."""
    return (
        sum(
            spell.end - max(spell.start, since)
            for spell, kind in zip(spells, kinds, strict=True)
            if kind in wanted and spell.end > since
        )
        / SECOND
    )


def _made(store: Archive, counter: str, since: int, now: int) -> float | None:
    """Return the parts made since a moment, from the last count of each hour; None: not counted."""
    if not counter:
        return None
    base = store.query([counter], since, since, before=True)[counter]
    hours = store.rollup(counter, since, now, HOUR)
    counted = hours.count > 0
    times = np.concatenate([base.time, hours.start[counted] + HOUR - 1])
    values = np.concatenate([base.value, hours.last[counted]])
    status = np.concatenate([base.status, np.zeros(int(counted.sum()), np.uint8)])
    found = increments(Samples(times, values, status), since, now + HOUR)
    return None if found is None else found.total
