"""Where the planned time went: losses by reason, largest first, that add up to PBT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from deungdae.core.types import SECOND

from .stops import Stop
from .timeline import Times

Kind: TypeAlias = Literal["availability", "effectiveness", "quality", "unknown"]


UNCOUNTED = "parts not counted"
SLOWER = "slower than planned"
REJECTED = "parts not good"


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

    productive: the planned run time of the good parts; where parts cannot be told, all APT: it is
    then not rated.
    """

    planned: float
    productive: float
    losses: tuple[Loss, ...]
    rated: bool = False


def balance(
    standing: Sequence[Stop], start: int, end: int, times: Times, values: Mapping[str, float]
) -> Balance:
    """Return the losses of [start, end), largest first. standing: every stop that touches it."""
    found: dict[tuple[str, Kind], float] = {}
    for reason, kind, length in _lost(standing, start, end):
        found[reason, kind] = found.get((reason, kind), 0.0) + length / SECOND
    productive = times.APT
    rated = {"PRI", "PQ known", "APT counted"} <= values.keys()
    if rated:
        made = values["PRI"] * values["PQ known"]
        good = values["GQ"] / values["PQ"] if values.get("PQ") and "GQ" in values else 1.0
        found[UNCOUNTED, "unknown"] = times.APT - values["APT counted"]
        found[SLOWER, "effectiveness"] = values["APT counted"] - made
        found[REJECTED, "quality"] = made * (1 - good)
        productive = made * good
    return Balance(
        planned=times.PBT, productive=productive, losses=_sorted(found, times.PBT), rated=rated
    )


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


def _lost(standing: Sequence[Stop], start: int, end: int) -> Iterator[tuple[str, Kind, int]]:
    """Yield reason, kind and length of every part of PBT that was not production."""
    for stop in standing:
        for piece in stop.within(start, end):
            if piece.busy:
                kind: Kind = "unknown" if piece.category == "unknown" else "availability"
                told = f": {piece.reason}" if piece.reason else ""
                yield piece.state + told, kind, piece.length
