"""Learns what is usual of some signals, then tells when they are unlike it, which, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, FloatArray, TimeArray

from .limit import Limit, limit, smoothed
from .model import Model, lagged
from .table import Table

DRIFT = 0.5  # share of the variance that is slow: more of it, and the signal drifts
_TENTHS = 10
_FOLDS = 5
_END = 0.95  # of the limit: below, an alarm ends
_FIT = 4000  # rows that a model is learnt from at most; more tell it nothing new
_GAP = 5  # periods without a row after which two rows are no neighbours
_FORGET = 3  # times the smoothing, after which the index has forgotten what was
_STILL = 5  # times the longest stand of the training


class Watch(msgspec.Struct, frozen=True, eq=False):
    """What is usual: everything that judging needs.

    names: signals that are watched; left: why others are not. period: ns between rows.
    low, high, middle: [c], between which 99 % of the training lie, and its median.
    stand: ns, [c], the longest that a signal kept one value. usual: the mean index.
    correction: by how much rows that were not learnt from lie further out.
    """

    names: tuple[str, ...]
    left: Mapping[str, str]
    period: int
    smooth: int
    model: Model
    limit: Limit
    usual: float
    low: FloatArray
    middle: FloatArray
    high: FloatArray
    stand: FloatArray

    @property
    def gap(self) -> int:
        """Return the ns after which two rows are no neighbours."""
        return _GAP * self.period


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
        known = ((self.middle + 273.15, "K"), (self.middle * 1.8 + 32, "°F"))
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


class Memory(msgspec.Struct, eq=False):
    """What judging goes on from: the last rows, the smoothed index, an alarm that lasts."""

    tail: Table
    level: float
    time: int
    known: dict[str, int]
    moved: list[tuple[float, int]]
    start: int | None = None
    peak: float = 0.0
    rows: int = 0
    shares: FloatArray | None = None
    values: FloatArray | None = None
    counts: FloatArray | None = None


class Judgement(msgspec.Struct, frozen=True, eq=False):
    """time int64[n]; ratio float64[n], index over the limit, NaN where nothing is told."""

    time: TimeArray
    ratio: FloatArray
    alarm: NDArray[np.bool_]
    alarms: tuple[Alarm, ...]
    missing: tuple[Missing, ...]
    still: tuple[Still, ...]
    memory: Memory


def learn(
    table: Table,
    *,
    per_day: float = 1.0,
    lags: int = 3,
    smooth: int = 10,
    keep: frozenset[str] = frozenset(),
    leave: frozenset[str] = frozenset(),
    seed: int = 0,
) -> Watch:
    """Return what is usual, learnt from a stretch of good running.

    per_day: false alarms a day; lags: rows before that each row is seen with; smooth: rows over
    which the index is averaged; keep: signals that stay though they drift; leave: signals that are
    not watched. Signals that stand still, drift or have little data are left out, and said.
    Raises NotEnoughData.
    """
    left = dict(_unfit(table, keep, leave))
    names = tuple(name for name in table.names if name not in left)
    if not names:
        raise NotEnoughData(f"no signal can be watched: {_listed(left)}")
    value = table.value[:, [table.names.index(name) for name in names]]
    period = _period(table.time)
    rows = _whole(value, table.time, lags, _GAP * period)
    while lags and len(rows[0]) < 5 * rows[0].shape[1]:
        lags -= 1
        rows = _whole(value, table.time, lags, _GAP * period)
    wide, time = rows
    if len(wide) < max(2 * wide.shape[1] + 20, _FORGET * smooth):
        raise NotEnoughData(
            f"the training has {len(wide)} complete rows; {len(names)} signals need "
            f"{max(5 * wide.shape[1], 300)}"
        )
    model = Model.learn(_thinned(wide), lags)
    index = np.sqrt(model.parts(wide).sum(axis=1))
    usual = float(np.median(index)) * _correction(wide, index, lags)
    even = smoothed(index, time, smooth, float(np.median(index)), _GAP * period)
    found = limit(even, period, _FORGET * smooth, per_day, np.random.default_rng(seed))
    found = msgspec.structs.replace(found, value=found.value * usual / float(np.median(index)))
    low, middle, high = np.nanquantile(value, [0.005, 0.5, 0.995], axis=0)
    stand = np.array([_stand(value[:, column], table.time) for column in range(len(names))])
    return Watch(names, left, period, smooth, model, found, usual, low, middle, high, stand)


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
    alarm = _hysteresis(ratio, on=memory.start is not None)
    alarms = tuple(_alarms(watch, table.time, ratio, alarm, parts, value, memory))
    missing = tuple(_missing(watch, table.time, value, memory))
    still = tuple(_still(watch, table.time, value, memory))
    told = np.flatnonzero(~np.isnan(even))
    if len(told):
        memory.level, memory.time = float(even[told[-1]]), int(table.time[told[-1]])
    keep = slice(max(len(time) - watch.model.lags, 0), None)
    memory.tail = Table(watch.names, time[keep], rows[keep])
    return Judgement(table.time, ratio, alarm, alarms, missing, still, memory)


def slow(value: FloatArray) -> float:
    """Return the share of a signal's variance that is between tenths of the stretch, 0..1.

    Near 1 the signal drifts: what it will be tomorrow, the stretch does not tell.
    """
    known = value[~np.isnan(value)]
    spread = float(known.var()) if len(known) >= _TENTHS else 0.0
    if spread == 0:
        return 0.0
    parts = np.array_split(known, _TENTHS)
    return float(np.var([part.mean() for part in parts]) / spread)


def _unfit(
    table: Table, keep: frozenset[str], leave: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield each signal that cannot be watched, and why."""
    for column, name in enumerate(table.names):
        value = table.value[:, column]
        known = value[~np.isnan(value)]
        if name in leave:
            yield name, "left out as asked"
        elif len(known) < 0.5 * len(value) or not len(known):
            yield name, f"no data in {1 - len(known) / max(len(value), 1):.0%} of the training"
        elif np.ptp(known) <= 1e-9 * max(abs(float(known[0])), 1e-9):
            yield name, f"stands still at {known[0]:.6g} in the training"
        elif name not in keep and (share := slow(value)) > DRIFT:
            yield name, f"drifts: {share:.0%} of its variance is slow"


