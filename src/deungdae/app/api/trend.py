"""The route of every trend chart: signals over a period of any length, in the shape of a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from deungdae.app import trend
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.ports import Samples, Store
from deungdae.core.types import MILLISECOND, SECOND, Event, Signal, TimeArray

from .context import Context, Here, Json, needs
from .failure import WebError
from .looks import From, To
from .moments import period
from .schema import answer, binary

IDS = 20  # signals of one chart
SAMPLES = 1_000_000  # of one file
LONGEST = 200 * 366 * 86_400 * SECOND  # ns of one chart

_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)

Ids = Annotated[list[str], Query(alias="id", min_length=1, max_length=IDS, description="signals")]
Points = Annotated[int, Query(ge=10, le=4000, description="at most so many samples or buckets")]


class GapAnswer(msgspec.Struct, frozen=True):
    """Nothing good is known from..until, ms after the answer's `from`."""

    since: float
    until: float
    why: Literal["bad", "silent", "away", "lost"]


class CurveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One signal; all times in ms after the answer's `from`, columns of equal length.

    shape `samples`: time, value, status, with the nearest sample on either side of the period.
    shape `buckets` of `every` ms: time (of the start), minimum, maximum, mean, last over the good
    samples, of which there are `count`; bad: share that is not good, 0..1.
    shape `words`: time, words, status; `more`: there were more, the longest held of
    each part of the period are told.
    before: time, value and status of the last sample before the period. Not finite: null.
    """

    signal: Signal
    shape: Literal["samples", "buckets", "words"]
    time: list[float]
    every: float = 0.0
    value: list[float] = []
    words: list[str] = []
    status: list[int] = []
    minimum: list[float] = []
    maximum: list[float] = []
    mean: list[float] = []
    last: list[float] = []
    count: list[int] = []
    bad: list[float] = []
    before: tuple[float, float | None, int] | None = None
    gaps: list[GapAnswer] = []
    more: bool = False


class TrendAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Signals over [from, to). now: the server's."""

    start: str
    end: str
    now: str
    signals: list[CurveAnswer]


@router.get("/trend", **answer(TrendAnswer, 404))
async def shape(here: Here, ids: Ids, since: From, until: To = "", points: Points = 1200) -> Json:
    """Return the shape of signals over a period: samples where they fit, else buckets, with gaps.

    A year is answered as quickly as a second: what fits no screen is taken from roll-ups.
    """
    now = here.runtime.clock.now()
    start, end = period(since, until, here.runtime.factory, now)
    if start == end:
        raise WebError(422, "from and to are the same moment", "give from before to")
    if end - start > LONGEST:
        raise WebError(422, "this is longer than 200 years", "ask for a shorter time")
    known = await here.runtime.clock.call(_known, here, list(dict.fromkeys(ids)))
    told = await here.runtime.clock.call(_curves, here, known, start, end, points, now)
    return Json(TrendAnswer(start=to_iso(start), end=to_iso(end), now=to_iso(now), signals=told))


def _known(here: Context, ids: list[str]) -> list[Signal]:
    """Return the wanted signals, also those that the factory has no longer. Raises WebError."""
    own = here.runtime.factory.signals
    if all(id in own for id in ids):
        return [own[id] for id in ids]
    known = {each.id: each for each in here.store.signals()} | dict(own)
    for id in ids:
        if id not in known:
            raise WebError(404, f"no signal is called {id!r}", strict.closest(id, known))
    return [known[id] for id in ids]


def _curves(
    here: Context, signals: list[Signal], start: int, end: int, points: int, now: int
) -> list[CurveAnswer]:
    states = {
        each.asset: each.id
        for each in here.runtime.factory.signals.values()
        if each.kind == "state"
    }
    told = []
    for signal in signals:
        if signal.kind != "number":
            found = trend.events(here.store, signal, start, end)
            lost = trend.recorded(here.store, signal, start, end)
            shown = trend.thinned(found, start, end, points)
            told.append(_words(signal, shown, lost, start, more=len(found) > len(shown)))
            continue
        state = states.get(signal.asset, "")
        curve = trend.curve(here.store, signal, start, end, points=points, now=now, state=state)
        told.append(_curve(signal, curve, start))
    return told


