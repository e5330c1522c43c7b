"""What the parts of a line are called, and what readers along it read: serials, lots, carriers.

The kernel numbers its parts; here each number becomes what stands on the part: a brick its serial,
a batch its lot, what is loaded together its carrier, and a run of one product its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from deungdae.core.types import SECOND
from deungdae.sim.kernel import Kind, Result, Trace
from deungdae.sim.line import Line

Name = Literal["part", "lot", "loaded", "order"]
RESULTS = {Result.GOOD: "good", Result.REWORK: "rework", Result.SCRAP: "scrap"}
_SLACK = 1.25  # of the time that an order is promised for, against the time that it takes at best


class Label(msgspec.Struct, array_like=True):
    """What is known of one part. start: when its carrier went in, ns; 0: into no machine.

    read: whether somebody has read its serial already.
    """

    serial: str
    product: str
    lot: str = ""
    order: str = ""
    carrier: str = ""
    start: int = 0
    read: bool = False


class Scan(NamedTuple):
    """What a reader at a station reads. time: s of the line.

    name: `part`, one that the station has finished; `lot`, a batch of several; `loaded`, a carrier
    that goes in; `order`, what it works for from now on. data: as docs/explanation/traceability.md
    has it, and of a carrier how many `parts` are in it.
    """

    time: float
    station: str
    server: int
    name: Name
    value: str
    data: dict[str, str]
    label: Label  # of the part, or of the first of several: who packs it says so there

    @property
    def text(self) -> str:
        """Return it as one text: `<value>;<name>=<text>;…`."""
        return ";".join([self.value, *(f"{name}={text}" for name, text in self.data.items())])


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A run of one product. due: ns; cycle: s that it takes for each part at best."""

    id: str
    product: str
    quantity: int
    due: int


class Counts(msgspec.Struct, kw_only=True):
    """The last number of each kind that was given."""

    part: int = 0
    lot: int = 0
    order: int = 0
    carrier: dict[str, int] = {}


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """How labels stood at a moment: with it others go on. labels: of all parts, see `going_on`."""

    counts: Counts
    labels: tuple[Label, ...]
    orders: tuple[Order, ...]


