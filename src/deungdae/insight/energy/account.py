"""What was used over any period: by machine, state and product, its load curve, and its carbon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from deungdae.core.ports import Samples, Store
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Event

from .carbon import Factor
from .pieces import Amount, Pieces, within

QUARTER = 15 * MINUTE  # over which Korean suppliers, as many others, measure demand
LONG = 2 * DAY  # of a longer period the readings of each minute are enough
LONGEST = 92 * DAY

Spans = list[tuple[int, int]]


class Block(msgspec.Struct, frozen=True):
    """The mean power of all machines in kW from start on; value None where nothing was told."""

    start: int
    value: float | None
    low: float
    high: float


class MachineUse(msgspec.Struct, frozen=True, kw_only=True):
    """Electric energy of a machine, whole, by state and by product; '' is no product known."""

    asset: str
    energy: Amount
    states: dict[str, Amount] = {}
    products: dict[str, Amount] = {}


class CarrierUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of another carrier, in unit, and its carbon in kg of CO2 equivalent."""

    name: str
    asset: str
    unit: str
    amount: Amount
    factor: Factor | None = None

    @property
    def co2(self) -> float | None:
        """Return kg of CO2 equivalent, None where it is not known."""
        return carbon(self.amount, self.factor)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in [start, end). load: each whole quarter of an hour by the clock.

    energy: of the main meter where there is one, else the sum of the machines.
    """

    start: int
    end: int
    energy: Amount
    machines: tuple[MachineUse, ...]
    carriers: tuple[CarrierUse, ...]
    load: tuple[Block, ...]
    factor: Factor | None = None

    @property
    def co2(self) -> float | None:
        """Return kg of CO2 equivalent of the electricity, None where it is not known."""
        return carbon(self.energy, self.factor)

    @property
    def peak(self) -> Block | None:
        """Return the quarter of an hour with the largest mean power, of those that were told."""
        told = [block for block in self.load if block.value is not None]
        return max(told, key=lambda block: block.value or 0.0, default=None)


def carbon(amount: Amount, factor: Factor | None) -> float | None:
    """Return kg of CO2 equivalent of an amount, None without a factor or where nothing was told."""
    return None if factor is None or amount.silent else amount.value * factor.factor


def readings(
    store: Store, counters: Sequence[str], powers: Sequence[str], start: int, end: int
) -> dict[str, Samples]:
    """Return what meters told, with the last before the start.

    Of a long period each minute's last reading, or mean power, stands for the minute.
    """
    if end - start <= LONG:
        return store.query([*counters, *powers], start, end, before=True)
    return {id: _minutes(store, id, start, end, id in powers) for id in (*counters, *powers)}


def _minutes(store: Store, id: str, start: int, end: int, is_power: bool) -> Samples:
    rows = store.rollup(id, start, end, MINUTE)
    told = rows.count > 0
    # a counter stands at the end of its minute where its last reading put it
    closed = np.minimum(rows.start[told] + MINUTE - SECOND, end - 1)
    time = rows.start[told] if is_power else closed
    value = rows.weighted[told] if is_power else rows.last[told]
    return Samples(time, value, np.zeros(len(time), np.uint8))


def load(meters: Sequence[Pieces], start: int, end: int) -> tuple[Block, ...]:
    """Return the mean power of all meters in each whole quarter of an hour by the clock."""
    blocks = []
    for since in range(-(-start // QUARTER) * QUARTER, end // QUARTER * QUARTER, QUARTER):
        parts = [within(pieces, [(since, since + QUARTER)]) for pieces in meters]
        scale = HOUR / QUARTER
        silent = not parts or any(part.silent for part in parts)
        blocks.append(
            Block(
                since,
                None if silent else scale * sum(part.value for part in parts),
                scale * sum(part.low for part in parts),
                scale * sum(part.high for part in parts),
            )
        )
    return tuple(blocks)


def products(parts: Iterable[Event], start: int, end: int) -> dict[str, Spans]:
    """Return when a machine worked on which product: until a part was done, on that part's.

    parts: scans of finished parts with data["product"], in time order. What was after the last is
    on '': nobody knows yet.
    """
    found: dict[str, Spans] = {}
    since = start
    for part in parts:
        until = min(part.time, end)
        if until <= since:
            continue
        spans = found.setdefault(part.data.get("product", ""), [])
        if spans and spans[-1][1] == since:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((since, until))
        since = until
    if since < end:
        found.setdefault("", []).append((since, end))
    return found


def shares(pieces: Pieces, spans: Mapping[str, Spans]) -> dict[str, Amount]:
    """Return the energy in spans of each name."""
    return {name: within(pieces, each) for name, each in spans.items()}
