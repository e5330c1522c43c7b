"""Where the planned time went: losses by reason, largest first, that add up to PBT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from deungdae.core.types import SECOND, Event

from .timeline import Stretch, Times

Kind: TypeAlias = Literal["availability", "effectiveness", "quality", "unknown"]


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Planned time that made no good part. seconds: of time, or what the parts would have taken.

    share: of PBT, cumulative: of all losses together up to this one; both in %.
    A negative effectiveness loss says that parts were made faster than `cycle`.
    """

    reason: str
    kind: Kind
    seconds: float
    share: float
    cumulative: float


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """planned (PBT) = productive + the seconds of all losses.

    productive: the planned run time of the good parts; where parts cannot be told, all APT.
    """

    planned: float
    productive: float
    losses: tuple[Loss, ...]


def balance(
    line: Sequence[Stretch], times: Times, values: Mapping[str, float], reasons: Sequence[Event]
) -> Balance:
    """Return the losses of a period, largest first. reasons: what people told, in order of time.

    A reason that was told within a stop holds for it from its begin, until the next one.
    """
    found: dict[tuple[str, Kind], float] = {}
    for reason, kind, length in _stops(line, reasons):
        found[reason, kind] = found.get((reason, kind), 0.0) + length / SECOND
    productive = times.APT
    if {"PRI", "PQ known", "APT counted"} <= values.keys():
        made = values["PRI"] * values["PQ known"]
        good = values["GQ"] / values["PQ"] if values.get("PQ") and "GQ" in values else 1.0
        found["parts not counted", "unknown"] = times.APT - values["APT counted"]
        found["slower than planned", "effectiveness"] = values["APT counted"] - made
        found["parts not good", "quality"] = made * (1 - good)
        productive = made * good
    return Balance(planned=times.PBT, productive=productive, losses=_sorted(found, times.PBT))


def _sorted(found: Mapping[tuple[str, Kind], float], planned: float) -> tuple[Loss, ...]:
    order = sorted(
        ((seconds, *key) for key, seconds in found.items() if seconds), key=lambda x: (-x[0], x[1])
    )
    total = sum(seconds for seconds, _, _ in order)
    sums = accumulate(seconds for seconds, _, _ in order)
    return tuple(
        Loss(
            reason=reason,
            kind=kind,
            seconds=seconds,
            share=100 * seconds / planned,
            cumulative=100 * so_far / total if total else 0.0,
        )
        for (seconds, reason, kind), so_far in zip(order, sums, strict=True)
    )


def _stops(line: Sequence[Stretch], reasons: Sequence[Event]) -> Iterator[tuple[str, Kind, int]]:
    """Yield reason, kind and length of every part of PBT that was not production."""
    stop: list[Stretch] = []
    for part in line:
        if part.category in ("production", "unknown"):
            yield from _explained(stop, reasons)
            stop = []
            if part.busy and part.category == "unknown":
                yield part.state, "unknown", part.length
        else:
            stop.append(part)
    yield from _explained(stop, reasons)


def _explained(
    stop: Sequence[Stretch], reasons: Sequence[Event]
) -> Iterator[tuple[str, Kind, int]]:
    """Yield the parts of one stop, with the reasons that were told within it."""
    if not stop:
        return
    first, last = stop[0].start, stop[-1].end
    told = [e for e in reasons if first <= e.time < last and e.kind != "gap" and e.value]
    starts = [first, *(e.time for e in told[1:])]
    names = [f": {e.value}" for e in told] or [""]
    for part in stop:
        if not part.busy:
            continue
        for since, until, name in zip(starts, [*starts[1:], last], names, strict=True):
            length = min(part.end, until) - max(part.start, since)
            if length > 0:
                yield part.state + name, "availability", length
