"""The six nouns (Signal, Batch, Event, Asset, Finding, Command) and the Permit.

Time is int64 nanoseconds since 1970-01-01T00:00:00Z everywhere inside the house.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum, IntFlag
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int32]
TimeArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]
StatusArray: TypeAlias = NDArray[np.uint8]

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Severity(IntEnum):
    """The two low bits of a status, after OPC UA Part 4 §7.39 (the top bits of a StatusCode)."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Flag(IntFlag):
    """The high bits of a status: why it is not plain good, and how good its time is."""

    RECEIVED_TIME = 0x04  # the source gave no time: `time` is when we received it
    CLOCK_SUSPECT = 0x08  # the source's time was implausible: `time` is when we received it
    STALE = 0x10  # the source is gone: the value is the last that was known
    OUT_OF_RANGE = 0x20  # outside the physical range that the factory file states
    SUBSTITUTED = 0x40  # not measured: entered by hand, or held


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one asset. Holds no data.

    id: `<asset>.<name>`; the asset may itself contain dots.
    unit: UCUM code of every value inside the house.
    source: `<machine>:<address>`; the address is in the words of the machine's protocol.
    source_unit: UCUM code at the machine, when it differs; converted once, at the door.
    scale, offset: value = raw * scale + offset, in source_unit, for raw integers.
    kind: `number` travels in Batches; the others travel as Events of that kind.
    states: words for the codes of a state, `0=running, 1=idle`; a code without a word stays as it
    is, uncertain.
    low, high: physical range in `unit`; a value outside is kept, marked OUT_OF_RANGE.
    deadband: changes up to this size, in `unit`, need not be recorded.
    semantic: IRDI or IRI of the quantity's definition.
    """

    id: str
    name: str = ""
    unit: str = "1"
    source: str = ""
    source_unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    kind: Literal["number", "state", "text", "scan", "alarm", "image"] = "number"
    states: str = ""
    access: Literal["r", "rw"] = "r"
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0
    semantic: str = ""

    @property
    def asset(self) -> str:
        """Return the id of the asset that the signal is about."""
        return self.id.rpartition(".")[0]

    @property
    def short(self) -> str:
        """Return the last part of the id: the quantity's name within its asset."""
        return self.id.rpartition(".")[2]

    @property
    def words(self) -> dict[str, str]:
        """Return the word of each code of a state. Raises ValueError for what is no `code=word`."""
        pairs = [entry.partition("=") for entry in self.states.split(",") if entry.strip()]
        if not all(equals and word.strip() for _, equals, word in pairs):
            raise ValueError(f"{self.states!r} is not understood: write 0=running, 1=idle")
        return {code.strip(): word.strip() for code, _, word in pairs}

    @property
    def machine(self) -> str:
        """Return the name of the `[machines.…]` table that the signal comes from, or ''."""
        return self.source.partition(":")[0]

    @property
    def address(self) -> str:
        """Return the address within the machine, in its protocol's words."""
        return self.source.partition(":")[2]


class Batch(msgspec.Struct, frozen=True, eq=False):
    """n samples of any number of signals, as columns of equal length.

    signal: int32[n], handle that the store gave the signal; time: int64[n], source time;
    value: float64[n], in the signal's unit; status: uint8[n], Severity | Flag;
    received: when the whole batch arrived.
    A missing value is told by its status, never by NaN: value is then NaN only as filling.
    """

    signal: IntArray
    time: TimeArray
    value: FloatArray
    status: StatusArray
    received: int

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Batch:
        """Return the batch of the chosen rows (mask or positions), in that order."""
        return Batch(
            self.signal[rows], self.time[rows], self.value[rows], self.status[rows], self.received
        )

    @staticmethod
    def of(
        signal: Iterable[int],
        time: Iterable[int],
        value: Iterable[float],
        status: Iterable[int] | None = None,
        *,
        received: int,
    ) -> Batch:
        """Return a batch of plain Python values; status None means all good."""
        handles = np.asarray(list(signal), np.int32)
        n = len(handles)
        states = np.zeros(n, np.uint8) if status is None else np.asarray(list(status), np.uint8)
        return Batch(
            handles,
            np.asarray(list(time), np.int64),
            np.asarray(list(value), np.float64),
            states,
            received,
        )

    @staticmethod
    def merge(batches: Sequence[Batch]) -> Batch:
        """Return all rows in order as one batch; received is the latest. Needs at least one."""
        if len(batches) == 1:
            return batches[0]
        return Batch(
            np.concatenate([batch.signal for batch in batches]),
            np.concatenate([batch.time for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.status for batch in batches]),
            max(batch.received for batch in batches),
        )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not a number: a state, a scan, a text, an alarm, a finished order, a gap.

    id: the signal's id where one is declared, else `<asset>.<name>`.
    value: the state, code or text. data: further named parts, all as text.
    Kind `gap` says that samples of `id` were lost between time and data["until"], ns as text.
    Kind `image` names a picture by its content, `sha256:…`, in the factory's folder of blobs.
    """

    id: str
    time: int
    kind: Literal["state", "text", "scan", "alarm", "image", "order", "gap", "note"]
    value: str
    status: int = 0
    received: int = 0
    data: dict[str, str] = {}

    @property
    def asset(self) -> str:
        """Return the id of the asset that the event is about."""
        return self.id.rpartition(".")[0]


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What signals and events are about: equipment, lot, order, vehicle or network device.

    level: for equipment, its ISA-95 level; parent: id of the asset that contains it, or ''.
    """

    id: str
    kind: Literal["equipment", "lot", "order", "vehicle", "device"] = "equipment"
    level: Literal["site", "area", "line", "cell", "unit"] = "unit"
    name: str = ""
    parent: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What an analysis concluded about an asset over [start, end].

    origin: name of the analysis in the factory file. name: what was concluded, e.g. `oee`.
    value in unit with uncertainty (half width of the 95 % interval, same unit), or None for a
    conclusion in words. reason: why there is no value, or what to know about it.
    severity: 0 information, 1 notice, 2 warning, 3 alarm.
    evidence: what it rests on: signals, counts, model version; all as text.
    """

    origin: str
    asset: str
    name: str
    start: int
    end: int
    value: float | None = None
    unit: str = "1"
    uncertainty: float | None = None
    severity: int = 0
    reason: str = ""
    evidence: dict[str, str] = {}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to change one signal; only the gate can turn it into a Permit.

    id: unique. value in the signal's unit. origin: the policy or person that asks.
    because: the finding or reason. The command is void at `expires`.
    """

    id: str
    signal: str
    value: float
    origin: str
    because: str
    issued: int
    expires: int


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """A Command that passed the gate. Made by `decide.gate` and nowhere else.

    rules: the names of the rules that were checked. previous: value to go back to, if known.
    """

    command: Command
    granted: int
    mode: Literal["approve", "auto"]
    approver: str = ""
    rules: tuple[str, ...] = ()
    previous: float | None = None


def severity(status: StatusArray) -> StatusArray:
    """Return the Severity of each status, uint8[n]."""
    return status & np.uint8(3)


def is_good(status: StatusArray) -> NDArray[np.bool_]:
    """Return where the status is good: bool[n]."""
    good: NDArray[np.bool_] = (status & np.uint8(3)) == 0
    return good