def _whole(
    value: FloatArray, time: TimeArray, lags: int, gap: int
) -> tuple[FloatArray, TimeArray]:
    """Return the complete rows with their lags, and their times."""
    wide = lagged(value, time, lags, gap)
    whole = ~np.isnan(wide).any(axis=1)
    return wide[whole], time[whole]


def _thinned(rows: FloatArray) -> FloatArray:
    return rows[:: max(len(rows) // max(_FIT, 10 * rows.shape[1]), 1)]


def _correction(wide: FloatArray, index: FloatArray, lags: int) -> float:
    """Return by how much rows lie further out under a model of the other blocks of time."""
    edges = np.linspace(0, len(wide), _FOLDS + 1).astype(int)
    apart = np.empty(len(wide))
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        others = np.r_[0:first, last : len(wide)]
        if len(others) <= wide.shape[1] + 1:
            return 1.0
        rows = _thinned(wide[others])
        if (rows == rows[0]).all(axis=0).any():  # a signal that moves in this block alone
            apart[first:last] = index[first:last]
            continue
        found = Model.learn(rows, lags).parts(wide[first:last])
        apart[first:last] = np.sqrt(found.sum(axis=1))
    return max(float(np.median(apart) / np.median(index)), 1.0)


def _period(time: TimeArray) -> int:
    if len(time) < 2:
        raise NotEnoughData(f"the training has {len(time)} rows; 300 or more are needed")
    return max(int(np.median(np.diff(time))), 1)


def _listed(left: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left.items())


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
    edges = np.flatnonzero(np.diff(np.r_[False, alarm, False]))
    spans = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    if memory.start is not None and not (spans and spans[0][0] == 0):
        yield _told(watch, memory, int(time[0]) if len(time) else None)
        if len(time):
            memory.start = None
    for first, last in spans:
        if memory.start is None:
            _open(memory, int(time[first]), len(watch.names))
        _add(memory, ratio[first:last], parts[first:last], value[first:last])
        ended = int(time[last]) if last < len(time) else None
        yield _told(watch, memory, ended)
        if ended is not None:
            memory.start = None


def _open(memory: Memory, start: int, columns: int) -> None:
    memory.start, memory.peak, memory.rows = start, 0.0, 0
    memory.shares = np.zeros(columns)
    memory.values, memory.counts = np.zeros(columns), np.zeros(columns)


def _add(memory: Memory, ratio: FloatArray, parts: FloatArray, value: FloatArray) -> None:
    assert memory.shares is not None, "an alarm that was opened"
    assert memory.values is not None, "an alarm that was opened"
    assert memory.counts is not None, "an alarm that was opened"
    told = ratio[~np.isnan(ratio)]
    memory.peak = max(memory.peak, float(told.max())) if len(told) else memory.peak
    memory.rows += len(told)
    memory.shares += np.nansum(parts, axis=0)
    memory.values += np.nansum(value, axis=0)
    memory.counts += (~np.isnan(value)).sum(axis=0)


def _told(watch: Watch, memory: Memory, end: int | None) -> Alarm:
    """Return the alarm that the memory holds."""
    assert memory.start is not None, "an alarm that was opened"
    assert memory.shares is not None, "an alarm that was opened"
    assert memory.values is not None, "an alarm that was opened"
    shares = memory.shares / max(float(memory.shares.sum()), 1e-300)
    means = memory.values / np.maximum(memory.counts, 1)
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
        if shares[at] >= 0.1
    )
    return Alarm(memory.start, end, memory.peak, parts)


def _missing(
    watch: Watch, time: TimeArray, value: FloatArray, memory: Memory
) -> Iterator[Missing]:
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


def _stand(value: FloatArray, time: TimeArray) -> float:
    """Return the longest that a signal kept one value, ns."""
    known = ~np.isnan(value)
    moved = time[known][np.r_[True, np.diff(value[known]) != 0]]
    return float(np.diff(np.r_[moved, time[-1]]).max())


def dump(watch: Watch) -> str:
    """Return what is usual as JSON, for a file beside the factory's."""
    model = {
        name: _plain(getattr(watch.model, name)) for name in watch.model.__struct_fields__
    }
    rest = {name: _plain(getattr(watch, name)) for name in watch.__struct_fields__}
    return msgspec.json.format(
        msgspec.json.encode({"format": "deungdae anomaly 1"} | rest | {"model": model}), indent=0
    ).decode()


def load(text: str) -> Watch:
    """Return what `dump` wrote. Raises ValueError with what is wrong."""
    try:
        held: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        if held.pop("format", "") != "deungdae anomaly 1":
            raise ValueError("it is no model of an anomaly analysis: make it with deungdae detect")
        model = {name: _array(part) for name, part in held.pop("model").items()}
        found = {name: _array(part) for name, part in held.items()}
        found["limit"] = msgspec.convert(held["limit"], Limit)
        found["names"] = tuple(held["names"])
        watch = Watch(model=Model(**model), **found)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"it is not whole: {error}") from error
    _check(watch)
    return watch


def _check(watch: Watch) -> None:
    """Raise ValueError where the parts of a model do not belong together."""
    columns, model = len(watch.names), watch.model
    wide = columns * (model.lags + 1)
    shapes = [each.shape for each in (model.centre, model.scale, model.mean)]
    fits = (
        model.columns == columns
        and shapes == [(wide,)] * 3
        and model.root.shape == (wide, wide)
        and all(x.shape == (columns,) for x in (watch.low, watch.middle, watch.high, watch.stand))
        and watch.limit.value > 0
        and watch.period > 0
    )
    if not fits or not np.isfinite(model.root).all():
        raise ValueError("its parts do not belong together: make it anew with deungdae detect")


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _array(value: object) -> Any:
    """Return a list of numbers as an array."""
    numbers = isinstance(value, list) and not any(isinstance(part, str) for part in value)
    return np.asarray(value, np.float64) if numbers else value


def seconds(ns: float) -> float:
    """Return ns as seconds."""
    return ns / SECOND
