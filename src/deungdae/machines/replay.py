"""A recording in CSV or Parquet, played back as a driver."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta
from numpy.typing import NDArray
from pyarrow import csv, parquet

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import SECOND, Batch, Event, Permit, Severity, Signal, TimeArray
from deungdae.core.units import scaling

from . import _moment as moment

State = Literal["stopped", "connecting", "online", "degraded", "offline"]
_LONG = {"time", "id", "value"}
_STEP = SECOND // 10  # what lies closer together in time is told together
_NUMBER = r"^\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|NaN|inf|Infinity)\s*$"


class Replay:
    """A recording played back as if its machine ran now: CSV or Parquet, in long or wide form.

    Long form has the columns `time`, `id`, `value` and, if it likes, `status` (0 good, 1
    uncertain, 2 bad); an address is an id. Wide form has one column per quantity beside the time,
    which is the column `time` or else the first; an address is a column. An empty cell is no
    sample. Times are ISO 8601 (UTC if they name no offset) or numbers since 1970, in s, ms, us or
    ns by their size. In CSV the delimiter is found; with `;` numbers may have a decimal comma.

    Source times stay as recorded; with `shift` the first is now, and the others follow as fast as
    they are played. Logs of MTConnect adapters are played by `mtconnect` with a `file:` url. After
    the last row the stream ends, and does not begin anew.

    ```toml
    [machines.recorded]
    type = "replay"
    path = "recordings/press-2026-03-*.parquet"
    speed = 60.0      # an hour in a minute
    shift = true

    [[signals]]
    id = "press1.force"
    unit = "kN"
    source = "recorded:force"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        path: Annotated[
            str,
            Meta(
                min_length=1,
                description="File, or files in the order of their names: the last part may "
                "hold `*`; .csv, .csv.gz, .txt or .parquet",
            ),
        ]
        speed: Annotated[float, Meta(ge=0, description="1 as recorded; 0 without waiting")] = 1.0
        shift: Annotated[bool, Meta(description="Move all times so that the first is now")] = False

        def __post_init__(self) -> None:
            if self.shift and not self.speed:
                raise ValueError(
                    "shift needs a speed above 0: played at once, times would lie ahead"
                )

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._paths: list[Path] = []
        self._played = False
        self._problems: dict[str, str] = {}
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return how far the playing is, and what the recording does not have."""
        return msgspec.structs.replace(self._health, signals=dict(self._problems))

    async def connect(self) -> None:
        """Find the files. Raises Unreachable if there is none."""
        pattern = Path(self.options.path)
        self._paths = await self._clock.call(lambda: sorted(pattern.parent.glob(pattern.name)))
        if not self._paths:
            problem = f"no file is called {pattern}"
            self._turn("offline", problem)
            raise Unreachable(problem, remedy="check `path`")
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield every id or column of the first file."""
        facts: dict[str, tuple[bool, str]] = {}
        for path in self._paths[:1]:
            await self._clock.call(_survey, path, facts)
        for name, (numeric, last) in facts.items():
            yield Node(address=name, path=name, kind="number" if numeric else "text", value=last)

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield the recording, once, then end."""
        if self._played:
            return
        heard: set[str] = set()
        table = _Table(signals)
        player = _Player(self._clock, self.options)
        try:
            for path in self._paths:
                source = _rows(path)
                while (rows := await self._clock.call(next, source, None)) is not None:
                    heard.update(rows.names)
                    async for part in player.play(rows):
                        for item in table.translate(part, self._clock.now()):
                            yield item
        except DoorError as error:
            self._turn("offline", str(error))
            raise
        self._played = True
        missing = [signal for signal in signals.values() if signal.address not in heard]
        self._problems = {
            signal.id: f"the recording has no {signal.address!r}" for signal in missing
        }
        for item in table.bad(self._problems, self._clock.now()):
            yield item
        self._turn("degraded" if missing else "online", "played to its end")

    def confirm(self, items: int) -> None:
        """Take note of nothing: a recording has nobody to acknowledge to."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Raise DoorError: a recording can only be read."""
        raise DoorError(f"{signal.id} cannot be written: it comes from a recording")

    async def close(self) -> None:
        """Forget the files."""
        self._paths = []
        self._turn("stopped")

    def _turn(self, state: State, problem: str = "") -> None:
        if (state, problem) != (self._health.state, self._health.problem):
            self._health = Health(state=state, since=self._clock.now(), problem=problem)
            self._log.info("state=%s path=%s %s", state, self.options.path, problem)


class _Rows(msgspec.Struct, frozen=True, eq=False):
    """Some of a recording in long form, in order of time: n rows.

    code int32[n]: place in `names`; value: NaN where it is no number; text: Arrow strings.
    """

    names: list[str]
    code: NDArray[np.int32]
    time: TimeArray
    value: NDArray[np.float64]
    text: Any
    status: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: NDArray[np.intp]) -> _Rows:
        return _Rows(
            self.names,
            self.code[rows],
            self.time[rows],
            self.value[rows],
            self.text.take(pa.array(rows)),
            self.status[rows],
        )


class _Table:
    """The signals, by address."""

    def __init__(self, signals: Mapping[int, Signal]) -> None:
        self._signals = dict(signals)
        self._scales = {handle: scaling(signal) for handle, signal in signals.items()}

    def translate(self, rows: _Rows, received: int) -> list[Batch | Events]:
        """Return what the rows say about the signals: a Batch of all numbers, a tuple of Events."""
        order = np.argsort(rows.code, kind="stable")
        bounds = np.searchsorted(rows.code[order], np.arange(len(rows.names) + 1))
        place = {name: number for number, name in enumerate(rows.names)}
        batches: list[Batch] = []
        events: list[Event] = []
        for handle, signal in self._signals.items():
            at = place.get(signal.address)
            if at is None or bounds[at] == bounds[at + 1]:
                continue
            mine = rows.take(order[bounds[at] : bounds[at + 1]])
            if signal.kind == "number":
                batches.append(self._batch(handle, mine, received))
            else:
                events.extend(_events(signal, mine, received))
        found: list[Batch | Events] = [Batch.merge(batches)] if batches else []
        return [*found, tuple(events)] if events else found

    def bad(self, ids: Mapping[str, str], received: int) -> list[Batch | Events]:
        """Return bad status for the signals of these ids, as of now."""
        status = int(Severity.BAD)
        found: list[Batch | Events] = []
        for handle, signal in self._signals.items():
            if signal.id not in ids:
                continue
            if signal.kind == "number":
                nothing = [float("nan")]
                found.append(Batch.of([handle], [received], nothing, [status], received=received))
            else:
                found.append((_event(signal, received, "", status, received),))
        return found

    def _batch(self, handle: int, rows: _Rows, received: int) -> Batch:
        scale = self._scales[handle]
        value = rows.value * scale.gain + scale.bias
        bad = np.where(np.isfinite(value), 0, Severity.BAD).astype(np.uint8)
        handles = np.full(len(rows), handle, np.int32)
        return Batch(handles, rows.time, value, rows.status | bad, received)


def _events(signal: Signal, rows: _Rows, received: int) -> Iterator[Event]:
    columns = (rows.time.tolist(), rows.text.to_pylist(), rows.status.tolist())
    for time, text, status in zip(*columns, strict=True):
        yield _event(signal, time, text, status, received)


def _event(signal: Signal, time: int, text: str, status: int, received: int) -> Event:
    kind = "text" if signal.kind == "number" else signal.kind
    return Event(id=signal.id, time=time, kind=kind, value=text, status=status, received=received)


class _Player:
    """Cuts rows by time, waits until each part is due, and moves it to now if it should."""

    def __init__(self, clock: Clock, options: Replay.Options) -> None:
        self._clock = clock
        self._speed = options.speed
        self._shift = options.shift
        self._first: int | None = None  # time of the first row
        self._began = 0.0
        self._began_at = 0

    async def play(self, rows: _Rows) -> AsyncIterator[_Rows]:
        if not len(rows):
            return
        if self._first is None:
            self._first = int(rows.time[0])
            self._began, self._began_at = self._clock.monotonic(), self._clock.now()
        if not self._speed:
            yield rows
            return
        since = (rows.time - self._first) / self._speed  # ns of our time
        cuts = np.flatnonzero(np.diff(since // _STEP)) + 1
        if self._shift:
            moved = self._began_at + since.astype(np.int64)
            rows = msgspec.structs.replace(rows, time=moved)
        for part in np.split(np.arange(len(rows)), cuts):
            due = self._began + float(since[part[0]]) / SECOND
            if (wait := due - self._clock.monotonic()) > 0:
                await self._clock.sleep(wait)
            yield rows.take(part)


def _survey(path: Path, facts: dict[str, tuple[bool, str]]) -> None:
    """Take note of each name in a file: whether all its values are numbers, and the last."""
    for rows in _rows(path):
        for place, name in enumerate(rows.names):
            mine = np.flatnonzero(rows.code == place)
            if len(mine):
                numeric, _ = facts.get(name, (True, ""))
                numeric &= bool(_is_number(rows.text.take(pa.array(mine))).all())
                facts[name] = (numeric, rows.text[int(mine[-1])].as_py())


def _rows(path: Path) -> Iterator[_Rows]:
    """Yield a file in parts of bounded size. Raises BadReply if it is none of these forms."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(1 << 16):
                    yield _normal(batch, path, comma=False)
            return
        names, delimiter = _head(path)
        with csv.open_csv(
            path,
            csv.ReadOptions(use_threads=False),
            csv.ParseOptions(delimiter=delimiter),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        ) as reader:
            for batch in reader:
                yield _normal(batch, path, comma=delimiter == ";")
    except (OSError, pa.ArrowException) as error:
        raise BadReply(f"{path} cannot be read: {error}", remedy="see its form in the docs") from (
            error
        )


def _head(path: Path) -> tuple[list[str], str]:
    """Return the column names of a CSV file, and its delimiter: the one that its head has most."""
    with pa.input_stream(str(path)) as stream:  # unpacks .gz
        head = stream.read(1 << 16).partition(b"\n")[0].decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t|", key=head.count)
    names = [name.strip().strip('"') for name in head.strip().split(delimiter)]
    if len(names) < 2 or _is_number(pa.array(names)).any():
        raise BadReply(
            f"{path} does not begin with the names of its columns, but with {head[:80]!r}",
            remedy="put a line such as time,id,value at its head",
        )
    return names, delimiter


def _normal(batch: Any, path: Path, *, comma: bool) -> _Rows:
    """Return a record batch of long or wide form as long form, sorted by time."""
    names = list(batch.schema.names)
    wide = not set(names) >= _LONG
    at = names.index("time") if "time" in names else 0
    time = _times(batch.column(at), path)
    if wide:
        columns = [place for place in range(len(names)) if place != at]
        labels = [names[place] for place in columns]
        code = np.repeat(np.arange(len(columns), dtype=np.int32), len(time))
        text = pa.concat_arrays([_text(batch.column(place)) for place in columns])
        status = np.zeros(len(code), np.uint8)
        time = np.tile(time, len(columns))
    else:
        coded = pc.dictionary_encode(_text(batch.column(names.index("id"))))
        labels = coded.dictionary.to_pylist()
        code = coded.indices.fill_null(-1).to_numpy().astype(np.int32)
        text = _text(batch.column(names.index("value")))
        status = np.zeros(len(code), np.uint8)
        if "status" in names:
            told = batch.column(names.index("status")).cast(pa.int64()).fill_null(0)
            status = told.to_numpy().astype(np.uint8)
    empty = pc.fill_null(pc.equal(text, ""), True).to_numpy(zero_copy_only=False)
    kept = np.flatnonzero(~empty & (code >= 0) & (time != moment.NEVER))
    kept = kept[np.argsort(time[kept], kind="stable")]
    text = text.take(pa.array(kept))
    value = _values(text, comma=comma)
    return _Rows(labels, code[kept], time[kept], value, text, status[kept])


def _times(column: Any, path: Path) -> TimeArray:
    """Return int64[n] ns, NEVER where there is none. Raises BadReply if there is no time at all."""
    if pa.types.is_timestamp(column.type):
        times: TimeArray = (
            column.cast(pa.timestamp("ns", column.type.tz))
            .cast(pa.int64())
            .fill_null(moment.NEVER)
            .to_numpy()
        )
        return times
    texts = _text(column).fill_null("")
    try:
        return _since_1970(texts)
    except pa.ArrowInvalid:
        times, wrong = moment.columns(texts)
    if len(wrong) == len(times) > 0:
        raise BadReply(
            f"{path} has no times: {texts[0].as_py()!r} is none",
            remedy="name the column `time`, with ISO 8601 or numbers since 1970",
        )
    return times


def _since_1970(texts: Any) -> TimeArray:
    """Return ns of numbers in s, ms, us or ns. Raises ArrowInvalid if they are no numbers."""
    if len(texts) == 0:
        return np.zeros(0, np.int64)
    numbers = texts.cast(pa.float64()).to_numpy()
    size = float(np.median(np.abs(numbers)))
    scale = next(
        (s for limit, s in ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3)) if size < limit), 1
    )
    try:
        whole: TimeArray = texts.cast(pa.int64()).to_numpy() * scale
    except pa.ArrowInvalid:
        # of a time in s with a fraction a float holds no more than microseconds
        whole = np.rint(numbers * (scale / 1000)).astype(np.int64) * 1000
    return whole


def _text(column: Any) -> Any:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _values(text: Any, *, comma: bool) -> NDArray[np.float64]:
    if comma:
        text = pc.replace_substring(text, ",", ".")
    known = pc.if_else(pc.match_substring_regex(text, _NUMBER), pc.utf8_trim_whitespace(text), None)
    values: NDArray[np.float64] = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _is_number(text: Any) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.match_substring_regex(text, _NUMBER).to_numpy(zero_copy_only=False)
    return mask
