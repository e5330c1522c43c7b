"""A simulated machine as a driver, without a wire between."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from math import nan
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError, Unreachable
from deungdae.core.ports import Events, Health, Node
from deungdae.core.types import Batch, Event, Permit, Severity, Signal
from deungdae.core.units import scaling
from deungdae.sim.plant import Plant, Quantity, create

State = Literal["stopped", "connecting", "online", "degraded", "offline"]


class Simulated:
    """A machine that exists only as a model: to try a factory file, a loop or a page without one.

    The models are those of the virtual plant: `kiln` (one gas-fired zone: `valve` may be written;
    `temperature`, `gas_flow`, `power`, `wall_temperature`, `load`), `press` (`state` of kind
    `state`; `cycle_time`, `count`, `rejects`, `energy`, `force`), `tunnel`, `brick_press`, `dryer`
    and others; `deungdae discover` lists what one has. An address is the name of a quantity. The
    same seed gives the same run from every connection on.

    ```toml
    [machines.kiln]
    type = "simulated"
    model = "kiln"
    seed = 7
    parameters = { wagon_interval = 1800.0 }   # s; others as the model has them

    [[signals]]
    id = "kiln1.temperature"
    unit = "Cel"
    source = "kiln:temperature"

    [[signals]]
    id = "kiln1.valve"
    unit = "%"
    access = "rw"
    source = "kiln:valve"
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        model: Annotated[str, Meta(description="Which machine: a model of sim/plant")] = "kiln"
        seed: Annotated[int, Meta(ge=0, description="Where its randomness begins")] = 1
        period: Annotated[
            float,
            Meta(ge=0.001, le=3600, description="Time between two samples", extra={"unit": "s"}),
        ] = 1.0
        speed: Annotated[
            float, Meta(gt=0, le=10_000, description="How many times as fast the machine lives")
        ] = 1.0
        parameters: Annotated[
            dict[str, float], Meta(description="Parameters of the model that differ")
        ] = {}

        def __post_init__(self) -> None:
            create(self.model, self.seed, self.parameters)

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.machines.{name}")
        self._plant: Plant | None = None
        self._problems: dict[str, str] = {}
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether the machine runs, and each address that it does not have."""
        return msgspec.structs.replace(self._health, signals=dict(self._problems))

    async def connect(self) -> None:
        """Start the machine, from the beginning."""
        self._plant = create(self.options.model, self.options.seed, self.options.parameters)
        self._turn("online")

    async def browse(self) -> AsyncIterator[Node]:
        """Yield every quantity of the model."""
        plant = self._running()
        for quantity in plant.quantities:
            yield Node(
                address=quantity.name,
                path=f"{self.options.model}/{quantity.name}",
                kind=quantity.kind,
                unit=quantity.unit if quantity.kind == "number" else "",
                access=quantity.access,
                low=quantity.low,
                high=quantity.high,
                value=str(plant.get(quantity.name)),
                description=quantity.description,
            )

    async def stream(self, signals: Mapping[int, Signal]) -> AsyncIterator[Batch | Events]:
        """Yield all numbers every period, and states when they change."""
        plant = self._running()
        self._problems = _problems(signals, plant.quantities)
        good = {key: each for key, each in signals.items() if each.id not in self._problems}
        numbers = {key: each for key, each in good.items() if each.kind == "number"}
        if self._problems:
            self._turn("degraded", "some addresses do not exist")
            for item in _bad(signals, self._problems, self._clock.now()):
                yield item
        told: dict[str, str] = {}
        due = self._clock.monotonic()
        while True:
            now = self._clock.now()
            if numbers:
                yield _samples(plant, numbers, now)
            if events := _changes(plant, good, told, now):
                yield events
            due = max(due + self.options.period, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())
            try:
                plant.step(self.options.period * self.options.speed)
            except DoorError as error:
                self._turn("offline", str(error))
                raise

    def confirm(self, items: int) -> None:
        """Take note of nothing: a model has nobody to acknowledge to."""

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        """Set a quantity and return what it is then; raises DoorError if it can only be read."""
        scale = scaling(signal)
        plant = self._running()
        try:
            plant.set(signal.address, scale.raw(permit.command.value))
        except ValueError as error:
            raise DoorError(f"{signal.id} cannot be written: {error}") from error
        value = plant.get(signal.address)
        return None if isinstance(value, str) else value * scale.gain + scale.bias

    async def close(self) -> None:
        """Stop the machine."""
        self._plant = None
        self._turn("stopped")

    def _running(self) -> Plant:
        if self._plant is None:
            raise Unreachable(f"the simulated {self.options.model} is not started")
        return self._plant

    def _turn(self, state: State, problem: str = "") -> None:
        if state != self._health.state:
            self._health = Health(state=state, since=self._clock.now(), problem=problem)
            self._log.info("state=%s model=%s %s", state, self.options.model, problem)


def _problems(signals: Mapping[int, Signal], quantities: Sequence[Quantity]) -> dict[str, str]:
    """Return why signals cannot be had, by id."""
    kinds = {quantity.name: quantity.kind for quantity in quantities}
    problems = {}
    for signal in signals.values():
        kind = kinds.get(signal.address)
        if kind is None:
            problems[signal.id] = f"no quantity {signal.address!r}; there are {', '.join(kinds)}"
        elif kind != signal.kind:
            problems[signal.id] = f"{signal.address} is a {kind}, the signal a {signal.kind}"
    return problems


def _bad(
    signals: Mapping[int, Signal], problems: Mapping[str, str], now: int
) -> Iterator[Batch | Events]:
    """Yield bad status for the signals that cannot be had."""
    status = int(Severity.BAD)
    for handle, signal in signals.items():
        if signal.id not in problems:
            continue
        if signal.kind == "number":
            yield Batch.of([handle], [now], [nan], [status], received=now)
        else:
            yield (_event(signal, now, "", status),)


def _event(signal: Signal, now: int, value: str, status: int) -> Event:
    kind = "text" if signal.kind == "number" else signal.kind
    return Event(id=signal.id, time=now, kind=kind, value=value, status=status, received=now)


def _samples(plant: Plant, signals: Mapping[int, Signal], now: int) -> Batch:
    scales = [scaling(signal) for signal in signals.values()]
    raw = [float(plant.get(signal.address)) for signal in signals.values()]
    value = np.asarray(raw) * [scale.gain for scale in scales] + [scale.bias for scale in scales]
    status = np.where(np.isfinite(value), Severity.GOOD, Severity.BAD)
    count = len(signals)
    return Batch(
        np.fromiter(signals, np.int32, count),
        np.full(count, now, np.int64),
        value,
        status.astype(np.uint8),
        now,
    )


def _changes(plant: Plant, signals: Mapping[int, Signal], told: dict[str, str], now: int) -> Events:
    """Return the states and texts that are others than those told, and take note of them."""
    events = []
    for signal in signals.values():
        if signal.kind == "number":
            continue
        value = str(plant.get(signal.address))
        if told.get(signal.id) != value:
            told[signal.id] = value
            events.append(_event(signal, now, value, Severity.GOOD))
    return tuple(events)