class Labels:
    """Follows the trace of a line and tells what is read. origin: ns since 1970 of time 0.

    left: of the line that ended where this one begins; then its trace begins at its time 0.
    """

    def __init__(self, line: Line, origin: int, left: Left | None = None) -> None:
        self._line = line
        self._origin = origin
        self._stations = tuple(line.stations)
        self._counts = Counts() if left is None else deepcopy(left.counts)
        self._before = list(reversed(left.labels)) if left is not None else []
        self._labels: dict[int, Label] = {}
        self._born: list[int] = []
        self._orders = {} if left is None else {each.id: each for each in left.orders}
        self._run = ("", 0)  # product and batches of the present order
        self._at: dict[str, str] = {}  # order at each station
        self._loads = {
            number: (name, line.stations[name].batch) for number, name in _loaded_from(line).items()
        }
        self._loading: tuple[int, float, list[int]] = (-1, 0.0, [])

    def follow(self, trace: Trace) -> Iterator[Scan]:
        """Yield what is read, in order of time."""
        rows = zip(
            trace.time.tolist(), trace.kind.tolist(), trace.station.tolist(),
            trace.server.tolist(), trace.part.tolist(), trace.product.tolist(),
            trace.value.tolist(), strict=True,
        )  # fmt: skip
        for time, kind, station, server, part, product, value in rows:
            if kind == Kind.LEAVE and value in self._loads:
                if self._loading[:2] != (value, time):
                    yield from self._close_load()
                    self._loading = (value, time, [])
                self._loading[2].append(part)
                continue
            if self._loading[2]:
                yield from self._close_load()
            if kind == Kind.BORN:
                self._name(part, self._line.product_names[product])
            elif kind == Kind.DONE:
                yield from self._done(time, self._stations[station], server, part, Result(value))
            elif kind == Kind.OUT:
                self._labels.pop(part, None)
        yield from self._close_load()

    def label(self, part: int) -> Label:
        """Return what is known of a part by the kernel's number."""
        return self._labels[part]

    def left(self, parts: Sequence[int]) -> Left:
        """Return how labels stand. parts: all that are in the line, as Simulation.serials has."""
        labels = tuple(self._labels[part] for part in parts)
        orders = {label.order for label in labels}
        kept = tuple(each for each in self._orders.values() if each.id in orders)
        return Left(counts=deepcopy(self._counts), labels=labels, orders=kept)

    def _name(self, part: int, product: str) -> None:
        if self._before:  # of a mixed load the kernel knows one product only: the label is right
            self._labels[part] = self._before.pop()
            return
        self._counts.part += 1
        serial = f"{product[:2].upper()}{self._counts.part:07d}"
        self._labels[part] = Label(serial, product)
        self._born.append(part)

    def _done(
        self, time: float, station: str, server: int, part: int, result: Result
    ) -> Iterator[Scan]:
        label, described = self._labels[part], self._line.stations[station]
        if described.yields > 1:
            yield from self._batch(time, station, server, part, described.yields)
        else:
            yield from self._order(time, station, server, label)
            data = {"result": RESULTS[result]}
            if not label.read:  # what is known by its serial from now on need not be said again
                label.read = True
                data |= {"product": label.product}
                data |= {"lot": label.lot} if label.lot else {}
                data |= {"order": label.order} if label.order else {}
            if label.carrier:
                data |= {"carrier": label.carrier}
                data |= {"start": self._moment(label.start)} if label.start else {}
                label.carrier, label.start = "", 0
            yield Scan(time, station, server, "part", label.serial, data, label)

    def _batch(
        self, time: float, station: str, server: int, part: int, yields: int
    ) -> Iterator[Scan]:
        """Tell the lot of which several parts are made, and the order that it begins."""
        first = self._labels[part]
        self._counts.lot += 1
        lot = f"M-{self._counts.lot:06d}"
        order = self._begun(first.product, time, station, yields)
        own = [part, *self._born[len(self._born) - (yields - 1) :]]
        self._born = []
        for each in own:
            self._labels[each].lot, self._labels[each].order = lot, order
        yield from self._order(time, station, server, first)
        data = {"product": first.product, "parts": str(yields)}
        data |= {"order": order} if order else {}
        yield Scan(time, station, server, "lot", lot, data, first)

    def _begun(self, product: str, time: float, station: str, yields: int) -> str:
        """Return the order of a batch: of the one before while its run lasts, or a new one."""
        length = _run_length(self._line.sequence, product)
        if not length:
            return ""
        running, batches = self._run
        known = f"O-{self._counts.order:06d}"
        if running == product and batches < length and known in self._orders:
            self._run = (product, batches + 1)
            return known
        self._counts.order += 1
        self._run = (product, 1)
        taken = length * self._line.stations[station].cycle_of(product).mean * _SLACK
        due = self._origin + round((time + taken) * SECOND)
        id = f"O-{self._counts.order:06d}"
        self._orders[id] = Order(id=id, product=product, quantity=length * yields, due=due)
        return id

    def _order(self, time: float, station: str, server: int, label: Label) -> Iterator[Scan]:
        """Tell the order of a station where it changes."""
        order = self._orders.get(label.order)
        if order is None or self._at.get(station) == order.id:
            return
        self._at[station] = order.id
        described = self._line.stations[station]
        parts = described.batch * described.yields * described.servers
        cycle = described.cycle_of(order.product).mean / parts
        data = {
            "product": order.product, "quantity": str(order.quantity),
            "due": self._moment(order.due), "cycle": f"{cycle:.4g}",
        }  # fmt: skip
        yield Scan(time, station, server, "order", order.id, data, label)

    def _close_load(self) -> Iterator[Scan]:
        """Tell the carriers that went in."""
        buffer, time, parts = self._loading
        self._loading = (-1, 0.0, [])
        while parts:
            station, batch = self._loads[buffer]
            own, parts = parts[:batch], parts[batch:]
            number = self._counts.carrier.get(station, 0) + 1
            self._counts.carrier[station] = number
            carrier = f"{station[:1].upper()}-{number:05d}"
            for part in own:
                self._labels[part].carrier = carrier
                self._labels[part].start = self._origin + round(time * SECOND)
            data = {"product": self._labels[own[0]].product, "parts": str(len(own))}
            yield Scan(time, station, -1, "loaded", carrier, data, self._labels[own[0]])

    def _moment(self, time: int) -> str:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time // SECOND)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _loaded_from(line: Line) -> Mapping[int, str]:
    """Return the buffers from which one station alone loads several parts at once."""
    found = {}
    for number, buffer in enumerate(line.buffers):
        takers = [name for name, each in line.stations.items() if buffer in each.takes_from]
        if len(takers) == 1 and line.stations[takers[0]].batch > 1:
            found[number] = takers[0]
    return found


def _run_length(sequence: Sequence[str], product: str) -> int:
    """Return how many batches of a product follow each other; 0: there is no sequence."""
    if product not in sequence:
        return 0
    doubled = [*sequence, *sequence]
    start = next(
        (n for n in range(len(sequence)) if doubled[n] == product and doubled[n - 1] != product), 0
    )
    length = 0
    while length < len(sequence) and doubled[start + length] == product:
        length += 1
    return length
