"""Judges rows by what is usual: the index, alarms with their signals, gaps, and what stands."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray, TimeArray

from .limit import smoothed
from .model import lagged
from .table import Table
from .watch import Watch

_END = 0.95  # of the limit: below, an alarm ends
_STILL = 5  # times the longest stand of the training
_NAMED = 0.1  # of the index: who contributes less is not named


class Part(msgspec.Struct, frozen=True):
    """What one signal has to do with an alarm. share: of the index, 0..1; now: its mean since."""

    name: str
    share: float
    now: float
    low: float
    high: float
    middle: float

    @property
    def side(self) -> str:
        """Return `above` or `below` what is usual, or '' where only the others make it unusual."""
        return "above" if self.now > self.high else "below" if self.now < self.low else ""

    @property
    def unit(self) -> str:
        """Return how the unit may have changed, in words, or ''."""
        width = max(self.high - self.low, 1e-12 * abs(self.middle))
        if not self.side or abs(self.now - self.middle) < 5 * width:
            return ""
        for factor in (1000, 100, 10, 60, 3600, 1e6):
            for ratio, word in ((factor, "times"), (1 / factor, "of")):
                if abs(self.now - ratio * self.middle) < 0.05 * abs(ratio * self.middle):
                    return f"{factor:g} {word}" if word == "times" else f"1/{factor:g} {word}"
        known = ((self.middle + 273.15, "K of"), (self.middle * 1.8 + 32, "°F of"))
        return next((word for value, word in known if abs(self.now - value) < 2 * width), "")


class Alarm(msgspec.Struct, frozen=True):
    """A stretch unlike the training. end: None while it lasts. peak: index over the limit.

    parts: what makes it so, largest first; below a tenth not named.
    """

    start: int
    end: int | None
    peak: float
    parts: tuple[Part, ...]


class Missing(msgspec.Struct, frozen=True):
    """A signal without data for longer than a gap, over [start, end]; end None while it lasts."""

    name: str
    start: int
    end: int | None


class Still(msgspec.Struct, frozen=True):
    """A signal that has kept one value since then, longer than ever in the training."""

    name: str
    since: int
    value: float


class Open(msgspec.Struct, eq=False):
    """An alarm so far: sums of what each signal contributed and was, [c], and of known values."""

    start: int
    shares: FloatArray
    values: FloatArray
    counts: FloatArray
    peak: float = 0.0


class Memory(msgspec.Struct, eq=False):
    """What judging goes on from: the last rows, the smoothed index, an alarm that lasts.

    known: when each signal was last there; moved: its value and since when it has it.
    """

    tail: Table
    level: float
    time: int
    known: dict[str, int]
    moved: list[tuple[float, int]]
    open: Open | None = None


class Judgement(msgspec.Struct, frozen=True, eq=False):
    """time int64[n]; ratio float64[n], index over the limit, NaN where nothing is told."""

    time: TimeArray
    ratio: FloatArray
    alarm: NDArray[np.bool_]
    alarms: tuple[Alarm, ...]
    missing: tuple[Missing, ...]
    still: tuple[Still, ...]
    memory: Memory


def judge(watch: Watch, table: Table, memory: Memory | None = None) -> Judgement:
    """Return what the rows are. memory: of the judgement of the rows before.

    table holds at least the watched signals. Raises NotEnoughData where one of them is no column.
    """
    lacking = [name for name in watch.names if name not in table.names]
    if lacking:
        raise NotEnoughData(f"the model needs {', '.join(lacking)}, which the table has not")
    value = table.value[:, [table.names.index(name) for name in watch.names]]
    memory = memory or _blank(watch, table)
    before = len(memory.tail)
    time = np.r_[memory.tail.time, table.time]
    rows = np.vstack([memory.tail.value, value])
    wide = lagged(rows, time, watch.model.lags, watch.gap)[before:]
    parts = watch.model.parts(wide)
    near = len(table) > 0 and table.time[0] - memory.time <= watch.gap
    begin = memory.level if near else watch.usual
    index = np.sqrt(parts.sum(axis=1))
    even = smoothed(index, table.time, watch.smooth, watch.usual, watch.gap)
    if near:  # go on from where it was: the difference fades as the index forgets
        run = _first_run(table.time, index, watch.gap)
        even[run] += (begin - watch.usual) * (1 - 1 / watch.smooth) ** np.arange(1, len(run) + 1)
    ratio = even / watch.limit.value
    alarm = _hysteresis(ratio, on=memory.open is not None)
    alarms = tuple(_alarms(watch, table.time, ratio, alarm, parts, value, memory))
    missing = tuple(_missing(watch, table.time, value, memory))
    still = tuple(_still(watch, table.time, value, memory))
    told = np.flatnonzero(~np.isnan(even))
    if len(told):
        memory.level, memory.time = float(even[told[-1]]), int(table.time[told[-1]])
    keep = slice(max(len(time) - watch.model.lags, 0), None)
    memory.tail = Table(watch.names, time[keep], rows[keep])
    return Judgement(table.time, ratio, alarm, alarms, missing, still, memory)


def _hysteresis(ratio: FloatArray, *, on: bool) -> NDArray[np.bool_]:
    """Return where an alarm is on: from above the limit until below `_END` of it.

    Where nothing is told, it neither begins nor ends.
    """
    alarm = np.zeros(len(ratio), bool)
    for row, value in enumerate(ratio.tolist()):
        on = value > 1 or (on and not value < _END)
        alarm[row] = on
    return alarm


def _first_run(time: TimeArray, index: FloatArray, gap: int) -> NDArray[np.intp]:
    """Return the rows that are told until the first gap in time."""
    told = np.flatnonzero(~np.isnan(index))
    ends = np.flatnonzero(np.diff(time[told]) > gap)
    return told[: ends[0] + 1] if len(ends) else told


def _alarms(
    watch: Watch,
    time: TimeArray,
    ratio: FloatArray,
    alarm: NDArray[np.bool_],
    parts: FloatArray,
    value: FloatArray,
    memory: Memory,
) -> Iterator[Alarm]:
    """Yield the alarms of the rows in order; one that lasts stays in the memory."""
    edges = np.flatnonzero(np.diff(np.r_[False, alarm, False])).tolist()
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    if memory.open is not None and len(time) and not alarm[0]:
        yield _told(watch, memory.open, int(time[0]))
        memory.open = None
    for first, last in spans:
        held = memory.open or _opened(int(time[first]), len(watch.names))
        peak = np.nan_to_num(ratio[first:last]).max()
        memory.open = Open(
            start=held.start,
            shares=held.shares + np.nansum(parts[first:last], axis=0),
            values=held.values + np.nansum(value[first:last], axis=0),
            counts=held.counts + (~np.isnan(value[first:last])).sum(axis=0),
            peak=max(held.peak, float(peak)),
        )
        ended = int(time[last]) if last < len(time) else None
        yield _told(watch, memory.open, ended)
        memory.open = memory.open if ended is None else None


def _opened(start: int, columns: int) -> Open:
    return Open(start, np.zeros(columns), np.zeros(columns), np.zeros(columns))


def _told(watch: Watch, held: Open, end: int | None) -> Alarm:
    """Return the alarm as it is so far."""
    shares = held.shares / max(float(held.shares.sum()), 1e-300)
    means = held.values / np.maximum(held.counts, 1)
    parts = tuple(
        Part(
            name=watch.names[at],
            share=float(shares[at]),
            now=float(means[at]),
            low=float(watch.low[at]),
            high=float(watch.high[at]),
            middle=float(watch.middle[at]),
        )
        for at in np.argsort(-shares)
        if shares[at] >= _NAMED
    )
    return Alarm(held.start, end, held.peak, parts)


def _missing(watch: Watch, time: TimeArray, value: FloatArray, memory: Memory) -> Iterator[Missing]:
    """Yield the gaps of each signal that are longer than a gap."""
    for column, name in enumerate(watch.names):
        known = time[~np.isnan(value[:, column])]
        moments = np.r_[np.int64(memory.known[name]), known]
        for at in np.flatnonzero(np.diff(moments) > watch.gap):
            yield Missing(name, int(moments[at]), int(moments[at + 1]))
        memory.known[name] = int(moments[-1])
        if len(time) and time[-1] - moments[-1] > watch.gap:
            yield Missing(name, int(moments[-1]), None)


def _still(watch: Watch, time: TimeArray, value: FloatArray, memory: Memory) -> Iterator[Still]:
    """Yield the signals that have kept their value for longer than they ever did."""
    for column, name in enumerate(watch.names):
        held, since = memory.moved[column]
        known = ~np.isnan(value[:, column])
        now, moments = value[known, column], time[known]
        moved = np.flatnonzero(np.r_[now[:1] != held, now[1:] != now[:-1]])
        if len(moved):
            held, since = float(now[moved[-1]]), int(moments[moved[-1]])
            memory.moved[column] = held, since
        patience = max(_STILL * watch.stand[column], 10.0 * watch.smooth * watch.period)
        if len(moments) and moments[-1] - since > patience:
            yield Still(name, since, held)


def _blank(watch: Watch, table: Table) -> Memory:
    first = int(table.time[0]) if len(table) else 0
    return Memory(
        tail=Table(watch.names, np.empty(0, np.int64), np.empty((0, len(watch.names)))),
        level=watch.usual,
        time=first,
        known=dict.fromkeys(watch.names, first),
        moved=[(np.nan, first)] * len(watch.names),
    )