def _curve(signal: Signal, found: trend.Curve, start: int) -> CurveAnswer:
    gaps = [_gap(gap, start) for gap in found.gaps]
    earlier = found.before
    before = None
    if len(earlier):
        value = float(earlier.value[0])
        before = (_ms(int(earlier.time[0]), start), value, int(earlier.status[0]))
    told = CurveAnswer(signal=signal, shape="samples", time=[], before=before, gaps=gaps)
    if found.samples is not None:
        return msgspec.structs.replace(
            told,
            time=_offsets(found.samples.time, start),
            value=found.samples.value.tolist(),
            status=found.samples.status.tolist(),
        )
    buckets = found.buckets
    columns = ("minimum", "maximum", "mean", "last", "count", "bad")
    return msgspec.structs.replace(
        told,
        shape="buckets",
        every=found.every / MILLISECOND,
        time=_offsets(buckets.start, start),
        **{name: getattr(buckets, name).tolist() for name in columns},
    )


def _words(
    signal: Signal, shown: list[Event], lost: list[trend.Gap], start: int, *, more: bool
) -> CurveAnswer:
    return CurveAnswer(
        signal=signal,
        shape="words",
        time=[_ms(each.time, start) for each in shown],
        words=[each.value for each in shown],
        status=[each.status for each in shown],
        gaps=[_gap(gap, start) for gap in lost],
        more=more,
    )


def _gap(gap: trend.Gap, start: int) -> GapAnswer:
    return GapAnswer(_ms(gap.start, start), _ms(gap.end, start), gap.why)


def _ms(time: int, start: int) -> float:
    return (time - start) / MILLISECOND


def _offsets(times: TimeArray, start: int) -> list[float]:
    found: list[float] = ((times - start) / MILLISECOND).tolist()
    return found


@router.get("/trend/samples", response_class=Response, **binary(list(_MEDIA.values()), 404, 413))
async def samples(
    here: Here,
    ids: Ids,
    since: From,
    until: To = "",
    format: Annotated[Literal["csv", "parquet"], Query(description="form of the file")] = "csv",
) -> Response:
    """Give every sample of numeric signals over a period as a file: id, time, value, status."""
    now = here.runtime.clock.now()
    start, end = period(since, until, here.runtime.factory, now)
    known = await here.runtime.clock.call(_known, here, list(dict.fromkeys(ids)))
    names = [signal.id for signal in known if signal.kind == "number"]
    content = await here.runtime.clock.call(_file, here.store, names, start, end, format)
    headers = {"Content-Disposition": f'attachment; filename="samples.{format}"'}
    return Response(content, media_type=_MEDIA[format], headers=headers)


def _file(store: Store, names: list[str], start: int, end: int, format: str) -> bytes:
    """Return all samples as one table. Raises WebError where they are too many."""
    import pyarrow as pa  # noqa: PLC0415 — 80 MB of memory, only for those who ask for it
    import pyarrow.csv  # noqa: PLC0415 — as above
    import pyarrow.parquet  # noqa: PLC0415 — as above

    if sum(trend.amount(store, id, start, end) for id in names) > SAMPLES:
        raise WebError(413, f"more than {SAMPLES} samples", "a shorter time, or fewer signals")
    found = store.query(names, start, end)
    lengths = [len(found[id]) for id in names]
    owner = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(len(names), dtype=np.int32), lengths)), pa.array(names)
    )
    columns = {
        "id": owner.cast(pa.string()),
        "time": pa.array(_joined(found, "time", np.int64), pa.timestamp("ns", tz="UTC")),
        "value": pa.array(_joined(found, "value", np.float64)),
        "status": pa.array(_joined(found, "status", np.uint8)),
    }
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    if format == "csv":
        pa.csv.write_csv(table, sink)
    else:
        pa.parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _joined(found: Mapping[str, Samples], name: str, kind: type) -> Any:
    parts = [getattr(each, name) for each in found.values()]
    return np.concatenate(parts) if parts else np.zeros(0, kind)
