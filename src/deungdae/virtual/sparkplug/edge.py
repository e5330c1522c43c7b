"""One edge node as it speaks: births, data by change, its death, what it is told. Pure.

Source: Eclipse Sparkplug Specification 3.0.0, chapters 5 and 6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from deungdae.sim.plant import Quantity
from deungdae.wires import sparkplug as wire
from deungdae.wires.sparkplug import Metric, Type

Value: TypeAlias = float | str
_TYPES = {"number": Type.DOUBLE, "state": Type.STRING, "text": Type.STRING}


class Saying(NamedTuple):
    """One message to publish."""

    topic: str
    payload: bytes


class State(msgspec.Struct, frozen=True):
    """What a host says of itself on its STATE topic. timestamp: ms, of its connection."""

    online: bool
    timestamp: int


class Edge:
    """An edge node with one device, or without: then the quantities are its own metrics.

    deadband: share of its range that a number must move to be sent. typed: whether data say the
    type of each metric, as births do. Times (`stamp`) are ms since 1970.
    """

    def __init__(
        self, group: str, node: str, device: str, quantities: Sequence[Quantity], *,
        identity: Mapping[str, str], deadband: float, typed: bool,
    ) -> None:  # fmt: skip
        self._group, self._node, self._device = group, node, device
        self._quantities = {quantity.name: quantity for quantity in quantities}
        self._aliases = {quantity.name: alias for alias, quantity in enumerate(quantities, 1)}
        self._identity = identity
        self._deadband = deadband
        self._typed = typed
        self._bdseq = 255
        self._seq = 0
        self._sent: dict[str, Value] = {}

    def topic(self, kind: str) -> str:
        """Return the topic of a kind of message: NBIRTH, DDATA, NCMD …"""
        tail = f"/{self._device}" if kind.startswith("D") else ""
        return f"{wire.SPACE}/{self._group}/{kind}/{self._node}{tail}"

    @property
    def commands(self) -> str:
        """Return the topic on which quantities are set."""
        return self.topic("DCMD" if self._device else "NCMD")

    def connect(self) -> None:
        """Begin another connection: its birth and its death carry the next bdSeq."""
        self._bdseq = (self._bdseq + 1) % 256

    def death(self, stamp: int) -> Saying:
        """Return the death of this connection, which is also its will."""
        return Saying(self.topic("NDEATH"), wire.encode(stamp, [self._bdseq_metric(stamp)]))

    def births(self, values: Mapping[str, Value], stamp: int) -> Iterator[Saying]:
        """Yield the birth of the node, and that of its device, with all values as they are."""
        self._seq = 0
        own = [
            self._bdseq_metric(stamp),
            Metric(
                name=wire.REBIRTH, timestamp=stamp, datatype=Type.BOOLEAN, field=wire.BOOLEAN,
                value=0,
            ),
            *(
                Metric(
                    name=f"Properties/{name}", timestamp=stamp, datatype=Type.STRING,
                    field=wire.STRING, value=text, properties={"readOnly": True},
                )
                for name, text in self._identity.items()
            ),
        ]  # fmt: skip
        metrics = [self._born(name, value, stamp) for name, value in values.items()]
        self._sent = dict(values)
        yield self._saying("NBIRTH", stamp, own if self._device else own + metrics)
        if self._device:
            yield self._saying("DBIRTH", stamp, metrics)

    def data(
        self, values: Mapping[str, Value], stamp: int, force: Collection[str] = ()
    ) -> Saying | None:
        """Return what has changed, or None. force: names that are told in any case."""
        moved = {
            name: value
            for name, value in values.items()
            if name in force or self._moved(name, value)
        }
        if not moved:
            return None
        self._sent |= moved
        metrics = [self._metric(name, value, stamp) for name, value in moved.items()]
        return self._saying("DDATA" if self._device else "NDATA", stamp, metrics)

    def find(self, metric: Metric) -> Quantity | None:
        """Return the quantity that a command names, by alias or by name."""
        for name, alias in self._aliases.items():
            if metric.alias == alias or (metric.alias is None and metric.name == name):
                return self._quantities[name]
        return None

    def _saying(self, kind: str, stamp: int, metrics: Sequence[Metric]) -> Saying:
        seq, self._seq = self._seq, (self._seq + 1) % 256
        return Saying(self.topic(kind), wire.encode(stamp, metrics, seq=seq))

    def _moved(self, name: str, value: Value) -> bool:
        before, quantity = self._sent.get(name), self._quantities[name]
        if isinstance(value, str) or not isinstance(before, float):
            return value != before
        low, high = quantity.low, quantity.high
        band = 0.0 if low is None or high is None else self._deadband * (high - low)
        return not abs(value - before) <= band  # what is no number has moved, too

    def _born(self, name: str, value: Value, stamp: int) -> Metric:
        metric = self._metric(name, value, stamp)
        metric.name = name
        metric.datatype = _TYPES[self._quantities[name].kind]
        metric.properties = _properties(self._quantities[name])
        return metric

    def _metric(self, name: str, value: Value, stamp: int) -> Metric:
        """Return a metric as data carry it: by its alias, in the field that the value needs."""
        return Metric(
            alias=self._aliases[name],
            timestamp=stamp,
            datatype=_TYPES[self._quantities[name].kind] if self._typed else 0,
            field=wire.STRING if isinstance(value, str) else wire.DOUBLE,
            value=value,
        )

    def _bdseq_metric(self, stamp: int) -> Metric:
        return Metric(
            name=wire.BDSEQ, timestamp=stamp, datatype=Type.INT64, field=wire.LONG,
            value=self._bdseq,
        )  # fmt: skip


def _properties(quantity: Quantity) -> dict[str, int | float | str]:
    """Return what a birth says of a quantity beside its value."""
    found: dict[str, int | float | str] = {"readOnly": quantity.access == "r"}
    if quantity.kind == "number":
        found["engUnit"] = quantity.unit
    if quantity.low is not None:
        found["engLow"] = float(quantity.low)
    if quantity.high is not None:
        found["engHigh"] = float(quantity.high)
    if quantity.description:
        found["documentation"] = quantity.description
    return found


def number(metric: Metric) -> float:
    """Return the number that a command carries. Raises ValueError where there is none."""
    if metric.null or not isinstance(metric.value, int | float):
        raise ValueError("the command carries no number")
    if isinstance(metric.value, float):
        return metric.value
    unsaid = Type.INT32 if metric.field == wire.INT else Type.INT64
    return float(wire.signed(metric.value, metric.datatype or unsaid))


def host_state(payload: bytes) -> State | None:
    """Return what a STATE message says, None where it cannot be read."""
    try:
        return msgspec.json.decode(payload, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
