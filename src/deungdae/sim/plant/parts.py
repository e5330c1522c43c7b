"""What every plant is made of: quantities, and what else a machine may have to offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Literal, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of a plant: what a machine would offer under an address.

    unit: UCUM; low, high: physical range in it. states: every value that a state can take.
    """

    name: str
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    access: Literal["r", "rw"] = "r"
    kind: Literal["number", "state", "text"] = "number"
    states: tuple[str, ...] = ()
    description: str = ""


@runtime_checkable
class Plant(Protocol):
    """A machine that time moves on. Two plants with one seed and the same calls are the same."""

    @property
    def quantities(self) -> Sequence[Quantity]:
        """Return everything that can be read or set."""
        ...

    def step(self, dt: float) -> None:
        """Let dt seconds pass; dt >= 0, of any length."""
        ...

    def get(self, name: str) -> float | str:
        """Return a quantity's value now, in its unit. Raises ValueError for an unknown name."""
        ...

    def set(self, name: str, value: float) -> None:
        """Set a quantity; beyond its range it stops at the end, as an actuator does.

        Raises ValueError for an unknown or read-only name, or a value that is not finite.
        """
        ...


@runtime_checkable
class Driven(Protocol):
    """A plant that a line moves: it does what its station does instead of what it draws itself."""

    def drive(self, state: str, phase: float, product: str = "") -> None:
        """Take over what the station does from now on.

        state: one of sim.line.STATES; phase: how far through the present cycle, 0..1.
        """
        ...


@runtime_checkable
class Told(Protocol):
    """A plant that shows what a line says of its parts."""

    def tell(self, name: str, text: str) -> None:
        """Show it from now on. name: `station`, `part`, `lot`, `loaded` or `order`."""
        ...


@runtime_checkable
class Resuming(Protocol):
    """A plant that can go on where another of its kind ended."""

    def resume(self, values: Mapping[str, float]) -> None:
        """Take over counters and wear, by quantity; what it does not keep is passed over."""
        ...


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a machine can be told to do; without arguments, as a button on its panel."""

    name: str
    description: str = ""


@runtime_checkable
class Operable(Protocol):
    """A plant with methods."""

    @property
    def methods(self) -> Sequence[Method]:
        """Return what it can be told to do."""
        ...

    def call(self, method: str) -> None:
        """Do it. Raises ValueError for an unknown method, or one that the state forbids."""
        ...


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that a machine watches. severity: 1..1000, as OPC UA Part 9 has it."""

    name: str
    active: bool
    severity: int
    message: str
    quantity: str = ""


@runtime_checkable
class Alarming(Protocol):
    """A plant with alarms."""

    def alarms(self) -> Sequence[Alarm]:
        """Return every condition that it watches, active or not, always in the same order."""
        ...


@runtime_checkable
class Scanning(Protocol):
    """A plant that reads codes."""

    def take(self) -> Sequence[str]:
        """Return what was scanned since the last call, oldest first."""
        ...


class Frame(msgspec.Struct, frozen=True, eq=False):
    """One image. pixels: uint8[height, width, 3]; number: counts up; serial: of what it shows."""

    number: int
    serial: str
    pixels: NDArray[np.uint8]


@runtime_checkable
class Seeing(Protocol):
    """A plant with a camera."""

    def frame(self) -> Frame | None:
        """Return the latest image, or None before the first."""
        ...


def known(quantities: Sequence[Quantity], name: str) -> Quantity:
    """Return the quantity of that name. Raises ValueError, naming the known."""
    for quantity in quantities:
        if quantity.name == name:
            return quantity
    names = ", ".join(quantity.name for quantity in quantities)
    raise ValueError(f"no quantity is called {name!r}; known: {names}")


def settable(quantities: Sequence[Quantity], name: str, value: float) -> Quantity:
    """Return the quantity if it may be set to the value. Raises ValueError otherwise."""
    quantity = known(quantities, name)
    if quantity.access == "r":
        raise ValueError(f"{name} can only be read")
    if not isfinite(value):
        raise ValueError(f"{name} cannot be set to {value}: it is not a finite number")
    return quantity


def clipped(quantity: Quantity, value: float) -> float:
    """Return the value, or the end of the range that it lies beyond."""
    if quantity.low is not None:
        value = max(value, quantity.low)
    if quantity.high is not None:
        value = min(value, quantity.high)
    return float(value)


def length(dt: float) -> float:
    """Return a step's length. Raises ValueError where it is none."""
    if not (isfinite(dt) and dt >= 0):
        raise ValueError(f"a step must be a number of seconds >= 0, not {dt}")
    return dt


def offered(methods: Sequence[Method], name: str) -> str:
    """Return the method's name. Raises ValueError, naming the known."""
    names = [method.name for method in methods]
    if name not in names:
        raise ValueError(f"no method is called {name!r}; known: {', '.join(names)}")
    return name
